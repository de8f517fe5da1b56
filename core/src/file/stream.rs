//! Sealed files from a reader to a writer, front to back.

use super::FileError;
use super::slots::{SlotState, Slots};
use super::tail::{self, TailReader};
#[cfg(feature = "checksums")]
use crate::checksums::DigestReader;
use crate::cobblestone::Workers;
use crate::engine::Engine;
use crate::envelope::{Attributes, OpenEnvelope, Opening, Sealing};
use crate::error::Error;
use crate::random::OsRandom;
use std::io::{Read, Write};
use std::vec::Vec;

/// Seals everything that `input` has to give into `output`.
///
/// It takes at most 32 MiB of memory, whatever the length, for up to 1,000 threads. It does not flush `output`.
///
/// # Errors
/// [`FileError`]. What has been written then does not open.
pub fn seal(
    sealing: &Sealing<'_>,
    input: impl Read + Send,
    mut output: impl Write + Send,
    workers: &impl Workers,
) -> Result<Opened, FileError> {
    let (envelope, body) = sealing.start()?;
    output.write_all(&Slots::encode(envelope.stored())?)?;
    let engines = body.engines();
    #[cfg(feature = "checksums")]
    let attributes = {
        let mut input = DigestReader::new(input, sealing.digests());
        body.seal_stream(&mut input, &mut output, workers)?;
        input.finish()
    };
    #[cfg(not(feature = "checksums"))]
    let attributes = Attributes::new(body.seal_stream(input, &mut output, workers)?);
    output.write_all(&tail::encode(&envelope.seal_attributes(&attributes, &OsRandom)?))?;
    Ok(Opened { envelope, attributes, slots: SlotState::Same, engines })
}

/// What is known of a file that was sealed, or opened whole.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// Its envelope.
    pub envelope: OpenEnvelope,
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
    opening: &Opening<'_>,
    mut input: impl Read + Send,
    output: impl Write + Send,
    workers: &impl Workers,
) -> Result<Opened, FileError> {
    let slots = Slots::read(&mut input)?;
    let (head, state) = slots.choose()?;
    let envelope = opening.open(head)?;
    let mut body = TailReader::new(input);
    let (plaintext_len, engines) = envelope.body()?.open_stream(&mut body, output, workers)?;
    let attributes = envelope.open_attributes(body.attributes().ok_or(Error::Authentication)?)?;
    if attributes.plaintext_len != plaintext_len {
        return Err(Error::Authentication.into());
    }
    Ok(Opened { envelope, attributes, slots: state, engines })
}
