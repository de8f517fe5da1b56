//! `objseal key create`.

use super::{keyring, policy};
use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::kms::{Store, alias_name};
use crate::text::{print, shown_path};
use clap::Args;
use objseal_keys::kms::Origin;
use objseal_keys::local::{NewKey, Owner, Uuid, check_own_alias};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// The name of the key: 1 to 64 letters, digits, dots, dashes and underscores; in a key management service that of an
    /// alias for it.
    name: String,
    #[command(flatten)]
    of_kms: OfKmsArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

/// What only a key management service has.
#[derive(Args)]
struct OfKmsArgs {
    /// What the key is for, in words.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A file with the policy of the key; - for standard input [default: the account may do everything].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Without material, which `objseal key import` gives it.
    #[arg(long)]
    external: bool,
    /// The account of a new store, 12 digits [default: 000000000000].
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The region of a new store [default: us-east-1].
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

pub(super) fn run(args: CreateArgs) -> Result<(), Failure> {
    let CreateArgs { name, of_kms, keys } = args;
    let Some(path) = keys.kms.store()? else {
        let OfKmsArgs { description, policy, external, account, region } = &of_kms;
        if *external || [description, account, region].iter().any(|text| text.is_some()) || policy.is_some() {
            return keys.kms.required("descriptions, policies, imported keys and accounts").map(drop);
        }
        return keyring::create(&keys.keyring, &name);
    };
    // First what could be wrong, then what stays.
    let alias = alias_name(&name);
    check_own_alias(&alias).map_err(|error| Failure::of_kms(&error, &name))?;
    if Uuid::parse(&name).is_some() {
        return Err(Failure::other(format!("{name} would be taken for the id of a key; name it otherwise")));
    }
    let mut new = NewKey::default().with_alias(&alias);
    new.policy = of_kms.policy.as_deref().map(policy::read).transpose()?;
    new.description = of_kms.description.clone().unwrap_or_default();
    if of_kms.external {
        new.origin = Origin::External;
    }
    let store = if path.symlink_metadata().is_ok() {
        Store::find(&keys, path)?
    } else {
        Store::create(&keys, path, &of_kms.owner())?
    };
    let kms = store.open(&keys)?;
    let (local, call) = (kms.local(), kms.call());
    if !of_kms.fits(local.owner()) {
        let what = "has another account or region; they are only for a new store";
        return Err(Failure::other(format!("store {} {what}", shown_path(path))));
    }
    let failed = |error| Failure::of_kms(&error, &name);
    if local.aliases(&call).map_err(failed)?.iter().any(|there| there.name == alias) {
        let what = "already; `objseal key rotate` makes a new version of it";
        return Err(Failure::other(format!("there is a key \"{name}\" {what}")));
    }
    let arn = local.create_key(&call, new).map_err(failed)?.arn;
    print(format_args!("{arn}"))
}

impl OfKmsArgs {
    fn owner(&self) -> Owner {
        let mut owner = Owner::default();
        owner.account = self.account.clone().unwrap_or(owner.account);
        owner.region = self.region.clone().unwrap_or(owner.region);
        owner
    }

    fn fits(&self, owner: &Owner) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.account, &owner.account) && is(&self.region, &owner.region)
    }
}
