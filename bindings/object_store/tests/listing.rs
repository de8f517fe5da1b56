//! Sizes in listings.

mod shared;

use futures::stream::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, Result};
use objseal::checksums::Wanted;
use objseal::cobblestone::CHUNK_LEN;
use objseal::envelope::{OpenOptions, SealOptions};
use objseal_object_store::{ListSizes, SealedStore};
use shared::{Watched, key, pattern, reason, sealed};

/// The three ways to list.
async fn listings(store: &SealedStore<Watched>) -> [Result<Vec<ObjectMeta>>; 3] {
    let offset = Path::from("0");
    [
        store.list(None).try_collect().await,
        store.list_with_offset(None, &offset).try_collect().await,
        store.list_with_delimiter(None).await.map(|result| result.objects),
    ]
}

#[tokio::test]
async fn sizes_are_those_of_the_plaintext() {
    let lengths = [0, 1, 1_000, CHUNK_LEN - 1, CHUNK_LEN, 3 * CHUNK_LEN + 7, 500_000];
    for layers in [1, 2] {
        for sizes in [ListSizes::Computed, ListSizes::Opened] {
            let mut store = sealed(layers).with_list_sizes(sizes);
            if layers == 1 {
                // They make attributes longer.
                let (key, digests) = (key("a"), Wanted::SHA256 | Wanted::MD5);
                let seal = SealOptions::new(key.clone()).with_digests(digests);
                let open = OpenOptions::new().with_key(key);
                store = SealedStore::new(Watched::default(), seal, open).with_list_sizes(sizes);
            }
            for (index, len) in lengths.into_iter().enumerate() {
                store.put(&Path::from(format!("a{index}")), pattern(len).into()).await.expect("put");
            }
            store.inner().take();
            for listing in listings(&store).await {
                let listing = listing.expect("a listing");
                assert_eq!(listing.len(), lengths.len());
                for (meta, len) in listing.iter().zip(lengths) {
                    assert_eq!(meta.size, len as u64, "{sizes:?}");
                    assert_eq!(*meta, store.head(&meta.location).await.expect("there"));
                }
            }
            let fetches = store.inner().take().iter().flatten().count();
            assert_eq!(fetches, 2 * lengths.len(), "each object is opened once");
            for listing in listings(&store).await {
                listing.expect("a listing");
            }
            assert_eq!(store.inner().take(), [], "and not again while it is the same");
            store.put(&Path::from("a3"), pattern(77).into()).await.expect("put");
            for listing in listings(&store).await {
                assert_eq!(listing.expect("a listing")[3].size, 77, "{sizes:?}");
            }
        }
    }
}

/// Whatever it was sealed with, its size is authentic where objects are opened.
#[tokio::test]
async fn objects_of_other_options() {
    let location = Path::from("a");
    let two = sealed(2);
    two.put(&location, pattern(100_000).into()).await.expect("put");
    let stored = two.inner().stored(&location).await;
    let listed = async |store: &SealedStore<Watched>| store.list(None).next().await.expect("an object");
    let opened = two.clone().with_list_sizes(ListSizes::Opened);
    assert_eq!(listed(&opened).await.expect("authentic").size, 100_000);

    let one = sealed(1);
    one.inner().store(&location, stored).await;
    assert_ne!(listed(&one).await.expect("computed").size, 100_000);
    for bytes in [&b"in clear"[..], b""] {
        one.inner().store(&location, bytes).await;
        assert_eq!(listed(&one).await.expect("as it is").size, bytes.len() as u64);
        let error = listed(&one.clone().with_list_sizes(ListSizes::Opened)).await.expect_err("not sealed");
        assert_eq!(reason(&error), "File(NotSealed)");
    }
}
