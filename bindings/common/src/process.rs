//! That something goes on in the process that made it, and in no other.

use std::error::Error;
use std::fmt;
use std::process;

/// The process that made something which seals in steps. After a fork there are two of it, and both would count on from the
/// same nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameProcess(u32);

impl SameProcess {
    /// This process.
    #[must_use]
    pub fn here() -> Self {
        Self(process::id())
    }

    /// That this is still the same process.
    ///
    /// # Errors
    /// [`OtherProcess`].
    pub fn check(self) -> Result<(), OtherProcess> {
        if self == Self::here() { Ok(()) } else { Err(OtherProcess) }
    }
}

/// Another process made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherProcess;

impl fmt::Display for OtherProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another process made this; if both went on, two texts would be under the same nonces")
    }
}

impl Error for OtherProcess {}
