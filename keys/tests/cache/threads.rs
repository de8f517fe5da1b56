//! All at once, from many threads.

use crate::fake_kms::{ALIAS, FakeKms, KEY_1, StillClock, call};
use crate::{OBJECT, SHARED, poll, stored};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::testing::{FaultyKms, When};
use objseal_keys::kms::{Kms, KmsErrorKind, Operation, block_on};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Numbers that are the same every time: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Hits, misses, dropped futures, held calls, expiry, eviction and failures, each of which may lock, wake or wait. It ends,
/// and nobody has a key of another blob.
#[test]
fn threads_that_do_everything_at_once_all_come_to_an_end() {
    let (fake, clock) = (FakeKms::new(), StillClock::new());
    let faulty = Arc::new(FaultyKms::new(Arc::clone(&fake)));
    let options = CacheOptions::new().with_capacity(8).with_max_uses(50).with_breaker(3, Duration::from_millis(10));
    let cached = CachedKms::new(Arc::clone(&faulty), options.with_clock(clock.clone())).unwrap();
    let calls: Vec<_> = (0..4).map(|user| call(&format!("user-{user}"))).collect();
    let keys: Vec<_> =
        (0..8).map(|_| stored(&block_on(fake.generate(&calls[0], ALIAS, OBJECT)).unwrap(), OBJECT)).collect();
    faulty.fail(When::Every(97), KmsErrorKind::Unreachable);

    let done = AtomicBool::new(false);
    let answered: u64 = thread::scope(|scope| {
        // Calls are held for a moment again and again, and always released.
        let gate = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                faulty.hold();
                thread::yield_now();
                faulty.release();
                thread::yield_now();
            }
        });
        let workers: Vec<_> = (1..=8)
            .map(|seed| {
                let (cached, calls, keys, clock) = (&cached, &calls, &keys, &clock);
                scope.spawn(move || {
                    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
                    let mut answered = 0;
                    for _ in 0..2_000 {
                        let call = &calls[usize::try_from(numbers.below(4)).unwrap()];
                        let stored = &keys[usize::try_from(numbers.below(8)).unwrap()];
                        match numbers.below(40) {
                            0 => cached.clear(),
                            1 => cached.forget_key(KEY_1),
                            2 => cached.purge(),
                            3 => clock.pass(Duration::from_millis(20)),
                            4..=8 => drop(poll(&mut cached.reopen(call, stored))),
                            9..=12 => drop(poll(&mut cached.generate(call, ALIAS, SHARED))),
                            13..=22 => match block_on(cached.generate(call, ALIAS, SHARED)) {
                                Ok(key) => answered += u64::from(key.key_id() == KEY_1),
                                Err(error) => assert!(error.kind().is_transient(), "{error}"),
                            },
                            _ => match block_on(cached.reopen(call, stored)) {
                                Ok(key) => answered += u64::from(key.blob() == stored.blob),
                                Err(error) => assert!(error.kind().is_transient(), "{error}"),
                            },
                        }
                    }
                    answered
                })
            })
            .collect();
        let answered: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, Ordering::Relaxed);
        gate.join().unwrap();
        answered.into_iter().map(Result::unwrap).sum()
    });
    assert!(answered > 0);
    assert_eq!(faulty.waiting(), 0);
    assert!(cached.len() <= 8);
    drop(cached);
    assert_eq!(fake.alive(), 0, "nobody has a key any more");
}

#[test]
fn threads_that_want_the_same_make_one_call() {
    let faulty = Arc::new(FaultyKms::new(FakeKms::new()));
    let cached = CachedKms::new(Arc::clone(&faulty), CacheOptions::new().with_clock(StillClock::new())).unwrap();
    faulty.hold();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| block_on(cached.generate(&call("alice"), ALIAS, SHARED)).unwrap());
        }
        // The first is held; the others come before or after it is released, and find the call or the key.
        while !faulty.release_one() {
            thread::yield_now();
        }
        faulty.release();
    });
    assert_eq!(faulty.calls(Operation::Generate), 1);
}
