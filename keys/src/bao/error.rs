//! Why the server does not do what it was asked.

use crate::kms::{KmsError, KmsErrorKind};
use crate::remote::{chain, words};
use std::error::Error;
use vaultrs::api::EndpointError;

/// What cannot be sent.
pub(super) fn no_request(error: impl Error) -> KmsError {
    KmsError::new(KmsErrorKind::Internal, chain(&error))
}

/// No connection, no answer, or half of one.
pub(super) fn no_answer(error: reqwest::Error) -> KmsError {
    KmsError::new(KmsErrorKind::Unreachable, chain(&error))
}

/// The error of an answer with this status. It has the words of the server where it sent some, and nothing of a body that is
/// none of its or gives back one of `secrets`.
pub(super) fn refusal(status: u16, body: &[u8], secrets: &[&str]) -> KmsError {
    let errors = serde_json::from_slice(body).map_or_else(|_| Vec::new(), |EndpointError { errors }| errors);
    let message = errors.join("; ");
    let kind = match status {
        // What `Server::encrypt` provokes where a key would be made.
        400 if message.contains("so context is required") => {
            return KmsError::new(KmsErrorKind::NotFound, "there is no such key, and none is made");
        }
        400 => of_bad_request(&message),
        401 | 403 => KmsErrorKind::AccessDenied,
        404 => KmsErrorKind::NotFound,
        405 => KmsErrorKind::UnsupportedOperation,
        429 => KmsErrorKind::Throttling,
        // Sealed, or in maintenance.
        503 => KmsErrorKind::KeyUnavailable,
        _ => KmsErrorKind::Internal,
    };
    let message = match words(&message, secrets) {
        message if message.is_empty() => format!("the server answered with status {status}"),
        message => message,
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
