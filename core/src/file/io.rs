//! Sealed files as something to write to, or to read from, on one thread.

use super::slots::{SLOTS_LEN, SlotState};
use super::stream::Info;
use super::{FileError, Opener, Sealer};
use crate::cobblestone::{CHUNK_LEN, read_some};
use crate::envelope::{Attributes, Envelope, OpenOptions, SealOptions};
use crate::first_error::FirstError;
use core::ops::Range;
use std::fmt;
use std::io::{self, Read, Write};
use std::vec;
use std::vec::Vec;
use zeroize::Zeroizing;

/// Bytes taken in at a time.
const PIECE_LEN: usize = 256 * 1024;
/// Most bytes of plaintext that come out for one piece and what was pending before it. The buffer has this capacity from the
/// start: a `Vec` that grows leaves copies of its plaintext behind.
const MAX_OUT_LEN: usize = PIECE_LEN + 2 * CHUNK_LEN;

/// A sealed file that is written to `W`. What is written to it is the plaintext; without [`finish`](Self::finish) the file
/// does not open.
pub struct SealWriter<W> {
    /// After a failure part of the output may be missing, so there is no going on.
    sealer: Result<Sealer, FirstError>,
    inner: W,
    out: Vec<u8>,
}

impl<W: Write> SealWriter<W> {
    /// Writes the head of the file to `inner`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &SealOptions, inner: W) -> Result<Self, FileError> {
        let mut writer = Self { sealer: Ok(Sealer::new(options)?), inner, out: Vec::new() };
        writer.write_piece(&[])?;
        Ok(writer)
    }

    fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        let sealer = self.sealer.as_mut().map_err(|first| first.again())?;
        let written = seal_piece(sealer, piece, &mut self.out, &mut self.inner);
        written.inspect_err(|error| self.sealer = Err(FirstError::of(error)))
    }

    /// Writes the end of the file, flushes, and gives `inner` back.
    ///
    /// # Errors
    /// [`FileError`]. What has been written then does not open.
    pub fn finish(mut self) -> Result<(W, Info), FileError> {
        let sealer = self.sealer.map_err(|first| first.again())?;
        let out = room(&mut self.out, sealer.finish_len()?);
        let (len, sealed) = sealer.finish(out)?;
        self.inner.write_all(&out[..len])?;
        self.inner.flush()?;
        Ok((self.inner, sealed))
    }
}

fn seal_piece(sealer: &mut Sealer, piece: &[u8], out: &mut Vec<u8>, inner: &mut impl Write) -> io::Result<()> {
    let out = room(out, sealer.update_len(piece.len())?);
    let len = sealer.update(piece, out)?;
    inner.write_all(&out[..len])
}

/// The first `len` bytes of a buffer that is used again and again.
fn room(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    &mut buffer[..len]
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        let piece = &plaintext[..plaintext.len().min(PIECE_LEN)];
        self.write_piece(piece)?;
        Ok(piece.len())
    }

    /// Flushes `inner`, unless a write failed. Up to a chunk in each layer waits for more, or for
    /// [`finish`](SealWriter::finish).
    fn flush(&mut self) -> io::Result<()> {
        self.sealer.as_ref().map_err(FirstError::again)?;
        self.inner.flush()
    }
}

/// The plaintext of a sealed file that is read from `R`, front to back.
///
/// Each chunk is given out once its tags hold. The plaintext is whole only when its end has been read without an error.
pub struct OpenReader<R> {
    opener: Opener,
    inner: R,
    sealed: Vec<u8>,
    out: Zeroizing<Vec<u8>>,
    /// The bytes of `out` that are to be given out.
    ready: Range<usize>,
    /// Why there is no going on.
    failed: Option<FirstError>,
}

impl<R: Read> OpenReader<R> {
    /// Reads the head of the file from `inner` and opens it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &OpenOptions, mut inner: R) -> Result<Self, FileError> {
        let mut slots = [0; SLOTS_LEN];
        inner.read_exact(&mut slots).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => FileError::NotSealed,
            _ => FileError::from(error),
        })?;
        let opener = Opener::new(options, &slots)?;
        let out = Zeroizing::new(Vec::with_capacity(MAX_OUT_LEN));
        Ok(Self { opener, inner, sealed: vec![0; PIECE_LEN], out, ready: 0..0, failed: None })
    }

    /// The envelope of the file.
    pub fn envelope(&self) -> &Envelope {
        self.opener.envelope()
    }

    /// How the two slots of the file are.
    pub fn slots(&self) -> SlotState {
        self.opener.slots()
    }

    /// The attributes, once the end has been read.
    pub fn attributes(&self) -> Option<&Attributes> {
        self.opener.attributes()
    }

    /// Reads once, and makes ready what that gives. Where reading fails, the caller may try again.
    fn step(&mut self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |first| Err(first.again()))?;
        let len = read_some(&mut self.inner, &mut self.sealed)?;
        let opened = self.open(len).map_err(io::Error::from);
        self.ready = 0..opened.inspect_err(|error| self.failed = Some(FirstError::of(error)))?;
        Ok(())
    }

    /// Opens what was read; how many bytes that gives.
    fn open(&mut self, len: usize) -> Result<usize, FileError> {
        if len == 0 {
            let out = room(&mut self.out, self.opener.finish_len());
            self.opener.finish(out)
        } else {
            let out = room(&mut self.out, self.opener.update_len(len));
            Ok(self.opener.update(&self.sealed[..len], out)?)
        }
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.ready.is_empty() && self.attributes().is_none() {
            self.step()?;
        }
        let ready = &self.out[self.ready.clone()];
        let len = ready.len().min(buffer.len());
        buffer[..len].copy_from_slice(&ready[..len]);
        self.ready.start += len;
        Ok(len)
    }
}

/// What is known of the object, without its data key.
impl<W> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").field("sealer", &self.sealer).finish_non_exhaustive()
    }
}

/// What is known of the object, without its data key.
impl<R> fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReader").field("opener", &self.opener).finish_non_exhaustive()
    }
}
