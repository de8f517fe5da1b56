//! Why a key management service does not do what it was asked.

use objseal::envelope::{FormatError, KeyServiceError, KeyServiceErrorKind};
use objseal::{Error, RandomError};
use std::fmt;

/// Why a call failed, by the names that AWS KMS has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KmsErrorKind {
    /// The principal may not do this to the key.
    AccessDenied,
    /// There is an alias of this name already.
    AlreadyExists,
    /// The deadline passed, or something behind the service did not answer in time.
    DependencyTimeout,
    /// The key is disabled; it can be enabled.
    Disabled,
    /// The call would have succeeded, and was only to be tried.
    DryRun,
    /// The token of an import is too old.
    ExpiredImportToken,
    /// The ciphertext is of another key than the one that was named.
    IncorrectKey,
    /// The material is not the one that the key had before.
    IncorrectKeyMaterial,
    /// The service failed.
    Internal,
    /// An alias has a name that none can have, or one that is reserved.
    InvalidAliasName,
    /// A name is not one of a key, or of another region.
    InvalidArn,
    /// The ciphertext was changed, or is bound to another encryption context.
    InvalidCiphertext,
    /// What is named is not the id of a grant.
    InvalidGrantId,
    /// There is no such grant token.
    InvalidGrantToken,
    /// The token is not one of an import into this key.
    InvalidImportToken,
    /// The key is for something else.
    InvalidKeyUsage,
    /// The rest of a list was asked for with a marker that no list gave.
    InvalidMarker,
    /// The key is in a state in which it cannot do this: about to be deleted, or without material.
    InvalidState,
    /// The key is there, and cannot be reached now.
    KeyUnavailable,
    /// There are as many keys, aliases, grants or versions as there can be.
    LimitExceeded,
    /// A policy is not one, could not be decided, or would lock everybody out.
    MalformedPolicyDocument,
    /// There is no such key, alias or grant.
    NotFound,
    /// A tag is not one, or is reserved.
    Tag,
    /// Too many calls.
    Throttling,
    /// The service cannot be reached.
    Unreachable,
    /// This key, or this service, does not do this.
    UnsupportedOperation,
    /// An argument is out of its bounds.
    Validation,
}

/// All of them, [`KmsErrorKind::Internal`] before the other that has its code.
const ALL: [KmsErrorKind; 27] = {
    use KmsErrorKind as Kind;
    [
        Kind::AccessDenied,
        Kind::AlreadyExists,
        Kind::DependencyTimeout,
        Kind::Disabled,
        Kind::DryRun,
        Kind::ExpiredImportToken,
        Kind::IncorrectKey,
        Kind::IncorrectKeyMaterial,
        Kind::Internal,
        Kind::InvalidAliasName,
        Kind::InvalidArn,
        Kind::InvalidCiphertext,
        Kind::InvalidGrantId,
        Kind::InvalidGrantToken,
        Kind::InvalidImportToken,
        Kind::InvalidKeyUsage,
        Kind::InvalidMarker,
        Kind::InvalidState,
        Kind::KeyUnavailable,
        Kind::LimitExceeded,
        Kind::MalformedPolicyDocument,
        Kind::NotFound,
        Kind::Tag,
        Kind::Throttling,
        Kind::Unreachable,
        Kind::UnsupportedOperation,
        Kind::Validation,
    ]
};

impl KmsErrorKind {
    /// The kind that AWS KMS names so, if it is one of these. A service that fails is there: it is not
    /// [`Unreachable`](Self::Unreachable).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The code by which AWS KMS names it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::AlreadyExists => "AlreadyExistsException",
            Self::DependencyTimeout => "DependencyTimeoutException",
            Self::Disabled => "DisabledException",
            Self::DryRun => "DryRunOperationException",
            Self::ExpiredImportToken => "ExpiredImportTokenException",
            Self::IncorrectKey => "IncorrectKeyException",
            Self::IncorrectKeyMaterial => "IncorrectKeyMaterialException",
            Self::Internal | Self::Unreachable => "KMSInternalException",
            Self::InvalidAliasName => "InvalidAliasNameException",
            Self::InvalidArn => "InvalidArnException",
            Self::InvalidCiphertext => "InvalidCiphertextException",
            Self::InvalidGrantId => "InvalidGrantIdException",
            Self::InvalidGrantToken => "InvalidGrantTokenException",
            Self::InvalidImportToken => "InvalidImportTokenException",
            Self::InvalidKeyUsage => "InvalidKeyUsageException",
            Self::InvalidMarker => "InvalidMarkerException",
            Self::InvalidState => "KMSInvalidStateException",
            Self::KeyUnavailable => "KeyUnavailableException",
            Self::LimitExceeded => "LimitExceededException",
            Self::MalformedPolicyDocument => "MalformedPolicyDocumentException",
            Self::NotFound => "NotFoundException",
            Self::Tag => "TagException",
            Self::Throttling => "ThrottlingException",
            Self::UnsupportedOperation => "UnsupportedOperationException",
            Self::Validation => "ValidationException",
        }
    }

    /// Whether the same call may succeed later without anybody doing something about it.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::DependencyTimeout | Self::Internal | Self::KeyUnavailable | Self::Throttling | Self::Unreachable
        )
    }

    /// The same to those who seal and open objects.
    fn of_key_service(self) -> KeyServiceErrorKind {
        match self {
            Self::AccessDenied | Self::InvalidGrantToken => KeyServiceErrorKind::Denied,
            Self::NotFound => KeyServiceErrorKind::UnknownKey,
            Self::InvalidCiphertext | Self::IncorrectKey => KeyServiceErrorKind::Refused,
            Self::Disabled => KeyServiceErrorKind::Disabled,
            Self::InvalidState => KeyServiceErrorKind::PendingDeletion,
            Self::InvalidKeyUsage | Self::UnsupportedOperation => KeyServiceErrorKind::WrongUsage,
            Self::Throttling => KeyServiceErrorKind::Throttled,
            Self::DependencyTimeout => KeyServiceErrorKind::TimedOut,
            Self::Internal | Self::KeyUnavailable | Self::Unreachable => KeyServiceErrorKind::Unreachable,
            _ => KeyServiceErrorKind::Malformed,
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsError {
    kind: KmsErrorKind,
    message: String,
}

impl KmsError {
    /// An error of this kind, in words for whoever asked: they say nothing that is secret.
    #[must_use]
    pub fn new(kind: KmsErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> KmsErrorKind {
        self.kind
    }

    /// The words, without the kind; empty where there is nothing more to say.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => f.write_str(self.kind.code()),
            message => write!(f, "{}: {message}", self.kind.code()),
        }
    }
}

impl std::error::Error for KmsError {}

impl From<KmsError> for KeyServiceError {
    fn from(error: KmsError) -> Self {
        Self::new(error.kind.of_key_service(), error)
    }
}

/// What stops sealing stops the call.
impl From<Error> for KmsError {
    fn from(error: Error) -> Self {
        Self::new(KmsErrorKind::Internal, error.to_string())
    }
}

/// Without randomness nothing is made.
impl From<RandomError> for KmsError {
    fn from(error: RandomError) -> Self {
        Self::new(KmsErrorKind::Internal, error.to_string())
    }
}

/// Names and blobs that no wrapped key has room for.
impl From<FormatError> for KmsError {
    fn from(error: FormatError) -> Self {
        Self::new(KmsErrorKind::Validation, error.to_string())
    }
}
