//! Errors as the protocol writes them.

use crate::sigv4::SignatureError;
use hyper::StatusCode;
use objseal_keys::kms::{KmsError, KmsErrorKind};
use serde_json::json;
use zeroize::Zeroizing;

/// Why there is no other answer.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    /// Empty where there is nothing more to say.
    message: String,
}

impl Failure {
    fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::client(KmsErrorKind::Validation.code(), message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::client(KmsErrorKind::UnsupportedOperation.code(), message)
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::client(KmsErrorKind::AccessDenied.code(), message)
    }

    pub(super) fn unknown_operation(message: impl Into<String>) -> Self {
        Self::client("UnknownOperationException", message)
    }

    /// A body that is not JSON.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::client("SerializationException", message)
    }

    pub(super) fn throttled() -> Self {
        Self::client(KmsErrorKind::Throttling.code(), "Rate exceeded")
    }

    pub(super) fn internal() -> Self {
        KmsError::new(KmsErrorKind::Internal, "the operation failed").into()
    }

    /// Another path or method than the only one.
    pub(super) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::unknown_operation("requests are POST /") }
    }

    /// Whether somebody asked for what they may not do.
    pub(super) fn is_denial(&self) -> bool {
        self.code == KmsErrorKind::AccessDenied.code()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn body(&self) -> Zeroizing<Vec<u8>> {
        let mut body = json!({"__type": self.code});
        if !self.message.is_empty() {
            body["message"] = self.message.as_str().into();
        }
        Zeroizing::new(body.to_string().into_bytes())
    }
}

impl From<KmsError> for Failure {
    fn from(error: KmsError) -> Self {
        use KmsErrorKind::{DependencyTimeout, Internal, KeyUnavailable, Unreachable};
        let fault = matches!(error.kind(), DependencyTimeout | Internal | KeyUnavailable | Unreachable);
        let status = if fault { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
        Self { status, code: error.kind().code(), message: error.message().into() }
    }
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        Self::client(error.code(), error.to_string())
    }
}
