//! Opening heads: the two ends of an object, each in one fetch, and that both are of the same one.

use crate::error::{Reason, SealedError, at};
use crate::heads::{Opened, same};
use crate::store::{MAY_BLOCK, SealedStore, run};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Attributes, Error, Extensions, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore,
    PutPayload, Result,
};
use objseal::cobblestone::SEALED_CHUNK_LEN;
use objseal::file::{BODY_OFFSET, FileError, FileRanges};
use std::ops::Range;
use std::sync::Arc;

/// How often an object is read anew that is replaced while it is read.
pub(crate) const ATTEMPTS: usize = 3;

/// Bytes before the end that are fetched with it: a footer of up to a chunk is among them then, wherever chunks begin.
const MORE_AT_END: u64 = 2 * SEALED_CHUNK_LEN as u64;

/// Both ends of an object.
pub(crate) struct Ends {
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
    pub(crate) extensions: Extensions,
    pub(crate) start: Bytes,
    pub(crate) end: Bytes,
}

impl<S: ObjectStore> SealedStore<S> {
    /// Opens the head of the object that is there, if the conditions in `options` hold.
    pub(crate) async fn open_head(&self, location: &Path, options: &GetOptions) -> Result<Arc<Opened>> {
        let Ends { meta, attributes, extensions, start, end } =
            self.fetch_ends(location, options, 0..MORE_AT_END).await?;
        let open = self.open_options(location)?;
        let [_, last] = FileRanges::ends(meta.size).map_err(at(location))?;
        let last_len = usize::try_from(last.end - last.start).unwrap_or(usize::MAX);
        let (size, last) = (meta.size, end.slice(end.len().saturating_sub(last_len)..));
        let file = run(&self.pool, location, MAY_BLOCK, move || FileRanges::open(&open, size, &start, &last)).await?;
        let file = file.map_err(at(location))?;
        let asked = options.version.clone();
        let opened = Arc::new(Opened { meta, attributes, extensions, asked, file, end });
        self.heads.keep(&opened);
        Ok(opened)
    }

    /// The ends that it takes to open the object that is there, and `more.start` bytes behind the first, `more.end` before the
    /// last.
    pub(crate) async fn fetch_ends(&self, location: &Path, options: &GetOptions, more: Range<u64>) -> Result<Ends> {
        for _ in 0..ATTEMPTS {
            let wanted = 0..BODY_OFFSET + more.start;
            let first = match self.inner.get_opts(location, ranged(options.clone(), &wanted)).await {
                Ok(first) => first,
                // Nothing can be fetched from an object without any bytes.
                Err(error @ Error::Generic { .. }) => return Err(self.refusal(location, options, error).await),
                Err(error) => return Err(error),
            };
            let (meta, attributes, extensions) =
                (first.meta.clone(), first.attributes.clone(), first.extensions.clone());
            let [slots, last] = FileRanges::ends(meta.size).map_err(at(location))?;
            let start = collect(first, &(slots.start..wanted.end.min(meta.size))).await?;
            let last = last.start.saturating_sub(more.end).max(BODY_OFFSET)..last.end;
            let mut end = Bytes::new();
            if !last.is_empty() {
                let Some(result) = self.fetch(location, options, &meta, &last).await? else { continue };
                end = collect(result, &last).await?;
            }
            return Ok(Ends { meta, attributes, extensions, start, end });
        }
        Err(SealedError::new(location, Reason::Changing).into())
    }

    /// Why there is nothing to fetch: not a sealed object if it is empty, and otherwise `error`.
    async fn refusal(&self, location: &Path, options: &GetOptions, error: Error) -> Error {
        match self.meta(location, options.clone()).await {
            Ok(meta) if meta.size == 0 => SealedError::new(location, FileError::NotSealed).into(),
            _ => error,
        }
    }

    /// Those stored bytes of the object that `meta` is of; `None` if another one is there. Conditions on it were checked before.
    pub(crate) async fn fetch(
        &self,
        location: &Path,
        options: &GetOptions,
        meta: &ObjectMeta,
        stored: &Range<u64>,
    ) -> Result<Option<GetResult>> {
        let GetOptions { version, extensions, .. } = options.clone();
        self.fetch_if(GetOptions { version, extensions, ..GetOptions::default() }, location, meta, stored).await
    }

    /// The same if the conditions in `options` hold.
    pub(crate) async fn fetch_if(
        &self,
        options: GetOptions,
        location: &Path,
        meta: &ObjectMeta,
        stored: &Range<u64>,
    ) -> Result<Option<GetResult>> {
        match self.inner.get_opts(location, ranged(options.clone(), stored)).await {
            Ok(result) => Ok(Some(result).filter(|result| same(meta, &result.meta))),
            // The object that is there now may be too short for it.
            Err(error @ Error::Generic { .. }) => {
                if self.is_there(options, location, meta).await.unwrap_or(true) {
                    Err(error)
                } else {
                    Ok(None)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the object is there that `meta` is of.
    pub(crate) async fn is_there(&self, options: GetOptions, location: &Path, meta: &ObjectMeta) -> Result<bool> {
        Ok(same(meta, &self.meta(location, options).await?))
    }

    async fn meta(&self, location: &Path, options: GetOptions) -> Result<ObjectMeta> {
        Ok(self.inner.get_opts(location, GetOptions { head: true, range: None, ..options }).await?.meta)
    }
}

fn ranged(options: GetOptions, range: &Range<u64>) -> GetOptions {
    GetOptions { range: Some(GetRange::Bounded(range.clone())), head: false, ..options }
}

/// All bytes of a result, which must be those of `wanted`; no more than that are held.
pub(crate) async fn collect(result: GetResult, wanted: &Range<u64>) -> Result<Bytes> {
    let result = checked(result, wanted)?;
    let (location, len) = (result.meta.location.clone(), wanted.end - wanted.start);
    let mut stream = match result.payload {
        GetResultPayload::Stream(stream) => stream,
        // There is a faster way than a stream of it.
        #[allow(unreachable_patterns, reason = "there are files only with the feature `fs` of `object_store`")]
        file => return GetResult { payload: file, ..result }.bytes().await,
    };
    let length = |given: usize| SealedError::new(&location, Reason::Length { wanted: len, given: given as u64 });
    let mut pieces = Vec::new();
    let mut given = 0_usize;
    while let Some(piece) = stream.try_next().await? {
        given = given.saturating_add(piece.len());
        if given as u64 > len {
            return Err(length(given).into());
        }
        pieces.push(piece);
    }
    if given as u64 != len {
        return Err(length(given).into());
    }
    Ok(PutPayload::from_iter(pieces).into())
}

/// A result that says that it is of `wanted`.
pub(crate) fn checked(result: GetResult, wanted: &Range<u64>) -> Result<GetResult> {
    if result.range == *wanted {
        return Ok(result);
    }
    let (wanted, given) = (wanted.end - wanted.start, result.range.end.saturating_sub(result.range.start));
    Err(SealedError::new(&result.meta.location, Reason::Length { wanted, given }).into())
}
