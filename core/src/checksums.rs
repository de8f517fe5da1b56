//! Digests of plaintexts as S3 has them, in the same pass as the encryption, and how those of parts make those of the whole.
//!
//! MD5, SHA-1 and the CRCs are there because S3's clients ask for them. They prove nothing against an attacker; what is
//! sealed does not need them.

use crate::envelope::{Attributes, Digests};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::BitOr;
use core::str::FromStr;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};

/// A set of digests to compute.
///
/// ```
/// use objseal::checksums::{Digester, Wanted};
///
/// let mut digester = Digester::new(Wanted::SHA256 | Wanted::CRC32C);
/// digester.update(b"123456789");
/// let digests = digester.finish().digests;
/// assert_eq!(digests.crc32c, Some(0xe306_9283));
/// assert_eq!(digests.md5, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted(u8);

impl Wanted {
    /// None.
    pub const NONE: Self = Self(0);
    /// SHA-256.
    pub const SHA256: Self = Self(1);
    /// CRC-64/NVME.
    pub const CRC64NVME: Self = Self(2);
    /// CRC-32C.
    pub const CRC32C: Self = Self(4);
    /// CRC-32.
    pub const CRC32: Self = Self(8);
    /// SHA-1.
    pub const SHA1: Self = Self(16);
    /// MD5.
    pub const MD5: Self = Self(32);

    fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

/// The name of each, as FORMAT.md, the command and S3's headers have it.
const NAMES: [(&str, Wanted); 6] = [
    ("sha256", Wanted::SHA256),
    ("crc64nvme", Wanted::CRC64NVME),
    ("crc32c", Wanted::CRC32C),
    ("crc32", Wanted::CRC32),
    ("sha1", Wanted::SHA1),
    ("md5", Wanted::MD5),
];

/// One digest, by its name: `sha256`, `crc64nvme`, `crc32c`, `crc32`, `sha1` or `md5`.
impl FromStr for Wanted {
    type Err = UnknownDigest;

    fn from_str(name: &str) -> Result<Self, UnknownDigest> {
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, one)| one).ok_or(UnknownDigest)
    }
}

/// No digest has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownDigest;

impl fmt::Display for UnknownDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such digest; known are:")?;
        NAMES.iter().try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl core::error::Error for UnknownDigest {}

impl Digests {
    /// Those that there are, with their names, as bytes in the order that S3 has them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        let values = [
            self.sha256.map(|bytes| bytes.to_vec()),
            self.crc64nvme.map(|crc| crc.to_be_bytes().to_vec()),
            self.crc32c.map(|crc| crc.to_be_bytes().to_vec()),
            self.crc32.map(|crc| crc.to_be_bytes().to_vec()),
            self.sha1.map(|bytes| bytes.to_vec()),
            self.md5.map(|bytes| bytes.to_vec()),
        ];
        NAMES.iter().zip(values).filter_map(|(&(name, _), value)| Some((name, value?)))
    }

    /// The one of this name.
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.iter().find(|&(known, _)| known == name).map(|(_, value)| value)
    }
}

impl BitOr for Wanted {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Computes digests, and counts.
pub struct Digester {
    len: u64,
    sha256: Option<Sha256>,
    crc64nvme: Option<Crc>,
    crc32c: Option<Crc>,
    crc32: Option<Crc>,
    sha1: Option<Sha1>,
    md5: Option<Md5>,
}

impl Digester {
    /// Computes what is wanted.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        let crc = |one, algorithm| wanted.has(one).then(|| Crc::new(algorithm));
        Self {
            len: 0,
            sha256: wanted.has(Wanted::SHA256).then(Sha256::new),
            crc64nvme: crc(Wanted::CRC64NVME, CrcAlgorithm::Crc64Nvme),
            crc32c: crc(Wanted::CRC32C, CrcAlgorithm::Crc32Iscsi),
            crc32: crc(Wanted::CRC32, CrcAlgorithm::Crc32IsoHdlc),
            sha1: wanted.has(Wanted::SHA1).then(Sha1::new),
            md5: wanted.has(Wanted::MD5).then(Md5::new),
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len() as u64);
        if let Some(hash) = &mut self.sha256 {
            hash.update(bytes);
        }
        for crc in [&mut self.crc64nvme, &mut self.crc32c, &mut self.crc32].into_iter().flatten() {
            crc.update(bytes);
        }
        if let Some(hash) = &mut self.sha1 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.md5 {
            hash.update(bytes);
        }
    }

    /// The attributes of what was taken in.
    #[must_use]
    pub fn finish(self) -> Attributes {
        let mut attributes = Attributes::new(self.len);
        attributes.digests = Digests {
            sha256: self.sha256.map(|hash| hash.finalize().into()),
            crc64nvme: self.crc64nvme.map(|crc| crc.finalize()),
            crc32c: self.crc32c.map(crc32),
            crc32: self.crc32.map(crc32),
            sha1: self.sha1.map(|hash| hash.finalize().into()),
            md5: self.md5.map(|hash| hash.finalize().into()),
        };
        attributes
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it has 32 bits")]
fn crc32(crc: Crc) -> u32 {
    crc.finalize() as u32
}

/// Computes digests of what is read through it.
pub struct DigestReader<R> {
    input: R,
    digester: Digester,
}

impl<R: Read> DigestReader<R> {
    /// Reads from `input` and computes what is wanted.
    pub fn new(input: R, wanted: Wanted) -> Self {
        Self { input, digester: Digester::new(wanted) }
    }

    /// The attributes of what was read.
    pub fn finish(self) -> Attributes {
        self.digester.finish()
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buffer)?;
        self.digester.update(&buffer[..len]);
        Ok(len)
    }
}

/// The attributes of an object whose parts have these, in their order: the CRCs of the whole, which follow from those of
/// the parts, S3's composite checksums, and its ETag.
///
/// A digest is there if all parts have it. The ETag is S3's where all parts have an MD5: that of the MD5s, and the number
/// of parts; else it is made of the parts' ETags in the same way, with SHA-256.
#[must_use]
pub fn of_parts(parts: &[Attributes]) -> Attributes {
    let mut whole = Attributes::new(parts.iter().fold(0, |len, part| part.plaintext_len.saturating_add(len)));
    if parts.is_empty() {
        return whole;
    }
    whole.digests.crc64nvme = combine(parts, CrcAlgorithm::Crc64Nvme, |digests| digests.crc64nvme);
    whole.digests.crc32c = combine32(parts, CrcAlgorithm::Crc32Iscsi, |digests| digests.crc32c);
    whole.digests.crc32 = combine32(parts, CrcAlgorithm::Crc32IsoHdlc, |digests| digests.crc32);

    // Every digest but the CRC-64 has a composite.
    for (name, one) in NAMES.into_iter().filter(|&(_, one)| one != Wanted::CRC64NVME) {
        let all: Option<Vec<_>> = parts.iter().map(|part| part.digests.get(name)).collect();
        let mut digester = Digester::new(one);
        all.iter().flatten().for_each(|digest| digester.update(digest));
        let digests = digester.finish().digests;
        let composite = &mut whole.composite;
        match one {
            _ if all.is_none() => {}
            Wanted::SHA256 => composite.sha256 = digests.sha256,
            Wanted::CRC32C => composite.crc32c = digests.crc32c,
            Wanted::CRC32 => composite.crc32 = digests.crc32,
            Wanted::SHA1 => composite.sha1 = digests.sha1,
            _ => composite.md5 = digests.md5,
        }
    }

    let etag = whole.composite.md5.unwrap_or_else(|| {
        let mut hash = Sha256::new();
        parts.iter().filter_map(|part| part.etag.as_ref()).for_each(|etag| hash.update(etag));
        let mut cut = [0; 16];
        cut.copy_from_slice(&hash.finalize()[..16]);
        cut
    });
    whole.etag = Some(format!("{}-{}", hex(&etag), parts.len()));
    whole
}

/// 32 digits.
fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

fn combine(parts: &[Attributes], algorithm: CrcAlgorithm, of: impl Fn(&Digests) -> Option<u64>) -> Option<u64> {
    let mut parts = parts.iter();
    let first = of(&parts.next()?.digests)?;
    parts.try_fold(first, |crc, part| {
        Some(crc_fast::checksum_combine(algorithm, crc, of(&part.digests)?, part.plaintext_len))
    })
}

#[allow(clippy::cast_possible_truncation, reason = "it has 32 bits")]
fn combine32(parts: &[Attributes], algorithm: CrcAlgorithm, of: impl Fn(&Digests) -> Option<u32>) -> Option<u32> {
    combine(parts, algorithm, |digests| of(digests).map(u64::from)).map(|crc| crc as u32)
}
