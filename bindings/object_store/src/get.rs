//! Reading: one range as a stream, many as bytes.

use crate::error::{Reason, SealedError, at, generic};
use crate::heads::{Heads, Opened};
use crate::opening::{ATTEMPTS, checked, collect};
use crate::store::{SealedStore, run};
use bytes::Bytes;
use futures::future::ready;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore, Result};
use objseal::Push;
use objseal::envelope::{Fetch, RangeOpener};
use objseal_tokio::Pool;
use std::ops::Range;
use std::sync::Arc;

/// Longest piece that a stream gives out, but for what a chunk before holds back.
const PIECE_LEN: usize = 1024 * 1024;
/// Fetches of one call that are on their way at the same time.
const PARALLEL: usize = 10;

/// An opened head to go by.
struct Known {
    opened: Arc<Opened>,
    /// Whether it was read for this very call; otherwise the object may be another one by now.
    fresh: bool,
}

impl<S: ObjectStore> SealedStore<S> {
    async fn known(&self, location: &Path, options: &GetOptions) -> Result<Known> {
        match self.heads.find(location, options.version.as_deref()) {
            Some(opened) => Ok(Known { opened, fresh: false }),
            None => Ok(Known { opened: self.open_head(location, options).await?, fresh: true }),
        }
    }

    /// The opened head of the object that is there now.
    async fn current(&self, location: &Path, options: &GetOptions) -> Result<Arc<Opened>> {
        let known = self.known(location, options).await?;
        if self.is_current(&known, location, options).await? {
            return Ok(known.opened);
        }
        self.open_head(location, options).await
    }

    async fn is_current(&self, known: &Known, location: &Path, options: &GetOptions) -> Result<bool> {
        Ok(known.fresh || self.is_there(options.clone(), location, &known.opened.meta).await?)
    }

    pub(crate) async fn get_plain(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            let opened = self.current(location, &options).await?;
            let range = asked(options.range.as_ref(), opened.plaintext_len())?;
            return Ok(result(&opened, range, stream::empty().boxed()));
        }
        for _ in 0..ATTEMPTS {
            let known = self.known(location, &options).await?;
            let opened = &known.opened;
            let range = asked(options.range.as_ref(), opened.plaintext_len());
            let wanted = range.as_ref().map_or(&[][..], std::slice::from_ref);
            let plan = opened.file.ranges().plan(wanted, self.gap).map_err(at(location))?;
            let source = match plan.first() {
                Some(fetch) => self.source(&known, location, &options, fetch).await?,
                None if self.is_current(&known, location, &options).await? => Some(stream::empty().boxed()),
                None => None,
            };
            match source {
                Some(source) => {
                    let pieces = match plan.first() {
                        Some(fetch) => self.opening(opened, fetch, source),
                        None => source,
                    };
                    return Ok(result(opened, range?, pieces));
                }
                None => self.heads.forget(opened),
            }
        }
        Err(SealedError::new(location, Reason::Changing).into())
    }

    /// The bytes of a fetch, as they come; `None` if another object is there.
    async fn source(
        &self,
        known: &Known,
        location: &Path,
        options: &GetOptions,
        fetch: &Fetch,
    ) -> Result<Option<BoxStream<'static, Result<Bytes>>>> {
        if let Some(bytes) = known.opened.at_hand(&fetch.stored) {
            let is_current = self.is_current(known, location, options).await?;
            return Ok(is_current.then(|| stream::once(ready(Ok(bytes))).boxed()));
        }
        let result = self.fetch_known(known, location, options, fetch).await?;
        result.map(|result| Ok(checked(result, &fetch.stored)?.into_stream())).transpose()
    }

    async fn fetch_known(
        &self,
        known: &Known,
        location: &Path,
        options: &GetOptions,
        fetch: &Fetch,
    ) -> Result<Option<GetResult>> {
        if known.fresh {
            self.fetch(location, options, &known.opened.meta, &fetch.stored).await
        } else {
            self.fetch_if(options.clone(), location, &known.opened.meta, &fetch.stored).await
        }
    }

    /// The plaintext of what `source` gives.
    fn opening(
        &self,
        opened: &Arc<Opened>,
        fetch: &Fetch,
        source: BoxStream<'static, Result<Bytes>>,
    ) -> BoxStream<'static, Result<Bytes>> {
        let len = fetch.stored.end - fetch.stored.start;
        let opening = Opening {
            source,
            opener: opened.file.ranges().opener(fetch),
            pending: Bytes::new(),
            len,
            left: len,
            opened: Arc::clone(opened),
            heads: Arc::clone(&self.heads),
            pool: self.pool.clone(),
        };
        stream::try_unfold(opening, Opening::next).boxed()
    }

    pub(crate) async fn get_plain_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let options = GetOptions::default();
        for _ in 0..ATTEMPTS {
            let known = self.known(location, &options).await?;
            if let Some(found) = self.find(&known, location, &options, ranges).await? {
                return Ok(found);
            }
            self.heads.forget(&known.opened);
        }
        Err(SealedError::new(location, Reason::Changing).into())
    }

    /// Those ranges of the object; `None` if another one is there.
    async fn find(
        &self,
        known: &Known,
        location: &Path,
        options: &GetOptions,
        ranges: &[Range<u64>],
    ) -> Result<Option<Vec<Bytes>>> {
        let len = known.opened.plaintext_len();
        let wanted: Result<Vec<_>> = ranges.iter().map(|range| asked(Some(&range.clone().into()), len)).collect();
        let plan = match &wanted {
            Ok(wanted) => known.opened.file.ranges().plan(wanted, self.gap).map_err(at(location))?,
            Err(_) => Vec::new(),
        };
        // If any is fetched, that tells whether the object is still there.
        let all_at_hand = plan.iter().all(|fetch| known.opened.at_hand(&fetch.stored).is_some());
        if all_at_hand && !self.is_current(known, location, options).await? {
            return Ok(None);
        }
        let wanted = wanted?;
        let fetched: Option<Vec<_>> = stream::iter(plan)
            .map(|fetch| self.fetch_and_open(known, location, options, fetch))
            .buffered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .collect();
        let cut = |fetched: Vec<(Fetch, Bytes)>| {
            let find = |range| fetched.iter().find_map(|(fetch, plain)| Some(plain.slice(fetch.find(range)?)));
            wanted.iter().map(|range| find(range).unwrap_or_default()).collect()
        };
        Ok(fetched.map(cut))
    }

    async fn fetch_and_open(
        &self,
        known: &Known,
        location: &Path,
        options: &GetOptions,
        fetch: Fetch,
    ) -> Result<Option<(Fetch, Bytes)>> {
        let bytes = match known.opened.at_hand(&fetch.stored) {
            Some(bytes) => bytes,
            None => match self.fetch_known(known, location, options, &fetch).await? {
                Some(result) => collect(result, &fetch.stored).await?,
                None => return Ok(None),
            },
        };
        let mut opener = known.opened.file.ranges().opener(&fetch);
        let opened = run(&self.pool, location, bytes.len(), move || {
            let mut plain = Vec::new();
            opener.update_vec(&bytes, &mut plain)?;
            opener.finish().map(|()| Bytes::from(plain))
        });
        match opened.await? {
            Ok(plain) => Ok(Some((fetch, plain))),
            Err(error) => Err(refused(&self.heads, &known.opened, error)),
        }
    }
}

/// The range that was asked for, of a plaintext of this length.
fn asked(range: Option<&GetRange>, len: u64) -> Result<Range<u64>> {
    range.map_or(Ok(0..len), |range| range.as_range(len)).map_err(generic)
}

fn result(opened: &Opened, range: Range<u64>, pieces: BoxStream<'static, Result<Bytes>>) -> GetResult {
    GetResult {
        payload: GetResultPayload::Stream(pieces),
        meta: opened.plain_meta(),
        range,
        attributes: opened.attributes.clone(),
        extensions: opened.extensions.clone(),
    }
}

/// The error of bytes that were not opened. The head is read anew the next time: an inner store may give two objects the same
/// `ETag`.
fn refused(heads: &Heads, opened: &Arc<Opened>, error: objseal::Error) -> object_store::Error {
    heads.forget(opened);
    at(&opened.meta.location)(error)
}

/// A fetch that is opened as it comes.
struct Opening {
    source: BoxStream<'static, Result<Bytes>>,
    opener: RangeOpener,
    /// What came and is not opened yet.
    pending: Bytes,
    len: u64,
    /// Bytes to come.
    left: u64,
    opened: Arc<Opened>,
    heads: Arc<Heads>,
    pool: Pool,
}

impl Opening {
    /// The next piece of the plaintext, once its tags hold.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        loop {
            if self.pending.is_empty() {
                let Some(bytes) = self.source.try_next().await? else { return self.end().map(|()| None) };
                let left = self.left.checked_sub(bytes.len() as u64);
                self.left = left.ok_or_else(|| self.length(self.len - self.left + bytes.len() as u64))?;
                self.pending = bytes;
                continue;
            }
            let piece = self.pending.split_to(self.pending.len().min(PIECE_LEN));
            let mut opener = self.opener;
            let opened = run(&self.pool, &self.opened.meta.location, piece.len(), move || {
                let mut plain = Vec::new();
                let opened = opener.update_vec(&piece, &mut plain);
                (opener, opened.map(|()| plain))
            });
            let (opener, plain) = opened.await?;
            self.opener = opener;
            let plain = plain.map_err(|error| refused(&self.heads, &self.opened, error))?;
            if !plain.is_empty() {
                return Ok(Some((plain.into(), self)));
            }
        }
    }

    /// That all has come.
    fn end(self) -> Result<()> {
        if self.left > 0 {
            return Err(self.length(self.len - self.left));
        }
        self.opener.finish().map_err(|error| refused(&self.heads, &self.opened, error))
    }

    fn length(&self, given: u64) -> object_store::Error {
        SealedError::new(&self.opened.meta.location, Reason::Length { wanted: self.len, given }).into()
    }
}
