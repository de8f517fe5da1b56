//! Nobody has a key of somebody else, not even one that is on its way.

use crate::fake_kms::{KEY_1, KEY_2};
use crate::{ALIAS, OBJECT, SHARED, World, call, kind, poll, stored};
use objseal::envelope::{EncryptionContext, ServiceContext};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::{Call, Kms, KmsErrorKind, Principal, Purpose, Right, block_on};
use objseal_keys::policy::Policy;
use std::sync::Arc;

/// The call whose key is kept. Everything in it may decide.
fn original() -> Call {
    let context = EncryptionContext::from_pairs([("bucket", "photos"), ("team", "red")]).unwrap();
    let mut call = call("alice").via("s3.eu-west-1").with_context(context);
    call.principal = Arc::new(Principal::new("arn:aws:iam::111122223333:user/alice").with_policy(policy("one")));
    (call.grant_tokens, call.source) = (vec!["token".into()], Some("192.0.2.1".into()));
    call
}

fn policy(sid: &str) -> Arc<Policy> {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Allow","Action":"kms:*","Resource":"*"}}]}}"#
    );
    Arc::new(Policy::parse(&text).unwrap())
}

fn is_original(call: &Call) -> bool {
    let original = original();
    call.principal == original.principal
        && call.via_service == original.via_service
        && call.context.iter().eq(original.context.iter())
        && call.grant_tokens == original.grant_tokens
        && call.source == original.source
}

/// The service allows the original call only, and cannot tell how a key stands. So the cache alone keeps `change`d calls from
/// its keys: those that are kept, and those that are on their way.
fn is_apart(change: impl Fn(&mut Call)) {
    let mut changed = original();
    change(&mut changed);
    let world = World::new(CacheOptions::new());
    world.fake.know_standing(false);
    let stored = world.stored_for(&original(), OBJECT);
    world.fake.allow(|call, _| is_original(call));
    let original = original();

    let (cached, faulty) = (&world.cached, &world.faulty);
    let calls: [&dyn Fn(&Call) -> _; 2] = [&|call| world.generate(call), &|call| world.reopen(call, &stored)];
    for ask in calls {
        ask(&original).unwrap();
        let before = world.asked();
        assert_eq!(kind(ask(&changed)), Err(KmsErrorKind::AccessDenied));
        assert_eq!(world.asked(), before + 1, "the service decides");
        ask(&original).unwrap();
        assert_eq!(world.asked(), before + 1, "the original call still has its key");
    }

    cached.clear();
    faulty.hold();
    let generate = |call| cached.generate(call, ALIAS, SHARED);
    let (mut one, mut other) = (generate(&original), generate(&changed));
    let (mut third, mut fourth) = (cached.reopen(&original, &stored), cached.reopen(&changed, &stored));
    for flight in [&mut one, &mut other, &mut third, &mut fourth] {
        assert!(poll(flight).is_pending());
    }
    assert_eq!(faulty.waiting(), 4, "no call is shared");
    faulty.release();
    assert_eq!(kind(block_on(other)), Err(KmsErrorKind::AccessDenied));
    assert_eq!(kind(block_on(fourth)), Err(KmsErrorKind::AccessDenied));
    assert!(block_on(one).is_ok() && block_on(third).is_ok());
}

#[test]
fn another_principal_does_not_have_the_key() {
    let bob = || Principal::new("arn:aws:iam::111122223333:user/bob").with_policy(policy("one"));
    is_apart(|call| call.principal = Arc::new(bob()));
}

#[test]
fn the_same_principal_with_another_policy_does_not_have_the_key() {
    let alice = || Principal::new("arn:aws:iam::111122223333:user/alice");
    is_apart(|call| call.principal = Arc::new(alice()));
    is_apart(|call| call.principal = Arc::new(alice().with_policy(policy("two"))));
    is_apart(|call| call.principal = Arc::new(alice().with_policy(policy("one")).with_policy(policy("two"))));
}

#[test]
fn another_value_in_the_context_does_not_have_the_key() {
    is_apart(|call| call.context = EncryptionContext::from_pairs([("bucket", "photos"), ("team", "blue")]).unwrap());
}

#[test]
fn a_context_with_one_pair_more_or_less_does_not_have_the_key() {
    is_apart(|call| call.context.insert("x", "").unwrap());
    is_apart(|call| call.context = EncryptionContext::from_pairs([("bucket", "photos")]).unwrap());
    is_apart(|call| call.context = EncryptionContext::new());
}

#[test]
fn a_context_of_the_same_bytes_in_other_places_does_not_have_the_key() {
    is_apart(|call| call.context = EncryptionContext::from_pairs([("bucket", "photosteam"), ("red", "")]).unwrap());
    is_apart(|call| call.context = EncryptionContext::from_pairs([("bucke", "tphotos"), ("team", "red")]).unwrap());
}

#[test]
fn another_via_service_does_not_have_the_key() {
    is_apart(|call| call.via_service = Some("s3.eu-west-2".into()));
    is_apart(|call| call.via_service = None);
}

#[test]
fn a_call_without_the_grant_token_does_not_have_the_key() {
    is_apart(|call| call.grant_tokens.clear());
}

#[test]
fn a_call_from_another_source_does_not_have_the_key() {
    is_apart(|call| call.source = Some("198.51.100.1".into()));
    is_apart(|call| call.source = None);
}

#[test]
fn the_same_call_about_another_object_has_the_key() {
    let world = World::new(CacheOptions::new());
    world.generate(&original()).unwrap();
    let mut other = original();
    other.object = Some("photos/cat.jpg".into());
    world.generate(&other).unwrap();
    assert_eq!(world.asked(), 1);
}

#[test]
fn pairs_that_are_stored_or_only_bound_are_the_same_to_the_service() {
    let world = World::new(CacheOptions::new());
    let mut bound = EncryptionContext::new();
    bound.bind("bucket", "photos").unwrap();
    let stored = EncryptionContext::from_pairs([("bucket", "photos")]).unwrap();
    world.generate(&call("alice").with_context(bound)).unwrap();
    world.generate(&call("alice").with_context(stored)).unwrap();
    assert_eq!(world.asked(), 1);
}

#[test]
fn who_may_generate_may_not_open_also_right_after() {
    for knows in [true, false] {
        let world = World::new(CacheOptions::new());
        world.fake.know_standing(knows);
        world.fake.allow(|_, right| right == Right::Generate);
        let key = world.generate(&call("alice")).unwrap();
        let opened = world.reopen(&call("alice"), &stored(&key, SHARED));
        assert_eq!(kind(opened), Err(KmsErrorKind::AccessDenied));
        assert_eq!(world.asked(), 2);
    }
}

#[test]
fn who_may_open_may_not_generate_also_right_after() {
    for knows in [true, false] {
        let world = World::new(CacheOptions::new());
        world.fake.know_standing(knows);
        let stored = world.stored_for(&call("alice"), SHARED);
        world.fake.allow(|_, right| right == Right::Decrypt);
        world.reopen(&call("alice"), &stored).unwrap();
        assert_eq!(kind(world.generate(&call("alice"))), Err(KmsErrorKind::AccessDenied));
        assert_eq!(world.asked(), 2);
    }
}

#[test]
fn another_key_is_another_entry() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    let one = block_on(world.cached.generate(&call, KEY_1, SHARED)).unwrap();
    let other = block_on(world.cached.generate(&call, KEY_2, SHARED)).unwrap();
    assert_eq!((one.key_id(), other.key_id()), (KEY_1, KEY_2));
}

#[test]
fn a_stored_key_that_differs_anywhere_is_another_entry() {
    let world = World::new(CacheOptions::new());
    world.fake.know_standing(false);
    let call = call("alice");
    let first = world.stored_for(&call, SHARED);
    world.reopen(&call, &first).unwrap();
    let other = world.stored_for(&call, SHARED);
    let others = [
        (other, Ok(())),
        (
            {
                let mut other = first.clone();
                other.blob.push(0);
                other
            },
            Err(KmsErrorKind::InvalidCiphertext),
        ),
        (
            {
                let mut other = first.clone();
                other.key_version += 1;
                other
            },
            Ok(()),
        ),
        (
            {
                let mut other = first.clone();
                other.key_id = KEY_2.into();
                other
            },
            Ok(()),
        ),
        (
            {
                let mut other = first.clone();
                other.purpose = OBJECT;
                other
            },
            Ok(()),
        ),
    ];
    for (asked, (other, expected)) in (2..).zip(others) {
        assert_eq!(kind(world.reopen(&call, &other)), expected);
        assert_eq!(world.asked(), asked, "{other:?}");
    }
}

#[test]
fn another_purpose_is_another_entry() {
    let world = World::new(CacheOptions::new());
    let call = call("alice");
    let purposes = [ServiceContext::None, ServiceContext::Object, ServiceContext::Bucket];
    let keys =
        purposes.map(|context| block_on(world.cached.generate(&call, ALIAS, Purpose { context, ..SHARED })).unwrap());
    assert_eq!(world.asked(), 3);
    assert!(keys[0].blob() != keys[1].blob() && keys[1].blob() != keys[2].blob());
}

#[test]
fn an_alias_that_points_elsewhere_gives_the_other_key() {
    let world = World::new(CacheOptions::new());
    assert_eq!(world.generate(&call("alice")).unwrap().key_id(), KEY_1);
    world.fake.repoint(KEY_2);
    assert_eq!(world.generate(&call("alice")).unwrap().key_id(), KEY_2);
    assert_eq!(world.generate(&call("alice")).unwrap().key_id(), KEY_2);
    assert_eq!(world.asked(), 2);
    assert_eq!(world.fake.alive(), 1, "the key of the former one is wiped");
}

#[test]
fn another_instance_of_the_service_has_its_own_keys() {
    let (one, other) = (World::new(CacheOptions::new()), World::new(CacheOptions::new()));
    let stored = one.stored_for(&call("alice"), SHARED);
    one.reopen(&call("alice"), &stored).unwrap();
    assert_eq!(kind(other.reopen(&call("alice"), &stored)), Err(KmsErrorKind::InvalidCiphertext));

    // Two caches over one service share nothing either.
    let second = CachedKms::new(Arc::clone(&one.faulty), CacheOptions::new()).unwrap();
    let before = one.asked();
    block_on(second.reopen(&call("alice"), &stored)).unwrap();
    assert_eq!(one.asked(), before + 1);
}
