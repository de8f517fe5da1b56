//! Sealed files from a reader to a writer, front to back.

use super::slots::{SlotState, Slots};
use super::tail::{self, TailReader};
use super::{BODY_OFFSET, FileError};
#[cfg(feature = "checksums")]
use crate::checksums::Digester;
use crate::cobblestone::{ReadAt, Workers};
use crate::engine::Engine;
use crate::envelope::{self, Attributes, Envelope, OpenOptions, SealOptions, StoredReader};
use crate::error::Error;
use crate::push::read_some;
use std::io::{self, Read, Write};
use std::vec::Vec;

/// Seals everything that `input` has to give into `output`.
///
/// It takes at most 32 MiB of memory, whatever the length, for up to 1,000 threads. It does not flush `output`.
///
/// # Errors
/// [`FileError`]. What has been written then does not open.
pub fn seal(
    options: &SealOptions,
    input: impl Read + Send,
    mut output: impl Write + Send,
    workers: &impl Workers,
) -> Result<Info, FileError> {
    let (envelope, body) = options.start()?;
    output.write_all(&Slots::encode(envelope.stored())?)?;
    let engines = body.engines();
    let mut input = Counted { input, counter: Counter::new(options) };
    body.seal_stream(&mut input, &mut output, workers)?;
    let attributes = input.counter.finish();
    output.write_all(&tail::encode(&envelope.seal_attributes(&attributes)?))?;
    Ok(Info { envelope, attributes, slots: SlotState::Same, engines })
}

/// Length of the file that `plaintext_len` bytes seal to.
///
/// `None` if that is longer than a file can be.
#[must_use]
pub fn sealed_len(options: &SealOptions, plaintext_len: u64) -> Option<u64> {
    let layers = options.layers();
    let tail = tail::len(layers, &Counter::new(options).finish()).ok()?;
    let body = envelope::sealed_len(layers, plaintext_len)?;
    (BODY_OFFSET + tail as u64).checked_add(body)
}

/// Gathers the attributes of a plaintext.
pub(super) struct Counter {
    #[cfg(feature = "checksums")]
    digester: Digester,
    #[cfg(not(feature = "checksums"))]
    len: u64,
}

#[cfg(feature = "checksums")]
impl Counter {
    pub(super) fn new(options: &SealOptions) -> Self {
        Self { digester: Digester::new(options.digests()) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
    }

    pub(super) fn finish(self) -> Attributes {
        self.digester.finish()
    }
}

#[cfg(not(feature = "checksums"))]
impl Counter {
    pub(super) fn new(_: &SealOptions) -> Self {
        Self { len: 0 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len() as u64);
    }

    pub(super) fn finish(self) -> Attributes {
        Attributes::new(self.len)
    }
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    counter: Counter,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = read_some(&mut self.input, buffer)?;
        self.counter.update(&buffer[..len]);
        Ok(len)
    }
}

/// Seals all that is stored in `input` into the start of `out`, and returns how many bytes that took: [`sealed_len`].
/// `input` may be memory that others change meanwhile: nothing of it is looked at twice.
///
/// # Errors
/// [`FileError`]; [`Error::OutputTooSmall`] in it. What has been written then does not open.
pub fn seal_at(
    options: &SealOptions,
    workers: &impl Workers,
    input: &(impl ReadAt + Sync + ?Sized),
    out: &mut [u8],
) -> Result<(usize, Info), FileError> {
    let plaintext_len = input.size()?;
    let needed = sealed_len(options, plaintext_len).and_then(|len| usize::try_from(len).ok()).ok_or(Error::TooLong)?;
    let given = out.len();
    let mut out = out.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, given })?;
    if options.has_digests() {
        // They take the bytes one after the other.
        return Ok((
            needed,
            seal_exactly(options, StoredReader::new(input, plaintext_len), out, workers, plaintext_len)?,
        ));
    }
    let (envelope, body) = options.start()?;
    let engines = body.engines();
    out.write_all(&Slots::encode(envelope.stored())?)?;
    let body_len = body.seal_len_at(workers, input, plaintext_len, out)?;
    let attributes = Attributes::new(plaintext_len);
    let mut end = out.get_mut(body_len..).unwrap_or_default();
    end.write_all(&tail::encode(&envelope.seal_attributes(&attributes)?))?;
    Ok((needed, Info { envelope, attributes, slots: SlotState::Same, engines }))
}

/// [`seal`], of an input that must have this length.
fn seal_exactly(
    options: &SealOptions,
    input: impl Read + Send,
    output: impl Write + Send,
    workers: &impl Workers,
    plaintext_len: u64,
) -> Result<Info, FileError> {
    let info = seal(options, input, output, workers)?;
    if info.attributes.plaintext_len == plaintext_len {
        Ok(info)
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

/// What is known of a file that was sealed, or opened whole.
#[derive(Debug)]
#[non_exhaustive]
pub struct Info {
    /// Its envelope.
    pub envelope: Envelope,
    /// Its attributes.
    pub attributes: Attributes,
    /// How its two slots are.
    pub slots: SlotState,
    /// The engines that sealed or opened its body: for each layer one, the innermost first.
    pub engines: Vec<Engine>,
}

/// Opens the sealed file that `input` has to give into `output`.
///
/// It takes at most 32 MiB of memory, whatever the length, for up to 1,000 threads. It does not flush `output`.
///
/// # Errors
/// [`FileError`]. What has been written then is the authentic beginning of the plaintext, in whole chunks.
pub fn open(
    options: &OpenOptions,
    mut input: impl Read + Send,
    output: impl Write + Send,
    workers: &impl Workers,
) -> Result<Info, FileError> {
    let slots = Slots::read(&mut input)?;
    let (head, state) = slots.choose()?;
    let envelope = options.open(head)?;
    let mut body = TailReader::new(input);
    let (plaintext_len, engines) = envelope.body()?.open_stream(&mut body, output, workers)?;
    let attributes = envelope.open_attributes(body.attributes().ok_or(Error::Authentication)?)?;
    if attributes.plaintext_len != plaintext_len {
        return Err(Error::Authentication.into());
    }
    Ok(Info { envelope, attributes, slots: state, engines })
}
