//! What is not kept goes through, and everything is counted.

use crate::fake_kms::{ALIAS, KEY_1, call};
use crate::{OBJECT, SHARED, World, poll};
use objseal::envelope::EncryptionContext;
use objseal_keys::cache::{AnsweredBy, CacheOptions, Measured, Metrics};
use objseal_keys::clock::Clock;
use objseal_keys::kms::testing::When;
use objseal_keys::kms::{DataKeys, Kms, KmsErrorKind, Operation, Right, Source, block_on};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
struct Log(Mutex<Vec<Measured>>);

impl Metrics for Log {
    fn record(&self, event: &Measured) {
        self.0.lock().unwrap().push(*event);
    }
}

impl Log {
    /// What was counted since the last time, without the latency.
    fn take(&self) -> Vec<(Operation, AnsweredBy, Result<(), KmsErrorKind>)> {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        events.into_iter().map(|event| (event.operation, event.from, event.outcome)).collect()
    }
}

fn counted() -> (World, Arc<Log>) {
    let log = Arc::new(Log::default());
    (World::new(CacheOptions::new().with_metrics(log.clone())), log)
}

#[test]
fn every_other_operation_reaches_the_service_every_time() {
    let (world, log) = counted();
    let (cached, call) = (&world.cached, call("alice"));
    let context = EncryptionContext::new();
    for round in 1..=2 {
        assert_eq!(cached.service(), "fake");
        assert_eq!(block_on(cached.encrypt(&call, ALIAS, b"plaintext")).unwrap().blob, b"plaintext");
        assert_eq!(*block_on(cached.decrypt(&call, None, b"blob")).unwrap().bytes, b"blob");
        let source = Source { key: None, blob: b"other", context: &context };
        assert_eq!(block_on(cached.re_encrypt(&call, &source, KEY_1)).unwrap().ciphertext.blob, b"other");
        assert_eq!(block_on(cached.describe(&call, KEY_1)).unwrap().arn, KEY_1);
        assert!(block_on(cached.standing(&call, KEY_1, Right::Generate)).unwrap().is_some());
        assert_eq!(block_on(cached.generate_data_key(&call, KEY_1)).unwrap().ciphertext.key_arn, KEY_1);
        assert_eq!(block_on(cached.decrypt_data_key(&call, Some(KEY_1), b"")).unwrap().ciphertext.key_arn, KEY_1);
        let all = [
            Operation::Encrypt,
            Operation::Decrypt,
            Operation::ReEncrypt,
            Operation::Describe,
            Operation::Standing,
            Operation::GenerateDataKey,
            Operation::DecryptDataKey,
        ];
        assert!(all.iter().all(|operation| world.faulty.calls(*operation) == round));
        assert_eq!(log.take(), all.map(|operation| (operation, AnsweredBy::Service, Ok(()))));
    }
    assert!(cached.is_empty());
}

#[test]
fn a_call_is_counted_once_by_who_answered_it() {
    let (world, log) = counted();
    let alice = call("alice");
    let from = |from| (Operation::Generate, from, Ok(()));
    world.generate(&alice).unwrap();
    world.generate(&alice).unwrap();
    assert_eq!(log.take(), [from(AnsweredBy::Service), from(AnsweredBy::Cache)]);

    world.cached.clear();
    world.faulty.hold();
    let mut futures = [(); 3].map(|()| world.cached.generate(&alice, ALIAS, SHARED));
    assert!(futures.iter_mut().all(|future| poll(future).is_pending()));
    assert_eq!(log.take(), []);
    world.faulty.release();
    futures.into_iter().for_each(|future| drop(block_on(future).unwrap()));
    assert_eq!(log.take(), [from(AnsweredBy::Service), from(AnsweredBy::Flight), from(AnsweredBy::Flight)]);

    world.fake.allow(|_, _| false);
    let denied = |from| (Operation::Generate, from, Err(KmsErrorKind::AccessDenied));
    (0..2).for_each(|_| drop(world.generate(&call("bob")).unwrap_err()));
    assert_eq!(log.take(), [denied(AnsweredBy::Service), denied(AnsweredBy::Cache)]);
    world.generate(&alice).unwrap_err();
    assert_eq!(log.take(), [denied(AnsweredBy::Cache)]);

    world.generate(&call("alice").until(world.clock.instant())).unwrap_err();
    assert_eq!(log.take(), [(Operation::Generate, AnsweredBy::Deadline, Err(KmsErrorKind::DependencyTimeout))]);

    world.faulty.fail(When::Always, KmsErrorKind::Internal);
    let stored = objseal_keys::kms::StoredKey { key_id: KEY_1.into(), key_version: 1, purpose: OBJECT, blob: vec![1] };
    let failed = |from, kind| (Operation::Reopen, from, Err(kind));
    (0..6).for_each(|_| drop(world.reopen(&alice, &stored).unwrap_err()));
    let mut expected = vec![failed(AnsweredBy::Service, KmsErrorKind::Internal); 5];
    expected.push(failed(AnsweredBy::Breaker, KmsErrorKind::Unreachable));
    assert_eq!(log.take(), expected);
    block_on(world.cached.encrypt(&alice, ALIAS, b"")).unwrap_err();
    assert_eq!(log.take(), [(Operation::Encrypt, AnsweredBy::Breaker, Err(KmsErrorKind::Unreachable))]);
}

#[test]
fn latency_is_by_the_clock_of_the_cache() {
    let (world, log) = counted();
    let call = call("alice");
    world.faulty.hold();
    let mut through = world.cached.generate(&call, ALIAS, OBJECT);
    let mut first = world.cached.generate(&call, ALIAS, SHARED);
    assert!(poll(&mut through).is_pending() && poll(&mut first).is_pending());
    world.clock.pass(Duration::from_millis(10));
    let mut second = world.cached.generate(&call, ALIAS, SHARED);
    assert!(poll(&mut second).is_pending());
    world.clock.pass(Duration::from_millis(20));
    world.faulty.release();
    [through, first, second].into_iter().for_each(|future| drop(block_on(future).unwrap()));
    world.generate(&call).unwrap();
    let events = std::mem::take(&mut *log.0.lock().unwrap());
    let latencies: Vec<_> = events.iter().map(|event| event.latency.as_millis()).collect();
    assert_eq!(latencies, [30, 30, 20, 0]);
}

#[test]
fn a_call_that_was_dropped_is_not_counted() {
    let (world, log) = counted();
    let call = call("alice");
    world.faulty.hold();
    for purpose in [SHARED, OBJECT] {
        let mut future = world.cached.generate(&call, ALIAS, purpose);
        assert!(poll(&mut future).is_pending());
        drop(future);
    }
    assert_eq!(log.take(), []);
}

#[test]
fn a_cache_shows_no_key_in_its_debug_output() {
    let (world, _) = counted();
    let key = world.generate(&call("alice")).unwrap();
    let shown = format!("{:?}", world.cached);
    assert!(shown.contains("kept: 1"), "{shown}");
    let secret: Vec<_> = key.secret().expose_secret().iter().map(u8::to_string).collect();
    assert!(!shown.contains(&secret.join(", ")), "{shown}");
}
