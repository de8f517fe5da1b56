//! What the tests share: keys, and a store that counts, lies and breaks off.

#![allow(dead_code, reason = "each suite uses a part of it")]

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use objseal::Key;
use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
use objseal_object_store::{Reason, SealedError, SealedStore};
use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

pub(crate) fn key(name: &str) -> Arc<WrappingKey> {
    Arc::new(WrappingKey::new("tests", name, 1, Key::generate().expect("random bytes")).expect("a name"))
}

/// A store in memory, sealed in so many layers.
pub(crate) fn sealed(layers: u8) -> SealedStore<Watched> {
    sealed_in(Watched::default(), layers)
}

pub(crate) fn sealed_in<S>(inner: S, layers: u8) -> SealedStore<S> {
    let (a, b) = (key("a"), key("b"));
    let seal = SealOptions::new(a.clone());
    let seal = if layers == 2 { seal.with_outer_key(b.clone()) } else { seal };
    SealedStore::new(inner, seal, OpenOptions::new().with_key(a).with_key(b))
}

/// Bytes that repeat with a prime period.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from(at % 251).expect("below 251") ^ u8::try_from(at >> 8 & 0xff).expect("a byte"))
        .collect()
}

pub(crate) async fn read<S: ObjectStore>(store: &SealedStore<S>, location: &Path) -> Result<Bytes> {
    store.get(location).await?.bytes().await
}

/// Why this store refused it.
pub(crate) fn reason(error: &Error) -> String {
    let sealed = error.source().and_then(|source| source.downcast_ref::<SealedError>());
    sealed.map_or_else(|| format!("not refused here: {error:?}"), |sealed| format!("{:?}", sealed.reason()))
}

#[track_caller]
pub(crate) fn assert_authentication(error: &Error) {
    assert!(matches!(error, Error::Generic { store: "SealedStore", .. }), "{error:?}");
    assert_eq!(reason(error), "File(Envelope(Authentication))");
}

#[track_caller]
pub(crate) fn assert_length(error: &Error, wanted: u64, given: u64) {
    let sealed = error.source().and_then(|source| source.downcast_ref::<SealedError>()).expect("refused here");
    let Reason::Length { wanted: said, given: got } = sealed.reason() else { panic!("{error:?}") };
    assert_eq!((*said, *got), (wanted, given));
}

/// A fetch as it was asked for; `None` for a head.
pub(crate) type Asked = Option<Range<u64>>;

type Change = dyn Fn(&GetOptions, GetResult) -> Result<GetResult> + Send + Sync;

/// A store in memory that counts fetches and can be told to lie.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) memory: Arc<InMemory>,
    asked: Mutex<Vec<Asked>>,
    /// What is put there before the fetch of this number is answered.
    exchanges: Mutex<Vec<(usize, Path, Bytes)>>,
    change: Mutex<Option<Box<Change>>>,
    pub(crate) uploads: Arc<Uploads>,
}

/// What became of the parts of uploads.
#[derive(Default)]
pub(crate) struct Uploads {
    pub(crate) lengths: Mutex<Vec<usize>>,
    /// Parts that wait for [`Uploads::gate`], and the most that ever did.
    waiting: Mutex<(usize, usize)>,
    /// The part of this number fails.
    pub(crate) failing: Mutex<Option<usize>>,
    /// Each part waits for a permit, if there is a gate.
    pub(crate) gate: Mutex<Option<Arc<Semaphore>>>,
    pub(crate) aborted: AtomicUsize,
}

impl Uploads {
    pub(crate) fn most_waiting(&self) -> usize {
        self.waiting.lock().expect("no panic").1
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().expect("no panic").0
    }
}

#[derive(Debug)]
struct WatchedUpload(Box<dyn MultipartUpload>, Arc<Uploads>);

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uploads")
    }
}

#[async_trait]
impl MultipartUpload for WatchedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let uploads = Arc::clone(&self.1);
        let number = {
            let mut lengths = uploads.lengths.lock().expect("no panic");
            lengths.push(data.content_length());
            lengths.len()
        };
        let fails = *uploads.failing.lock().expect("no panic") == Some(number);
        let gate = uploads.gate.lock().expect("no panic").clone();
        let part = self.0.put_part(data);
        async move {
            if let Some(gate) = gate {
                {
                    let mut waiting = uploads.waiting.lock().expect("no panic");
                    waiting.0 += 1;
                    waiting.1 = waiting.1.max(waiting.0);
                }
                gate.acquire().await.expect("open").forget();
                uploads.waiting.lock().expect("no panic").0 -= 1;
            }
            if fails {
                return Err(Error::NotSupported { source: "this part fails".into() });
            }
            part.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.0.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.1.aborted.fetch_add(1, Ordering::Relaxed);
        self.0.abort().await
    }
}

impl Watched {
    /// What was fetched since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }

    /// Puts `bytes` there before the fetch after `count` more is answered.
    pub(crate) fn exchange_after(&self, count: usize, location: &Path, bytes: &Bytes) {
        self.take();
        self.exchange_at(count + 1, location, bytes);
    }

    /// Puts `bytes` there before the fetch of this number is answered, from 1 on since [`take`](Self::take).
    pub(crate) fn exchange_at(&self, number: usize, location: &Path, bytes: &Bytes) {
        self.exchanges.lock().expect("no panic").push((number, location.clone(), bytes.clone()));
    }

    /// Changes all answers from now on.
    pub(crate) fn lie(&self, change: impl Fn(&GetOptions, GetResult) -> Result<GetResult> + Send + Sync + 'static) {
        *self.change.lock().expect("no panic") = Some(Box::new(change));
    }

    pub(crate) fn be_honest(&self) {
        *self.change.lock().expect("no panic") = None;
    }

    /// The stored bytes.
    pub(crate) async fn stored(&self, location: &Path) -> Bytes {
        self.memory.get(location).await.expect("there").bytes().await.expect("in memory")
    }

    pub(crate) async fn store(&self, location: &Path, bytes: impl Into<Bytes>) {
        self.memory.put(location, bytes.into().into()).await.expect("in memory");
    }
}

/// How many bytes these fetches ask for.
pub(crate) fn bytes_of(asked: &[Asked]) -> u64 {
    asked.iter().flatten().map(|range| range.end - range.start).sum()
}

/// The same result with other bytes.
pub(crate) fn with_bytes(result: GetResult, change: impl Fn(Vec<u8>) -> Vec<u8> + Send + 'static) -> GetResult {
    let GetResultPayload::Stream(stream) = result.payload else { panic!("it is in memory") };
    let stream = stream.map(move |piece| piece.map(|piece| Bytes::from(change(piece.to_vec())))).boxed();
    GetResult { payload: GetResultPayload::Stream(stream), ..result }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.memory.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.memory.put_multipart_opts(location, opts).await?;
        Ok(Box::new(WatchedUpload(upload, Arc::clone(&self.uploads))))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let range = match (&options.range, options.head) {
            (_, true) => None,
            (Some(GetRange::Bounded(range)), false) => Some(range.clone()),
            other => panic!("an unbounded fetch: {other:?}"),
        };
        let count = {
            let mut asked = self.asked.lock().expect("no panic");
            asked.push(range);
            asked.len()
        };
        let due: Vec<_> = self.exchanges.lock().expect("no panic").extract_if(.., |(at, ..)| *at == count).collect();
        for (_, location, bytes) in due {
            self.store(&location, bytes).await;
        }
        let result = self.memory.get_opts(location, options.clone()).await?;
        match &*self.change.lock().expect("no panic") {
            Some(change) => change(&options, result),
            None => Ok(result),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
