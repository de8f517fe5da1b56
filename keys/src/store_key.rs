//! Who holds the key of a store, written as `keyring:NAME`, `file:PATH`, `credential:NAME` or `pkcs11:...`.
//!
//! For programs that serve a [`LocalKms`](crate::local::LocalKms) and take its key from their configuration:
//!
//! ```
//! # #[cfg(unix)] {
//! # use std::os::unix::fs::PermissionsExt;
//! # let folder = tempfile::tempdir()?;
//! # let (path, key) = (folder.path().join("my.kms"), folder.path().join("key"));
//! # std::fs::write(&key, "0123456789abcdef".repeat(4))?;
//! # std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
//! # let written = format!("file:{}", key.display());
//! use objseal_keys::keyring::KeyringFile;
//! use objseal_keys::local::{LocalKms, Options, Owner};
//! use objseal_keys::store_key::StoreKey;
//!
//! let store_key: StoreKey = written.parse()?;
//! let holder = store_key.open(|_| KeyringFile::at("keyring").read(None))?;
//! LocalKms::create_with(&path, &|context| holder.wrapping_key(context), &Owner::default())?;
//! let kms = LocalKms::open(&path, &holder.options(), Options::default())?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::key_file::{self, KeyFileError};
use crate::keyring::Keyring;
#[cfg(feature = "pkcs11")]
use crate::pkcs11::{Token, TokenError, TokenOptions};
use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyService, KeyServiceError, OpenOptions, WrappingKey};
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
#[cfg(feature = "pkcs11")]
use zeroize::Zeroizing;

/// Who holds the key of a store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreKey {
    /// A keyring, under this name.
    Keyring(String),
    /// A key file ([`key_file::read`]).
    File(PathBuf),
    /// A credential of systemd ([`key_file::credential`]).
    Credential(String),
    /// A PKCS #11 token: its URI ([`TokenOptions::from_uri`]), in which there may be a PIN.
    #[cfg(feature = "pkcs11")]
    Token(Zeroizing<String>),
}

impl StoreKey {
    /// Comes by the key. `keyring` reads the keyring that has the key of this name, and is called for one only.
    ///
    /// A keyring need not have the key: see [`StoreKeyHolder::has_key`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<E>(&self, keyring: impl FnOnce(&str) -> Result<Keyring, E>) -> Result<StoreKeyHolder, OpenError<E>> {
        Ok(match self {
            Self::Keyring(name) => {
                let keyring = keyring(name).map_err(OpenError::Keyring)?;
                StoreKeyHolder(Holder::Keyring(Arc::new(keyring), name.clone()))
            }
            Self::File(path) => StoreKeyHolder::of_key(key_file::read(path).map_err(OpenError::Key)?),
            Self::Credential(name) => StoreKeyHolder::of_key(key_file::credential(name).map_err(OpenError::Key)?),
            #[cfg(feature = "pkcs11")]
            Self::Token(uri) => {
                let token = TokenOptions::from_uri(uri).and_then(Token::open).map_err(OpenError::Token)?;
                StoreKeyHolder(Holder::Token(Arc::new(token)))
            }
        })
    }
}

/// The key `default` of a keyring.
impl Default for StoreKey {
    fn default() -> Self {
        Self::Keyring("default".into())
    }
}

impl FromStr for StoreKey {
    type Err = ParseStoreKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None | Some((_, "")) => Err(ParseStoreKeyError),
            Some(("keyring", name)) => Ok(Self::Keyring(name.into())),
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(("credential", name)) => Ok(Self::Credential(name.into())),
            #[cfg(feature = "pkcs11")]
            Some(("pkcs11", _)) => Ok(Self::Token(Zeroizing::new(text.into()))),
            Some(_) => Err(ParseStoreKeyError),
        }
    }
}

/// In words. A URI is not shown: somebody may have put a PIN into it.
impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring(name) => write!(f, "key \"{name}\" of the keyring"),
            Self::File(path) => write!(f, "key file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name}"),
            #[cfg(feature = "pkcs11")]
            Self::Token(_) => f.write_str("a key of a PKCS #11 token"),
        }
    }
}

/// The same words.
impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({self})")
    }
}

/// A text does not say who holds a key. It is not shown: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseStoreKeyError;

impl fmt::Display for ParseStoreKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if cfg!(feature = "pkcs11") {
            "a key of a store is keyring:NAME, file:PATH, credential:NAME or pkcs11:..."
        } else {
            "a key of a store is keyring:NAME, file:PATH or credential:NAME"
        })
    }
}

impl Error for ParseStoreKeyError {}

/// Why there is no key of a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError<E> {
    /// The keyring was not read.
    Keyring(E),
    /// The key file or credential was not read.
    Key(KeyFileError),
    /// The token was not opened, or lacks the key.
    #[cfg(feature = "pkcs11")]
    Token(TokenError),
}

impl<E: fmt::Display> fmt::Display for OpenError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            #[cfg(feature = "pkcs11")]
            Self::Token(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for OpenError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Keyring(error) => error.source(),
            Self::Key(error) => error.source(),
            #[cfg(feature = "pkcs11")]
            Self::Token(error) => error.source(),
        }
    }
}

/// Who holds the key of a store, and can be asked.
#[derive(Clone, Debug)]
pub struct StoreKeyHolder(Holder);

#[derive(Clone, Debug)]
enum Holder {
    Keyring(Arc<Keyring>, String),
    Key(Arc<WrappingKey>),
    #[cfg(feature = "pkcs11")]
    Token(Arc<Token>),
}

impl StoreKeyHolder {
    /// This key itself.
    #[must_use]
    pub fn of_key(key: Key) -> Self {
        Self(Holder::Key(Arc::new(WrappingKey::from_key(key))))
    }

    /// What opens the store.
    #[must_use]
    pub fn options(&self) -> OpenOptions {
        match &self.0 {
            Holder::Keyring(keyring, _) => OpenOptions::new().with_service(keyring.clone()),
            Holder::Key(key) => OpenOptions::new().with_key(Arc::clone(key)),
            #[cfg(feature = "pkcs11")]
            Holder::Token(token) => OpenOptions::new().with_service(token.clone()),
        }
    }

    /// Whether there is a key to put a store under. A keyring may lack it, and the URI of a token need not name one; what
    /// opens a store is found by what stands in the store.
    #[must_use]
    pub fn has_key(&self) -> bool {
        match &self.0 {
            Holder::Keyring(keyring, name) => keyring.has(name),
            Holder::Key(_) => true,
            #[cfg(feature = "pkcs11")]
            Holder::Token(token) => token.key().is_some(),
        }
    }

    /// What a key of the store is to be under.
    ///
    /// # Errors
    /// [`KeyServiceError`] of the keyring or the token.
    pub fn wrapping_key(&self, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        match &self.0 {
            Holder::Keyring(keyring, name) => keyring.wrapping_key(name, context),
            Holder::Key(key) => Ok(Arc::clone(key)),
            #[cfg(feature = "pkcs11")]
            Holder::Token(token) => token.wrapping_key(token.key().unwrap_or_default(), context),
        }
    }

    /// The keyring, if it is one.
    #[must_use]
    pub fn keyring(&self) -> Option<&Arc<Keyring>> {
        match &self.0 {
            Holder::Keyring(keyring, _) => Some(keyring),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StoreKey, ParseStoreKeyError> {
        text.parse()
    }

    #[test]
    fn a_source_is_a_kind_and_what_it_is_called() {
        assert_eq!(read("keyring:photos"), Ok(StoreKey::Keyring("photos".into())));
        assert_eq!(read("keyring:default"), Ok(StoreKey::default()));
        assert_eq!(read("file:/a:b"), Ok(StoreKey::File("/a:b".into())));
        assert_eq!(read("credential:kms"), Ok(StoreKey::Credential("kms".into())));
        for text in ["", "photos", ":photos", "keyring:", "file:", "credential:", "pkcs11:", "Keyring:a", "key:a"] {
            assert_eq!(read(text), Err(ParseStoreKeyError), "{text}");
        }
    }

    #[test]
    fn in_words() {
        let words = |text: &str| read(text).map(|key| key.to_string());
        assert_eq!(words("keyring:photos"), Ok("key \"photos\" of the keyring".into()));
        assert_eq!(words("file:/key"), Ok("key file /key".into()));
        assert_eq!(words("credential:kms"), Ok("credential kms".into()));
    }

    /// The PIN is in none of what is shown, and the URI is kept as it was written.
    #[cfg(feature = "pkcs11")]
    #[test]
    fn a_uri_is_kept_and_not_shown() {
        let uri = "pkcs11:token=vault?module-path=/none&pin-value=1234";
        let key = read(uri);
        assert_eq!(key, Ok(StoreKey::Token(Zeroizing::new(uri.into()))));
        let shown = key.map(|key| format!("{key} {key:?} {:?}", key.open(|_| Err::<Keyring, _>("no keyring")).err()));
        assert!(shown.as_ref().is_ok_and(|shown| shown.contains("PinInClear") && !shown.contains("1234")), "{shown:?}");
    }

    #[test]
    fn only_a_keyring_may_lack_the_key() {
        let context = EncryptionContext::new();
        let open = |name: &str| {
            StoreKey::Keyring(name.into()).open(|asked| {
                assert_eq!(asked, name);
                let mut keyring = Keyring::new();
                keyring.create("default").map(|_| keyring)
            })
        };
        let lacks = open("photos").expect("read");
        assert!(!lacks.has_key() && lacks.wrapping_key(&context).is_err() && lacks.keyring().is_some());
        let has = open("default").expect("read");
        assert!(has.has_key() && has.wrapping_key(&context).is_ok());
        let key = StoreKeyHolder::of_key(Key::from_bytes(&[7; Key::LEN]));
        assert!(key.has_key() && key.wrapping_key(&context).is_ok() && key.keyring().is_none());
        let failed = StoreKey::default().open(|_| Err::<Keyring, _>("it is somewhere else"));
        assert!(matches!(failed, Err(OpenError::Keyring("it is somewhere else"))));
    }
}
