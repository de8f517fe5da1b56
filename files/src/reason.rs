//! Errors of the operating system, with words that say what to do.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

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

/// The error number of `error`, as of `errno`: that of the operating system, that of a [`Reason`], or the one that its kind
/// stands for. Not every error has one.
#[must_use]
pub fn errno_of(error: &io::Error) -> Option<i32> {
    // The same numbers everywhere: ENOENT, EEXIST, EISDIR.
    let of_kind = match error.kind() {
        ErrorKind::NotFound => Some(2),
        ErrorKind::AlreadyExists => Some(17),
        ErrorKind::IsADirectory => Some(21),
        _ => None,
    };
    error
        .raw_os_error()
        .or_else(|| Reason::of(error).map(Reason::errno))
        .or(of_kind.filter(|_| error.get_ref().is_none()))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }
}

impl Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_errors() {
        for kind in [ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::IsADirectory] {
            let errno = errno_of(&kind.into()).expect("a number");
            assert_eq!(io::Error::from_raw_os_error(errno).kind(), kind);
        }
        assert_eq!(errno_of(&io::Error::from_raw_os_error(28)), Some(28));
        assert_eq!(errno_of(&Reason::error(16, "words")), Some(16));
        assert_eq!(errno_of(&io::Error::new(ErrorKind::NotFound, "of somebody else")), None);
        assert_eq!(errno_of(&ErrorKind::InvalidData.into()), None);
    }
}
