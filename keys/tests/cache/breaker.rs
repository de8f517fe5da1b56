//! A service that fails is left alone, and tried again.

use crate::fake_kms::{ALIAS, call};
use crate::{SHARED, World, kind, poll};
use objseal_keys::cache::CacheOptions;
use objseal_keys::clock::Clock;
use objseal_keys::kms::testing::When;
use objseal_keys::kms::{Kms, KmsErrorKind, Operation, block_on};
use std::time::Duration;

/// What happens, one after another.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The service is asked, and answers.
    Answers,
    /// It is asked, and fails so.
    Fails(KmsErrorKind),
    /// It is asked, and somebody waits in vain for so many milliseconds.
    Hangs(u64),
    /// It is asked, and whoever asked goes away.
    Dropped,
    /// It is not asked, and the error says so.
    LeftAlone(&'static str),
    /// So many milliseconds pass.
    Passes(u64),
}

use KmsErrorKind::{AccessDenied, DependencyTimeout, Internal, KeyUnavailable, NotFound, Throttling, Unreachable};
use Step::{Answers, Dropped, Fails, Hangs, LeftAlone, Passes};

const DOWN: Step = Fails(Unreachable);
const TEN: Step = LeftAlone("failed 3 times in a row; it is asked again in 10 seconds");
const FOUR: Step = LeftAlone("failed 4 times in a row; it is asked again in 10 seconds");

/// It opens after 3 failures in a row for 10 seconds, and calls wait for 5 seconds.
const SEQUENCES: [(&str, &[Step]); 16] = [
    ("it opens after so many failures", &[DOWN, DOWN, DOWN, TEN, TEN]),
    ("an answer begins a new row", &[DOWN, DOWN, Answers, DOWN, DOWN, Answers, DOWN, DOWN, DOWN, TEN]),
    ("so does a refusal", &[DOWN, DOWN, Fails(NotFound), DOWN, DOWN, DOWN, TEN]),
    ("refusals never open it", &[Fails(AccessDenied); 10]),
    (
        "every kind that is transient counts",
        &[
            Fails(Internal),
            Fails(Throttling),
            Fails(KeyUnavailable),
            TEN,
            Passes(10_000),
            Fails(DependencyTimeout),
            FOUR,
        ],
    ),
    (
        "it says how long it is open yet",
        &[
            DOWN,
            DOWN,
            DOWN,
            Passes(9_001),
            LeftAlone("again in 1 seconds"),
            Passes(998),
            LeftAlone("again in 1 seconds"),
            Passes(1),
            Answers,
        ],
    ),
    ("one call closes it", &[DOWN, DOWN, DOWN, Passes(10_000), Answers, DOWN, DOWN, Answers]),
    ("a refusal closes it as well", &[DOWN, DOWN, DOWN, Passes(10_000), Fails(AccessDenied), DOWN, DOWN, Answers]),
    (
        "one failure opens it again for as long",
        &[
            DOWN,
            DOWN,
            DOWN,
            Passes(10_000),
            DOWN,
            FOUR,
            Passes(9_999),
            LeftAlone("again in 1 seconds"),
            Passes(1),
            Answers,
        ],
    ),
    ("a trial that is dropped is made by the next one", &[DOWN, DOWN, DOWN, Passes(10_000), Dropped, Dropped, Answers]),
    ("a trial that hangs has failed", &[DOWN, DOWN, DOWN, Passes(10_000), Hangs(5_000), FOUR]),
    ("a trial for an impatient one is made by the next one", &[DOWN, DOWN, DOWN, Passes(10_000), Hangs(10), Answers]),
    ("no answer is a failure", &[Hangs(5_000), Hangs(5_000), Hangs(5_000), TEN]),
    ("no answer within a second is one", &[Hangs(1_000), Hangs(1_000), Hangs(1_000), TEN]),
    ("impatience is none", &[Hangs(999), Hangs(999), Hangs(1), Hangs(1), Answers]),
    ("who goes away says nothing", &[DOWN, DOWN, Dropped, Dropped, Answers]),
];

#[test]
fn the_breaker_opens_and_closes_as_the_table_says() {
    // Through calls that are not kept, and through shared ones.
    for operation in [Operation::Encrypt, Operation::Generate] {
        for (name, steps) in SEQUENCES {
            let options = CacheOptions::new().with_breaker(3, Duration::from_secs(10));
            let world = World::new(options.with_deadline(Duration::from_secs(5)).with_negative_ttl(Duration::ZERO));
            for (number, step) in steps.iter().enumerate() {
                take(&world, operation, *step, &format!("{name}: step {number}, {step:?}, by {operation}"));
            }
        }
    }
}

fn take(world: &World, operation: Operation, step: Step, place: &str) {
    let before = world.faulty.calls(operation);
    world.cached.clear();
    let mut call = call("alice");
    if let Hangs(time) = step {
        call.deadline = Some(world.clock.instant() + Duration::from_millis(time));
    }
    let mut future: std::pin::Pin<Box<dyn Future<Output = _> + '_>> = match operation {
        Operation::Encrypt => Box::pin(async { world.cached.encrypt(&call, ALIAS, b"plaintext").await.map(|_| ()) }),
        _ => Box::pin(async { world.cached.generate(&call, ALIAS, SHARED).await.map(|_| ()) }),
    };
    match step {
        Answers => assert_eq!(block_on(future), Ok(()), "{place}"),
        Fails(error) => {
            world.faulty.fail(When::Next, error);
            assert_eq!(kind(block_on(future)), Err(error), "{place}");
        }
        Hangs(time) => {
            world.faulty.hold();
            assert!(poll(&mut future).is_pending(), "{place}");
            world.clock.pass(Duration::from_millis(time));
            assert_eq!(kind(block_on(future)), Err(DependencyTimeout), "{place}");
            world.faulty.release();
        }
        Dropped => {
            world.faulty.hold();
            assert!(poll(&mut future).is_pending(), "{place}");
            drop(future);
            world.faulty.release();
        }
        LeftAlone(words) => {
            let error = block_on(future).unwrap_err();
            assert_eq!(error.kind(), Unreachable, "{place}");
            assert!(error.message().ends_with(words), "{place}: {error}");
        }
        Passes(time) => return world.clock.pass(Duration::from_millis(time)),
    }
    let asked = u64::from(!matches!(step, LeftAlone(_)));
    assert_eq!(world.faulty.calls(operation), before + asked, "{place}");
}

fn opened() -> World {
    let world = World::new(CacheOptions::new());
    world.generate(&call("alice")).unwrap();
    world.faulty.fail(When::Always, Unreachable);
    for _ in 0..5 {
        assert_eq!(kind(block_on(world.cached.encrypt(&call("alice"), ALIAS, b""))), Err(Unreachable));
    }
    world
}

#[test]
fn by_default_it_opens_after_five_failures_for_ten_seconds() {
    let world = opened();
    assert_eq!(kind(block_on(world.cached.encrypt(&call("alice"), ALIAS, b""))), Err(Unreachable));
    assert_eq!(world.faulty.calls(Operation::Encrypt), 5);
    world.faulty.heal();
    world.clock.pass(Duration::from_secs(10));
    block_on(world.cached.encrypt(&call("alice"), ALIAS, b"")).unwrap();
}

#[test]
fn while_one_call_tries_the_service_others_fail_at_once() {
    let world = opened();
    world.faulty.heal();
    world.clock.pass(Duration::from_secs(10));
    let call = call("alice");
    world.faulty.hold();
    let mut trial = world.cached.encrypt(&call, ALIAS, b"");
    assert!(poll(&mut trial).is_pending());
    let error = block_on(world.cached.encrypt(&call, ALIAS, b"")).unwrap_err();
    assert_eq!(error.message(), "the key service failed 5 times in a row; it is being asked again");
    world.faulty.release();
    block_on(trial).unwrap();
    block_on(world.cached.encrypt(&call, ALIAS, b"")).unwrap();
}

#[test]
fn what_is_kept_is_given_while_it_is_open_if_the_service_does_not_object() {
    let world = opened();
    let before = world.asked();
    world.generate(&call("alice")).unwrap();
    world.fake.know_standing(false);
    world.generate(&call("alice")).unwrap();
    world.fake.know_standing(true);
    world.fake.allow(|_, _| false);
    assert_eq!(kind(world.generate(&call("alice"))), Err(AccessDenied));
    world.fake.allow(|_, _| true);
    assert_eq!(kind(world.generate(&call("alice"))), Err(Unreachable), "it is kept no longer");
    assert_eq!(world.asked(), before);
}

#[test]
fn an_old_call_says_nothing_about_a_service_that_failed_since() {
    let world = World::new(CacheOptions::new().with_breaker(1, Duration::from_secs(5)));
    let call = call("alice");
    world.faulty.hold();
    let mut old = world.cached.encrypt(&call, ALIAS, b"");
    let mut new = world.cached.encrypt(&call, ALIAS, b"");
    assert!(poll(&mut new).is_pending() && poll(&mut old).is_pending());
    world.faulty.fail(When::Next, Unreachable);
    assert!(world.faulty.release_one());
    assert_eq!(kind(block_on(new)), Err(Unreachable));
    world.faulty.release();
    block_on(old).unwrap();
    assert_eq!(kind(block_on(world.cached.encrypt(&call, ALIAS, b""))), Err(Unreachable));
    assert_eq!(world.faulty.calls(Operation::Encrypt), 2);
}

/// However many wait for a call, it fails once.
#[test]
fn a_shared_call_that_fails_counts_once() {
    let world = World::new(CacheOptions::new().with_breaker(2, Duration::from_secs(10)));
    let call = call("alice").until(world.clock.instant() + Duration::from_secs(2));
    world.faulty.hold();
    let mut futures = [(); 10].map(|()| world.cached.generate(&call, ALIAS, SHARED));
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    world.clock.pass(Duration::from_secs(2));
    for future in futures {
        assert_eq!(kind(block_on(future)), Err(DependencyTimeout));
    }
    world.faulty.release();
    world.generate(&crate::call("alice")).unwrap();
}

#[test]
fn how_a_key_stands_is_asked_while_it_is_open() {
    let world = opened();
    let right = objseal_keys::kms::Right::Decrypt;
    assert!(block_on(world.cached.standing(&call("alice"), ALIAS, right)).unwrap().is_some());
}
