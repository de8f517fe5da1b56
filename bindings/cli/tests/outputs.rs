//! What no output may be: a file in use, a keyring, a lock of one. And names of every kind.

mod shared;

use shared::{Ended, Folder, LEN, plaintext};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

const IN_USE: &str = "is what this reads from; name another output";
const KEYRING: &str = "is a keyring, or the lock of one; name another output";

#[test]
fn no_keyring_is_written_over() {
    let folder = Folder::with_keyring();
    let bare = ["cobblestone", "keygen", "-o", "key"];
    folder.run(&bare).ok();
    for name in ["theirs", "shut"] {
        folder.run(&["key", "create", "default", "--keyring", name]).said("made the keyring");
    }
    folder.write_secret("words", "correct horse\n");
    folder.run(&["key", "passphrase", "--keyring", "shut", "--file", "words"]).ok();
    folder.run(&["seal", "plain", "-o", "sealed", "-c", "a=b"]).ok();
    folder.run(&["cobblestone", "seal", "-k", "key", "plain", "-o", "message"]).ok();
    symlink("theirs", folder.path("link")).expect("a link");
    fs::hard_link(folder.path("shut"), folder.path("second")).expect("a link");
    // A lock that is to come is one, too.
    fs::remove_file(folder.path("shut.lock")).expect("removed");
    let keyrings = ["theirs", "shut", "theirs.lock", "shut.lock", "link", "second", "keyring.lock"];
    let read = |name: &str| fs::read(folder.path(name)).ok();
    let before = keyrings.map(read);
    let commands: [&[&str]; 6] = [
        &["seal", "plain", "--force"],
        &["open", "sealed", "-c", "a=b", "--force"],
        &["open", "sealed", "-c", "a=b", "--range", "0-9", "--force"],
        &["cobblestone", "seal", "-k", "key", "plain", "--force"],
        &["cobblestone", "open", "-k", "key", "message", "--force"],
        &["cobblestone", "keygen"],
    ];
    for args in commands {
        for name in keyrings {
            folder.run(&[args, &["-o", name]].concat()).failed(1, &format!("{name} {KEYRING}"));
        }
        let behind = |script: &str, output: &str| {
            let args = [args, &["-o", output]].concat();
            Ended(folder.command_behind("bash", &["-c", script, "bash"], &args).output().expect("bash runs"))
        };
        behind("exec \"$@\" 3>>theirs", "/dev/fd/3").failed(1, &format!("/dev/fd/3 {KEYRING}"));
        behind("exec \"$@\" >>shut", "-").failed(1, &format!("standard output {KEYRING}"));
    }
    let printing = ["-c", "exec \"$@\" >>theirs", "bash"];
    let ended = folder.command_behind("bash", &printing, &["key", "list"]).output().expect("bash runs");
    Ended(ended).failed(1, &format!("standard output {KEYRING}"));
    assert!(keyrings.map(read) == before);

    fs::create_dir(folder.path("man")).expect("made");
    symlink("../theirs", folder.path("man/objseal-key.1")).expect("a link");
    folder.run(&["manual", "man"]).failed(1, &format!("man/objseal-key.1 {KEYRING}"));
    assert!(keyrings.map(read) == before);
}

#[test]
fn what_is_in_use_is_not_written_over() {
    let folder = Folder::with_keyring();
    folder.write_secret("words", "correct horse\n");
    folder.run(&["key", "passphrase", "--file", "words"]).ok();
    let with_words = ["--passphrase-file", "words", "--force"];
    fs::hard_link(folder.path("words"), folder.path("again")).expect("a link");
    symlink("keyring", folder.path("link")).expect("a link");
    for name in ["words", "again", "keyring", "link", "plain"] {
        folder.run(&[&["seal", "plain", "-o", name], &with_words[..]].concat()).failed(1, &format!("{name} {IN_USE}"));
    }
    assert_eq!(folder.read("words"), b"correct horse\n");
    folder.run(&["key", "list", "--passphrase-file", "words"]).ok();
}

#[test]
fn key_files_go_where_they_are_wanted_and_replace_nothing() {
    let folder = Folder::with_key();
    symlink("nothing", folder.path("loose")).expect("a link");
    for name in ["key", "loose"] {
        folder.run(&["keygen", "-o", name]).failed(1, &format!("{name} exists; a key is never overwritten"));
    }
    folder.run(&["keygen", "-o", "none/key"]).failed(1, "none/key: cannot write: No such file");
    folder.run(&["keygen", "-o", "."]).failed(1, ". is a directory; name a file in it");
    let ended =
        folder.command_behind("bash", &["-c", "exec \"$@\" 3>>log", "bash"], &["keygen", "-o", "/dev/fd/3"]).output();
    Ended(ended.expect("bash runs")).ok();
    assert_eq!(folder.read("log").len(), 65);
    for umask in ["0", "077"] {
        let ended =
            folder.command_behind("sh", &["-c", "umask $0; exec \"$@\"", umask], &["keygen", "-o", umask]).output();
        Ended(ended.expect("sh runs")).ok();
        assert_eq!(folder.mode(umask), 0o600);
    }
    assert_eq!(folder.others(), ["0", "077", "log", "loose"]);
}

#[test]
fn names_of_every_kind() {
    for (folder, seal, open, suffix) in [
        (Folder::with_keyring(), &["seal", "-c", "name=plain"][..], &["open", "-c", "name=plain"][..], ".sealed"),
        (Folder::with_key(), &["seal", "-k", "key"], &["open", "-k", "key"], ".cobblestone"),
    ] {
        let names: [&[u8]; 5] = [
            "x".repeat(240).as_bytes(),
            "\u{e4}".repeat(120).as_bytes(),
            "\u{1f512} a\u{301}".as_bytes(),
            b"\xff\xfe",
            b"a b\n'",
        ]
        .map(|name| &*name.to_vec().leak());
        for name in names {
            let sealed = [name, suffix.as_bytes()].concat();
            let (name, sealed) = (OsStr::from_bytes(name), OsStr::from_bytes(&sealed));
            fs::rename(folder.path("plain"), folder.root().join(name)).expect("renamed");
            Ended(folder.command(seal).arg(name).output().expect("it runs")).ok();
            fs::remove_file(folder.root().join(name)).expect("removed");
            Ended(folder.command(open).arg(sealed).output().expect("it runs")).ok();
            Ended(folder.command(seal).args([name, OsStr::new("-f")]).output().expect("it runs")).ok();
            fs::rename(folder.root().join(name), folder.path("plain")).expect("there");
            assert!(folder.read("plain") == plaintext(LEN));
            fs::remove_file(folder.root().join(sealed)).expect("removed");
        }
        assert_eq!(folder.others(), Vec::<String>::new());
    }
}
