//! Every operation on a key in every state, by somebody who may and by those who may not.
//!
//! The table of states is that of the AWS KMS Developer Guide, "Key states of AWS KMS keys".

use crate::shared::{DAY, PURPOSE, TestClock, context, kind, owner, policy, root, user};
use objseal::Key;
use objseal_keys::clock::Clock;
use objseal_keys::kms::{Call, Kms, KmsError, KmsErrorKind, Origin, Right, Source, block_on};
use objseal_keys::local::{DeletionWindow, LocalKms, NewGrant, NewKey, Options, RotationPeriod, Wrapping};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `+` is success; `D` DisabledException, `I` KMSInvalidStateException, `N` NotFoundException, `U` UnsupportedOperationException.
/// The states: enabled, disabled, pending deletion, deleted; the same of a key with imported material, and pending import.
const TABLE: &str = include_str!("states.txt");

/// A key in a state, with all that operations need.
struct Fixture {
    clock: Arc<TestClock>,
    kms: LocalKms,
    key: String,
    other: String,
    blob: Vec<u8>,
    other_blob: Vec<u8>,
    grant: String,
    material: Key,
}

impl Fixture {
    fn new(external: bool, state: &str) -> Self {
        let clock = TestClock::new();
        let kms = LocalKms::in_memory(&owner(), Options::default().with_clock(clock.clone())).expect("made");
        let mut new = NewKey::default();
        new.origin = if external { Origin::External } else { Origin::Service };
        let key = kms.create_key(&root(), new).expect("created").arn;
        let other = kms.create_key(&root(), NewKey::default()).expect("created").arn;
        let material = Key::from_bytes(&[7; 32]);
        if external {
            kms.import_material(&root(), &key, &material, None).expect("imported");
        }
        kms.create_alias(&root(), "alias/of-key", &key).expect("made");
        kms.create_alias(&root(), "alias/of-other", &other).expect("made");
        let grant = NewGrant::to("arn:aws:iam::111122223333:user/grantee", ["Decrypt"]);
        let grant = kms.create_grant(&root(), &key, grant).expect("granted");
        let encrypt = |key: &str| block_on(kms.encrypt(&call(root()), key, &[1; 32])).expect("encrypted").blob;
        let (blob, other_blob) = (encrypt(&key), encrypt(&other));
        match state {
            "on" => {}
            "off" => kms.disable(&root(), &key).expect("disabled"),
            "del" | "none" => {
                kms.schedule_deletion(&root(), &key, DeletionWindow::days(7).expect("days")).expect("scheduled");
            }
            "imp" => kms.delete_material(&root(), &key).map(drop).expect("deleted"),
            _ => panic!("{state}"),
        }
        if state == "none" {
            clock.pass(7 * DAY);
        }
        Self { clock, kms, key, other, blob, other_blob, grant, material }
    }

    fn try_operation(&self, operation: &str, call: &Call) -> Result<(), KmsError> {
        let Self { kms, key, other, blob, other_blob, grant, material, .. } = self;
        let stored =
            objseal_keys::kms::StoredKey { key_id: key.clone(), key_version: 1, purpose: PURPOSE, blob: blob.clone() };
        let pairs = &call.context;
        let source = |blob| Source { key: None, blob, context: pairs };
        match operation {
            "GenerateDataKey" => block_on(kms.generate(call, key, PURPOSE)).map(drop),
            "GenerateAgain" => block_on(kms.standing(call, key, Right::Generate)).map(drop),
            "GenerateDataKeyWithoutPlaintext" => kms.generate_data_key_without_plaintext(call, key, 32).map(drop),
            "Decrypt" => block_on(kms.decrypt(call, None, blob)).map(drop),
            "DecryptAgain" => block_on(kms.reopen(call, &stored)).map(drop),
            "Encrypt" => block_on(kms.encrypt(call, key, b"plain")).map(drop),
            "ReEncryptFrom" => block_on(kms.re_encrypt(call, &source(blob), other)).map(drop),
            "ReEncryptTo" => block_on(kms.re_encrypt(call, &source(other_blob), key)).map(drop),
            "DescribeKey" => block_on(kms.describe(call, key)).map(drop),
            "EnableKey" => kms.enable(call, key),
            "DisableKey" => kms.disable(call, key),
            "ScheduleKeyDeletion" => kms.schedule_deletion(call, key, DeletionWindow::default()).map(drop),
            "CancelKeyDeletion" => kms.cancel_deletion(call, key),
            "UpdateKeyDescription" => kms.update_description(call, key, "words"),
            "GetKeyPolicy" => kms.policy(call, key).map(drop),
            "PutKeyPolicy" => kms.put_policy(call, key, &all_to_the_account(), false),
            "CreateAlias" => kms.create_alias(call, "alias/new", key),
            "UpdateAlias" => kms.update_alias(call, "alias/of-other", key),
            "DeleteAlias" => kms.delete_alias(call, "alias/of-key"),
            "CreateGrant" => {
                kms.create_grant(call, key, NewGrant::to("arn:aws:iam::111122223333:user/b", ["Encrypt"])).map(drop)
            }
            "ListGrants" => kms.grants(call, key).map(drop),
            "RevokeGrant" => kms.revoke_grant(call, key, grant),
            "RetireGrant" => kms.retire_grant(call, key, grant),
            "RotateKeyOnDemand" => kms.rotate(call, key).map(drop),
            "EnableKeyRotation" => kms.enable_rotation(call, key, RotationPeriod::default()),
            "DisableKeyRotation" => kms.disable_rotation(call, key),
            "GetKeyRotationStatus" => kms.rotation(call, key).map(drop),
            "ListKeyRotations" => kms.versions(call, key).map(drop),
            "ImportKeyMaterial" => kms.import_material(call, key, material, None),
            "DeleteImportedKeyMaterial" => kms.delete_material(call, key).map(drop),
            "GetParametersForImport" => {
                let how = Wrapping::new("RSAES_OAEP_SHA_256", "RSA_4096");
                kms.begin_import(call, key, &how, || Ok(b"a private key".to_vec().into())).map(drop)
            }
            "TagResource" => kms.set_tags(call, key, &[("a".into(), "1".into())].into()),
            "UntagResource" => kms.remove_tags(call, key, &["a".into()]),
            "ListResourceTags" => kms.tags(call, key).map(drop),
            _ => panic!("{operation}"),
        }
    }
}

fn all_to_the_account() -> Arc<objseal_keys::policy::Policy> {
    policy(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}}"#,
    )
}

fn call(of: Call) -> Call {
    of.with_context(context(&[("a", "1"), ("b", "2")]))
}

/// Whether the material is imported, and the state.
type State = (bool, &'static str);
/// An operation, and its outcome in each state.
type Row = (&'static str, Vec<&'static str>);

fn rows() -> (Vec<State>, Vec<Row>) {
    let mut lines = TABLE.lines().map(str::split_whitespace).filter(|words| words.clone().next().is_some());
    let states: Vec<_> = lines.next().expect("a head").skip(1).collect();
    let states = states.into_iter().enumerate().map(|(at, state)| (at >= 4, state)).collect();
    let rows = lines.map(|mut words| (words.next().expect("an operation"), words.collect())).collect();
    (states, rows)
}

#[test]
fn every_operation_in_every_state() {
    let (states, rows) = rows();
    let mut tried = 0;
    for (operation, expected) in &rows {
        assert_eq!(expected.len(), states.len(), "{operation}");
        for ((external, state), expected) in states.iter().zip(expected) {
            let fixture = Fixture::new(*external, state);
            let got = kind(fixture.try_operation(operation, &call(root())));
            let expected = match *expected {
                "+" => None,
                "D" => Some(KmsErrorKind::Disabled),
                "I" => Some(KmsErrorKind::InvalidState),
                "N" => Some(KmsErrorKind::NotFound),
                "U" => Some(KmsErrorKind::UnsupportedOperation),
                other => panic!("{other}"),
            };
            assert_eq!(got, expected, "{operation}, external: {external}, {state}");
            tried += 1;
        }
    }
    println!("{tried} operations on keys in states");
}

#[test]
fn whoever_may_not_learns_no_state_and_changes_nothing() {
    let (states, rows) = rows();
    let mut tried = 0;
    for (external, state) in states.iter().filter(|(_, state)| *state != "none") {
        let fixture = Fixture::new(*external, state);
        let before = block_on(fixture.kms.describe(&root(), &fixture.key)).expect("described");
        for (operation, _) in &rows {
            // A key's policy leaves it to the account, which allows this user nothing; another account; nobody's name.
            let others = [user("mallory"), Call::of(Arc::new(objseal_keys::kms::Principal::new("mallory")))];
            for other in others {
                let got = kind(fixture.try_operation(operation, &call(other)));
                assert_eq!(got, Some(KmsErrorKind::AccessDenied), "{operation}, external: {external}, {state}");
                tried += 1;
            }
        }
        assert_eq!(block_on(fixture.kms.describe(&root(), &fixture.key)).expect("described"), before);
        assert_eq!(fixture.kms.grants(&root(), &fixture.key).expect("listed").len(), 1);
    }
    println!("{tried} operations denied");
}

#[test]
fn a_deny_beats_the_account_and_a_grant() {
    let (states, rows) = rows();
    let deny = policy(
        r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
            {"Effect":"Deny","Principal":{"AWS":["arn:aws:iam::111122223333:user/grantee"]},"Action":"kms:*","Resource":"*"}]}"#,
    );
    for (external, state) in states.iter().filter(|(_, state)| *state == "on") {
        let fixture = Fixture::new(*external, state);
        let granted = kind(fixture.try_operation("Decrypt", &call(user("grantee"))));
        assert_eq!(granted, None, "by the grant");
        fixture.kms.put_policy(&root(), &fixture.key, &deny, false).expect("put");
        for (operation, _) in &rows {
            let got = kind(fixture.try_operation(operation, &call(user("grantee"))));
            assert_eq!(got, Some(KmsErrorKind::AccessDenied), "{operation}");
        }
    }
}

#[test]
fn to_try_changes_nothing() {
    let (states, rows) = rows();
    let mut tried = BTreeSet::new();
    for (external, state) in states.iter().filter(|(_, state)| *state == "on") {
        let fixture = Fixture::new(*external, state);
        let generation = fixture.kms.audit().head().generation;
        for (operation, _) in &rows {
            let mut dry = call(root());
            dry.dry_run = true;
            if kind(fixture.try_operation(operation, &dry)) == Some(KmsErrorKind::DryRun) {
                tried.insert(*operation);
            }
        }
        assert_eq!(fixture.kms.audit().head().generation, generation);
    }
    for operation in
        ["GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptTo", "CreateGrant", "RevokeGrant", "DisableKey"]
    {
        assert!(tried.contains(operation), "{operation}");
    }
}

#[test]
fn who_has_no_time_left_gets_nothing() {
    let fixture = Fixture::new(false, "on");
    let late = call(root()).until(fixture.clock.instant());
    for (operation, _) in rows().1 {
        let got = kind(fixture.try_operation(operation, &late));
        assert_eq!(got, Some(KmsErrorKind::DependencyTimeout), "{operation}");
    }
}
