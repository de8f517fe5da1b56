//! Seals, opens and exchanges under keys of a transit engine: `keys/tests/bao_live/run` starts the server for it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use objseal::envelope::{EncryptionContext, KeyKind, KeyService, OpenOptions, SealOptions, ServiceContext};
use objseal_keys::bao::{BaoOptions, BaoTransit};
use objseal_keys::kms::{
    Blocking, Call, KeyState, Kms, KmsError, KmsErrorKind, Principal, Purpose, Source, StoredKey, block_on,
};
use std::env::var;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::{Builder, Handle};

const OBJECTS: usize = 200;
const CIPHERTEXTS: usize = 10;
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

/// By Python, as in `tests/bao.rs`, of these pairs.
const PAIRS: [(&str, &str); 2] = [("bucket", "photos"), ("name", "cat.jpg")];
const ASSOCIATED_DATA: &str =
    "b2Jqc2VhbCBiYW8tdHJhbnNpdCBjb250ZXh0IDEAAAAGYnVja2V0AAAABnBob3RvcwAAAARuYW1lAAAAB2NhdC5qcGc=";

/// What the command of the server prints.
fn bao(arguments: &[&str]) -> String {
    let done = Command::new("bao").args(arguments).output().unwrap();
    assert!(done.status.success(), "bao {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn service(token: &str, runtime: &Handle) -> Arc<BaoTransit> {
    let options = BaoOptions::new(var("BAO_ADDR").unwrap(), token.to_owned().into());
    Arc::new(BaoTransit::new(options, runtime.clone()).unwrap())
}

fn call(pairs: &[(&str, &str)]) -> Call {
    let context = EncryptionContext::from_pairs(pairs.iter().copied()).unwrap();
    Call::of(Arc::new(Principal::new("arn:aws:iam::111122223333:user/alice"))).with_context(context)
}

fn refused<T>(result: Result<T, KmsError>, kind: KmsErrorKind) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    println!("  {}: {}", kind.code(), error.message());
}

/// Seals and opens objects.
fn objects(kms: &Arc<BaoTransit>) {
    let service = Arc::new(Blocking::new(Arc::clone(kms), call(&[])));
    for number in 0..OBJECTS {
        let name = format!("objects/{number}");
        let context = EncryptionContext::from_pairs([("name", &*name)]).unwrap();
        let plaintext = name.repeat(number);
        let key = service.wrapping_key("photos", &context).unwrap();
        let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start().unwrap();
        let sealed = body.seal(plaintext.as_bytes()).unwrap();
        let options = OpenOptions::new().with_service(Arc::clone(&service) as Arc<dyn KeyService>);
        let opened = options.with_context(context).open(envelope.stored()).unwrap();
        assert_eq!(opened.body().unwrap().open(&sealed).unwrap(), plaintext.as_bytes());
    }
    println!("{OBJECTS} objects sealed and opened");
}

/// The command opens what the library encrypts, and the other way round.
fn exchange(kms: &BaoTransit) {
    let (call, data) = (call(&PAIRS), format!("associated_data={ASSOCIATED_DATA}"));
    for number in 0..CIPHERTEXTS {
        let plaintext = vec![u8::try_from(number).unwrap(); number * 400];
        let text = BASE64_STANDARD.encode(&plaintext);
        let made = block_on(kms.encrypt(&call, "photos", &plaintext)).unwrap();
        let blob = format!("ciphertext={}", String::from_utf8(made.blob).unwrap());
        assert_eq!(bao(&["write", "-field=plaintext", "transit/decrypt/photos", &blob, &data]), text);

        let plaintext_argument = format!("plaintext={text}");
        let made = bao(&["write", "-field=ciphertext", "transit/encrypt/photos", &plaintext_argument, &data]);
        let opened = block_on(kms.decrypt(&call, Some("transit/keys/photos"), made.as_bytes())).unwrap();
        assert_eq!(*opened.bytes, plaintext);
    }
    println!("{CIPHERTEXTS} ciphertexts of the library opened by bao, {CIPHERTEXTS} of bao by the library");
}

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let kms = service(&var("BAO_TOKEN").unwrap(), runtime.handle());
    let ours = call(&PAIRS);
    bao(&["write", "-f", "transit/keys/photos"]);

    objects(&kms);
    exchange(&kms);

    println!("another context, or none:");
    let first = block_on(kms.generate(&ours, "photos", OBJECT)).unwrap();
    let stored = |version| StoredKey {
        key_id: first.key_id().into(),
        key_version: version,
        purpose: OBJECT,
        blob: first.blob().into(),
    };
    refused(block_on(kms.reopen(&call(&[("name", "dog.jpg")]), &stored(1))), KmsErrorKind::InvalidCiphertext);
    refused(block_on(kms.reopen(&call(&[]), &stored(1))), KmsErrorKind::InvalidCiphertext);
    println!("a changed ciphertext:");
    let mut changed = stored(1);
    changed.blob[20] ^= 1;
    refused(block_on(kms.reopen(&ours, &changed)), KmsErrorKind::InvalidCiphertext);

    let before = block_on(kms.describe(&ours, "photos")).unwrap();
    assert_eq!((before.state, before.current_version), (KeyState::Enabled, 1));
    assert!(before.created > SystemTime::UNIX_EPOCH && before.created <= SystemTime::now());
    bao(&["write", "-f", "transit/keys/photos/rotate"]);
    let second = block_on(kms.generate(&ours, "photos", OBJECT)).unwrap();
    assert_eq!((first.key_version(), second.key_version()), (1, 2));
    assert_eq!(block_on(kms.describe(&ours, "photos")).unwrap().current_version, 2);
    let again = block_on(kms.reopen(&ours, &stored(1))).unwrap();
    assert_eq!(again.secret().expose_secret(), first.secret().expose_secret());
    let source = Source { key: Some("photos"), blob: first.blob(), context: &ours.context };
    let anew = block_on(kms.re_encrypt(&call(&[]), &source, "photos")).unwrap();
    assert_eq!((anew.source_key_version, anew.ciphertext.key_version), (1, 2));
    println!("rotated: a key of version 1 is reopened, and encrypted anew under version 2");

    println!("a version that is not decrypted any more:");
    bao(&["write", "transit/keys/photos/config", "min_decryption_version=2"]);
    refused(block_on(kms.reopen(&ours, &stored(1))), KmsErrorKind::Disabled);
    bao(&["write", "transit/keys/photos/config", "min_decryption_version=1"]);

    println!("a key that is not there, and is not made:");
    refused(block_on(kms.generate(&ours, "nothing", OBJECT)), KmsErrorKind::NotFound);
    refused(block_on(kms.describe(&ours, "nothing")), KmsErrorKind::NotFound);
    assert_eq!(bao(&["list", "-format=json", "transit/keys"]).split('"').count(), 3, "one key");

    println!("keys of other kinds:");
    bao(&["write", "transit/keys/rsa", "type=rsa-2048"]);
    bao(&["write", "transit/keys/derived", "derived=true"]);
    for key in ["rsa", "derived"] {
        refused(block_on(kms.generate(&ours, key, OBJECT)), KmsErrorKind::InvalidKeyUsage);
        refused(block_on(kms.describe(&ours, key)), KmsErrorKind::InvalidKeyUsage);
    }
    // The engine takes it. Whoever describes it is told.
    bao(&["write", "transit/keys/short", "type=aes128-gcm96"]);
    assert!(block_on(kms.generate(&ours, "short", OBJECT)).is_ok());
    refused(block_on(kms.describe(&ours, "short")), KmsErrorKind::InvalidKeyUsage);
    bao(&["write", "transit/keys/chacha", "type=chacha20-poly1305"]);
    assert!(block_on(kms.describe(&ours, "chacha")).is_ok());
    let key = block_on(kms.generate(&ours, "chacha", OBJECT)).unwrap();
    let stored_there = StoredKey { key_id: key.key_id().into(), blob: key.blob().into(), ..stored(1) };
    let opened = block_on(kms.reopen(&ours, &stored_there)).unwrap();
    assert_eq!(opened.secret().expose_secret(), key.secret().expose_secret());

    println!("a token without rights, one that is none, and a mount that is none:");
    let token = bao(&["token", "create", "-policy=default", "-field=token"]);
    refused(block_on(service(&token, runtime.handle()).reopen(&ours, &stored(1))), KmsErrorKind::AccessDenied);
    refused(block_on(service("none", runtime.handle()).describe(&ours, "photos")), KmsErrorKind::AccessDenied);
    let elsewhere = BaoOptions::new(var("BAO_ADDR").unwrap(), var("BAO_TOKEN").unwrap().into()).with_mount("nowhere");
    let elsewhere = BaoTransit::new(elsewhere, runtime.handle().clone()).unwrap();
    refused(block_on(elsewhere.generate(&ours, "photos", OBJECT)), KmsErrorKind::NotFound);

    println!("a deleted key:");
    bao(&["write", "transit/keys/photos/config", "deletion_allowed=true"]);
    bao(&["delete", "transit/keys/photos"]);
    refused(block_on(kms.reopen(&ours, &stored(1))), KmsErrorKind::NotFound);
    refused(block_on(kms.generate(&ours, "photos", OBJECT)), KmsErrorKind::NotFound);

    println!("a sealed server:");
    bao(&["operator", "seal"]);
    refused(block_on(kms.reopen(&ours, &stored(1))), KmsErrorKind::KeyUnavailable);
    println!("done");
}
