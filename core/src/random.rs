//! Where random bytes come from.

use crate::error::RandomError;

/// A source of cryptographically secure random bytes.
///
/// With the feature `getrandom` the operating system is the source and nobody needs this trait. Without an operating
/// system, implement it over the hardware's generator and give it to
/// [`Cobblestone::with_random`](crate::cobblestone::Cobblestone::with_random). A source that repeats itself destroys
/// all security: two messages with the same key and salt share their key stream.
///
/// ```
/// use objseal::cobblestone::Cobblestone;
/// use objseal::{Key, RandomError, RandomSource};
/// # struct Register(std::sync::atomic::AtomicU32);
/// # impl Register {
/// #     fn read(&self) -> Option<u32> { Some(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) }
/// # }
/// # static GENERATOR: Register = Register(std::sync::atomic::AtomicU32::new(1));
///
/// /// The hardware's generator: a register with 32 new bits, or none if the generator has failed.
/// struct Board;
///
/// impl RandomSource for Board {
///     fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
///         for bytes in bytes.chunks_mut(4) {
///             let word = GENERATOR.read().ok_or(RandomError::new())?;
///             bytes.copy_from_slice(&word.to_ne_bytes()[..bytes.len()]);
///         }
///         Ok(())
///     }
/// }
///
/// let mut bytes = [0; Key::LEN];
/// Board.fill(&mut bytes)?;
/// let key = Key::from_bytes(&bytes);
/// let cobblestone = Cobblestone::new(&key, b"log/7").with_random(&Board);
/// let mut message = [0; 77]; // cobblestone::sealed_len(5)
/// let len = cobblestone.seal_into(b"plain", &mut message)?;
/// # assert_eq!(len, 77);
/// # Ok::<(), objseal::Error>(())
/// ```
pub trait RandomSource: Send + Sync {
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

/// The source that somebody holds on to.
#[cfg(feature = "alloc")]
#[derive(Clone, Default)]
pub(crate) enum Source {
    /// The operating system; nothing where there is none.
    #[default]
    System,
    Given(alloc::sync::Arc<dyn RandomSource>),
}

#[cfg(feature = "alloc")]
impl RandomSource for Source {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        match self {
            Self::System => SYSTEM.fill(bytes),
            Self::Given(source) => source.fill(bytes),
        }
    }
}

/// What there is when nobody gave a source.
#[cfg(feature = "getrandom")]
pub(crate) const SYSTEM: &dyn RandomSource = &OsRandom;
/// What there is when nobody gave a source.
#[cfg(not(feature = "getrandom"))]
pub(crate) const SYSTEM: &dyn RandomSource = &NoRandom;

#[cfg(not(feature = "getrandom"))]
struct NoRandom;

#[cfg(not(feature = "getrandom"))]
impl RandomSource for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}
