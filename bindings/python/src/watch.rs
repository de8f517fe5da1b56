//! Long work that Python can watch and stop: it runs on a thread of its own, and the thread that called looks after signals
//! and reports progress meanwhile.

use crate::error::{OrRaise, argument};
use crate::source::{Sink, Stream};
use objseal_bindings::SameProcess;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the caller looks.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// How far the work has come, and whether it is to end.
#[derive(Default)]
pub(crate) struct Progress {
    done: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// An input, which is counted, or an output. It gives an error when the work is to end.
    pub(crate) fn of<T>(&self, inner: T) -> Watched<'_, T> {
        Watched { inner, progress: self, process: SameProcess::here() }
    }
}

pub(crate) struct Watched<'p, T> {
    inner: T,
    progress: &'p Progress,
    /// An object of Python may fork.
    process: SameProcess,
}

impl<T> Watched<'_, T> {
    fn check(&self) -> io::Result<()> {
        self.process.check().or_raise()?;
        if self.progress.stop.load(Ordering::Relaxed) { Err(io::Error::other("stopped")) } else { Ok(()) }
    }
}

impl Read for Watched<'_, Stream> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        // A pipe may have nothing to give for as long as it likes.
        while !self.inner.wait(INTERVAL)? {
            self.check()?;
        }
        let len = self.inner.read(buffer)?;
        self.check()?;
        self.progress.done.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

impl Write for Watched<'_, &mut Sink> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Locks, and lets Python go on meanwhile.
pub(crate) fn lock<'m, T>(py: Python<'_>, mutex: &'m Mutex<T>) -> MutexGuard<'m, T> {
    mutex.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`, and calls `callback` with the number of bytes read since it was called last. Ctrl-C, and an exception of
/// `callback`, end the work.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Progress) -> T + Send,
) -> PyResult<T> {
    let progress = Progress::default();
    let callback = callback.map(|callback| callback.clone().unbind());
    let mut reported = 0;
    let mut look = |progress: &Progress| {
        Python::attach(|py| {
            py.check_signals()?;
            let done = progress.done.load(Ordering::Relaxed);
            if let Some(callback) = callback.as_ref().filter(|_| done > reported) {
                callback.call1(py, (done - reported,))?;
                reported = done;
            }
            Ok(())
        })
    };
    py.detach(|| {
        thread::scope(|scope| {
            let (finished, wait) = channel::<()>();
            let progress = &progress;
            let worker = thread::Builder::new().spawn_scoped(scope, move || {
                // Dropped when the work is over, however it ends.
                let _finished = finished;
                work(progress)
            });
            let worker = worker.map_err(|error| argument(format!("no thread to be had: {error}")))?;
            let mut outcome = Ok(());
            while wait.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if outcome.is_ok() {
                    outcome = look(progress);
                    progress.stop.store(outcome.is_err(), Ordering::Relaxed);
                }
            }
            let done = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            if outcome.is_ok() {
                outcome = look(progress);
            }
            outcome.map(|()| done)
        })
    })
}
