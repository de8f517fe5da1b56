//! Sealed files as something to write to, or to read from, on one thread.

use super::slots::{SLOTS_LEN, SlotState};
use super::stream::Info;
use super::{FileError, Opener, Sealer};
use crate::envelope::{Attributes, Envelope, OpenOptions, SealOptions};
use core::ops::Range;
use std::fmt;
use std::io::{self, Read, Write};
use std::vec;
use std::vec::Vec;
use zeroize::Zeroizing;

/// Bytes taken in at a time.
const PIECE_LEN: usize = 256 * 1024;

/// A sealed file that is written to `W`. What is written to it is the plaintext; without [`finish`](Self::finish) the file
/// does not open.
pub struct SealWriter<W> {
    /// `None` after a failure: part of the output may be missing, so there is no going on.
    sealer: Option<Sealer>,
    inner: W,
    out: Vec<u8>,
}

impl<W: Write> SealWriter<W> {
    /// Writes the head of the file to `inner`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &SealOptions, inner: W) -> Result<Self, FileError> {
        let mut writer = Self { sealer: Some(Sealer::new(options)?), inner, out: Vec::new() };
        writer.write_piece(&[])?;
        Ok(writer)
    }

    fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut sealer = self.sealer.take().ok_or_else(failed_before)?;
        let out = room(&mut self.out, sealer.update_len(piece.len())?);
        let len = sealer.update(piece, out)?;
        self.inner.write_all(&out[..len])?;
        self.sealer = Some(sealer);
        Ok(())
    }

    /// Writes the end of the file, flushes, and gives `inner` back.
    ///
    /// # Errors
    /// [`FileError`]. What has been written then does not open.
    pub fn finish(mut self) -> Result<(W, Info), FileError> {
        let sealer = self.sealer.take().ok_or_else(failed_before)?;
        let out = room(&mut self.out, sealer.finish_len()?);
        let (len, sealed) = sealer.finish(out)?;
        self.inner.write_all(&out[..len])?;
        self.inner.flush()?;
        Ok((self.inner, sealed))
    }
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
        if !piece.is_empty() {
            self.write_piece(piece)?;
        }
        Ok(piece.len())
    }

    /// Flushes `inner`. Up to a chunk in each layer waits for more, or for [`finish`](SealWriter::finish).
    fn flush(&mut self) -> io::Result<()> {
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
        Ok(Self { opener, inner, sealed: vec![0; PIECE_LEN], out: Zeroizing::default(), ready: 0..0 })
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
    fn step(&mut self) -> Result<(), FileError> {
        let len = self.inner.read(&mut self.sealed)?;
        let opened = if len == 0 {
            let out = room(&mut self.out, self.opener.finish_len());
            self.opener.finish(out)?
        } else {
            let out = room(&mut self.out, self.opener.update_len(len));
            self.opener.update(&self.sealed[..len], out)?
        };
        self.ready = 0..opened;
        Ok(())
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

fn failed_before() -> io::Error {
    io::Error::other("an earlier read or write failed")
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
