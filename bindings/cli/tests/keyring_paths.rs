//! One keyring by many paths and for many processes, and those of other users.

mod shared;

use rustix::process::geteuid;
use shared::{Ended, Folder};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

/// Somebody without rights.
const NOBODY: u32 = 65_534;

/// Two processes rotate 150 times each, through two paths.
const ROTATE: &str = "for path in \"$ONE\" \"$OTHER\"; do \
    (for i in $(seq 150); do \"$@\" --keyring \"$path\" || exit; done) & pids+=($!); done; \
    for pid in ${pids[@]}; do wait $pid || exit; done";

/// Runs the script for two paths to `real/keyring`.
fn rotate_through(folder: &Folder, program: &[&str], script: &str, [one, other]: [&str; 2]) {
    let all = |name: &str| fs::read_to_string(folder.path(name)).expect("read");
    folder.run(&["key", "create", "default", "--keyring", "real/keyring"]).said("made the keyring");
    folder.run(&["seal", "plain", "--force", "--keyring", "real/keyring"]).ok();
    let args = [&program[1..], &["bash", "-c", script, "bash"]].concat();
    let mut command = folder.command_behind(program[0], &args, &["key", "rotate", "default"]);
    let ended = command.env("ONE", one).env("OTHER", other).output().expect("it runs");
    let said = String::from_utf8(Ended(ended).ok()).expect("text");
    let versions: BTreeSet<_> = said.lines().collect();
    assert_eq!((said.lines().count(), versions.len()), (300, 300), "{one} and {other}: no version twice");
    // Each has a line of its own, and the first one is what it was.
    let keyring = all("real/keyring");
    assert_eq!(keyring.lines().filter(|line| line.contains("default")).collect::<BTreeSet<_>>().len(), 301);
    folder.run(&["verify", "plain.sealed", "--keyring", "real/keyring"]).ok();
    assert_eq!(folder.run(&["key", "list", "--keyring", "real/keyring"]).ok(), b"default  version 301\n");
    // Locks and temporary names are beside the file that all paths lead to, and nowhere else.
    let names = |path: &str| {
        let entries = fs::read_dir(folder.path(path)).expect("a folder").map(|entry| entry.expect("read").file_name());
        entries.map(|name| name.into_string().expect("text")).collect::<BTreeSet<_>>()
    };
    assert_eq!(names("real"), ["keyring", "keyring.lock"].map(String::from).into());
    assert_eq!(names("links"), ["absolute", "relative"].map(String::from).into());
    assert!(!names("").iter().any(|name| name.ends_with(".lock") || name.starts_with(".objseal")), "{:?}", names(""));
    fs::remove_file(folder.path("real/keyring")).expect("removed");
}

fn with_links() -> Folder {
    let folder = Folder::without_keyring();
    for name in ["real", "links", "mounted"] {
        fs::create_dir(folder.path(name)).expect("made");
    }
    symlink("../real/keyring", folder.path("links/relative")).expect("a link");
    symlink(folder.path("real/keyring"), folder.path("links/absolute")).expect("a link");
    symlink("real", folder.path("folder")).expect("a link");
    folder
}

#[test]
fn no_rotation_is_lost_whatever_the_paths() {
    let folder = with_links();
    let absolute = folder.path("real/keyring").display().to_string();
    for paths in
        [["links/relative", &absolute], ["links/absolute", "real/keyring"], ["folder/keyring", "links/relative"]]
    {
        rotate_through(&folder, &["env"], ROTATE, paths);
    }
}

#[test]
fn no_rotation_is_lost_through_a_mount() {
    if !geteuid().is_root() {
        return;
    }
    let folder = with_links();
    let script = format!("mount --bind real mounted && {ROTATE}");
    rotate_through(&folder, &["unshare", "-m"], &script, ["mounted/keyring", "links/relative"]);
}

#[test]
fn root_changes_the_keyring_of_somebody_and_leaves_it_to_them() {
    if !geteuid().is_root() {
        return;
    }
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain"]).ok();
    folder.write_secret("words", "correct horse\n");
    folder.write_secret("wrong", "incorrect horse\n");
    fs::remove_file(folder.path("keyring.lock")).expect("removed");
    chown(folder.path("keyring"), Some(NOBODY), Some(NOBODY)).expect("root may");
    let is_theirs = || {
        for name in ["keyring", "keyring.lock"] {
            let found = fs::metadata(folder.path(name)).expect("there");
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (NOBODY, NOBODY, 0o600), "{name}");
        }
    };
    let changes = |with: &[&str]| {
        for args in [&["key", "rotate", "default"][..], &["key", "create", if with.is_empty() { "one" } else { "two" }]]
        {
            folder.run(&[args, with].concat()).ok();
            is_theirs();
        }
    };
    changes(&[]);
    folder.run(&["key", "rotate", "none"]).failed(4, "there is no key of this name");
    folder.run(&["key", "create", "one"]).failed(1, "there is a key \"one\" already");
    folder.run(&["key", "passphrase", "--file", "words"]).ok();
    is_theirs();
    changes(&["--passphrase-file", "words"]);
    let before = folder.read("keyring");
    for args in [&["key", "rotate", "default"][..], &["key", "create", "more"], &["key", "passphrase", "--remove"]] {
        folder.run(&[args, &["--passphrase-file", "wrong"]].concat()).failed(4, "wrong passphrase");
        folder.run(args).failed(4, "has a passphrase, and there is no terminal to ask for it");
    }
    assert!(folder.read("keyring") == before);
    // What is sealed under keys that somebody else knows is no secret of root's.
    let theirs = format!("it belongs to user {NOBODY}: neither you nor root");
    for args in [&["seal", "plain", "-o", "x"][..], &["key", "list"], &["verify", "plain.sealed"]] {
        folder.run(&[args, &["--passphrase-file", "words"]].concat()).failed(1, &theirs);
    }
    folder.run(&["key", "passphrase", "--remove", "--passphrase-file", "words"]).ok();
    is_theirs();
    chown(folder.path("keyring"), Some(0), Some(0)).expect("root may");
    folder.run(&["verify", "plain.sealed"]).ok();
    assert_eq!(folder.run(&["key", "list"]).ok(), b"default  version 3\none  version 1\ntwo  version 1\n");
}
