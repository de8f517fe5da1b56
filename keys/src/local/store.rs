//! The database: sealed rows, and changes of several of them at once. FORMAT.md, sections 1 to 3.
//!
//! Columns only find a row: they are compared with what it was sealed for. Which rows there must be, and of which generation, the
//! catalogue says. So no row can be changed, exchanged, left out, or be put back to what it was.

use super::HolderOf;
use super::blob::subkey;
use super::error::StoreError;
use super::record::{Catalogue, StoredKey};
use crate::kms::{KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use objseal::Key;
use objseal::cobblestone::Cobblestone;
use objseal::envelope::{EncryptionContext, Envelope, EnvelopeError, OpenOptions, SealOptions};
use objseal_files::{Existing, NewFile};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// What "this is a store" is written as in the header of the database: "OSkm".
const APPLICATION_ID: u32 = 0x4f53_6b6d;
/// From each version of the schema to the next one. A store of version 0 is empty.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE store (id BLOB NOT NULL) STRICT;
    CREATE TABLE roots (name TEXT PRIMARY KEY NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE catalogue (sealed BLOB NOT NULL) STRICT;
    CREATE TABLE keys (key_id TEXT PRIMARY KEY NOT NULL, generation INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
"];
/// The schema of this version.
#[allow(clippy::cast_possible_truncation, reason = "there are few")]
const SCHEMA: u32 = MIGRATIONS.len() as u32;
/// Longest row, in bytes: room for 50,000 grants or 500,000 keys. A file of a few pages can say that it has rows of a gigabyte.
const MAX_ROW_LEN: i32 = 64 << 20;
/// How long a change of another process is waited for, at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A key that the store holds for its own use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// All rows are under it.
    Store,
    /// The audit log begins with it: who has it can verify all of the log, and could have written it.
    Audit,
}

impl Root {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store-key",
            Self::Audit => "audit-key",
        }
    }

    /// What it is bound to.
    fn context(self, store: Uuid) -> EncryptionContext {
        let pairs = [("objseal:kms", self.name()), ("objseal:store", &store.to_string())];
        // Two short pairs fit.
        EncryptionContext::from_pairs(pairs).unwrap_or_default()
    }
}

/// The database of a store.
#[derive(Debug)]
pub(super) struct Database(Connection);

/// The keys that rows and tokens of imports are under.
#[derive(Debug)]
pub(super) struct RowKeys {
    store: Uuid,
    catalogue: Key,
    records: Key,
    tokens: Key,
}

impl RowKeys {
    pub(super) fn new(store_key: &Key, store: Uuid) -> Self {
        let row_key = |label| subkey(store_key, label, &store.to_bytes());
        Self { store, catalogue: row_key("catalogue"), records: row_key("records"), tokens: row_key("import token") }
    }

    fn catalogue_context(&self) -> Vec<u8> {
        [b"objseal/v1/kms/catalogue\0", &self.store.to_bytes()[..]].concat()
    }

    fn record_context(&self, key: Uuid, generation: u64) -> Vec<u8> {
        [b"objseal/v1/kms/record\0", &self.store.to_bytes()[..], &key.to_bytes(), &generation.to_be_bytes()].concat()
    }

    /// The message of a token for imports into this key: FORMAT.md, section 5.
    pub(super) fn seal_token(&self, key: Uuid, plain: &[u8]) -> Result<Vec<u8>, objseal::Error> {
        Cobblestone::new(&self.tokens, &self.token_context(key)).seal(plain)
    }

    /// What such a message says; `None` if it is of another store or key, or was changed.
    pub(super) fn open_token(&self, key: Uuid, message: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Cobblestone::new(&self.tokens, &self.token_context(key)).open(message).map(Zeroizing::new).ok()
    }

    fn token_context(&self, key: Uuid) -> Vec<u8> {
        [b"objseal/v1/kms/import-token\0", &self.store.to_bytes()[..], &key.to_bytes()].concat()
    }
}

impl Database {
    /// Writes the file of a new store, at once; there must be none.
    pub(super) fn create(
        path: &Path,
        store: Uuid,
        roots: [(Root, &Key); 2],
        holder: HolderOf<'_>,
        catalogue: &Catalogue,
    ) -> Result<(), StoreError> {
        let mut database = Self::in_memory(store, roots, holder, catalogue)?;
        let bytes = database.0.serialize(MAIN_DB)?;
        let new = NewFile::create(path, Existing::Refuse, 0o600)?;
        new.file().write_all(&bytes)?;
        Ok(new.commit()?)
    }

    /// A new store that is in no file.
    pub(super) fn in_memory(
        store: Uuid,
        roots: [(Root, &Key); 2],
        holder: HolderOf<'_>,
        catalogue: &Catalogue,
    ) -> Result<Self, StoreError> {
        let mut database = Self(Connection::open_in_memory()?);
        database.prepare()?;
        database.migrate(0)?;
        let [(_, store_key), _] = roots;
        let keys = RowKeys::new(store_key, store);
        database.change(|change| {
            change.0.execute("INSERT INTO store VALUES (?1)", [store.to_bytes()])?;
            for (root, key) in roots {
                change.put_root(root, store, key, holder)?;
            }
            change.put_catalogue(&keys, catalogue)
        })?;
        Ok(database)
    }

    /// Whether the file at `path` says that it is a store.
    pub(super) fn is_at(path: &Path) -> bool {
        if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return false;
        }
        // SQLite asks. A file that is opened and closed beside it takes the locks of this process with it.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let id = Connection::open_with_flags(path, flags)
            .and_then(|database| database.pragma_query_value(None, "application_id", |row| row.get::<_, u32>(0)));
        match id.map_err(|error| error.sqlite_error_code()) {
            Ok(id) => id == APPLICATION_ID,
            // It is a database, perhaps with a journal that is to be undone first, and may be one of a store.
            Err(code) => {
                matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseCorrupt | ErrorCode::ReadOnly))
            }
        }
    }

    /// Opens the file of a store, and brings it to the schema of this version.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // It says why there is none better than the database does.
        std::fs::metadata(path)?;
        let mut database = Self(Connection::open_with_flags(path, flags)?);
        database.prepare()?;
        let number = |pragma| database.0.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
        if number("application_id")? != APPLICATION_ID {
            return Err(StoreError::NotAStore);
        }
        let version = number("user_version")?;
        match usize::try_from(version).map(|version| MIGRATIONS.get(version..)) {
            Ok(Some([])) => {}
            Ok(Some(_)) if version > 0 => database.migrate(version)?,
            Ok(Some(_)) => return Err(StoreError::NotAStore),
            _ => return Err(StoreError::Newer { version }),
        }
        database.check_tables()?;
        Ok(database)
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let Self(connection) = self;
        connection.busy_timeout(PATIENCE)?;
        // The file may be hostile.
        for (option, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        ] {
            connection.set_db_config(option, on)?;
        }
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_ROW_LEN)?;
        // Rows that are replaced are overwritten, and a change that was reported is on the disk: with FULL, the journal could come
        // back after a power failure and undo it.
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(connection.pragma_update(None, "synchronous", "EXTRA")?)
    }

    fn migrate(&mut self, from: u32) -> Result<(), StoreError> {
        let change = self.0.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let steps = MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(usize::MAX));
        steps.into_iter().try_for_each(|step| change.execute_batch(step))?;
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", SCHEMA)?;
        Ok(change.commit()?)
    }

    /// That there are the tables of a new store, and nothing else: a trigger, a view or a constraint of somebody else would run
    /// within ours.
    fn check_tables(&self) -> Result<(), StoreError> {
        let mut new = Self(Connection::open_in_memory()?);
        new.migrate(0)?;
        if self.tables()? == new.tables()? { Ok(()) } else { Err(StoreError::Damaged("it has other tables")) }
    }

    fn tables(&self) -> Result<Vec<[Option<String>; 4]>, StoreError> {
        let mut statement =
            self.0.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
        let tables = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
        Ok(tables.collect::<Result<_, _>>()?)
    }

    /// The id of the store. It is proved by every row that opens.
    pub(super) fn store_id(&self) -> Result<Uuid, StoreError> {
        let id = self.0.query_row("SELECT id FROM store", [], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        id.and_then(|id| id.try_into().ok()).map(Uuid::from_bytes).ok_or(StoreError::Damaged("it has no id"))
    }

    /// Opens a key of the store by who holds its root key.
    pub(super) fn root(&self, root: Root, store: Uuid, holder: &OpenOptions) -> Result<Key, StoreError> {
        let (envelope, body) = self.open_root(root, store, holder)?;
        let plain = Zeroizing::new(envelope.body()?.open(&body).map_err(EnvelopeError::from)?);
        Key::try_from(&plain[..]).map_err(|_| StoreError::Damaged("its key has another length"))
    }

    fn open_root(&self, root: Root, store: Uuid, holder: &OpenOptions) -> Result<(Envelope, Vec<u8>), StoreError> {
        let row = self.0.query_row("SELECT head, body FROM roots WHERE name = ?1", [root.name()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        });
        let (head, body) = row.optional()?.ok_or(StoreError::Damaged("its key is not there"))?;
        let options = holder.clone().with_context(root.context(store));
        Ok((options.open(&head)?, body))
    }

    /// Waits so long for changes of other processes from now on.
    pub(super) fn wait_for(&self, time: Duration) -> Result<(), StoreError> {
        Ok(self.0.busy_timeout(time.min(PATIENCE))?)
    }

    /// Whether another connection changed it since this was asked last.
    pub(super) fn version(&self) -> Result<i64, StoreError> {
        let mut statement = self.0.prepare_cached("PRAGMA data_version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Changes rows, all of them or none. No other process changes any meanwhile.
    pub(super) fn change<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&Change<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let change = self.0.transaction_with_behavior(TransactionBehavior::Immediate);
        let change = Change(change.map_err(StoreError::from)?);
        change.check_journal()?;
        let result = work(&change)?;
        change.0.commit().map_err(StoreError::from)?;
        Ok(result)
    }

    /// Reads rows, all of the same state.
    pub(super) fn read<T>(&mut self, work: impl FnOnce(&Change<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let change = Change(self.0.transaction_with_behavior(TransactionBehavior::Deferred)?);
        change.check_journal()?;
        work(&change)
    }
}

/// Seals under what the holder gives for this context.
fn under(holder: HolderOf<'_>, context: EncryptionContext) -> Result<SealOptions, StoreError> {
    let key = holder(&context).map_err(EnvelopeError::KeyService)?;
    Ok(SealOptions::new(key).with_context(context))
}

/// What is sealed, if a row has room for it and the columns that find it.
fn row(sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if i32::try_from(sealed.len()).is_ok_and(|len| len <= MAX_ROW_LEN - 1_024) {
        return Ok(sealed);
    }
    let message = format!("a key with all that belongs to it, and the list of keys, have at most {MAX_ROW_LEN} bytes");
    Err(KmsError::new(KmsErrorKind::LimitExceeded, message).into())
}

/// Rows while nobody else changes them.
pub(super) struct Change<'d>(Transaction<'d>);

impl Change<'_> {
    /// That old pages go to a journal that is removed. In a write-ahead log, rows that are replaced would stay.
    fn check_journal(&self) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached("PRAGMA journal_mode")?;
        match statement.query_row([], |row| row.get::<_, String>(0))?.as_str() {
            "delete" | "memory" => Ok(()),
            _ => Err(StoreError::Damaged("it was switched to another journal")),
        }
    }

    pub(super) fn catalogue(&self, keys: &RowKeys) -> Result<Catalogue, StoreError> {
        let changed = || StoreError::Damaged("the list of its keys");
        let mut statement = self.0.prepare_cached("SELECT sealed FROM catalogue")?;
        let sealed: Option<Vec<u8>> = statement.query_row([], |row| row.get(0)).optional()?;
        let opened = Cobblestone::new(&keys.catalogue, &keys.catalogue_context()).open(&sealed.ok_or_else(changed)?);
        opened.ok().and_then(|opened| Catalogue::decode(&opened)).ok_or_else(changed)
    }

    pub(super) fn put_catalogue(&self, keys: &RowKeys, catalogue: &Catalogue) -> Result<(), StoreError> {
        let text = catalogue.encode().ok_or(StoreError::Damaged("the list of its keys"))?;
        let sealed = Cobblestone::new(&keys.catalogue, &keys.catalogue_context()).seal(&text);
        let sealed = row(sealed.map_err(EnvelopeError::from)?)?;
        self.0.execute("DELETE FROM catalogue", [])?;
        self.0.execute("INSERT INTO catalogue VALUES (?1)", [sealed])?;
        Ok(())
    }

    /// The record of a key as it was in this generation; `None` if the row is missing, is of another key or generation, or was
    /// changed.
    pub(super) fn key(&self, keys: &RowKeys, key: Uuid, generation: u64) -> Result<Option<StoredKey>, StoreError> {
        let mut statement = self.0.prepare_cached("SELECT generation, record FROM keys WHERE key_id = ?1")?;
        // A cell of another type is like one that was changed.
        let row = statement
            .query_row([key.to_string()], |row| Ok((row.get::<_, i64>(0).ok(), row.get::<_, Vec<u8>>(1).ok())));
        let Some((Some(column), Some(sealed))) = row.optional()? else { return Ok(None) };
        let context = keys.record_context(key, generation);
        let opened = Cobblestone::new(&keys.records, &context).open(&sealed).map(Zeroizing::new);
        let stored = opened.ok().and_then(|opened| StoredKey::decode(&opened));
        Ok(stored.filter(|stored| stored.record.id == key && u64::try_from(column) == Ok(generation)))
    }

    pub(super) fn put_key(&self, keys: &RowKeys, stored: &StoredKey, generation: u64) -> Result<(), StoreError> {
        let id = stored.record.id;
        let plain = stored.encode().ok_or(StoreError::Damaged("the record of a key"))?;
        let sealed = Cobblestone::new(&keys.records, &keys.record_context(id, generation)).seal(&plain);
        let sealed = row(sealed.map_err(EnvelopeError::from)?)?;
        let column = i64::try_from(generation).map_err(|_| StoreError::Damaged("its generation"))?;
        let sql = "INSERT OR REPLACE INTO keys VALUES (?1, ?2, ?3)";
        self.0.execute(sql, rusqlite::params![id.to_string(), column, sealed])?;
        Ok(())
    }

    pub(super) fn remove_key(&self, key: Uuid) -> Result<(), StoreError> {
        self.0.execute("DELETE FROM keys WHERE key_id = ?1", [key.to_string()])?;
        Ok(())
    }

    fn put_root(&self, root: Root, store: Uuid, key: &Key, holder: HolderOf<'_>) -> Result<(), StoreError> {
        let (envelope, body) = under(holder, root.context(store))?.start()?;
        let body = body.seal(key.expose_secret()).map_err(EnvelopeError::from)?;
        let row = rusqlite::params![root.name(), envelope.stored(), body];
        self.0.execute("INSERT INTO roots VALUES (?1, ?2, ?3)", row)?;
        Ok(())
    }
}

impl Database {
    /// Puts the keys of the store under another root key. The keys themselves, and all rows, stay.
    pub(super) fn rewrap(&mut self, store: Uuid, holder: &OpenOptions, new: HolderOf<'_>) -> Result<(), StoreError> {
        let roots = [Root::Store, Root::Audit];
        let opened = roots.map(|root| self.open_root(root, store, holder).map(|(envelope, _)| (root, envelope)));
        self.change(|change| {
            for opened in opened {
                let (root, old) = opened?;
                let head = under(new, root.context(store))?.rewrap(&old)?;
                let row = rusqlite::params![root.name(), head.stored()];
                change.0.execute("UPDATE roots SET head = ?2 WHERE name = ?1", row)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sqlite.org/pragma.html: EXTRA, 3, is FULL and syncs the folder after the journal was removed; 1 of secure_delete overwrites.
    #[test]
    fn a_change_outlives_a_power_failure_and_what_it_replaces_is_overwritten() {
        let database = Database(Connection::open_in_memory().expect("a database"));
        database.prepare().expect("prepared");
        let number =
            |pragma| database.0.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0)).expect("a number");
        assert_eq!((number("synchronous"), number("secure_delete")), (3, 1));
    }
}
