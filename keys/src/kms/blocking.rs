//! A key management service for programs without an executor, and as a [`KeyService`] for objects and files.

use super::{Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, Plaintext, Purpose};
use super::{ReEncrypted, Right, Source, Standing, StoredKey};
use objseal::envelope::{
    EncryptionContext, KeyKind, KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind, ServiceContext,
    WrappingKey,
};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Runs a future to its end on this thread, which sleeps while there is nothing to do.
///
/// It can be called within another one. It is not for threads of an executor, which do nothing else in the meantime; and a
/// future that needs an executor of its own, such as a socket of `tokio`, does not run here.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !sleeper.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// Wakes a thread. The token of `park` alone would not do: whatever else parks on the thread, in the future too, may take it.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A service that is asked on behalf of one caller, and waited for ([`block_on`]).
///
/// As a [`KeyService`] it makes a wrapping key for each object, bound to the place and the pairs of the object
/// ([`ServiceContext::Object`]). The context of its call is that of the methods that are named as in [`Kms`].
///
/// A deadline in the call is a moment, which passes for good; whoever keeps this for long leaves it to
/// [`CachedKms`](crate::cache::CachedKms), which gives every call one of its own.
pub struct Blocking<K: Kms + ?Sized> {
    kms: Arc<K>,
    call: Call,
}

impl<K: Kms + ?Sized> Blocking<K> {
    /// Asks `kms`, with what `call` says.
    #[must_use]
    pub fn new(kms: Arc<K>, call: Call) -> Self {
        Self { kms, call }
    }

    /// A new wrapping key; see [`Kms::generate`].
    ///
    /// # Errors
    /// [`KmsError`] of the service, as for the other methods.
    pub fn generate(&self, key: &str, purpose: Purpose) -> Result<Arc<WrappingKey>, KmsError> {
        block_on(self.kms.generate(&self.call, key, purpose))
    }

    /// A wrapping key again; see [`Kms::reopen`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn reopen(&self, stored: &StoredKey) -> Result<Arc<WrappingKey>, KmsError> {
        block_on(self.kms.reopen(&self.call, stored))
    }

    /// Encrypts up to 4,096 bytes; see [`Kms::encrypt`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn encrypt(&self, key: &str, plaintext: &[u8]) -> Result<Ciphertext, KmsError> {
        block_on(self.kms.encrypt(&self.call, key, plaintext))
    }

    /// Decrypts; see [`Kms::decrypt`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn decrypt(&self, key: Option<&str>, blob: &[u8]) -> Result<Plaintext, KmsError> {
        block_on(self.kms.decrypt(&self.call, key, blob))
    }

    /// Encrypts anew; see [`Kms::re_encrypt`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn re_encrypt(&self, source: &Source<'_>, key: &str) -> Result<ReEncrypted, KmsError> {
        block_on(self.kms.re_encrypt(&self.call, source, key))
    }

    /// Says how a key is; see [`Kms::describe`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn describe(&self, key: &str) -> Result<KeyMetadata, KmsError> {
        block_on(self.kms.describe(&self.call, key))
    }

    /// Whether a call would be granted `right`; see [`Kms::standing`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn standing(&self, key: &str, right: Right) -> Result<Option<Standing>, KmsError> {
        block_on(self.kms.standing(&self.call, key, right))
    }
}

impl<K: DataKeys + ?Sized> Blocking<K> {
    /// A new data key; see [`DataKeys::generate_data_key`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn generate_data_key(&self, key: &str) -> Result<DataKey, KmsError> {
        block_on(self.kms.generate_data_key(&self.call, key))
    }

    /// A data key again; see [`DataKeys::decrypt_data_key`].
    ///
    /// # Errors
    /// [`KmsError`] of the service.
    pub fn decrypt_data_key(&self, key: Option<&str>, blob: &[u8]) -> Result<DataKey, KmsError> {
        block_on(self.kms.decrypt_data_key(&self.call, key, blob))
    }
}

impl<K: Kms + ?Sized> KeyService for Blocking<K> {
    fn name(&self) -> &str {
        self.kms.service()
    }

    fn wrapping_key(&self, key_id: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        let call = self.call.clone().with_context(context.clone());
        let purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };
        Ok(block_on(self.kms.generate(&call, key_id, purpose))?)
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        let context = match request.service_context() {
            ServiceContext::None => EncryptionContext::new(),
            ServiceContext::Object => request.context().clone(),
            // Which bucket it was, the object does not say: it may have been copied from there.
            _ => return Err(KeyServiceError::new(KeyServiceErrorKind::Malformed, NOT_OF_AN_OBJECT)),
        };
        let call = self.call.clone().with_context(context);
        Ok(block_on(self.kms.reopen(&call, &StoredKey::from(request)))?)
    }
}

const NOT_OF_AN_OBJECT: &str =
    "the key is bound to a bucket: whoever knows the bucket follows a Plan and asks with its context";

/// The service, and who asks.
impl<K: Kms + ?Sized> fmt::Debug for Blocking<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking")
            .field("kms", &self.kms)
            .field("principal", &self.call.principal)
            .finish_non_exhaustive()
    }
}
