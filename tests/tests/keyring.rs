//! The keyring's file: what it says, who may read it, and several processes at once.

use objseal_keys::keyring::{Keyring, KeyringError, KeyringFile, Passphrase, PassphraseCost};
use objseal_tests::{context, open_file, seal_file};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn made(folder: &Path) -> KeyringFile {
    fs::create_dir_all(folder.join("deep/er")).expect("made");
    let file = KeyringFile::at(folder.join("deep/er/keyring"));
    file.create(None, |keyring| keyring.create("main")).expect("made");
    file
}

fn cost() -> PassphraseCost {
    PassphraseCost::new(19 * 1024, 2, 1).expect("the floor")
}

fn words(text: &str) -> Passphrase {
    Passphrase::new(text.into()).expect("words")
}

fn list(keyring: &Keyring) -> Vec<(String, u32)> {
    keyring.list().map(|(name, version)| (name.to_owned(), version)).collect()
}

#[test]
fn keys_come_back() {
    let folder = folder();
    let file = made(folder.path());
    let stored = seal_file(&file.read(None).expect("read"), "main", context(&[]), b"text");
    file.update(None, |keyring| keyring.rotate("main")).expect("rotated");
    file.update(None, |keyring| keyring.create("a.b-c_9")).expect("created");
    let keyring = Arc::new(file.read(None).expect("read"));
    assert_eq!(list(&keyring), [("a.b-c_9".to_owned(), 1), ("main".to_owned(), 2)]);
    assert_eq!(open_file(&keyring, &stored).1, b"text");
    assert_eq!(fs::metadata(file.path()).expect("there").mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(file.path().parent().expect("a folder")).expect("read").collect();
    assert_eq!(names.len(), 2, "the keyring and its lock");
    assert!(!format!("{keyring:?}").contains("Key("));
}

#[test]
fn names_and_numbers_are_bounded() {
    let mut keyring = Keyring::new();
    for name in ["", "a b", "a/b", "..\n", "ä", &"x".repeat(65)] {
        assert!(matches!(keyring.create(name), Err(KeyringError::BadName)), "{name:?}");
    }
    keyring.create(&"x".repeat(64)).expect("made");
    assert!(matches!(keyring.create(&"x".repeat(64)), Err(KeyringError::KeyExists)));
    assert!(matches!(keyring.rotate("none"), Err(KeyringError::UnknownKey)));
    assert!(matches!(keyring.latest("none"), Err(KeyringError::UnknownKey)));
}

#[test]
fn what_fails_leaves_the_file_as_it_was() {
    let folder = folder();
    let file = made(folder.path());
    let before = fs::read(file.path()).expect("read");
    assert!(matches!(file.update(None, |keyring| keyring.create("main")), Err(KeyringError::KeyExists)));
    let again = file.create(None, |keyring| keyring.create("other"));
    assert!(matches!(again, Err(KeyringError::Io(error)) if error.kind() == ErrorKind::AlreadyExists));
    assert!(fs::read(file.path()).expect("read") == before);
    // What others keep beside it is not touched.
    let beside = folder.path().join("deep/er/keyring.new");
    fs::write(&beside, "theirs").expect("written");
    file.update(None, |keyring| keyring.create("other")).expect("created");
    assert_eq!(fs::read(&beside).expect("read"), b"theirs");
}

#[test]
fn others_must_not_read_it() {
    let folder = folder();
    let file = made(folder.path());
    for mode in [0o640, 0o604, 0o660, 0o777] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("set");
        let error = file.read(None).expect_err("refused");
        assert!(matches!(error, KeyringError::Permissions { mode: found } if found == mode), "{error}");
    }
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o400)).expect("set");
    file.read(None).expect("for the owner alone");
}

#[test]
fn a_link_stays_a_link() {
    let folder = folder();
    let file = made(folder.path());
    let link = folder.path().join("link");
    symlink("deep/er/keyring", &link).expect("a link");
    KeyringFile::at(&link).update(None, |keyring| keyring.create("other")).expect("created");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(file.read(None).expect("read").has("other"));
}

#[test]
fn changes_of_many_at_once_are_all_there() {
    let folder = folder();
    let file = made(folder.path());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = &file;
            scope.spawn(move || {
                for round in 0..5 {
                    let name = format!("key-{number}-{round}");
                    file.update(None, |keyring| keyring.create(&name)).expect("created");
                    file.update(None, |keyring| keyring.rotate("main")).expect("rotated");
                    // Readers take no lock, and see a whole file.
                    file.read(None).expect("read");
                }
            });
        }
    });
    let keys = list(&file.read(None).expect("read"));
    assert_eq!(keys.len(), 41);
    assert!(keys.contains(&("main".to_owned(), 41)));
}

#[test]
fn a_passphrase_protects_and_can_be_changed() {
    let folder = folder();
    let file = made(folder.path());
    let stored = seal_file(&file.read(None).expect("read"), "main", context(&[]), b"text");
    file.protect(None, Some((&words("one"), cost()))).expect("protected");
    let text = fs::read_to_string(file.path()).expect("read");
    assert!(text.starts_with("objseal-keyring 1\nargon2id m=19456 t=2 p=1 salt="), "{text}");
    assert!(!text.contains("main"));
    assert!(matches!(file.read(None), Err(KeyringError::PassphraseNeeded)));
    assert!(matches!(file.read(Some(&words("two"))), Err(KeyringError::WrongPassphrase)));
    assert!(matches!(
        file.update(Some(&words("One")), |keyring| keyring.rotate("main")),
        Err(KeyringError::WrongPassphrase)
    ));
    file.update(Some(&words("one")), |keyring| keyring.rotate("main")).expect("rotated");
    file.protect(Some(&words("one")), Some((&words("two"), PassphraseCost::DEFAULT))).expect("changed");
    assert!(matches!(file.read(Some(&words("one"))), Err(KeyringError::WrongPassphrase)));
    let keyring = Arc::new(file.read(Some(&words("two"))).expect("read"));
    assert_eq!(list(&keyring), [("main".to_owned(), 2)]);
    assert_eq!(open_file(&keyring, &stored).1, b"text");
    file.protect(Some(&words("two")), None).expect("removed");
    file.read(None).expect("read");
    assert_eq!(fs::metadata(file.path()).expect("there").mode() & 0o777, 0o600);
}

#[test]
fn a_cheap_passphrase_is_refused_also_on_reading() {
    for (memory, passes, lanes) in [(19 * 1024 - 1, 2, 1), (19 * 1024, 1, 1), (19 * 1024, 2, 0), (5 << 20, 2, 1)] {
        let error = PassphraseCost::new(memory, passes, lanes).expect_err("refused");
        assert!(matches!(error, KeyringError::PassphraseCost), "{error}");
    }
    let folder = folder();
    let file = made(folder.path());
    file.protect(None, Some((&words("one"), cost()))).expect("protected");
    let text = fs::read_to_string(file.path()).expect("read");
    for (from, to) in [("m=19456", "m=8"), ("m=19456", "m=4294967295"), (" t=2", " t=1"), (" t=2", " t=4000000000")] {
        fs::write(file.path(), text.replace(from, to)).expect("written");
        let error = file.read(Some(&words("one"))).expect_err("refused");
        assert!(matches!(error, KeyringError::PassphraseCost), "{to}: {error}");
    }
    // A cost within the bounds that is not the one it was sealed with.
    fs::write(file.path(), text.replace(" t=2", " t=3")).expect("written");
    assert!(matches!(file.read(Some(&words("one"))), Err(KeyringError::WrongPassphrase)));
}

#[test]
fn what_is_not_a_keyring_is_refused_with_its_line() {
    let folder = folder();
    let file = made(folder.path());
    let text = fs::read_to_string(file.path()).expect("read");
    let key = text.lines().nth(1).expect("a key").to_owned();
    let digits = key.rsplit(' ').next().expect("digits").to_owned();
    let cases = [
        ("", 1),
        ("objseal-keyring", 1),
        ("something else\n", 1),
        (&format!("objseal-keyring 1\n{key}"), 2),
        ("objseal-keyring 1\nkey main 1 00\n", 2),
        (&format!("objseal-keyring 1\n{key}\n\n"), 3),
        (&format!("objseal-keyring 1\n{key}\n{key}\n"), 3),
        (&format!("objseal-keyring 1\nkey main 2 {digits}\n"), 2),
        (&format!("objseal-keyring 1\nkey main 01 {digits}\n"), 2),
        (&format!("objseal-keyring 1\nkey main +1 {digits}\n"), 2),
        (&format!("objseal-keyring 1\nkey ma/in 1 {digits}\n"), 2),
        (&format!("objseal-keyring 1\nkey main 1 {}\n", digits.to_uppercase() + "A"), 2),
        (&format!("objseal-keyring 1\nkey b 1 {digits}\nkey a 1 {digits}\n"), 3),
        ("objseal-keyring 1\nargon2id m=19456 t=2 p=1\nsealed 00\n", 2),
        ("objseal-keyring 1\nargon2id m=19456 t=2 p=1 salt=00112233445566778899aabbccddeeff\nsealed 0\n", 3),
        ("objseal-keyring 1\nargon2id m=19456 t=2 p=1 salt=00112233445566778899aabbccddeeff\n", 3),
    ];
    for (text, line) in cases {
        fs::write(file.path(), text).expect("written");
        let passphrase = text.contains("argon2id").then(|| words("x"));
        let error = file.read(passphrase.as_ref()).expect_err("refused");
        assert!(matches!(error, KeyringError::Malformed { line: found } if found == line), "{text:?}: {error}");
    }
    fs::write(file.path(), "objseal-keyring 2\n").expect("written");
    assert!(matches!(file.read(None), Err(KeyringError::UnknownVersion)));
    fs::write(file.path(), b"objseal-keyring 1\n\xff\n").expect("written");
    assert!(matches!(file.read(None), Err(KeyringError::Malformed { line: 1 })));
}

#[test]
fn one_changed_byte_under_a_passphrase_is_refused() {
    let folder = folder();
    let file = made(folder.path());
    file.protect(None, Some((&words("one"), cost()))).expect("protected");
    let text = fs::read(file.path()).expect("read");
    for at in (0..text.len()).step_by(7) {
        let mut changed = text.clone();
        changed[at] ^= 2;
        fs::write(file.path(), changed).expect("written");
        file.read(Some(&words("one"))).expect_err("refused");
    }
}
