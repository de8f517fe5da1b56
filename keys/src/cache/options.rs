//! How long is kept what, and when a service counts as failed.

use super::metrics::Metrics;
use crate::clock::{Clock, SystemClock};
use crate::kms::{KmsError, KmsErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// Longest time that anything is kept or waited for.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest time that a refusal is kept: whoever is allowed something waits for it no longer.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(1);
/// Most uses of a generated key.
const MAX_USES: u64 = 1 << 32;
/// Most entries.
const MAX_CAPACITY: usize = 1_000_000;
/// Most failures that a service is forgiven.
const MAX_FAILURES: u32 = 1_000_000;

/// What a [`CachedKms`](super::CachedKms) keeps, for how long, and when it stops to ask. The bounds are checked when it is
/// made of them.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    pub(super) ttl: Duration,
    generate_ttl: Option<Duration>,
    pub(super) max_uses: u64,
    pub(super) capacity: usize,
    pub(super) negative_ttl: Duration,
    pub(super) failures: u32,
    pub(super) open_for: Duration,
    pub(super) deadline: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Option<Arc<dyn Metrics>>,
}

/// As the methods say.
impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(5 * 60),
            generate_ttl: None,
            max_uses: MAX_USES,
            capacity: 1_000,
            negative_ttl: MAX_NEGATIVE_TTL,
            failures: 5,
            open_for: Duration::from_secs(10),
            deadline: Duration::from_secs(10),
            clock: Arc::new(SystemClock),
            metrics: None,
        }
    }
}

impl CacheOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a key stays in memory after the service gave it: at most 24 hours, by default 5 minutes. Where the service
    /// cannot tell how a key stands, it is also how long a right outlives its withdrawal.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// The same for keys that were generated, and are used for one object after another: by default as long as the others.
    #[must_use]
    pub fn with_generate_ttl(self, ttl: Duration) -> Self {
        Self { generate_ttl: Some(ttl), ..self }
    }

    /// How many times a generated key is given out: 1 to 2^32, by default 2^32.
    #[must_use]
    pub fn with_max_uses(self, uses: u64) -> Self {
        Self { max_uses: uses, ..self }
    }

    /// How many keys and refusals are kept: up to 1,000,000, by default 1,000. 0 keeps nothing; callers who want the same at
    /// the same time share a call nevertheless.
    #[must_use]
    pub fn with_capacity(self, entries: usize) -> Self {
        Self { capacity: entries, ..self }
    }

    /// How long a refusal is kept: by default 1 second, and never longer, whatever is set here.
    #[must_use]
    pub fn with_negative_ttl(self, ttl: Duration) -> Self {
        Self { negative_ttl: ttl.min(MAX_NEGATIVE_TTL), ..self }
    }

    /// After how many failures in a row, 1 to 1,000,000, the service is left alone, and for how long, up to 24 hours: by
    /// default after 5 for 10 seconds.
    #[must_use]
    pub fn with_breaker(self, failures: u32, open_for: Duration) -> Self {
        Self { failures, open_for, ..self }
    }

    /// How long a call waits that does not say: up to 24 hours, by default 10 seconds.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// What time it is: by default that of the operating system. Deadlines of calls are by the same clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Who is told of every call; nobody by default.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<dyn Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    pub(super) fn generate_ttl(&self) -> Duration {
        self.generate_ttl.unwrap_or(self.ttl)
    }

    /// Refuses what is out of the bounds above.
    pub(super) fn check(&self) -> Result<(), KmsError> {
        let time = |time: Duration| !time.is_zero() && time <= MAX_TIME;
        let bounds = [
            (time(self.ttl), "the TTL is more than 0 and at most 24 hours"),
            (time(self.generate_ttl()), "the TTL of generated keys is more than 0 and at most 24 hours"),
            ((1..=MAX_USES).contains(&self.max_uses), "a generated key has 1 to 2^32 uses"),
            (self.capacity <= MAX_CAPACITY, "the capacity is at most 1,000,000 entries"),
            ((1..=MAX_FAILURES).contains(&self.failures), "the breaker opens after 1 to 1,000,000 failures"),
            (time(self.open_for), "the breaker is open for more than 0 and at most 24 hours"),
            (time(self.deadline), "the deadline is more than 0 and at most 24 hours"),
        ];
        match bounds.into_iter().find(|(fits, _)| !fits) {
            Some((_, bound)) => Err(KmsError::new(KmsErrorKind::Validation, bound)),
            None => Ok(()),
        }
    }
}
