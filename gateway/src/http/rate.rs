//! How often somebody may ask: a bucket of tokens for each, which fills again with time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Most buckets that are kept; those that are full again are forgotten first.
const MAX_BUCKETS: usize = 10_000;

/// A bound on requests in a second, for each of those who ask.
#[derive(Debug)]
pub struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    since: Instant,
}

impl Rate {
    /// So many requests in a second, and as many at once after a pause.
    #[must_use]
    pub fn per_second(requests: u32) -> Self {
        Self { per_second: f64::from(requests), buckets: Mutex::default() }
    }

    /// Whether a request of `who` would be within the bound at this moment.
    #[must_use]
    pub fn has(&self, who: &str, now: Instant) -> bool {
        let buckets = self.lock();
        buckets.get(who).is_none_or(|bucket| self.filled(*bucket, now).tokens >= 1.0)
    }

    /// Whether a request of `who` is within the bound at this moment, and takes a token if so.
    #[must_use]
    pub fn take(&self, who: &str, now: Instant) -> bool {
        let mut buckets = self.lock();
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(who) {
            buckets.retain(|_, bucket| self.filled(*bucket, now).tokens < self.per_second);
        }
        let before = buckets.get(who).copied();
        let mut bucket =
            before.map_or(Bucket { tokens: self.per_second, since: now }, |bucket| self.filled(bucket, now));
        let within = bucket.tokens >= 1.0;
        if within {
            bucket.tokens -= 1.0;
        }
        buckets.insert(who.into(), bucket);
        within
    }

    /// A bucket as it is now.
    fn filled(&self, bucket: Bucket, now: Instant) -> Bucket {
        let passed = now.saturating_duration_since(bucket.since).as_secs_f64();
        let tokens = (bucket.tokens + passed * self.per_second).min(self.per_second);
        Bucket { tokens, since: bucket.since.max(now) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_fills() {
        let rate = Rate::per_second(2);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!([0, 0, 0, 400].map(|millis| rate.take("a", at(millis))), [true, true, false, false]);
        assert!(rate.take("b", at(400)), "another one has a bucket of their own");
        assert_eq!([400, 500].map(|millis| rate.has("a", at(millis))), [false, true]);
        assert!(rate.take("a", at(500)));
        assert!(!rate.take("a", at(500)));
        // It never has more than it had at first.
        assert_eq!([0, 1, 2].map(|_| rate.take("a", at(100_000))), [true, true, false]);
        // A clock that goes back gives nothing.
        assert!(!rate.take("a", at(0)));
        assert!(!rate.take("a", at(100_000)));
    }
}
