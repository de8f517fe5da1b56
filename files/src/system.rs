//! What operating systems do each in their own way.

#[cfg(unix)]
use crate::reason::Reason;
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
    options.read(true);
    #[cfg(unix)]
    options.custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY));
    // Some file systems lock only what is open for writing, and what was left may be for reading alone.
    options.clone().write(true).open(path).or_else(|_| options.open(path))
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
    {
        let _ = file;
        (0, 0)
    }
}

pub(crate) fn is_own(file: &Metadata) -> bool {
    #[cfg(unix)]
    return file.uid() == geteuid().as_raw();
    #[cfg(not(unix))]
    file.is_file()
}

/// Refuses what somebody else has put into a folder where everybody may: a link that leads the user's output over another
/// file, a pipe that gives it to them, a file that they go on owning. Linux does the same for those who open such things
/// (`fs.protected_symlinks`, `protected_fifos`, `protected_regular`), and has no part in what is read and renamed here.
pub(crate) fn refuse_foreign(there: &Metadata, folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = std::fs::metadata(folder)?;
        if is_sticky(&folder) && folder.mode() & 0o022 != 0 && !is_own(there) && there.uid() != folder.uid() {
            return Err(Reason::error(
                NO_ACCESS,
                "it belongs to another user, in a folder where everybody may write; choose another place",
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (there, folder);
    Ok(())
}

/// Refuses a file in a sticky folder that this user cannot replace.
pub(crate) fn refuse_irreplaceable(there: &Metadata, folder: &Path) -> io::Result<()> {
    refuse_foreign(there, folder)?;
    #[cfg(unix)]
    {
        let folder = std::fs::metadata(folder)?;
        if is_sticky(&folder) && !is_own(there) && !is_own(&folder) && !geteuid().is_root() {
            return Err(io::Error::from_raw_os_error(NOT_PERMITTED));
        }
    }
    Ok(())
}

/// Whether files in a folder are removed and renamed by their owners alone.
#[cfg(unix)]
fn is_sticky(folder: &Metadata) -> bool {
    folder.mode() & 0o1000 != 0
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
pub(crate) fn settle(file: &File, replaced: Option<(&Path, &Metadata)>, mode: u32) {
    #[cfg(unix)]
    {
        let mode = match replaced {
            None => mode,
            Some((path, old)) => {
                let (user, group) = (Some(old.uid()), Some(old.gid()));
                let same = file.metadata().is_ok_and(|new| (new.uid(), new.gid()) == (old.uid(), old.gid()));
                let same_group = same || fchown(file, user, group).or_else(|_| fchown(file, None, group)).is_ok();
                old.mode() & if copy_access_list(path, file) && same_group { 0o777 } else { 0o707 }
            }
        };
        let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = (file, replaced, mode);
}

/// Gives a file the access control list of another one, or none if that has none: with a list, the permissions of the group
/// are the most that anybody in it gets, and the group itself may have fewer. Says whether that went well.
#[cfg(unix)]
fn copy_access_list(from: &Path, to: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, lgetxattr};
        use rustix::io::Errno;
        const NAME: &str = "system.posix_acl_access";
        // No attribute is longer.
        let mut list = vec![0_u8; 1 << 16];
        match lgetxattr(from, NAME, &mut list[..]) {
            Ok(len) => fsetxattr(to, NAME, &list[..len], XattrFlags::empty()).is_ok(),
            Err(Errno::NODATA) => matches!(fremovexattr(to, NAME), Ok(()) | Err(Errno::NODATA)),
            // There is no such thing there.
            Err(error) => [Errno::OPNOTSUPP, Errno::NOSYS].contains(&error),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (from, to);
        true
    }
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
/// `EACCES`, the same number everywhere.
#[cfg(unix)]
const NO_ACCESS: i32 = 13;
/// `EBUSY`, the same number everywhere.
pub(crate) const BUSY: i32 = 16;
