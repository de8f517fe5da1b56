//! Files with secrets in them, which must be as private as a keyring.

use crate::standard;
use objseal_files::Source;
use objseal_keys::key_file::check_private;
use objseal_keys::keyring::KeyringError;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens one. The modes of pipes and devices say nothing about what comes out of them.
pub(crate) fn open(path: &Path) -> Result<Source, KeyringError> {
    let source = standard::open(path)?;
    check_private(&source.file().metadata()?)?;
    Ok(source)
}

/// That a new file, which is to be private, is: some file systems keep no permissions.
pub(crate) fn check_new(file: &File) -> Result<(), KeyringError> {
    if file.metadata()?.mode() & 0o077 != 0 { Err(KeyringError::NoPermissions) } else { Ok(()) }
}
