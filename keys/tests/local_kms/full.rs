//! A disk that is full: here, a process whose files may not grow.

use crate::shared::{Store, decrypt, encrypt, kind, new_key, root};
use objseal::Key;
use objseal::envelope::{OpenOptions, WrappingKey};
use objseal_keys::audit;
use objseal_keys::kms::KmsErrorKind;
use objseal_keys::local::{LocalKms, NewKey, Options, audit_folder};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// Where the store of the child is.
const FOLDER: &str = "OBJSEAL_TEST_FULL";

/// Makes keys until no more can be made, and uses one until no more lines can be written. It does nothing unless it was started
/// as such.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let holder = Key::try_from(&fs::read(folder.join("holder")).expect("read")[..]).expect("a key");
    let holder = OpenOptions::new().with_key(Arc::new(WrappingKey::from_key(holder)));
    let kms = LocalKms::open(&folder.join("kms"), &holder, Options::default()).expect("opened");
    let first = new_key(&kms);
    let mut made = 1;
    let full = loop {
        match kms.create_key(&root(), NewKey::described("a".repeat(8_000))) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), KmsErrorKind::Internal, "{full}");
    assert_eq!(kms.keys(&root()).expect("listed").len(), made, "what was not written is not there");
    let blob = encrypt(&kms, &root(), &first, b"plain").expect("there is room for a line");
    let full = loop {
        match decrypt(&kms, &root(), &blob) {
            Ok(plain) => assert_eq!(plain, b"plain"),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), KmsErrorKind::Internal, "{full}");
    assert_eq!(kind(kms.disable(&root(), &first)), Some(KmsErrorKind::Internal));
    fs::write(folder.join("made"), format!("{made} {first}")).expect("written");
}

#[cfg(unix)]
#[test]
fn on_a_full_disk_nothing_is_done_that_is_not_written_down() {
    let store = Store::new();
    fs::write(store.folder.path().join("holder"), store.holder.secret().expose_secret()).expect("written");
    drop(store.open());
    // In blocks of 512 bytes, or 1,024 as some shells count.
    let script = "ulimit -f 400; trap '' XFSZ; exec \"$0\" full::child --exact";
    let mut child = Command::new("sh");
    child.args(["-c", script]).arg(std::env::current_exe().expect("this test")).env(FOLDER, store.folder.path());
    let output = child.output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    let made = fs::read_to_string(store.folder.path().join("made")).expect("written");
    let (made, first) = made.split_once(' ').expect("two words");
    let kms = store.open();
    assert_eq!(kms.keys(&root()).expect("listed").len().to_string(), made);
    assert!(encrypt(&kms, &root(), first, b"plain").is_ok(), "with room it goes on");
    assert_eq!(kind(kms.disable(&root(), first)), None);
    drop(kms);
    let first_key = LocalKms::audit_key(&store.path(), &store.holder()).expect("a key");
    audit::verify(&audit_folder(&store.path()), &first_key, &[]).expect("verified");
}
