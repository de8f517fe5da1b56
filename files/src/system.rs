//! What operating systems do each in their own way.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use {
    rustix::fs::OFlags,
    rustix::process::geteuid,
    std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
};

/// Options for a new file with these permissions, within the umask.
pub(crate) fn writable(mode: u32) -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    options.mode(mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Opens a file without following a link or waiting for a pipe.
pub(crate) fn open_to_remove(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    #[cfg(unix)]
    options.custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY));
    options.open(path)
}

#[cfg(unix)]
fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// What tells a file from others.
pub(crate) fn identity(file: &Metadata) -> (u64, u64) {
    #[cfg(unix)]
    return (file.dev(), file.ino());
    // Nothing that the standard library knows.
    #[cfg(not(unix))]
    (0, file.len())
}

pub(crate) fn is_own(file: &Metadata) -> bool {
    #[cfg(unix)]
    return file.uid() == geteuid().as_raw();
    #[cfg(not(unix))]
    file.is_file()
}

/// The permissions of a file.
pub(crate) fn mode(file: &Metadata) -> u32 {
    #[cfg(unix)]
    return file.mode() & 0o777;
    #[cfg(not(unix))]
    if file.permissions().readonly() { 0o444 } else { 0o666 }
}

/// Gives a private file the owner and the permissions of the one that it replaces, else those of a new file. Where the file
/// system or the user's rights do not allow that, it stays more private.
pub(crate) fn settle(file: &File, replaced: Option<&Metadata>, mode: u32) {
    #[cfg(unix)]
    {
        let mode = match replaced {
            None => mode,
            Some(old) => {
                let (user, group) = (Some(old.uid()), Some(old.gid()));
                let same = file.metadata().is_ok_and(|new| (new.uid(), new.gid()) == (old.uid(), old.gid()));
                let same_group = same || fchown(file, user, group).or_else(|_| fchown(file, None, group)).is_ok();
                old.mode() & if same_group { 0o777 } else { 0o707 }
            }
        };
        let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = (file, replaced, mode);
}

/// Whether the file is a mount of its own, as containers mount single files. Nothing can take its place.
pub(crate) fn is_mount(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
        let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE);
        found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}

/// A file without a name in `folder`, where there is such a thing.
pub(crate) fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    #[cfg(target_os = "linux")]
    return writable(mode).custom_flags(flags(OFlags::TMPFILE)).open(folder).ok();
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (folder, mode);
        None
    }
}

/// Gives a file without a name one that is free.
pub(crate) fn name(file: &File, path: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, linkat};
        use std::os::fd::AsRawFd;
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, path);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// `EPERM`, the same number everywhere.
pub(crate) const NOT_PERMITTED: i32 = 1;
/// `EBUSY`, the same number everywhere.
pub(crate) const BUSY: i32 = 16;
