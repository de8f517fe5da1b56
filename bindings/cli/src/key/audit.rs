//! `objseal key audit`: the audit log of a key management service.

use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::kms::{OpenStore, Store, key_name, read_heads};
use crate::text::{print, say, shown, shown_path};
use crate::time::When;
use clap::{Args, Subcommand};
use objseal_keys::audit::{self, Filter, Options, VerifyError};
use objseal_keys::local::audit_folder;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Say whether the log is as it was written.
    Verify(VerifyArgs),
    /// Show what was asked for, and what came of it. It takes no key.
    Show(ShowArgs),
    /// Set lines at the end aside that do not verify, and go on before them.
    ///
    /// A failure of power can leave such lines, of the last second before it; then the store does not open. Whoever changed
    /// them could have cut them off as well: `verify` with heads that were kept elsewhere tells.
    Mend(LogArgs),
    /// Print how far the log goes, as a line to keep elsewhere: --known-head and `verify --anchor` take it.
    Head(LogArgs),
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// A file with heads that were kept elsewhere, a line each: the log must have all of them. Can be given many times.
    #[arg(long = "anchor", value_name = "FILE")]
    anchors: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Only what is about this key: its id or ARN, or, if the store opens, its alias.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Not what came before: a time as in RFC 3339, or so long ago, such as 2h or 7d.
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Only what came before.
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// Only what this principal asked for.
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
    /// Only this operation, such as Decrypt.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// Only what had this outcome: Success, or an error such as AccessDeniedException.
    #[arg(long, value_name = "NAME")]
    outcome: Option<String>,
    /// The lines as they are.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    keys: KeysArgs,
}

/// What only a service has.
const AUDIT: &str = "audit";

impl Audit {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Verify(args) => verify(&args),
            Self::Show(args) => show(args),
            Self::Mend(args) => mend(&args),
            Self::Head(args) => {
                let kms = OpenStore::open(&args.keys, args.keys.kms.required(AUDIT)?)?;
                print(format_args!("{}", kms.local().audit().head().to_json()))
            }
        }
    }
}

fn mend(args: &LogArgs) -> Result<(), Failure> {
    let path = args.keys.kms.required(AUDIT)?;
    let options = Options { set_damaged_end_aside: true, ..args.keys.kms.audit_options() };
    let kms = Store::find(&args.keys, path)?.open_with(&args.keys, options)?;
    // A line that says how much it was is the first one after it.
    kms.local().keys(&kms.call()).map_err(|error| Failure::of_kms(&error, AUDIT))?;
    print(format_args!("{}: goes on; what did not verify, if anything, is beside it", shown_path(&audit_folder(path))))
}

fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let path = args.keys.kms.required(AUDIT)?;
    let folder = audit_folder(path);
    let mut anchors = args.keys.kms.known_heads()?;
    for path in &args.anchors {
        anchors.extend(read_heads(path)?);
    }
    let key = Store::find(&args.keys, path)?.audit_key()?;
    let name = shown_path(&folder);
    let report = audit::verify(&folder, &key, &anchors).map_err(|error| match error {
        VerifyError::Io { .. } => Failure::other(shown(&error.to_string())),
        VerifyError::Damaged { .. } => Failure::Refused(shown(&error.to_string())),
        error => Failure::Refused(format!("{name}: {error}")),
    })?;
    if report.unfinished_line {
        say(format_args!("{name}: an unfinished line stands at the end, of a crash or of what is being written"));
    }
    let compared = match anchors.len() {
        0 => String::new(),
        all => format!(", {} of {all} heads compared", report.anchors),
    };
    print(format_args!(
        "{name}: verified, lines {}, segments {}, sequence {} to {}{compared}",
        report.lines, report.segments, report.first_sequence, report.last.sequence
    ))
}

fn show(args: ShowArgs) -> Result<(), Failure> {
    let path = args.keys.kms.required(AUDIT)?;
    let folder = audit_folder(path);
    let key = match args.key {
        // An alias stands for a key that only the store knows.
        Some(name) if key_name(&name).starts_with("alias/") => {
            Some(OpenStore::open(&args.keys, path)?.describe(&name)?.arn)
        }
        key => key,
    };
    let filter = Filter {
        key,
        principal: args.principal,
        since: args.since.map(|When(time)| time),
        until: args.until.map(|When(time)| time),
        operation: args.operation,
        outcome: args.outcome,
    };
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::InvalidData => Failure::Refused(shown(&error.to_string())),
        _ => Failure::other(format!("{}: cannot read: {error}", shown_path(&folder))),
    };
    let mut worst = Ok(());
    for line in audit::read(&folder, &filter).map_err(failed)? {
        match line.map_err(failed) {
            Ok(line) if args.json => print(format_args!("{line}"))?,
            Ok(line) => print(format_args!("{}", in_short(&line)))?,
            // The lines after it follow.
            Err(failure) => {
                if let Err(before) = std::mem::replace(&mut worst, Err(failure)) {
                    before.report();
                }
            }
        }
    }
    worst
}

/// Time, operation, key, principal and outcome of a line.
fn in_short(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let text = |field: &str| shown(event[field].as_str().unwrap_or("-"));
    let key = text("key");
    let key = key.rsplit('/').next().unwrap_or_default();
    let (time, operation, principal, outcome) = (text("time"), text("operation"), text("principal"), text("outcome"));
    let object = event["object"].as_str().map_or_else(String::new, |object| format!("  {}", shown(object)));
    format!("{time}  {operation:<20}  {key:<36}  {principal}  {outcome}{object}")
}
