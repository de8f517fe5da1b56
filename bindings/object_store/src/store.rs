//! The store, and how it is set up.

use crate::error::at;
use crate::heads::Heads;
use crate::list::ListSizes;
use crate::put::seal_payload;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use objseal::envelope::{EncryptionContext, FormatError, OpenOptions, SealOptions};
use objseal_tokio::Pool;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// To which context an object is bound.
type ContextOf = dyn Fn(&Path) -> Result<EncryptionContext, FormatError> + Send + Sync;

/// An [`ObjectStore`] whose objects are sealed files in another one.
///
/// The sealed object has the location, the tags and the attributes of the plain one: these stay in clear. `ETag`, version and
/// date are those of the inner store, so that conditions on them hold.
///
/// Clones share the inner store, the opened heads and the threads.
pub struct SealedStore<S> {
    pub(crate) inner: Arc<S>,
    pub(crate) seal: SealOptions,
    pub(crate) open: OpenOptions,
    context: Arc<ContextOf>,
    pub(crate) gap: u64,
    pub(crate) part_len: usize,
    pub(crate) sizes: ListSizes,
    pub(crate) heads: Arc<Heads>,
    pub(crate) pool: Pool,
}

impl<S> SealedStore<S> {
    /// The context key that objects are bound to their location by, unless [`with_context`](Self::with_context) says
    /// otherwise.
    pub const PATH_KEY: &'static str = "path";
    /// Bytes between two ranges up to which they are fetched together, unless [`with_gap`](Self::with_gap) says otherwise.
    pub const GAP: u64 = object_store::OBJECT_STORE_COALESCE_DEFAULT;
    /// Shortest part of an upload, unless [`with_part_len`](Self::with_part_len) says otherwise: 10,000 of them are 80 GiB.
    pub const PART_LEN: usize = 8 * 1024 * 1024;
    /// Opened heads that are kept, unless [`with_kept_heads`](Self::with_kept_heads) says otherwise.
    pub const KEPT_HEADS: usize = 64;

    /// Objects in `inner`, sealed by `seal` and opened by `open`.
    ///
    /// Each is bound to its location, of which only the key [`PATH_KEY`](Self::PATH_KEY) is stored: an object at another
    /// location is refused. That replaces the context of `seal` and the one that the policy of `open` demands; the rest of the
    /// policy holds.
    #[must_use]
    pub fn new(inner: S, seal: SealOptions, open: OpenOptions) -> Self {
        let context = |location: &Path| {
            let mut context = EncryptionContext::new();
            context.bind(Self::PATH_KEY, location.as_ref())?;
            Ok(context)
        };
        Self {
            inner: Arc::new(inner),
            seal,
            open,
            context: Arc::new(context),
            gap: Self::GAP,
            part_len: Self::PART_LEN,
            sizes: ListSizes::default(),
            heads: Arc::new(Heads::new(Self::KEPT_HEADS)),
            pool: Pool::default(),
        }
    }

    /// The same, with objects bound to what `context` says of their location. If it says the same of all, the inner store can
    /// answer with one object for another.
    ///
    /// ```
    /// # use object_store::{memory::InMemory, path::Path};
    /// # use objseal::{Key, envelope::{EncryptionContext, OpenOptions, SealOptions, WrappingKey}};
    /// # use objseal_object_store::SealedStore;
    /// # let key = std::sync::Arc::new(WrappingKey::from_key(Key::generate()?));
    /// # let (seal, open) = (SealOptions::new(key.clone()), OpenOptions::new().with_key(key));
    /// let store = SealedStore::new(InMemory::new(), seal, open).with_context(|location: &Path| {
    ///     EncryptionContext::from_pairs([("bucket", "photos"), ("key", location.as_ref())])
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_context(
        self,
        context: impl Fn(&Path) -> Result<EncryptionContext, FormatError> + Send + Sync + 'static,
    ) -> Self {
        Self { context: Arc::new(context), heads: Arc::new(Heads::new(self.heads.limit())), ..self }
    }

    /// The same, and fetches ranges together whose chunks are at most `gap` bytes apart.
    #[must_use]
    pub fn with_gap(self, gap: u64) -> Self {
        Self { gap, ..self }
    }

    /// The same, and uploads in parts of at least `len` bytes. Of one upload all but the last have the same length: that of
    /// the caller's first part once it is sealed, if that is more. S3 wants 5 MiB or more, and at most 10,000 parts.
    #[must_use]
    pub fn with_part_len(self, len: usize) -> Self {
        Self { part_len: len.max(1), ..self }
    }

    /// The same, and keeps up to `count` opened heads; 0 keeps none. A kept head spares two fetches. It serves as long as
    /// `ETag`, version, date and size are those of the object that it was read from, and each of them is some 50 KB and has
    /// the keys of its object.
    #[must_use]
    pub fn with_kept_heads(self, count: usize) -> Self {
        Self { heads: Arc::new(Heads::new(count)), ..self }
    }

    /// The same, with listings that have sizes of another kind.
    #[must_use]
    pub fn with_list_sizes(self, sizes: ListSizes) -> Self {
        Self { sizes, ..self }
    }

    /// The same, and seals and opens on `pool`. Heads are opened on it whatever their length, as key services may block.
    #[must_use]
    pub fn with_pool(self, pool: Pool) -> Self {
        Self { pool, ..self }
    }

    /// The inner store.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    pub(crate) fn seal_options(&self, location: &Path) -> Result<SealOptions> {
        let context = (self.context)(location).map_err(at(location))?;
        Ok(self.seal.clone().with_context(context))
    }

    pub(crate) fn open_options(&self, location: &Path) -> Result<OpenOptions> {
        let context = (self.context)(location).map_err(at(location))?;
        Ok(self.open.clone().with_context(context))
    }
}

/// Bytes of work that always goes to the pool: it may block.
pub(crate) const MAY_BLOCK: usize = usize::MAX;

/// Does `work` on `len` bytes of an object on `pool`.
pub(crate) async fn run<T: Send + 'static>(
    pool: &Pool,
    location: &Path,
    len: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    pool.run(len, work).await.map_err(at(location))
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for SealedStore<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let options = self.seal_options(location)?;
        let len = payload.content_length();
        let sealed = run(&self.pool, location, len, move || seal_payload(&options, payload)).await?;
        self.inner.put_opts(location, sealed.map_err(at(location))?.into(), opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.upload(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.get_plain(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.get_plain_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.with_plain_sizes(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.with_plain_sizes(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.list_plain(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.copy_sealed(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.rename_sealed(from, to, options).await
    }
}

impl<S> Clone for SealedStore<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            seal: self.seal.clone(),
            open: self.open.clone(),
            context: Arc::clone(&self.context),
            gap: self.gap,
            part_len: self.part_len,
            sizes: self.sizes,
            heads: Arc::clone(&self.heads),
            pool: self.pool.clone(),
        }
    }
}

impl<S: fmt::Display> fmt::Display for SealedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedStore({})", self.inner)
    }
}

impl<S: fmt::Debug> fmt::Debug for SealedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore")
            .field("inner", &self.inner)
            .field("gap", &self.gap)
            .field("part_len", &self.part_len)
            .field("sizes", &self.sizes)
            .field("heads", &self.heads)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
