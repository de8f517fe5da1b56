//! Sealed files: FORMAT.md, section 10.
//!
//! A file is written front to back, so it can go through a pipe: two slots with the head, the body, the attributes.
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use objseal::cobblestone::Threads;
//! use objseal::envelope::{EncryptionContext, Opening, Policy, Sealing, SingleKey};
//! use objseal::{Key, file};
//!
//! let keys = SingleKey::new(Key::generate()?);
//! let mut context = EncryptionContext::new();
//! context.insert("name", "cat.jpg")?;
//!
//! let mut stored = Vec::new();
//! let recipients = [(&keys as _, SingleKey::KEY_ID)];
//! let sealing = Sealing::new(&recipients).with_context(context.clone());
//! file::seal(&sealing, &b"the plaintext"[..], &mut stored, &Threads::available())?;
//!
//! let mut policy = Policy::default();
//! policy.context = Some(context);
//! let services = [&keys as _];
//! let opening = Opening::new(&services).with_policy(policy);
//! let mut opened = Vec::new();
//! file::open(&opening, &stored[..], &mut opened, &Threads::available())?;
//! assert_eq!(opened, b"the plaintext");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `stream` | from a reader to a writer |
//! | `push` | piece by piece, slices in, slices out |
//! | `io` | something to write to, or to read from |
//! | `stored` | a file that can be read at any offset: ranges, and what it says without a key |
//! | `rewrap` | another head for a file that stays where it is |
//! | `slots` | the two places of the head, and which of them counts |
//! | `tail` | finding the attributes at the end of a stream |

mod error;
mod io;
mod push;
mod rewrap;
mod slots;
mod stored;
mod stream;
mod tail;

pub use error::FileError;
pub use io::{OpenReader, SealWriter};
pub use push::{Opener, Sealer};
pub use rewrap::{WriteAt, rewrap};
#[cfg(objseal_hazmat)]
pub(crate) use slots::fix_slot_checksums;
pub use slots::{SLOTS_LEN, SlotState};
pub use stored::{Facts, SealedFile, inspect};
pub use stream::{Opened, open, seal, seal_at, sealed_len};

/// Where the body begins.
pub const BODY_OFFSET: u64 = SLOTS_LEN as u64;
