//! Making a store, and opening it.

use super::blob::subkey;
use super::error::StoreError;
use super::keys::account_policy;
use super::names::Owner;
use super::record::Catalogue;
use super::store::{Database, PATIENCE, Root, RowKeys};
use super::{LocalKms, check_not_older, read};
use crate::audit::{self, AuditLog, Head};
use crate::clock::{Clock, SystemClock, unix_seconds};
use crate::kms::{KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyServiceError, OpenOptions, WrappingKey};
use objseal_files::resolved;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

/// What the name of the folder of an audit log ends in, behind a dot.
const AUDIT: &str = "audit";

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    clock: Arc<dyn Clock>,
    audit: audit::Options,
    known: Option<Head>,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), audit: audit::Options::default(), known: None }
    }
}

impl Options {
    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same with other options of the audit log, such as how soon its lines are on the disk.
    #[must_use]
    pub fn with_audit(self, audit: audit::Options) -> Self {
        Self { audit, ..self }
    }

    /// The same with an anchor for the heads of the audit log: a place outside that whoever owns the disk cannot change.
    #[must_use]
    pub fn with_anchor(mut self, anchor: Arc<dyn audit::Anchor>) -> Self {
        self.audit.anchor = Some(anchor);
        self
    }

    /// Refuses a store that is older than this head of its audit log, which was kept outside.
    #[must_use]
    pub fn with_known_head(self, head: Head) -> Self {
        Self { known: Some(head), ..self }
    }
}

/// Gives the wrapping key that a key of a store is to be under, which is bound to this encryption context.
pub type HolderOf<'a> = &'a dyn Fn(&EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError>;

/// The folder of the audit log of the store at `path`.
#[must_use]
pub fn audit_folder(path: &Path) -> PathBuf {
    // Whatever path leads to the store, it has one log.
    let path = resolved(path).unwrap_or_else(|_| path.into());
    beside(&path, &format!(".{AUDIT}"))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(end);
    name.into()
}

impl LocalKms {
    /// Whether a store is at `path`, its journal, or a file of its audit log: nothing else is to be written there.
    #[must_use]
    pub fn is_at(path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        let is_log =
            |path: &Path| path.extension() == Some(AUDIT.as_ref()) && Database::is_at(&path.with_extension(""));
        let journal_of = path.file_name().and_then(|name| name.to_str()?.strip_suffix("-journal"));
        Database::is_at(&path)
            || journal_of.is_some_and(|name| Database::is_at(&path.with_file_name(name)))
            || is_log(&path)
            || path.parent().is_some_and(is_log)
    }

    /// Makes the file of a new store, which must not be there yet, under the root key of `holder`. Its audit log is made when it
    /// is first opened, in the folder of the same name with `.audit`.
    ///
    /// # Errors
    /// [`StoreError::Io`] of kind `AlreadyExists` if there is a file, or a log or a journal of another store, already.
    pub fn create(path: &Path, holder: &Arc<WrappingKey>, owner: &Owner) -> Result<(), StoreError> {
        Self::create_with(path, &|_: &_| Ok(Arc::clone(holder)), owner)
    }

    /// The same under a root key that makes a wrapping key for each encryption context, as those of a security module do: the store
    /// has two keys, and each is bound to what it is for.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn create_with(path: &Path, holder: HolderOf<'_>, owner: &Owner) -> Result<(), StoreError> {
        let resolved = resolved(path).unwrap_or_else(|_| path.into());
        // A journal of another database would be taken for one of the new store, and undo it.
        let others = [audit_folder(path), beside(&resolved, "-journal"), beside(&resolved, "-wal")];
        if let Some(other) = others.iter().find(|other| other.symlink_metadata().is_ok()) {
            let message = format!("{} is there already, and belongs to another store", other.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message).into());
        }
        let new = New::generate(owner, &SystemClock)?;
        Database::create(path, new.id, new.roots(), holder, &new.catalogue)
    }

    /// Opens the store at `path`; `holder` opens the wrapped key of the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, holder: &OpenOptions, options: Options) -> Result<Self, StoreError> {
        let database = Database::open(path)?;
        let id = database.store_id()?;
        let store_key = database.root(Root::Store, id, holder)?;
        Self::start(database, id, &store_key, options, |audited, options| {
            let seal_key = subkey(&store_key, "audit head", &id.to_bytes());
            let folder = audit_folder(path);
            if audited {
                return Ok(AuditLog::open(&folder, id.to_bytes(), seal_key, options)?);
            }
            let first_key = Self::audit_key(path, holder)?;
            open_first(&folder, id, &first_key, seal_key, options)
        })
    }

    /// A service that is in no file and forgets everything in the end: for tests of servers, with all its rules.
    ///
    /// # Errors
    /// [`StoreError::Kms`] without randomness, or if no ARN can be made of `owner`.
    pub fn in_memory(owner: &Owner, options: Options) -> Result<Self, StoreError> {
        let new = New::generate(owner, &*options.clock)?;
        let holder = Arc::new(WrappingKey::from_key(Key::generate().map_err(KmsError::from)?));
        let holder = |_: &_| Ok(Arc::clone(&holder));
        let database = Database::in_memory(new.id, new.roots(), &holder, &new.catalogue)?;
        Self::start(database, new.id, &new.store_key, options, |_, options| {
            Ok(AuditLog::in_memory(new.id.to_bytes(), &new.audit_key, options))
        })
    }

    fn start(
        mut database: Database,
        id: Uuid,
        store_key: &Key,
        mut options: Options,
        open_log: impl FnOnce(bool, audit::Options) -> Result<AuditLog, StoreError>,
    ) -> Result<Self, StoreError> {
        let row_keys = RowKeys::new(store_key, id);
        options.audit.clock = Arc::clone(&options.clock);
        // Nobody else makes the log of a new store meanwhile.
        let audit = database.change(|change| open_log(change.catalogue(&row_keys)?.audited, options.audit))?;
        // After the log was read, which is never ahead of the store.
        let contents = read(&mut database, &row_keys, None)?;
        if let Some(known) = options.known {
            if known.store_id != id.to_bytes() {
                return Err(StoreError::OtherStore { found: id });
            }
            check_not_older(contents.generation(), known.generation)?;
            if !audit.has(&known)? {
                return Err(StoreError::OtherLog { sequence: known.sequence });
            }
        }
        check_not_older(contents.generation(), audit.head().generation)?;
        let owner = contents.catalogue.owner.clone();
        let audited = contents.catalogue.audited;
        let kms = Self {
            id,
            account_policy: Arc::new(account_policy(&owner)?),
            owner,
            row_keys,
            database: Mutex::new(database),
            contents: RwLock::new(Arc::new(contents)),
            audit,
            clock: options.clock,
            process: std::process::id(),
        };
        if !audited {
            kms.change(&kms.own_call(None), "CreateStore", |draft| {
                draft.contents.catalogue.audited = true;
                Ok(())
            })?;
        }
        kms.maintain()?;
        Ok(kms)
    }

    /// Puts the key of the store at `path` under another root key. Keys and ciphertexts stay as they are.
    ///
    /// It is rotation, not revocation: a copy of the file made before still opens under the old root key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rewrap(path: &Path, holder: &OpenOptions, new: &Arc<WrappingKey>) -> Result<(), StoreError> {
        Self::rewrap_with(path, holder, &|_: &_| Ok(Arc::clone(new)))
    }

    /// The same under a root key as [`create_with`](Self::create_with) has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rewrap_with(path: &Path, holder: &OpenOptions, new: HolderOf<'_>) -> Result<(), StoreError> {
        let kms = Self::open(path, holder, Options::default())?;
        let mut rewrapped = Ok(());
        let told = kms.run(&kms.own_call(None), "RewrapStore", |_, _| {
            rewrapped = kms.lock(PATIENCE).and_then(|mut database| database.rewrap(kms.id, holder, new));
            rewrapped.as_ref().map_err(|error| KmsError::new(KmsErrorKind::Internal, error.to_string())).copied()
        });
        rewrapped?;
        Ok(told?)
    }

    /// The key that the audit log of the store at `path` begins with. Whoever has it can verify the log; a service in use does
    /// not keep it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn audit_key(path: &Path, holder: &OpenOptions) -> Result<Key, StoreError> {
        let database = Database::open(path)?;
        database.root(Root::Audit, database.store_id()?, holder)
    }
}

/// The keys of a new store, and its first catalogue.
struct New {
    id: Uuid,
    store_key: Key,
    audit_key: Key,
    catalogue: Catalogue,
}

impl New {
    fn generate(owner: &Owner, clock: &dyn Clock) -> Result<Self, StoreError> {
        owner.check()?;
        let generate = || Key::generate().map_err(KmsError::from);
        let catalogue = Catalogue {
            generation: 1,
            created: unix_seconds(clock.now()),
            owner: owner.clone(),
            audited: false,
            keys: Default::default(),
            aliases: Default::default(),
        };
        Ok(Self {
            id: Uuid::generate().map_err(KmsError::from)?,
            store_key: generate()?,
            audit_key: generate()?,
            catalogue,
        })
    }

    fn roots(&self) -> [(Root, &Key); 2] {
        [(Root::Store, &self.store_key), (Root::Audit, &self.audit_key)]
    }
}

/// Makes the audit log of a store that has none yet, or that was never finished.
fn open_first(
    folder: &Path,
    id: Uuid,
    first_key: &Key,
    seal_key: Key,
    options: audit::Options,
) -> Result<AuditLog, StoreError> {
    let again = Key::from_bytes(seal_key.expose_secret());
    match AuditLog::create(folder, id.to_bytes(), first_key, again, options.clone()) {
        // Nothing was written to it yet, or this is a store that was put back to its beginning, which the log tells.
        Err(audit::AuditError::AlreadyExists) => Ok(AuditLog::open(folder, id.to_bytes(), seal_key, options)?),
        created => Ok(created?),
    }
}
