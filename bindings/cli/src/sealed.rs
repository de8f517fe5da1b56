//! `objseal seal`, `open`, `verify` and `rewrap`: sealed files.

use crate::failure::Failure;
use crate::input::Input;
use crate::keyring::Place;
use crate::output::{Output, default_output};
use crate::progress::Progress;
use crate::text::{Size, print, say, shown_path};
use crate::threads::{ThreadCount, threads};
use crate::{ContextArgs, DemandArgs, OpenArgs, RewrapArgs, SealArgs, VerifyArgs, engine, range};
use objseal::checksums::Wanted;
use objseal::envelope::{EncryptionContext, Opening, Policy, Sealing};
use objseal::file::{self, FileError, SealedFile, SlotState};
use objseal_keys::keyring::Keyring;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What the names of sealed files end in.
const SUFFIX: &str = "sealed";

/// A pair of the encryption context, as it is written on the command line.
#[derive(Clone)]
pub(crate) struct Pair {
    key: String,
    value: String,
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
    let mut place = Place::find(&args.keyring)?;
    let keyring = place.read_or_create(&args.key)?;
    let recipients = [(&keyring as _, args.key.as_str())];
    let outer_key = args.outer_key.as_deref().unwrap_or(&args.key);
    let outer_recipients = [(&keyring as _, outer_key)];
    let mut sealing = Sealing::new(&recipients).with_context(context);
    match args.layers {
        1 if args.outer_key.is_some() => return Err(Failure::other("--outer-key is for --layers 2")),
        1 => {}
        _ => sealing = sealing.with_outer_layer(&outer_recipients),
    }
    sealing = sealing.with_digests(args.digests.into_iter().fold(Wanted::NONE, |all, one| all | one));
    if args.check {
        sealing = sealing.with_check();
    }
    let sealing = engine::sealing(sealing)?;
    let path = match args.output {
        Some(path) => path,
        None => default_output(&args.input, SUFFIX, true)?,
    };
    let mut output = create_output(&path, &input, &place, args.work.force, true)?;
    let threads = threads(args.work.threads);
    let progress = Progress::start(input.len(), output.is_terminal());
    let sealed = file::seal(&sealing, progress.watch(input), &mut output, &threads);
    let sealed = sealed.map_err(|error| Failure::of_sealing(error, &name, &[&args.key, outer_key]))?;
    output.finish()?;
    progress.finish("sealed", &name, sealed.attributes.plaintext_len, &sealed.engines, threads);
    Ok(())
}

pub(crate) fn open(args: OpenArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let mut place = Place::find(&args.keyring)?;
    let keyring = place.read()?;
    let services = [&keyring as _];
    let opening = engine::opening(Opening::new(&services).with_policy(policy))?;
    let create = |path: &Path| create_output(path, &input, &place, args.work.force, false);
    if let Some(range) = args.range {
        let stored = SealedFile::open(&opening, input.stored("--range")?);
        let stored = stored.map_err(|error| Failure::of_opening(error, &name, "nothing was written"))?;
        warn(&name, stored.opened().slots, &args.demands.context);
        return range::open(stored.body(), range, &name, args.output.as_deref(), create);
    }
    let mut output = match &args.output {
        Some(path) => create(path)?,
        None => create(&default_output(&args.input, SUFFIX, false)?)?,
    };
    let threads = threads(args.work.threads);
    let progress = Progress::start(input.len(), output.is_terminal());
    let opened = file::open(&opening, progress.watch(input), &mut output, &threads);
    let opened = opened.map_err(|error| Failure::of_opening(error, &name, output.after_failure()))?;
    output.finish()?;
    progress.finish("opened", &name, opened.attributes.plaintext_len, &opened.engines, threads);
    warn(&name, opened.slots, &args.demands.context);
    Ok(())
}

/// Verifies file after file; the exit code is the highest of all.
pub(crate) fn verify(args: VerifyArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let keyring = Place::find(&args.keyring)?.read()?;
    let services = [&keyring as _];
    let opening = engine::opening(Opening::new(&services).with_policy(policy))?;
    for_each(&args.files, |path| verify_one(path, &opening, args.threads))
}

fn verify_one(path: &Path, opening: &Opening<'_>, asked: Option<ThreadCount>) -> Result<(), Failure> {
    let input = Input::open(path)?;
    let name = input.name().to_owned();
    let threads = threads(asked);
    let progress = Progress::start(input.len(), false);
    let opened = file::open(opening, progress.watch(input), io::sink(), &threads);
    let opened = opened.map_err(|error| Failure::of_opening(error, &name, "it is not to be trusted"))?;
    progress.clear();
    warn_of_slots(&name, opened.slots);
    print(format_args!("{name}: verified, {}", Size(opened.attributes.plaintext_len)))
}

/// Rewraps file after file; the exit code is the highest of all.
pub(crate) fn rewrap(args: RewrapArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let keyring = Place::find(&args.keyring)?.read()?;
    let services = [&keyring as _];
    let opening = Opening::new(&services).with_policy(policy);
    let keys = [args.key.as_deref(), args.outer_key.as_deref()];
    for_each(&args.files, |path| rewrap_one(path, &opening, &keyring, keys))
}

fn rewrap_one(path: &Path, opening: &Opening<'_>, keyring: &Keyring, keys: [Option<&str>; 2]) -> Result<(), Failure> {
    let name = shown_path(path);
    let fail = |error: io::Error| Failure::other(format!("{name}: cannot rewrap: {error}"));
    let target = File::options().read(true).write(true).open(path).map_err(fail)?;
    // Another process that rewraps would write the same slots.
    target.lock().map_err(fail)?;
    let failed = |error: FileError| match error {
        FileError::Io(error) => fail(error),
        error => Failure::of_opening(error, &name, "nothing was written"),
    };
    let old = SealedFile::open(opening, &target).map_err(failed)?;
    let old = &old.opened().envelope;
    let keys: Vec<_> = old.opened_by().zip(keys).map(|(by, key)| key.unwrap_or(&by.key_id)).collect();
    let recipients: Vec<_> = keys.iter().map(|&key| [(keyring as _, key)]).collect();
    let mut sealing = Sealing::new(&recipients[0]).with_context(old.head().context.clone());
    if let Some(outer) = recipients.get(1) {
        sealing = sealing.with_outer_layer(outer);
    }
    let new = file::rewrap(opening, &sealing, &target).map_err(|error| match error {
        FileError::Io(error) => fail(error),
        error => Failure::of_sealing(error, &name, &keys),
    })?;
    let under: Vec<_> = new.opened_by().map(|key| format!("\"{}\", version {}", key.key_id, key.key_version)).collect();
    print(format_args!("{name}: under key {}", under.join(", and ")))
}

/// Goes on after a failure; what failed with the highest exit code is what is returned, and the others are reported.
fn for_each(paths: &[PathBuf], work: impl Fn(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
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

fn encryption_context(args: &ContextArgs) -> Result<EncryptionContext, Failure> {
    let mut context = EncryptionContext::new();
    for Pair { key, value } in &args.pairs {
        context.insert(key, value).map_err(|_| {
            Failure::other("--context: a key is given twice, or there are more than 64 pairs or 8 KiB of them")
        })?;
    }
    Ok(context)
}

fn policy(args: &DemandArgs) -> Result<Policy, Failure> {
    let mut policy = Policy::default();
    policy.minimum_layers = args.layers;
    if !args.context.pairs.is_empty() {
        policy.context = Some(encryption_context(&args.context)?);
    }
    Ok(policy)
}

fn create_output(path: &Path, input: &Input, place: &Place, force: bool, sealed: bool) -> Result<Output, Failure> {
    let keyring = place.metadata();
    let in_use: Vec<_> = [Some(input.metadata()), keyring.as_ref()].into_iter().flatten().collect();
    Output::create(path, &in_use, force, sealed)
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
