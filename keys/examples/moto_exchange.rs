//! Seals, opens and exchanges with boto3 under a key of moto's KMS: `keys/tests/moto/run` starts the server for it.

use objseal::envelope::{EncryptionContext, KeyKind, KeyService, OpenOptions, SealOptions, ServiceContext};
use objseal_keys::aws::{AwsKms, AwsOptions};
use objseal_keys::kms::{
    Blocking, Call, DataKeys, KeyState, Kms, KmsError, KmsErrorKind, Principal, Purpose, Source, StoredKey, block_on,
};
use std::env::var;
use std::process::Command;
use std::sync::Arc;
use tokio::runtime::Builder;

const OBJECTS: usize = 200;
const CIPHERTEXTS: usize = 10;
const OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };
const ALIAS: &str = "alias/photos";
const PAIRS: [(&str, &str); 2] = [("bucket", "photos"), ("größe", "\"groß\"")];
const JSON: &str = r#"{"größe": "\"groß\"", "bucket": "photos"}"#;

/// What boto3 says.
fn boto(arguments: &[&str]) -> String {
    let command = var("PEER").unwrap();
    let mut words = command.split(' ');
    let done = Command::new(words.next().unwrap()).args(words).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn call(pairs: &[(&str, &str)]) -> Call {
    let context = EncryptionContext::from_pairs(pairs.iter().copied()).unwrap();
    Call::of(Arc::new(Principal::new("arn:aws:iam::123456789012:user/alice"))).with_context(context)
}

fn refused<T>(result: Result<T, KmsError>, kind: KmsErrorKind) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    println!("  {}: {}", kind.code(), error.message());
}

/// Seals and opens objects.
fn objects(kms: &Arc<AwsKms>) {
    let service = Arc::new(Blocking::new(Arc::clone(kms), call(&[])));
    for number in 0..OBJECTS {
        let name = format!("objects/{number}");
        let context = EncryptionContext::from_pairs([("name", &*name)]).unwrap();
        let plaintext = name.repeat(number);
        let key = service.wrapping_key(ALIAS, &context).unwrap();
        let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start().unwrap();
        let sealed = body.seal(plaintext.as_bytes()).unwrap();
        let options = OpenOptions::new().with_service(Arc::clone(&service) as Arc<dyn KeyService>);
        let opened = options.with_context(context).open(envelope.stored()).unwrap();
        assert_eq!(opened.body().unwrap().open(&sealed).unwrap(), plaintext.as_bytes());
    }
    println!("{OBJECTS} objects sealed and opened");
}

/// boto3 opens what the library encrypts, and the other way round.
fn exchange(kms: &AwsKms, arn: &str) {
    let call = call(&PAIRS);
    for number in 1..=CIPHERTEXTS {
        let plaintext = vec![u8::try_from(number).unwrap(); number * 400];
        let made = block_on(kms.encrypt(&call, ALIAS, &plaintext)).unwrap();
        assert_eq!(boto(&["decrypt", arn, JSON, &hex(&made.blob)]), hex(&plaintext));
        let made = unhex(&boto(&["encrypt", arn, JSON, &hex(&plaintext)]));
        let opened = block_on(kms.decrypt(&call, Some(arn), &made)).unwrap();
        assert_eq!((&*opened.bytes, &*opened.key_arn), (&plaintext, arn));

        let made = block_on(kms.generate_data_key(&call, arn)).unwrap();
        let opened = boto(&["decrypt", arn, JSON, &hex(&made.ciphertext.blob)]);
        assert_eq!(opened, hex(made.plaintext.expose_secret()));
        let made = boto(&["datakey", arn, JSON]);
        let (blob, plaintext) = made.split_once(' ').unwrap();
        let opened = block_on(kms.decrypt_data_key(&call, Some(arn), &unhex(blob))).unwrap();
        assert_eq!(hex(opened.plaintext.expose_secret()), plaintext);
    }
    let each = 2 * CIPHERTEXTS;
    println!("{each} ciphertexts of the library opened by boto3, {each} of boto3 by the library");
}

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let arn = boto(&["key"]);
    // Endpoint and credentials are those of the environment.
    let kms = AwsKms::connect(AwsOptions::new().with_region_of(&arn), runtime.handle().clone());
    let kms = Arc::new(block_on(kms).unwrap());
    let ours = call(&PAIRS);

    objects(&kms);
    exchange(&kms, &arn);

    let source = block_on(kms.encrypt(&ours, &arn, b"the plaintext")).unwrap();
    let source = Source { key: Some(&arn), blob: &source.blob, context: &ours.context };
    let anew = block_on(kms.re_encrypt(&call(&[("bucket", "other")]), &source, ALIAS)).unwrap();
    let opened = boto(&["decrypt", &arn, r#"{"bucket": "other"}"#, &hex(&anew.ciphertext.blob)]);
    assert_eq!(unhex(&opened), b"the plaintext");
    let found = block_on(kms.describe(&ours, ALIAS)).unwrap();
    assert_eq!((&*found.arn, found.state, &*found.description), (&*arn, KeyState::Enabled, "photos"));

    println!("another context:");
    let key = block_on(kms.generate(&ours, ALIAS, OBJECT)).unwrap();
    let stored = StoredKey { key_id: arn.clone(), key_version: 0, purpose: OBJECT, blob: key.blob().into() };
    refused(block_on(kms.reopen(&call(&[("bucket", "photos")]), &stored)), KmsErrorKind::InvalidCiphertext);
    println!("a key that is not there:");
    refused(block_on(kms.generate(&ours, "alias/nothing", OBJECT)), KmsErrorKind::NotFound);
    println!("a disabled key:");
    boto(&["disable", &arn]);
    assert_eq!(block_on(kms.describe(&ours, &arn)).unwrap().state, KeyState::Disabled);
    println!("a key that is to be deleted:");
    boto(&["delete", &arn]);
    let found = block_on(kms.describe(&ours, &arn)).unwrap();
    assert_eq!((found.state, found.deletion.is_some()), (KeyState::PendingDeletion, true));
    println!("done");
}
