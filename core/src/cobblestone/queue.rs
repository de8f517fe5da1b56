//! Work that threads take from a queue until there is none left: the loop, the first failure, panics and zeroing.

use super::parallel::Workers;
use crate::error::Error;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What came of the work.
#[must_use = "after a failure what was written must not be given out"]
pub(super) struct Outcome<E> {
    failure: Option<E>,
    panic: Option<Box<dyn Any + Send>>,
}

/// Calls `next`, one thread at a time, and `work` on what it gives, on all threads, until there is no more or something fails.
/// All of it together is `total` large: what `next` gives says how much of that it is, and it counts once `work` has returned.
///
/// `scratch` makes what a thread keeps from one piece of work to the next.
pub(super) fn run<I, S, E: From<Error> + Send>(
    workers: &impl Workers,
    total: u64,
    next: impl FnMut() -> Result<Option<(I, u64)>, E> + Send,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(I, &mut S) -> Result<(), E> + Sync,
) -> Outcome<E> {
    let next = Mutex::new(next);
    let failure = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let job = || {
        let mut scratch = scratch();
        while !failed.load(Ordering::Relaxed) {
            let taken = (lock(&next))();
            let worked = match taken {
                Ok(None) => return,
                Ok(Some((item, amount))) => work(item, &mut scratch).map(|()| amount),
                Err(error) => Err(error),
            };
            match worked {
                Ok(amount) => {
                    done.fetch_add(amount, Ordering::Relaxed);
                }
                Err(error) => {
                    lock(&failure).get_or_insert(error);
                    failed.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    let panic = catch_unwind(AssertUnwindSafe(|| {
        workers.run(&job);
        // In case the pool made no call at all.
        job();
    }));
    let mut failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failure.is_none() && done.into_inner() < total {
        // Something was taken and not finished, and the pool kept the panic to itself.
        failure = Some(Error::WorkersFailed.into());
    }
    Outcome { failure, panic: panic.err() }
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
