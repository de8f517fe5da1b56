//! A store that answers with something else than what was put there: each answer is refused for its own reason.

#![allow(clippy::single_range_in_vec_init, reason = "one range is a list of ranges")]

mod shared;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt};
use objseal::cobblestone::SEALED_CHUNK_LEN;
use objseal::envelope::{EncryptionContext, OpenOptions, SealOptions};
use objseal::file::BODY_OFFSET;
use objseal_object_store::SealedStore;
use shared::{Watched, assert_authentication, assert_length, key, pattern, read, reason, sealed, with_bytes};
use std::sync::Arc;

const LEN: usize = 200_000;

/// All ways to read; that each is refused.
async fn errors(store: &SealedStore<Watched>, location: &Path) -> Vec<Error> {
    let middle = LEN as u64 / 2;
    let whole = read(store, location).await.map(drop);
    let range = store.get_range(location, middle..middle + 9).await.map(drop);
    let ranges = store.get_ranges(location, &[0..4, middle..middle + 9]).await.map(drop);
    [whole, range, ranges].map(|result| result.expect_err("refused")).into()
}

#[tokio::test]
async fn objects_are_bound_to_their_place() {
    let locations = ["a", "b", "c/d"].map(Path::from);
    for layers in [1, 2] {
        let stored_pairs = sealed(layers)
            .with_context(|location| EncryptionContext::from_pairs([("bucket", "x"), ("key", location.as_ref())]));
        for (store, expected) in
            [(sealed(layers), "File(Envelope(Authentication))"), (stored_pairs, "File(Envelope(Policy(Context)))")]
        {
            for location in &locations {
                store.put(location, pattern(LEN).into()).await.expect("put");
            }
            for from in &locations {
                for to in locations.iter().filter(|&to| to != from) {
                    let old = store.inner().stored(to).await;
                    store.inner().store(to, store.inner().stored(from).await).await;
                    for error in errors(&store, to).await {
                        assert_eq!(reason(&error), expected, "{from} at {to}");
                    }
                    let error = store.head(to).await.expect_err("refused");
                    assert_eq!(reason(&error), expected);
                    let error = store.copy(to, &Path::from("copy")).await.expect_err("refused");
                    assert_eq!(reason(&error), expected);
                    store.inner().store(to, old).await;
                    assert_eq!(read(&store, to).await.expect("as it was"), pattern(LEN));
                }
            }
        }
    }
}

/// Only whoever keeps count elsewhere can tell; what is bound to no place cannot be told apart either.
#[tokio::test]
async fn what_is_accepted() {
    let location = Path::from("a");
    let store = sealed(1);
    store.put(&location, "old".into()).await.expect("put");
    let old = store.inner().stored(&location).await;
    store.put(&location, "new".into()).await.expect("put");
    assert_eq!(read(&store, &location).await.expect("authentic"), "new");
    store.inner().store(&location, old).await;
    assert_eq!(read(&store, &location).await.expect("authentic, once"), "old");

    let unbound = sealed(1).with_context(|_| Ok(EncryptionContext::new()));
    unbound.put(&location, "some".into()).await.expect("put");
    unbound.inner().store(&Path::from("b"), unbound.inner().stored(&location).await).await;
    assert_eq!(read(&unbound, &Path::from("b")).await.expect("authentic"), "some");
}

#[tokio::test]
async fn an_older_version_under_the_names_of_the_new_one() {
    let location = Path::from("a");
    let store = sealed(1);
    store.put(&location, pattern(LEN).into()).await.expect("put");
    let old = store.inner().stored(&location).await;
    store.put(&location, vec![7; LEN].into()).await.expect("put");
    let meta = store.inner().memory.head(&location).await.expect("there");
    assert_eq!(read(&store, &location).await.expect("authentic"), vec![7; LEN]);
    store.inner().store(&location, old).await;
    store.inner().lie(move |_, mut result| {
        result.meta = meta.clone();
        Ok(result)
    });
    assert_authentication(&read(&store, &location).await.expect_err("the kept head is of another one"));
    // The head was dropped: it may be the inner store that gives two objects one name.
    assert_eq!(read(&store, &location).await.expect("authentic, once"), pattern(LEN));
}

#[tokio::test]
async fn changed_cut_and_extended() {
    let location = Path::from("a");
    for layers in [1, 2] {
        let store = sealed(layers);
        store.put(&location, pattern(LEN).into()).await.expect("put");
        let stored = store.inner().stored(&location).await.to_vec();
        let body = usize::try_from(BODY_OFFSET).expect("short");

        // A byte of the body, and all of the end.
        for at in (body + 60..stored.len()).step_by(9_973).chain(stored.len() - 70..stored.len()) {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            store.inner().store(&location, changed).await;
            assert_authentication(&read(&store, &location).await.expect_err("changed"));
        }
        // A slot alone does not matter; both do.
        for at in [0, 100, 4_095] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            store.inner().store(&location, changed.clone()).await;
            assert_eq!(read(&store, &location).await.expect("the other slot"), pattern(LEN));
            changed[4_096 + at] ^= 1;
            store.inner().store(&location, changed).await;
            for error in errors(&store, &location).await {
                assert_eq!(reason(&error), "File(NotSealed)");
            }
        }
        for len in [body + 200, stored.len() - SEALED_CHUNK_LEN, stored.len() - 1, body] {
            store.inner().store(&location, stored[..len].to_vec()).await;
            errors(&store, &location).await.iter().for_each(assert_authentication);
        }
        for more in [1, SEALED_CHUNK_LEN, 100_000] {
            let mut longer = stored.clone();
            longer.resize(stored.len() + more, 0);
            store.inner().store(&location, longer).await;
            errors(&store, &location).await.iter().for_each(assert_authentication);
            // With the end at the end.
            let mut longer = stored.clone();
            let tail = longer.split_off(stored.len() - 120);
            longer.extend(vec![0; more]);
            longer.extend(tail);
            store.inner().store(&location, longer).await;
            errors(&store, &location).await.iter().for_each(assert_authentication);
        }
        for len in [0, 1, body - 1] {
            store.inner().store(&location, stored[..len].to_vec()).await;
            for error in errors(&store, &location).await {
                assert_eq!(reason(&error), "File(NotSealed)", "{len}");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_size() {
    let location = Path::from("a");
    let store = sealed(1);
    store.put(&location, pattern(LEN).into()).await.expect("put");
    let stored = store.inner().stored(&location).await.len() as u64;
    for size in [0, 1, BODY_OFFSET, BODY_OFFSET + 300, stored - 1, stored + 1, stored + 100_000, u64::MAX] {
        store.inner().lie(move |_, mut result| {
            result.meta.size = size;
            Ok(result)
        });
        for error in errors(&store, &location).await {
            let reason = reason(&error);
            let expected = match size {
                0 | 1 => reason == "File(NotSealed)",
                // There is nothing, or less, where the end should be.
                _ if size > stored => {
                    reason.starts_with("Length") || matches!(error, Error::Generic { store: "InMemory", .. })
                }
                _ => reason == "File(Envelope(Authentication))",
            };
            assert!(expected, "{size}: {reason}");
        }
    }
}

#[tokio::test]
async fn other_bytes_than_were_asked_for() {
    let location = Path::from("a");
    for kept in [0, 8] {
        let store = sealed(1).with_kept_heads(kept);
        store.put(&location, pattern(LEN).into()).await.expect("put");
        let middle = 100_000..100_010_u64;
        let fetched = SEALED_CHUNK_LEN as u64;
        let both = async |wanted, given| {
            let one = store.get_range(&location, middle.clone()).await.expect_err("refused");
            let many = store.get_ranges(&location, std::slice::from_ref(&middle)).await.expect_err("refused");
            for error in [one, many] {
                assert_length(&error, wanted, given);
            }
        };
        let ends_are_honest = |change: fn(GetResult) -> GetResult| {
            move |options: &object_store::GetOptions, result: GetResult| {
                let len = result.range.end - result.range.start;
                Ok(if !options.head && len == SEALED_CHUNK_LEN as u64 { change(result) } else { result })
            }
        };
        store.inner().lie(ends_are_honest(|result| with_bytes(result, |bytes| bytes[1..].to_vec())));
        both(fetched, fetched - 1).await;
        store.inner().lie(ends_are_honest(|result| with_bytes(result, |bytes| [&bytes[..], &[0]].concat())));
        both(fetched, fetched + 1).await;
        store.inner().lie(ends_are_honest(|result| with_bytes(result, |_| Vec::new())));
        both(fetched, 0).await;
        store.inner().lie(ends_are_honest(|mut result| {
            result.range.end -= 5;
            result
        }));
        both(fetched, fetched - 5).await;
        // Without an end: no more of it is held than was asked for.
        store.inner().lie(ends_are_honest(|result| {
            let payload = GetResultPayload::Stream(stream::repeat_with(|| Ok(Bytes::from(vec![0; 16_400]))).boxed());
            GetResult { payload, ..result }
        }));
        let error = store.get_ranges(&location, std::slice::from_ref(&middle)).await.expect_err("refused");
        assert_length(&error, fetched, 2 * fetched);
        let error = store.get_range(&location, middle.clone()).await.expect_err("refused");
        assert_authentication(&error);
        store.inner().lie(ends_are_honest(|result| {
            with_bytes(result, |mut bytes| {
                bytes[77] ^= 1;
                bytes
            })
        }));
        assert_authentication(&store.get_range(&location, middle.clone()).await.expect_err("refused"));
        let ranges = store.get_ranges(&location, std::slice::from_ref(&middle)).await;
        assert_authentication(&ranges.expect_err("refused"));

        // Either end.
        for change in [
            (|_: &object_store::GetOptions, result| Ok(with_bytes(result, |bytes| bytes[1..].to_vec())))
                as fn(&_, _) -> _,
            |_, result| Ok(with_bytes(result, |bytes| [&bytes[..], &[0]].concat())),
        ] {
            let store = sealed(1);
            store.put(&location, pattern(LEN).into()).await.expect("put");
            store.inner().lie(change);
            for error in errors(&store, &location).await {
                assert!(reason(&error).starts_with("Length { wanted: 8192"), "{error:?}");
            }
        }
        store.inner().be_honest();
        assert_eq!(read(&store, &location).await.expect("as it was"), pattern(LEN));
    }
}

#[tokio::test]
async fn an_error_on_the_way() {
    let location = Path::from("a");
    let store = sealed(1);
    store.put(&location, pattern(LEN).into()).await.expect("put");
    read(&store, &location).await.expect("authentic");
    store.inner().lie(|_, result| {
        let GetResultPayload::Stream(stream) = result.payload else { panic!("it is in memory") };
        let broken = stream.flat_map(|piece| {
            let half = piece.map(|piece| piece.slice(..piece.len() / 2));
            stream::iter([half, Err(Error::NotSupported { source: "broken off".into() })])
        });
        Ok(GetResult { payload: GetResultPayload::Stream(broken.boxed()), ..result })
    });
    let mut pieces = store.get(&location).await.expect("there").into_stream();
    let first = pieces.next().await.expect("a piece").expect("authentic");
    assert!(!first.is_empty() && pattern(LEN).starts_with(&first));
    let error = pieces.next().await.expect("the end").expect_err("broken off");
    assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    assert!(pieces.next().await.is_none());
    let error = store.get_ranges(&location, &[0..LEN as u64]).await.expect_err("broken off");
    assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    // The ends as well.
    for error in errors(&store.clone().with_kept_heads(0), &location).await {
        assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    }
}

#[tokio::test]
async fn exchanged_between_fetches() {
    let location = Path::from("a");
    let new = vec![7; LEN + 1];
    let new_stored = {
        let store = sealed(1);
        store.put(&location, new.clone().into()).await.expect("put");
        (store.inner().stored(&location).await, store)
    };
    let (bytes, store) = new_stored;
    for fetch in 0..4 {
        for kept in [0, 8] {
            let store = store.clone().with_kept_heads(kept);
            store.put(&location, pattern(LEN).into()).await.expect("put");
            store.inner().exchange_after(fetch, &location, &bytes);
            let found = read(&store, &location).await.expect("one or the other");
            assert!(if fetch < 3 { found == new } else { found == pattern(LEN) }, "{fetch}");
            store.put(&location, pattern(LEN).into()).await.expect("put");
            store.inner().exchange_after(fetch, &location, &bytes);
            let ranges = [0..4, 100_000..100_004, LEN as u64 - 80_000..LEN as u64 - 79_999];
            let found = store.clone().with_gap(0).get_ranges(&location, &ranges).await.expect("one or the other");
            assert!(found.concat() == [7; 9] || fetch > 2, "{fetch}");
        }
    }
    // Each time again.
    let old = {
        store.put(&location, pattern(LEN).into()).await.expect("put");
        store.inner().stored(&location).await
    };
    let store = store.with_kept_heads(0);
    store.inner().take();
    for fetch in 0..40 {
        let bytes = if fetch % 2 == 0 { &old } else { &bytes };
        store.inner().exchange_at(fetch + 1, &location, bytes);
    }
    let error = read(&store, &location).await.expect_err("never the same");
    assert_eq!(reason(&error), "Changing");
    assert!(store.inner().take().len() <= 3 * 2 + 3);
}

#[tokio::test]
async fn other_keys() {
    let location = Path::from("a");
    let inner = Arc::new(InMemory::new());
    let [mine, same_name, other] = ["mine", "mine", "other"].map(key);
    let store = |key: &Arc<_>| {
        SealedStore::new(
            Arc::clone(&inner),
            SealOptions::new(Arc::clone(key)),
            OpenOptions::new().with_key(Arc::clone(key)),
        )
    };
    store(&mine).put(&location, "some".into()).await.expect("put");
    assert_eq!(read(&store(&mine), &location).await.expect("authentic"), "some");
    for (key, expected) in [(&same_name, "OtherKey"), (&other, "NoAcceptedKey")] {
        let error = read(&store(key), &location).await.expect_err("another key");
        assert!(matches!(&error, Error::PermissionDenied { path, .. } if path == "a"), "{error:?}");
        assert!(reason(&error).starts_with(&format!("File(Envelope({expected}")), "{error:?}");
    }
    inner.put(&location, "in clear".into()).await.expect("put");
    let error = read(&store(&mine), &location).await.expect_err("not sealed");
    assert_eq!(reason(&error), "File(NotSealed)");
    assert_eq!(
        error.to_string(),
        "Generic SealedStore error: a: this is not a sealed file, or both copies of its head are damaged"
    );
    // The rest of the policy holds.
    let mut open = OpenOptions::new().with_key(Arc::clone(&mine));
    open.policy_mut().minimum_layers = 2;
    let strict = SealedStore::new(Arc::clone(&inner), SealOptions::new(Arc::clone(&mine)), open);
    strict.put(&location, "some".into()).await.expect("put");
    let error = read(&strict, &location).await.expect_err("one layer");
    assert_eq!(reason(&error), "File(Envelope(Policy(Layers)))");
    // Nothing is stored without a key.
    let error = SealedStore::new(Arc::clone(&inner), SealOptions::default(), OpenOptions::new())
        .put(&Path::from("none"), "some".into())
        .await
        .expect_err("no key");
    assert_eq!(reason(&error), "File(Envelope(NoKey))");
    inner.head(&Path::from("none")).await.expect_err("nothing there");
}
