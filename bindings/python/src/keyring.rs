//! A keyring in a file.

use crate::error::{Kind, OrRaise, Raise};
use objseal_keys::keyring::{KeyringError, Passphrase, SharedKeyring};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

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
pub(crate) struct Keyring(pub(crate) Arc<SharedKeyring>);

#[pymethods]
impl Keyring {
    #[new]
    #[pyo3(signature = (path, *, passphrase = None))]
    fn new(py: Python<'_>, path: PathBuf, passphrase: Option<String>) -> PyResult<Self> {
        let opened = py.detach(|| SharedKeyring::open(path, words(passphrase)?));
        Ok(Self(Arc::new(opened.or_raise()?)))
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
        let taken = format!("there is a file at {} already", path.display());
        let names = names.iter().map(String::as_str);
        let created = py.detach(|| SharedKeyring::create(path, words(passphrase)?, names));
        let keyring = created.map_err(|error| match error {
            KeyringError::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => Kind::Keyring.err(taken),
            other => other.raise(),
        })?;
        Ok(Self(Arc::new(keyring)))
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Name and latest version of each key.
    fn keys(&self) -> BTreeMap<String, u32> {
        self.0.keys().into_iter().collect()
    }

    /// Makes version 1 of a key.
    fn add(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| self.0.add(name)).or_raise()
    }

    /// Makes the next version of a key and returns its number.
    fn rotate(&self, py: Python<'_>, name: &str) -> PyResult<u32> {
        py.detach(|| self.0.rotate(name)).or_raise()
    }

    /// Puts the file under another passphrase, or under none.
    fn protect(&self, py: Python<'_>, passphrase: Option<String>) -> PyResult<()> {
        py.detach(|| self.0.protect(words(passphrase)?)).or_raise()
    }

    /// Reads the file again: another process may have changed it.
    fn reload(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.reload()).or_raise()
    }

    fn __repr__(&self) -> String {
        format!("<objseal.Keyring {:?}, {} keys>", self.0.path(), self.0.keys().len())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (PathBuf,))> {
        let this = slf.get();
        if this.0.has_passphrase() {
            return Err(PyTypeError::new_err(
                "a keyring under a passphrase is not pickled: the passphrase is a secret",
            ));
        }
        // Whoever unpickles it may work in another folder.
        Ok((slf.get_type(), (std::path::absolute(this.0.path())?,)))
    }
}

fn words(passphrase: Option<String>) -> Result<Option<Passphrase>, KeyringError> {
    passphrase.map(Passphrase::new).transpose()
}
