//! Rights that are decided here, over services that know this process only.

#[path = "shared/fake_kms.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake_kms;

use fake_kms::{ALIAS, FakeKms, KEY_1, KEY_2, StillClock, call, stored};
use objseal::envelope::{EncryptionContext, KeyKind, ServiceContext};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::guard::Guarded;
use objseal_keys::kms::testing::FaultyKms;
use objseal_keys::kms::{
    Call, DataKeys, Kms, KmsError, KmsErrorKind, Operation, Principal, Purpose, Right, Source, StoredKey, block_on,
};
use objseal_keys::policy::Policy;
use std::sync::Arc;
use std::time::Duration;

const ACCOUNT: &str = "111122223333";
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };
const SHARED: Purpose = Purpose { kind: KeyKind::Shared, context: ServiceContext::Bucket };

const OPERATIONS: [Operation; 9] = [
    Operation::Generate,
    Operation::Reopen,
    Operation::Encrypt,
    Operation::Decrypt,
    Operation::ReEncrypt,
    Operation::Describe,
    Operation::Standing,
    Operation::GenerateDataKey,
    Operation::DecryptDataKey,
];

/// A policy of these statements.
fn policy(statements: &[String]) -> Arc<Policy> {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","));
    Arc::new(Policy::parse(&text).unwrap())
}

/// Alice may do this with these keys, if `condition` holds.
fn alice_may(action: &str, resource: &str, condition: &str) -> String {
    let alice = "arn:aws:iam::111122223333:user/alice";
    let condition = if condition.is_empty() { String::new() } else { format!(r#", "Condition": {{{condition}}}"#) };
    format!(
        r#"{{"Effect": "Allow", "Principal": {{"AWS": "{alice}"}}, "Action": "{action}", "Resource": "{resource}"{condition}}}"#
    )
}

type Counted = FaultyKms<FakeKms>;

/// A service that counts, and a guard before it.
fn guarded(statements: &[String]) -> (Arc<FakeKms>, Arc<Counted>, Guarded<Counted>) {
    let fake = FakeKms::new();
    let counted = Arc::new(FaultyKms::new(Arc::clone(&fake)));
    let guarded = Guarded::new(Arc::clone(&counted), policy(statements), ACCOUNT).unwrap();
    (fake, counted, guarded)
}

fn asked(kms: &Counted) -> u64 {
    OPERATIONS.into_iter().map(|operation| kms.calls(operation)).sum()
}

fn stored_key(key: &str) -> StoredKey {
    StoredKey { key_id: key.into(), key_version: 1, purpose: OBJECT, blob: b"blob".into() }
}

/// Everything that can be asked of a service about a key of this name, by the action that it takes.
fn everything(kms: &dyn DataKeys, call: &Call, key: &str) -> Vec<(&'static str, Option<KmsError>)> {
    let empty = EncryptionContext::new();
    let from = Source { key: Some(key), blob: b"blob", context: &empty };
    vec![
        ("GenerateDataKey", block_on(kms.generate(call, key, OBJECT)).err()),
        ("GenerateDataKey", block_on(kms.generate_data_key(call, key)).err()),
        ("GenerateDataKey", block_on(kms.standing(call, key, Right::Generate)).err()),
        ("Decrypt", block_on(kms.decrypt(call, Some(key), b"blob")).err()),
        ("Decrypt", block_on(kms.decrypt_data_key(call, Some(key), b"blob")).err()),
        ("Decrypt", block_on(kms.standing(call, key, Right::Decrypt)).err()),
        ("Encrypt", block_on(kms.encrypt(call, key, b"plaintext")).err()),
        ("ReEncryptFrom", block_on(kms.re_encrypt(call, &from, key)).err()),
        ("DescribeKey", block_on(kms.describe(call, key)).err()),
    ]
}

fn kind<T>(result: Result<T, KmsError>) -> KmsErrorKind {
    result.err().expect("it is refused").kind()
}

#[test]
fn whom_the_policy_does_not_allow_never_reaches_the_service() {
    let (_, counted, kms) = guarded(&[alice_may("kms:*", KEY_1, "")]);
    for (user, key) in [("bob", KEY_1), ("alice", KEY_2)] {
        let mut all = everything(&kms, &call(user), key);
        all.push(("Decrypt", block_on(kms.reopen(&call(user), &stored_key(key))).err()));
        for (action, error) in all {
            let error = error.expect(action);
            let message = format!(
                "User: arn:aws:iam::111122223333:user/{user} is not authorized to perform: kms:{action} on resource: {key}"
            );
            assert_eq!((error.kind(), error.message()), (KmsErrorKind::AccessDenied, &*message));
        }
    }
    assert_eq!(asked(&counted), 0);
}

#[test]
fn whom_it_allows_is_answered_as_without_it() {
    let (_, counted, kms) = guarded(&[alice_may("kms:*", KEY_1, "")]);
    let alice = call("alice");
    for (action, error) in everything(&kms, &alice, KEY_1) {
        // The fake says of every ciphertext that it was under the first key.
        assert_eq!(error, None, "{action}");
    }
    let made = block_on(kms.generate(&alice, KEY_1, OBJECT)).unwrap();
    let again = block_on(kms.reopen(&alice, &stored(&made, OBJECT))).unwrap();
    assert_eq!(again.secret().expose_secret(), made.secret().expose_secret());
    assert_eq!(counted.callers().len(), 11);
    assert!(counted.callers().iter().all(|(_, principal)| *principal == alice.principal));
}

#[test]
fn each_operation_takes_its_own_right() {
    for right in ["GenerateDataKey", "Decrypt", "Encrypt", "DescribeKey"] {
        let (_, _, kms) = guarded(&[alice_may(&format!("kms:{right}"), "*", "")]);
        for (action, error) in everything(&kms, &call("alice"), KEY_1) {
            let expected = (action != right).then_some(KmsErrorKind::AccessDenied);
            assert_eq!(error.map(|error| error.kind()), expected, "{action} with kms:{right}");
        }
        let reopened = kind(block_on(kms.reopen(&call("alice"), &stored_key(KEY_1))));
        // The fake has not made this blob.
        let expected = if right == "Decrypt" { KmsErrorKind::InvalidCiphertext } else { KmsErrorKind::AccessDenied };
        assert_eq!(reopened, expected);
    }
}

#[test]
fn what_is_encrypted_anew_takes_both_rights() {
    let empty = EncryptionContext::new();
    let ask = |statements: &[String]| {
        let (_, counted, kms) = guarded(statements);
        let source = Source { key: Some(KEY_1), blob: b"blob", context: &empty };
        let result = block_on(kms.re_encrypt(&call("alice"), &source, KEY_2)).map(|_| ()).map_err(|error| error.kind());
        (result, asked(&counted))
    };
    let (from, to) = (alice_may("kms:ReEncryptFrom", KEY_1, ""), alice_may("kms:ReEncryptTo", KEY_2, ""));
    assert_eq!(ask(&[from.clone(), to.clone()]), (Ok(()), 1));
    assert_eq!(ask(&[from]), (Err(KmsErrorKind::AccessDenied), 0));
    assert_eq!(ask(&[to]), (Err(KmsErrorKind::AccessDenied), 0));
    let same = |value| alice_may("kms:ReEncrypt*", "*", &format!(r#""Bool": {{"kms:ReEncryptOnSameKey": "{value}"}}"#));
    assert_eq!(ask(&[same("false")]), (Ok(()), 1));
    assert_eq!(ask(&[same("true")]), (Err(KmsErrorKind::AccessDenied), 0));
}

/// The contexts are of the two sides.
#[test]
fn each_side_of_what_is_encrypted_anew_has_its_own_context() {
    let on = |bucket| format!(r#""StringEquals": {{"kms:EncryptionContext:bucket": "{bucket}"}}"#);
    let statements = [alice_may("kms:ReEncryptFrom", "*", &on("old")), alice_may("kms:ReEncryptTo", "*", &on("new"))];
    let (_, _, kms) = guarded(&statements);
    let context = |bucket| EncryptionContext::from_pairs([("bucket", bucket)]).unwrap();
    let ask = |old, new| {
        let old = context(old);
        let source = Source { key: Some(KEY_1), blob: b"blob", context: &old };
        block_on(kms.re_encrypt(&call("alice").with_context(context(new)), &source, KEY_1)).map(|_| ())
    };
    assert_eq!(ask("old", "new"), Ok(()));
    for (old, new) in [("old", "old"), ("new", "new"), ("new", "old")] {
        assert_eq!(kind(ask(old, new)), KmsErrorKind::AccessDenied);
    }
}

#[test]
fn conditions_see_service_context_source_time_and_alias() {
    let clock = StillClock::new();
    let context = EncryptionContext::from_pairs([("bucket", "photos")]).unwrap();
    let mut fit = call("alice").via("s3.eu-west-1").with_context(context);
    fit.source = Some("192.0.2.7".into());
    let conditions = [
        r#""StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}"#,
        r#""StringEquals": {"kms:EncryptionContext:bucket": "photos"}"#,
        r#""ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["bucket"]}"#,
        r#""IpAddress": {"aws:SourceIp": "192.0.2.0/24"}"#,
        r#""NumericLessThan": {"aws:EpochTime": "100"}"#,
        r#""StringEquals": {"kms:RequestAlias": "alias/photos"}"#,
        r#""StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT"}"#,
        r#""StringEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/alice"}"#,
    ];
    let changes: [fn(&mut Call); 4] = [
        |call| call.via_service = Some("s3.eu-west-2".into()),
        |call| call.context = EncryptionContext::from_pairs([("bucket", "private")]).unwrap(),
        |call| call.context = EncryptionContext::from_pairs([("bucket", "photos"), ("more", "")]).unwrap(),
        |call| call.source = Some("198.51.100.1".into()),
    ];
    for (place, condition) in conditions.into_iter().enumerate() {
        let statements = policy(&[alice_may("kms:GenerateDataKey", KEY_1, condition)]);
        let kms = Guarded::new(FakeKms::new(), statements, ACCOUNT).unwrap().with_clock(Arc::clone(&clock) as _);
        assert!(block_on(kms.generate(&fit, ALIAS, OBJECT)).is_ok(), "{condition}");
        if let Some(change) = changes.get(place) {
            let mut other = fit.clone();
            change(&mut other);
            assert_eq!(kind(block_on(kms.generate(&other, ALIAS, OBJECT))), KmsErrorKind::AccessDenied, "{condition}");
        }
        if condition.contains("RequestAlias") {
            assert_eq!(kind(block_on(kms.generate(&fit, KEY_1, OBJECT))), KmsErrorKind::AccessDenied);
        }
        if condition.contains("EpochTime") {
            clock.pass(Duration::from_secs(100));
            assert_eq!(kind(block_on(kms.generate(&fit, ALIAS, OBJECT))), KmsErrorKind::AccessDenied);
        }
    }
    // No service at all.
    let (_, _, kms) = guarded(&[alice_may("kms:*", "*", conditions[0])]);
    assert_eq!(kind(block_on(kms.generate(&call("alice"), KEY_1, OBJECT))), KmsErrorKind::AccessDenied);
    // What is described has no context.
    let (_, _, kms) = guarded(&[alice_may("kms:*", "*", conditions[1])]);
    assert_eq!(kind(block_on(kms.describe(&fit, KEY_1))), KmsErrorKind::AccessDenied);
}

/// Whoever may use the first key cannot have the second one by an alias that points to it.
#[test]
fn an_alias_is_decided_as_the_key_that_it_stands_for() {
    let (fake, counted, kms) = guarded(&[alice_may("kms:*", KEY_1, "")]);
    let alice = call("alice");
    for (action, error) in everything(&kms, &alice, ALIAS) {
        assert_eq!(error, None, "{action}");
    }
    fake.repoint(KEY_2);
    fake.know_standing(false);
    let denied = everything(&kms, &alice, ALIAS);
    for (action, error) in denied.into_iter().filter(|(action, _)| *action != "ReEncryptFrom") {
        let error = error.expect(action);
        assert_eq!(error.kind(), KmsErrorKind::AccessDenied);
        assert!(error.message().ends_with(KEY_2), "{error}");
    }
    // From the first key, to the second.
    let source = Source { key: None, blob: b"blob", context: &EncryptionContext::new() };
    let error = block_on(kms.re_encrypt(&alice, &source, ALIAS)).unwrap_err();
    assert!(error.message().ends_with(&format!("kms:ReEncryptTo on resource: {KEY_2}")), "{error}");
    // Nobody keeps what was made for her.
    assert_eq!(fake.alive(), 0);
    assert!(asked(&counted) > 0);
}

#[test]
fn a_ciphertext_that_no_key_is_named_for_is_decided_as_its_key() {
    // The fake says that it was the first one.
    let (_, _, may) = guarded(&[alice_may("kms:Decrypt", KEY_1, "")]);
    assert_eq!(&**block_on(may.decrypt(&call("alice"), None, b"blob")).unwrap().bytes, b"blob");
    let (_, _, may_not) = guarded(&[alice_may("kms:Decrypt", KEY_2, "")]);
    let error = block_on(may_not.decrypt(&call("alice"), None, b"blob")).unwrap_err();
    assert!(error.message().ends_with(KEY_1), "{error}");
    assert_eq!(kind(block_on(may_not.decrypt_data_key(&call("alice"), None, b""))), KmsErrorKind::AccessDenied);
}

#[test]
fn an_answer_of_another_key_than_the_one_that_was_decided_is_refused() {
    let (fake, _, kms) = guarded(&[alice_may("kms:*", "*", "")]);
    let (alice, empty) = (call("alice"), EncryptionContext::new());
    // The fake says of every source that it was under the first key.
    let source = Source { key: Some(KEY_2), blob: b"blob", context: &empty };
    assert_eq!(kind(block_on(kms.re_encrypt(&alice, &source, KEY_1))), KmsErrorKind::IncorrectKey);

    fake.confuse(KEY_2);
    let source = Source { key: Some(KEY_1), blob: b"blob", context: &empty };
    let errors = [
        block_on(kms.encrypt(&alice, KEY_1, b"")).err(),
        block_on(kms.decrypt(&alice, Some(KEY_1), b"")).err(),
        block_on(kms.re_encrypt(&alice, &source, KEY_1)).err(),
        block_on(kms.describe(&alice, KEY_1)).err(),
        block_on(kms.generate_data_key(&alice, KEY_1)).err(),
        block_on(kms.decrypt_data_key(&alice, Some(KEY_1), b"")).err(),
    ];
    assert_eq!(errors.map(|error| error.map(|error| error.kind())), [Some(KmsErrorKind::IncorrectKey); 6]);
}

#[test]
fn a_key_that_is_kept_is_not_given_to_others() {
    let fake = FakeKms::new();
    fake.know_standing(false);
    let counted = Arc::new(FaultyKms::new(Arc::clone(&fake)));
    let cached = Arc::new(CachedKms::new(Arc::clone(&counted), CacheOptions::new()).unwrap());
    let via_s3 = r#""StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com", "kms:EncryptionContext:a": "b"}"#;
    let statements = [alice_may("kms:GenerateDataKey", "*", via_s3), alice_may("kms:Decrypt", "*", via_s3)];
    let kms = Guarded::new(cached, policy(&statements), ACCOUNT).unwrap();
    let context = |value| EncryptionContext::from_pairs([("a", value)]).unwrap();
    let alice = call("alice").via("s3.eu-west-1").with_context(context("b"));

    for name in [KEY_1, ALIAS] {
        let made = block_on(kms.generate(&alice, name, SHARED)).unwrap();
        let before = counted.calls(Operation::Generate);
        block_on(kms.generate(&alice, name, SHARED)).unwrap();
        assert_eq!(counted.calls(Operation::Generate), before, "it is kept");
        let stored = stored(&made, SHARED);
        block_on(kms.reopen(&alice, &stored)).unwrap();
        let others = [
            call("bob").via("s3.eu-west-1").with_context(context("b")),
            call("alice").via("ec2.eu-west-1").with_context(context("b")),
            call("alice").with_context(context("b")),
            call("alice").via("s3.eu-west-1").with_context(context("c")),
        ];
        for other in others {
            assert_eq!(kind(block_on(kms.generate(&other, name, SHARED))), KmsErrorKind::AccessDenied);
            let before = asked(&counted);
            assert_eq!(kind(block_on(kms.reopen(&other, &stored))), KmsErrorKind::AccessDenied);
            assert_eq!(asked(&counted), before, "the service is not asked for a key of a known name");
        }
    }
}

#[test]
fn a_principal_of_another_account_needs_a_policy_of_its_own() {
    let eve = "arn:aws:iam::444455556666:user/eve";
    let statement =
        format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{eve}"}}, "Action": "kms:Decrypt", "Resource": "*"}}"#);
    let (_, _, kms) = guarded(&[statement]);
    let ask = |principal| block_on(kms.decrypt(&Call::of(Arc::new(principal)), Some(KEY_1), b"blob")).map(|_| ());
    assert_eq!(kind(ask(Principal::new(eve))), KmsErrorKind::AccessDenied);
    let own =
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}}"#;
    let own = Arc::new(Policy::parse(own).unwrap());
    assert_eq!(ask(Principal::new(eve).with_policy(own)), Ok(()));
}

#[test]
fn what_is_only_to_be_tried_is_decided_on_a_key() {
    let (fake, counted, kms) = guarded(&[alice_may("kms:*", KEY_1, "")]);
    let mut call = call("alice");
    call.dry_run = true;
    assert!(block_on(kms.encrypt(&call, KEY_1, b"")).is_ok(), "the fake knows no trying");
    assert!(block_on(kms.encrypt(&call, ALIAS, b"")).is_ok());
    fake.repoint(KEY_2);
    let before = counted.calls(Operation::Encrypt);
    assert_eq!(kind(block_on(kms.encrypt(&call, ALIAS, b""))), KmsErrorKind::AccessDenied);
    assert_eq!(counted.calls(Operation::Encrypt), before);
    assert_eq!(kind(block_on(kms.decrypt(&call, None, b""))), KmsErrorKind::Validation);
}

/// The key of a service that has no ARNs.
#[test]
fn an_id_that_is_no_arn_is_one_to_the_policy() {
    let arn = "arn:aws:kms::111122223333:transit/keys/photos";
    let (_, counted, kms) = guarded(&[alice_may("kms:Encrypt", arn, "")]);
    assert!(block_on(kms.encrypt(&call("alice"), "transit/keys/photos", b"")).is_ok());
    let before = asked(&counted);
    for other in ["transit/keys/other", "other/keys/photos", "transit/keys/photos/x"] {
        let error = block_on(kms.encrypt(&call("alice"), other, b"")).unwrap_err();
        assert!(error.message().ends_with(&format!("arn:aws:kms::111122223333:{other}")), "{error}");
    }
    assert_eq!(asked(&counted), before);
}

/// Of another account, by whatever name: the service is not asked.
#[test]
fn a_name_of_another_account_never_reaches_the_service() {
    let (_, counted, kms) = guarded(&[alice_may("kms:*", "*", "")]);
    for key in ["arn:aws:kms:eu-west-1:999988887777:key/key-1", "arn:aws:kms:eu-west-1:999988887777:alias/photos"] {
        for dry_run in [false, true] {
            let mut call = call("alice");
            call.dry_run = dry_run;
            for (action, error) in everything(&kms, &call, key) {
                let error = error.expect(action);
                assert_eq!(error.kind(), KmsErrorKind::AccessDenied, "{action}");
                assert!(error.message().ends_with(&format!("kms:{action} on resource: {key}")), "{error}");
            }
        }
    }
    assert_eq!(asked(&counted), 0);
}

/// A right for ciphertexts that stay under their key says nothing before both keys are known.
#[test]
fn what_may_stay_under_its_key_is_decided_when_both_keys_are_known() {
    let same = |value| alice_may("kms:ReEncrypt*", "*", &format!(r#""Bool": {{"kms:ReEncryptOnSameKey": "{value}"}}"#));
    let (alice, empty) = (call("alice"), EncryptionContext::new());
    for (value, expected) in [("true", None), ("false", Some(KmsErrorKind::AccessDenied))] {
        for (source, key) in [(Some(KEY_1), ALIAS), (None, KEY_1), (None, ALIAS)] {
            let (_, counted, kms) = guarded(&[same(value)]);
            let source = Source { key: source, blob: b"blob", context: &empty };
            let error = block_on(kms.re_encrypt(&alice, &source, key)).err();
            assert_eq!(error.map(|error| error.kind()), expected, "{value}");
            assert_eq!(counted.calls(Operation::ReEncrypt), 1);
        }
    }
}

#[test]
fn what_is_stored_under_another_name_than_an_id_is_not_reopened() {
    let (_, counted, kms) = guarded(&[alice_may("kms:*", "*", "")]);
    for name in [ALIAS, "arn:aws:kms:eu-west-1:111122223333:alias/photos", "key-1", ""] {
        let error = block_on(kms.reopen(&call("alice"), &stored_key(name))).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Validation);
        assert_eq!(error.message(), format!("{name:?} is not the id of a key, by which keys are stored"));
    }
    assert_eq!(asked(&counted), 0);
}

/// IAM user guide, "Policy variables": they stand in resources and in values of conditions.
#[test]
fn a_variable_that_is_not_known_here_is_refused() {
    let statements = [
        alice_may("kms:*", "arn:aws:kms:eu-west-1:111122223333:key/${aws:userid}", ""),
        alice_may("kms:*", "*", r#""StringLike": {"kms:ViaService": "x${aws:userid, 'y'}"}"#),
        alice_may("kms:*", "*", r#""StringEqualsIgnoreCase": {"kms:ViaService": ["x", "${aws:UserId}"]}"#),
        alice_may("kms:*", "*", r#""ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1:user/${aws:userid}"}"#),
        alice_may("kms:*", "*", r#""Null": {"aws:userid": "true"}"#),
    ];
    for statement in statements {
        let error = Guarded::new(FakeKms::new(), policy(std::slice::from_ref(&statement)), ACCOUNT).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::MalformedPolicyDocument, "{statement}");
        assert!(error.message().starts_with("aws:userid is not known to a guard"), "{error}");
    }
}

/// They are absent in AWS as well: AWS KMS developer guide, "Condition keys for AWS KMS", says for each to which operations
/// it applies.
#[test]
fn what_only_other_requests_have_is_absent() {
    let conditions = [
        r#""Bool": {"kms:GrantIsForAWSResource": "true"}"#,
        r#""StringEquals": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256"}"#,
        r#""StringEquals": {"s3:prefix": "x"}"#,
        r#""StringEquals": {"aws:RequestTag/team": "red"}"#,
    ];
    for condition in conditions {
        let (_, _, kms) = guarded(&[alice_may("kms:*", "*", condition), alice_may("kms:Encrypt", "*", "")]);
        let outcomes = everything(&kms, &call("alice"), KEY_1);
        for (action, error) in outcomes {
            let expected = (action != "Encrypt").then_some(KmsErrorKind::AccessDenied);
            assert_eq!(error.map(|error| error.kind()), expected, "{action} {condition}");
        }
    }
}

#[test]
fn a_policy_that_looks_at_what_is_not_known_here_is_refused() {
    let conditions = [
        r#""StringEquals": {"kms:KeyOrigin": "EXTERNAL"}"#,
        r#""ForAnyValue:StringEquals": {"KMS:resourceAliases": "alias/x"}"#,
        r#""StringEquals": {"aws:ResourceTag/team": "red"}"#,
        r#""Bool": {"aws:SecureTransport": "true"}"#,
        r#""StringEquals": {"aws:PrincipalTag/team": "red"}"#,
        r#""Bool": {"kms:MultiRegion": "true"}"#,
    ];
    for condition in conditions {
        let statements = policy(&[alice_may("kms:*", "*", condition)]);
        let error = Guarded::new(FakeKms::new(), statements, ACCOUNT).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::MalformedPolicyDocument);
        assert!(error.message().contains("is not known to a guard"), "{error}");

        let own = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {{{condition}}}}}}}"#
        );
        let principal = Principal::new("arn:aws:iam::111122223333:user/alice");
        let principal = principal.with_policy(Arc::new(Policy::parse(&own).unwrap()));
        let (_, counted, kms) = guarded(&[alice_may("kms:*", "*", "")]);
        let refused = block_on(kms.generate(&Call::of(Arc::new(principal)), KEY_1, OBJECT));
        assert_eq!(kind(refused), KmsErrorKind::MalformedPolicyDocument);
        assert_eq!(asked(&counted), 0);
    }
}
