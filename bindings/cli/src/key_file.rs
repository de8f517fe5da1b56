//! Files that hold one key.

use crate::failure::Failure;
use crate::output::{Output, Wanted};
use crate::secret;
use crate::text::shown_path;
use objseal::Key;
use objseal_keys::key_file::{self, KeyFileError};
use objseal_keys::keyring::KeyringError;
use std::io::{ErrorKind, Write};
use std::path::Path;
use zeroize::Zeroizing;

const HEX_LEN: usize = 2 * Key::LEN;

/// Reads a key: 64 hexadecimal digits and perhaps an end of line, or 32 bytes as they are.
pub(crate) fn read(path: &Path) -> Result<Key, Failure> {
    let read = secret::open(path).map_err(|error| match error {
        KeyringError::Io(error) => error.into(),
        error => KeyFileError::NotPrivate(error),
    });
    read.and_then(key_file::read_from).map_err(|error| {
        let what = match error {
            KeyFileError::Io(error) if error.kind() == ErrorKind::NotFound => {
                format!("cannot read: {error}; `objseal cobblestone keygen` makes one")
            }
            KeyFileError::Io(error) => format!("cannot read: {error}"),
            KeyFileError::NotAKey => format!("{error}, as `objseal cobblestone keygen` makes them"),
            error => error.to_string(),
        };
        Failure::other(format!("key file {}: {what}", shown_path(path)))
    })
}

/// Makes a key file, which must not exist yet.
pub(crate) fn generate(path: &Path) -> Result<(), Failure> {
    let key = Key::generate()?;
    let mut text = Zeroizing::new([b'\n'; HEX_LEN + 1]);
    base16ct::lower::encode(key.expose_secret(), &mut text[..HEX_LEN]).map_err(Failure::other)?;
    let wanted = Wanted { in_use: &[], mode: 0o600, stays: Some("a key is never overwritten"), sealed: false };
    let mut output = Output::create(path, &wanted)?;
    if let Some(new) = output.new_file() {
        // Descriptors and devices were chosen by whoever made them.
        secret::check_new(new)
            .map_err(|error| Failure::other(format!("{}: cannot write: {error}", shown_path(path))))?;
    }
    output.write_all(&text[..]).map_err(|error| Failure::of_stream(&error, "", ""))?;
    output.finish()
}
