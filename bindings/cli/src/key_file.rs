//! Files that hold one key.

use crate::failure::Failure;
use crate::output::{Output, Wanted};
use crate::secret;
use crate::text::shown_path;
use objseal::Key;
use objseal_keys::keyring::KeyringError;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

const HEX_LEN: usize = 2 * Key::LEN;

/// Reads a key: 64 hexadecimal digits and perhaps an end of line, or 32 bytes as they are.
pub(crate) fn read(path: &Path) -> Result<Key, Failure> {
    let name = shown_path(path);
    let fail = |error: KeyringError| match error {
        KeyringError::Io(error) if error.kind() == ErrorKind::NotFound => {
            Failure::other(format!("key file {name}: cannot read: {error}; `objseal cobblestone keygen` makes one"))
        }
        KeyringError::Io(error) => Failure::other(format!("key file {name}: cannot read: {error}")),
        error => Failure::other(format!("key file {name}: {error}")),
    };
    // One byte more than any key file has, to see that there is no more.
    let mut buffer = Zeroizing::new([0; HEX_LEN + 3]);
    let mut file = secret::open(path).map_err(fail)?;
    let mut len = 0;
    loop {
        match file.read(&mut buffer[len..]).map_err(|error| fail(error.into()))? {
            0 => break,
            more => len += more,
        }
    }
    parse(&buffer[..len]).ok_or_else(|| {
        Failure::other(format!(
            "key file {name}: not a key; expected are {HEX_LEN} hexadecimal digits or {} bytes, as `objseal cobblestone \
             keygen` makes them",
            Key::LEN,
        ))
    })
}

fn parse(content: &[u8]) -> Option<Key> {
    if let Ok(key) = Key::try_from(content) {
        return Some(key);
    }
    let digits = content.strip_suffix(b"\n").unwrap_or(content);
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    let mut bytes = Zeroizing::new([0; Key::LEN]);
    let decoded = base16ct::mixed::decode(digits, &mut bytes[..]).ok()?;
    Key::try_from(decoded).ok()
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
