//! Ranges of an object in parts without IO: which of its parts hold them. Of a part table that is stored apart, only the
//! chunks are asked for that it takes to tell.

use super::error::EnvelopeError;
use super::head::Content;
use super::opened::Envelope;
use super::parts::{Part, PartRange, entry_len};
use super::ranges::{Fetch, Ranges};
use super::table::{Entries, Lookup};
use crate::cobblestone::CHUNK_LEN;
use crate::error::Error;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use zeroize::Zeroizing;

const CHUNK: u64 = CHUNK_LEN as u64;

/// Tells where in its parts a range of an object is: [`locate`](Self::locate).
///
/// ```
/// # use objseal::{Key, envelope::{Envelope, Located, PartRange}};
/// # fn example(envelope: &Envelope, stored_table: &[u8]) -> Result<Vec<PartRange>, Box<dyn std::error::Error>> {
/// let mut parts = envelope.part_ranges()?;
/// loop {
///     match parts.locate(1_000_000..1_000_010)? {
///         Located::In(found) => return Ok(found),
///         Located::Unknown(fetch) => {
///             let fetched = &stored_table[fetch.stored.start as usize..fetch.stored.end as usize];
///             parts.take_in(&fetch, fetched)?;
///         }
///     }
/// }
/// # }
/// ```
pub struct PartRanges(Lookup<Fetched>);

/// Where a range is.
#[derive(Clone, Debug)]
pub enum Located {
    /// In these parts. [`Envelope::ranges_of_part`] opens what is fetched of each.
    In(Vec<PartRange>),
    /// That will be known when [`PartRanges::take_in`] has got these bytes of the stored part table.
    Unknown(Fetch),
}

/// What is known of the entries.
enum Fetched {
    All(Vec<Part>),
    Some {
        ranges: Ranges,
        /// Chunks of the encoded entries, by their number.
        known: BTreeMap<u64, Zeroizing<Vec<u8>>>,
    },
}

/// Why entries are not known.
enum Missing {
    Fetch(Fetch),
    Error(Error),
}

impl From<Error> for Missing {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Entries for Fetched {
    type Error = Missing;

    fn all(&self) -> Option<&[Part]> {
        match self {
            Self::All(parts) => Some(parts),
            Self::Some { .. } => None,
        }
    }

    fn bytes(&self, range: Range<u64>) -> Result<Zeroizing<Vec<u8>>, Missing> {
        let Self::Some { ranges, known } = self else { return Err(Error::Authentication.into()) };
        let chunks = range.start / CHUNK..range.end.div_ceil(CHUNK);
        let mut missing = chunks.clone().filter(|chunk| !known.contains_key(chunk));
        if let Some(first) = missing.next() {
            let last = missing.next_back().unwrap_or(first);
            let wanted = first * CHUNK..((last + 1) * CHUNK).min(ranges.plaintext_len());
            let fetch = ranges.plan(core::slice::from_ref(&wanted), 0)?.pop();
            return Err(fetch.map_or(Missing::Error(Error::Authentication), Missing::Fetch));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(chunks.clone().count() * CHUNK_LEN));
        known.range(chunks.clone()).for_each(|(_, chunk)| bytes.extend_from_slice(chunk));
        let start = usize::try_from(range.start - chunks.start * CHUNK).unwrap_or(usize::MAX);
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let found = bytes.get(start..).and_then(|rest| rest.get(..len)).ok_or(Error::Authentication)?;
        Ok(Zeroizing::new(found.to_vec()))
    }
}

impl Envelope {
    /// What tells where in its parts a range of this object is.
    ///
    /// # Errors
    /// [`EnvelopeError::OtherContent`] if it is not in parts; [`EnvelopeError::Authentication`] if the part table in the head is
    /// not that of this object.
    pub fn part_ranges(&self) -> Result<PartRanges, EnvelopeError> {
        let layers = self.head().layers();
        let Content::Parts { table, sealed } = &self.head().content else { return Err(EnvelopeError::OtherContent) };
        let entries = match sealed {
            Some(_) => Fetched::All(self.parts(None)?),
            None => {
                let len = u64::from(table.parts) * entry_len(layers, table.checksum) as u64;
                let stored = super::sealed_len(layers, len).ok_or(Error::Authentication)?;
                let ranges = self.table_opener(table).ranges(stored)?.of_plaintext_len(len)?;
                Fetched::Some { ranges, known: BTreeMap::new() }
            }
        };
        Ok(PartRanges(Lookup::new(entries, layers, table.clone())))
    }

    /// Ranges of a part, which a part table of this object said is one.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] if it is none of this object.
    pub fn ranges_of_part(&self, part: &Part) -> Result<Ranges, EnvelopeError> {
        Ok(self.part(part).ranges(part.stored_len())?.of_plaintext_len(part.len())?)
    }
}

impl PartRanges {
    /// Length of the plaintext of all parts, in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        self.0.facts().plaintext_len
    }

    /// Where the bytes `range` of the plaintext are, as far as the table is known.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if they are not within the plaintext; [`Error::Authentication`] if the table contradicts itself.
    pub fn locate(&self, range: Range<u64>) -> Result<Located, Error> {
        match self.0.locate(&range) {
            Ok(found) => Ok(Located::In(found)),
            Err(Missing::Fetch(fetch)) => Ok(Located::Unknown(fetch)),
            Err(Missing::Error(error)) => Err(error),
        }
    }

    /// Takes in bytes of the stored part table that [`locate`](Self::locate) asked for, all of them.
    ///
    /// # Errors
    /// [`Error::Authentication`] if they are not those of the table of this object.
    pub fn take_in(&mut self, fetch: &Fetch, stored: &[u8]) -> Result<(), Error> {
        let Fetched::Some { ranges, known } = self.0.entries_mut() else { return Ok(()) };
        let mut opener = ranges.opener(fetch);
        let mut opened = Zeroizing::new(alloc::vec![0; opener.update_len(stored.len())]);
        opener.update(stored, &mut opened)?;
        opener.finish()?;
        known.extend(
            (fetch.plaintext.start / CHUNK..).zip(opened.chunks(CHUNK_LEN).map(|chunk| Zeroizing::new(chunk.to_vec()))),
        );
        Ok(())
    }
}

/// What the head says.
impl fmt::Debug for PartRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartRanges").field("table", self.0.facts()).finish_non_exhaustive()
    }
}
