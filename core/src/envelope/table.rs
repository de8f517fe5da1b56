//! Looking parts up in a part table, whatever its entries come from.

use super::error::EnvelopeError;
use super::head::TableFacts;
use super::parts::{self, Part, PartRange};
use crate::cobblestone::CHUNK_LEN;
use crate::error::{Error, Refusal};
use alloc::vec::Vec;
use core::ops::Range;
use zeroize::Zeroizing;

/// What the entries of a table come from.
pub(super) trait Entries {
    /// Why there are none.
    type Error: From<Error>;

    /// All of them, if they are known.
    fn all(&self) -> Option<&[Part]>;

    /// Bytes of the encoded entries; not asked for if all are known.
    fn bytes(&self, range: Range<u64>) -> Result<Zeroizing<Vec<u8>>, Self::Error>;
}

/// A part table in which parts are looked up.
pub(super) struct Lookup<E> {
    entries: E,
    layers: u8,
    facts: TableFacts,
}

impl<E: Entries> Lookup<E> {
    pub(super) fn new(entries: E, layers: u8, facts: TableFacts) -> Self {
        Self { entries, layers, facts }
    }

    pub(super) fn facts(&self) -> &TableFacts {
        &self.facts
    }

    pub(super) fn entries_mut(&mut self) -> &mut E {
        &mut self.entries
    }

    fn entry_len(&self) -> usize {
        parts::entry_len(self.layers, self.facts.checksum)
    }

    /// The parts from index `first` on, at most `count` of them.
    pub(super) fn parts(&self, first: u32, count: u32) -> Result<Vec<Part>, E::Error> {
        let end = first.saturating_add(count).min(self.facts.parts);
        let first = first.min(end);
        if let Some(parts) = self.entries.all() {
            return Ok(parts[first as usize..end as usize].to_vec());
        }
        let entry = self.entry_len() as u64;
        // The entry before says where the first part begins.
        let from = first.saturating_sub(1);
        let bytes = self.entries.bytes(u64::from(from) * entry..u64::from(end) * entry)?;
        let (before, bytes) = bytes.split_at(if from < first { self.entry_len() } else { 0 });
        let before = before.first_chunk::<12>().map(|entry| {
            let (number, end) = entry.split_at(4);
            let word = |bytes: &[u8]| bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            (u32::try_from(word(number)).unwrap_or(u32::MAX), word(end))
        });
        let decoded = self.facts.decode(self.layers, bytes, before, end == self.facts.parts && end > first);
        decoded.map_err(|_: EnvelopeError| Error::refused(Refusal::Table).into())
    }

    /// Where the bytes `range` of the plaintext are.
    pub(super) fn locate(&self, range: &Range<u64>) -> Result<Vec<PartRange>, E::Error> {
        let plaintext_len = self.facts.plaintext_len;
        if range.start > range.end || range.end > plaintext_len {
            return Err(Error::OutOfRange { plaintext_len }.into());
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let (mut index, part) = self.find(range.start)?;
        let mut end = part.plaintext.end;
        let mut found: Vec<_> = part.within(range).into_iter().collect();
        // In steps, so that a long range does not fetch entry by entry, and a short one no more than it needs.
        let mut step = 1;
        while end < range.end {
            let parts = self.parts(index + 1, step)?;
            end = parts.last().ok_or_else(|| Error::refused(Refusal::Table))?.plaintext.end;
            found.extend(parts.iter().filter_map(|part| part.within(range)));
            index += step;
            step = (step * 2).min(256);
        }
        Ok(found)
    }

    /// The part that holds byte `at` of the plaintext, which must be there, and its index.
    fn find(&self, at: u64) -> Result<(u32, Part), E::Error> {
        let missing = || E::Error::from(Error::refused(Refusal::Table));
        // The part is in low..high, which begin and end at these bytes. Parts are mostly of one size, so where it should be
        // then is looked at first; after two such guesses, the middle.
        let (mut low, mut high) = (0, self.facts.parts);
        let (mut start, mut end) = (0, self.facts.plaintext_len);
        let mut guesses = 2_u32;
        while low < high && (start..end).contains(&at) {
            let parts = u128::from(high - low);
            let ahead = match guesses {
                0 => parts / 2,
                _ => u128::from(at - start) * parts / u128::from(end - start),
            };
            guesses = guesses.saturating_sub(1);
            let looked_at = low + u32::try_from(ahead).unwrap_or(0).min(high - low - 1);
            let (first, count) = self.beside(looked_at);
            let mut parts = self.parts(first, count)?;
            let found = parts.partition_point(|part| part.plaintext.end <= at);
            match parts.get(found) {
                Some(part) if part.plaintext.start <= at => {
                    let index = first + u32::try_from(found).unwrap_or(0);
                    return Ok((index, parts.swap_remove(found)));
                }
                Some(part) => (high, end) = (first, part.plaintext.start),
                None => (low, start) = (first + count, parts.last().ok_or_else(missing)?.plaintext.end),
            }
        }
        Err(missing())
    }

    /// The part at `index` and those beside it that can be read with it without another chunk of the table: index of the
    /// first, and how many.
    fn beside(&self, index: u32) -> (u32, u32) {
        let (entry, chunk_len) = (self.entry_len() as u64, CHUNK_LEN as u64);
        let chunk = u64::from(index) * entry / chunk_len;
        // The entry before the first one is read as well.
        let first = if chunk == 0 { 0 } else { (chunk * chunk_len).div_ceil(entry) + 1 };
        let end = ((chunk + 1) * chunk_len / entry).min(self.facts.parts.into());
        match (u32::try_from(first), u32::try_from(end)) {
            (Ok(first), Ok(end)) if (first..end).contains(&index) => (first, end - first),
            _ => (index, 1),
        }
    }
}
