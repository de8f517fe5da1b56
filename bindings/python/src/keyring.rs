//! A keyring in a file.

use crate::error::{Kind, Raise};
use crate::place::Place;
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
pub(crate) struct Keyring {
    pub(crate) keys: Arc<SharedKeyring>,
    place: Arc<Place>,
}

impl Keyring {
    fn at(
        place: Place,
        make: impl FnOnce(PathBuf) -> Result<SharedKeyring, KeyringError>,
    ) -> Result<Self, (Arc<Place>, KeyringError)> {
        let place = Arc::new(place);
        match make(place.path.clone()) {
            Ok(keys) => Ok(Self { keys: Arc::new(keys), place }),
            Err(error) => Err((place, error)),
        }
    }
}

/// The exception; one of the operating system names the file.
fn raise(place: &Arc<Place>, error: KeyringError) -> PyErr {
    match error {
        KeyringError::Io(error) => place.raise(error),
        other => other.raise(),
    }
}

#[pymethods]
impl Keyring {
    #[new]
    #[pyo3(signature = (path, *, passphrase = None))]
    fn new(py: Python<'_>, path: Place, passphrase: Option<String>) -> PyResult<Self> {
        let opened = py.detach(|| Self::at(path, |path| SharedKeyring::open(path, words(passphrase)?)));
        opened.map_err(|(place, error)| raise(&place, error))
    }

    /// Makes the file, which must not be there yet, with a key of each of these names. It has permissions 600. Its folder must
    /// be there.
    #[classmethod]
    #[pyo3(signature = (path, *names, passphrase = None))]
    fn create(
        _class: &Bound<'_, PyType>,
        py: Python<'_>,
        path: Place,
        names: Vec<String>,
        passphrase: Option<String>,
    ) -> PyResult<Self> {
        let names = names.iter().map(String::as_str);
        let created = py.detach(|| Self::at(path, |path| SharedKeyring::create(path, words(passphrase)?, names)));
        created.map_err(|(place, error)| match error {
            KeyringError::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Kind::Keyring.err(format!("there is a file at {} already", place.path.display()))
            }
            other => raise(&place, other),
        })
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.keys.path().to_owned()
    }

    /// Name and latest version of each key.
    fn keys(&self) -> BTreeMap<String, u32> {
        self.keys.keys().into_iter().collect()
    }

    /// Makes version 1 of a key.
    fn add(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| self.keys.add(name)).map_err(|error| raise(&self.place, error))
    }

    /// Makes the next version of a key and returns its number.
    fn rotate(&self, py: Python<'_>, name: &str) -> PyResult<u32> {
        py.detach(|| self.keys.rotate(name)).map_err(|error| raise(&self.place, error))
    }

    /// Puts the file under another passphrase, or under none.
    fn protect(&self, py: Python<'_>, passphrase: Option<String>) -> PyResult<()> {
        py.detach(|| self.keys.protect(words(passphrase)?)).map_err(|error| raise(&self.place, error))
    }

    /// Reads the file again: another process may have changed it.
    fn reload(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.keys.reload()).map_err(|error| raise(&self.place, error))
    }

    fn __repr__(&self) -> String {
        format!("<objseal.Keyring {:?}, {} keys>", self.keys.path(), self.keys.keys().len())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (PathBuf,))> {
        let this = slf.get();
        if this.keys.has_passphrase() {
            return Err(PyTypeError::new_err(
                "a keyring under a passphrase is not pickled: the passphrase is a secret",
            ));
        }
        // Whoever unpickles it may work in another folder.
        Ok((slf.get_type(), (std::path::absolute(this.keys.path())?,)))
    }
}

fn words(passphrase: Option<String>) -> Result<Option<Passphrase>, KeyringError> {
    passphrase.map(Passphrase::new).transpose()
}
