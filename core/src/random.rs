//! Where random bytes come from.

use crate::error::RandomError;

/// A source of cryptographically secure random bytes.
///
/// With the feature `getrandom` the operating system is the source and nobody needs this trait. Without an operating
/// system, implement it over the hardware's generator and give it to
/// [`Cobblestone::with_random`](crate::cobblestone::Cobblestone::with_random). A source that repeats itself destroys
/// all security: two messages with the same key and salt share their key stream.
pub trait RandomSource {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`RandomError`] if not all of `bytes` could be filled.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator.
///
/// No random bytes are kept between calls, so a forked process or a copied virtual machine never sees them again.
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

#[cfg(feature = "getrandom")]
impl RandomSource for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(bytes).map_err(|_| RandomError)
    }
}

/// What there is when nobody gave a source.
#[cfg(not(feature = "getrandom"))]
pub(crate) struct NoRandom;

#[cfg(not(feature = "getrandom"))]
impl RandomSource for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}
