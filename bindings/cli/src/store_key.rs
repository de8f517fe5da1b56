//! Who holds the key of a store: a keyring, a key file, a credential of systemd, or a security module.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::key_file;
use crate::keyring::{DEFAULT_KEY, Place};
use crate::text::{shown, shown_path};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use objseal::envelope::{EncryptionContext, KeyService, KeyServiceError, OpenOptions, WrappingKey};
use objseal_keys::keyring::Keyring;
use objseal_keys::pkcs11::{Token, TokenError, TokenOptions};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::path::PathBuf;
use std::sync::Arc;

/// Who holds it, as it is written on the command line.
#[derive(Clone)]
pub(crate) enum StoreKey {
    Keyring(String),
    File(PathBuf),
    Credential(String),
    Token(String),
}

impl Default for StoreKey {
    fn default() -> Self {
        Self::Keyring(DEFAULT_KEY.into())
    }
}

impl StoreKey {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            _ if rest.is_empty() => None,
            "keyring" => Some(Self::Keyring(rest.into())),
            "file" => Some(Self::File(rest.into())),
            "credential" => Some(Self::Credential(rest.into())),
            "pkcs11" => Some(Self::Token(text.into())),
            _ => None,
        }
    }

    /// Comes by it, for a store that is there.
    pub(crate) fn holder(&self, args: &KeyringArgs) -> Result<Holder, Failure> {
        self.find(args, |place, _| place.read())
    }

    /// The same for a store that is to be under it. The first time, that makes a keyring in its default place.
    pub(crate) fn new_holder(&self, args: &KeyringArgs) -> Result<Holder, Failure> {
        let holder = self.find(args, Place::read_or_create)?;
        match &holder.of {
            Of::Keyring(keyring, name) if !keyring.has(name) => Err(Failure::no_key(&[name])),
            Of::Token(token) if token.key().is_none() => {
                Err(Failure::other("key of the store: the URI lacks object=, the label of the key on the token"))
            }
            _ => Ok(holder),
        }
    }

    fn find(
        &self,
        args: &KeyringArgs,
        read: impl FnOnce(&mut Place, &str) -> Result<Keyring, Failure>,
    ) -> Result<Holder, Failure> {
        let mut in_use = Vec::new();
        let of = match self {
            Self::Keyring(name) => {
                let mut place = Place::find(args)?;
                let keyring = read(&mut place, name).map_err(|failure| match failure {
                    // What helps there is not about the store.
                    Failure::NoKey(what) => Failure::NoKey(format!("key of the store: {what}; all that without --kms")),
                    failure => failure,
                })?;
                in_use = place.in_use();
                Of::Keyring(Arc::new(keyring), name.clone())
            }
            Self::File(path) => {
                let key = key_file::read(path)?;
                in_use.extend(fs::metadata(path));
                Of::Key(Arc::new(WrappingKey::from_key(key)))
            }
            Self::Credential(name) => {
                let key = objseal_keys::key_file::credential(name);
                let key = key.map_err(|error| Failure::other(format!("credential {}: {error}", shown(name))))?;
                Of::Key(Arc::new(WrappingKey::from_key(key)))
            }
            Self::Token(uri) => {
                let token = TokenOptions::from_uri(uri).and_then(Token::open);
                Of::Token(Arc::new(token.map_err(|error| of_token(&error))?))
            }
        };
        Ok(Holder { of, in_use })
    }
}

/// In words. A URI is not shown: somebody may have put a PIN into it.
impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring(name) => write!(f, "key \"{}\" of the keyring", shown(name)),
            Self::File(path) => write!(f, "key file {}", shown_path(path)),
            Self::Credential(name) => write!(f, "credential {}", shown(name)),
            Self::Token(_) => f.write_str("a key of a PKCS #11 token"),
        }
    }
}

/// Reads one from the command line. Nothing of what is wrong is shown: it may be a secret.
#[derive(Clone)]
pub(crate) struct StoreKeyParser;

impl TypedValueParser for StoreKeyParser {
    type Value = StoreKey;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<StoreKey, clap::Error> {
        value.to_str().and_then(StoreKey::parse).ok_or_else(|| {
            let known = "a key of a store is keyring:NAME, file:PATH, credential:NAME or pkcs11:...";
            command.clone().error(ErrorKind::ValueValidation, known)
        })
    }
}

/// Who holds the key of a store, and can be asked.
pub(crate) struct Holder {
    of: Of,
    in_use: Vec<Metadata>,
}

enum Of {
    Keyring(Arc<Keyring>, String),
    Key(Arc<WrappingKey>),
    Token(Arc<Token>),
}

impl Holder {
    /// What opens the store.
    pub(crate) fn options(&self) -> OpenOptions {
        match &self.of {
            Of::Keyring(keyring, _) => OpenOptions::new().with_service(keyring.clone()),
            Of::Key(key) => OpenOptions::new().with_key(Arc::clone(key)),
            Of::Token(token) => OpenOptions::new().with_service(token.clone()),
        }
    }

    /// What a key of the store is to be under.
    pub(crate) fn wrapping_key(&self, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        match &self.of {
            Of::Keyring(keyring, name) => keyring.wrapping_key(name, context),
            Of::Key(key) => Ok(Arc::clone(key)),
            Of::Token(token) => token.wrapping_key(token.key().unwrap_or_default(), context),
        }
    }

    /// The keyring, if it is one.
    pub(crate) fn keyring(&self) -> Option<&Arc<Keyring>> {
        match &self.of {
            Of::Keyring(keyring, _) => Some(keyring),
            _ => None,
        }
    }

    /// The files that were read.
    pub(crate) fn in_use(&self) -> &[Metadata] {
        &self.in_use
    }
}

fn of_token(error: &TokenError) -> Failure {
    let what = format!("key of the store: {error}");
    match error {
        TokenError::UnknownKey => Failure::NoKey(format!(
            "{what}; `pkcs11-tool --keygen --key-type AES:32 --sensitive --label LABEL` makes one"
        )),
        TokenError::NoPin | TokenError::PinFile(_) | TokenError::BadPin | TokenError::Login(_) => Failure::NoKey(what),
        _ => Failure::Other(what),
    }
}
