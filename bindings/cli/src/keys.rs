//! `objseal key`: the keys of the keyring.

use crate::failure::Failure;
use crate::keyring::{Place, ask_new_passphrase, read_passphrase};
use crate::text::print;
use crate::{KeyListArgs, KeyNameArgs, PassphraseArgs};
use objseal_keys::keyring::{KeyringError, PassphraseCost};
use serde::Serialize;

pub(crate) fn create(args: &KeyNameArgs) -> Result<(), Failure> {
    let mut place = Place::find(&args.keyring)?;
    let name = &args.name;
    if place.exists() || !place.create(name)? {
        place.unlock()?;
        let created = place.file().update(place.passphrase(), |keyring| keyring.create(name));
        created.map_err(|error| match error {
            KeyringError::KeyExists => Failure::other(format!(
                "there is a key \"{name}\" already; `objseal key rotate` makes a new version of it"
            )),
            error => place.failure(&error),
        })?;
    }
    print(format_args!("key \"{name}\" is at version 1"))
}

pub(crate) fn rotate(args: &KeyNameArgs) -> Result<(), Failure> {
    let mut place = Place::find(&args.keyring)?;
    place.unlock()?;
    let name = &args.name;
    let version = place.file().update(place.passphrase(), |keyring| keyring.rotate(name));
    let version = version.map_err(|error| place.failure(&error))?;
    print(format_args!("key \"{name}\" is at version {version}; `objseal rewrap` puts older files under it"))
}

pub(crate) fn list(args: &KeyListArgs) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Key<'k> {
        name: &'k str,
        version: u32,
    }
    let keyring = Place::find(&args.keyring)?.read()?;
    if args.json {
        let keys: Vec<_> = keyring.list().map(|(name, version)| Key { name, version }).collect();
        let json = serde_json::to_string_pretty(&keys).map_err(Failure::other)?;
        return print(format_args!("{json}"));
    }
    keyring.list().try_for_each(|(name, version)| print(format_args!("{name}  version {version}")))
}

pub(crate) fn passphrase(args: &PassphraseArgs) -> Result<(), Failure> {
    let mut place = Place::find(&args.keyring)?;
    place.unlock_to_protect()?;
    // A passphrase that was given for a keyring without one is meant to protect it.
    let given = args.keyring.passphrase_file.as_ref().filter(|_| place.passphrase().is_none());
    let new = match args.file.as_ref().or(given) {
        _ if args.remove => None,
        Some(path) => Some(read_passphrase(path)?),
        None => Some(ask_new_passphrase()?),
    };
    let protection = new.as_ref().map(|new| (new, PassphraseCost::DEFAULT));
    place.file().protect(place.passphrase(), protection).map_err(|error| place.failure(&error))?;
    let state = if new.is_some() { "under the new passphrase" } else { "without a passphrase" };
    print(format_args!("the {} is {state}", place.name()))
}
