//! A sealed file that can be read at any offset.

use super::slots::{SlotState, Slots};
use super::tail::{self, LENGTH_LEN};
use super::{BODY_OFFSET, FileError, Info};
use crate::cobblestone::{HEADER_LEN, RandomAccess, ReadAt};
use crate::envelope::{Head, OpenOptions, Unverified, plaintext_len};
use crate::error::Error;
use std::fmt;
use std::io;
use std::vec;

/// What a sealed file says about itself without a key. Anybody could have written it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// The head of the slot that counts.
    pub head: Head,
    /// Length of the plaintext, in bytes, by the length of the file.
    pub plaintext_len: u64,
    /// How the two slots are.
    pub slots: SlotState,
}

/// Reads what `source` says about itself, without a key.
///
/// # Errors
/// [`FileError::NotSealed`], or [`EnvelopeError::Format`](crate::envelope::EnvelopeError::Format), if it is not a sealed
/// file; what the source says.
pub fn inspect(source: &(impl ReadAt + ?Sized)) -> Result<Unverified<Facts>, FileError> {
    let layout = Layout::of(source)?;
    let (head, slots) = layout.slots.choose()?;
    let head = Head::parse(head)?.into_inner();
    let plaintext_len = plaintext_len(head.layers(), layout.body_len).ok_or(FileError::NotSealed)?;
    Ok(Unverified::new(Facts { head, plaintext_len, slots }))
}

/// A sealed file, open for reading at any offset.
pub struct SealedFile<S> {
    info: Info,
    body: RandomAccess<Section<S>>,
}

impl<S: ReadAt> SealedFile<S> {
    /// Opens `source`: verifies its head, its attributes and where its body ends.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(options: &OpenOptions, source: S) -> Result<Self, FileError> {
        let layout = Layout::of(&source)?;
        let (head, slots) = layout.slots.choose()?;
        let envelope = options.open(head)?;
        let mut sealed = vec![0; layout.attributes_len];
        source.read_exact_at(&mut sealed, BODY_OFFSET + layout.body_len)?;
        let attributes = envelope.open_attributes(&sealed)?;
        let body = envelope.body()?.open_at(Section { source, len: layout.body_len })?;
        if attributes.plaintext_len != body.len() {
            return Err(Error::Authentication.into());
        }
        let engines = body.engines();
        Ok(Self { info: Info { envelope, attributes, slots, engines }, body })
    }

    /// What is known of it; all of it is authentic.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The plaintext.
    #[must_use]
    pub fn body(&self) -> &RandomAccess<impl ReadAt + use<S>> {
        &self.body
    }
}

/// Where things are in a file, by its length. Nothing proves it until head, body and attributes have been opened.
pub(super) struct Layout {
    pub(super) slots: Slots,
    pub(super) body_len: u64,
    pub(super) attributes_len: usize,
}

impl Layout {
    fn of(source: &(impl ReadAt + ?Sized)) -> Result<Self, FileError> {
        let size = source.size()?;
        if size < BODY_OFFSET {
            return Err(FileError::NotSealed);
        }
        Self::new(size, Slots::of(source)?, || {
            let mut length = [0; LENGTH_LEN];
            source.read_exact_at(&mut length, size - LENGTH_LEN as u64)?;
            Ok(length)
        })
    }

    /// That of a file of `size` bytes which begins with these slots and ends with this length.
    pub(super) fn new(
        size: u64,
        slots: Slots,
        length: impl FnOnce() -> io::Result<[u8; LENGTH_LEN]>,
    ) -> Result<Self, FileError> {
        let behind_slots = size.checked_sub(BODY_OFFSET).ok_or(FileError::NotSealed)?;
        // Whether there is a head comes first: any other file is told for what it is.
        slots.choose()?;
        let tail = behind_slots.checked_sub(LENGTH_LEN as u64).ok_or(Error::Authentication)?;
        let length = length()?;
        let attributes_len = tail::attributes_len(length).ok_or(Error::Authentication)?;
        let body_len = tail.checked_sub(attributes_len as u64).ok_or(Error::Authentication)?;
        if body_len < HEADER_LEN as u64 {
            return Err(Error::Authentication.into());
        }
        Ok(Self { slots, body_len, attributes_len })
    }
}

/// The body within a file.
struct Section<S> {
    source: S,
    len: u64,
}

impl<S: ReadAt> ReadAt for Section<S> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.source.read_exact_at(buffer, BODY_OFFSET + offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        let (start, end) = (BODY_OFFSET, BODY_OFFSET + self.len);
        self.source.in_memory()?.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

/// What is known of it, without the data key.
impl<S> fmt::Debug for SealedFile<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFile").field("info", &self.info).finish_non_exhaustive()
    }
}
