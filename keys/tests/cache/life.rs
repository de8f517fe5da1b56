//! How long keys and refusals are kept.

use crate::fake_kms::{FakeKms, KEY_1, KEY_2};
use crate::{ALIAS, OBJECT, SHARED, World, call, kind, poll};
use objseal::envelope::{EncryptionContext, OpenOptions, SealOptions};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::testing::When;
use objseal_keys::kms::{Kms, KmsErrorKind, Operation, StoredKey, block_on};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const NANOSECOND: Duration = Duration::from_nanos(1);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_key_is_kept_to_the_end_of_its_time_and_no_nanosecond_longer() {
    let world = World::new(CacheOptions::new().with_ttl(MINUTE).with_generate_ttl(2 * MINUTE));
    let stored = world.stored_for(&call("alice"), OBJECT);
    let asks: [(&dyn Fn() -> _, _); 2] =
        [(&|| world.reopen(&call("alice"), &stored), MINUTE), (&|| world.generate(&call("alice")), 2 * MINUTE)];
    for (ask, ttl) in asks {
        let before = world.asked();
        ask().unwrap();
        world.clock.pass(ttl - NANOSECOND);
        ask().unwrap();
        assert_eq!(world.asked(), before + 1);
        world.clock.pass(NANOSECOND);
        ask().unwrap();
        assert_eq!(world.asked(), before + 2);
    }
}

#[test]
fn a_use_does_not_make_the_time_longer() {
    let world = World::new(CacheOptions::new().with_ttl(MINUTE));
    for _ in 0..61 {
        world.generate(&call("alice")).unwrap();
        world.clock.pass(Duration::from_secs(1));
    }
    assert_eq!(world.asked(), 2);
}

#[test]
fn generated_keys_are_kept_as_long_as_others_by_default() {
    let world = World::new(CacheOptions::new().with_ttl(MINUTE));
    world.generate(&call("alice")).unwrap();
    world.clock.pass(MINUTE);
    world.generate(&call("alice")).unwrap();
    assert_eq!(world.asked(), 2);
}

#[test]
fn a_generated_key_has_so_many_uses() {
    let world = World::new(CacheOptions::new().with_max_uses(3));
    for asked in [1, 1, 1, 2, 2, 2, 3] {
        world.generate(&call("alice")).unwrap();
        assert_eq!(world.asked(), asked);
    }
    let stored = world.stored_for(&call("alice"), OBJECT);
    for _ in 0..10 {
        world.reopen(&call("alice"), &stored).unwrap();
    }
    assert_eq!(world.asked(), 4, "one that was opened has any number");
}

#[test]
fn who_waits_for_the_same_call_is_a_use() {
    let world = World::new(CacheOptions::new().with_max_uses(4));
    let call = call("alice");
    world.faulty.hold();
    let mut waiting: Vec<_> = (0..10).map(|_| world.cached.generate(&call, ALIAS, SHARED)).collect();
    assert!(waiting.iter_mut().all(|future| poll(future).is_pending()));
    world.faulty.release();
    let mut blobs: Vec<_> = waiting.into_iter().map(|future| block_on(future).unwrap().blob().to_vec()).collect();
    blobs.sort();
    let uses: Vec<_> = blobs.chunk_by(|one, other| one == other).map(<[_]>::len).collect();
    assert_eq!((uses.iter().sum::<usize>(), uses.iter().max()), (10, Some(&4)));
    assert_eq!(world.asked(), 3);
}

#[test]
fn a_key_for_one_object_is_not_kept_when_it_is_generated() {
    let world = World::new(CacheOptions::new());
    for _ in 0..2 {
        block_on(world.cached.generate(&call("alice"), ALIAS, OBJECT)).unwrap();
    }
    assert_eq!((world.asked(), world.cached.len(), world.fake.alive()), (2, 0, 0));
}

#[test]
fn beyond_the_capacity_the_one_that_expires_first_goes() {
    let options = CacheOptions::new().with_capacity(2).with_generate_ttl(MINUTE);
    let world = World::new(options);
    let [one, two] = [(); 2].map(|()| world.stored_for(&call("alice"), OBJECT));
    world.reopen(&call("alice"), &one).unwrap();
    world.generate(&call("alice")).unwrap();
    assert_eq!(world.fake.alive(), 2);
    // The generated one came later and expires earlier.
    world.reopen(&call("alice"), &two).unwrap();
    assert_eq!((world.cached.len(), world.fake.alive(), world.asked()), (2, 2, 3));
    world.reopen(&call("alice"), &one).unwrap();
    world.reopen(&call("alice"), &two).unwrap();
    assert_eq!(world.asked(), 3);
    world.generate(&call("alice")).unwrap();
    assert_eq!(world.asked(), 4);
}

#[test]
fn refusals_do_not_push_keys_out() {
    let world = World::new(CacheOptions::new().with_capacity(2));
    world.fake.allow(|call, _| call.principal.arn().ends_with("alice"));
    world.generate(&call("alice")).unwrap();
    for other in 0..100 {
        assert_eq!(kind(world.generate(&call(&format!("user-{other}")))), Err(KmsErrorKind::AccessDenied));
    }
    world.generate(&call("alice")).unwrap();
    assert_eq!((world.asked(), world.cached.len()), (101, 2));
}

#[test]
fn a_capacity_of_0_keeps_nothing() {
    let world = World::new(CacheOptions::new().with_capacity(0));
    for _ in 0..2 {
        world.generate(&call("alice")).unwrap();
        world.fake.allow(|_, _| false);
        assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::AccessDenied));
        world.fake.allow(|_, _| true);
        assert_eq!((world.cached.len(), world.fake.alive()), (0, 0));
    }
    assert_eq!(world.asked(), 4);
}

#[test]
fn keys_are_wiped_with_their_entries() {
    type End = fn(World) -> Option<World>;
    let ends: [(&str, End); 5] = [
        ("clear", |world| {
            world.cached.clear();
            Some(world)
        }),
        ("forget", |world| {
            world.cached.forget_key(KEY_1);
            Some(world)
        }),
        ("purge", |world| {
            world.clock.pass(5 * MINUTE);
            world.cached.purge();
            Some(world)
        }),
        ("another entry", |world| {
            world.clock.pass(5 * MINUTE);
            world.fake.allow(|_, _| false);
            world.generate(&call("bob")).unwrap_err();
            Some(world)
        }),
        ("drop", |world| {
            drop(world);
            None
        }),
    ];
    for (name, end) in ends {
        let world = World::new(CacheOptions::new());
        let fake = Arc::clone(&world.fake);
        let stored = world.stored_for(&call("alice"), OBJECT);
        world.reopen(&call("alice"), &stored).unwrap();
        world.generate(&call("alice")).unwrap();
        assert_eq!(fake.alive(), 2, "{name}");
        let world = end(world);
        assert_eq!(fake.alive(), 0, "{name}");
        assert!(world.is_none_or(|world| world.cached.len() <= 1), "{name}");
    }
}

/// A future that is never dropped has the store of a cache that is gone.
#[test]
fn a_cache_that_is_dropped_wipes_its_keys_though_a_future_of_it_was_leaked() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    world.generate(&call).unwrap();
    world.faulty.hold();
    let mut leaked = world.cached.generate(&call, KEY_2, SHARED);
    assert!(poll(&mut leaked).is_pending());
    std::mem::forget(leaked);
    drop(world.cached);
    assert_eq!(world.fake.alive(), 0);
}

#[test]
fn forgetting_a_key_leaves_the_others() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    block_on(world.cached.generate(&call, KEY_1, SHARED)).unwrap();
    block_on(world.cached.generate(&call, KEY_2, SHARED)).unwrap();
    block_on(world.cached.generate(&call, "no such key", SHARED)).unwrap_err();
    world.cached.forget_key(KEY_1);
    assert_eq!((world.cached.len(), world.fake.alive()), (1, 1));
    block_on(world.cached.generate(&call, KEY_2, SHARED)).unwrap();
    assert_eq!(world.asked(), 3);
}

#[test]
fn what_was_forgotten_on_its_way_is_not_kept() {
    for forget in [|world: &World| world.cached.clear(), |world: &World| world.cached.forget_key(KEY_1)] {
        let world = World::new(CacheOptions::new());
        let call = call("alice");
        world.faulty.hold();
        let mut first = world.cached.generate(&call, ALIAS, SHARED);
        assert!(poll(&mut first).is_pending());
        forget(&world);
        let mut second = world.cached.generate(&call, ALIAS, SHARED);
        assert!(poll(&mut second).is_pending());
        assert_eq!(world.faulty.waiting(), 2, "who comes later does not join it");
        assert!(world.faulty.release_one());
        block_on(first).unwrap();
        assert!(world.cached.is_empty());
        world.faulty.release();
        block_on(second).unwrap();
        assert_eq!(world.cached.len(), 1);
    }
}

#[test]
fn a_key_goes_at_the_end_of_its_time_though_nobody_comes() {
    let fake = FakeKms::new();
    let cached = CachedKms::new(Arc::clone(&fake), CacheOptions::new().with_ttl(Duration::from_millis(1))).unwrap();
    block_on(cached.generate(&call("alice"), ALIAS, SHARED)).unwrap();
    while fake.alive() > 0 {
        thread::yield_now();
    }
}

#[test]
fn it_starts_while_the_service_is_down_and_is_right_when_it_comes() {
    let world = World::new(CacheOptions::new());
    world.faulty.fail(When::Always, KmsErrorKind::Unreachable);
    let second = CachedKms::new(Arc::clone(&world.faulty), CacheOptions::new()).unwrap();
    assert_eq!(world.faulty.callers(), []);
    assert_eq!(kind(block_on(second.generate(&call("alice"), ALIAS, SHARED))), Err(KmsErrorKind::Unreachable));
    world.faulty.heal();
    block_on(second.generate(&call("alice"), ALIAS, SHARED)).unwrap();
}

#[test]
fn an_expired_key_is_not_given_out_though_the_service_is_down() {
    let world = World::new(CacheOptions::new().with_breaker(2, MINUTE));
    world.fake.know_standing(false);
    world.generate(&call("alice")).unwrap();
    world.faulty.fail(When::Always, KmsErrorKind::Unreachable);
    world.clock.pass(5 * MINUTE - NANOSECOND);
    world.generate(&call("alice")).unwrap();
    world.clock.pass(NANOSECOND);
    for _ in 0..5 {
        assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::Unreachable));
    }
    assert_eq!(world.asked(), 3, "twice before the breaker opened");
    assert_eq!(world.fake.alive(), 0);
}

#[test]
fn a_refusal_is_kept_for_a_second_whatever_is_set() {
    for (set, kept) in [(MINUTE, 1_000), (Duration::from_millis(100), 100)] {
        let world = World::new(CacheOptions::new().with_negative_ttl(set));
        world.fake.allow(|_, _| false);
        assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::AccessDenied));
        world.fake.allow(|_, _| true);
        world.clock.pass(Duration::from_millis(kept) - NANOSECOND);
        assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::AccessDenied));
        assert_eq!(kind(world.generate(&call("bob"))), Ok(()), "it is alice's");
        world.clock.pass(NANOSECOND);
        assert_eq!(kind(world.generate(&call("alice"))), Ok(()));
    }
}

#[test]
fn a_negative_time_of_0_keeps_no_refusal() {
    let world = World::new(CacheOptions::new().with_negative_ttl(Duration::ZERO));
    world.fake.allow(|_, _| false);
    assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::AccessDenied));
    world.fake.allow(|_, _| true);
    assert_eq!(kind(world.generate(&call("alice"))), Ok(()));
}

#[test]
fn of_errors_only_refusals_that_last_are_kept() {
    use KmsErrorKind::{
        AccessDenied, DependencyTimeout, Disabled, DryRun, IncorrectKey, Internal, InvalidCiphertext,
        InvalidGrantToken, InvalidKeyUsage, InvalidState, KeyUnavailable, NotFound, Throttling, Unreachable,
        Validation,
    };
    let kept = [AccessDenied, Disabled, InvalidState, NotFound].map(|kind| (kind, true));
    let not = [
        DependencyTimeout,
        DryRun,
        IncorrectKey,
        Internal,
        InvalidCiphertext,
        InvalidGrantToken,
        InvalidKeyUsage,
        KeyUnavailable,
        Throttling,
        Unreachable,
        Validation,
    ];
    for (error, is_kept) in kept.into_iter().chain(not.map(|kind| (kind, false))) {
        let world = World::new(CacheOptions::new());
        let stored = StoredKey { key_id: KEY_1.into(), key_version: 1, purpose: OBJECT, blob: vec![1] };
        world.faulty.fail(When::Always, error);
        for _ in 0..2 {
            assert_eq!(kind(world.reopen(&call("alice"), &stored)), Err(error));
            assert_eq!(kind(world.generate(&call("alice"))), Err(error));
        }
        let calls = [Operation::Generate, Operation::Reopen].map(|operation| world.faulty.calls(operation));
        assert_eq!(calls, if is_kept { [1, 1] } else { [2, 2] }, "{error:?}");
    }
}

#[test]
fn options_out_of_their_bounds_are_refused() {
    let new = CacheOptions::new;
    let (day, zero) = (Duration::from_secs(86_400), Duration::ZERO);
    let good = [
        new(),
        new().with_ttl(day).with_deadline(day).with_breaker(1_000_000, day).with_capacity(1_000_000),
        new().with_ttl(NANOSECOND).with_generate_ttl(day).with_max_uses(1).with_breaker(1, NANOSECOND),
        new().with_max_uses(1 << 32).with_capacity(0).with_negative_ttl(Duration::MAX),
    ];
    let long = day + NANOSECOND;
    let bad = [
        (new().with_ttl(zero), "TTL is"),
        (new().with_ttl(long), "TTL is"),
        (new().with_generate_ttl(zero), "TTL of generated"),
        (new().with_generate_ttl(Duration::MAX), "TTL of generated"),
        (new().with_max_uses(0), "uses"),
        (new().with_max_uses((1 << 32) + 1), "uses"),
        (new().with_capacity(1_000_001), "capacity"),
        (new().with_breaker(0, day), "failures"),
        (new().with_breaker(1_000_001, day), "failures"),
        (new().with_breaker(1, zero), "open"),
        (new().with_breaker(1, long), "open"),
        (new().with_deadline(zero), "deadline"),
        (new().with_deadline(long), "deadline"),
    ];
    for options in good {
        CachedKms::new(FakeKms::new(), options).unwrap();
    }
    for (options, word) in bad {
        let error = CachedKms::new(FakeKms::new(), options).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Validation);
        assert!(error.message().contains(word), "{error}");
    }
}

#[test]
fn a_thousand_objects_take_one_call_to_seal_and_one_to_open() {
    let world = World::new(CacheOptions::new());
    let bucket = EncryptionContext::from_pairs([("bucket", "photos")]).unwrap();
    let call = call("alice").with_context(bucket.clone());
    let heads: Vec<_> = (0..1_000)
        .map(|_| {
            let key = world.generate(&call).unwrap();
            let (envelope, _) = SealOptions::new(key).with_context(bucket.clone()).start().unwrap();
            envelope.stored().to_vec()
        })
        .collect();
    assert_eq!((world.faulty.calls(Operation::Generate), world.faulty.calls(Operation::Reopen)), (1, 0));
    for head in heads {
        let mut plan = OpenOptions::new().with_context(bucket.clone()).plan(&head).unwrap();
        while let Some(request) = plan.next_request() {
            plan.answer(world.reopen(&call, &StoredKey::from(&request)).map_err(Into::into));
        }
        plan.finish().unwrap();
    }
    assert_eq!((world.faulty.calls(Operation::Generate), world.faulty.calls(Operation::Reopen)), (1, 1));
}
