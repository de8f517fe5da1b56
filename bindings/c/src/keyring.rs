//! Keyrings.

use crate::memory::{Handle, c_text, free, optional_text, store, store_handle, text};
use crate::status::{Failure, Status, guarded_or, on, on_mut};
use objseal_keys::keyring::{KeyringError, KeyringFile, Passphrase, SharedKeyring};
use std::ffi::{CString, c_char};
use std::path::Path;
use std::sync::Arc;

/// Root keys in a file, by name, each with its versions; the command `objseal key` works on the same files. Options for
/// sealing take the latest version, and under older ones objects still open.
pub struct Keyring(());

/// An empty place until a file is read or made.
#[derive(Default)]
pub(crate) struct Value {
    file: Option<Arc<SharedKeyring>>,
    /// The names of its keys, as C has them, and their versions.
    keys: Vec<(CString, u32)>,
}

impl Handle for Keyring {
    type Value = Value;
}

impl Value {
    pub(crate) fn file(&self) -> Result<&Arc<SharedKeyring>, Failure> {
        self.file.as_ref().ok_or_else(|| Failure::new(Status::Argument, "no keyring was opened or created"))
    }

    fn set(&mut self, file: SharedKeyring) {
        self.file = Some(Arc::new(file));
        self.list();
    }

    fn list(&mut self) {
        let keys = self.file.as_ref().map(|file| file.keys()).unwrap_or_default();
        self.keys = keys.into_iter().map(|(name, version)| (c_text(&name), version)).collect();
    }
}

/// What goes wrong with the keyring at `path`.
pub(crate) fn told(path: &Path) -> impl FnOnce(KeyringError) -> Failure {
    move |error| Failure::from(error).at(path)
}

unsafe fn passphrase(start: *const c_char) -> Result<Option<Passphrase>, Failure> {
    // SAFETY: the contract of the header.
    Ok(unsafe { optional_text(start) }?.map(|text| Passphrase::new(text.to_owned())).transpose()?)
}

/// A place for a keyring, so that there is one for what goes wrong with its file. `objseal_keyring_open` or
/// `objseal_keyring_create` comes next.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_new(keyring: *mut *mut Keyring) -> Status {
    // SAFETY: the contract of the header.
    crate::status::run(|| unsafe { store_handle(keyring, || Ok(Value::default())) })
}

/// Reads the file at `path`. `passphrase` is NULL for a keyring that has none; an empty one is refused,
/// `OBJSEAL_STATUS_ARGUMENT`. What goes wrong with the file names its path, and `objseal_last_errno` has its error number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_open(
    keyring: *mut Keyring,
    path: *const c_char,
    passphrase: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(keyring, |keyring| {
            let (path, passphrase) = (crate::memory::path(path)?, self::passphrase(passphrase)?);
            keyring.set(SharedKeyring::open(path.clone(), passphrase).map_err(told(&path))?);
            Ok(())
        })
    }
}

/// Makes the file at `path`, which must not be there yet, with a key called `name`. Its folder must be there. It has
/// permissions 600, and is under `passphrase` unless that is NULL; an empty one would protect nothing and is refused,
/// `OBJSEAL_STATUS_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_create(
    keyring: *mut Keyring,
    path: *const c_char,
    passphrase: *const c_char,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(keyring, |keyring| {
            let (path, passphrase) = (crate::memory::path(path)?, self::passphrase(passphrase)?);
            let name = text(name)?;
            keyring.set(SharedKeyring::create(path.clone(), passphrase, [name]).map_err(told(&path))?);
            Ok(())
        })
    }
}

/// Makes version 1 of the key `name`, in the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_add(keyring: *mut Keyring, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(keyring, |keyring| {
            let file = keyring.file()?;
            file.add(text(name)?).map_err(told(file.path()))?;
            keyring.list();
            Ok(())
        })
    }
}

/// Makes the next version of the key `name`, in the file, and stores its number unless `version` is NULL. Options for sealing
/// that have this key already go on with the version that they have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_rotate(
    keyring: *mut Keyring,
    name: *const c_char,
    version: *mut u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(keyring, |keyring| {
            let file = keyring.file()?;
            let rotated = file.rotate(text(name)?).map_err(told(file.path()))?;
            keyring.list();
            if !version.is_null() {
                store(version, rotated)?;
            }
            Ok(())
        })
    }
}

/// Reads the file again: another process may have changed it. Options for opening go by it from then on, those
/// for sealing go on with the versions that they have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_reload(keyring: *mut Keyring) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(keyring, |keyring| {
            let file = keyring.file()?;
            file.reload().map_err(told(file.path()))?;
            keyring.list();
            Ok(())
        })
    }
}

/// Stores name and latest version of the key at `index`, from 0, in the order of their names. `OBJSEAL_STATUS_OUT_OF_RANGE`
/// if there are not so many. The name lives until the keyring is changed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_key(
    keyring: *const Keyring,
    index: usize,
    name: *mut *const c_char,
    version: *mut u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(keyring, |keyring| {
            let (found, latest) = keyring.keys.get(index).ok_or(Status::OutOfRange)?;
            store(name, found.as_ptr())?;
            Ok(store(version, *latest)?)
        })
    }
}

/// Whether a keyring is at `path`, or the lock of one. A program that writes its output to a path asks first, as whoever
/// loses a keyring loses all that was sealed under it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_is_at(path: *const c_char) -> bool {
    // SAFETY: the contract of the header.
    let Ok(path) = (unsafe { crate::memory::path(path) }) else { return false };
    guarded_or(false, || KeyringFile::is_at(&path))
}

/// Frees a keyring. What was made of it goes on; the file stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_keyring_free(keyring: *mut Keyring) {
    // SAFETY: the contract of the header.
    unsafe { free(keyring) };
}
