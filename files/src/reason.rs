//! Errors of the operating system, with words that say what to do.

use std::error::Error;
use std::fmt;
use std::io;

/// An error number with words of its own. It is inside an [`io::Error`]; [`Reason::of`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    errno: i32,
    words: &'static str,
}

impl Reason {
    pub(crate) fn error(errno: i32, words: &'static str) -> io::Error {
        io::Error::new(io::Error::from_raw_os_error(errno).kind(), Self { errno, words })
    }

    /// The reason that `error` holds.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// The error number, as of `errno`.
    #[must_use]
    pub fn errno(self) -> i32 {
        self.errno
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }
}

impl Error for Reason {}
