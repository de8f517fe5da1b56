//! Digests of plaintexts: known values, CRCs bit by bit, and what the parts' make of the whole.

use hex_literal::hex;
use objseal::checksums::{Digester, Wanted, of_parts};
use objseal::envelope::ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256, Sha512};
use objseal::envelope::ChecksumAlgorithm::{XxHash3, XxHash64, XxHash128};
use objseal::envelope::{Attributes, ChecksumAlgorithm, Digests, FormatError};
use objseal::file::SealedFile;
use objseal_tests::{keyring, open_options, pattern, seal_in_memory, seal_options};

fn all() -> Wanted {
    ChecksumAlgorithm::ALL.into_iter().fold(Wanted::NONE, |all, one| all | Wanted::of(one))
}

fn digest(bytes: &[u8]) -> Attributes {
    let mut digester = Digester::new(all());
    bytes.chunks(1_000).for_each(|piece| digester.update(piece));
    digester.finish()
}

fn algorithms(digests: &Digests) -> Vec<ChecksumAlgorithm> {
    digests.iter().map(|(algorithm, _)| algorithm).collect()
}

/// A reflected CRC with all ones before and behind, as its definition says; big-endian.
fn crc(polynomial: u64, bits: u32, bytes: &[u8]) -> Vec<u8> {
    let ones = u64::MAX >> (64 - bits);
    let end = bytes.iter().fold(ones, |crc, &byte| {
        (0..8).fold(crc ^ u64::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 })
    });
    (end ^ ones).to_be_bytes()[8 - bits as usize / 8..].to_vec()
}

#[test]
fn known_values() {
    let is = |digests: &Digests, algorithm, expected: &[u8]| {
        assert_eq!(digests.get(algorithm), Some(expected), "{algorithm:?}");
        assert_eq!(expected.len(), ChecksumAlgorithm::len(algorithm));
    };
    // RFC 1321, section A.5; FIPS 180-4's examples; the CRCs' check values.
    let abc = digest(b"abc").digests;
    is(&abc, Md5, &hex!("900150983cd24fb0d6963f7d28e17f72"));
    is(&abc, Sha1, &hex!("a9993e364706816aba3e25717850c26c9cd0d89d"));
    is(&abc, Sha256, &hex!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    let sha512 = hex!(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    );
    is(&abc, Sha512, &sha512);
    let digits = digest(b"123456789").digests;
    is(&digits, Crc32, &hex!("cbf43926"));
    is(&digits, Crc32c, &hex!("e3069283"));
    is(&digits, Crc64Nvme, &hex!("ae8b14860a799888"));
    // S3's values are big-endian, and so is what xxHash calls the canonical form. These are of the bytes that xxHash tests
    // itself with (`XSUM_fillTestBuffer`), by the Python package xxhash 4.1.0 with libxxhash 0.8.4; its own test values
    // (cli/xsum_sanity_check.c, seed 0) are among them.
    let bytes = xxhash_test_bytes(2_367);
    for (len, xxh64, xxh3, xxh128) in [
        (0, hex!("ef46db3751d8e999"), hex!("2d06800538d394c2"), hex!("99aa06d3014798d86001c324468d497f")),
        (1, hex!("e934a84adb052768"), hex!("c44bdff4074eecdb"), hex!("a6cd5e9392000f6ac44bdff4074eecdb")),
        (6, hex!("c72565b7154268a8"), hex!("27b56a84cd2d7325"), hex!("082afe0b8162d12a3e7039bdda43cfc6")),
        (14, hex!("8282dcc4994e35c8"), hex!("1ac0bbda2b9fcf03"), hex!("b2623398aa0bda1e352b80797cda6247")),
        (24, hex!("f75a6dea42dc5bf4"), hex!("a3fe70bf9d3510eb"), hex!("0ce966e4678d37611e7044d28b1b901d")),
        (48, hex!("fd0feeac7a939933"), hex!("397da259ecba1f11"), hex!("a002ac4e5478227ef942219aed80f67b")),
        (195, hex!("52b73ecdb3ef30e4"), hex!("cd94217ee362ec3a"), hex!("7729543a26b207ee3fb593c086a66075")),
        (222, hex!("b641ae8cb691c174"), hex!("b9163b558664d356"), hex!("337e09641b948717f1aebd597cec6b3a")),
        (403, hex!("d99858fee82283df"), hex!("cdeb804d65c6dea4"), hex!("1b6de21e332dd73dcdeb804d65c6dea4")),
        (512, hex!("4358d2fdd62b58a7"), hex!("617e49599013cb6b"), hex!("18d2d110dcc9bca1617e49599013cb6b")),
        (2_048, hex!("5940f2752bc04387"), hex!("dd59e2c3a5f038e0"), hex!("f736557fd47073a5dd59e2c3a5f038e0")),
        (2_367, hex!("a82418ddec0ea581"), hex!("cb37aeb9e5d361ed"), hex!("e89c0f6ff369b427cb37aeb9e5d361ed")),
    ] {
        let digests = digest(&bytes[..len]).digests;
        is(&digests, XxHash64, &xxh64);
        is(&digests, XxHash3, &xxh3);
        is(&digests, XxHash128, &xxh128);
    }
    let none = Digester::new(Wanted::NONE).finish();
    assert_eq!(none, Attributes::new(0));
}

fn xxhash_test_bytes(len: usize) -> Vec<u8> {
    let states =
        std::iter::successors(Some(2_654_435_761_u64), |state| Some(state.wrapping_mul(11_400_714_785_074_694_797)));
    states.take(len).map(|state| state.to_be_bytes()[0]).collect()
}

#[test]
fn names_and_lengths() {
    let names = ["sha256", "crc64nvme", "crc32c", "crc32", "sha1", "md5", "sha512", "xxhash64", "xxhash3", "xxhash128"];
    assert_eq!(ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::name), names);
    for algorithm in ChecksumAlgorithm::ALL {
        assert_eq!(algorithm.name().parse(), Ok(Wanted::of(algorithm)));
        let mut digester = Digester::new(Wanted::of(algorithm));
        digester.update(b"abc");
        let digests = digester.finish().digests;
        assert_eq!(algorithms(&digests), [algorithm], "this one alone");
        assert_eq!(digests.get(algorithm), digest(b"abc").digests.get(algorithm));
        // A digest has one length.
        let mut set = Digests::default();
        for len in [0, algorithm.len() - 1, algorithm.len() + 1] {
            assert_eq!(set.set(algorithm, &pattern(len)), Err(FormatError::Malformed), "{algorithm:?}");
        }
        assert_eq!((set.set(algorithm, &pattern(algorithm.len())), set.iter().count()), (Ok(()), 1));
    }
    let error = "sha3".parse::<Wanted>().expect_err("not known");
    assert_eq!(error.to_string(), format!("no such digest; known are: {}", names.join(" ")));
}

#[test]
fn crcs_bit_by_bit() {
    for len in [0, 1, 15, 16, 17, 255, 256, 257, 1_023, 4_096, 70_001] {
        let bytes = pattern(len);
        let digests = digest(&bytes).digests;
        assert_eq!(digests.get(Crc32), Some(&crc(0xedb8_8320, 32, &bytes)[..]), "{len}");
        assert_eq!(digests.get(Crc32c), Some(&crc(0x82f6_3b78, 32, &bytes)[..]), "{len}");
        assert_eq!(digests.get(Crc64Nvme), Some(&crc(0x9a6c_9329_ac4b_c9b5, 64, &bytes)[..]), "{len}");
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
        // Of the whole there are the CRCs alone.
        assert_eq!(algorithms(&object.digests), [Crc64Nvme, Crc32c, Crc32]);
        for (algorithm, of_whole) in object.digests.iter() {
            assert_eq!(at_once.digests.get(algorithm), Some(of_whole), "{algorithm:?}");
        }
        // S3's composite: the digest of the digests, of every algorithm but one.
        let composite = ChecksumAlgorithm::ALL.into_iter().filter(|&algorithm| algorithm != Crc64Nvme);
        assert_eq!(algorithms(&object.composite), composite.collect::<Vec<_>>());
        for (algorithm, of_parts) in object.composite.iter() {
            let of_all = parts.iter().flat_map(|part| part.digests.get(algorithm).expect("wanted")).copied();
            let expected = digest(&of_all.collect::<Vec<_>>()).digests;
            assert_eq!(expected.get(algorithm), Some(of_parts), "{algorithm:?}");
        }
        let md5 = object.composite.get(Md5).expect("there");
        let hex: String = md5.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(object.etag, Some(format!("{hex}-{}", pieces.len())));
    }
    // One part lacks a digest.
    let object = of_parts(&[digest(b"a"), Attributes::new(1)]);
    assert_eq!((object.digests.iter().count(), object.composite.iter().count()), (0, 0));
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
        // They are not there to be read without the key; the shortest ones could be there by chance.
        for (algorithm, digest) in digest(&plain).digests.iter().filter(|(_, digest)| digest.len() >= 8) {
            assert!(!stored.windows(digest.len()).any(|window| window == digest), "{algorithm:?}");
        }
    }
}
