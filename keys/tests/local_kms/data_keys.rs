//! Data keys of any length, those that their maker does not see, and random bytes.

use crate::shared::{ACCOUNT, DAY, Store, context, decrypt, encrypt, kind, new_key, owner, root, user};
use objseal_keys::kms::{Ciphertext, KmsError, KmsErrorKind};
use objseal_keys::local::{LocalKms, NewGrant, Options, RotationPeriod};

/// AWS KMS API Reference, NumberOfBytes: 1 to 1,024.
const WITHIN: [(usize, bool); 6] = [(0, false), (1, true), (32, true), (64, true), (1_024, true), (1_025, false)];

fn in_memory() -> LocalKms {
    LocalKms::in_memory(&owner(), Options::default()).expect("made")
}

#[test]
fn data_keys_have_the_length_that_was_asked_for() {
    let kms = in_memory();
    let key = new_key(&kms);
    let call = root().with_context(context(&[("a", "1")]));
    for (len, within) in WITHIN {
        let seen = kms.generate_data_key_of(&call, &key, len);
        let unseen = kms.generate_data_key_without_plaintext(&call, &key, len);
        if !within {
            assert_eq!((kind(seen), kind(unseen)), (Some(KmsErrorKind::Validation), Some(KmsErrorKind::Validation)));
            continue;
        }
        let ((plaintext, sealed), unseen) = (seen.expect("a key"), unseen.expect("a key"));
        assert_eq!(decrypt(&kms, &call, &sealed.blob).expect("decrypted"), *plaintext);
        assert_eq!(decrypt(&kms, &call, &unseen.blob).expect("decrypted").len(), len);
        let id = kms.versions(&root(), &key).expect("listed")[0].material_id.clone();
        for Ciphertext { blob, key_arn, key_version, material_id } in [sealed, unseen] {
            assert_eq!((key_arn, key_version, material_id), (key.clone(), 1, Some(id.clone())));
            let other = root().with_context(context(&[("a", "2")]));
            assert_eq!(kind(decrypt(&kms, &other, &blob)), Some(KmsErrorKind::InvalidCiphertext));
        }
    }
    let draw = || kms.generate_data_key_of(&call, &key, 32).expect("a key").0;
    assert_ne!(draw(), draw());
}

#[test]
fn to_try_makes_no_data_key() {
    let kms = in_memory();
    let key = new_key(&kms);
    let mut dry = root();
    dry.dry_run = true;
    assert_eq!(kind(kms.generate_data_key_of(&dry, &key, 32)), Some(KmsErrorKind::DryRun));
    assert_eq!(kind(kms.generate_data_key_without_plaintext(&dry, &key, 32)), Some(KmsErrorKind::DryRun));
    assert_eq!(kind(kms.generate_data_key_of(&dry, &key, 0)), Some(KmsErrorKind::Validation));
}

#[test]
fn a_data_key_has_the_service_key_made_and_rotates_one_that_is_due() {
    let store = Store::new();
    let kms = store.open();
    let through_s3 = user("a").via("s3.us-east-1").with_context(context(&[("aws:s3:arn", "arn:aws:s3:::bucket")]));
    let made = kms.generate_data_key_without_plaintext(&through_s3, "alias/aws/s3", 32).expect("made");
    let (_, again) = kms.generate_data_key_of(&through_s3, "alias/aws/s3", 32).expect("there");
    assert_eq!(made.key_arn, again.key_arn);
    store.clock.pass(365 * DAY);
    assert_eq!(kms.generate_data_key_of(&through_s3, "alias/aws/s3", 32).expect("a key").1.key_version, 2);
    let key = new_key(&kms);
    kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
    store.clock.pass(365 * DAY);
    assert_eq!(kms.generate_data_key_without_plaintext(&root(), &key, 32).expect("a key").key_version, 2);
}

/// Who has the one has not the other: a producer that only keeps data keys for others never sees one.
#[test]
fn a_grant_for_data_keys_without_plaintext_is_for_nothing_else() {
    let kms = in_memory();
    let key = new_key(&kms);
    let new = NewGrant::to(format!("arn:aws:iam::{ACCOUNT}:user/g"), ["GenerateDataKeyWithoutPlaintext"]);
    kms.create_grant(&root(), &key, new).expect("granted");
    let (call, denied) = (user("g"), Some(KmsErrorKind::AccessDenied));
    let made = kms.generate_data_key_without_plaintext(&call, &key, 32).expect("a key");
    assert_eq!(kind(kms.generate_data_key_of(&call, &key, 32)), denied);
    assert_eq!(kind(decrypt(&kms, &call, &made.blob)), denied);
    assert_eq!(kind(encrypt(&kms, &call, &key, b"plain")), denied);
    assert_eq!(kind(kms.generate_data_key_without_plaintext(&user("h"), &key, 32)), denied);
    let new = NewGrant::to(format!("arn:aws:iam::{ACCOUNT}:user/h"), ["GenerateDataKey"]);
    kms.create_grant(&root(), &key, new).expect("granted");
    assert_eq!(kind(kms.generate_data_key_of(&user("h"), &key, 32)), None);
    assert_eq!(kind(kms.generate_data_key_without_plaintext(&user("h"), &key, 32)), denied);
}

#[test]
fn random_bytes_take_a_right_and_are_no_line_of_their_own_words() {
    let kms = in_memory();
    for (len, within) in WITHIN {
        let got: Result<_, KmsError> = kms.generate_random(&root(), len);
        match got {
            Ok(bytes) => assert_eq!((bytes.len(), within), (len, true)),
            Err(error) => assert_eq!((error.kind(), within), (KmsErrorKind::Validation, false), "{len}"),
        }
    }
    assert_eq!(kind(kms.generate_random(&user("a"), 32)), Some(KmsErrorKind::AccessDenied));
    let bytes = kms.generate_random(&root(), 32).expect("random");
    assert_ne!(bytes, kms.generate_random(&root(), 32).expect("random"));
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines = kms.audit().lines();
    assert!(lines.iter().all(|line| !line.contains(&digits)));
    let operation = |line: &String| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["operation"].clone();
    assert_eq!(lines.iter().filter(|line| operation(line) == "GenerateRandom").count(), WITHIN.len() + 3);
}
