//! A key management service in memory, as small as it can be, and a clock that tests move.

use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyKind, WrappingKey};
use objseal_keys::clock::Clock;
use objseal_keys::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, KeyState, Kms, KmsError, KmsErrorKind, Plaintext,
    Principal, Purpose, ReEncrypted, Right, Source, Standing, StoredKey,
};
use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

/// Keys `key-1` and `key-2`, of which `alias/photos` is the first.
pub(crate) struct FakeKms(Mutex<State>);

/// Whether a call has a right.
type Policy = Box<dyn Fn(&Call, Right) -> bool + Send>;

struct State {
    /// Version of each key, and why it gives nothing.
    keys: HashMap<String, (u32, Option<KmsErrorKind>)>,
    alias: String,
    /// What it takes every key for that it encrypts or describes.
    confused: Option<String>,
    policy: Policy,
    /// Whether it can tell how a key stands without a call.
    knows_standing: bool,
    /// By blob.
    made: HashMap<Vec<u8>, Made>,
    given: Vec<Weak<WrappingKey>>,
}

struct Made {
    secret: [u8; Key::LEN],
    context: Vec<(String, String)>,
}

pub(crate) const KEY_1: &str = "arn:aws:kms:eu-west-1:111122223333:key/key-1";
pub(crate) const KEY_2: &str = "arn:aws:kms:eu-west-1:111122223333:key/key-2";
pub(crate) const ALIAS: &str = "alias/photos";

/// A call of this user.
pub(crate) fn call(user: &str) -> Call {
    Call::of(Arc::new(Principal::new(format!("arn:aws:iam::111122223333:user/{user}"))))
}

impl FakeKms {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            keys: HashMap::from([(KEY_1.into(), (1, None)), (KEY_2.into(), (1, None))]),
            alias: KEY_1.into(),
            confused: None,
            policy: Box::new(|_, _| true),
            knows_standing: true,
            made: HashMap::new(),
            given: Vec::new(),
        })))
    }

    /// Allows what `policy` does.
    pub(crate) fn allow(&self, policy: impl Fn(&Call, Right) -> bool + Send + 'static) {
        self.state().policy = Box::new(policy);
    }

    /// Refuses the use of a key so; none makes it usable again.
    pub(crate) fn refuse(&self, key: &str, kind: Option<KmsErrorKind>) {
        self.state().keys.get_mut(key).unwrap().1 = kind;
    }

    pub(crate) fn rotate(&self, key: &str) {
        self.state().keys.get_mut(key).unwrap().0 += 1;
    }

    pub(crate) fn repoint(&self, key: &str) {
        self.state().alias = key.into();
    }

    pub(crate) fn know_standing(&self, knows: bool) {
        self.state().knows_standing = knows;
    }

    /// Keys that it gave and that somebody still has.
    pub(crate) fn alive(&self) -> usize {
        self.state().given.iter().filter(|key| key.strong_count() > 0).count()
    }

    /// What a name stands for.
    fn arn_of(&self, key: &str) -> String {
        let state = self.state();
        let aliased = if key == ALIAS { &state.alias } else { key };
        state.confused.as_deref().unwrap_or(aliased).into()
    }

    /// Takes every key for this one.
    #[allow(dead_code, reason = "only the tests of the guard do")]
    pub(crate) fn confuse(&self, key: &str) {
        self.state().confused = Some(key.into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, call: &Call, key: &str, purpose: Purpose) -> Result<Arc<WrappingKey>, KmsError> {
        let mut state = self.state();
        let standing = state.standing(call, key, Right::Generate)?;
        let (mut secret, mut blob) = ([0; Key::LEN], vec![0; 16]);
        getrandom::fill(&mut secret).unwrap();
        getrandom::fill(&mut blob).unwrap();
        state.made.insert(blob.clone(), Made { secret, context: pairs(&call.context) });
        let stored = StoredKey { key_id: standing.key_arn, key_version: standing.current_version, purpose, blob };
        state.give(&stored)
    }

    fn make_again(&self, call: &Call, stored: &StoredKey) -> Result<Arc<WrappingKey>, KmsError> {
        let mut state = self.state();
        state.standing(call, &stored.key_id, Right::Decrypt)?;
        let fits = state.made.get(&stored.blob).is_some_and(|made| made.context == pairs(&call.context));
        if fits { state.give(stored) } else { Err(KmsError::new(KmsErrorKind::InvalidCiphertext, "")) }
    }
}

impl State {
    fn standing(&self, call: &Call, key: &str, right: Right) -> Result<Standing, KmsError> {
        let key_arn = if key == ALIAS { &self.alias } else { key };
        let Some((version, refusal)) = self.keys.get(key_arn) else {
            return Err(KmsError::new(KmsErrorKind::NotFound, key));
        };
        let denied = (!(self.policy)(call, right)).then_some(KmsErrorKind::AccessDenied);
        match denied.or(*refusal) {
            Some(kind) => Err(KmsError::new(kind, key)),
            None => Ok(Standing { key_arn: key_arn.into(), current_version: *version }),
        }
    }

    fn give(&mut self, stored: &StoredKey) -> Result<Arc<WrappingKey>, KmsError> {
        let secret = Key::from_bytes(&self.made[&stored.blob].secret);
        let Purpose { kind, context } = stored.purpose;
        let key = WrappingKey::new("fake", &stored.key_id, stored.key_version, secret)?;
        let key = Arc::new(key.with_blob(kind, context, &stored.blob)?);
        self.given.push(Arc::downgrade(&key));
        Ok(key)
    }
}

fn pairs(context: &EncryptionContext) -> Vec<(String, String)> {
    context.iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// What a wrapping key is stored as.
pub(crate) fn stored(key: &WrappingKey, purpose: Purpose) -> StoredKey {
    assert_ne!(key.kind(), KeyKind::Local);
    StoredKey { key_id: key.key_id().into(), key_version: key.key_version(), purpose, blob: key.blob().into() }
}

impl Kms for FakeKms {
    fn service(&self) -> &str {
        "fake"
    }

    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move { self.make(call, key, purpose) })
    }

    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move { self.make_again(call, stored) })
    }

    /// In clear.
    fn encrypt<'a>(&'a self, _: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        Box::pin(ready(Ok(Ciphertext {
            blob: plaintext.into(),
            key_arn: self.arn_of(key),
            key_version: 1,
            material_id: None,
        })))
    }

    fn decrypt<'a>(&'a self, _: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        let key_arn = self.arn_of(key.unwrap_or(KEY_1));
        Box::pin(ready(Ok(Plaintext { bytes: blob.to_vec().into(), key_arn, key_version: 1, material_id: None })))
    }

    fn re_encrypt<'a>(&'a self, _: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        let ciphertext =
            Ciphertext { blob: source.blob.into(), key_arn: self.arn_of(key), key_version: 1, material_id: None };
        Box::pin(ready(Ok(ReEncrypted {
            ciphertext,
            source_key_arn: KEY_1.into(),
            source_key_version: 1,
            source_material_id: None,
        })))
    }

    fn describe<'a>(&'a self, _: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        Box::pin(ready(Ok(KeyMetadata::new(self.arn_of(key), KeyState::Enabled))))
    }

    fn standing<'a>(&'a self, call: &'a Call, key: &'a str, right: Right) -> Answer<'a, Option<Standing>> {
        Box::pin(async move {
            let state = self.state();
            state.knows_standing.then(|| state.standing(call, key, right)).transpose()
        })
    }
}

impl DataKeys for FakeKms {
    fn generate_data_key<'a>(&'a self, _: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        let bytes = [7; Key::LEN];
        let key_arn = self.arn_of(key);
        let ciphertext = Ciphertext { blob: bytes.into(), key_arn, key_version: 1, material_id: None };
        Box::pin(ready(Ok(DataKey { plaintext: Key::from_bytes(&bytes), ciphertext })))
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, _: &'a [u8]) -> Answer<'a, DataKey> {
        self.generate_data_key(call, key.unwrap_or(KEY_1))
    }
}

impl fmt::Debug for FakeKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeKms")
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct StillClock {
    start: Instant,
    passed: Mutex<Duration>,
}

impl StillClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), passed: Mutex::default() })
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }
}

impl Clock for StillClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + *self.passed.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        self.start + *self.passed.lock().unwrap()
    }
}
