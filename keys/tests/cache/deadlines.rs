//! Nobody waits longer than he wants to.

use crate::fake_kms::{ALIAS, FakeKms, call};
use crate::{OBJECT, SHARED, World, kind, poll};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::clock::Clock;
use objseal_keys::kms::testing::FaultyKms;
use objseal_keys::kms::{Call, Kms, KmsErrorKind, block_on};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

/// The call of alice, who waits so long from now on.
fn within(world: &World, time: Duration) -> Call {
    call("alice").until(world.clock.instant() + time)
}

fn timed_out<T>(polled: Poll<Result<T, objseal_keys::kms::KmsError>>) -> bool {
    matches!(polled, Poll::Ready(Err(error)) if error.kind() == KmsErrorKind::DependencyTimeout)
}

#[test]
fn a_call_whose_deadline_has_passed_asks_nobody() {
    let world = World::new(CacheOptions::new());
    world.generate(&call("alice")).unwrap();
    let late = within(&world, Duration::ZERO);
    assert_eq!(kind(world.generate(&late)), Err(KmsErrorKind::DependencyTimeout));
    assert_eq!(kind(block_on(world.cached.generate(&late, ALIAS, OBJECT))), Err(KmsErrorKind::DependencyTimeout));
    assert_eq!(world.faulty.callers().len(), 1);
}

#[test]
fn a_call_that_does_not_say_waits_for_the_default_time() {
    let world = World::new(CacheOptions::new().with_deadline(3 * SECOND));
    let call = call("alice");
    let deadlines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&deadlines);
    world.fake.allow(move |call, _| {
        seen.lock().unwrap().push(call.deadline);
        true
    });
    world.generate(&call).unwrap();
    world.generate(&call).unwrap();
    block_on(world.cached.generate(&call, ALIAS, OBJECT)).unwrap();
    let expected = Some(world.clock.instant() + 3 * SECOND);
    assert_eq!(*deadlines.lock().unwrap(), [expected; 3], "the service is told");

    world.cached.clear();
    world.faulty.hold();
    let mut kept = world.cached.generate(&call, ALIAS, SHARED);
    let mut through = world.cached.generate(&call, ALIAS, OBJECT);
    assert!(poll(&mut kept).is_pending() && poll(&mut through).is_pending());
    world.clock.pass(3 * SECOND - NANOSECOND);
    assert!(poll(&mut kept).is_pending() && poll(&mut through).is_pending());
    world.clock.pass(NANOSECOND);
    assert!(timed_out(poll(&mut kept)) && timed_out(poll(&mut through)));
}

#[test]
fn a_waiter_goes_at_his_deadline_while_the_call_goes_on() {
    let world = World::new(CacheOptions::new());
    let (patient, hasty) = (within(&world, 60 * SECOND), within(&world, SECOND));
    world.faulty.hold();
    let mut first = world.cached.generate(&patient, ALIAS, SHARED);
    let mut other = world.cached.generate(&hasty, ALIAS, SHARED);
    assert!(poll(&mut first).is_pending() && poll(&mut other).is_pending());
    world.clock.pass(SECOND);
    assert!(timed_out(poll(&mut other)));
    assert!(poll(&mut first).is_pending());
    world.faulty.release();
    block_on(first).unwrap();
    assert_eq!(world.asked(), 1);
}

#[test]
fn the_deadline_of_the_one_who_began_fails_nobody_else() {
    let world = World::new(CacheOptions::new());
    let (hasty, patient) = (within(&world, SECOND), within(&world, 5 * SECOND));
    world.faulty.hold();
    let mut first = world.cached.generate(&hasty, ALIAS, SHARED);
    let mut other = world.cached.generate(&patient, ALIAS, SHARED);
    assert!(poll(&mut first).is_pending() && poll(&mut other).is_pending());
    world.clock.pass(SECOND);
    assert!(timed_out(poll(&mut first)));
    drop(first);
    assert!(poll(&mut other).is_pending());
    world.faulty.release();
    block_on(other).unwrap();
    assert_eq!(world.asked(), 1, "it is the same call");
}

/// The call was given 10 seconds, which is what calls are given that do not say. The other one waits for a minute.
#[test]
fn who_waits_longer_than_the_call_was_given_makes_another() {
    let world = World::new(CacheOptions::new());
    let (hasty, patient) = (within(&world, SECOND), within(&world, 60 * SECOND));
    world.faulty.hold();
    let mut first = world.cached.generate(&hasty, ALIAS, SHARED);
    let mut other = world.cached.generate(&patient, ALIAS, SHARED);
    assert!(poll(&mut first).is_pending() && poll(&mut other).is_pending());
    world.clock.pass(10 * SECOND);
    assert!(poll(&mut other).is_pending());
    assert!(timed_out(poll(&mut first)));
    assert_eq!((world.asked(), world.faulty.waiting()), (2, 1));
    world.clock.pass(49 * SECOND);
    assert!(poll(&mut other).is_pending());
    world.faulty.release();
    block_on(other).unwrap();
}

#[test]
fn a_question_how_a_key_stands_is_waited_for_no_longer_either() {
    let world = World::new(CacheOptions::new());
    let call = within(&world, SECOND);
    world.generate(&call).unwrap();
    world.faulty.hold();
    let mut hit = world.cached.generate(&call, ALIAS, SHARED);
    assert!(poll(&mut hit).is_pending());
    world.clock.pass(SECOND);
    assert!(timed_out(poll(&mut hit)));
    assert_eq!(world.cached.len(), 1, "nothing was said against the key");
}

/// By the clock of the operating system, on a thread without an executor: it is the thread of the cache that wakes it.
#[test]
fn a_thread_that_waits_is_woken_at_its_deadline() {
    let faulty = Arc::new(FaultyKms::new(FakeKms::new()));
    let cached = CachedKms::new(Arc::clone(&faulty), CacheOptions::new()).unwrap();
    faulty.hold();
    for purpose in [SHARED, OBJECT] {
        let call = call("alice").until(Instant::now() + Duration::from_millis(5));
        let outcome = block_on(cached.generate(&call, ALIAS, purpose));
        assert_eq!(kind(outcome), Err(KmsErrorKind::DependencyTimeout));
    }
}

#[test]
fn a_task_of_an_executor_is_woken_at_its_deadline() {
    let faulty = Arc::new(FaultyKms::new(FakeKms::new()));
    let cached = Arc::new(CachedKms::new(Arc::clone(&faulty), CacheOptions::new()).unwrap());
    faulty.hold();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let cached = Arc::clone(&cached);
            runtime.spawn(async move {
                let call = call("alice").until(Instant::now() + Duration::from_millis(number % 7));
                cached.generate(&call, ALIAS, SHARED).await.map(|_| ())
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(kind(runtime.block_on(task).unwrap()), Err(KmsErrorKind::DependencyTimeout));
    }
    assert_eq!(faulty.waiting(), 0);
}
