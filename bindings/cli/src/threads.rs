//! How many threads work.

use objseal::cobblestone::Threads;
use std::num::NonZeroUsize;
use std::str::FromStr;

pub(crate) const HELP: &str = "Threads to work on, up to 1000 [default: as many as this machine can run at once]";

/// Above it, what the threads need themselves is more than the 64 MiB that are meant to suffice.
const MAX: u16 = 1000;

/// A number of threads that the user asked for.
#[derive(Clone, Copy)]
pub(crate) struct ThreadCount(u16);

impl FromStr for ThreadCount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let count = text.parse().ok().filter(|count| (1..=MAX).contains(count));
        count.map(Self).ok_or("a number from 1 to 1000")
    }
}

/// As many threads as were asked for, or as make sense here.
pub(crate) fn threads(asked: Option<ThreadCount>) -> Threads {
    let count = asked.map_or_else(|| Threads::available().0.get(), |count| count.0.into());
    Threads(NonZeroUsize::new(count.min(MAX.into())).unwrap_or(NonZeroUsize::MIN))
}
