//! Reading objects in parts: the part table, as far as it is needed, and ranges across parts.

use super::attributes::ChecksumAlgorithm;
use super::error::EnvelopeError;
use super::head::Content;
use super::opened::Envelope;
use super::parts::{Part, PartRange};
use super::table::{Entries, Lookup};
use crate::buffer;
use crate::cobblestone::{RandomAccess, ReadAt};
use crate::error::{Error, Refusal};
use core::borrow::Borrow;
use core::ops::Range;
use std::io;
use std::vec::Vec;
use zeroize::Zeroizing;

/// The part table of an object. Of one that is stored apart only the chunks are fetched that are needed.
pub struct PartTable<S>(Lookup<Stored<S>>);

enum Stored<S> {
    Inline(Vec<Part>),
    Detached(RandomAccess<S>),
}

impl<S: ReadAt> Entries for Stored<S> {
    type Error = io::Error;

    fn all(&self) -> Option<&[Part]> {
        match self {
            Self::Inline(parts) => Some(parts),
            Self::Detached(_) => None,
        }
    }

    fn bytes(&self, range: Range<u64>) -> io::Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Inline(_) => Err(Error::refused(Refusal::Table).into()),
            Self::Detached(stored) => stored.open_range(range).map(Zeroizing::new),
        }
    }
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
            (Some(_), _) => Stored::Inline(self.parts(None).map_err(io_error)?),
            (None, Some(source)) => {
                let stored = self.table_opener(facts).open_at(source)?;
                facts.check_len(layers, stored.len())?;
                Stored::Detached(stored)
            }
            (None, None) => return Err(io::Error::other(EnvelopeError::OtherContent)),
        };
        Ok(PartTable(Lookup::new(entries, layers, facts.clone())))
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
        self.0.facts().parts
    }

    /// Length of the plaintext of all parts, in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        self.0.facts().plaintext_len
    }

    /// By which algorithm the digest of each part is in the table, if it is.
    #[must_use]
    pub fn checksum(&self) -> Option<ChecksumAlgorithm> {
        self.0.facts().checksum
    }

    /// The parts from index `first` on, at most `count` of them. Indices are from 0, and not part numbers.
    ///
    /// # Errors
    /// As for [`part_table`](Envelope::part_table).
    pub fn parts(&self, first: u32, count: u32) -> io::Result<Vec<Part>> {
        self.0.parts(first, count)
    }

    /// Where the bytes `range` of the plaintext are.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] as an [`io::Error`] if they are not within the plaintext; as for
    /// [`part_table`](Envelope::part_table).
    pub fn locate(&self, range: Range<u64>) -> io::Result<Vec<PartRange>> {
        self.0.locate(&range)
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
