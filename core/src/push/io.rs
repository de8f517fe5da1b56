//! Readers and writers through which bytes are pushed, on one thread.

use super::Push;
use crate::cobblestone::SEALED_CHUNK_LEN;
use crate::first_error::FirstError;
use std::io::{self, Read, Write};
use std::vec;
use std::vec::Vec;
use zeroize::Zeroizing;

/// Most bytes that come out for a piece and what was pending before it. Buffers have this capacity from the start: a `Vec` that
/// grows leaves copies of its plaintext behind.
const fn max_out_len(piece_len: usize) -> usize {
    // A tag for each chunk of each layer; chunks that were pending, or the head of a file.
    piece_len + piece_len / 256 + 4 * SEALED_CHUNK_LEN
}

/// Writes what comes out of a transform to `inner`.
pub(crate) struct Writer<T, W> {
    transform: T,
    inner: W,
    piece_len: usize,
    out: Zeroizing<Vec<u8>>,
    /// After a failure part of the output may be missing, so there is no going on.
    failed: Option<FirstError>,
}

impl<T, W> Writer<T, W> {
    pub(crate) fn transform(&self) -> &T {
        &self.transform
    }
}

impl<T: Push, W: Write> Writer<T, W>
where
    io::Error: From<T::Error>,
{
    /// Takes in `piece_len` bytes at a time.
    pub(crate) fn new(transform: T, inner: W, piece_len: usize) -> Self {
        let out = Zeroizing::new(Vec::with_capacity(max_out_len(piece_len)));
        Self { transform, inner, piece_len, out, failed: None }
    }

    fn check(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |first| Err(first.again()))
    }

    /// Pushes, and writes what comes of it.
    fn push(&mut self, push: impl FnOnce(&mut T, &mut Vec<u8>) -> Result<(), T::Error>) -> io::Result<()> {
        self.check()?;
        // Unless this call returns.
        self.failed = Some(FirstError::panicked());
        self.out.clear();
        let pushed = push(&mut self.transform, &mut self.out).map_err(io::Error::from);
        let written = pushed.and_then(|()| self.inner.write_all(&self.out));
        self.failed = written.as_ref().err().map(FirstError::of);
        written
    }

    pub(crate) fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        let piece = &input[..input.len().min(self.piece_len)];
        self.push(|transform, out| transform.update_vec(piece, out))?;
        Ok(piece.len())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.inner.flush()
    }

    pub(crate) fn finish(mut self) -> io::Result<(T, W)> {
        self.push(T::finish_vec)?;
        self.inner.flush()?;
        Ok((self.transform, self.inner))
    }
}

/// Reads from `inner` through a transform.
pub(crate) struct Reader<T, R> {
    transform: T,
    inner: R,
    input: Zeroizing<Vec<u8>>,
    out: Zeroizing<Vec<u8>>,
    /// Bytes of `out` that have been given out.
    taken: usize,
    ended: bool,
    /// Why there is no going on.
    failed: Option<FirstError>,
}

impl<T, R> Reader<T, R> {
    pub(crate) fn transform(&self) -> &T {
        &self.transform
    }
}

impl<T: Push, R: Read> Reader<T, R>
where
    io::Error: From<T::Error>,
{
    /// Takes in `piece_len` bytes at a time.
    pub(crate) fn new(transform: T, inner: R, piece_len: usize) -> Self {
        Self {
            transform,
            inner,
            input: Zeroizing::new(vec![0; piece_len]),
            out: Zeroizing::new(Vec::with_capacity(max_out_len(piece_len))),
            taken: 0,
            ended: false,
            failed: None,
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.taken == self.out.len() {
            if let Some(first) = &self.failed {
                return Err(first.again());
            }
            if self.ended {
                return Ok(0);
            }
            self.step()?;
        }
        let rest = &self.out[self.taken..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }

    /// Reads once, and fills `out` with what that gives. Where reading fails, the caller may try again.
    fn step(&mut self) -> io::Result<()> {
        self.taken = 0;
        self.out.clear();
        let len = read_some(&mut self.inner, &mut self.input)?;
        let pushed = if len == 0 {
            self.transform.finish_vec(&mut self.out)
        } else {
            self.transform.update_vec(&self.input[..len], &mut self.out)
        };
        self.ended = len == 0;
        pushed.map_err(io::Error::from).inspect_err(|error| self.failed = Some(FirstError::of(error)))
    }
}

/// Reads once. A reader that breaks its contract and says that it read more than there was room for is an error, not a panic.
pub(crate) fn read_some(input: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let len = input.read(buffer)?;
    if len <= buffer.len() { Ok(len) } else { Err(io::Error::other("the input read more than there was room for")) }
}
