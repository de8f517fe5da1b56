//! A key management service in a file: its store, and who holds the key of that.

use super::KmsArgs;
use super::service::{Names, Service};
use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::store_key::{Holder, shown_store_key};
use crate::text::{say, shown_path};
use objseal::Key;
use objseal_keys::audit::{AuditError, CommandAnchor, Flush, Head, Options as AuditOptions};
use objseal_keys::kms::{Blocking, Call, KeyMetadata, Principal};
use objseal_keys::local::{LocalKms, Options, Owner, StoreError, Uuid};
use objseal_keys::store_key::StoreKey;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl KmsArgs {
    /// The file with heads that are known.
    fn in_use(&self) -> Option<Metadata> {
        fs::metadata(self.known_head.as_ref()?).ok()
    }

    /// Heads that are known of its audit log.
    pub(crate) fn known_heads(&self) -> Result<Vec<Head>, Failure> {
        self.known_head.as_deref().map_or_else(|| Ok(Vec::new()), read_heads)
    }

    /// No key is given out before the line that says so is on the disk.
    pub(crate) fn audit_options(&self) -> AuditOptions {
        AuditOptions { flush: Flush::EveryLine, ..Default::default() }
    }

    fn options(&self, audit: AuditOptions) -> Result<Options, Failure> {
        let mut options = Options::default().with_audit(audit);
        if let Some(known) = self.known_heads()?.into_iter().max_by_key(|head| head.sequence) {
            options = options.with_known_head(known);
        }
        Ok(match &self.anchor_command {
            Some(command) => options.with_anchor(Arc::new(CommandAnchor::new("sh", ["-c", command]))),
            None => options,
        })
    }
}

/// The store of a service, and who holds its key.
pub(crate) struct Store {
    path: PathBuf,
    holder: Holder,
}

impl Store {
    /// The one at `path`.
    pub(crate) fn find(args: &KeysArgs, path: &Path) -> Result<Self, Failure> {
        if let Err(error) = path.metadata() {
            return Err(failure(path, &error.into()));
        }
        let holder = Holder::find(&args.kms.store_key.clone().unwrap_or_default(), &args.keyring)?;
        Ok(Self { path: path.into(), holder })
    }

    /// Makes a new one.
    pub(crate) fn create(args: &KeysArgs, path: &Path, owner: &Owner) -> Result<Self, Failure> {
        let store_key = args.kms.store_key.clone().unwrap_or_default();
        let holder = Holder::find_new(&store_key, &args.keyring)?;
        match LocalKms::create_with(path, &|context| holder.wrapping_key(context), owner) {
            Ok(()) => {
                say(format_args!("made the store {}, under {}", shown_path(path), shown_store_key(&store_key)));
                say("keep copies of it and of that key: what is sealed under its keys does not open without them");
            }
            // Another process was faster.
            Err(StoreError::Io(error)) if error.kind() == ErrorKind::AlreadyExists && path.exists() => {}
            Err(error) => return Err(failure(path, &error)),
        }
        Ok(Self { path: path.into(), holder })
    }

    /// Opens it.
    pub(crate) fn open(self, args: &KeysArgs) -> Result<OpenStore, Failure> {
        let options = args.kms.audit_options();
        self.open_with(args, options)
    }

    /// The same with other options of its audit log.
    pub(crate) fn open_with(self, args: &KeysArgs, audit: AuditOptions) -> Result<OpenStore, Failure> {
        let opened = LocalKms::open(&self.path, &self.holder.options(), args.kms.options(audit)?);
        let local = opened.map_err(|error| failure(&self.path, &error))?;
        let principal = Arc::new(Principal::root_of(&local.owner().account));
        Ok(OpenStore { local: Arc::new(local), principal, store: self, known_head: args.kms.in_use() })
    }

    /// The key with which its audit log is verified.
    pub(crate) fn audit_key(&self) -> Result<Key, Failure> {
        LocalKms::audit_key(&self.path, &self.holder.options()).map_err(|error| failure(&self.path, &error))
    }

    /// Puts it under another key.
    pub(crate) fn rewrap(&self, args: &KeysArgs, to: &StoreKey) -> Result<(), Failure> {
        let new = Holder::find_new(to, &args.keyring)?;
        let rewrapped = LocalKms::rewrap_with(&self.path, &self.holder.options(), &|context| new.wrapping_key(context));
        rewrapped.map_err(|error| failure(&self.path, &error))
    }
}

/// A store that is open.
pub(crate) struct OpenStore {
    local: Arc<LocalKms>,
    principal: Arc<Principal>,
    store: Store,
    known_head: Option<Metadata>,
}

impl OpenStore {
    /// Opens the one at `path`.
    pub(crate) fn open(args: &KeysArgs, path: &Path) -> Result<Self, Failure> {
        Store::find(args, path)?.open(args)
    }

    pub(crate) fn local(&self) -> &LocalKms {
        &self.local
    }

    /// Why something could not be done with the store.
    pub(crate) fn failure(&self, error: &StoreError) -> Failure {
        failure(&self.store.path, error)
    }

    /// A call of whoever owns the store.
    pub(crate) fn call(&self) -> Call {
        Call::of(Arc::clone(&self.principal))
    }

    /// How a key is.
    pub(crate) fn describe(&self, key: &str) -> Result<KeyMetadata, Failure> {
        let described = Blocking::new(Arc::clone(&self.local), self.call()).describe(&key_name(key));
        described.map_err(|error| Failure::of_kms(&error, key))
    }

    /// It, to seal and open files with.
    pub(super) fn service(self) -> Service {
        let call = self.call();
        let Self { local, store, known_head, .. } = self;
        let in_use = fs::metadata(&store.path).into_iter().chain(store.holder.in_use().iter().cloned());
        Service {
            kms: local,
            call,
            names: Box::new(Aliases),
            in_use: in_use.chain(known_head).collect(),
            keyring: store.holder.keyring().cloned(),
        }
    }
}

/// A bare name is that of an alias. All keys are those of the store.
struct Aliases;

impl Names for Aliases {
    fn whole(&self, name: &str) -> String {
        key_name(name)
    }

    fn has(&self, _: &str) -> bool {
        true
    }
}

/// A key as a service names it: a bare name is that of an alias.
pub(crate) fn key_name(name: &str) -> String {
    let is_whole = name.starts_with("alias/") || name.starts_with("arn:") || Uuid::parse(name).is_some();
    if is_whole { name.into() } else { alias_name(name) }
}

/// The name of an alias, with or without what all of them begin with.
pub(crate) fn alias_name(name: &str) -> String {
    if name.starts_with("alias/") { name.into() } else { format!("alias/{name}") }
}

/// Heads of an audit log, a line for each.
pub(crate) fn read_heads(path: &Path) -> Result<Vec<Head>, Failure> {
    let fail = |what: String| Failure::other(format!("{}: {what}", shown_path(path)));
    let text = fs::read_to_string(path).map_err(|error| fail(format!("cannot read: {error}")))?;
    match Head::list_from_json(&text) {
        Ok(heads) if heads.is_empty() => Err(fail("there is no head of an audit log in it".into())),
        heads => heads.map_err(|error| fail(error.to_string())),
    }
}

/// Why a store is not opened, and what to do.
fn failure(path: &Path, error: &StoreError) -> Failure {
    let name = format!("store {}", shown_path(path));
    match error {
        StoreError::Io(error) if error.kind() == ErrorKind::NotFound => {
            Failure::NoKey(format!("there is no {name}; `objseal key create` makes it"))
        }
        StoreError::StoreKey(error) => Failure::of_store_key(error, &name),
        StoreError::Kms(error) => Failure::of_kms(error, &name),
        StoreError::Audit(AuditError::Damaged { .. }) => Failure::Refused(format!(
            "{name}: {error}; if only lines after the last sync are damaged, as after a failure of power, `objseal key audit \
             mend` sets them aside"
        )),
        StoreError::Damaged(_)
        | StoreError::PutBack { .. }
        | StoreError::OtherLog { .. }
        | StoreError::OtherStore { .. }
        | StoreError::Audit(AuditError::Head) => Failure::Refused(format!("{name}: {error}")),
        error => Failure::other(format!("{name}: {error}")),
    }
}
