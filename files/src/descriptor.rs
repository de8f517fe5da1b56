//! Paths that stand for descriptors of this process: `/dev/fd/N` and its kin.

use crate::path::{MAX_LINKS, folder_of, followed};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::fs::{self, File};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

/// Folders whose names are the numbers of descriptors.
const FOLDERS: [&str; 3] = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

/// The descriptor of this process that `path` stands for: `/dev/stdin`, `/dev/stdout`, `/dev/stderr`, `/dev/fd/N`,
/// `/proc/self/fd/N` and links to them, process substitution of a shell among them. A link that somebody else has put where
/// everybody may is not followed.
///
/// To open such a path is not the same: Linux opens the file anew, at its start, with its permissions asked again; a socket
/// or a file without a name cannot be opened at all.
#[must_use]
pub fn descriptor_of(path: &Path) -> Option<RawFd> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Some(descriptor) = named(&path) {
            return Some(descriptor);
        }
        path = followed(&path).ok()??;
    }
    None
}

fn named(path: &Path) -> Option<RawFd> {
    for (descriptor, name) in ["/dev/stdin", "/dev/stdout", "/dev/stderr"].into_iter().enumerate() {
        if path == Path::new(name) {
            return RawFd::try_from(descriptor).ok();
        }
    }
    let number = path.file_name()?.to_str()?;
    let number = number.parse().ok().filter(|_| number.bytes().all(|digit| digit.is_ascii_digit()))?;
    let folder = fs::canonicalize(folder_of(path)).ok()?;
    let own = FOLDERS.iter().any(|own| fs::canonicalize(own).is_ok_and(|own| own == folder));
    own.then_some(number)
}

/// Another descriptor for the same open file.
pub(crate) fn duplicate(descriptor: RawFd) -> io::Result<File> {
    if descriptor < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is not -1. Whether it is open is asked of the operating system by this one call, which does nothing else
    // with it and says `EBADF` if it is not.
    #[allow(unsafe_code, reason = "a number that a user wrote")]
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // Not in the place of a standard descriptor that is closed.
    Ok(fcntl_dupfd_cloexec(borrowed, 3)?.into())
}
