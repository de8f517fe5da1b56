//! Sealed files as something to write to, or to read from, on one thread.

use super::slots::{SLOTS_LEN, SlotState};
use super::stream::Info;
use super::{FileError, Opener, Sealer};
use crate::envelope::{Attributes, Envelope, OpenOptions, SealOptions};
use crate::error::Error;
use crate::push;
use std::fmt;
use std::io::{self, Read, Write};

/// Bytes taken in at a time.
const PIECE_LEN: usize = 256 * 1024;
/// A sealed file that is written to `W`. What is written to it is the plaintext; without [`finish`](Self::finish) the file
/// does not open.
pub struct SealWriter<W>(push::Writer<Sealer, W>);

impl<W: Write> SealWriter<W> {
    /// Writes the head of the file to `inner`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &SealOptions, inner: W) -> Result<Self, FileError> {
        let mut writer = push::Writer::new(Sealer::new(options)?, inner, PIECE_LEN);
        writer.write(&[])?;
        Ok(Self(writer))
    }

    /// Writes the end of the file, flushes, and gives `inner` back.
    ///
    /// # Errors
    /// [`FileError`]. What has been written then does not open.
    pub fn finish(self) -> Result<(W, Info), FileError> {
        let (sealer, inner) = self.0.finish()?;
        Ok((inner, sealer.into_info().ok_or(Error::Finished)?))
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        self.0.write(plaintext)
    }

    /// Flushes `inner`, unless a write failed. Up to a chunk in each layer waits for more, or for
    /// [`finish`](SealWriter::finish).
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The plaintext of a sealed file that is read from `R`, front to back.
///
/// Each chunk is given out once its tags hold. The plaintext is whole only when its end has been read without an error.
pub struct OpenReader<R>(push::Reader<Opener, R>);

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
        Ok(Self(push::Reader::new(Opener::new(options, &slots)?, inner, PIECE_LEN)))
    }

    /// The envelope of the file.
    pub fn envelope(&self) -> &Envelope {
        self.0.transform().envelope()
    }

    /// How the two slots of the file are.
    pub fn slots(&self) -> SlotState {
        self.0.transform().slots()
    }

    /// The attributes, once the end has been read.
    pub fn attributes(&self) -> Option<&Attributes> {
        self.0.transform().attributes()
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// What is known of the object, without its data key.
impl<W> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").field("sealer", self.0.transform()).finish_non_exhaustive()
    }
}

/// What is known of the object, without its data key.
impl<R> fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReader").field("opener", self.0.transform()).finish_non_exhaustive()
    }
}
