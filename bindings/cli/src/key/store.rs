//! `objseal key store`: who holds the key of the store.

use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::kms;
use crate::store_key::{StoreKeyParser, shown_store_key};
use crate::text::print;
use clap::{Args, Subcommand};
use objseal_keys::store_key::StoreKey;

#[derive(Subcommand)]
pub(crate) enum Store {
    /// Put the store under another key, or under the latest version of its key.
    ///
    /// It is rotation, not revocation: a copy made before still opens under the old key.
    Rewrap(RewrapArgs),
}

#[derive(Args)]
pub(crate) struct RewrapArgs {
    /// Who is to hold the key of the store: as for --store-key.
    #[arg(long, value_name = "SOURCE", value_parser = StoreKeyParser)]
    to: StoreKey,
    #[command(flatten)]
    keys: KeysArgs,
}

impl Store {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Rewrap(RewrapArgs { to, keys }) = self;
        kms::Store::find(&keys, keys.kms.required("store")?)?.rewrap(&keys, &to)?;
        print(format_args!("the store is under {}", shown_store_key(&to)))
    }
}
