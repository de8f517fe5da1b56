//! The envelope of a sealed object: what it takes to open the body, bound to it.
//!
//! The format is specified in [FORMAT.md](mod@format). [`crate::file`] puts envelope and body into one file;
//! `crate::keyring` (feature `keyring`) is a key service.
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
mod upload;

pub use attributes::{Attributes, Digests};
#[cfg(feature = "std")]
pub(crate) use attributes::{MAX_SEALED_LEN, MIN_SEALED_LEN};
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
pub use upload::{Completed, PartAttempt, Receipt, Selection, Upload};

#[doc = include_str!("../doc/FORMAT.md")]
pub mod format {}
