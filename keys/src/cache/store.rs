//! What is kept, and which calls are under way.

use super::entry::{EntryKey, Held};
use super::flight::Flight;
use super::lock;
use super::timer::{Alarm, Timer};
use crate::kms::KmsError;
use objseal::envelope::WrappingKey;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::Instant;

/// Keys and refusals by what was asked, and the calls that will give more of them. Nothing waits while it is locked.
#[derive(Debug)]
pub(super) struct Store {
    capacity: usize,
    timer: Arc<Timer>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Arc<EntryKey>, (Expiry, Answered)>,
    /// The same, the one that expires first first.
    by_expiry: BTreeMap<Expiry, Arc<EntryKey>>,
    flights: HashMap<Arc<EntryKey>, (FlightNumber, Weak<Flight>)>,
    next: u64,
    /// What wakes for the first expiry.
    alarm: Option<Alarm>,
}

/// When, and a number that tells it from others of the same moment.
type Expiry = (Instant, u64);
/// What tells a call from later ones for the same entry.
pub(super) type FlightNumber = u64;

/// What the service answered, and may answer again.
#[derive(Clone, Debug)]
pub(super) enum Answered {
    Key(Arc<Held>),
    Refusal(KmsError),
}

/// What there is for an entry.
pub(super) enum Found {
    Answer(Answered),
    /// A call that is under way.
    Flight(Arc<Flight>),
    /// A call that was begun for it.
    Begun(Arc<Flight>),
}

impl Store {
    pub(super) fn new(capacity: usize, timer: Arc<Timer>) -> Arc<Self> {
        Arc::new(Self { capacity, timer, state: Mutex::default() })
    }

    /// What there is for the entry. Where there is nothing, `begin` makes a call, which asks nobody before it is polled.
    pub(super) fn find(
        &self,
        entry: &Arc<EntryKey>,
        now: Instant,
        begin: impl FnOnce(FlightNumber) -> Result<Arc<Flight>, KmsError>,
    ) -> Result<Found, KmsError> {
        let mut state = lock(&self.state);
        state.purge(now);
        match state.entries.get(entry) {
            Some((_, Answered::Key(held))) if held.is_over(now) => state.remove(entry),
            Some((_, answered)) => return Ok(Found::Answer(answered.clone())),
            None => {}
        }
        if let Some(flight) = state.flights.get(entry).and_then(|(_, flight)| flight.upgrade()) {
            return Ok(Found::Flight(flight));
        }
        let number = state.number();
        let flight = begin(number)?;
        state.flights.insert(Arc::clone(entry), (number, Arc::downgrade(&flight)));
        Ok(Found::Begun(flight))
    }

    /// The key once more, if it is still what is kept for the entry.
    pub(super) fn give(&self, entry: &EntryKey, held: &Arc<Held>, now: Instant) -> Option<Arc<WrappingKey>> {
        lock(&self.state).holds(entry, held).then(|| held.give(now)).flatten()
    }

    /// Forgets the key, if it is what is kept for the entry.
    pub(super) fn withdraw(&self, entry: &EntryKey, held: &Arc<Held>) {
        let mut state = lock(&self.state);
        if state.holds(entry, held) {
            state.remove(entry);
        }
    }

    /// Ends a call, and keeps what came of it until `expires`. What was forgotten meanwhile is not kept.
    pub(super) fn land(
        self: &Arc<Self>,
        entry: &Arc<EntryKey>,
        number: FlightNumber,
        answered: Option<(Answered, Instant)>,
        now: Instant,
    ) {
        let mut state = lock(&self.state);
        if state.flights.get(entry).is_none_or(|(present, _)| *present != number) {
            return;
        }
        state.flights.remove(entry);
        state.purge(now);
        let Some((answered, expires)) = answered.filter(|(_, expires)| *expires > now) else { return };
        state.remove(entry);
        let expiry = (expires, state.number());
        state.entries.insert(Arc::clone(entry), (expiry, answered));
        state.by_expiry.insert(expiry, Arc::clone(entry));
        while state.entries.len() > self.capacity {
            state.remove_first();
        }
        self.schedule(&mut state);
    }

    /// Forgets a call that nobody waits for any more.
    pub(super) fn tidy(&self, entry: &EntryKey) {
        let mut state = lock(&self.state);
        if state.flights.get(entry).is_some_and(|(_, flight)| flight.strong_count() == 0) {
            state.flights.remove(entry);
        }
    }

    /// Drops what has expired.
    pub(super) fn purge(&self, now: Instant) {
        lock(&self.state).purge(now);
    }

    /// Drops everything. Calls that are under way answer those who wait for them, and nobody else.
    pub(super) fn clear(&self) {
        let mut state = lock(&self.state);
        state.entries.clear();
        state.by_expiry.clear();
        state.flights.clear();
    }

    /// Drops the keys of this root key, all refusals, and what calls under way would give.
    pub(super) fn forget(&self, key_arn: &str) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.entries.retain(|_, (expiry, answered)| {
            let stays = matches!(answered, Answered::Key(held) if held.key.key_id() != key_arn);
            if !stays {
                state.by_expiry.remove(expiry);
            }
            stays
        });
        state.flights.clear();
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.state).entries.len()
    }

    /// Sees to it that the first entry to expire does so though nobody comes. Without a thread it goes when somebody comes.
    fn schedule(self: &Arc<Self>, state: &mut State) {
        let first = state.by_expiry.first_key_value().map(|((expires, _), _)| *expires);
        match (first, state.alarm) {
            (None, _) => {}
            (Some(first), Some((at, _))) if at <= first => {}
            (Some(first), alarm) => {
                if let Some(alarm) = alarm {
                    self.timer.cancel(alarm);
                }
                state.alarm = self.timer.set(first, Waker::from(Arc::new(Expirer(Arc::downgrade(self))))).ok();
            }
        }
    }
}

/// Purges a store.
struct Expirer(Weak<Store>);

impl Wake for Expirer {
    fn wake(self: Arc<Self>) {
        if let Some(store) = self.0.upgrade() {
            let now = store.timer.now();
            let mut state = lock(&store.state);
            state.alarm = None;
            state.purge(now);
            store.schedule(&mut state);
        }
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    fn holds(&self, entry: &EntryKey, held: &Arc<Held>) -> bool {
        matches!(self.entries.get(entry), Some((_, Answered::Key(present))) if Arc::ptr_eq(present, held))
    }

    fn remove(&mut self, entry: &EntryKey) {
        if let Some((expiry, _)) = self.entries.remove(entry) {
            self.by_expiry.remove(&expiry);
        }
    }

    fn remove_first(&mut self) {
        if let Some((_, entry)) = self.by_expiry.pop_first() {
            self.entries.remove(&entry);
        }
    }

    fn purge(&mut self, now: Instant) {
        while self.by_expiry.first_key_value().is_some_and(|((expires, _), _)| *expires <= now) {
            self.remove_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::breaker::Breaker;
    use crate::cache::entry::Asked;
    use crate::cache::flight::Passenger;
    use crate::clock::SystemClock;
    use crate::kms::{Call, Principal, Purpose};
    use objseal::envelope::{KeyKind, ServiceContext};
    use std::future::pending;
    use std::time::Duration;

    #[test]
    fn a_call_leaves_the_store_with_the_last_who_waits_for_it() {
        let now = Instant::now();
        let store = Store::new(1, Timer::new(Arc::new(SystemClock)));
        let breaker = Breaker::new(1, Duration::from_secs(1), Duration::from_secs(1));
        let purpose = Purpose { kind: KeyKind::Shared, context: ServiceContext::None };
        let call = Call::of(Arc::new(Principal::new("alice")));
        let entry = Arc::new(EntryKey::new(&call, Asked::Generate { key: "photos".into(), purpose }));
        let find = || {
            let found = store.find(&entry, now, |_| Ok(Flight::new(Box::pin(pending()), breaker.admit(now)?, now)));
            match found.unwrap() {
                Found::Begun(flight) => (true, Passenger::new(flight, &store, &entry)),
                Found::Flight(flight) => (false, Passenger::new(flight, &store, &entry)),
                Found::Answer(_) => panic!("nothing was kept"),
            }
        };
        let ((first_began, first), (second_began, second)) = (find(), find());
        assert_eq!((first_began, second_began), (true, false));
        drop(first);
        assert_eq!(lock(&store.state).flights.len(), 1);
        drop(second);
        assert_eq!(lock(&store.state).flights.len(), 0);
        assert!(find().0);
    }
}
