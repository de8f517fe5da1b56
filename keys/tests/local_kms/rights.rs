//! Principals with few rights who call whatever there is.

use crate::shared::{
    ACCOUNT, DAY, PURPOSE, Store, context, decrypt, encrypt, kind, new_key, owner, policy, root, user,
};
use objseal::Key;
use objseal::envelope::EncryptionContext;
use objseal_keys::clock::Clock;
use objseal_keys::kms::{Call, DataKeys, Kms, KmsErrorKind, Principal, Right, Source, block_on};
use objseal_keys::local::{Constraint, LocalKms, NewGrant, NewKey, Options, RotationPeriod, Wrapping};
use objseal_keys::policy::Policy;
use std::collections::BTreeMap;
use std::sync::Arc;

fn in_memory() -> LocalKms {
    LocalKms::in_memory(&owner(), Options::default()).expect("made")
}

fn arn_of(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

/// A user with a policy of the account.
fn user_with(name: &str, text: &str) -> Call {
    Call::of(Arc::new(Principal::new(arn_of(name)).with_policy(policy(text))))
}

/// A key whose policy has, besides the account, this statement.
fn key_with(kms: &LocalKms, statement: &str) -> String {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}},{statement}]}}"#
    );
    kms.create_key(&root(), NewKey::default().with_policy(policy(&text))).expect("created").arn
}

fn subset(pairs: &[(&str, &str)]) -> Option<Constraint> {
    Some(Constraint::Subset(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()))
}

fn equals(pairs: &[(&str, &str)]) -> Option<Constraint> {
    Some(Constraint::Equals(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()))
}

fn last_line(kms: &LocalKms) -> serde_json::Value {
    serde_json::from_str(kms.audit().lines().last().expect("a line")).expect("JSON")
}

/// AWS KMS API Reference: the context goes with cryptographic operations, others have none that a condition could find.
#[test]
fn a_context_that_is_claimed_gives_no_right_to_operations_without_one() {
    let kms = in_memory();
    let key = key_with(
        &kms,
        &format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"kms:*","Resource":"*",
                "Condition":{{"StringEquals":{{"kms:EncryptionContext:tenant":"1"}}}}}}"#,
            arn_of("t")
        ),
    );
    let claimed = user("t").with_context(context(&[("tenant", "1")]));
    assert!(encrypt(&kms, &claimed, &key, b"plain").is_ok(), "it is bound to the pair");
    for (what, got) in [
        ("describe", kind(block_on(kms.describe(&claimed, &key)))),
        ("disable", kind(kms.disable(&claimed, &key))),
        ("policy", kind(kms.put_policy(&claimed, &key, &policy(r#"{"Statement":[]}"#), true))),
        ("rotate", kind(kms.rotate(&claimed, &key))),
        ("delete", kind(kms.schedule_deletion(&claimed, &key, Default::default()))),
        ("alias", kind(kms.create_alias(&claimed, "alias/a", &key))),
        ("grants", kind(kms.grants(&claimed, &key))),
    ] {
        assert_eq!(got, Some(KmsErrorKind::AccessDenied), "{what}");
    }
}

/// The context of CreateGrant is that of the constraint: AWS KMS Developer Guide, "Using policy conditions with grants".
#[test]
fn a_grant_that_is_made_under_a_condition_on_the_context_has_its_pairs_as_constraint() {
    let kms = in_memory();
    let key = key_with(
        &kms,
        &format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"kms:CreateGrant","Resource":"*",
                "Condition":{{"StringEquals":{{"kms:EncryptionContext:tenant":"1"}}}}}}"#,
            arn_of("t")
        ),
    );
    let claimed = user("t").with_context(context(&[("tenant", "1")]));
    let make = |call: &Call, constraint| {
        let mut new = NewGrant::to(arn_of("t"), ["Decrypt"]);
        new.constraint = constraint;
        kind(kms.create_grant(call, &key, new))
    };
    assert_eq!(make(&claimed, None), Some(KmsErrorKind::AccessDenied), "the call's own words");
    assert_eq!(make(&claimed, subset(&[("tenant", "2")])), Some(KmsErrorKind::AccessDenied));
    assert_eq!(make(&user("t"), subset(&[("tenant", "1")])), None);
    assert_eq!(make(&user("t"), equals(&[("tenant", "1"), ("more", "2")])), None);
}

/// Each condition key, in a policy that denies: without its value the Deny would not be found.
#[test]
fn what_a_deny_looks_at_is_there() {
    let kms = in_memory();
    let expected = |statement: &str, denied: bool, try_it: &dyn Fn(&str) -> Option<KmsErrorKind>| {
        let everyone = format!(r#"{{"Effect":"Deny","Principal":{{"AWS":"*"}},"Resource":"*",{statement}}}"#);
        let got = try_it(&key_with(&kms, &everyone));
        assert_eq!(got == Some(KmsErrorKind::AccessDenied), denied, "{statement}: {got:?}");
    };
    let through = root().via("s3.us-east-1").with_context(context(&[("a", "1")]));
    let mut through = through;
    through.source = Some("192.0.2.7".into());
    let encrypts = |key: &str| kind(encrypt(&kms, &through, key, b"plain"));
    for (condition, denied) in [
        (r#""StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}"#, true),
        (r#""StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}"#, false),
        (r#""ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"a"}"#, true),
        (r#""ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"b"}"#, false),
        (r#""IpAddress":{"aws:SourceIp":"192.0.2.0/24"}"#, true),
        (r#""IpAddress":{"aws:SourceIp":"198.51.100.0/24"}"#, false),
        (r#""NumericGreaterThan":{"aws:EpochTime":"1"}"#, true),
        (r#""DateLessThan":{"aws:CurrentTime":"2001-01-01T00:00:00Z"}"#, false),
        (r#""StringEquals":{"kms:KeyOrigin":"AWS_KMS"}"#, true),
        (r#""StringEquals":{"kms:KeyOrigin":"EXTERNAL"}"#, false),
        (r#""StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT"}"#, true),
    ] {
        expected(&format!(r#""Action":"kms:Encrypt","Condition":{{{condition}}}"#), denied, &encrypts);
    }
    // Aliases: all that the key has, and the one by which it was named.
    let by_alias = |key: &str, name: &dyn Fn(&str) -> String| {
        kms.create_alias(&root(), "alias/a", key).expect("made");
        let got = kind(encrypt(&kms, &root(), &name(key), b"plain"));
        kms.delete_alias(&root(), "alias/a").expect("removed");
        got
    };
    let resource =
        r#""Action":"kms:Encrypt","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/a"}}"#;
    expected(resource, true, &|key| by_alias(key, &str::to_owned));
    let request = r#""Action":"kms:Encrypt","Condition":{"StringEquals":{"kms:RequestAlias":"alias/a"}}"#;
    expected(request, true, &|key| by_alias(key, &|_| "alias/a".into()));
    expected(request, true, &|key| by_alias(key, &|_| format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/a")));
    expected(request, false, &|key| by_alias(key, &str::to_owned));
    // Operations with conditions of their own.
    let grant = |key: &str| {
        let mut new = NewGrant::to(arn_of("g"), ["Decrypt", "Encrypt"]);
        (new.retiring, new.constraint) = (Some(arn_of("r")), subset(&[("a", "1")]));
        kind(kms.create_grant(&root(), key, new))
    };
    for (condition, denied) in [
        (format!(r#""StringEquals":{{"kms:GranteePrincipal":"{}"}}"#, arn_of("g")), true),
        (format!(r#""StringEquals":{{"kms:RetiringPrincipal":"{}"}}"#, arn_of("r")), true),
        (r#""ForAnyValue:StringEquals":{"kms:GrantOperations":"Encrypt"}"#.into(), true),
        (r#""StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}"#.into(), true),
        (r#""Bool":{"kms:GrantIsForAWSResource":"false"}"#.into(), true),
        (r#""Bool":{"kms:GrantIsForAWSResource":"true"}"#.into(), false),
    ] {
        expected(&format!(r#""Action":"kms:CreateGrant","Condition":{{{condition}}}"#), denied, &grant);
    }
    let delete = |key: &str| kind(kms.schedule_deletion(&root(), key, Default::default()));
    let days = r#""NumericEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}"#;
    expected(&format!(r#""Action":"kms:ScheduleKeyDeletion","Condition":{{{days}}}"#), true, &delete);
    let rotation = |key: &str| kind(kms.enable_rotation(&root(), key, RotationPeriod::default()));
    let days = r#""NumericEquals":{"kms:RotationPeriodInDays":"365"}"#;
    expected(&format!(r#""Action":"kms:EnableKeyRotation","Condition":{{{days}}}"#), true, &rotation);
    let put = |bypass| {
        let kms = &kms;
        move |key: &str| {
            let new = policy(&format!(
                r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}}}}"#
            ));
            kind(kms.put_policy(&root(), key, &new, bypass))
        }
    };
    let bypass = r#""Action":"kms:PutKeyPolicy","Condition":{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}"#;
    expected(bypass, true, &put(true));
    expected(bypass, false, &put(false));
}

/// AWS KMS Developer Guide, "kms:ReEncryptOnSameKey": whether the new key is the one that it is under.
#[test]
fn a_policy_sees_whether_the_key_stays_the_same() {
    let kms = in_memory();
    let other = new_key(&kms);
    for (operation, same_only) in [("ReEncryptFrom", false), ("ReEncryptFrom", true), ("ReEncryptTo", true)] {
        let denied = !same_only;
        let key = key_with(
            &kms,
            &format!(
                r#"{{"Effect":"Deny","Principal":{{"AWS":"*"}},"Action":"kms:{operation}","Resource":"*",
                    "Condition":{{"Bool":{{"kms:ReEncryptOnSameKey":"{denied}"}}}}}}"#
            ),
        );
        let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
        let other_blob = encrypt(&kms, &root(), &other, b"plain").expect("encrypted");
        let none = EncryptionContext::new();
        let anew = |blob: &[u8], to: &str| {
            kind(block_on(kms.re_encrypt(&root(), &Source { key: None, blob, context: &none }, to)))
        };
        let elsewhere = if operation == "ReEncryptFrom" { anew(&blob, &other) } else { anew(&other_blob, &key) };
        let denied = Some(KmsErrorKind::AccessDenied);
        let (same, different) = if same_only { (None, denied) } else { (denied, None) };
        assert_eq!(anew(&blob, &key), same, "{operation}");
        assert_eq!(elsewhere, different, "{operation}");
    }
}

/// AWS KMS Developer Guide: these condition keys are there for CreateKey as well.
#[test]
fn conditions_on_making_keys_are_held_against_the_key_that_is_made() {
    let kms = in_memory();
    let deny = |name: &str, condition: &str| {
        user_with(
            name,
            &format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"kms:*","Resource":"*"}},
                    {{"Effect":"Deny","Action":"kms:CreateKey","Resource":"*","Condition":{{{condition}}}}}]}}"#
            ),
        )
    };
    let no_bypass = deny("a", r#""Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}"#);
    let mut bypass = NewKey::default();
    bypass.bypass_lockout_check = true;
    assert_eq!(kind(kms.create_key(&no_bypass, bypass)), Some(KmsErrorKind::AccessDenied));
    assert_eq!(kind(kms.create_key(&no_bypass, NewKey::default())), None);
    let own_material = deny("b", r#""StringEquals":{"kms:KeyOrigin":"EXTERNAL"}"#);
    let imported = NewKey::default().with_imported_material();
    assert_eq!(kind(kms.create_key(&own_material, imported)), Some(KmsErrorKind::AccessDenied));
    assert_eq!(kind(kms.create_key(&own_material, NewKey::default())), None);
    let no_such = deny("c", r#""StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT"}"#);
    assert_eq!(kind(kms.create_key(&no_such, NewKey::default())), Some(KmsErrorKind::AccessDenied));
}

#[test]
fn a_policy_that_can_be_changed_without_bypass_only_locks_nobody_out() {
    let kms = in_memory();
    let careful = policy(&format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:PutKeyPolicy","Resource":"*",
            "Condition":{{"Bool":{{"kms:BypassPolicyLockoutSafetyCheck":"false"}}}}}}]}}"#
    ));
    let key = new_key(&kms);
    assert_eq!(kind(kms.put_policy(&root(), &key, &careful, false)), None);
    assert_eq!(kind(kms.put_policy(&root(), &key, &careful, true)), Some(KmsErrorKind::AccessDenied));
    // To see the policy is not to change it.
    let seen = policy(&format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:GetKeyPolicy","Resource":"*"}}]}}"#
    ));
    assert_eq!(kind(kms.put_policy(&root(), &key, &seen, false)), Some(KmsErrorKind::MalformedPolicyDocument));
}

#[test]
fn to_try_the_same_grant_again_changes_nothing() {
    let kms = in_memory();
    let key = new_key(&kms);
    let mut new = NewGrant::to(arn_of("g"), ["Decrypt"]);
    new.name = Some("name".into());
    kms.create_grant(&root(), &key, new.clone()).expect("granted");
    let generation = kms.audit().head().generation;
    let mut dry = root();
    dry.dry_run = true;
    assert_eq!(kind(kms.create_grant(&dry, &key, new)), Some(KmsErrorKind::DryRun));
    assert_eq!(kms.audit().head().generation, generation);
}

#[test]
fn the_same_grant_is_one_with_the_same_name_and_all_the_rest() {
    let kms = in_memory();
    let key = new_key(&kms);
    let make = |name: Option<&str>, grantee: &str, operations: &[&str], constraint, retiring: Option<&str>| {
        let mut new = NewGrant::to(arn_of(grantee), operations.iter().copied());
        (new.name, new.constraint, new.retiring) = (name.map(Into::into), constraint, retiring.map(arn_of));
        kms.create_grant(&root(), &key, new).expect("granted")
    };
    let first = make(Some("n"), "g", &["Decrypt"], None, None);
    assert_eq!(make(Some("n"), "g", &["Decrypt"], None, None), first);
    let others = [
        make(Some("m"), "g", &["Decrypt"], None, None),
        make(Some("n"), "h", &["Decrypt"], None, None),
        make(Some("n"), "g", &["Encrypt"], None, None),
        make(Some("n"), "g", &["Decrypt"], subset(&[("a", "1")]), None),
        make(Some("n"), "g", &["Decrypt"], None, Some("r")),
        make(None, "g", &["Decrypt"], None, None),
        make(None, "g", &["Decrypt"], None, None),
    ];
    let ids: std::collections::BTreeSet<_> = others.iter().chain([&first]).collect();
    assert_eq!(ids.len(), 8, "each its own");
    kms.revoke_grant(&root(), &key, &first).expect("revoked");
    assert_eq!(kms.grants(&root(), &key).expect("listed").len(), 7, "the others stay");
}

#[test]
fn a_grant_for_exactly_some_pairs_is_for_no_others_and_gives_on_no_more() {
    let kms = in_memory();
    let key = new_key(&kms);
    let mut new = NewGrant::to(arn_of("g"), ["Encrypt", "Decrypt", "CreateGrant"]);
    new.constraint = equals(&[("tenant", "1")]);
    kms.create_grant(&root(), &key, new).expect("granted");
    let of = |pairs: &[(&str, &str)]| user("g").with_context(context(pairs));
    assert!(encrypt(&kms, &of(&[("tenant", "1")]), &key, b"plain").is_ok());
    for pairs in [&[][..], &[("tenant", "2")], &[("tenant", "1"), ("more", "2")], &[("Tenant", "1")]] {
        assert_eq!(kind(encrypt(&kms, &of(pairs), &key, b"plain")), Some(KmsErrorKind::AccessDenied), "{pairs:?}");
    }
    let give = |constraint| {
        let mut new = NewGrant::to(arn_of("h"), ["Decrypt"]);
        new.constraint = constraint;
        kind(kms.create_grant(&user("g"), &key, new))
    };
    assert_eq!(give(equals(&[("tenant", "1")])), None);
    let denied = Some(KmsErrorKind::AccessDenied);
    for constraint in
        [None, subset(&[]), subset(&[("tenant", "1")]), equals(&[("tenant", "1"), ("more", "2")]), equals(&[])]
    {
        assert_eq!(give(constraint.clone()), denied, "{constraint:?}");
    }
}

#[test]
fn who_is_neither_named_nor_lets_go_of_their_own_retires_no_grant() {
    let kms = in_memory();
    let key = new_key(&kms);
    let grant = |operations: &[&str]| {
        let mut new = NewGrant::to(arn_of("g"), operations.iter().copied());
        new.retiring = Some(arn_of("r"));
        kms.create_grant(&root(), &key, new).expect("granted")
    };
    let stranger_root = Call::of(Arc::new(Principal::root_of("999999999999")));
    let one = grant(&["Decrypt"]);
    for refused in [user("g"), user("h"), stranger_root] {
        assert_eq!(kind(kms.retire_grant(&refused, &key, &one)), Some(KmsErrorKind::AccessDenied));
        // Whether there is such a grant is not told either.
        assert_eq!(kind(kms.retire_grant(&refused, &key, "none")), Some(KmsErrorKind::AccessDenied));
    }
    assert_eq!(kind(kms.retire_grant(&user("r"), &key, &one)), None);
    let own = grant(&["Decrypt", "RetireGrant"]);
    let another = grant(&["Decrypt"]);
    assert_eq!(
        kind(kms.retire_grant(&user("g"), &key, &another)),
        Some(KmsErrorKind::AccessDenied),
        "not with another"
    );
    assert_eq!(kind(kms.retire_grant(&user("g"), &key, &own)), None);
    assert_eq!(kind(kms.retire_grant(&root(), &key, &another)), None, "the account made it");
    assert!(kms.grants(&root(), &key).expect("listed").is_empty());
}

#[test]
fn a_grant_to_an_account_is_not_one_to_its_users() {
    let kms = in_memory();
    let key = new_key(&kms);
    kms.create_grant(&root(), &key, NewGrant::to("arn:aws:iam::999999999999:root", ["Encrypt"])).expect("granted");
    let of = |arn: &str| Call::of(Arc::new(Principal::new(arn)));
    assert_eq!(kind(encrypt(&kms, &of("arn:aws:iam::999999999999:root"), &key, b"plain")), None);
    for other in ["arn:aws:iam::999999999999:user/a", "arn:aws:iam::111122223333:user/root", "root"] {
        assert_eq!(kind(encrypt(&kms, &of(other), &key, b"plain")), Some(KmsErrorKind::AccessDenied), "{other}");
    }
}

/// AWS KMS API Reference, CreateGrant: an ARN has at most 256 characters of a few kinds, a grant each operation once.
#[test]
fn nobody_fills_a_record_with_a_grant() {
    let kms = in_memory();
    let key = new_key(&kms);
    let long = |len: usize| {
        let start = format!("arn:aws:iam::{ACCOUNT}:user/");
        format!("{start}{}", "a".repeat(len - start.len()))
    };
    let try_it = |new: NewGrant| kind(kms.create_grant(&root(), &key, new));
    let retiring = |arn: String| {
        let mut new = NewGrant::to(arn_of("g"), ["Decrypt"]);
        new.retiring = Some(arn);
        new
    };
    let invalid = Some(KmsErrorKind::Validation);
    assert_eq!(try_it(NewGrant::to(long(256), ["Decrypt"])), None);
    assert_eq!(try_it(NewGrant::to(long(257), ["Decrypt"])), invalid);
    assert_eq!(try_it(retiring(long(256))), None);
    assert_eq!(try_it(retiring(long(257))), invalid);
    assert_eq!(try_it(NewGrant::to(arn_of("a\nb"), ["Decrypt"])), invalid);
    assert_eq!(try_it(NewGrant::to(arn_of("g"), ["Decrypt"; 1_000])), invalid);
    let mut named = NewGrant::to(arn_of("g"), ["Decrypt"]);
    for (len, expected) in [(0, invalid), (256, None), (257, invalid)] {
        named.name = Some("n".repeat(len));
        assert_eq!(try_it(named.clone()), expected, "{len}");
    }
    // As many pairs as a context can have, and one more.
    for (count, expected) in [(64, None), (65, invalid)] {
        let pairs: BTreeMap<_, _> = (0..count).map(|number| (format!("k{number:02}"), "v".into())).collect();
        let mut new = NewGrant::to(arn_of("g"), ["Decrypt"]);
        new.constraint = Some(Constraint::Subset(pairs));
        assert_eq!(try_it(new), expected, "{count} pairs");
    }
}

#[test]
fn a_name_in_an_error_has_no_control_characters_and_an_end() {
    let kms = in_memory();
    let key = new_key(&kms);
    let hostile = "\u{1b}[31m\r\n\u{7f}x";
    let long = "a".repeat(1 << 20);
    for name in [
        hostile.into(),
        format!("arn:{hostile}"),
        format!("arn:aws:kms:{hostile}:1:key/{}", id_of(&key)),
        format!("arn:aws:kms:us-east-1:{hostile}:key/{}", id_of(&key)),
        format!("alias/{hostile}"),
        long.clone(),
        format!("arn:{long}"),
        format!("arn:aws:kms:{long}:1:key/{}", id_of(&key)),
    ] {
        let error = block_on(kms.describe(&root(), &name)).expect_err("refused");
        assert!(matches!(error.kind(), KmsErrorKind::NotFound | KmsErrorKind::InvalidArn), "{error}");
        assert!(!error.message().contains(char::is_control), "{error:?}");
        assert!(error.message().len() < 10_000, "{} bytes", error.message().len());
    }
    for grant in [hostile, &long] {
        let error = kms.revoke_grant(&root(), &key, grant).expect_err("none");
        assert_eq!(error.kind(), KmsErrorKind::NotFound);
        assert!(!error.message().contains(char::is_control) && error.message().len() < 10_000, "{error:?}");
    }
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().expect("an id")
}

#[test]
fn nobody_of_another_account_and_nobody_who_only_tries_has_the_service_key_made() {
    let kms = in_memory();
    let through_s3 = |call: Call| call.via("s3.us-east-1");
    let stranger = Call::of(Arc::new(Principal::new("arn:aws:iam::999999999999:user/a")));
    let mut dry = through_s3(user("a"));
    dry.dry_run = true;
    for early in [through_s3(stranger), dry] {
        let got = kind(block_on(kms.generate(&early, "alias/aws/s3", PURPOSE)));
        assert_eq!(got, Some(KmsErrorKind::NotFound));
        assert!(kms.keys(&root()).expect("listed").is_empty());
    }
    assert!(block_on(kms.generate(&through_s3(user("a")), "alias/aws/s3", PURPOSE)).is_ok());
}

#[test]
fn a_call_that_is_late_rotates_nothing_and_makes_no_key() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
    store.clock.pass(365 * DAY);
    let late = root().until(store.clock.instant()).via("s3.us-east-1");
    for (what, got) in [
        ("encrypt", kind(encrypt(&kms, &late, &key, b"plain"))),
        ("generate", kind(block_on(kms.generate(&late, &key, PURPOSE)))),
        ("standing", kind(block_on(kms.standing(&late, &key, Right::Generate)))),
        ("service key", kind(block_on(kms.generate(&late, "alias/aws/s3", PURPOSE)))),
    ] {
        assert_eq!(got, Some(KmsErrorKind::DependencyTimeout), "{what}");
    }
    assert_eq!(kms.versions(&root(), &key).expect("listed").len(), 1);
    assert_eq!(kms.keys(&root()).expect("listed").len(), 1);
}

#[test]
fn each_right_is_only_itself() {
    let kms = in_memory();
    let key = new_key(&kms);
    let none = EncryptionContext::new();
    let blob = encrypt(&kms, &root(), &key, &[1; 32]).expect("encrypted");
    let stored =
        objseal_keys::kms::StoredKey { key_id: key.clone(), key_version: 1, purpose: PURPOSE, blob: blob.clone() };
    let source = Source { key: None, blob: &blob, context: &none };
    let mut bypass = NewKey::default();
    bypass.bypass_lockout_check = true;
    let waiting = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("created").arn;
    let how = Wrapping::new("RSAES_OAEP_SHA_256", "RSA_4096");
    let begin = |call: &Call| kms.begin_import(call, &waiting, &how, || Ok(b"a private key".to_vec().into()));
    let token = begin(&root()).expect("begun").token;
    let open = |_: &Wrapping, _: &[u8]| Ok(Key::from_bytes(&[7; 32]));
    let calls = |call: &Call| {
        [
            ("GenerateDataKey", kind(block_on(kms.generate(call, &key, PURPOSE)))),
            ("GenerateDataKey", kind(block_on(kms.generate_data_key(call, &key)))),
            ("GenerateDataKey", kind(block_on(kms.standing(call, &key, Right::Generate)))),
            ("Decrypt", kind(block_on(kms.standing(call, &key, Right::Decrypt)))),
            ("Decrypt", kind(block_on(kms.reopen(call, &stored)))),
            ("Decrypt", kind(block_on(kms.decrypt_data_key(call, None, &blob)))),
            ("Decrypt", kind(decrypt(&kms, call, &blob))),
            ("Encrypt", kind(encrypt(&kms, call, &key, b"plain"))),
            ("ReEncrypt", kind(block_on(kms.re_encrypt(call, &source, &key)))),
            ("DescribeKey", kind(block_on(kms.describe(call, &key)))),
            ("EnableKey", kind(kms.enable(call, &key))),
            ("UpdateKeyDescription", kind(kms.update_description(call, &key, "words"))),
            ("GetKeyPolicy", kind(kms.policy(call, &key).map(|_| ()))),
            ("GetKeyPolicy", kind(kms.explain(call, &root(), &key, "Decrypt"))),
            ("ListGrants", kind(kms.grants(call, &key))),
            ("GetKeyRotationStatus", kind(kms.rotation(call, &key))),
            ("ListKeyRotations", kind(kms.versions(call, &key))),
            ("RotateKeyOnDemand", kind(kms.rotate(call, &key))),
            ("ListKeys", kind(kms.keys(call))),
            ("ListAliases", kind(kms.aliases(call))),
            ("CreateKey", kind(kms.create_key(call, bypass.clone()))),
            ("GenerateDataKey", kind(kms.generate_data_key_of(call, &key, 64))),
            ("GenerateDataKeyWithoutPlaintext", kind(kms.generate_data_key_without_plaintext(call, &key, 32))),
            ("GenerateRandom", kind(kms.generate_random(call, 32))),
            ("ListRetirableGrants", kind(kms.retirable_grants(call, &arn_of("r")))),
            ("GetParametersForImport", kind(begin(call))),
            ("ImportKeyMaterial", kind(kms.import_wrapped(call, &waiting, &token, open, None))),
            ("TagResource", kind(kms.set_tags(call, &key, &[("a".into(), "1".into())].into()))),
            ("UntagResource", kind(kms.remove_tags(call, &key, &["a".into()]))),
            ("ListResourceTags", kind(kms.tags(call, &key))),
        ]
    };
    let names: std::collections::BTreeSet<_> = calls(&root()).iter().map(|(operation, _)| *operation).collect();
    for right in names {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"kms:{right}{}","Resource":"*"}}}}"#,
            if right == "ReEncrypt" { "*" } else { "" }
        );
        for (operation, got) in calls(&user_with("u", &text)) {
            let expected = if operation == right { None } else { Some(KmsErrorKind::AccessDenied) };
            assert_eq!(got, expected, "{operation} with {right}");
        }
    }
}

#[test]
fn an_alias_takes_the_right_on_itself_and_on_each_key() {
    let kms = in_memory();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/a");
    let with = |resources: &[&str]| {
        let resources = serde_json::to_string(resources).expect("JSON");
        user_with(
            "u",
            &format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"kms:*","Resource":{resources}}}}}"#
            ),
        )
    };
    let denied = Some(KmsErrorKind::AccessDenied);
    assert_eq!(kind(kms.create_alias(&with(&[&key]), "alias/a", &key)), denied);
    assert_eq!(kind(kms.create_alias(&with(&[&alias_arn]), "alias/a", &key)), denied);
    assert_eq!(kind(kms.create_alias(&with(&[&alias_arn, &key]), "alias/a", &key)), None);
    assert_eq!(kind(kms.update_alias(&with(&[&key, &other]), "alias/a", &other)), denied);
    assert_eq!(kind(kms.update_alias(&with(&[&alias_arn, &key]), "alias/a", &other)), denied);
    assert_eq!(kind(kms.update_alias(&with(&[&alias_arn, &other]), "alias/a", &other)), denied, "it was of another");
    assert_eq!(kind(kms.update_alias(&with(&[&alias_arn, &key, &other]), "alias/a", &other)), None);
    assert_eq!(kind(kms.delete_alias(&with(&[&other]), "alias/a")), denied);
    assert_eq!(kind(kms.delete_alias(&with(&[&alias_arn]), "alias/a")), denied);
    assert_eq!(kind(kms.delete_alias(&with(&[&alias_arn, &other]), "alias/a")), None);
}

#[test]
fn to_try_tells_nothing_of_a_ciphertext() {
    let kms = in_memory();
    let key = new_key(&kms);
    let call = root().with_context(context(&[("a", "1")]));
    let blob = encrypt(&kms, &call, &key, b"plain").expect("encrypted");
    let mut changed = blob.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    let mut dry = root().with_context(context(&[("a", "2")]));
    dry.dry_run = true;
    for blob in [&blob, &changed] {
        assert_eq!(kind(decrypt(&kms, &dry, blob)), Some(KmsErrorKind::DryRun));
        let source = Source { key: None, blob, context: &dry.context };
        assert_eq!(kind(block_on(kms.re_encrypt(&dry, &source, &key))), Some(KmsErrorKind::DryRun));
    }
    assert_eq!(kind(block_on(kms.generate(&dry, &key, PURPOSE))), Some(KmsErrorKind::DryRun));
}

#[test]
fn policies_of_32_kib_and_64_pairs_are_decided() {
    let kms = in_memory();
    let statement = format!(
        r#"{{"Effect":"Deny","Principal":{{"AWS":"*"}},"Action":"kms:Encrypt","Resource":"*","Condition":{{"StringLike":{{"kms:EncryptionContext:k63":"{}b"}}}}}},"#,
        "*a".repeat(60)
    );
    let mut text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}},"#
    );
    while text.len() + statement.len() < 32 * 1024 - 2 {
        text.push_str(&statement);
    }
    text.pop();
    text.push_str("]}");
    let longest = format!("{text}{}", " ".repeat(32 * 1024 - text.len()));
    assert!(Policy::parse(&format!("{longest} ")).is_err());
    let key = kms.create_key(&root(), NewKey::default().with_policy(policy(&longest))).expect("created").arn;
    let value = "a".repeat(112);
    let keys: Vec<_> = (0..64).map(|number| format!("k{number:02}")).collect();
    let pairs: Vec<_> = keys.iter().map(|key| (key.as_str(), value.as_str())).collect();
    let call = root().with_context(context(&pairs));
    let begin = std::time::Instant::now();
    let blob = encrypt(&kms, &call, &key, b"plain").expect("encrypted");
    println!("a policy of 32 KiB and 64 pairs: {:?}", begin.elapsed());
    assert_eq!(decrypt(&kms, &call, &blob).expect("decrypted"), b"plain");
    assert_eq!(last_line(&kms)["context"].as_object().map(serde_json::Map::len), Some(64));
}

#[test]
fn each_half_of_a_re_encryption_is_held_against_its_own_context() {
    let kms = in_memory();
    for (operation, tenant) in [("ReEncryptFrom", "1"), ("ReEncryptTo", "2")] {
        let key = key_with(
            &kms,
            &format!(
                r#"{{"Effect":"Deny","Principal":{{"AWS":"*"}},"Action":"kms:{operation}","Resource":"*",
                    "Condition":{{"StringNotEquals":{{"kms:EncryptionContext:tenant":"{tenant}"}}}}}}"#
            ),
        );
        let of = |tenant: &str| context(&[("tenant", tenant)]);
        let anew = |from: &str, to: &str| {
            let blob = encrypt(&kms, &root().with_context(of(from)), &key, b"plain").expect("encrypted");
            let source = Source { key: None, blob: &blob, context: &of(from) };
            kind(block_on(kms.re_encrypt(&root().with_context(of(to)), &source, &key)))
        };
        assert_eq!(anew("1", "2"), None, "{operation}");
        assert_eq!(anew("2", "1"), Some(KmsErrorKind::AccessDenied), "{operation}");
    }
}

#[test]
fn a_wrapping_key_is_of_the_key_that_it_says() {
    let kms = in_memory();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let made = block_on(kms.generate(&root(), &key, PURPOSE)).expect("made");
    let stored = |key_id: &str| {
        let (key_id, blob) = (key_id.into(), made.blob().into());
        objseal_keys::kms::StoredKey { key_id, key_version: 1, purpose: PURPOSE, blob }
    };
    assert_eq!(kind(block_on(kms.reopen(&root(), &stored(&other)))), Some(KmsErrorKind::IncorrectKey));
    assert!(block_on(kms.reopen(&root(), &stored(&key))).is_ok());
    let source = Source { key: Some(&other), blob: made.blob(), context: &EncryptionContext::new() };
    assert_eq!(kind(block_on(kms.re_encrypt(&root(), &source, &key))), Some(KmsErrorKind::IncorrectKey));
}

#[test]
fn a_key_has_no_name_of_another_service_or_partition() {
    let kms = in_memory();
    let key = new_key(&kms);
    for (name, expected) in [
        (key.replace(":kms:", ":s3:"), KmsErrorKind::InvalidArn),
        (key.replace("arn:aws:", "arn:aws-cn:"), KmsErrorKind::NotFound),
        (key.replace(":key/", ":alias/"), KmsErrorKind::NotFound),
        (key.replace(":key/", ":"), KmsErrorKind::InvalidArn),
    ] {
        assert_eq!(kind(block_on(kms.describe(&root(), &name))), Some(expected), "{name}");
    }
    for (len, expected) in [(256, None), (257, Some(KmsErrorKind::InvalidAliasName))] {
        let alias = format!("alias/{}", "a".repeat(len - 6));
        assert_eq!(kind(kms.create_alias(&root(), &alias, &key)), expected, "{len}");
    }
    for (len, expected) in [(8_192, None), (8_193, Some(KmsErrorKind::Validation))] {
        let words = "a".repeat(len);
        assert_eq!(kind(kms.update_description(&root(), &key, &words)), expected, "{len}");
        assert_eq!(kind(kms.create_key(&root(), NewKey::described(words))), expected, "{len}");
    }
}

#[test]
fn no_key_is_made_with_a_policy_that_cannot_be_decided() {
    let kms = in_memory();
    let strange = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*",
            "Condition":{{"StringSoundsLike":{{"kms:ViaService":"s3"}}}}}}}}"#
    );
    let mut new = NewKey::default().with_policy(policy(&strange));
    new.bypass_lockout_check = true;
    assert_eq!(kind(kms.create_key(&root(), new)), Some(KmsErrorKind::MalformedPolicyDocument));
}
