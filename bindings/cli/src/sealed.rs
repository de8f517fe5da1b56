//! `objseal seal`, `open`, `verify` and `rewrap`: sealed files.

use crate::failure::Failure;
use crate::input::Input;
use crate::keyring::Place;
use crate::output::{Output, default_output};
use crate::progress::Progress;
use crate::text::{Size, print, say, shown_path};
use crate::threads::{ThreadCount, threads};
use crate::{ContextArgs, DemandArgs, OpenArgs, RewrapArgs, SealArgs, VerifyArgs, engine, lock, range};
use objseal::checksums::Wanted;
use objseal::envelope::{
    DemandedContext, EncryptionContext, Envelope, Head, OpenOptions, Policy, SealOptions, WrappingKey,
};
use objseal::file::{self, FileError, SealedFile, SlotState};
use objseal_keys::keyring::{Keyring, SERVICE};
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Once};

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
    let outer_key = args.outer_key.as_deref().unwrap_or(&args.key);
    let latest = |name: &str| keyring.latest(name).map_err(|_| Failure::no_key(&[&args.key, outer_key]));
    let mut options = SealOptions::new(latest(&args.key)?).with_context(context);
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
    let mut output = create_output(&path, &input, &place, args.work.force, true)?;
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
    let mut place = Place::find(&args.keyring)?;
    let options = OpenOptions::new().with_service(Arc::new(place.read()?)).with_policy(policy);
    let options = engine::to_open(options)?;
    let create = |path: &Path| create_output(path, &input, &place, args.work.force, false);
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
    let keyring = Place::find(&args.keyring)?.read()?;
    let options = engine::to_open(OpenOptions::new().with_service(Arc::new(keyring)).with_policy(policy))?;
    for_each(&args.files, |path| verify_one(path, &options, args.threads))
}

fn verify_one(path: &Path, options: &OpenOptions, asked: Option<ThreadCount>) -> Result<(), Failure> {
    let input = Input::open(path)?;
    let name = input.name().to_owned();
    let threads = threads(asked);
    let progress = Progress::start(input.len(), false);
    let opened = file::open(options, progress.watch(input), io::sink(), &threads);
    let opened = opened.map_err(|error| Failure::of_opening(error, options, &name, "it is not to be trusted"))?;
    progress.clear();
    warn_of_slots(&name, opened.slots);
    print(format_args!("{name}: verified, {}", Size(opened.attributes.plaintext_len)))
}

/// Rewraps file after file; the exit code is the highest of all.
pub(crate) fn rewrap(args: RewrapArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let keyring = Arc::new(Place::find(&args.keyring)?.read()?);
    let options = OpenOptions::new().with_service(keyring.clone()).with_policy(policy);
    let named = |name: Option<&String>| match name {
        Some(name) => keyring.latest(name).map(Some).map_err(|_| Failure::no_key(&[name])),
        None => Ok(None),
    };
    let keys = [named(args.key.as_ref())?, named(args.outer_key.as_ref())?];
    let unbound = Once::new();
    for_each(&args.files, |path| {
        rewrap_one(path, &options, &keyring, &keys)?;
        if args.demands.context.pairs.is_empty() {
            unbound.call_once(|| {
                say("rewrapped without --context: nothing says that these are the objects you meant");
            });
        }
        Ok(())
    })
}

/// Why a file is not rewrapped.
enum NotRewrapped {
    Lost(Failure),
    File(FileError),
}

impl From<FileError> for NotRewrapped {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

fn rewrap_one(
    path: &Path,
    options: &OpenOptions,
    keyring: &Keyring,
    named: &[Option<Arc<WrappingKey>>; 2],
) -> Result<(), Failure> {
    let name = shown_path(path);
    let fail = |error: &dyn Display| Failure::other(format!("{name}: cannot rewrap: {error}"));
    let target = File::options().read(true).write(true).open(path).map_err(|error| fail(&error))?;
    // Another process that rewraps would write the same slots.
    lock::wait_for(&target, &name).map_err(|error| fail(&error))?;
    let mut opened = false;
    let mut under = Vec::new();
    let rewrapped = file::rewrap(options, &target, |old: &Envelope| {
        opened = true;
        let mut new = SealOptions::default().with_context(old.head().context.clone());
        for (layer, with_key) in (1..=old.head().layers()).zip([SealOptions::with_key, SealOptions::with_outer_key]) {
            let keys = match &named[usize::from(layer) - 1] {
                Some(key) => vec![Arc::clone(key)],
                None => kept_keys(old.head(), layer, keyring, &name).map_err(NotRewrapped::Lost)?,
            };
            let words: Vec<_> =
                keys.iter().map(|key| format!("\"{}\", version {}", key.key_id(), key.key_version())).collect();
            under.push(words.join(", or "));
            new = keys.into_iter().fold(new, with_key);
        }
        Ok(new)
    });
    rewrapped.map_err(|error| match error {
        NotRewrapped::Lost(failure) => failure,
        NotRewrapped::File(FileError::Io(error)) => fail(&error),
        NotRewrapped::File(error) if opened => fail(&error),
        NotRewrapped::File(error) => Failure::of_opening(error, options, &name, "nothing was written"),
    })?;
    print(format_args!("{name}: under key {}", under.join(", and ")))
}

/// The latest versions of the keys that a layer is under. The keyring must have all of them.
fn kept_keys(head: &Head, layer: u8, keyring: &Keyring, name: &str) -> Result<Vec<Arc<WrappingKey>>, Failure> {
    let entries = head.wrapped_keys.iter().filter(|entry| entry.layer == layer);
    let keys = entries.map(|entry| {
        let latest = keyring.latest(&entry.key_id).ok().filter(|_| entry.service == SERVICE);
        // A version that is not there yet is of a keyring that is not this one.
        latest.filter(|key| key.key_version() >= entry.key_version).ok_or_else(|| {
            let option = if layer == 1 { "--key" } else { "--outer-key" };
            Failure::NoKey(format!(
                "{name}: version {} of \"{}\" of {} opens it too, and the keyring cannot keep that; {option} names the \
                 only key to put it under",
                entry.key_version, entry.key_id, entry.service,
            ))
        })
    });
    let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
    // Sorted as entries are, so versions of a key are neighbours.
    keys.dedup_by(|one, other| one.key_id() == other.key_id());
    Ok(keys)
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
    policy.context = demanded(&args.context)?;
    Ok(policy)
}

/// The context that was given; any if none was.
pub(crate) fn demanded(args: &ContextArgs) -> Result<DemandedContext, Failure> {
    let given = encryption_context(args)?;
    Ok(if given.is_empty() { DemandedContext::Any } else { DemandedContext::Exactly(given) })
}

fn create_output(path: &Path, input: &Input, place: &Place, force: bool, sealed: bool) -> Result<Output, Failure> {
    Output::from(input, place.in_use(), path, force, sealed)
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
