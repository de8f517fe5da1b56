//! A range of a plaintext, and writing it out.

use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use objseal::cobblestone::{RandomAccess, ReadAt, Threads};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Bytes of a range that are opened at a time.
const PIECE: usize = 1 << 20;

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

/// Opens `range` of the plaintext of `name` into `path`, or standard output: a piece of the plaintext does not get the
/// name of the whole.
pub(crate) fn open(
    stored: &RandomAccess<impl ReadAt>,
    range: ByteRange,
    name: &str,
    path: Option<&Path>,
    create: impl FnOnce(&Path) -> Result<Output, Failure>,
) -> Result<(), Failure> {
    let (start, end) = range.within(stored.len()).ok_or_else(|| {
        Failure::other(format!("{name}: no byte of the range is there; the plaintext has {} bytes", stored.len()))
    })?;
    let mut output = create(path.unwrap_or(Path::new("-")))?;
    let progress = Progress::start(Some(end - start), output.is_terminal());
    let copied = copy(stored, start, end, &mut output, &progress);
    copied.map_err(|error| Failure::of_stream(&error, name, output.after_failure()))?;
    output.finish()?;
    progress.finish("opened", name, end - start, &stored.engines(), Threads(NonZeroUsize::MIN));
    Ok(())
}

fn copy(
    stored: &RandomAccess<impl ReadAt>,
    start: u64,
    end: u64,
    output: &mut Output,
    progress: &Progress,
) -> io::Result<()> {
    let mut at = start;
    // With all its capacity: a `Vec` that grows leaves copies of its plaintext behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(PIECE));
    let piece = PIECE as u64;
    while at < end {
        // Up to a multiple of the piece, so that all pieces but the first begin with a chunk.
        let to = end.min((at / piece + 1) * piece);
        buffer.resize(usize::try_from(to - at).unwrap_or(PIECE), 0);
        stored.open_range_into(at, &mut buffer)?;
        output.write_all(&buffer)?;
        progress.add(to - at);
        at = to;
    }
    Ok(())
}
