//! The first error of a reader or writer, which every later call gives again.

use objseal::Error;
use std::io;

/// Why there is no going on.
#[derive(Clone, Debug)]
pub(crate) enum FirstError {
    System(i32),
    Ours(Error),
    Other(io::ErrorKind, String),
}

impl FirstError {
    pub(crate) fn of(error: &io::Error) -> Self {
        let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match (error.raw_os_error(), ours) {
            (Some(code), _) => Self::System(code),
            (None, Some(&error)) => Self::Ours(error),
            (None, None) => Self::Other(error.kind(), error.to_string()),
        }
    }

    /// What there is to say after a panic, which says nothing itself any more.
    pub(crate) fn panicked() -> Self {
        Self::Other(io::ErrorKind::Other, "an earlier call panicked".to_owned())
    }

    /// The same once more.
    pub(crate) fn again(&self) -> io::Error {
        match self {
            Self::System(code) => io::Error::from_raw_os_error(*code),
            Self::Ours(error) => (*error).into(),
            Self::Other(kind, text) => io::Error::new(*kind, text.clone()),
        }
    }
}
