//! Over the service in a file: it knows at once how a key stands, and writes down every use.

use crate::fake_kms::StillClock;
use crate::{ALIAS, SHARED, kind, stored};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::{Call, Kms, KmsErrorKind, Principal, block_on};
use objseal_keys::local::{LocalKms, NewKey, Options, Owner};
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";

/// A service with a key under an alias, and its account.
fn local() -> (Arc<LocalKms>, Call, String) {
    let owner = Owner { account: ACCOUNT.into(), ..Owner::default() };
    let kms = LocalKms::in_memory(&owner, Options::default()).unwrap();
    let root = Call::of(Arc::new(Principal::root_of(ACCOUNT)));
    let key = kms.create_key(&root, NewKey::default()).unwrap().arn;
    kms.create_alias(&root, ALIAS, &key).unwrap();
    (Arc::new(kms), root, key)
}

#[test]
fn what_changes_in_the_store_is_seen_at_the_next_use() {
    let (kms, root, key) = local();
    let cached = CachedKms::new(Arc::clone(&kms), CacheOptions::new().with_clock(StillClock::new())).unwrap();
    let generate = || block_on(cached.generate(&root, ALIAS, SHARED));
    let first = generate().unwrap();
    assert!(Arc::ptr_eq(&first, &generate().unwrap()));
    let reopen = || block_on(cached.reopen(&root, &stored(&first, SHARED)));
    let again = reopen().unwrap();
    assert!(Arc::ptr_eq(&again, &reopen().unwrap()));

    kms.rotate(&root, &key).unwrap();
    assert_eq!(generate().unwrap().key_version(), 2);
    assert!(Arc::ptr_eq(&again, &reopen().unwrap()));

    let other = kms.create_key(&root, NewKey::default()).unwrap().arn;
    kms.update_alias(&root, ALIAS, &other).unwrap();
    assert_eq!(generate().unwrap().key_id(), other);

    kms.disable(&root, &key).unwrap();
    assert_eq!(kind(reopen()), Err(KmsErrorKind::Disabled));
    kms.enable(&root, &key).unwrap();
    cached.forget_key(&key);
    assert_eq!(kind(reopen()), Ok(()));
}

#[test]
fn every_use_of_a_kept_key_is_in_the_audit() {
    let (kms, root, _) = local();
    let cached = CachedKms::new(Arc::clone(&kms), CacheOptions::new()).unwrap();
    for _ in 0..10 {
        block_on(cached.generate(&root, ALIAS, SHARED)).unwrap();
    }
    let lines = kms.audit().lines();
    let uses = lines.iter().filter(|line| line.contains(r#""operation":"GenerateDataKey""#));
    let (from_cache, asked): (Vec<_>, Vec<_>) = uses.partition(|line| line.contains("from a cache"));
    assert_eq!((asked.len(), from_cache.len()), (1, 9));
}

#[test]
fn somebody_without_rights_has_no_key_of_the_root_user() {
    let (kms, root, _) = local();
    let cached = CachedKms::new(kms, CacheOptions::new()).unwrap();
    let key = block_on(cached.generate(&root, ALIAS, SHARED)).unwrap();
    block_on(cached.reopen(&root, &stored(&key, SHARED))).unwrap();
    let mallory = Call::of(Arc::new(Principal::new(format!("arn:aws:iam::{ACCOUNT}:user/mallory"))));
    assert_eq!(kind(block_on(cached.generate(&mallory, ALIAS, SHARED))), Err(KmsErrorKind::AccessDenied));
    assert_eq!(kind(block_on(cached.reopen(&mallory, &stored(&key, SHARED)))), Err(KmsErrorKind::AccessDenied));
}
