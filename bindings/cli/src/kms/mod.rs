//! Key management services: where they are, and how the command comes by them.
//!
//! | file | what |
//! |---|---|
//! | `location` | a service as it is written on the command line |
//! | `service` | any service, as files are sealed and opened with it |
//! | `local` | the one in a file: its store, and who holds the key of that |
//! | `remote` | what those over a network share |
//! | `aws`, `bao` | AWS KMS, and the transit engine of OpenBao and Vault |

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "bao")]
mod bao;
mod local;
mod location;
#[cfg(any(feature = "aws", feature = "bao"))]
mod remote;
mod service;

pub(crate) use local::{OpenStore, Store, alias_name, key_name, read_heads};
pub(crate) use location::Remote;
pub(crate) use service::Service;

use crate::failure::Failure;
use crate::keyring::DEFAULT_KEY;
use crate::keys::KeysArgs;
use crate::store_key::StoreKeyParser;
use clap::Args;
use location::Location;
use objseal_keys::store_key::StoreKey;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(next_help_heading = "Key management service")]
pub(crate) struct KmsArgs {
    /// The service that has the keys, instead of the keyring: local:FILE, a service in a file; aws:ARN, AWS KMS, and
    /// the key or alias to seal under; bao:URL#KEY, the same of the transit engine of OpenBao or Vault.
    #[arg(long, value_name = "SERVICE", env = "OBJSEAL_KMS", hide_env = true)]
    kms: Option<Location>,
    /// Who holds the key of the store of local:FILE: keyring:NAME, file:PATH, credential:NAME (of systemd) or
    /// pkcs11:URI [default: keyring:default].
    #[arg(long, value_name = "SOURCE", env = "OBJSEAL_STORE_KEY", hide_env = true, requires = "kms")]
    #[arg(value_parser = StoreKeyParser)]
    store_key: Option<StoreKey>,
    /// A file with heads of its audit log, from `objseal key audit head`: refuse a store that is older.
    #[arg(long, value_name = "FILE", env = "OBJSEAL_KMS_HEAD", hide_env = true, requires = "kms")]
    known_head: Option<PathBuf>,
    /// A command for sh that gets each new head of the audit log on standard input, to keep it elsewhere. If it fails,
    /// nothing more is done.
    #[arg(long, value_name = "COMMAND", env = "OBJSEAL_KMS_ANCHOR", hide_env = true, requires = "kms")]
    anchor_command: Option<String>,
}

impl KmsArgs {
    /// Opens the service; `None` if it is the keyring that has the keys.
    pub(crate) fn open(&self, args: &KeysArgs) -> Result<Option<Service>, Failure> {
        match self.location()? {
            None => Ok(None),
            Some(Location::Local(path)) => Ok(Some(OpenStore::open(args, path)?.service())),
            Some(Location::Remote(remote)) => remote.connect().map(Some),
        }
    }

    /// The key to seal under unless another one is named.
    pub(crate) fn default_key(&self) -> &str {
        match &self.kms {
            Some(Location::Remote(remote)) => remote.key(),
            _ => DEFAULT_KEY,
        }
    }

    /// The service, if it is one over a network.
    pub(crate) fn remote(&self) -> Result<Option<&dyn Remote>, Failure> {
        Ok(match self.location()? {
            Some(Location::Remote(remote)) => Some(&**remote),
            _ => None,
        })
    }

    /// The store of the service, to manage its keys; `None` if it is the keyring that has the keys.
    pub(crate) fn store(&self) -> Result<Option<&Path>, Failure> {
        match self.location()? {
            None => Ok(None),
            Some(Location::Local(path)) => Ok(Some(path)),
            Some(Location::Remote(remote)) => Err(Failure::other(remote.own_tools())),
        }
    }

    /// The same where only a service has `what`.
    pub(crate) fn required(&self, what: &str) -> Result<&Path, Failure> {
        self.store()?.ok_or_else(|| Failure::other(format!("a keyring has no {what}; use --kms local:FILE")))
    }

    fn location(&self) -> Result<Option<&Location>, Failure> {
        let of_store = [
            ("--store-key", self.store_key.is_some()),
            ("--known-head", self.known_head.is_some()),
            ("--anchor-command", self.anchor_command.is_some()),
        ];
        match (&self.kms, of_store.into_iter().find(|&(_, given)| given)) {
            (Some(Location::Remote(_)), Some((option, _))) => {
                Err(Failure::Usage(format!("{option} is for --kms local:FILE, which has a store")))
            }
            (location, _) => Ok(location.as_ref()),
        }
    }
}
