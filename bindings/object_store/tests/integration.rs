//! The suite that `object_store` has for stores, on sealed ones.
//!
//! Its tests of `MultipartStore` and `PaginatedListStore` are for traits that the sealed store does not have.

mod shared;

use object_store::integration as suite;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use shared::sealed_in;

async fn all_but_conditions(store: &dyn ObjectStore) {
    suite::put_get_delete_list(store).await;
    suite::list_uses_directories_correctly(store).await;
    suite::list_with_delimiter(store).await;
    suite::list_with_offset_exclusivity(store).await;
    suite::rename_and_copy(store).await;
    suite::copy_if_not_exists(store).await;
    suite::copy_rename_nonexistent_object(store).await;
    let error = suite::get_nonexistent_object(store, None).await.expect_err("not there");
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    suite::get_opts(store).await;
    suite::put_get_attributes(store).await;
}

#[tokio::test]
async fn in_memory() {
    for layers in [1, 2] {
        let store = sealed_in(InMemory::new(), layers);
        all_but_conditions(&store).await;
        suite::put_opts(&store, true).await;
    }
}

#[tokio::test]
async fn in_memory_in_parts() {
    for layers in [1, 2] {
        suite::stream_get(&sealed_in(InMemory::new(), layers)).await;
        let store = sealed_in(InMemory::new(), layers).with_part_len(1024 * 1024);
        suite::multipart_out_of_order(&store).await;
        suite::multipart_race_condition(&store, true).await;
    }
}

#[tokio::test]
async fn in_a_folder() {
    for layers in [1, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = sealed_in(LocalFileSystem::new_with_prefix(folder.path()).expect("a folder"), layers);
        all_but_conditions(&store).await;
        suite::put_opts(&store, false).await;
    }
}

#[tokio::test]
async fn in_a_folder_in_parts() {
    let new_store =
        |folder: &tempfile::TempDir| sealed_in(LocalFileSystem::new_with_prefix(folder.path()).expect("a folder"), 1);
    let folder = tempfile::tempdir().expect("a folder");
    suite::stream_get(&new_store(&folder)).await;
    let folder = tempfile::tempdir().expect("a folder");
    suite::multipart_out_of_order(&new_store(&folder)).await;
    suite::multipart_race_condition(&new_store(&folder), true).await;
}

/// What cannot be fetched from is told for what it is, whatever the store says.
#[tokio::test]
async fn an_empty_file() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), "").expect("written");
    let store = sealed_in(LocalFileSystem::new_with_prefix(folder.path()).expect("a folder"), 1);
    let error = store.get(&Path::from("a")).await.expect_err("not sealed");
    assert_eq!(shared::reason(&error), "File(NotSealed)");
}
