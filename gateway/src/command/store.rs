//! The store of the key management service: found, or made the first time.

use super::credential::of;
use clap::Args;
use objseal_gateway::tell;
use objseal_keys::audit::{self, CommandAnchor, Flush, Head};
use objseal_keys::key_file::check_private;
use objseal_keys::keyring::{Keyring, KeyringError, KeyringFile, Passphrase};
use objseal_keys::local::{LocalKms, Options, Owner};
use objseal_keys::store_key::{OpenError, StoreKey, StoreKeyHolder};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// No passphrase is longer, in bytes.
const MAX_PASSPHRASE_LEN: usize = 4_096;

#[derive(Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    /// The file of the keys. The first time it is made, with a folder FILE.audit beside it.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Who holds the key of the store: keyring:NAME, file:PATH, credential:NAME (of systemd) or pkcs11:URI.
    #[arg(long, value_name = "SOURCE", env = "OBJSEAL_STORE_KEY", hide_env = true, default_value = "keyring:default")]
    store_key: StoreKey,
    /// The keyring, for a key of a keyring [default: that of the user].
    #[arg(long, value_name = "FILE", env = "OBJSEAL_KEYRING", hide_env = true)]
    keyring: Option<PathBuf>,
    /// A file with the passphrase of the keyring.
    #[arg(long, value_name = "FILE", env = "OBJSEAL_PASSPHRASE_FILE", hide_env = true)]
    passphrase_file: Option<PathBuf>,
    /// The account of the keys, 12 digits, when the store is made [default: 000000000000].
    #[arg(long, value_name = "DIGITS")]
    account: Option<String>,
    /// The region of the keys when the store is made [default: us-east-1].
    #[arg(long)]
    region: Option<String>,
    /// A file with heads of the audit log, from `objseal key audit head`: refuse a store that is older.
    #[arg(long, value_name = "FILE", env = "OBJSEAL_KMS_HEAD", hide_env = true)]
    known_head: Option<PathBuf>,
    /// A command for sh that gets each new head of the audit log on standard input, to keep it elsewhere. If it fails,
    /// nothing more is done.
    #[arg(long, value_name = "COMMAND", env = "OBJSEAL_KMS_ANCHOR", hide_env = true)]
    anchor_command: Option<String>,
    /// Have each line of the audit log on the disk before its answer is given, and not within a second.
    #[arg(long)]
    sync_audit: bool,
}

impl StoreArgs {
    /// Opens the store, and makes it if there is none.
    pub(super) fn open(&self) -> Result<LocalKms, String> {
        let path = &self.store;
        let holder = self.holder()?;
        if !path.exists() {
            self.make(&holder)?;
        }
        let kms = LocalKms::open(path, &holder.options(), self.options()?).map_err(|error| of(path, error))?;
        let owner = kms.owner();
        let other = |given: &Option<String>, is: &str| given.as_ref().is_some_and(|given| given != is);
        if other(&self.account, &owner.account) || other(&self.region, &owner.region) {
            let Owner { account, region, .. } = owner;
            return Err(of(path, format_args!("its keys are of account {account} in {region}, which never changes")));
        }
        Ok(kms)
    }

    fn make(&self, holder: &StoreKeyHolder) -> Result<(), String> {
        let mut owner = Owner::default();
        owner.account = self.account.clone().unwrap_or(owner.account);
        owner.region = self.region.clone().unwrap_or(owner.region);
        if !holder.has_key() {
            return Err(format!("key of the store: {} is not there", self.store_key));
        }
        let made = LocalKms::create_with(&self.store, &|context| holder.wrapping_key(context), &owner);
        made.map_err(|error| of(&self.store, error))?;
        tell(format_args!("made the store {}, under {}", self.store.display(), self.store_key));
        tell(format_args!(
            "keep copies of it and of that key: what is sealed under its keys does not open without them"
        ));
        Ok(())
    }

    fn holder(&self) -> Result<StoreKeyHolder, String> {
        self.store_key.open(|_| self.read_keyring()).map_err(|error| match error {
            OpenError::Keyring(message) => message,
            error => format!("key of the store: {error}"),
        })
    }

    fn read_keyring(&self) -> Result<Keyring, String> {
        let path = match &self.keyring {
            Some(path) => path.clone(),
            None => {
                let folder = dirs::data_dir().ok_or("there is no home folder with a keyring: use --keyring FILE")?;
                folder.join("objseal").join("keyring")
            }
        };
        let passphrase = self.passphrase_file.as_deref().map(read_passphrase).transpose()?;
        KeyringFile::at(&path).read(passphrase.as_ref()).map_err(|error| match error {
            KeyringError::PassphraseNeeded => of(&path, "it has a passphrase: use --passphrase-file"),
            error => of(&path, error),
        })
    }

    fn options(&self) -> Result<Options, String> {
        let flush = if self.sync_audit { Flush::EveryLine } else { audit::Options::default().flush };
        let mut options = Options::default().with_audit(audit::Options { flush, ..Default::default() });
        if let Some(path) = &self.known_head {
            let text = fs::read_to_string(path).map_err(|error| of(path, error))?;
            let heads = Head::list_from_json(&text).map_err(|error| of(path, error))?;
            let newest = heads.into_iter().max_by_key(|head| head.sequence);
            options =
                options.with_known_head(newest.ok_or_else(|| of(path, "there is no head of an audit log in it"))?);
        }
        Ok(match &self.anchor_command {
            Some(command) => options.with_anchor(Arc::new(CommandAnchor::new("sh", ["-c", command]))),
            None => options,
        })
    }
}

/// The first line of a file that nobody else can read.
fn read_passphrase(path: &Path) -> Result<Passphrase, String> {
    let file = File::open(path).map_err(|error| of(path, error))?;
    let metadata = file.metadata().map_err(|error| of(path, error))?;
    check_private(&metadata).map_err(|error| of(path, error))?;
    // With its final capacity: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE_LEN + 1));
    let read = file.take(MAX_PASSPHRASE_LEN as u64 + 1).read_to_string(&mut text);
    if read.map_err(|error| of(path, error))? > MAX_PASSPHRASE_LEN {
        return Err(of(path, "its first line is to be the passphrase, of at most 4096 bytes"));
    }
    Passphrase::from_first_line(&text).map_err(|error| of(path, error))
}
