//! A service that fails when it is told to, for the tests of servers.

use super::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, KmsErrorKind, Operation, Plaintext,
    Principal, Purpose, ReEncrypted, Right, Source, Standing, StoredKey,
};
use crate::cache::{Timer, lock};
use crate::clock::{Clock, SystemClock};
use objseal::envelope::WrappingKey;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How many calls are remembered.
const MAX_CALLERS: usize = 10_000;

/// Any service, with faults on demand: it counts calls, makes them wait, and fails them before the service behind it sees them.
///
/// ```
/// use objseal_keys::kms::testing::{FaultyKms, When};
/// use objseal_keys::kms::{Blocking, Call, Kms, KmsErrorKind, Operation};
/// use std::sync::Arc;
///
/// fn a_server_says_that_its_service_is_down(kms: Arc<dyn Kms>, call: Call) {
///     let kms = Arc::new(FaultyKms::new(kms));
///     let server = Blocking::new(Arc::clone(&kms), call); // what is tested
///
///     kms.fail(When::Always, KmsErrorKind::Unreachable);
///     let error = server.encrypt("alias/photos", b"plaintext").unwrap_err();
///     assert_eq!(error.kind(), KmsErrorKind::Unreachable);
///     assert_eq!(kms.calls(Operation::Encrypt), 1);
///
///     kms.heal();
///     assert!(server.encrypt("alias/photos", b"plaintext").is_ok());
/// }
/// ```
pub struct FaultyKms<K: Kms + ?Sized> {
    kms: Arc<K>,
    timer: Arc<Timer>,
    state: Mutex<State>,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The next one.
    Next,
    /// The last of every so many: with 3 the third, the sixth, and so on; with 0 none.
    Every(u64),
    /// All.
    Always,
}

#[derive(Default)]
struct State {
    calls: BTreeMap<Operation, u64>,
    callers: VecDeque<(Operation, Arc<Principal>)>,
    rules: Vec<Rule>,
    delay: Duration,
    held: bool,
    /// Who waits, in the order in which they came.
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

struct Rule {
    /// All but [`Operation::Standing`] if it is none.
    operation: Option<Operation>,
    when: When,
    kind: KmsErrorKind,
    seen: u64,
}

impl<K: Kms + ?Sized> FaultyKms<K> {
    /// A service that does what `kms` does, for now.
    #[must_use]
    pub fn new(kms: Arc<K>) -> Self {
        Self { kms, timer: Timer::new(Arc::new(SystemClock)), state: Mutex::default() }
    }

    /// Fails these calls of whatever operation, but for [`Kms::standing`], which often needs no network. Of several faults
    /// the first that was set and fits is the one. A call fails when it would go on: after it waited.
    pub fn fail(&self, when: When, kind: KmsErrorKind) {
        lock(&self.state).rules.push(Rule { operation: None, when, kind, seen: 0 });
    }

    /// Fails these calls of one operation, and counts only those.
    pub fn fail_at(&self, operation: Operation, when: When, kind: KmsErrorKind) {
        lock(&self.state).rules.push(Rule { operation: Some(operation), when, kind, seen: 0 });
    }

    /// Fails nothing any more.
    pub fn heal(&self) {
        lock(&self.state).rules.clear();
    }

    /// Makes every call take this long, in real time, from the next one on; zero ends it. For tests of load: other tests
    /// [`hold`](Self::hold).
    pub fn delay(&self, time: Duration) {
        lock(&self.state).delay = time;
    }

    /// Makes every call wait, from the next one on, until it is released.
    pub fn hold(&self) {
        lock(&self.state).held = true;
    }

    /// Lets those that wait go on, and no longer makes calls wait.
    pub fn release(&self) {
        let mut state = lock(&self.state);
        state.held = false;
        let released = std::mem::take(&mut state.waiting);
        drop(state);
        released.into_values().for_each(Waker::wake);
    }

    /// Lets the one go on that has waited longest. `false` if none waits.
    pub fn release_one(&self) -> bool {
        let released = lock(&self.state).waiting.pop_first();
        released.map(|(_, waker)| waker.wake()).is_some()
    }

    /// How many calls wait to be released.
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// How many calls of this operation there were, those that failed included.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        lock(&self.state).calls.get(&operation).copied().unwrap_or_default()
    }

    /// Who made the last 10,000 calls, the oldest first.
    #[must_use]
    pub fn callers(&self) -> Vec<(Operation, Arc<Principal>)> {
        lock(&self.state).callers.iter().cloned().collect()
    }

    /// What stands before every call.
    async fn pass(&self, operation: Operation, call: &Call) -> Result<(), KmsError> {
        let delay = {
            let mut state = lock(&self.state);
            let calls = state.calls.entry(operation).or_default();
            *calls = calls.saturating_add(1);
            if state.callers.len() >= MAX_CALLERS {
                state.callers.pop_front();
            }
            state.callers.push_back((operation, Arc::clone(&call.principal)));
            state.delay
        };
        Gate { state: &self.state, number: None }.await;
        if let Some(end) = SystemClock.instant().checked_add(delay).filter(|_| !delay.is_zero()) {
            self.timer.sleep_until(end).await?;
        }
        match lock(&self.state).fault(operation) {
            Some(kind) => Err(KmsError::new(kind, "a fault for a test")),
            None => Ok(()),
        }
    }
}

impl State {
    /// The fault of a call that goes on now. Every rule counts it.
    fn fault(&mut self, operation: Operation) -> Option<KmsErrorKind> {
        let mut kind = None;
        self.rules.retain_mut(|rule| {
            let about = rule.operation.map_or(operation != Operation::Standing, |only| only == operation);
            if !about || kind.is_some() && rule.when == When::Next {
                return true;
            }
            rule.seen = rule.seen.saturating_add(1);
            let fails = match rule.when {
                When::Next | When::Always => true,
                When::Every(count) => count > 0 && rule.seen.is_multiple_of(count),
            };
            if fails && kind.is_none() {
                kind = Some(rule.kind);
            }
            rule.when != When::Next
        });
        kind
    }
}

/// Over once nothing is held, or it was released.
struct Gate<'s> {
    state: &'s Mutex<State>,
    number: Option<u64>,
}

impl Future for Gate<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(self.state);
        let number = match self.number {
            Some(number) if state.waiting.contains_key(&number) => number,
            None if state.held => {
                state.next = state.next.wrapping_add(1);
                state.next
            }
            _ => return Poll::Ready(()),
        };
        let before = state.waiting.insert(number, context.waker().clone());
        drop(state);
        // The waker is the code of others, and is dropped without the lock.
        drop(before);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = lock(self.state).waiting.remove(&number);
            drop(waker);
        }
    }
}

impl<K: Kms + ?Sized> Kms for FaultyKms<K> {
    fn service(&self) -> &str {
        self.kms.service()
    }

    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            self.pass(Operation::Generate, call).await?;
            self.kms.generate(call, key, purpose).await
        })
    }

    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            self.pass(Operation::Reopen, call).await?;
            self.kms.reopen(call, stored).await
        })
    }

    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        Box::pin(async move {
            self.pass(Operation::Encrypt, call).await?;
            self.kms.encrypt(call, key, plaintext).await
        })
    }

    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        Box::pin(async move {
            self.pass(Operation::Decrypt, call).await?;
            self.kms.decrypt(call, key, blob).await
        })
    }

    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        Box::pin(async move {
            self.pass(Operation::ReEncrypt, call).await?;
            self.kms.re_encrypt(call, source, key).await
        })
    }

    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        Box::pin(async move {
            self.pass(Operation::Describe, call).await?;
            self.kms.describe(call, key).await
        })
    }

    fn standing<'a>(&'a self, call: &'a Call, key: &'a str, right: Right) -> Answer<'a, Option<Standing>> {
        Box::pin(async move {
            self.pass(Operation::Standing, call).await?;
            self.kms.standing(call, key, right).await
        })
    }
}

impl<K: DataKeys + ?Sized> DataKeys for FaultyKms<K> {
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        Box::pin(async move {
            self.pass(Operation::GenerateDataKey, call).await?;
            self.kms.generate_data_key(call, key).await
        })
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey> {
        Box::pin(async move {
            self.pass(Operation::DecryptDataKey, call).await?;
            self.kms.decrypt_data_key(call, key, blob).await
        })
    }
}

/// The service, and how many calls wait.
impl<K: Kms + ?Sized> fmt::Debug for FaultyKms<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyKms").field("kms", &self.kms).field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
