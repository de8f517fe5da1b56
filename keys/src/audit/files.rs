//! Files of a log: private, placed whole, locked.

use super::error::AuditError;
use objseal_files::{Existing, NewFile};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Opens a file that is there.
pub(super) fn open(path: &Path, step: &'static str) -> Result<Arc<File>, AuditError> {
    OpenOptions::new().read(true).write(true).open(path).map(Arc::new).map_err(AuditError::io(step))
}

/// The same, and makes it if it is not there.
pub(super) fn open_or_make(path: &Path, step: &'static str) -> Result<Arc<File>, AuditError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(Arc::new).map_err(AuditError::io(step))
}

/// Makes a private file that has its name when it is whole and synced.
pub(super) fn place(path: &Path, content: &[u8]) -> Result<(), AuditError> {
    let placed = || -> io::Result<()> {
        let new = NewFile::create(path, Existing::Replace, 0o600)?.with_its_permissions_kept();
        new.file().write_all(content)?;
        new.commit()
    };
    placed().map_err(AuditError::io("making a file"))
}

/// Makes names in the folder outlive a crash.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder is no file.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Whether a file has no name any more.
pub(super) fn is_removed(file: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::nlink(file) == 0
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// The lock of a file (flock), which ends with this value or with the process.
pub(super) struct Locked(Arc<File>);

impl Locked {
    /// Waits until no other process has it. Threads of a process exclude each other by other means.
    pub(super) fn new(file: &Arc<File>, step: &'static str) -> Result<Self, AuditError> {
        loop {
            match file.lock() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                locked => return locked.map(|()| Self(Arc::clone(file))).map_err(AuditError::io(step)),
            }
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A process that was forked meanwhile would hold it for as long as it lives.
        let _ = self.0.unlock();
    }
}
