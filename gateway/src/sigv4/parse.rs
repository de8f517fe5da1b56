//! The fields of a signature, in the header Authorization or in the query string.

use super::date::SignedDate;
use super::error::SignatureError;
use hyper::http::HeaderMap;
use hyper::http::request::Parts;
use std::collections::BTreeMap;
use std::time::Duration;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What the scope of every credential ends with.
const TERMINATOR: &str = "aws4_request";
/// Longest time that a presigned request is valid, as with AWS.
const MAX_EXPIRES: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Most signed headers.
const MAX_SIGNED: usize = 64;

/// A signature, taken apart. Nothing proves what it says.
pub(super) struct Signature {
    pub(super) form: Form,
    pub(super) access_key_id: String,
    pub(super) scope_date: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) date: SignedDate,
    /// Sorted, of small letters.
    pub(super) signed_headers: Vec<String>,
    pub(super) bytes: [u8; 32],
    pub(super) has_session_token: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Header,
    Query { expires: Duration },
}

impl Signature {
    pub(super) fn of(parts: &Parts) -> Result<Self, SignatureError> {
        let query = Query::of(parts.uri.query().unwrap_or_default())?;
        let in_query = query.get("X-Amz-Algorithm").is_some() || query.get("X-Amz-Signature").is_some();
        match (parts.headers.contains_key("authorization"), in_query) {
            (false, false) => Err(SignatureError::Missing),
            (true, true) => Err(incomplete("A request is signed in its header or in its query, not in both.")),
            (true, false) => Self::of_header(&parts.headers),
            (false, true) => Self::of_query(&query),
        }
    }

    /// The scope as it is signed.
    pub(super) fn scope(&self) -> String {
        let Self { scope_date, region, service, .. } = self;
        format!("{scope_date}/{region}/{service}/{TERMINATOR}")
    }

    fn of_header(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let text = one(headers, "authorization")?;
        let fields = text
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| incomplete(format!("The algorithm of a signature is {ALGORITHM}.")))?;
        let mut found = BTreeMap::new();
        for field in fields.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or_else(|| lacking("Credential"))?;
            if found.insert(name, value).is_some() {
                return Err(incomplete(format!("Authorization header has '{}' twice.", crate::text::shown(name))));
            }
        }
        let get = |name: &str| found.get(name).copied().ok_or_else(|| lacking(name));
        let date = one(headers, "x-amz-date")?;
        let has_session_token = headers.contains_key("x-amz-security-token");
        let fields = Fields {
            credential: get("Credential")?,
            date: &date,
            signed_headers: get("SignedHeaders")?,
            signature: get("Signature")?,
        };
        fields.parse(Form::Header, has_session_token)
    }

    fn of_query(query: &Query) -> Result<Self, SignatureError> {
        let get = |name: &str| query.get(name).ok_or_else(|| lacking(name));
        if get("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete(format!("The algorithm of a signature is {ALGORITHM}.")));
        }
        let expires = get("X-Amz-Expires")?;
        let seconds = Some(expires).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let expires = seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let expires = expires
            .filter(|expires| !expires.is_zero() && *expires <= MAX_EXPIRES)
            .ok_or_else(|| incomplete("X-Amz-Expires is 1 to 604800 seconds."))?;
        let fields = Fields {
            credential: get("X-Amz-Credential")?,
            date: get("X-Amz-Date")?,
            signed_headers: get("X-Amz-SignedHeaders")?,
            signature: get("X-Amz-Signature")?,
        };
        fields.parse(Form::Query { expires }, query.get("X-Amz-Security-Token").is_some())
    }
}

/// The same fields in both forms.
struct Fields<'f> {
    credential: &'f str,
    date: &'f str,
    signed_headers: &'f str,
    signature: &'f str,
}

impl Fields<'_> {
    fn parse(&self, form: Form, has_session_token: bool) -> Result<Signature, SignatureError> {
        let scope: Vec<_> = self.credential.split('/').collect();
        let [access_key_id, scope_date, region, service, TERMINATOR] = scope[..] else {
            return Err(incomplete("A credential is KEY/DATE/REGION/SERVICE/aws4_request."));
        };
        let date =
            SignedDate::parse(self.date).ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'."))?;
        let signed_headers: Vec<String> = self.signed_headers.split(';').map(String::from).collect();
        let sorted = signed_headers.windows(2).all(|pair| pair[0] < pair[1]);
        let small = signed_headers.iter().all(|name| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase()));
        if !sorted || !small || signed_headers.len() > MAX_SIGNED {
            return Err(incomplete("SignedHeaders are small letters, sorted, each once."));
        }
        let bytes = signature_bytes(self.signature)
            .ok_or_else(|| incomplete("A signature is 64 hexadecimal digits of small letters."))?;
        Ok(Signature {
            form,
            access_key_id: access_key_id.into(),
            scope_date: scope_date.into(),
            region: region.into(),
            service: service.into(),
            date,
            signed_headers,
            bytes,
            has_session_token,
        })
    }
}

/// The parameters of a query string, decoded, each once.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn of(text: &str) -> Result<Self, SignatureError> {
        let mut found = BTreeMap::new();
        for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let decode =
                |text| decode(text).ok_or_else(|| incomplete("The query string is not percent-encoded UTF-8."));
            if found.insert(decode(name)?, decode(value)?).is_some() {
                return Err(incomplete("A parameter of the query string is there twice."));
            }
        }
        Ok(Self(found))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn signature_bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// A header that is there once, as text.
fn one(headers: &HeaderMap, name: &str) -> Result<String, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| lacking(name))?;
    if values.next().is_some() {
        return Err(SignatureError::Twice(name.into()));
    }
    value.to_str().map(String::from).map_err(|_| incomplete(format!("The header '{name}' is not text.")))
}

fn lacking(name: &str) -> SignatureError {
    incomplete(format!("Authorization requires '{}'.", crate::text::shown(name)))
}

fn incomplete(why: impl Into<String>) -> SignatureError {
    SignatureError::Incomplete(why.into())
}
