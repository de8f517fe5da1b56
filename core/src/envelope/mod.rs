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
mod open;
mod seal;
mod service;

pub use attributes::Attributes;
#[cfg(feature = "std")]
pub(crate) use attributes::{MAX_SEALED_LEN, MIN_SEALED_LEN};
pub use body::{
    BodyOpener, BodySealer, LayeredOpener, LayeredSealer, Salt, largest_plaintext_len, plaintext_len, sealed_len,
    sealed_range,
};
pub use context::EncryptionContext;
pub use error::{Demand, EnvelopeError, FormatError};
pub use head::{Head, Mode, ObjectId, Suite, Unverified, WrappedKey};
pub use open::{OpenEnvelope, Opening, Policy};
pub use seal::{Recipients, Sealing};
pub use service::{Binding, KeyService, KeyServiceError, UnwrappedKey, unwrap_locally, wrap_locally};

#[doc = include_str!("../doc/FORMAT.md")]
pub mod format {}
