//! Push-style sealing and opening: slices in, slices out, any split of the input, no allocation.

use super::body::{Body, Header};
use super::{CHUNK_LEN, Cobblestone, HEADER_LEN, SEALED_CHUNK_LEN, TAG_LEN, prefix};
use crate::error::Error;
#[cfg(feature = "alloc")]
use crate::key::Key;
use crate::limits::MAX_CHUNKS;
use crate::push::Push;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use zeroize::Zeroize;

/// Input that does not fill a chunk of `N` bytes yet, wiped on drop.
struct Pending<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Pending<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whole chunks there will be with `more` bytes.
    const fn chunks_with(&self, more: usize) -> Option<usize> {
        match self.len.checked_add(more) {
            Some(len) => Some(len / N),
            None => None,
        }
    }

    /// Takes what is missing for a whole chunk from `input`, or all of it; returns the rest.
    fn top_up<'i>(&mut self, input: &'i [u8]) -> &'i [u8] {
        let (now, later) = input.split_at(input.len().min(N - self.len));
        self.bytes[self.len..][..now.len()].copy_from_slice(now);
        self.len += now.len();
        later
    }

    fn is_full(&self) -> bool {
        self.len == N
    }
}

impl<const N: usize> Drop for Pending<N> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Seals one message piece by piece. The message is all the output of [`update`](Self::update) and
/// [`finish`](Self::finish), in order.
///
/// The input can come in pieces of any size; up to 16 KiB of it wait for the rest of their chunk. It is neither
/// `Clone` nor serialisable: two continuations of one sealer would use the same nonces.
///
/// ```
/// # #[cfg(feature = "std")] {
/// # use objseal::{Key, cobblestone::Cobblestone};
/// # let key = Key::generate()?;
/// let mut sealer = Cobblestone::new(&key, b"").sealer()?;
/// let mut message = Vec::new();
/// for piece in [&b"in any "[..], b"number of ", b"pieces"] {
///     let mut out = vec![0; sealer.update_len(piece.len())?];
///     sealer.update(piece, &mut out)?;
///     message.extend(out);
/// }
/// let mut out = vec![0; sealer.finish_len()];
/// sealer.finish(&mut out)?;
/// message.extend(out);
///
/// assert_eq!(objseal::cobblestone::open(&key, b"", &message)?, b"in any number of pieces");
/// # }
/// # Ok::<(), objseal::Error>(())
/// ```
pub struct Sealer {
    body: Body,
    /// Until it has been written.
    header: Option<Header>,
    /// Chunks written so far.
    chunks: u64,
    pending: Pending<CHUNK_LEN>,
    /// What went wrong when part of the input had been consumed: nothing more comes out.
    failed: Option<Error>,
}

impl Sealer {
    pub(super) fn new(body: Body, header: Header) -> Self {
        Self { body, header: Some(header), chunks: 0, pending: Pending::new(), failed: None }
    }

    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes.
    ///
    /// # Errors
    /// [`Error::TooLong`] if the message would be longer than a message can be.
    pub fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        let chunks = self.pending.chunks_with(input_len).ok_or(Error::TooLong)?;
        // One index stays free for the last chunk.
        if self.chunks + chunks as u64 >= MAX_CHUNKS {
            return Err(Error::TooLong);
        }
        let len = chunks.checked_mul(SEALED_CHUNK_LEN).and_then(|len| len.checked_add(self.header_len()));
        len.ok_or(Error::TooLong)
    }

    /// Takes in `input`, writes all chunks that are whole to the start of `out`, and returns how many bytes that took.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::OutputTooSmall`]; nothing was consumed or written then. [`Error::CheckFailed`]: the
    /// message is lost then, and every later call says the same.
    pub fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.failed.map_or(Ok(()), Err)?;
        let out = prefix(out, self.update_len(input.len())?)?;
        self.seal(input, out).inspect_err(|&error| self.failed = Some(error))?;
        Ok(out.len())
    }

    /// Seals into all of `out`.
    fn seal(&mut self, input: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let mut chunks_out = self.write_header(out);
        let mut input = input;
        if self.pending.len > 0 {
            input = self.pending.top_up(input);
            if self.pending.is_full() {
                let (chunk_out, after) = chunks_out.split_at_mut(SEALED_CHUNK_LEN);
                self.body.seal(self.chunks, self.pending.get(), chunk_out)?;
                self.chunks += 1;
                self.pending.len = 0;
                chunks_out = after;
            }
        }
        if self.pending.len == 0 {
            let whole_chunks = input.len() / CHUNK_LEN;
            let (whole, rest) = input.split_at(whole_chunks * CHUNK_LEN);
            self.body.seal(self.chunks, whole, chunks_out)?;
            self.chunks += whole_chunks as u64;
            self.pending.top_up(rest);
        }
        Ok(())
    }

    /// How many bytes [`finish`](Self::finish) writes: at most 16,455.
    #[must_use]
    pub fn finish_len(&self) -> usize {
        self.header_len() + self.pending.len + TAG_LEN
    }

    /// How many bytes an update with `more` bytes and the end write.
    #[cfg(feature = "alloc")]
    pub(crate) fn rest_len(&self, more: usize) -> usize {
        let len = self.pending.len + more;
        self.header_len() + len / CHUNK_LEN * SEALED_CHUNK_LEN + len % CHUNK_LEN + TAG_LEN
    }

    /// Writes the last chunk to the start of `out` and returns how many bytes that took. Without it the message cannot
    /// be opened.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`]: the message is lost then, so ask [`finish_len`](Self::finish_len) before.
    pub fn finish(mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.finish_in_place(out)
    }

    /// [`finish`](Self::finish) for a sealer on the heap: moved away, it would leave behind what is pending.
    pub(crate) fn finish_in_place(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.failed.map_or(Ok(()), Err)?;
        let out = prefix(out, self.finish_len())?;
        // Whatever comes of it, no other chunk gets this nonce.
        self.failed = Some(Error::Finished);
        let chunk_out = self.write_header(out);
        let sealed = self.body.seal_last(self.chunks, self.pending.get(), chunk_out);
        sealed.inspect_err(|&error| self.failed = Some(error))?;
        Ok(out.len())
    }

    fn header_len(&self) -> usize {
        self.header.as_ref().map_or(0, |header| header.len())
    }

    /// Writes the header to the start of `out` unless that was done before; returns the rest of `out`.
    fn write_header<'o>(&mut self, out: &'o mut [u8]) -> &'o mut [u8] {
        match self.header.take() {
            Some(header) => {
                let (header_out, rest) = out.split_at_mut(HEADER_LEN);
                header_out.copy_from_slice(&header);
                rest
            }
            None => out,
        }
    }
}

impl Push for Sealer {
    type Error = Error;

    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        self.update_len(input_len)
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.update(input, out)
    }

    fn finish_len(&self) -> Result<usize, Error> {
        Ok(self.finish_len())
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.finish_in_place(out)
    }
}

/// Opens one message piece by piece. The plaintext is all the output of [`update`](Self::update) and
/// [`finish`](Self::finish), in order; it is whole only when `finish` has succeeded.
///
/// Each chunk is given out once its tag holds, so what an update returned is authentic even if a later one fails.
/// After an error nothing more comes out.
pub struct Opener<'a> {
    state: State<'a>,
    /// Chunks opened so far.
    chunks: u64,
    pending: Pending<SEALED_CHUNK_LEN>,
}

// The large variant is the state that lasts, and boxing it would need an allocator.
#[allow(clippy::large_enum_variant)]
enum State<'a> {
    Header(Start<'a>, Pending<HEADER_LEN>),
    Chunks(Body),
    /// The end was opened, or the first error.
    Ended(Error),
}

/// What a message is opened with.
enum Start<'a> {
    Given(Cobblestone<'a>),
    #[cfg(feature = "alloc")]
    Owned(Key, Vec<u8>),
}

impl Start<'_> {
    fn open(&self, header: &Header) -> Result<Body, Error> {
        match self {
            Self::Given(cobblestone) => cobblestone.start_opening(header, u64::MAX),
            #[cfg(feature = "alloc")]
            Self::Owned(key, context) => Cobblestone::new(key, context).start_opening(header, u64::MAX),
        }
    }
}

#[cfg(feature = "alloc")]
impl Opener<'static> {
    /// Opens a message on the best engine of this machine, with a key and a context of its own, for those who cannot keep
    /// them elsewhere.
    #[must_use]
    pub fn owned(key: Key, context: Vec<u8>) -> Self {
        Self::with(Start::Owned(key, context))
    }
}

impl<'a> Opener<'a> {
    pub(super) fn new(cobblestone: Cobblestone<'a>) -> Self {
        Self::with(Start::Given(cobblestone))
    }

    fn with(start: Start<'a>) -> Self {
        Self { state: State::Header(start, Pending::new()), chunks: 0, pending: Pending::new() }
    }

    /// Opens what comes behind the header.
    #[cfg(feature = "alloc")]
    pub(super) fn behind_header(body: Body) -> Self {
        Self { state: State::Chunks(body), chunks: 0, pending: Pending::new() }
    }

    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes, if they are authentic.
    #[must_use]
    pub fn update_len(&self, input_len: usize) -> usize {
        let chunk_bytes = match &self.state {
            State::Header(_, header) => input_len.saturating_sub(HEADER_LEN - header.len),
            State::Chunks(_) => input_len,
            State::Ended(_) => return 0,
        };
        // A slice is at most isize::MAX long, so this does not overflow for any input that exists.
        self.pending.chunks_with(chunk_bytes).map_or(usize::MAX, |chunks| chunks * CHUNK_LEN)
    }

    /// Takes in `input`, writes the plaintext of all chunks that are whole to the start of `out`, and returns how many
    /// bytes that took.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the key or the context is wrong or the message was changed; what this call would
    /// have written is all zeros then. [`Error::OutputTooSmall`]; nothing was consumed or written then.
    pub fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, self.update_len(input.len()))?;
        let taken = self.take_in(input, out);
        if let Err(error) = taken {
            self.end(error);
            out.fill(0);
        }
        taken.map(|()| out.len())
    }

    fn take_in(&mut self, input: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let mut input = input;
        if let State::Header(start, header) = &mut self.state {
            input = header.top_up(input);
            if !header.is_full() {
                return Ok(());
            }
            let body = start.open(&header.bytes)?;
            self.state = State::Chunks(body);
        }
        let body = match &self.state {
            State::Chunks(body) => body,
            State::Ended(error) => return Err(*error),
            State::Header(..) => return Ok(()),
        };
        let mut out = out;
        if self.pending.len > 0 {
            input = self.pending.top_up(input);
            if self.pending.is_full() {
                let (chunk_out, after) = out.split_at_mut(CHUNK_LEN);
                body.open(self.chunks, self.pending.get(), chunk_out)?;
                self.chunks += 1;
                self.pending.len = 0;
                out = after;
            }
        }
        if self.pending.len == 0 {
            let whole_chunks = input.len() / SEALED_CHUNK_LEN;
            let (whole, rest) = input.split_at(whole_chunks * SEALED_CHUNK_LEN);
            body.open(self.chunks, whole, out)?;
            self.chunks += whole_chunks as u64;
            self.pending.top_up(rest);
        }
        Ok(())
    }

    /// How many bytes [`finish`](Self::finish) writes, if the message is authentic: at most 16,383.
    #[must_use]
    pub fn finish_len(&self) -> usize {
        self.pending.len.saturating_sub(TAG_LEN)
    }

    /// How many bytes an update with `more` bytes and the end write.
    #[cfg(feature = "alloc")]
    pub(crate) fn rest_len(&self, more: usize) -> usize {
        let len = self.pending.len + more;
        len / SEALED_CHUNK_LEN * CHUNK_LEN + (len % SEALED_CHUNK_LEN).saturating_sub(TAG_LEN)
    }

    /// Opens the last chunk into the start of `out` and returns how many bytes that took.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the message was cut short or changed; what would have been written is all zeros
    /// then. [`Error::OutputTooSmall`]: the last chunk is lost then, so ask [`finish_len`](Self::finish_len) before.
    pub fn finish(mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.finish_in_place(out)
    }

    /// [`finish`](Self::finish) for an opener on the heap, which is wiped where it is.
    pub(crate) fn finish_in_place(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, self.finish_len())?;
        let opened = match &self.state {
            // A message never ends with its header or with a whole chunk.
            State::Chunks(body) if self.pending.len > 0 => body.open(self.chunks, self.pending.get(), out),
            State::Ended(error) => Err(*error),
            _ => Err(Error::Authentication),
        };
        if opened.is_err() {
            out.fill(0);
        }
        self.end(opened.err().unwrap_or(Error::Finished));
        opened.map(|()| out.len())
    }

    /// From here on nothing comes out.
    fn end(&mut self, with: Error) {
        self.state = State::Ended(with);
        self.pending.len = 0;
    }
}

impl Push for Opener<'_> {
    type Error = Error;

    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        Ok(self.update_len(input_len))
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.update(input, out)
    }

    fn finish_len(&self) -> Result<usize, Error> {
        Ok(self.finish_len())
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.finish_in_place(out)
    }
}
