//! Ranges of a sealed file whose bytes are fetched.

use crate::fetch::{Fetch, Settings};
use crate::keys;
use crate::pool::Pool;
use crate::seek::{ReadRange, SeekReader};
use crate::work::Buffer;
use bytes::Bytes;
use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};
use objseal::envelope::{self, KeyRequest, KeyServiceError, OpenOptions, WrappingKey};
use objseal::file::{FileError, FileRanges, Info};
use std::fmt;
use std::io;
use std::mem::take;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

/// Reads ranges of the plaintext of a sealed file, whose bytes `F` fetches.
///
/// To open it takes two fetches, which go out together, and each range takes one. Clones share the file.
///
/// Nothing is given out before its tags hold, and plaintext that is not given out is wiped.
pub struct RangeReader<F> {
    fetch: Arc<F>,
    file: Arc<FileRanges>,
    settings: Settings,
    gap: u64,
}

/// The ends of a file.
struct Ends {
    size: u64,
    start: Bytes,
    end: Bytes,
}

impl Ends {
    async fn of(fetch: &impl Fetch) -> Result<Self, FileError> {
        let size = fetch.size().await?;
        let [start, end] = FileRanges::ends(size)?;
        let (start, end) = try_join(fetch.fetch(start), fetch.fetch(end)).await?;
        Ok(Self { size, start, end })
    }

    fn plan(&self, options: &OpenOptions) -> Result<envelope::Plan<FileRanges>, FileError> {
        FileRanges::plan(options, self.size, &self.start, &self.end)
    }
}

impl<F: Fetch> RangeReader<F> {
    /// Stored bytes between two ranges up to which they are fetched together, unless [`with_gap`](Self::with_gap) says otherwise:
    /// what an object store gives in about the time that it takes to answer.
    pub const GAP: u64 = 1024 * 1024;

    /// Opens a file. Key services among `options` are asked on a thread where blocking is allowed.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn open(options: &OpenOptions, fetch: F) -> Result<Self, FileError> {
        let ends = Ends::of(&fetch).await?;
        let plan = ends.plan(options)?;
        let open = move |options: &_| FileRanges::open(options, ends.size, &ends.start, &ends.end);
        let file = keys::open(options, plan, open).await?;
        Ok(Self::new(fetch, file))
    }

    /// The same with the keys at hand among `options` and those that `answer` gives, which may wait.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn open_with<A>(
        options: &OpenOptions,
        fetch: F,
        answer: impl FnMut(KeyRequest) -> A,
    ) -> Result<Self, FileError>
    where
        A: Future<Output = Result<Arc<WrappingKey>, KeyServiceError>>,
    {
        let file = keys::open_with(Ends::of(&fetch).await?.plan(options)?, answer).await?;
        Ok(Self::new(fetch, file))
    }

    fn new(fetch: F, file: FileRanges) -> Self {
        Self { fetch: Arc::new(fetch), file: Arc::new(file), settings: Settings::default(), gap: Self::GAP }
    }

    /// Does the work on this pool.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.settings.pool = pool;
        self
    }

    /// Fetches ranges together that are at most so many stored bytes apart.
    #[must_use]
    pub fn with_gap(self, gap: u64) -> Self {
        Self { gap, ..self }
    }

    /// At most so many fetches at once for a [`read_ranges`](Self::read_ranges); 10 unless this says otherwise.
    #[must_use]
    pub fn with_parallel(mut self, fetches: NonZeroUsize) -> Self {
        self.settings.parallel = fetches;
        self
    }

    /// What is known of the file; all of it is authentic.
    #[must_use]
    pub fn info(&self) -> &Info {
        self.file.info()
    }

    /// Length of the plaintext, in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        self.file.ranges().plaintext_len()
    }

    /// The bytes `range` of the plaintext, in one fetch.
    ///
    /// # Errors
    /// [`Error::OutOfRange`](objseal::Error::OutOfRange) as an [`io::Error`] if they are not all there;
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the file was changed; what `F` says.
    pub async fn read_range(&self, range: Range<u64>) -> io::Result<Bytes> {
        Ok(self.read_ranges(&[range]).await?.pop().unwrap_or_default())
    }

    /// These ranges of the plaintext, in their order. Ranges that are near each other are fetched together, and are slices of one
    /// buffer then.
    ///
    /// # Errors
    /// Those of [`read_range`](Self::read_range), before anything is fetched if a range is not there.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let planned = self.file.ranges().plan(ranges, self.gap)?;
        let fetches: Vec<_> = planned.iter().map(|planned| self.clone().fetched(planned.clone())).collect();
        let fetches = stream::iter(fetches).buffered(self.settings.parallel.get());
        let opened: Vec<Buffer> = fetches.try_collect().await?;
        let opened: Vec<Bytes> = opened.into_iter().map(|mut buffer| take(&mut *buffer).into()).collect();
        let of_range = |range: &Range<u64>| {
            let at = planned.partition_point(|planned| planned.plaintext.end < range.end);
            let found = planned.get(at).zip(opened.get(at)).filter(|_| !range.is_empty());
            found.and_then(|(planned, opened)| Some(opened.slice(planned.find(range)?))).unwrap_or_default()
        };
        Ok(ranges.iter().map(of_range).collect())
    }

    async fn fetched(self, planned: envelope::Fetch) -> io::Result<Buffer> {
        let fetched = self.fetch.fetch(planned.stored.clone()).await?;
        self.settings.opened(self.file.ranges(), &planned, fetched).await
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

impl<F: Fetch> ReadRange for RangeReader<F> {
    fn plaintext_len(&self) -> u64 {
        self.plaintext_len()
    }

    fn read_range(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send {
        self.read_range(range)
    }
}

impl<F> Clone for RangeReader<F> {
    fn clone(&self) -> Self {
        let Self { fetch, file, settings, gap } = self;
        Self { fetch: Arc::clone(fetch), file: Arc::clone(file), settings: settings.clone(), gap: *gap }
    }
}

impl<F> fmt::Debug for RangeReader<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeReader").field("file", &self.file).finish_non_exhaustive()
    }
}
