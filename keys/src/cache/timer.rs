//! Deadlines under any executor: one thread that wakes whoever waits for a moment.

use super::lock;
use crate::clock::Clock;
use crate::kms::{KmsError, KmsErrorKind};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

/// Wakes whoever waits for a moment. Its thread is started when somebody waits first, and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Timer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    alarms: BTreeMap<Alarm, Waker>,
    next: u64,
    running: bool,
    closed: bool,
}

/// When, and a number that tells it from others of the same moment.
pub(super) type Alarm = (Instant, u64);

impl Timer {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { shared: Arc::new(Shared { clock, state: Mutex::default(), changed: Condvar::new() }) })
    }

    /// What its clock says.
    pub(super) fn now(&self) -> Instant {
        self.shared.clock.instant()
    }

    /// Wakes once the clock says `at`, unless that is cancelled before.
    ///
    /// # Errors
    /// [`KmsErrorKind::Internal`] if the thread cannot be started.
    pub(super) fn set(&self, at: Instant, waker: Waker) -> Result<Alarm, KmsError> {
        let mut state = lock(&self.shared.state);
        if !state.running {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new().name("objseal-timer".into()).spawn(move || run(&shared));
            // Whoever cannot be woken at the deadline may wait for ever.
            started.map_err(|error| {
                KmsError::new(KmsErrorKind::Internal, format!("no thread for deadlines could be started: {error}"))
            })?;
            state.running = true;
        }
        let alarm = (at, state.next);
        state.next = state.next.wrapping_add(1);
        state.alarms.insert(alarm, waker);
        if state.alarms.first_key_value().is_some_and(|(first, _)| *first == alarm) {
            self.shared.changed.notify_one();
        }
        Ok(alarm)
    }

    /// Wakes another one at the moment of this alarm. `false` if it is over.
    fn renew(&self, alarm: Alarm, waker: &Waker) -> bool {
        let mut state = lock(&self.shared.state);
        let Some(present) = state.alarms.get_mut(&alarm) else { return false };
        let before = (!present.will_wake(waker)).then(|| std::mem::replace(present, waker.clone()));
        // A waker is the code of others, and is dropped without the lock.
        drop(state);
        drop(before);
        true
    }

    /// Wakes nobody at this alarm.
    pub(super) fn cancel(&self, alarm: Alarm) {
        let waker = lock(&self.shared.state).alarms.remove(&alarm);
        drop(waker);
    }

    /// A future that is over at that moment.
    pub(crate) fn sleep_until(self: &Arc<Self>, at: Instant) -> Sleep {
        Sleep { timer: Arc::clone(self), at, alarm: None }
    }

    /// The output of `future`, or [`Late::Deadline`] once the clock says `deadline`.
    pub(super) fn until<F: Future + Unpin>(self: &Arc<Self>, deadline: Instant, future: F) -> Until<F> {
        Until { future, sleep: self.sleep_until(deadline) }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.closed = true;
        let alarms = std::mem::take(&mut state.alarms);
        drop(state);
        self.shared.changed.notify_one();
        drop(alarms);
    }
}

fn run(shared: &Shared) {
    let mut state = lock(&shared.state);
    while !state.closed {
        let now = shared.clock.instant();
        match state.alarms.first_entry() {
            None => state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(first) if first.key().0 <= now => {
                let waker = first.remove();
                drop(state);
                waker.wake();
                state = lock(&shared.state);
            }
            Some(first) => {
                let wait = first.key().0.saturating_duration_since(now);
                state = shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Over once the clock says so.
#[derive(Debug)]
pub(crate) struct Sleep {
    timer: Arc<Timer>,
    at: Instant,
    alarm: Option<Alarm>,
}

impl Future for Sleep {
    /// An error if there is no thread to wake it.
    type Output = Result<(), KmsError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.timer.shared.clock.instant() >= self.at {
            return Poll::Ready(Ok(()));
        }
        if !self.alarm.is_some_and(|alarm| self.timer.renew(alarm, context.waker())) {
            self.alarm = Some(self.timer.set(self.at, context.waker().clone())?);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm {
            self.timer.cancel(alarm);
        }
    }
}

/// A future that is waited for until a deadline.
#[derive(Debug)]
pub(super) struct Until<F> {
    future: F,
    sleep: Sleep,
}

/// Why there is no output.
#[derive(Debug)]
pub(super) enum Late {
    /// The deadline passed.
    Deadline,
    /// Nobody could have told that it passes.
    NoTimer(KmsError),
}

impl From<Late> for KmsError {
    fn from(late: Late) -> Self {
        match late {
            Late::Deadline => Self::new(KmsErrorKind::DependencyTimeout, "no answer before the deadline of the call"),
            Late::NoTimer(error) => error,
        }
    }
}

impl<F: Future + Unpin> Future for Until<F> {
    type Output = Result<F::Output, Late>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // First the future: an answer that is there is given, and what answers at once needs no thread.
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut self.sleep).poll(context).map(|slept| match slept {
            Ok(()) => Err(Late::Deadline),
            Err(error) => Err(Late::NoTimer(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::kms::block_on;
    use std::future::{pending, ready};
    use std::time::Duration;

    #[test]
    fn a_future_that_never_ends_is_given_up_at_the_deadline() {
        let timer = Timer::new(Arc::new(SystemClock));
        let deadline = Instant::now() + Duration::from_millis(5);
        assert!(matches!(block_on(timer.until(deadline, pending::<()>())), Err(Late::Deadline)));
        assert!(Instant::now() >= deadline);
        assert!(lock(&timer.shared.state).alarms.is_empty());
    }

    #[test]
    fn an_earlier_alarm_is_not_kept_waiting_by_a_later_one() {
        let timer = Timer::new(Arc::new(SystemClock));
        let far = timer.set(Instant::now() + Duration::from_secs(86_400), Waker::noop().clone()).unwrap();
        block_on(timer.sleep_until(Instant::now() + Duration::from_millis(5))).unwrap();
        assert_eq!(lock(&timer.shared.state).alarms.keys().copied().collect::<Vec<_>>(), [far]);
    }

    #[test]
    fn what_answers_at_once_needs_no_thread() {
        let timer = Timer::new(Arc::new(SystemClock));
        assert!(matches!(block_on(timer.until(Instant::now(), ready(1))), Ok(1)));
        assert!(!lock(&timer.shared.state).running);
    }

    #[test]
    fn the_thread_ends_with_the_timer() {
        let timer = Timer::new(Arc::new(SystemClock));
        let far = timer.sleep_until(Instant::now() + Duration::from_secs(86_400));
        let mut far = Box::pin(far);
        assert!(far.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let shared = Arc::downgrade(&timer.shared);
        assert!(lock(&timer.shared.state).running);
        drop((far, timer));
        // The thread has the last share of it.
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
