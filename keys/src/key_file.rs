//! A key in a file, for programs: a file of its own, or a credential that systemd hands over.
//!
//! ```
//! # #[cfg(unix)] {
//! # use std::os::unix::fs::PermissionsExt;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("key");
//! # std::fs::write(&path, "0123456789abcdef".repeat(4) + "\n")?;
//! # std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
//! let key = objseal_keys::key_file::read(&path)?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::hex::{self, Case};
use crate::keyring::KeyringError;
use objseal::Key;
use std::env;
use std::fmt;
use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Hexadecimal digits of a key.
const HEX_LEN: usize = 2 * Key::LEN;
/// The longest key file, in bytes: digits and an end of line.
const MAX_LEN: usize = HEX_LEN + 2;
/// Where systemd puts the credentials of a service (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// Longest name of a credential, in bytes: that of a file.
const MAX_NAME_LEN: usize = 255;

/// Why there is no key.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Others can read the file, or it is somebody else's: [`KeyringError::Permissions`] or [`KeyringError::Owner`].
    NotPrivate(KeyringError),
    /// The file is neither 64 hexadecimal digits nor 32 bytes.
    NotAKey,
    /// The name of a credential is 1 to 255 printable ASCII characters without slash and colon, and neither `.` nor
    /// `..`.
    BadName,
    /// The service has no credentials: `$CREDENTIALS_DIRECTORY` is not set, or not an absolute path.
    NoCredentials,
    /// The file could not be read.
    Io(io::Error),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrivate(error) => error.fmt(f),
            Self::NotAKey => {
                write!(f, "not a key; expected are {HEX_LEN} hexadecimal digits or {} bytes", Key::LEN)
            }
            Self::BadName => f.write_str(
                "a credential's name is 1 to 255 printable ASCII characters without slash and colon, not . or ..",
            ),
            Self::NoCredentials => f.write_str(
                "no credentials: $CREDENTIALS_DIRECTORY is not an absolute path; LoadCredential= in the unit sets it",
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotPrivate(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::NotAKey | Self::BadName | Self::NoCredentials => None,
        }
    }
}

impl From<io::Error> for KeyFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a key file: 64 hexadecimal digits of any case and perhaps an end of line, or 32 bytes as they are.
///
/// A file belongs to the user or root, and nobody else may read it: mode 600 or less. One in `$CREDENTIALS_DIRECTORY`
/// is held to the rule of [`credential`]. Pipes and devices are read whatever their mode, which says nothing about what
/// comes out of them, and `/dev/fd/N` is read on from where that descriptor stands.
///
/// # Errors
/// [`KeyFileError::NotPrivate`], [`KeyFileError::NotAKey`], or [`KeyFileError::Io`].
pub fn read(path: &Path) -> Result<Key, KeyFileError> {
    read_from(open(path)?)
}

/// Reads the key in the systemd credential `name`, the file `$CREDENTIALS_DIRECTORY/name` (systemd.exec(5)), as
/// [`read`] does.
///
/// systemd gives a service a file of root's with mode 400 and a right for the user of the service in its access control
/// list; the group's bits of such a file show what the list allows at most, so that it has mode 440. A credential of
/// root may therefore have the group's bit for reading; everything else is refused as for other files.
///
/// # Errors
/// [`KeyFileError::BadName`], [`KeyFileError::NoCredentials`], and those of [`read`].
pub fn credential(name: &str) -> Result<Key, KeyFileError> {
    // As systemd's fdname_valid and filename_is_valid have it, so that no name leads out of the folder.
    let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"/:".contains(&byte));
    if !printable || !(1..=MAX_NAME_LEN).contains(&name.len()) || [".", ".."].contains(&name) {
        return Err(KeyFileError::BadName);
    }
    read(&credentials().ok_or(KeyFileError::NoCredentials)?.join(name))
}

/// Reads a key from something that is open, as [`read`] does. Who else can read it is the caller's to check
/// ([`check_private`]).
///
/// # Errors
/// [`KeyFileError::NotAKey`], or [`KeyFileError::Io`].
pub fn read_from(reader: impl Read) -> Result<Key, KeyFileError> {
    // One byte more than any key file has, to see that there is no more; and room, because a vector that grows leaves a
    // copy of the key behind.
    let limit = MAX_LEN + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(2 * limit));
    reader.take(limit as u64).read_to_end(&mut content)?;
    parse(&content).ok_or(KeyFileError::NotAKey)
}

/// That a file with a secret belongs to the user or root, and that nobody else may read it. Only regular files have an
/// owner and a mode that say so; all others pass, and so does everything where the operating system has no such modes.
///
/// # Errors
/// [`KeyringError::Owner`], or [`KeyringError::Permissions`].
pub fn check_private(metadata: &Metadata) -> Result<(), KeyringError> {
    check(metadata, 0o077)
}

/// Opens a file with a secret, which must be private.
pub(crate) fn open(path: &Path) -> Result<impl Read, KeyFileError> {
    let (reader, metadata) = opened(path)?;
    let of_systemd = credentials().is_some_and(|folder| path.parent() == Some(&folder)) && is_of_root(&metadata);
    check(&metadata, if of_systemd { 0o037 } else { 0o077 }).map_err(KeyFileError::NotPrivate)?;
    Ok(reader)
}

/// The folder of this service's credentials.
fn credentials() -> Option<PathBuf> {
    env::var_os(CREDENTIALS_DIRECTORY).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

#[cfg(unix)]
fn opened(path: &Path) -> io::Result<(impl Read, Metadata)> {
    let source = objseal_files::Source::open(path)?;
    let metadata = source.file().metadata()?;
    Ok((source, metadata))
}

#[cfg(not(unix))]
fn opened(path: &Path) -> io::Result<(impl Read, Metadata)> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

#[cfg(unix)]
fn is_of_root(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == 0
}

#[cfg(not(unix))]
fn is_of_root(_: &Metadata) -> bool {
    false
}

/// That a regular file has none of the bits `forbidden` in its mode.
#[cfg(unix)]
fn check(metadata: &Metadata, forbidden: u32) -> Result<(), KeyringError> {
    use std::os::unix::fs::MetadataExt;
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if metadata.is_file() && ![0, rustix::process::geteuid().as_raw()].contains(&uid) {
        return Err(KeyringError::Owner { uid });
    }
    if metadata.is_file() && mode & forbidden != 0 {
        return Err(KeyringError::Permissions { mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(_: &Metadata, _: u32) -> Result<(), KeyringError> {
    Ok(())
}

fn parse(content: &[u8]) -> Option<Key> {
    if let Ok(key) = Key::try_from(content) {
        return Some(key);
    }
    let digits = content.strip_suffix(b"\n").unwrap_or(content);
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    let mut bytes = Zeroizing::new([0; Key::LEN]);
    hex::decode(digits, Case::Any, &mut *bytes)?;
    Some(Key::from_bytes(&bytes))
}
