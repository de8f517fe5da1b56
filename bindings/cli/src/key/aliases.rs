//! `objseal key alias`: names of keys.

use super::table::{print_json, print_table};
use super::{ListArgs, NAME_HELP, with_key};
use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::kms::{OpenStore, alias_name};
use crate::text::{print, shown};
use crate::time::shown_time;
use clap::{Args, Subcommand};
use serde::Serialize;

#[derive(Subcommand)]
pub(crate) enum Alias {
    /// Give a key one more name.
    Create(PointArgs),
    /// Let a name stand for another key.
    Update(PointArgs),
    /// Remove a name. The key stays.
    Delete(DeleteArgs),
    /// List all names.
    List(ListArgs),
}

#[derive(Args)]
pub(crate) struct PointArgs {
    /// The name, with or without alias/.
    alias: String,
    #[arg(help = NAME_HELP)]
    name: String,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// The name, with or without alias/.
    alias: String,
    #[command(flatten)]
    keys: KeysArgs,
}

/// An alias. As JSON, with the names of AWS.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    alias_name: String,
    alias_arn: String,
    target_key_id: String,
    creation_date: String,
    last_updated_date: String,
}

/// What only a service has.
const ALIASES: &str = "aliases";

impl Alias {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(PointArgs { alias, name, keys }) => {
                let alias = alias_name(&alias);
                with_key(&keys, &name, ALIASES, |kms, call, key| kms.create_alias(call, &alias, key))?;
                print(format_args!("{} is key \"{}\"", shown(&alias), shown(&name)))
            }
            Self::Update(PointArgs { alias, name, keys }) => {
                let alias = alias_name(&alias);
                with_key(&keys, &name, ALIASES, |kms, call, key| kms.update_alias(call, &alias, key))?;
                print(format_args!("{} is key \"{}\"", shown(&alias), shown(&name)))
            }
            Self::Delete(DeleteArgs { alias, keys }) => {
                let alias = alias_name(&alias);
                with_key(&keys, &alias, ALIASES, |kms, call, alias| kms.delete_alias(call, alias))?;
                print(format_args!("{} is no key any more", shown(&alias)))
            }
            Self::List(args) => list(&args),
        }
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let kms = OpenStore::open(&args.keys, args.keys.kms.required(ALIASES)?)?;
    let aliases = kms.local().aliases(&kms.call()).map_err(|error| Failure::of_kms(&error, ALIASES))?;
    if args.json {
        let shown = aliases.into_iter().map(|alias| Shown {
            alias_name: alias.name,
            alias_arn: alias.arn,
            target_key_id: alias.key_id.to_string(),
            creation_date: shown_time(alias.created),
            last_updated_date: shown_time(alias.updated),
        });
        return print_json(&shown.collect::<Vec<_>>());
    }
    let rows: Vec<_> = aliases.into_iter().map(|alias| [alias.name, alias.key_id.to_string()]).collect();
    print_table(&rows)
}
