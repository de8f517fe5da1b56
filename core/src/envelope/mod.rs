//! The envelope of a sealed object: what it takes to open the body, bound to it.
//!
//! The format is specified in [FORMAT.md](mod@format). [`crate::file`] puts envelope and body into one file;
//! The crate `objseal-keys` has key services.
//!
//! # Two layers
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use objseal::Key;
//! use objseal::envelope::{Opening, Sealing, SingleKey};
//!
//! let keys = SingleKey::new(Key::generate()?);
//! let (inner, outer) = ([(&keys as _, SingleKey::KEY_ID)], [(&keys as _, SingleKey::KEY_ID)]);
//! # if objseal::Engine::AwsLc.is_available() {
//! let (envelope, body) = Sealing::new(&inner).with_outer_layer(&outer).start()?;
//! let stored_head = envelope.stored().to_vec();
//! let stored_body = body.seal(b"the plaintext")?;
//!
//! let services = [&keys as _];
//! let envelope = Opening::new(&services).open(&stored_head)?;
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
//! use objseal::envelope::{Attributes, Opening, Sealing, SingleKey, locate};
//! use objseal::{Key, OsRandom, checksums, limits::INLINE_ENVELOPE_LEN};
//!
//! let (customer, server) = (SingleKey::new(Key::generate()?), SingleKey::new(Key::generate()?));
//! let id = SingleKey::KEY_ID;
//! let state = Sealing::new(&[(&customer, id)]).start_upload(&server, id)?.stored().to_vec();
//!
//! // Any process that has the state and the server's key seals parts, in any order.
//! let upload = Opening::new(&[&server as _]).resume_upload(&state)?;
//! let (attempt, body) = upload.part(1, &OsRandom)?;
//! let stored_part = body.seal(b"the plaintext")?;
//! let (receipt, proof) = upload.receipt(attempt, Attributes::new(13))?;
//!
//! // The client names the parts by number and ETag.
//! let etag = receipt.attributes.etag.unwrap_or_default();
//! let selection = upload.select(&[(1, &etag)], &[&proof])?;
//! let attributes = checksums::of_parts(&selection.attributes());
//! let completed = upload.complete(&selection, &attributes, INLINE_ENVELOPE_LEN, &OsRandom)?;
//!
//! let envelope = Opening::new(&[&customer as _]).open(completed.envelope.stored())?;
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
//! | `layers` | data keys, engines, and the messages that they make |
//! | `body` | sealing and opening a body in all its layers |
//! | `upload` | objects in parts: upload state, receipts, completion |
//! | `parts` | the part table, and what to fetch for a range |
//! | `multipart` | reading objects in parts |
//! | `head` | the record that goes before the body |
//! | `attributes` | the record of what is known late |
//! | `context` | the encryption context: public pairs, bound to every wrap |
//! | `service` | what holds root keys, and how a local one wraps |
//! | `single_key` | a key service with one root key |
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
mod parts;
mod seal;
mod service;
mod single_key;
mod upload;

pub use attributes::{Attributes, Digests};
#[cfg(feature = "std")]
pub(crate) use attributes::{MAX_SEALED_LEN, MIN_SEALED_LEN};
#[cfg(feature = "std")]
pub(crate) use body::StoredReader;
pub use body::{
    BodyOpener, BodySealer, LayeredOpener, LayeredSealer, Salt, largest_plaintext_len, plaintext_len, sealed_len,
    sealed_range,
};
pub use context::EncryptionContext;
pub use error::{Demand, EnvelopeError, FormatError, PartsError};
pub use head::{Content, DetachedTable, Head, Mode, ObjectId, Suite, Unverified, WrappedKey};
#[cfg(feature = "std")]
pub use multipart::{PartStore, PartTable, PartsReader};
pub use open::{OpenEnvelope, Opening, Policy};
pub use parts::{Part, PartRange, locate};
pub use seal::{Recipients, Sealing};
pub use service::{Binding, KeyService, KeyServiceError, UnwrappedKey, unwrap_locally, wrap_locally};
pub use single_key::SingleKey;
pub use upload::{Completed, PartAttempt, Receipt, Selection, Upload};

#[doc = include_str!("../doc/FORMAT.md")]
pub mod format {}
