//! The part table, and where in the parts a range of the plaintext is: FORMAT.md, section 9.

use super::attributes::ChecksumAlgorithm;
use super::body::{Salt, sealed_len, sealed_range};
use super::codec::Reader;
use super::error::FormatError;
use crate::cobblestone::{CHUNK_LEN, SALT_LEN};
use crate::limits::{MAX_PART_LEN, MAX_PARTS};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use zeroize::Zeroizing;

/// A part of an object.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Where it lies in the plaintext of the object.
    pub plaintext: Range<u64>,
    /// The salts of its body, the innermost layer's first. They tell one attempt at a part from another: a stored body
    /// begins with the last of them.
    pub salts: Vec<Salt>,
    /// Its digest, if the table has them: [`TableFacts::checksum`](super::TableFacts) says by which algorithm.
    pub checksum: Vec<u8>,
}

/// Its digest tells of the plaintext.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("number", &self.number)
            .field("plaintext", &self.plaintext)
            .field("salts", &self.salts)
            .finish_non_exhaustive()
    }
}

impl Part {
    /// Length of its plaintext, in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "only the one part of an empty object is empty")]
    pub fn len(&self) -> u64 {
        self.plaintext.end.saturating_sub(self.plaintext.start)
    }

    /// Length of its stored body, in bytes.
    #[must_use]
    pub fn stored_len(&self) -> u64 {
        // Within MAX_PART_LEN, which is checked where parts are made.
        sealed_len(self.layers(), self.len()).unwrap_or(u64::MAX)
    }

    fn layers(&self) -> u8 {
        u8::try_from(self.salts.len()).unwrap_or(u8::MAX)
    }

    /// What of it is in `range` of the object.
    ///
    /// `None` if that is nothing.
    #[must_use]
    pub fn within(&self, range: &Range<u64>) -> Option<PartRange> {
        let start = range.start.max(self.plaintext.start);
        let end = range.end.min(self.plaintext.end);
        if start >= end {
            return None;
        }
        let plaintext = start - self.plaintext.start..end - self.plaintext.start;
        let stored = sealed_range(self.layers(), plaintext.clone(), self.stored_len())?;
        Some(PartRange { part: self.clone(), first_chunk: plaintext.start / CHUNK_LEN as u64, plaintext, stored })
    }
}

/// What to fetch of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartRange {
    /// The part.
    pub part: Part,
    /// The bytes of its plaintext that are in the range.
    pub plaintext: Range<u64>,
    /// The first chunk of its plaintext that is.
    pub first_chunk: u64,
    /// The bytes of its stored body that hold them. To open them takes the beginning of the body as well: 56 bytes in one
    /// layer, the first outer chunk in two.
    pub stored: Range<u64>,
}

/// Where in `parts` the bytes `range` of the plaintext are.
///
/// `None` if `range` is not within the plaintext.
#[must_use]
pub fn locate(parts: &[Part], range: Range<u64>) -> Option<Vec<PartRange>> {
    let end = parts.last().map_or(0, |part| part.plaintext.end);
    if range.start > range.end || range.end > end {
        return None;
    }
    let first = parts.partition_point(|part| part.plaintext.end <= range.start);
    let touched = parts.iter().skip(first).take_while(|part| part.plaintext.start < range.end);
    Some(touched.filter_map(|part| part.within(&range)).collect())
}

/// Length of an entry, in bytes.
pub(super) fn entry_len(layers: u8, checksum: Option<ChecksumAlgorithm>) -> usize {
    12 + SALT_LEN * usize::from(layers) + checksum.map_or(0, ChecksumAlgorithm::len)
}

/// The entries of parts, one behind the other.
pub(super) fn encode(parts: &[Part]) -> Zeroizing<Vec<u8>> {
    let len = |part: &Part| 12 + part.salts.as_flattened().len() + part.checksum.len();
    let mut out = Zeroizing::new(Vec::with_capacity(parts.iter().map(len).sum()));
    for part in parts {
        out.extend_from_slice(&part.number.to_be_bytes());
        out.extend_from_slice(&part.plaintext.end.to_be_bytes());
        out.extend_from_slice(part.salts.as_flattened());
        out.extend_from_slice(&part.checksum);
    }
    out
}

/// Reads entries that follow `before`, of which `count` are in the table.
pub(super) fn decode(
    entries: &[u8],
    layers: u8,
    checksum: Option<ChecksumAlgorithm>,
    mut before: Option<(u32, u64)>,
    count: u32,
) -> Result<Vec<Part>, FormatError> {
    let mut reader = Reader::new(entries);
    let mut parts = Vec::with_capacity(entries.len() / entry_len(layers, checksum));
    while !reader.is_empty() {
        let (number, end) = (reader.u32()?, reader.u64()?);
        let mut salts = Vec::with_capacity(usize::from(layers));
        for _ in 0..layers {
            salts.push(reader.array()?);
        }
        let checksum = reader.bytes(checksum.map_or(0, ChecksumAlgorithm::len))?.to_vec();
        let (previous, start) = before.unwrap_or((0, 0));
        before = Some((number, end));
        let part = Part { number, plaintext: start..end, salts, checksum };
        part.check(previous, count)?;
        parts.push(part);
    }
    Ok(parts)
}

impl Part {
    /// That it may stand after the part `previous` (0 for none) in a table of `count` parts.
    pub(super) fn check(&self, previous: u32, count: u32) -> Result<(), FormatError> {
        let range = &self.plaintext;
        let numbered = previous < self.number && self.number <= MAX_PARTS;
        let sized = range.start < range.end && range.end - range.start <= MAX_PART_LEN;
        let empty_object = count == 1 && *range == (0..0);
        if numbered && (sized || empty_object) { Ok(()) } else { Err(FormatError::Malformed) }
    }
}
