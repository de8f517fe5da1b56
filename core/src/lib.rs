//! Encryption of stored objects.
//!
//! [`cobblestone`] seals and opens messages of up to 4 PiB in the published format [C2SP chunked-encryption], instance
//! Cobblestone-256: AES-256-GCM in chunks of 16 KiB, with a key commitment that is checked before anything is opened,
//! verified random access, and detection of reordered, truncated and extended messages.
//!
//! ```
//! use objseal::{Key, cobblestone};
//!
//! # #[cfg(feature = "std")] {
//! let key = Key::generate()?;
//! let message = cobblestone::seal(&key, b"backups/2026", b"the plaintext")?;
//! assert_eq!(cobblestone::open(&key, b"backups/2026", &message)?, b"the plaintext");
//!
//! assert!(cobblestone::open(&key, b"another context", &message).is_err());
//! # }
//! # Ok::<(), objseal::Error>(())
//! ```
//!
//! # Where to look
//!
//! | you have | use |
//! |---|---|
//! | the whole object in memory | [`cobblestone::seal`], [`cobblestone::open`], or [`Cobblestone`]'s `seal_into` and `open_into` |
//! | and several cores | [`Cobblestone`]'s `seal_parallel` and `open_parallel` |
//! | a reader and a writer | [`Cobblestone`]'s `seal_stream` and `open_stream` |
//! | something to write to, or to read from | [`Cobblestone`]'s `seal_writer` and `open_reader` |
//! | a file, and a range of it to read | [`Cobblestone`]'s `open_at` |
//! | a stored object under keys of a key service | [`envelope`], and [`file`](mod@file) for one in a file; the crate `objseal-keys` has key services |
//! | an object in parts, or one in two layers | [`envelope`] |
//! | buffers and an event loop of your own | [`Push`], which all sealers and openers are; [`Ranges`](envelope::Ranges) for ranges |
//!
//! [`Cobblestone`]: cobblestone::Cobblestone
//!
//! # Features
//!
//! - `std` (default): readers, writers, files, threads. Turns on `alloc` and `getrandom`.
//! - `alloc`: functions that return a `Vec<u8>`.
//! - `getrandom`: randomness from the operating system.
//! - `aws-lc`: AWS-LC as another engine; needs a C compiler. Turns on `std`.
//! - `checksums`: digests of plaintexts, as S3 has them. Turns on `std`.
//! - `rayon`: a `rayon::ThreadPool` can do the parallel work.
//!
//! Without features the crate needs neither the standard library nor an allocator; randomness then comes from a
//! [`RandomSource`], which has an example.
//!
//! # What is promised
//!
//! - No byte of a chunk is given out before its tag holds. If a function that opens a whole message fails, all of
//!   its output is zero. A stream may have given out earlier chunks, each of them verified.
//! - No function panics, whatever the input; out-of-memory is the allocator's affair.
//! - Time does not depend on keys or plaintext, only on lengths.
//! - Keys, and what is derived from them and kept, are wiped when dropped. What passed through registers and the stack on
//!   the way is not.
//! - The algorithms are approved ones (FIPS 197, SP 800-38D, RFC 5869). Nothing here is a validated module.
//!
//! [C2SP chunked-encryption]: https://c2sp.org/chunked-encryption

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod arch;
#[cfg(feature = "alloc")]
mod buffer;
#[cfg(feature = "checksums")]
pub mod checksums;
pub mod cobblestone;
mod engine;
#[cfg(feature = "alloc")]
pub mod envelope;
mod error;
#[cfg(feature = "std")]
pub mod file;
#[cfg(feature = "std")]
mod first_error;
mod gcm;
#[cfg(objseal_hazmat)]
pub mod hazmat;
mod key;
pub mod limits;
mod push;
mod random;
mod verdict;

pub use arch::Backend;
pub use engine::Engine;
pub use error::{Error, KeyLengthError, RandomError, UnknownBackend, UnknownEngine};
#[cfg(feature = "std")]
pub use first_error::FirstError;
pub use key::Key;
pub use push::Push;
#[cfg(feature = "getrandom")]
pub use random::OsRandom;
pub use random::RandomSource;
