//! The secret that a message is sealed under.

use crate::error::KeyLengthError;
#[cfg(feature = "getrandom")]
use crate::{error::Error, random::OsRandom, random::RandomSource};
use core::fmt;
use zeroize::Zeroize;

/// A 32-byte secret key, wiped when dropped.
///
/// It must be uniformly random: from [`Key::generate`], another cryptographic random generator, or a key service,
/// never a password. One key can seal any number of messages: each draws a salt of 192 bits from which its own
/// AES key and nonces are derived.
///
/// It is not `Clone` and its `Debug` output is redacted, so that copies are made on purpose only.
pub struct Key([u8; Key::LEN]);

impl Key {
    /// Length of a key, in bytes.
    pub const LEN: usize = 32;

    /// A new random key from the operating system.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system has no random bytes to give.
    #[cfg(feature = "getrandom")]
    pub fn generate() -> Result<Self, Error> {
        let mut key = Self([0; Self::LEN]);
        OsRandom.fill(&mut key.0)?;
        Ok(key)
    }

    /// A key from bytes that the caller has. The caller's own copy is the caller's to wipe.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(*bytes)
    }

    /// Becomes another key where it is.
    #[cfg(feature = "alloc")]
    pub(crate) fn copy_from(&mut self, bytes: &[u8; Self::LEN]) {
        self.0.copy_from_slice(bytes);
    }

    /// The secret bytes, to be stored or wrapped.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Key {
    type Error = KeyLengthError;

    fn try_from(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        let bytes = bytes.try_into().map_err(|_| KeyLengthError)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
