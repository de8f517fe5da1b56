//! How often somebody may ask: a bucket of tokens for each, which fills again with time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A bound on requests in a second, for each of those who ask.
#[derive(Debug)]
pub struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
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

    /// Whether a request of `who` is within the bound at this moment, and takes a token if so. Names are to be those of a list that is known: each
    /// of them is kept.
    #[must_use]
    pub fn take(&self, who: &str, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = || Bucket { tokens: self.per_second, since: now };
        if !buckets.contains_key(who) {
            buckets.insert(who.into(), full());
        }
        let Some(bucket) = buckets.get_mut(who) else { return false };
        let passed = now.saturating_duration_since(bucket.since).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.per_second);
        bucket.since = bucket.since.max(now);
        let within = bucket.tokens >= 1.0;
        if within {
            bucket.tokens -= 1.0;
        }
        within
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
        assert!(rate.take("a", at(500)));
        assert!(!rate.take("a", at(500)));
        // It never has more than it had at first.
        assert_eq!([0, 1, 2].map(|_| rate.take("a", at(100_000))), [true, true, false]);
        // A clock that goes back gives nothing.
        assert!(!rate.take("a", at(0)));
        assert!(!rate.take("a", at(100_000)));
    }
}
