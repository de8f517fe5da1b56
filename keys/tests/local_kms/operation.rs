//! What happens to an honest operator: crashes, full disks, strange clocks, many keys.

use crate::shared::{DAY, PURPOSE, Store, decrypt, encrypt, kind, new_key, owner, root, user};
use objseal::Key;
use objseal_keys::audit::{self, Anchor, Flush, Head};
use objseal_keys::clock::{Clock, SystemClock};
use objseal_keys::kms::{KeyState, Kms, KmsErrorKind, Right, Source, block_on};
use objseal_keys::local::{DeletionWindow, LocalKms, NewKey, Options, RotationPeriod, StoreError, audit_folder};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

fn copy_store(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("read");
        if entry.path().is_dir() {
            copy_store(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

fn lines(store: &Store) -> Vec<serde_json::Value> {
    let mut names: Vec<_> = fs::read_dir(audit_folder(&store.path()))
        .expect("a folder")
        .map(|entry| entry.expect("read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    names.sort();
    let text: String = names.iter().map(|path| fs::read_to_string(path).expect("read")).collect();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Looks at the store whenever lines have been synced.
struct Watch {
    folder: PathBuf,
    to: PathBuf,
    /// How many keys the store has on disk, by the sequence of the last line.
    seen: Mutex<Vec<(u64, u32)>>,
    copies: AtomicBool,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Anchor for Watch {
    fn publish(&self, head: &Head) -> std::io::Result<()> {
        let database = Connection::open(self.folder.join("kms")).expect("a database");
        let keys = database.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).expect("a count");
        self.seen.lock().expect("no panic").push((head.sequence, keys));
        if self.copies.swap(false, Ordering::Relaxed) {
            copy_store(&self.folder, &self.to);
        }
        Ok(())
    }
}

fn watched(store: &Store, flush: Flush) -> (Arc<Watch>, LocalKms, tempfile::TempDir) {
    let aside = tempfile::tempdir().expect("a folder");
    let watch = Arc::new(Watch {
        folder: store.folder.path().into(),
        to: aside.path().join("copy"),
        seen: Mutex::default(),
        copies: AtomicBool::new(false),
    });
    drop(store.open());
    let audit = audit::Options { flush, ..audit::Options::default() };
    let options = store.options().with_audit(audit).with_anchor(watch.clone());
    let kms = LocalKms::open(&store.path(), &store.holder(), options).expect("opened");
    (watch, kms, aside)
}

#[test]
fn the_line_of_a_change_is_on_the_disk_before_the_change() {
    for flush in [Flush::EveryLine, Flush::Within(Duration::from_secs(3_600))] {
        let store = Store::new();
        let (watch, kms, _aside) = watched(&store, flush);
        watch.seen.lock().expect("no panic").clear();
        let line = kms.audit().head().sequence + 1;
        new_key(&kms);
        let seen = watch.seen.lock().expect("no panic").clone();
        assert_eq!(seen.first(), Some(&(line, 0)), "{flush:?}: {seen:?}");
    }
}

#[test]
fn who_is_killed_between_the_line_and_the_change_goes_on_without_it() {
    let store = Store::new();
    let (watch, kms, aside) = watched(&store, Flush::EveryLine);
    let key = new_key(&kms);
    watch.copies.store(true, Ordering::Relaxed);
    kms.disable(&root(), &key).expect("disabled");
    drop(kms);
    // What a process that was killed there leaves.
    let path = aside.path().join("copy/kms");
    let kms = LocalKms::open(&path, &store.holder(), store.options()).expect("opened");
    assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").state, KeyState::Enabled, "not done");
    assert_eq!(kind(kms.disable(&root(), &key)), None);
    drop(kms);
    assert!(LocalKms::open(&path, &store.holder(), store.options()).is_ok());
    let first_key = LocalKms::audit_key(&path, &store.holder()).expect("a key");
    audit::verify(&audit_folder(&path), &first_key, &[]).expect("verified");
}

#[test]
fn a_change_that_is_not_committed_is_not_done_and_a_line_says_so() {
    let store = Store::new();
    let options = store.options().with_clock(Arc::new(SystemClock));
    let kms = LocalKms::open(&store.path(), &store.holder(), options).expect("opened");
    let key = new_key(&kms);
    let generation = kms.audit().head().generation;
    // Somebody reads, so that nothing is committed meanwhile.
    let reader = Connection::open(store.path()).expect("a database");
    reader.execute_batch("BEGIN; SELECT * FROM keys").expect("reading");
    let hasty = root().until(Instant::now() + Duration::from_millis(100));
    assert_eq!(kind(kms.disable(&hasty, &key)), Some(KmsErrorKind::DependencyTimeout));
    let last = lines(&store).pop().expect("a line");
    assert_eq!(
        (last["operation"].as_str(), last["outcome"].as_str()),
        (Some("DisableKey"), Some("DependencyTimeoutException"))
    );
    assert!(last["detail"].as_str().is_some_and(|detail| detail.starts_with("not done: ")), "{last}");
    assert_eq!(kms.audit().head().generation, generation);
    assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").state, KeyState::Enabled);
    reader.execute_batch("COMMIT").expect("read");
    kms.disable(&root(), &key).expect("disabled");
    drop(kms);
    assert_eq!(block_on(store.open().describe(&root(), &key)).expect("described").state, KeyState::Disabled);
}

/// An anchor that takes nothing while it is told to.
#[derive(Debug, Default)]
struct Refusing(AtomicBool);

impl Anchor for Refusing {
    fn publish(&self, _: &Head) -> std::io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(std::io::Error::other("no room")) } else { Ok(()) }
    }
}

#[test]
fn what_cannot_be_written_down_is_not_done() {
    let store = Store::new();
    let refusing = Arc::new(Refusing::default());
    let kms =
        LocalKms::open(&store.path(), &store.holder(), store.options().with_anchor(refusing.clone())).expect("opened");
    let key = new_key(&kms);
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    refusing.0.store(true, Ordering::Relaxed);
    for (what, got) in [
        ("encrypt", kind(encrypt(&kms, &root(), &key, b"plain"))),
        ("decrypt", kind(decrypt(&kms, &root(), &blob))),
        ("describe", kind(block_on(kms.describe(&root(), &key)))),
        ("denied", kind(encrypt(&kms, &user("a"), &key, b"plain"))),
        ("disable", kind(kms.disable(&root(), &key))),
        ("create", kind(kms.create_key(&root(), NewKey::default()))),
    ] {
        assert_eq!(got, Some(KmsErrorKind::Internal), "{what}");
    }
    refusing.0.store(false, Ordering::Relaxed);
    assert!(encrypt(&kms, &root(), &key, b"plain").is_ok(), "and it goes on");
    assert_eq!(kms.keys(&root()).expect("listed").len(), 1);
}

#[test]
fn a_change_that_fails_is_a_line_too() {
    let kms = LocalKms::in_memory(&owner(), Options::default()).expect("made");
    let key = new_key(&kms);
    let last = || serde_json::from_str::<serde_json::Value>(kms.audit().lines().last().expect("a line")).expect("JSON");
    assert!(kms.disable(&user("a"), &key).is_err());
    let line = last();
    assert_eq!(
        (line["operation"].as_str(), line["outcome"].as_str()),
        (Some("DisableKey"), Some("AccessDeniedException"))
    );
    assert_eq!(line["key"].as_str(), Some(&*key));
    assert!(line["generation"].is_null());
    // What is told apart in lines of use.
    kms.rotate(&root(), &key).expect("rotated");
    assert!(last()["generation"].is_number());
    let old = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    kms.rotate(&root(), &key).expect("rotated");
    decrypt(&kms, &root(), &old).expect("decrypted");
    assert_eq!(last()["keyVersion"], 2);
    let none = objseal::envelope::EncryptionContext::new();
    block_on(kms.re_encrypt(&root(), &Source { key: None, blob: &old, context: &none }, &key)).expect("encrypted anew");
    assert_eq!(last()["detail"], format!("from version 2 of {key}"));
    assert_eq!(last()["keyVersion"], 3);
    block_on(kms.standing(&root(), &key, Right::Decrypt)).expect("asked");
    assert_eq!((last()["operation"].as_str(), last()["detail"].as_str()), (Some("Decrypt"), Some("from a cache")));
}

/// A clock that is set, or breaks.
#[derive(Debug)]
struct Dial {
    seconds: AtomicU64,
    broken: AtomicBool,
    start: Instant,
}

impl Dial {
    fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self { seconds: AtomicU64::new(seconds), broken: AtomicBool::new(false), start: Instant::now() })
    }

    fn set(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Dial {
    fn now(&self) -> SystemTime {
        assert!(!self.broken.load(Ordering::Relaxed), "the clock is broken");
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }

    fn instant(&self) -> Instant {
        self.start
    }
}

const NOW: u64 = 1_767_225_600;
/// 9999-12-31T23:59:59Z, and the last second that a system counts.
const YEAR_9999: u64 = 253_402_300_799;
const LAST: u64 = i64::MAX as u64;

#[test]
fn a_clock_that_says_anything_breaks_nothing() {
    for start in [0, 1, NOW, YEAR_9999, YEAR_9999 + 1, LAST] {
        let store = Store::new();
        let clock = Dial::at(start);
        let options = || store.options().with_clock(clock.clone());
        let kms = LocalKms::open(&store.path(), &store.holder(), options()).expect("opened");
        let key = new_key(&kms);
        kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
        let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
        for then in [0, NOW, YEAR_9999, LAST, 0] {
            clock.set(then);
            assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain", "{start} {then}");
            assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
            kms.maintain().expect("done");
            kms.update_description(&root(), &key, "words").expect("changed");
        }
        assert!(kms.versions(&root(), &key).expect("listed").len() <= 4, "a few rotations");
        drop(kms);
        assert!(LocalKms::open(&store.path(), &store.holder(), options()).is_ok(), "{start}");
        let first_key = LocalKms::audit_key(&store.path(), &store.holder()).expect("a key");
        audit::verify(&audit_folder(&store.path()), &first_key, &[]).expect("verified");
    }
}

#[test]
fn a_key_that_is_due_for_deletion_is_gone_at_once_and_there_again_if_the_clock_was_wrong() {
    let store = Store::new();
    let clock = Dial::at(NOW);
    let kms =
        LocalKms::open(&store.path(), &store.holder(), store.options().with_clock(clock.clone())).expect("opened");
    let key = new_key(&kms);
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    kms.schedule_deletion(&root(), &key, DeletionWindow::default()).expect("scheduled");
    clock.set(YEAR_9999);
    assert_eq!(kind(decrypt(&kms, &root(), &blob)), Some(KmsErrorKind::NotFound));
    assert!(kms.keys(&root()).expect("listed").is_empty());
    clock.set(NOW);
    kms.cancel_deletion(&root(), &key).expect("nobody looked after it in the meantime");
    kms.enable(&root(), &key).expect("enabled");
    let described = block_on(kms.describe(&root(), &key)).expect("described");
    assert_eq!((described.state, described.deletion), (KeyState::Enabled, None));
    clock.set(YEAR_9999);
    kms.maintain().expect("done");
    assert_eq!(decrypt(&kms, &root(), &blob).expect("decrypted"), b"plain", "it is not deleted any more");
}

#[test]
fn opening_a_store_does_what_is_due() {
    let store = Store::new();
    let kms = store.open();
    let (gone, rotated) = (new_key(&kms), new_key(&kms));
    let imported = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("created");
    let end = imported.created + DAY;
    kms.import_material(&root(), &imported.arn, &Key::from_bytes(&[1; 32]), Some(end)).expect("imported");
    kms.schedule_deletion(&root(), &gone, DeletionWindow::default()).expect("scheduled");
    kms.enable_rotation(&root(), &rotated, RotationPeriod::default()).expect("enabled");
    drop(kms);
    store.clock.pass(400 * DAY);
    let kms = store.open();
    let count: u32 = Connection::open(store.path())
        .expect("a database")
        .query_row("SELECT count(*) FROM keys", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(count, 2);
    assert_eq!(kms.versions(&root(), &rotated).expect("listed").len(), 2);
    assert!(!kms.versions(&root(), &imported.arn).expect("listed")[0].has_material);
    let described = block_on(kms.describe(&root(), &imported.arn)).expect("described");
    assert_eq!((described.valid_to, described.material_id), (None, None));
}

/// Whether somebody looked after the store when the material came to its end makes no difference.
#[test]
fn material_that_is_imported_again_enables_a_key_with_or_without_upkeep() {
    for upkeep in [false, true] {
        let store = Store::new();
        let kms = store.open();
        let key = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("created");
        let material = Key::from_bytes(&[1; 32]);
        kms.import_material(&root(), &key.arn, &material, Some(key.created + DAY)).expect("imported");
        kms.disable(&root(), &key.arn).expect("disabled");
        store.clock.pass(DAY);
        if upkeep {
            kms.maintain().expect("done");
        }
        let state = || block_on(kms.describe(&root(), &key.arn)).expect("described");
        assert_eq!((state().state, state().material_id), (KeyState::PendingImport, None), "upkeep: {upkeep}");
        kms.import_material(&root(), &key.arn, &material, None).expect("imported");
        assert_eq!((state().state, state().valid_to), (KeyState::Enabled, None), "upkeep: {upkeep}");
        // While it has material, importing that again leaves a disabled key disabled.
        kms.disable(&root(), &key.arn).expect("disabled");
        kms.import_material(&root(), &key.arn, &material, None).expect("imported");
        assert_eq!(state().state, KeyState::Disabled);
    }
}

#[test]
fn material_that_is_deleted_does_not_keep_a_key_from_being_deleted() {
    let store = Store::new();
    let kms = store.open();
    let key = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("created").arn;
    kms.import_material(&root(), &key, &Key::from_bytes(&[1; 32]), None).expect("imported");
    kms.schedule_deletion(&root(), &key, DeletionWindow::default()).expect("scheduled");
    kms.delete_material(&root(), &key).expect("deleted");
    assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").state, KeyState::PendingDeletion);
    drop(kms);
    let kms = store.open();
    kms.cancel_deletion(&root(), &key).expect("cancelled");
    assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").state, KeyState::PendingImport);
    assert!(!kms.versions(&root(), &key).expect("listed")[0].has_material);
}

#[test]
fn a_thread_that_panics_leaves_the_service_to_the_others() {
    let store = Store::new();
    let clock = Dial::at(NOW);
    let kms =
        LocalKms::open(&store.path(), &store.holder(), store.options().with_clock(clock.clone())).expect("opened");
    let key = new_key(&kms);
    clock.broken.store(true, Ordering::Relaxed);
    std::thread::scope(|scope| {
        // In the middle of a change, and of a use.
        assert!(scope.spawn(|| kms.disable(&root(), &key)).join().is_err());
        assert!(scope.spawn(|| encrypt(&kms, &root(), &key, b"plain")).join().is_err());
    });
    clock.broken.store(false, Ordering::Relaxed);
    assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
    kms.disable(&root(), &key).expect("disabled");
    drop(kms);
    assert_eq!(kind(encrypt(&store.open(), &root(), &key, b"plain")), Some(KmsErrorKind::Disabled));
}

#[test]
fn every_use_that_encrypts_rotates_a_key_that_is_due() {
    let store = Store::new();
    let kms = store.open();
    let other = new_key(&kms);
    let blob = encrypt(&kms, &root(), &other, b"plain").expect("encrypted");
    let none = objseal::envelope::EncryptionContext::new();
    type Use<'u> = (&'u str, &'u dyn Fn(&str) -> u32);
    let uses: [Use<'_>; 4] = [
        ("encrypt", &|key| block_on(kms.encrypt(&root(), key, b"plain")).expect("encrypted").key_version),
        ("generate", &|key| block_on(kms.generate(&root(), key, PURPOSE)).expect("made").key_version()),
        ("standing", &|key| {
            block_on(kms.standing(&root(), key, Right::Generate)).expect("asked").expect("known").current_version
        }),
        ("re-encrypt", &|key| {
            let source = Source { key: None, blob: &blob, context: &none };
            block_on(kms.re_encrypt(&root(), &source, key)).expect("encrypted anew").ciphertext.key_version
        }),
    ];
    for (what, use_it) in uses {
        let key = new_key(&kms);
        kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
        store.clock.pass(365 * DAY);
        assert_eq!(use_it(&key), 2, "{what}");
    }
}

#[test]
fn a_head_that_was_kept_is_of_this_store_and_not_ahead_of_it() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    drop(encrypt(&kms, &root(), &key, b"plain"));
    kms.audit().flush().expect("synced");
    let head = kms.audit().head();
    drop(kms);
    let open =
        |head: &Head| LocalKms::open(&store.path(), &store.holder(), store.options().with_known_head(head.clone()));
    assert!(open(&head).is_ok());
    let mut other = head.clone();
    other.store_id[0] ^= 1;
    assert!(matches!(open(&other), Err(StoreError::OtherStore { .. })), "{:?}", open(&other));
    let newer = Head { generation: head.generation + 1, ..head.clone() };
    assert!(matches!(open(&newer), Err(StoreError::PutBack { .. })), "{:?}", open(&newer));
    let mut rewritten = head.clone();
    rewritten.mac[0] ^= 1;
    for other in [Head { sequence: head.sequence + 100, ..head.clone() }, rewritten] {
        assert!(matches!(open(&other), Err(StoreError::OtherLog { .. })), "{:?}", open(&other));
    }
}

#[test]
fn what_another_process_did_is_not_done_again() {
    let store = Store::new();
    let (one, other) = (store.open(), store.open());
    let key = new_key(&one);
    one.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
    assert!(encrypt(&one, &root(), &key, b"plain").is_ok());
    store.clock.pass(365 * DAY);
    other.maintain().expect("done");
    assert_eq!(block_on(one.encrypt(&root(), &key, b"plain")).expect("encrypted").key_version, 2);
    assert_eq!(one.versions(&root(), &key).expect("listed").len(), 2);
}

/// Pages that a shorter record does not need any more, as well as the row itself.
#[test]
fn a_long_record_that_is_replaced_by_a_short_one_is_overwritten() {
    let store = Store::new();
    let kms = store.open();
    let key = kms.create_key(&root(), NewKey::described("a".repeat(8_000))).expect("created").arn;
    let database = Connection::open(store.path()).expect("a database");
    let record: Vec<u8> = database.query_row("SELECT record FROM keys", [], |row| row.get(0)).expect("a row");
    drop(database);
    let is_there = |part: &[u8]| fs::read(store.path()).expect("read").windows(64).any(|window| window == part);
    let parts = [&record[..64], &record[4_000..4_064], &record[record.len() - 64..]];
    assert!(parts.iter().all(|part| is_there(part)));
    kms.update_description(&root(), &key, "").expect("changed");
    for part in parts {
        assert!(!is_there(part));
    }
}

#[test]
fn an_alias_keeps_the_date_when_it_was_made() {
    let store = Store::new();
    let kms = store.open();
    let (key, other) = (new_key(&kms), new_key(&kms));
    kms.create_alias(&root(), "alias/a", &key).expect("made");
    let made = kms.aliases(&root()).expect("listed")[0].clone();
    assert_eq!((made.created, made.updated), (store.clock.now(), store.clock.now()));
    store.clock.pass(DAY);
    kms.update_alias(&root(), "alias/a", &other).expect("pointed");
    let after = kms.aliases(&root()).expect("listed")[0].clone();
    assert_eq!((after.created, after.updated), (made.created, made.created + DAY));
    assert!(other.ends_with(&after.key_id.to_string()));
}

/// Where the store of a child is.
const LOCKED: &str = "OBJSEAL_TEST_LOCKED";

/// Another process, which finds the store locked. It does nothing unless it was started as such.
#[test]
fn child() {
    let Ok(path) = std::env::var(LOCKED) else { return };
    let database = Connection::open(path).expect("a database");
    database.busy_timeout(Duration::ZERO).expect("set");
    let error = database.execute_batch("BEGIN IMMEDIATE").expect_err("nobody else has it locked");
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
}

/// In the middle of a change, asks what is at the path, and lets another process try to change the store.
#[derive(Debug, Default)]
struct Asking {
    path: PathBuf,
    kept: Mutex<Option<bool>>,
}

impl Anchor for Asking {
    fn publish(&self, _: &Head) -> std::io::Result<()> {
        let mut kept = self.kept.lock().expect("no panic");
        if kept.is_none() {
            assert!(LocalKms::is_at(&self.path));
            let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
            child.args(["operation::child", "--exact"]).env(LOCKED, &self.path);
            *kept = Some(child.status().expect("started").success());
        }
        Ok(())
    }
}

/// A process that closes a file loses all its locks of that file (fcntl; sqlite.org/howtocorrupt.html, section 2.2).
#[test]
fn to_ask_for_a_store_does_not_unlock_it() {
    let store = Store::new();
    let asking = Arc::new(Asking { path: store.path(), kept: Mutex::new(Some(true)) });
    let kms =
        LocalKms::open(&store.path(), &store.holder(), store.options().with_anchor(asking.clone())).expect("opened");
    *asking.kept.lock().expect("no panic") = None;
    new_key(&kms);
    assert_eq!(*asking.kept.lock().expect("no panic"), Some(true));
}
