//! The keyring's file: many paths to it, who owns it, what a killed run leaves, and passphrases as people and editors write them.

use argon2::{Algorithm, Argon2, Params, Version};
use objseal::{Key, cobblestone};
use objseal_keys::keyring::{KeyringError, KeyringFile, Passphrase, PassphraseCost};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tempfile::TempDir;

fn made(folder: &TempDir) -> KeyringFile {
    let file = KeyringFile::at(folder.path().join("keyring"));
    file.create(None, |keyring| keyring.create("main")).expect("made");
    file
}

fn cost() -> PassphraseCost {
    PassphraseCost::new(19 * 1024, 2, 1).expect("the floor")
}

fn words(text: &str) -> Passphrase {
    Passphrase::new(text.into()).expect("words")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn many_paths_to_one_keyring_share_one_lock() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    fs::create_dir(folder.path().join("links")).expect("made");
    let link = folder.path().join("links/keyring");
    symlink("../keyring", &link).expect("linked");
    let paths = [file.path().to_owned(), link, folder.path().join("links/../keyring")];
    let rotate = |path: &Path| -> Vec<u32> {
        let file = KeyringFile::at(path);
        (0..100).map(|_| file.update(None, |keyring| keyring.rotate("main")).expect("rotated")).collect()
    };
    let given: Vec<u32> = thread::scope(|scope| {
        let threads: Vec<_> = paths.iter().map(|path| scope.spawn(move || rotate(path))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 300, "no version was given out twice");
    assert_eq!(file.read(None).expect("read").list().collect::<Vec<_>>(), [("main", 301)]);
    assert_eq!(names(folder.path()), ["keyring", "keyring.lock", "links"]);
    assert_eq!(names(&folder.path().join("links")), ["keyring"]);
}

#[test]
fn a_keyring_is_made_behind_a_link_that_leads_nowhere_yet() {
    let folder = tempfile::tempdir().expect("a folder");
    symlink("real", folder.path().join("link")).expect("linked");
    let file = KeyringFile::at(folder.path().join("link"));
    file.create(None, |keyring| keyring.create("main")).expect("made");
    assert_eq!(names(folder.path()), ["link", "real", "real.lock"]);
    assert!(fs::symlink_metadata(folder.path().join("link")).expect("there").is_symlink());
}

/// The name of a temporary file of this keyring, seen while it is changed again and again.
fn temporary_name(file: &KeyringFile) -> String {
    let folder = file.path().parent().expect("a folder");
    let seen = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !seen.load(Ordering::Relaxed) {
                file.update(None, |_| Ok(())).expect("written");
            }
        });
        loop {
            if let Some(name) = names(folder).into_iter().find(|name| name.starts_with('.')) {
                seen.store(true, Ordering::Relaxed);
                return name;
            }
        }
    })
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_change() {
    let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let file = made(&folder);
    let other = KeyringFile::at(elsewhere.path().join("other"));
    other.create(None, |keyring| keyring.create("main")).expect("made");
    let (left, of_another) = (temporary_name(&file), temporary_name(&other));
    for name in [&left, &of_another] {
        fs::write(folder.path().join(name), "keys").expect("written");
    }
    file.update(None, |keyring| keyring.rotate("main")).expect("rotated");
    let names = names(folder.path());
    assert!(!names.contains(&left), "{names:?}");
    assert!(names.contains(&of_another), "another keyring may be changed at this moment: {names:?}");
    assert!(left.len() < 32 && left.is_ascii());
}

#[test]
fn root_changes_the_keyring_of_somebody_and_leaves_it_to_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    if chown(file.path(), Some(12_345), Some(12_345)).is_err() {
        println!("only root can give a file away: as another user, nobody has the file of a third");
        return;
    }
    assert!(matches!(file.read(None), Err(KeyringError::Owner { uid: 12_345 })), "its keys are known to somebody else");
    assert_eq!(file.update(None, |keyring| keyring.rotate("main")).expect("rotated"), 2);
    let metadata = fs::metadata(file.path()).expect("there");
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (12_345, 12_345, 0o600));
    file.protect(None, Some((&words("horse"), cost()))).expect("protected");
    assert_eq!(fs::metadata(file.path()).expect("there").uid(), 12_345);
    assert!(file.is_protected().expect("read"));
}

#[test]
fn root_gives_no_other_file_away() {
    let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let file = made(&folder);
    if chown(file.path(), Some(12_345), Some(12_345)).is_err() {
        println!("only root can give a file away");
        return;
    }
    let (lock, of_root) = (folder.path().join("keyring.lock"), elsewhere.path().join("of root"));
    fs::write(&of_root, "secret").expect("written");
    for link in [|of: &Path, at: &Path| symlink(of, at), |of: &Path, at: &Path| fs::hard_link(of, at)] {
        fs::remove_file(&lock).expect("removed");
        if link(&of_root, &lock).is_err() {
            println!("the two folders are on two file systems");
            continue;
        }
        file.update(None, |keyring| keyring.rotate("main")).expect("rotated");
        assert_eq!(fs::metadata(&of_root).expect("there").uid(), 0);
        assert_eq!(fs::read(&of_root).expect("read"), b"secret");
    }
}

#[test]
fn a_passphrase_for_a_keyring_without_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    let passphrase = words("correct horse");
    let before = fs::read(file.path()).expect("read");
    assert!(matches!(file.read(Some(&passphrase)), Err(KeyringError::NotProtected)));
    assert!(matches!(
        file.update(Some(&passphrase), |keyring| keyring.create("other")),
        Err(KeyringError::NotProtected)
    ));
    assert!(matches!(file.protect(Some(&passphrase), None), Err(KeyringError::NotProtected)));
    assert_eq!(fs::read(file.path()).expect("read"), before);
}

#[test]
fn a_passphrase_is_the_same_in_every_form_of_unicode() {
    let (composed, apart) = ("caf\u{e9}", "cafe\u{301}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    file.protect(None, Some((&words(apart), cost()))).expect("protected");
    for form in [composed, apart] {
        file.read(Some(&words(form))).unwrap_or_else(|error| panic!("{form:?}: {error}"));
    }
    let other = file.read(Some(&words("cafe"))).expect_err("another passphrase");
    assert!(matches!(other, KeyringError::WrongPassphrase));

    // One that was put under the form that it was typed in, written after FORMAT.md.
    let head = "objseal-keyring 1\nargon2id m=19456 t=2 p=1 salt=000102030405060708090a0b0c0d0e0f\n";
    let mut derived = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, Some(32)).expect("bounds"));
    let salt: Vec<u8> = (0..16).collect();
    argon2.hash_password_into(apart.as_bytes(), &salt, &mut derived).expect("derived");
    let keys = format!("key main 1 {}\n", "07".repeat(32));
    let message = cobblestone::seal(&Key::from_bytes(&derived), head.as_bytes(), keys.as_bytes()).expect("sealed");
    let hex: String = message.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(file.path(), format!("{head}sealed {hex}\n")).expect("written");
    let read = file.read(Some(&words(apart))).expect("by the form that was given");
    assert_eq!(read.latest("main").expect("a key").secret().expose_secret(), &[7; 32]);
    let composed = file.read(Some(&words(composed))).expect_err("the other form is not known");
    assert!(matches!(composed, KeyringError::WrongPassphrase));
}

#[test]
fn the_first_line_of_a_passphrase_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    let passphrase = words("two words");
    file.protect(None, Some((&passphrase, cost()))).expect("protected");
    for text in ["two words", "two words\n", "two words\r\n", "\u{feff}two words\r\nmore", "two words\n\0"] {
        let read = Passphrase::from_first_line(text).expect("a passphrase");
        file.read(Some(&read)).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    }
    for text in ["", "\n", "\r\nwords", "\u{feff}\n", "two\0words", "two words\0\n"] {
        let refused = Passphrase::from_first_line(text).map(drop).expect_err(text);
        assert!(matches!(refused, KeyringError::BadPassphrase), "{text:?}");
    }
}

#[test]
fn the_cost_of_a_file_that_somebody_else_wrote_is_bounded() {
    for (memory_kib, passes, lanes, sensible) in [
        (19 * 1024, 2, 1, true),
        (1024 * 1024, 2, 1, true),
        (1024 * 1024, 3, 1, false),
        (1024 * 1024 + 1, 2, 1, false),
        (32 * 1024, 64, 64, true),
        (32 * 1024 + 1, 64, 1, false),
        (19 * 1024, 65, 1, false),
        (19 * 1024, 2, 65, false),
        (19 * 1024 - 1, 2, 1, false),
        (u32::MAX, u32::MAX, 1, false),
    ] {
        let cost = PassphraseCost::new(memory_kib, passes, lanes);
        assert_eq!(cost.is_ok(), sensible, "{memory_kib} {passes} {lanes}");
    }
    // A message that is too short to be one is refused before the passphrase is worked on.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    let text = "objseal-keyring 1\nargon2id m=1048576 t=2 p=1 salt=000102030405060708090a0b0c0d0e0f\nsealed 00\n";
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    let read = KeyringFile::at(&path).read(Some(&words("x")));
    assert!(matches!(read, Err(KeyringError::Malformed { line: 3 })));
}

#[test]
fn what_is_a_keyring_or_its_lock_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    let path = |name: &str| folder.path().join(name);
    symlink("keyring", path("link")).expect("linked");
    symlink("keyring.lock", path("link to the lock")).expect("linked");
    fs::write(path("plain"), "objseal-").expect("written");
    fs::write(path("plain.lock"), "").expect("written");
    fs::write(path("later"), "objseal-keyring 2\n").expect("written");
    let expected = [
        ("keyring", true),
        ("keyring.lock", true),
        ("link", true),
        ("link to the lock", true),
        ("later", true),
        ("plain", false),
        ("plain.lock", false),
        ("nothing", false),
        ("none/keyring", false),
        (".", false),
    ];
    for (name, is) in expected {
        assert_eq!(KeyringFile::is_at(&path(name)), is, "{name}");
    }
    file.protect(None, Some((&words("two words"), cost()))).expect("protected");
    assert!(KeyringFile::is_at(file.path()));
    let of_bytes = path("bytes").join(OsStr::from_bytes(b"\xff.ring"));
    fs::create_dir(path("bytes")).expect("made");
    KeyringFile::at(&of_bytes).create(None, |keyring| keyring.create("main")).expect("made");
    for entry in fs::read_dir(path("bytes")).expect("a folder") {
        assert!(KeyringFile::is_at(&entry.expect("an entry").path()), "the keyring and its lock");
    }
}

#[test]
fn what_stands_there_by_then_is_no_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    let theirs = || {
        fs::write(file.path(), "theirs").expect("written");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).expect("set");
        if rustix::process::geteuid().is_root() {
            chown(file.path(), Some(65_534), Some(65_534)).expect("given away");
        }
    };
    let own = fs::metadata(file.path()).expect("there").uid();
    let exchange = |keyring: &mut objseal_keys::keyring::Keyring| {
        fs::remove_file(file.path()).expect("removed");
        theirs();
        keyring.rotate("main")
    };
    assert_eq!(file.update(None, exchange).expect("changed"), 2);
    let there = fs::metadata(file.path()).expect("there");
    assert_eq!((there.mode() & 0o777, there.uid()), (0o600, own));
    assert_eq!(file.read(None).expect("read").list().collect::<Vec<_>>(), [("main", 2)]);

    fs::remove_file(file.path()).expect("removed");
    let made = file.create(None, |keyring| {
        theirs();
        keyring.create("main")
    });
    let error = made.expect_err("refused");
    assert!(matches!(&error, KeyringError::Io(error) if error.kind() == std::io::ErrorKind::AlreadyExists), "{error}");
    assert_eq!(fs::read(file.path()).expect("there"), b"theirs");
}

#[cfg(target_os = "linux")]
#[test]
fn a_forked_process_does_not_keep_the_lock() {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    let lock = folder.path().join("keyring.lock");
    let forked = file.update(None, |_| {
        let open = fs::read_dir("/proc/self/fd").expect("descriptors").map(|entry| entry.expect("an entry").path());
        let held = open.filter(|open| fs::read_link(open).is_ok_and(|path| path == lock)).last().expect("it is open");
        let number = held.file_name().and_then(|name| name.to_str()).expect("a number").parse().expect("a number");
        let this = pidfd_open(getpid(), PidfdFlags::empty()).expect("this process");
        // The same open file, as a forked process has it.
        Ok(pidfd_getfd(this, number, PidfdGetfdFlags::empty()).expect("another descriptor"))
    });
    fs::File::open(&lock).expect("there").try_lock().expect("nobody holds it");
    drop(forked.expect("changed"));
}

#[test]
fn a_keyring_that_is_too_long_is_not_read_in_part() {
    let (longest, mut text) = (64 << 20, String::from("objseal-keyring 1\n"));
    let mut line = |name: &str, version: usize| {
        text.push_str(&format!("key {name} {version} {:064}\n", 1));
        text.len()
    };
    let mut names = 0..;
    let mut name = || format!("{:04}", names.next().expect("a number"));
    let mut len = 0;
    while longest - len > 1_000_000 {
        let name = name();
        len = (1..=10_000)
            .map(|version| line(&name, version))
            .take_while(|len| longest - len > 1_000)
            .last()
            .unwrap_or(0);
    }
    while longest - len > 300 {
        len = line(&name(), 1);
    }
    // A name of this length ends its line where the limit is.
    let (one, rest) = ((longest - len) / 2 - 72, longest - len - (longest - len) / 2 - 72);
    line(&"x".repeat(one), 1);
    assert_eq!(line(&"y".repeat(rest), 1), longest);
    line("z", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let file = made(&folder);
    fs::write(file.path(), &text).expect("written");
    assert!(matches!(file.update(None, |keyring| keyring.create("more")), Err(KeyringError::Malformed { line: 1 })));
    assert_eq!(fs::metadata(file.path()).expect("there").len(), text.len() as u64);
}

#[test]
fn a_place_that_is_not_there_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = KeyringFile::at(folder.path().join("mistyped"));
    for refused in [
        file.update(None, |keyring| keyring.create("main")).expect_err("no keyring"),
        file.protect(None, None).expect_err("no keyring"),
        KeyringFile::at(folder.path().join("unmounted/keyring"))
            .create(None, |_| Ok(()))
            .map(drop)
            .expect_err("no folder"),
    ] {
        let KeyringError::Io(error) = refused else { panic!("{refused}") };
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_passphrase_protects_or_is_refused() {
    for text in ["", "\0", "two\0words"] {
        assert!(matches!(Passphrase::new(text.into()), Err(KeyringError::BadPassphrase)), "{text:?}");
    }
}
