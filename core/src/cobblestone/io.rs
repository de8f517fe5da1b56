//! Readers and writers that seal or open what passes through them, on one thread.

use super::{Cobblestone, Opener, Sealer};
use crate::error::Error;
use crate::push::{Reader, Writer};
use std::io::{self, Read, Write};

/// Bytes taken in at a time.
const PIECE_LEN: usize = 64 * 1024;
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
        self.0.finish().map(|(_, inner)| inner)
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
        self.0.finish().map(|(_, inner)| inner)
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
        Ok(SealWriter(Writer::new(self.sealer()?, inner, PIECE_LEN)))
    }

    /// A writer that opens into `inner`.
    #[must_use]
    pub fn open_writer<W: Write>(&self, inner: W) -> OpenWriter<'a, W> {
        OpenWriter(Writer::new(self.opener(), inner, PIECE_LEN))
    }

    /// A reader that seals what `inner` gives.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes to be had.
    pub fn seal_reader<R: Read>(&self, inner: R) -> Result<SealReader<R>, Error> {
        Ok(SealReader(Reader::new(self.sealer()?, inner, PIECE_LEN)))
    }

    /// A reader that opens what `inner` gives.
    #[must_use]
    pub fn open_reader<R: Read>(&self, inner: R) -> OpenReader<'a, R> {
        OpenReader(Reader::new(self.opener(), inner, PIECE_LEN))
    }
}
