//! What the tests share: which backends to run on, and how to say so.

use objseal::Backend;

/// The backends under test: all that this machine has, or the one that `OBJSEAL_BACKEND` names.
///
/// # Panics
/// If this machine does not have the one that was named.
#[must_use]
pub fn backends() -> Vec<Backend> {
    if let Ok(name) = std::env::var("OBJSEAL_BACKEND") {
        let backend: Backend = name.parse().expect("OBJSEAL_BACKEND names a backend");
        assert!(backend.is_available(), "OBJSEAL_BACKEND asks for {backend}, and this CPU does not have it");
        return vec![backend];
    }
    Backend::ALL.iter().copied().filter(|backend| backend.is_available()).collect()
}

/// Prints what ran, for those who read the log (`--nocapture`).
pub fn report(suite: &str, backend: Backend, what: impl std::fmt::Display) {
    println!("{suite}: {what} on {backend}");
}

/// Bytes that repeat with a prime period, so that no two blocks of a message look the same to a kernel.
#[must_use]
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).expect("below 251") ^ u8::try_from(i >> 8 & 0xff).expect("a byte")).collect()
}
