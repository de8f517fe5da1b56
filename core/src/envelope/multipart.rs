//! Reading objects in parts: the part table, as far as it is needed, and ranges across parts.

use super::attributes::ChecksumAlgorithm;
use super::error::EnvelopeError;
use super::head::{Content, TableFacts};
use super::opened::Envelope;
use super::parts::{self, Part, PartRange};
use crate::buffer;
use crate::cobblestone::{CHUNK_LEN, RandomAccess, ReadAt};
use crate::error::{Error, Refusal};
use core::borrow::Borrow;
use core::ops::Range;
use std::io;
use std::vec::Vec;
use zeroize::Zeroizing;

/// The part table of an object. Of one that is stored apart only the chunks are fetched that are needed.
pub struct PartTable<S> {
    entries: Entries<S>,
    layers: u8,
    facts: TableFacts,
}

enum Entries<S> {
    Inline(Vec<Part>),
    Detached(RandomAccess<S>),
}

impl Envelope {
    /// The part table. `detached` is what stores it, if it is not in the envelope, and is not used otherwise.
    ///
    /// # Errors
    /// [`EnvelopeError::OtherContent`] as an [`io::Error`] if the object is not in parts, or its table is stored apart and was
    /// not given; [`Error::Authentication`] as an [`io::Error`] if it is not the table of this object; what the source
    /// says.
    pub fn part_table<S: ReadAt>(&self, detached: Option<S>) -> io::Result<PartTable<S>> {
        let layers = self.head().layers();
        let Content::Parts { table: facts, sealed } = &self.head().content else {
            return Err(io::Error::other(EnvelopeError::OtherContent));
        };
        let entries = match (sealed, detached) {
            (Some(_), _) => Entries::Inline(self.parts(None).map_err(io_error)?),
            (None, Some(source)) => {
                let stored = self.table_opener(facts).open_at(source)?;
                facts.check_len(layers, stored.len())?;
                Entries::Detached(stored)
            }
            (None, None) => return Err(io::Error::other(EnvelopeError::OtherContent)),
        };
        Ok(PartTable { entries, layers, facts: facts.clone() })
    }
}

fn io_error(error: EnvelopeError) -> io::Error {
    match error {
        EnvelopeError::Authentication => Error::Authentication.into(),
        error => io::Error::other(error),
    }
}

impl<S: ReadAt> PartTable<S> {
    /// How many parts there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.facts.parts
    }

    /// Length of the plaintext of all parts, in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        self.facts.plaintext_len
    }

    /// By which algorithm the digest of each part is in the table, if it is.
    #[must_use]
    pub fn checksum(&self) -> Option<ChecksumAlgorithm> {
        self.facts.checksum
    }

    fn entry_len(&self) -> usize {
        parts::entry_len(self.layers, self.facts.checksum)
    }

    /// The parts from index `first` on, at most `count` of them. Indices are from 0, and not part numbers.
    ///
    /// # Errors
    /// As for [`part_table`](Envelope::part_table).
    pub fn parts(&self, first: u32, count: u32) -> io::Result<Vec<Part>> {
        let end = first.saturating_add(count).min(self.facts.parts);
        let first = first.min(end);
        match &self.entries {
            Entries::Inline(parts) => Ok(parts[first as usize..end as usize].to_vec()),
            Entries::Detached(stored) => {
                let entry = self.entry_len() as u64;
                // The entry before says where the first part begins.
                let from = first.saturating_sub(1);
                let bytes = stored.open_range(u64::from(from) * entry..u64::from(end) * entry)?;
                let bytes = Zeroizing::new(bytes);
                let (before, bytes) = bytes.split_at(if from < first { self.entry_len() } else { 0 });
                let before = before.first_chunk::<12>().map(|entry| {
                    let (number, end) = entry.split_at(4);
                    let word = |bytes: &[u8]| bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
                    (u32::try_from(word(number)).unwrap_or(u32::MAX), word(end))
                });
                let decoded = self.facts.decode(self.layers, bytes, before, end == self.facts.parts && end > first);
                decoded.map_err(|_| Error::refused(Refusal::Table).into())
            }
        }
    }

    /// Where the bytes `range` of the plaintext are.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] as an [`io::Error`] if they are not within the plaintext; as for
    /// [`part_table`](Envelope::part_table).
    pub fn locate(&self, range: Range<u64>) -> io::Result<Vec<PartRange>> {
        if range.start > range.end || range.end > self.plaintext_len() {
            return Err(Error::OutOfRange { plaintext_len: self.plaintext_len() }.into());
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let (mut index, part) = self.find(range.start)?;
        let mut end = part.plaintext.end;
        let mut found: Vec<_> = part.within(&range).into_iter().collect();
        // In steps, so that a long range does not fetch entry by entry, and a short one no more than it needs.
        let mut step = 1;
        while end < range.end {
            let parts = self.parts(index + 1, step)?;
            end = parts.last().ok_or_else(|| Error::refused(Refusal::Table))?.plaintext.end;
            found.extend(parts.iter().filter_map(|part| part.within(&range)));
            index += step;
            step = (step * 2).min(256);
        }
        Ok(found)
    }

    /// The part that holds byte `at` of the plaintext, which must be there, and its index.
    fn find(&self, at: u64) -> io::Result<(u32, Part)> {
        let missing = || io::Error::from(Error::refused(Refusal::Table));
        // The part is in low..high, which begin and end at these bytes. Parts are mostly of one size, so where it should be
        // then is looked at first; after two such guesses, the middle.
        let (mut low, mut high) = (0, self.count());
        let (mut start, mut end) = (0, self.plaintext_len());
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
        let end = ((chunk + 1) * chunk_len / entry).min(self.count().into());
        match (u32::try_from(first), u32::try_from(end)) {
            (Ok(first), Ok(end)) if (first..end).contains(&index) => (first, end - first),
            _ => (index, 1),
        }
    }
}

/// What stores the bodies of parts.
pub trait PartStore {
    /// A stored body.
    type Body: ReadAt;

    /// The stored body of a part.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn part(&self, part: &Part) -> io::Result<Self::Body>;
}

/// The plaintext of an object in parts, at any offset.
pub struct PartsReader<E, S, P> {
    envelope: E,
    table: PartTable<S>,
    store: P,
}

impl<E: Borrow<Envelope>, S: ReadAt, P: PartStore> PartsReader<E, S, P> {
    /// Reads the parts that `table` says from `store`.
    pub fn new(envelope: E, table: PartTable<S>, store: P) -> Self {
        Self { envelope, table, store }
    }

    /// The part table.
    pub fn table(&self) -> &PartTable<S> {
        &self.table
    }

    /// The plaintext bytes `range`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::Authentication`] as [`io::Error`]s, or what the sources say.
    pub fn open_range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let out_of_range = Error::OutOfRange { plaintext_len: self.table.plaintext_len() };
        if range.end > self.table.plaintext_len() {
            return Err(out_of_range.into());
        }
        let len = range.end.checked_sub(range.start).and_then(|len| usize::try_from(len).ok());
        let mut out = buffer::zeroed(len.ok_or(out_of_range)?);
        self.open_range_into(range.start, &mut out)?;
        Ok(out)
    }

    /// Fills `out` with the plaintext from `start` on.
    ///
    /// # Errors
    /// Those of [`open_range`](Self::open_range). After an error `out` is all zeros.
    pub fn open_range_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let opened = self.open_into(start, out);
        if opened.is_err() {
            out.fill(0);
        }
        opened
    }

    fn open_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let end = start.checked_add(out.len() as u64);
        let end = end.ok_or(Error::OutOfRange { plaintext_len: self.table.plaintext_len() })?;
        let mut rest = out;
        for PartRange { part, plaintext, .. } in self.table.locate(start..end)? {
            let len = usize::try_from(plaintext.end - plaintext.start).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(len.min(rest.len()));
            let body = self.envelope.borrow().part(&part).open_at(self.store.part(&part)?)?;
            if body.len() != part.len() {
                return Err(Error::refused(Refusal::Length).into());
            }
            body.open_range_into(plaintext.start, now)?;
            rest = later;
        }
        Ok(())
    }
}
