//! Links, and the folders that names are in.

use crate::system;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// As many links as Linux follows.
pub(crate) const MAX_LINKS: usize = 40;

/// Where a file is, or is to be, behind all links.
///
/// # Errors
/// Those of the operating system: a folder that is not there, or too many links. A [`Reason`](crate::Reason) for a link that
/// somebody else has put where everybody may.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match followed(&path)? {
            Some(to) => path = to,
            None if name_of(&path).is_some() => return in_its_folder(&path),
            None => break,
        }
    }
    // A folder, or too many links, which the system says.
    fs::canonicalize(&path)
}

/// Where the link at `path` leads, if there is one.
pub(crate) fn followed(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            system::refuse_foreign(&there, folder_of(path))?;
            Ok(Some(folder_of(path).join(fs::read_link(path)?)))
        }
        _ => Ok(None),
    }
}

/// The same name in its folder behind all links; a link at the end stays one.
pub(crate) fn in_its_folder(path: &Path) -> io::Result<PathBuf> {
    let name = name_of(path).ok_or(ErrorKind::NotFound)?;
    Ok(fs::canonicalize(folder_of(path))?.join(name))
}

/// The name at the end. `a/` and `a/.` are folders: without a name there is no file to make.
fn name_of(path: &Path) -> Option<&OsStr> {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.file_name().filter(|_| !bytes.ends_with(b"/") && !bytes.ends_with(b"/."))
}

/// The folder that the name at the end of `path` is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Asks that a new name outlive a crash. The name is there already, so what goes wrong here is no failure any more: should
/// the system crash before it writes the folder by itself, what was there before is there.
pub fn sync_folder_of(path: &Path) {
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
}
