//! Why a sealed file is not written or opened.

use crate::envelope::{EnvelopeError, FormatError};
use crate::error::Error;
use std::fmt;
use std::io;

/// Why a sealed file was not written or opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The file does not begin or end as a sealed file does, or both copies of its head are damaged.
    NotSealed,
    /// What the envelope says.
    Envelope(EnvelopeError),
    /// What a reader or writer says.
    Io(io::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed => f.write_str("this is not a sealed file, or both copies of its head are damaged"),
            Self::Envelope(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {}

impl From<EnvelopeError> for FileError {
    fn from(error: EnvelopeError) -> Self {
        Self::Envelope(error)
    }
}

impl From<FormatError> for FileError {
    fn from(error: FormatError) -> Self {
        Self::Envelope(error.into())
    }
}

impl From<Error> for FileError {
    fn from(error: Error) -> Self {
        Self::Envelope(error.into())
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        if let Some(&inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return inner.into();
        }
        error.downcast::<Self>().unwrap_or_else(Self::Io)
    }
}

/// For readers: what comes back from [`FileError::from`].
impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => error,
            FileError::Envelope(EnvelopeError::Authentication) => Error::Authentication.into(),
            FileError::Envelope(EnvelopeError::Seal(error)) => error.into(),
            FileError::Envelope(_) | FileError::NotSealed => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
