//! Verified plaintext at any offset, whatever stores it.

use objseal::cobblestone::{RandomAccess, ReadAt, Threads};
use objseal::envelope::{Envelope, PartStore, PartsReader};
use objseal::file::SealedFile;
use std::borrow::Borrow;
use std::io;
use std::sync::Arc;

/// Verified plaintext at any offset.
#[allow(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait Plaintext: Send + Sync {
    /// Its length, in bytes.
    fn len(&self) -> u64;

    /// Fills `out` from `start` on.
    ///
    /// # Errors
    /// What the source says, or that it is not authentic; `out` is all zeros then.
    fn read_at(&self, threads: &Threads, start: u64, out: &mut [u8]) -> io::Result<()>;
}

impl<S: ReadAt + Send + Sync> Plaintext for RandomAccess<S> {
    fn len(&self) -> u64 {
        self.len()
    }

    fn read_at(&self, threads: &Threads, start: u64, out: &mut [u8]) -> io::Result<()> {
        self.open_range_parallel(threads, start, out)
    }
}

impl<S: ReadAt + Send + Sync> Plaintext for SealedFile<S> {
    fn len(&self) -> u64 {
        self.body().len()
    }

    fn read_at(&self, threads: &Threads, start: u64, out: &mut [u8]) -> io::Result<()> {
        self.body().open_range_parallel(threads, start, out)
    }
}

/// On one thread, part after part.
impl<E, S, P> Plaintext for PartsReader<E, S, P>
where
    E: Borrow<Envelope> + Send + Sync,
    S: ReadAt + Send + Sync,
    P: PartStore + Send + Sync,
{
    fn len(&self) -> u64 {
        self.table().plaintext_len()
    }

    fn read_at(&self, _: &Threads, start: u64, out: &mut [u8]) -> io::Result<()> {
        self.open_range_into(start, out)
    }
}

impl<P: Plaintext> Plaintext for Arc<P> {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, threads: &Threads, start: u64, out: &mut [u8]) -> io::Result<()> {
        (**self).read_at(threads, start, out)
    }
}
