//! One call for all who want the same at the same time.

use super::breaker::Ticket;
use super::entry::{EntryKey, Held};
use super::lock;
use super::store::Store;
use super::timer::{Late, Timer};
use crate::kms::{Answer, KmsError, KmsErrorKind};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

/// A call that is under way, until the last of those who wait for it has gone.
pub(super) struct Flight {
    call: Arc<SharedCall>,
    ticket: Arc<Ticket>,
    deadline: Instant,
}

/// What comes of a call, for all who wait for it.
pub(super) type Landing = Pin<Box<dyn Future<Output = Landed> + Send>>;
type Landed = Result<Arc<Held>, KmsError>;

impl Flight {
    pub(super) fn new(landing: Landing, ticket: Arc<Ticket>, deadline: Instant) -> Arc<Self> {
        Arc::new(Self { call: SharedCall::new(landing), ticket, deadline })
    }

    /// Whether its deadline, and not the service, ended it for somebody who would wait longer.
    pub(super) fn was_too_short(&self, error: &KmsError, deadline: Instant, now: Instant) -> bool {
        error.kind() == KmsErrorKind::DependencyTimeout && self.deadline <= now && self.deadline < deadline
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// One who waits for a flight. The last of them takes it out of the store.
pub(super) struct Passenger<'s> {
    pub(super) flight: Arc<Flight>,
    seat: u64,
    /// Dropped after the flight, so that the last one is seen to be the last.
    _tidy: Tidy<'s>,
}

impl<'s> Passenger<'s> {
    pub(super) fn new(flight: Arc<Flight>, store: &'s Store, entry: &'s EntryKey) -> Self {
        let seat = flight.call.seat();
        Self { flight, seat, _tidy: Tidy { store, entry } }
    }

    /// Waits for the flight until then.
    pub(super) async fn wait(&self, timer: &Arc<Timer>, deadline: Instant) -> Landed {
        let landing = poll_fn(|context| self.flight.call.poll(self.seat, context));
        let late = match timer.until(deadline, landing).await {
            Ok(landed) => return landed,
            Err(late) => late,
        };
        if matches!(late, Late::Deadline) {
            self.flight.ticket.unanswered(timer.now());
        }
        Err(late.into())
    }
}

impl Drop for Passenger<'_> {
    fn drop(&mut self) {
        self.flight.call.leave(self.seat);
    }
}

struct Tidy<'s> {
    store: &'s Store,
    entry: &'s EntryKey,
}

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        self.store.tidy(self.entry);
    }
}

/// The answer of a service, in time or not. A service that panics has failed: those who wait for the same call do not fall
/// with the thread that happened to drive it.
pub(super) async fn in_time<T>(
    mut answer: Answer<'_, T>,
    timer: &Arc<Timer>,
    deadline: Instant,
) -> Result<T, KmsError> {
    let caught = poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(KmsError::new(KmsErrorKind::Internal, "the key service panicked"))))
    });
    timer.until(deadline, caught).await.unwrap_or_else(|late| Err(late.into()))
}

/// A future for many, which any of them drives, so that it goes on when the others stop.
///
/// `Shared` of `futures-util` would not do. One polls; the future is woken; another one is woken by that, sees that it is being
/// polled, and sleeps; the first finds it pending and is dropped. Nobody is left who would poll it. Here the first wakes all
/// who came meanwhile.
struct SharedCall {
    state: Mutex<State>,
    /// Wakes all who wait.
    waker: Waker,
}

struct State {
    /// None while somebody polls it, and when it is over.
    landing: Option<Landing>,
    /// Whether it was woken while somebody polled it.
    woken: bool,
    landed: Option<Landed>,
    /// Who waits, by seat.
    wakers: BTreeMap<u64, Waker>,
    seats: u64,
}

impl SharedCall {
    fn new(landing: Landing) -> Arc<Self> {
        let (landing, wakers) = (Some(landing), BTreeMap::new());
        Arc::new_cyclic(|call| Self {
            state: Mutex::new(State { landing, woken: false, landed: None, wakers, seats: 0 }),
            waker: Waker::from(Arc::new(Everybody(Weak::clone(call)))),
        })
    }

    fn seat(&self) -> u64 {
        let mut state = lock(&self.state);
        state.seats = state.seats.wrapping_add(1);
        state.seats
    }

    /// Wakers and the future are the code of others: the lock is not held while they are cloned, woken, polled or dropped.
    fn poll(&self, seat: u64, context: &mut Context<'_>) -> Poll<Landed> {
        let waker = context.waker().clone();
        let (_before, landing) = {
            let mut state = lock(&self.state);
            if let Some(landed) = &state.landed {
                return Poll::Ready(landed.clone());
            }
            let landing = state.landing.take();
            state.woken &= landing.is_none();
            (state.wakers.insert(seat, waker), landing)
        };
        let Some(mut landing) = landing else { return Poll::Pending };
        let landed = match landing.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(landed) => Some(landed),
            Poll::Pending => None,
        };
        let wakers = {
            let mut state = lock(&self.state);
            state.landed.clone_from(&landed);
            if landed.is_none() {
                state.landing = Some(landing);
            }
            if landed.is_some() || state.woken { std::mem::take(&mut state.wakers) } else { BTreeMap::new() }
        };
        wakers.into_values().for_each(Waker::wake);
        landed.map_or(Poll::Pending, Poll::Ready)
    }

    fn leave(&self, seat: u64) {
        let waker = lock(&self.state).wakers.remove(&seat);
        drop(waker);
    }
}

/// Wakes all who wait for a call.
struct Everybody(Weak<SharedCall>);

impl Wake for Everybody {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(call) = self.0.upgrade() else { return };
        let wakers = {
            let mut state = lock(&call.state);
            // Whoever polls it wakes all.
            state.woken = state.landing.is_none();
            if state.woken { BTreeMap::new() } else { std::mem::take(&mut state.wakers) }
        };
        wakers.into_values().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The first polls; the call is woken meanwhile, then the second polls; then the first goes.
    #[test]
    fn who_polls_a_call_while_another_does_is_woken_for_what_came_meanwhile() {
        for second_before_the_wake in [false, true] {
            let second = Arc::new(Counter::default());
            let weak = Arc::new(Mutex::new(Weak::<SharedCall>::new()));
            let (seen, counter) = (Arc::clone(&weak), Arc::clone(&second));
            let mut polls = 0;
            let landing = poll_fn(move |context| {
                polls += 1;
                if polls > 1 {
                    return Poll::Ready(Err(KmsError::new(KmsErrorKind::DryRun, "")));
                }
                let call = lock(&seen).upgrade().unwrap();
                let waker = Waker::from(Arc::clone(&counter));
                let poll_second = || assert!(call.poll(2, &mut Context::from_waker(&waker)).is_pending());
                if second_before_the_wake {
                    poll_second();
                }
                context.waker().wake_by_ref();
                if !second_before_the_wake {
                    poll_second();
                }
                Poll::Pending
            });
            let call = SharedCall::new(Box::pin(landing));
            *lock(&weak) = Arc::downgrade(&call);
            assert!(call.poll(1, &mut Context::from_waker(Waker::noop())).is_pending());
            call.leave(1);
            assert_eq!(second.0.load(Ordering::SeqCst), 1);
            assert!(call.poll(2, &mut Context::from_waker(Waker::noop())).is_ready());
        }
    }
}
