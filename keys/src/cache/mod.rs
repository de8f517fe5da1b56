//! A cache over any key management service that keeps rights apart, and what to do while the service fails.
//!
//! [`CachedKms`] is a [`Kms`] over another one. It keeps
//!
//! - keys that were generated for many objects ([`KeyKind::Shared`]), and keys that were opened again;
//! - for at most a second, that somebody was refused one.
//!
//! Everything else goes through. **A kept key is given only to who asked for the same in the same way**: the same right, the
//! same key by the same name or the same stored key, the same encryption context, the same principal with the same policies,
//! the same service it came through, the same grant tokens, the same source. The service is asked before every use how the key
//! stands ([`Kms::standing`]): a right that was withdrawn, a key that was disabled, an alias that points elsewhere, a new
//! version are seen at once. Where the service cannot tell, what was kept is used until its time is over.
//!
//! Callers who want the same at the same time share one call, and an error of it. The call is given as long as calls are that
//! do not say ([`CacheOptions::with_deadline`]), or longer if the first caller says so; nobody waits for it past his own
//! deadline, and who would wait longer than it was given makes another one. Who joined it is asked about as well
//! ([`Kms::standing`]). Dropping a caller never stops the others.
//!
//! A service that fails several times in a row is left alone for a while: what would need it fails at once with
//! [`KmsErrorKind::Unreachable`], and then one call tries it. Failures are the kinds that are
//! [transient](KmsErrorKind::is_transient), and no answer within a second or the default deadline, whichever is shorter. A
//! service that refuses is there. What is kept is not kept longer because the service fails.
//!
//! ```
//! use objseal::envelope::{KeyKind, ServiceContext};
//! use objseal_keys::cache::{CacheOptions, CachedKms};
//! use objseal_keys::kms::{Call, Kms, KmsError, Purpose};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! async fn many_objects(kms: Arc<dyn Kms>, call: Call) -> Result<(), KmsError> {
//!     let kms = CachedKms::new(kms, CacheOptions::new().with_ttl(Duration::from_secs(60)))?;
//!     let purpose = Purpose { kind: KeyKind::Shared, context: ServiceContext::Bucket };
//!     for _ in 0..1_000 {
//!         let key = kms.generate(&call, "alias/photos", purpose).await?; // one call of the service
//!     }
//!     Ok(())
//! }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `options` | how long is kept what, and when a service counts as failed |
//! | `metrics` | what happened to each call |
//! | `layer` | the cache as a service |
//! | `keys` | how a key that may be kept is found |
//! | `entry` | what tells a kept key from all others |
//! | `store` | what is kept, and which calls are under way |
//! | `flight` | one call for all who want the same |
//! | `breaker` | when a service is left alone |
//! | `timer` | deadlines under any executor |

mod breaker;
mod entry;
mod flight;
mod keys;
mod layer;
mod metrics;
mod options;
mod store;
mod timer;

pub use metrics::{AnsweredBy, Measured, Metrics};
pub use options::CacheOptions;
pub(crate) use timer::Timer;

#[cfg(doc)]
use crate::kms::KmsErrorKind;
use crate::kms::{Kms, KmsError};
use breaker::Breaker;
#[cfg(doc)]
use objseal::envelope::KeyKind;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;

/// A cache over one instance of a key management service. It is shared between threads by an `Arc`.
///
/// Keys that are kept are wiped when they expire, when others take their place, and with the cache, unless somebody still
/// uses them.
pub struct CachedKms<K: Kms + ?Sized + 'static> {
    kms: Arc<K>,
    options: CacheOptions,
    store: Arc<Store>,
    breaker: Arc<Breaker>,
    timer: Arc<Timer>,
}

impl<K: Kms + ?Sized + 'static> CachedKms<K> {
    /// A cache over `kms`, which is not asked anything yet.
    ///
    /// # Errors
    /// [`KmsErrorKind::Validation`] if an option is out of its bounds.
    pub fn new(kms: Arc<K>, options: CacheOptions) -> Result<Self, KmsError> {
        options.check()?;
        let timer = Timer::new(Arc::clone(&options.clock));
        let store = Store::new(options.capacity, Arc::clone(&timer));
        let breaker = Breaker::new(options.failures, options.open_for, options.deadline);
        Ok(Self { kms, options, store, breaker, timer })
    }

    /// Drops everything that is kept. What calls under way give is not kept either.
    pub fn clear(&self) {
        self.store.clear();
    }

    /// Drops what has expired. It does so by itself, at the latest when the cache is used next.
    pub fn purge(&self) {
        self.store.purge(self.timer.now());
    }

    /// Drops all keys of the root key of this ARN, and all refusals: something about the root key has changed. What calls
    /// under way give is not kept either.
    pub fn forget_key(&self, arn: &str) {
        self.store.forget(arn);
    }

    /// How many keys and refusals are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Somebody may still hold a future of the cache, which holds the store.
impl<K: Kms + ?Sized + 'static> Drop for CachedKms<K> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The service, the options, and how much is kept.
impl<K: Kms + ?Sized + 'static> fmt::Debug for CachedKms<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedKms")
            .field("kms", &self.kms)
            .field("options", &self.options)
            .field("kept", &self.len())
            .finish_non_exhaustive()
    }
}

/// Nothing panics while it holds one of these locks, so that what a poisoned one guards is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
