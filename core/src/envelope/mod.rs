//! The envelope of a sealed object: what it takes to open the body, bound to it.
//!
//! The format is specified in [FORMAT.md](mod@format). [`crate::file`] puts envelope and body into one file;
//! The crate `objseal-keys` has key services.
//!
//! [`SealOptions`] and [`OpenOptions`] own what they hold, and can be shared between threads and kept for as long as a
//! server runs. Sealing asks nobody: a [`KeyService`] yields a [`WrappingKey`] before. Opening asks key services, of which a
//! blocking one can be among the options; for one that answers later there is a [`Plan`].
//!
//! # Two layers
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use objseal::Key;
//! use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
//! use std::sync::Arc;
//!
//! let inner = Arc::new(WrappingKey::new("my-kms", "photos", 1, Key::generate()?)?);
//! let outer = Arc::new(WrappingKey::new("my-kms", "server", 1, Key::generate()?)?);
//! # if objseal::Engine::AwsLc.is_available() {
//! let (envelope, body) = SealOptions::new(inner.clone()).with_outer_key(outer.clone()).start()?;
//! let stored_head = envelope.stored().to_vec();
//! let stored_body = body.seal(b"the plaintext")?;
//!
//! let envelope = OpenOptions::new().with_key(inner).with_key(outer).open(&stored_head)?;
//! assert_eq!(envelope.body()?.open(&stored_body)?, b"the plaintext");
//! # }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Parts
//!
//! ```
//! # #[cfg(all(feature = "std", feature = "checksums"))] {
//! use objseal::envelope::{Attributes, EncryptionContext, OpenOptions, SealOptions, WrappingKey, locate};
//! use objseal::{Key, checksums, limits::INLINE_ENVELOPE_LEN};
//! use std::sync::Arc;
//!
//! let customer = Arc::new(WrappingKey::from_key(Key::generate()?));
//! let server = Arc::new(WrappingKey::new("my-server", "uploads", 1, Key::generate()?)?);
//! let place = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "cat.jpg"), ("upload id", "17")])?;
//! let (upload, _) = SealOptions::new(customer.clone()).start_upload(&server, &place)?;
//! let state = upload.stored().to_vec();
//!
//! // Any process that has the state, the server's key and the object's seals parts, in any order.
//! let (server_keys, customer_keys) = (OpenOptions::new().with_key(server), OpenOptions::new().with_key(customer));
//! let upload = server_keys.resume_upload(&state, &place)?;
//! let (attempt, body) = upload.unlock(&customer_keys)?.part(1)?;
//! let stored_part = body.seal(b"the plaintext")?;
//! let (receipt, proof) = upload.receipt(attempt, Attributes::new(13))?;
//!
//! // The client names the parts by number and ETag. Completing takes the server's key only.
//! let etag = receipt.attributes.etag.unwrap_or_default();
//! let selection = upload.select(&[(1, &etag)], &[&proof])?;
//! let attributes = checksums::of_parts(&selection.attributes());
//! let completed = upload.complete(&selection, &attributes, INLINE_ENVELOPE_LEN)?;
//!
//! let envelope = customer_keys.open(&completed.head)?;
//! let parts = envelope.parts(completed.table.as_deref())?;
//! let wanted = locate(&parts, 4..8).unwrap_or_default();
//! assert_eq!((wanted[0].part.number, wanted[0].stored.clone()), (1, 56..85));
//! assert_eq!(envelope.part(&parts[0]).open(&stored_part)?, b"the plaintext");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `seal` | making an envelope, wrapping its data key anew |
//! | `open` | opening it under the caller's policy |
//! | `policy` | what the caller demands |
//! | `plan` | how to come by the keys, one question at a time |
//! | `opened` | an envelope and its data keys |
//! | `layers` | data keys, engines, and the messages that they make |
//! | `body` | sealing and opening a body in all its layers |
//! | `ranges` | ranges of a body without IO: what to fetch, and what comes of it |
//! | `upload` | objects in parts: upload state, receipts, completion |
//! | `parts` | the part table, and what to fetch for a range |
//! | `table` | looking parts up in the table |
//! | `part_ranges` | ranges of objects in parts without IO |
//! | `multipart` | reading objects in parts |
//! | `head` | the record that goes before the body |
//! | `attributes` | the record of what is known late |
//! | `context` | the encryption context: public pairs, bound to every wrap |
//! | `wrapping_key` | what data keys are wrapped under |
//! | `service` | what gives wrapping keys |
//! | `derive` | places and subkeys |
//! | `codec` | the canonical encoding |

mod attributes;
mod body;
mod codec;
mod context;
mod derive;
mod error;
mod head;
mod layers;
#[cfg(feature = "std")]
mod multipart;
mod open;
mod opened;
mod part_ranges;
mod parts;
mod plan;
mod policy;
mod ranges;
mod seal;
mod service;
mod table;
mod upload;
mod wrapping_key;

pub use attributes::{Attributes, ChecksumAlgorithm, ChecksumType, Digests};
#[cfg(feature = "std")]
pub(crate) use attributes::{MAX_SEALED_LEN, MIN_SEALED_LEN};
#[cfg(feature = "std")]
pub(crate) use body::StoredReader;
pub use body::{
    NewBody, Opener, Salt, Sealer, StoredBody, largest_plaintext_len, plaintext_len, sealed_len, sealed_range,
};
pub use context::EncryptionContext;
pub use error::{Demand, EnvelopeError, FormatError, NamedKey, PartsError};
pub use head::{Content, Head, ObjectId, Suite, TableFacts, Unverified, WrappedKey};
#[cfg(feature = "std")]
pub use multipart::{PartStore, PartTable, PartsReader};
pub use open::OpenOptions;
pub use opened::Envelope;
pub use part_ranges::{Located, PartRanges};
pub use parts::{Part, PartRange, locate};
pub use plan::{KeyRequest, Plan};
pub use policy::{AcceptedKeys, DemandedContext, Policy};
pub use ranges::{Fetch, RangeOpener, Ranges};
pub use seal::SealOptions;
pub use service::{KeyService, KeyServiceError, KeyServiceErrorKind};
pub use upload::{Completed, PartAttempt, PartSealer, Receipt, Selection, Upload};
pub use wrapping_key::{KeyKind, ServiceContext, WrappingKey};

#[doc = include_str!("../doc/FORMAT.md")]
pub mod format {}
