//! Ranges of a stored message, verified.

use super::queue::{self, lock};
use super::{CHUNK_LEN, ChunkOpener, Cobblestone, HEADER_LEN, SEALED_CHUNK_LEN, Workers, plaintext_len, sealed_range};
use crate::buffer;
use crate::engine::Engine;
use crate::error::{Error, Refusal};
use core::ops::Range;
use std::boxed::Box;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Mutex;
use std::{vec, vec::Vec};
use zeroize::Zeroizing;

/// Chunks fetched at a time.
const WINDOW_CHUNKS: u64 = 32;
const CHUNK: u64 = CHUNK_LEN as u64;

/// A source that can be read at any offset: a file, a buffer, an object in a store.
pub trait ReadAt {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the source ends before, or whatever went wrong.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Length of the source, in bytes.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn size(&self) -> io::Result<u64>;

    /// All bytes, if they are in memory and nobody changes them meanwhile: they are not copied then.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn in_memory(&self) -> Option<&[u8]> {
        (**self).in_memory()
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let from = start.and_then(|start| self.get(start..)).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// The bytes from `offset` on of a source that is in memory, as many as fit into a buffer of `len`.
pub(super) fn slice_at(source: &(impl ReadAt + ?Sized), offset: u64, len: usize) -> Option<&[u8]> {
    source.in_memory()?.get(usize::try_from(offset).ok()?..)?.get(..len)
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl Cobblestone<'_> {
    /// Opens the stored message `source` for reading at any offset.
    ///
    /// It reads the header and the last chunk and verifies both, so the length that it reports is authentic.
    ///
    /// # Errors
    /// What `source` says; [`Error::Authentication`] as an [`io::Error`] of kind
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the key or the context is wrong or the message was changed or
    /// cut short.
    pub fn open_at<S: ReadAt>(&self, source: S) -> io::Result<RandomAccess<S>> {
        if source.size()? < HEADER_LEN as u64 {
            return Err(Error::Authentication.into());
        }
        let mut header = [0; HEADER_LEN];
        source.read_exact_at(&mut header, 0)?;
        self.chunk_opener(&header)?.open_at(source)
    }
}

impl ChunkOpener {
    /// Opens the stored message `source`, header included, for reading at any offset. See [`Cobblestone::open_at`].
    ///
    /// # Errors
    /// Those of [`Cobblestone::open_at`].
    pub fn open_at<S: ReadAt>(self, source: S) -> io::Result<RandomAccess<S>> {
        self.open_stored(Stored::Source(source))
    }

    fn open_stored<S: ReadAt>(self, stored: Stored<S>) -> io::Result<RandomAccess<S>> {
        let sealed_len = stored.size()?;
        let plaintext_len = plaintext_len(sealed_len).ok_or_else(|| Error::refused(Refusal::Length))?;
        let access = RandomAccess { opener: self, stored, sealed_len, plaintext_len, fetched: Mutex::default() };
        // Only the last chunk is shorter than the others, so that it opens here proves where the message ends.
        let mut last = Zeroizing::new(vec![0; CHUNK_LEN]);
        access.open_chunks(plaintext_len / CHUNK, 1, &mut last, &mut Vec::new())?;
        Ok(access)
    }
}

/// A stored message, open for reading at any offset. Each read fetches and verifies just the chunks that it touches.
pub struct RandomAccess<S> {
    opener: ChunkOpener,
    stored: Stored<S>,
    sealed_len: u64,
    plaintext_len: u64,
    /// Buffers for what is fetched, one for each read that went on at the same time: memory that is new to the process
    /// costs more than to fill it.
    fetched: Mutex<Vec<Vec<u8>>>,
}

/// Where the chunks of a message are.
enum Stored<S> {
    Source(S),
    /// In another message, as its plaintext.
    Within(Box<RandomAccess<S>>),
}

impl<S: ReadAt> ReadAt for Stored<S> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Source(source) => source.read_exact_at(buffer, offset),
            Self::Within(outer) => outer.open_range_into(offset, buffer),
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Self::Source(source) => source.size(),
            Self::Within(outer) => Ok(outer.len()),
        }
    }

    fn in_memory(&self) -> Option<&[u8]> {
        match self {
            Self::Source(source) => source.in_memory(),
            Self::Within(_) => None,
        }
    }
}

impl<S: ReadAt> RandomAccess<S> {
    /// Opens the message that the plaintext is. `start` makes what opens it from its header.
    pub(crate) fn open_inner(
        self,
        start: impl FnOnce(&[u8; HEADER_LEN]) -> Result<ChunkOpener, Error>,
    ) -> io::Result<Self> {
        if self.len() < HEADER_LEN as u64 {
            return Err(Error::Authentication.into());
        }
        let mut header = [0; HEADER_LEN];
        self.open_range_into(0, &mut header)?;
        start(&header)?.open_stored(Stored::Within(Box::new(self)))
    }

    /// The engines that open the chunks: for each layer one, the innermost first.
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        let mut engines = vec![self.opener.engine()];
        if let Stored::Within(outer) = &self.stored {
            engines.extend(outer.engines());
        }
        engines
    }

    /// Length of the plaintext, in bytes. It is authentic.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.plaintext_len
    }

    /// Whether the plaintext is empty. It is authentic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plaintext_len == 0
    }

    /// The plaintext bytes `range`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::Authentication`] as [`io::Error`]s, or what the source says.
    pub fn open_range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let out_of_range = Error::OutOfRange { plaintext_len: self.plaintext_len };
        if range.end > self.plaintext_len {
            return Err(out_of_range.into());
        }
        let len = range.end.checked_sub(range.start).and_then(|len| usize::try_from(len).ok());
        let mut out = buffer::zeroed(len.ok_or(out_of_range)?);
        self.open_range_into(range.start, &mut out)?;
        Ok(out)
    }

    /// Fills `out` with the plaintext from `start` on.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::Authentication`] as [`io::Error`]s, or what the source says. After an error
    /// `out` is all zeros.
    pub fn open_range_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let end = start.checked_add(out.len() as u64).filter(|&end| end <= self.plaintext_len);
        let opened = match end {
            Some(end) => {
                let mut fetched = lock(&self.fetched).pop().unwrap_or_default();
                let opened = self.open_between(start, end, out, &mut fetched);
                lock(&self.fetched).push(fetched);
                opened
            }
            None => Err(Error::OutOfRange { plaintext_len: self.plaintext_len }.into()),
        };
        if opened.is_err() {
            out.fill(0);
        }
        opened
    }

    fn open_between(&self, start: u64, end: u64, out: &mut [u8], fetched: &mut Vec<u8>) -> io::Result<()> {
        let mut at = start;
        let mut rest = out;
        while at < end {
            let chunk = at / CHUNK;
            let chunk_end = ((chunk + 1) * CHUNK).min(self.plaintext_len);
            let now;
            if at.is_multiple_of(CHUNK) && end >= chunk_end {
                // Whole chunks go straight to where they belong.
                let whole_to = if end == self.plaintext_len { end } else { end / CHUNK * CHUNK };
                let to = whole_to.min((chunk + WINDOW_CHUNKS) * CHUNK);
                (now, rest) = rest.split_at_mut(window_len(to - at));
                self.open_chunks(chunk, (to - at).div_ceil(CHUNK), now, fetched)?;
                at = to;
            } else {
                let to = end.min(chunk_end);
                (now, rest) = rest.split_at_mut(window_len(to - at));
                let mut whole = Zeroizing::new(vec![0; window_len(chunk_end - chunk * CHUNK)]);
                self.open_chunks(chunk, 1, &mut whole, fetched)?;
                now.copy_from_slice(&whole[window_len(at % CHUNK)..][..now.len()]);
                at = to;
            }
        }
        Ok(())
    }

    /// [`open_range_into`](Self::open_range_into) on several threads, each of which fetches from the source.
    ///
    /// # Errors
    /// Those of [`open_range_into`](Self::open_range_into).
    pub fn open_range_parallel(&self, workers: &impl Workers, start: u64, out: &mut [u8]) -> io::Result<()>
    where
        S: Sync,
    {
        let threads = workers.count().get();
        let within = start.checked_add(out.len() as u64).is_some_and(|end| end <= self.plaintext_len);
        if threads == 1 || out.len() <= CHUNK_LEN || !within {
            return self.open_range_into(start, out);
        }
        let len = out.len() as u64;
        // Pieces begin with chunks, so that none is opened twice.
        let piece_len = len.div_ceil(threads as u64).next_multiple_of(CHUNK).min(WINDOW_CHUNKS * CHUNK);
        let first_len = window_len((piece_len - start % CHUNK).min(len));
        let opened = {
            let (first, rest) = out.split_at_mut(first_len);
            let mut pieces = core::iter::once(first).chain(rest.chunks_mut(window_len(piece_len)));
            let mut at = start;
            let next = |(): &mut ()| {
                let Some(piece) = pieces.next() else { return Ok(None) };
                let begins = at;
                at += piece.len() as u64;
                Ok(Some((begins, piece)))
            };
            queue::run(workers, || (), next, |(at, piece), ()| self.open_range_into(at, piece), || ())
        };
        opened.settle(out)
    }

    /// Fetches `count` chunks, at most a window, and opens them into the start of `out`.
    fn open_chunks(&self, first: u64, count: u64, out: &mut [u8], fetched: &mut Vec<u8>) -> io::Result<()> {
        let end = ((first + count) * CHUNK).min(self.plaintext_len);
        let mut stored = sealed_range(first * CHUNK..end, self.sealed_len).ok_or(Error::Authentication)?;
        if stored.is_empty() {
            // An empty last chunk holds no plaintext, but it has a tag.
            stored.end = self.sealed_len;
        }
        let len = window_len(stored.end - stored.start);
        let chunks = match slice_at(&self.stored, stored.start, len) {
            Some(chunks) => chunks,
            None => {
                if fetched.len() < len {
                    fetched.resize(len, 0);
                }
                let room = &mut fetched[..len];
                self.stored.read_exact_at(room, stored.start)?;
                room
            }
        };
        self.opener.open(first, chunks, out)?;
        Ok(())
    }

    /// A reader over the plaintext, at its start.
    #[must_use]
    pub fn reader(self) -> RangeReader<S> {
        RangeReader { access: self, at: 0, chunk: Zeroizing::default(), chunk_start: 0 }
    }
}

/// A length that is at most a window, as a length in memory.
#[allow(clippy::cast_possible_truncation)]
fn window_len(len: u64) -> usize {
    debug_assert!(len <= WINDOW_CHUNKS * SEALED_CHUNK_LEN as u64);
    len as usize
}

/// `Read` and `Seek` over the plaintext of a stored message.
pub struct RangeReader<S> {
    access: RandomAccess<S>,
    at: u64,
    /// The chunk that was read last, and where in the plaintext it begins.
    chunk: Zeroizing<Vec<u8>>,
    chunk_start: u64,
}

impl<S: ReadAt> RangeReader<S> {
    /// Length of the plaintext, in bytes. It is authentic.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.access.len()
    }

    /// Whether the plaintext is empty. It is authentic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.access.is_empty()
    }

    /// The bytes from here to the end of the buffered chunk.
    fn buffered(&self) -> &[u8] {
        let offset = self.at.checked_sub(self.chunk_start).and_then(|offset| usize::try_from(offset).ok());
        offset.and_then(|offset| self.chunk.get(offset..)).unwrap_or_default()
    }
}

impl<S: ReadAt> Read for RangeReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.access.len().saturating_sub(self.at);
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let len;
        if self.buffered().is_empty() && self.at.is_multiple_of(CHUNK) && wanted >= CHUNK_LEN {
            // Whole chunks need no buffer in between.
            len = wanted / CHUNK_LEN * CHUNK_LEN;
            self.access.open_range_into(self.at, &mut buffer[..len])?;
        } else {
            if self.buffered().is_empty() {
                let start = self.at / CHUNK * CHUNK;
                let end = (start + CHUNK).min(self.access.len());
                self.chunk = Zeroizing::new(self.access.open_range(start..end)?);
                self.chunk_start = start;
            }
            let from = self.buffered();
            len = wanted.min(from.len());
            buffer[..len].copy_from_slice(&from[..len]);
        }
        self.at += len as u64;
        Ok(len)
    }
}

impl<S: ReadAt> Seek for RangeReader<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.access.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.at)
    }
}
