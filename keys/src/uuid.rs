//! Names of stores and keys: UUIDs of version 4 (RFC 9562, section 5.4).

use crate::hex::{self, Case};
use objseal::RandomError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// 16 bytes that name a store or a key, drawn at random but for the version and the variant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// The groups of the text, in bytes.
const GROUPS: [std::ops::Range<usize>; 5] = [0..4, 4..6, 6..8, 8..10, 10..16];

impl Uuid {
    /// A new one.
    ///
    /// # Errors
    /// [`RandomError`] if the operating system has no random bytes to give.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| RandomError::new())?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    /// The one of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// From its text, of small digits in groups of 8, 4, 4, 4 and 12, and no other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let mut groups = text.split('-');
        for group in GROUPS {
            hex::decode(groups.next()?.as_bytes(), Case::Lower, &mut bytes[group])?;
        }
        groups.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(36);
        for group in GROUPS {
            if group.start > 0 {
                text.push('-');
            }
            hex::push(&mut text, &self.0[group]);
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_form_of_rfc_9562() {
        // RFC 9562, appendix A.3.
        let text = "919108f7-52d1-4320-9bac-f847db4148a8";
        let uuid = Uuid::parse(text).expect("a UUID");
        assert_eq!(uuid.to_bytes()[..6], [0x91, 0x91, 0x08, 0xf7, 0x52, 0xd1]);
        assert_eq!(uuid.to_string(), text);
        let made = Uuid::generate().expect("random").to_string();
        assert_eq!((&made[14..15], "89ab".contains(&made[19..20])), ("4", true), "{made}");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "919108f752d143209bacf847db4148a8",
            "919108F7-52d1-4320-9bac-f847db4148a8",
            "919108f-752d1-4320-9bac-f847db4148a8",
            "919108f7-52d1-4320-9bac-f847db4148a",
            "919108f7-52d1-4320-9bac-f847db4148a8-",
            "{919108f7-52d1-4320-9bac-f847db4148a8}",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }
}
