//! Services over a network against whoever controls the server, the way to it, or the environment.
#![cfg(all(feature = "aws", feature = "bao"))]

#[path = "shared/fake_http.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake_http;

use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::{Client, Config};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fake_http::{FakeHttp, Reply};
use objseal::envelope::{KeyKind, ServiceContext};
use objseal_keys::aws::{AwsKms, AwsOptions};
use objseal_keys::bao::{BaoOptions, BaoTransit};
use objseal_keys::kms::{Call, Kms, KmsError, KmsErrorKind, Principal, Purpose, StoredKey, block_on};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use tokio::runtime::{Builder, Runtime};

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const TOKEN: &str = "s.9sHKcNtOpzs5CVZOGjPU9jIm";
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };
/// Of an answer: thousands of times what any has.
const HUGE: usize = 64 << 20;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

fn aws(server: &FakeHttp) -> AwsKms {
    let credentials = Credentials::builder().access_key_id("AKIDEXAMPLE").secret_access_key("the secret of the client");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url(server.url())
        .credentials_provider(credentials.provider_name("test").build());
    AwsKms::new(Client::from_conf(config.build()), RUNTIME.handle().clone())
}

fn bao_at(url: &str) -> Result<BaoTransit, KmsError> {
    BaoTransit::new(BaoOptions::new(url, TOKEN.to_owned().into()), RUNTIME.handle().clone())
}

fn bao(server: &FakeHttp) -> BaoTransit {
    bao_at(&server.url()).unwrap()
}

fn call() -> Call {
    Call::of(Arc::new(Principal::new("arn:aws:iam::111122223333:user/alice")))
}

fn answer(data: Value) -> Value {
    json!({
        "request_id": "", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": null,
    })
}

fn kind<T>(result: Result<T, KmsError>) -> Option<KmsErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn an_answer_of_aws_that_is_huge_is_not_held() {
    let padding = "x".repeat(HUGE);
    let server = FakeHttp::start(move |_, _| {
        let secret = BASE64_STANDARD.encode([7; 32]);
        let data = json!({ "KeyId": ARN, "Plaintext": secret, "CiphertextBlob": "YmxvYg==", "Padding": padding });
        Reply::Json(200, data)
    });
    assert_eq!(kind(block_on(aws(&server).generate(&call(), ARN, OBJECT))), Some(KmsErrorKind::Internal));
}

#[test]
fn an_answer_of_bao_that_is_huge_is_not_held() {
    let padding = "x".repeat(HUGE);
    let server = FakeHttp::start(move |_, _| {
        Reply::Json(200, answer(json!({ "ciphertext": "vault:v1:YmxvYg==", "padding": padding })))
    });
    assert_eq!(kind(block_on(bao(&server).generate(&call(), "photos", OBJECT))), Some(KmsErrorKind::Internal));
}

/// The environment says nothing about where the engine is. Without TLS a proxy would see the token and the data keys.
#[test]
fn no_proxy_of_the_environment_gets_the_token() {
    const NAME: &str = "no_proxy_of_the_environment_gets_the_token";
    if let Ok(url) = std::env::var("OBJSEAL_TEST_URL") {
        block_on(bao_at(&url).unwrap().generate(&call(), "photos", OBJECT)).unwrap();
        return;
    }
    let server = FakeHttp::always(200, answer(json!({ "ciphertext": "vault:v1:YmxvYg==" })));
    let proxy = FakeHttp::always(200, answer(json!({ "ciphertext": "vault:v1:YmxvYg==" })));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env_clear()
        .env("OBJSEAL_TEST_URL", server.url())
        .envs(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, proxy.url())))
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!((proxy.count(), server.count()), (0, 1));
}

/// Token and data keys are in the requests.
#[test]
fn without_tls_the_engine_is_on_this_machine() {
    for url in ["http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200", "https://bao.example:8200"] {
        assert_eq!(kind(bao_at(url)), None, "{url}");
    }
    for url in ["http://bao.example:8200", "http://192.0.2.1:8200", "http://localhost.example", "http://0.0.0.0:8200"] {
        assert_eq!(kind(bao_at(url)), Some(KmsErrorKind::Validation), "{url}");
    }
}

/// Unicode Standard Annex 9, section 2, and Trojan Source (CVE-2021-42574): these turn what follows around on a terminal.
#[test]
fn the_words_of_a_server_cannot_turn_those_of_others_around() {
    let hostile = "denied\u{202e}\u{2066}\u{2028}\u{200f}\u{1b}[2J";
    let server = FakeHttp::always(400, json!({ "__type": "ValidationException", "message": hostile }));
    let of_aws = block_on(aws(&server).generate(&call(), ARN, OBJECT)).unwrap_err();
    let server = FakeHttp::always(400, json!({ "errors": [hostile] }));
    let of_bao = block_on(bao(&server).generate(&call(), "photos", OBJECT)).unwrap_err();
    for error in [of_aws, of_bao] {
        let strange = |c: char| {
            c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(error.message().starts_with("denied") && !error.message().contains(strange), "{:?}", error.message());
    }
}

/// A server that gives back what it was sent, as some proxies do.
#[test]
fn what_a_server_gives_back_is_not_in_an_error() {
    let server = FakeHttp::start(|_, request| {
        let token = request.header("x-vault-token").unwrap_or_default();
        let plaintext = request.body["plaintext"].as_str().unwrap_or_default();
        Reply::Json(500, json!({ "errors": [format!("bad request: {token}"), plaintext] }))
    });
    let error = block_on(bao(&server).encrypt(&call(), "photos", &[7; 32])).unwrap_err();
    assert!(!error.message().contains(TOKEN), "{error}");
    assert!(!error.message().contains(&BASE64_STANDARD.encode([7; 32])), "{error}");
}

#[test]
fn a_region_that_is_none_leads_nowhere() {
    for region in ["evil.example/", "x@127.0.0.1", "x#", "127.0.0.1/?", "a b"] {
        let key = format!("arn:aws:kms:{region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
        let credentials = Credentials::builder().access_key_id("AKIDEXAMPLE").secret_access_key("the secret");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region))
            .credentials_provider(credentials.provider_name("test").build());
        let kms = AwsKms::new(Client::from_conf(config.build()), RUNTIME.handle().clone());
        let error = block_on(kms.generate(&call(), &key, OBJECT)).unwrap_err();
        assert!(error.message().contains("region"), "{region}: {error}");
    }
    assert!(!format!("{:?}", AwsOptions::new().with_region_of("alias/x")).contains('x'));
}

/// AWS KMS Developer Guide, "Aliases": an alias and its key are in the same account and region.
#[test]
fn an_alias_stands_for_a_key_of_its_account_and_region() {
    let alias = "arn:aws:kms:eu-west-1:111122223333:alias/photos";
    for (arn, expected) in [
        (ARN.to_owned(), None),
        (ARN.replace("111122223333", "999988887777"), Some(KmsErrorKind::IncorrectKey)),
        (ARN.replace("eu-west-1", "us-east-1"), Some(KmsErrorKind::IncorrectKey)),
        (ARN.replace("arn:aws:", "arn:aws-cn:"), Some(KmsErrorKind::IncorrectKey)),
    ] {
        let secret = BASE64_STANDARD.encode([7; 32]);
        let server = FakeHttp::always(200, json!({ "KeyId": arn, "Plaintext": secret, "CiphertextBlob": "YmxvYg==" }));
        assert_eq!(kind(block_on(aws(&server).generate(&call(), alias, OBJECT))), expected, "{arn}");
    }
}

#[test]
fn an_answer_for_another_key_or_of_another_kind_gives_no_key() {
    let other = ARN.replace("1234abcd", "9999abcd");
    let secret = BASE64_STANDARD.encode([7; 32]);
    let stored = StoredKey { key_id: ARN.into(), key_version: 0, purpose: OBJECT, blob: b"blob".into() };
    for (answer, expected) in [
        (json!({ "KeyId": other, "Plaintext": secret }), KmsErrorKind::IncorrectKey),
        (json!({ "KeyId": ARN.to_uppercase(), "Plaintext": secret }), KmsErrorKind::Internal),
        (json!({ "KeyId": ARN, "Plaintext": null }), KmsErrorKind::Internal),
        (json!({ "KeyId": ARN, "Plaintext": "" }), KmsErrorKind::InvalidCiphertext),
        (json!({ "KeyId": ARN, "Plaintext": BASE64_STANDARD.encode([7; 33]) }), KmsErrorKind::InvalidCiphertext),
        (json!({ "__type": "AccessDeniedException", "message": "no" }), KmsErrorKind::Internal),
        (json!([]), KmsErrorKind::Internal),
    ] {
        let server = FakeHttp::always(200, answer.clone());
        assert_eq!(kind(block_on(aws(&server).reopen(&call(), &stored))), Some(expected), "{answer}");
    }
}
