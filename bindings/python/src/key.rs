//! A root key.

use crate::buffer::Input;
use crate::error::{OrRaise, argument};
use objseal::envelope::WrappingKey;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A root key: 32 random bytes. It is wiped when the last reference is gone, never shown, and never pickled.
///
/// >>> import objseal, os
/// >>> objseal.Key(os.urandom(32))
/// <objseal.Key>
#[pyclass(frozen, module = "objseal")]
pub(crate) struct Key(Arc<WrappingKey>);

impl Key {
    fn of(key: objseal::Key) -> Self {
        Self(Arc::new(WrappingKey::from_key(key)))
    }
}

#[pymethods]
impl Key {
    #[new]
    fn new(key: Input) -> PyResult<Self> {
        let bytes = Zeroizing::new(key.to_vec());
        let key = objseal::Key::try_from(&bytes[..])
            .map_err(|_| argument(format!("a key is 32 bytes long, and {} were given", bytes.len())))?;
        Ok(Self::of(key))
    }

    /// A new key, from the random source of the operating system.
    #[staticmethod]
    fn generate() -> PyResult<Self> {
        Ok(Self::of(objseal::Key::generate().or_raise()?))
    }

    /// Its 32 bytes, to be kept somewhere safe.
    fn expose_secret<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.secret().expose_secret())
    }

    fn __repr__(&self) -> &'static str {
        "<objseal.Key>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a key is not pickled: pass a keyring, or what the key is made from"))
    }
}

/// A key as it comes: a `Key`, or 32 bytes.
pub(crate) struct GivenKey(pub(crate) Arc<WrappingKey>);

impl GivenKey {
    pub(crate) fn secret(&self) -> &objseal::Key {
        self.0.secret()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for GivenKey {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(key) = obj.cast::<Key>() {
            return Ok(Self(Arc::clone(&key.get().0)));
        }
        Ok(Self(Key::new(obj.extract()?)?.0))
    }
}
