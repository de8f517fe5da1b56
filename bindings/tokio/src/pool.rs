//! Where the work is done: small pieces inline, large ones on a bounded part of tokio's blocking pool.

use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Where sealing and opening is done.
///
/// Up to a number of bytes it is done where the task runs: to hand it over would take longer. What is larger goes to tokio's
/// blocking pool, of which no more threads are used at a time than this says; the others wait. Clones share the threads.
#[derive(Clone, Debug)]
pub struct Pool {
    threads: Arc<Semaphore>,
    inline_len: usize,
}

impl Pool {
    /// Bytes up to which the work is done inline unless [`with_inline_len`](Self::with_inline_len) says otherwise: some 10
    /// microseconds.
    pub const INLINE_LEN: usize = 64 * 1024;

    /// At most so many threads at a time.
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        let threads = threads.get().min(Semaphore::MAX_PERMITS);
        Self { threads: Arc::new(Semaphore::new(threads)), inline_len: Self::INLINE_LEN }
    }

    /// Does work on up to `len` bytes where the task runs.
    #[must_use]
    pub fn with_inline_len(self, len: usize) -> Self {
        Self { inline_len: len, ..self }
    }

    /// Does `work` on `len` bytes, and returns what it returns; a panic goes on. Dropped before it is done, what has begun goes
    /// on, and its result is dropped.
    ///
    /// # Errors
    /// If the runtime shuts down before the work has begun.
    pub async fn run<T: Send + 'static>(
        &self,
        len: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        if len <= self.inline_len {
            return Ok(work());
        }
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(io::Error::other)?;
        let done = spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        match done.await {
            Ok(value) => Ok(value),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Default for Pool {
    /// As many threads as the operating system says this process can run at once.
    fn default() -> Self {
        Self::new(available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}
