//! A key management service in a file: keys with states, policies, grants, rotation and an audit log.
//!
//! ```
//! use objseal::envelope::{KeyService, OpenOptions, SealOptions, WrappingKey};
//! use objseal::Key;
//! use objseal_keys::kms::{Blocking, Call, Principal};
//! use objseal_keys::local::{LocalKms, NewKey, Options, Owner};
//! use std::sync::Arc;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("kms");
//! // The store is under a key of a keyring, of a file, or of a security module.
//! let holder = Arc::new(WrappingKey::from_key(Key::generate()?));
//! LocalKms::create(&path, &holder, &Owner::default())?;
//! let kms = Arc::new(LocalKms::open(&path, &OpenOptions::new().with_key(holder), Options::default())?);
//!
//! let call = Call::of(Arc::new(Principal::root_of("000000000000")));
//! let key = kms.create_key(&call, NewKey::default())?;
//! kms.create_alias(&call, "alias/photos", &key.arn)?;
//!
//! let service = Arc::new(Blocking::new(Arc::clone(&kms), call));
//! let wrapping_key = service.wrapping_key("alias/photos", &Default::default())?;
//! let (envelope, body) = SealOptions::new(wrapping_key).start()?;
//! let stored = body.seal(b"the plaintext")?;
//! let opened = OpenOptions::new().with_service(service).open(envelope.stored())?;
//! assert_eq!(opened.body()?.open(&stored)?, b"the plaintext");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Names, states, policies and errors are those of AWS KMS (API Reference, version 2014-11-01; Developer Guide). Keys are
//! symmetric ones.
//!
//! # Against the owner of the disk
//!
//! All there is of a key is one sealed record, and a sealed catalogue lists the records with the generation of each. A row that
//! was changed, exchanged, removed or put back is refused: nobody without the key of the store can enable a key, point an alias
//! elsewhere or widen a policy. The audit log, in a folder beside the store, holds the store's generation as well: a store that was
//! put back alone is refused. If store and log are put back together to an earlier state, only a head of the log that is kept
//! elsewhere shows it ([`Options::with_known_head`], [`Options::with_anchor`]).
//!
//! Rows that are replaced are overwritten in the file. What a file system or a disk keeps of older blocks is beyond that: where
//! material must be gone with its key, keep the store on an encrypted volume.
//!
//! SQLite takes back what a journal beside the store says, and touches the files that it names: whoever can write into the folder
//! of the store acts with the rights of its user there. Keep the folder to the service.
//!
//! Deletions and rotations are due by the clock: one that was set forward makes them due.
//!
//! # What an operation costs
//!
//! An operation asks the database whether another process has changed it, decides, and writes a line of audit. It does so
//! within `poll`, in some tens of microseconds, and waits only for changes of other processes.
//!
//! [`format`](mod@format) specifies the file.
//!
//! | file | what |
//! |---|---|
//! | `open` | making a store, and opening it |
//! | `names` | ids, ARNs and aliases |
//! | `blob` | ciphertexts |
//! | `record` | a key and the catalogue, as they are stored |
//! | `store` | the database: sealed rows |
//! | `contents` | the store in memory |
//! | `access` | who may do what: policies and grants |
//! | `data` | encrypt, decrypt |
//! | `data_key` | new data keys, and random bytes |
//! | `keys` | making keys, their states and policies |
//! | `aliases` | names that users give to keys |
//! | `service_key` | the key that S3 uses when no other one is named |
//! | `material` | rotation and the end of material |
//! | `import` | material that is the user's own |
//! | `grants` | grants |
//! | `tags` | tags |

mod access;
mod aliases;
mod blob;
mod contents;
mod data;
mod data_key;
mod error;
mod grants;
mod import;
mod keys;
mod material;
mod names;
mod open;
mod record;
mod service_key;
mod store;
mod tags;

#[doc = include_str!("FORMAT.md")]
pub mod format {}

pub use crate::uuid::Uuid;
pub use access::Explanation;
pub use aliases::{AliasEntry, check_own_alias};
pub use blob::MAX_PLAINTEXT_LEN;
pub use error::StoreError;
pub use grants::{Constraint, Grant, NewGrant};
pub use import::{ImportToken, Wrapping};
pub use keys::{DeletionWindow, NewKey};
pub use material::{KeyRotation, KeyVersion, RotationPeriod};
pub use names::Owner;
pub use open::{HolderOf, Options, audit_folder};
pub use record::RotationType;

use crate::audit::{AuditLog, Event};
use crate::clock::{Clock, unix_seconds};
use crate::kms::{Call, KmsError, KmsErrorKind, Principal};
use crate::policy::Policy;
use contents::Contents;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use store::{Database, PATIENCE, RowKeys};

/// The name of this key service in wrapped keys.
pub const SERVICE: &str = "local-kms";

/// A key management service in a file.
///
/// Any number of processes can use one file, each with as many threads as it likes.
#[derive(Debug)]
pub struct LocalKms {
    id: Uuid,
    owner: Owner,
    /// The policy that leaves everything to the account.
    account_policy: Arc<Policy>,
    row_keys: RowKeys,
    database: Mutex<Database>,
    contents: RwLock<Arc<Contents>>,
    audit: AuditLog,
    clock: Arc<dyn Clock>,
    /// Who opened it.
    process: u32,
}

impl LocalKms {
    /// The id of the store.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whose keys they are, and where.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The ARN of the key of this name, for whoever has just used it: it asks for no right, and leaves no line.
    ///
    /// # Errors
    /// [`KmsErrorKind::NotFound`], and those of a store that cannot be read.
    pub fn key_arn(&self, key: &str) -> Result<String, KmsError> {
        let contents = self.current(PATIENCE)?;
        let stored = contents.find(&self.owner, key, self.now())?;
        Ok(self.owner.arn_of(stored.record.id))
    }

    /// Its audit log.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Keys whose records were changed by somebody without the key of the store, or are damaged. They are refused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn damaged(&self) -> Result<Vec<Uuid>, StoreError> {
        Ok(self.current(PATIENCE)?.damaged().collect())
    }

    fn now(&self) -> u64 {
        unix_seconds(self.clock.now())
    }

    /// A call of the service itself, which ends when whoever asks does not wait any more.
    fn own_call(&self, deadline: Option<Instant>) -> Call {
        Call { deadline, ..Call::of(Arc::new(Principal::new("kms.amazonaws.com"))) }
    }

    /// The database, which waits so long for changes of other processes.
    fn lock(&self, wait: Duration) -> Result<MutexGuard<'_, Database>, StoreError> {
        // Locks of a file and what SQLite knows of them do not outlive a fork (sqlite.org/howtocorrupt.html, section 2.6).
        if std::process::id() != self.process {
            let message = "the store was opened by the process that this one was forked from; open it anew";
            return Err(KmsError::new(KmsErrorKind::Internal, message).into());
        }
        let asked = Instant::now();
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        // Others of this process may have had it for as long as this call is waited for.
        let rest = wait.saturating_sub(asked.elapsed());
        if rest.is_zero() {
            return Err(KmsError::new(KmsErrorKind::DependencyTimeout, "the deadline has passed").into());
        }
        database.wait_for(rest)?;
        Ok(database)
    }

    fn known(&self) -> Arc<Contents> {
        Arc::clone(&self.contents.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn know(&self, contents: Contents) -> Arc<Contents> {
        let contents = Arc::new(contents);
        *self.contents.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&contents);
        contents
    }

    /// A generation that the store has reached, whoever changed it: the log is told after the change. To be asked before the store.
    fn noted(&self) -> u64 {
        self.audit.head().generation
    }

    /// The store as it is now.
    fn current(&self, wait: Duration) -> Result<Arc<Contents>, StoreError> {
        let noted = self.noted();
        let mut database = self.lock(wait)?;
        let known = self.known();
        if database.version()? == known.version && noted <= known.generation() {
            return Ok(known);
        }
        let contents = read(&mut database, &self.row_keys, Some(&known))?;
        // It was another process, or somebody who put the file back, or keeps this process at an old one.
        check_not_older(contents.generation(), known.generation().max(noted))?;
        Ok(self.know(contents))
    }

    /// Does something that changes nothing, and writes a line about it. Without the line it did not happen.
    fn run<T>(
        &self,
        call: &Call,
        operation: &str,
        work: impl FnOnce(&Contents, &mut Line) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let mut line = Line::of(operation);
        let result = self.in_time(call).and_then(|wait| {
            grants::check_tokens(call, operation)?;
            let contents = self.current(wait)?;
            work(&contents, &mut line)
        });
        let outcome = result.as_ref().err().map(KmsError::kind);
        self.write(call, &line, outcome, None)?;
        result
    }

    /// Changes the store, and writes a line about it before. Nobody else changes it meanwhile.
    fn change<T>(
        &self,
        call: &Call,
        operation: &str,
        work: impl FnOnce(&mut Draft) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let mut line = Line::of(operation);
        let mut written = false;
        let result = self.in_time(call).and_then(|wait| {
            grants::check_tokens(call, operation)?;
            self.try_change(call, wait, &mut line, &mut written, work)
        });
        match &result {
            Ok(_) => {}
            // The line that is there says that it was done.
            Err(error) if written => {
                line.detail = Some(format!("not done: {error}"));
                self.write(call, &line, Some(error.kind()), None)?;
            }
            Err(error) => self.write(call, &line, Some(error.kind()), None)?,
        }
        result
    }

    fn try_change<T>(
        &self,
        call: &Call,
        wait: Duration,
        line: &mut Line,
        written: &mut bool,
        work: impl FnOnce(&mut Draft) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let noted = self.noted();
        let mut database = self.lock(wait)?;
        let known = self.known();
        let version = database.version()?;
        let (result, contents) = database.change(|change| {
            let mut contents = Contents::read(change, &self.row_keys, version, Some(&known))?;
            check_not_older(contents.generation(), known.generation().max(noted))?;
            contents.catalogue.generation += 1;
            let generation = contents.generation();
            let mut draft =
                Draft { contents, line: Line::of(&line.operation), changed: Vec::new(), removed: Vec::new() };
            let result = work(&mut draft);
            std::mem::swap(line, &mut draft.line);
            let result = result?;
            for id in &draft.changed {
                let stored = draft.contents.key(&self.owner, *id, 0)?;
                change.put_key(&self.row_keys, stored, generation)?;
            }
            draft.removed.iter().try_for_each(|&id| change.remove_key(id))?;
            change.put_catalogue(&self.row_keys, &draft.contents.catalogue)?;
            self.write(call, line, None, Some(generation))?;
            *written = true;
            // The line is on the disk before the change is.
            self.audit.flush()?;
            Ok::<_, KmsError>((result, draft.contents))
        })?;
        let generation = contents.generation();
        self.know(contents);
        // The change is made, whatever becomes of this: a log that cannot be synced fails the next line.
        let _ = self.audit.note_generation(generation).and_then(|()| self.audit.flush());
        Ok(result)
    }

    /// How long somebody still waits for an answer.
    fn in_time(&self, call: &Call) -> Result<Duration, KmsError> {
        let Some(deadline) = call.deadline else { return Ok(PATIENCE) };
        match deadline.checked_duration_since(self.clock.instant()) {
            Some(rest) if !rest.is_zero() => Ok(rest.min(PATIENCE)),
            _ => Err(KmsError::new(KmsErrorKind::DependencyTimeout, "the deadline has passed")),
        }
    }

    fn write(
        &self,
        call: &Call,
        line: &Line,
        outcome: Option<KmsErrorKind>,
        generation: Option<u64>,
    ) -> Result<(), KmsError> {
        let outcome = outcome.map_or(Event::SUCCESS, KmsErrorKind::code);
        let event = Event {
            key: line.key.as_deref(),
            key_version: line.key_version,
            generation,
            detail: line.detail.as_deref(),
            ..Event::of(call, &line.operation, outcome)
        };
        self.audit.append(&event)?;
        Ok(())
    }
}

/// What a line of audit says, besides the call.
struct Line {
    operation: String,
    /// The ARN.
    key: Option<String>,
    key_version: Option<u32>,
    detail: Option<String>,
}

impl Line {
    fn of(operation: &str) -> Self {
        Self { operation: operation.into(), key: None, key_version: None, detail: None }
    }
}

/// A change that is being made.
struct Draft {
    contents: Contents,
    line: Line,
    changed: Vec<Uuid>,
    removed: Vec<Uuid>,
}

impl Draft {
    fn put(&mut self, stored: record::StoredKey) {
        self.changed.push(stored.record.id);
        self.contents.put(stored);
    }

    fn remove(&mut self, id: Uuid) {
        self.removed.push(id);
        self.contents.remove(id);
    }
}

fn read(database: &mut Database, row_keys: &RowKeys, before: Option<&Contents>) -> Result<Contents, StoreError> {
    // Before the rows: a change in between is then seen the next time.
    let version = database.version()?;
    database.read(|change| Contents::read(change, row_keys, version, before))
}

/// That the store was not put back.
fn check_not_older(found: u64, known: u64) -> Result<(), StoreError> {
    if found < known { Err(StoreError::PutBack { found, known }) } else { Ok(()) }
}
