//! Rows that are sealed as FORMAT.md says, by somebody who has the root key: a second implementation of sections 2 and 3.

use crate::shared::{DAY, Store, context, decrypt, encrypt, kind, new_key, root};
use hmac::{Hmac, KeyInit, Mac};
use objseal::Key;
use objseal::cobblestone::Cobblestone;
use objseal_keys::kms::{Kms, KmsErrorKind, block_on};
use objseal_keys::local::{Constraint, NewGrant, NewKey, RotationPeriod, StoreError};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::time::Instant;

/// The keys and names that rows are sealed with.
struct Insider<'s> {
    store: &'s Store,
    id: [u8; 16],
    key: Vec<u8>,
}

/// A record, taken apart.
struct Record {
    version: u8,
    json: Value,
    /// Of each version: present, and the material.
    material: Vec<u8>,
}

fn subkey(key: &[u8], label: &str, of: &[u8]) -> Key {
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(key).expect("any length");
    for part in [b"objseal/v1/kms/", label.as_bytes(), b"\0", of, b"\x01"] {
        mac.update(part);
    }
    Key::try_from(&mac.finalize().into_bytes()[..32]).expect("32 bytes")
}

fn bytes_of(id: &str) -> Vec<u8> {
    let digits: String = id.chars().filter(|&letter| letter != '-').collect();
    (0..32).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits")).collect()
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().expect("an id")
}

impl<'s> Insider<'s> {
    fn of(store: &'s Store) -> Self {
        let database = Connection::open(store.path()).expect("a database");
        let id: Vec<u8> = database.query_row("SELECT id FROM store", [], |row| row.get(0)).expect("an id");
        let sql = "SELECT head, body FROM roots WHERE name = 'store-key'";
        let (head, body): (Vec<u8>, Vec<u8>) =
            database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row");
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        let pairs = context(&[("objseal:kms", "store-key"), ("objseal:store", &text)]);
        let opened = store.holder().with_context(pairs).open(&head).expect("opened");
        let key = opened.body().expect("a body").open(&body).expect("opened");
        Self { store, id: id.try_into().expect("16 bytes"), key }
    }

    fn database(&self) -> Connection {
        Connection::open(self.store.path()).expect("a database")
    }

    fn record_seal(&self, id: &str, generation: i64) -> (Key, Vec<u8>) {
        let bytes = bytes_of(id);
        let context = [b"objseal/v1/kms/record\0", &self.id[..], &bytes, &generation.to_be_bytes()].concat();
        (subkey(&self.key, "records", &self.id), context)
    }

    fn record(&self, arn: &str) -> Record {
        let sql = "SELECT generation, record FROM keys WHERE key_id = ?1";
        let (generation, sealed): (i64, Vec<u8>) =
            self.database().query_row(sql, [id_of(arn)], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row");
        let (key, context) = self.record_seal(id_of(arn), generation);
        let plain = Cobblestone::new(&key, &context).open(&sealed).expect("opened");
        let len = u32::from_be_bytes(plain[1..5].try_into().expect("4 bytes")) as usize;
        let json = serde_json::from_slice(&plain[5..5 + len]).expect("JSON");
        Record { version: plain[0], json, material: plain[5 + len..].to_vec() }
    }

    fn seal_record(&self, id: &str, generation: i64, record: &Record) -> Vec<u8> {
        let text = serde_json::to_vec(&record.json).expect("JSON");
        let len = u32::try_from(text.len()).expect("short").to_be_bytes();
        let plain = [&[record.version][..], &len, &text, &record.material].concat();
        let (key, context) = self.record_seal(id, generation);
        Cobblestone::new(&key, &context).seal(&plain).expect("sealed")
    }

    fn put_record(&self, arn: &str, record: &Record) {
        let generation: i64 = self
            .database()
            .query_row("SELECT generation FROM keys WHERE key_id = ?1", [id_of(arn)], |row| row.get(0))
            .expect("a row");
        let sealed = self.seal_record(id_of(arn), generation, record);
        let sql = "UPDATE keys SET record = ?2 WHERE key_id = ?1";
        assert_eq!(self.database().execute(sql, params![id_of(arn), sealed]).expect("changed"), 1);
    }

    fn catalogue_seal(&self) -> (Key, Vec<u8>) {
        (subkey(&self.key, "catalogue", &self.id), [b"objseal/v1/kms/catalogue\0", &self.id[..]].concat())
    }

    fn catalogue(&self) -> Vec<u8> {
        let sealed: Vec<u8> =
            self.database().query_row("SELECT sealed FROM catalogue", [], |row| row.get(0)).expect("a row");
        let (key, context) = self.catalogue_seal();
        Cobblestone::new(&key, &context).open(&sealed).expect("opened")
    }

    fn put_catalogue(&self, plain: &[u8]) {
        let (key, context) = self.catalogue_seal();
        let sealed = Cobblestone::new(&key, &context).seal(plain).expect("sealed");
        assert_eq!(self.database().execute("UPDATE catalogue SET sealed = ?1", [sealed]).expect("changed"), 1);
    }
}

#[test]
fn a_record_that_is_sealed_right_and_is_none_is_refused() {
    let store = Store::new();
    let (key, other) = (new_key(&store.open()), new_key(&store.open()));
    let insider = Insider::of(&store);
    let good = || insider.record(&key);
    insider.put_record(&key, &good());
    assert!(store.open().damaged().expect("read").is_empty(), "as it was");

    let changed = |change: &dyn Fn(&mut Record)| {
        let mut record = good();
        change(&mut record);
        record
    };
    let cases: Vec<(&str, Record)> = vec![
        ("version", changed(&|record| record.version = 2)),
        ("unknown field", changed(&|record| record.json["more"] = json!(1))),
        ("missing field", changed(&|record| drop(record.json.as_object_mut().expect("an object").remove("policy")))),
        ("policy that is none", changed(&|record| record.json["policy"] = json!("{"))),
        ("state that is none", changed(&|record| record.json["state"] = json!("Enabledd"))),
        ("no material", changed(&|record| record.material.clear())),
        ("material without its end", changed(&|record| _ = record.material.pop())),
        ("more material", changed(&|record| record.material.extend([0; 33]))),
        ("neither present nor absent", changed(&|record| record.material[0] = 2)),
        ("another key", insider.record(&other)),
    ];
    let whole = good();
    for (what, record) in cases {
        insider.put_record(&key, &record);
        assert_eq!(store.open().damaged().expect("read").len(), 1, "{what}");
    }
    insider.put_record(&key, &whole);
    assert!(store.open().damaged().expect("read").is_empty());
}

#[test]
fn a_catalogue_that_is_sealed_right_and_is_none_is_refused() {
    let store = Store::new();
    new_key(&store.open());
    let insider = Insider::of(&store);
    let good = insider.catalogue();
    let with = |field: &str, value: Value| {
        let mut json: Value = serde_json::from_slice(&good[1..]).expect("JSON");
        json[field] = value;
        [&good[..1], &serde_json::to_vec(&json).expect("JSON")].concat()
    };
    for (what, plain) in [
        ("version", [&[2][..], &good[1..]].concat()),
        ("nothing", Vec::new()),
        ("unknown field", with("more", json!(1))),
        ("generation", with("generation", json!(-1))),
        ("key id in large letters", with("keys", json!({"ABCDEF00-0000-4000-8000-000000000000": 1}))),
        ("key id that is none", with("keys", json!({"0": 1}))),
    ] {
        insider.put_catalogue(&plain);
        assert!(matches!(store.try_open(), Err(StoreError::Damaged(_))), "{what}: {:?}", store.try_open());
    }
    insider.put_catalogue(&good);
    assert!(store.try_open().is_ok());
}

#[test]
fn a_key_with_10_000_versions_works_on_when_its_rotation_is_due() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
    let first = encrypt(&kms, &root(), &key, b"plain").expect("encrypted");
    drop(kms);
    let insider = Insider::of(&store);
    let mut record = insider.record(&key);
    let version = record.json["versions"][0].clone();
    record.json["versions"] = vec![version; 10_000].into();
    for number in 1..10_000_u64 {
        record.material.push(1);
        record.material.extend([number.to_be_bytes(); 4].concat());
    }
    insider.put_record(&key, &record);

    let begin = Instant::now();
    let kms = store.open();
    let opened = begin.elapsed();
    assert_eq!(kind(kms.rotate(&root(), &key)), Some(KmsErrorKind::LimitExceeded));
    kms.disable(&root(), &key).expect("disabled");
    let begin = Instant::now();
    kms.enable(&root(), &key).expect("enabled");
    println!("10,000 versions: opened in {opened:?}, changed in {:?}", begin.elapsed());
    store.clock.pass(400 * DAY);
    assert_eq!(block_on(kms.encrypt(&root(), &key, b"plain")).expect("encrypted").key_version, 10_000);
    kms.maintain().expect("done");
    drop(kms);
    let kms = store.open();
    assert_eq!(decrypt(&kms, &root(), &first).expect("decrypted"), b"plain");
    assert_eq!(kms.versions(&root(), &key).expect("listed").len(), 10_000);
}

#[test]
fn a_record_grows_to_its_bound_and_no_further() {
    let store = Store::new();
    let key = new_key(&store.open());
    let insider = Insider::of(&store);
    let mut record = insider.record(&key);
    record.json["description"] = "a".repeat((64 << 20) - 74_000).into();
    insider.put_record(&key, &record);
    let kms = store.open();
    let grant = |len| {
        let mut new = NewGrant::to("arn:aws:iam::111122223333:user/g", ["Decrypt"]);
        let value = "v".repeat(len);
        new.constraint = Some(Constraint::Subset([("k".into(), value)].into()));
        kind(kms.create_grant(&root(), &key, new))
    };
    assert_eq!(grant(1), None);
    let generation = kms.audit().head().generation;
    assert_eq!(grant(8_000), Some(KmsErrorKind::LimitExceeded));
    assert_eq!(kms.audit().head().generation, generation, "it is not done");
    assert!(encrypt(&kms, &root(), &key, b"plain").is_ok());
    drop(kms);
    assert!(encrypt(&store.open(), &root(), &key, b"plain").is_ok());
}

#[test]
fn a_thousand_keys_are_opened_changed_and_rotated() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    kms.enable_rotation(&root(), &key, RotationPeriod::default()).expect("enabled");
    drop(kms);
    let insider = Insider::of(&store);
    let mut record = insider.record(&key);
    let mut catalogue: Value = serde_json::from_slice(&insider.catalogue()[1..]).expect("JSON");
    let generation = catalogue["keys"][id_of(&key)].as_i64().expect("a number");
    let mut database = insider.database();
    let rows = database.transaction().expect("begun");
    for number in 1..1_000 {
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        record.json["id"] = json!(id);
        // Fifty are due with the first one.
        if number == 50 {
            record.json["rotation"] = Value::Null;
        }
        catalogue["keys"][&id] = generation.into();
        let sealed = insider.seal_record(&id, generation, &record);
        rows.execute("INSERT INTO keys VALUES (?1, ?2, ?3)", params![id, generation, sealed]).expect("inserted");
    }
    rows.commit().expect("committed");
    insider.put_catalogue(&[&[1][..], &serde_json::to_vec(&catalogue).expect("JSON")].concat());

    let begin = Instant::now();
    let kms = store.open();
    let opened = begin.elapsed();
    assert_eq!(kms.keys(&root()).expect("listed").len(), 1_000);
    let begin = Instant::now();
    kms.disable(&root(), "00000000-0000-4000-8000-000000000100").expect("disabled");
    let changed = begin.elapsed();
    store.clock.pass(365 * DAY);
    let begin = Instant::now();
    kms.maintain().expect("done");
    println!("1,000 keys: opened in {opened:?}, one changed in {changed:?}, 50 rotated in {:?}", begin.elapsed());
    for (number, versions) in [(49, 2), (50, 1)] {
        let name = format!("00000000-0000-4000-8000-{number:012x}");
        assert_eq!(kms.versions(&root(), &name).expect("listed").len(), versions);
    }
}

#[test]
fn a_key_with_50_000_grants_gets_no_more() {
    let store = Store::new();
    let kms = store.open();
    let key = new_key(&kms);
    let mut new = NewGrant::to("arn:aws:iam::111122223333:user/g", ["Decrypt"]);
    new.name = Some("name".into());
    let grant = kms.create_grant(&root(), &key, new.clone()).expect("granted");
    drop(kms);
    let insider = Insider::of(&store);
    let mut record = insider.record(&key);
    let mut others = record.json["grants"][0].clone();
    others["grantee"] = json!("arn:aws:iam::111122223333:user/h");
    let grants = record.json["grants"].as_array_mut().expect("an array");
    for number in 1..50_000 {
        others["id"] = json!(format!("{number:064x}"));
        grants.push(others.clone());
    }
    insider.put_record(&key, &record);
    let kms = store.open();
    let another = NewGrant::to("arn:aws:iam::111122223333:user/i", ["Decrypt"]);
    assert_eq!(kind(kms.create_grant(&root(), &key, another.clone())), Some(KmsErrorKind::LimitExceeded));
    assert_eq!(kms.create_grant(&root(), &key, new).expect("there"), grant);
    kms.revoke_grant(&root(), &key, &grant).expect("revoked");
    let begin = Instant::now();
    assert_eq!(kind(kms.create_grant(&root(), &key, another)), None);
    println!("50,000 grants: one more in {:?}", begin.elapsed());
}

/// FORMAT.md, section 4: each key has its own for the same material.
#[test]
fn the_id_of_material_is_the_one_that_is_specified() {
    let store = Store::new();
    let kms = store.open();
    let insider = Insider::of(&store);
    let material = [7; 32];
    for _ in 0..2 {
        let key = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("created").arn;
        kms.import_material(&root(), &key, &Key::from_bytes(&material), None).expect("imported");
        let id = subkey(&material, "material id", &[&insider.id[..], &bytes_of(id_of(&key))].concat());
        let expected: String = id.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(block_on(kms.describe(&root(), &key)).expect("described").material_id, Some(expected));
    }
}
