//! A keyring in a file.

use crate::error::{Kind, OrRaise, Raise};
use objseal::Key;
use objseal::RandomSource;
use objseal::envelope::{Binding, KeyService, KeyServiceError, UnwrappedKey, WrappedKey};
use objseal::keyring::{self, KeyringFile, Passphrase, PassphraseCost};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The keys of a keyring, for whoever seals and opens.
#[derive(Clone)]
pub(crate) struct Keys(Arc<RwLock<keyring::Keyring>>);

impl Keys {
    fn read<T>(&self, look: impl FnOnce(&keyring::Keyring) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyService for Keys {
    fn name(&self) -> &'static str {
        keyring::SERVICE
    }

    fn wrap(
        &self,
        key_id: &str,
        binding: &Binding<'_>,
        data_key: &Key,
        random: &(dyn RandomSource + Sync),
    ) -> Result<WrappedKey, KeyServiceError> {
        self.read(|keyring| keyring.wrap(key_id, binding, data_key, random))
    }

    fn unwrap(&self, wrapped_key: &WrappedKey, binding: &Binding<'_>) -> Result<UnwrappedKey, KeyServiceError> {
        self.read(|keyring| keyring.unwrap(wrapped_key, binding))
    }
}

/// Root keys in a file, by name, each with its versions. The command `objseal key` reads and writes the same files.
///
/// Objects are sealed under the latest version of a key; older versions stay, so that older objects still open. A keyring
/// can be pickled, by its path, unless it is under a passphrase.
///
/// >>> import objseal, os, tempfile
/// >>> path = os.path.join(tempfile.mkdtemp(), "keyring")
/// >>> keyring = objseal.Keyring.create(path, "photos", "backups")
/// >>> sealed = objseal.seal(b"plain", keyring=keyring, key="photos")
/// >>> keyring.rotate("photos")
/// 2
/// >>> objseal.Keyring(path).keys()
/// {'backups': 1, 'photos': 2}
/// >>> objseal.unseal(sealed, keyring=objseal.Keyring(path))
/// b'plain'
#[pyclass(frozen, module = "objseal")]
pub(crate) struct Keyring {
    file: KeyringFile,
    passphrase: Mutex<Option<Arc<Passphrase>>>,
    pub(crate) keys: Keys,
}

fn passphrase_of(passphrase: Option<String>) -> Option<Arc<Passphrase>> {
    passphrase.map(|passphrase| Arc::new(Passphrase::new(passphrase)))
}

fn protection(passphrase: Option<&Passphrase>) -> Option<(&Passphrase, PassphraseCost)> {
    passphrase.map(|passphrase| (passphrase, PassphraseCost::default()))
}

impl Keyring {
    fn passphrase(&self) -> Option<Arc<Passphrase>> {
        self.passphrase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn load(&self, py: Python<'_>) -> PyResult<()> {
        let passphrase = self.passphrase();
        let read = py.detach(|| self.file.read(passphrase.as_deref())).or_raise()?;
        *self.keys.0.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }
}

#[pymethods]
impl Keyring {
    #[new]
    #[pyo3(signature = (path, *, passphrase = None))]
    fn new(py: Python<'_>, path: PathBuf, passphrase: Option<String>) -> PyResult<Self> {
        let (file, passphrase) = (KeyringFile::at(path), passphrase_of(passphrase));
        let read = py.detach(|| file.read(passphrase.as_deref())).or_raise()?;
        Ok(Self { file, passphrase: Mutex::new(passphrase), keys: Keys(Arc::new(RwLock::new(read))) })
    }

    /// Makes the file, which must not be there yet, with a key of each of these names. It has permissions 600.
    #[classmethod]
    #[pyo3(signature = (path, *names, passphrase = None))]
    fn create(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        path: PathBuf,
        names: Vec<String>,
        passphrase: Option<String>,
    ) -> PyResult<Self> {
        let (file, passphrase) = (KeyringFile::at(path), passphrase_of(passphrase));
        let created = py.detach(|| {
            file.create(protection(passphrase.as_deref()), |keyring| {
                names.iter().try_for_each(|name| keyring.create(name))
            })
        });
        let keyring = created.map_err(|error| match error {
            keyring::KeyringError::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Kind::Keyring.err(format!("there is a file at {} already", file.path().display()))
            }
            other => other.raise(),
        })?;
        Ok(Self { file, passphrase: Mutex::new(passphrase), keys: Keys(Arc::new(RwLock::new(keyring))) })
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// Name and latest version of each key.
    fn keys(&self) -> BTreeMap<String, u32> {
        self.keys.read(|keyring| keyring.list().map(|(name, version)| (name.to_owned(), version)).collect())
    }

    /// Makes version 1 of a key.
    fn add(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let passphrase = self.passphrase();
        py.detach(|| self.file.update(passphrase.as_deref(), |keyring| keyring.create(name))).or_raise()?;
        self.load(py)
    }

    /// Makes the next version of a key and returns its number.
    fn rotate(&self, py: Python<'_>, name: &str) -> PyResult<u32> {
        let passphrase = self.passphrase();
        let version = py.detach(|| self.file.update(passphrase.as_deref(), |keyring| keyring.rotate(name)));
        let version = version.or_raise()?;
        self.load(py)?;
        Ok(version)
    }

    /// Puts the file under another passphrase, or under none.
    fn protect(&self, py: Python<'_>, passphrase: Option<String>) -> PyResult<()> {
        let (old, new) = (self.passphrase(), passphrase_of(passphrase));
        py.detach(|| self.file.protect(old.as_deref(), protection(new.as_deref()))).or_raise()?;
        *self.passphrase.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Reads the file again: another process may have changed it.
    fn reload(&self, py: Python<'_>) -> PyResult<()> {
        self.load(py)
    }

    fn __repr__(&self) -> String {
        format!("<objseal.Keyring {:?}, {} keys>", self.file.path(), self.keys().len())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (PathBuf,))> {
        let this = slf.get();
        if this.passphrase().is_some() {
            return Err(PyTypeError::new_err(
                "a keyring under a passphrase is not pickled: the passphrase is a secret",
            ));
        }
        // Whoever unpickles it may work in another folder.
        Ok((slf.get_type(), (std::path::absolute(this.file.path())?,)))
    }
}
