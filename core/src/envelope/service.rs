//! What gives wrapping keys, and why it does not.

use super::context::EncryptionContext;
use super::plan::KeyRequest;
use super::wrapping_key::WrappingKey;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

/// Something that holds root keys and answers at once: a keyring, or a client that blocks.
///
/// A service that answers later needs no trait: who seals waits for a [`WrappingKey`] and gives it to
/// [`SealOptions`](super::SealOptions), who opens follows a [`Plan`](super::Plan).
pub trait KeyService: fmt::Debug + Send + Sync {
    /// The name that stands in every entry of this service. Several services can have the same one; all of them are asked.
    fn name(&self) -> &str;

    /// A wrapping key under the current version of the root key `key_id`, for objects that are bound to `context`.
    ///
    /// # Errors
    /// [`KeyServiceError`].
    fn wrapping_key(&self, key_id: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError>;

    /// The wrapping key that an entry was made under: the same service, key id, version and blob.
    ///
    /// # Errors
    /// [`KeyServiceError`].
    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError>;
}

/// What a caller can do about a key service that does not give a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyServiceErrorKind {
    /// It does not have this root key, or this version of it: ask another service.
    UnknownKey,
    /// It does not take the blob: changed, or made for another context. To those who open, the object is not authentic.
    Refused,
    /// Whoever asks may not use this key.
    Denied,
    /// The key is disabled; it can be enabled.
    Disabled,
    /// The key is about to be deleted; that can be cancelled.
    PendingDeletion,
    /// The key is for something else than wrapping.
    WrongUsage,
    /// Too many requests: try later.
    Throttled,
    /// No answer in time: try later.
    TimedOut,
    /// The service cannot be reached, or has failed: try later.
    Unreachable,
    /// What it was asked, or what it answered, is not well-formed.
    Malformed,
}

/// Why a key service did not give a wrapping key.
#[derive(Debug)]
pub struct KeyServiceError {
    kind: KeyServiceErrorKind,
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

impl KeyServiceError {
    /// An error of this kind, for a reason.
    #[must_use]
    pub fn new(kind: KeyServiceErrorKind, source: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What can be done about it.
    #[must_use]
    pub fn kind(&self) -> KeyServiceErrorKind {
        self.kind
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use KeyServiceErrorKind::{Throttled, TimedOut, Unreachable};
        matches!(self.kind, Throttled | TimedOut | Unreachable)
    }
}

impl From<KeyServiceErrorKind> for KeyServiceError {
    fn from(kind: KeyServiceErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for KeyServiceErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKey => "the key service does not have this key",
            Self::Refused => "the key service refused what was stored of the key",
            Self::Denied => "the key service does not allow this use of the key",
            Self::Disabled => "the key is disabled",
            Self::PendingDeletion => "the key is about to be deleted",
            Self::WrongUsage => "the key is not for encryption",
            Self::Throttled => "the key service has too much to do; try again later",
            Self::TimedOut => "the key service did not answer in time",
            Self::Unreachable => "the key service could not be reached, or failed",
            Self::Malformed => "what the key service was asked, or answered, is not well-formed",
        })
    }
}

impl fmt::Display for KeyServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

impl core::error::Error for KeyServiceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
