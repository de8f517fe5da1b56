//! What is read is the plaintext, with as few fetches and bytes as it takes.

#![allow(clippy::single_range_in_vec_init, reason = "one range is a list of ranges")]

mod shared;

use futures::executor::block_on;
use futures::stream::StreamExt;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use objseal::cobblestone::{CHUNK_LEN, SEALED_CHUNK_LEN, Threads};
use objseal::envelope::{
    EncryptionContext, KeyRequest, KeyService, KeyServiceError, OpenOptions, SealOptions, WrappingKey,
};
use objseal::file::{self, BODY_OFFSET};
use objseal_object_store::SealedStore;
use shared::{Watched, bytes_of, key, pattern, read, reason, sealed, sealed_in};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

const CHUNK: u64 = CHUNK_LEN as u64;

fn at(at: u64) -> usize {
    usize::try_from(at).expect("in memory")
}

#[tokio::test]
async fn every_kind_of_range_at_every_border() {
    let location = Path::from("a");
    for layers in [1, 2] {
        for kept in [0, 8] {
            let store = sealed(layers).with_kept_heads(kept);
            for len in [0, 1, CHUNK - 57, CHUNK - 56, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 100_000, 1_500_000] {
                let plain = pattern(at(len));
                store.put(&location, plain.clone().into()).await.expect("put");
                assert_eq!(read(&store, &location).await.expect("whole"), plain);
                let head = store.head(&location).await.expect("there");
                assert_eq!(head.size, len);
                let borders = [0, 1, CHUNK - 56, CHUNK - 1, CHUNK, CHUNK + 1, len / 2, len.saturating_sub(1), len];
                let mut borders: Vec<_> = borders.into_iter().filter(|&border| border <= len).collect();
                borders.sort_unstable();
                borders.dedup();
                let mut ranges = Vec::new();
                for (index, &from) in borders.iter().enumerate() {
                    for kind in [GetRange::Offset(from), GetRange::Suffix(from)] {
                        let expected = kind.as_range(len);
                        let result = store.get_opts(&location, GetOptions::new().with_range(Some(kind))).await;
                        let Ok(expected) = expected else {
                            assert!(matches!(result, Err(Error::Generic { .. })), "{from} of {len}");
                            continue;
                        };
                        let result = result.expect("within");
                        assert_eq!((&result.range, result.meta.size), (&expected, len));
                        let bytes = result.bytes().await.expect("authentic");
                        assert_eq!(bytes, plain[at(expected.start)..at(expected.end)], "{expected:?} of {len}");
                    }
                    for &to in &borders[index + 1..] {
                        let bytes = store.get_range(&location, from..to).await.expect("authentic");
                        assert_eq!(bytes, plain[at(from)..at(to)], "{from}..{to} of {len}");
                        ranges.push(from..to);
                    }
                }
                ranges.reverse();
                let found = store.get_ranges(&location, &ranges).await.expect("authentic");
                assert_eq!(found.len(), ranges.len());
                for (range, bytes) in ranges.iter().zip(found) {
                    assert_eq!(bytes, plain[at(range.start)..at(range.end)], "{range:?} of {len}");
                }
                // Beyond the end as other stores do it.
                if len > 0 {
                    let found = store.get_ranges(&location, &[len - 1..len + 9]).await.expect("what there is");
                    assert_eq!(found[0], plain[at(len) - 1..]);
                }
                for bad in [len..len + 1, 0..0] {
                    store.get_range(&location, bad.clone()).await.expect_err("nothing there");
                    store.get_ranges(&location, &[bad]).await.expect_err("nothing there");
                }
                assert!(store.get_ranges(&location, &[]).await.expect("nothing").is_empty());
            }
        }
    }
}

#[tokio::test]
async fn fetches_are_counted() {
    let location = Path::from("a");
    for (layers, chunks) in [(1, 1), (2, 2)] {
        let len = 100 * CHUNK + 5;
        let plain = pattern(at(len));
        let store = sealed(layers).with_gap(SEALED_CHUNK_LEN as u64 / 2);
        store.put(&location, plain.clone().into()).await.expect("put");
        let stored_len = store.inner().stored(&location).await.len() as u64;
        store.inner().take();

        // Two ends and the range.
        store.get_range(&location, 40 * CHUNK + 1_000..40 * CHUNK + 1_001).await.expect("authentic");
        let asked = store.inner().take();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert_eq!(asked[0], Some(0..BODY_OFFSET));
        assert_eq!(asked[1].clone().expect("a range").end, stored_len);
        assert!(
            bytes_of(&asked[1..2]) < 50_000 && bytes_of(&asked[2..]) <= chunks * SEALED_CHUNK_LEN as u64,
            "{asked:?}"
        );

        // The head is kept: one fetch.
        store.get_range(&location, 0..10).await.expect("authentic");
        assert_eq!(store.inner().take().len(), 1);
        // Of what is near the end none, but whether it is the same object.
        store.get_range(&location, len - 9_000..len).await.expect("authentic");
        assert_eq!(store.inner().take(), [None]);
        store.get_ranges(&location, &[len - 8..len - 4, len - 3..len]).await.expect("authentic");
        assert_eq!(store.inner().take(), [None]);
        store.head(&location).await.expect("there");
        assert_eq!(store.inner().take(), [None]);

        // One for each merged range; those near each other are one.
        let ranges = [70 * CHUNK..71 * CHUNK, 10 * CHUNK..10 * CHUNK + 1, 5..6, 10 * CHUNK + 9..11 * CHUNK + 2];
        let found = store.get_ranges(&location, &ranges).await.expect("authentic");
        for (range, bytes) in ranges.iter().zip(found) {
            assert_eq!(bytes, plain[at(range.start)..at(range.end)]);
        }
        let asked = store.inner().take();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(bytes_of(&asked) <= (1 + 2 + 1 + 3 * (chunks - 1) + 1) * SEALED_CHUNK_LEN as u64, "{asked:?}");
        let store = store.with_gap(u64::MAX);
        store.get_ranges(&location, &ranges).await.expect("authentic");
        assert_eq!(store.inner().take().len(), 1);

        // All of it.
        read(&store, &location).await.expect("authentic");
        let asked = store.inner().take();
        assert_eq!(asked.len(), 1);
        assert!(bytes_of(&asked) < stored_len);

        // Small objects are in the two ends.
        let small = Path::from("small");
        store.put(&small, pattern(5_000).into()).await.expect("put");
        assert_eq!(read(&store, &small).await.expect("authentic"), pattern(5_000));
        assert_eq!(store.inner().take().len(), 2);

        // Nothing is kept.
        let store = store.with_kept_heads(0);
        store.get_range(&location, 0..10).await.expect("authentic");
        store.get_range(&location, 0..10).await.expect("authentic");
        assert_eq!(store.inner().take().len(), 6);
    }
}

#[tokio::test]
async fn at_most_so_many_heads_are_kept() {
    let store = sealed(1).with_kept_heads(2);
    let locations = ["a", "b", "c"].map(Path::from);
    for location in &locations {
        store.put(location, pattern(100_000).into()).await.expect("put");
        store.get_range(location, 0..1).await.expect("authentic");
    }
    for (index, fetches) in [(2, 1), (1, 1), (0, 3), (1, 1), (2, 3)] {
        store.inner().take();
        store.get_range(&locations[index], 0..1).await.expect("authentic");
        assert_eq!(store.inner().take().len(), fetches, "{index}");
    }
}

#[tokio::test]
async fn an_exchanged_object_is_noticed() {
    let location = Path::from("a");
    let (long, short) = (pattern(200_000), vec![7; 200_000]);
    for new in [short, pattern(10), pattern(400_001), Vec::new()] {
        let store = sealed(1);
        let whole = || read(&store, &location);
        store.put(&location, long.clone().into()).await.expect("put");
        assert_eq!(whole().await.expect("authentic"), long);
        store.put(&location, new.clone().into()).await.expect("put");
        assert_eq!(whole().await.expect("authentic"), new);

        // By every way of reading.
        let tail = |plain: &[u8]| plain[plain.len().saturating_sub(4)..].to_vec();
        let suffix = GetOptions::new().with_range(Some(GetRange::Suffix(4)));
        for plain in [&long, &new, &long] {
            store.put(&location, plain.clone().into()).await.expect("put");
            let result = store.get_opts(&location, suffix.clone()).await.expect("there");
            assert_eq!(result.bytes().await.expect("authentic"), tail(plain));
            store.put(&location, long.clone().into()).await.expect("put");
            assert_eq!(store.head(&location).await.expect("there").size, 200_000);
        }
        store.put(&location, new.clone().into()).await.expect("put");
        let found = store.get_ranges(&location, &[100_000..100_004]).await;
        match new.len() {
            // By the length that it has now.
            0 | 10 => assert!(matches!(found, Err(Error::Generic { store: "SealedStore", .. })), "{found:?}"),
            _ => assert_eq!(found.expect("authentic"), [&new[100_000..100_004]]),
        }
        store.delete(&location).await.expect("deleted");
        for error in [whole().await.expect_err("gone"), store.head(&location).await.expect_err("gone")] {
            assert!(matches!(error, Error::NotFound { .. }), "{error}");
        }
        let error = store.get_ranges(&location, &[0..4]).await.expect_err("gone");
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn without_an_etag_no_head_is_kept() {
    let store = sealed(1);
    store.inner().lie(|_, mut result| {
        result.meta.e_tag = None;
        Ok(result)
    });
    let location = Path::from("a");
    for plain in [vec![1; 100_000], vec![2; 100_000]] {
        store.put(&location, plain.clone().into()).await.expect("put");
        store.inner().take();
        assert_eq!(store.get_range(&location, 0..2).await.expect("authentic"), plain[..2]);
        assert_eq!(store.inner().take().len(), 3);
    }
}

#[tokio::test]
async fn conditions_hold_with_a_kept_head() {
    let store = sealed(1);
    let location = Path::from("a");
    for len in [10, 100_000] {
        let first = store.put(&location, pattern(len).into()).await.expect("put").e_tag.expect("it has one");
        read(&store, &location).await.expect("authentic");
        let second = store.put(&location, pattern(len).into()).await.expect("put").e_tag.expect("it has one");
        for head in [false, true, false] {
            let get = |options: GetOptions| store.get_opts(&location, options.with_head(head));
            let error = get(GetOptions::new().with_if_match(Some(&first))).await.expect_err("another one");
            assert!(matches!(error, Error::Precondition { .. }), "{error}");
            let error = get(GetOptions::new().with_if_none_match(Some(&second))).await.expect_err("the same");
            assert!(matches!(error, Error::NotModified { .. }), "{error}");
            let result = get(GetOptions::new().with_if_match(Some(&second))).await.expect("the same");
            assert_eq!(result.meta.e_tag.as_ref(), Some(&second));
            assert_eq!(result.bytes().await.expect("authentic").len(), if head { 0 } else { len });
        }
    }
}

#[tokio::test]
async fn versions_are_kept_apart() {
    let store = sealed(1);
    let location = Path::from("a");
    store.put(&location, pattern(200_000).into()).await.expect("put");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    store.inner().lie(move |options, mut result| {
        seen.lock().expect("no panic").push(options.version.clone());
        result.meta.version = options.version.clone().or_else(|| Some("2".into()));
        Ok(result)
    });
    for (version, fetches) in [(Some("1"), 3), (None, 3), (Some("1"), 1), (None, 1)] {
        let options = GetOptions::new().with_version(version).with_range(Some(0..4));
        let result = store.get_opts(&location, options).await.expect("there");
        assert_eq!(result.meta.version.as_deref(), version.or(Some("2")));
        assert_eq!(result.bytes().await.expect("authentic"), pattern(4));
        let asked = std::mem::take(&mut *asked.lock().expect("no panic"));
        assert_eq!(asked, vec![version.map(String::from); fetches]);
    }
}

#[tokio::test]
async fn pieces_are_bounded_and_come_as_they_are_fetched() {
    let store = sealed(1);
    let location = Path::from("a");
    let plain = pattern(5_000_000);
    store.put(&location, plain.clone().into()).await.expect("put");
    let pieces: Vec<_> = store.get(&location).await.expect("there").into_stream().collect().await;
    assert!(pieces.len() > 4);
    let pieces: Vec<_> = pieces.into_iter().map(|piece| piece.expect("authentic")).collect();
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 1024 * 1024 + CHUNK_LEN));
    assert_eq!(pieces.concat(), plain);
}

#[test]
fn without_a_runtime() {
    let store = sealed(1);
    let location = Path::from("a");
    let plain = pattern(1_000_000);
    block_on(store.put(&location, plain.clone().into())).expect("put");
    assert_eq!(block_on(read(&store, &location)).expect("authentic"), plain);
    let error = block_on(store.put_multipart(&location)).expect_err("it has a task of its own");
    assert_eq!(reason(&error), "NoRuntime");
}

/// A key service that keeps the threads on which it was asked.
#[derive(Debug)]
struct Slow(Arc<WrappingKey>, Mutex<Vec<ThreadId>>);

impl KeyService for Slow {
    fn name(&self) -> &str {
        "tests"
    }

    fn wrapping_key(&self, _: &str, _: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        Ok(Arc::clone(&self.0))
    }

    fn reopen(&self, _: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.1.lock().expect("no panic").push(std::thread::current().id());
        Ok(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn key_services_do_not_block_the_runtime() {
    let key = key("a");
    let service = Arc::new(Slow(key.clone(), Mutex::default()));
    let open = OpenOptions::new().with_service(service.clone());
    let store = SealedStore::new(Watched::default(), SealOptions::new(key), open);
    let (from, to) = (Path::from("a"), Path::from("b"));
    store.put(&from, PutPayload::from("some")).await.expect("put");
    assert_eq!(read(&store, &from).await.expect("authentic"), "some");
    store.copy(&from, &to).await.expect("copied");
    let asked = service.1.lock().expect("no panic");
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|&thread| thread != std::thread::current().id()));
}

#[tokio::test]
async fn an_object_is_a_sealed_file_at_its_location() {
    let (location, plain) = (Path::from("a/b c"), pattern(100_000));
    let key = key("a");
    let store =
        SealedStore::new(Watched::default(), SealOptions::new(key.clone()), OpenOptions::new().with_key(key.clone()));
    store.put(&location, plain.clone().into()).await.expect("put");
    let stored = store.inner().stored(&location).await;
    let context = EncryptionContext::from_pairs([("path", "a/b c")]).expect("a context");
    let open = OpenOptions::new().with_key(key.clone()).with_context(context);
    let mut opened = Vec::new();
    let info = file::open(&open, &stored[..], &mut opened, &Threads::available()).expect("authentic");
    assert_eq!(opened, plain);
    assert_eq!(info.envelope.head().context.stored().count(), 0, "the location is not in it");
    // One that was sealed elsewhere opens here.
    let seal = SealOptions::new(key).with_context(info.envelope.head().context.clone());
    let mut sealed = Vec::new();
    file::seal(&seal, &b"other"[..], &mut sealed, &Threads::available()).expect("sealed");
    store.inner().store(&location, sealed).await;
    assert_eq!(read(&store, &location).await.expect("authentic"), "other");
}

#[tokio::test]
async fn a_location_that_does_not_fit() {
    let store = sealed(1);
    let location = Path::from("a".repeat(9_000));
    let put = store.put(&location, "some".into()).await.map(drop);
    let get = store.get(&location).await.map(drop);
    let upload = store.put_multipart(&location).await.map(drop);
    for result in [put, upload] {
        assert_eq!(reason(&result.expect_err("too long")), "File(Envelope(Format(TooLong)))");
    }
    assert!(matches!(get, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn it_stands_behind_arc_and_dyn() {
    let inner: Arc<dyn ObjectStore> = Arc::new(Watched::default());
    let store: Arc<dyn ObjectStore> = Arc::new(sealed_in(inner, 1));
    assert_eq!(store.to_string(), "SealedStore(Watched)");
    let location = Path::from("a");
    store.put(&location, "some".into()).await.expect("put");
    assert_eq!(store.get(&location).await.expect("there").bytes().await.expect("authentic"), "some");
}
