//! `objseal key enable`, `disable`, `schedule-deletion` and `cancel-deletion`.

use super::{NAME_HELP, NameArgs, with_key};
use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::text::{print, shown};
use crate::time::shown_time;
use clap::Args;
use objseal_keys::local::{DeletionWindow, LocalKms};

#[derive(Args)]
pub(crate) struct ScheduleArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// Days in which the deletion can be cancelled, 7 to 30.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(7..=30))]
    days: u32,
    #[command(flatten)]
    keys: KeysArgs,
}

/// What only a service has.
const STATES: &str = "states of keys";

pub(super) fn enable(args: &NameArgs) -> Result<(), Failure> {
    with_key(&args.keys, &args.name, STATES, LocalKms::enable)?;
    print(format_args!("key \"{}\" is enabled", shown(&args.name)))
}

pub(super) fn disable(args: &NameArgs) -> Result<(), Failure> {
    with_key(&args.keys, &args.name, STATES, LocalKms::disable)?;
    print(format_args!("key \"{}\" is disabled", shown(&args.name)))
}

pub(super) fn schedule_deletion(args: &ScheduleArgs) -> Result<(), Failure> {
    let due = with_key(&args.keys, &args.name, STATES, |kms, call, key| {
        kms.schedule_deletion(call, key, DeletionWindow::days(args.days)?)
    })?;
    print(format_args!(
        "key \"{}\" will be deleted on {}, unless that is cancelled",
        shown(&args.name),
        shown_time(due)
    ))
}

pub(super) fn cancel_deletion(args: &NameArgs) -> Result<(), Failure> {
    with_key(&args.keys, &args.name, STATES, LocalKms::cancel_deletion)?;
    print(format_args!("key \"{0}\" is not deleted; `objseal key enable` lets it be used again", shown(&args.name)))
}
