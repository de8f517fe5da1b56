//! AES-256-GCM next to its peers: all in one process, interleaved, on the same buffers.
//!
//! `cargo run --release -p objseal-benches --bin peers -- [--json] [--rounds N] [--size N ...] [--backend NAME] [--chart FILE]`
//!
//! `--size` is for a few sizes, in bytes, instead of all. `--chart` draws what sealing gave, as SVG. `--backend` holds ours
//! to a slower backend. OPENSSL_ia32cap does the same to aws-lc-rs, BoringSSL and OpenSSL: it is `:~0xd0230000` against
//! AVX-512 and `:~0x600d0230000` against VAES too.
//!
//! The rule for all: key set up once, no additional data, in place, messages side by side in 256 KiB that are warm, one
//! thread. Per round each peer runs once, in an order that changes from round to round; ratios are of medians.

use objseal::Backend;
use objseal_benches::chart::{self, Line};
use objseal_benches::{Peer, TAG_LEN, median, noise, peers};
use std::time::{Duration, Instant};

const SIZES: [usize; 8] = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20, 16 << 20];
/// Messages lie side by side in about this much memory.
const WORKING_SET: usize = 256 << 10;
/// How long one measurement takes, at least.
const TIME: Duration = Duration::from_millis(8);

#[derive(Clone, Copy)]
enum Op {
    Seal,
    Open,
}

fn main() {
    let mut json = false;
    let mut rounds = 9;
    let mut backend = Backend::detect();
    let mut chart = None;
    let mut sizes = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => json = true,
            "--rounds" => rounds = args.next().and_then(|n| n.parse().ok()).expect("--rounds takes a number"),
            "--backend" => backend = args.next().and_then(|b| b.parse().ok()).expect("--backend takes a name"),
            "--size" => sizes.push(args.next().and_then(|n| n.parse().ok()).expect("--size takes a number")),
            "--chart" => chart = Some(args.next().expect("--chart takes a file")),
            _ => panic!("unknown argument {arg}"),
        }
    }
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }

    let peers = peers(backend);
    check_agreement(&peers);
    if !json {
        println!(
            "median GB/s of {rounds} rounds, one thread, in place, key set up once; x = {} / peer",
            peers[0].name()
        );
    }
    let mut lines: Vec<_> = peers.iter().map(|peer| Line { name: peer.name(), gbps: Vec::new() }).collect();
    for (op, op_name) in [(Op::Seal, "seal"), (Op::Open, "open")] {
        for &size in &sizes {
            let rows = measure(&peers, op, size, rounds);
            print_rows(&peers, op_name, size, &rows, json);
            if matches!(op, Op::Seal) {
                for (line, rates) in lines.iter_mut().zip(&rows) {
                    line.gbps.push(median(rates));
                }
            }
        }
    }
    if let Some(path) = chart {
        let title = format!("AES-256-GCM, sealing in place on one thread of {}: GB/s", cpu());
        std::fs::write(path, chart::svg(&title, &sizes, &lines)).expect("the chart can be written");
    }
}

/// The CPU as the kernel names it.
fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "this machine".into(), |(_, name)| name.into())
}

/// All peers must give the same ciphertext and tag, or comparing them means nothing.
fn check_agreement(peers: &[Box<dyn Peer>]) {
    for size in [0, 1, 15, 16, 1000, 16 << 10, 100_001] {
        let plaintext = noise(size + TAG_LEN);
        let mut expected = plaintext.clone();
        peers[0].seal(&mut expected);
        for peer in peers {
            let mut message = plaintext.clone();
            peer.seal(&mut message);
            assert!(message == expected, "{} seals {size} bytes differently", peer.name());
            peer.open(&mut message);
            assert!(message[..size] == plaintext[..size], "{} opens {size} bytes differently", peer.name());
        }
    }
}

/// GB/s of each peer in each round; memcpy last.
fn measure(peers: &[Box<dyn Peer>], op: Op, size: usize, rounds: usize) -> Vec<Vec<f64>> {
    // Messages begin at multiples of 64 bytes, their tags behind them.
    let stride = (size + TAG_LEN).next_multiple_of(64);
    let count = (WORKING_SET / stride).max(1);
    let len = stride * count;
    let (mut fresh, mut work, mut target) = (noise(len + 64), noise(len + 64), noise(len + 64));
    let fresh = aligned(&mut fresh, len);
    let work = aligned(&mut work, len);
    let target = aligned(&mut target, len);
    if matches!(op, Op::Open) {
        peers[0].seal_all(&mut messages(fresh, stride, size));
    }

    let mut rates = vec![Vec::new(); peers.len() + 1];
    for round in 0..rounds {
        for turn in 0..=peers.len() {
            let who = (turn + round) % (peers.len() + 1);
            let mut spent = Duration::ZERO;
            let mut bytes = 0;
            while spent < TIME {
                work.copy_from_slice(fresh);
                let start = Instant::now();
                match (peers.get(who), op) {
                    (Some(peer), Op::Seal) => peer.seal_all(&mut messages(work, stride, size)),
                    (Some(peer), Op::Open) => peer.open_all(&mut messages(work, stride, size)),
                    (None, _) => target.copy_from_slice(std::hint::black_box(work)),
                }
                spent += start.elapsed();
                std::hint::black_box((&mut *work, &mut *target));
                bytes += if who < peers.len() { size * count } else { work.len() };
            }
            rates[who].push(bytes as f64 / spent.as_secs_f64() / 1e9);
        }
    }
    rates
}

/// `len` bytes of `buffer` that begin at a multiple of 64.
fn aligned(buffer: &mut [u8], len: usize) -> &mut [u8] {
    let start = buffer.as_ptr().align_offset(64);
    &mut buffer[start..start + len]
}

fn messages(buffer: &mut [u8], stride: usize, size: usize) -> impl Iterator<Item = &mut [u8]> {
    buffer.chunks_exact_mut(stride).map(move |slot| &mut slot[..size + TAG_LEN])
}

fn print_rows(peers: &[Box<dyn Peer>], op: &str, size: usize, rates: &[Vec<f64>], json: bool) {
    let ours = median(&rates[0]);
    if !json {
        print!("{op} {size:>9} B ");
    }
    for (who, rates) in rates.iter().enumerate() {
        let name = peers.get(who).map_or_else(|| "memcpy".into(), |peer| peer.name());
        let (median, best) = (median(rates), rates.iter().copied().fold(0.0, f64::max));
        let ratio = ours / median;
        if json {
            println!(
                r#"{{"peer":"{name}","op":"{op}","size":{size},"median_gbps":{median:.3},"best_gbps":{best:.3},"ours_over_peer":{ratio:.3}}}"#
            );
        } else if who == 0 {
            print!("| {name} {median:.2} ");
        } else {
            print!("| {name} {median:.2} x{ratio:.2} ");
        }
    }
    if !json {
        println!();
    }
}
