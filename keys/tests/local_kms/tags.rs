//! Tags: what they are, and what policies see of them.

use crate::shared::{ACCOUNT, PURPOSE, Store, context, encrypt, kind, new_key, owner, policy, root, user};
use objseal_keys::kms::{Call, Kms, KmsErrorKind, Principal, block_on};
use objseal_keys::local::{LocalKms, NewKey, Options};
use std::collections::BTreeMap;
use std::sync::Arc;

fn in_memory() -> LocalKms {
    LocalKms::in_memory(&owner(), Options::default()).expect("made")
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).into()).collect()
}

/// A user with these statements of a policy of the account.
fn user_with(statements: &str) -> Call {
    let own = policy(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#));
    Call::of(Arc::new(Principal::new(format!("arn:aws:iam::{ACCOUNT}:user/u")).with_policy(own)))
}

fn allow(action: &str, condition: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":{action},"Resource":"*","Condition":{{{condition}}}}}"#)
}

#[test]
fn tags_are_added_replaced_and_removed() {
    let store = Store::new();
    let kms = store.open();
    let key = kms.create_key(&root(), NewKey::default().with_tags(tags(&[("stage", "test")]))).expect("created").arn;
    assert_eq!(kms.tags(&root(), &key).expect("listed"), tags(&[("stage", "test")]));
    kms.set_tags(&root(), &key, &tags(&[("stage", "production"), ("Stage", ""), ("größe 1/2", "a+b=c@d.e:f_g-h")]))
        .expect("set");
    let all = tags(&[("stage", "production"), ("Stage", ""), ("größe 1/2", "a+b=c@d.e:f_g-h")]);
    assert_eq!(kms.tags(&root(), &key).expect("listed"), all);
    drop(kms);
    let kms = store.open();
    assert_eq!(kms.tags(&root(), &key).expect("listed"), all);
    // AWS KMS API Reference, UntagResource: a name that is not there is no error.
    kms.remove_tags(&root(), &key, &names(&["Stage", "größe 1/2", "none"])).expect("removed");
    assert_eq!(kms.tags(&root(), &key).expect("listed"), tags(&[("stage", "production")]));
    assert_eq!(kms.tags(&root(), &new_key(&kms)).expect("listed"), tags(&[]), "only of this key");
}

/// AWS KMS API Reference, Tag: 1 to 128 and 0 to 256 characters. Quotas: 50 tags. User-Defined Tag Restrictions: which characters,
/// and that `aws:` is reserved.
#[test]
fn a_tag_has_bounds() {
    let kms = in_memory();
    let key = new_key(&kms);
    let (long, longer) = ("ä".repeat(128), "ä".repeat(129));
    let (value, longer_value) = ("ä".repeat(256), "ä".repeat(257));
    kms.set_tags(&root(), &key, &tags(&[(&long, &value), ("x", "")])).expect("the longest and the shortest");
    for (name, value, expected) in [
        ("", "", KmsErrorKind::Validation),
        (longer.as_str(), "", KmsErrorKind::Validation),
        ("a", longer_value.as_str(), KmsErrorKind::Validation),
        ("aws:a", "", KmsErrorKind::Tag),
        ("AwS:a", "", KmsErrorKind::Tag),
        ("a", "aws:a", KmsErrorKind::Tag),
        ("a*b", "", KmsErrorKind::Tag),
        ("a", "a?b", KmsErrorKind::Tag),
        ("a", "${aws:username}", KmsErrorKind::Tag),
        ("a\n", "", KmsErrorKind::Tag),
        ("a", "\0", KmsErrorKind::Tag),
    ] {
        let bad = tags(&[("good", "1"), (name, value)]);
        assert_eq!(kind(kms.set_tags(&root(), &key, &bad)), Some(expected), "{name:?} {value:?}");
        let new = NewKey::default().with_tags(bad);
        assert_eq!(kind(kms.create_key(&root(), new)), Some(expected), "{name:?} {value:?}");
    }
    for (name, expected) in
        [("", KmsErrorKind::Validation), (&longer, KmsErrorKind::Validation), ("aws:a", KmsErrorKind::Tag)]
    {
        assert_eq!(kind(kms.remove_tags(&root(), &key, &names(&["x", name]))), Some(expected), "{name:?}");
    }
    assert_eq!(kms.tags(&root(), &key).expect("listed"), tags(&[(&long, &value), ("x", "")]), "nothing was changed");
    for fine in ["aws", "aws-a", "xaws:", "awsä:"] {
        assert_eq!(kind(kms.set_tags(&root(), &key, &tags(&[(fine, fine)]))), None, "{fine}");
    }
    assert_eq!(kms.keys(&root()).expect("listed").len(), 1);
}

#[test]
fn a_key_has_at_most_50_tags() {
    let kms = in_memory();
    let numbered = |range: std::ops::Range<u32>| range.map(|n| (n.to_string(), String::new())).collect();
    let full: BTreeMap<_, _> = numbered(0..50);
    let key = kms.create_key(&root(), NewKey::default().with_tags(full.clone())).expect("created").arn;
    let over = Some(KmsErrorKind::LimitExceeded);
    assert_eq!(kind(kms.create_key(&root(), NewKey::default().with_tags(numbered(0..51)))), over);
    assert_eq!(kind(kms.set_tags(&root(), &key, &tags(&[("one more", "")]))), over);
    assert_eq!(kms.tags(&root(), &key).expect("listed"), full);
    kms.set_tags(&root(), &key, &tags(&[("0", "another value")])).expect("it is there already");
    kms.remove_tags(&root(), &key, &names(&["1"])).expect("removed");
    kms.set_tags(&root(), &key, &tags(&[("one more", "")])).expect("there is room");
    assert_eq!(kms.tags(&root(), &key).expect("listed").len(), 50);
}

#[test]
fn a_key_of_the_service_has_no_tags() {
    let kms = in_memory();
    let call = user("a").via("s3.us-east-1").with_context(context(&[("aws:s3:arn", "arn:aws:s3:::bucket/key")]));
    block_on(kms.generate(&call, "alias/aws/s3", PURPOSE)).expect("made");
    let denied = Some(KmsErrorKind::AccessDenied);
    assert_eq!(kind(kms.set_tags(&root(), "alias/aws/s3", &tags(&[("a", "1")]))), denied);
    assert_eq!(kind(kms.remove_tags(&root(), "alias/aws/s3", &names(&["a"]))), denied);
    assert_eq!(kms.tags(&root(), "alias/aws/s3").expect("its policy lets the account"), tags(&[]));
}

/// AWS KMS Developer Guide, "ABAC for AWS KMS".
#[test]
fn the_tags_of_a_key_give_and_take_rights() {
    let kms = in_memory();
    let key = new_key(&kms);
    let testers = user_with(&allow(r#""kms:Encrypt""#, r#""StringEquals":{"aws:ResourceTag/stage":"test"}"#));
    let denied = Some(KmsErrorKind::AccessDenied);
    for (set, expected) in [
        (&[][..], denied),
        (&[("stage", "production")], denied),
        (&[("stages", "test")], denied),
        (&[("stage", "test"), ("more", "words")], None),
        // The name of a condition key has no case, so this would be two values.
        (&[("stage", "test"), ("STAGE", "production")], denied),
    ] {
        kms.set_tags(&root(), &key, &tags(set)).expect("set");
        assert_eq!(kind(encrypt(&kms, &testers, &key, b"plain")), expected, "{set:?}");
        kms.remove_tags(&root(), &key, &names(&["stage", "STAGE", "stages", "more"])).expect("removed");
    }
    // A Deny of the key's own policy, for the account as well.
    let own = policy(&format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}},
            {{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*",
              "Condition":{{"StringEquals":{{"aws:ResourceTag/locked":"yes"}}}}}}]}}"#
    ));
    kms.put_policy(&root(), &key, &own, false).expect("put");
    assert_eq!(kind(encrypt(&kms, &root(), &key, b"plain")), None);
    kms.set_tags(&root(), &key, &tags(&[("locked", "yes")])).expect("set");
    assert_eq!(kind(encrypt(&kms, &root(), &key, b"plain")), denied);
}

/// Service Authorization Reference, AWS KMS: aws:RequestTag and aws:TagKeys for TagResource and CreateKey, aws:TagKeys for
/// UntagResource, and aws:ResourceTag for all that is done to a key.
#[test]
fn a_policy_sees_the_tags_of_a_request() {
    let kms = in_memory();
    let key = kms.create_key(&root(), NewKey::default().with_tags(tags(&[("team", "red")]))).expect("created").arn;
    let denied = Some(KmsErrorKind::AccessDenied);
    let set = |condition: &str, set: &[(&str, &str)]| {
        kind(kms.set_tags(&user_with(&allow(r#""kms:TagResource""#, condition)), &key, &tags(set)))
    };
    let stage = r#""StringEquals":{"aws:RequestTag/stage":"test"}"#;
    assert_eq!(set(stage, &[("stage", "test")]), None);
    assert_eq!(set(stage, &[("stage", "production")]), denied);
    assert_eq!(set(stage, &[("other", "test")]), denied);
    let only = r#""ForAllValues:StringEquals":{"aws:TagKeys":["stage","color"]}"#;
    assert_eq!(set(only, &[("stage", "test"), ("color", "")]), None);
    assert_eq!(set(only, &[("stage", "test"), ("other", "")]), denied);
    let own = r#""StringEquals":{"aws:ResourceTag/team":"red"}"#;
    assert_eq!(set(own, &[("a", "1")]), None);
    let taken = r#""StringEquals":{"aws:ResourceTag/team":"blue"}"#;
    assert_eq!(set(taken, &[("team", "blue")]), denied, "the tags that it would have give no right");

    let remover = user_with(&allow(r#""kms:UntagResource""#, only));
    assert_eq!(kind(kms.remove_tags(&remover, &key, &names(&["stage", "color"]))), None);
    assert_eq!(kind(kms.remove_tags(&remover, &key, &names(&["stage", "team"]))), denied);

    let make = |statements: &str, set: &[(&str, &str)]| {
        kind(kms.create_key(&user_with(statements), NewKey::default().with_tags(tags(set))))
    };
    // A policy that the maker could change later.
    let later = r#"{"Effect":"Allow","Action":"kms:PutKeyPolicy","Resource":"*"}"#;
    let create = |condition: &str| format!("{later},{}", allow(r#"["kms:CreateKey","kms:TagResource"]"#, condition));
    assert_eq!(make(&create(stage), &[("stage", "test")]), None);
    assert_eq!(make(&create(stage), &[("stage", "production")]), denied);
    assert_eq!(make(&create(stage), &[]), denied);
    assert_eq!(make(&create(only), &[("other", "")]), denied);
}

/// AWS KMS API Reference, CreateKey: tags take the right to tag as well.
#[test]
fn a_key_and_its_tags_are_made_together_or_not_at_all() {
    let kms = in_memory();
    let right = |actions: &str, resource: &str| {
        user_with(&format!(
            r#"{{"Effect":"Allow","Action":["kms:CreateKey","kms:PutKeyPolicy"],"Resource":"*"}},
               {{"Effect":"Allow","Action":"{actions}","Resource":"{resource}"}}"#
        ))
    };
    let make = |call: &Call| kind(kms.create_key(call, NewKey::default().with_tags(tags(&[("a", "1")]))));
    assert_eq!(make(&right("kms:ListKeys", "*")), Some(KmsErrorKind::AccessDenied));
    assert_eq!(make(&right("kms:TagResource", "arn:aws:kms:*:*:alias/*")), Some(KmsErrorKind::AccessDenied));
    let mut dry = root();
    dry.dry_run = true;
    assert_eq!(make(&dry), Some(KmsErrorKind::DryRun));
    assert!(kms.keys(&root()).expect("listed").is_empty());
    assert_eq!(make(&right("kms:TagResource", "*")), None);
    assert_eq!(make(&right("kms:TagResource", &format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/*"))), None);
    assert_eq!(kind(kms.create_key(&right("kms:ListKeys", "*"), NewKey::default())), None, "without tags");
    assert_eq!(kms.keys(&root()).expect("listed").len(), 3);
}

#[test]
fn to_try_tags_nothing() {
    let kms = in_memory();
    let key = kms.create_key(&root(), NewKey::default().with_tags(tags(&[("a", "1")]))).expect("created").arn;
    let mut dry = root();
    dry.dry_run = true;
    assert_eq!(kind(kms.set_tags(&dry, &key, &tags(&[("a", "2")]))), Some(KmsErrorKind::DryRun));
    assert_eq!(kind(kms.remove_tags(&dry, &key, &names(&["a"]))), Some(KmsErrorKind::DryRun));
    assert_eq!(kms.tags(&root(), &key).expect("listed"), tags(&[("a", "1")]));
}
