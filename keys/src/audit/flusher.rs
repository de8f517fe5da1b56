//! The thread that syncs lines after a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Tells the thread that there is something to sync.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    /// Whether the thread knows of lines that are not synced.
    unsynced: AtomicBool,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is no thread.
    #[default]
    Idle,
    Running,
    /// The thread ends, and there will be no other.
    Closed,
}

impl Flusher {
    /// Has `flush` called on the thread after `delay`. Returns whether there is a thread.
    pub(super) fn wake<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        delay: Duration,
        log: &Arc<T>,
        flush: fn(&Arc<T>),
    ) -> bool {
        if self.unsynced.swap(true, Ordering::AcqRel) {
            return true;
        }
        let mut stage = self.stage();
        if *stage == Stage::Idle {
            let (flusher, log) = (Arc::clone(self), Arc::downgrade(log));
            let thread = thread::Builder::new().name("objseal-audit".into());
            if thread.spawn(move || flusher.run(delay, &log, flush)).is_err() {
                self.unsynced.store(false, Ordering::Release);
                return false;
            }
            *stage = Stage::Running;
        }
        self.changed.notify_all();
        true
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        *self.stage() = Stage::Closed;
        self.changed.notify_all();
    }

    fn run<T>(&self, delay: Duration, log: &Weak<T>, flush: fn(&Arc<T>)) {
        while self.wait(delay) {
            // What comes from here on wakes it again.
            self.unsynced.store(false, Ordering::Release);
            let Some(log) = log.upgrade() else { return };
            flush(&log);
        }
    }

    /// Waits for something to sync, and then for so long. Returns whether to go on.
    fn wait(&self, delay: Duration) -> bool {
        let idle = |stage: &mut Stage| *stage != Stage::Closed && !self.unsynced.load(Ordering::Acquire);
        let mut stage = self.changed.wait_while(self.stage(), idle).unwrap_or_else(PoisonError::into_inner);
        let begin = Instant::now();
        while *stage != Stage::Closed {
            let Some(left) = delay.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) else { return true };
            (stage, _) = self.changed.wait_timeout(stage, left).unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

    /// Says when it is flushed; when it is dropped, it can say nothing more.
    struct Log(Mutex<Sender<()>>);

    fn log() -> (Arc<Log>, Receiver<()>) {
        let (sender, receiver) = channel();
        (Arc::new(Log(Mutex::new(sender))), receiver)
    }

    fn flush(log: &Arc<Log>) {
        let sent = log.0.lock().expect("locked").send(());
        sent.expect("the test listens");
    }

    #[test]
    fn each_wake_is_followed_by_a_flush_on_one_thread() {
        let (flusher, (log, flushed)) = (Arc::new(Flusher::default()), log());
        for _ in 0..100 {
            assert!(flusher.wake(Duration::ZERO, &log, flush));
            flushed.recv().expect("flushed");
        }
        // One of the test, and one of the thread.
        assert_eq!(Arc::strong_count(&flusher), 2);
    }

    #[test]
    fn closing_ends_the_thread_whatever_it_waits_for() {
        let hour = Duration::from_secs(3600);
        for wakes in [true, false] {
            let (flusher, (log, flushed)) = (Arc::new(Flusher::default()), log());
            if !wakes {
                assert!(flusher.wake(Duration::ZERO, &log, flush));
                flushed.recv().expect("flushed");
            } else {
                assert!(flusher.wake(hour, &log, flush));
            }
            flusher.close();
            // The thread lets go of it.
            while Arc::strong_count(&flusher) > 1 {
                thread::yield_now();
            }
            drop(log);
            assert!(flushed.recv().is_err(), "it was flushed before its time");
        }
    }

    #[test]
    fn the_thread_does_not_keep_the_log() {
        let (flusher, (log, flushed)) = (Arc::new(Flusher::default()), log());
        assert!(flusher.wake(Duration::from_secs(3600), &log, flush));
        drop(log);
        let heard = flushed.recv_timeout(Duration::from_secs(60));
        assert_eq!(heard, Err(RecvTimeoutError::Disconnected), "it is kept");
        flusher.close();
    }
}
