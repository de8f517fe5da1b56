//! Keys of a transit engine as a key service, against a server that answers what a test says.

#[path = "shared/fake_http.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fake_http;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fake_http::{FakeHttp, Reply, Request, nobody};
use objseal::envelope::{EncryptionContext, KeyKind, KeyService, OpenOptions, SealOptions, ServiceContext};
use objseal_keys::bao::{BaoOptions, BaoTransit};
use objseal_keys::kms::{
    Blocking, Call, DataKeys, KeyState, Kms, KmsError, KmsErrorKind, Origin, Principal, Purpose, Right, Source,
    StoredKey, block_on,
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::{Builder, Runtime};

const TOKEN: &str = "s.9sHKcNtOpzs5CVZOGjPU9jIm";
const ID: &str = "transit/keys/photos";
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

/// By Python: base64 of the label, and of the pairs `(struct.pack(">I", len(text)) + text)` in order.
const NO_PAIRS: &str = "b2Jqc2VhbCBiYW8tdHJhbnNpdCBjb250ZXh0IDE=";
const PAIRS: &str = "b2Jqc2VhbCBiYW8tdHJhbnNpdCBjb250ZXh0IDEAAAAGYnVja2V0AAAABnBob3RvcwAAAARuYW1lAAAAB2NhdC5qcGc=";
const UMLAUT: &str = "b2Jqc2VhbCBiYW8tdHJhbnNpdCBjb250ZXh0IDEAAAAHZ3LDtsOfZQAAAAA=";

/// Where calls run. The threads of the tests have none.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

fn options(url: &str) -> BaoOptions {
    BaoOptions::new(url, TOKEN.to_owned().into())
}

fn bao(server: &FakeHttp) -> BaoTransit {
    BaoTransit::new(options(&server.url()), RUNTIME.handle().clone()).unwrap()
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().copied()).unwrap()
}

fn plain() -> Call {
    Call::of(Arc::new(Principal::new("arn:aws:iam::111122223333:user/alice")))
}

fn call() -> Call {
    plain().via("s3.eu-west-1").with_context(context(&[("name", "cat.jpg"), ("bucket", "photos")]))
}

fn stored(version: u32, blob: &str) -> StoredKey {
    StoredKey { key_id: ID.into(), key_version: version, purpose: OBJECT, blob: blob.into() }
}

fn kind<T>(result: Result<T, KmsError>) -> KmsErrorKind {
    result.err().expect("it is refused").kind()
}

/// What the server puts around what it answers.
fn answer(data: Value) -> Value {
    json!({
        "request_id": "", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": null,
    })
}

fn error(message: &str) -> Value {
    json!({ "errors": [message] })
}

fn secret(bytes: &[u8]) -> Value {
    answer(json!({ "plaintext": BASE64_STANDARD.encode(bytes) }))
}

fn ciphertext(text: &str) -> Value {
    answer(json!({ "ciphertext": text }))
}

/// An engine that keeps what it encrypts in the ciphertext, with the associated data.
fn engine() -> FakeHttp {
    FakeHttp::start(|_, request| {
        let text = |name: &str| request.body[name].as_str().unwrap().to_owned();
        if request.path == "/v1/transit/encrypt/photos" {
            let kept = format!("{}\n{}", text("plaintext"), text("associated_data"));
            return Reply::Json(200, ciphertext(&format!("vault:v3:{}", BASE64_STANDARD.encode(kept))));
        }
        assert_eq!(request.path, "/v1/transit/decrypt/photos");
        let kept = BASE64_STANDARD.decode(text("ciphertext").rsplit(':').next().unwrap()).unwrap();
        let kept = String::from_utf8(kept).unwrap();
        match kept.split_once('\n').unwrap() {
            (plaintext, data) if data == text("associated_data") => {
                Reply::Json(200, answer(json!({ "plaintext": plaintext })))
            }
            _ => Reply::Json(400, error("cipher: message authentication failed")),
        }
    })
}

/// Of the arguments those that are not null.
fn arguments(request: &Request) -> Value {
    let mut body = request.body.clone();
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

#[test]
fn a_data_key_is_encrypted_with_the_context_as_associated_data() {
    let server = engine();
    let key = block_on(bao(&server).generate(&call(), "photos", OBJECT)).unwrap();
    assert_eq!((key.service(), key.key_id(), key.key_version()), ("bao-transit", ID, 3));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((&*request.method, &*request.path), ("POST", "/v1/transit/encrypt/photos"));
    assert_eq!(request.header("x-vault-token"), Some(TOKEN));
    assert_eq!(request.header("x-vault-namespace"), None);
    let plaintext = BASE64_STANDARD.encode(key.secret().expose_secret());
    let expected = json!({ "plaintext": plaintext, "associated_data": PAIRS, "convergent_encryption": "true" });
    assert_eq!(arguments(request), expected);
}

#[test]
fn every_data_key_is_another_one() {
    let (server, call) = (engine(), plain());
    let bao = bao(&server);
    let keys = [(); 2].map(|()| block_on(bao.generate_data_key(&call, "photos")).unwrap().plaintext);
    assert_ne!(keys[0].expose_secret(), keys[1].expose_secret());
}

#[test]
fn a_key_is_reopened_under_its_context() {
    let server = engine();
    let bao = bao(&server);
    let made = block_on(bao.generate(&call(), "photos", OBJECT)).unwrap();
    let blob = str::from_utf8(made.blob()).unwrap();
    let stored = stored(3, blob);
    let again = block_on(bao.reopen(&call(), &stored)).unwrap();
    assert_eq!(again.secret().expose_secret(), made.secret().expose_secret());
    assert_eq!((again.key_id(), again.key_version(), again.blob()), (ID, 3, made.blob()));
    let request = server.requests().pop().unwrap();
    let expected = json!({ "ciphertext": blob, "associated_data": PAIRS });
    assert_eq!(arguments(&request), expected);
    assert_eq!(request.header("x-vault-token"), Some(TOKEN));

    let others: [&[(&str, &str)]; 4] = [
        &[],
        &[("bucket", "photos")],
        &[("bucket", "photos"), ("name", "dog.jpg")],
        &[("bucket", "photos"), ("Name", "cat.jpg")],
    ];
    for other in others {
        let error = block_on(bao.reopen(&plain().with_context(context(other)), &stored)).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidCiphertext);
        assert_eq!(error.message(), "cipher: message authentication failed");
    }
}

#[test]
fn associated_data_is_that_of_the_context_alone() {
    let data_of = |context: EncryptionContext| {
        let server = engine();
        block_on(bao(&server).encrypt(&plain().with_context(context), "photos", b"")).unwrap();
        server.requests()[0].body["associated_data"].as_str().unwrap().to_owned()
    };
    assert_eq!(data_of(EncryptionContext::new()), NO_PAIRS);
    assert_eq!(data_of(context(&[("bucket", "photos"), ("name", "cat.jpg")])), PAIRS);
    assert_eq!(data_of(context(&[("größe", "")])), UMLAUT);
    // Whether whoever opens gives a value, or it is stored, is nothing to the service.
    let mut bound = EncryptionContext::new();
    bound.bind("name", "cat.jpg").unwrap();
    bound.insert("bucket", "photos").unwrap();
    assert_eq!(data_of(bound), PAIRS);
    // The same letters in other places.
    let all = [&[("ab", "c")][..], &[("a", "bc")], &[("abc", "")], &[("a", "b"), ("c", "")], &[("a", ""), ("b", "c")]];
    let mut all = all.map(|pairs| data_of(context(pairs))).to_vec();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn an_object_is_sealed_and_opened() {
    let server = engine();
    let service = Arc::new(Blocking::new(Arc::new(bao(&server)), plain()));
    let context = context(&[("name", "cat.jpg")]);
    let key = service.wrapping_key("photos", &context).unwrap();
    let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start().unwrap();
    let sealed = body.seal(b"the plaintext").unwrap();
    let opened = OpenOptions::new().with_service(service).with_context(context).open(envelope.stored()).unwrap();
    assert_eq!(opened.body().unwrap().open(&sealed).unwrap(), b"the plaintext");
}

#[test]
fn bytes_are_encrypted_decrypted_and_encrypted_anew() {
    let server = engine();
    let bao = bao(&server);
    let made = block_on(bao.encrypt(&call(), ID, b"the plaintext")).unwrap();
    assert_eq!((&*made.key_arn, made.key_version), (ID, 3));
    let opened = block_on(bao.decrypt(&call(), Some("photos"), &made.blob)).unwrap();
    assert_eq!((&**opened.bytes, &*opened.key_arn, opened.key_version), (&b"the plaintext"[..], ID, 3));

    let before = call().context;
    let source = Source { key: Some("photos"), blob: &made.blob, context: &before };
    let anew = block_on(bao.re_encrypt(&plain(), &source, "photos")).unwrap();
    assert_eq!((&*anew.source_key_arn, anew.source_key_version, &*anew.ciphertext.key_arn), (ID, 3, ID));
    let data: Vec<_> = server.requests().iter().map(|request| request.body["associated_data"].clone()).collect();
    assert_eq!(data, [PAIRS, PAIRS, PAIRS, NO_PAIRS]);
    let opened = block_on(bao.decrypt(&plain(), Some("photos"), &anew.ciphertext.blob)).unwrap();
    assert_eq!(&**opened.bytes, b"the plaintext");

    let error = block_on(bao.encrypt(&call(), ID, &[0; 4_097])).unwrap_err();
    assert_eq!((error.kind(), error.message()), (KmsErrorKind::Validation, "at most 4096 bytes are encrypted"));
    assert!(block_on(bao.encrypt(&call(), ID, &[0; 4_096])).is_ok());
}

#[test]
fn whoever_decrypts_names_the_key() {
    let server = engine();
    let source = Source { key: None, blob: b"vault:v1:AAAA", context: &EncryptionContext::new() };
    let errors = [
        block_on(bao(&server).decrypt(&plain(), None, b"vault:v1:AAAA")).err(),
        block_on(bao(&server).decrypt_data_key(&plain(), None, b"vault:v1:AAAA")).err(),
        block_on(bao(&server).re_encrypt(&plain(), &source, "photos")).err(),
    ];
    for error in errors.map(Option::unwrap) {
        assert_eq!(error.kind(), KmsErrorKind::Validation);
        assert_eq!(error.message(), "name the key: a ciphertext of transit does not say it");
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn a_key_of_another_mount_or_namespace_is_not_found() {
    let server = engine();
    let of = |options: BaoOptions| BaoTransit::new(options, RUNTIME.handle().clone()).unwrap();
    let plain_one = of(options(&server.url()));
    let elsewhere = of(options(&server.url()).with_mount("teams/red").with_namespace("eu"));
    let strangers = [
        (&plain_one, "other/keys/photos"),
        (&plain_one, "eu/transit/keys/photos"),
        (&plain_one, "transit/keys/"),
        (&plain_one, "transit/keys/../keys/photos"),
        (&plain_one, "transit/keys/photos/rotate"),
        (&plain_one, "transit/photos"),
        (&plain_one, ""),
        (&plain_one, ".."),
        (&plain_one, "photos?x"),
        (&plain_one, "photos%2f"),
        (&plain_one, "phot os"),
        (&elsewhere, ID),
        (&elsewhere, "teams/red/keys/photos"),
    ];
    for (bao, key) in strangers {
        let stored = StoredKey { key_id: key.into(), ..stored(1, "vault:v1:AAAA") };
        let errors = [
            block_on(bao.generate(&plain(), key, OBJECT)).err(),
            block_on(bao.reopen(&plain(), &stored)).err(),
            block_on(bao.describe(&plain(), key)).err(),
        ];
        for error in errors.map(Option::unwrap) {
            assert_eq!(error.kind(), KmsErrorKind::NotFound, "{key}");
            assert!(error.message().contains(" is no key of "), "{error}");
        }
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn a_mount_and_a_namespace_are_in_the_id() {
    let server = FakeHttp::always(200, ciphertext("vault:v1:AAAA"));
    let options = options(&server.url()).with_mount("teams/red").with_namespace("eu");
    let bao = BaoTransit::new(options, RUNTIME.handle().clone()).unwrap();
    for name in ["photos", "eu/teams/red/keys/photos"] {
        let key = block_on(bao.generate(&plain(), name, OBJECT)).unwrap();
        assert_eq!(key.key_id(), "eu/teams/red/keys/photos");
        let request = server.requests().pop().unwrap();
        assert_eq!(request.path, "/v1/teams/red/encrypt/photos");
        assert_eq!(request.header("x-vault-namespace"), Some("eu"));
    }
}

#[test]
fn a_ciphertext_that_is_none_is_refused_before_anybody_is_asked() {
    let server = engine();
    let bao = bao(&server);
    for blob in ["", "vault:v1:", "vault:v0:AAAA", "vault:v01:AAAA", "vault:v+1:AAAA", "vault:v1:A A", "v1:AAAA"] {
        let error = block_on(bao.decrypt(&plain(), Some("photos"), blob.as_bytes())).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidCiphertext);
        assert_eq!(error.message(), "it is not a ciphertext of transit", "{blob}");
    }
    let error = block_on(bao.reopen(&plain(), &stored(2, "vault:v1:AAAA"))).unwrap_err();
    assert_eq!(error.message(), "the ciphertext is of another version than the stored key says");
    assert_eq!(server.count(), 0);
}

#[test]
fn an_answer_that_is_none_is_refused() {
    let answers =
        [ciphertext("no ciphertext"), ciphertext("vault:v1:"), answer(json!({})), answer(Value::Null), json!(1)];
    for answer in answers {
        let server = FakeHttp::always(200, answer);
        assert_eq!(kind(block_on(bao(&server).generate(&plain(), "photos", OBJECT))), KmsErrorKind::Internal);
    }
    let no_base64 = FakeHttp::always(200, answer(json!({ "plaintext": "?" })));
    let error = block_on(bao(&no_base64).decrypt(&plain(), Some("photos"), b"vault:v1:AAAA")).unwrap_err();
    assert_eq!((error.kind(), error.message()), (KmsErrorKind::Internal, "the server answered with no base64"));
}

#[test]
fn a_data_key_of_another_length_is_refused() {
    for len in [0, 31, 33] {
        let server = FakeHttp::always(200, secret(&vec![7; len]));
        for error in [
            block_on(bao(&server).reopen(&plain(), &stored(1, "vault:v1:AAAA"))).unwrap_err(),
            block_on(bao(&server).decrypt_data_key(&plain(), Some("photos"), b"vault:v1:AAAA")).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (KmsErrorKind::InvalidCiphertext, "it is not of a data key"));
        }
    }
}

/// Texts of the transit engine and of the server around it.
#[test]
fn errors_of_the_server_are_their_kinds() {
    use KmsErrorKind as Kind;
    let errors = [
        (400, "cipher: message authentication failed", Kind::InvalidCiphertext),
        (400, "invalid ciphertext: could not decode base64", Kind::InvalidCiphertext),
        (400, "encryption key not found", Kind::NotFound),
        (400, "no existing key named photos could be found", Kind::NotFound),
        (400, "ciphertext or signature version is disallowed by policy (too old)", Kind::Disabled),
        (400, "missing 'context' for key derivation; the key was created using a derived key", Kind::InvalidKeyUsage),
        (400, "something else", Kind::Validation),
        (403, "permission denied", Kind::AccessDenied),
        (404, "no handler for route \"transit/encrypt/photos\". route entry not found.", Kind::NotFound),
        (405, "unsupported operation", Kind::UnsupportedOperation),
        (429, "request path rate limit quota exceeded", Kind::Throttling),
        (500, "internal error", Kind::Internal),
        (503, "Vault is sealed", Kind::KeyUnavailable),
    ];
    for (status, message, expected) in errors {
        let server = FakeHttp::always(status, error(message));
        let error = block_on(bao(&server).encrypt(&plain(), "photos", b"")).unwrap_err();
        assert_eq!((error.kind(), error.message()), (expected, message), "{status}");
        assert_eq!(server.count(), 1);
    }
    let server = FakeHttp::start(|_, _| Reply::Text(503, "<html>the secret of a proxy</html>".into()));
    let error = block_on(bao(&server).encrypt(&plain(), "photos", b"")).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::KeyUnavailable, "the server answered with status 503"));
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let bao = BaoTransit::new(options(&nobody()), RUNTIME.handle().clone()).unwrap();
    let error = block_on(bao.describe(&plain(), "photos")).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Unreachable);
    assert!(error.message().contains("refused"), "{error}");
    let server = FakeHttp::start(|_, _| Reply::HangUp);
    assert_eq!(kind(block_on(self::bao(&server).describe(&plain(), "photos"))), KmsErrorKind::Unreachable);
}

#[test]
fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let server = FakeHttp::start(|_, _| Reply::Silence);
    let call = plain().until(Instant::now() + Duration::from_millis(300));
    assert_eq!(kind(block_on(bao(&server).generate(&call, "photos", OBJECT))), KmsErrorKind::DependencyTimeout);
    server.left.recv().unwrap();
    let late = plain().until(Instant::now());
    assert_eq!(kind(block_on(bao(&server).generate(&late, "photos", OBJECT))), KmsErrorKind::DependencyTimeout);
    assert_eq!(server.count(), 1);
}

/// The server goes on until the client leaves it, so that a client that does not would never come to an end.
#[test]
fn an_answer_without_an_end_is_left() {
    let server = FakeHttp::start(|_, _| Reply::Endless);
    let error = block_on(bao(&server).generate(&plain(), "photos", OBJECT)).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Internal);
    assert_eq!(error.message(), "the service answered with more than 1048576 bytes");
    server.left.recv().unwrap();
    let told = FakeHttp::start(|_, _| Reply::Text(200, " ".repeat((1 << 20) + 1)));
    let error = block_on(bao(&told).generate(&plain(), "photos", OBJECT)).unwrap_err();
    assert_eq!(error.message(), "the service answered with more than 1048576 bytes");
}

#[test]
fn words_that_give_back_what_was_sent_still_say_what_kind_of_error_it_is() {
    let given_back = [TOKEN.to_owned(), BASE64_STANDARD.encode("the plaintext"), "the plaintext".into()];
    for text in given_back {
        let server = FakeHttp::always(400, error(&format!("message authentication failed: {text}!")));
        let error = block_on(bao(&server).encrypt(&plain(), "photos", b"the plaintext")).unwrap_err();
        assert_eq!((error.kind(), error.message()), (KmsErrorKind::InvalidCiphertext, "(not shown)"), "{text}");
    }
}

#[test]
fn an_answer_that_is_dropped_ends_the_call() {
    let server = FakeHttp::start(|_, _| Reply::Silence);
    let (bao, call) = (bao(&server), plain());
    let mut answer = bao.generate(&call, "photos", OBJECT);
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    while server.count() == 0 {
        std::thread::yield_now();
    }
    drop(answer);
    // The client has closed the connection.
    server.left.recv().unwrap();
}

#[test]
fn a_call_that_is_only_to_be_tried_gives_nothing() {
    let server = engine();
    let bao = bao(&server);
    let made = block_on(bao.encrypt(&plain(), "photos", &[7; 32])).unwrap();
    let source = Source { key: Some("photos"), blob: &made.blob, context: &EncryptionContext::new() };
    let mut call = plain();
    call.dry_run = true;
    let errors = [
        block_on(bao.generate(&call, "photos", OBJECT)).err(),
        block_on(bao.reopen(&call, &stored(3, str::from_utf8(&made.blob).unwrap()))).err(),
        block_on(bao.encrypt(&call, "photos", b"")).err(),
        block_on(bao.decrypt(&call, Some("photos"), &made.blob)).err(),
        block_on(bao.re_encrypt(&call, &source, "photos")).err(),
    ];
    assert_eq!(errors.map(|error| error.unwrap().kind()), [KmsErrorKind::DryRun; 5]);
}

/// As OpenBao 2.7 answers, without what is not looked at.
fn read_key(changes: &[(&str, Value)]) -> FakeHttp {
    let mut data = json!({
        "type": "aes256-gcm96", "derived": false, "deletion_allowed": true, "imported_key": false,
        "keys": { "2": 1_764_000_100, "3": 1_764_000_000 }, "latest_version": 3, "min_decryption_version": 2,
        "name": "photos", "supports_encryption": true,
    });
    changes.iter().for_each(|(name, value)| data[name] = value.clone());
    FakeHttp::always(200, answer(data))
}

#[test]
fn a_key_is_described() {
    let server = read_key(&[]);
    let found = block_on(bao(&server).describe(&plain(), "photos")).unwrap();
    assert_eq!((&*found.arn, &*found.key_id, found.current_version), (ID, "photos", 3));
    assert_eq!((found.state, found.origin), (KeyState::Enabled, Origin::Service));
    assert_eq!(found.created, SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((&*request.method, &*request.path), ("GET", "/v1/transit/keys/photos"));

    let ask = |changes: &[(&str, Value)]| block_on(bao(&read_key(changes)).describe(&plain(), "photos"));
    assert!(ask(&[("type", json!("chacha20-poly1305"))]).is_ok());
    assert_eq!(ask(&[("imported_key", json!(true))]).unwrap().origin, Origin::External);
    assert_eq!(ask(&[("soft_deleted", json!(true))]).unwrap().state, KeyState::Disabled);
    for unfit in ["aes128-gcm96", "rsa-4096", "ecdsa-p256", "hmac"] {
        let error = ask(&[("type", json!(unfit)), ("keys", json!({ "1": { "name": "x" } }))]).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidKeyUsage);
        assert_eq!(error.message(), format!("{ID} is of type {unfit}, and does not encrypt data keys"));
    }
    let error = ask(&[("derived", json!(true))]).unwrap_err();
    assert!(error.message().contains("aes256-gcm96, with derivation"), "{error}");
}

#[test]
fn how_a_key_stands_only_a_call_tells() {
    let server = engine();
    assert_eq!(block_on(bao(&server).standing(&call(), ID, Right::Decrypt)), Ok(None));
    assert_eq!(server.count(), 0);
}

/// A standby names the active server. Whoever would lead the token away from TLS, or on and on, is not followed.
#[test]
fn a_redirection_is_followed_once_and_on_the_same_scheme() {
    let active = engine();
    let url = active.url();
    let standby = FakeHttp::start(move |_, request| Reply::Redirect(format!("{url}{}", request.path)));
    assert!(block_on(bao(&standby).generate(&plain(), "photos", OBJECT)).is_ok());
    assert_eq!(active.requests()[0].header("x-vault-token"), Some(TOKEN));

    let url = standby.url();
    let twice = FakeHttp::start(move |_, request| Reply::Redirect(format!("{url}{}", request.path)));
    let elsewhere = FakeHttp::start(|_, _| Reply::Redirect("https://127.0.0.1:1/".into()));
    let in_clear = FakeHttp::start(|_, _| Reply::Redirect("http://192.0.2.1:1/".into()));
    for server in [&twice, &elsewhere, &in_clear] {
        let error = block_on(bao(server).generate(&plain(), "photos", OBJECT)).unwrap_err();
        assert_eq!((error.kind(), error.message()), (KmsErrorKind::Internal, "the server answered with status 307"));
    }
    assert_eq!(active.count(), 1);
}

#[test]
fn options_that_are_none_are_refused_without_the_token() {
    let url = "https://bao.example:8200";
    let refused = [
        (BaoOptions::new(url, String::new().into()), "the token is empty"),
        (BaoOptions::new(url, " \n".to_owned().into()), "the token is empty"),
        (BaoOptions::new(url, format!("{TOKEN}\r\nx: y").into()), "characters that none has"),
        (BaoOptions::new(url, format!("{TOKEN}ä").into()), "characters that none has"),
        (options("bao.example"), "the URL of the server is none"),
        (options("ftp://bao.example"), "is written as https://host:8200"),
        (options("https://bao.example/v1"), "is written as https://host:8200"),
        (options("https://bao.example/?x"), "is written as https://host:8200"),
        (options("https://user:password@bao.example"), "is written as https://host:8200"),
        (options(url).with_mount(""), "a mount or namespace is written as"),
        (options(url).with_mount("/transit"), "a mount or namespace is written as"),
        (options(url).with_mount("transit/../sys"), "a mount or namespace is written as"),
        (options(url).with_namespace("a b"), "a mount or namespace is written as"),
        (options(url).with_namespace(""), "a mount or namespace is written as"),
        (options(url).with_root_certificate(b"-----BEGIN CERTIFICATE-----\nx\n".into()), ""),
    ];
    for (options, why) in refused {
        assert!(!format!("{options:?}").contains(TOKEN));
        let error = BaoTransit::new(options, RUNTIME.handle().clone()).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Validation, "{error}");
        assert!(error.message().contains(why) && !error.message().contains(TOKEN), "{error}");
        assert!(!error.message().contains("password"), "{error}");
    }
    let from_a_file = BaoOptions::new(url, format!("{TOKEN}\n").into());
    let bao = BaoTransit::new(from_a_file, RUNTIME.handle().clone()).unwrap();
    assert!(!format!("{bao:?}").contains(TOKEN), "{bao:?}");
    assert!(format!("{bao:?}").contains("bao.example"), "{bao:?}");
}
