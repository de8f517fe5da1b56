//! A keyring: root keys in one file, for programs and people without a key management service.
//!
//! Each root key has a name and versions. New objects are sealed under the latest version; older versions stay, so that
//! older objects still open.
//!
//! ```
//! use objseal::envelope::{OpenOptions, SealOptions};
//! use objseal_keys::keyring::Keyring;
//! use std::sync::Arc;
//!
//! let mut keyring = Keyring::new();
//! keyring.create("photos")?;
//! let keyring = Arc::new(keyring);
//!
//! let (envelope, body) = SealOptions::new(keyring.latest("photos")?).start()?;
//! let stored = body.seal(b"the plaintext")?;
//!
//! let opened = OpenOptions::new().with_service(keyring).open(envelope.stored())?;
//! assert_eq!(opened.body()?.open(&stored)?, b"the plaintext");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file can be protected by a passphrase. [FORMAT.md](mod@objseal::envelope::format), section
//! 12, has its format.
//!
//! | file | what |
//! |---|---|
//! | `text` | the keyring as text |
//! | `passphrase` | Argon2id, and the keyring sealed under what it gives |
//! | `store` | reading and replacing the file |
//! | `shared` | a keyring in a file, for any number of threads |

mod passphrase;
mod shared;
mod store;
mod text;

pub use passphrase::{Passphrase, PassphraseCost};
pub use shared::SharedKeyring;
pub use store::KeyringFile;

use objseal::envelope::{EncryptionContext, KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind, WrappingKey};
use objseal::{Error, Key};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The name of this key service in wrapped keys.
pub const SERVICE: &str = "keyring";
/// Longest name of a key, in bytes.
const MAX_NAME_LEN: usize = 64;
/// Most versions of a key.
const MAX_VERSIONS: usize = 10_000;

/// Root keys in memory, by name and version.
#[derive(Default)]
pub struct Keyring {
    /// The versions of each key, from version 1 on.
    keys: BTreeMap<String, Vec<Arc<WrappingKey>>>,
}

/// Why something could not be done with a keyring.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyringError {
    /// The file is not a keyring, or is damaged.
    Malformed {
        /// The line, from 1.
        line: usize,
    },
    /// The file is of a version that this library does not know.
    UnknownVersion,
    /// The keyring is protected by a passphrase, and none was given.
    PassphraseNeeded,
    /// The passphrase is wrong, or the file was changed.
    WrongPassphrase,
    /// A passphrase is empty, or has a NUL character.
    BadPassphrase,
    /// A passphrase was given, and the keyring is not protected by one.
    NotProtected,
    /// The cost of the passphrase is below what is safe or above what is sensible.
    PassphraseCost,
    /// There is a key of this name already.
    KeyExists,
    /// There is no key of this name.
    UnknownKey,
    /// A name is 1 to 64 letters, digits, dots, dashes and underscores.
    BadName,
    /// There are as many versions as a key can have.
    TooManyVersions,
    /// Other users can read the file.
    Permissions {
        /// The permissions, as of `chmod`.
        mode: u32,
    },
    /// The file system keeps no permissions, so other users could read the file. Nothing was written.
    NoPermissions,
    /// The file belongs to another user than the one who reads it or root.
    Owner {
        /// The user id of the owner.
        uid: u32,
    },
    /// The file could not be read or written.
    Io(io::Error),
    /// Making a key failed.
    Seal(Error),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line } => write!(f, "not a keyring, or damaged at line {line}"),
            Self::UnknownVersion => f.write_str("this keyring is of a version that is not known"),
            Self::PassphraseNeeded => f.write_str("this keyring is protected by a passphrase"),
            Self::WrongPassphrase => f.write_str("wrong passphrase, or the keyring was changed"),
            Self::BadPassphrase => f.write_str("a passphrase is not empty and has no NUL character"),
            Self::NotProtected => f.write_str("a passphrase was given, and this keyring is not protected by one"),
            Self::PassphraseCost => f.write_str("the cost of the passphrase is not within its bounds"),
            Self::KeyExists => f.write_str("there is a key of this name already"),
            Self::UnknownKey => f.write_str("there is no key of this name"),
            Self::BadName => f.write_str("a key's name is 1 to 64 letters, digits, dots, dashes and underscores"),
            Self::TooManyVersions => f.write_str("this key has as many versions as it can have"),
            Self::Permissions { mode } => {
                write!(f, "its permissions are {mode:03o}, so other users can read it; make them 600")
            }
            Self::NoPermissions => f.write_str(
                "the file system there keeps no permissions, so other users could read it; choose another place",
            ),
            Self::Owner { uid } => write!(f, "it belongs to user {uid}: neither you nor root"),
            Self::Io(error) => error.fmt(f),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyringError {}

impl From<io::Error> for KeyringError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for KeyringError {
    fn from(error: Error) -> Self {
        Self::Seal(error)
    }
}

impl Keyring {
    /// A keyring without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes version 1 of a key.
    ///
    /// # Errors
    /// [`KeyringError::BadName`], [`KeyringError::KeyExists`], or [`KeyringError::Seal`] without randomness.
    pub fn create(&mut self, name: &str) -> Result<(), KeyringError> {
        check_name(name)?;
        if self.keys.contains_key(name) {
            return Err(KeyringError::KeyExists);
        }
        self.add_version(name, Key::generate()?)?;
        Ok(())
    }

    /// Makes the next version of a key and returns its number.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`], [`KeyringError::TooManyVersions`], or [`KeyringError::Seal`] without randomness.
    pub fn rotate(&mut self, name: &str) -> Result<u32, KeyringError> {
        let versions = self.keys.get(name).ok_or(KeyringError::UnknownKey)?;
        if versions.len() >= MAX_VERSIONS {
            return Err(KeyringError::TooManyVersions);
        }
        self.add_version(name, Key::generate()?)
    }

    /// Adds the next version of a key, whose name is a good one; returns its number.
    fn add_version(&mut self, name: &str, secret: Key) -> Result<u32, KeyringError> {
        let versions = self.keys.entry(name.into()).or_default();
        let version = version_number(versions.len() + 1);
        let key = WrappingKey::new(SERVICE, name, version, secret).map_err(|_| KeyringError::BadName)?;
        versions.push(Arc::new(key));
        Ok(version)
    }

    /// The latest version of a key: what new objects are sealed under.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`].
    pub fn latest(&self, name: &str) -> Result<Arc<WrappingKey>, KeyringError> {
        self.keys.get(name).and_then(|versions| versions.last()).cloned().ok_or(KeyringError::UnknownKey)
    }

    /// Name and latest version of each key, sorted by name.
    pub fn list(&self) -> impl Iterator<Item = (&str, u32)> {
        self.keys.iter().map(|(name, versions)| (name.as_str(), version_number(versions.len())))
    }

    /// Whether there is a key of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }
}

impl KeyService for Keyring {
    fn name(&self) -> &str {
        SERVICE
    }

    fn wrapping_key(&self, key_id: &str, _: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.latest(key_id).map_err(|_| KeyServiceErrorKind::UnknownKey.into())
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        let versions = self.keys.get(request.key_id());
        let index = request.key_version().checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let key = versions.zip(index).and_then(|(versions, index)| versions.get(index));
        key.cloned().ok_or_else(|| KeyServiceErrorKind::UnknownKey.into())
    }
}

/// Names and numbers of versions only.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.list()).finish()
    }
}

/// The number of the latest of `count` versions, at most [`MAX_VERSIONS`].
fn version_number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn check_name(name: &str) -> Result<(), KeyringError> {
    let fits = (1..=MAX_NAME_LEN).contains(&name.len());
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if fits && plain { Ok(()) } else { Err(KeyringError::BadName) }
}
