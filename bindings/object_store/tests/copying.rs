//! Copies are bound to their new place, without being sealed again.

mod shared;

use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, ObjectStore, ObjectStoreExt, PutMode};
use objseal::cobblestone::CHUNK_LEN;
use objseal::envelope::{OpenOptions, SealOptions};
use objseal::file::BODY_OFFSET;
use objseal_object_store::SealedStore;
use shared::{Watched, assert_authentication, assert_length, key, pattern, read, reason, sealed, with_bytes};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn at_every_length() {
    let (from, to, back) = (Path::from("a"), Path::from("b/c"), Path::from("d"));
    let borders = [0, 1, CHUNK_LEN - 56, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 2 * CHUNK_LEN];
    let near_ends = (3..9).map(|chunks| chunks * CHUNK_LEN + 5).chain([300_000, 1_000_000]);
    for layers in [1, 2] {
        for len in borders.into_iter().chain(near_ends.clone()) {
            let store = sealed(layers).with_part_len(200_000);
            let plain = pattern(len);
            store.put(&from, plain.clone().into()).await.expect("put");
            store.inner().take();
            store.copy(&from, &to).await.expect("copied");
            assert_eq!(store.inner().take().len(), 3, "two ends and the body");
            assert_eq!(read(&store, &to).await.expect("authentic"), plain, "{len} in {layers}");
            let (old, new) = (store.inner().stored(&from).await, store.inner().stored(&to).await);
            let body = usize::try_from(BODY_OFFSET).expect("short");
            assert!(old[body..] == new[body..] && old[..body] != new[..body]);
            store.rename(&to, &back).await.expect("renamed");
            assert_eq!(read(&store, &back).await.expect("authentic"), plain);
            assert!(matches!(store.head(&to).await, Err(Error::NotFound { .. })));
            // The old one is no other than before.
            assert_eq!(read(&store, &from).await.expect("authentic"), plain);
            assert_eq!(store.inner().stored(&from).await, old);
        }
    }
}

#[tokio::test]
async fn the_modes() {
    let (from, to) = (Path::from("a"), Path::from("b"));
    let store = sealed(1).with_part_len(50_000);
    for len in [10, 200_000] {
        store.put(&from, pattern(len).into()).await.expect("put");
        store.copy_if_not_exists(&from, &to).await.expect("copied");
        assert_eq!(read(&store, &to).await.expect("authentic"), pattern(len));
        for error in [store.copy_if_not_exists(&from, &to).await, store.rename_if_not_exists(&from, &to).await] {
            assert!(matches!(error, Err(Error::AlreadyExists { .. })));
        }
        assert_eq!(read(&store, &from).await.expect("authentic"), pattern(len));
        store.delete(&to).await.expect("deleted");
        let gone = Path::from("gone");
        for error in [store.copy(&gone, &to).await, store.rename(&gone, &to).await, store.rename(&gone, &gone).await] {
            assert!(matches!(error, Err(Error::NotFound { .. })));
        }
    }
}

#[tokio::test]
async fn to_itself() {
    let location = Path::from("a");
    let store = sealed(1);
    store.put(&location, "some".into()).await.expect("put");
    store.rename(&location, &location).await.expect("as it was");
    assert_eq!(read(&store, &location).await.expect("authentic"), "some");
    store.copy(&location, &location).await.expect("as it was");
    assert_eq!(read(&store, &location).await.expect("authentic"), "some");
    let error = store.rename_if_not_exists(&location, &location).await;
    assert!(matches!(error, Err(Error::AlreadyExists { .. })));
    assert_eq!(read(&store, &location).await.expect("authentic"), "some");
}

#[tokio::test]
async fn attributes_go_with_it() {
    let (from, to) = (Path::from("a"), Path::from("b"));
    let attributes = Attributes::from_iter([(Attribute::ContentType, "image/jpeg")]);
    let store = sealed(1).with_part_len(50_000);
    for len in [10, 200_000] {
        store.put_opts(&from, pattern(len).into(), attributes.clone().into()).await.expect("put");
        store.copy(&from, &to).await.expect("copied");
        assert_eq!(store.get(&to).await.expect("there").attributes, attributes);
    }
}

/// A copy is under the keys that the store seals with now.
#[tokio::test]
async fn keys_are_those_of_the_store() {
    let (from, to) = (Path::from("a"), Path::from("b"));
    let (old, new) = (key("old"), key("new"));
    let inner = std::sync::Arc::new(Watched::default());
    let before =
        SealedStore::new(inner.clone(), SealOptions::new(old.clone()), OpenOptions::new().with_key(old.clone()));
    before.put(&from, "some".into()).await.expect("put");
    let open = OpenOptions::new().with_key(old).with_key(new.clone());
    SealedStore::new(inner.clone(), SealOptions::new(new.clone()), open).copy(&from, &to).await.expect("copied");
    let after = SealedStore::new(inner, SealOptions::new(new.clone()), OpenOptions::new().with_key(new));
    assert_eq!(read(&after, &to).await.expect("authentic"), "some");
    let error = after.get(&from).await.expect_err("under the old key");
    assert!(reason(&error).starts_with("File(Envelope(NoAcceptedKey"), "{error:?}");
    let error = after.copy(&from, &to).await.expect_err("under the old key");
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_false_is_copied() {
    let (from, to) = (Path::from("a"), Path::from("b"));
    for in_parts in [false, true] {
        let store = sealed(1).with_part_len(if in_parts { 50_000 } else { 1_000_000 });
        store.put(&from, pattern(300_000).into()).await.expect("put");
        let stored = store.inner().stored(&from).await.to_vec();
        // The head, and where the body ends.
        for cut in [stored.len() - 1, stored.len() - 20_000] {
            store.inner().store(&from, stored[..cut].to_vec()).await;
            assert_authentication(&store.copy(&from, &to).await.expect_err("cut"));
        }
        let mut changed = stored.clone();
        let last = changed.len() - 1_000;
        changed[last] ^= 1;
        store.inner().store(&from, changed).await;
        assert_authentication(&store.copy(&from, &to).await.expect_err("changed at the end"));
        // A change elsewhere is copied, and refused where it is read.
        let mut changed = stored.clone();
        changed[150_000] ^= 1;
        store.inner().store(&from, changed).await;
        store.copy(&from, &to).await.expect("copied");
        assert_authentication(&read(&store, &to).await.expect_err("changed"));
        store.delete(&to).await.expect("deleted");
        // Fewer bytes, and more.
        store.inner().store(&from, stored.clone()).await;
        let body = stored.len() as u64 - BODY_OFFSET;
        for more in [false, true] {
            store.inner().lie(move |_, result| {
                let is_body = result.range == (BODY_OFFSET..result.meta.size);
                let change = move |bytes: Vec<u8>| if more { [&bytes[..], &[0]].concat() } else { bytes[1..].to_vec() };
                Ok(if is_body { with_bytes(result, change) } else { result })
            });
            let error = store.copy(&from, &to).await.expect_err("of another length");
            assert_length(&error, body, if more { body + 1 } else { body - 1 });
        }
        store.inner().be_honest();
        assert!(matches!(store.head(&to).await, Err(Error::NotFound { .. })), "no part of it is there");
        assert_eq!(store.inner().uploads.aborted.load(Ordering::Relaxed), if in_parts { 2 } else { 0 });
    }
}

#[tokio::test]
async fn exchanged_on_the_way() {
    let (from, to) = (Path::from("a"), Path::from("b"));
    let store = sealed(1);
    store.put(&from, vec![7; 300_000].into()).await.expect("put");
    let new = store.inner().stored(&from).await;
    for fetch in 0..3 {
        store.put_opts(&from, pattern(300_000).into(), PutMode::Overwrite.into()).await.expect("put");
        store.inner().exchange_after(fetch, &from, &new);
        store.copy(&from, &to).await.expect("copied");
        assert_eq!(read(&store, &to).await.expect("authentic"), vec![7; 300_000]);
    }
}
