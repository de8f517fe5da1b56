//! `objseal rewrap`: sealed files under other keys, or other versions of them.

use crate::failure::Failure;
use crate::keys::Keys;
use crate::sealed::{for_each, policy};
use crate::text::{print, say, shown_path};
use crate::{RewrapArgs, lock};
use objseal::envelope::{Envelope, Head, OpenOptions, SealOptions, WrappingKey};
use objseal::file::{self, FileError};
use std::fmt::Display;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Once};

/// Rewraps file after file; the exit code is the highest of all.
pub(crate) fn run(args: RewrapArgs) -> Result<(), Failure> {
    let policy = policy(&args.demands)?;
    let keys = Keys::open(&args.keys)?;
    let options = OpenOptions::new().with_policy(policy);
    let named = [args.key.as_deref(), args.outer_key.as_deref()];
    // First: no file is rewrapped if the other key of a layer is not there.
    named.into_iter().flatten().try_for_each(|key| keys.check(key))?;
    let unbound = Once::new();
    for_each(&args.files, |path| {
        rewrap_one(path, &options, &keys, named)?;
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

fn rewrap_one(path: &Path, options: &OpenOptions, keys: &Keys, named: [Option<&str>; 2]) -> Result<(), Failure> {
    let name = shown_path(path);
    let fail = |error: &dyn Display| Failure::other(format!("{name}: cannot rewrap: {error}"));
    let target = File::options().read(true).write(true).open(path).map_err(|error| fail(&error))?;
    // Another process that rewraps would write the same slots.
    lock::wait_for(&target, &name).map_err(|error| fail(&error))?;
    let options = &keys.add_to(options.clone(), &name);
    let mut opened = false;
    let mut under = Vec::new();
    let rewrapped = file::rewrap(options, &target, |old: &Envelope| {
        opened = true;
        let context = &old.head().context;
        let mut new = SealOptions::default().with_context(context.clone());
        for (layer, with_key) in (1..=old.head().layers()).zip([SealOptions::with_key, SealOptions::with_outer_key]) {
            let keys = match named[usize::from(layer) - 1] {
                Some(key) => keys.latest(key, &[key], context, &name).map(|key| vec![key]),
                None => kept_keys(old.head(), layer, keys, &name),
            };
            let keys = keys.map_err(NotRewrapped::Lost)?;
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

/// The latest versions of the keys that a layer is under. All of them must be at hand.
fn kept_keys(head: &Head, layer: u8, keys: &Keys, name: &str) -> Result<Vec<Arc<WrappingKey>>, Failure> {
    let mut entries: Vec<_> = head.wrapped_keys.iter().filter(|entry| entry.layer == layer).collect();
    // Sorted as entries are, so versions of a key are neighbours, and the latest one is the last.
    entries.reverse();
    entries.dedup_by(|one, other| (&one.service, &one.key_id) == (&other.service, &other.key_id));
    entries.reverse();
    let keys = entries.into_iter().map(|entry| {
        keys.latest_of(entry, &head.context, name)?.ok_or_else(|| {
            let option = if layer == 1 { "--key" } else { "--outer-key" };
            Failure::NoKey(format!(
                "{name}: version {} of \"{}\" of {} opens it too, and the {} cannot keep that; {option} names the only \
                 key to put it under",
                entry.key_version,
                entry.key_id,
                entry.service,
                keys.name(),
            ))
        })
    });
    keys.collect()
}
