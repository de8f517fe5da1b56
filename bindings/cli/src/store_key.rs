//! Who holds the key of a store: a keyring, a key file, a credential of systemd, or a security module.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::key_file;
use crate::keyring::Place;
use crate::text::shown;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use objseal_keys::keyring::Keyring;
use objseal_keys::pkcs11::TokenError;
use objseal_keys::store_key::{OpenError, ParseStoreKeyError, StoreKey, StoreKeyHolder};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::ops::Deref;

/// Who holds the key of a store, and the files that were read for it.
pub(crate) struct Holder {
    holder: StoreKeyHolder,
    in_use: Vec<Metadata>,
}

impl Holder {
    /// That of a store that is there.
    pub(crate) fn find(key: &StoreKey, args: &KeyringArgs) -> Result<Self, Failure> {
        Self::find_with(key, args, |place, _| place.read())
    }

    /// That of a store that is to be under `key`. The first time, that makes a keyring in its default place.
    pub(crate) fn find_new(key: &StoreKey, args: &KeyringArgs) -> Result<Self, Failure> {
        let new = Self::find_with(key, args, Place::read_or_create)?;
        match key {
            _ if new.has_key() => Ok(new),
            StoreKey::Keyring(name) => Err(Failure::no_key(&[name])),
            _ => Err(Failure::other("key of the store: the URI lacks object=, the label of the key on the token")),
        }
    }

    fn find_with(
        key: &StoreKey,
        args: &KeyringArgs,
        read: impl FnOnce(&mut Place, &str) -> Result<Keyring, Failure>,
    ) -> Result<Self, Failure> {
        let mut in_use = Vec::new();
        let holder = match key {
            // It may be a descriptor that the command was given.
            StoreKey::File(path) => {
                let key = key_file::read(path)?;
                in_use.extend(fs::metadata(path));
                StoreKeyHolder::of_key(key)
            }
            key => {
                let opened = key.open(|name| {
                    let mut place = Place::find(args)?;
                    let keyring = read(&mut place, name)?;
                    in_use = place.in_use();
                    Ok(keyring)
                });
                opened.map_err(|error| failure(key, error))?
            }
        };
        Ok(Self { holder, in_use })
    }

    /// The files that were read.
    pub(crate) fn in_use(&self) -> &[Metadata] {
        &self.in_use
    }
}

impl Deref for Holder {
    type Target = StoreKeyHolder;

    fn deref(&self) -> &StoreKeyHolder {
        &self.holder
    }
}

/// Who holds it, in words.
pub(crate) fn shown_store_key(key: &StoreKey) -> String {
    shown(&key.to_string())
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
        let parsed = value.to_str().ok_or(ParseStoreKeyError).and_then(str::parse);
        parsed.map_err(|error| command.clone().error(ErrorKind::ValueValidation, error))
    }
}

fn failure(key: &StoreKey, error: OpenError<Failure>) -> Failure {
    match error {
        // What helps there is not about the store.
        OpenError::Keyring(Failure::NoKey(what)) => {
            Failure::NoKey(format!("key of the store: {what}; all that without --kms"))
        }
        OpenError::Keyring(failure) => failure,
        OpenError::Token(error) => of_token(&error),
        error => Failure::other(format!("{}: {error}", shown_store_key(key))),
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
