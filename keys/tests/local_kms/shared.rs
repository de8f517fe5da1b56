//! A store in a folder, with a clock that the tests move.

use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyKind, OpenOptions, ServiceContext, WrappingKey};
use objseal_keys::audit::{self, Flush};
use objseal_keys::clock::Clock;
use objseal_keys::kms::{Call, Kms, KmsError, KmsErrorKind, Principal, Purpose, block_on};
use objseal_keys::local::{LocalKms, NewKey, Options, Owner, StoreError};
use objseal_keys::policy::Policy;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For one object, under its whole context.
pub(crate) const PURPOSE: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

#[derive(Debug)]
pub(crate) struct TestClock {
    start: Instant,
    passed: Mutex<Duration>,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), passed: Mutex::default() })
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().expect("no panic") += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        // 2026-01-01.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + *self.passed.lock().expect("no panic")
    }

    fn instant(&self) -> Instant {
        self.start + *self.passed.lock().expect("no panic")
    }
}

/// A store that can be opened again and again.
pub(crate) struct Store {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) holder: Arc<WrappingKey>,
    pub(crate) clock: Arc<TestClock>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let store = Self {
            folder: tempfile::tempdir().expect("a folder"),
            holder: Arc::new(WrappingKey::from_key(Key::generate().expect("random"))),
            clock: TestClock::new(),
        };
        LocalKms::create(&store.path(), &store.holder, &owner()).expect("created");
        store
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("kms")
    }

    pub(crate) fn options(&self) -> Options {
        let audit = audit::Options { flush: Flush::EveryLine, ..audit::Options::default() };
        Options::default().with_clock(self.clock.clone()).with_audit(audit)
    }

    pub(crate) fn holder(&self) -> OpenOptions {
        OpenOptions::new().with_key(self.holder.clone())
    }

    pub(crate) fn open(&self) -> LocalKms {
        self.try_open().expect("opened")
    }

    pub(crate) fn try_open(&self) -> Result<LocalKms, StoreError> {
        LocalKms::open(&self.path(), &self.holder(), self.options())
    }
}

pub(crate) fn owner() -> Owner {
    Owner { account: ACCOUNT.into(), ..Owner::default() }
}

/// The account itself.
pub(crate) fn root() -> Call {
    Call::of(Arc::new(Principal::root_of(ACCOUNT)))
}

/// A user of the account.
pub(crate) fn user(name: &str) -> Call {
    Call::of(Arc::new(Principal::new(format!("arn:aws:iam::{ACCOUNT}:user/{name}"))))
}

pub(crate) fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().copied()).expect("a context")
}

pub(crate) fn policy(text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(text).expect("a policy"))
}

/// The ARN of a new key.
pub(crate) fn new_key(kms: &LocalKms) -> String {
    kms.create_key(&root(), NewKey::default()).expect("created").arn
}

pub(crate) fn encrypt(kms: &LocalKms, call: &Call, key: &str, plain: &[u8]) -> Result<Vec<u8>, KmsError> {
    block_on(kms.encrypt(call, key, plain)).map(|ciphertext| ciphertext.blob)
}

pub(crate) fn decrypt(kms: &LocalKms, call: &Call, blob: &[u8]) -> Result<Vec<u8>, KmsError> {
    block_on(kms.decrypt(call, None, blob)).map(|plaintext| plaintext.bytes.to_vec())
}

/// The kind of the error.
pub(crate) fn kind<T>(result: Result<T, KmsError>) -> Option<KmsErrorKind> {
    result.err().map(|error| error.kind())
}
