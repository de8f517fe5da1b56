//! Every backend against another implementation, at every length where a loop of a kernel begins or ends.
//!
//! No published GCM vector is long enough to reach a wide loop. The oracle is the crate `aes-gcm`.

use aes_gcm::aead::{AeadInOut, inout::InOutBuf};
use aes_gcm::{Aes256Gcm as Oracle, KeyInit};
use objseal::cobblestone::{CHUNK_LEN, Cobblestone, SEALED_CHUNK_LEN, TAG_LEN};
use objseal::hazmat::{Aes256Gcm, derive, seal_chunks};
use objseal::limits::MAX_CHUNKS;
use objseal::{Backend, Error, Key};
use objseal_tests::{backends, engines, pattern, report};

const KEY: [u8; 32] = *b"a key that is known to everybody";
const NONCE: [u8; 12] = *b"and a nonce.";
/// What stands around outputs, to see that nothing else is written.
const GUARD: u8 = 0xA5;

struct Expected {
    plaintext: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

fn expected(oracle: &Oracle, nonce: &[u8; 12], aad: &[u8], plaintext: Vec<u8>) -> Expected {
    let mut ciphertext = plaintext.clone();
    let tag = oracle.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(&mut ciphertext[..])).expect("short");
    Expected { plaintext, ciphertext, tag: tag.into() }
}

/// Seals and opens, in place and between buffers that begin `offset` bytes behind a multiple of 64.
fn check(gcm: &Aes256Gcm, aad: &[u8], expected: &Expected, offset: usize, what: &str) {
    let Expected { plaintext, ciphertext, tag } = expected;
    let len = plaintext.len();
    let mut storage = vec![GUARD; len + 256];
    let start = storage.as_ptr().align_offset(64) + offset;
    let out = start..start + len;

    storage[out.clone()].copy_from_slice(plaintext);
    assert_eq!(gcm.seal_in_place(&NONCE, aad, &mut storage[out.clone()]).as_ref(), Ok(tag), "seal in place, {what}");
    assert!(storage[out.clone()] == ciphertext[..], "seal in place, {what}");
    assert_eq!(gcm.open_in_place(&NONCE, aad, &mut storage[out.clone()], tag), Ok(()), "open in place, {what}");
    assert!(storage[out.clone()] == plaintext[..], "open in place, {what}");

    assert_eq!(gcm.seal(&NONCE, aad, plaintext, &mut storage[out.clone()]).as_ref(), Ok(tag), "seal, {what}");
    assert!(storage[out.clone()] == ciphertext[..], "seal, {what}");
    assert_eq!(gcm.open(&NONCE, aad, ciphertext, tag, &mut storage[out.clone()]), Ok(()), "open, {what}");
    assert!(storage[out.clone()] == plaintext[..], "open, {what}");

    assert!(storage[..start].iter().chain(&storage[out.end..]).all(|&byte| byte == GUARD), "wrote outside, {what}");
}

/// The same with the short and with the long table of powers.
fn both_tables(backend: Backend) -> [Aes256Gcm; 2] {
    [0, u64::MAX].map(|expected_len| Aes256Gcm::new(backend, &KEY, expected_len).expect("available"))
}

fn sweep(suite: &str, lengths: impl Iterator<Item = usize> + Clone, aad: &[u8], offsets: &[usize]) {
    let oracle = Oracle::new(&KEY.into());
    let backends = backends().into_iter().map(|backend| (backend, both_tables(backend))).collect::<Vec<_>>();
    for len in lengths.clone() {
        let expected = expected(&oracle, &NONCE, aad, pattern(len));
        for (backend, gcms) in &backends {
            for (gcm, table) in gcms.iter().zip(["short", "long"]) {
                for &offset in offsets {
                    check(gcm, aad, &expected, offset, &format!("{len} bytes at {offset}, {table} table, {backend}"));
                }
            }
        }
    }
    for (backend, _) in backends {
        report(suite, backend, format!("{} lengths", lengths.clone().count()));
    }
}

#[test]
fn every_length_to_4200() {
    sweep("sweep 0..=4200", 0..=4200, b"", &[0]);
}

#[test]
fn around_every_4_kib_to_80_kib() {
    sweep("sweep around 4 KiB", (1..=20).flat_map(|n| n * 4096 - 20..=n * 4096 + 20), b"aad", &[3]);
}

#[test]
fn around_borders_of_256_blocks() {
    // One byte of the counter comes round every 256 blocks; the first data block is number 2.
    let borders = (1..=8).chain([16, 255, 256]).flat_map(|n| n * 4096 - 33..=n * 4096 + 1);
    sweep("sweep around 256 blocks", borders, b"", &[0]);
    // The second byte of the counter comes round.
    sweep("sweep around 65,536 blocks", [(1 << 20) - 32, 1 << 20, (1 << 20) * 16 + 5].into_iter(), b"", &[0]);
}

#[test]
fn every_alignment() {
    let offsets: Vec<usize> = (0..64).collect();
    sweep("sweep alignments", [1, 15, 16, 17, 500, 511, 512, 513, 1024, 4096, 4097, 16384].into_iter(), b"", &offsets);
}

#[test]
fn every_length_of_additional_data() {
    let oracle = Oracle::new(&KEY.into());
    for backend in backends() {
        let gcms = both_tables(backend);
        let mut count = 0;
        for aad_len in (0..=70).chain([127, 128, 129, 255, 256, 257, 511, 512, 513, 528, 1023, 1025, 4096, 5000]) {
            let aad = pattern(aad_len);
            for len in [0, 1, 16, 31, 512, 1000] {
                let expected = expected(&oracle, &NONCE, &aad, pattern(len));
                for gcm in &gcms {
                    check(gcm, &aad, &expected, 0, &format!("{len} bytes, {aad_len} of additional data, {backend}"));
                }
                count += 1;
            }
        }
        report("sweep additional data", backend, format!("{count} cases"));
    }
}

#[test]
fn chunks_at_every_kind_of_number() {
    let key = Key::from_bytes(&KEY);
    let salt = [7; 24];
    let numbers = [0, 1, 255, 256, 257, 65_535, 65_536, (1 << 32) - 1, 1 << 32, MAX_CHUNKS - 1];
    for engine in engines() {
        let cobblestone = Cobblestone::new(&key, b"context").with_engine(engine).expect("available");
        let (aead_key, base_nonce, _) = derive(&cobblestone, &salt);
        let oracle = Oracle::new(&aead_key.into());
        for number in numbers {
            let nonce = chunk_nonce(&base_nonce, number);
            for len in [CHUNK_LEN, CHUNK_LEN - 1, 1, 0] {
                let expected = expected(&oracle, &nonce, b"", pattern(len));
                let mut out = vec![0; len + TAG_LEN];
                seal_chunks(&cobblestone, &salt, number, &expected.plaintext, &mut out).expect("within limits");
                assert!(out[..len] == expected.ciphertext[..], "chunk {number} of {len} bytes, {engine}");
                assert!(out[len..] == expected.tag, "chunk {number} of {len} bytes, {engine}");
            }
        }
        let mut out = [0; SEALED_CHUNK_LEN];
        let beyond = seal_chunks(&cobblestone, &salt, MAX_CHUNKS, &pattern(CHUNK_LEN), &mut out);
        assert_eq!(beyond, Err(Error::TooLong));
        report("sweep chunk numbers", engine, format!("{} numbers", numbers.len()));
    }
}

/// The base nonce XOR the number as 12 big-endian bytes.
fn chunk_nonce(base_nonce: &[u8; 12], number: u64) -> [u8; 12] {
    let mut nonce = *base_nonce;
    for (byte, wide) in nonce.iter_mut().zip(&u128::from(number).to_be_bytes()[4..]) {
        *byte ^= wide;
    }
    nonce
}

/// What a kernel keeps from chunk to chunk must not outlive its nonce: a stale table opens what it sealed, so only
/// another implementation finds it.
#[test]
fn runs_of_chunks_across_every_kind_of_number() {
    let key = Key::from_bytes(&KEY);
    let starts = [0, 253, 254, 65_533, (1 << 32) - 3, MAX_CHUNKS - 6];
    let plaintext = pattern(5 * CHUNK_LEN + 100);
    for engine in engines() {
        let cobblestone = Cobblestone::new(&key, b"context").with_engine(engine).expect("available");
        for salt in [[7; 24], [8; 24], [9; 24]] {
            let (aead_key, base_nonce, commitment) = derive(&cobblestone, &salt);
            let oracle = Oracle::new(&aead_key.into());
            let header = [&salt[..], &commitment].concat().try_into().expect("56 bytes");
            let opener = cobblestone.chunk_opener(&header).expect("the commitment of this salt");
            for start in starts {
                let mut expected_run = Vec::new();
                for (number, chunk) in (start..).zip(plaintext.chunks(CHUNK_LEN)) {
                    let expected = expected(&oracle, &chunk_nonce(&base_nonce, number), b"", chunk.to_vec());
                    expected_run.extend_from_slice(&expected.ciphertext);
                    expected_run.extend_from_slice(&expected.tag);
                }
                let mut sealed = vec![0; expected_run.len()];
                seal_chunks(&cobblestone, &salt, start, &plaintext, &mut sealed).expect("within limits");
                assert!(sealed == expected_run, "from chunk {start}, {engine}");
                let mut opened = vec![0; plaintext.len()];
                assert_eq!(opener.open(start, &expected_run, &mut opened), Ok(plaintext.len()), "{start}, {engine}");
                assert!(opened == plaintext, "from chunk {start}, {engine}");
            }
        }
        report("sweep runs of chunks", engine, format!("{} starts, 3 salts", starts.len()));
    }
}

/// 2^32 counters are out of reach of a test; all their bytes but the first one are not.
#[test]
fn counters_across_every_byte() {
    let oracle = Oracle::new(&KEY.into());
    let len = (16 << 20) + 5000;
    let expected = expected(&oracle, &NONCE, b"", pattern(len));
    for backend in backends() {
        let gcm = Aes256Gcm::new(backend, &KEY, len as u64).expect("available");
        check(&gcm, b"", &expected, 0, &format!("{len} bytes, {backend}"));
        report("sweep counters", backend, format!("{len} bytes"));
    }
}
