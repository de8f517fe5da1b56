//! Who holds the key of a store, and where a store is.

use crate::shared::{Store, new_key, owner};
use objseal::Key;
use objseal::envelope::{
    EncryptionContext, EnvelopeError, KeyKind, KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind,
    OpenOptions, ServiceContext, WrappingKey,
};
use objseal_keys::local::{LocalKms, Options, StoreError, audit_folder, check_own_alias};
use std::fs;
use std::sync::{Arc, Mutex};

/// A security module: its wrapping keys open under the context that they were made with, and no other.
#[derive(Debug, Default)]
struct Module(Mutex<Vec<(EncryptionContext, [u8; 32])>>);

impl KeyService for Module {
    fn name(&self) -> &str {
        "module"
    }

    fn wrapping_key(&self, _: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        let mut made = self.0.lock().expect("no panic");
        let number = u8::try_from(made.len()).expect("few");
        made.push((context.clone(), [number; 32]));
        Ok(wrapping_key(number))
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        let number = request.blob()[0];
        match &self.0.lock().expect("no panic")[usize::from(number)].0 {
            context if context == request.context() => Ok(wrapping_key(number)),
            _ => Err(KeyServiceErrorKind::Refused.into()),
        }
    }
}

fn wrapping_key(number: u8) -> Arc<WrappingKey> {
    let key = WrappingKey::new("module", "key", 0, Key::from_bytes(&[number; 32])).expect("a name");
    Arc::new(key.with_blob(KeyKind::Object, ServiceContext::Object, &[number]).expect("it fits"))
}

#[test]
fn a_security_module_is_asked_for_each_key_of_a_store_with_what_it_is_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kms");
    let module = Arc::new(Module::default());
    LocalKms::create_with(&path, &|context| module.wrapping_key("key", context), &owner()).expect("made");
    let holder = OpenOptions::new().with_service(module.clone());
    let kms = LocalKms::open(&path, &holder, Options::default()).expect("opened");
    new_key(&kms);
    let id = kms.id().to_string();
    let contexts = ["store-key", "audit-key"]
        .map(|name| EncryptionContext::from_pairs([("objseal:kms", name), ("objseal:store", &id)]).expect("pairs"));
    let made = || module.0.lock().expect("no panic").iter().map(|(context, _)| context.clone()).collect::<Vec<_>>();
    assert_eq!(made(), contexts);
    LocalKms::rewrap_with(&path, &holder, &|context| module.wrapping_key("key", context)).expect("rewrapped");
    assert_eq!(made(), [&contexts[..], &contexts].concat());
    LocalKms::open(&path, &holder, Options::default()).expect("opened");
    LocalKms::audit_key(&path, &holder).expect("a key");
    // One that is bound to nothing does not open.
    let unbound = folder.path().join("unbound");
    let key = module.wrapping_key("key", &EncryptionContext::new()).expect("a key");
    LocalKms::create(&unbound, &key, &owner()).expect("made");
    let refused = LocalKms::open(&unbound, &holder, Options::default());
    assert!(matches!(refused, Err(StoreError::StoreKey(EnvelopeError::Authentication))), "{refused:?}");
}

#[test]
fn a_holder_that_fails_leaves_no_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kms");
    let failed = LocalKms::create_with(&path, &|_| Err(KeyServiceErrorKind::Denied.into()), &owner());
    let Err(StoreError::StoreKey(EnvelopeError::KeyService(error))) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), KeyServiceErrorKind::Denied);
    assert!(!path.exists());
}

#[test]
fn a_store_is_known_with_its_journal_and_its_log() {
    let store = Store::new();
    drop(store.open());
    let path = store.path();
    let beside = |name: &str| store.folder.path().join(name);
    for name in ["kms-journal", "other", "else-journal"] {
        fs::write(beside(name), "SQLite format 3\0").expect("written");
    }
    fs::create_dir(beside("other.audit")).expect("made");
    fs::write(beside("other.audit/head"), "").expect("written");
    for name in ["kms", "kms-journal", "kms.audit", "kms.audit/head", "kms.audit/audit-0000000001.jsonl"] {
        assert!(LocalKms::is_at(&beside(name)), "{name}");
    }
    for name in ["other", "else-journal", "other.audit", "other.audit/head", "none", "."] {
        assert!(!LocalKms::is_at(&beside(name)), "{name}");
    }
    assert_eq!(audit_folder(&path), path.canonicalize().expect("a path").with_extension("audit"));
}

#[test]
fn users_name_aliases_as_aws_kms_lets_them() {
    // AWS KMS API Reference, CreateAlias: `alias/`, then letters, digits, slashes, underscores and dashes, 256 at most in
    // all; not `alias/aws/`.
    let longest = format!("alias/{}", "a".repeat(250));
    for alias in ["alias/photos", "alias/2026/Cats_and-dogs", &longest] {
        assert_eq!(check_own_alias(alias), Ok(()), "{alias}");
    }
    for alias in ["photos", "alias/", "alias/a.b", "alias/aws/s3", "alias/\u{e4}", &format!("{longest}a")] {
        assert!(check_own_alias(alias).is_err(), "{alias}");
    }
}
