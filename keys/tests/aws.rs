//! AWS KMS as a key service, against a server that answers what a test says.

#[path = "shared/fake_http.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake_http;

use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::{Client, Config};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fake_http::{FakeHttp, Reply, nobody};
use objseal::envelope::{EncryptionContext, KeyKind, KeyService, OpenOptions, SealOptions, ServiceContext};
use objseal_keys::aws::{AwsKms, AwsOptions};
use objseal_keys::cache::{CacheOptions, CachedKms};
use objseal_keys::kms::{
    Blocking, Call, DataKeys, KeyManager, KeyState, Kms, KmsError, KmsErrorKind, Origin, Principal, Purpose, Right,
    Source, StoredKey, block_on,
};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::{Builder, Runtime};

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER: &str = "arn:aws:kms:eu-west-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";
const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIAS_ARN: &str = "arn:aws:kms:eu-west-1:111122223333:alias/photos";
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

/// Where calls run. The threads of the tests have none.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Keys of a server, whose client waits so long before it tries again.
fn kms_after(url: &str, pause: Duration) -> AwsKms {
    let credentials = Credentials::builder().access_key_id("AKIDEXAMPLE").secret_access_key("the secret of the client");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(credentials.provider_name("test").build())
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(pause))
        .build();
    AwsKms::new(Client::from_conf(config), RUNTIME.handle().clone())
}

fn kms(server: &FakeHttp) -> AwsKms {
    kms_after(&server.url(), Duration::from_millis(1))
}

/// A call with everything that a call can have.
fn call() -> Call {
    let context = EncryptionContext::from_pairs([("bucket", "photos"), ("name", "cat.jpg")]).unwrap();
    let principal = Arc::new(Principal::new("arn:aws:iam::111122223333:user/alice"));
    let mut call = Call::of(principal).via("s3.eu-west-1").with_context(context);
    (call.grant_tokens, call.source, call.object) = (vec!["token".into()], Some("192.0.2.1".into()), Some("x".into()));
    call
}

fn plain() -> Call {
    Call::of(Arc::new(Principal::new("arn:aws:iam::111122223333:user/alice")))
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn stored() -> StoredKey {
    StoredKey { key_id: ARN.into(), key_version: 0, purpose: OBJECT, blob: b"blob".into() }
}

fn kind<T>(result: Result<T, KmsError>) -> KmsErrorKind {
    result.err().expect("it is refused").kind()
}

/// What GenerateDataKey and Decrypt answer.
fn data_key(arn: &str, secret: &[u8]) -> Value {
    json!({ "KeyId": arn, "Plaintext": base64(secret), "CiphertextBlob": base64(b"blob"), "KeyMaterialId": "aa" })
}

/// Checks the one request that was made: an operation of KMS that is signed, with exactly these arguments.
fn asked(server: &FakeHttp, operation: &str, arguments: Value) {
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((&*request.method, &*request.path), ("POST", "/"));
    assert_eq!(request.header("x-amz-target"), Some(&*format!("TrentService.{operation}")));
    assert_eq!(request.body, arguments);
    let signature = request.header("authorization").unwrap();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signature}");
    assert!(signature.contains("/eu-west-1/kms/aws4_request, SignedHeaders="), "{signature}");
}

#[test]
fn a_data_key_is_generated_under_exactly_the_context_of_the_call() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let key = block_on(kms(&server).generate(&call(), ALIAS_ARN, OBJECT)).unwrap();
    let arguments = json!({
        "KeyId": ALIAS_ARN,
        "KeySpec": "AES_256",
        "EncryptionContext": { "bucket": "photos", "name": "cat.jpg" },
        "GrantTokens": ["token"],
    });
    asked(&server, "GenerateDataKey", arguments);
    assert_eq!((key.service(), key.key_id(), key.key_version(), key.blob()), ("aws-kms", ARN, 0, &b"blob"[..]));
    assert_eq!(key.secret().expose_secret(), &[7; 32]);
}

#[test]
fn what_a_call_does_not_have_is_not_sent() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let made = block_on(kms(&server).generate_data_key(&plain(), ID)).unwrap();
    asked(&server, "GenerateDataKey", json!({ "KeyId": ID, "KeySpec": "AES_256" }));
    assert_eq!((made.plaintext.expose_secret(), &*made.ciphertext.key_arn), (&[7; 32], ARN));
    assert_eq!(made.ciphertext.material_id.as_deref(), Some("aa"));
}

#[test]
fn a_key_is_reopened_by_the_key_that_is_stored_and_no_other() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let key = block_on(kms(&server).reopen(&call(), &stored())).unwrap();
    let arguments = json!({
        "KeyId": ARN,
        "CiphertextBlob": base64(b"blob"),
        "EncryptionContext": { "bucket": "photos", "name": "cat.jpg" },
        "GrantTokens": ["token"],
    });
    asked(&server, "Decrypt", arguments);
    assert_eq!((key.secret().expose_secret(), key.key_id(), key.blob()), (&[7; 32], ARN, &b"blob"[..]));
}

#[test]
fn bytes_are_encrypted_and_decrypted() {
    let server = FakeHttp::always(200, json!({ "KeyId": ARN, "CiphertextBlob": base64(b"blob") }));
    let made = block_on(kms(&server).encrypt(&call(), ALIAS_ARN, b"the plaintext")).unwrap();
    assert_eq!((&*made.key_arn, &*made.blob, made.key_version), (ARN, &b"blob"[..], 0));
    let context = json!({ "bucket": "photos", "name": "cat.jpg" });
    let plaintext = base64(b"the plaintext");
    let arguments =
        json!({ "KeyId": ALIAS_ARN, "Plaintext": plaintext, "EncryptionContext": context, "GrantTokens": ["token"] });
    asked(&server, "Encrypt", arguments);

    let server = FakeHttp::always(200, data_key(ARN, b"the plaintext"));
    let opened = block_on(kms(&server).decrypt(&call(), None, b"blob")).unwrap();
    assert_eq!((&*opened.bytes, &*opened.key_arn), (&b"the plaintext"[..].to_vec(), ARN));
    assert_eq!(opened.material_id.as_deref(), Some("aa"));
    let arguments =
        json!({ "CiphertextBlob": base64(b"blob"), "EncryptionContext": context, "GrantTokens": ["token"] });
    asked(&server, "Decrypt", arguments);
}

#[test]
fn a_ciphertext_is_encrypted_anew_under_both_contexts() {
    let answer = json!({
        "SourceKeyId": OTHER, "KeyId": ARN, "CiphertextBlob": base64(b"new"),
        "SourceKeyMaterialId": "aa", "DestinationKeyMaterialId": "bb",
    });
    let server = FakeHttp::always(200, answer);
    let before = EncryptionContext::from_pairs([("bucket", "old")]).unwrap();
    let source = Source { key: Some(OTHER), blob: b"old", context: &before };
    let made = block_on(kms(&server).re_encrypt(&call(), &source, ARN)).unwrap();
    let arguments = json!({
        "SourceKeyId": OTHER, "CiphertextBlob": base64(b"old"), "SourceEncryptionContext": { "bucket": "old" },
        "DestinationKeyId": ARN, "DestinationEncryptionContext": { "bucket": "photos", "name": "cat.jpg" },
        "GrantTokens": ["token"],
    });
    asked(&server, "ReEncrypt", arguments);
    assert_eq!((&*made.source_key_arn, &*made.ciphertext.key_arn, &*made.ciphertext.blob), (OTHER, ARN, &b"new"[..]));
    let materials = (made.source_material_id.as_deref(), made.ciphertext.material_id.as_deref());
    assert_eq!(materials, (Some("aa"), Some("bb")));
}

/// The example of DescribeKey in the AWS KMS API reference, without its multi-Region part.
fn described() -> Value {
    json!({ "KeyMetadata": {
        "AWSAccountId": "111122223333", "Arn": ARN, "CreationDate": 1_499_988_169.234, "CurrentKeyMaterialId": "96083e",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "Description": "photos", "Enabled": true,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "KeyId": ID, "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT", "KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "MultiRegion": false,
        "Origin": "AWS_KMS",
    } })
}

#[test]
fn a_key_is_described() {
    let server = FakeHttp::always(200, described());
    let found = block_on(kms(&server).describe(&call(), ALIAS_ARN)).unwrap();
    asked(&server, "DescribeKey", json!({ "KeyId": ALIAS_ARN, "GrantTokens": ["token"] }));
    assert_eq!((&*found.key_id, &*found.arn, &*found.description), (ID, ARN, "photos"));
    assert_eq!((found.state, found.manager, found.origin), (KeyState::Enabled, KeyManager::Customer, Origin::Service));
    let created = found.created.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(created.as_secs(), 1_499_988_169);
    assert_eq!((found.deletion, found.valid_to, found.material_id.as_deref()), (None, None, Some("96083e")));
}

#[test]
fn states_of_keys_are_those_of_kms() {
    let ask = |changes: &[(&str, Value)]| {
        let mut answer = described();
        changes.iter().for_each(|(name, value)| answer["KeyMetadata"][name] = value.clone());
        block_on(kms(&FakeHttp::always(200, answer)).describe(&plain(), ARN))
    };
    let states = [
        ("Disabled", KeyState::Disabled),
        ("PendingDeletion", KeyState::PendingDeletion),
        ("PendingReplicaDeletion", KeyState::PendingDeletion),
        ("PendingImport", KeyState::PendingImport),
    ];
    for (name, state) in states {
        assert_eq!(ask(&[("KeyState", json!(name))]).unwrap().state, state, "{name}");
    }
    assert_eq!(kind(ask(&[("KeyState", json!("Unavailable"))])), KmsErrorKind::KeyUnavailable);
    assert_eq!(kind(ask(&[("KeyState", json!("Creating"))])), KmsErrorKind::InvalidState);
    let changes = [("Origin", json!("EXTERNAL")), ("ValidTo", json!(2_000_000_000)), ("KeyManager", json!("AWS"))];
    let imported = ask(&changes).unwrap();
    assert_eq!((imported.origin, imported.manager), (Origin::External, KeyManager::Aws));
    assert_eq!(imported.valid_to, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)));
    assert_eq!(kind(ask(&[("KeySpec", json!("RSA_2048"))])), KmsErrorKind::InvalidKeyUsage);
    assert_eq!(kind(ask(&[("KeyUsage", json!("GENERATE_VERIFY_MAC"))])), KmsErrorKind::InvalidKeyUsage);
}

#[test]
fn how_a_key_stands_only_a_call_tells() {
    let server = FakeHttp::always(500, json!({}));
    assert_eq!(block_on(kms(&server).standing(&call(), ARN, Right::Decrypt)), Ok(None));
    assert_eq!(server.count(), 0);
}

#[test]
fn an_object_is_sealed_and_opened() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let service = Arc::new(Blocking::new(Arc::new(kms(&server)), plain()));
    let context = EncryptionContext::from_pairs([("name", "cat.jpg")]).unwrap();
    let key = service.wrapping_key(ALIAS_ARN, &context).unwrap();
    let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start().unwrap();
    let sealed = body.seal(b"the plaintext").unwrap();
    let opened = OpenOptions::new().with_service(service).with_context(context).open(envelope.stored()).unwrap();
    assert_eq!(opened.body().unwrap().open(&sealed).unwrap(), b"the plaintext");
    let [_, decrypt] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!(
        (&decrypt.body["KeyId"], &decrypt.body["EncryptionContext"]),
        (&json!(ARN), &json!({"name": "cat.jpg"}))
    );
}

/// Codes of "Errors" in the AWS KMS API reference, and of its "Common error types".
#[test]
fn every_code_of_kms_is_its_kind() {
    use KmsErrorKind as Kind;
    let codes = [
        ("AccessDeniedException", Kind::AccessDenied),
        ("AlreadyExistsException", Kind::AlreadyExists),
        ("DependencyTimeoutException", Kind::DependencyTimeout),
        ("DisabledException", Kind::Disabled),
        ("DryRunOperationException", Kind::DryRun),
        ("ExpiredImportTokenException", Kind::ExpiredImportToken),
        ("IncorrectKeyException", Kind::IncorrectKey),
        ("IncorrectKeyMaterialException", Kind::IncorrectKeyMaterial),
        ("InvalidAliasNameException", Kind::InvalidAliasName),
        ("InvalidArnException", Kind::InvalidArn),
        ("InvalidCiphertextException", Kind::InvalidCiphertext),
        ("InvalidGrantIdException", Kind::InvalidGrantId),
        ("InvalidGrantTokenException", Kind::InvalidGrantToken),
        ("InvalidImportTokenException", Kind::InvalidImportToken),
        ("InvalidKeyUsageException", Kind::InvalidKeyUsage),
        ("InvalidMarkerException", Kind::InvalidMarker),
        ("KMSInternalException", Kind::Internal),
        ("KMSInvalidStateException", Kind::InvalidState),
        ("KeyUnavailableException", Kind::KeyUnavailable),
        ("LimitExceededException", Kind::LimitExceeded),
        ("MalformedPolicyDocumentException", Kind::MalformedPolicyDocument),
        ("NotFoundException", Kind::NotFound),
        ("TagException", Kind::Tag),
        ("ThrottlingException", Kind::Throttling),
        ("UnsupportedOperationException", Kind::UnsupportedOperation),
        ("ValidationException", Kind::Validation),
    ];
    for (code, kind) in codes {
        assert_eq!(Kind::from_code(code), Some(kind));
        assert_eq!(kind.code(), code);
    }
    assert_eq!(Kind::from_code("XksKeyInvalidConfigurationException"), None);
    let others = [
        ("ExpiredTokenException", 400, Kind::AccessDenied),
        ("UnrecognizedClientException", 400, Kind::AccessDenied),
        ("IncompleteSignature", 400, Kind::AccessDenied),
        ("InternalFailure", 500, Kind::Internal),
        ("ServiceUnavailable", 503, Kind::Internal),
    ];
    let with_status = codes.map(|(code, kind)| (code, 400, kind)).into_iter().chain(others);
    for (code, status, kind) in with_status {
        let server = FakeHttp::always(status, json!({ "__type": code, "message": "in the words of the service" }));
        let error = block_on(kms(&server).encrypt(&plain(), ARN, b"the plaintext")).unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, "in the words of the service"), "{code} {status}");
    }
    // Whose words these are nobody knows.
    for (status, kind) in [(400, Kind::Validation), (403, Kind::AccessDenied), (500, Kind::Internal)] {
        let server = FakeHttp::always(status, json!({ "__type": "SomethingElse", "message": "in other words" }));
        let error = block_on(kms(&server).encrypt(&plain(), ARN, b"the plaintext")).unwrap_err();
        let message = format!("AWS KMS answered with status {status} SomethingElse");
        assert_eq!((error.kind(), error.message()), (kind, &*message));
    }
}

#[test]
fn a_plaintext_that_the_service_gives_back_is_not_in_an_error() {
    for given_back in [base64(b"the plaintext"), "it was: the plaintext!".into()] {
        let server = FakeHttp::always(400, json!({ "__type": "ValidationException", "message": given_back }));
        let error = block_on(kms(&server).encrypt(&plain(), ARN, b"the plaintext")).unwrap_err();
        assert_eq!((error.kind(), error.message()), (KmsErrorKind::Validation, "(not shown)"));
    }
}

/// The server goes on until the client leaves it, so that a client that does not would never come to an end.
#[test]
fn an_answer_without_an_end_is_left() {
    let server = FakeHttp::start(|_, _| Reply::Endless);
    let error = block_on(kms(&server).generate(&plain(), ARN, OBJECT)).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Internal);
    assert_eq!(error.message(), "the service answered with more than 1048576 bytes");
    server.left.recv().unwrap();
}

/// The answer that tells its length is refused by it, and not asked for again.
#[test]
fn an_answer_that_is_too_long_is_asked_for_once() {
    let server = FakeHttp::start(|_, _| Reply::Text(200, " ".repeat((1 << 20) + 1)));
    let error = block_on(kms(&server).generate(&plain(), ARN, OBJECT)).unwrap_err();
    assert_eq!(error.message(), "the service answered with more than 1048576 bytes");
    assert_eq!(server.count(), 1);
    let mut answer = data_key(ARN, &[7; 32]).to_string();
    answer.push_str(&" ".repeat((1 << 20) - answer.len()));
    let server = FakeHttp::start(move |_, _| Reply::Text(200, answer.clone()));
    assert!(block_on(kms(&server).generate(&plain(), ARN, OBJECT)).is_ok(), "as long as it may be");
}

#[test]
fn what_stays_refused_is_asked_for_once() {
    let codes = [
        "AccessDeniedException",
        "DisabledException",
        "InvalidCiphertextException",
        "KMSInvalidStateException",
        "NotFoundException",
        "ValidationException",
    ];
    for code in codes {
        let server = FakeHttp::always(400, json!({ "__type": code }));
        let error = block_on(kms(&server).reopen(&plain(), &stored())).unwrap_err();
        assert_eq!((error.kind().code(), server.count()), (code, 1));
    }
}

fn throttled() -> Reply {
    Reply::Json(400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }))
}

#[test]
fn what_may_succeed_the_next_time_is_tried_three_times() {
    let faults: [(fn() -> Reply, KmsErrorKind); 5] = [
        (throttled, KmsErrorKind::Throttling),
        (|| Reply::Json(500, json!({ "__type": "KMSInternalException" })), KmsErrorKind::Internal),
        (|| Reply::Json(503, json!({ "__type": "DependencyTimeoutException" })), KmsErrorKind::DependencyTimeout),
        (|| Reply::HangUp, KmsErrorKind::Unreachable),
        (|| Reply::Torn, KmsErrorKind::Unreachable),
    ];
    for (fault, kind_of_fault) in faults {
        let twice = FakeHttp::start(move |number, _| match number {
            0 | 1 => fault(),
            _ => Reply::Json(200, data_key(ARN, &[7; 32])),
        });
        assert!(block_on(kms(&twice).generate(&plain(), ARN, OBJECT)).is_ok(), "{kind_of_fault:?}");
        assert_eq!(twice.count(), 3);

        let always = FakeHttp::start(move |_, _| fault());
        assert_eq!(kind(block_on(kms(&always).generate(&plain(), ARN, OBJECT))), kind_of_fault);
        assert_eq!(always.count(), 3);
    }
}

#[test]
fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let server = FakeHttp::start(|_, _| Reply::Silence);
    let call = plain().until(Instant::now() + Duration::from_millis(300));
    assert_eq!(kind(block_on(kms(&server).generate(&call, ARN, OBJECT))), KmsErrorKind::DependencyTimeout);
    server.left.recv().unwrap();
}

/// The client would wait for a day before it tries again, so that only the deadline ends the call.
#[test]
fn nothing_is_tried_again_after_the_deadline() {
    let server = FakeHttp::start(|_, _| throttled());
    let kms = kms_after(&server.url(), Duration::from_secs(86_400));
    let call = plain().until(Instant::now() + Duration::from_millis(300));
    assert_eq!(kind(block_on(kms.generate(&call, ARN, OBJECT))), KmsErrorKind::DependencyTimeout);
    assert_eq!(server.count(), 1);
}

#[test]
fn nothing_is_asked_when_the_deadline_has_passed() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let call = plain().until(Instant::now());
    assert_eq!(kind(block_on(kms(&server).generate(&call, ARN, OBJECT))), KmsErrorKind::DependencyTimeout);
    assert_eq!(server.count(), 0);
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let error = block_on(kms_after(&nobody(), Duration::from_millis(1)).describe(&plain(), ARN)).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Unreachable);
    assert!(error.message().contains("refused"), "{error}");
}

/// Whoever answers for another key than the one that was asked for has it refused, whatever it is.
#[test]
fn an_answer_of_another_key_is_refused() {
    let answer = |arn: &str| {
        let mut answer = data_key(arn, &[7; 32]);
        (answer["SourceKeyId"], answer["KeyMetadata"]) = (json!(arn), described()["KeyMetadata"].clone());
        answer["KeyMetadata"]["Arn"] = json!(arn);
        FakeHttp::always(200, answer)
    };
    let empty = EncryptionContext::new();
    for name in [ARN, ID] {
        let (right, wrong) = (answer(ARN), answer(OTHER));
        for (server, expected) in [(right, None), (wrong, Some(KmsErrorKind::IncorrectKey))] {
            let (kms, call) = (kms(&server), plain());
            let source = Source { key: Some(name), blob: b"blob", context: &empty };
            let results = [
                block_on(kms.generate(&call, name, OBJECT)).err(),
                block_on(kms.generate_data_key(&call, name)).err(),
                block_on(kms.encrypt(&call, name, b"")).err(),
                block_on(kms.decrypt(&call, Some(name), b"blob")).err(),
                block_on(kms.decrypt_data_key(&call, Some(name), b"blob")).err(),
                block_on(kms.re_encrypt(&call, &source, "alias/photos")).err(),
                block_on(kms.describe(&call, name)).err(),
            ];
            assert_eq!(results.map(|error| error.map(|error| error.kind())), [expected; 7], "{name}");
        }
    }
    assert_eq!(kind(block_on(kms(&answer(OTHER)).reopen(&plain(), &stored()))), KmsErrorKind::IncorrectKey);
    let source = Source { key: None, blob: b"blob", context: &empty };
    let elsewhere = block_on(kms(&answer(OTHER)).re_encrypt(&plain(), &source, ARN));
    assert_eq!(kind(elsewhere), KmsErrorKind::IncorrectKey);
}

#[test]
fn an_answer_that_names_no_key_is_refused() {
    for arn in ["", ID, ALIAS_ARN, "arn:aws:s3:eu-west-1:111122223333:key/photos"] {
        let server = FakeHttp::always(200, data_key(arn, &[7; 32]));
        let error = block_on(kms(&server).generate(&plain(), "alias/photos", OBJECT)).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Internal);
        assert_eq!(error.message(), "AWS KMS answered with no ARN of a key", "{arn:?}");
    }
}

#[test]
fn a_data_key_of_another_length_is_refused() {
    for len in [0, 31, 33] {
        let server = FakeHttp::always(200, data_key(ARN, &vec![7; len]));
        let (kms, call) = (kms(&server), plain());
        for error in [
            block_on(kms.generate(&call, ARN, OBJECT)).unwrap_err(),
            block_on(kms.generate_data_key(&call, ARN)).unwrap_err(),
        ] {
            assert_eq!(error.message(), "AWS KMS answered with a data key that is not of 32 bytes");
        }
        for error in [
            block_on(kms.reopen(&call, &stored())).unwrap_err(),
            block_on(kms.decrypt_data_key(&call, None, b"blob")).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (KmsErrorKind::InvalidCiphertext, "it is not of a data key"));
        }
    }
}

#[test]
fn a_call_that_is_only_to_be_tried_is_passed_on_as_one() {
    let empty = EncryptionContext::new();
    let source = Source { key: None, blob: b"blob", context: &empty };
    let mut call = plain();
    call.dry_run = true;
    // As AWS KMS answers, and as a server that does it all the same.
    let answers = [
        (400, json!({ "__type": "DryRunOperationException" })),
        (200, json!({ "KeyId": ARN, "SourceKeyId": ARN, "Plaintext": base64(&[7; 32]), "CiphertextBlob": "AA==" })),
    ];
    for (status, answer) in answers {
        let server = FakeHttp::always(status, answer);
        let kms = kms(&server);
        let errors = [
            block_on(kms.generate(&call, ARN, OBJECT)).err(),
            block_on(kms.reopen(&call, &stored())).err(),
            block_on(kms.encrypt(&call, ARN, b"")).err(),
            block_on(kms.decrypt(&call, None, b"blob")).err(),
            block_on(kms.re_encrypt(&call, &source, ARN)).err(),
        ];
        assert_eq!(errors.map(|error| error.unwrap().kind()), [KmsErrorKind::DryRun; 5]);
        assert!(server.requests().iter().all(|request| request.body["DryRun"] == json!(true)));
    }
}

#[test]
fn an_answer_that_is_dropped_ends_the_call() {
    let server = FakeHttp::start(|_, _| Reply::Silence);
    let (kms, call) = (kms(&server), plain());
    let mut answer = kms.generate(&call, ARN, OBJECT);
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    while server.count() == 0 {
        std::thread::yield_now();
    }
    drop(answer);
    // The client has closed the connection.
    server.left.recv().unwrap();
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn calls_run_on_their_own_runtime_under_any_executor() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let kms = kms(&server);
    assert!(kms.generate(&plain(), ARN, OBJECT).await.is_ok());
}

#[test]
fn a_runtime_that_has_ended_makes_it_unreachable() {
    let server = FakeHttp::start(|_, _| Reply::Silence);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config::builder().behavior_version(BehaviorVersion::v2026_01_12()).endpoint_url(server.url()).build();
    let kms = AwsKms::new(Client::from_conf(config), runtime.handle().clone());
    runtime.shutdown_background();
    let error = block_on(kms.describe(&plain(), ARN)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (KmsErrorKind::Unreachable, "the runtime of the client has ended"));
}

#[test]
fn an_endpoint_in_clear_is_on_this_machine() {
    let connect = |url: &str| {
        let options = AwsOptions::new().with_region("eu-west-1").with_endpoint(url);
        block_on(AwsKms::connect(options, RUNTIME.handle().clone())).map(|_| ())
    };
    for url in [
        "http://kms.example",
        "http://192.0.2.1:8080",
        "http://0.0.0.0",
        "http://127.0.0.1@kms.example",
        "http://127.0.0.1:80@kms.example:80/",
        "http://127.0.0.1.kms.example",
        "http://kms.example#127.0.0.1",
        "ftp://127.0.0.1",
        "127.0.0.1",
        "",
    ] {
        let error = connect(url).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Validation, "{url}");
        assert!(error.message().starts_with("without TLS others could read the keys"), "{url}: {error}");
    }
}

/// Runs itself in an environment that says where the service is, in clear.
#[test]
fn what_the_environment_says_is_not_sent_in_clear_either() {
    const NAME: &str = "what_the_environment_says_is_not_sent_in_clear_either";
    if let Ok(expected) = std::env::var("OBJSEAL_TEST_EXPECTED") {
        let options = AwsOptions::new().with_region("eu-west-1");
        let kms = block_on(AwsKms::connect(options, RUNTIME.handle().clone())).unwrap();
        let message =
            block_on(kms.generate(&plain(), ARN, OBJECT)).map_or_else(|error| error.to_string(), |_| "ok".into());
        assert!(message.contains(&expected), "{message}");
        return;
    }
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let proxy = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let environments = [
        ("ok", server.url(), String::new(), ""),
        ("without TLS others could read the keys", "http://192.0.2.1:1".into(), String::new(), ""),
        ("the proxy of the environment could read the keys", server.url(), proxy.url(), ""),
        ("ok", server.url(), proxy.url(), "127.0.0.1"),
    ];
    for (expected, url, proxy, spared) in environments {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env_clear()
            .env("OBJSEAL_TEST_EXPECTED", expected)
            .envs([("AWS_ENDPOINT_URL_KMS", &*url), ("HTTP_PROXY", &proxy), ("NO_PROXY", spared)])
            .envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "the secret of the client")])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }
    assert_eq!((server.count(), proxy.count()), (2, 0));
}

/// Runs itself in an environment, where it connects.
#[test]
fn a_client_is_made_of_options_and_environment() {
    const NAME: &str = "a_client_is_made_of_options_and_environment";
    if let Ok(url) = std::env::var("OBJSEAL_TEST_URL") {
        let nowhere = block_on(AwsKms::connect(AwsOptions::new().with_region_of("alias/x"), RUNTIME.handle().clone()));
        assert_eq!(kind(nowhere), KmsErrorKind::Validation);
        let options = AwsOptions::new().with_region_of(ALIAS_ARN).with_endpoint(url);
        let kms = block_on(AwsKms::connect(options, RUNTIME.handle().clone())).unwrap();
        block_on(kms.generate(&plain(), ALIAS_ARN, OBJECT)).unwrap();
        // The server has keys of one region, and an alias without an ARN is of that of the client.
        block_on(kms.generate(&plain(), "alias/photos", OBJECT)).unwrap();
        let elsewhere =
            AwsOptions::new().with_region("eu-west-2").with_endpoint(std::env::var("OBJSEAL_TEST_URL").unwrap());
        let elsewhere = block_on(AwsKms::connect(elsewhere, RUNTIME.handle().clone())).unwrap();
        for name in ["alias/photos", ID] {
            let outcome = block_on(elsewhere.generate(&plain(), name, OBJECT));
            assert_eq!(kind(outcome), KmsErrorKind::IncorrectKey, "{name}");
        }
        assert_eq!(kind(block_on(elsewhere.decrypt(&plain(), None, b"blob"))), KmsErrorKind::IncorrectKey);
        return;
    }
    let server = FakeHttp::start(|number, _| match number {
        0 | 1 => throttled(),
        _ => Reply::Json(200, data_key(ARN, &[7; 32])),
    });
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env_clear()
        .env("OBJSEAL_TEST_URL", server.url())
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "the secret of the client")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // What options say goes before.
        .env("AWS_ENDPOINT_URL_KMS", nobody())
        .env("AWS_MAX_ATTEMPTS", "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let requests = server.requests();
    assert_eq!(requests.len(), 3 + 1 + 3);
    assert!(requests[0].header("authorization").unwrap().contains("/eu-west-1/kms/"));
}

#[test]
fn a_cache_asks_once_for_many_objects() {
    let server = FakeHttp::always(200, data_key(ARN, &[7; 32]));
    let cached = CachedKms::new(Arc::new(kms(&server)), CacheOptions::new()).unwrap();
    let shared = Purpose { kind: KeyKind::Shared, context: ServiceContext::Bucket };
    let call = call();
    for _ in 0..100 {
        block_on(cached.generate(&call, ALIAS_ARN, shared)).unwrap();
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn no_error_and_no_debug_output_has_a_secret() {
    let secret = "the secret plaintext";
    let server = FakeHttp::start(move |_, _| Reply::Text(200, format!("{{ \"Plaintext\": {secret}")));
    let (kms, call) = (kms(&server), plain());
    let errors = [
        block_on(kms.reopen(&call, &stored())).unwrap_err(),
        block_on(kms.encrypt(&call, ARN, secret.as_bytes())).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), KmsErrorKind::Internal);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    assert_eq!(format!("{kms:?}"), "AwsKms { .. }");
}
