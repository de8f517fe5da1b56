//! What time it is, so that tests can say.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// A clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day: for dates that are stored.
    fn now(&self) -> SystemTime;

    /// Time that never goes back: for what is kept for a while.
    fn instant(&self) -> Instant;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// Seconds since 1970, as key services tell time; 0 before.
#[must_use]
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The time that is so many seconds after 1970.
#[must_use]
pub fn from_unix_seconds(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}
