//! Readers and writers that seal or open what passes through them, on one thread.

use super::{Cobblestone, HEADER_LEN, Opener, SEALED_CHUNK_LEN, Sealer};
use crate::error::Error;
use crate::first_error::FirstError;
use std::io::{self, Read, Write};
use std::vec::Vec;
use zeroize::Zeroizing;

/// Bytes taken in at a time.
const PIECE_LEN: usize = 64 * 1024;
/// Most bytes that come out for one piece and what was pending before it. Buffers have this capacity from the start: a
/// `Vec` that grows leaves copies of its plaintext behind.
const MAX_OUT_LEN: usize = HEADER_LEN + (PIECE_LEN / SEALED_CHUNK_LEN + 2) * SEALED_CHUNK_LEN;

/// What [`Sealer`] and [`Opener`] have in common.
trait Transform {
    fn update_len(&self, input_len: usize) -> Result<usize, Error>;
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error>;
    fn finish_len(&self) -> usize;
    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error>;

    /// [`update`](Self::update) into all of `out`.
    fn update_vec(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        out.resize(self.update_len(input.len())?, 0);
        let len = self.update(input, out)?;
        out.truncate(len);
        Ok(())
    }

    /// [`finish`](Self::finish) into all of `out`.
    fn finish_vec(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.resize(self.finish_len(), 0);
        let len = self.finish(out)?;
        out.truncate(len);
        Ok(())
    }
}

impl Transform for Sealer {
    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        self.update_len(input_len)
    }
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.update(input, out)
    }
    fn finish_len(&self) -> usize {
        self.finish_len()
    }
    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.finish_in_place(out)
    }
}

impl Transform for Opener<'_> {
    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        Ok(self.update_len(input_len))
    }
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.update(input, out)
    }
    fn finish_len(&self) -> usize {
        self.finish_len()
    }
    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.finish_in_place(out)
    }
}

/// Writes what is left of a transform's output to `inner`.
struct Writer<T, W> {
    /// After a failure part of the output may be missing, so there is no going on.
    transform: Result<T, FirstError>,
    inner: W,
    out: Zeroizing<Vec<u8>>,
}

impl<T: Transform, W: Write> Writer<T, W> {
    fn new(transform: T, inner: W) -> Self {
        Self { transform: Ok(transform), inner, out: Zeroizing::new(Vec::with_capacity(MAX_OUT_LEN)) }
    }

    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        let transform = self.transform.as_mut().map_err(|first| first.again())?;
        let piece = &input[..input.len().min(PIECE_LEN)];
        let written = transform.update_vec(piece, &mut self.out).map_err(io::Error::from);
        let written = written.and_then(|()| self.inner.write_all(&self.out));
        written.inspect_err(|error| self.transform = Err(FirstError::of(error)))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transform.as_ref().map_err(FirstError::again)?;
        self.inner.flush()
    }

    fn finish(mut self) -> io::Result<W> {
        let transform = self.transform.as_mut().map_err(|first| first.again())?;
        transform.finish_vec(&mut self.out)?;
        self.inner.write_all(&self.out)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

/// Reads from `inner` through a transform.
struct Reader<T, R> {
    state: ReaderState<T>,
    inner: R,
    input: Zeroizing<Vec<u8>>,
    out: Zeroizing<Vec<u8>>,
    /// Bytes of `out` that have been given out.
    taken: usize,
}

enum ReaderState<T> {
    Running(T),
    Finished,
    Failed(FirstError),
}

impl<T: Transform, R: Read> Reader<T, R> {
    fn new(transform: T, inner: R) -> Self {
        Self {
            state: ReaderState::Running(transform),
            inner,
            input: Zeroizing::new(std::vec![0; PIECE_LEN]),
            out: Zeroizing::new(Vec::with_capacity(MAX_OUT_LEN)),
            taken: 0,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.taken == self.out.len() {
            match &self.state {
                ReaderState::Running(_) => self.step()?,
                ReaderState::Finished => return Ok(0),
                ReaderState::Failed(first) => return Err(first.again()),
            }
        }
        let rest = &self.out[self.taken..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }

    /// Reads once, and fills `out` with what that gives. Where reading fails, the caller may try again.
    fn step(&mut self) -> io::Result<()> {
        // It stays where it is: moved away, it would leave behind what is pending.
        let ReaderState::Running(transform) = &mut self.state else { return Ok(()) };
        self.taken = 0;
        self.out.clear();
        let len = read_some(&mut self.inner, &mut self.input)?;
        let done = if len == 0 {
            transform.finish_vec(&mut self.out)
        } else {
            transform.update_vec(&self.input[..len], &mut self.out)
        };
        if let Err(error) = done {
            self.out.clear();
            let error = error.into();
            self.state = ReaderState::Failed(FirstError::of(&error));
            return Err(error);
        }
        if len == 0 {
            self.state = ReaderState::Finished;
        }
        Ok(())
    }
}

/// Reads once. A reader that breaks its contract and says that it read more than there was room for is an error, not a panic.
pub(crate) fn read_some(input: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let len = input.read(buffer)?;
    if len <= buffer.len() { Ok(len) } else { Err(io::Error::other("the input read more than there was room for")) }
}

/// Seals what is written to it. Call [`finish`](Self::finish): a message without its last chunk cannot be opened.
///
/// Dropping it instead leaves a message that is refused, which is what an error half-way should leave.
///
/// ```
/// # use objseal::{Key, cobblestone::Cobblestone};
/// use std::io::Write;
/// # let key = Key::generate()?;
/// let mut writer = Cobblestone::new(&key, b"notes").seal_writer(Vec::new())?;
/// writer.write_all(b"dear diary")?;
/// let message = writer.finish()?;
/// assert_eq!(objseal::cobblestone::open(&key, b"notes", &message)?, b"dear diary");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SealWriter<W>(Writer<Sealer, W>);

impl<W: Write> SealWriter<W> {
    /// Writes the last chunk, flushes the inner writer and gives it back.
    ///
    /// # Errors
    /// What the inner writer says, or that an earlier write failed.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        self.0.write(plaintext)
    }

    /// Flushes the inner writer, unless a write failed. Up to 16 KiB of plaintext stay here until their chunk is whole.
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Opens what is written to it, and writes the plaintext on, each chunk once its tag holds.
///
/// The plaintext is whole only when [`finish`](Self::finish) has succeeded.
pub struct OpenWriter<'a, W>(Writer<Opener<'a>, W>);

impl<W: Write> OpenWriter<'_, W> {
    /// Opens the last chunk, flushes the inner writer and gives it back.
    ///
    /// # Errors
    /// [`Error::Authentication`] as an [`io::Error`] of kind [`InvalidData`](io::ErrorKind::InvalidData) if the message
    /// was changed or cut short; what the inner writer says; or that an earlier write failed.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for OpenWriter<'_, W> {
    fn write(&mut self, sealed: &[u8]) -> io::Result<usize> {
        self.0.write(sealed)
    }

    /// Flushes the inner writer, unless a write failed. Up to 16 KiB stay here until their chunk is whole.
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Reads plaintext from `inner` and gives out the message it seals to.
pub struct SealReader<R>(Reader<Sealer, R>);

impl<R: Read> Read for SealReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Reads a message from `inner` and gives out its plaintext, each chunk once its tag holds.
///
/// The end of the plaintext (`Ok(0)`) is given only when the last chunk has been verified; a message that was cut short
/// is an error instead.
pub struct OpenReader<'a, R>(Reader<Opener<'a>, R>);

impl<R: Read> Read for OpenReader<'_, R> {
    /// # Errors
    /// [`Error::Authentication`] as an [`io::Error`] of kind [`InvalidData`](io::ErrorKind::InvalidData).
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<'a> Cobblestone<'a> {
    /// A writer that seals into `inner`.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes to be had.
    pub fn seal_writer<W: Write>(&self, inner: W) -> Result<SealWriter<W>, Error> {
        Ok(SealWriter(Writer::new(self.sealer()?, inner)))
    }

    /// A writer that opens into `inner`.
    #[must_use]
    pub fn open_writer<W: Write>(&self, inner: W) -> OpenWriter<'a, W> {
        OpenWriter(Writer::new(self.opener(), inner))
    }

    /// A reader that seals what `inner` gives.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes to be had.
    pub fn seal_reader<R: Read>(&self, inner: R) -> Result<SealReader<R>, Error> {
        Ok(SealReader(Reader::new(self.sealer()?, inner)))
    }

    /// A reader that opens what `inner` gives.
    #[must_use]
    pub fn open_reader<R: Read>(&self, inner: R) -> OpenReader<'a, R> {
        OpenReader(Reader::new(self.opener(), inner))
    }
}
