//! Two layers in one pass, next to each layer alone, as streams from memory to nowhere.
//!
//! `cargo run --release -p objseal-benches --bin layers -- [--rounds N] [--mib N]`
//!
//! One after the other the layers would take 1 / (1 / inner + 1 / outer); the last column is how much of that the pass
//! reaches. A round runs each once, in an order that changes; figures are of medians.

use objseal::cobblestone::Threads;
use objseal::envelope::{Envelope, NewBody, OpenOptions, SealOptions, WrappingKey};
use objseal::{Engine, Key};
use objseal_benches::{median, noise};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

/// What is measured: layers, by their engines.
struct Case {
    engines: Vec<Engine>,
    envelope: Envelope,
    sealed: Vec<u8>,
    seal: Vec<f64>,
    open: Vec<f64>,
}

fn main() {
    let (mut rounds, mut mib) = (15, 256);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let number = args.next().and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--rounds" => rounds = number,
            "--mib" => mib = number,
            _ => panic!("unknown argument {arg}"),
        }
    }
    let key = Arc::new(WrappingKey::from_key(Key::generate().expect("random bytes")));
    let plaintext = noise(mib << 20);
    let native = Engine::detect();
    println!("{mib} MiB; GB/s of plaintext\n");
    println!("threads  layers                     seal   of bound    open   of bound");
    for threads in [1, std::thread::available_parallelism().map_or(1, NonZeroUsize::get)] {
        for [inner, outer] in [[native, Engine::AwsLc], [native, Engine::RustCrypto]] {
            compare(&key, &plaintext, threads, [inner, outer], rounds);
        }
    }
}

fn compare(key: &Arc<WrappingKey>, plaintext: &[u8], threads: usize, [inner, outer]: [Engine; 2], rounds: usize) {
    let threads = Threads(NonZeroUsize::new(threads).expect("not 0"));
    let layers = [vec![inner], vec![outer], vec![inner, outer]];
    let mut cases = layers.map(|engines| {
        let (envelope, sealed) = seal(key, plaintext, &engines, threads);
        Case { engines, envelope, sealed, seal: Vec::new(), open: Vec::new() }
    });
    let gigabytes = plaintext.len() as f64 / 1e9;
    for round in 0..rounds {
        for turn in 0..3 {
            let case = &mut cases[(turn + round) % 3];
            let sealing = start(key, &case.engines).1;
            let time = Instant::now();
            sealing.seal_stream(plaintext, io::sink(), &threads).expect("sealed");
            case.seal.push(gigabytes / time.elapsed().as_secs_f64());
            let time = Instant::now();
            case.envelope
                .body()
                .expect("one body")
                .open_stream(&case.sealed[..], io::sink(), &threads)
                .expect("authentic");
            case.open.push(gigabytes / time.elapsed().as_secs_f64());
        }
    }
    let bound = |of: &dyn Fn(&Case) -> f64| 1.0 / (1.0 / of(&cases[0]) + 1.0 / of(&cases[1]));
    let bounds = [bound(&|case| median(&case.seal)), bound(&|case| median(&case.open))];
    for case in &cases {
        let names: Vec<_> = case.engines.iter().map(|engine| engine.name()).collect();
        let (seal, open) = (median(&case.seal), median(&case.open));
        print!("{:>7}  {:<22} {seal:>8.2}", threads.0, names.join(" in "));
        if names.len() == 2 {
            println!("   {:>8.2} {open:>7.2}   {:>8.2}", seal / bounds[0], open / bounds[1]);
        } else {
            println!("   {:>8} {open:>7.2}", "");
        }
    }
}

fn start(key: &Arc<WrappingKey>, engines: &[Engine]) -> (Envelope, NewBody) {
    let mut sealing = SealOptions::new(key.clone()).with_engine(engines[0]).expect("available");
    if let Some(&outer) = engines.get(1) {
        sealing = sealing.with_outer_key(key.clone()).with_outer_engine(outer).expect("available");
    }
    sealing.start().expect("sealed")
}

/// A sealed body, and an envelope that opens it on the same engines.
fn seal(key: &Arc<WrappingKey>, plaintext: &[u8], engines: &[Engine], threads: Threads) -> (Envelope, Vec<u8>) {
    let (envelope, body) = start(key, engines);
    let mut sealed = Vec::new();
    body.seal_stream(plaintext, &mut sealed, &threads).expect("sealed");
    let mut opening = OpenOptions::new().with_key(key.clone()).with_engine(engines[0]).expect("available");
    if let Some(&outer) = engines.get(1) {
        opening = opening.with_outer_engine(outer).expect("available");
    }
    (opening.open(envelope.stored()).expect("authentic"), sealed)
}
