//! Sealed files piece by piece: slices in, slices out.

use super::FileError;
use super::slots::{SLOTS_LEN, SlotState, Slots};
use super::stream::{Counter, Info};
use super::tail::{self, MAX_TAIL_LEN};
use crate::cobblestone::prefix;
use crate::engine::Engine;
use crate::envelope::{self, Attributes, Envelope, EnvelopeError, OpenOptions, Plan, SealOptions};
use crate::error::{Error, Refusal};
use crate::push::Push;
use std::fmt;
use std::vec::Vec;

/// Seals a file piece by piece. The file is all the output of [`update`](Self::update) and [`finish`](Self::finish), in
/// order.
pub struct Sealer {
    /// Until it has been given out.
    slots: Option<Vec<u8>>,
    envelope: Envelope,
    engines: Vec<Engine>,
    /// Until the end.
    counter: Option<Counter>,
    tail_len: usize,
    body: Option<envelope::Sealer>,
    /// Why there is no body any more: the end was sealed, or the first error.
    failed: Error,
    /// Once the end was sealed.
    attributes: Option<Attributes>,
}

impl Sealer {
    /// Begins a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &SealOptions) -> Result<Self, FileError> {
        let (envelope, body) = options.start()?;
        let slots = Some(Slots::encode(envelope.stored())?);
        let tail_len = tail::len(options.layers(), &Counter::new(options).finish())?;
        let (engines, counter) = (body.engines(), Some(Counter::new(options)));
        Ok(Self {
            slots,
            envelope,
            engines,
            counter,
            tail_len,
            body: Some(body.sealer()),
            failed: Error::Finished,
            attributes: None,
        })
    }

    fn slots_len(&self) -> usize {
        self.slots.as_ref().map_or(0, Vec::len)
    }

    fn body(&self) -> Result<&envelope::Sealer, Error> {
        self.body.as_ref().ok_or(self.failed)
    }

    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes.
    ///
    /// # Errors
    /// [`Error::TooLong`] if the file would be longer than one can be; after a failure that failure.
    pub fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        self.body()?.update_len(input_len)?.checked_add(self.slots_len()).ok_or(Error::TooLong)
    }

    /// Takes in `input`, writes all that is ready of the file to the start of `out`, and returns how many bytes that took.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::OutputTooSmall`]: nothing was consumed or written then. Any other: the file is lost, and
    /// every later call says the same.
    pub fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, self.update_len(input.len())?)?;
        let mut body = self.body.take().ok_or(self.failed)?;
        let written = self.write_slots(out);
        let sealed = body.update(input, &mut out[written..]).inspect_err(|&error| self.failed = error)?;
        self.counter.iter_mut().for_each(|counter| counter.update(input));
        self.body = Some(body);
        Ok(written + sealed)
    }

    /// Writes the slots unless that was done before; returns how many bytes that took.
    fn write_slots(&mut self, out: &mut [u8]) -> usize {
        self.slots.take().map_or(0, |slots| {
            out[..slots.len()].copy_from_slice(&slots);
            slots.len()
        })
    }

    /// How many bytes [`finish`](Self::finish) writes.
    ///
    /// # Errors
    /// After a failure that failure.
    pub fn finish_len(&self) -> Result<usize, Error> {
        Ok(self.slots_len() + self.body()?.finish_len()? + self.tail_len)
    }

    /// Writes the rest of the file to the start of `out` and returns how many bytes that took. Without it the file does not
    /// open.
    ///
    /// # Errors
    /// [`FileError`]. The file is lost then, so ask [`finish_len`](Self::finish_len) before.
    pub fn finish(mut self, out: &mut [u8]) -> Result<(usize, Info), FileError> {
        let len = self.finish_in_place(out)?;
        Ok((len, self.into_info().ok_or(Error::Finished)?))
    }

    fn finish_in_place(&mut self, out: &mut [u8]) -> Result<usize, FileError> {
        let out = prefix(out, self.finish_len()?)?;
        let mut body = self.body.take().ok_or(self.failed)?;
        let mut written = self.write_slots(out);
        written += body.finish(&mut out[written..]).inspect_err(|&error| self.failed = error)?;
        let attributes = self.counter.take().ok_or(Error::Finished)?.finish();
        let tail = tail::encode(&self.envelope.seal_attributes(&attributes)?);
        out[written..].copy_from_slice(&tail);
        self.attributes = Some(attributes);
        Ok(written + tail.len())
    }

    /// What is known of the file, once its end was sealed through [`Push`].
    #[must_use]
    pub fn into_info(self) -> Option<Info> {
        let Self { envelope, engines, attributes, .. } = self;
        attributes.map(|attributes| Info { envelope, attributes, slots: SlotState::Same, engines })
    }
}

impl Push for Sealer {
    type Error = FileError;

    fn update_len(&self, input_len: usize) -> Result<usize, FileError> {
        Ok(self.update_len(input_len)?)
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, FileError> {
        Ok(self.update(input, out)?)
    }

    fn finish_len(&self) -> Result<usize, FileError> {
        Ok(self.finish_len()?)
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, FileError> {
        self.finish_in_place(out)
    }
}

/// What is known of the object, without its data key.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}

/// Opens a file piece by piece, behind its slots. The plaintext is all the output of [`update`](Self::update) and
/// [`finish`](Self::finish), in order; it is whole only when `finish` has succeeded.
pub struct Opener {
    envelope: Envelope,
    slots: SlotState,
    body: Option<envelope::Opener>,
    /// Why there is no body any more: the end was opened, or the first error.
    ended: Error,
    /// The last bytes that came: the tail may begin anywhere in them.
    held: Vec<u8>,
    plaintext_len: u64,
    attributes: Option<Attributes>,
}

impl Opener {
    /// Opens the head. `slots` are the first bytes of the file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &OpenOptions, slots: &[u8; SLOTS_LEN]) -> Result<Self, FileError> {
        let slots = Slots::decode(slots);
        let (head, state) = slots.choose()?;
        Ok(Self::of(options.open(head)?, state)?)
    }

    /// How to come by the keys of a file: see [`OpenOptions::plan`]. `slots` are the first bytes of the file.
    ///
    /// # Errors
    /// [`FileError`]: it is not a sealed file, or the policy does not accept it.
    pub fn plan(options: &OpenOptions, slots: &[u8; SLOTS_LEN]) -> Result<Plan<Self>, FileError> {
        let slots = Slots::decode(slots);
        let (head, state) = slots.choose()?;
        Ok(options.plan(head)?.map(move |envelope| Self::of(envelope, state)))
    }

    fn of(envelope: Envelope, slots: SlotState) -> Result<Self, EnvelopeError> {
        let body = Some(envelope.body()?.opener());
        let held = Vec::with_capacity(2 * MAX_TAIL_LEN);
        Ok(Self { envelope, slots, body, ended: Error::Finished, held, plaintext_len: 0, attributes: None })
    }

    /// The envelope of the file.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// How the two slots of the file are.
    #[must_use]
    pub fn slots(&self) -> SlotState {
        self.slots
    }

    /// The attributes, once the end has been opened.
    #[must_use]
    pub fn attributes(&self) -> Option<&Attributes> {
        self.attributes.as_ref()
    }

    /// How many bytes of the body `input_len` more bytes of the file show.
    fn released(&self, input_len: usize) -> usize {
        self.held.len().saturating_add(input_len).saturating_sub(MAX_TAIL_LEN)
    }

    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes, if they are authentic.
    #[must_use]
    pub fn update_len(&self, input_len: usize) -> usize {
        self.body.as_ref().map_or(0, |body| body.opened_len(self.released(input_len)))
    }

    /// Takes in `input`, writes the plaintext of all chunks that are whole to the start of `out`, and returns how many
    /// bytes that took.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the body is not the one of this file or was changed; what this call would have written
    /// is all zeros then, and nothing more comes out. [`Error::OutputTooSmall`]; nothing was consumed or written then.
    /// [`Error::Finished`] after the end; after a failure that failure.
    pub fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, self.update_len(input.len()))?;
        let released = self.released(input.len());
        let mut body = self.body.take().ok_or(self.ended)?;
        let from_held = released.min(self.held.len());
        let (from_input, later) = input.split_at(released - from_held);
        let opened = body.update(&self.held[..from_held], out).and_then(|from_held| {
            let opened = body.update(from_input, &mut out[from_held..])?;
            Ok(from_held + opened)
        });
        let written = opened.inspect_err(|&error| {
            out.fill(0);
            self.ended = error;
        })?;
        self.held.drain(..from_held);
        self.held.extend_from_slice(later);
        self.plaintext_len += written as u64;
        self.body = Some(body);
        Ok(written)
    }

    /// How many bytes [`finish`](Self::finish) writes, if the file is authentic.
    #[must_use]
    pub fn finish_len(&self) -> usize {
        let body = self.body.as_ref();
        tail::split(&self.held).zip(body).map_or(0, |((rest, _), body)| body.rest_len(rest.len()))
    }

    /// Opens the end of the file into the start of `out` and returns how many bytes that took.
    ///
    /// # Errors
    /// [`FileError`]: the file was cut short or changed; what would have been written is all zeros then.
    /// [`Error::OutputTooSmall`]; nothing was written then. [`Error::Finished`] after the end; after a failure that failure.
    pub fn finish(&mut self, out: &mut [u8]) -> Result<usize, FileError> {
        let out = prefix(out, self.finish_len())?;
        let body = self.body.take().ok_or(self.ended)?;
        self.finish_body(body, out).inspect_err(|_| {
            out.fill(0);
            self.ended = Error::Authentication;
        })
    }

    fn finish_body(&mut self, mut body: envelope::Opener, out: &mut [u8]) -> Result<usize, FileError> {
        let (rest, attributes) = tail::split(&self.held).ok_or(Error::Authentication)?;
        let mut written = body.update(rest, out)?;
        written += body.finish(&mut out[written..])?;
        let attributes = self.envelope.open_attributes(attributes)?;
        if attributes.plaintext_len != self.plaintext_len + written as u64 {
            return Err(Error::refused(Refusal::Length).into());
        }
        self.attributes = Some(attributes);
        Ok(written)
    }
}

impl Push for Opener {
    type Error = FileError;

    fn update_len(&self, input_len: usize) -> Result<usize, FileError> {
        Ok(self.update_len(input_len))
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, FileError> {
        Ok(self.update(input, out)?)
    }

    fn finish_len(&self) -> Result<usize, FileError> {
        Ok(self.finish_len())
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, FileError> {
        self.finish(out)
    }
}

/// What is known of the object, without its data key.
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}
