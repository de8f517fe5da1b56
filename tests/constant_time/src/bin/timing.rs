//! Times each backend on two classes of inputs, mixed at random, and fails if the times tell them apart.
//!
//!     timing BACKEND...
//!
//! Both classes are prepared in the same way and in the same memory, before the clock starts. Machines are shared, so a
//! difference is a leak only if three measurements in a row show it; what is planted must be seen in each of them.

use objseal::cobblestone::{CHUNK_LEN, Cobblestone, HEADER_LEN, SALT_LEN, TAG_LEN};
use objseal::hazmat::{self, Aes256Gcm};
use objseal::{Backend, Key};
use objseal_constant_time::Noise;
use objseal_constant_time::welch::{Sample, largest_t};
use std::env;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

/// "Definitely not constant time", in the words of dudect.
const THRESHOLD: f64 = 10.0;
const MEASUREMENTS: usize = 3;
/// Samples that come before caches and clocks have settled.
const WARM_UP: usize = 1000;
const SHORT_LEN: usize = 64;
const NONCE: [u8; 12] = [3; 12];

fn main() -> ExitCode {
    let backends: Vec<Backend> = env::args().skip(1).map(|name| name.parse().expect("a backend")).collect();
    assert!(!backends.is_empty(), "timing BACKEND...");
    let mut report = Report { noise: Noise::new(5), failed: false };

    println!("--- leaks that must be seen");
    report.early_exit();
    report.branch_per_byte();
    for backend in backends {
        assert!(backend.is_available(), "this CPU does not have {backend}");
        println!("--- {backend}");
        report.set_up(backend);
        for len in [SHORT_LEN, CHUNK_LEN] {
            report.keys(backend, len);
            report.seal(backend, len);
            report.open(backend, len);
        }
        report.tags(backend);
        report.derivation(backend);
        report.commitments(backend);
    }
    if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Report {
    noise: Noise,
    failed: bool,
}

impl Report {
    /// A comparison that ends at the first difference.
    fn early_exit(&mut self) {
        let right: [u8; TAG_LEN] = self.noise.array();
        let mut given = right;
        self.must_leak(
            "comparison with early exit: first byte, last byte",
            100_000,
            &mut given,
            |_, given, class| *given = wrong_at(&right, 0, TAG_LEN - 1, class),
            |given| black_box(black_box(&right).iter().zip(black_box(&*given)).all(|(a, b)| black_box(a == b))),
        );
    }

    /// A branch on each byte: zeros, random bytes.
    fn branch_per_byte(&mut self) {
        let mut bytes = [0; 1024];
        self.must_leak(
            "branch on each byte: zeros, random bytes",
            20_000,
            &mut bytes,
            |noise, bytes, class| fixed_or_random(noise, bytes, class),
            |bytes| {
                let mut sum = 0_u64;
                for &byte in black_box(&*bytes) {
                    if byte & 1 == 1 {
                        sum = black_box(sum.wrapping_mul(3));
                    }
                }
                black_box(sum)
            },
        );
    }

    /// Round keys and powers of the hash key.
    fn set_up(&mut self, backend: Backend) {
        let mut key = [0; Key::LEN];
        self.must_not_leak(
            "key set-up: fixed key, random keys",
            50_000,
            &mut key,
            |noise, key, class| fixed_or_random(noise, key, class),
            |key| Aes256Gcm::new(backend, black_box(key), CHUNK_LEN as u64).expect("available"),
        );
    }

    fn keys(&mut self, backend: Backend, len: usize) {
        let mut state = (aes_gcm(backend, &[0; Key::LEN], len), vec![0; len]);
        self.must_not_leak(
            &format!("sealing {len} bytes: fixed key, random keys"),
            samples_of(len),
            &mut state,
            |noise, (key, data), class| {
                let mut bytes = [0; Key::LEN];
                fixed_or_random(noise, &mut bytes, class);
                *key = aes_gcm(backend, &bytes, len);
                data.fill(0);
            },
            |(key, data)| key.seal_in_place(&NONCE, &[], black_box(data)).expect("sealed"),
        );
    }

    fn seal(&mut self, backend: Backend, len: usize) {
        let key = aes_gcm(backend, &self.noise.array(), len);
        let mut data = vec![0; len];
        self.must_not_leak(
            &format!("sealing {len} bytes: fixed plaintext, random plaintexts"),
            samples_of(len),
            &mut data,
            |noise, data, class| fixed_or_random(noise, data, class),
            |data| key.seal_in_place(&NONCE, &[], black_box(data)).expect("sealed"),
        );
    }

    fn open(&mut self, backend: Backend, len: usize) {
        let key = aes_gcm(backend, &self.noise.array(), len);
        let mut state = (vec![0; len], [0; TAG_LEN]);
        self.must_not_leak(
            &format!("opening {len} bytes: fixed plaintext, random plaintexts"),
            samples_of(len),
            &mut state,
            |noise, (data, tag), class| {
                fixed_or_random(noise, data, class);
                *tag = key.seal_in_place(&NONCE, &[], data).expect("sealed");
            },
            |(data, tag)| key.open_in_place(&NONCE, &[], black_box(data), black_box(tag)).expect("opened"),
        );
    }

    fn tags(&mut self, backend: Backend) {
        let key = aes_gcm(backend, &self.noise.array(), SHORT_LEN);
        let mut sealed = [0; SHORT_LEN];
        let right = key.seal_in_place(&NONCE, &[], &mut sealed).expect("sealed");
        let mut state = (sealed, right);
        self.must_not_leak(
            "comparison of tags: first byte, last byte",
            100_000,
            &mut state,
            |_, (data, tag), class| {
                *data = sealed;
                *tag = wrong_at(&right, 0, TAG_LEN - 1, class);
            },
            |(data, tag)| key.open_in_place(&NONCE, &[], black_box(data), black_box(tag)).expect_err("wrong"),
        );
    }

    fn derivation(&mut self, backend: Backend) {
        let mut key = Key::from_bytes(&[0; Key::LEN]);
        self.must_not_leak(
            "key derivation: fixed key, random keys",
            50_000,
            &mut key,
            |noise, key, class| {
                let mut bytes = [0; Key::LEN];
                fixed_or_random(noise, &mut bytes, class);
                *key = Key::from_bytes(&bytes);
            },
            |key| {
                let cobblestone = Cobblestone::new(black_box(key), b"timing").with_engine(backend.into());
                hazmat::derive(&cobblestone.expect("available"), &[7; SALT_LEN])
            },
        );
    }

    fn commitments(&mut self, backend: Backend) {
        let key = Key::from_bytes(&self.noise.array());
        let cobblestone = Cobblestone::new(&key, b"timing").with_engine(backend.into()).expect("available");
        let mut right = [0; HEADER_LEN + TAG_LEN];
        cobblestone.seal_into(&[], &mut right).expect("sealed");
        let mut message = right;
        self.must_not_leak(
            "comparison of commitments: first byte, last byte",
            50_000,
            &mut message,
            |_, message, class| *message = wrong_at(&right, SALT_LEN, HEADER_LEN - 1, class),
            |message| cobblestone.open_into(black_box(message), &mut []).expect_err("wrong"),
        );
    }

    fn must_leak<S, R>(
        &mut self,
        what: &str,
        samples: usize,
        state: &mut S,
        prepare: impl Fn(&mut Noise, &mut S, bool),
        timed: impl Fn(&mut S) -> R,
    ) {
        let measured: Vec<f64> =
            (0..MEASUREMENTS).map(|_| largest_t(&sample(&mut self.noise, samples, state, &prepare, &timed))).collect();
        let seen = measured.iter().all(|&t| t > THRESHOLD);
        self.print(what, &measured, if seen { "seen" } else { "NOT SEEN" }, seen);
    }

    fn must_not_leak<S, R>(
        &mut self,
        what: &str,
        samples: usize,
        state: &mut S,
        prepare: impl Fn(&mut Noise, &mut S, bool),
        timed: impl Fn(&mut S) -> R,
    ) {
        let mut measured = Vec::new();
        while measured.len() < MEASUREMENTS && measured.iter().all(|&t| t > THRESHOLD) {
            measured.push(largest_t(&sample(&mut self.noise, samples, state, &prepare, &timed)));
        }
        let leaks = measured.iter().all(|&t| t > THRESHOLD);
        self.print(what, &measured, if leaks { "LEAK" } else { "ok" }, !leaks);
    }

    fn print(&mut self, what: &str, measured: &[f64], verdict: &str, passed: bool) {
        let measured: Vec<String> = measured.iter().map(|t| format!("{t:.1}")).collect();
        println!("{verdict:8} {what:62} |t| {}", measured.join(", "));
        self.failed |= !passed;
    }
}

/// Times `timed` on inputs of a class that is drawn each time.
fn sample<S, R>(
    noise: &mut Noise,
    samples: usize,
    state: &mut S,
    prepare: impl Fn(&mut Noise, &mut S, bool),
    timed: impl Fn(&mut S) -> R,
) -> Vec<Sample> {
    let mut taken = Vec::with_capacity(samples);
    for number in 0..WARM_UP + samples {
        let class = noise.number() >> 63 == 1;
        prepare(noise, state, class);
        let start = Instant::now();
        let result = timed(state);
        let time = start.elapsed().as_secs_f64();
        drop(black_box(result));
        if number >= WARM_UP {
            taken.push((class, time));
        }
    }
    taken
}

/// Zeros for one class, random bytes for the other, by the same instructions.
fn fixed_or_random(noise: &mut Noise, bytes: &mut [u8], class: bool) {
    noise.fill(bytes);
    let mask = black_box(u8::from(class)).wrapping_neg();
    bytes.iter_mut().for_each(|byte| *byte &= mask);
}

/// `right` with one bit changed: in byte `first` for one class, in byte `last` for the other, by the same instructions.
fn wrong_at<const LEN: usize>(right: &[u8; LEN], first: usize, last: usize, class: bool) -> [u8; LEN] {
    let mut wrong = *right;
    let in_last = black_box(u8::from(class));
    wrong[first] ^= in_last ^ 1;
    wrong[last] ^= in_last;
    wrong
}

fn aes_gcm(backend: Backend, key: &[u8; Key::LEN], len: usize) -> Aes256Gcm {
    Aes256Gcm::new(backend, key, len as u64).expect("available")
}

fn samples_of(len: usize) -> usize {
    if len > SHORT_LEN { 20_000 } else { 100_000 }
}
