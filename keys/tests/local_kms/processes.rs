//! Several processes, each with several threads, that use one store.

use crate::shared::{Store, decrypt, kind, new_key, root};
use objseal::Key;
use objseal::envelope::{OpenOptions, WrappingKey};
use objseal_keys::audit;
use objseal_keys::kms::{Kms, block_on};
use objseal_keys::local::{LocalKms, Options, audit_folder};
use std::env;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;

/// Where the store of a child is.
const FOLDER: &str = "OBJSEAL_TEST_FOLDER";
/// How often each thread does everything; `.ci/long` has more of it.
const ROUNDS: &str = "OBJSEAL_TEST_ROUNDS";
const PROCESSES: usize = 2;
const THREADS: usize = 3;

fn rounds() -> usize {
    env::var(ROUNDS).map_or(15, |rounds| rounds.parse().expect("a number"))
}

/// One of the processes: it does nothing unless it was started as such.
#[test]
fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let folder = std::path::PathBuf::from(folder);
    let holder = Key::try_from(&fs::read(folder.join("holder")).expect("read")[..]).expect("a key");
    let holder = OpenOptions::new().with_key(Arc::new(WrappingKey::from_key(holder)));
    let kms = LocalKms::open(&folder.join("kms"), &holder, Options::default()).expect("opened");
    let key = fs::read_to_string(folder.join("key")).expect("read");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (kms, key, folder) = (&kms, &key, &folder);
            scope.spawn(move || {
                let path = folder.join(format!("{}-{thread}", std::process::id()));
                let mut done = fs::File::create(path).expect("created");
                for round in 0..rounds() {
                    if round % 3 == thread {
                        let version = kms.rotate(&root(), key).expect("rotated");
                        writeln!(done, "rotated {version}").expect("written");
                    }
                    for _ in 0..20 {
                        let made = block_on(kms.encrypt(&root(), key, b"plain")).expect("encrypted");
                        let hex: String = made.blob.iter().map(|byte| format!("{byte:02x}")).collect();
                        writeln!(done, "sealed {hex}").expect("written");
                    }
                }
            });
        }
    });
    kms.audit().flush().expect("synced");
}

#[test]
fn processes_that_rotate_and_seal_lose_nothing() {
    let store = Store::new();
    let key = new_key(&store.open());
    // The child has a key of its own type to read.
    let secret = store.holder.secret().expose_secret();
    fs::write(store.folder.path().join("holder"), secret).expect("written");
    fs::write(store.folder.path().join("key"), &key).expect("written");
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut child = Command::new(env::current_exe().expect("this test"));
            child.args(["processes::child", "--exact"]).env(FOLDER, store.folder.path()).spawn().expect("started")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }

    let kms = LocalKms::open(&store.path(), &store.holder(), Options::default()).expect("opened");
    let mut versions = Vec::new();
    let mut sealed = 0;
    for entry in fs::read_dir(store.folder.path()).expect("a folder") {
        let path = entry.expect("read").path();
        if path.extension().is_some() || !path.file_name().is_some_and(|name| name.to_string_lossy().contains('-')) {
            continue;
        }
        for line in fs::read_to_string(&path).expect("read").lines() {
            match line.split_once(' ').expect("two words") {
                ("rotated", version) => versions.push(version.parse::<u32>().expect("a number")),
                (_, hex) => {
                    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("digits");
                    let blob: Vec<u8> = (0..hex.len()).step_by(2).map(digits).collect();
                    assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain");
                    sealed += 1;
                }
            }
        }
    }
    versions.sort_unstable();
    let expected = PROCESSES * rounds();
    assert_eq!(versions, (2..).take(expected).collect::<Vec<u32>>(), "each rotation made the version that it said");
    assert_eq!(kms.versions(&root(), &key).expect("listed").len(), expected + 1);
    assert_eq!(sealed, PROCESSES * THREADS * rounds() * 20);
    assert_eq!(kind(kms.keys(&root())), None);

    let first_key = LocalKms::audit_key(&store.path(), &store.holder()).expect("a key");
    let head = kms.audit().head();
    kms.audit().flush().expect("synced");
    let report = audit::verify(&audit_folder(&store.path()), &first_key, &[head]).expect("verified");
    // CreateStore, CreateKey, all rotations, all seals, and the calls from here.
    let lines = 2 + expected + 2 * sealed + 2;
    assert_eq!(report.lines, lines as u64);
    println!(
        "{PROCESSES} processes with {THREADS} threads each: {expected} rotations, {sealed} seals, {lines} lines of audit"
    );
}

#[test]
fn those_who_open_a_new_store_at_once_make_one_log() {
    for _ in 0..10 {
        let store = Store::new();
        let start = std::sync::Barrier::new(8);
        let open = || {
            start.wait();
            let kms = LocalKms::open(&store.path(), &store.holder(), Options::default()).expect("opened");
            new_key(&kms)
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let kms = store.open();
        assert_eq!(kms.keys(&root()).expect("listed").len(), made.len());
        drop(kms);
        let first_key = LocalKms::audit_key(&store.path(), &store.holder()).expect("a key");
        audit::verify(&audit_folder(&store.path()), &first_key, &[]).expect("verified");
        assert!(!audit_folder(&store.path()).with_extension("audit.unfinished").exists());
    }
}

#[test]
fn a_log_that_was_never_finished_is_made_again() {
    let store = Store::new();
    let folder = audit_folder(&store.path());
    let before = fs::read(store.path()).expect("read");
    drop(store.open());
    let header = fs::read_to_string(folder.join("audit-0000000001.jsonl")).expect("read");
    let header = header.split_inclusive('\n').next().expect("a line").to_owned();
    // In the order in which making it goes on; each is what a process that was killed there leaves.
    let steps: [&[(&str, &str)]; 3] = [&[], &[("lock", "")], &[("lock", ""), ("audit-0000000001.jsonl", &header)]];
    for files in steps {
        fs::write(store.path(), &before).expect("written");
        fs::remove_dir_all(&folder).expect("removed");
        fs::create_dir(&folder).expect("made");
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("written");
        }
        let key = new_key(&store.open());
        assert_eq!(kind(store.open().disable(&root(), &key)), None);
        let first_key = LocalKms::audit_key(&store.path(), &store.holder()).expect("a key");
        audit::verify(&folder, &first_key, &[]).expect("verified");
    }
}
