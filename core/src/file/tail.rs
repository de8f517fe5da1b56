//! What stands at the end of a file: the attributes and their length.

use crate::envelope::{self, Attributes, FormatError, MAX_SEALED_LEN, MIN_SEALED_LEN};
use crate::error::Error;
use crate::push::read_some;
use std::io::{self, Read};
use std::vec::Vec;

/// Length of the length of the attributes, in bytes.
pub(super) const LENGTH_LEN: usize = 4;
/// Longest tail, in bytes.
pub(super) const MAX_TAIL_LEN: usize = MAX_SEALED_LEN + LENGTH_LEN;

/// Length of the tail with these attributes, in bytes. Digests have the same length whatever they are of.
pub(super) fn len(layers: u8, attributes: &Attributes) -> Result<usize, FormatError> {
    let sealed = envelope::sealed_len(layers, attributes.encode()?.len() as u64);
    let sealed = sealed.and_then(|len| usize::try_from(len).ok()).ok_or(FormatError::TooLong)?;
    Ok(sealed + LENGTH_LEN)
}

/// The tail as it is stored.
pub(super) fn encode(attributes: &[u8]) -> Vec<u8> {
    let mut tail = attributes.to_vec();
    // At most MAX_SEALED_LEN.
    let len = u32::try_from(attributes.len()).unwrap_or(u32::MAX);
    tail.extend_from_slice(&len.to_be_bytes());
    tail
}

/// The length that the end of a file says, if attributes can be so long.
pub(super) fn attributes_len(stored: [u8; LENGTH_LEN]) -> Option<usize> {
    let len = usize::try_from(u32::from_be_bytes(stored)).ok()?;
    (MIN_SEALED_LEN..=MAX_SEALED_LEN).contains(&len).then_some(len)
}

/// What comes before the tail at the end of a file, and the sealed attributes in it.
pub(super) fn split(end: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, length) = end.split_last_chunk()?;
    before.split_at_checked(before.len().checked_sub(attributes_len(*length)?)?)
}

/// Reads the body from a stream and keeps the tail back. Where the body ends shows when the stream does.
pub(super) struct TailReader<R> {
    input: R,
    /// The last bytes read: [`MAX_TAIL_LEN`], or fewer at the start and once the input has ended.
    held: Vec<u8>,
    /// Once the input has ended: how many of the held bytes belong to the tail.
    tail_len: Option<usize>,
}

impl<R: Read> TailReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, held: Vec::with_capacity(2 * MAX_TAIL_LEN), tail_len: None }
    }

    /// The sealed attributes, once the body has been read to its end.
    pub(super) fn attributes(&self) -> Option<&[u8]> {
        let len = self.tail_len?.checked_sub(LENGTH_LEN)?;
        self.held.get(..len)
    }

    /// Gives out the first `len` of the held bytes.
    fn give(&mut self, out: &mut [u8], len: usize) -> usize {
        let len = len.min(out.len());
        out[..len].copy_from_slice(&self.held[..len]);
        self.held.drain(..len);
        len
    }

    /// Finds the tail at the end of the held bytes.
    fn end(&mut self) -> Result<(), Error> {
        let (_, attributes) = split(&self.held).ok_or(Error::Authentication)?;
        self.tail_len = Some(attributes.len() + LENGTH_LEN);
        Ok(())
    }
}

impl<R: Read> Read for TailReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(tail_len) = self.tail_len {
                return Ok(self.give(out, self.held.len() - tail_len));
            }
            let held = self.held.len();
            if held > MAX_TAIL_LEN {
                return Ok(self.give(out, held - MAX_TAIL_LEN));
            }
            let read;
            if out.len() > 2 * MAX_TAIL_LEN {
                // Much room: what is held goes first, the input follows it directly, and the end is held anew.
                read = read_some(&mut self.input, &mut out[held..])?;
                if read > 0 {
                    out[..held].copy_from_slice(&self.held);
                    let (body, end) = out[..held + read].split_at((held + read).saturating_sub(MAX_TAIL_LEN));
                    self.held.clear();
                    self.held.extend_from_slice(end);
                    if !body.is_empty() {
                        return Ok(body.len());
                    }
                }
            } else {
                self.held.resize(held + MAX_TAIL_LEN, 0);
                let result = read_some(&mut self.input, &mut self.held[held..]);
                self.held.truncate(held + *result.as_ref().unwrap_or(&0));
                read = result?;
            }
            if read == 0 {
                self.end()?;
            }
        }
    }
}
