//! Whole Cobblestone-256 objects, out of place, next to memcpy and to a peer's chunks on the same threads; and a small one
//! from nothing.
//!
//! `cargo run --release -p objseal-benches --bin objects -- [--json] [--rounds N] [--mib N]`
//!
//! The rule for all: buffers of random data that were touched before, in huge pages where the system has them, the same
//! ones for all; a round runs each once, in an order that changes from round to round; ratios are of medians. The peer is
//! aws-lc-rs, with one key for all chunks, set up once: it does without the derivation that ours does for each object.
//!
//! The object from nothing is 1 KiB under a key and a salt that are drawn for it. What it is compared with draws as many
//! bytes, derives as many with HKDF-SHA-512 of RustCrypto (extract from the key and the salt, expand with the context) and
//! seals with aws-lc-rs.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hkdf::Hkdf;
use memmap2::{Advice, MmapMut};
use objseal::Key;
use objseal::cobblestone::{CHUNK_LEN, Cobblestone, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, Threads, sealed_len};
use objseal_benches::{median, noise};
use std::num::NonZeroUsize;
use std::time::Instant;

fn main() {
    let (mut json, mut rounds, mut mib) = (false, 9, vec![8, 1024]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--json" => json = true,
            "--rounds" => rounds = number(),
            "--mib" => mib = vec![number()],
            _ => panic!("unknown argument {arg}"),
        }
    }
    from_nothing(rounds, json);
    for mib in mib {
        let mut buffers = Buffers::new(mib << 20);
        for threads in [1, std::thread::available_parallelism().map_or(1, NonZeroUsize::get)] {
            buffers.compare(threads, rounds, json);
        }
    }
}

/// Draws, derives and seals 1 KiB, again and again.
fn from_nothing(rounds: usize, json: bool) {
    const LEN: usize = 1 << 10;
    const CONTEXT: &[u8] = b"photos/2026/cat.jpg";
    const TIMES: usize = 20_000;
    let plaintext = noise(LEN);
    let mut out = vec![0; LEN + HEADER_LEN + 16];
    let mut ours = || {
        let key = Key::generate().expect("random bytes");
        Cobblestone::new(&key, CONTEXT).seal_into(&plaintext, &mut out).expect("room");
    };
    let mut out = vec![0; LEN + HEADER_LEN + 16];
    let mut theirs = || {
        let (mut key, mut salt, mut derived) = ([0; 32], [0; SALT_LEN], [0; 76]);
        getrandom::fill(&mut key).expect("random bytes");
        getrandom::fill(&mut salt).expect("random bytes");
        Hkdf::<sha2::Sha512>::new(Some(&salt), &key).expand(CONTEXT, &mut derived).expect("short enough");
        let (header, text) = out.split_at_mut(HEADER_LEN);
        header[..SALT_LEN].copy_from_slice(&salt);
        header[SALT_LEN..].copy_from_slice(&derived[44..]);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived[..32]).expect("a key of the right length"));
        let nonce = Nonce::try_assume_unique_for_key(&derived[32..44]).expect("96 bits");
        let (text, tag) = text.split_at_mut(LEN);
        text.copy_from_slice(&plaintext);
        let computed = key.seal_in_place_separate_tag(nonce, Aad::empty(), text).expect("short");
        tag.copy_from_slice(computed.as_ref());
    };
    let mut micros = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for turn in 0..2 {
            let who = (turn + round) % 2;
            let start = Instant::now();
            for _ in 0..TIMES {
                if who == 0 { ours() } else { theirs() }
            }
            micros[who].push(start.elapsed().as_secs_f64() * 1e6 / TIMES as f64);
        }
    }
    let [ours, theirs] = micros.map(|micros| median(&micros));
    let ratio = ours / theirs;
    if json {
        println!(
            r#"{{"peer":"getrandom, hkdf and aws-lc-rs","op":"seal from nothing","size":{LEN},"median_us":{theirs:.3},"ours_us":{ours:.3},"ours_over_peer":{ratio:.3}}}"#
        );
    } else {
        println!(
            "seal 1 KiB from nothing: objseal {ours:.2} us, getrandom + hkdf + aws-lc-rs {theirs:.2} us, ours x{ratio:.2}"
        );
    }
}

/// Random bytes in huge pages, if the system has them.
fn buffer(len: usize) -> MmapMut {
    let mut buffer = MmapMut::map_anon(len).expect("memory");
    if let Err(error) = buffer.advise(Advice::HugePage) {
        eprintln!("no huge pages: {error}");
    }
    for piece in buffer.chunks_mut(1 << 20) {
        piece.copy_from_slice(&noise(1 << 20)[..piece.len()]);
    }
    buffer
}

struct Buffers {
    plaintext: MmapMut,
    sealed: MmapMut,
    key: Key,
    peer: LessSafeKey,
}

impl Buffers {
    fn new(len: usize) -> Self {
        let sealed = sealed_len(len as u64).and_then(|len| usize::try_from(len).ok()).expect("it fits into memory");
        let peer = UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key of the right length");
        Self {
            plaintext: buffer(len),
            sealed: buffer(sealed),
            key: Key::from_bytes(&[7; 32]),
            peer: LessSafeKey::new(peer),
        }
    }

    fn compare(&mut self, threads: usize, rounds: usize, json: bool) {
        let Self { plaintext, sealed, key, peer } = self;
        let workers = Threads(NonZeroUsize::new(threads).expect("threads"));
        let cobblestone = Cobblestone::new(key, b"bench");
        let names = ["objseal seal", "objseal open", "memcpy", "aws-lc-rs seal"];
        let mut rates = vec![Vec::new(); names.len()];
        let len = plaintext.len();
        for round in 0..rounds {
            // Opening needs what sealing made, so these two stay together.
            let order: &[usize] = if round % 2 == 0 { &[2, 3, 0, 1] } else { &[0, 1, 3, 2] };
            for &who in order {
                // Small objects several times, so that the clock is fine enough.
                let times = ((64 << 20) / len).max(1);
                let start = Instant::now();
                for _ in 0..times {
                    match who {
                        0 => drop(cobblestone.seal_parallel(&workers, plaintext, sealed).expect("room")),
                        1 => drop(cobblestone.open_parallel(&workers, sealed, plaintext).expect("authentic")),
                        2 => in_parts(threads, plaintext, sealed, len / threads, len / threads, |_, from, to| {
                            to.copy_from_slice(from);
                        }),
                        _ => in_parts(
                            threads,
                            plaintext,
                            &mut sealed[HEADER_LEN..],
                            CHUNK_LEN,
                            SEALED_CHUNK_LEN,
                            |i, from, to| {
                                let mut nonce = [0; 12];
                                nonce[4..].copy_from_slice(&(i as u64).to_be_bytes());
                                let (text, tag) = to.split_at_mut(from.len());
                                text.copy_from_slice(from);
                                let nonce = Nonce::assume_unique_for_key(nonce);
                                let computed =
                                    peer.seal_in_place_separate_tag(nonce, Aad::empty(), text).expect("short");
                                tag[..16].copy_from_slice(computed.as_ref());
                            },
                        ),
                    }
                }
                rates[who].push((len * times) as f64 / start.elapsed().as_secs_f64() / 1e9);
            }
        }
        let ours = [median(&rates[0]), median(&rates[1])];
        for (name, rates) in names.iter().zip(&rates) {
            let (median, best) = (median(rates), rates.iter().copied().fold(0.0, f64::max));
            for (op, ours) in ["seal", "open"].iter().zip(ours) {
                if name.starts_with("objseal") && !name.ends_with(op) {
                    continue;
                }
                let ratio = ours / median;
                if json {
                    println!(
                        r#"{{"peer":"{name}","op":"{op}","size":{len},"threads":{threads},"median_gbps":{median:.3},"best_gbps":{best:.3},"ours_over_peer":{ratio:.3}}}"#
                    );
                } else {
                    println!(
                        "{op} {:>5} MiB, {threads} threads: {name:<14} {median:>6.2} GB/s, ours x{ratio:.2}",
                        len >> 20
                    );
                }
            }
        }
    }
}

/// Does `work` on chunk after chunk, each thread on its part of them.
fn in_parts(
    threads: usize,
    from: &[u8],
    to: &mut [u8],
    from_chunk: usize,
    to_chunk: usize,
    work: impl Fn(usize, &[u8], &mut [u8]) + Sync,
) {
    let chunks = from.len() / from_chunk;
    let part = chunks.div_ceil(threads);
    std::thread::scope(|scope| {
        let parts = from.chunks(part * from_chunk).zip(to.chunks_mut(part * to_chunk));
        for (number, (from, to)) in parts.enumerate() {
            let work = &work;
            let mut run = move || {
                let pairs = from.chunks_exact(from_chunk).zip(to.chunks_exact_mut(to_chunk));
                for (i, (from, to)) in pairs.enumerate() {
                    work(number * part + i, from, to);
                }
            };
            if threads == 1 {
                run();
            } else {
                scope.spawn(run);
            }
        }
    });
}
