//! An [`ObjectStore`](object_store::ObjectStore) whose objects are sealed in another one.
//!
//! ```
//! use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
//! use objseal::envelope::{OpenOptions, SealOptions};
//! use objseal_keys::keyring::Keyring;
//! use objseal_object_store::SealedStore;
//! use std::sync::Arc;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut keyring = Keyring::new();
//! keyring.create("photos")?;
//! let seal = SealOptions::new(keyring.latest("photos")?);
//! let open = OpenOptions::new().with_service(Arc::new(keyring));
//!
//! // Or `AmazonS3`, or any other store.
//! let inner = Arc::new(InMemory::new());
//! let store = SealedStore::new(Arc::clone(&inner), seal, open);
//!
//! let cat = Path::from("2026/cat.jpg");
//! store.put(&cat, "the plaintext".into()).await?;
//! assert_eq!(store.get_range(&cat, 4..9).await?, "plain");
//! assert_eq!(store.head(&cat).await?.size, 13);
//!
//! // An object at another place than it was put to is refused.
//! let dog = Path::from("2026/dog.jpg");
//! inner.copy(&cat, &dog).await?;
//! assert!(store.get(&dog).await.is_err());
//!
//! // A copy is bound to its new place.
//! store.copy(&cat, &dog).await?;
//! assert_eq!(store.get(&dog).await?.bytes().await?, "the plaintext");
//!
//! // To programs that read Parquet, or anything else, it is a store like others.
//! let store: Arc<dyn ObjectStore> = Arc::new(store);
//! # Ok(())
//! # }
//! ```
//!
//! Each object is a sealed file ([`objseal::file`]) at the location of the plain one; `objseal open` opens it, given its
//! location as the value of `path` in the encryption context.
//!
//! # What is promised
//!
//! - Nothing of an object is given out that is not authentic: of this location, sealed under a key that is accepted here, and
//!   unchanged. A stream may have given out earlier pieces, each of them verified. Sizes from `head` and `get` are authentic;
//!   those of a listing are as [`ListSizes`] says.
//! - All that one call reads is of one object. If it is replaced meanwhile, it is read anew.
//! - The inner store can answer with an older version of the same object, or with none. Nothing in the object tells; versions
//!   have to be kept count of elsewhere.
//! - Locations, sizes, dates, tags and attributes are those of the inner store, in clear and not authentic.
//!
//! # What it takes
//!
//! | call | asks of the inner store |
//! |---|---|
//! | `put` | one put |
//! | `put_multipart` | an upload of parts of equal length, at most 4 on their way: see [`SealedStore::with_part_len`] |
//! | `get`, `get_range`, `head` of an object for the first time | its two ends: 8 KiB, and up to 50 KB, one after the other |
//! | `get`, `get_range` then | one fetch of the chunks of the range; none if they are within the ends |
//! | `get_ranges` then | one for each run of ranges that are near each other: see [`SealedStore::with_gap`] |
//! | any of these again | the same without the ends, for as many objects as [`SealedStore::with_kept_heads`] says; if nothing is fetched, a `head` |
//! | `list` | one listing; with [`ListSizes::Opened`] the ends of each object besides |
//! | `copy`, `rename` | the ends, and the body once each way; nothing is sealed again. `CopyMode::Create` takes memory for all of the object |
//!
//! It needs tokio: large pieces of work are done on a [`Pool`], and an upload has a task of its own. The
//! place of a part in an upload is that of the call to `put_part`, which counts whether its future is polled or not.
//!
//! # What other stores do and this one does not
//!
//! - `MultipartStore`: parts there can come in any order, and from several processes; here each part is sealed behind the one
//!   before.
//! - `PaginatedListStore`, and signed URLs, which would give out sealed bytes.
//! - Tags are not copied, as there is no way to read them.
//!
//! All other tests of `object_store`'s suite for stores hold, in memory and on a file system.
//!
//! # Errors
//!
//! What the inner store says comes out as it is. What is refused here is an
//! [`Error::PermissionDenied`](object_store::Error::PermissionDenied) if there is no key for it, and an
//! [`Error::Generic`](object_store::Error::Generic) otherwise; the source of both is a [`SealedError`].
//!
//! | file | what |
//! |---|---|
//! | `store` | the store, and how it is set up |
//! | `put` | sealing what is put in one go |
//! | `multipart` | uploads: sealed by a task, in the order of the calls |
//! | `parts` | parts on their way to the inner store |
//! | `opening` | fetching the ends, opening heads, noticing exchanged objects |
//! | `heads` | opened heads, and a few that are kept |
//! | `get` | reading: one range as a stream, many as bytes |
//! | `list` | listings with the sizes of plaintexts |
//! | `copy` | copies behind a new head |
//! | `error` | why an object is not sealed or opened |

mod copy;
mod error;
mod get;
mod heads;
mod list;
mod multipart;
mod opening;
mod parts;
mod put;
mod store;

pub use error::{Reason, SealedError};
pub use list::ListSizes;
pub use objseal_tokio::Pool;
pub use store::SealedStore;
