//! Why an object is not sealed, opened or copied.

use object_store::Error;
use object_store::path::Path;
use objseal::envelope::{EnvelopeError, FormatError, KeyServiceErrorKind};
use objseal::file::FileError;
use std::error::Error as StdError;
use std::fmt;

/// The name of the store in [`Error::Generic`].
pub(crate) const STORE: &str = "SealedStore";

/// Why an object was not sealed or opened: the source of the [`Error`] that comes out of a [`SealedStore`](crate::SealedStore).
///
/// It is in an [`Error::PermissionDenied`] if there is no key for the object here, and in an [`Error::Generic`] otherwise.
/// What the inner store says comes out as it is.
///
/// ```
/// # use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
/// # use objseal::{Key, envelope::{OpenOptions, SealOptions, WrappingKey}};
/// use objseal_object_store::{Reason, SealedError, SealedStore};
/// use std::error::Error;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn Error>> {
/// # let key = std::sync::Arc::new(WrappingKey::from_key(Key::generate()?));
/// # let inner = InMemory::new();
/// # let location = Path::from("a");
/// # inner.put(&location, "in clear".into()).await?;
/// # let store = SealedStore::new(inner, SealOptions::new(key.clone()), OpenOptions::new().with_key(key));
/// let error = store.get(&location).await.expect_err("it was not sealed");
/// let sealed = error.source().and_then(|source| source.downcast_ref::<SealedError>()).expect("refused here");
/// assert!(matches!(sealed.reason(), Reason::File(objseal::file::FileError::NotSealed)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SealedError {
    location: Path,
    reason: Reason,
}

/// Why an object was not sealed or opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// It is not a sealed object, not the one of this place, or it was changed; or it cannot be sealed.
    File(FileError),
    /// The inner store gave another number of bytes than it was asked for.
    Length {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes given, as far as they were looked at.
        given: u64,
    },
    /// The inner store has another object there each time it is asked.
    Changing,
    /// The upload has failed, was completed or was aborted before.
    UploadEnded,
    /// There is no tokio runtime to work on.
    NoRuntime,
}

impl SealedError {
    pub(crate) fn new(location: &Path, reason: impl Into<Reason>) -> Self {
        Self { location: location.clone(), reason: reason.into() }
    }

    /// The object.
    #[must_use]
    pub fn location(&self) -> &Path {
        &self.location
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Whether there is no key for it here.
    fn is_of_keys(&self) -> bool {
        let Reason::File(FileError::Envelope(error)) = &self.reason else { return false };
        match error {
            EnvelopeError::NoAcceptedKey { .. } | EnvelopeError::OtherKey(_) => true,
            EnvelopeError::KeyService(error) => {
                matches!(error.kind(), KeyServiceErrorKind::UnknownKey | KeyServiceErrorKind::Denied)
            }
            _ => false,
        }
    }
}

impl fmt::Display for SealedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.reason)
    }
}

impl StdError for SealedError {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Length { wanted, given } => {
                write!(f, "the store was asked for {wanted} bytes of it and gave {given}")
            }
            Self::Changing => f.write_str("it was replaced each time it was read"),
            Self::UploadEnded => f.write_str("the upload has failed, was completed or was aborted before"),
            Self::NoRuntime => f.write_str("an upload in parts needs a tokio runtime"),
        }
    }
}

impl From<FileError> for Reason {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<FormatError> for Reason {
    fn from(error: FormatError) -> Self {
        Self::File(error.into())
    }
}

impl From<objseal::Error> for Reason {
    fn from(error: objseal::Error) -> Self {
        Self::File(error.into())
    }
}

impl From<std::io::Error> for Reason {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.into())
    }
}

impl From<SealedError> for Error {
    fn from(error: SealedError) -> Self {
        if error.is_of_keys() {
            Self::PermissionDenied { path: error.location.to_string(), source: Box::new(error) }
        } else {
            generic(error)
        }
    }
}

/// An error of this store that has no kind of its own.
pub(crate) fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::Generic { store: STORE, source: source.into() }
}

/// For `map_err`: the error of `location`.
pub(crate) fn at<R: Into<Reason>>(location: &Path) -> impl Fn(R) -> Error {
    move |reason| SealedError::new(location, reason).into()
}
