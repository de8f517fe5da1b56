//! File systems that lack something: links, permissions, folders that can be synced, files that can be replaced.

mod shared;

use rustix::process::geteuid;
use shared::{Ended, Folder, LEN, piped, plaintext};
use std::fs;
use std::io::Write;
use std::process::{Child, Command};

/// No file gets a second name.
const WITHOUT_LINKS: [&str; 7] =
    ["-f", "-qqq", "-o", "/dev/null", "-e", "trace=link,linkat", "-einject=link,linkat:error=EPERM"];

/// Both kinds of sealed files: how to seal, how to open.
fn kinds() -> [(Folder, &'static [&'static str], &'static [&'static str]); 2] {
    [
        (Folder::with_keyring(), &["seal", "-c", "name=plain"], &["open", "-c", "name=plain"]),
        (Folder::with_key(), &["seal", "-k", "key", "-c", "name"], &["open", "-k", "key", "-c", "name"]),
    ]
}

/// Waits until `name` is there, while the command reads from a pipe that gives nothing yet.
fn wait_for(folder: &Folder, name: &str, child: &mut Child) {
    while !folder.path(name).exists() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it began to write");
        std::thread::yield_now();
    }
}

#[test]
fn without_links_the_name_is_kept_from_the_start() {
    for (folder, seal, open) in kinds() {
        let args = [seal, &["-", "-o", "target"]].concat();
        let start = || {
            let mut child = piped(&mut folder.command_behind("strace", &WITHOUT_LINKS, &args));
            wait_for(&folder, "target", &mut child);
            assert_eq!((folder.read("target"), folder.mode("target")), (Vec::new(), 0o600));
            child
        };
        let mut child = start();
        child.stdin.take().expect("a pipe").write_all(&plaintext(LEN)).expect("taken");
        Ended(child.wait_with_output().expect("it ends")).ok();
        assert!(folder.run(&[open, &["target", "-o", "-"]].concat()).ok() == plaintext(LEN));
        assert_eq!(folder.others(), ["target"]);
        fs::remove_file(folder.path("target")).expect("removed");

        // What comes there meanwhile stays.
        let mut child = start();
        fs::write(folder.path("theirs"), "theirs").expect("written");
        fs::rename(folder.path("theirs"), folder.path("target")).expect("renamed");
        child.stdin.take().expect("a pipe").write_all(&plaintext(LEN)).expect("taken");
        Ended(child.wait_with_output().expect("it ends")).failed(1, "target exists; --force replaces it");
        assert_eq!(folder.read("target"), b"theirs");
        assert_eq!(folder.others(), ["target"]);

        // What is there stays, or is replaced when the new one is whole.
        let run =
            |args: &[&str]| Ended(folder.command_behind("strace", &WITHOUT_LINKS, args).output().expect("strace runs"));
        run(&[seal, &["plain", "-o", "target"]].concat()).failed(1, "target exists; --force replaces it");
        run(&[open, &["plain", "-o", "target", "--force"]].concat()).failed(3, "plain");
        run(&[open, &["plain", "-o", "new"]].concat()).failed(3, "plain");
        assert_eq!(folder.read("target"), b"theirs");
        run(&[seal, &["plain", "-o", "target", "--force"]].concat()).ok();
        assert!(folder.run(&[open, &["target", "-o", "-"]].concat()).ok() == plaintext(LEN));
        assert_eq!(folder.others(), ["target"]);
    }
    let folder = Folder::with_key();
    for _ in 0..2 {
        let ended = folder.command_behind("strace", &WITHOUT_LINKS, &["keygen", "-o", "new"]).output();
        let ended = Ended(ended.expect("strace runs"));
        if ended.0.status.success() {
            ended.ok();
        } else {
            ended.failed(1, "new exists; a key is never overwritten");
        }
        assert_eq!((folder.others(), folder.read("new").len(), folder.mode("new")), (vec!["new".into()], 65, 0o600));
    }
}

/// Runs the command on an input that does not end.
fn without_end(folder: &Folder, program: &[&str], args: &[&str]) -> Ended {
    let mut child = piped(&mut folder.command_behind(program[0], &program[1..], args));
    let stdin = child.stdin.take();
    let ended = Ended(child.wait_with_output().expect("it ends"));
    drop(stdin);
    ended
}

#[test]
fn what_would_fail_at_the_end_fails_before_the_work() {
    for (folder, seal, _) in kinds() {
        fs::write(folder.path("target"), "before").expect("written");
        fs::create_dir(folder.path("folder")).expect("made");
        for program in [&["env"][..], &[&["strace"], &WITHOUT_LINKS[..]].concat()] {
            for (output, words) in [
                ("target", "target exists; --force replaces it"),
                ("folder", "folder is a directory; name a file in it"),
                ("none/x", "none/x: cannot write: No such file or directory"),
                ("target/x", "target/x: cannot write: Not a directory"),
            ] {
                without_end(&folder, program, &[seal, &["-", "-o", output]].concat()).failed(1, words);
            }
        }
        if geteuid().is_root() {
            fs::write(folder.path("source"), "theirs").expect("written");
            let mounted = ["unshare", "-m", "sh", "-c", "mount --bind source target && exec \"$@\"", "sh"];
            let words =
                "target: cannot write: it is a mount of its own, which no file can replace; mount its folder instead";
            without_end(&folder, &mounted, &[seal, &["-", "-o", "target", "--force"]].concat()).failed(1, words);
            // Through a link as well.
            std::os::unix::fs::symlink("target", folder.path("link")).expect("a link");
            let words = words.replacen("target", "link", 1);
            without_end(&folder, &mounted, &[seal, &["-", "-o", "link", "--force"]].concat()).failed(1, &words);
            assert_eq!(folder.read("source"), b"theirs");
        }
        assert_eq!(folder.read("target"), b"before");
    }
}

/// A mount on which every file can be read by everybody, whatever it is told.
struct Modeless<'f>(&'f Folder);

impl<'f> Modeless<'f> {
    fn at(folder: &'f Folder) -> Self {
        for name in ["below", "modeless"] {
            fs::create_dir(folder.path(name)).expect("made");
        }
        let mut mount = Command::new("bindfs");
        mount
            .args(["--perms=0666:+X", "--chmod-ignore", "-o", "hard_remove", "below", "modeless"])
            .current_dir(folder.root());
        let mounted =
            mount.output().unwrap_or_else(|error| panic!("bindfs does not run ({error}): apt-get install bindfs"));
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Self(folder)
    }
}

impl Drop for Modeless<'_> {
    fn drop(&mut self) {
        let _ = Command::new("fusermount").args(["-u", "modeless"]).current_dir(self.0.root()).status();
    }
}

#[test]
fn without_permissions_there_is_no_place_for_keys() {
    let folder = Folder::without_keyring();
    folder.run(&["key", "create", "default"]).said("made the keyring");
    folder.write_secret("words", "correct horse\n");
    let mount = Modeless::at(&folder);
    let words = "the file system there keeps no permissions, so other users could read it; choose another place";
    let create = ["key", "create", "default", "--keyring", "modeless/keyring"];
    folder.run(&create).failed(1, &format!("keyring modeless/keyring: {words}"));
    folder.run(&[&create[..], &["--passphrase-file", "words"]].concat()).failed(1, words);
    folder
        .run(&["cobblestone", "keygen", "-o", "modeless/key"])
        .failed(1, &format!("modeless/key: cannot write: {words}"));
    let names = || fs::read_dir(folder.path("below")).expect("a folder").map(|entry| entry.expect("read").file_name());
    assert_eq!(names().collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
    // What is sealed can be there.
    folder.run(&["seal", "plain", "-o", "modeless/sealed"]).ok();
    folder.run(&["seal", "plain", "-o", "modeless/sealed", "--force"]).ok();
    folder.run(&["verify", "modeless/sealed"]).ok();
    assert_eq!(names().collect::<Vec<_>>(), ["sealed"]);
    drop(mount);
}

#[test]
fn a_folder_that_cannot_be_synced_is_no_failure() {
    let folder = Folder::with_keyring();
    folder.run(&["cobblestone", "keygen", "-o", "key"]).ok();
    folder.run(&["seal", "plain", "-o", "sealed", "-c", "a=b"]).ok();
    for args in [
        &["seal", "plain", "-o", "new"][..],
        &["seal", "plain", "-o", "new", "--force"],
        &["open", "sealed", "-c", "a=b", "-o", "opened"],
        &["cobblestone", "seal", "-k", "key", "plain", "-o", "message"],
        &["cobblestone", "keygen", "-o", "other"],
        &["key", "create", "more"],
        &["key", "rotate", "default"],
    ] {
        let strace = ["-f", "-qqq", "-y", "-o", "trace", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2"];
        let ended = folder.command_behind("strace", &strace, args).output().expect("strace runs");
        assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(0), &b""[..]), "{args:?}");
        let trace = String::from_utf8(folder.read("trace")).expect("text");
        let failed = trace.lines().find(|line| line.contains("(INJECTED)")).expect("one failed");
        assert!(failed.contains(&format!("<{}>", folder.root().display())), "{trace}");
    }
    folder.run(&["verify", "new"]).ok();
    assert!(folder.read("opened") == plaintext(LEN));
    assert_eq!(folder.read("other").len(), 65);
    assert_eq!(folder.run(&["key", "list"]).ok(), b"default  version 2\nmore  version 1\n");
}
