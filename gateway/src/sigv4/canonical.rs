//! What is signed: the canonical request, and the text that stands for it.

use super::error::SignatureError;
use super::parse::{Form, Query, Signature};
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A request, and the signature that it has.
pub(super) struct Request<'r> {
    pub(super) parts: &'r Parts,
    pub(super) body: &'r [u8],
    pub(super) signature: &'r Signature,
}

/// The text whose signature it is, for this scope.
pub(super) fn string_to_sign(request: &Request<'_>, scope: &str) -> Result<String, SignatureError> {
    let canonical = request.canonical()?;
    Ok(format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", request.signature.date, digest(canonical.as_bytes())))
}

impl Request<'_> {
    fn canonical(&self) -> Result<String, SignatureError> {
        let Self { parts, signature, .. } = self;
        let payload = digest(self.body);
        if let Some(said) = parts.headers.get("x-amz-content-sha256")
            && said.as_bytes() != payload.as_bytes()
        {
            return Err(SignatureError::Incomplete("x-amz-content-sha256 is not the digest of the body.".into()));
        }
        let mut text = String::with_capacity(1_024);
        // Both end in a line of their own; the path of the services here is always a slash.
        text.push_str(parts.method.as_str());
        text.push('\n');
        push_encoded(&mut text, parts.uri.path(), true);
        text.push('\n');
        self.push_query(&mut text)?;
        text.push('\n');
        for name in &signature.signed_headers {
            let mut values = parts.headers.get_all(name).iter().peekable();
            if values.peek().is_none() {
                return Err(SignatureError::Incomplete(format!(
                    "The signed header '{}' is not there.",
                    crate::text::shown(name)
                )));
            }
            text.push_str(name);
            text.push(':');
            while let Some(value) = values.next() {
                let value = value.to_str().map_err(|_| SignatureError::Mismatch)?;
                push_trimmed(&mut text, value);
                if values.peek().is_some() {
                    text.push(',');
                }
            }
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&signature.signed_headers.join(";"));
        text.push('\n');
        text.push_str(&payload);
        Ok(text)
    }

    fn push_query(&self, text: &mut String) -> Result<(), SignatureError> {
        let query = Query::of(self.parts.uri.query().unwrap_or_default())?;
        let mut parameters: Vec<_> = query
            .iter()
            .filter(|(name, _)| !(matches!(self.signature.form, Form::Query { .. }) && *name == "X-Amz-Signature"))
            .map(|(name, value)| (encoded(name), encoded(value)))
            .collect();
        parameters.sort();
        for (at, (name, value)) in parameters.iter().enumerate() {
            let ampersand = if at > 0 { "&" } else { "" };
            // A text takes all that is written to it.
            let _ = write!(text, "{ampersand}{name}={value}");
        }
        Ok(())
    }
}

/// SHA-256 in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Spaces around it are left out, and of several within it one stays.
fn push_trimmed(text: &mut String, value: &str) {
    for (at, word) in value.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

fn encoded(plain: &str) -> String {
    let mut text = String::with_capacity(plain.len());
    push_encoded(&mut text, plain, false);
    text
}

/// Percent-encoded but for the unreserved characters of RFC 3986, section 2.3.
fn push_encoded(text: &mut String, plain: &str, keep_slash: bool) {
    for byte in plain.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            b'/' if keep_slash => text.push('/'),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
}
