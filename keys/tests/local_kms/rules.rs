//! Names, policies, grants, and the audit of what is done.

use crate::shared::{ACCOUNT, Store, context, decrypt, encrypt, kind, new_key, owner, policy, root, user};
use objseal_keys::kms::{Call, Kms, KmsErrorKind, Principal, block_on};
use objseal_keys::local::{Constraint, LocalKms, NewGrant, NewKey, Options};
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn keys_are_found_by_all_their_names_and_no_others() {
    let store = Store::new();
    let kms = store.open();
    let arn = new_key(&kms);
    let id = arn.rsplit('/').next().expect("an id");
    kms.create_alias(&root(), "alias/photos", &arn).expect("made");
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/photos");
    for name in [&arn, id, "alias/photos", &alias_arn] {
        assert_eq!(block_on(kms.describe(&root(), name)).expect("described").arn, arn, "{name}");
    }
    let elsewhere = arn.replace("us-east-1", "eu-west-1");
    let stranger = arn.replace(ACCOUNT, "999999999999");
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let unknown_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{unknown}");
    let words = |message: &str| message.to_owned();
    // As S3 passes them on.
    for (name, expected, message) in [
        ("fake-key-id", KmsErrorKind::NotFound, words("Invalid keyId 'fake-key-id'")),
        (unknown, KmsErrorKind::NotFound, format!("Key '{unknown_arn}' does not exist")),
        (&unknown_arn, KmsErrorKind::NotFound, format!("Key '{unknown_arn}' does not exist")),
        (&elsewhere, KmsErrorKind::NotFound, words("Invalid arn eu-west-1")),
        (&stranger, KmsErrorKind::NotFound, format!("Key '{stranger}' does not exist")),
        (
            "alias/none",
            KmsErrorKind::NotFound,
            format!("Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/none is not found."),
        ),
        (
            "arn:aws:s3:us-east-1:111122223333:key/x",
            KmsErrorKind::InvalidArn,
            words("Invalid arn arn:aws:s3:us-east-1:111122223333:key/x"),
        ),
        ("", KmsErrorKind::NotFound, words("Invalid keyId ''")),
        (&id.to_uppercase(), KmsErrorKind::NotFound, format!("Invalid keyId '{}'", id.to_uppercase())),
    ] {
        let error = block_on(kms.describe(&root(), name)).expect_err("not found");
        assert_eq!((error.kind(), error.message()), (expected, message.as_str()), "{name}");
    }
    for alias in ["photos", "alias/", "alias/a b", "alias/ä", &format!("alias/{}", "a".repeat(251))] {
        assert_eq!(kind(kms.create_alias(&root(), alias, &arn)), Some(KmsErrorKind::InvalidAliasName), "{alias}");
    }
    assert_eq!(kind(kms.create_alias(&root(), "alias/photos", &arn)), Some(KmsErrorKind::AlreadyExists));
}

#[test]
fn only_keys_for_symmetric_encryption_are_made() {
    let store = Store::new();
    let kms = store.open();
    for (spec, usage) in
        [("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC"), ("SYMMETRIC_DEFAULT", "SIGN_VERIFY")]
    {
        let mut new = NewKey::default();
        (new.spec, new.usage) = (spec.into(), usage.into());
        assert_eq!(kind(kms.create_key(&root(), new)), Some(KmsErrorKind::InvalidKeyUsage), "{spec}");
    }
}

#[test]
fn a_ciphertext_is_bound_to_its_key_version_context_and_store() {
    let store = Store::new();
    let kms = store.open();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let call = root().with_context(context(&[("a", "1"), ("b", "2")]));
    let largest = vec![7; 4_096];
    let blob = encrypt(&kms, &call, &key, &largest).expect("encrypted");
    assert!(blob.len() <= 6_144, "{}", blob.len());
    assert_eq!(decrypt(&kms, &call, &blob).expect("decrypted"), largest);
    for len in [0, 4_097] {
        assert_eq!(kind(encrypt(&kms, &call, &key, &vec![0; len])), Some(KmsErrorKind::Validation), "{len}");
    }

    let blob = encrypt(&kms, &call, &key, b"plain").expect("encrypted");
    for pairs in [
        &[][..],
        &[("a", "1")],
        &[("a", "1"), ("b", "3")],
        &[("a", "1"), ("b", "2"), ("c", "3")],
        &[("A", "1"), ("b", "2")],
    ] {
        let wrong = root().with_context(context(pairs));
        assert_eq!(kind(decrypt(&kms, &wrong, &blob)), Some(KmsErrorKind::InvalidCiphertext), "{pairs:?}");
    }
    kms.rotate(&root(), &key).expect("rotated");
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        let got = kind(decrypt(&kms, &call, &changed));
        // The id of a key that is not there.
        let expected = if (17..33).contains(&at) { KmsErrorKind::NotFound } else { KmsErrorKind::InvalidCiphertext };
        assert_eq!(got, Some(expected), "byte {at}");
    }
    for len in 0..blob.len() {
        assert_eq!(kind(decrypt(&kms, &call, &blob[..len])), Some(KmsErrorKind::InvalidCiphertext), "{len} bytes");
    }
    assert_eq!(decrypt(&kms, &call, &blob).expect("decrypted"), b"plain");
    assert_eq!(kind(block_on(kms.decrypt(&call, Some(&other), &blob))), Some(KmsErrorKind::IncorrectKey));
    assert!(block_on(kms.decrypt(&call, Some(&key), &blob)).is_ok());

    let elsewhere = LocalKms::in_memory(&owner(), Options::default()).expect("made");
    assert_eq!(kind(decrypt(&elsewhere, &call, &blob)), Some(KmsErrorKind::InvalidCiphertext));
}

#[test]
fn re_encryption_takes_both_rights_and_both_contexts() {
    let store = Store::new();
    let kms = store.open();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let old = context(&[("a", "1")]);
    let blob = encrypt(&kms, &root().with_context(old.clone()), &key, b"plain").expect("encrypted");
    let source = objseal_keys::kms::Source { key: None, blob: &blob, context: &old };
    let call = root().with_context(context(&[("b", "2")]));
    let new = block_on(kms.re_encrypt(&call, &source, &other)).expect("encrypted anew");
    assert_eq!((&new.source_key_arn, &new.ciphertext.key_arn), (&key, &other));
    assert_eq!(decrypt(&kms, &call, &new.ciphertext.blob).expect("decrypted"), b"plain");
    for (from, to, expected) in [
        (&[][..], &["ReEncryptTo"][..], Some(KmsErrorKind::AccessDenied)),
        (&["ReEncryptFrom"], &[], Some(KmsErrorKind::AccessDenied)),
        (&["Decrypt"], &["Encrypt"], Some(KmsErrorKind::AccessDenied)),
        (&["ReEncryptFrom"], &["ReEncryptTo"], None),
    ] {
        let name = format!("user-{}-{}", from.concat(), to.concat());
        let grantee = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        for (key, operations) in [(&key, from), (&other, to)] {
            if !operations.is_empty() {
                kms.create_grant(&root(), key, NewGrant::to(&grantee, operations.iter().copied())).expect("granted");
            }
        }
        let got = kind(block_on(kms.re_encrypt(&user(&name).with_context(old.clone()), &source, &other)));
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn a_policy_that_locks_out_or_is_not_understood_is_refused() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let only_user = policy(&format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/a"}},"Action":"kms:*","Resource":"*"}}}}"#
    ));
    assert_eq!(kind(kms.put_policy(&root(), &key, &only_user, false)), Some(KmsErrorKind::MalformedPolicyDocument));
    let strange = policy(&format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*","Condition":{{"StringSoundsLike":{{"kms:ViaService":"s3"}}}}}}}}"#
    ));
    assert_eq!(kind(kms.put_policy(&root(), &key, &strange, true)), Some(KmsErrorKind::MalformedPolicyDocument));
    // No request has an id of its user, so the Deny would never hold.
    let inert = policy(&format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}},
            {{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{"StringLike":{{"aws:UserId":"AIDA*"}}}}}}]}}"#
    ));
    let refused = kms.put_policy(&root(), &key, &inert, true).expect_err("refused");
    assert!(refused.message().contains("aws:userid is not known here"), "{refused}");
    let mut new = NewKey::default();
    new.policy = Some(only_user.clone());
    assert_eq!(kind(kms.create_key(&root(), new.clone())), Some(KmsErrorKind::MalformedPolicyDocument));
    assert!(kms.create_key(&user("a"), new).is_err(), "making keys is a right of the account");

    kms.put_policy(&root(), &key, &only_user, true).expect("asked for");
    assert_eq!(kind(encrypt(&kms, &root(), &key, b"plain")), Some(KmsErrorKind::AccessDenied));
    assert!(encrypt(&kms, &user("a"), &key, b"plain").is_ok());
}

#[test]
fn a_policy_sees_the_context_and_the_service() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let conditions = policy(&format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Sid":"account","Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}},
            {{"Sid":"s3","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/a"}},"Action":"kms:Encrypt","Resource":"*",
              "Condition":{{"StringEquals":{{"kms:ViaService":"s3.us-east-1.amazonaws.com"}},
                           "StringLike":{{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::photos/*"}}}}}}]}}"#
    ));
    kms.put_policy(&root(), &key, &conditions, false).expect("put");
    let photos = context(&[("aws:s3:arn", "arn:aws:s3:::photos/cat.jpg")]);
    let films = context(&[("aws:s3:arn", "arn:aws:s3:::films/cat.mov")]);
    let through = |service: &str, pairs: &objseal::envelope::EncryptionContext| {
        user("a").via(service).with_context(pairs.clone())
    };
    assert!(encrypt(&kms, &through("s3.us-east-1", &photos), &key, b"plain").is_ok());
    for denied in
        [through("s3.eu-west-1", &photos), through("s3.us-east-1", &films), user("a").with_context(photos.clone())]
    {
        assert_eq!(kind(encrypt(&kms, &denied, &key, b"plain")), Some(KmsErrorKind::AccessDenied));
    }
    let explained = kms.explain(&root(), &through("s3.us-east-1", &photos), &key, "Encrypt").expect("explained");
    assert!(explained.allowed && explained.to_string().contains("s3"), "{explained}");
    let explained = kms.explain(&root(), &through("s3.us-east-1", &films), &key, "Encrypt").expect("explained");
    assert!(!explained.allowed, "{explained}");
    assert!(kms.explain(&user("a"), &root(), &key, "Encrypt").is_err(), "it shows the policy");
}

#[test]
fn the_account_gives_its_users_what_the_key_leaves_to_it() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let may = policy(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:Encrypt","kms:CreateKey"],"Resource":"*"}}"#,
    );
    let principal = Principal::new(format!("arn:aws:iam::{ACCOUNT}:user/a")).with_policy(may);
    let call = Call::of(Arc::new(principal));
    let blob = encrypt(&kms, &call, &key, b"plain").expect("allowed");
    assert_eq!(kind(decrypt(&kms, &call, &blob)), Some(KmsErrorKind::AccessDenied));
    assert_eq!(kind(kms.keys(&call)), Some(KmsErrorKind::AccessDenied));
}

#[test]
fn a_grant_gives_its_operations_under_its_context_to_its_grantee_and_no_more() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let grantee = format!("arn:aws:iam::{ACCOUNT}:user/g");
    let mut new = NewGrant::to(&grantee, ["Encrypt", "Decrypt", "CreateGrant", "DescribeKey"]);
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<BTreeMap<_, _>>();
    new.constraint = Some(Constraint::Subset(pairs(&[("tenant", "1")])));
    new.name = Some("name".into());
    new.retiring = Some(format!("arn:aws:iam::{ACCOUNT}:user/r"));
    let grant = kms.create_grant(&root(), &key, new.clone()).expect("granted");
    assert_eq!(kms.create_grant(&root(), &key, new.clone()).expect("granted"), grant, "the same again");
    let of = |name: &str, pairs: &[(&str, &str)]| user(name).with_context(context(pairs));
    assert!(encrypt(&kms, &of("g", &[("tenant", "1"), ("more", "2")]), &key, b"plain").is_ok());
    assert!(block_on(kms.describe(&user("g"), &key)).is_ok(), "it has no context");
    for denied in [of("g", &[]), of("g", &[("tenant", "2")]), of("h", &[("tenant", "1")])] {
        assert_eq!(kind(encrypt(&kms, &denied, &key, b"plain")), Some(KmsErrorKind::AccessDenied));
    }
    let generate = kms.rotate(&of("g", &[("tenant", "1")]), &key);
    assert_eq!(kind(generate), Some(KmsErrorKind::AccessDenied));

    // It gives on no more than it has.
    let to = |operations: &[&str], constraint| {
        let mut new = NewGrant::to(format!("arn:aws:iam::{ACCOUNT}:user/h"), operations.iter().copied());
        new.constraint = constraint;
        kind(kms.create_grant(&user("g"), &key, new))
    };
    let own = || Some(Constraint::Subset(pairs(&[("tenant", "1")])));
    assert_eq!(to(&["Decrypt"], None), Some(KmsErrorKind::AccessDenied), "under fewer pairs");
    assert_eq!(to(&["Decrypt"], Some(Constraint::Subset(pairs(&[("tenant", "2")])))), Some(KmsErrorKind::AccessDenied));
    assert_eq!(to(&["GenerateDataKey"], own()), Some(KmsErrorKind::AccessDenied), "another operation");
    assert_eq!(to(&["Decrypt"], own()), None);
    assert_eq!(to(&["Decrypt"], Some(Constraint::Equals(pairs(&[("tenant", "1"), ("x", "")])))), None);

    for (name, expected) in
        [("h", Some(KmsErrorKind::AccessDenied)), ("g", Some(KmsErrorKind::AccessDenied)), ("r", None)]
    {
        assert_eq!(kind(kms.retire_grant(&user(name), &key, &grant)), expected, "{name}");
    }
    assert_eq!(kind(encrypt(&kms, &of("g", &[("tenant", "1")]), &key, b"plain")), Some(KmsErrorKind::AccessDenied));
    assert_eq!(kind(kms.revoke_grant(&root(), &key, &grant)), Some(KmsErrorKind::NotFound));
    for bad in
        [NewGrant::to("somebody", ["Decrypt"]), NewGrant::to(&grantee, []), NewGrant::to(&grantee, ["DeleteAll"])]
    {
        assert_eq!(kind(kms.create_grant(&root(), &key, bad)), Some(KmsErrorKind::Validation));
    }
}

#[test]
fn everything_that_is_asked_is_a_line_and_none_has_a_key() {
    let kms = LocalKms::in_memory(&owner(), Options::default()).expect("made");
    let key = new_key(&kms);
    let call = root().via("s3.us-east-1").with_context(context(&[("a", "1")]));
    let data_key = block_on(objseal_keys::kms::DataKeys::generate_data_key(&kms, &call, &key)).expect("a key");
    decrypt(&kms, &call, &data_key.ciphertext.blob).expect("decrypted");
    assert!(encrypt(&kms, &user("mallory"), &key, b"plain").is_err());
    assert!(encrypt(&kms, &root(), "alias/none", b"plain").is_err());
    let lines = kms.audit().lines();
    let seen: Vec<String> = lines
        .iter()
        .skip(1)
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let word = |name: &str| line[name].as_str().unwrap_or("-").replace(&key, "KEY");
            format!("{} {} {} {}", word("operation"), word("key"), word("viaService"), word("outcome"))
        })
        .collect();
    assert_eq!(
        seen,
        [
            "CreateStore - - Success",
            "CreateKey KEY - Success",
            "GenerateDataKey KEY s3.us-east-1 Success",
            "Decrypt KEY s3.us-east-1 Success",
            "Encrypt KEY - AccessDeniedException",
            "Encrypt - - NotFoundException",
        ]
    );
    let secret: String = data_key.plaintext.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(lines.iter().all(|line| !line.contains(&secret)));
}

#[test]
fn a_grant_to_a_role_is_one_to_its_sessions() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    kms.create_grant(&root(), &key, NewGrant::to(format!("arn:aws:iam::{ACCOUNT}:role/r"), ["Encrypt"]))
        .expect("granted");
    let as_principal = |arn: &str| Call::of(Arc::new(Principal::new(arn.replace("ACCOUNT", ACCOUNT))));
    for (arn, expected) in [
        ("arn:aws:iam::ACCOUNT:role/r", None),
        ("arn:aws:sts::ACCOUNT:assumed-role/r/session", None),
        ("arn:aws:sts::ACCOUNT:assumed-role/s/session", Some(KmsErrorKind::AccessDenied)),
        ("arn:aws:sts::999999999999:assumed-role/r/session", Some(KmsErrorKind::AccessDenied)),
        ("arn:aws:iam::ACCOUNT:user/r", Some(KmsErrorKind::AccessDenied)),
        ("arn:aws:iam::ACCOUNT:root:x", Some(KmsErrorKind::AccessDenied)),
    ] {
        assert_eq!(kind(encrypt(&kms, &as_principal(arn), &key, b"plain")), expected, "{arn}");
    }
}

#[test]
fn a_key_and_its_alias_are_made_together_or_not_at_all() {
    let store = Store::new();
    let kms = store.open();
    let key = kms.create_key(&root(), NewKey::default().with_alias("alias/a")).expect("created");
    assert_eq!(block_on(kms.describe(&root(), "alias/a")).expect("described").arn, key.arn);
    for (alias, expected) in [
        ("alias/a", KmsErrorKind::AlreadyExists),
        ("alias/aws/s3", KmsErrorKind::InvalidAliasName),
        ("photos", KmsErrorKind::InvalidAliasName),
    ] {
        assert_eq!(kind(kms.create_key(&root(), NewKey::default().with_alias(alias))), Some(expected), "{alias}");
    }
    let only_keys = policy(r#"{"Statement":{"Effect":"Allow","Action":"kms:CreateKey","Resource":"*"}}"#);
    let maker = Principal::new(format!("arn:aws:iam::{ACCOUNT}:user/maker")).with_policy(only_keys);
    let mut new = NewKey::default().with_alias("alias/b");
    new.bypass_lockout_check = true;
    let call = Call::of(Arc::new(maker));
    assert_eq!(kind(kms.create_key(&call, new.clone())), Some(KmsErrorKind::AccessDenied));
    new.alias = None;
    assert_eq!(kind(kms.create_key(&call, new)), None);
    assert_eq!(kms.keys(&root()).expect("listed").len(), 2);
}

#[test]
fn a_store_that_is_put_under_another_key_says_so() {
    let store = Store::new();
    let key = new_key(&store.open());
    let new = Arc::new(objseal::envelope::WrappingKey::from_key(objseal::Key::generate().expect("random")));
    let under = |key: &Arc<objseal::envelope::WrappingKey>| objseal::envelope::OpenOptions::new().with_key(key.clone());
    LocalKms::rewrap(&store.path(), &store.holder(), &new).expect("rewrapped");
    assert!(store.try_open().is_err());
    let kms = LocalKms::open(&store.path(), &under(&new), store.options()).expect("opened");
    assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
    assert!(LocalKms::rewrap(&store.path(), &store.holder(), &store.holder).is_err(), "not under the old one");
    let folder = objseal_keys::local::audit_folder(&store.path());
    let filter = objseal_keys::audit::Filter { operation: Some("RewrapStore".into()), ..Default::default() };
    assert_eq!(objseal_keys::audit::read(&folder, &filter).expect("a log").count(), 1);
}
