//! Standard input and output, closed, slow or broken, and paths that stand for descriptors: nothing is lost in silence.

mod shared;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::geteuid;
use shared::{Ended, Folder, LEN, plaintext};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;
use std::{iter, thread};

/// Both kinds of sealed files: how to seal, how to open.
fn kinds() -> [(Folder, &'static [&'static str], &'static [&'static str]); 2] {
    [
        (Folder::with_keyring(), &["seal", "-c", "name=plain"], &["open", "-c", "name=plain"]),
        (Folder::with_key(), &["seal", "-k", "key", "-c", "name"], &["open", "-k", "key", "-c", "name"]),
    ]
}

/// The command in a script of bash, where it is `"$@"`.
fn script(folder: &Folder, script: &str, args: &[&str]) -> Ended {
    let ended = folder.command_behind("bash", &["-c", script, "bash"], args).output();
    Ended(ended.unwrap_or_else(|error| panic!("bash does not run ({error}): apt-get install bash")))
}

/// A pipe that no child keeps open.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).expect("a pipe")
}

fn non_blocking(file: impl AsFd) {
    let flags = fcntl_getfl(&file).expect("flags");
    fcntl_setfl(&file, flags | OFlags::NONBLOCK).expect("set");
}

/// Reads everything, with pauses in which a pipe fills up.
fn read_slowly(pipe: OwnedFd) -> Vec<u8> {
    let mut pipe = File::from(pipe);
    let mut all = Vec::new();
    loop {
        thread::sleep(Duration::from_millis(1));
        if (&mut pipe).take(100_000).read_to_end(&mut all).expect("read") == 0 {
            return all;
        }
    }
}

#[test]
fn a_pipe_that_does_not_block_gets_and_gives_every_byte() {
    let plain = plaintext(3_000_000);
    for (folder, seal, open) in kinds() {
        fs::write(folder.path("plain"), &plain).expect("written");
        folder.run(&[seal, &["plain", "-o", "sealed"]].concat()).ok();
        for output in ["-", "/dev/stdout", "/dev/fd/1"] {
            let (reader, writer) = pipe();
            non_blocking(&writer);
            let mut command = folder.command(&[open, &["sealed", "-o", output]].concat());
            let child = command.stdout(writer).spawn().expect("it runs");
            // What it keeps would be an end of the pipe.
            drop(command);
            assert!(read_slowly(reader) == plain, "{output}");
            Ended(child.wait_with_output().expect("it ends")).ok();
        }
        for input in ["-", "/dev/stdin", "/dev/fd/0"] {
            let (reader, writer) = pipe();
            non_blocking(&reader);
            let mut command = folder.command(&[seal, &[input, "-o", "again", "--force"]].concat());
            let child = command.stdin(reader).spawn().expect("it runs");
            drop(command);
            for piece in plain.chunks(1_000_000) {
                thread::sleep(Duration::from_millis(5));
                File::from(writer.try_clone().expect("open")).write_all(piece).expect("taken");
            }
            drop(writer);
            Ended(child.wait_with_output().expect("it ends")).ok();
            assert!(folder.run(&[open, &["again", "-o", "-"]].concat()).ok() == plain, "{input}");
        }
    }
    // A line, too, when the pipe is full already.
    let folder = Folder::with_keyring();
    let (reader, writer) = pipe();
    non_blocking(&writer);
    let mut filling = File::from(writer.try_clone().expect("open"));
    let filled: usize = iter::from_fn(|| filling.write(b"\n").ok()).sum();
    drop(filling);
    let mut command = folder.command(&["key", "list"]);
    let child = command.stdout(writer).spawn().expect("it runs");
    drop(command);
    assert_eq!(&read_slowly(reader)[filled..], b"default  version 1\n");
    Ended(child.wait_with_output().expect("it ends")).ok();
}

#[test]
fn what_a_disk_says_at_the_end_is_said() {
    for (folder, seal, open) in kinds() {
        folder.run(&[seal, &["plain", "-o", "sealed"]].concat()).ok();
        let out = folder.path("out").display().to_string();
        // Only calls for this file.
        let strace = |fault: &str, args: &[&str]| {
            let script = format!("exec strace -f -qqq -o trace -P '{out}' -e trace=fsync,close -e {fault} \"$@\" >out");
            self::script(&folder, &script, args)
        };
        let open = [open, &["sealed", "-o", "-"]].concat();
        for (fault, words) in [
            ("inject=fsync:error=EIO", "standard output: cannot write: Input/output error"),
            ("inject=close:error=EIO", "standard output: cannot write: Input/output error"),
            ("inject=close:error=ENOSPC", "standard output: cannot write: No space left on device"),
        ] {
            strace(fault, &open).failed(1, words);
            if seal[1] == "-c" {
                strace(fault, &["key", "list"]).failed(1, words);
                strace(fault, &["verify", "sealed"]).failed(1, words);
            } else {
                strace(fault, &["keygen"]).failed(1, words);
            }
        }
        // Some cannot be synced at all, and an interrupted close has closed.
        for fault in ["inject=fsync:error=EINVAL", "inject=close:error=EINTR"] {
            strace(fault, &open).ok();
            assert!(folder.read("out") == plaintext(LEN));
        }
    }
}

/// A block device over a file.
struct Loop(String);

impl Loop {
    fn over(folder: &Folder, name: &str) -> Self {
        File::create(folder.path(name)).and_then(|file| file.set_len(1 << 20)).expect("made");
        let device = Command::new("losetup").args(["--find", "--show"]).arg(folder.path(name)).output();
        let device = device.unwrap_or_else(|error| panic!("losetup does not run ({error}): apt-get install mount"));
        assert!(device.status.success(), "{}", String::from_utf8_lossy(&device.stderr));
        Self(String::from_utf8(device.stdout).expect("text").trim().into())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_block_device_is_synced() {
    if !geteuid().is_root() {
        return;
    }
    for (folder, seal, open) in kinds() {
        let device = Loop::over(&folder, "disk");
        folder.run(&[seal, &["plain", "-o", "sealed"]].concat()).ok();
        let args = [open, &["sealed", "-o", &device.0]].concat();
        let strace = |more: &[&str]| {
            let strace = ["-f", "-qqq", "-o", "trace", "-e", "trace=fsync"];
            Ended(folder.command_behind("strace", &[&strace, more].concat(), &args).output().expect("strace runs"))
        };
        strace(&[]).ok();
        assert!(String::from_utf8_lossy(&folder.read("trace")).contains("= 0"));
        assert!(folder.read("disk").starts_with(&plaintext(LEN)));
        strace(&["-e", "inject=fsync:error=EIO"]).failed(1, &format!("{}: cannot write: Input/output error", device.0));
        // It would read what it writes.
        let same = folder.run(&[seal, &[&device.0[..], "-o", &device.0]].concat());
        same.failed(1, "is what this reads from");
    }
}

#[test]
fn closed_standard_descriptors() {
    for (folder, seal, open) in kinds() {
        folder.run(&[seal, &["plain", "-o", "sealed"]].concat()).ok();
        for input in ["-", "/dev/stdin", "/dev/fd/0"] {
            let name = if input == "-" { "standard input" } else { input };
            let ended = script(&folder, "exec \"$@\" <&-", &[seal, &[input, "-o", "x"]].concat());
            ended.failed(1, &format!("{name}: cannot read: Bad file descriptor"));
        }
        for output in ["-", "/dev/stdout", "/dev/fd/1"] {
            let name = if output == "-" { "standard output" } else { output };
            let ended = script(&folder, "exec \"$@\" >&-", &[open, &["sealed", "-o", output]].concat());
            ended.failed(1, &format!("{name}: cannot write: Bad file descriptor"));
        }
        assert_eq!(folder.others(), ["sealed"]);
        // What is not needed may be closed.
        script(&folder, "exec \"$@\" <&- >&-", &[open, &["sealed", "-o", "x"]].concat()).ok();
        script(&folder, "exec \"$@\" <&- >&- 2>&-", &[open, &["sealed", "-o", "y"]].concat()).ok();
        assert!(folder.read("x") == plaintext(LEN) && folder.read("y") == plaintext(LEN));
        let unheard = script(&folder, "exec \"$@\" 2>&-", &[open, &["nothing", "-o", "z"]].concat());
        assert_eq!((unheard.0.status.code(), &unheard.0.stderr[..]), (Some(1), &b""[..]));
        // Nothing is the same as `/dev/null`, in whatever mode that is open.
        let null = || File::options().read(true).write(true).open("/dev/null").expect("open");
        let mut command = folder.command(&[open, &["sealed", "-o", "-"]].concat());
        Ended(command.stdout(null()).output().expect("it runs")).ok();
        let mut command = folder.command(&[seal, &["-", "-o", "empty"]].concat());
        Ended(command.stdin(null()).output().expect("it runs")).ok();
        assert_eq!(folder.run(&[open, &["empty", "-o", "-"]].concat()).ok(), b"");
    }
    let closed = "standard output: cannot write: Bad file descriptor";
    let folder = Folder::with_key();
    script(&folder, "exec \"$@\" >&-", &["keygen"]).failed(1, closed);
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain", "-o", "sealed"]).ok();
    let (keyring, sealed) = (folder.read("keyring"), folder.read("sealed"));
    for args in [
        &["key", "list"][..],
        &["key", "create", "more"],
        &["key", "rotate", "default"],
        &["key", "passphrase", "--remove"],
        &["inspect", "sealed"],
        &["inspect", "sealed", "--json"],
        &["verify", "sealed"],
        &["rewrap", "sealed"],
        &["completions", "bash"],
        &["bench"],
        &["--version"],
        &["--help"],
        &["-h"],
        &["help", "seal"],
        &["key", "list", "--help"],
    ] {
        script(&folder, "exec \"$@\" >&-", args).failed(1, closed);
    }
    assert!(folder.read("keyring") == keyring && folder.read("sealed") == sealed, "nothing was changed");
    script(&folder, "exec \"$@\" 2>&-", &["verify", "sealed"]).ok();
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let folder = Folder::with_keyring();
    for args in [&["--help"][..], &["--version"], &["help", "open"], &["seal", "-h"]] {
        script(&folder, "exec \"$@\" >/dev/full", args).failed(1, "standard output: cannot write: No space left");
        let said = folder.run(args).ok();
        assert!(said.ends_with(b"\n") && !said.contains(&b'\x1b'), "{args:?}");
    }
    // What is wrong with the command line is said to standard error, as before.
    folder.run(&["--nothing"]).failed(2, "unexpected argument '--nothing'");
    folder.run(&[]).failed(2, "Usage: objseal <COMMAND>");
}

#[test]
fn inputs_and_outputs_can_be_descriptors() {
    let plain = plaintext(LEN);
    for (folder, seal, open) in kinds() {
        let opened = |name: &str| folder.run(&[open, &[name, "-o", "-"]].concat()).ok();
        for descriptor in ["/dev/fd/3", "/proc/self/fd/3", "link"] {
            let _ = symlink("/dev/fd/3", folder.path("link"));
            script(&folder, "exec \"$@\" 3<plain", &[seal, &[descriptor, "-o", "sealed", "--force"]].concat()).ok();
            assert!(opened("sealed") == plain);
            // Without a name there is none to make another of.
            let sealed = script(&folder, "exec \"$@\" 3<plain", &[seal, &[descriptor]].concat()).ok();
            fs::write(folder.path("through"), sealed).expect("written");
            assert!(opened("through") == plain);
            // A file is read on from where it stands, and gone on with at its end.
            let skip = "exec 3<plain; dd bs=1000 count=1 status=none <&3 >/dev/null; exec \"$@\"";
            script(&folder, skip, &[seal, &[descriptor, "-o", "rest", "--force"]].concat()).ok();
            assert!(opened("rest") == plain[1000..]);
            fs::write(folder.path("log"), "before\n").expect("written");
            script(&folder, "exec \"$@\" 3>>log", &[open, &["sealed", "-o", descriptor]].concat()).ok();
            assert!(folder.read("log") == [b"before\n", &plain[..]].concat(), "{descriptor}");
            let range = [open, &[descriptor, "--range", "100-"]].concat();
            assert!(script(&folder, "exec \"$@\" 3<sealed", &range).ok() == plain[100..]);
            fs::write(folder.path("behind"), [&[7; 1000], &folder.read("sealed")[..]].concat()).expect("written");
            assert!(script(&folder, &skip.replace("plain", "behind"), &range).ok() == plain[100..]);

            let closed = script(&folder, "exec \"$@\" 3>&-", &[open, &["sealed", "-o", descriptor]].concat());
            closed.failed(1, &format!("{descriptor}: cannot write: Bad file descriptor"));
            let closed = script(&folder, "exec \"$@\" 3<&-", &[seal, &[descriptor, "-o", "x"]].concat());
            closed.failed(1, &format!("{descriptor}: cannot read: Bad file descriptor"));
            // It would read what it writes, without end.
            let same = script(&folder, "exec \"$@\" 3>>plain", &[seal, &["plain", "-o", descriptor]].concat());
            same.failed(1, &format!("{descriptor} is what this reads from"));
        }
        assert!(folder.read("plain") == plain);

        // Process substitution.
        let substituted = "\"$@\" <(cat plain) -o >(cat >sealed); code=$?; wait $!; exit $code";
        script(&folder, substituted, seal).ok();
        assert!(opened("sealed") == plain);
        let substituted = "\"$@\" <(cat sealed) -o >(cat >opened); code=$?; wait $!; exit $code";
        script(&folder, substituted, open).ok();
        assert!(folder.read("opened") == plain);
        let through = script(&folder, "\"$@\" <(cat sealed)", open).ok();
        assert!(through == plain);
    }
}

#[test]
fn secrets_and_what_is_verified_can_be_descriptors() {
    let bare = Folder::with_key();
    bare.run(&["seal", "-k", "key", "plain"]).ok();
    for opening in ["\"$@\" -k <(cat key)", "exec \"$@\" -k /dev/fd/3 3<key", "exec \"$@\" -k /dev/stdin <key"] {
        let opened = script(&bare, opening, &["open", "plain.cobblestone", "-o", "-"]).ok();
        assert!(opened == plaintext(LEN), "{opening}");
    }
    bare.set_mode("key", 0o644);
    let others = script(&bare, "exec \"$@\" -k /dev/fd/3 3<key", &["open", "plain.cobblestone", "-o", "-"]);
    others.failed(1, "key file /dev/fd/3: its permissions are 644, so other users can read it");

    let sealed = Folder::with_keyring();
    sealed.run(&["seal", "plain"]).ok();
    sealed.write_secret("words", "correct horse\n");
    sealed.run(&["key", "passphrase", "--file", "words"]).ok();
    for verifying in [
        "\"$@\" <(cat plain.sealed) --passphrase-file <(cat words)",
        "exec \"$@\" /dev/fd/4 --passphrase-file /dev/fd/3 3<words 4<plain.sealed",
        "exec \"$@\" - --passphrase-file /proc/self/fd/3 3<words <plain.sealed",
        "OBJSEAL_PASSPHRASE_FILE=/dev/stdin exec \"$@\" plain.sealed <words",
    ] {
        let verified = script(&sealed, verifying, &["verify"]).ok();
        assert!(verified.ends_with(b": verified, 48.76 KiB\n"), "{verifying}");
    }
    script(&sealed, "\"$@\" --passphrase-file <(cat words)", &["key", "rotate", "default"]).ok();
    let closed = script(&sealed, "exec \"$@\" --passphrase-file /dev/stdin <&-", &["key", "rotate", "default"]);
    closed.failed(1, "passphrase file /dev/stdin: cannot read: Bad file descriptor");
}
