//! Ranges of a sealed file without IO, for who fetches its bytes on their own: from an object store, say.

use super::slots::{SLOTS_LEN, SlotState, Slots};
use super::stored::Layout;
use super::tail::{self, MAX_TAIL_LEN};
use super::{BODY_OFFSET, FileError, Info};
use crate::envelope::{Envelope, EnvelopeError, OpenOptions, Plan, Ranges};
use crate::error::{Error, Refusal};
use core::ops::Range;
use std::fmt;
use std::vec::Vec;

/// An opened file of which any range can be fetched and opened: [`ranges`](Self::ranges) plans that.
///
/// To open it takes two fetches, which can go out together; each range takes one.
///
/// ```
/// # use objseal::{Key, cobblestone::Threads, envelope::{OpenOptions, SealOptions, WrappingKey}, file};
/// # let key = std::sync::Arc::new(WrappingKey::from_key(Key::generate()?));
/// # let mut stored = Vec::new();
/// # file::seal(&SealOptions::new(key.clone()), &[7; 50_000][..], &mut stored, &Threads::available())?;
/// # let options = OpenOptions::new().with_key(key);
/// use objseal::file::FileRanges;
///
/// let fetch = |range: std::ops::Range<u64>| &stored[range.start as usize..range.end as usize];
/// let size = stored.len() as u64;
/// let [start, end] = FileRanges::ends(size)?;
/// let file = FileRanges::open(&options, size, fetch(start), fetch(end))?;
///
/// let planned = &file.ranges().plan(&[20_000..20_010], 0)?[0];
/// let fetched = fetch(planned.stored.clone());
/// let mut opener = file.ranges().opener(planned);
/// let mut out = [0; 10];
/// opener.update(fetched, &mut out)?;
/// opener.finish()?;
/// assert_eq!(out, [7; 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileRanges {
    info: Info,
    ranges: Ranges,
}

impl FileRanges {
    /// Which bytes of a file of `size` bytes it takes to open it: the first, with its head, and the last, with its attributes.
    /// Those of a short file overlap.
    ///
    /// # Errors
    /// [`FileError::NotSealed`] if no file is so short.
    pub fn ends(size: u64) -> Result<[Range<u64>; 2], FileError> {
        if size < BODY_OFFSET {
            return Err(FileError::NotSealed);
        }
        Ok([0..BODY_OFFSET, size.saturating_sub(MAX_TAIL_LEN as u64).max(BODY_OFFSET)..size])
    }

    /// Opens a file of `size` bytes, given the bytes that [`ends`](Self::ends) asks for.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(options: &OpenOptions, size: u64, start: &[u8], end: &[u8]) -> Result<Self, FileError> {
        let unopened = Unopened::new(size, start, end)?;
        let envelope = options.open(unopened.head()?.0)?;
        Ok(unopened.opened(envelope)?)
    }

    /// How to come by the keys of such a file: see [`OpenOptions::plan`].
    ///
    /// # Errors
    /// [`FileError`]: it is not a sealed file, or the policy does not accept it.
    pub fn plan(options: &OpenOptions, size: u64, start: &[u8], end: &[u8]) -> Result<Plan<Self>, FileError> {
        let unopened = Unopened::new(size, start, end)?;
        let plan = options.plan(unopened.head()?.0)?;
        Ok(plan.map(move |envelope| unopened.opened(envelope)))
    }

    /// What is known of it; all of it is authentic.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Plans fetches from the file, and opens what they give.
    #[must_use]
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }
}

/// What is known of it, without its data key.
impl fmt::Debug for FileRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileRanges").field("info", &self.info).finish_non_exhaustive()
    }
}

/// The ends of a file, as they were fetched.
struct Unopened {
    layout: Layout,
    attributes: Vec<u8>,
}

impl Unopened {
    fn new(size: u64, start: &[u8], end: &[u8]) -> Result<Self, FileError> {
        let [_, wanted] = FileRanges::ends(size)?;
        let slots: &[u8; SLOTS_LEN] = start.try_into().map_err(|_| FileError::NotSealed)?;
        if end.len() as u64 != wanted.end - wanted.start {
            return Err(Error::refused(Refusal::Length).into());
        }
        let length = || end.last_chunk().copied().ok_or_else(|| Error::refused(Refusal::Length).into());
        let layout = Layout::new(size, Slots::decode(slots), length)?;
        let (_, attributes) = tail::split(end).ok_or_else(|| Error::refused(Refusal::Length))?;
        Ok(Self { layout, attributes: attributes.to_vec() })
    }

    fn head(&self) -> Result<(&[u8], SlotState), FileError> {
        self.layout.slots.choose()
    }

    fn opened(&self, envelope: Envelope) -> Result<FileRanges, EnvelopeError> {
        let (_, slots) = self.head().map_err(|_| EnvelopeError::Authentication)?;
        let attributes = envelope.open_attributes(&self.attributes)?;
        let ranges = envelope.body()?.ranges(self.layout.body_len)?.at(BODY_OFFSET);
        let ranges = ranges.of_plaintext_len(attributes.plaintext_len)?;
        let engines = envelope.engines();
        Ok(FileRanges { info: Info { envelope, attributes, slots, engines }, ranges })
    }
}
