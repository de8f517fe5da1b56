//! Why a store is not opened, or not made.

use crate::audit::AuditError;
use crate::kms::{KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use objseal::envelope::EnvelopeError;
use std::fmt;
use std::io;

/// Why a store is not opened, or not made.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not be read or written.
    Io(io::Error),
    /// The database could not be read or written.
    Database(rusqlite::Error),
    /// The file is something else.
    NotAStore,
    /// It was written by a later version of this library.
    Newer {
        /// The version of its schema.
        version: u32,
    },
    /// It was changed by somebody without its key, or is damaged.
    Damaged(&'static str),
    /// It was put back to an earlier state.
    PutBack {
        /// Its generation.
        found: u64,
        /// The generation that it had before.
        known: u64,
    },
    /// Its audit log does not have the line that is known: it was put back to an earlier state, and perhaps used since.
    OtherLog {
        /// The sequence number of the line.
        sequence: u64,
    },
    /// It is another store than the one that is known.
    OtherStore {
        /// Its id.
        found: Uuid,
    },
    /// The key of the store could not be opened or wrapped.
    StoreKey(EnvelopeError),
    /// The audit log is not right, or could not be written.
    Audit(AuditError),
    /// Making it failed.
    Kms(KmsError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::NotAStore => f.write_str("this is not the store of a key management service"),
            Self::Newer { version } => {
                write!(f, "the store is of schema {version}, which is newer than this program; use a newer one")
            }
            Self::Damaged(what) => write!(f, "the store was changed or is damaged: {what}; restore it from a copy"),
            Self::PutBack { found, known } => {
                write!(f, "the store was put back to an earlier state: it is at generation {found}, and was at {known}")
            }
            Self::OtherLog { sequence } => write!(
                f,
                "the store was put back to an earlier state: line {sequence} of its audit log is not the one that is known"
            ),
            Self::OtherStore { found } => write!(f, "this is another store than the one that is known: {found}"),
            Self::StoreKey(error) => write!(f, "the key of the store: {error}"),
            Self::Audit(error) => write!(f, "audit: {error}"),
            Self::Kms(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::StoreKey(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::NotAStore,
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged("its database"),
            Some(rusqlite::ErrorCode::TooBig) => Self::Damaged("a row is longer than any of a store"),
            _ => match error {
                FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => {
                    Self::Damaged("a column has another type")
                }
                error => Self::Database(error),
            },
        }
    }
}

impl From<EnvelopeError> for StoreError {
    fn from(error: EnvelopeError) -> Self {
        Self::StoreKey(error)
    }
}

impl From<AuditError> for StoreError {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

impl From<KmsError> for StoreError {
    fn from(error: KmsError) -> Self {
        Self::Kms(error)
    }
}

/// To those who ask for keys the store has failed, whatever it was.
impl From<StoreError> for KmsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Kms(error) => error,
            StoreError::Database(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                Self::new(KmsErrorKind::DependencyTimeout, "another process is changing the store")
            }
            error => Self::new(KmsErrorKind::Internal, error.to_string()),
        }
    }
}

/// A line that cannot be written fails the call.
impl From<AuditError> for KmsError {
    fn from(error: AuditError) -> Self {
        StoreError::from(error).into()
    }
}
