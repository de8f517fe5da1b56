//! Somebody who owns the disk, and not the key of the store.

use crate::shared::{ACCOUNT, Store, decrypt, encrypt, kind, new_key, policy, root};
use objseal_keys::audit::Head;
use objseal_keys::kms::{Kms, KmsErrorKind, block_on};
use objseal_keys::local::{LocalKms, NewKey, Options, StoreError, audit_folder};
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use std::fs;
use std::path::Path;

/// The database as somebody without keys sees it.
fn raw(store: &Store) -> Connection {
    Connection::open(store.path()).expect("a database")
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().expect("an id")
}

/// The row of a key.
fn row(store: &Store, arn: &str) -> (i64, Vec<u8>) {
    let sql = "SELECT generation, record FROM keys WHERE key_id = ?1";
    raw(store).query_row(sql, [id_of(arn)], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row")
}

fn put_row(store: &Store, arn: &str, (generation, record): &(i64, Vec<u8>)) {
    let sql = "UPDATE keys SET generation = ?2, record = ?3 WHERE key_id = ?1";
    assert_eq!(raw(store).execute(sql, params![id_of(arn), generation, record]).expect("changed"), 1);
}

fn catalogue(store: &Store) -> Vec<u8> {
    raw(store).query_row("SELECT sealed FROM catalogue", [], |row| row.get(0)).expect("a catalogue")
}

fn put_catalogue(store: &Store, sealed: &[u8]) {
    assert_eq!(raw(store).execute("UPDATE catalogue SET sealed = ?1", [sealed]).expect("changed"), 1);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("read");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// That a key is refused because its record is, now and after opening the store anew.
fn assert_refused(store: &Store, key: &str) {
    let kms = store.open();
    let error = encrypt(&kms, &root(), key, b"plain").expect_err("refused");
    assert_eq!(error.kind(), KmsErrorKind::Internal);
    assert!(error.message().contains("was changed, or is damaged"), "{error}");
    assert_eq!(kms.damaged().expect("read").len(), 1);
    for refused in [
        kind(kms.enable(&root(), key)),
        kind(kms.policy(&root(), key)),
        kind(kms.put_policy(&root(), key, &policy(r#"{"Statement":[]}"#), true)),
        kind(block_on(kms.describe(&root(), key))),
    ] {
        assert_eq!(refused, Some(KmsErrorKind::Internal));
    }
}

#[test]
fn a_disabled_key_is_not_enabled_by_its_old_row() {
    let store = Store::new();
    let kms = store.open();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let enabled = row(&store, &key);
    kms.disable(&root(), &key).expect("disabled");
    let disabled = row(&store, &key);

    put_row(&store, &key, &enabled);
    assert_eq!(kind(encrypt(&kms, &root(), &key, b"plain")), Some(KmsErrorKind::Disabled), "in use, it knows better");
    assert_refused(&store, &key);
    // With the generation of the row that it takes the place of.
    put_row(&store, &key, &(disabled.0, enabled.1));
    assert_refused(&store, &key);
    assert!(encrypt(&store.open(), &root(), &other, b"plain").is_ok(), "the others work");

    put_row(&store, &key, &disabled);
    assert_eq!(kind(encrypt(&store.open(), &root(), &key, b"plain")), Some(KmsErrorKind::Disabled));
}

#[test]
fn records_are_not_exchanged() {
    let store = Store::new();
    let kms = store.open();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let (of_key, of_other) = (row(&store, &key), row(&store, &other));
    put_row(&store, &key, &of_other);
    assert_refused(&store, &key);
    put_row(&store, &key, &(of_key.0, of_other.1.clone()));
    assert_refused(&store, &key);
    // Both, so that nothing is missing.
    let names = (id_of(&key), id_of(&other));
    let database = raw(&store);
    put_row(&store, &key, &of_key);
    for (from, to) in [(names.0, "aside"), (names.1, names.0), ("aside", names.1)] {
        database.execute("UPDATE keys SET key_id = ?2 WHERE key_id = ?1", params![from, to]).expect("renamed");
    }
    assert_eq!(store.open().damaged().expect("read").len(), 2);
}

#[test]
fn a_key_that_was_removed_is_missed() {
    let store = Store::new();
    let key = new_key(&store.open());
    let before = row(&store, &key);
    raw(&store).execute("DELETE FROM keys", []).expect("removed");
    assert_refused(&store, &key);
    // And one that was never made is not there.
    let invented = "00000000-0000-4000-8000-000000000000";
    let sql = "INSERT INTO keys VALUES (?1, ?2, ?3)";
    raw(&store).execute(sql, params![invented, before.0, before.1]).expect("inserted");
    assert_eq!(kind(encrypt(&store.open(), &root(), invented, b"plain")), Some(KmsErrorKind::NotFound));
}

#[test]
fn an_index_that_lies_is_refused() {
    let store = Store::new();
    let key = new_key(&store.open());
    let (generation, record) = row(&store, &key);
    for other in [generation - 1, generation + 1, 0, i64::MIN, i64::MAX] {
        put_row(&store, &key, &(other, record.clone()));
        assert_refused(&store, &key);
    }
}

#[test]
fn an_alias_is_not_pointed_elsewhere_by_an_old_catalogue() {
    let store = Store::new();
    let kms = store.open();
    let (weak, strong) = (new_key(&kms), new_key(&kms));
    kms.create_alias(&root(), "alias/used", &weak).expect("made");
    let old = catalogue(&store);
    kms.update_alias(&root(), "alias/used", &strong).expect("pointed");
    let new = catalogue(&store);
    put_catalogue(&store, &old);
    let error = kms.keys(&root()).expect_err("refused by who knows better");
    assert!(error.message().contains("put back to an earlier state"), "{error}");
    drop(kms);
    assert!(matches!(store.try_open(), Err(StoreError::PutBack { found: 5, known: 6 })), "{:?}", store.try_open());
    put_catalogue(&store, &new);
    assert!(store.try_open().is_ok());
}

#[test]
fn every_byte_of_the_catalogue_counts() {
    let store = Store::new();
    new_key(&store.open());
    let whole = catalogue(&store);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        put_catalogue(&store, &changed);
        assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))), "byte {at}");
    }
    for len in [0, 1, whole.len() - 1] {
        put_catalogue(&store, &whole[..len]);
        assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))), "{len} bytes");
    }
    raw(&store).execute("DELETE FROM catalogue", []).expect("removed");
    assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))));
}

#[test]
fn a_file_that_was_put_back_alone_is_refused() {
    let store = Store::new();
    let key = new_key(&store.open());
    let before = fs::read(store.path()).expect("read");
    store.open().disable(&root(), &key).expect("disabled");
    let kms = store.open();
    fs::write(store.path(), &before).expect("put back");
    assert!(kms.keys(&root()).is_err(), "who has it open sees it");
    drop(kms);
    assert!(matches!(store.try_open(), Err(StoreError::PutBack { .. })), "{:?}", store.try_open());
}

#[test]
fn a_store_that_was_put_back_to_its_beginning_is_refused_and_its_log_stays() {
    let store = Store::new();
    let beginning = fs::read(store.path()).expect("read");
    let key = new_key(&store.open());
    store.open().disable(&root(), &key).expect("disabled");
    fs::write(store.path(), &beginning).expect("put back");
    assert!(matches!(store.try_open(), Err(StoreError::PutBack { .. })), "{:?}", store.try_open());
    let log = objseal_keys::audit::verify(
        &audit_folder(&store.path()),
        &LocalKms::audit_key(&store.path(), &store.holder()).expect("a key"),
        &[],
    );
    assert_eq!(log.expect("verified").lines, 3);
}

#[test]
fn a_store_that_was_put_back_with_its_log_is_older_than_a_head_kept_elsewhere() {
    let store = Store::new();
    let key = new_key(&store.open());
    let aside = store.folder.path().join("aside");
    fs::create_dir(&aside).expect("made");
    fs::copy(store.path(), aside.join("kms")).expect("copied");
    copy_folder(&audit_folder(&store.path()), &aside.join("kms.audit"));

    let kms = store.open();
    kms.disable(&root(), &key).expect("disabled");
    let kept = Head::from_json(&kms.audit().head().to_json()).expect("a head");
    drop(kms);
    let known = || LocalKms::open(&store.path(), &store.holder(), store.options().with_known_head(kept.clone()));
    assert!(known().is_ok(), "it is as new as the head");

    fs::copy(aside.join("kms"), store.path()).expect("put back");
    fs::remove_dir_all(audit_folder(&store.path())).expect("removed");
    copy_folder(&aside.join("kms.audit"), &audit_folder(&store.path()));
    // Nothing within says that it is old: only the head does.
    assert!(store.try_open().is_ok());
    assert!(matches!(known(), Err(StoreError::PutBack { .. })), "{:?}", known());
    // Nor does it help to use it until it is as new in numbers.
    let kms = store.open();
    for _ in 0..3 {
        kms.update_description(&root(), &key, "words").expect("changed");
    }
    assert!(kms.audit().head().sequence > kept.sequence && kms.audit().head().generation > kept.generation);
    drop(kms);
    assert!(matches!(known(), Err(StoreError::OtherLog { sequence }) if sequence == kept.sequence), "{:?}", known());
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let store = Store::new();
    new_key(&store.open());
    fs::remove_dir_all(audit_folder(&store.path())).expect("removed");
    assert!(matches!(store.try_open(), Err(StoreError::Audit(_))), "{:?}", store.try_open());
}

#[test]
fn rows_of_another_store_under_the_same_root_key_are_refused() {
    let store = Store::new();
    let key = new_key(&store.open());
    let path = store.folder.path().join("other");
    LocalKms::create(&path, &store.holder, &crate::shared::owner()).expect("created");
    let other = LocalKms::open(&path, &store.holder(), store.options()).expect("opened");
    new_key(&other);
    let of_other = Connection::open(&path).expect("a database");
    let sealed: Vec<u8> = of_other.query_row("SELECT sealed FROM catalogue", [], |row| row.get(0)).expect("a row");
    let own = catalogue(&store);
    put_catalogue(&store, &sealed);
    assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))));
    put_catalogue(&store, &own);

    // The wrapped keys of the other store name it.
    let roots = |database: &Connection, name: &str| -> (Vec<u8>, Vec<u8>) {
        let sql = "SELECT head, body FROM roots WHERE name = ?1";
        database.query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row")
    };
    let put = |name: &str, (head, body): &(Vec<u8>, Vec<u8>)| {
        let sql = "UPDATE roots SET head = ?2, body = ?3 WHERE name = ?1";
        raw(&store).execute(sql, params![name, head, body]).expect("changed");
    };
    let (store_key, audit_key) = (roots(&raw(&store), "store-key"), roots(&raw(&store), "audit-key"));
    put("store-key", &roots(&of_other, "store-key"));
    assert!(matches!(store.try_open(), Err(StoreError::StoreKey(_))));
    // Nor is one of its own taken for the other.
    put("store-key", &audit_key);
    assert!(matches!(store.try_open(), Err(StoreError::StoreKey(_))));
    put("store-key", &store_key);
    put("audit-key", &store_key);
    assert!(LocalKms::audit_key(&store.path(), &store.holder()).is_err());
    put("audit-key", &audit_key);

    let id: Vec<u8> = of_other.query_row("SELECT id FROM store", [], |row| row.get(0)).expect("a row");
    raw(&store).execute("UPDATE store SET id = ?1", [id]).expect("changed");
    assert!(matches!(store.try_open(), Err(StoreError::StoreKey(_))));
    drop(key);
}

#[test]
fn what_is_no_store_of_this_version_is_told_apart() {
    let store = Store::new();
    drop(store.open());
    let set = |pragma: &str, value: i64| raw(&store).pragma_update(None, pragma, value).expect("set");
    set("user_version", 2);
    assert!(matches!(store.try_open(), Err(StoreError::Newer { version: 2 })));
    set("user_version", 0);
    assert!(matches!(store.try_open(), Err(StoreError::NotAStore)));
    set("user_version", 1);
    set("application_id", 0);
    assert!(matches!(store.try_open(), Err(StoreError::NotAStore)));
    set("application_id", 0x4f53_6b6d);
    assert!(store.try_open().is_ok());

    for sql in [
        "CREATE TRIGGER spy AFTER UPDATE ON keys BEGIN DELETE FROM keys; END",
        "CREATE VIEW extra AS SELECT * FROM keys",
        "CREATE TABLE extra (a)",
        "CREATE INDEX extra ON keys (generation)",
    ] {
        raw(&store).execute_batch(sql).expect("made");
        assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))), "{sql}");
        let kind = sql.split(' ').nth(1).expect("a kind");
        let name = sql.split(' ').nth(2).expect("a name");
        raw(&store).execute_batch(&format!("DROP {kind} {name}")).expect("removed");
    }
    assert!(store.try_open().is_ok());

    for content in [&b""[..], b"objseal-keyring 1\n", &[0; 5000]] {
        fs::write(store.path(), content).expect("written");
        assert!(matches!(store.try_open(), Err(StoreError::NotAStore)), "{:?}", store.try_open());
    }
    fs::remove_file(store.path()).expect("removed");
    assert!(matches!(store.try_open(), Err(StoreError::Io(_))), "{:?}", store.try_open());
    assert!(!store.path().exists(), "looking for it makes none");
}

/// A small generator (splitmix64), so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("small")
    }
}

/// How everything answers in a store: for each key its state, its policy, its grants, and what it decrypts.
fn answers(kms: &LocalKms, blobs: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut answers = Vec::new();
    let mut note = |what: &str, answer: Result<String, objseal_keys::kms::KmsError>| {
        answers.push(match answer {
            Ok(answer) => format!("{what}: {answer}"),
            Err(error) if error.message().contains("was changed, or is damaged") => "refused".into(),
            Err(error) => format!("{what}: {:?}", error.kind()),
        });
    };
    for (key, blob) in blobs {
        note("metadata", block_on(kms.describe(&root(), key)).map(|metadata| format!("{metadata:?}")));
        note("policy", kms.policy(&root(), key).map(|policy| policy.text().into()));
        note("grants", kms.grants(&root(), key).map(|grants| format!("{grants:?}")));
        note("plain", decrypt(kms, &root(), blob).map(|plain| format!("{plain:?}")));
    }
    note("alias", block_on(kms.describe(&root(), "alias/a")).map(|metadata| metadata.arn));
    answers
}

#[test]
fn random_edits_of_rows_are_never_accepted() {
    let store = Store::new();
    let kms = store.open();
    let mut blobs = Vec::new();
    for state in 0..4 {
        let mut new = NewKey::default();
        new.description = format!("key {state}");
        let key = kms.create_key(&root(), new).expect("created").arn;
        let blob = encrypt(&kms, &root(), &key, key.as_bytes()).expect("encrypted");
        match state {
            1 => kms.disable(&root(), &key).expect("disabled"),
            2 => drop(kms.schedule_deletion(&root(), &key, Default::default()).expect("scheduled")),
            3 => kms
                .put_policy(
                    &root(),
                    &key,
                    &policy(&format!(
                        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}}}}"#
                    )),
                    false,
                )
                .expect("put"),
            _ => kms.create_alias(&root(), "alias/a", &key).expect("made"),
        }
        blobs.push((key, blob));
    }
    let expected = answers(&kms, &blobs);
    drop(kms);
    let good = (fs::read(store.path()).expect("read"), store.folder.path().join("good.audit"));
    copy_folder(&audit_folder(&store.path()), &good.1);

    let mut random = Random(1);
    let cells = [
        ("keys", "record"),
        ("keys", "generation"),
        ("keys", "key_id"),
        ("catalogue", "sealed"),
        ("roots", "head"),
        ("roots", "body"),
        ("store", "id"),
    ];
    let (mut refused_stores, mut refused_keys) = (0, 0);
    for edit in 0..200 {
        fs::write(store.path(), &good.0).expect("as it was");
        fs::remove_dir_all(audit_folder(&store.path())).expect("removed");
        copy_folder(&good.1, &audit_folder(&store.path()));
        let (table, column) = cells[random.below(cells.len())];
        let database = raw(&store);
        let rows: Vec<i64> = {
            let mut statement = database.prepare(&format!("SELECT rowid FROM {table}")).expect("a table");
            statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows")
        };
        let row = rows[random.below(rows.len())];
        let select = format!("SELECT {column} FROM {table} WHERE rowid = ?1");
        let changed = match database.query_row(&select, [row], |row| row.get::<_, Value>(0)).expect("a cell") {
            Value::Integer(number) => Value::Integer(number ^ 1 << random.below(63)),
            Value::Text(text) => {
                let mut text = text.into_bytes();
                let at = random.below(text.len());
                text[at] = b"0123456789abcdef-"[random.below(17)];
                Value::Text(String::from_utf8(text).expect("text"))
            }
            Value::Blob(mut blob) => {
                match random.below(4) {
                    0 => blob.truncate(random.below(blob.len())),
                    1 => blob.push(0),
                    _ => {
                        let at = random.below(blob.len());
                        blob[at] ^= 1 << random.below(8);
                    }
                }
                Value::Blob(blob)
            }
            other => panic!("{other:?}"),
        };
        let update = format!("UPDATE OR REPLACE {table} SET {column} = ?2 WHERE rowid = ?1");
        database.execute(&update, params![row, changed]).expect("changed");
        drop(database);
        match store.try_open() {
            Err(StoreError::Damaged(_) | StoreError::StoreKey(_)) => refused_stores += 1,
            Err(other) => panic!("edit {edit} of {table}.{column}: {other}"),
            Ok(kms) => {
                let got = answers(&kms, &blobs);
                for (got, expected) in got.iter().zip(&expected) {
                    assert!(
                        got == expected || got == "refused",
                        "edit {edit} of {table}.{column}: {got}, not {expected}"
                    );
                }
                // The key of the audit log opens nothing here.
                let of_audit = table == "roots" && LocalKms::audit_key(&store.path(), &store.holder()).is_err();
                let same = got == expected;
                // A digit that was exchanged for itself.
                assert!(!same || of_audit || column == "key_id", "edit {edit} of {table}.{column} was not seen");
                refused_keys += usize::from(!same);
            }
        }
    }
    println!("200 edits: {refused_stores} stores and {refused_keys} keys refused, none accepted");
    assert!(refused_stores > 20 && refused_keys > 20);
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_same_store_and_log() {
    let store = Store::new();
    let key = new_key(&store.open());
    let link = store.folder.path().join("link");
    std::os::unix::fs::symlink(store.path(), &link).expect("linked");
    let kms = LocalKms::open(&link, &store.holder(), store.options()).expect("opened");
    assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
    assert_eq!(audit_folder(&link), audit_folder(&store.path()));
    drop(kms);
    assert!(encrypt(&store.open(), &root(), &key, b"plain").is_ok());
}

#[test]
fn a_store_that_somebody_keeps_locked_is_waited_for_until_the_deadline() {
    use objseal_keys::clock::{Clock, SystemClock};
    let store = Store::new();
    let kms = LocalKms::open(&store.path(), &store.holder(), Options::default()).expect("opened");
    let key = new_key(&kms);
    let database = raw(&store);
    database.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let hasty = root().until(SystemClock.instant() + std::time::Duration::from_millis(50));
    let error = kms.disable(&hasty, &key).expect_err("locked");
    assert_eq!(
        (error.kind(), error.message()),
        (KmsErrorKind::DependencyTimeout, "another process is changing the store")
    );
    database.execute_batch("COMMIT").expect("unlocked");
    assert!(kms.disable(&root(), &key).is_ok());
}
