//! Why AWS KMS does not do what it was asked.

use crate::kms::{KmsError, KmsErrorKind};
use crate::remote::{chain, too_long, words};
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::LengthLimitError;
use std::error::Error;
use std::iter::successors;
use zeroize::Zeroizing;

/// The error of a call. It has the words of the service with the codes that are known, and nothing of a body that is none of
/// its or gives back the secret that was sent.
pub(super) fn kms_error<E: ProvideErrorMetadata + Error + 'static>(
    error: SdkError<E, HttpResponse>,
    secret: &[u8],
) -> KmsError {
    // What `wire` refused.
    if let Some(refused) = cause::<KmsError>(&error) {
        return refused.clone();
    }
    if cause::<LengthLimitError>(&error).is_some() {
        return too_long();
    }
    match &error {
        SdkError::ServiceError(context) => {
            let (metadata, status) = (context.err().meta(), context.raw().status().as_u16());
            let base64 = Zeroizing::new(BASE64_STANDARD.encode(secret));
            let text = str::from_utf8(secret).unwrap_or_default();
            let fit = |message: Option<&str>| words(message.unwrap_or_default(), &[&base64, text]);
            match metadata.code().and_then(kind_of) {
                Some(kind) => KmsError::new(kind, fit(metadata.message())),
                None => {
                    let message = format!("AWS KMS answered with status {status} {}", fit(metadata.code()));
                    KmsError::new(kind_of_status(status), message.trim_end())
                }
            }
        }
        SdkError::ConstructionFailure(_) => KmsError::new(KmsErrorKind::Validation, chain(&error)),
        // No connection, no answer or half of one, or no credentials.
        _ => KmsError::new(KmsErrorKind::Unreachable, chain(&error)),
    }
}

/// What of this type an error was caused by.
fn cause<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
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
