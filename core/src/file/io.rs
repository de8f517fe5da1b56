//! Sealed files as something to write to, or to read from, on one thread.

use super::FileError;
use super::slots::{SlotState, Slots};
use super::stream::{Counter, Opened};
use super::tail::{self, TailReader};
use crate::engine::Engine;
use crate::envelope::{Attributes, LayeredOpener, LayeredSealer, OpenEnvelope, Opening, Sealing};
use crate::error::{Error, Refusal};
use crate::random::OsRandom;
use std::boxed::Box;
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
    envelope: OpenEnvelope,
    engines: Vec<Engine>,
    counter: Counter,
    /// `None` after a failure: part of the output may be missing, so there is no going on.
    body: Option<LayeredSealer>,
    inner: W,
    out: Vec<u8>,
}

impl<W: Write> SealWriter<W> {
    /// Writes the head of the file to `inner`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(sealing: &Sealing<'_>, mut inner: W) -> Result<Self, FileError> {
        let (envelope, body) = sealing.start()?;
        inner.write_all(&Slots::encode(envelope.stored())?)?;
        let (engines, counter) = (body.engines(), Counter::new(sealing));
        Ok(Self { envelope, engines, counter, body: Some(body.sealer()), inner, out: Vec::new() })
    }

    /// Writes the end of the file, flushes, and gives `inner` back.
    ///
    /// # Errors
    /// [`FileError`]. What has been written then does not open.
    pub fn finish(mut self) -> Result<(W, Opened), FileError> {
        let body = self.body.take().ok_or_else(failed_before)?;
        self.out.clear();
        body.finish(&mut self.out)?;
        let attributes = self.counter.finish();
        self.out.extend(tail::encode(&self.envelope.seal_attributes(&attributes, &OsRandom)?));
        self.inner.write_all(&self.out)?;
        self.inner.flush()?;
        let (envelope, engines) = (self.envelope, self.engines);
        Ok((self.inner, Opened { envelope, attributes, slots: SlotState::Same, engines }))
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        let mut body = self.body.take().ok_or_else(failed_before)?;
        let piece = &plaintext[..plaintext.len().min(PIECE_LEN)];
        self.out.clear();
        body.update(piece, &mut self.out)?;
        self.inner.write_all(&self.out)?;
        self.counter.update(piece);
        self.body = Some(body);
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
    state: State<R>,
    envelope: OpenEnvelope,
    slots: SlotState,
    sealed: Vec<u8>,
    out: Zeroizing<Vec<u8>>,
    /// Bytes of `out` that have been given out.
    taken: usize,
    plaintext_len: u64,
}

enum State<R> {
    Running(Box<LayeredOpener>, TailReader<R>),
    Finished(Attributes),
    Failed,
}

impl<R: Read> OpenReader<R> {
    /// Reads the head of the file from `inner` and opens it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(opening: &Opening<'_>, mut inner: R) -> Result<Self, FileError> {
        let slots = Slots::read(&mut inner)?;
        let (head, slots) = slots.choose()?;
        let envelope = opening.open(head)?;
        let state = State::Running(Box::new(envelope.body()?.opener()), TailReader::new(inner));
        let (sealed, out) = (vec![0; PIECE_LEN], Zeroizing::new(Vec::with_capacity(2 * PIECE_LEN)));
        Ok(Self { state, envelope, slots, sealed, out, taken: 0, plaintext_len: 0 })
    }

    /// The envelope of the file.
    pub fn envelope(&self) -> &OpenEnvelope {
        &self.envelope
    }

    /// How the two slots of the file are.
    pub fn slots(&self) -> SlotState {
        self.slots
    }

    /// The attributes, once the end has been read.
    pub fn attributes(&self) -> Option<&Attributes> {
        match &self.state {
            State::Finished(attributes) => Some(attributes),
            _ => None,
        }
    }

    /// Reads once, and fills `out` with what that gives.
    fn step(&mut self, body: Box<LayeredOpener>, mut input: TailReader<R>) -> io::Result<()> {
        match input.read(&mut self.sealed) {
            Ok(0) => {
                body.finish(&mut self.out)?;
                self.plaintext_len += self.out.len() as u64;
                let sealed = input.attributes().ok_or(Error::Authentication)?;
                let attributes = self.envelope.open_attributes(sealed).map_err(FileError::from)?;
                if attributes.plaintext_len != self.plaintext_len {
                    return Err(Error::refused(Refusal::Length).into());
                }
                self.state = State::Finished(attributes);
            }
            Ok(len) => {
                let mut body = body;
                body.update(&self.sealed[..len], &mut self.out)?;
                self.plaintext_len += self.out.len() as u64;
                self.state = State::Running(body, input);
            }
            // Where nothing was wrong with what came so far, the caller may try again.
            Err(error) if error.get_ref().is_none_or(|inner| !inner.is::<Error>()) => {
                self.state = State::Running(body, input);
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.taken == self.out.len() {
            self.taken = 0;
            self.out.clear();
            match core::mem::replace(&mut self.state, State::Failed) {
                State::Running(body, input) => self.step(body, input).inspect_err(|_| self.out.clear())?,
                State::Finished(attributes) => {
                    self.state = State::Finished(attributes);
                    return Ok(0);
                }
                State::Failed => return Err(failed_before()),
            }
        }
        let rest = &self.out[self.taken..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }
}

fn failed_before() -> io::Error {
    io::Error::other("an earlier read or write failed")
}

/// What is known of the object, without its data key.
impl<W> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}

/// What is known of the object, without its data key.
impl<R> fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReader").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}
