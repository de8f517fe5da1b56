//! `objseal key`: keys of a keyring, or of a key management service.
//!
//! | file | what |
//! |---|---|
//! | `keyring` | what a keyring has as well |
//! | `create` | a key, its alias, and the store with the first one |
//! | `show` | list and describe |
//! | `states` | enable, disable, delete |
//! | `material` | rotation, versions and import |
//! | `needed` | which versions sealed files are under |
//! | `policy`, `aliases`, `grants` | who may do what, and names |
//! | `audit` | the audit log |
//! | `store` | who holds the key of the store |
//! | `table` | text and JSON of listings |

mod aliases;
mod audit;
mod create;
mod grants;
mod keyring;
mod material;
mod needed;
mod policy;
mod show;
mod states;
mod store;
mod table;

use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::kms::{OpenStore, key_name};
use clap::{Args, Subcommand};
use objseal_keys::kms::{Call, KmsError};
use objseal_keys::local::LocalKms;

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make a key. The first one makes the keyring, or the store of the key management service.
    Create(create::CreateArgs),
    /// List the keys and the version that each is at.
    List(ListArgs),
    /// Show all about a key.
    Describe(ShowArgs),
    /// Make a new version of a key. What is sealed from now on is under it; older files still open.
    Rotate(NameArgs),
    /// Put the keyring under a passphrase, or under another one.
    Passphrase(keyring::PassphraseArgs),
    /// Show which versions of which keys sealed files are under, by opening them.
    Needed(needed::NeededArgs),
    /// Let a key be used again.
    Enable(NameArgs),
    /// Let a key be used no longer, until it is enabled.
    Disable(NameArgs),
    /// Delete a key after some days, in which that can be cancelled. What is sealed under it does not open any more then.
    ScheduleDeletion(states::ScheduleArgs),
    /// Keep a key that was to be deleted; it is disabled.
    CancelDeletion(NameArgs),
    /// List the versions of a key.
    Versions(ShowArgs),
    /// Rotation of a key by itself.
    #[command(subcommand, arg_required_else_help = true)]
    Rotation(material::Rotation),
    /// Give a key of --external its material.
    Import(material::ImportArgs),
    /// Destroy imported material. The same can be imported again.
    DeleteMaterial(NameArgs),
    /// The policy of a key: who may do what with it.
    #[command(subcommand, arg_required_else_help = true)]
    Policy(policy::Policy),
    /// Names of keys.
    #[command(subcommand, arg_required_else_help = true)]
    Alias(aliases::Alias),
    /// Rights to a key that somebody has besides its policy.
    #[command(subcommand, arg_required_else_help = true)]
    Grant(grants::Grant),
    /// The audit log: every use and every change of keys.
    #[command(subcommand, arg_required_else_help = true)]
    Audit(audit::Audit),
    /// The store of the key management service.
    #[command(subcommand, arg_required_else_help = true)]
    Store(store::Store),
}

/// The help for the name of a key.
const NAME_HELP: &str = "The key; one of a key management service by its id, ARN or alias";

#[derive(Args)]
pub(crate) struct NameArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    #[command(flatten)]
    keys: KeysArgs,
}

/// A key, to be shown.
#[derive(Args)]
pub(crate) struct ShowArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeysArgs,
}

/// All there are, to be shown.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeysArgs,
}

impl Key {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(args) => create::run(args),
            Self::List(args) => show::list(&args),
            Self::Describe(args) => show::describe(&args),
            Self::Rotate(args) => material::rotate(&args),
            Self::Passphrase(args) => keyring::passphrase(&args),
            Self::Needed(args) => needed::run(&args),
            Self::Enable(args) => states::enable(&args),
            Self::Disable(args) => states::disable(&args),
            Self::ScheduleDeletion(args) => states::schedule_deletion(&args),
            Self::CancelDeletion(args) => states::cancel_deletion(&args),
            Self::Versions(args) => material::versions(&args),
            Self::Rotation(command) => command.run(),
            Self::Import(args) => material::import(&args),
            Self::DeleteMaterial(args) => material::delete(&args),
            Self::Policy(command) => command.run(),
            Self::Alias(command) => command.run(),
            Self::Grant(command) => command.run(),
            Self::Audit(command) => command.run(),
            Self::Store(command) => command.run(),
        }
    }
}

/// Does something with one key of a service, where only a service has `what`.
fn with_key<T>(
    args: &KeysArgs,
    name: &str,
    what: &str,
    work: impl FnOnce(&LocalKms, &Call, &str) -> Result<T, KmsError>,
) -> Result<T, Failure> {
    let kms = OpenStore::open(args, args.kms.required(what)?)?;
    work(kms.local(), &kms.call(), &key_name(name)).map_err(|error| Failure::of_kms(&error, name))
}
