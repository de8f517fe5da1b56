//! `objseal cobblestone`: sealing and opening bare messages.

use crate::failure::Failure;
use crate::input::Input;
use crate::output::{Output, default_output};
use crate::progress::Progress;
use crate::range::{self, ByteRange};
use crate::threads::threads;
use crate::{MessageArgs, engine, key_file};
use objseal::Key;
use objseal::cobblestone::Cobblestone;
use std::fs;
use std::path::Path;

/// What the names of messages end in.
const SUFFIX: &str = "cobblestone";

pub(crate) fn seal(args: &MessageArgs) -> Result<(), Failure> {
    let key = key_file::read(&args.key_file)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let cobblestone = cobblestone(args, &key)?;
    let mut output = create_output(args, &input, true)?;
    let threads = threads(args.work.threads);
    let progress = Progress::start(input.len(), output.is_terminal());
    let sealed = cobblestone.seal_stream(progress.watch(input), &mut output, &threads);
    let bytes = sealed.map_err(|error| Failure::of_stream(&error, &name, ""))?;
    output.finish()?;
    progress.finish("sealed", &name, bytes, &[cobblestone.engine()], threads);
    Ok(())
}

pub(crate) fn open(args: &MessageArgs, range: Option<ByteRange>) -> Result<(), Failure> {
    let key = key_file::read(&args.key_file)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let cobblestone = cobblestone(args, &key)?;
    if let Some(range) = range {
        return open_range(args, &cobblestone, &input, range);
    }
    let mut output = create_output(args, &input, false)?;
    let threads = threads(args.work.threads);
    let progress = Progress::start(input.len(), output.is_terminal());
    let opened = cobblestone.open_stream(progress.watch(input), &mut output, &threads);
    let bytes = opened.map_err(|error| Failure::of_stream(&error, &name, output.after_failure()))?;
    output.finish()?;
    progress.finish("opened", &name, bytes, &[cobblestone.engine()], threads);
    Ok(())
}

fn open_range(
    args: &MessageArgs,
    cobblestone: &Cobblestone<'_>,
    input: &Input,
    range: ByteRange,
) -> Result<(), Failure> {
    let stored = cobblestone.open_at(input.stored("--range")?);
    let stored = stored.map_err(|error| Failure::of_stream(&error, input.name(), "nothing was written"))?;
    let path = args.output.as_deref();
    let create = |path: &Path| output_at(path, args, input, false);
    range::open(&stored, range, input.name(), path, create)
}

fn cobblestone<'a>(args: &'a MessageArgs, key: &'a Key) -> Result<Cobblestone<'a>, Failure> {
    engine::chosen(Cobblestone::new(key, args.context.as_bytes()), Cobblestone::with_engine)
}

fn create_output(args: &MessageArgs, input: &Input, sealed: bool) -> Result<Output, Failure> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => default_output(&args.input, SUFFIX, sealed)?,
    };
    output_at(&path, args, input, sealed)
}

fn output_at(path: &Path, args: &MessageArgs, input: &Input, sealed: bool) -> Result<Output, Failure> {
    let key = fs::metadata(&args.key_file);
    Output::from(input, key.into_iter().collect(), path, args.work.force, sealed)
}
