//! `objseal key policy`: who may do what with a key.

use super::{NAME_HELP, NameArgs, with_key};
use crate::ContextArgs;
use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::kms::{OpenStore, key_name};
use crate::sealed::encryption_context;
use crate::standard;
use crate::text::{print, shown, shown_path};
use clap::{Args, Subcommand};
use objseal_keys::kms::{Call, Principal};
use objseal_keys::local::LocalKms;
use objseal_keys::policy::{Policy as KeyPolicy, PolicyOf};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Print the policy of a key.
    Get(NameArgs),
    /// Give a key another policy.
    Put(PutArgs),
    /// Say whether somebody may do something with a key, and which statement or grant decides it. Exit code 0 if so, 3 if
    /// not.
    Explain(ExplainArgs),
}

#[derive(Args)]
pub(crate) struct PutArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// The policy, in JSON; - for standard input. One that could not be decided is refused.
    file: PathBuf,
    /// Put it even if the account could not change it again.
    #[arg(long)]
    bypass_lockout_check: bool,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// The ARN of who asks.
    #[arg(long, value_name = "ARN")]
    principal: String,
    /// What they ask for, such as Decrypt.
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// The service that asks for them, such as s3.us-east-1.
    #[arg(long, value_name = "SERVICE")]
    via: Option<String>,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

/// What only a service has.
const POLICIES: &str = "policies";
/// No text of a policy is longer, in bytes; one more is read to see that.
const MAX_LEN: u64 = PolicyOf::Key.max_len() as u64;

impl Policy {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Get(args) => {
                let policy = with_key(&args.keys, &args.name, POLICIES, LocalKms::policy)?;
                print(format_args!("{}", policy.text().trim_end()))
            }
            Self::Put(args) => {
                args.keys.kms.required(POLICIES)?;
                let policy = read(&args.file)?;
                with_key(&args.keys, &args.name, POLICIES, |kms, call, key| {
                    kms.put_policy(call, key, &policy, args.bypass_lockout_check)
                })?;
                print(format_args!("key \"{}\" has the new policy", shown(&args.name)))
            }
            Self::Explain(args) => explain(args),
        }
    }
}

/// Reads a policy that a key can have.
pub(super) fn read(path: &Path) -> Result<Arc<KeyPolicy>, Failure> {
    let is_dash = standard::is_dash(path);
    let name = if is_dash { "standard input".into() } else { shown_path(path) };
    let mut text = String::new();
    let opened = if is_dash { standard::input() } else { standard::open(path) };
    let read = opened.and_then(|file| file.take(MAX_LEN + 1).read_to_string(&mut text));
    read.map_err(|error| Failure::other(format!("{name}: cannot read: {error}")))?;
    let policy = KeyPolicy::parse(&text).and_then(|policy| policy.check(PolicyOf::Key).map(|()| policy));
    policy.map(Arc::new).map_err(|error| Failure::other(format!("{name}: {}", shown(&error.to_string()))))
}

fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let ExplainArgs { name, principal, action, via, context, keys } = args;
    let context = encryption_context(&context)?;
    let kms = OpenStore::open(&keys, keys.kms.required(POLICIES)?)?;
    let mut call = Call::of(Arc::new(Principal::new(principal.as_str()))).with_context(context);
    call.via_service = via;
    let operation = action.strip_prefix("kms:").unwrap_or(&action);
    let explained = kms.local().explain(&kms.call(), &call, &key_name(&name), operation);
    let explained = explained.map_err(|error| Failure::of_kms(&error, &name))?;
    explained.to_string().lines().try_for_each(|line| print(format_args!("{}", shown(line))))?;
    if explained.allowed {
        return Ok(());
    }
    let [principal, operation, name] = [&principal, operation, &name].map(shown);
    Err(Failure::Refused(format!("{principal} may not {operation} with key \"{name}\"")))
}
