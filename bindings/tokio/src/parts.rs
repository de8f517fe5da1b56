//! Ranges of an object in parts whose bytes are fetched.

use crate::fetch::{FetchParts, Settings};
use crate::pool::Pool;
use crate::seek::{ReadRange, SeekReader};
use crate::work::Buffer;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use objseal::envelope::{Envelope, EnvelopeError, Located, PartRange, PartRanges};
use std::fmt;
use std::io;
use std::mem::take;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Reads ranges of the plaintext of an object in parts, whose bytes `F` fetches.
///
/// Of a part table that is stored apart, only what tells where the ranges are is fetched, and kept. Clones share it.
pub struct PartsReader<F> {
    fetch: Arc<F>,
    envelope: Arc<Envelope>,
    table: Arc<Mutex<PartRanges>>,
    len: u64,
    settings: Settings,
}

impl<F: FetchParts> PartsReader<F> {
    /// Of an object whose envelope was opened.
    ///
    /// # Errors
    /// [`EnvelopeError`]: it is not in parts, or the part table in its head is not that of this object.
    pub fn new(envelope: Arc<Envelope>, fetch: F) -> Result<Self, EnvelopeError> {
        let table = envelope.part_ranges()?;
        let len = table.plaintext_len();
        let table = Arc::new(Mutex::new(table));
        Ok(Self { fetch: Arc::new(fetch), envelope, table, len, settings: Settings::default() })
    }

    /// Does the work on this pool.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.settings.pool = pool;
        self
    }

    /// At most so many fetches at once for a range; 10 unless this says otherwise.
    #[must_use]
    pub fn with_parallel(mut self, fetches: NonZeroUsize) -> Self {
        self.settings.parallel = fetches;
        self
    }

    /// The envelope of the object.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Length of the plaintext, in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        self.len
    }

    /// The bytes `range` of the plaintext: a fetch for each part that has some of it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](objseal::Error::OutOfRange) as an [`io::Error`] if they are not all there;
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the object was changed; what `F` says.
    pub async fn read_range(&self, range: Range<u64>) -> io::Result<Bytes> {
        let located = self.locate(range).await?;
        let fetches: Vec<_> = located.into_iter().map(|of_part| self.clone().opened(of_part)).collect();
        let fetches = stream::iter(fetches).buffered(self.settings.parallel.get());
        let mut opened: Vec<Buffer> = fetches.try_collect().await?;
        if let [only] = &mut opened[..] {
            return Ok(take(&mut **only).into());
        }
        let mut all = Zeroizing::new(Vec::with_capacity(opened.iter().map(|piece| piece.len()).sum()));
        opened.iter().for_each(|piece| all.extend_from_slice(piece));
        Ok(take(&mut *all).into())
    }

    async fn locate(&self, range: Range<u64>) -> io::Result<Vec<PartRange>> {
        loop {
            let unknown = match self.table().locate(range.clone())? {
                Located::In(found) => return Ok(found),
                Located::Unknown(unknown) => unknown,
            };
            let fetched = self.fetch.fetch_table(unknown.stored.clone()).await?;
            self.table().take_in(&unknown, &fetched)?;
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, PartRanges> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn opened(self, of_part: PartRange) -> io::Result<Buffer> {
        let PartRange { part, plaintext, .. } = of_part;
        let ranges = self.envelope.ranges_of_part(&part).map_err(objseal::file::FileError::from)?;
        let mut planned = ranges.plan(&[plaintext], 0)?;
        // A part of which nothing is wanted is not located, and its length is known.
        let planned = planned.pop().ok_or(objseal::Error::Authentication)?;
        let fetched = self.fetch.fetch_part(&part, planned.stored.clone()).await?;
        self.settings.opened(&ranges, &planned, fetched).await
    }

    /// Something to read from and to seek in.
    #[must_use]
    pub fn reader(&self) -> SeekReader<Self>
    where
        F: 'static,
    {
        SeekReader::new(self.clone())
    }
}

impl<F: FetchParts> ReadRange for PartsReader<F> {
    fn plaintext_len(&self) -> u64 {
        self.len
    }

    fn read_range(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send {
        self.read_range(range)
    }
}

impl<F> Clone for PartsReader<F> {
    fn clone(&self) -> Self {
        let Self { fetch, envelope, table, len, settings } = self;
        let (fetch, envelope, table) = (Arc::clone(fetch), Arc::clone(envelope), Arc::clone(table));
        Self { fetch, envelope, table, len: *len, settings: settings.clone() }
    }
}

impl<F> fmt::Debug for PartsReader<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartsReader").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}
