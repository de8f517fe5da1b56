//! Runs of chunks of one message: sealed by several threads, or opened in any order.

#![allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "a chunk's number has 32 bits on some CPUs")]

use super::body::{Body, Header};
use super::{CHUNK_LEN, HEADER_LEN, SEALED_CHUNK_LEN, TAG_LEN, prefix};
#[cfg(feature = "alloc")]
use super::{Opener, Sealer};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::MAX_CHUNKS;
use core::fmt;
#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::AtomicU32 as Counter;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64 as Counter;
use core::sync::atomic::{AtomicBool, Ordering};

/// What numbers a chunk, as far as this CPU can count atomically.
#[cfg(not(target_has_atomic = "64"))]
type Number = u32;
#[cfg(target_has_atomic = "64")]
type Number = u64;

/// No chunk has this number; `next` is that once the last run was taken.
const END: u64 = if MAX_CHUNKS < Number::MAX as u64 { MAX_CHUNKS } else { Number::MAX as u64 };

/// Seals one message on several threads. Each takes a [`Run`]: the right to seal the next chunks, once.
///
/// Position in the message follows from the order in which runs are taken, so take a run under the same lock as the
/// plaintext for it. The message is the [`header`](Self::header) and the output of all runs, in that order.
///
/// On a CPU without 64-bit atomic instructions, such as a microcontroller, a message ends at 64 TiB here.
pub struct SharedSealer {
    body: Body,
    header: Header,
    /// First chunk that no run has, or `END`.
    next: Counter,
    /// Whether a run failed.
    failed: AtomicBool,
}

impl SharedSealer {
    pub(super) fn new(body: Body, header: Header) -> Self {
        Self { body, header, next: Counter::new(0), failed: AtomicBool::new(false) }
    }

    /// The first bytes of the message.
    #[must_use]
    pub fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }

    /// The engine that seals the chunks.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.body.engine()
    }

    /// Seals piece by piece instead, from the start.
    #[cfg(feature = "alloc")]
    pub(crate) fn into_sealer(self) -> Sealer {
        Sealer::new(self.body, self.header)
    }

    /// Takes the next `chunks` chunks; there will be more after them.
    ///
    /// # Errors
    /// [`Error::Finished`] after [`last_run`](Self::last_run); [`Error::FailedBefore`]; [`Error::TooLong`].
    pub fn next_run(&self, chunks: usize) -> Result<Run<'_>, Error> {
        let plaintext_len = chunks.checked_mul(CHUNK_LEN).ok_or(Error::TooLong)?;
        let sealed_len = chunks.checked_mul(SEALED_CHUNK_LEN).ok_or(Error::TooLong)?;
        let first = self.take(|first| {
            // One index stays free for the last chunk.
            first.checked_add(chunks as u64).filter(|&next| next < END)
        })?;
        Ok(Run { sealer: self, first, plaintext_len, sealed_len, last: false })
    }

    /// Takes the rest of the message: `plaintext_len` bytes, any number, perhaps none.
    ///
    /// # Errors
    /// [`Error::Finished`] if it was taken before; [`Error::FailedBefore`]; [`Error::TooLong`].
    pub fn last_run(&self, plaintext_len: usize) -> Result<Run<'_>, Error> {
        let whole_chunks = (plaintext_len / CHUNK_LEN) as u64;
        let tags = plaintext_len / CHUNK_LEN * TAG_LEN + TAG_LEN;
        let sealed_len = plaintext_len.checked_add(tags).ok_or(Error::TooLong)?;
        let first = self.take(|first| {
            let last_chunk = first.checked_add(whole_chunks);
            last_chunk.filter(|&chunk| chunk < END).map(|_| END)
        })?;
        Ok(Run { sealer: self, first, plaintext_len, sealed_len, last: true })
    }

    /// Moves `next` on atomically, so that no two runs share a chunk; returns where it was.
    fn take(&self, advance: impl Fn(u64) -> Option<u64>) -> Result<u64, Error> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::FailedBefore);
        }
        let taken = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            advance(next.into()).and_then(|next| next.try_into().ok())
        });
        let finished = |next: u64| if next == END { Error::Finished } else { Error::TooLong };
        taken.map(Into::into).map_err(|next| finished(next.into()))
    }
}

/// Without its keys.
impl fmt::Debug for SharedSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSealer").field("next", &self.next).finish_non_exhaustive()
    }
}

/// The right to seal some consecutive chunks of a message, once.
#[must_use = "the message has a hole where a run was taken and not sealed"]
pub struct Run<'s> {
    sealer: &'s SharedSealer,
    first: u64,
    plaintext_len: usize,
    sealed_len: usize,
    last: bool,
}

impl Run<'_> {
    /// Which chunk of the message it begins with.
    #[cfg(feature = "std")]
    pub(super) fn first_chunk(&self) -> u64 {
        self.first
    }

    /// How many bytes [`seal`](Self::seal) writes.
    #[must_use]
    pub fn sealed_len(&self) -> usize {
        self.sealed_len
    }

    /// Seals `plaintext`, which must be as long as was reserved, into the start of `out`; returns how many bytes that
    /// took.
    ///
    /// # Errors
    /// [`Error::WrongRunLength`], [`Error::OutputTooSmall`], [`Error::CheckFailed`]: the message is lost then, and no other
    /// run is to be had.
    pub fn seal(self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let sealer = self.sealer;
        self.seal_chunks(plaintext, out).inspect_err(|_| sealer.failed.store(true, Ordering::Relaxed))
    }

    fn seal_chunks(self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        if plaintext.len() != self.plaintext_len {
            return Err(Error::WrongRunLength { reserved: self.plaintext_len, given: plaintext.len() });
        }
        let out = prefix(out, self.sealed_len)?;
        if self.last {
            self.sealer.body.seal_last(self.first, plaintext, out)?;
        } else {
            self.sealer.body.seal(self.first, plaintext, out)?;
        }
        Ok(out.len())
    }
}

/// Opens chunks of one message in any order, from any thread.
///
/// It says nothing about the message's length: that is authentic once its last chunk, the one that is shorter than the
/// others, has been opened. [`sealed_range`](super::sealed_range) tells which bytes to fetch for a range.
pub struct ChunkOpener(Body);

impl ChunkOpener {
    pub(super) fn new(body: Body) -> Self {
        Self(body)
    }

    /// The engine that opens the chunks.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.0.engine()
    }

    /// Opens piece by piece instead, from behind the header.
    #[cfg(feature = "alloc")]
    pub(crate) fn into_opener(self) -> Opener<'static> {
        Opener::behind_header(self.0)
    }

    /// How many bytes [`open`](Self::open) writes for `sealed_len` bytes, if they are authentic.
    #[must_use]
    pub fn open_len(sealed_len: usize) -> usize {
        let whole_chunks = sealed_len / SEALED_CHUNK_LEN;
        whole_chunks * CHUNK_LEN + (sealed_len % SEALED_CHUNK_LEN).saturating_sub(TAG_LEN)
    }

    /// Opens consecutive chunks, from chunk `first` on, into the start of `out`; returns how many bytes that took.
    ///
    /// `sealed` is any number of whole chunks of [`SEALED_CHUNK_LEN`] bytes; if a shorter one follows, it is the last
    /// of the message.
    ///
    /// # Errors
    /// [`Error::Authentication`] if these are not chunks `first` and following; what would have been written is all
    /// zeros then. [`Error::OutputTooSmall`].
    pub fn open(&self, first: u64, sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, Self::open_len(sealed.len()))?;
        let opened = if first < MAX_CHUNKS { self.0.open(first, sealed, out) } else { Err(Error::Authentication) };
        if opened.is_err() {
            out.fill(0);
        }
        opened.map(|()| out.len())
    }
}
