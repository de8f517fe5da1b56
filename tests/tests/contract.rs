//! What is promised about outputs, on every engine: all or nothing, the same bytes on any number of threads, and what is
//! left when a thread panics.

use objseal::cobblestone::{CHUNK_LEN, Cobblestone, ReadAt, SEALED_CHUNK_LEN, Threads, Workers, sealed_len};
use objseal::hazmat::{Aes256Gcm, FixedSalt};
use objseal::{Backend, Engine, Error, Key, RandomError, RandomSource};
use objseal_tests::{backends, engines, pattern, report};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;

fn key() -> Key {
    Key::from_bytes(&[0x42; 32])
}

fn threads(count: usize) -> Threads {
    Threads(NonZeroUsize::new(count).expect("not 0"))
}

fn on_each_engine(suite: &str, check: impl Fn(Engine, &Cobblestone<'_>)) {
    let (key, salt) = (key(), FixedSalt([9; 24]));
    for engine in engines() {
        let cobblestone = Cobblestone::new(&key, b"").with_engine(engine).expect("available").with_random(&salt);
        check(engine, &cobblestone);
        report(suite, engine, "held");
    }
}

#[test]
fn a_wrong_tag_leaves_zeros() {
    for backend in backends() {
        let gcm = Aes256Gcm::new(backend, &[1; 32], 0).expect("available");
        for len in [1, 16, 100, 512, 1000, 16384] {
            let mut data = pattern(len);
            let mut tag = gcm.seal_in_place(&[2; 12], b"aad", &mut data).expect("short");
            tag[0] ^= 0x80;
            let mut out = vec![0xEE; len];
            assert_eq!(gcm.open(&[2; 12], b"aad", &data, &tag, &mut out), Err(Error::Authentication));
            assert!(out.iter().all(|&byte| byte == 0), "{len} bytes, {backend}");
            assert_eq!(gcm.open_in_place(&[2; 12], b"aad", &mut data, &tag), Err(Error::Authentication));
            assert!(data.iter().all(|&byte| byte == 0), "{len} bytes, {backend}");
        }
        report("a wrong tag leaves zeros", backend, "held");
    }
}

/// A pool that keeps its promises badly: correct, only slow.
struct Pool {
    claimed: usize,
    calls: usize,
}

impl Workers for Pool {
    fn count(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.claimed).expect("not 0")
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        for _ in 0..self.calls {
            job();
        }
    }
}

#[test]
fn any_workers_give_the_same_bytes() {
    let run = 256 * CHUNK_LEN;
    on_each_engine("any workers give the same bytes", |engine, cobblestone| {
        let lengths = [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 300_000, run - 1, run, run + 1, 2 * run + 5];
        for len in lengths.into_iter().filter(|&len| engine != Engine::Native(Backend::Soft) || len < run) {
            let plaintext = pattern(len);
            let expected = cobblestone.seal(&plaintext).expect("room");
            let check = |workers: &dyn Fn(&mut [u8], &mut [u8])| {
                let mut message = vec![0xEE; expected.len()];
                let mut opened = vec![0xEE; len];
                workers(&mut message, &mut opened);
                assert!(message == expected, "{len} bytes, {engine}");
                assert!(opened == plaintext, "{len} bytes, {engine}");
            };
            for count in 1..=5 {
                check(&|message, opened| {
                    cobblestone.seal_parallel(&threads(count), &plaintext, message).expect("room");
                    cobblestone.open_parallel(&threads(count), message, opened).expect("authentic");
                });
            }
            let rayon = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
            check(&|message, opened| {
                cobblestone.seal_parallel(&rayon, &plaintext, message).expect("room");
                cobblestone.open_parallel(&rayon, message, opened).expect("authentic");
            });
            for (claimed, calls) in [(1, 0), (4, 0), (4, 1), (1, 3)] {
                check(&|message, opened| {
                    cobblestone.seal_parallel(&Pool { claimed, calls }, &plaintext, message).expect("room");
                    cobblestone.open_parallel(&Pool { claimed, calls }, message, opened).expect("authentic");
                });
            }
        }
    });
}

#[test]
fn one_bad_chunk_leaves_zeros_everywhere() {
    let chunks = 40;
    on_each_engine("one bad chunk leaves zeros everywhere", |engine, cobblestone| {
        let message = cobblestone.seal(&pattern(chunks * CHUNK_LEN + 5)).expect("room");
        for bad in 0..=chunks {
            let mut changed = message.clone();
            changed[56 + bad * SEALED_CHUNK_LEN] ^= 1;
            let mut out = vec![0xEE; chunks * CHUNK_LEN + 5];
            for count in [1, 2, 5] {
                out.fill(0xEE);
                let opened = cobblestone.open_parallel(&threads(count), &changed, &mut out);
                assert_eq!(opened, Err(Error::Authentication), "chunk {bad}, {engine}");
                assert!(out.iter().all(|&byte| byte == 0), "chunk {bad}, {count} threads, {engine}");
            }
            out.fill(0xEE);
            assert_eq!(cobblestone.open_into(&changed, &mut out), Err(Error::Authentication));
            assert!(out.iter().all(|&byte| byte == 0), "chunk {bad}, {engine}");
        }
    });
}

/// Does all the work on one thread and then panics on another.
struct PanickingPool(AtomicUsize);

impl Workers for PanickingPool {
    fn count(&self) -> NonZeroUsize {
        NonZeroUsize::new(2).expect("2")
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            scope.spawn(job).join().expect("the work is done");
            self.0.fetch_add(1, Ordering::Relaxed);
            scope.spawn(|| panic!("planted")).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }
}

#[test]
fn a_panicking_worker_leaves_zeros() {
    on_each_engine("a panicking worker leaves zeros", |engine, cobblestone| {
        let plaintext = pattern(500_000);
        let message = cobblestone.seal(&plaintext).expect("room");
        let pool = PanickingPool(AtomicUsize::new(0));

        let mut out = vec![0xEE; plaintext.len()];
        let opened = catch_unwind(AssertUnwindSafe(|| cobblestone.open_parallel(&pool, &message, &mut out)));
        assert_eq!(opened.expect_err("it panics").downcast_ref(), Some(&"planted"), "{engine}");
        assert!(out.iter().all(|&byte| byte == 0), "{engine}");

        let mut out = vec![0xEE; message.len()];
        let sealed = catch_unwind(AssertUnwindSafe(|| cobblestone.seal_parallel(&pool, &plaintext, &mut out)));
        assert_eq!(sealed.expect_err("it panics").downcast_ref(), Some(&"planted"), "{engine}");
        assert!(out[56..].iter().all(|&byte| byte == 0), "{engine}");
        assert_eq!(pool.0.into_inner(), 2, "the work was done before");
    });
}

/// Keeps panics to itself, against its contract.
struct SwallowingPool;

impl Workers for SwallowingPool {
    fn count(&self) -> NonZeroUsize {
        NonZeroUsize::new(2).expect("2")
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        catch_unwind(AssertUnwindSafe(job)).ok();
    }
}

#[test]
fn a_swallowed_panic_is_not_a_success() {
    on_each_engine("a swallowed panic is not a success", |engine, cobblestone| {
        // The first read is on the calling thread.
        for reads in [1, 2, 5] {
            let ended = cobblestone.seal_stream(PanickingReader(reads), io::sink(), &SwallowingPool);
            let error = ended.expect_err("not whole");
            assert_eq!(error.get_ref().and_then(|e| e.downcast_ref()), Some(&Error::WorkersFailed), "{engine}");
        }
    });
}

/// Two threads; the second one has found nothing to do any more when the first one panics, and nobody passes that on.
struct LatePanic(Barrier);

impl Workers for LatePanic {
    fn count(&self) -> NonZeroUsize {
        NonZeroUsize::new(2).expect("2")
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            let late = scope.spawn(job);
            // It has taken the first piece.
            self.0.wait();
            scope.spawn(job).join().expect("the rest is done");
            self.0.wait();
            late.join().expect_err("planted");
        });
    }
}

/// A message of which the first read on another thread waits, and panics.
struct Late<'m> {
    message: &'m [u8],
    reads: AtomicUsize,
    barrier: &'m Barrier,
    asker: ThreadId,
}

impl ReadAt for Late<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if std::thread::current().id() != self.asker && self.reads.fetch_add(1, Ordering::SeqCst) == 0 {
            self.barrier.wait();
            self.barrier.wait();
            panic!("planted");
        }
        self.message.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.message.len() as u64)
    }
}

#[test]
fn a_panic_behind_the_end_is_no_success() {
    on_each_engine("a panic behind the end is no success", |engine, cobblestone| {
        let plaintext = pattern(3 * CHUNK_LEN + 5);
        let message = cobblestone.seal(&plaintext).expect("room");
        let pool = LatePanic(Barrier::new(2));
        let asker = std::thread::current().id();
        let source = Late { message: &message, reads: AtomicUsize::new(0), barrier: &pool.0, asker };
        let stored = cobblestone.open_at(source).expect("authentic");
        let mut out = vec![0xEE; plaintext.len()];
        let error = stored.open_range_parallel(&pool, 0, &mut out).expect_err("a piece is missing");
        assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&Error::WorkersFailed), "{engine}");
        assert!(out.iter().all(|&byte| byte == 0));
    });
}

/// Gives some data, then panics.
struct PanickingReader(usize);

impl Read for PanickingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.0 > 0, "planted");
        self.0 -= 1;
        buffer.fill(7);
        Ok(buffer.len())
    }
}

#[test]
fn a_panicking_reader_ends_the_stream() {
    on_each_engine("a panicking reader ends the stream", |engine, cobblestone| {
        for (reads, count) in [(0, 1), (0, 3), (5, 2), (9, 4)] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                cobblestone.seal_stream(PanickingReader(reads), io::sink(), &threads(count))
            }));
            assert!(outcome.is_err(), "{engine}");
        }
    });
}

#[test]
fn a_small_output_is_refused_untouched() {
    on_each_engine("a small output is refused untouched", |engine, cobblestone| {
        let message = cobblestone.seal(&pattern(20_000)).expect("room");
        let mut small = vec![0xEE; 19_999];
        let needed = Error::OutputTooSmall { needed: 20_000, given: 19_999 };
        assert_eq!(cobblestone.open_into(&message, &mut small), Err(needed), "{engine}");
        assert_eq!(cobblestone.open_parallel(&threads(2), &message, &mut small), Err(needed), "{engine}");
        let needed = Error::OutputTooSmall { needed: message.len(), given: 19_999 };
        assert_eq!(cobblestone.seal_into(&pattern(20_000), &mut small), Err(needed), "{engine}");
        assert_eq!(cobblestone.seal_parallel(&threads(2), &pattern(20_000), &mut small), Err(needed), "{engine}");
        assert!(small.iter().all(|&byte| byte == 0xEE), "{engine}");
    });
}

#[test]
fn a_larger_output_is_left_alone_behind_the_end() {
    on_each_engine("a larger output is left alone", |engine, cobblestone| {
        let message = cobblestone.seal(&pattern(20_000)).expect("room");
        let mut large = vec![0xEE; 30_000];
        assert_eq!(cobblestone.open_into(&message, &mut large), Ok(20_000), "{engine}");
        assert!(large[..20_000] == pattern(20_000) && large[20_000..].iter().all(|&byte| byte == 0xEE), "{engine}");
    });
}

struct NoRandom;

impl RandomSource for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError::new())
    }
}

#[test]
fn without_randomness_nothing_is_sealed() {
    let key = key();
    let cobblestone = Cobblestone::new(&key, b"").with_random(&NoRandom);
    let mut out = vec![0xEE; 1000];
    assert_eq!(cobblestone.seal(b"text"), Err(Error::Random));
    assert_eq!(cobblestone.seal_into(b"text", &mut out), Err(Error::Random));
    assert_eq!(cobblestone.seal_parallel(&threads(2), b"text", &mut out), Err(Error::Random));
    assert!(out.iter().all(|&byte| byte == 0xEE));
    assert_eq!(cobblestone.sealer().err(), Some(Error::Random));
    assert_eq!(cobblestone.shared_sealer().err(), Some(Error::Random));
    assert!(cobblestone.seal_stream(&b"text"[..], io::sink(), &threads(1)).is_err());
}

#[test]
fn no_two_messages_are_alike() {
    let key = key();
    let cobblestone = Cobblestone::new(&key, b"");
    let (a, b) = (cobblestone.seal(b"same").expect("random bytes"), cobblestone.seal(b"same").expect("random bytes"));
    assert_eq!(a.len() as u64, sealed_len(4).expect("short"));
    assert_ne!(a[..24], b[..24], "salts");
    assert_ne!(a[24..56], b[24..56], "commitments");
    assert_ne!(a[56..], b[56..], "chunks");
}

#[test]
fn keys_do_not_show() {
    let key = Key::from_bytes(b"a very secret key of 32 bytes...");
    let shown = format!("{key:?} {:?}", Cobblestone::new(&key, b"public"));
    assert!(!shown.contains("secret") && !shown.contains("97"), "{shown}");
    assert!(Key::try_from(&[0; 31][..]).is_err() && Key::try_from(&[0; 33][..]).is_err());
}
