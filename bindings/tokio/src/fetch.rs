//! Where ranges come from, and how what was fetched is opened.

use crate::pool::Pool;
use crate::work::Buffer;
use bytes::Bytes;
use objseal::Error;
use objseal::envelope::{self, Part, Ranges};
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Fetches bytes of a sealed file: from an object store, say, or a disk.
///
/// What it gives need not be trusted: too few or too many bytes, and other bytes, are an error of kind
/// [`InvalidData`](ErrorKind::InvalidData). Its own errors are passed on.
///
/// It is not for `dyn`, so that a fetch costs no allocation and an implementation is two `async fn`. A type that holds a
/// `dyn ObjectStore`, a path and nothing else implements it as well as any.
pub trait Fetch: Send + Sync {
    /// Length of the file, in bytes.
    fn size(&self) -> impl Future<Output = io::Result<u64>> + Send;

    /// The bytes `range` of the file.
    fn fetch(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send;
}

/// Fetches bytes of an object in parts. Like [`Fetch`] in all else.
pub trait FetchParts: Send + Sync {
    /// The bytes `range` of the stored body of a part.
    fn fetch_part(&self, part: &Part, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send;

    /// The bytes `range` of the stored part table. Not called for an object whose table is in its head.
    fn fetch_table(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send;
}

impl<F: Fetch + ?Sized> Fetch for Arc<F> {
    fn size(&self) -> impl Future<Output = io::Result<u64>> + Send {
        (**self).size()
    }

    fn fetch(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send {
        (**self).fetch(range)
    }
}

/// A file in memory.
impl Fetch for Bytes {
    async fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    async fn fetch(&self, range: Range<u64>) -> io::Result<Bytes> {
        let start = usize::try_from(range.start).ok().filter(|_| range.start <= range.end);
        let end = usize::try_from(range.end).ok().filter(|&end| end <= self.len());
        start.zip(end).map(|(start, end)| self.slice(start..end)).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }
}

/// How it is read in ranges.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) pool: Pool,
    /// Fetches at once.
    pub(crate) parallel: NonZeroUsize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pool: Pool::default(), parallel: NonZeroUsize::MIN.saturating_add(9) }
    }
}

impl Settings {
    /// Opens what a fetch gave.
    pub(crate) async fn opened(
        &self,
        ranges: &Ranges,
        planned: &envelope::Fetch,
        fetched: Bytes,
    ) -> io::Result<Buffer> {
        let len = fetched.len();
        let mut opener = ranges.opener(planned);
        let work = move || {
            let mut out = Zeroizing::new(vec![0; opener.update_len(fetched.len())]);
            opener.update(&fetched, &mut out)?;
            opener.finish()?;
            Ok::<_, Error>(out)
        };
        Ok(self.pool.run(len, work).await??)
    }
}
