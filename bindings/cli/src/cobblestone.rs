//! `objseal cobblestone`: sealing and opening bare messages.

use crate::failure::Failure;
use crate::input::Input;
use crate::output::{Output, default_output};
use crate::progress::Progress;
use crate::{CommonArgs, backend, key_file};
use objseal::Key;
use objseal::cobblestone::{Cobblestone, RandomAccess, ReadAt, Threads};
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// What the names of messages end in.
const SUFFIX: &str = "cobblestone";
/// Bytes of a range that are opened at a time.
const RANGE_PIECE: usize = 1 << 20;
/// Above it, what the threads need themselves is more than the 64 MiB that are meant to suffice.
pub(crate) const MAX_THREADS: u16 = 1000;

pub(crate) fn seal(args: &CommonArgs) -> Result<(), Failure> {
    let key = key_file::read(&args.key_file)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let cobblestone = cobblestone(args, &key)?;
    let mut output = create_output(args, &input, true)?;
    let threads = threads(args);
    let progress = Progress::start(input.len(), &output);
    let sealed = cobblestone.seal_stream(progress.watch(input), &mut output, &threads);
    let bytes = sealed.map_err(|error| Failure::of_stream(&error, &name, ""))?;
    output.finish()?;
    progress.finish("sealed", &name, bytes, cobblestone.backend(), threads.0.get());
    Ok(())
}

pub(crate) fn open(args: &CommonArgs, range: Option<ByteRange>) -> Result<(), Failure> {
    let key = key_file::read(&args.key_file)?;
    let input = Input::open(&args.input)?;
    let name = input.name().to_owned();
    let cobblestone = cobblestone(args, &key)?;
    if let Some(range) = range {
        return open_range(args, &cobblestone, &input, range);
    }
    let mut output = create_output(args, &input, false)?;
    let threads = threads(args);
    let progress = Progress::start(input.len(), &output);
    let opened = cobblestone.open_stream(progress.watch(input), &mut output, &threads);
    let bytes = opened.map_err(|error| Failure::of_stream(&error, &name, output.after_failure()))?;
    output.finish()?;
    progress.finish("opened", &name, bytes, cobblestone.backend(), threads.0.get());
    Ok(())
}

fn open_range(
    args: &CommonArgs,
    cobblestone: &Cobblestone<'_>,
    input: &Input,
    range: ByteRange,
) -> Result<(), Failure> {
    let stored = cobblestone.open_at(input.stored()?);
    let stored = stored.map_err(|error| Failure::of_stream(&error, input.name(), "nothing was written"))?;
    let (start, end) = range.within(stored.len()).ok_or_else(|| {
        Failure::other(format!(
            "{}: no byte of the range is there; the plaintext has {} bytes",
            input.name(),
            stored.len()
        ))
    })?;
    // A piece of the plaintext does not get the name of the whole.
    let path = args.output.as_deref().unwrap_or(Path::new("-"));
    let mut output = output_at(path, args, input, false)?;
    let progress = Progress::start(Some(end - start), &output);
    let copied = copy_range(&stored, start, end, &mut output, &progress);
    copied.map_err(|error| Failure::of_stream(&error, input.name(), output.after_failure()))?;
    output.finish()?;
    progress.finish("opened", input.name(), end - start, cobblestone.backend(), 1);
    Ok(())
}

fn copy_range(
    stored: &RandomAccess<impl ReadAt>,
    start: u64,
    end: u64,
    output: &mut Output,
    progress: &Progress,
) -> io::Result<()> {
    let mut at = start;
    // With all its capacity: a `Vec` that grows leaves copies of its plaintext behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(RANGE_PIECE));
    let piece = RANGE_PIECE as u64;
    while at < end {
        // Up to a multiple of the piece, so that all pieces but the first begin with a chunk.
        let to = end.min((at / piece + 1) * piece);
        buffer.resize(usize::try_from(to - at).unwrap_or(RANGE_PIECE), 0);
        stored.open_range_into(at, &mut buffer)?;
        output.write_all(&buffer)?;
        progress.add(to - at);
        at = to;
    }
    Ok(())
}

fn cobblestone<'a>(args: &'a CommonArgs, key: &'a Key) -> Result<Cobblestone<'a>, Failure> {
    backend::chosen(Cobblestone::new(key, args.context.as_bytes()))
}

fn create_output(args: &CommonArgs, input: &Input, sealed: bool) -> Result<Output, Failure> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => default_output(&args.input, SUFFIX, sealed)?,
    };
    output_at(&path, args, input, sealed)
}

fn output_at(path: &Path, args: &CommonArgs, input: &Input, sealed: bool) -> Result<Output, Failure> {
    let key = fs::metadata(&args.key_file).ok();
    let in_use: Vec<_> = [Some(input.metadata()), key.as_ref()].into_iter().flatten().collect();
    Output::create(path, &in_use, args.force, sealed)
}

fn threads(args: &CommonArgs) -> Threads {
    let count = args.threads.map_or_else(|| Threads::available().0.get(), usize::from);
    Threads(NonZeroUsize::new(count.min(usize::from(MAX_THREADS))).unwrap_or(NonZeroUsize::MIN))
}

/// Bytes of a plaintext, as HTTP names them (RFC 9110, section 14.1.2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum ByteRange {
    /// From the first position to the last one, or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// Start and end within a plaintext of `len` bytes. `None` if no byte of it is there.
    fn within(self, len: u64) -> Option<(u64, u64)> {
        match self {
            Self::From(first, _) if first >= len => None,
            Self::From(first, last) => Some((first, last.map_or(len, |last| len.min(last.saturating_add(1))))),
            Self::Last(0) => None,
            Self::Last(count) => Some((len.saturating_sub(count), len)),
        }
    }
}

impl FromStr for ByteRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = "a range is A-B, A- or -N, in bytes";
        // `parse` would take a sign as well.
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = |digits: &str| digits.parse().ok().filter(|_| is_number(digits)).ok_or(malformed);
        let (first, last) = text.split_once('-').ok_or(malformed)?;
        match (first, last) {
            ("", count) => Ok(Self::Last(number(count)?)),
            (first, "") => Ok(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last { Err("the range ends before it begins") } else { Ok(Self::From(first, Some(last))) }
            }
        }
    }
}
