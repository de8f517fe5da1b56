//! What the bindings to other languages share: numbers of threads, plaintext behind one interface, and a guard
//! against forks.

#[cfg(objseal_hazmat)]
compile_error!("objseal_hazmat is for the tests of the core: nothing that is built with it may be shipped");

mod plaintext;
mod process;

pub use plaintext::Plaintext;
pub use process::{OtherProcess, SameProcess};

use objseal::cobblestone::Threads;
use std::num::NonZeroUsize;

/// Most threads that a call works on.
pub const MAX_THREADS: u32 = 1_000;

/// A number of threads; 0 is as many as there are CPUs, and above [`MAX_THREADS`] there is none.
#[must_use]
pub fn threads(count: u32) -> Option<Threads> {
    match NonZeroUsize::new(usize::try_from(count).ok()?) {
        None => Some(Threads::available()),
        Some(threads) => (count <= MAX_THREADS).then_some(Threads(threads)),
    }
}
