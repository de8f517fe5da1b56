//! Cobblestone-256: the body of a sealed object.
//!
//! The format is [C2SP chunked-encryption], instance Cobblestone-256, to the byte:
//!
//! ```text
//! key (32) || base nonce (12) || commitment (32) =
//!     HKDF-Expand-SHA-512(key, "c2sp.org/chunked-encryption@v1+" || "AEAD_AES_256_GCM" || 0x00 || salt || context)
//! message = salt (24) || commitment (32) || chunk 0 || chunk 1 || ...
//! chunk i = AES-256-GCM of 16 KiB of plaintext under base nonce XOR i, and its tag (16)
//! ```
//!
//! The last chunk is always shorter than the others and may be empty: that is how a message cut short is told from a
//! whole one. The commitment is compared before anything is decrypted, so a message opens under one key and context
//! only. The context is public data that the opener must know: the name of the object, say.
//!
//! | file | what |
//! |---|---|
//! | `layout` | sizes and offsets, both ways |
//! | `derive` | from key, salt and context to the AES key, the base nonce and the commitment |
//! | `body` | sealing and opening runs of chunks |
//! | `stream` | push-style: slices in, slices out |
//! | `shared` | runs of one message, sealed or opened by several threads |
//! | `parallel` | whole buffers on several threads |
//! | `queue` | work that threads take until there is none left |
//! | `io` | readers and writers |
//! | `pipeline` | from a reader to a writer on several threads |
//! | `pass` | what happens on the way: one message, or one within another |
//! | `random_access` | ranges of a stored message |
//!
//! [C2SP chunked-encryption]: https://c2sp.org/chunked-encryption

mod body;
mod derive;
#[cfg(feature = "std")]
mod io;
mod layout;
#[cfg(feature = "std")]
mod parallel;
#[cfg(feature = "std")]
mod pass;
#[cfg(feature = "std")]
mod pipeline;
#[cfg(feature = "std")]
mod queue;
#[cfg(feature = "std")]
mod random_access;
mod shared;
mod stream;

#[cfg(feature = "std")]
pub use io::{OpenReader, OpenWriter, SealReader, SealWriter};
pub use layout::{
    CHUNK_LEN, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, TAG_LEN, largest_plaintext_len, plaintext_len, sealed_len,
    sealed_range,
};
#[cfg(feature = "std")]
pub use parallel::{Threads, Workers};
#[cfg(feature = "std")]
pub use random_access::{RandomAccess, RangeReader, ReadAt};
pub use shared::{ChunkOpener, Run, SharedSealer};
pub use stream::{Opener, Sealer};

#[cfg(feature = "alloc")]
use crate::buffer;
use crate::engine::{Choice, Engine};
use crate::error::Error;
use crate::key::Key;
use crate::random::{RandomSource, SYSTEM};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use body::{Body, Header};

/// Seals `plaintext` under `key`, bound to `context`.
///
/// The result is [`sealed_len`]`(plaintext.len())` bytes long.
///
/// # Errors
/// [`Error::Random`] if the operating system has no random bytes to give.
#[cfg(all(feature = "alloc", feature = "getrandom"))]
pub fn seal(key: &Key, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    Cobblestone::new(key, context).seal(plaintext)
}

/// Opens a whole message that was sealed under `key` and `context`.
///
/// # Errors
/// [`Error::Authentication`] if the key or the context is wrong or the message was changed in any way.
#[cfg(feature = "alloc")]
pub fn open(key: &Key, context: &[u8], message: &[u8]) -> Result<Vec<u8>, Error> {
    Cobblestone::new(key, context).open(message)
}

/// A key and a context, ready to seal and open messages.
///
/// Sealing draws a fresh salt for each message. The context can have any length.
#[derive(Clone, Copy)]
pub struct Cobblestone<'a> {
    key: &'a Key,
    context: &'a [u8],
    choice: Choice,
    check: Option<Choice>,
    random: &'a dyn RandomSource,
}

impl<'a> Cobblestone<'a> {
    /// Seals and opens under `key` and `context`, on the best engine of this machine.
    #[must_use]
    pub fn new(key: &'a Key, context: &'a [u8]) -> Self {
        Self { key, context, choice: Choice::best(), check: None, random: SYSTEM }
    }

    /// The same on another engine; every engine gives the same bytes.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_engine(self, engine: Engine) -> Result<Self, Error> {
        Ok(Self { choice: Choice::of(engine)?, ..self })
    }

    /// The same, and opens every chunk that it seals on `engine` too: what does not come back as it was is not given out.
    /// It guards against faults of one implementation or of the machine, and takes the time of sealing and opening.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`]; [`Error::EnginesAlike`] if it shares code with the engine in use. Sealing fails with
    /// [`Error::CheckFailed`].
    pub fn with_check(self, engine: Engine) -> Result<Self, Error> {
        let check = Choice::of(engine)?;
        self.choice.require_other(check)?;
        Ok(Self { check: Some(check), ..self })
    }

    /// The same on engines that were chosen before.
    #[cfg(feature = "alloc")]
    pub(crate) fn with_choices(self, choice: Choice, check: Option<Choice>) -> Self {
        Self { choice, check, ..self }
    }

    /// The same with salts from another source than the operating system.
    #[must_use]
    pub fn with_random(self, random: &'a dyn RandomSource) -> Self {
        Self { random, ..self }
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.choice.engine()
    }

    /// Seals `plaintext` into a new buffer of [`sealed_len`]`(plaintext.len())` bytes.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes to be had.
    #[cfg(feature = "alloc")]
    pub fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut message = buffer::zeroed(sealed_buffer_len(plaintext.len())?);
        self.seal_into(plaintext, &mut message)?;
        Ok(message)
    }

    /// Seals `plaintext` into the start of `out` and returns how many bytes that took:
    /// [`sealed_len`]`(plaintext.len())`.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`], or [`Error::Random`] if there are no random bytes to be had.
    pub fn seal_into(&self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, sealed_buffer_len(plaintext.len())?)?;
        let (body, header) = self.start_sealing(plaintext.len() as u64)?;
        let (header_out, chunks_out) = out.split_at_mut(HEADER_LEN);
        header_out.copy_from_slice(&header);
        body.seal_last(0, plaintext, chunks_out)?;
        Ok(out.len())
    }

    /// Opens a whole message into a new buffer.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the key or the context is wrong or the message was changed in any way.
    #[cfg(feature = "alloc")]
    pub fn open(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut plaintext = buffer::zeroed(opened_buffer_len(message.len())?);
        self.open_into(message, &mut plaintext)?;
        Ok(plaintext)
    }

    /// Opens a whole message into the start of `out` and returns how many bytes that took:
    /// [`plaintext_len`]`(message.len())`.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the key or the context is wrong or the message was changed in any way; the output
    /// is then all zeros. [`Error::OutputTooSmall`].
    pub fn open_into(&self, message: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = opened_prefix(out, message.len())?;
        let (header, chunks) = message.split_first_chunk().ok_or(Error::Authentication)?;
        let opened = self.start_opening(header, out.len() as u64).and_then(|body| body.open(0, chunks, out));
        if opened.is_err() {
            out.fill(0);
        }
        opened.map(|()| out.len())
    }

    /// Seals piece by piece, into buffers that the caller gives.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes to be had.
    pub fn sealer(&self) -> Result<Sealer, Error> {
        let (body, header) = self.start_sealing(u64::MAX)?;
        Ok(Sealer::new(body, header))
    }

    /// Opens piece by piece, into buffers that the caller gives.
    #[must_use]
    pub fn opener(&self) -> Opener<'a> {
        Opener::new(*self)
    }

    /// Seals one message on threads that the caller runs. [`seal_parallel`](Self::seal_parallel) and
    /// [`seal_stream`](Self::seal_stream) are the simpler ways.
    ///
    /// # Errors
    /// [`Error::Random`] if there are no random bytes to be had.
    pub fn shared_sealer(&self) -> Result<SharedSealer, Error> {
        let (body, header) = self.start_sealing(u64::MAX)?;
        Ok(SharedSealer::new(body, header))
    }

    /// Opens chunks of a message in any order, given its first [`HEADER_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the key or the context is wrong or the header was changed.
    pub fn chunk_opener(&self, header: &[u8; HEADER_LEN]) -> Result<ChunkOpener, Error> {
        self.start_opening(header, u64::MAX).map(ChunkOpener::new)
    }

    /// The same given the salt alone, where something else commits to the key: no commitment is compared.
    #[cfg(feature = "alloc")]
    pub(crate) fn chunk_opener_of_salt(&self, salt: &[u8; SALT_LEN]) -> Result<ChunkOpener, Error> {
        Body::open_with_salt(self.choice, self.key, self.context, salt, u64::MAX).map(ChunkOpener::new)
    }

    fn start_sealing(&self, expected_len: u64) -> Result<(Body, Header), Error> {
        Body::seal_with_new_salt((self.choice, self.check), self.key, self.context, self.random, expected_len)
    }

    fn start_opening(&self, header: &Header, expected_len: u64) -> Result<Body, Error> {
        Body::open_with_header(self.choice, self.key, self.context, header, expected_len)
    }
}

impl core::fmt::Debug for Cobblestone<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cobblestone").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

/// [`sealed_len`] for a plaintext in memory.
fn sealed_buffer_len(plaintext_len: usize) -> Result<usize, Error> {
    let sealed = sealed_len(plaintext_len as u64).ok_or(Error::TooLong)?;
    usize::try_from(sealed).map_err(|_| Error::TooLong)
}

/// [`plaintext_len`] for a message in memory.
fn opened_buffer_len(message_len: usize) -> Result<usize, Error> {
    let plaintext = plaintext_len(message_len as u64).ok_or(Error::Authentication)?;
    usize::try_from(plaintext).map_err(|_| Error::Authentication)
}

/// The part of `out` that a message of `message_len` bytes opens to. If no message has that length, `out` is zeroed:
/// what it held before must not pass for plaintext.
fn opened_prefix(out: &mut [u8], message_len: usize) -> Result<&mut [u8], Error> {
    match opened_buffer_len(message_len) {
        Ok(needed) => prefix(out, needed),
        Err(error) => {
            out.fill(0);
            Err(error)
        }
    }
}

/// The first `needed` bytes of `out`.
pub(crate) fn prefix(out: &mut [u8], needed: usize) -> Result<&mut [u8], Error> {
    let given = out.len();
    out.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, given })
}

#[cfg(objseal_hazmat)]
pub(crate) fn derive_for_vectors(c: &Cobblestone<'_>, salt: &[u8; SALT_LEN]) -> ([u8; 32], [u8; 12], [u8; 32]) {
    let derived = derive::Derived::new(c.choice, c.key, salt, c.context);
    (derived.key, derived.base_nonce, derived.commitment)
}

#[cfg(objseal_hazmat)]
pub(crate) fn seal_chunks_for_vectors(
    c: &Cobblestone<'_>,
    salt: &[u8; SALT_LEN],
    first: u64,
    plaintext: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    let (body, _) =
        Body::seal_with_new_salt((c.choice, None), c.key, c.context, &crate::hazmat::FixedSalt(*salt), u64::MAX)?;
    let all_whole = !plaintext.is_empty() && plaintext.len().is_multiple_of(CHUNK_LEN);
    if all_whole { body.seal(first, plaintext, out) } else { body.seal_last(first, plaintext, out) }
}
