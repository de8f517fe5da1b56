//! The attributes record: what is known of an object when it has been sealed. FORMAT.md, section 7.

use super::codec::{Reader, put_field};
use super::error::FormatError;
use super::head::check_text;
use crate::cobblestone::{HEADER_LEN, TAG_LEN};
use crate::limits::{MAX_ATTRIBUTES_LEN, MAX_ETAG_LEN};
use alloc::string::String;
use alloc::vec::Vec;

/// Length of the longest sealed record, in bytes: it is of one chunk in each layer.
pub(crate) const MAX_SEALED_LEN: usize = HEADER_LEN + MAX_ATTRIBUTES_LEN + TAG_LEN;
/// Length of the shortest sealed record, in bytes: just the length of the plaintext.
pub(crate) const MIN_SEALED_LEN: usize = HEADER_LEN + 4 + 8 + TAG_LEN;

const TAG_PLAINTEXT_LEN: u16 = 1;
const TAG_ETAG: u16 = 8;
/// What is added to the tag of a digest for the digest of the parts' digests.
const COMPOSITE: u16 = 16;

/// What is known about an object, or a part, when it has been sealed. Stored encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// Length of the plaintext, in bytes.
    pub plaintext_len: u64,
    /// Digests of the plaintext.
    pub digests: Digests,
    /// Digests of the parts' digests, one behind the other: S3's composite checksums. There is no such CRC-64/NVME.
    pub composite: Digests,
    /// The ETag: 1 to 1,024 bytes without control characters.
    pub etag: Option<String>,
}

/// Digests of a plaintext, as far as they were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Digests {
    /// SHA-256 (FIPS 180-4).
    pub sha256: Option<[u8; 32]>,
    /// CRC-64/NVME (NVM Command Set Specification, 64b CRC).
    pub crc64nvme: Option<u64>,
    /// CRC-32C (RFC 3720, section B.4).
    pub crc32c: Option<u32>,
    /// CRC-32 (IEEE 802.3).
    pub crc32: Option<u32>,
    /// SHA-1 (FIPS 180-4).
    pub sha1: Option<[u8; 20]>,
    /// MD5 (RFC 1321).
    pub md5: Option<[u8; 16]>,
}

impl Digests {
    /// Writes those that there are, each with the tag that FORMAT.md gives it and `shift`.
    fn put(&self, out: &mut Vec<u8>, shift: u16) {
        let mut put = |tag: u16, value: Option<&[u8]>| {
            if let Some(value) = value {
                put_field(out, tag + shift, value);
            }
        };
        put(2, self.sha256.as_ref().map(|value| &value[..]));
        put(3, self.crc64nvme.map(u64::to_be_bytes).as_ref().map(|value| &value[..]));
        put(4, self.crc32c.map(u32::to_be_bytes).as_ref().map(|value| &value[..]));
        put(5, self.crc32.map(u32::to_be_bytes).as_ref().map(|value| &value[..]));
        put(6, self.sha1.as_ref().map(|value| &value[..]));
        put(7, self.md5.as_ref().map(|value| &value[..]));
    }

    /// Reads the digest of this tag; says whether there is one of this tag.
    fn take(&mut self, tag: u16, value: &mut Reader<'_>) -> Result<bool, FormatError> {
        match tag {
            2 => self.sha256 = Some(value.array()?),
            3 => self.crc64nvme = Some(value.u64()?),
            4 => self.crc32c = Some(value.u32()?),
            5 => self.crc32 = Some(value.u32()?),
            6 => self.sha1 = Some(value.array()?),
            7 => self.md5 = Some(value.array()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Attributes {
    /// The attributes of a plaintext of this length.
    #[must_use]
    pub fn new(plaintext_len: u64) -> Self {
        Self { plaintext_len, ..Self::default() }
    }

    /// # Errors
    /// [`FormatError`] if the ETag is out of its bounds.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = Vec::with_capacity(256);
        put_field(&mut out, TAG_PLAINTEXT_LEN, &self.plaintext_len.to_be_bytes());
        self.digests.put(&mut out, 0);
        if let Some(etag) = &self.etag {
            check_text(etag, MAX_ETAG_LEN)?;
            put_field(&mut out, TAG_ETAG, etag.as_bytes());
        }
        Digests { crc64nvme: None, ..self.composite }.put(&mut out, COMPOSITE);
        Ok(out)
    }

    /// Reads what [`encode`](Self::encode) gives.
    pub(super) fn decode(fields: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(fields);
        let mut attributes = Self::default();
        let mut plaintext_len = None;
        let mut previous = None;
        while let Some(field) = reader.field(previous)? {
            previous = Some(field.tag);
            let mut value = Reader::new(field.value);
            match field.tag {
                TAG_PLAINTEXT_LEN => plaintext_len = Some(value.u64()?),
                TAG_ETAG => {
                    let etag = value.all_text()?;
                    check_text(etag, MAX_ETAG_LEN)?;
                    attributes.etag = Some(etag.into());
                }
                tag if attributes.digests.take(tag, &mut value)? => {}
                tag if tag != COMPOSITE + 3
                    && tag >= COMPOSITE
                    && attributes.composite.take(tag - COMPOSITE, &mut value)? => {}
                _ => {
                    field.require_optional()?;
                    value = Reader::new(&[]);
                }
            }
            value.end()?;
        }
        attributes.plaintext_len = plaintext_len.ok_or(FormatError::Malformed)?;
        Ok(attributes)
    }
}
