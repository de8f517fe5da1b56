//! Sealed files: FORMAT.md, section 10.
//!
//! A file is written front to back, so it can go through a pipe: two slots with the head, the body, the attributes.
//!
//! ```
//! use objseal::cobblestone::Threads;
//! use objseal::envelope::{EncryptionContext, OpenOptions, SealOptions, WrappingKey};
//! use objseal::{Key, file};
//! use std::sync::Arc;
//!
//! let key = Arc::new(WrappingKey::from_key(Key::generate()?));
//! let context = EncryptionContext::from_pairs([("name", "cat.jpg")])?;
//!
//! let options = SealOptions::new(key.clone()).with_context(context.clone());
//! let mut stored = Vec::new();
//! file::seal(&options, &b"the plaintext"[..], &mut stored, &Threads::available())?;
//!
//! let options = OpenOptions::new().with_key(key).with_context(context);
//! let mut opened = Vec::new();
//! file::open(&options, &stored[..], &mut opened, &Threads::available())?;
//! assert_eq!(opened, b"the plaintext");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `stream` | from a reader to a writer |
//! | `push` | piece by piece, slices in, slices out |
//! | `io` | something to write to, or to read from |
//! | `ranges` | ranges without IO: what to fetch, and what comes of it |
//! | `stored` | a file that can be read at any offset: ranges, and what it says without a key |
//! | `rewrap` | another head for a file that stays where it is |
//! | `slots` | the two places of the head, and which of them counts |
//! | `tail` | finding the attributes at the end of a stream |

mod error;
mod io;
mod push;
mod ranges;
mod rewrap;
mod slots;
mod stored;
mod stream;
mod tail;

pub use error::FileError;
pub use io::{OpenReader, SealWriter};
pub use push::{Opener, Sealer};
pub use ranges::FileRanges;
pub use rewrap::{WriteAt, rewrap};
#[cfg(objseal_hazmat)]
pub(crate) use slots::fix_slot_checksums;
pub use slots::{SLOTS_LEN, SlotState};
pub use stored::{Facts, SealedFile, inspect};
pub use stream::{Info, open, seal, seal_at, sealed_len};

/// Where the body begins.
pub const BODY_OFFSET: u64 = SLOTS_LEN as u64;
