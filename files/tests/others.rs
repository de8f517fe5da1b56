//! Folders in which others may write as well, and permissions that name others.
#![cfg(target_os = "linux")]

use objseal_files::{Existing, NewFile, Reason, Target, descriptor_of, resolved};
use rustix::fs::{CWD, FileType, Mode, OFlags, XattrFlags, lgetxattr, mknodat, open, setxattr};
use rustix::process::geteuid;
use std::fmt::Debug;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SOMEBODY: u32 = 65_534;
const BOTH: [Existing; 2] = [Existing::Refuse, Existing::Replace];

/// A folder such as `/tmp`, and beside it a file of this user. Root alone can put things of others there.
fn for_all() -> Option<(TempDir, PathBuf, PathBuf)> {
    let folder = tempfile::tempdir().expect("a folder");
    let (all, own) = (folder.path().join("all"), folder.path().join("own"));
    fs::create_dir(&all).expect("made");
    fs::set_permissions(&all, Permissions::from_mode(0o1777)).expect("set");
    fs::write(&own, "own").expect("written");
    geteuid().is_root().then_some((folder, all, own))
}

fn refused<T: Debug>(done: io::Result<T>) {
    let error = done.expect_err("refused");
    let reason = Reason::of(&error).unwrap_or_else(|| panic!("another error: {error}"));
    assert_eq!((reason.errno(), error.kind()), (13, io::ErrorKind::PermissionDenied));
    assert!(reason.to_string().starts_with("it belongs to another user"), "{reason}");
}

fn link_of_somebody(to: impl AsRef<Path>, at: &Path) {
    symlink(to, at).expect("linked");
    lchown(at, Some(SOMEBODY), Some(SOMEBODY)).expect("given away");
}

#[test]
fn links_of_others_are_not_followed() {
    let Some((folder, all, own)) = for_all() else { return };
    let link = all.join("link");
    link_of_somebody(&own, &link);
    let dangling = all.join("dangling");
    link_of_somebody(folder.path().join("new"), &dangling);
    for link in [&link, &dangling] {
        refused(resolved(link));
        refused(NewFile::create(link, Existing::Replace, 0o666));
        refused(Target::create(link, Existing::Replace, 0o666));
    }
    // One's own link leads no further.
    let onwards = folder.path().join("onwards");
    symlink(&link, &onwards).expect("linked");
    refused(Target::create(&onwards, Existing::Replace, 0o666));
    // A link is there already, whoever it is of.
    let error = Target::create(&link, Existing::Refuse, 0o666).expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&own).expect("there"), b"own");
    assert!(!folder.path().join("new").exists());

    let open = tempfile::tempfile().expect("a file");
    let descriptor = all.join("descriptor");
    link_of_somebody(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open)), &descriptor);
    assert_eq!(descriptor_of(&descriptor), None);
    refused(Target::create(&descriptor, Existing::Replace, 0o666));
    assert_eq!(open.metadata().expect("open").len(), 0);

    // Where nobody else may write it is the business of whoever owns the folder.
    fs::set_permissions(&all, Permissions::from_mode(0o755)).expect("set");
    NewFile::create(&link, Existing::Replace, 0o666).expect("begun").commit().expect("committed");
    assert_eq!(fs::read(&own).expect("there"), b"");
}

#[test]
fn pipes_and_files_of_others_get_nothing() {
    let Some((_folder, all, _)) = for_all() else { return };
    let pipe = all.join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("a pipe");
    chown(&pipe, Some(SOMEBODY), None).expect("given away");
    let reader = open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).expect("open");
    let file = all.join("file");
    fs::write(&file, "theirs").expect("written");
    chown(&file, Some(SOMEBODY), None).expect("given away");
    for existing in BOTH {
        refused(Target::create(&pipe, existing, 0o666));
    }
    refused(Target::create(&file, Existing::Replace, 0o666));
    // Nor does one that came meanwhile.
    let new = NewFile::create(&all.join("new"), Existing::Replace, 0o666).expect("begun");
    fs::hard_link(&file, all.join("new")).expect("linked");
    refused(new.commit());
    assert_eq!(fs::metadata(all.join("new")).expect("there").ino(), fs::metadata(&file).expect("there").ino());
    assert_eq!(fs::read(&file).expect("there"), b"theirs");
    // Those of whoever owns the folder are to be there.
    for there in [&pipe, &file] {
        chown(there, Some(0), None).expect("taken");
        let mut target = Target::create(there, Existing::Replace, 0o666).expect("begun");
        target.write_all(b"for all").expect("written");
        target.commit().expect("committed");
    }
    assert_eq!(fs::read(&file).expect("there"), b"for all");
    drop(reader);
}

#[test]
fn access_lists_are_replaced_with_the_file() {
    const NAME: &str = "system.posix_acl_access";
    // The owner, user 1, the group, the mask, the others: 6, 6, 0, 6, 0.
    let entries = [(1, 6, u32::MAX), (2, 6, 1), (4, 0, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
    let mut list = vec![2, 0, 0, 0];
    for (tag, permissions, id) in entries {
        list.extend([tag, 0, permissions, 0]);
        list.extend(u32::to_le_bytes(id));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("target");
    let of = |path: &Path| {
        let mut list = [0; 100];
        lgetxattr(path, NAME, &mut list[..]).ok().map(|len| list[..len].to_vec())
    };
    let replace = || NewFile::create(&path, Existing::Replace, 0o666).expect("begun").commit().expect("committed");
    File::create(&path).expect("made");
    setxattr(&path, NAME, &list, XattrFlags::empty()).expect("a file system with access lists, such as ext4 or tmpfs");
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o660);
    replace();
    assert_eq!(of(&path), Some(list.clone()), "else the group, which could not, can read it");

    // New files in the folder get a list, and the one that is replaced has none.
    setxattr(folder.path(), "system.posix_acl_default", &list, XattrFlags::empty()).expect("set");
    fs::remove_file(&path).expect("removed");
    File::create(&path).expect("made");
    assert!(of(&path).is_some());
    rustix::fs::removexattr(&path, NAME).expect("removed");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("set");
    replace();
    assert_eq!((of(&path), fs::metadata(&path).expect("there").mode() & 0o777), (None, 0o640));
}
