//! Files with secrets in them, which must be as private as a keyring.

use crate::standard;
use objseal_files::Source;
use objseal_keys::keyring::KeyringError;
use rustix::process::geteuid;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens one. The modes of pipes and devices say nothing about what comes out of them.
pub(crate) fn open(path: &Path) -> Result<Source, KeyringError> {
    let source = standard::open(path)?;
    let metadata = source.file().metadata()?;
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if metadata.is_file() && ![0, geteuid().as_raw()].contains(&uid) {
        return Err(KeyringError::Owner { uid });
    }
    if metadata.is_file() && mode & 0o077 != 0 {
        return Err(KeyringError::Permissions { mode });
    }
    Ok(source)
}

/// That a new file, which is to be private, is: some file systems keep no permissions.
pub(crate) fn check_new(file: &File) -> Result<(), KeyringError> {
    if file.metadata()?.mode() & 0o077 != 0 { Err(KeyringError::NoPermissions) } else { Ok(()) }
}
