//! Versions of keys, material, and what time does to them.

use crate::shared::{DAY, PURPOSE, Store, context, decrypt, encrypt, kind, new_key, root};
use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyService, OpenOptions, SealOptions};
use objseal_keys::kms::{Blocking, KeyState, Kms, KmsErrorKind, Origin, block_on};
use objseal_keys::local::{DeletionWindow, LocalKms, NewKey, RotationPeriod, RotationType};
use std::sync::Arc;

#[test]
fn a_hundred_rotations_and_everything_opens() {
    let store = Store::new();
    let kms = Arc::new(store.open());
    let key = new_key(&kms);
    let service = Arc::new(Blocking::new(Arc::clone(&kms), root()));
    let pairs = context(&[("name", "cat.jpg")]);
    let mut objects = Vec::new();
    for version in 1..=100 {
        let wrapping_key = service.wrapping_key(&key, &pairs).expect("a key");
        assert_eq!(wrapping_key.key_version(), version);
        let (envelope, body) = SealOptions::new(wrapping_key).with_context(pairs.clone()).start().expect("started");
        objects.push((envelope.stored().to_vec(), body.seal(&version.to_be_bytes()).expect("sealed")));
        assert_eq!(kms.rotate(&root(), &key).expect("rotated"), version + 1);
    }
    let versions = kms.versions(&root(), &key).expect("listed");
    assert_eq!(versions.len(), 101);
    let ids: std::collections::BTreeSet<_> = versions.iter().map(|version| &version.material_id).collect();
    assert_eq!(ids.len(), 101, "each its own");
    assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").arn, key);

    drop((service, kms));
    let kms: Arc<LocalKms> = Arc::new(store.open());
    let service = Arc::new(Blocking::new(Arc::clone(&kms), root()));
    let options = OpenOptions::new().with_service(service.clone()).with_context(pairs.clone());
    let mut needed = objseal_keys::needed::Needed::new();
    for (version, (head, body)) in (1_u32..).zip(&objects) {
        let opened = options.open(head).expect("opened");
        needed.add(opened.head());
        assert_eq!(opened.body().expect("a body").open(body).expect("opened"), version.to_be_bytes());
    }
    assert_eq!(needed.versions("local-kms", &key).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());

    // After a full rewrap nothing needs an old version.
    let mut after = objseal_keys::needed::Needed::new();
    for (head, body) in &objects {
        let old = options.open(head).expect("opened");
        let latest = service.wrapping_key(&key, &pairs).expect("a key");
        let new = SealOptions::new(latest).with_context(pairs.clone()).rewrap(&old).expect("rewrapped");
        let opened = options.open(new.stored()).expect("opened");
        after.add(opened.head());
        assert!(opened.body().expect("a body").open(body).is_ok());
    }
    assert_eq!(after.versions("local-kms", &key).collect::<Vec<_>>(), [101]);
}

#[test]
fn a_key_is_rotated_by_its_period() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    assert_eq!(kms.rotation(&root(), &key).expect("asked"), None);
    for (days, within) in [(89, false), (90, true), (365, true), (2_560, true), (2_561, false)] {
        assert_eq!(RotationPeriod::days(days).is_ok(), within, "{days}");
    }
    kms.enable_rotation(&root(), &key, RotationPeriod::days(90).expect("days")).expect("enabled");
    let version = || block_on(kms.encrypt(&root(), &key, b"plain")).expect("encrypted").key_version;
    store.clock.pass(90 * DAY - std::time::Duration::from_secs(1));
    assert_eq!(version(), 1);
    store.clock.pass(std::time::Duration::from_secs(1));
    assert_eq!(version(), 2, "due");
    assert_eq!(version(), 2, "once");
    // On demand starts the period anew.
    store.clock.pass(45 * DAY);
    assert_eq!(kms.rotate(&root(), &key).expect("rotated"), 3);
    store.clock.pass(89 * DAY);
    kms.maintain().expect("done");
    assert_eq!(version(), 3);
    store.clock.pass(DAY);
    kms.maintain().expect("done");
    let versions = kms.versions(&root(), &key).expect("listed");
    let by: Vec<_> = versions.iter().map(|version| version.by).collect();
    use RotationType::{Automatic, Created, OnDemand};
    assert_eq!(by, [Created, Automatic, OnDemand, Automatic]);
    kms.disable_rotation(&root(), &key).expect("disabled");
    store.clock.pass(10_000 * DAY);
    assert_eq!(version(), 4);
}

#[test]
fn a_disabled_key_is_rotated_when_it_is_used_again() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
    kms.disable(&root(), &key).expect("disabled");
    store.clock.pass(1_000 * DAY);
    kms.maintain().expect("done");
    assert_eq!(kms.versions(&root(), &key).expect("listed").len(), 1);
    kms.enable(&root(), &key).expect("enabled");
    assert_eq!(block_on(kms.encrypt(&root(), &key, b"plain")).expect("encrypted").key_version, 2);
}

#[test]
fn a_deleted_key_is_gone_with_its_material() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    kms.create_alias(&root(), "alias/a", &key).expect("made");
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    for (days, within) in [(6, false), (7, true), (30, true), (31, false)] {
        assert_eq!(DeletionWindow::days(days).is_ok(), within, "{days}");
    }
    kms.schedule_deletion(&root(), &key, DeletionWindow::days(7).expect("days")).expect("scheduled");
    store.clock.pass(7 * DAY - std::time::Duration::from_secs(1));
    kms.cancel_deletion(&root(), &key).expect("in time");
    assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").state, KeyState::Disabled);
    kms.enable(&root(), &key).expect("enabled");
    assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain");

    kms.schedule_deletion(&root(), &key, DeletionWindow::days(7).expect("days")).expect("scheduled");
    store.clock.pass(7 * DAY);
    assert_eq!(kind(kms.cancel_deletion(&root(), &key)), Some(KmsErrorKind::NotFound), "too late");
    assert_eq!(kind(decrypt(&kms, &root(), &blob)), Some(KmsErrorKind::NotFound));
    let rows = || {
        let database = rusqlite::Connection::open(store.path()).expect("a database");
        database.query_row("SELECT count(*) FROM keys", [], |row| row.get::<_, u32>(0)).expect("a count")
    };
    assert_eq!(rows(), 1, "until somebody looks after it");
    kms.maintain().expect("done");
    assert_eq!(rows(), 0);
    assert!(kms.aliases(&root()).expect("listed").is_empty());
}

#[test]
fn the_row_of_a_deleted_key_is_overwritten() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let database = rusqlite::Connection::open(store.path()).expect("a database");
    let record: Vec<u8> = database.query_row("SELECT record FROM keys", [], |row| row.get(0)).expect("a row");
    drop(database);
    let is_there = || {
        let file = std::fs::read(store.path()).expect("read");
        file.windows(64).any(|window| window == &record[record.len() - 64..])
    };
    assert!(is_there());
    kms.schedule_deletion(&root(), &key, DeletionWindow::days(7).expect("days")).expect("scheduled");
    assert!(!is_there(), "a row that was replaced is overwritten");
    store.clock.pass(7 * DAY);
    kms.maintain().expect("done");
    assert!(!is_there());
}

#[test]
fn imported_material_is_the_same_again_or_none() {
    let store = Store::new();
    let kms = store.open();
    let mut new = NewKey::default();
    new.origin = Origin::External;
    let key = kms.create_key(&root(), new).expect("created");
    assert_eq!((key.state, key.current_version, &key.material_id), (KeyState::PendingImport, 0, &None));
    let material = Key::from_bytes(&[1; 32]);
    let end = key.created + 10 * DAY;
    kms.import_material(&root(), &key.arn, &material, Some(end)).expect("imported");
    let blob = encrypt(&kms, &root(), &key.arn, b"plain").expect("encrypted");

    store.clock.pass(10 * DAY);
    assert_eq!(kind(decrypt(&kms, &root(), &blob)), Some(KmsErrorKind::InvalidState), "it has come to its end");
    let described = block_on(kms.describe(&root(), &key.arn)).expect("described");
    assert_eq!((described.state, described.current_version), (KeyState::PendingImport, 0));
    kms.maintain().expect("done");
    assert!(!kms.versions(&root(), &key.arn).expect("listed")[0].has_material);

    let other = kms.import_material(&root(), &key.arn, &Key::from_bytes(&[2; 32]), None);
    assert_eq!(kind(other), Some(KmsErrorKind::IncorrectKeyMaterial));
    let past = kms.import_material(&root(), &key.arn, &material, Some(key.created));
    assert_eq!(kind(past), Some(KmsErrorKind::Validation));
    kms.import_material(&root(), &key.arn, &material, None).expect("imported");
    assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain");

    kms.delete_material(&root(), &key.arn).expect("deleted");
    assert_eq!(kind(decrypt(&kms, &root(), &blob)), Some(KmsErrorKind::InvalidState));
    drop(kms);
    let kms = store.open();
    kms.import_material(&root(), &key.arn, &material, None).expect("imported");
    assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain");
}

#[test]
fn one_wrapping_key_is_for_one_object_and_its_context() {
    let store = Store::new();
    let kms = Arc::new(store.open());
    let key = new_key(&kms);
    let service = Blocking::new(Arc::clone(&kms), root());
    let one = service.wrapping_key(&key, &context(&[("name", "a")])).expect("a key");
    let stored = |pairs: &EncryptionContext| {
        let call = root().with_context(pairs.clone());
        let stored = objseal_keys::kms::StoredKey {
            key_id: one.key_id().into(),
            key_version: one.key_version(),
            purpose: PURPOSE,
            blob: one.blob().into(),
        };
        block_on(kms.reopen(&call, &stored)).map(|key| *key.secret().expose_secret())
    };
    assert_eq!(stored(&context(&[("name", "a")])).expect("opened"), *one.secret().expose_secret());
    for other in
        [context(&[]), context(&[("name", "b")]), context(&[("name", "a"), ("b", "")]), context(&[("NAME", "a")])]
    {
        assert_eq!(kind(stored(&other)), Some(KmsErrorKind::InvalidCiphertext), "{other:?}");
    }
}
