//! Requests, signed by AWS's signer or by hand, and what the verifier says of them.

use crate::credentials::credentials;
use aws_sdk_kms::config::Credentials as AwsCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use objseal_gateway::credentials::Credentials;
use objseal_gateway::sigv4::{SignatureError, Verifier};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};

pub(crate) const ID: &str = "KEYOFTHETESTS000";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30 12:36:00.
pub(crate) const AT: Duration = Duration::from_secs(1_440_938_160);
pub(crate) const AT_TEXT: &str = "20150830T123600Z";

/// A request as it travels.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// How AWS's signer signs.
#[derive(Clone, Copy)]
pub(crate) struct How<'h> {
    pub(crate) id: &'h str,
    pub(crate) secret: &'h str,
    pub(crate) token: Option<&'h str>,
    pub(crate) region: &'h str,
    pub(crate) service: &'h str,
    /// In the query, if it ends.
    pub(crate) expires: Option<u64>,
}

pub(crate) const HEADER: How<'static> =
    How { id: ID, secret: SECRET, token: None, region: "us-east-1", service: "kms", expires: None };
pub(crate) const QUERY: How<'static> = How { expires: Some(60), ..HEADER };

impl Request {
    pub(crate) fn example() -> Self {
        Self::of("POST", "/a/b%20c?b=2&a=1%20%2B", &[], br#"{"KeyId": "alias/a"}"#).with("x-words", "two words")
    }

    pub(crate) fn of(method: &'static str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let request = Self { method, target: target.into(), headers: Vec::new(), body: body.into() };
        let request = request.with("host", "localhost:9443").with("content-type", "application/x-amz-json-1.1");
        let request = request.with("x-amz-target", "TrentService.Decrypt");
        headers.iter().fold(request, |request, (name, value)| request.with(name, value))
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().into()));
        self
    }

    /// Without one header, and with this in its place.
    pub(crate) fn instead(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let header = self.headers.iter_mut().find(|(there, _)| there == name).expect("the header");
        header.1 = value.as_ref().into();
        self
    }

    pub(crate) fn value(&self, name: &str) -> String {
        let (_, value) = self.headers.iter().find(|(there, _)| there == name).expect("the header");
        String::from_utf8(value.clone()).expect("a text")
    }

    /// Signed by AWS's signer.
    pub(crate) fn signed(mut self, how: How<'_>) -> Self {
        let token = how.token.map(String::from);
        let identity = AwsCredentials::new(how.id, how.secret, token, None, "tests").into();
        let mut settings = SigningSettings::default();
        if let Some(expires) = how.expires {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(expires));
        }
        let params = v4::SigningParams::builder().identity(&identity).region(how.region).name(how.service);
        let params = params.time(SystemTime::UNIX_EPOCH + AT).settings(settings).build().expect("parameters").into();
        let uri = format!("http://localhost:9443{}", self.target);
        let headers = self.headers.iter().map(|(name, value)| (&**name, std::str::from_utf8(value).expect("a text")));
        let signable = SignableRequest::new(self.method, &uri, headers, SignableBody::Bytes(&self.body));
        let (instructions, _) = sign(signable.expect("signable"), &params).expect("signed").into_parts();
        for (name, value) in instructions.headers() {
            self.headers.push((name.into(), value.into()));
        }
        for (name, value) in instructions.params() {
            let join = if self.target.contains('?') { '&' } else { '?' };
            self.target += &format!("{join}{name}={}", value.replace('/', "%2F").replace(';', "%3B"));
        }
        self
    }

    /// Signed with AWS's arithmetic, but over these signed headers as they stand there, in the scope of this day. Its
    /// target is `/`.
    pub(crate) fn signed_by_hand(self, names: &str, (day, seconds): (&str, Duration)) -> Self {
        let request = if self.headers.iter().any(|(name, _)| name == "x-amz-date") {
            self
        } else {
            self.with("x-amz-date", AT_TEXT)
        };
        let mut headers = String::new();
        for signed in names.split(';') {
            let of_name = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(signed));
            let values: Vec<_> = of_name.map(|(_, value)| String::from_utf8_lossy(value)).collect();
            headers += &format!("{signed}:{}\n", values.join(","));
        }
        let canonical = format!("{}\n/\n\n{headers}\n{names}\n{}", request.method, digest(&request.body));
        let scope = format!("{day}/us-east-1/kms/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{AT_TEXT}\n{scope}\n{}", digest(canonical.as_bytes()));
        let key = v4::generate_signing_key(SECRET, SystemTime::UNIX_EPOCH + seconds, "us-east-1", "kms");
        let signature = v4::calculate_signature(key, text.as_bytes());
        let credential = format!("{ID}/{scope}");
        request.with(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"),
        )
    }

    /// Nothing if HTTP has no such request.
    pub(crate) fn parts(&self) -> Option<Parts> {
        let mut request = hyper::Request::builder().method(self.method).uri(&self.target);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(request.body(()).ok()?.into_parts().0)
    }

    /// Whose it is, so long after it was signed.
    pub(crate) fn verify(&self, seconds: i64) -> Result<String, SignatureError> {
        let parts = self.parts().expect("a request");
        verify(&Verifier::new("us-east-1", "kms"), &parts, &self.body, &one(), seconds)
    }
}

/// One access key.
pub(crate) fn one() -> Credentials {
    credentials(&file(&[(ID, SECRET)]))
}

pub(crate) fn file(keys: &[(&str, &str)]) -> String {
    let entry = |(id, secret): &(&str, &str)| {
        format!(
            r#"{{"access_key_id": "{id}", "secret_access_key": "{secret}",
                 "principal": "arn:aws:iam::000000000000:root"}}"#
        )
    };
    format!(r#"{{"credentials": [{}]}}"#, keys.iter().map(entry).collect::<Vec<_>>().join(","))
}

pub(crate) fn verify(
    verifier: &Verifier,
    parts: &Parts,
    body: &[u8],
    credentials: &Credentials,
    seconds: i64,
) -> Result<String, SignatureError> {
    let at = SystemTime::UNIX_EPOCH + AT;
    let later = Duration::from_secs(seconds.unsigned_abs());
    let now = if seconds < 0 { at - later } else { at + later };
    let verified = verifier.verify(parts, body, credentials, now).map(|credential| credential.access_key_id.clone());
    if let Err(error) = &verified {
        assert!(!format!("{error} {error:?}").contains(SECRET));
    }
    verified
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The beginning of what is said.
pub(crate) fn said(outcome: Result<String, SignatureError>) -> String {
    outcome.expect_err("refused").to_string()
}
