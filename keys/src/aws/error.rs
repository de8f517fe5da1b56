//! Why AWS KMS does not do what it was asked.

use crate::kms::{KmsError, KmsErrorKind};
use crate::remote::{chain, words};
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;

/// The error of a call. It has the words of the service, and nothing of the request or of a body that is none of its.
pub(super) fn kms_error<E: ProvideErrorMetadata + Error + 'static>(error: SdkError<E, HttpResponse>) -> KmsError {
    match &error {
        SdkError::ServiceError(context) => {
            let (metadata, status) = (context.err().meta(), context.raw().status().as_u16());
            let kind = metadata.code().and_then(kind_of).unwrap_or(kind_of_status(status));
            let message = match (metadata.message(), metadata.code()) {
                (Some(message), _) => words(message),
                (None, Some(code)) if KmsErrorKind::from_code(code).is_none() => words(code),
                (None, Some(_)) => String::new(),
                (None, None) => format!("AWS KMS answered with status {status}"),
            };
            KmsError::new(kind, message)
        }
        SdkError::ConstructionFailure(_) => KmsError::new(KmsErrorKind::Validation, chain(&error)),
        // No connection, no answer or half of one, or no credentials.
        _ => KmsError::new(KmsErrorKind::Unreachable, chain(&error)),
    }
}

/// The kind of an error that any service of AWS may give ("Common errors" in the AWS KMS API reference), or only KMS.
fn kind_of(code: &str) -> Option<KmsErrorKind> {
    let kind = match code {
        "AccessDenied"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => KmsErrorKind::AccessDenied,
        "InternalFailure" | "ServiceUnavailable" | "ServiceUnavailableException" => KmsErrorKind::Internal,
        "RequestLimitExceeded" | "Throttling" | "TooManyRequestsException" => KmsErrorKind::Throttling,
        "ValidationError" => KmsErrorKind::Validation,
        "CloudHsmClusterInvalidConfigurationException" | "CustomKeyStoreInvalidStateException" => {
            KmsErrorKind::KeyUnavailable
        }
        _ => return KmsErrorKind::from_code(code),
    };
    Some(kind)
}

fn kind_of_status(status: u16) -> KmsErrorKind {
    match status {
        401 | 403 => KmsErrorKind::AccessDenied,
        429 => KmsErrorKind::Throttling,
        400..=499 => KmsErrorKind::Validation,
        _ => KmsErrorKind::Internal,
    }
}
