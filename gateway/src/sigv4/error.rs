//! Why a request is not taken as one of anybody's, by the names and in the words of AWS.

use super::MAX_SKEW;
use crate::text::shown;
use std::fmt;
use std::time::Duration;

/// Why a request is refused before anything is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// It has no signature.
    Missing,
    /// Its signature lacks something, or is not one.
    Incomplete(String),
    /// A header that must be signed is not.
    NotSigned(String),
    /// A header is there twice.
    Twice(String),
    /// It is for another region, service or day.
    Scope {
        /// Which field.
        what: &'static str,
        /// What it should be.
        expected: String,
    },
    /// It was signed too long ago.
    Expired {
        /// When it was signed.
        signed: String,
        /// What time it is.
        now: String,
        /// How long such a signature is valid.
        valid: Duration,
    },
    /// It was signed in the future.
    NotYet {
        /// When it was signed.
        signed: String,
        /// What time it is.
        now: String,
    },
    /// There is no such access key.
    UnknownKey,
    /// It was signed with another secret, or was changed.
    Mismatch,
}

impl SignatureError {
    /// The code by which AWS names it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) | Self::Twice(_) => "IncompleteSignatureException",
            Self::NotSigned(_) | Self::Scope { .. } | Self::Expired { .. } | Self::NotYet { .. } | Self::Mismatch => {
                "InvalidSignatureException"
            }
            Self::UnknownKey => "UnrecognizedClientException",
        }
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skew = MAX_SKEW.as_secs() / 60;
        match self {
            Self::Missing => f.write_str("Missing Authentication Token"),
            Self::Incomplete(why) => f.write_str(why),
            Self::NotSigned(name) => write!(f, "'{}' must be a 'SignedHeader' in the AWS Authorization.", shown(name)),
            Self::Twice(name) => write!(f, "The header '{}' is there twice.", shown(name)),
            Self::Scope { what, expected } => {
                write!(f, "Credential should be scoped to a valid {what}, which is '{expected}'.")
            }
            Self::Expired { signed, now, valid } => {
                write!(f, "Signature expired: {signed} is more than {} seconds before {now}.", valid.as_secs())
            }
            Self::NotYet { signed, now } => {
                write!(f, "Signature not yet current: {signed} is still later than {now} + {skew} min.")
            }
            Self::UnknownKey => f.write_str("The security token included in the request is invalid."),
            Self::Mismatch => f.write_str(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
                 Key and signing method. Consult the service documentation for details.",
            ),
        }
    }
}

impl std::error::Error for SignatureError {}
