//! The service that fails when it is told to.

use crate::fake_kms::{ALIAS, FakeKms, call};
use crate::{Counter, OBJECT, kind, poll};
use objseal_keys::kms::testing::{FaultyKms, When};
use objseal_keys::kms::{Kms, KmsErrorKind, Operation, Right, block_on};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

fn faulty() -> FaultyKms<FakeKms> {
    FaultyKms::new(FakeKms::new())
}

/// Which of the next calls fail, and how.
fn outcomes(kms: &FaultyKms<FakeKms>, calls: usize) -> Vec<Result<(), KmsErrorKind>> {
    (0..calls).map(|_| kind(block_on(kms.encrypt(&call("alice"), ALIAS, b"")))).collect()
}

#[test]
fn calls_fail_as_they_are_told_to() {
    use KmsErrorKind::{Internal, Throttling, Unreachable};
    let kms = faulty();
    assert_eq!(outcomes(&kms, 2), [Ok(()); 2]);
    kms.fail(When::Next, Throttling);
    assert_eq!(outcomes(&kms, 3), [Err(Throttling), Ok(()), Ok(())]);
    kms.fail(When::Next, Throttling);
    kms.fail(When::Next, Internal);
    assert_eq!(outcomes(&kms, 3), [Err(Throttling), Err(Internal), Ok(())]);
    kms.fail(When::Every(3), Internal);
    assert_eq!(outcomes(&kms, 7), [Ok(()), Ok(()), Err(Internal), Ok(()), Ok(()), Err(Internal), Ok(())]);
    kms.fail(When::Always, Unreachable);
    assert_eq!(outcomes(&kms, 3), [Err(Unreachable), Err(Internal), Err(Unreachable)]);
    kms.heal();
    assert_eq!(outcomes(&kms, 9), [Ok(()); 9]);
    kms.fail(When::Every(0), Internal);
    assert_eq!(outcomes(&kms, 9), [Ok(()); 9]);
    assert_eq!(kms.calls(Operation::Encrypt), 2 + 3 + 3 + 7 + 3 + 9 + 9);
}

#[test]
fn a_fault_of_one_operation_leaves_the_others() {
    let kms = faulty();
    let call = call("alice");
    kms.fail_at(Operation::Standing, When::Always, KmsErrorKind::Internal);
    assert_eq!(outcomes(&kms, 1), [Ok(())]);
    assert_eq!(kind(block_on(kms.standing(&call, ALIAS, Right::Decrypt))), Err(KmsErrorKind::Internal));
    kms.heal();
    kms.fail(When::Always, KmsErrorKind::Unreachable);
    assert_eq!(kind(block_on(kms.standing(&call, ALIAS, Right::Decrypt))), Ok(()), "it needs no network");
    assert_eq!(kind(block_on(kms.generate(&call, ALIAS, OBJECT))), Err(KmsErrorKind::Unreachable));
}

#[test]
fn calls_that_are_held_go_on_in_their_order() {
    let kms = faulty();
    let call = call("alice");
    kms.hold();
    let counters = [(); 3].map(|()| Arc::new(Counter::default()));
    let mut futures = [(); 3].map(|()| kms.encrypt(&call, ALIAS, b""));
    for (counter, future) in counters.iter().zip(&mut futures) {
        assert!(counter.poll(future).is_pending() && counter.poll(future).is_pending());
    }
    assert_eq!(kms.waiting(), 3);
    assert!(kms.release_one());
    assert_eq!(counters.each_ref().map(|counter| counter.woken()), [1, 0, 0]);
    assert!(matches!(poll(&mut futures[0]), Poll::Ready(Ok(_))));
    assert!(poll(&mut futures[1]).is_pending());
    let [_, second, third] = futures;
    drop(second);
    assert_eq!(kms.waiting(), 1);
    kms.release();
    assert_eq!(counters[2].woken(), 1);
    block_on(third).unwrap();
    assert!(!kms.release_one());
    assert_eq!(outcomes(&kms, 1), [Ok(())]);
}

#[test]
fn the_callers_are_remembered_in_their_order() {
    let kms = faulty();
    kms.fail(When::Next, KmsErrorKind::Internal);
    let (alice, bob) = (call("alice"), call("bob"));
    block_on(kms.encrypt(&alice, ALIAS, b"")).unwrap_err();
    block_on(kms.standing(&bob, ALIAS, Right::Decrypt)).unwrap();
    let expected = [(Operation::Encrypt, alice.principal), (Operation::Standing, bob.principal)];
    assert_eq!(kms.callers(), expected);
    outcomes(&kms, 10_000);
    let callers = kms.callers();
    assert_eq!(callers.len(), 10_000);
    assert!(callers.iter().all(|(operation, _)| *operation == Operation::Encrypt));
}

#[test]
fn a_delay_takes_its_time() {
    let kms = faulty();
    let time = Duration::from_millis(5);
    kms.delay(time);
    let start = Instant::now();
    assert_eq!(outcomes(&kms, 2), [Ok(()); 2]);
    assert!(start.elapsed() >= 2 * time);
    kms.delay(Duration::ZERO);
    assert!(poll(&mut kms.encrypt(&call("alice"), ALIAS, b"")).is_ready());
}
