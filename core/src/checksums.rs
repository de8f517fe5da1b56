//! Digests of plaintexts as S3 has them, in the same pass as the encryption, and how those of parts make those of the whole.
//!
//! MD5, SHA-1 and the CRCs are there because S3's clients ask for them. They prove nothing against an attacker; what is
//! sealed does not need them.

use crate::envelope::{Attributes, ChecksumAlgorithm, Digests};
use crate::push::read_some;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::BitOr;
use core::str::FromStr;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use std::boxed::Box;
use std::io::{self, Read};
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

/// A set of digests to compute.
///
/// ```
/// use objseal::checksums::{Digester, Wanted};
/// use objseal::envelope::ChecksumAlgorithm;
///
/// let mut digester = Digester::new(Wanted::SHA256 | Wanted::CRC32C);
/// digester.update(b"123456789");
/// let digests = digester.finish().digests;
/// assert_eq!(digests.get(ChecksumAlgorithm::Crc32c), Some(&[0xe3, 0x06, 0x92, 0x83][..]));
/// assert_eq!(digests.get(ChecksumAlgorithm::Md5), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted(u16);

impl Wanted {
    /// None.
    pub const NONE: Self = Self(0);
    /// SHA-256.
    pub const SHA256: Self = Self::of(ChecksumAlgorithm::Sha256);
    /// CRC-64/NVME.
    pub const CRC64NVME: Self = Self::of(ChecksumAlgorithm::Crc64Nvme);
    /// CRC-32C.
    pub const CRC32C: Self = Self::of(ChecksumAlgorithm::Crc32c);
    /// CRC-32.
    pub const CRC32: Self = Self::of(ChecksumAlgorithm::Crc32);
    /// SHA-1.
    pub const SHA1: Self = Self::of(ChecksumAlgorithm::Sha1);
    /// MD5.
    pub const MD5: Self = Self::of(ChecksumAlgorithm::Md5);
    /// SHA-512.
    pub const SHA512: Self = Self::of(ChecksumAlgorithm::Sha512);
    /// XXH64.
    pub const XXHASH64: Self = Self::of(ChecksumAlgorithm::XxHash64);
    /// XXH3 of 64 bits.
    pub const XXHASH3: Self = Self::of(ChecksumAlgorithm::XxHash3);
    /// XXH3 of 128 bits.
    pub const XXHASH128: Self = Self::of(ChecksumAlgorithm::XxHash128);

    /// This one alone.
    #[must_use]
    pub const fn of(algorithm: ChecksumAlgorithm) -> Self {
        Self(1 << algorithm as u8)
    }

    fn algorithms(self) -> impl Iterator<Item = ChecksumAlgorithm> {
        ChecksumAlgorithm::ALL.into_iter().filter(move |&algorithm| self.0 & Self::of(algorithm).0 != 0)
    }
}

/// One digest, by [its name](ChecksumAlgorithm::name).
impl FromStr for Wanted {
    type Err = UnknownDigest;

    fn from_str(name: &str) -> Result<Self, UnknownDigest> {
        let algorithm = ChecksumAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        algorithm.map(Self::of).ok_or(UnknownDigest)
    }
}

/// No digest has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownDigest;

impl fmt::Display for UnknownDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such digest; known are:")?;
        ChecksumAlgorithm::ALL.iter().try_for_each(|algorithm| write!(f, " {}", algorithm.name()))
    }
}

impl core::error::Error for UnknownDigest {}

impl BitOr for Wanted {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Computes digests, and counts.
pub struct Digester {
    len: u64,
    hashes: Vec<(ChecksumAlgorithm, Hash)>,
}

enum Hash {
    Sha256(Sha256),
    Sha512(Sha512),
    Sha1(Sha1),
    Md5(Md5),
    Crc(Box<Crc>),
    XxHash64(Box<Xxh64>),
    Xxh3(Box<Xxh3>),
}

impl Hash {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |algorithm| Self::Crc(Box::new(Crc::new(algorithm)));
        match algorithm {
            ChecksumAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            ChecksumAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
            ChecksumAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            ChecksumAlgorithm::Md5 => Self::Md5(Md5::new()),
            ChecksumAlgorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::XxHash64 => Self::XxHash64(Box::new(Xxh64::new(0))),
            ChecksumAlgorithm::XxHash3 | ChecksumAlgorithm::XxHash128 => Self::Xxh3(Box::new(Xxh3::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
            Self::Crc(crc) => crc.update(bytes),
            Self::XxHash64(hash) => hash.update(bytes),
            Self::Xxh3(hash) => hash.update(bytes),
        }
    }

    /// The digest; of numbers the last bytes, as many as `algorithm` has.
    fn finish(self, algorithm: ChecksumAlgorithm) -> Vec<u8> {
        let digest = match self {
            Self::Sha256(hash) => return hash.finalize().to_vec(),
            Self::Sha512(hash) => return hash.finalize().to_vec(),
            Self::Sha1(hash) => return hash.finalize().to_vec(),
            Self::Md5(hash) => return hash.finalize().to_vec(),
            Self::Crc(crc) => crc.finalize().into(),
            Self::XxHash64(hash) => hash.digest().into(),
            Self::Xxh3(hash) if algorithm == ChecksumAlgorithm::XxHash3 => hash.digest().into(),
            Self::Xxh3(hash) => hash.digest128(),
        };
        digest.to_be_bytes()[16 - algorithm.len()..].to_vec()
    }
}

impl Digester {
    /// Computes what is wanted.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        Self { len: 0, hashes: wanted.algorithms().map(|algorithm| (algorithm, Hash::new(algorithm))).collect() }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len() as u64);
        self.hashes.iter_mut().for_each(|(_, hash)| hash.update(bytes));
    }

    /// The attributes of what was taken in.
    #[must_use]
    pub fn finish(self) -> Attributes {
        let mut attributes = Attributes::new(self.len);
        for (algorithm, hash) in self.hashes {
            put(&mut attributes.digests, algorithm, &hash.finish(algorithm));
        }
        attributes
    }
}

/// Puts in a digest that was computed here, and so has the right length.
fn put(digests: &mut Digests, algorithm: ChecksumAlgorithm, digest: &[u8]) {
    let fits = digests.set(algorithm, digest);
    debug_assert!(fits.is_ok());
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
        let len = read_some(&mut self.input, buffer)?;
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
    for (algorithm, crc) in CRCS {
        if let Some(combined) = combine(parts, algorithm, crc) {
            put(&mut whole.digests, algorithm, &combined);
        }
    }

    // Every digest but the CRC-64 has a composite.
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|&algorithm| algorithm != ChecksumAlgorithm::Crc64Nvme) {
        let all: Option<Vec<_>> = parts.iter().map(|part| part.digests.get(algorithm)).collect();
        if let Some(all) = all {
            let mut hash = Hash::new(algorithm);
            all.iter().for_each(|digest| hash.update(digest));
            put(&mut whole.composite, algorithm, &hash.finish(algorithm));
        }
    }

    let etag = whole.composite.get(ChecksumAlgorithm::Md5).map_or_else(
        || {
            let mut hash = Sha256::new();
            parts.iter().filter_map(|part| part.etag.as_ref()).for_each(|etag| hash.update(etag));
            hash.finalize()[..16].to_vec()
        },
        <[u8]>::to_vec,
    );
    let mut text: String = etag.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push_str(&format!("-{}", parts.len()));
    whole.etag = Some(text);
    whole
}

const CRCS: [(ChecksumAlgorithm, CrcAlgorithm); 3] = [
    (ChecksumAlgorithm::Crc64Nvme, CrcAlgorithm::Crc64Nvme),
    (ChecksumAlgorithm::Crc32c, CrcAlgorithm::Crc32Iscsi),
    (ChecksumAlgorithm::Crc32, CrcAlgorithm::Crc32IsoHdlc),
];

/// The CRC of what is behind each other, by the CRCs of the parts.
fn combine(parts: &[Attributes], algorithm: ChecksumAlgorithm, crc: CrcAlgorithm) -> Option<Vec<u8>> {
    let of = |part: &Attributes| {
        let digest = part.digests.get(algorithm)?;
        Some(digest.iter().fold(0, |crc, &byte| crc << 8 | u64::from(byte)))
    };
    let mut parts = parts.iter();
    let first = of(parts.next()?)?;
    let combined = parts
        .try_fold(first, |so_far, part| Some(crc_fast::checksum_combine(crc, so_far, of(part)?, part.plaintext_len)))?;
    Some(combined.to_be_bytes()[8 - algorithm.len()..].to_vec())
}
