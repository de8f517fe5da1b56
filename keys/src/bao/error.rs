//! Why the server does not do what it was asked.

use crate::kms::{KmsError, KmsErrorKind};
use crate::remote::{chain, words};
use rustify::errors::ClientError as HttpError;
use vaultrs::error::ClientError;

/// The error of a call. It has the words of the server where it sent some, and nothing of a body that is none of its.
pub(super) fn kms_error(error: ClientError) -> KmsError {
    match error {
        ClientError::APIError { code, errors } => of_status(code, &words(&errors.join("; "))),
        ClientError::RestClientError { source: HttpError::ServerResponseError { code, .. } } => of_status(code, ""),
        ClientError::RestClientError { source: HttpError::RequestError { source, .. } }
        | ClientError::RestClientError { source: HttpError::ResponseError { source } } => {
            KmsError::new(KmsErrorKind::Unreachable, chain(&*source))
        }
        ClientError::RestClientError { source: HttpError::ResponseParseError { .. } }
        | ClientError::ResponseEmptyError
        | ClientError::ResponseDataEmptyError => {
            KmsError::new(KmsErrorKind::Internal, "an answer that is not one of the transit engine")
        }
        other => KmsError::new(KmsErrorKind::Internal, other.to_string()),
    }
}

fn of_status(status: u16, message: &str) -> KmsError {
    let kind = match status {
        // What `Server::encrypt` provokes where a key would be made.
        400 if message.contains("so context is required") => {
            return KmsError::new(KmsErrorKind::NotFound, "there is no such key, and none is made");
        }
        400 => of_bad_request(message),
        401 | 403 => KmsErrorKind::AccessDenied,
        404 => KmsErrorKind::NotFound,
        405 => KmsErrorKind::UnsupportedOperation,
        429 => KmsErrorKind::Throttling,
        // Sealed, or in maintenance.
        503 => KmsErrorKind::KeyUnavailable,
        _ => KmsErrorKind::Internal,
    };
    let message = match message {
        "" => format!("the server answered with status {status}"),
        message => message.into(),
    };
    KmsError::new(kind, message)
}

/// The engine tells these apart in words only.
fn of_bad_request(message: &str) -> KmsErrorKind {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&["encryption key not found", "no existing key named"]) {
        KmsErrorKind::NotFound
    } else if says(&["message authentication failed", "invalid ciphertext", "could not decode"]) {
        KmsErrorKind::InvalidCiphertext
    } else if says(&["disallowed by policy"]) {
        KmsErrorKind::Disabled
    } else if says(&["key derivation", "non-AEAD", "not supported for key type"]) {
        KmsErrorKind::InvalidKeyUsage
    } else {
        KmsErrorKind::Validation
    }
}
