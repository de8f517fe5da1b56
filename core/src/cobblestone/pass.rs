//! What happens to a window of chunks on its way from a reader to a writer: one message, or one within another.

use super::{CHUNK_LEN, ChunkOpener, Run, SEALED_CHUNK_LEN, SharedSealer, TAG_LEN};
use crate::error::{Error, Refusal};
use std::vec;
use std::vec::Vec;
use zeroize::Zeroizing;

/// What is done with consecutive chunks of one message: sealing, or opening.
pub(super) trait Stage: Sync {
    /// The right to work on some chunks.
    type Ticket: Send;
    /// Length of every chunk but the last that goes in.
    const INPUT_CHUNK: usize;
    /// Length of every chunk but the last that comes out.
    const OUTPUT_CHUNK: usize;

    /// Takes the chunks from `first` on, `len` bytes of input. Called in their order.
    fn reserve(&self, first: u64, len: usize, last: bool) -> Result<Self::Ticket, Error>;

    /// How many bytes come out for `len` bytes.
    fn output_len(len: usize, last: bool) -> usize;

    /// Works on them, into the start of `out`.
    fn work(&self, ticket: Self::Ticket, input: &[u8], out: &mut [u8]) -> Result<usize, Error>;
}

impl<'s> Stage for &'s SharedSealer {
    type Ticket = Run<'s>;
    const INPUT_CHUNK: usize = CHUNK_LEN;
    const OUTPUT_CHUNK: usize = SEALED_CHUNK_LEN;

    fn reserve(&self, _: u64, len: usize, last: bool) -> Result<Run<'s>, Error> {
        if last { self.last_run(len) } else { self.next_run(len / CHUNK_LEN) }
    }

    fn output_len(len: usize, last: bool) -> usize {
        len + len / CHUNK_LEN * TAG_LEN + if last { TAG_LEN } else { 0 }
    }

    fn work(&self, run: Run<'s>, plaintext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        run.seal(plaintext, out)
    }
}

impl Stage for &ChunkOpener {
    type Ticket = u64;
    const INPUT_CHUNK: usize = SEALED_CHUNK_LEN;
    const OUTPUT_CHUNK: usize = CHUNK_LEN;

    fn reserve(&self, first: u64, len: usize, last: bool) -> Result<u64, Error> {
        // A message never ends with a whole chunk.
        let cut_short = last && len % SEALED_CHUNK_LEN < TAG_LEN;
        if cut_short { Err(Error::refused(Refusal::Length)) } else { Ok(first) }
    }

    fn output_len(len: usize, _: bool) -> usize {
        ChunkOpener::open_len(len)
    }

    fn work(&self, first: u64, sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.open(first, sealed, out)
    }
}

/// What is done with a window.
pub(super) trait Pass: Sync {
    /// The right to work on a window.
    type Ticket: Send;
    /// What [`work`](Self::work) leaves to [`put`](Self::put).
    type Worked;
    /// Room for what is made of a window.
    type Buffers;
    /// What goes over from one window to the next.
    type Carry: Send;
    /// Length of every chunk but the last that goes in.
    const INPUT_CHUNK: usize;
    /// Memory that each chunk of a window takes, input included.
    const MEMORY_PER_CHUNK: usize;
    /// Chunks in a window when there are few threads, so that all of one fits into the second-level cache.
    const MAX_WINDOW_CHUNKS: usize;

    /// Room for windows of so many chunks.
    fn buffers(window_chunks: usize) -> Self::Buffers;

    /// What goes over to the first window.
    fn carry(&self) -> Self::Carry;

    /// Takes the window that begins with chunk `first`. Called in order.
    fn reserve(&self, first: u64, len: usize, last: bool) -> Result<Self::Ticket, Error>;

    /// Works on a window. Called on many threads.
    fn work(&self, ticket: Self::Ticket, input: &[u8], buffers: &mut Self::Buffers) -> Result<Self::Worked, Error>;

    /// What is to be written. Called in order.
    fn put<'b>(
        &self,
        worked: Self::Worked,
        buffers: &'b mut Self::Buffers,
        carry: &mut Self::Carry,
    ) -> Result<&'b [u8], Error>;
}

type Buffer = Zeroizing<Vec<u8>>;

/// One message.
pub(super) struct One<S>(pub(super) S);

impl<S: Stage> Pass for One<S> {
    type Ticket = S::Ticket;
    type Worked = usize;
    type Buffers = Buffer;
    type Carry = ();
    const INPUT_CHUNK: usize = S::INPUT_CHUNK;
    const MEMORY_PER_CHUNK: usize = S::INPUT_CHUNK + S::OUTPUT_CHUNK;
    const MAX_WINDOW_CHUNKS: usize = 32;

    fn buffers(window_chunks: usize) -> Buffer {
        Zeroizing::new(vec![0; window_chunks * S::OUTPUT_CHUNK + TAG_LEN])
    }

    fn carry(&self) {}

    fn reserve(&self, first: u64, len: usize, last: bool) -> Result<S::Ticket, Error> {
        self.0.reserve(first, len, last)
    }

    fn work(&self, ticket: S::Ticket, input: &[u8], out: &mut Buffer) -> Result<usize, Error> {
        self.0.work(ticket, input, out)
    }

    fn put<'b>(&self, len: usize, out: &'b mut Buffer, (): &mut ()) -> Result<&'b [u8], Error> {
        Ok(&out[..len])
    }
}

/// One message within another. Their chunks never line up: a window goes through the first stage whole, and through the
/// second as far as whole chunks go. The bytes behind those go over to the next window, and the chunk that they begin is
/// worked on in its turn.
pub(super) struct Two<A, B> {
    pub(super) first: A,
    pub(super) second: B,
    /// What goes into the second stage before all that comes out of the first.
    pub(super) carried: Vec<u8>,
    /// How many bytes that come out of the first stage do not go into the second. Fewer than a chunk.
    pub(super) skipped: usize,
}

/// Room for what comes out of the first stage, and out of the second: a chunk that began in an earlier window, then the
/// others.
pub(super) struct TwoBuffers {
    middle: Buffer,
    out: Buffer,
}

/// How what comes out of the first stage for a window goes into the second.
pub(super) struct Cut<T> {
    /// Where it begins.
    start: usize,
    /// How many bytes from there on belong to a chunk that began in an earlier window.
    head: usize,
    /// The right to work on that chunk, if it ends in this window.
    joined: Option<T>,
    /// The right to work on the chunks after it.
    whole: T,
    /// Their length; `None` if the message ends with the chunk that began before.
    whole_len: Option<usize>,
}

/// A window of which all is done that need not wait for its turn.
pub(super) struct Worked<T> {
    start: usize,
    head: usize,
    joined: Option<T>,
    /// The right to work on the chunk that began before, if it is the last one.
    last: Option<T>,
    /// What goes over to the next window.
    tail: core::ops::Range<usize>,
    out_len: usize,
}

impl<A: Stage, B: Stage> Pass for Two<A, B> {
    type Ticket = (A::Ticket, Cut<B::Ticket>);
    type Worked = Worked<B::Ticket>;
    type Buffers = TwoBuffers;
    type Carry = Buffer;
    const INPUT_CHUNK: usize = A::INPUT_CHUNK;
    const MEMORY_PER_CHUNK: usize = A::INPUT_CHUNK + A::OUTPUT_CHUNK + B::OUTPUT_CHUNK;
    const MAX_WINDOW_CHUNKS: usize = 16;

    fn buffers(window_chunks: usize) -> TwoBuffers {
        let middle = window_chunks * A::OUTPUT_CHUNK + TAG_LEN;
        // One more chunk for what began before, and one for the short one at the end.
        let out = (middle / B::INPUT_CHUNK + 2) * B::OUTPUT_CHUNK;
        TwoBuffers { middle: Zeroizing::new(vec![0; middle]), out: Zeroizing::new(vec![0; out]) }
    }

    fn carry(&self) -> Buffer {
        let mut carry = Zeroizing::new(Vec::with_capacity(B::INPUT_CHUNK));
        carry.extend_from_slice(&self.carried);
        carry
    }

    fn reserve(&self, first: u64, len: usize, last: bool) -> Result<Self::Ticket, Error> {
        let ticket = self.first.reserve(first, len, last)?;
        let (chunk, chunk_len) = (B::INPUT_CHUNK as u64, B::INPUT_CHUNK);
        // The place in the input of the second stage, and what of the first one's output is there.
        let start = if first == 0 { self.skipped } else { 0 };
        let at = first.checked_mul(A::OUTPUT_CHUNK as u64).ok_or(Error::TooLong)?;
        let at = at + (self.carried.len() + start) as u64 - self.skipped as u64;
        let len = A::output_len(len, last).checked_sub(start).ok_or(Error::Authentication)?;
        #[allow(clippy::cast_possible_truncation, reason = "it is below the length of a chunk")]
        let begun = (at % chunk) as usize;
        let head = if begun > 0 { chunk_len - begun } else { 0 };

        let cut = if len < head {
            // The chunk that began before does not end, unless the message does.
            let reserved = if last { begun + len } else { 0 };
            let whole = self.second.reserve(at / chunk, reserved, last)?;
            Cut { start, head: len, joined: None, whole, whole_len: (!last).then_some(0) }
        } else {
            let joined = if head > 0 { Some(self.second.reserve(at / chunk, chunk_len, false)?) } else { None };
            let rest = len - head;
            let whole_len = if last { rest } else { rest / chunk_len * chunk_len };
            let whole = self.second.reserve(at.div_ceil(chunk), whole_len, last)?;
            Cut { start, head, joined, whole, whole_len: Some(whole_len) }
        };
        Ok((ticket, cut))
    }

    fn work(&self, (ticket, cut): Self::Ticket, input: &[u8], buffers: &mut TwoBuffers) -> Result<Self::Worked, Error> {
        let Cut { start, head, joined, whole, whole_len } = cut;
        let len = self.first.work(ticket, input, &mut buffers.middle)?;
        let from = start + head;
        let (out_len, last) = match whole_len {
            Some(whole_len) => {
                let whole_chunks = &buffers.middle[from..from + whole_len];
                (self.second.work(whole, whole_chunks, &mut buffers.out[B::OUTPUT_CHUNK..])?, None)
            }
            None => (0, Some(whole)),
        };
        Ok(Worked { start, head, joined, last, tail: from + whole_len.unwrap_or(0)..len, out_len })
    }

    fn put<'b>(
        &self,
        worked: Self::Worked,
        buffers: &'b mut TwoBuffers,
        carry: &mut Buffer,
    ) -> Result<&'b [u8], Error> {
        let TwoBuffers { middle, out } = buffers;
        let Worked { start, head, joined, last, tail, out_len } = worked;
        carry.extend_from_slice(&middle[start..start + head]);
        if let Some(last) = last {
            let len = self.second.work(last, carry, out)?;
            return Ok(&out[..len]);
        }
        let mut out_start = B::OUTPUT_CHUNK;
        if let Some(joined) = joined {
            self.second.work(joined, carry, &mut out[..B::OUTPUT_CHUNK])?;
            carry.clear();
            out_start = 0;
        }
        carry.extend_from_slice(&middle[tail]);
        Ok(&out[out_start..B::OUTPUT_CHUNK + out_len])
    }
}
