//! Links, and the folders that names are in.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// As many links as Linux follows.
pub(crate) const MAX_LINKS: usize = 40;

/// Where a file is, or is to be, behind all links.
///
/// # Errors
/// Those of the operating system: a folder that is not there, or too many links.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        match fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            Err(_) => return in_its_folder(&path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// The same name in its folder behind all links; a link at the end stays one.
pub(crate) fn in_its_folder(path: &Path) -> io::Result<PathBuf> {
    // `a/` is a folder: without a name there is no file to make.
    let has_name = !path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let name = path.file_name().filter(|_| has_name).ok_or(ErrorKind::NotFound)?;
    Ok(fs::canonicalize(folder_of(path))?.join(name))
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
