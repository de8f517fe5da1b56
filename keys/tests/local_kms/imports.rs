//! Imports whose private key is in a token that the caller keeps.

use crate::shared::{ACCOUNT, DAY, Store, TestClock, decrypt, encrypt, kind, new_key, owner, policy, root, user};
use objseal::Key;
use objseal::envelope::{OpenOptions, WrappingKey};
use objseal_keys::clock::Clock;
use objseal_keys::kms::{Call, KeyState, Kms, KmsError, KmsErrorKind, Principal, block_on};
use objseal_keys::local::{DeletionWindow, ImportToken, LocalKms, NewKey, Options, Wrapping};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

const PRIVATE: &[u8] = b"the private key, as the server made it";
const MATERIAL: [u8; 32] = [7; 32];

/// A service whose lines of audit can be looked at.
fn in_memory() -> (Arc<TestClock>, LocalKms) {
    let clock = TestClock::new();
    let kms = LocalKms::in_memory(&owner(), Options::default().with_clock(clock.clone())).expect("made");
    (clock, kms)
}

fn how() -> Wrapping {
    Wrapping::new("RSAES_OAEP_SHA_256", "RSA_4096")
}

fn waiting_key(kms: &LocalKms) -> String {
    kms.create_key(&root(), NewKey::default().with_imported_material()).expect("created").arn
}

fn begin(kms: &LocalKms, call: &Call, key: &str) -> Result<ImportToken, KmsError> {
    kms.begin_import(call, key, &how(), || Ok(Zeroizing::new(PRIVATE.to_vec())))
}

fn import(kms: &LocalKms, key: &str, token: &[u8]) -> Result<String, KmsError> {
    kms.import_wrapped(&root(), key, token, |_, _| Ok(Key::from_bytes(&MATERIAL)), None)
}

/// What is refused before anything is opened.
fn refused(kms: &LocalKms, key: &str, token: &[u8]) -> Option<KmsErrorKind> {
    kind(kms.import_wrapped(&root(), key, token, |_, _| panic!("it was opened"), None))
}

fn state(kms: &LocalKms, key: &str) -> KeyState {
    block_on(kms.describe(&root(), key)).expect("described").state
}

fn last_line(kms: &LocalKms) -> serde_json::Value {
    serde_json::from_str(kms.audit().lines().last().expect("a line")).expect("JSON")
}

#[test]
fn a_token_brings_the_private_key_back() {
    let store = Store::new();
    let kms = store.open();
    let key = waiting_key(&kms);
    let ImportToken { token, key_arn, valid_to } = begin(&kms, &root(), &key).expect("begun");
    assert_eq!((&key_arn, valid_to), (&key, store.clock.now() + DAY));
    assert_eq!(state(&kms, &key), KeyState::PendingImport);
    let mut seen = None;
    let open = |how: &Wrapping, private_key: &[u8]| {
        seen = Some((how.clone(), private_key.to_vec()));
        Ok(Key::from_bytes(&MATERIAL))
    };
    let material_id = kms.import_wrapped(&root(), &key, &token, open, Some(valid_to)).expect("imported");
    assert_eq!(seen, Some((how(), PRIVATE.to_vec())));
    let described = block_on(kms.describe(&root(), &key)).expect("described");
    assert_eq!((described.state, described.valid_to), (KeyState::Enabled, Some(valid_to)));
    assert_eq!(described.material_id, Some(material_id.clone()));
    // It is the material that `import_material` would have given the key.
    kms.import_material(&root(), &key, &Key::from_bytes(&MATERIAL), None).expect("the same");
    let ciphertext = block_on(kms.encrypt(&root(), &key, b"plain")).expect("encrypted");
    assert_eq!(ciphertext.material_id, Some(material_id));
}

/// AWS KMS API Reference, ImportToken: at most 6,144 bytes. A private key of RSA_4096 has up to 2.6 KB.
#[test]
fn a_token_has_room_for_a_private_key_of_rsa_4096() {
    let store = Store::new();
    let kms = store.open();
    let key = waiting_key(&kms);
    let begin = |len| kms.begin_import(&root(), &key, &how(), || Ok(Zeroizing::new(vec![1; len])));
    let token = begin(2_600).expect("begun").token;
    assert!(token.len() <= 6_144, "{}", token.len());
    let open = |_: &Wrapping, private_key: &[u8]| {
        assert_eq!(private_key, [1; 2_600]);
        Ok(Key::from_bytes(&MATERIAL))
    };
    kms.import_wrapped(&root(), &key, &token, open, None).expect("imported");
    assert_eq!(kind(begin(6_144)), Some(KmsErrorKind::Internal), "no token is longer");
}

#[test]
fn no_private_key_is_made_for_those_who_may_not_have_it() {
    let (clock, kms) = in_memory();
    let (key, deleted, own) = (waiting_key(&kms), waiting_key(&kms), new_key(&kms));
    kms.schedule_deletion(&root(), &deleted, DeletionWindow::default()).expect("scheduled");
    let mut dry = root();
    dry.dry_run = true;
    for (call, key, expected) in [
        (user("mallory"), &key, KmsErrorKind::AccessDenied),
        (root(), &own, KmsErrorKind::UnsupportedOperation),
        (root(), &deleted, KmsErrorKind::InvalidState),
        (dry, &key, KmsErrorKind::DryRun),
        (root().until(clock.instant()), &key, KmsErrorKind::DependencyTimeout),
    ] {
        let got = kms.begin_import(&call, key, &how(), || panic!("it was made"));
        assert_eq!(kind(got), Some(expected));
        assert_eq!(last_line(&kms)["outcome"], expected.code());
        assert_eq!(last_line(&kms)["operation"], "GetParametersForImport");
    }
    let failed =
        kms.begin_import(&root(), &key, &how(), || Err(KmsError::new(KmsErrorKind::Internal, "no randomness")));
    assert_eq!(failed.expect_err("it could not be made").message(), "no randomness");
}

#[test]
fn a_token_is_of_one_key_and_store_and_of_nothing_else() {
    let (store, other_store) = (Store::new(), Store::new());
    let (kms, other) = (store.open(), other_store.open());
    let (key, sibling, strange) = (waiting_key(&kms), waiting_key(&kms), waiting_key(&other));
    let token = begin(&kms, &root(), &key).expect("begun").token;
    let invalid = Some(KmsErrorKind::InvalidImportToken);
    assert_eq!(refused(&kms, &sibling, &token), invalid, "another key");
    assert_eq!(refused(&other, &strange, &token), invalid, "another store");
    for at in 0..token.len() {
        let mut changed = token.clone();
        changed[at] ^= 1;
        assert_eq!(refused(&kms, &key, &changed), invalid, "byte {at}");
    }
    for len in 0..token.len() {
        assert_eq!(refused(&kms, &key, &token[..len]), invalid, "{len} bytes");
    }
    assert_eq!(refused(&kms, &key, &[&token[..], &[0]].concat()), invalid, "longer");
    // A ciphertext of the key itself is none.
    kms.import_material(&root(), &key, &Key::from_bytes(&MATERIAL), None).expect("imported");
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    assert_eq!(refused(&kms, &key, &blob), invalid, "a ciphertext");
    for waiting in [&sibling, &strange] {
        let at = if waiting == &strange { &other } else { &kms };
        assert_eq!(state(at, waiting), KeyState::PendingImport);
    }
    assert!(import(&kms, &key, &token).is_ok(), "as it was");
}

#[test]
fn a_token_is_taken_for_a_day() {
    let (clock, kms) = in_memory();
    let key = waiting_key(&kms);
    let token = begin(&kms, &root(), &key).expect("begun").token;
    clock.pass(DAY - Duration::from_secs(1));
    assert!(import(&kms, &key, &token).is_ok(), "until the last second");
    clock.pass(Duration::from_secs(1));
    assert_eq!(refused(&kms, &key, &token), Some(KmsErrorKind::ExpiredImportToken));
    assert_eq!(last_line(&kms)["outcome"], "ExpiredImportTokenException");
    // That it is too old is only said of one that is right.
    let sibling = waiting_key(&kms);
    assert_eq!(refused(&kms, &sibling, &token), Some(KmsErrorKind::InvalidImportToken));
}

/// The root key changes, the key of the store stays.
#[test]
fn a_token_outlives_the_process_and_the_root_key() {
    let store = Store::new();
    let kms = store.open();
    let key = waiting_key(&kms);
    let token = begin(&kms, &root(), &key).expect("begun").token;
    drop(kms);
    let new = Arc::new(WrappingKey::from_key(Key::generate().expect("random")));
    LocalKms::rewrap(&store.path(), &store.holder(), &new).expect("rewrapped");
    let kms = LocalKms::open(&store.path(), &OpenOptions::new().with_key(new), store.options()).expect("opened");
    assert!(import(&kms, &key, &token).is_ok());
}

/// AWS KMS Developer Guide, "Importing key material": a token can be used again while it is valid, for the same material.
#[test]
fn a_token_that_is_used_again_brings_no_other_material() {
    let store = Store::new();
    let kms = store.open();
    let key = waiting_key(&kms);
    let token = begin(&kms, &root(), &key).expect("begun").token;
    let id = import(&kms, &key, &token).expect("imported");
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    kms.delete_material(&root(), &key).expect("deleted");
    let other = kms.import_wrapped(&root(), &key, &token, |_, _| Ok(Key::from_bytes(&[8; 32])), None);
    assert_eq!(kind(other), Some(KmsErrorKind::IncorrectKeyMaterial));
    assert_eq!(state(&kms, &key), KeyState::PendingImport);
    assert_eq!(import(&kms, &key, &token).expect("imported again"), id);
    assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain");
    kms.schedule_deletion(&root(), &key, DeletionWindow::default()).expect("scheduled");
    assert_eq!(refused(&kms, &key, &token), Some(KmsErrorKind::InvalidState));
}

#[test]
fn an_import_that_fails_changes_nothing_and_is_a_line() {
    let (clock, kms) = in_memory();
    let (key, own) = (waiting_key(&kms), new_key(&kms));
    let token = begin(&kms, &root(), &key).expect("begun").token;
    let generation = kms.audit().head().generation;
    let with = |call: &Call, key: &str, open: &dyn Fn() -> Result<Key, KmsError>, end: Option<SystemTime>| {
        let got = kms.import_wrapped(call, key, &token, |_, _| open(), end);
        let line = last_line(&kms);
        assert_eq!((line["operation"].as_str(), line["key"].as_str()), (Some("ImportKeyMaterial"), Some(key)));
        assert_eq!(line["outcome"].as_str(), got.as_ref().err().map(|error| error.kind().code()));
        kind(got)
    };
    let never: &dyn Fn() -> Result<Key, KmsError> = &|| panic!("it was opened");
    let unopened = || Err(KmsError::new(KmsErrorKind::InvalidCiphertext, ""));
    assert_eq!(with(&root(), &key, &unopened, None), Some(KmsErrorKind::InvalidCiphertext));
    assert_eq!(with(&user("mallory"), &key, never, None), Some(KmsErrorKind::AccessDenied));
    assert_eq!(with(&root(), &own, never, None), Some(KmsErrorKind::UnsupportedOperation));
    assert_eq!(with(&root(), &key, never, Some(clock.now())), Some(KmsErrorKind::Validation));
    let mut dry = root();
    dry.dry_run = true;
    let opened = || Ok(Key::from_bytes(&MATERIAL));
    assert_eq!(with(&dry, &key, &opened, None), Some(KmsErrorKind::DryRun));
    assert_eq!(kms.audit().head().generation, generation);
    assert_eq!((state(&kms, &key), kms.versions(&root(), &key).expect("listed").len()), (KeyState::PendingImport, 0));
    let digits: String = PRIVATE.iter().map(|byte| format!("{byte:02x}")).collect();
    for line in kms.audit().lines() {
        assert!(!line.contains(&digits) && !line.contains("the private key"), "{line}");
    }
}

/// AWS KMS Developer Guide, "AWS KMS condition keys".
#[test]
fn a_policy_sees_how_material_is_wrapped_and_until_when() {
    let store = Store::new();
    let kms = store.open();
    let key = waiting_key(&kms);
    let with = |action: &str, condition: &str| {
        let own = policy(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"kms:{action}","Resource":"*","Condition":{{{condition}}}}}}}"#
        ));
        Call::of(Arc::new(Principal::new(format!("arn:aws:iam::{ACCOUNT}:user/u")).with_policy(own)))
    };
    let denied = Some(KmsErrorKind::AccessDenied);
    for (condition, expected) in [
        (r#""StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256"}"#, None),
        (r#""StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_1"}"#, denied),
        (r#""StringEquals":{"kms:WrappingKeySpec":"RSA_4096"}"#, None),
        (r#""StringEquals":{"kms:WrappingKeySpec":"RSA_2048"}"#, denied),
    ] {
        assert_eq!(kind(begin(&kms, &with("GetParametersForImport", condition), &key)), expected, "{condition}");
    }
    let token = begin(&kms, &root(), &key).expect("begun").token;
    // 2026-01-11.
    let end = Some(store.clock.now() + 10 * DAY);
    for (condition, end, expected) in [
        (r#""StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_EXPIRES"}"#, end, None),
        (r#""StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_EXPIRES"}"#, None, denied),
        (r#""StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE"}"#, None, None),
        (r#""StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE"}"#, end, denied),
        (r#""NumericLessThanEquals":{"kms:ValidTo":"1768089600.0"}"#, end, None),
        (r#""NumericLessThanEquals":{"kms:ValidTo":"1768089599.0"}"#, end, denied),
        (r#""NumericLessThanEquals":{"kms:ValidTo":"1768089600.0"}"#, None, denied),
        (r#""DateLessThan":{"kms:ValidTo":"2026-01-11T00:00:01Z"}"#, end, None),
        (r#""DateLessThan":{"kms:ValidTo":"2026-01-11T00:00:00Z"}"#, end, denied),
    ] {
        let call = with("ImportKeyMaterial", condition);
        let material = Key::from_bytes(&MATERIAL);
        let wrapped = kms.import_wrapped(&call, &key, &token, |_, _| Ok(Key::from_bytes(&MATERIAL)), end);
        assert_eq!(kind(wrapped), expected, "{condition} {end:?}");
        assert_eq!(kind(kms.import_material(&call, &key, &material, end)), expected, "{condition} {end:?}");
    }
}
