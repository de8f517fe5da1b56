//! The cache over key management services.
//!
//! | file | what |
//! |---|---|
//! | `leaks` | nobody has a key of somebody else |
//! | `revocation` | what was withdrawn is not given any more |
//! | `life` | how long keys and refusals are kept |
//! | `flight` | one call for many |
//! | `deadlines` | nobody waits longer than he wants to |
//! | `breaker` | a service that fails is left alone |
//! | `through` | what is not kept, and what is counted |
//! | `local` | over the service in a file |
//! | `faulty` | the service that fails when it is told to |
//! | `threads` | all at once |

mod breaker;
mod deadlines;
#[path = "../shared/fake_kms.rs"]
mod fake_kms;
mod faulty;
mod flight;
mod leaks;
mod life;
mod local;
mod revocation;
mod threads;
mod through;

use fake_kms::{ALIAS, FakeKms, StillClock, call, stored};
use objseal::envelope::{KeyKind, ServiceContext, WrappingKey};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::testing::FaultyKms;
use objseal_keys::kms::{Call, Kms, KmsError, KmsErrorKind, Operation, Purpose, StoredKey, block_on};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

const SHARED: Purpose = Purpose { kind: KeyKind::Shared, context: ServiceContext::Bucket };
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

/// A service, faults before it, and the cache over both.
struct World {
    fake: Arc<FakeKms>,
    faulty: Arc<FaultyKms<FakeKms>>,
    clock: Arc<StillClock>,
    cached: CachedKms<FaultyKms<FakeKms>>,
}

impl World {
    fn new(options: CacheOptions) -> Self {
        let (fake, clock) = (FakeKms::new(), StillClock::new());
        let faulty = Arc::new(FaultyKms::new(Arc::clone(&fake)));
        let cached = CachedKms::new(Arc::clone(&faulty), options.with_clock(clock.clone())).unwrap();
        Self { fake, faulty, clock, cached }
    }

    fn generate(&self, call: &Call) -> Result<Arc<WrappingKey>, KmsError> {
        block_on(self.cached.generate(call, ALIAS, SHARED))
    }

    fn reopen(&self, call: &Call, stored: &StoredKey) -> Result<Arc<WrappingKey>, KmsError> {
        block_on(self.cached.reopen(call, stored))
    }

    /// A stored key that the cache has not seen.
    fn stored_for(&self, call: &Call, purpose: Purpose) -> StoredKey {
        stored(&block_on(self.fake.generate(call, ALIAS, purpose)).unwrap(), purpose)
    }

    /// How many keys the service was asked for.
    fn asked(&self) -> u64 {
        self.faulty.calls(Operation::Generate) + self.faulty.calls(Operation::Reopen)
    }
}

fn kind<T>(outcome: Result<T, KmsError>) -> Result<(), KmsErrorKind> {
    outcome.map(|_| ()).map_err(|error| error.kind())
}

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    fn woken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn poll<F: Future + Unpin>(self: &Arc<Self>, future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Arc::new(Counter::default()).poll(future)
}
