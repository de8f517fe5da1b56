//! AES-256-GCM, one shot, on the backend chosen for the key (SP 800-38D).
//!
//! Only 96-bit nonces and 128-bit tags. This module is not public: a nonce is never the caller's to choose.

pub(crate) use crate::arch::CounterRoom;
use crate::arch::{Backend, Choice, CounterTable, GcmKey, KEY_LEN, Nonce, Tag};
use crate::error::Error;
use crate::limits::{GCM_MAX_AAD_LEN, GCM_MAX_DATA_LEN};
use crate::verdict::verdict;
use inout::InOutBuf;
use subtle::ConstantTimeEq;

/// From how many bytes on the long table of hash key powers pays for itself.
const LONG_LEN: u64 = 8 * 1024;
/// From how many bytes on a table of counter blocks pays for itself.
const CACHED_LEN: usize = 8 * 1024;

/// An AES-256-GCM key, set up. Everything that is derived from the key is wiped on drop.
pub(crate) struct Aes256Gcm(GcmKey);

impl Aes256Gcm {
    /// Sets up `key`. `expected_len` is how many bytes it will be used on, as far as is known: a larger table pays
    /// off from [`LONG_LEN`] on.
    pub(crate) fn new(choice: Choice, key: &[u8; KEY_LEN], expected_len: u64) -> Self {
        Self(GcmKey::new(choice, key, expected_len >= LONG_LEN))
    }

    /// The backend in use.
    pub(crate) fn backend(&self) -> Backend {
        self.0.backend()
    }

    /// What seals and opens some messages, of about `len` bytes together, one after the other.
    pub(crate) fn worker<'w>(&'w self, room: &'w mut CounterRoom, len: usize) -> Worker<'w> {
        Worker { key: &self.0, table: (len >= CACHED_LEN).then(|| CounterTable::new(room)) }
    }
}

/// A key, and what one thread keeps from message to message.
pub(crate) struct Worker<'w> {
    key: &'w GcmKey,
    table: Option<CounterTable<'w>>,
}

impl Worker<'_> {
    /// The backend in use.
    #[cfg(objseal_hazmat)]
    pub(crate) fn backend(&self) -> Backend {
        self.key.backend()
    }

    /// Encrypts `data`, in place or from one buffer into another, and returns the tag.
    ///
    /// A nonce must never be used twice with the same key.
    pub(crate) fn seal(&mut self, nonce: &Nonce, aad: &[u8], data: InOutBuf<'_, '_, u8>) -> Result<Tag, Error> {
        check_lengths(aad, data.len())?;
        Ok(self.key.seal(self.table.as_mut(), nonce, aad, data))
    }

    /// Decrypts `data`, in place or from one buffer into another. If `tag` does not hold, the output is zeroed.
    pub(crate) fn open(
        &mut self,
        nonce: &Nonce,
        aad: &[u8],
        mut data: InOutBuf<'_, '_, u8>,
        tag: &Tag,
    ) -> Result<(), Error> {
        if check_lengths(aad, data.len()).is_err() {
            data.get_out().fill(0);
            return Err(Error::Authentication);
        }
        let computed = self.key.open(self.table.as_mut(), nonce, aad, data.reborrow());
        if verdict(computed.ct_eq(tag)) {
            Ok(())
        } else {
            data.get_out().fill(0);
            Err(Error::Authentication)
        }
    }
}

fn check_lengths(aad: &[u8], data_len: usize) -> Result<(), Error> {
    if data_len as u64 > GCM_MAX_DATA_LEN || aad.len() as u64 > GCM_MAX_AAD_LEN {
        return Err(Error::TooLong);
    }
    Ok(())
}
