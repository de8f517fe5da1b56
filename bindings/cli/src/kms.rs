//! A key management service in a file: where it is, and how the command comes by it.

use crate::failure::Failure;
use crate::keys::KeysArgs;
use crate::store_key::{Holder, StoreKey, StoreKeyParser};
use crate::text::{say, shown_path};
use clap::Args;
use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyKind, ServiceContext, WrappingKey};
use objseal_keys::audit::{AuditError, CommandAnchor, Flush, Head, Options as AuditOptions};
use objseal_keys::keyring::Keyring;
use objseal_keys::kms::{Blocking, Call, KeyMetadata, KmsError, Principal, Purpose};
use objseal_keys::local::{LocalKms, Options, Owner, StoreError, Uuid};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What a key management service is told of a key that seals an object.
const FOR_OBJECT: Purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

#[derive(Args)]
#[command(next_help_heading = "Key management service")]
pub(crate) struct KmsArgs {
    /// The service that has the keys, instead of the keyring.
    #[arg(long, value_name = "local:FILE", env = "OBJSEAL_KMS", hide_env = true)]
    kms: Option<Location>,
    /// Who holds the key of its store: keyring:NAME, file:PATH, credential:NAME (of systemd) or pkcs11:URI
    /// [default: keyring:default].
    #[arg(long, value_name = "SOURCE", env = "OBJSEAL_STORE_KEY", hide_env = true, requires = "kms")]
    #[arg(value_parser = StoreKeyParser)]
    store_key: Option<StoreKey>,
    /// A file with heads of its audit log, from `objseal key audit head`: refuse a store that is older.
    #[arg(long, value_name = "FILE", env = "OBJSEAL_KMS_HEAD", hide_env = true, requires = "kms")]
    known_head: Option<PathBuf>,
    /// A command for sh that gets each new head of the audit log on standard input, to keep it elsewhere. If it fails,
    /// nothing more is done.
    #[arg(long, value_name = "COMMAND", env = "OBJSEAL_KMS_ANCHOR", hide_env = true, requires = "kms")]
    anchor_command: Option<String>,
}

/// Where a service is, as it is written on the command line.
#[derive(Clone)]
struct Location(PathBuf);

impl FromStr for Location {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("local:") {
            Some(path) if !path.is_empty() => Ok(Self(path.into())),
            _ => Err("known is local:FILE, a key management service in a file"),
        }
    }
}

impl KmsArgs {
    /// The file of the service; `None` if it is the keyring that has the keys.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.kms.as_ref().map(|Location(path)| path.as_path())
    }

    /// The same where only a service has `what`.
    pub(crate) fn required(&self, what: &str) -> Result<&Path, Failure> {
        self.path().ok_or_else(|| Failure::other(format!("a keyring has no {what}; use --kms local:FILE")))
    }

    /// The file with heads that are known.
    pub(crate) fn in_use(&self) -> Option<Metadata> {
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
        let holder = args.kms.store_key.clone().unwrap_or_default().holder(&args.keyring)?;
        Ok(Self { path: path.into(), holder })
    }

    /// Makes a new one.
    pub(crate) fn create(args: &KeysArgs, path: &Path, owner: &Owner) -> Result<Self, Failure> {
        let store_key = args.kms.store_key.clone().unwrap_or_default();
        let holder = store_key.new_holder(&args.keyring)?;
        match LocalKms::create_with(path, &|context| holder.wrapping_key(context), owner) {
            Ok(()) => {
                say(format_args!("made the store {}, under {store_key}", shown_path(path)));
                say("keep copies of it and of that key: what is sealed under its keys does not open without them");
            }
            // Another process was faster.
            Err(StoreError::Io(error)) if error.kind() == ErrorKind::AlreadyExists && path.exists() => {}
            Err(error) => return Err(failure(path, &error)),
        }
        Ok(Self { path: path.into(), holder })
    }

    /// Opens it.
    pub(crate) fn open(self, args: &KeysArgs) -> Result<Kms, Failure> {
        let options = args.kms.audit_options();
        self.open_with(args, options)
    }

    /// The same with other options of its audit log.
    pub(crate) fn open_with(self, args: &KeysArgs, audit: AuditOptions) -> Result<Kms, Failure> {
        let opened = LocalKms::open(&self.path, &self.holder.options(), args.kms.options(audit)?);
        let local = opened.map_err(|error| failure(&self.path, &error))?;
        let principal = Arc::new(Principal::root_of(&local.owner().account));
        Ok(Kms { local: Arc::new(local), principal, store: self })
    }

    /// The key with which its audit log is verified.
    pub(crate) fn audit_key(&self) -> Result<Key, Failure> {
        LocalKms::audit_key(&self.path, &self.holder.options()).map_err(|error| failure(&self.path, &error))
    }

    /// Puts it under another key.
    pub(crate) fn rewrap(&self, args: &KeysArgs, to: &StoreKey) -> Result<(), Failure> {
        let new = to.new_holder(&args.keyring)?;
        let rewrapped = LocalKms::rewrap_with(&self.path, &self.holder.options(), &|context| new.wrapping_key(context));
        rewrapped.map_err(|error| failure(&self.path, &error))
    }
}

/// A service that is open.
pub(crate) struct Kms {
    local: Arc<LocalKms>,
    principal: Arc<Principal>,
    store: Store,
}

impl Kms {
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

    /// The service for what is done with one object.
    pub(crate) fn of_object(&self, object: &str) -> Blocking<LocalKms> {
        Blocking::new(Arc::clone(&self.local), self.call_about(object))
    }

    fn call_about(&self, object: &str) -> Call {
        let mut call = self.call();
        call.object = Some(object.into());
        call
    }

    /// A new wrapping key for an object.
    pub(crate) fn wrapping_key(
        &self,
        key: &str,
        context: &EncryptionContext,
        object: &str,
    ) -> Result<Arc<WrappingKey>, KmsError> {
        let call = self.call_about(object).with_context(context.clone());
        Blocking::new(Arc::clone(&self.local), call).generate(&key_name(key), FOR_OBJECT)
    }

    /// The keyring that holds the key of the store, if one does.
    pub(crate) fn keyring(&self) -> Option<&Arc<Keyring>> {
        self.store.holder.keyring()
    }

    /// The files that a command reads from here.
    pub(crate) fn in_use(&self) -> Vec<Metadata> {
        let store = fs::metadata(&self.store.path).into_iter();
        store.chain(self.store.holder.in_use().iter().cloned()).collect()
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
    let heads: Result<Vec<_>, _> = text.lines().filter(|line| !line.trim().is_empty()).map(Head::from_json).collect();
    match heads {
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
