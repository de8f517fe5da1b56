//! The attributes record: what is known of an object when it has been sealed. FORMAT.md, section 7.

use super::codec::{Reader, put_field};
use super::error::FormatError;
use super::head::check_text;
use crate::cobblestone::{HEADER_LEN, TAG_LEN};
use crate::limits::{MAX_ATTRIBUTES_LEN, MAX_ETAG_LEN};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Length of the longest sealed record, in bytes: it is of one chunk in each layer.
pub(crate) const MAX_SEALED_LEN: usize = HEADER_LEN + MAX_ATTRIBUTES_LEN + TAG_LEN;
/// Length of the shortest sealed record, in bytes: just the length of the plaintext.
pub(crate) const MIN_SEALED_LEN: usize = HEADER_LEN + 4 + 8 + TAG_LEN;

const TAG_PLAINTEXT_LEN: u16 = 1;
const TAG_ETAG: u16 = 8;
const TAG_CHECKSUM_TYPE: u16 = 13;
/// What is added to the tag of a digest for the digest of the parts' digests.
const COMPOSITE: u16 = 16;

/// What is known about an object, or a part, when it has been sealed. Stored encrypted.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// Length of the plaintext, in bytes.
    pub plaintext_len: u64,
    /// Digests of the plaintext.
    pub digests: Digests,
    /// Digests of the parts' digests, one behind the other: S3's composite checksums. There is no such CRC-64/NVME.
    pub composite: Digests,
    /// Which of its checksums an object in parts shows.
    pub checksum_type: Option<ChecksumType>,
    /// The ETag: 1 to 1,024 bytes without control characters.
    pub etag: Option<String>,
}

/// Nothing that tells of the plaintext but its length.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attributes")
            .field("plaintext_len", &self.plaintext_len)
            .field("digests", &self.digests)
            .field("composite", &self.composite)
            .finish_non_exhaustive()
    }
}

/// How the checksums of an object in parts are made (S3 API: ChecksumType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum ChecksumType {
    /// Of the whole plaintext.
    FullObject = 1,
    /// Of the checksums of its parts.
    Composite = 2,
}

/// Which digest (S3 API: ChecksumAlgorithm). Its number is its tag in FORMAT.md, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ChecksumAlgorithm {
    /// SHA-256 (FIPS 180-4): 32 bytes.
    Sha256 = 2,
    /// CRC-64/NVME (NVM Command Set Specification, 64b CRC): 8 bytes.
    Crc64Nvme = 3,
    /// CRC-32C (RFC 3720, section B.4): 4 bytes.
    Crc32c = 4,
    /// CRC-32 (IEEE 802.3): 4 bytes.
    Crc32 = 5,
    /// SHA-1 (FIPS 180-4): 20 bytes.
    Sha1 = 6,
    /// MD5 (RFC 1321): 16 bytes.
    Md5 = 7,
    /// SHA-512 (FIPS 180-4): 64 bytes.
    Sha512 = 9,
    /// XXH64 with seed 0: 8 bytes.
    XxHash64 = 10,
    /// XXH3 of 64 bits with seed 0: 8 bytes.
    XxHash3 = 11,
    /// XXH3 of 128 bits with seed 0: 16 bytes.
    XxHash128 = 12,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Sha256,
        Self::Crc64Nvme,
        Self::Crc32c,
        Self::Crc32,
        Self::Sha1,
        Self::Md5,
        Self::Sha512,
        Self::XxHash64,
        Self::XxHash3,
        Self::XxHash128,
    ];

    /// Its name, as in S3's headers and in the command.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::Crc32 => "crc32",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
            Self::Sha512 => "sha512",
            Self::XxHash64 => "xxhash64",
            Self::XxHash3 => "xxhash3",
            Self::XxHash128 => "xxhash128",
        }
    }

    /// Length of such a digest, in bytes. Those that are numbers are big-endian, as S3 has them.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "none is empty")]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::Crc32c | Self::Crc32 => 4,
            Self::Sha1 => 20,
            Self::Md5 | Self::XxHash128 => 16,
            Self::Sha512 => 64,
        }
    }

    fn tag(self) -> u16 {
        (self as u8).into()
    }

    pub(super) fn of_tag(tag: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.tag() == tag)
    }
}

/// Digests of a plaintext, as far as they were asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Digests(BTreeMap<ChecksumAlgorithm, Vec<u8>>);

impl Digests {
    /// The digest by this algorithm.
    #[must_use]
    pub fn get(&self, algorithm: ChecksumAlgorithm) -> Option<&[u8]> {
        self.0.get(&algorithm).map(Vec::as_slice)
    }

    /// Puts a digest in, which replaces the one of that algorithm.
    ///
    /// # Errors
    /// [`FormatError::Malformed`] if it does not have [the length](ChecksumAlgorithm::len) of such a digest.
    pub fn set(&mut self, algorithm: ChecksumAlgorithm, digest: &[u8]) -> Result<(), FormatError> {
        if digest.len() != algorithm.len() {
            return Err(FormatError::Malformed);
        }
        self.0.insert(algorithm, digest.to_vec());
        Ok(())
    }

    /// Those that there are.
    pub fn iter(&self) -> impl Iterator<Item = (ChecksumAlgorithm, &[u8])> {
        self.0.iter().map(|(&algorithm, digest)| (algorithm, &digest[..]))
    }
}

/// The algorithms only: a digest tells of the plaintext.
impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
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
        let etag = self.etag.as_deref().map(|etag| check_text(etag, MAX_ETAG_LEN).map(|()| etag)).transpose()?;
        let checksum_type = self.checksum_type.map(|checksum_type| [checksum_type as u8]);
        let plaintext_len = self.plaintext_len.to_be_bytes();
        let mut fields = BTreeMap::<u16, &[u8]>::new();
        fields.insert(TAG_PLAINTEXT_LEN, &plaintext_len);
        fields.extend(self.digests.iter().map(|(algorithm, digest)| (algorithm.tag(), digest)));
        fields.extend(etag.map(|etag| (TAG_ETAG, etag.as_bytes())));
        fields.extend(checksum_type.as_ref().map(|checksum_type| (TAG_CHECKSUM_TYPE, &checksum_type[..])));
        let composite = self.composite.iter().filter(|(algorithm, _)| *algorithm != ChecksumAlgorithm::Crc64Nvme);
        fields.extend(composite.map(|(algorithm, digest)| (algorithm.tag() + COMPOSITE, digest)));
        // With its final capacity: a vector that grows leaves copies of digests behind.
        let mut out = Vec::with_capacity(fields.values().map(|value| value.len() + 4).sum());
        fields.into_iter().for_each(|(tag, value)| put_field(&mut out, tag, value));
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
            let digest = ChecksumAlgorithm::of_tag(field.tag);
            let composite = field.tag.checked_sub(COMPOSITE).and_then(ChecksumAlgorithm::of_tag);
            let composite = composite.filter(|&algorithm| algorithm != ChecksumAlgorithm::Crc64Nvme);
            match (field.tag, digest, composite) {
                (TAG_PLAINTEXT_LEN, ..) => plaintext_len = Some(value.u64()?),
                (TAG_ETAG, ..) => {
                    let etag = value.all_text()?;
                    check_text(etag, MAX_ETAG_LEN)?;
                    attributes.etag = Some(etag.into());
                }
                (TAG_CHECKSUM_TYPE, ..) => {
                    attributes.checksum_type = Some(match value.u8()? {
                        1 => ChecksumType::FullObject,
                        2 => ChecksumType::Composite,
                        _ => return Err(FormatError::Unsupported),
                    });
                }
                (_, Some(algorithm), _) => attributes.digests.set(algorithm, value.all())?,
                (_, _, Some(algorithm)) => attributes.composite.set(algorithm, value.all())?,
                _ => {
                    field.require_optional()?;
                    value.all();
                }
            }
            value.end()?;
        }
        attributes.plaintext_len = plaintext_len.ok_or(FormatError::Malformed)?;
        Ok(attributes)
    }
}
