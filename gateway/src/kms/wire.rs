//! Values as the protocol writes them.

use super::failure::Failure;
use crate::text::shown;
use base64ct::{Base64, Encoding};
use objseal::envelope::EncryptionContext;
use objseal_keys::clock::unix_seconds;
use objseal_keys::kms::{KmsError, KmsErrorKind};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// The only algorithm of symmetric keys.
pub(super) const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";
/// Most grant tokens of a request.
const MAX_GRANT_TOKENS: usize = 10;

/// Bytes, in base64, that may be secret.
#[derive(Clone)]
pub(super) struct Blob(pub(super) Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(Base64::encode_string(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
                Base64::decode_vec(text).map(Blob::from).map_err(|_| E::custom("not base64"))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Blob, E> {
                self.visit_str(&Zeroizing::new(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// An encryption context. A key that is there twice is refused: which of the two values was meant nobody knows.
#[derive(Clone, Default)]
pub(super) struct Context(pub(super) EncryptionContext);

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Context;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
                let mut context = EncryptionContext::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    let added = context.insert(&key, &value);
                    added.map_err(|error| de::Error::custom(format!("encryption context: {error}")))?;
                }
                Ok(Context(context))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A time: seconds since 1970, perhaps with a fraction.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(unix_seconds(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let since = Duration::try_from_secs_f64(seconds).ok();
        since
            .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
            .map(Self)
            .ok_or_else(|| de::Error::custom("not a time: seconds since 1970"))
    }
}

/// Grant tokens, of which there are ten at most.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct GrantTokens(Vec<String>);

impl GrantTokens {
    pub(super) fn check(self) -> Result<Vec<String>, Failure> {
        if self.0.len() > MAX_GRANT_TOKENS {
            return Err(Failure::validation(format!("there are at most {MAX_GRANT_TOKENS} grant tokens")));
        }
        Ok(self.0)
    }
}

/// That a request is for the only algorithm.
pub(super) fn check_algorithm(algorithm: Option<&str>) -> Result<(), Failure> {
    match algorithm {
        None | Some(SYMMETRIC) => Ok(()),
        Some(other) => {
            let message = format!("Algorithm {} is incompatible with key spec {SYMMETRIC}.", shown(other));
            Err(KmsError::new(KmsErrorKind::InvalidKeyUsage, message).into())
        }
    }
}

/// That a request asks for nothing that is not there.
pub(super) fn check_absent<T>(name: &str, value: &Option<T>) -> Result<(), Failure> {
    match value {
        None => Ok(()),
        Some(_) => Err(Failure::unsupported(format!("{name} is not there in this service"))),
    }
}

/// That a number, or a length, is within the bounds of the API Reference, in the words of AWS KMS.
pub(super) fn check_bounds(name: &str, number: Bounded, (least, most): (usize, usize)) -> Result<(), Failure> {
    let (value, what, found) = match number {
        Bounded::Number(number) => (format!("Value '{number}'"), "value", number),
        // It may be secret: it is not shown.
        Bounded::Length(len) => ("Value".into(), "length", len),
    };
    let bound = match found {
        found if found < least => format!("greater than or equal to {least}"),
        found if found > most => format!("less than or equal to {most}"),
        _ => return Ok(()),
    };
    Err(Failure::validation(format!(
        "1 validation error detected: {value} at '{name}' failed to satisfy constraint: Member must have {what} {bound}"
    )))
}

/// What has bounds.
#[derive(Clone, Copy)]
pub(super) enum Bounded {
    Number(usize),
    Length(usize),
}
