//! `objseal seal`, `open` and `verify`: sealed files.

use crate::failure::Failure;
use crate::input::Input;
use crate::keys::Keys;
use crate::output::{Output, default_output};
use crate::progress::Progress;
use crate::text::{Size, print, say};
use crate::threads::{ThreadCount, threads};
use crate::{ContextArgs, DemandArgs, OpenArgs, SealArgs, VerifyArgs, engine, range};
use objseal::checksums::Wanted;
use objseal::envelope::{DemandedContext, EncryptionContext, OpenOptions, Policy, SealOptions};
use objseal::file::{self, SealedFile, SlotState};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What the names of sealed files end in.
const SUFFIX: &str = "sealed";

/// A pair of the encryption context, as it is written on the command line.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.into(), value: value.into() }),
            _ => Err("a pair is KEY=VALUE"),
        }
    }
}

pub(crate) fn seal(args: SealArgs) -> Result<(), Failure> {
    let context = encryption_context(&args.context)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let key = args.key.as_deref().unwrap_or(args.keys.kms.default_key());
    let keys = Keys::to_seal(&args.keys, key)?;
    let outer_key = args.outer_key.as_deref().unwrap_or(key);
    let latest = |wanted: &str| keys.latest(wanted, &[key, outer_key], &context, &name);
    let mut options = SealOptions::new(latest(key)?).with_context(context.clone());
    match args.layers {
        1 if args.outer_key.is_some() => return Err(Failure::other("--outer-key is for --layers 2")),
        1 => {}
        _ => options = options.with_outer_key(latest(outer_key)?),
    }
    options = options.with_digests(args.digests.into_iter().fold(Wanted::NONE, |all, one| all | one));
    if args.check {
        options = options.with_check();
    }
    let options = engine::to_seal(options)?;
    let path = match args.output {
        Some(path) => path,
        None => default_output(&args.input, SUFFIX, true)?,
    };
    let mut output = create_output(&path, &input, &keys, args.work.force, true)?;
    let threads = threads(args.work.threads);
    let progress = Progress::start(input.len(), output.is_terminal());
    let sealed = file::seal(&options, progress.watch(input), &mut output, &threads);
    let sealed = sealed.map_err(|error| Failure::of_sealing(error, &name))?;
    output.finish()?;
    progress.finish("sealed", &name, sealed.attributes.plaintext_len, &sealed.engines, threads);
    Ok(())
}

pub(crate) fn open(args: OpenArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let keys = Keys::open(&args.keys)?;
    let options = engine::to_open(keys.add_to(OpenOptions::new().with_policy(policy), &name))?;
    let create = |path: &Path| create_output(path, &input, &keys, args.work.force, false);
    if let Some(range) = args.range {
        let stored = SealedFile::open(&options, input.stored("--range")?);
        let stored = stored.map_err(|error| Failure::of_opening(error, &options, &name, "nothing was written"))?;
        warn(&name, stored.info().slots, &args.demands.context);
        return range::open(stored.body(), range, &name, args.output.as_deref(), create);
    }
    let mut output = match &args.output {
        Some(path) => create(path)?,
        None => create(&default_output(&args.input, SUFFIX, false)?)?,
    };
    let threads = threads(args.work.threads);
    let progress = Progress::start(input.len(), output.is_terminal());
    let opened = file::open(&options, progress.watch(input), &mut output, &threads);
    let opened = opened.map_err(|error| Failure::of_opening(error, &options, &name, output.after_failure()))?;
    output.finish()?;
    progress.finish("opened", &name, opened.attributes.plaintext_len, &opened.engines, threads);
    warn(&name, opened.slots, &args.demands.context);
    Ok(())
}

/// Verifies file after file; the exit code is the highest of all.
pub(crate) fn verify(args: VerifyArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let keys = Keys::open(&args.keys)?;
    let options = engine::to_open(OpenOptions::new().with_policy(policy))?;
    for_each(&args.files, |path| verify_one(path, &options, &keys, args.threads))
}

fn verify_one(path: &Path, options: &OpenOptions, keys: &Keys, asked: Option<ThreadCount>) -> Result<(), Failure> {
    let input = Input::open(path)?;
    let name = input.name().to_owned();
    let options = &keys.add_to(options.clone(), &name);
    let threads = threads(asked);
    let progress = Progress::start(input.len(), false);
    let opened = file::open(options, progress.watch(input), io::sink(), &threads);
    let opened = opened.map_err(|error| Failure::of_opening(error, options, &name, "it is not to be trusted"))?;
    progress.clear();
    warn_of_slots(&name, opened.slots);
    print(format_args!("{name}: verified, {}", Size(opened.attributes.plaintext_len)))
}

/// Goes on after a failure; what failed with the highest exit code is what is returned, and the others are reported.
pub(crate) fn for_each(paths: &[PathBuf], work: impl Fn(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut worst: Result<(), Failure> = Ok(());
    for path in paths {
        match (work(path), &worst) {
            (Err(Failure::ClosedPipe), _) => return Err(Failure::ClosedPipe),
            (Ok(()), _) => {}
            (Err(failure), Err(before)) if before.code() >= failure.code() => {
                failure.report();
            }
            (Err(failure), before) => {
                if let Err(before) = before {
                    before.report();
                }
                worst = Err(failure);
            }
        }
    }
    worst
}

pub(crate) fn encryption_context(args: &ContextArgs) -> Result<EncryptionContext, Failure> {
    let mut context = EncryptionContext::new();
    for Pair { key, value } in &args.pairs {
        context.insert(key, value).map_err(|_| {
            Failure::other("--context: a key is given twice, or there are more than 64 pairs or 8 KiB of them")
        })?;
    }
    Ok(context)
}

pub(crate) fn policy(args: &DemandArgs) -> Result<Policy, Failure> {
    let mut policy = Policy::default();
    policy.minimum_layers = args.layers;
    policy.context = demanded(&args.context)?;
    Ok(policy)
}

/// The context that was given; any if none was.
pub(crate) fn demanded(args: &ContextArgs) -> Result<DemandedContext, Failure> {
    let given = encryption_context(args)?;
    Ok(if given.is_empty() { DemandedContext::Any } else { DemandedContext::Exactly(given) })
}

fn create_output(path: &Path, input: &Input, keys: &Keys, force: bool, sealed: bool) -> Result<Output, Failure> {
    Output::from(input, keys.in_use(), path, force, sealed)
}

fn warn(name: &str, slots: SlotState, context: &ContextArgs) {
    if context.pairs.is_empty() {
        say(format_args!("{name} was opened without --context: nothing says that it is the object you meant"));
    }
    warn_of_slots(name, slots);
}

fn warn_of_slots(name: &str, slots: SlotState) {
    match slots {
        SlotState::Same => {}
        SlotState::Older { .. } => {
            say(format_args!("{name}: a rewrap did not come to its end; `objseal rewrap` ends it"));
        }
        _ => say(format_args!("{name}: one of the two copies of its head is damaged; `objseal rewrap` mends it")),
    }
}
