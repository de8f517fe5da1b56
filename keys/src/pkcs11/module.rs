//! The modules that this process has loaded.

use super::error::{TokenError, reason_of};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Never unloaded, and never finalised: other code of the process may use the same module, and not every module can be
/// unloaded while a thread of its own runs.
static LOADED: Mutex<Vec<(PathBuf, Pkcs11)>> = Mutex::new(Vec::new());

/// The module at `path`, initialised in this process.
pub(super) fn initialised(path: &Path) -> Result<Pkcs11, TokenError> {
    let module = loaded(path)?;
    // Every time: in a process that was forked, or after somebody else has finalised the module, it must be initialised
    // again.
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(error) => Err(failed(path, reason_of(&error))),
    }
}

fn loaded(path: &Path) -> Result<Pkcs11, TokenError> {
    if !path.is_absolute() {
        // A name is looked for in many folders, and a relative path in the one where the process happens to be.
        return Err(failed(path, "not an absolute path".into()));
    }
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, module)) = loaded.iter().find(|(known, _)| known == path) {
        return Ok(module.clone());
    }
    let module = Pkcs11::new(path).map_err(|error| failed(path, reason_of(&error)))?;
    loaded.push((path.into(), module.clone()));
    Ok(module)
}

fn failed(path: &Path, reason: String) -> TokenError {
    TokenError::Module { path: path.into(), reason }
}
