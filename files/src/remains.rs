//! What is to be removed of a file that does not become whole.

use crate::system;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::PathBuf;

/// The names that an unfinished file has, for those who must remove them when its process ends in another way than by
/// dropping it.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// Its name beside the target.
    pub(crate) name: Option<Entry>,
    /// The target, where a file without content keeps its place.
    pub(crate) reserved: Option<Entry>,
}

impl Remains {
    /// Removes the names. What others have put there meanwhile stays.
    pub fn remove(&self) {
        if let Some(name) = self.name.as_ref().filter(|name| name.found().is_some()) {
            let _ = fs::remove_file(&name.path);
        }
        if let Some(reserved) = self.reserved.as_ref().filter(|_| self.is_reserved()) {
            let _ = fs::remove_file(&reserved.path);
        }
    }

    /// Whether what keeps the place is still there.
    pub(crate) fn is_reserved(&self) -> bool {
        let found = self.reserved.as_ref().and_then(Entry::found);
        found.is_some_and(|found| found.is_file() && found.len() == 0)
    }
}

/// A name, and what tells its file from others.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    identity: (u64, u64),
}

impl Entry {
    pub(crate) fn of(path: PathBuf, file: &File) -> io::Result<Self> {
        Ok(Self { path, identity: system::identity(&file.metadata()?) })
    }

    /// The file, if it is still there.
    fn found(&self) -> Option<Metadata> {
        fs::symlink_metadata(&self.path).ok().filter(|found| system::identity(found) == self.identity)
    }
}
