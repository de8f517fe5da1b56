//! Keys of a keyring.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::key::table::print_json;
use crate::keyring::{Place, ask_new_passphrase, read_passphrase};
use crate::text::print;
use clap::Args;
use objseal_keys::keyring::{KeyringError, PassphraseCost};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct PassphraseArgs {
    /// A file whose first line is the new passphrase [default: ask for it; --passphrase-file if there was none].
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// No passphrase any more.
    #[arg(long, conflicts_with = "file")]
    remove: bool,
    #[command(flatten)]
    keyring: KeyringArgs,
}

/// A key and its latest version. As JSON, with these names.
#[derive(Serialize)]
struct Key<'k> {
    name: &'k str,
    version: u32,
}

pub(super) fn create(args: &KeyringArgs, name: &str) -> Result<(), Failure> {
    let mut place = Place::find(args)?;
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

pub(super) fn rotate(args: &KeyringArgs, name: &str) -> Result<(), Failure> {
    let mut place = Place::find(args)?;
    place.unlock()?;
    let version = place.file().update(place.passphrase(), |keyring| keyring.rotate(name));
    let version = version.map_err(|error| place.failure(&error))?;
    print(format_args!("key \"{name}\" is at version {version}; `objseal rewrap` puts older files under it"))
}

pub(super) fn list(args: &KeyringArgs, json: bool) -> Result<(), Failure> {
    let keyring = Place::find(args)?.read()?;
    if json {
        return print_json(&keyring.list().map(|(name, version)| Key { name, version }).collect::<Vec<_>>());
    }
    keyring.list().try_for_each(|(name, version)| print(format_args!("{name}  version {version}")))
}

pub(super) fn describe(args: &KeyringArgs, name: &str, json: bool) -> Result<(), Failure> {
    let mut place = Place::find(args)?;
    let keyring = place.read()?;
    let found = keyring.list().find(|&(found, _)| found == name);
    let (name, version) = found.ok_or_else(|| place.failure(&KeyringError::UnknownKey))?;
    if json { print_json(&Key { name, version }) } else { print(format_args!("{name}  version {version}")) }
}

pub(super) fn passphrase(args: &PassphraseArgs) -> Result<(), Failure> {
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
