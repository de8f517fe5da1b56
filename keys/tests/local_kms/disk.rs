//! Tricks with the file of the database, by the owner of the disk.

use crate::shared::{Store, decrypt, encrypt, kind, new_key, owner, root};
use objseal_keys::kms::{Kms, KmsErrorKind, block_on};
use objseal_keys::local::{LocalKms, StoreError, audit_folder};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use std::fs;
use std::path::{Path, PathBuf};

fn raw(store: &Store) -> Connection {
    Connection::open(store.path()).expect("a database")
}

fn beside(store: &Store, end: &str) -> PathBuf {
    store.folder.path().join(format!("kms{end}"))
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().expect("an id")
}

fn page_len(file: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([file[16], file[17]]))
}

/// A journal that gives a database these pages again (sqlite.org/fileformat2.html, section 3).
fn journal(pages: &[u8]) -> Vec<u8> {
    let len = page_len(pages);
    let count = u32::try_from(pages.len() / len).expect("few");
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    for number in [count, 0, count, 512, u32::try_from(len).expect("short")] {
        journal.extend(number.to_be_bytes());
    }
    journal.resize(512, 0);
    for (page, number) in pages.chunks(len).zip(1_u32..) {
        journal.extend(number.to_be_bytes());
        journal.extend(page);
        // Of every 200th byte from the end.
        let sum = (1..).map_while(|step| len.checked_sub(200 * step)).filter(|&at| at > 0);
        let sum: u32 = sum.map(|at| u32::from(page[at])).sum();
        journal.extend(sum.to_be_bytes());
    }
    journal
}

#[test]
fn a_journal_with_old_pages_puts_nothing_back_unseen() {
    let store = Store::new();
    let key = new_key(&store.open());
    let before = fs::read(store.path()).expect("read");
    let kms = store.open();
    kms.disable(&root(), &key).expect("disabled");
    fs::write(beside(&store, "-journal"), journal(&before)).expect("written");
    let error = encrypt(&kms, &root(), &key, b"plain").expect_err("put back");
    assert!(error.message().contains("put back to an earlier state"), "{error}");
    assert_eq!(fs::read(store.path()).expect("read"), before, "the journal was taken for one");
    assert!(kms.enable(&root(), &key).is_err(), "nor is it changed");
    drop(kms);
    assert!(matches!(store.try_open(), Err(StoreError::PutBack { .. })), "{:?}", store.try_open());
    // And while nobody has it open.
    let store = Store::new();
    let key = new_key(&store.open());
    let before = fs::read(store.path()).expect("read");
    store.open().disable(&root(), &key).expect("disabled");
    fs::write(beside(&store, "-journal"), journal(&before)).expect("written");
    assert!(matches!(store.try_open(), Err(StoreError::PutBack { .. })), "{:?}", store.try_open());
}

#[test]
fn a_new_store_takes_over_no_journal_of_an_old_one() {
    let old = Store::new();
    new_key(&old.open());
    let pages = fs::read(old.path()).expect("read");
    for end in ["-journal", "-wal"] {
        let store = Store::new();
        fs::remove_file(store.path()).expect("removed");
        fs::write(beside(&store, end), journal(&pages)).expect("written");
        let made = LocalKms::create(&store.path(), &store.holder, &owner());
        let found = match &made {
            Err(StoreError::Io(error)) => error.kind() == std::io::ErrorKind::AlreadyExists,
            _ => false,
        };
        assert!(found, "{end}: {made:?}");
        assert!(!store.path().exists());
        fs::remove_file(beside(&store, end)).expect("removed");
        LocalKms::create(&store.path(), &store.holder, &owner()).expect("created");
        assert!(store.try_open().is_ok());
    }
}

/// What is written ahead stays in a file beside the store: rows that are replaced would not be overwritten.
#[test]
fn a_store_that_was_switched_to_a_write_ahead_log_is_refused() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    drop(kms);
    let mode: String = raw(&store).query_row("PRAGMA journal_mode = wal", [], |row| row.get(0)).expect("set");
    assert_eq!(mode, "wal");
    assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))), "{:?}", store.try_open());
    raw(&store).query_row("PRAGMA journal_mode = delete", [], |row| row.get::<_, String>(0)).expect("set");
    assert!(encrypt(&store.open(), &root(), &key, b"plain").is_ok());

    // In a process that has it open: by two bytes of the header.
    let kms = store.open();
    let mut file = fs::read(store.path()).expect("read");
    (file[18], file[19]) = (2, 2);
    file[27] = file[27].wrapping_add(1);
    fs::write(store.path(), &file).expect("written");
    assert!(kms.disable(&root(), &key).is_err());
    assert!(encrypt(&kms, &root(), &key, b"plain").is_err());
}

/// Another process disables a key, and the one that has the store open is kept from seeing it.
#[test]
fn a_process_is_not_kept_at_an_old_file() {
    for trick in ["moved", "counter"] {
        let store = Store::new();
        let kms = store.open();
        let key = new_key(&kms);
        if trick == "moved" {
            fs::copy(store.path(), beside(&store, ".copy")).expect("copied");
            fs::rename(beside(&store, ".copy"), store.path()).expect("moved");
        }
        let before = fs::read(store.path()).expect("read");
        assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
        store.open().disable(&root(), &key).expect("disabled");
        if trick == "counter" {
            // As if nothing had changed (sqlite.org/fileformat2.html, section 1.3.7).
            let mut file = fs::read(store.path()).expect("read");
            file[24..40].copy_from_slice(&before[24..40]);
            fs::write(store.path(), &file).expect("written");
        }
        // It learns how far the store is by the line that it writes, at the latest.
        drop(encrypt(&kms, &root(), &key, b"plain"));
        for refused in [kind(kms.rotate(&root(), &key)), kind(encrypt(&kms, &root(), &key, b"plain"))] {
            assert_eq!(refused, Some(KmsErrorKind::Internal), "{trick}");
        }
    }
}

#[test]
fn tables_of_another_make_are_refused() {
    let make = |sql: &str| {
        let store = Store::new();
        new_key(&store.open());
        let database = raw(&store);
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).expect("set");
        database.execute_batch("PRAGMA writable_schema = on").expect("set");
        database.execute_batch(sql).expect("changed");
        drop(database);
        let opened = store.try_open();
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "{sql}: {opened:?}");
    };
    for sql in [
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE catalogue (sealed)' WHERE name = 'catalogue'",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE catalogue (sealed BLOB NOT NULL DEFAULT (randomblob(1000000000))) STRICT' WHERE name = 'catalogue'",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE catalogue (sealed BLOB CHECK (length(sealed) < 10)) STRICT' WHERE name = 'catalogue'",
        "INSERT INTO sqlite_schema SELECT 'trigger', 'sqlite_autoindex_x', 'keys', 0, 'CREATE TRIGGER sqlite_autoindex_x AFTER INSERT ON keys BEGIN DELETE FROM keys; END'",
        "CREATE TABLE sqliteXautoindex_x (a)",
    ] {
        make(sql);
    }
}

/// In tables without types, whose make is put right again.
#[test]
fn cells_of_other_types_are_refused_like_any_other() {
    let store = Store::new();
    let (key, other) = (new_key(&store.open()), new_key(&store.open()));
    let good = fs::read(store.path()).expect("read");
    let log = beside(&store, ".good");
    copy_log(&audit_folder(&store.path()), &log);
    for (table, column) in [
        ("store", "id"),
        ("roots", "name"),
        ("roots", "head"),
        ("roots", "body"),
        ("catalogue", "sealed"),
        ("keys", "key_id"),
        ("keys", "generation"),
        ("keys", "record"),
    ] {
        for value in ["NULL", "'text'", "1.5", "-7", "x'00'", "zeroblob(100000)", "CAST(x'ff' AS TEXT)"] {
            fs::write(store.path(), &good).expect("as it was");
            copy_log(&log, &audit_folder(&store.path()));
            let row = match table {
                "keys" => format!("key_id = '{}'", id_of(&key)),
                "roots" => "name = 'store-key'".into(),
                _ => "true".into(),
            };
            put_cell(&store, &format!("UPDATE {table} SET {column} = {value} WHERE {row}"));
            let what = format!("{table}.{column} = {value}");
            match store.try_open() {
                Err(StoreError::Damaged(_) | StoreError::StoreKey(_)) if table != "keys" => {}
                Ok(kms) if table == "keys" => {
                    assert_eq!(kind(encrypt(&kms, &root(), &key, b"plain")), Some(KmsErrorKind::Internal), "{what}");
                    assert_eq!(kms.damaged().expect("read").len(), 1, "{what}");
                    assert!(encrypt(&kms, &root(), &other, b"plain").is_ok(), "{what}: the others work");
                }
                opened => panic!("{what}: {opened:?}"),
            }
        }
    }
}

/// Changes a cell in a table that takes all types for as long.
fn put_cell(store: &Store, change: &str) {
    let mut database = raw(store);
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).expect("set");
    let names = [
        (") STRICT", ") "),
        (" NOT NULL", "         "),
        (" BLOB", " ANYX"),
        (" INTEGER", " ANYXXXX"),
        (" TEXT", " ANYZ"),
    ];
    let mut make = |from: &str, to: &str| {
        let change = database.transaction().expect("begun");
        change.execute_batch("PRAGMA writable_schema = on").expect("set");
        change.execute("UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2)", params![from, to]).expect("changed");
        change.commit().expect("changed");
        database.execute_batch("PRAGMA writable_schema = reset").expect("set");
    };
    names.iter().for_each(|(from, to)| make(from, to));
    raw(store).execute(change, []).expect("changed");
    names.iter().rev().for_each(|(from, to)| make(to, from));
}

#[test]
fn a_row_that_is_too_long_is_not_read() {
    for (table, column) in [("catalogue", "sealed"), ("keys", "record"), ("roots", "head"), ("store", "id")] {
        let store = Store::new();
        new_key(&store.open());
        raw(&store).execute(&format!("UPDATE {table} SET {column} = zeroblob(65 * 1024 * 1024)"), []).expect("changed");
        let opened = store.try_open();
        let told = opened.as_ref().err().is_some_and(|error| error.to_string().contains("longer than any"));
        assert!(told, "{table}: {opened:?}");
    }
}

#[test]
fn rows_that_the_catalogue_does_not_have_are_none_however_many() {
    let store = Store::new();
    let key = new_key(&store.open());
    let database = raw(&store);
    let sql = "INSERT INTO keys SELECT ?1, generation, record FROM keys WHERE key_id = ?2";
    let id = id_of(&key);
    for name in
        [id.to_uppercase(), format!("{id}0"), format!(" {id}"), id.replace('-', ""), String::new(), "a".repeat(1 << 20)]
    {
        database.execute(sql, params![name, id]).expect("inserted");
    }
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO keys SELECT i, 1, zeroblob(100) FROM n";
    database.execute(sql, []).expect("inserted");
    drop(database);
    let kms = store.open();
    assert_eq!(kms.keys(&root()).expect("listed").len(), 1);
    assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
    assert_eq!(kind(encrypt(&kms, &root(), &id.to_uppercase(), b"plain")), Some(KmsErrorKind::NotFound));
}

fn copy_log(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("read");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// Bytes of pages: headers, cells, free pages, the schema.
#[test]
fn random_edits_of_pages_are_never_accepted() {
    let store = Store::new();
    let kms = store.open();
    let (key, off) = (new_key(&kms), new_key(&kms));
    let blob = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    let off_blob = encrypt(&kms, &root(), &off, b"plain").expect("encrypted");
    kms.disable(&root(), &off).expect("disabled");
    drop(kms);
    let good = fs::read(store.path()).expect("read");
    let log = beside(&store, ".good");
    copy_log(&audit_folder(&store.path()), &log);
    let mut state = 7_u64;
    let mut random = |bound: usize| {
        // Numerical Recipes' generator: a failure comes again.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % bound as u64).expect("small")
    };
    let (mut refused, mut same) = (0, 0);
    for edit in 0..120 {
        let mut file = good.clone();
        let at = random(file.len());
        match random(4) {
            0 => file[at] = 0,
            1 => file[at] ^= 1 << random(8),
            2 => {
                // A page in the place of another one.
                let len = page_len(&file);
                let (from, to) = (random(file.len() / len) * len, random(file.len() / len) * len);
                file.copy_within(from..from + len, to);
            }
            // Where b-tree pages have their headers and pointers.
            _ => {
                let at = at / page_len(&file) * page_len(&file) + random(24);
                file[at] = u8::try_from(random(256)).expect("a byte");
            }
        }
        for end in ["-journal", "-wal", "-shm"] {
            drop(fs::remove_file(beside(&store, end)));
        }
        fs::write(store.path(), &file).expect("written");
        copy_log(&log, &audit_folder(&store.path()));
        match store.try_open() {
            Err(
                StoreError::Damaged(_)
                | StoreError::NotAStore
                | StoreError::StoreKey(_)
                | StoreError::Newer { .. }
                | StoreError::PutBack { .. },
            ) => refused += 1,
            Err(other) => panic!("edit {edit}: {other:?}"),
            Ok(kms) => {
                same += 1;
                for (id, blob, expected) in [(&key, &blob, None), (&off, &off_blob, Some(KmsErrorKind::Disabled))] {
                    let got = decrypt(&kms, &root(), blob);
                    assert!(
                        got.is_ok()
                            || kind(got.clone()) == Some(KmsErrorKind::Internal)
                            || kind(got.clone()) == expected,
                        "edit {edit}: {got:?}"
                    );
                    assert!(got.is_err() || expected.is_none(), "edit {edit}: enabled");
                    drop(block_on(kms.describe(&root(), id)));
                }
            }
        }
    }
    println!("120 edits: {refused} stores refused, {same} opened");
    assert!(refused > 10 && same > 10);
}

/// One that is made when the store is opened already is no table that is refused.
#[test]
fn a_trigger_that_is_made_later_does_not_run() {
    let store = Store::new();
    let kms = store.open();
    let (key, other) = (new_key(&kms), new_key(&kms));
    let sql = format!(
        "CREATE TRIGGER spy AFTER INSERT ON catalogue BEGIN DELETE FROM keys WHERE key_id = '{}'; END",
        id_of(&other)
    );
    raw(&store).execute_batch(&sql).expect("made");
    kms.disable(&root(), &key).expect("disabled");
    let rows: u32 = raw(&store).query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 2);
}

#[test]
fn a_new_store_is_not_made_beside_the_log_of_an_old_one() {
    let store = Store::new();
    drop(store.open());
    fs::remove_file(store.path()).expect("removed");
    let made = LocalKms::create(&store.path(), &store.holder, &owner());
    let found = matches!(&made, Err(StoreError::Io(error)) if error.kind() == std::io::ErrorKind::AlreadyExists);
    assert!(found && !store.path().exists(), "{made:?}");
}
