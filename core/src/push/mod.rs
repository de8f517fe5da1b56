//! What all sealers and openers have in common: slices in, slices out.

#[cfg(feature = "std")]
mod io;

#[cfg(feature = "std")]
pub(crate) use io::{Reader, Writer, read_some};

use crate::error::Error;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Takes bytes in as they come and gives out what they come to: every sealer and every opener is one, of bare messages, of
/// bodies and of files. Whoever has buffers, an event loop or a language of their own builds on it.
///
/// What comes out is all the output of [`update`](Self::update) and [`finish`](Self::finish), in order. What an opener gives out
/// is authentic, and it is whole only when `finish` has succeeded.
///
/// ```
/// use objseal::cobblestone::Cobblestone;
/// use objseal::{Key, Push};
///
/// /// All that `transform` makes of some pieces.
/// fn push_all<T: Push>(mut transform: T, pieces: &[&[u8]]) -> Result<Vec<u8>, T::Error> {
///     let mut out = Vec::new();
///     for piece in pieces {
///         transform.update_vec(piece, &mut out)?;
///     }
///     transform.finish_vec(&mut out)?;
///     Ok(out)
/// }
///
/// let key = Key::generate()?;
/// let cobblestone = Cobblestone::new(&key, b"notes");
/// let message = push_all(cobblestone.sealer()?, &[b"in any ", b"pieces"])?;
/// assert_eq!(push_all(cobblestone.opener(), &[&message])?, b"in any pieces");
/// # Ok::<(), objseal::Error>(())
/// ```
pub trait Push {
    /// Why it does not go on.
    type Error: From<Error>;

    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes; of an opener, if they are authentic.
    ///
    /// # Errors
    /// [`Error::TooLong`] if that would be longer than it can be. After a failure perhaps that failure.
    fn update_len(&self, input_len: usize) -> Result<usize, Self::Error>;

    /// Takes in `input`, writes what is ready to the start of `out`, and returns how many bytes that took.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::OutputTooSmall`]: nothing was consumed or written then. Any other: there is no going on,
    /// and what an opener would have written is all zeros. [`Error::Finished`] after the end.
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Self::Error>;

    /// How many bytes [`finish`](Self::finish) writes; of an opener, if they are authentic.
    ///
    /// # Errors
    /// After a failure perhaps that failure.
    fn finish_len(&self) -> Result<usize, Self::Error>;

    /// Writes the end to the start of `out` and returns how many bytes that took.
    ///
    /// # Errors
    /// Those of [`update`](Self::update).
    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Self::Error>;

    /// [`update`](Self::update) that appends to `out`; after an error nothing is appended.
    ///
    /// # Errors
    /// Those of [`update`](Self::update).
    #[cfg(feature = "alloc")]
    fn update_vec(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Self::Error> {
        append(out, self.update_len(input.len())?, |room| self.update(input, room))
    }

    /// [`finish`](Self::finish) that appends to `out`; after an error nothing is appended.
    ///
    /// # Errors
    /// Those of [`finish`](Self::finish).
    #[cfg(feature = "alloc")]
    fn finish_vec(&mut self, out: &mut Vec<u8>) -> Result<(), Self::Error> {
        append(out, self.finish_len()?, |room| self.finish(room))
    }
}

/// Appends `len` bytes that `fill` writes; none if it fails.
#[cfg(feature = "alloc")]
pub(crate) fn append<E>(
    out: &mut Vec<u8>,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let before = out.len();
    out.resize(before.saturating_add(len), 0);
    let filled = fill(&mut out[before..]);
    out.truncate(before + *filled.as_ref().unwrap_or(&0));
    filled.map(drop)
}
