//! `objseal key grant`: rights to a key besides its policy.

use super::table::{print_json, print_table};
use super::{NAME_HELP, ShowArgs, with_key};
use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::sealed::Pair;
use crate::text::{print, shown};
use crate::time::shown_time;
use clap::{Args, Subcommand};
use objseal_keys::clock::from_unix_seconds;
use objseal_keys::local::{self, Constraint, LocalKms, NewGrant};
use serde::Serialize;

#[derive(Subcommand)]
pub(crate) enum Grant {
    /// Let somebody do something with a key. Prints the id of the grant.
    Create(CreateArgs),
    /// List the grants of a key.
    List(ShowArgs),
    /// Take a grant away.
    Revoke(EndArgs),
    /// Give a grant back.
    Retire(EndArgs),
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// The ARN of who gets it.
    #[arg(long, value_name = "ARN")]
    grantee: String,
    /// What they may do, such as Decrypt. Can be given many times, or with commas.
    #[arg(long = "operation", value_name = "NAME", required = true, value_delimiter = ',')]
    operations: Vec<String>,
    /// The ARN of who may give it back.
    #[arg(long, value_name = "ARN")]
    retiring: Option<String>,
    /// A pair that the encryption context must have. Can be given many times.
    #[arg(short = 'c', long = "context", value_name = "KEY=VALUE")]
    pairs: Vec<Pair>,
    /// The encryption context must have these pairs and no others.
    #[arg(long, requires = "pairs")]
    exactly: bool,
    /// A name, so that the same grant is not made twice.
    #[arg(long, value_name = "NAME")]
    grant_name: Option<String>,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
pub(crate) struct EndArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// The id of the grant.
    grant: String,
    #[command(flatten)]
    keys: KeysArgs,
}

/// A grant. As JSON, with the names of AWS.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    grant_id: String,
    key_id: String,
    name: Option<String>,
    grantee_principal: String,
    retiring_principal: Option<String>,
    issuing_account: String,
    operations: Vec<String>,
    constraints: Option<Constraint>,
    creation_date: String,
}

/// What only a service has.
const GRANTS: &str = "grants";

impl Grant {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(args) => create(args),
            Self::List(args) => {
                let grants = with_key(&args.keys, &args.name, GRANTS, LocalKms::grants)?;
                if args.json {
                    return print_json(&grants.into_iter().map(Shown::new).collect::<Vec<_>>());
                }
                let rows: Vec<_> = grants.into_iter().map(row).collect();
                print_table(&rows)
            }
            Self::Revoke(EndArgs { name, grant, keys }) => {
                with_key(&keys, &name, GRANTS, |kms, call, key| kms.revoke_grant(call, key, &grant))?;
                print(format_args!("grant {} is revoked", shown(&grant)))
            }
            Self::Retire(EndArgs { name, grant, keys }) => {
                with_key(&keys, &name, GRANTS, |kms, call, key| kms.retire_grant(call, key, &grant))?;
                print(format_args!("grant {} is retired", shown(&grant)))
            }
        }
    }
}

fn create(args: CreateArgs) -> Result<(), Failure> {
    let mut new = NewGrant::to(args.grantee, args.operations.iter().map(String::as_str));
    new.retiring = args.retiring;
    new.name = args.grant_name;
    if !args.pairs.is_empty() {
        let pairs = args.pairs.into_iter().map(|Pair { key, value }| (key, value)).collect();
        new.constraint = Some(if args.exactly { Constraint::Equals(pairs) } else { Constraint::Subset(pairs) });
    }
    let id = with_key(&args.keys, &args.name, GRANTS, |kms, call, key| kms.create_grant(call, key, new))?;
    print(format_args!("{id}"))
}

impl Shown {
    fn new(grant: local::Grant) -> Self {
        Self {
            grant_id: grant.id,
            key_id: grant.key.to_string(),
            name: grant.name,
            grantee_principal: grant.grantee,
            retiring_principal: grant.retiring,
            issuing_account: grant.issued_by,
            operations: grant.operations,
            constraints: grant.constraint,
            creation_date: shown_time(from_unix_seconds(grant.created)),
        }
    }
}

fn row(grant: local::Grant) -> [String; 4] {
    let constraint = match &grant.constraint {
        Some(Constraint::Equals(_)) => "exactly ",
        _ => "",
    };
    let pairs = grant.constraint.iter().flat_map(|(Constraint::Equals(pairs) | Constraint::Subset(pairs))| pairs);
    let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    [grant.id, grant.grantee, grant.operations.join(","), format!("{constraint}{}", pairs.join(" "))]
}
