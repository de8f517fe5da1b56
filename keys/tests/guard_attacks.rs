//! A guard against whoever words a policy, a name or a ciphertext so that it is taken for another.
#![cfg(feature = "kms")]

#[path = "shared/fake_kms.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake_kms;

use fake_kms::{ALIAS, FakeKms, KEY_1, KEY_2, call, stored};
use objseal::envelope::{EncryptionContext, KeyKind, ServiceContext};
use objseal_keys::guard::Guarded;
use objseal_keys::kms::testing::FaultyKms;
use objseal_keys::kms::{
    Call, DataKeys, Kms, KmsError, KmsErrorKind, Operation, Principal, Purpose, Right, Source, StoredKey, block_on,
};
use objseal_keys::policy::Policy;
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";
/// A key of somebody else, which lets everybody use it.
const FOREIGN: &str = "arn:aws:kms:eu-west-1:999988887777:key/key-1";
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

type Counted = FaultyKms<FakeKms>;

fn policy(statements: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)).unwrap())
}

/// A statement about alice.
fn statement(effect: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", "Principal": {{"AWS": "arn:aws:iam::111122223333:user/alice"}}, "Action": "kms:*",
            "Resource": "{resource}", "Condition": {{{condition}}}}}"#
    )
}

fn guarded(statements: &[String]) -> (Arc<FakeKms>, Arc<Counted>, Guarded<Counted>) {
    let fake = FakeKms::new();
    let counted = Arc::new(FaultyKms::new(Arc::clone(&fake)));
    let guarded = Guarded::new(Arc::clone(&counted), policy(&statements.join(",")), ACCOUNT).unwrap();
    (fake, counted, guarded)
}

/// Alice may all with all keys but the first.
fn all_but_the_first() -> (Arc<FakeKms>, Arc<Counted>, Guarded<Counted>) {
    guarded(&[statement("Allow", "*", ""), statement("Deny", KEY_1, "")])
}

fn kind<T>(result: Result<T, KmsError>) -> Option<KmsErrorKind> {
    result.err().map(|error| error.kind())
}

/// RFC 8259, section 7: a slash may be written as `\/`, which some encoders do, and any character by its number.
#[test]
fn an_unknown_condition_is_found_however_its_name_is_written() {
    for key in [r"aws:ResourceTag\/team", r"kms:\u004beyOrigin", r"kms:Resource\u0041liases"] {
        let text = statement("Deny", "*", &format!(r#""StringEquals": {{"{key}": "secret"}}"#));
        let outcome = Guarded::new(FakeKms::new(), policy(&text), ACCOUNT);
        assert_eq!(kind(outcome), Some(KmsErrorKind::MalformedPolicyDocument), "{key}");

        let own = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {{"StringEquals": {{"{key}": "secret"}}}}}}}}"#
        );
        let (_, _, guarded) = guarded(&[statement("Allow", "*", "")]);
        let principal = Principal::new("arn:aws:iam::111122223333:user/alice");
        let call = Call::of(Arc::new(principal.with_policy(Arc::new(Policy::parse(&own).unwrap()))));
        let outcome = kind(block_on(guarded.encrypt(&call, KEY_1, b"plaintext")));
        assert_eq!(outcome, Some(KmsErrorKind::MalformedPolicyDocument), "{key}");
    }
}

/// IAM User Guide, "AWS global condition context keys": both are in the context of every request that is signed. Here neither
/// is known, and a statement that denies by them would deny nothing.
#[test]
fn a_condition_that_every_request_of_aws_has_is_not_taken_as_absent() {
    for condition in [r#""Bool": {"aws:SecureTransport": "false"}"#, r#""StringLike": {"aws:userid": "AROAEXAMPLE:*"}"#]
    {
        let outcome = Guarded::new(FakeKms::new(), policy(&statement("Deny", "*", condition)), ACCOUNT);
        assert_eq!(kind(outcome), Some(KmsErrorKind::MalformedPolicyDocument), "{condition}");
    }
}

/// Whoever has an account of their own can make ciphertexts that AWS opens for everybody.
#[test]
fn a_key_of_another_account_is_none_of_the_account() {
    let (_, _, guarded) = guarded(&[statement("Allow", "*", "")]);
    let alice = call("alice");
    let refused = [
        ("generate_data_key", kind(block_on(guarded.generate_data_key(&alice, FOREIGN)))),
        ("encrypt", kind(block_on(guarded.encrypt(&alice, FOREIGN, b"plaintext")))),
        ("decrypt", kind(block_on(guarded.decrypt(&alice, Some(FOREIGN), b"blob")))),
        ("decrypt_data_key", kind(block_on(guarded.decrypt_data_key(&alice, Some(FOREIGN), b"blob")))),
        ("describe", kind(block_on(guarded.describe(&alice, FOREIGN)))),
    ];
    for (operation, kind) in refused {
        assert_eq!(kind, Some(KmsErrorKind::AccessDenied), "{operation}");
    }
}

/// What the documentation of the guard says of whoever names a key by its ARN.
#[test]
fn who_may_not_use_the_source_that_they_name_never_reaches_the_service() {
    let (_, counted, guarded) = all_but_the_first();
    let (alice, empty) = (call("alice"), EncryptionContext::new());
    for (source, key) in [(Some(KEY_1), ALIAS), (None, KEY_1)] {
        let source = Source { key: source, blob: b"blob", context: &empty };
        let outcome = kind(block_on(guarded.re_encrypt(&alice, &source, key)));
        assert_eq!((outcome, counted.calls(Operation::ReEncrypt)), (Some(KmsErrorKind::AccessDenied), 0));
    }
}

#[test]
fn a_denied_key_is_not_reached_by_another_spelling_of_its_name() {
    let (fake, _, guarded) = all_but_the_first();
    let alice = call("alice");
    assert_eq!(fake.alive(), 0);
    for name in [KEY_1, ALIAS, "arn:aws:kms:eu-west-1:111122223333:alias/photos"] {
        assert!(block_on(guarded.generate(&alice, name, OBJECT)).is_err(), "{name}");
        assert!(block_on(guarded.standing(&alice, name, Right::Generate)).is_err(), "{name}");
    }
    assert!(block_on(guarded.generate(&alice, KEY_2, OBJECT)).is_ok());
}

/// Who made a sealed object chose the id in it. What is stored of a key is its own id, and never one of its other names.
#[test]
fn a_denied_key_is_not_reopened_by_another_of_its_names() {
    let (fake, _, guarded) = all_but_the_first();
    let alice = call("alice");
    let key = block_on(fake.generate(&alice, KEY_1, OBJECT)).unwrap();
    for name in [KEY_1, "key-1", "arn:aws:kms:EU-WEST-1:111122223333:key/KEY-1", "arn:x/keys/key-1", "", ALIAS] {
        let stored = StoredKey { key_id: name.into(), ..stored(&key, OBJECT) };
        assert!(block_on(guarded.reopen(&alice, &stored)).is_err(), "{name}");
    }
}

#[test]
fn an_alias_that_is_pointed_elsewhere_is_decided_as_what_it_stands_for_then() {
    let (fake, _, guarded) = all_but_the_first();
    let alice = call("alice");
    fake.repoint(KEY_2);
    let key = block_on(guarded.generate(&alice, ALIAS, OBJECT)).unwrap();
    assert_eq!(key.key_id(), KEY_2);
    fake.repoint(KEY_1);
    assert_eq!(kind(block_on(guarded.generate(&alice, ALIAS, OBJECT))), Some(KmsErrorKind::AccessDenied));
    for knows in [true, false] {
        fake.know_standing(knows);
        let outcome = kind(block_on(guarded.standing(&alice, ALIAS, Right::Decrypt)));
        assert_eq!(outcome, Some(KmsErrorKind::AccessDenied), "{knows}");
    }
}

/// Wildcards are for policies: in a name they are letters.
#[test]
fn a_name_with_wildcards_is_no_other_name() {
    let (_, counted, guarded) = guarded(&[statement("Allow", KEY_1, "")]);
    let alice = call("alice");
    for name in ["arn:aws:kms:eu-west-1:111122223333:key/*", "arn:aws:kms:*:111122223333:key/key-1", "arn:*:key/key-?"]
    {
        assert!(block_on(guarded.encrypt(&alice, name, b"plaintext")).is_err(), "{name}");
    }
    assert_eq!(counted.calls(Operation::Reopen), 0);
}
