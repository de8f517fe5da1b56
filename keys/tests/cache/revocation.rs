//! What was withdrawn is not given any more.

use crate::fake_kms::KEY_1;
use crate::{ALIAS, OBJECT, SHARED, World, call, kind, poll};
use objseal_keys::cache::CacheOptions;
use objseal_keys::kms::testing::When;
use objseal_keys::kms::{Kms, KmsErrorKind, Operation, Right, block_on};
use std::task::Poll;
use std::time::Duration;

#[test]
fn a_key_that_was_disabled_is_refused_at_the_next_use() {
    let world = World::new(CacheOptions::new());
    let stored = world.stored_for(&call("alice"), OBJECT);
    world.reopen(&call("alice"), &stored).unwrap();
    world.generate(&call("alice")).unwrap();
    for refusal in [KmsErrorKind::Disabled, KmsErrorKind::InvalidState] {
        world.fake.refuse(KEY_1, Some(refusal));
        assert_eq!(kind(world.reopen(&call("alice"), &stored)), Err(refusal));
        assert_eq!(kind(world.generate(&call("alice"))), Err(refusal));
        world.clock.pass(Duration::from_secs(1));
    }
    assert_eq!(world.fake.alive(), 0, "both are wiped");
    world.fake.refuse(KEY_1, None);
    let before = world.asked();
    world.reopen(&call("alice"), &stored).unwrap();
    assert_eq!(world.asked(), before + 1);
}

#[test]
fn a_right_that_was_withdrawn_is_refused_at_the_next_use() {
    let world = World::new(CacheOptions::new());
    let stored = world.stored_for(&call("alice"), OBJECT);
    world.reopen(&call("alice"), &stored).unwrap();
    world.generate(&call("alice")).unwrap();
    world.fake.allow(|_, right| right == Right::Generate);
    assert_eq!(kind(world.reopen(&call("alice"), &stored)), Err(KmsErrorKind::AccessDenied));
    assert!(world.generate(&call("alice")).is_ok());
    assert_eq!(world.asked(), 2, "the cache was told before it asked for a key");
}

#[test]
fn a_service_that_cannot_tell_is_believed_until_the_time_is_over() {
    let world = World::new(CacheOptions::new().with_ttl(Duration::from_secs(60)));
    world.fake.know_standing(false);
    world.generate(&call("alice")).unwrap();
    world.fake.allow(|_, _| false);
    world.clock.pass(Duration::from_secs(59));
    assert!(world.generate(&call("alice")).is_ok());
    world.clock.pass(Duration::from_secs(1));
    assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::AccessDenied));
}

#[test]
fn a_new_version_is_used_at_once_and_the_old_one_still_opens() {
    let world = World::new(CacheOptions::new());
    let stored = world.stored_for(&call("alice"), SHARED);
    world.reopen(&call("alice"), &stored).unwrap();
    assert_eq!(world.generate(&call("alice")).unwrap().key_version(), 1);
    world.fake.rotate(KEY_1);
    assert_eq!(world.generate(&call("alice")).unwrap().key_version(), 2);
    assert_eq!(world.asked(), 3);
    assert_eq!(world.reopen(&call("alice"), &stored).unwrap().key_version(), 1);
    assert_eq!(world.asked(), 3, "what was opened stays kept");
}

#[test]
fn the_service_is_asked_how_a_key_stands_for_every_use_but_the_first() {
    let world = World::new(CacheOptions::new());
    for uses in 0..10 {
        world.generate(&call("alice")).unwrap();
        assert_eq!(world.faulty.calls(Operation::Standing), uses);
    }
    assert_eq!(world.asked(), 1);
}

#[test]
fn an_error_of_the_question_how_a_key_stands_ends_its_entry() {
    let world = World::new(CacheOptions::new());
    world.generate(&call("alice")).unwrap();
    world.faulty.fail_at(Operation::Standing, When::Next, KmsErrorKind::Unreachable);
    assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::Unreachable));
    assert!(world.cached.is_empty());
    assert_eq!(world.fake.alive(), 0);
}

/// Two wait for one call; the key is withdrawn between its answer and the second of them.
#[test]
fn who_joined_a_call_is_refused_what_was_withdrawn_meanwhile() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    world.faulty.hold();
    let mut first = world.cached.generate(&call, ALIAS, SHARED);
    let mut second = world.cached.generate(&call, ALIAS, SHARED);
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    world.faulty.release();
    assert!(matches!(poll(&mut first), Poll::Ready(Ok(_))));
    world.fake.refuse(KEY_1, Some(KmsErrorKind::Disabled));
    assert_eq!(kind(block_on(second)), Err(KmsErrorKind::Disabled));
    assert_eq!(world.asked(), 1);
}

#[test]
fn who_joined_a_call_for_an_older_version_has_the_new_one() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    world.faulty.hold();
    let mut first = world.cached.generate(&call, ALIAS, SHARED);
    let mut second = world.cached.generate(&call, ALIAS, SHARED);
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    world.faulty.release();
    assert!(matches!(poll(&mut first), Poll::Ready(Ok(_))));
    world.fake.rotate(KEY_1);
    assert_eq!(block_on(second).unwrap().key_version(), 2);
}

/// A hit that waits for its standing while the key is forgotten, or expires, is none.
#[test]
fn a_key_that_goes_while_its_standing_is_asked_is_not_given() {
    let changes: [fn(&World); 3] = [
        |world| world.cached.forget_key(KEY_1),
        |world| world.cached.clear(),
        |world| world.clock.pass(Duration::from_secs(5 * 60)),
    ];
    for change in changes {
        let world = World::new(CacheOptions::new());
        let mut call = call("alice");
        let before = world.generate(&call).unwrap();
        call.deadline = Some(objseal_keys::clock::Clock::instant(&*world.clock) + Duration::from_secs(3_600));
        world.faulty.hold();
        let mut hit = world.cached.generate(&call, ALIAS, SHARED);
        assert!(poll(&mut hit).is_pending());
        change(&world);
        world.faulty.release();
        assert_ne!(block_on(hit).unwrap().blob(), before.blob());
        assert_eq!(world.asked(), 2);
    }
}
