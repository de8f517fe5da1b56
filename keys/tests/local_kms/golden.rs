//! A store of version 1, which every later version opens, and a second implementation that reads it.

use crate::shared::{TestClock, context, decrypt, encrypt, kind, root, user};
use objseal::Key;
use objseal::envelope::{OpenOptions, WrappingKey};
use objseal_keys::audit::{self, Head};
use objseal_keys::kms::{KeyState, Kms, KmsErrorKind, Origin, block_on};
use objseal_keys::local::{LocalKms, Options, Wrapping, audit_folder};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/golden/kms")
}

fn holder() -> OpenOptions {
    let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).expect("small"));
    OpenOptions::new().with_key(Arc::new(WrappingKey::from_key(Key::from_bytes(&key))))
}

/// A copy: whoever opens a store writes to its log.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kms");
    fs::copy(golden().join("kms"), &path).expect("copied");
    fs::create_dir(audit_folder(&path)).expect("made");
    for entry in fs::read_dir(audit_folder(&golden().join("kms"))).expect("a folder") {
        let entry = entry.expect("read");
        fs::copy(entry.path(), audit_folder(&path).join(entry.file_name())).expect("copied");
    }
    (folder, path)
}

/// What a file has in hexadecimal digits.
fn bytes_of(name: &str) -> Vec<u8> {
    let hex = fs::read_to_string(golden().join(name)).expect("read");
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("digits");
    (0..hex.trim_end().len()).step_by(2).map(digits).collect()
}

#[test]
fn the_golden_store_opens() {
    let (_folder, path) = copy();
    let head =
        Head::from_json(fs::read_to_string(golden().join("head.json")).expect("read").trim_end()).expect("a head");
    let first_key = LocalKms::audit_key(&path, &holder()).expect("a key");
    let report = audit::verify(&audit_folder(&path), &first_key, std::slice::from_ref(&head)).expect("verified");
    assert_eq!(report.lines, head.sequence);

    let kms = LocalKms::open(&path, &holder(), Options::default().with_known_head(head)).expect("opened");
    let mut keys: Vec<_> = kms
        .keys(&root())
        .expect("listed")
        .into_iter()
        .map(|key| (key.description, key.state, key.origin, key.current_version))
        .collect();
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("disabled", KeyState::Disabled, Origin::Service, 1),
        ("imported", KeyState::Enabled, Origin::External, 1),
        ("kept after all", KeyState::Disabled, Origin::Service, 1),
        ("used", KeyState::Enabled, Origin::Service, 3),
        ("waits for material", KeyState::PendingImport, Origin::External, 0),
    ];
    assert_eq!(
        keys,
        expected.map(|(description, state, origin, version)| (description.into(), state, origin, version))
    );

    let pairs = context(&[("bucket", "photos"), ("key", "2026/cat.jpg")]);
    for reader in [root(), user("reader")] {
        let call = reader.with_context(pairs.clone());
        assert_eq!(decrypt(&kms, &call, &bytes_of("ciphertext")).expect("decrypted"), b"the plaintext");
    }
    assert_eq!(kind(decrypt(&kms, &root(), &bytes_of("ciphertext"))), Some(KmsErrorKind::InvalidCiphertext));
    assert_eq!(kms.rotation(&root(), "alias/used").expect("asked").map(|rotation| rotation.period_days), Some(2_560));
    assert_eq!(block_on(kms.encrypt(&root(), "alias/used", b"new")).expect("encrypted").key_version, 3);
    assert!(encrypt(&kms, &user("reader"), "alias/used", b"plain").is_err());
    let tags = [("größe".into(), String::new()), ("stage".into(), "production".into())];
    assert_eq!(kms.tags(&root(), "alias/used").expect("listed"), tags.into());
}

#[test]
fn the_golden_import_token_is_taken() {
    let (_folder, path) = copy();
    // Before the store was made: the token is not too old.
    let options = Options::default().with_clock(TestClock::new());
    let kms = LocalKms::open(&path, &holder(), options).expect("opened");
    let keys = kms.keys(&root()).expect("listed");
    let waits = keys.iter().find(|key| key.description == "waits for material").expect("a key");
    let open = |how: &Wrapping, private_key: &[u8]| {
        assert_eq!(*how, Wrapping::new("RSAES_OAEP_SHA_256", "RSA_4096"));
        assert_eq!(private_key, b"a private key");
        Ok(Key::from_bytes(&[1; 32]))
    };
    kms.import_wrapped(&root(), &waits.arn, &bytes_of("import-token"), open, None).expect("imported");
}

#[test]
fn a_second_implementation_reads_it_after_its_specification() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/pyca/bin/python");
    assert!(python.exists(), "PyCA's cryptography is not there: tests/pyca/install");
    let read = |args: &[&str]| {
        let mut reader = Command::new(&python);
        reader.arg("-B").arg(root.join("vectors/reader/kms_reader.py")).args(args);
        let output = reader.current_dir(golden()).output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let plain = read(&["decrypt", "kms", "root-key", "ciphertext", "bucket=photos", "key=2026/cat.jpg"]);
    let hex: String = b"the plaintext".iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(plain.trim_end(), hex);

    let shown: serde_json::Value = serde_json::from_str(&read(&["show", "kms", "root-key"])).expect("JSON");
    let audit_key = LocalKms::audit_key(&golden().join("kms"), &holder()).expect("a key");
    let hex: String = audit_key.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown["audit_key"], hex);
    let used = shown["catalogue"]["aliases"]["alias/used"]["key"].as_str().expect("a key");
    let record = &shown["keys"][used];
    assert_eq!((record["description"].as_str(), record["state"].as_str()), (Some("used"), Some("Enabled")));
    assert_eq!(record["versions"].as_array().map(Vec::len), Some(3));
    assert_eq!(record["grants"][0]["constraint"]["EncryptionContextSubset"]["bucket"], "photos");
    assert!(record["policy"].as_str().expect("a policy").contains("kms:*"));
    assert_eq!(record["tags"], serde_json::json!({"größe": "", "stage": "production"}));

    let keys = shown["keys"].as_object().expect("keys");
    let (id, record) = keys.iter().find(|(_, key)| key["description"] == "waits for material").expect("a key");
    let said: serde_json::Value =
        serde_json::from_str(&read(&["token", "kms", "root-key", id, "import-token"])).expect("JSON");
    let hex: String = b"a private key".iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said["private_key"], hex);
    assert_eq!((said["algorithm"].as_str(), said["spec"].as_str()), (Some("RSAES_OAEP_SHA_256"), Some("RSA_4096")));
    let day = 24 * 60 * 60;
    let age = said["valid_to"].as_u64().zip(record["created"].as_u64()).map(|(end, created)| end - created);
    assert!(age.is_some_and(|age| (day..day + 60).contains(&age)), "it was made with the key: {age:?}");
    println!("PyCA read {} keys", shown["keys"].as_object().map_or(0, serde_json::Map::len));
}
