//! Every operation on a key in every state, by AWS's own client over the network: who may, and who may not.
//!
//! The table is that of `keys/tests/local_kms`: AWS KMS Developer Guide, "Key states of AWS KMS keys".

#[path = "shared/credentials.rs"]
mod credentials;
#[path = "shared/server.rs"]
mod server;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    AlgorithmSpec, DataKeySpec, ExpirationModelType, GrantOperation, OriginType, Tag, WrappingKeySpec,
};
use objseal::Key;
use objseal_gateway::http::Bounds;
use objseal_gateway::kms::{KmsService, Options as KmsOptions};
use objseal_keys::clock::Clock;
use objseal_keys::kms::{Call, Principal};
use objseal_keys::local::{LocalKms, Options, Owner};
use server::Running;
use std::error::Error;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// `+` is success; `D` DisabledException, `I` KMSInvalidStateException, `N` NotFoundException, `U`
/// UnsupportedOperationException. The states: enabled, disabled, pending deletion, deleted; the same of a key with
/// imported material, and pending import.
const TABLE: &str = include_str!("../../keys/tests/local_kms/states.txt");
/// Rows of the library alone: what these do is within another operation of the protocol.
const NOT_OF_THE_PROTOCOL: [&str; 2] = ["GenerateAgain", "DecryptAgain"];

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Of keys whose material is imported.
const MATERIAL: [u8; 32] = [7; 32];
const SECRET: &str = "a secret of the tests";
/// The account allows alice and grantee everything, and mallory nothing; a stranger is of another account.
const CREDENTIALS: &str = r#"{
    "principals": [
        {"arn": "arn:aws:iam::111122223333:user/alice", "policies": [
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}]},
        {"arn": "arn:aws:iam::111122223333:user/grantee", "policies": [
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}]},
        {"arn": "arn:aws:iam::444455556666:user/stranger", "policies": [
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}]}
    ],
    "credentials": [
        {"access_key_id": "KEYOFTHEROOTUSER", "secret_access_key": "a secret of the tests",
         "principal": "arn:aws:iam::111122223333:root"},
        {"access_key_id": "KEYOFUSERALICE00", "secret_access_key": "a secret of the tests",
         "principal": "arn:aws:iam::111122223333:user/alice"},
        {"access_key_id": "KEYOFUSERMALLORY", "secret_access_key": "a secret of the tests",
         "principal": "arn:aws:iam::111122223333:user/mallory"},
        {"access_key_id": "KEYOFUSERGRANTEE", "secret_access_key": "a secret of the tests",
         "principal": "arn:aws:iam::111122223333:user/grantee"},
        {"access_key_id": "KEYOFASTRANGER00", "secret_access_key": "a secret of the tests",
         "principal": "arn:aws:iam::444455556666:user/stranger"}
    ]
}"#;
const ROOT: &str = "KEYOFTHEROOTUSER";
const ALICE: &str = "KEYOFUSERALICE00";
const MALLORY: &str = "KEYOFUSERMALLORY";
const GRANTEE: &str = "KEYOFUSERGRANTEE";
const STRANGER: &str = "KEYOFASTRANGER00";

/// The days of the store pass when a test says so; deadlines are those of this machine.
#[derive(Debug, Default)]
struct Calendar(Mutex<Duration>);

impl Clock for Calendar {
    fn now(&self) -> SystemTime {
        SystemTime::now() + *self.0.lock().expect("no panic")
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A key in a state, with all that operations need, and a server.
struct Fixture {
    running: Running,
    key: String,
    other: String,
    blob: Blob,
    other_blob: Blob,
    grant: String,
}

/// The code of an error; nothing if there is none.
type Outcome = Option<String>;

fn code<T, E>(result: Result<T, SdkError<E>>) -> Outcome
where
    E: ProvideErrorMetadata + Error + Debug + 'static,
{
    let error = result.err()?;
    Some(error.code().map_or_else(|| DisplayErrorContext(&error).to_string(), String::from))
}

impl Fixture {
    async fn new(external: bool, state: &str) -> Self {
        let calendar = Arc::new(Calendar::default());
        let owner = Owner { account: "111122223333".into(), ..Owner::default() };
        let kms = LocalKms::in_memory(&owner, Options::default().with_clock(calendar.clone())).expect("made");
        let kms = Arc::new(kms);
        let credentials = credentials::credentials(CREDENTIALS);
        let service = Arc::new(KmsService::new(Arc::clone(&kms), credentials, KmsOptions::default()));
        let running = Running::start(service, None, Bounds::default()).await;

        let root = client(&running, ROOT);
        let create = root.create_key();
        let create = if external { create.origin(OriginType::External) } else { create };
        let key = create.send().await.expect("created").key_metadata.expect("a key").arn.expect("an ARN");
        let other = root.create_key().send().await.expect("created").key_metadata.expect("a key").key_id;
        if external {
            // Not over the network: each time an RSA key would be made.
            let call = Call::of(Arc::new(Principal::root_of("111122223333")));
            kms.import_material(&call, &key, &Key::from_bytes(&MATERIAL), None).expect("imported");
        }
        root.create_alias().alias_name("alias/of-key").target_key_id(&key).send().await.expect("made");
        root.create_alias().alias_name("alias/of-other").target_key_id(&other).send().await.expect("made");
        let grant = root.create_grant().key_id(&key).grantee_principal("arn:aws:iam::111122223333:user/grantee");
        let grant = grant.operations(GrantOperation::Decrypt).send().await.expect("granted").grant_id;
        let encrypt = async |key: &str| {
            let encrypt = root.encrypt().key_id(key).plaintext(Blob::new([1; 32]));
            let encrypt = encrypt.encryption_context("a", "1").encryption_context("b", "2");
            encrypt.send().await.expect("encrypted").ciphertext_blob.expect("a ciphertext")
        };
        let (blob, other_blob) = (encrypt(&key).await, encrypt(&other).await);
        match state {
            "on" => {}
            "off" => drop(root.disable_key().key_id(&key).send().await.expect("disabled")),
            "del" | "none" => {
                root.schedule_key_deletion().key_id(&key).pending_window_in_days(7).send().await.expect("scheduled");
            }
            "imp" => drop(root.delete_imported_key_material().key_id(&key).send().await.expect("deleted")),
            _ => panic!("{state}"),
        }
        if state == "none" {
            *calendar.0.lock().expect("no panic") += WEEK;
        }
        Self { running, key, other, blob, other_blob, grant: grant.expect("an id") }
    }

    async fn try_operation(&self, who: &str, operation: &str) -> Outcome {
        let Self { key, other, grant, .. } = self;
        let (blob, other_blob) = (self.blob.clone(), self.other_blob.clone());
        let kms = client(&self.running, who);
        // The context of all that has one.
        macro_rules! sent {
            ($call:expr) => {
                code($call.encryption_context("a", "1").encryption_context("b", "2").send().await)
            };
        }
        match operation {
            "GenerateDataKey" => sent!(kms.generate_data_key().key_id(key).key_spec(DataKeySpec::Aes256)),
            "GenerateDataKeyWithoutPlaintext" => {
                sent!(kms.generate_data_key_without_plaintext().key_id(key).number_of_bytes(32))
            }
            "Decrypt" => sent!(kms.decrypt().ciphertext_blob(blob)),
            "Encrypt" => sent!(kms.encrypt().key_id(key).plaintext(Blob::new("plain"))),
            "ReEncryptFrom" => re_encrypt(&kms, blob, other).await,
            "ReEncryptTo" => re_encrypt(&kms, other_blob, key).await,
            "DescribeKey" => code(kms.describe_key().key_id(key).send().await),
            "EnableKey" => code(kms.enable_key().key_id(key).send().await),
            "DisableKey" => code(kms.disable_key().key_id(key).send().await),
            "ScheduleKeyDeletion" => code(kms.schedule_key_deletion().key_id(key).send().await),
            "CancelKeyDeletion" => code(kms.cancel_key_deletion().key_id(key).send().await),
            "UpdateKeyDescription" => code(kms.update_key_description().key_id(key).description("words").send().await),
            "GetKeyPolicy" => code(kms.get_key_policy().key_id(key).send().await),
            "PutKeyPolicy" => code(kms.put_key_policy().key_id(key).policy(policy("")).send().await),
            "CreateAlias" => code(kms.create_alias().alias_name("alias/new").target_key_id(key).send().await),
            "UpdateAlias" => code(kms.update_alias().alias_name("alias/of-other").target_key_id(key).send().await),
            "DeleteAlias" => code(kms.delete_alias().alias_name("alias/of-key").send().await),
            "CreateGrant" => {
                let new = kms.create_grant().key_id(key).grantee_principal("arn:aws:iam::111122223333:user/b");
                code(new.operations(GrantOperation::Encrypt).send().await)
            }
            "ListGrants" => code(kms.list_grants().key_id(key).send().await),
            "RevokeGrant" => code(kms.revoke_grant().key_id(key).grant_id(grant).send().await),
            "RetireGrant" => code(kms.retire_grant().key_id(key).grant_id(grant).send().await),
            "RotateKeyOnDemand" => code(kms.rotate_key_on_demand().key_id(key).send().await),
            "EnableKeyRotation" => code(kms.enable_key_rotation().key_id(key).send().await),
            "DisableKeyRotation" => code(kms.disable_key_rotation().key_id(key).send().await),
            "GetKeyRotationStatus" => code(kms.get_key_rotation_status().key_id(key).send().await),
            "ListKeyRotations" => code(kms.list_key_rotations().key_id(key).send().await),
            "ImportKeyMaterial" => import(&kms, key).await,
            "DeleteImportedKeyMaterial" => code(kms.delete_imported_key_material().key_id(key).send().await),
            "GetParametersForImport" => {
                let get = kms.get_parameters_for_import().key_id(key);
                let get = get.wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256);
                code(get.wrapping_key_spec(WrappingKeySpec::Rsa2048).send().await)
            }
            "TagResource" => {
                let tag = Tag::builder().tag_key("a").tag_value("1").build().expect("a tag");
                code(kms.tag_resource().key_id(key).tags(tag).send().await)
            }
            "UntagResource" => code(kms.untag_resource().key_id(key).tag_keys("a").send().await),
            "ListResourceTags" => code(kms.list_resource_tags().key_id(key).send().await),
            _ => panic!("{operation}"),
        }
    }

    async fn end(self) {
        self.running.stop().await.expect("ended");
    }
}

fn client(running: &Running, access_key_id: &str) -> Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{}", running.address))
        .credentials_provider(Credentials::new(access_key_id, SECRET, None, None, "tests"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

/// The same material each time, under the key that the service gives; under none if it gives none.
async fn import(kms: &Client, key: &str) -> Outcome {
    let get = kms.get_parameters_for_import().key_id(key).wrapping_algorithm(AlgorithmSpec::RsaesOaepSha256);
    let (token, material) = match get.wrapping_key_spec(WrappingKeySpec::Rsa2048).send().await {
        Ok(parameters) => {
            let public = parameters.public_key.expect("a key");
            let public = PublicEncryptingKey::from_der(public.as_ref()).expect("an RSA key");
            let public = OaepPublicEncryptingKey::new(public).expect("a key for OAEP");
            let mut wrapped = vec![0; public.ciphertext_size()];
            public.encrypt(&OAEP_SHA256_MGF1SHA256, &MATERIAL, &mut wrapped, None).expect("wrapped");
            (parameters.import_token.expect("a token"), Blob::new(wrapped))
        }
        Err(_) => (Blob::new("no token"), Blob::new([0; 256])),
    };
    let import = kms.import_key_material().key_id(key).import_token(token).encrypted_key_material(material);
    code(import.expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire).send().await)
}

async fn re_encrypt(kms: &Client, blob: Blob, to: &str) -> Outcome {
    let call = kms.re_encrypt().ciphertext_blob(blob).destination_key_id(to);
    let call = call.source_encryption_context("a", "1").source_encryption_context("b", "2");
    code(call.destination_encryption_context("a", "1").send().await)
}

/// Everything to the account, and another statement.
fn policy(statement: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::111122223333:root"}}, "Action": "kms:*",
              "Resource": "*"}}{statement}]}}"#
    )
}

/// Whether the material is imported, and the state.
type State = (bool, &'static str);
/// An operation, and its outcome in each state.
type Row = (&'static str, Vec<&'static str>);

fn rows() -> (Vec<State>, Vec<Row>) {
    let lines = TABLE.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut lines = lines.map(str::split_whitespace).filter(|words| words.clone().next().is_some());
    let states: Vec<_> = lines.next().expect("a head").skip(1).collect();
    let states: Vec<_> = states.into_iter().enumerate().map(|(at, state)| (at >= 4, state)).collect();
    let rows = lines.map(|mut words| (words.next().expect("an operation"), words.collect::<Vec<_>>()));
    let rows: Vec<_> = rows.filter(|(operation, _)| !NOT_OF_THE_PROTOCOL.contains(operation)).collect();
    assert!(states.len() == 9 && rows.len() >= 32, "the table is not whole: {states:?}, {} rows", rows.len());
    (states, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_in_every_state() {
    let (states, rows) = rows();
    let mut tried = 0;
    for (operation, expected) in &rows {
        assert_eq!(expected.len(), states.len(), "{operation}");
        for ((external, state), expected) in states.iter().zip(expected) {
            let expected = match *expected {
                "+" => None,
                "D" => Some("DisabledException"),
                "I" => Some("KMSInvalidStateException"),
                "N" => Some("NotFoundException"),
                "U" => Some("UnsupportedOperationException"),
                other => panic!("{other}"),
            };
            // The root user, whom the policy of the key names, and one whom the account allows it.
            for who in [ROOT, ALICE] {
                let fixture = Fixture::new(*external, state).await;
                let got = fixture.try_operation(who, operation).await;
                assert_eq!(got.as_deref(), expected, "{operation}, external: {external}, {state}, {who}");
                fixture.end().await;
                tried += 1;
            }
        }
    }
    println!("{tried} operations on keys in states");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_learns_no_state_and_changes_nothing() {
    let (states, rows) = rows();
    let mut tried = 0;
    for (external, state) in states.iter().filter(|(_, state)| *state != "none") {
        let fixture = Fixture::new(*external, state).await;
        let root = client(&fixture.running, ROOT);
        let described = async || root.describe_key().key_id(&fixture.key).send().await.expect("described").key_metadata;
        let before = described().await;
        for (operation, _) in &rows {
            // One whom nobody allows anything, and one of an account that the policy of the key does not name.
            for who in [MALLORY, STRANGER] {
                // Names of aliases are of the account of whoever asks.
                if who == STRANGER && operation.ends_with("Alias") {
                    continue;
                }
                let got = fixture.try_operation(who, operation).await;
                assert_eq!(got.as_deref(), Some("AccessDeniedException"), "{operation}, {external}, {state}, {who}");
                tried += 1;
            }
        }
        assert_eq!(described().await, before);
        let grants = root.list_grants().key_id(&fixture.key).send().await.expect("listed").grants.unwrap_or_default();
        assert_eq!(grants.len(), 1);
        let aliases = root.list_aliases().key_id(&fixture.key).send().await.expect("listed");
        let aliases = aliases.aliases.unwrap_or_default();
        let names: Vec<_> = aliases.iter().filter_map(|alias| alias.alias_name.as_deref()).collect();
        assert_eq!(names, ["alias/of-key"]);
        fixture.end().await;
    }
    println!("{tried} operations denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deny_beats_the_account_and_a_grant() {
    let (states, rows) = rows();
    let deny = policy(
        r#", {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/grantee"}, "Action": "kms:*",
             "Resource": "*"}"#,
    );
    for (external, state) in states.iter().filter(|(_, state)| *state != "none") {
        let fixture = Fixture::new(*external, state).await;
        if *state == "on" {
            assert_eq!(fixture.try_operation(GRANTEE, "Decrypt").await, None, "by the account and the grant");
        }
        let put = client(&fixture.running, ROOT).put_key_policy().key_id(&fixture.key).policy(&deny);
        put.send().await.expect("put");
        for (operation, _) in &rows {
            let got = fixture.try_operation(GRANTEE, operation).await;
            assert_eq!(got.as_deref(), Some("AccessDeniedException"), "{operation}, external: {external}, {state}");
        }
        fixture.end().await;
    }
}
