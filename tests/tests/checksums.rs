//! Digests of plaintexts: known values, CRCs bit by bit, and what the parts' make of the whole.

use hex_literal::hex;
use objseal::checksums::{Digester, Wanted, of_parts};
use objseal::envelope::Attributes;
use objseal::file::SealedFile;
use objseal_tests::{keyring, open_options, pattern, seal_in_memory, seal_options};
use sha2::{Digest as _, Sha256};

const ALL: [&str; 6] = ["sha256", "crc64nvme", "crc32c", "crc32", "sha1", "md5"];

fn all() -> Wanted {
    ALL.iter().map(|name| name.parse::<Wanted>().expect("known")).fold(Wanted::NONE, |all, one| all | one)
}

fn digest(bytes: &[u8]) -> Attributes {
    let mut digester = Digester::new(all());
    bytes.chunks(1_000).for_each(|piece| digester.update(piece));
    digester.finish()
}

/// A reflected CRC with all ones before and behind, as its definition says.
fn crc(polynomial: u64, bits: u32, bytes: &[u8]) -> u64 {
    let ones = u64::MAX >> (64 - bits);
    let end = bytes.iter().fold(ones, |crc, &byte| {
        (0..8).fold(crc ^ u64::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 })
    });
    end ^ ones
}

#[test]
fn known_values() {
    // RFC 1321, section A.5; FIPS 180-4's examples; the CRCs' check values.
    let abc = digest(b"abc").digests;
    assert_eq!(abc.md5, Some(hex!("900150983cd24fb0d6963f7d28e17f72")));
    assert_eq!(abc.sha1, Some(hex!("a9993e364706816aba3e25717850c26c9cd0d89d")));
    assert_eq!(abc.sha256, Some(hex!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
    let digits = digest(b"123456789").digests;
    assert_eq!(digits.crc32, Some(0xcbf4_3926));
    assert_eq!(digits.crc32c, Some(0xe306_9283));
    assert_eq!(digits.crc64nvme, Some(0xae8b_1486_0a79_9888));
    assert!("sha512".parse::<Wanted>().is_err());
    let none = Digester::new(Wanted::NONE).finish();
    assert_eq!(none, Attributes::new(0));
}

#[test]
fn crcs_bit_by_bit() {
    for len in [0, 1, 15, 16, 17, 255, 256, 257, 1_023, 4_096, 70_001] {
        let bytes = pattern(len);
        let digests = digest(&bytes).digests;
        assert_eq!(digests.crc32.map(u64::from), Some(crc(0xedb8_8320, 32, &bytes)), "{len}");
        assert_eq!(digests.crc32c.map(u64::from), Some(crc(0x82f6_3b78, 32, &bytes)), "{len}");
        assert_eq!(digests.crc64nvme, Some(crc(0x9a6c_9329_ac4b_c9b5, 64, &bytes)), "{len}");
    }
}

#[test]
fn the_whole_from_its_parts() {
    let whole = pattern(100_000);
    for cuts in [vec![], vec![1], vec![50_000], vec![1, 2, 3, 99_999], vec![16_384, 32_768, 49_152]] {
        let bounds: Vec<_> = [0].iter().chain(&cuts).chain(&[100_000]).copied().collect();
        let pieces: Vec<_> = bounds.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
        let parts: Vec<_> = pieces.iter().map(|piece| digest(piece)).collect();
        let object = of_parts(&parts);
        let at_once = digest(&whole);
        assert_eq!(object.plaintext_len, 100_000);
        assert_eq!(object.digests.crc32, at_once.digests.crc32);
        assert_eq!(object.digests.crc32c, at_once.digests.crc32c);
        assert_eq!(object.digests.crc64nvme, at_once.digests.crc64nvme);
        assert_eq!((object.digests.sha256, object.digests.md5), (None, None));
        // S3's composite: the digest of the digests.
        let of_all: Vec<u8> = pieces.iter().flat_map(Sha256::digest).collect();
        assert_eq!(object.composite.sha256, Some(Sha256::digest(of_all).into()));
        let of_all: Vec<u8> = pieces.iter().flat_map(|piece| digest(piece).digests.md5.expect("wanted")).collect();
        let md5 = digest(&of_all).digests.md5.expect("wanted");
        assert_eq!(object.composite.md5, Some(md5));
        let hex: String = md5.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(object.etag, Some(format!("{hex}-{}", pieces.len())));
        assert_eq!(object.composite.crc64nvme, None);
    }
    // One part lacks a digest.
    let object = of_parts(&[digest(b"a"), Attributes::new(1)]);
    assert_eq!((object.digests.crc32, object.composite.sha256), (None, None));
    assert!(object.etag.expect("made of the parts'").ends_with("-2"));
}

#[test]
fn a_file_keeps_what_it_was_asked_to() {
    let keyring = keyring(&["main"]);
    let plain = pattern(300_000);
    for layers in [&["main"][..], &["main", "main"]] {
        let stored = seal_in_memory(&seal_options(&keyring, layers).with_digests(all()), &plain);
        let file = SealedFile::open(&open_options(&keyring), &stored[..]).expect("authentic");
        assert_eq!(file.info().attributes, digest(&plain));
        // They are not there to be read without the key.
        let sha256 = digest(&plain).digests.sha256.expect("wanted");
        assert!(!stored.windows(32).any(|window| window == sha256));
    }
}
