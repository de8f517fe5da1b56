//! Work that threads take from a queue until there is none left: the loop, the first failure, panics and zeroing.

use super::parallel::Workers;
use crate::error::Error;
use core::any::Any;
use core::mem::replace;
use core::sync::atomic::{AtomicBool, Ordering};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::panicking;

/// What came of the work.
#[must_use = "after a failure what was written must not be given out"]
pub(super) struct Outcome<E> {
    failure: Option<E>,
    panic: Option<Box<dyn Any + Send>>,
}

/// Calls `next`, one thread at a time, and `work` on what it gives, on all threads, until there is no more or something fails.
///
/// `scratch` makes what a thread keeps from one piece of work to the next. `stop` is called when something failed or panicked,
/// so that who waits in `work` for others lets go; what it returns then does not count.
pub(super) fn run<I, S, E: From<Error> + Send>(
    workers: &impl Workers,
    scratch: impl Fn() -> S + Sync,
    next: impl FnMut(&mut S) -> Result<Option<I>, E> + Send,
    work: impl Fn(I, &mut S) -> Result<(), E> + Sync,
    stop: impl Fn() + Sync,
) -> Outcome<E> {
    // Whether it goes on: what failed or panicked is not asked again, by no thread.
    let next = Mutex::new((next, true));
    let failure = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let ended = AtomicBool::new(false);
    let fail = |error: Option<E>| {
        if let Some(error) = error {
            lock(&failure).get_or_insert(error);
        }
        failed.store(true, Ordering::Relaxed);
        stop();
    };
    let job = || {
        let _guard = OnPanic(|| fail(None));
        let mut scratch = scratch();
        while !failed.load(Ordering::Relaxed) {
            let taken = {
                let mut next = lock(&next);
                let (next, goes_on) = &mut *next;
                if !replace(goes_on, false) || failed.load(Ordering::Relaxed) {
                    return;
                }
                let taken = next(&mut scratch);
                *goes_on = taken.is_ok();
                taken
            };
            let worked = match taken {
                Ok(None) => {
                    ended.store(true, Ordering::Relaxed);
                    return;
                }
                Ok(Some(item)) => work(item, &mut scratch),
                Err(error) => Err(error),
            };
            if let Err(error) = worked {
                fail(Some(error));
            }
        }
    };
    let panic = catch_unwind(AssertUnwindSafe(|| {
        workers.run(&job);
        // In case the pool made no call at all.
        job();
    }));
    let mut failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failure.is_none() && (failed.into_inner() || !ended.into_inner()) {
        // Something was not taken or not finished. The pool may have kept the panic to itself.
        failure = Some(Error::WorkersFailed.into());
    }
    Outcome { failure, panic: panic.err() }
}

/// Called when its thread panics.
struct OnPanic<F: Fn()>(F);

impl<F: Fn()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if panicking() {
            (self.0)();
        }
    }
}

impl<E> Outcome<E> {
    /// Zeroes what was written unless all went well; a panic goes on.
    pub(super) fn settle(self, out: &mut [u8]) -> Result<(), E> {
        if self.failure.is_some() || self.panic.is_some() {
            out.fill(0);
        }
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
        self.failure.map_or(Ok(()), Err)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
