//! Grants by their tokens, and by who may retire them.

use crate::shared::{ACCOUNT, DAY, Store, decrypt, encrypt, kind, new_key, owner, root, user};
use objseal::envelope::EncryptionContext;
use objseal_keys::kms::{Call, Kms, KmsErrorKind, Principal, Right, Source, block_on};
use objseal_keys::local::{DeletionWindow, LocalKms, NewGrant, Options};
use std::sync::Arc;

fn in_memory() -> LocalKms {
    LocalKms::in_memory(&owner(), Options::default()).expect("made")
}

fn arn_of(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

fn grant(kms: &LocalKms, key: &str, operations: &[&str], retiring: Option<&str>) -> String {
    let mut new = NewGrant::to(arn_of("g"), operations.iter().copied());
    new.retiring = retiring.map(arn_of);
    kms.create_grant(&root(), key, new).expect("granted")
}

fn last_line(kms: &LocalKms) -> serde_json::Value {
    serde_json::from_str(kms.audit().lines().last().expect("a line")).expect("JSON")
}

#[test]
fn a_grant_is_retired_by_its_token_alone() {
    let kms = in_memory();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let one = grant(&kms, &key, &["Decrypt"], Some("r"));
    let own = grant(&kms, &other, &["Decrypt", "RetireGrant"], None);
    let stranger_root = Call::of(Arc::new(Principal::root_of("999999999999")));
    for refused in [user("g"), user("h"), stranger_root] {
        assert_eq!(kind(kms.retire_grant_of_token(&refused, &one)), Some(KmsErrorKind::AccessDenied));
    }
    let mut dry = user("r");
    dry.dry_run = true;
    assert_eq!(kind(kms.retire_grant_of_token(&dry, &one)), Some(KmsErrorKind::DryRun));
    assert_eq!(kms.grants(&root(), &key).expect("listed").len(), 1);
    assert_eq!(kind(kms.retire_grant_of_token(&user("r"), &one)), None);
    assert_eq!(last_line(&kms)["key"], key);
    assert!(kms.grants(&root(), &key).expect("listed").is_empty());
    assert_eq!(kms.grants(&root(), &other).expect("listed").len(), 1, "of another key");
    assert_eq!(kind(kms.retire_grant_of_token(&user("g"), &own)), None, "it lets go of itself");
    let last = grant(&kms, &key, &["Decrypt"], None);
    assert_eq!(kind(kms.retire_grant_of_token(&root(), &last)), None, "the account made it");
    for unknown in [&one, "", "none", &"0".repeat(64), &one.to_uppercase()] {
        let got = kind(kms.retire_grant_of_token(&root(), unknown));
        assert_eq!(got, Some(KmsErrorKind::InvalidGrantToken), "{unknown}");
    }
}

#[test]
fn the_token_of_a_deleted_key_is_of_nothing() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let (one, two) = (grant(&kms, &key, &["Decrypt"], Some("r")), grant(&kms, &key, &["Encrypt"], Some("r")));
    kms.schedule_deletion(&root(), &key, DeletionWindow::days(7).expect("days")).expect("scheduled");
    assert_eq!(kind(kms.retire_grant_of_token(&user("r"), &one)), None, "it is still there");
    assert_eq!(kms.retirable_grants(&root(), &arn_of("r")).expect("listed").len(), 1);
    store.clock.pass(7 * DAY);
    assert_eq!(kind(kms.retire_grant_of_token(&user("r"), &two)), Some(KmsErrorKind::InvalidGrantToken));
    assert!(kms.retirable_grants(&root(), &arn_of("r")).expect("listed").is_empty());
}

/// AWS KMS API Reference, ListRetirableGrants: only RetiringPrincipal counts, not who else might retire a grant.
#[test]
fn retirable_grants_are_those_that_name_the_principal() {
    let kms = in_memory();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let expected = [
        grant(&kms, &key, &["Decrypt"], Some("r")),
        grant(&kms, &key, &["Encrypt"], Some("r")),
        grant(&kms, &other, &["Decrypt"], Some("r")),
    ];
    grant(&kms, &key, &["Decrypt", "RetireGrant"], None);
    grant(&kms, &key, &["Decrypt"], Some("rr"));
    let ids = |of: &str| {
        let mut ids: Vec<_> =
            kms.retirable_grants(&root(), &arn_of(of)).expect("listed").into_iter().map(|grant| grant.id).collect();
        ids.sort();
        ids
    };
    let mut sorted = expected.to_vec();
    sorted.sort();
    assert_eq!(ids("r"), sorted);
    assert!(ids("g").is_empty());
    assert_eq!(kind(kms.retirable_grants(&user("r"), &arn_of("r"))), Some(KmsErrorKind::AccessDenied));
    for bad in ["", "r", "arn:aws:iam::1:user/r", "arn:aws:iam::111122223333:user/r r"] {
        assert_eq!(kind(kms.retirable_grants(&root(), bad)), Some(KmsErrorKind::InvalidArn), "{bad:?}");
    }
}

/// AWS KMS API Reference, GrantTokens: at most 10. CreateGrant gave each of them, so they look like its answers.
#[test]
fn the_grant_tokens_of_a_call_are_tokens() {
    let kms = in_memory();
    let key = new_key(&kms);
    let token = grant(&kms, &key, &["Decrypt", "Encrypt"], None);
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    let none = EncryptionContext::new();
    let with = |tokens: &[String]| {
        let mut call = root();
        call.grant_tokens = tokens.to_vec();
        call
    };
    let retire = |call: &Call| kms.retire_grant(call, &key, &grant(&kms, &key, &["Decrypt"], Some("r")));
    let calls = |call: &Call| {
        [
            ("Encrypt", kind(encrypt(&kms, call, &key, b"plain"))),
            ("Decrypt", kind(decrypt(&kms, call, &blob))),
            ("GenerateDataKey", kind(kms.generate_data_key_of(call, &key, 32))),
            ("GenerateDataKey", kind(block_on(kms.standing(call, &key, Right::Generate)))),
            ("GenerateDataKeyWithoutPlaintext", kind(kms.generate_data_key_without_plaintext(call, &key, 32))),
            (
                "ReEncrypt",
                kind(block_on(kms.re_encrypt(call, &Source { key: None, blob: &blob, context: &none }, &key))),
            ),
            ("DescribeKey", kind(block_on(kms.describe(call, &key)))),
            ("CreateGrant", kind(kms.create_grant(call, &key, NewGrant::to(arn_of("h"), ["Encrypt"])))),
            ("RetireGrant", kind(retire(call))),
        ]
    };
    let tokens = |tokens: &[&str]| tokens.iter().map(|token| String::from(*token)).collect::<Vec<_>>();
    let long = format!("{token}0");
    let upper = "A".repeat(64);
    let wide = "ä".repeat(32);
    for (tokens, expected) in [
        (vec![token.clone()], None),
        // Grants hold at once, so one that was retired since is no reason to refuse.
        (tokens(&[&"0".repeat(64)]), None),
        (vec![token.clone(); 10], None),
        (vec![token.clone(); 11], Some(KmsErrorKind::Validation)),
        (tokens(&[""]), Some(KmsErrorKind::InvalidGrantToken)),
        (tokens(&[&token, "token"]), Some(KmsErrorKind::InvalidGrantToken)),
        (tokens(&[&token[1..]]), Some(KmsErrorKind::InvalidGrantToken)),
        (tokens(&[&long]), Some(KmsErrorKind::InvalidGrantToken)),
        (tokens(&[&upper]), Some(KmsErrorKind::InvalidGrantToken)),
        (tokens(&[&wide]), Some(KmsErrorKind::InvalidGrantToken)),
    ] {
        for (operation, got) in calls(&with(&tokens)) {
            assert_eq!(got, expected, "{operation} with {tokens:?}");
        }
    }
    // Others take none, so they look at none.
    assert_eq!(kind(kms.grants(&with(&tokens(&["token"])), &key)), None);
    // They give nobody a right.
    let mut stranger = user("h");
    stranger.grant_tokens = vec![token];
    assert_eq!(kind(decrypt(&kms, &stranger, &blob)), Some(KmsErrorKind::AccessDenied));
}
