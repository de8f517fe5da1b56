//! Paths that stand for descriptors, and writing and reading straight through them.
#![cfg(unix)]

use objseal_files::{Existing, Source, Target, descriptor_of};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::pipe;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;

fn random(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(step).take(len).collect()
}

fn non_blocking(file: impl AsFd) {
    let flags = fcntl_getfl(&file).expect("flags");
    fcntl_setfl(&file, flags | OFlags::NONBLOCK).expect("set");
}

#[test]
fn names_of_descriptors() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = tempfile::tempfile().expect("a file");
    let descriptor = file.as_raw_fd();
    let link = folder.path().join("link");
    symlink(format!("/dev/fd/{descriptor}"), &link).expect("linked");
    let folder_link = folder.path().join("descriptors");
    symlink("/proc/self/fd", &folder_link).expect("linked");
    for (path, expected) in [
        ("/dev/stdin".into(), Some(0)),
        ("/dev/stdout".into(), Some(1)),
        ("/dev/stderr".into(), Some(2)),
        (format!("/dev/fd/{descriptor}"), Some(descriptor)),
        (format!("/proc/self/fd/{descriptor}"), Some(descriptor)),
        (format!("/proc/{}/fd/{descriptor}", std::process::id()), Some(descriptor)),
        (link.display().to_string(), Some(descriptor)),
        (folder_link.join("7").display().to_string(), Some(7)),
        ("/proc/1/fd/0".into(), None),
        ("/dev/fd/+1".into(), None),
        ("/dev/fd/".into(), None),
        ("/dev/null".into(), None),
        (folder.path().join("1").display().to_string(), None),
        ("1".into(), None),
    ] {
        assert_eq!(descriptor_of(Path::new(&path)), expected, "{path}");
    }
    for path in ["/dev/fd/987654", "/proc/self/fd/987654"] {
        let refused = Source::open(Path::new(path)).map(drop).expect_err("not open");
        assert_eq!(refused.raw_os_error(), Some(rustix::io::Errno::BADF.raw_os_error()));
        assert!(Target::create(Path::new(path), Existing::Replace, 0o666).is_err());
    }
}

#[test]
fn a_descriptor_is_gone_on_with_where_it_stands() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"before ").expect("written");
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    let mut target = Target::create(Path::new(&path), Existing::Refuse, 0o666).expect("open");
    target.write_all(b"and after").expect("written");
    target.commit().expect("there");
    file.seek(SeekFrom::Start(7)).expect("a file");
    let mut rest = String::new();
    Source::open(Path::new(&path)).expect("open").read_to_string(&mut rest).expect("read");
    assert_eq!(rest, "and after");
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (reader, writer) = pipe().expect("a pipe");
    non_blocking(&reader);
    non_blocking(&writer);
    let sent = random(3_000_000);
    let mut source = Source::of(reader.as_raw_fd()).expect("open");
    let reading = thread::spawn(move || {
        let mut got = Vec::new();
        source.read_to_end(&mut got).map(|_| got)
    });
    let mut target = Target::of(writer.as_raw_fd()).expect("open");
    drop(writer);
    for piece in sent.chunks(70_000) {
        target.write_all(piece).expect("written");
    }
    target.commit().expect("there");
    assert!(reading.join().expect("no panic").expect("read") == sent);
    drop(reader);
}

#[test]
fn a_reader_that_has_gone_is_an_error() {
    let (reader, writer) = pipe().expect("a pipe");
    non_blocking(&writer);
    let mut target = Target::of(writer.as_raw_fd()).expect("open");
    let writing = thread::spawn(move || target.write_all(&random(1_000_000)));
    drop(reader);
    assert_eq!(writing.join().expect("no panic").expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
}

#[test]
fn devices_and_folders() {
    let mut full = Target::create(Path::new("/dev/full"), Existing::Refuse, 0o666).expect("open");
    assert_eq!(full.write_all(b"x").expect_err("full").kind(), ErrorKind::StorageFull);
    full.commit().expect("nothing is left to write");
    let mut null = Target::create(Path::new("/dev/null"), Existing::Refuse, 0o666).expect("open");
    null.write_all(b"x").expect("written");
    null.commit().expect("there");
    let folder = tempfile::tempdir().expect("a folder");
    let refused = Target::create(folder.path(), Existing::Replace, 0o666).expect_err("a folder");
    assert_eq!(refused.kind(), ErrorKind::IsADirectory);
    assert!(File::open(folder.path()).is_ok() && fs::read_dir(folder.path()).expect("a folder").next().is_none());
}
