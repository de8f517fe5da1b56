//! A keyring in a file, for any number of threads.

use super::{Keyring, KeyringError, KeyringFile, Passphrase, PassphraseCost};
use objseal::envelope::{EncryptionContext, KeyRequest, KeyService, KeyServiceError, WrappingKey};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Root keys in a file, and in memory as they were when it was read last, for any number of threads.
#[derive(Debug)]
pub struct SharedKeyring {
    file: KeyringFile,
    passphrase: Mutex<Option<Arc<Passphrase>>>,
    keys: RwLock<Keyring>,
}

fn protection(passphrase: Option<&Passphrase>) -> Option<(&Passphrase, PassphraseCost)> {
    passphrase.map(|passphrase| (passphrase, PassphraseCost::default()))
}

impl SharedKeyring {
    /// Reads the file.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(path: PathBuf, passphrase: Option<Passphrase>) -> Result<Self, KeyringError> {
        let file = KeyringFile::at(path);
        let keys = file.read(passphrase.as_ref())?;
        Ok(Self::new(file, passphrase, keys))
    }

    /// Makes the file, with a key of each of these names.
    ///
    /// # Errors
    /// [`KeyringError`]; it is that of the file system if there is a file already.
    pub fn create<'n>(
        path: PathBuf,
        passphrase: Option<Passphrase>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, KeyringError> {
        let file = KeyringFile::at(path);
        let keys = file.create(protection(passphrase.as_ref()), |keyring| {
            names.into_iter().try_for_each(|name| keyring.create(name))
        })?;
        Ok(Self::new(file, passphrase, keys))
    }

    fn new(file: KeyringFile, passphrase: Option<Passphrase>, keys: Keyring) -> Self {
        Self { file, passphrase: Mutex::new(passphrase.map(Arc::new)), keys: RwLock::new(keys) }
    }

    fn passphrase(&self) -> Option<Arc<Passphrase>> {
        self.passphrase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read<T>(&self, look: impl FnOnce(&Keyring) -> T) -> T {
        look(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether the file is under a passphrase.
    #[must_use]
    pub fn has_passphrase(&self) -> bool {
        self.passphrase().is_some()
    }

    /// Name and latest version of each key, sorted by name.
    #[must_use]
    pub fn keys(&self) -> Vec<(String, u32)> {
        self.read(|keyring| keyring.list().map(|(name, version)| (name.to_owned(), version)).collect())
    }

    /// The latest version of a key: what new objects are sealed under.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`].
    pub fn latest(&self, name: &str) -> Result<Arc<WrappingKey>, KeyringError> {
        self.read(|keyring| keyring.latest(name))
    }

    /// Reads the file again: another process may have changed it.
    ///
    /// # Errors
    /// [`KeyringError`]; the keys stay as they were.
    pub fn reload(&self) -> Result<(), KeyringError> {
        let read = self.file.read(self.passphrase().as_deref())?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Makes version 1 of a key.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn add(&self, name: &str) -> Result<(), KeyringError> {
        self.file.update(self.passphrase().as_deref(), |keyring| keyring.create(name))?;
        self.reload()
    }

    /// Makes the next version of a key and returns its number.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn rotate(&self, name: &str) -> Result<u32, KeyringError> {
        let version = self.file.update(self.passphrase().as_deref(), |keyring| keyring.rotate(name))?;
        self.reload()?;
        Ok(version)
    }

    /// Puts the file under another passphrase, or under none.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn protect(&self, passphrase: Option<Passphrase>) -> Result<(), KeyringError> {
        let new = passphrase.map(Arc::new);
        self.file.protect(self.passphrase().as_deref(), protection(new.as_deref()))?;
        *self.passphrase.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

impl KeyService for SharedKeyring {
    fn name(&self) -> &'static str {
        super::SERVICE
    }

    fn wrapping_key(&self, key_id: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.read(|keyring| keyring.wrapping_key(key_id, context))
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.read(|keyring| keyring.reopen(request))
    }
}
