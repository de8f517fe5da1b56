//! Where the work is done: small pieces inline, large ones on a bounded part of tokio's blocking pool.

use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Where sealing and opening is done.
///
/// Up to a number of bytes it is done where the task runs: to hand it over would take longer. What is larger goes to tokio's
/// blocking pool, of which no more threads are used at a time than this says; the others wait. Clones share the threads.
/// Outside of a runtime everything is done where the task runs.
#[derive(Clone, Debug)]
pub struct Pool {
    threads: Arc<Semaphore>,
    inline_len: usize,
}

impl Pool {
    /// Bytes up to which the work is done inline unless [`with_inline_len`](Self::with_inline_len) says otherwise: 20 to 100
    /// microseconds on a CPU with AES instructions, of which handing it over and back would take as many. Without such
    /// instructions say some 16 KiB.
    pub const INLINE_LEN: usize = 256 * 1024;

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

    pub(crate) fn is_inline(&self, len: usize) -> bool {
        len <= self.inline_len
    }

    /// Does `work` on `len` bytes, and returns what it returns; a panic goes on. Dropped before it is done, what has begun goes
    /// on, and its result is dropped.
    ///
    /// Polled once, it takes its turn and makes room for the next whether it is polled again or not: a task that waits for one
    /// piece never waits for another of its own.
    ///
    /// # Errors
    /// If the runtime shuts down before the work has begun.
    pub async fn run<T: Send + 'static>(&self, len: usize, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let runtime = if self.is_inline(len) { None } else { Handle::try_current().ok() };
        let Some(runtime) = runtime else { return Ok(work()) };
        let Ok(permit) = Arc::clone(&self.threads).try_acquire_owned() else {
            let threads = Arc::clone(&self.threads);
            // A task, for a permit that is given to a future which is not polled would be lost to all.
            let waits = runtime.clone().spawn(async move {
                let permit = threads.acquire_owned().await.map_err(io::Error::other)?;
                let work = move || {
                    let _permit = permit;
                    work()
                };
                Job(runtime.spawn_blocking(work)).done().await
            });
            return Job(waits).done().await?;
        };
        let work = move || {
            let _permit = permit;
            work()
        };
        Job(runtime.spawn_blocking(work)).done().await
    }
}

impl Default for Pool {
    /// As many threads as the operating system says this process can run at once.
    fn default() -> Self {
        Self::new(available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// Does what blocks for long, and not on a CPU, on a thread of its own; outside of a runtime, here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    match Handle::try_current() {
        Ok(runtime) => Job(runtime.spawn_blocking(work)).done().await,
        Err(_) => Ok(work()),
    }
}

/// Dropped before it has begun, it never begins.
struct Job<T>(JoinHandle<T>);

impl<T> Job<T> {
    async fn done(mut self) -> io::Result<T> {
        match (&mut self.0).await {
            Ok(value) => Ok(value),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
