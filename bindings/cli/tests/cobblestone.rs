//! `objseal cobblestone` from the outside: files, pipes, ranges, and everything that can be wrong.

mod shared;

use objseal::Engine;
use objseal::cobblestone::sealed_len;
use rustix::process::{Pid, Signal, kill_process};
use shared::{Ended, Folder, LEN, peak_memory, piped, plaintext, wait_for_part};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn files_and_pipes_round_trip() {
    let folder = Folder::with_key();
    for len in [0, 1, 16_383, 16_384, 16_385, (1 << 20) + 3] {
        let plain = plaintext(len);
        fs::write(folder.path("plain"), &plain).expect("written");
        folder.run(&["seal", "-k", "key", "plain", "--force"]).ok();
        folder.run(&["open", "-k", "key", "plain.cobblestone", "-o", "opened", "--force"]).ok();
        assert!(folder.read("opened") == plain, "{len} bytes");

        for threads in ["1", "3"] {
            let message = folder.run_with_input(&["seal", "-k", "key", "-", "-t", threads], &plain).ok();
            assert_eq!(message.len(), folder.read("plain.cobblestone").len());
            let opened = folder.run_with_input(&["open", "-k", "key", "-", "-t", threads], &message).ok();
            assert!(opened == plain, "{len} bytes through pipes, {threads} threads");
        }
    }
}

#[test]
fn the_default_output_goes_back() {
    let folder = Folder::with_key();
    folder.run(&["seal", "-k", "key", "plain"]).ok();
    fs::remove_file(folder.path("plain")).expect("removed");
    folder.run(&["open", "-k", "key", "plain.cobblestone"]).ok();
    assert!(folder.read("plain") == plaintext(LEN));
    folder.run(&["open", "-k", "key", "key"]).failed(1, "say with -o where to");
}

#[test]
fn ranges() {
    let folder = Folder::with_key();
    folder.run(&["seal", "-k", "key", "plain", "-o", "sealed"]).ok();
    let plain = plaintext(LEN);
    let range = |range: &str| folder.run(&["open", "-k", "key", "sealed", "--range", range]);
    assert!(range("0-0").ok() == plain[..1]);
    assert!(range("16383-16384").ok() == plain[16_383..16_385]);
    assert!(range("20000-").ok() == plain[20_000..]);
    assert!(range("-100").ok() == plain[LEN - 100..]);
    assert!(range("-1000000").ok() == plain);
    assert!(range("100-1000000").ok() == plain[100..]);
    range(&format!("{LEN}-")).failed(1, &format!("{LEN} bytes"));
    range("-0").failed(1, &format!("{LEN} bytes"));
    for wrong in ["5", "5-4", "a-b", "-", "1-2-3", "+1-2", "1-+2", "99999999999999999999-"] {
        range(wrong).failed(2, "range");
    }
    folder.run(&["open", "-k", "key", "sealed", "--range", "5-9", "-o", "piece"]).ok();
    assert!(folder.read("piece") == plain[5..10]);
    let message = folder.read("sealed");
    folder.run_with_input(&["open", "-k", "key", "-", "--range", "0-1"], &message).failed(1, "needs a file");
    folder.run_with_input(&["open", "-k", "key", "/dev/stdin", "--range", "0-1"], &message).failed(1, "needs a file");
}

#[test]
fn what_is_not_authentic_is_refused_and_leaves_nothing() {
    let folder = Folder::with_key();
    folder.run(&["keygen", "-o", "other"]).ok();
    folder.run(&["seal", "-k", "key", "plain", "-o", "sealed", "-c", "name"]).ok();
    let message = folder.read("sealed");
    let open = |key: &str, context: &str, extra: &[&str]| {
        let base = ["open", "-k", key, "sealed", "-o", "opened", "-c", context];
        let ended = folder.run(&[&base[..], extra].concat());
        assert_eq!(folder.others(), ["other", "sealed"], "nothing is left");
        ended
    };
    let refused = "sealed does not open: wrong key, wrong context, or the file was changed; nothing was written";
    for extra in [&[][..], &["--range", "0-5"]] {
        open("other", "name", extra).failed(3, refused);
        open("key", "", extra).failed(3, refused);
        open("key", "Name", extra).failed(3, refused);
    }
    for at in [0, 30, 56, 20_000, message.len() - 1] {
        let mut changed = message.clone();
        changed[at] ^= 1;
        fs::write(folder.path("sealed"), &changed).expect("written");
        open("key", "name", &[]).failed(3, refused);
        // To a stream the beginning may have gone out, and that is said.
        let ended = folder.run_with_input(&["open", "-k", "key", "-", "-c", "name"], &changed);
        ended.failed(3, "what was written before is the authentic beginning");
        assert!(plaintext(LEN).starts_with(&ended.0.stdout));
    }
    for len in [0, 55, 56, 71, 20_000, message.len() - 1] {
        fs::write(folder.path("sealed"), &message[..len]).expect("written");
        open("key", "name", &[]).failed(3, refused);
        open("key", "name", &["--range", "0-5"]).failed(3, refused);
    }
}

#[test]
fn outputs_are_not_overwritten_unasked() {
    let folder = Folder::with_key();
    fs::write(folder.path("target"), "precious").expect("written");
    folder.run(&["seal", "-k", "key", "plain", "-o", "target"]).failed(1, "target exists; --force replaces it");
    assert_eq!(folder.read("target"), b"precious");
    folder.run(&["seal", "-k", "key", "plain", "-o", "plain", "--force"]).failed(1, "what this reads from");
    folder.run(&["seal", "-k", "key", "plain", "-o", "key", "--force"]).failed(1, "what this reads from");
    symlink("plain", folder.path("link")).expect("a link");
    folder.run(&["seal", "-k", "key", "plain", "-o", "link", "--force"]).failed(1, "what this reads from");
    // A failure leaves what was there.
    folder.run(&["open", "-k", "key", "plain", "-o", "target", "--force"]).failed(3, "does not open");
    assert_eq!(folder.read("target"), b"precious");
    folder.run(&["seal", "-k", "key", "plain", "-o", "target", "--force"]).ok();
    assert_eq!(folder.read("target").len(), LEN + 56 + 4 * 16);
    symlink("nothing", folder.path("loose")).expect("a link");
    folder.run(&["seal", "-k", "key", "plain", "-o", "loose"]).failed(1, "loose exists; --force replaces it");
    assert_eq!(folder.others(), ["link", "loose", "target"]);
}

#[test]
fn standard_output_can_be_a_file() {
    let folder = Folder::with_key();
    for name in ["-", "/dev/stdout"] {
        let to = File::create(folder.path("sealed")).expect("made");
        let mut seal = folder.command(&["seal", "-k", "key", "plain", "-o", name]);
        Ended(seal.stdout(to).output().expect("it runs")).ok();
        folder.run(&["open", "-k", "key", "sealed", "-o", "opened", "--force"]).ok();
        assert!(folder.read("opened") == plaintext(LEN));
        // It would read what it writes, without end.
        let to = File::options().append(true).open(folder.path("plain")).expect("opened");
        let mut seal = folder.command(&["seal", "-k", "key", "plain", "-o", name]);
        Ended(seal.stdout(to).output().expect("it runs")).failed(1, "what this reads from");
    }
    assert!(folder.read("plain") == plaintext(LEN));
}

#[test]
fn files_that_are_not_there_or_not_files() {
    let folder = Folder::with_key();
    fs::create_dir(folder.path("folder")).expect("made");
    let seal = |input: &str, output: &str| folder.run(&["seal", "-k", "key", input, "-o", output]);
    seal("nothing", "out").failed(1, "nothing: cannot read: No such file");
    seal("folder", "out").failed(1, "folder is a directory");
    seal("plain", "folder").failed(1, "folder is a directory");
    seal("plain", "no/where").failed(1, "no/where: cannot write: No such file or directory (os error 2)\n");
    // What a terminal would obey stays out of messages.
    seal("red\u{1b}[31m\n", "out").failed(1, "red\\u{1b}[31m\\n: cannot read: No such file");
    folder.run(&["seal", "-k", "nokey", "plain"]).failed(1, "key file nokey: cannot read: No such file");
    folder.run(&["seal", "-k", "folder", "plain"]).failed(1, "key file folder:");
    folder.run(&["seal", "plain"]).failed(2, "--key-file");
    folder.run(&["seal", "-k", "key", "plain", "-t", "0"]).failed(2, "threads");
    folder.run(&["seal", "-k", "key", "plain", "-t", "1001"]).failed(2, "threads");
    assert_eq!(folder.others(), ["folder"]);
}

#[test]
fn key_files() {
    let folder = Folder::with_key();
    let hex = String::from_utf8(folder.read("key")).expect("text");
    assert!(hex.len() == 65 && hex.ends_with('\n') && hex.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
    folder.run(&["keygen", "-o", "key"]).failed(1, "never overwritten");
    assert_eq!(folder.read("key"), hex.as_bytes());
    assert_ne!(folder.run(&["keygen"]).ok(), folder.run(&["keygen"]).ok());

    // The same key, written differently.
    let raw: Vec<u8> = (0..64).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect();
    let message = folder.run(&["seal", "-k", "key", "plain", "-o", "-"]).ok();
    for same in [
        hex.trim_end().as_bytes(),
        &hex.trim_end().to_uppercase().into_bytes(),
        hex.replace('\n', "\r\n").as_bytes(),
        &raw,
    ] {
        folder.write_secret("same", same);
        assert!(folder.run_with_input(&["open", "-k", "same", "-"], &message).ok() == plaintext(LEN));
    }
    let (short, bad, long) = (&hex.as_bytes()[1..], hex.replace(&hex[..1], "g"), hex.repeat(2));
    for wrong in [&b""[..], short, bad.as_bytes(), long.as_bytes(), &raw[1..], &[0; 1 << 16]] {
        folder.write_secret("same", wrong);
        folder
            .run(&["seal", "-k", "same", "plain"])
            .failed(1, "key file same: not a key; expected are 64 hexadecimal digits or 32 bytes");
    }
}

#[test]
fn a_full_disk_and_a_closed_pipe() {
    let folder = Folder::with_key();
    folder.run(&["seal", "-k", "key", "plain", "-o", "/dev/full"]).failed(1, "/dev/full: cannot write: No space left");
    folder.run(&["seal", "-k", "key", "plain", "-o", "/dev/null"]).ok();
    let full = || File::options().write(true).open("/dev/full").expect("opened");
    let to_full = |args: &[&str]| Ended(folder.command(args).stdout(full()).output().expect("it runs"));
    to_full(&["seal", "-k", "key", "plain", "-o", "-"]).failed(1, "standard output: cannot write: No space left");
    to_full(&["keygen"]).failed(1, "standard output: cannot write: No space left");
    // Nobody hears the message; the exit code is still right.
    let mut unheard = folder.command(&["seal", "-k", "key", "nothing"]);
    assert_eq!(unheard.stderr(full()).status().expect("it runs").code(), Some(1));

    fs::write(folder.path("plain"), plaintext(10 << 20)).expect("written");
    let mut child = piped(&mut folder.command(&["seal", "-k", "key", "plain", "-o", "-"]));
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("some bytes");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(141), &b""[..]));
}

#[test]
fn a_signal_leaves_neither_target_nor_part() {
    let folder = Folder::with_key();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        // Whoever runs the tests may have some of the signals ignored, as nohup does.
        let seal = ["seal", "-k", "key", "-", "-o", "sealed"];
        let mut child = piped(&mut folder.command_behind("env", &["--default-signal=TERM,INT,HUP"], &seal));
        // The input does not end; the part is there once there is anything at all.
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(&plaintext(1 << 20)).expect("taken");
        wait_for_part(&folder, &mut child);
        kill_process(Pid::from_child(&child), signal).expect("sent");
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        assert_eq!(folder.others(), Vec::<String>::new());
    }
}

#[test]
fn the_engine_can_be_chosen() {
    let folder = Folder::with_key();
    let seal = |engine: &str| {
        let mut command = folder.command(&["seal", "-k", "key", "plain", "-o", "-"]);
        Ended(command.env("OBJSEAL_BACKEND", engine).output().expect("it runs"))
    };
    for engine in Engine::all() {
        if engine.is_available() {
            let message = seal(engine.name()).ok();
            assert!(folder.run_with_input(&["open", "-k", "key", "-"], &message).ok() == plaintext(LEN));
        } else {
            seal(engine.name()).failed(1, "does not support the backend");
        }
    }
    seal("sse9")
        .failed(1, "no such engine; known are: soft aes-ni vaes-256 vaes-512 armv8 armv8-sha3 rustcrypto aws-lc");
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let folder = Folder::with_key();
    let mut shell = Command::new("sh");
    let script = "trap '' HUP; exec \"$0\" cobblestone seal -k key - -o sealed";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_objseal")]).current_dir(folder.root());
    let mut child = piped(&mut shell);
    wait_for_part(&folder, &mut child);
    kill_process(Pid::from_child(&child), Signal::HUP).expect("sent");
    child.stdin.take().expect("a pipe").write_all(b"on").expect("taken");
    Ended(child.wait_with_output().expect("it ends")).ok();
    assert_eq!(folder.others(), ["sealed"]);
}

#[test]
fn memory_does_not_grow_with_the_size() {
    const BIG: u64 = 300 << 20;
    let folder = Folder::with_key();
    File::create(folder.path("plain")).and_then(|file| file.set_len(BIG)).expect("made");
    folder.run(&["seal", "-k", "key", "plain", "-o", "sealed"]).ok();
    for threads in ["1", "64"] {
        let message_len = sealed_len(BIG).expect("short enough");
        for (what, input, output_len) in [("seal", "plain", message_len), ("open", "sealed", BIG)] {
            let peak =
                peak_memory(&mut folder.command(&[what, "-k", "key", input, "-o", "-", "-t", threads]), output_len);
            println!("{what} 300 MiB, {threads} threads: peak RSS {} MiB", peak >> 20);
            assert!(peak <= 64 << 20, "{what}, {threads} threads: {peak} bytes");
        }
    }
}

#[test]
fn help_names_what_there_is() {
    let help = Command::new(env!("CARGO_BIN_EXE_objseal")).arg("--help").output().expect("it runs");
    let help = String::from_utf8(help.stdout).expect("text");
    for word in ["cobblestone", "bench", "Exit codes", "OBJSEAL_BACKEND", "OBJSEAL_KEYRING"] {
        assert!(help.contains(word), "{word}");
    }
}
