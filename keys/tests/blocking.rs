//! Key management services for programs without an executor, and for objects.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "shared/fake_kms.rs"]
mod fake_kms;

use fake_kms::{ALIAS, FakeKms, KEY_1, StillClock, call, stored};
use objseal::envelope::{
    EncryptionContext, EnvelopeError, KeyKind, KeyService, KeyServiceErrorKind, OpenOptions, SealOptions,
    ServiceContext,
};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::testing::{FaultyKms, When};
use objseal_keys::kms::{
    Blocking, DataKeys, Kms, KmsErrorKind, Operation, Purpose, Right, Source, StoredKey, block_on,
};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

#[test]
fn a_future_runs_to_its_end_on_this_thread() {
    let mut polls = 0;
    let output = block_on(poll_fn(|context| {
        polls += 1;
        context.waker().wake_by_ref();
        if polls < 1_000 { Poll::Pending } else { Poll::Ready(thread::current().id()) }
    }));
    assert_eq!((output, polls), (thread::current().id(), 1_000));
}

#[test]
fn a_future_that_another_thread_wakes_is_polled_again() {
    for _ in 0..100 {
        let ready = Arc::new(AtomicBool::new(false));
        let mut asked = false;
        block_on(poll_fn(|context| {
            if ready.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut asked, true) {
                let (ready, waker) = (Arc::clone(&ready), context.waker().clone());
                thread::spawn(move || {
                    ready.store(true, Ordering::SeqCst);
                    waker.wake();
                });
            }
            Poll::Pending
        }));
    }
}

/// The token of `park` is one for the thread. What the future does may use it up.
#[test]
fn a_future_that_is_woken_while_it_parks_the_thread_itself_is_polled_again() {
    let mut polls = 0;
    block_on(poll_fn(|context| {
        polls += 1;
        if polls == 1 {
            context.waker().wake_by_ref();
            // Takes the token.
            thread::park();
            block_on(poll_fn(|inner| {
                inner.waker().wake_by_ref();
                thread::park();
                Poll::Ready(())
            }));
            return Poll::Pending;
        }
        Poll::Ready(())
    }));
    assert_eq!(polls, 2);
}

#[test]
fn a_thread_that_is_unparked_by_others_polls_nothing() {
    let mut polls = 0;
    block_on(poll_fn(|context| {
        polls += 1;
        if polls == 1 {
            let (waker, thread) = (context.waker().clone(), thread::current());
            thread::spawn(move || {
                (0..1_000).for_each(|_| thread.unpark());
                waker.wake();
            });
            return Poll::Pending;
        }
        Poll::Ready(())
    }));
    assert_eq!(polls, 2);
}

#[test]
fn an_object_is_sealed_and_opened_under_its_own_context() {
    let fake = FakeKms::new();
    let kms = Arc::new(FaultyKms::new(Arc::clone(&fake)));
    let blocking = Arc::new(Blocking::new(Arc::clone(&kms), call("alice")));
    let context = EncryptionContext::from_pairs([("name", "cat.jpg")]).unwrap();
    let key = blocking.wrapping_key(ALIAS, &context).unwrap();
    assert_eq!((key.kind(), key.key_id(), KeyService::name(&*blocking)), (KeyKind::Object, KEY_1, "fake"));
    let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start().unwrap();
    let stored = body.seal(b"the plaintext").unwrap();

    let options = OpenOptions::new().with_service(blocking).with_context(context);
    let opened = options.open(envelope.stored()).unwrap();
    assert_eq!(opened.body().unwrap().open(&stored).unwrap(), b"the plaintext");
    assert_eq!((kms.calls(Operation::Generate), kms.calls(Operation::Reopen)), (1, 1));
}

/// The fake refuses a blob under another context than its own.
#[test]
fn a_key_is_opened_under_the_context_that_its_entry_names() {
    let alice = call("alice");
    let pairs = EncryptionContext::from_pairs([("bucket", "photos")]).unwrap();
    for (context, made_under) in
        [(ServiceContext::None, EncryptionContext::new()), (ServiceContext::Object, pairs.clone())]
    {
        let kms = FakeKms::new();
        let purpose = Purpose { kind: KeyKind::Shared, context };
        let key = block_on(kms.generate(&alice.clone().with_context(made_under), ALIAS, purpose)).unwrap();
        let (envelope, _) = SealOptions::new(key).with_context(pairs.clone()).start().unwrap();
        // The context of the call is for its own methods.
        let mine = alice.clone().with_context(EncryptionContext::from_pairs([("mine", "")]).unwrap());
        let options = OpenOptions::new().with_service(Arc::new(Blocking::new(kms, mine)));
        options.with_context(pairs.clone()).open(envelope.stored()).unwrap();
    }
}

#[test]
fn a_key_that_is_bound_to_a_bucket_is_refused_before_the_service_is_asked() {
    let kms = Arc::new(FaultyKms::new(FakeKms::new()));
    let purpose = Purpose { kind: KeyKind::Shared, context: ServiceContext::Bucket };
    let key = block_on(kms.generate(&call("alice"), ALIAS, purpose)).unwrap();
    let (envelope, _) = SealOptions::new(key).start().unwrap();
    let options = OpenOptions::new().with_service(Arc::new(Blocking::new(Arc::clone(&kms), call("alice"))));
    let Err(EnvelopeError::KeyService(error)) = options.open(envelope.stored()) else { panic!("it is refused") };
    assert_eq!(error.kind(), KeyServiceErrorKind::Malformed);
    assert!(error.to_string().ends_with("follows a Plan and asks with its context"), "{error}");
    assert_eq!(kms.calls(Operation::Reopen), 0);
}

#[test]
fn errors_of_the_service_come_through_both_faces() {
    let kms = Arc::new(FaultyKms::new(FakeKms::new()));
    let blocking = Blocking::new(Arc::clone(&kms), call("alice"));
    kms.fail(When::Next, KmsErrorKind::Throttling);
    let error = blocking.wrapping_key(ALIAS, &EncryptionContext::new()).unwrap_err();
    assert_eq!(error.kind(), KeyServiceErrorKind::Throttled);
    kms.fail(When::Next, KmsErrorKind::Throttling);
    assert_eq!(blocking.encrypt(ALIAS, b"").unwrap_err().kind(), KmsErrorKind::Throttling);
}

#[test]
fn every_method_asks_for_the_same() {
    let kms = Arc::new(FaultyKms::new(FakeKms::new()));
    let blocking = Blocking::new(Arc::clone(&kms), call("alice"));
    let purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::None };
    let key = blocking.generate(ALIAS, purpose).unwrap();
    let again = blocking.reopen(&stored(&key, purpose)).unwrap();
    assert!(key.secret().expose_secret() == again.secret().expose_secret());
    assert_eq!(blocking.encrypt(ALIAS, b"plaintext").unwrap().blob, b"plaintext");
    assert_eq!(*blocking.decrypt(Some(KEY_1), b"blob").unwrap().bytes, b"blob");
    let source = Source { key: None, blob: b"other", context: &EncryptionContext::new() };
    assert_eq!(blocking.re_encrypt(&source, KEY_1).unwrap().ciphertext.key_arn, KEY_1);
    assert_eq!(blocking.describe(KEY_1).unwrap().arn, KEY_1);
    assert_eq!(blocking.standing(ALIAS, Right::Generate).unwrap().unwrap().key_arn, KEY_1);
    assert_eq!(blocking.generate_data_key(KEY_1).unwrap().ciphertext.key_arn, KEY_1);
    assert_eq!(blocking.decrypt_data_key(None, b"").unwrap().ciphertext.key_arn, KEY_1);
    let alice = call("alice").principal;
    assert!(kms.callers().iter().all(|(_, principal)| *principal == alice));
    let operations: Vec<_> = kms.callers().into_iter().map(|(operation, _)| operation.name()).collect();
    let expected = [
        "generate",
        "reopen",
        "encrypt",
        "decrypt",
        "re_encrypt",
        "describe",
        "standing",
        "generate_data_key",
        "decrypt_data_key",
    ];
    assert_eq!(operations, expected);
}

#[test]
fn any_service_is_asked_through_a_trait_object_and_a_cache() {
    let kms: Arc<dyn DataKeys> = FakeKms::new();
    let options = CacheOptions::new().with_clock(StillClock::new());
    let cached: Arc<dyn DataKeys> = Arc::new(CachedKms::new(kms, options).unwrap());
    let blocking = Blocking::new(cached, call("alice"));
    let purpose = Purpose { kind: KeyKind::Shared, context: ServiceContext::None };
    let key = blocking.generate(ALIAS, purpose).unwrap();
    let stored: StoredKey = stored(&key, purpose);
    blocking.reopen(&stored).unwrap();
    blocking.generate_data_key(KEY_1).unwrap();
}
