//! One call for all who want the same at the same time.

use crate::fake_kms::{ALIAS, FakeKms, StillClock, call, stored};
use crate::{Counter, OBJECT, SHARED, World, kind, poll};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::testing::{FaultyKms, When};
use objseal_keys::kms::{Call, Kms, KmsErrorKind, Operation, block_on};
use std::sync::Arc;
use std::task::Poll;

#[test]
fn a_thousand_callers_share_one_call() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    let stored = world.stored_for(&call, OBJECT);
    world.faulty.hold();
    let mut generating: Vec<_> = (0..1_000).map(|_| world.cached.generate(&call, ALIAS, SHARED)).collect();
    let mut reopening: Vec<_> = (0..1_000).map(|_| world.cached.reopen(&call, &stored)).collect();
    assert!(generating.iter_mut().chain(&mut reopening).all(|future| poll(future).is_pending()));
    assert_eq!((world.faulty.calls(Operation::Generate), world.faulty.calls(Operation::Reopen)), (1, 1));
    world.faulty.release();
    for futures in [generating, reopening] {
        let keys: Vec<_> = futures.into_iter().map(|future| block_on(future).unwrap()).collect();
        assert!(keys.iter().all(|key| Arc::ptr_eq(key, &keys[0])));
    }
    assert_eq!((world.faulty.calls(Operation::Generate), world.faulty.calls(Operation::Reopen)), (1, 1));
}

#[test]
fn a_thousand_callers_of_ten_principals_make_ten_calls() {
    let world = World::new(CacheOptions::new());
    let calls: Vec<_> = (0..10).map(|user| call(&format!("user-{user}"))).collect();
    world.faulty.hold();
    let callers = (0..1_000).map(|number| &calls[number % 10]);
    let mut futures: Vec<_> = callers.map(|call| world.cached.generate(call, ALIAS, SHARED)).collect();
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    assert_eq!(world.faulty.waiting(), 10);
    world.faulty.release();
    futures.into_iter().for_each(|future| drop(block_on(future).unwrap()));
    assert_eq!(world.asked(), 10);
    let mut callers: Vec<_> = world.faulty.callers();
    callers.retain(|(operation, _)| *operation == Operation::Generate);
    assert_eq!(callers.len(), 10);
    assert!(calls.iter().all(|call| callers.iter().any(|(_, principal)| *principal == call.principal)));
}

/// The call waits at three gates. The one who began it goes after each of them, with and without having been polled since it
/// was woken.
#[test]
fn others_go_on_when_the_one_who_began_goes() {
    for gone_after in 0..=3 {
        for polled in [false, true] {
            let fake = FakeKms::new();
            let inner = Arc::new(FaultyKms::new(Arc::clone(&fake)));
            let middle = Arc::new(FaultyKms::new(Arc::clone(&inner)));
            let outer = Arc::new(FaultyKms::new(Arc::clone(&middle)));
            let options = CacheOptions::new().with_clock(StillClock::new());
            let cached = CachedKms::new(Arc::clone(&outer), options).unwrap();
            let call = call("alice");
            let release: [&dyn Fn(); 3] = [&|| outer.release(), &|| middle.release(), &|| inner.release()];
            outer.hold();
            middle.hold();
            inner.hold();

            let (mut first, mut other) = (cached.generate(&call, ALIAS, SHARED), cached.generate(&call, ALIAS, SHARED));
            let counter = Arc::new(Counter::default());
            assert!(poll(&mut first).is_pending() && counter.poll(&mut other).is_pending());
            let mut first = Some(first);
            let mut answer = Poll::Pending;
            for gate in 0..=3 {
                if gate == gone_after {
                    first = None;
                }
                let Some(release) = release.get(gate) else { break };
                let before = counter.woken();
                release();
                assert!(counter.woken() > before, "the other one is woken, whoever polled last");
                if let Some(first) = first.as_mut().filter(|_| polled) {
                    let _ = poll(first);
                }
                answer = counter.poll(&mut other);
            }
            assert!(matches!(answer, Poll::Ready(Ok(_))), "gone after {gone_after} gates, {polled}");
            assert_eq!(inner.calls(Operation::Generate), 1);
        }
    }
}

#[test]
fn a_call_that_nobody_waits_for_ends_and_leaves_nothing() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    world.faulty.hold();
    let mut futures = [(); 3].map(|()| world.cached.generate(&call, ALIAS, SHARED));
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    assert_eq!(world.faulty.waiting(), 1);
    drop(futures);
    assert_eq!(world.faulty.waiting(), 0);
    world.faulty.release();
    world.generate(&call).unwrap();
    assert_eq!(world.asked(), 2);
}

#[test]
fn a_call_that_was_never_polled_asks_nobody() {
    let world = World::new(CacheOptions::new());
    drop(world.cached.generate(&call("alice"), ALIAS, SHARED));
    assert_eq!(world.asked(), 0);
}

#[test]
fn who_waited_for_a_call_shares_its_error() {
    for error in [KmsErrorKind::AccessDenied, KmsErrorKind::Throttling, KmsErrorKind::DependencyTimeout] {
        let world = World::new(CacheOptions::new());
        let call = call("alice");
        world.faulty.fail(When::Next, error);
        world.faulty.hold();
        let mut futures = [(); 10].map(|()| world.cached.generate(&call, ALIAS, SHARED));
        assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
        world.faulty.release();
        for future in futures {
            assert_eq!(kind(block_on(future)), Err(error));
        }
        assert_eq!(world.asked(), 1);
    }
}

#[test]
fn a_service_that_panics_fails_all_who_wait_and_nobody_later() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    world.fake.allow(|_, _| panic!("the service has a fault, which this test planted"));
    world.faulty.hold();
    let mut futures = [(); 3].map(|()| world.cached.generate(&call, ALIAS, SHARED));
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    world.faulty.release();
    for future in futures {
        assert_eq!(kind(block_on(future)), Err(KmsErrorKind::Internal));
    }
    world.fake.allow(|_, _| true);
    world.generate(&call).unwrap();
}

#[test]
fn a_call_for_an_object_is_shared_with_nobody() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    world.faulty.hold();
    let mut futures = [(); 3].map(|()| world.cached.generate(&call, ALIAS, OBJECT));
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    assert_eq!(world.faulty.waiting(), 3);
}

#[test]
fn callers_share_a_call_though_nothing_is_kept() {
    let world = World::new(CacheOptions::new().with_capacity(0));
    let call = call("alice");
    let stored = stored(&block_on(world.fake.generate(&call, ALIAS, OBJECT)).unwrap(), OBJECT);
    world.faulty.hold();
    let mut futures = [(); 10].map(|()| world.cached.reopen(&call, &stored));
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    world.faulty.release();
    futures.into_iter().for_each(|future| drop(block_on(future).unwrap()));
    assert_eq!((world.asked(), world.cached.len()), (1, 0));
}

#[test]
fn a_dry_run_is_shared_and_kept_by_nobody() {
    let world = World::new(CacheOptions::new());
    let stored = world.stored_for(&call("alice"), OBJECT);
    let dry = {
        let mut dry = call("alice");
        dry.dry_run = true;
        dry
    };
    let ask = |call: &Call| (world.generate(call).is_ok(), world.reopen(call, &stored).is_ok());
    assert_eq!(ask(&call("alice")), (true, true));
    let before = world.asked();
    ask(&dry);
    ask(&dry);
    assert_eq!(world.asked(), before + 4);
}
