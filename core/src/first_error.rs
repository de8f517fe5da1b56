//! The first error of a reader or writer, which every later call gives again.

use crate::error::Error;
use std::io;
use std::string::{String, ToString};

/// Why a reader or writer does not go on, to be said again by every later call: an [`io::Error`] cannot be cloned. What stands
/// in another [`io::Error`] keeps its kind and its words; an [`Error`] stays one.
///
/// ```
/// use objseal::{Error, FirstError};
/// use std::io;
///
/// let first = FirstError::of(&io::Error::from(Error::Authentication));
/// let again = first.again();
/// assert_eq!(again.get_ref().and_then(|inner| inner.downcast_ref()), Some(&Error::Authentication));
/// ```
#[derive(Clone, Debug)]
pub struct FirstError(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System(i32),
    Ours(Error),
    Other(io::ErrorKind, String),
    Panic,
}

impl FirstError {
    /// What there is to say of `error`.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        Self(match (error.raw_os_error(), ours) {
            (Some(code), _) => Kind::System(code),
            (None, Some(&error)) => Kind::Ours(error),
            (None, None) => Kind::Other(error.kind(), error.to_string()),
        })
    }

    /// What there is to say after a panic, which says nothing itself any more.
    #[must_use]
    pub fn panicked() -> Self {
        Self(Kind::Panic)
    }

    /// The same once more.
    #[must_use]
    pub fn again(&self) -> io::Error {
        match &self.0 {
            Kind::System(code) => io::Error::from_raw_os_error(*code),
            Kind::Ours(error) => (*error).into(),
            Kind::Other(kind, text) => io::Error::new(*kind, text.clone()),
            Kind::Panic => io::Error::other("an earlier call panicked"),
        }
    }
}
