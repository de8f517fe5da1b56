//! When a service that fails is left alone, and when it is tried again.

use super::lock;
use crate::kms::{KmsError, KmsErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An impatient caller says nothing about the service: no answer is a failure only after this time.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    open_for: Duration,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Failures since the last answer.
    in_a_row: u32,
    phase: Phase,
    /// How many phases there were before: a call of an earlier one says nothing about this one.
    number: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The service is asked.
    Closed,
    /// It is left alone until then.
    Open { until: Instant },
    /// One call tries it.
    HalfOpen,
}

impl Breaker {
    /// `deadline` is how long calls wait that do not say.
    pub(super) fn new(failures: u32, open_for: Duration, deadline: Duration) -> Arc<Self> {
        let state = Mutex::new(State { in_a_row: 0, phase: Phase::Closed, number: 0 });
        Arc::new(Self { failures, open_for, patience: PATIENCE.min(deadline), state })
    }

    /// Lets a call through, or says why not.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<Arc<Ticket>, KmsError> {
        let mut state = lock(&self.state);
        match state.phase {
            Phase::Closed => {}
            Phase::Open { until } if until <= now => state.enter(Phase::HalfOpen),
            Phase::Open { until } => {
                let rest = until.saturating_duration_since(now);
                let seconds = rest.as_secs().saturating_add(u64::from(rest.subsec_nanos() > 0));
                return Err(left_alone(state.in_a_row, &format!("asked again in {seconds} seconds")));
            }
            Phase::HalfOpen => return Err(left_alone(state.in_a_row, "being asked again")),
        }
        let (breaker, phase) = (Arc::clone(self), state.number);
        Ok(Arc::new(Ticket { breaker, phase, started: now, failed: AtomicBool::new(false) }))
    }
}

fn left_alone(in_a_row: u32, until: &str) -> KmsError {
    let message = format!("the key service failed {in_a_row} times in a row; it is {until}");
    KmsError::new(KmsErrorKind::Unreachable, message)
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.number = self.number.wrapping_add(1);
    }
}

/// A call that was let through. If it is dropped before it ended, the next call tries what it was to try.
#[derive(Debug)]
pub(super) struct Ticket {
    breaker: Arc<Breaker>,
    phase: u64,
    started: Instant,
    /// Whether it counted as a failure.
    failed: AtomicBool,
}

impl Ticket {
    /// The call ended. Whatever is not transient shows that the service is there.
    pub(super) fn ended<T>(&self, outcome: &Result<T, KmsError>, deadline: Instant, now: Instant) {
        match outcome.as_ref().map_err(KmsError::kind) {
            Err(KmsErrorKind::DependencyTimeout) if now >= deadline => return self.unanswered(now),
            Err(kind) if kind.is_transient() => return self.fail(now),
            Ok(_) | Err(_) => {}
        }
        let mut state = lock(&self.breaker.state);
        if state.number == self.phase {
            state.in_a_row = 0;
            if !matches!(state.phase, Phase::Closed) {
                state.enter(Phase::Closed);
            }
        }
    }

    /// Somebody did not wait any longer.
    pub(super) fn unanswered(&self, now: Instant) {
        if now.saturating_duration_since(self.started) >= self.breaker.patience {
            self.fail(now);
        }
    }

    /// Counts as one failure, however many waited for it.
    fn fail(&self, now: Instant) {
        let mut state = lock(&self.breaker.state);
        if state.number != self.phase || self.failed.swap(true, Ordering::Relaxed) {
            return;
        }
        state.in_a_row = state.in_a_row.saturating_add(1);
        if matches!(state.phase, Phase::HalfOpen) || state.in_a_row >= self.breaker.failures {
            // Bounded when the options were checked.
            let until = now.checked_add(self.breaker.open_for).unwrap_or(now);
            state.enter(Phase::Open { until });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = lock(&self.breaker.state);
        if state.number == self.phase && matches!(state.phase, Phase::HalfOpen) {
            state.enter(Phase::Open { until: self.started });
        }
    }
}
