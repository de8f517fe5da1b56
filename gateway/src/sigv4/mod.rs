//! Who sent a request: Signature Version 4 of AWS, in headers and in query strings (presigned).
//!
//! IAM User Guide, "AWS Signature Version 4 for API requests". A signature is over method, path, query, signed headers and the
//! body, at a time: within five minutes of it, or until a presigned one ends, whoever has the request can send it again. That is
//! so with AWS as well, and why the connection is to be under TLS.
//!
//! | file | what |
//! |---|---|
//! | `parse` | the fields of a signature |
//! | `canonical` | what is signed |
//! | `date` | times as signatures have them |
//! | `error` | why a request is refused |

mod canonical;
mod date;
mod error;
mod parse;

pub use error::SignatureError;

use crate::credentials::{Credential, Credentials};
use canonical::{Request, string_to_sign};
use date::SignedDate;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use parse::{Form, Signature};
use sha2::Sha256;
use std::time::{Duration, SystemTime};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How far the clock of a client may be off, as with AWS.
pub const MAX_SKEW: Duration = Duration::from_secs(5 * 60);
/// Headers with these beginnings decide what is done: they must be signed.
const DECIDING: [&str; 2] = ["x-amz-", "x-objseal-"];

/// Verifies signatures for one service in one region.
#[derive(Clone, Debug)]
pub struct Verifier {
    region: String,
    service: &'static str,
}

impl Verifier {
    /// For `service`, such as `kms`, in `region`, such as `us-east-1`.
    #[must_use]
    pub fn new(region: impl Into<String>, service: &'static str) -> Self {
        Self { region: region.into(), service }
    }

    /// The access key that a request with this body was signed with.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify<'k>(
        &self,
        parts: &Parts,
        body: &[u8],
        credentials: &'k Credentials,
        now: SystemTime,
    ) -> Result<&'k Credential, SignatureError> {
        let signature = Signature::of(parts)?;
        self.check_scope(&signature)?;
        check_time(&signature, now)?;
        check_headers(parts, &signature)?;
        // No session has keys here.
        if signature.has_session_token {
            return Err(SignatureError::UnknownKey);
        }
        let credential = credentials.get(&signature.access_key_id).ok_or(SignatureError::UnknownKey)?;
        let request = Request { parts, body, signature: &signature };
        let expected = self.sign(credential, &signature.date, &string_to_sign(&request, &signature.scope())?);
        if !bool::from(expected.ct_eq(&signature.bytes)) {
            return Err(SignatureError::Mismatch);
        }
        Ok(credential)
    }

    fn check_scope(&self, signature: &Signature) -> Result<(), SignatureError> {
        let wrong = |what: &'static str, expected: &str| Err(SignatureError::Scope { what, expected: expected.into() });
        if signature.scope_date != signature.date.day() {
            return wrong("date", signature.date.day());
        }
        if signature.region != self.region {
            return wrong("region", &self.region);
        }
        if signature.service != self.service {
            return wrong("service", self.service);
        }
        Ok(())
    }

    fn sign(&self, credential: &Credential, date: &SignedDate, text: &str) -> [u8; 32] {
        let mut secret = Zeroizing::new(Vec::with_capacity(4 + credential.secret().len()));
        secret.extend_from_slice(b"AWS4");
        secret.extend_from_slice(credential.secret().as_bytes());
        let mut key = Zeroizing::new(hmac(&secret, date.day().as_bytes()));
        for part in [&*self.region, self.service, "aws4_request"] {
            key = Zeroizing::new(hmac(&key[..], part.as_bytes()));
        }
        hmac(&key[..], text.as_bytes())
    }
}

fn check_time(signature: &Signature, now: SystemTime) -> Result<(), SignatureError> {
    let signed = signature.date.time();
    let valid = match signature.form {
        Form::Header => MAX_SKEW,
        Form::Query { expires } => expires,
    };
    if now.duration_since(signed).is_ok_and(|age| age > valid) {
        return Err(SignatureError::Expired { signed: signature.date.to_string(), now: SignedDate::of(now), valid });
    }
    if signed.duration_since(now).is_ok_and(|ahead| ahead > MAX_SKEW) {
        return Err(SignatureError::NotYet { signed: signature.date.to_string(), now: SignedDate::of(now) });
    }
    Ok(())
}

/// That all headers that decide something are signed, and there once.
fn check_headers(parts: &Parts, signature: &Signature) -> Result<(), SignatureError> {
    let is_signed = |name: &str| signature.signed_headers.iter().any(|signed| signed == name);
    if !is_signed("host") {
        return Err(SignatureError::NotSigned("host".into()));
    }
    for name in parts.headers.keys().map(|name| name.as_str()) {
        let decides = DECIDING.iter().any(|beginning| name.starts_with(beginning));
        if decides && !is_signed(name) {
            return Err(SignatureError::NotSigned(name.into()));
        }
        // What is signed has one space where there are several.
        let spaces = |value: &HeaderValue| value.as_bytes().windows(2).any(|pair| pair == b"  ");
        if decides && parts.headers.get_all(name).iter().any(spaces) {
            return Err(SignatureError::Incomplete(format!("The header '{name}' has several spaces in a row.")));
        }
        if (decides || name == "host" || name == "content-type") && parts.headers.get_all(name).iter().count() > 1 {
            return Err(SignatureError::Twice(name.into()));
        }
    }
    Ok(())
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // A key of any length will do.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}
