//! The chunks of one message: everything that happens between the header and the caller's buffers.

use super::derive::Derived;
use super::{CHUNK_LEN, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, TAG_LEN};
use crate::arch::{NONCE_LEN, Nonce, Tag};
use crate::engine::{Choice, Engine, LayerKey};
use crate::error::{Error, Refusal};
use crate::gcm::CounterRoom;
use crate::key::Key;
use crate::limits::MAX_CHUNKS;
use crate::random::RandomSource;
use crate::verdict::verdict;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Salt and commitment.
pub(super) type Header = [u8; HEADER_LEN];

/// The derived key of one message. Who holds it for sealing must use every chunk index once at most.
pub(super) struct Body {
    key: LayerKey,
    base_nonce: [u8; NONCE_LEN],
    /// The same key on another engine, to open what was sealed before it is given out.
    check: Option<LayerKey>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.base_nonce.zeroize();
    }
}

impl Body {
    /// Draws a salt and derives from it; the header goes first in the message.
    pub(super) fn seal_with_new_salt(
        (choice, check): (Choice, Option<Choice>),
        key: &Key,
        context: &[u8],
        random: &dyn RandomSource,
        expected_len: u64,
    ) -> Result<(Self, Header), Error> {
        let mut salt = [0; SALT_LEN];
        random.fill(&mut salt)?;
        let derived = Derived::new(choice, key, &salt, context);
        let check = check.map(|check| derived.check(check, key, &salt, context, expected_len)).transpose()?;
        let mut header = [0; HEADER_LEN];
        header[..SALT_LEN].copy_from_slice(&salt);
        header[SALT_LEN..].copy_from_slice(&derived.commitment);
        let mut body = Self::from_derived(choice, &derived, expected_len)?;
        body.check = check;
        Ok((body, header))
    }

    /// Derives from the salt in `header` and checks its commitment.
    pub(super) fn open_with_header(
        choice: Choice,
        key: &Key,
        context: &[u8],
        header: &Header,
        expected_len: u64,
    ) -> Result<Self, Error> {
        let (salt, commitment) = header.split_first_chunk().ok_or(Error::Authentication)?;
        let derived = Derived::new(choice, key, salt, context);
        if verdict(derived.commitment.ct_eq(commitment)) {
            Self::from_derived(choice, &derived, expected_len)
        } else {
            Err(Error::refused(Refusal::Commitment))
        }
    }

    /// Derives from a salt; the caller knows that key and salt belong together.
    #[cfg(feature = "alloc")]
    pub(super) fn open_with_salt(
        choice: Choice,
        key: &Key,
        context: &[u8],
        salt: &[u8; SALT_LEN],
        expected_len: u64,
    ) -> Result<Self, Error> {
        Self::from_derived(choice, &Derived::new(choice, key, salt, context), expected_len)
    }

    fn from_derived(choice: Choice, derived: &Derived, expected_len: u64) -> Result<Self, Error> {
        let key = LayerKey::new(choice, &derived.key, expected_len)?;
        Ok(Self { key, base_nonce: derived.base_nonce, check: None })
    }

    /// The engine that seals and opens the chunks.
    pub(super) fn engine(&self) -> Engine {
        self.key.engine()
    }

    /// Seals whole chunks, from chunk `first` on. `plaintext` must be a multiple of [`CHUNK_LEN`] long, and `out` as
    /// many times [`SEALED_CHUNK_LEN`].
    pub(super) fn seal(&self, first: u64, plaintext: &[u8], out: &mut [u8]) -> Result<(), Error> {
        debug_assert_eq!(plaintext.len() % CHUNK_LEN, 0);
        debug_assert_eq!(out.len(), plaintext.len() / CHUNK_LEN * SEALED_CHUNK_LEN);
        self.seal_chunks(first, plaintext.chunks_exact(CHUNK_LEN), out)
    }

    /// Seals the end of the message, from chunk `first` on: whole chunks, then the last one, which may be empty.
    pub(super) fn seal_last(&self, first: u64, plaintext: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let whole = plaintext.chunks_exact(CHUNK_LEN);
        let last = whole.remainder();
        self.seal_chunks(first, whole.chain([last]), out)
    }

    fn seal_chunks<'p>(&self, first: u64, chunks: impl Iterator<Item = &'p [u8]>, out: &mut [u8]) -> Result<(), Error> {
        let mut room = CounterRoom::new();
        let mut worker = self.key.worker(&mut room, out.len());
        for (index, (plaintext, out)) in (first..).zip(chunks.zip(out.chunks_mut(SEALED_CHUNK_LEN))) {
            let nonce = self.nonce(index).ok_or(Error::TooLong)?;
            let (given, needed) = (out.len(), plaintext.len() + TAG_LEN);
            let (ciphertext, tag) = out.split_last_chunk_mut().ok_or(Error::OutputTooSmall { needed, given })?;
            *tag = worker.seal(&nonce, plaintext, ciphertext)?;
            if let Some(check) = &self.check
                && !opens_to(check, &nonce, ciphertext, tag, plaintext)
            {
                ciphertext.fill(0);
                return Err(Error::CheckFailed(check.engine()));
            }
        }
        Ok(())
    }

    /// Opens chunks from chunk `first` on. `sealed` is whole chunks and perhaps the last one. After an error what is
    /// in `out` must not be given out: the caller zeroes it.
    pub(super) fn open(&self, first: u64, sealed: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let mut room = CounterRoom::new();
        let mut worker = self.key.worker(&mut room, sealed.len());
        let mut rest = out;
        for (index, sealed) in (first..).zip(sealed.chunks(SEALED_CHUNK_LEN)) {
            let nonce = self.nonce(index).ok_or(Error::Authentication)?;
            let cut_short = || Error::refused(Refusal::Length);
            let (ciphertext, tag) = sealed.split_last_chunk().ok_or_else(cut_short)?;
            let (plaintext, after) = rest.split_at_mut_checked(ciphertext.len()).ok_or(Error::Authentication)?;
            rest = after;
            worker.open(&nonce, ciphertext, plaintext, tag).map_err(|_| Error::refused(Refusal::Tag))?;
        }
        Ok(())
    }

    /// The nonce of chunk `index`: the base nonce XOR the index as a big-endian number. `None` past the last index.
    ///
    /// This is the only place where a nonce is made.
    fn nonce(&self, index: u64) -> Option<Nonce> {
        if index >= MAX_CHUNKS {
            return None;
        }
        let mut nonce = self.base_nonce;
        let low = &mut nonce[NONCE_LEN - 8..];
        for (nonce_byte, index_byte) in low.iter_mut().zip(index.to_be_bytes()) {
            *nonce_byte ^= index_byte;
        }
        // GCM asks of a nonce that it is new, not that it is secret (SP 800-38D, section 8).
        #[cfg(all(objseal_hazmat, feature = "std"))]
        crate::hazmat::public::bytes(&mut nonce);
        Some(nonce)
    }
}

/// Whether a chunk opens to `plaintext`. Tags alone would not tell: they are over the ciphertext, whatever key stream made
/// it.
fn opens_to(key: &LayerKey, nonce: &Nonce, ciphertext: &[u8], tag: &Tag, plaintext: &[u8]) -> bool {
    let mut room = CounterRoom::new();
    let mut opened = Zeroizing::new([0; CHUNK_LEN]);
    let opened = &mut opened[..ciphertext.len()];
    let authentic = key.worker(&mut room, opened.len()).open(nonce, ciphertext, opened, tag).is_ok();
    authentic && verdict(opened.ct_eq(plaintext))
}
