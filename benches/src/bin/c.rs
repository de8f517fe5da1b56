//! What it costs to go through the C library: the same messages from Rust and through `libobjseal.so`, interleaved.
//!
//! `make -C bindings/c && cargo run --release -p objseal-benches --bin c -- [--rounds N] [--mib N]`
//!
//! Random data in buffers that were touched before, the same for both; a round runs each once, in an order that changes from
//! round to round; the ratio is of medians. The bar is 0.97.

use objseal::Key;
use objseal::cobblestone::{Cobblestone, Threads, sealed_len};
use objseal_benches::c_library::CLibrary;
use objseal_benches::{median, noise};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

const BAR: f64 = 0.97;

fn main() {
    let (mut rounds, mut mib) = (21, 1024);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--rounds" => rounds = number(),
            "--mib" => mib = number(),
            _ => panic!("unknown argument {arg}"),
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/c/libobjseal.so");
    let library = CLibrary::new(&path, &[7; 32]);
    let start = Instant::now();
    let sum: usize = (0..10_000_000).map(|_| library.nothing()).sum();
    println!("a call that does nothing: {:.1} ns", start.elapsed().as_secs_f64() * 1e9 / 1e7);
    assert_eq!(sum, 320_000_000);

    let cpus = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    println!("GB/s of plaintext, {rounds} rounds\n");
    println!("{:>10} {:>7}  {:>8} {:>7} {:>7} {:>7}", "MiB", "threads", "", "Rust", "C", "C/Rust");
    let mut met = true;
    for (mib, threads, times) in [(1, NonZeroUsize::MIN, 400), (mib, NonZeroUsize::MIN, 1), (mib, cpus, 1)] {
        met &= compare(&library, mib, threads, times, rounds);
    }
    assert!(met, "below the bar of {BAR}");
}

/// Says whether the bar was met.
fn compare(library: &CLibrary, mib: usize, threads: NonZeroUsize, times: usize, rounds: usize) -> bool {
    let key = Key::from_bytes(&[7; 32]);
    let cobblestone = Cobblestone::new(&key, b"");
    let workers = Threads(threads);
    let count = u32::try_from(threads.get()).expect("few");
    let plaintext = noise(mib << 20);
    let len = usize::try_from(sealed_len(plaintext.len() as u64).expect("short")).expect("short");
    let (mut sealed, mut opened) = (noise(len), noise(plaintext.len()));
    let mut seconds: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..rounds {
        for turn in 0..2 {
            let who = (turn + round) % 2;
            let start = Instant::now();
            for _ in 0..times {
                match who {
                    0 => drop(cobblestone.seal_parallel(&workers, &plaintext, &mut sealed).expect("room")),
                    _ => library.seal(&plaintext, &mut sealed, count),
                }
            }
            seconds[0][who].push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            for _ in 0..times {
                match who {
                    0 => drop(cobblestone.open_parallel(&workers, &sealed, &mut opened).expect("authentic")),
                    _ => library.open(&sealed, &mut opened, count),
                }
            }
            seconds[1][who].push(start.elapsed().as_secs_f64());
        }
    }
    let mut met = true;
    for (name, [rust, c]) in ["seal", "open"].into_iter().zip(seconds) {
        let (rust, c) = (median(&rust), median(&c));
        let speed = |seconds: f64| (plaintext.len() * times) as f64 / seconds / 1e9;
        println!("{mib:>10} {threads:>7}  {name:>8} {:>7.2} {:>7.2} {:>7.3}", speed(rust), speed(c), rust / c);
        met &= rust / c >= BAR;
    }
    met
}
