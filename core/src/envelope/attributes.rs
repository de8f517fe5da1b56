//! The attributes record: what is known about an object when it has been sealed. FORMAT.md, section 7.

use super::codec::{Reader, put_field};
use super::error::FormatError;
use crate::cobblestone::{HEADER_LEN, TAG_LEN};
use crate::limits::MAX_ATTRIBUTES_LEN;
use alloc::vec::Vec;

/// Length of the longest sealed record, in bytes: it is of one chunk.
pub(crate) const MAX_SEALED_LEN: usize = HEADER_LEN + MAX_ATTRIBUTES_LEN + TAG_LEN;
/// Length of the shortest sealed record, in bytes: just the length of the plaintext.
#[cfg(feature = "std")]
pub(crate) const MIN_SEALED_LEN: usize = HEADER_LEN + 4 + 8 + TAG_LEN;

const TAG_PLAINTEXT_LEN: u16 = 1;

/// What is known about an object when it has been sealed. Stored encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// Length of the plaintext, in bytes.
    pub plaintext_len: u64,
}

impl Attributes {
    /// The attributes of a plaintext of this length.
    #[must_use]
    pub fn new(plaintext_len: u64) -> Self {
        Self { plaintext_len }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_field(&mut out, TAG_PLAINTEXT_LEN, &self.plaintext_len.to_be_bytes());
        out
    }

    /// Reads what [`encode`](Self::encode) gives.
    pub(super) fn decode(fields: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(fields);
        let mut plaintext_len = None;
        let mut previous = None;
        while let Some(field) = reader.field(previous)? {
            previous = Some(field.tag);
            if field.tag == TAG_PLAINTEXT_LEN {
                let mut value = Reader::new(field.value);
                plaintext_len = Some(value.u64()?);
                value.end()?;
            } else {
                field.require_optional()?;
            }
        }
        Ok(Self { plaintext_len: plaintext_len.ok_or(FormatError::Malformed)? })
    }
}
