//! How a key that may be kept is found: kept already, on its way for somebody else, or by a call of the service.

use super::CachedKms;
use super::entry::{Asked, EntryKey, Held};
use super::flight::{Flight, Passenger, in_time};
use super::layer::Passing;
use super::metrics::AnsweredBy;
use super::store::{Answered, FlightNumber, Found};
use crate::kms::{Answer, Call, Kms, KmsError, KmsErrorKind, Right};
use objseal::envelope::WrappingKey;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who answered, and what.
type Outcome = (AnsweredBy, Result<Arc<WrappingKey>, KmsError>);

/// Whether a key may be given to whoever asks now.
enum Checked {
    Fits,
    /// The name stands for another key, or another version is current.
    Outdated,
    /// The service says no.
    Refused(KmsError),
    /// The service did not say in time.
    Unknown(KmsError),
}

impl<K: Kms + ?Sized + 'static> CachedKms<K> {
    pub(super) fn kept<'a>(&'a self, call: &'a Call, asked: Asked) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            let passing = self.take(asked.operation(), call)?;
            let (from, outcome) = self.find(&passing, &Arc::new(EntryKey::new(call, asked))).await;
            passing.measured(from, outcome)
        })
    }

    async fn find(&self, passing: &Passing<'_, K>, entry: &Arc<EntryKey>) -> Outcome {
        let mut now = passing.started;
        // Each round but the last has seen a key that was outdated, or a call that was given less time than this caller has.
        loop {
            let begin = |number| self.begin(&passing.call, entry, number, passing.deadline, now);
            let outcome = match self.store.find(entry, now, begin) {
                Err(error) => Some((AnsweredBy::Breaker, Err(error))),
                Ok(Found::Answer(Answered::Refusal(error))) => Some((AnsweredBy::Cache, Err(error))),
                Ok(Found::Answer(Answered::Key(held))) => {
                    self.give(passing, entry, &held, AnsweredBy::Cache, |now| self.store.give(entry, &held, now)).await
                }
                Ok(Found::Begun(flight)) => self.ride(passing, entry, flight, AnsweredBy::Service).await,
                Ok(Found::Flight(flight)) => self.ride(passing, entry, flight, AnsweredBy::Flight).await,
            };
            if let Some(outcome) = outcome {
                return outcome;
            }
            now = self.timer.now();
        }
    }

    /// What comes of a call, for who began it or joined it; nothing if another call is needed.
    async fn ride(
        &self,
        passing: &Passing<'_, K>,
        entry: &Arc<EntryKey>,
        flight: Arc<Flight>,
        from: AnsweredBy,
    ) -> Option<Outcome> {
        let passenger = Passenger::new(flight, &self.store, entry);
        let held = match passenger.wait(&self.timer, passing.deadline).await {
            Ok(held) => held,
            Err(error) => {
                let again = passenger.flight.was_too_short(&error, passing.deadline, self.timer.now());
                return (!again).then_some((from, Err(error)));
            }
        };
        drop(passenger);
        match from {
            AnsweredBy::Service => Some((from, Ok(Arc::clone(&held.key)))),
            // The service has not seen this caller, and the call may have begun before something was withdrawn.
            _ => self.give(passing, entry, &held, from, |now| held.give(now)).await,
        }
    }

    /// A key of an earlier call, if the service says that this caller may have it; nothing if another call is needed.
    async fn give(
        &self,
        passing: &Passing<'_, K>,
        entry: &Arc<EntryKey>,
        held: &Arc<Held>,
        from: AnsweredBy,
        give: impl FnOnce(Instant) -> Option<Arc<WrappingKey>>,
    ) -> Option<Outcome> {
        let outcome = match self.check(passing, entry, held).await {
            Checked::Unknown(error) => return Some((from, Err(error))),
            // Its time may have passed while the service was asked.
            Checked::Fits => give(self.timer.now()).map(Ok),
            Checked::Outdated => None,
            Checked::Refused(error) => Some(Err(error)),
        };
        if !matches!(outcome, Some(Ok(_))) {
            self.store.withdraw(entry, held);
        }
        outcome.map(|outcome| (from, outcome))
    }

    /// Asks the service how the key stands for this caller. It is asked also while it is left alone, and its failures do not
    /// count: a service that is near knows without its far end.
    async fn check(&self, passing: &Passing<'_, K>, entry: &EntryKey, held: &Held) -> Checked {
        let (key, right) = entry.needs();
        let answer = self.kms.standing(&passing.call, key, right);
        match in_time(answer, &self.timer, passing.deadline).await {
            Ok(None) => Checked::Fits,
            Ok(Some(standing)) => {
                let same_version = right == Right::Decrypt || standing.current_version == held.key.key_version();
                let fits = standing.key_arn == held.key.key_id() && same_version;
                if fits { Checked::Fits } else { Checked::Outdated }
            }
            Err(error) if error.kind() == KmsErrorKind::DependencyTimeout && passing.deadline <= self.timer.now() => {
                Checked::Unknown(error)
            }
            Err(error) => Checked::Refused(error),
        }
    }

    /// Makes a call of the service, which begins when somebody waits for it.
    fn begin(
        &self,
        call: &Call,
        entry: &Arc<EntryKey>,
        number: FlightNumber,
        deadline: Instant,
        now: Instant,
    ) -> Result<Arc<Flight>, KmsError> {
        let ticket = self.breaker.admit(now)?;
        // Others may join who wait longer than the first, and no answer to an impatient one says nothing about the service.
        let deadline = deadline.max(self.default_deadline(now));
        let call = call.clone().until(deadline);
        let (kms, timer, store) = (Arc::clone(&self.kms), Arc::clone(&self.timer), Arc::clone(&self.store));
        let (entry, told, options) = (Arc::clone(entry), Arc::clone(&ticket), self.options.clone());
        let landing = async move {
            let answer = async {
                match entry.asked() {
                    Asked::Generate { key, purpose } => kms.generate(&call, key, *purpose).await,
                    Asked::Reopen(stored) => kms.reopen(&call, stored).await,
                }
            };
            let outcome = in_time(Box::pin(answer), &timer, deadline).await;
            let now = timer.now();
            told.ended(&outcome, deadline, now);
            let (ttl, uses) = match entry.asked() {
                Asked::Generate { .. } => (options.generate_ttl(), options.max_uses),
                Asked::Reopen(_) => (options.ttl, u64::MAX),
            };
            let outcome = outcome.map(|key| Arc::new(Held::new(key, later(now, ttl), uses)));
            let answered = match &outcome {
                Ok(held) => Some((Answered::Key(Arc::clone(held)), held.expires())),
                Err(error) if is_kept(error.kind()) => {
                    Some((Answered::Refusal(error.clone()), later(now, options.negative_ttl)))
                }
                Err(_) => None,
            };
            store.land(&entry, number, answered, now);
            outcome
        };
        Ok(Flight::new(Box::pin(landing), ticket, deadline))
    }
}

/// Whether a refusal is kept: it stays true for a while.
fn is_kept(kind: KmsErrorKind) -> bool {
    use KmsErrorKind::{AccessDenied, Disabled, InvalidState, NotFound};
    matches!(kind, AccessDenied | Disabled | InvalidState | NotFound)
}

/// Times are bounded when the options are checked.
fn later(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or(now)
}
