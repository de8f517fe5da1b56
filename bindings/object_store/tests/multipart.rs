//! Uploads in parts of any size, polled in any order, broken off anywhere.

mod shared;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use objseal::envelope::{OpenOptions, SealOptions};
use objseal::{OsRandom, RandomError, RandomSource};
use objseal_object_store::SealedStore;
use shared::{Watched, key, pattern, read, reason, sealed};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

const PART_LEN: usize = 100_000;

fn store(layers: u8) -> SealedStore<Watched> {
    sealed(layers).with_part_len(PART_LEN)
}

fn lengths(store: &SealedStore<Watched>) -> Vec<usize> {
    std::mem::take(&mut *store.inner().uploads.lengths.lock().expect("no panic"))
}

async fn upload(store: &SealedStore<Watched>, location: &Path, parts: &[&[u8]]) {
    let mut upload = store.put_multipart(location).await.expect("begun");
    for part in parts {
        upload.put_part(part.to_vec().into()).await.expect("taken");
    }
    upload.complete().await.expect("whole");
}

async fn is_not_there(store: &SealedStore<Watched>, location: &Path) {
    assert!(matches!(store.get(location).await, Err(Error::NotFound { .. })));
    assert!(store.inner().list(None).try_collect::<Vec<_>>().await.expect("a listing").is_empty());
}

/// Turns until it is so. What never comes ends the test instead of hanging it.
async fn until(is_so: impl Fn() -> bool) {
    let turns = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), turns).await.expect("it never came");
}

async fn aborted(upload: &mut dyn MultipartUpload) {
    tokio::time::timeout(Duration::from_secs(60), upload.abort()).await.expect("it waits").expect("aborted");
}

#[tokio::test]
async fn parts_of_any_size() {
    let location = Path::from("a");
    let plain = pattern(1_000_000);
    for layers in [1, 2] {
        for cuts in [
            &[][..],
            &[0],
            &[1],
            &[0, 0, 5, 0],
            &[1, 999_999],
            &[1_000_000],
            &[99_000, 1, 100_000, 300_000, 0, 7],
            &[16_384; 20],
            &[10_000; 100],
            &[250_000; 4],
        ] {
            let store = store(layers);
            let mut at = 0;
            let parts: Vec<_> = cuts
                .iter()
                .map(|len| {
                    at += len;
                    &plain[at - len..at]
                })
                .collect();
            upload(&store, &location, &parts).await;
            assert_eq!(read(&store, &location).await.expect("authentic"), plain[..at], "{cuts:?}");
            let head = store.head(&location).await.expect("there");
            assert_eq!(head.size, at as u64);
            // All but the last have one length, and there are no more of them than the caller had, where those are long.
            let lengths = lengths(&store);
            let (last, full) = lengths.split_last().expect("a part");
            let part_len = full.first().copied().unwrap_or(*last);
            assert!(full.iter().all(|&len| len == part_len && len >= PART_LEN) && *last <= part_len, "{lengths:?}");
            if cuts.first().is_some_and(|&first| first >= PART_LEN) {
                assert!(lengths.len() <= cuts.len(), "{lengths:?}");
            }
            assert_eq!(lengths.iter().sum::<usize>(), store.inner().stored(&location).await.len());
        }
    }
}

#[tokio::test]
async fn payloads_of_many_pieces() {
    let location = Path::from("a");
    let plain = pattern(400_000);
    let store = store(1);
    let payload: PutPayload = plain.chunks(977).map(Bytes::copy_from_slice).collect();
    let mut upload = store.put_multipart(&location).await.expect("begun");
    upload.put_part(payload.clone()).await.expect("taken");
    upload.complete().await.expect("whole");
    assert_eq!(read(&store, &location).await.expect("authentic"), plain);
    store.put(&location, payload).await.expect("put");
    assert_eq!(read(&store, &location).await.expect("authentic"), plain);
}

#[tokio::test]
async fn the_order_is_that_of_the_calls() {
    let location = Path::from("a");
    let plain = pattern(900_000);
    for order in 0..3 {
        let store = store(1);
        let mut upload = store.put_multipart(&location).await.expect("begun");
        let mut futures: Vec<_> = plain.chunks(70_001).map(|part| upload.put_part(part.to_vec().into())).collect();
        match order {
            0 => {
                futures.reverse();
                for future in futures {
                    future.await.expect("taken");
                }
            }
            1 => drop(try_join_all(futures.into_iter().rev()).await.expect("taken")),
            // A part counts from the call on.
            _ => drop(futures),
        }
        upload.complete().await.expect("whole");
        assert_eq!(read(&store, &location).await.expect("authentic"), plain, "{order}");
    }
}

#[tokio::test]
async fn aborted_and_dropped_there_is_no_object() {
    let location = Path::from("a");
    let store = store(1);
    for parts in [0, 1, 5] {
        let mut upload = store.put_multipart(&location).await.expect("begun");
        for _ in 0..parts {
            upload.put_part(pattern(90_000).into()).await.expect("taken");
        }
        aborted(&mut *upload).await;
        is_not_there(&store, &location).await;
        assert_eq!(reason(&upload.put_part("more".into()).await.expect_err("it has ended")), "UploadEnded");
        assert_eq!(reason(&upload.complete().await.expect_err("it has ended")), "UploadEnded");
        assert_eq!(reason(&upload.abort().await.expect_err("it has ended")), "UploadEnded");
    }
    assert_eq!(store.inner().uploads.aborted.load(Ordering::Relaxed), 3);

    let mut upload = store.put_multipart(&location).await.expect("begun");
    let late = upload.put_part(pattern(500_000).into());
    drop(upload);
    assert_eq!(reason(&late.await.expect_err("it was dropped")), "UploadEnded");
    is_not_there(&store, &location).await;
}

#[tokio::test]
async fn an_abort_waits_for_nothing() {
    let location = Path::from("a");
    let store = store(1);
    *store.inner().uploads.gate.lock().expect("no panic") = Some(Arc::new(Semaphore::new(0)));
    let mut upload = store.put_multipart(&location).await.expect("begun");
    let parts: Vec<_> = (0..9).map(|_| upload.put_part(pattern(100_000).into())).collect();
    until(|| store.inner().uploads.waiting() >= 3).await;
    aborted(&mut *upload).await;
    is_not_there(&store, &location).await;
    let results = join_all(parts).await;
    assert!(results.iter().any(Result::is_err));
}

#[tokio::test]
async fn completed_once() {
    let location = Path::from("a");
    let store = store(1);
    let mut upload = store.put_multipart(&location).await.expect("begun");
    upload.put_part("some".into()).await.expect("taken");
    upload.complete().await.expect("whole");
    assert_eq!(reason(&upload.complete().await.expect_err("it has ended")), "UploadEnded");
    assert_eq!(reason(&upload.put_part("more".into()).await.expect_err("it has ended")), "UploadEnded");
    assert_eq!(read(&store, &location).await.expect("authentic"), "some");
}

#[tokio::test]
async fn a_part_that_fails_is_told() {
    let location = Path::from("a");
    for failing in [1, 2, 4, 11] {
        let store = store(1);
        *store.inner().uploads.failing.lock().expect("no panic") = Some(failing);
        let mut upload = store.put_multipart(&location).await.expect("begun");
        let mut errors = Vec::new();
        for _ in 0..12 {
            if let Err(error) = upload.put_part(pattern(99_000).into()).await {
                errors.push(error);
            }
        }
        errors.push(upload.complete().await.expect_err("a part is missing"));
        assert!(matches!(errors[0], Error::NotSupported { .. }), "{errors:?}");
        assert!(errors[1..].iter().all(|error| reason(error) == "UploadEnded"), "{errors:?}");
        aborted(&mut *upload).await;
        is_not_there(&store, &location).await;
    }
}

/// Random bytes for the beginnings of objects, and none for their ends.
struct Scarce(AtomicUsize);

impl RandomSource for Scarce {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        if self.0.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            return Err(RandomError::new());
        }
        OsRandom.fill(bytes)
    }
}

#[tokio::test]
async fn what_is_not_sealed_is_not_sent() {
    let location = Path::from("a");
    let seal = SealOptions::new(key("a")).with_random(Arc::new(Scarce(AtomicUsize::new(0))));
    let store = SealedStore::new(Watched::default(), seal, OpenOptions::new());
    let error = store.put(&location, pattern(200_000).into()).await.expect_err("no random bytes");
    assert_eq!(reason(&error), "File(Envelope(Seal(Random)))");
    let mut upload = store.put_multipart(&location).await.expect("begun");
    upload.put_part(pattern(200_000).into()).await.expect("taken");
    assert_eq!(reason(&upload.complete().await.expect_err("no random bytes")), "File(Envelope(Seal(Random)))");
    assert_eq!(reason(&upload.complete().await.expect_err("it has ended")), "UploadEnded");
    aborted(&mut *upload).await;
    is_not_there(&store, &location).await;
}

/// However much the caller hands over, few parts are sealed that are not sent.
#[tokio::test]
async fn memory_is_bounded() {
    let location = Path::from("a");
    for (part_len, most) in [(20_000, 4), (100_000, 3), (190_000, 2), (900_000, 1)] {
        let store = store(1);
        let gate = Arc::new(Semaphore::new(0));
        *store.inner().uploads.gate.lock().expect("no panic") = Some(Arc::clone(&gate));
        let plain = pattern(3_600_000);
        let mut upload = store.put_multipart(&location).await.expect("begun");
        let parts: Vec<_> = plain.chunks(part_len).map(|part| upload.put_part(part.to_vec().into())).collect();
        let parts = tokio::spawn(try_join_all(parts));
        let sent = |at_least: usize| {
            let uploads = Arc::clone(&store.inner().uploads);
            until(move || uploads.lengths.lock().expect("no panic").len() >= at_least)
        };
        for round in 0..2 {
            sent(most + round).await;
            // Some more turns change nothing.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(store.inner().uploads.lengths.lock().expect("no panic").len(), most + round, "{part_len}");
            gate.add_permits(1);
        }
        gate.add_permits(Semaphore::MAX_PERMITS / 2);
        parts.await.expect("no panic").expect("taken");
        upload.complete().await.expect("whole");
        assert!(store.inner().uploads.most_waiting() <= most);
        assert_eq!(read(&store, &location).await.expect("authentic"), plain);
    }
}
