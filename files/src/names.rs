//! The names that a file has before it is whole: short and fixed for a target, so that the next one who writes that target
//! finds what a killed process has left. A file under such a name is locked while its process lives.

use crate::path::folder_of;
use crate::system;
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Most processes that write the same target at once.
const MAX_WRITERS: u32 = 64;
/// Names that are always looked at for something that was left.
const LOOKED_AT: u32 = 8;

/// Names beside a target: `.objseal-HASH-NUMBER`, whatever the target's own name is.
#[derive(Debug)]
pub(crate) struct Names {
    folder: PathBuf,
    hash: u32,
}

impl Names {
    pub(crate) fn beside(target: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        target.file_name().hash(&mut hasher);
        Self { folder: folder_of(target).to_owned(), hash: u32::try_from(hasher.finish() >> 32).unwrap_or(0) }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn name(&self, number: u32) -> PathBuf {
        self.folder.join(format!(".objseal-{:08x}-{number}", self.hash))
    }

    /// Removes what killed processes have left.
    pub(crate) fn clean(&self) {
        for number in 0..LOOKED_AT {
            remove_if_left(&self.name(number));
        }
    }

    /// What `make` makes under the first name that is free. It says `AlreadyExists` if one is not.
    pub(crate) fn claim<T>(&self, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
        for number in 0..MAX_WRITERS {
            let name = self.name(number);
            for _ in 0..2 {
                match make(&name) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    made => return Ok((name, made?)),
                }
                if !remove_if_left(&name) {
                    break;
                }
            }
        }
        Err(io::Error::other("too many processes write this file"))
    }

    /// A new file under one of the names.
    pub(crate) fn create(&self, mode: u32) -> io::Result<(PathBuf, File)> {
        self.claim(|name| {
            let file = system::writable(mode).create_new(true).open(name)?;
            // Between the two calls somebody may have taken it for something that was left.
            if lock(&file) && is_at(name, &file) { Ok(file) } else { Err(ErrorKind::AlreadyExists.into()) }
        })
    }
}

/// Locks a file that is to have such a name. Where nothing can be locked nothing that was left can be told either.
pub(crate) fn lock(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether the name still leads to the file.
fn is_at(name: &Path, file: &File) -> bool {
    let found = fs::symlink_metadata(name)
        .and_then(|found| Ok(system::identity(&found) == system::identity(&file.metadata()?)));
    found.unwrap_or(false)
}

/// Removes a file that no living process writes. Says whether it did.
fn remove_if_left(name: &Path) -> bool {
    let Ok(file) = system::open_to_remove(name) else { return false };
    let own = file.metadata().is_ok_and(|found| found.is_file() && system::is_own(&found));
    own && file.try_lock().is_ok() && is_at(name, &file) && fs::remove_file(name).is_ok()
}
