//! Who has the keys of sealed files: a keyring, or a key management service.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::keyring::Place;
use crate::kms::{KmsArgs, Service};
use clap::Args;
use objseal::envelope::{EncryptionContext, OpenOptions, WrappedKey, WrappingKey};
use objseal_keys::keyring::{self, Keyring};
use std::fs::Metadata;
use std::sync::Arc;

#[derive(Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    pub(crate) keyring: KeyringArgs,
    #[command(flatten)]
    pub(crate) kms: KmsArgs,
}

/// Keys to seal and open with.
pub(crate) struct Keys {
    /// With a service it is the keyring that holds the key of its store: files that are under its keys open as well.
    keyring: Option<Arc<Keyring>>,
    kms: Option<Arc<Service>>,
    in_use: Vec<Metadata>,
}

impl Keys {
    /// Those that are there.
    pub(crate) fn open(args: &KeysArgs) -> Result<Self, Failure> {
        Self::find(args, Place::read)
    }

    /// The same to seal under `key`. The first time, that makes a keyring in its default place.
    pub(crate) fn to_seal(args: &KeysArgs, key: &str) -> Result<Self, Failure> {
        Self::find(args, |place| place.read_or_create(key))
    }

    fn find(args: &KeysArgs, read: impl FnOnce(&mut Place) -> Result<Keyring, Failure>) -> Result<Self, Failure> {
        if let Some(kms) = args.kms.open(args)? {
            return Ok(Self {
                keyring: kms.keyring().cloned(),
                in_use: kms.in_use().to_vec(),
                kms: Some(Arc::new(kms)),
            });
        }
        let mut place = Place::find(&args.keyring)?;
        let keyring = read(&mut place)?;
        Ok(Self { keyring: Some(Arc::new(keyring)), kms: None, in_use: place.in_use() })
    }

    /// Who has them, in words.
    pub(crate) fn name(&self) -> &'static str {
        if self.kms.is_some() { "key management service" } else { "keyring" }
    }

    /// That there is a key of this name.
    pub(crate) fn check(&self, key: &str) -> Result<(), Failure> {
        match &self.kms {
            Some(kms) => kms.describe(key).map(drop),
            None if self.keyring.as_ref().is_some_and(|keyring| keyring.has(key)) => Ok(()),
            None => Err(Failure::no_key(&[key])),
        }
    }

    /// The files that were read.
    pub(crate) fn in_use(&self) -> Vec<Metadata> {
        self.in_use.clone()
    }

    /// Opens with them as well; `object` is what the audit calls it.
    pub(crate) fn add_to(&self, mut options: OpenOptions, object: &str) -> OpenOptions {
        if let Some(keyring) = &self.keyring {
            options = options.with_service(keyring.clone());
        }
        match &self.kms {
            Some(kms) => options.with_service(Arc::new(kms.for_object(object))),
            None => options,
        }
    }

    /// The current version of a key, one of `keys` that are needed, for an object.
    pub(crate) fn latest(
        &self,
        key: &str,
        keys: &[&str],
        context: &EncryptionContext,
        object: &str,
    ) -> Result<Arc<WrappingKey>, Failure> {
        match (&self.kms, &self.keyring) {
            (Some(kms), _) => kms.wrapping_key(key, context, object),
            (None, Some(keyring)) => keyring.latest(key).map_err(|_| Failure::no_key(keys)),
            (None, None) => Err(Failure::no_key(keys)),
        }
    }

    /// The current version of the key of an entry; `None` if nobody here has it.
    pub(crate) fn latest_of(
        &self,
        entry: &WrappedKey,
        context: &EncryptionContext,
        object: &str,
    ) -> Result<Option<Arc<WrappingKey>>, Failure> {
        let latest = match (entry.service.as_str(), &self.kms, &self.keyring) {
            (service, Some(kms), _) if service == kms.name() => {
                Some(kms.wrapping_key(&entry.key_id, context, object)?)
            }
            (keyring::SERVICE, _, Some(keyring)) => keyring.latest(&entry.key_id).ok(),
            _ => None,
        };
        // A version that is not there yet is of another keyring, or store, than this one.
        Ok(latest.filter(|key| key.key_version() >= entry.key_version))
    }
}
