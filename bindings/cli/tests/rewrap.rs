//! `objseal rewrap` from the outside: which keys stay, what is said, and how it waits. And what a file is bound to.

mod shared;

use objseal::Key;
use objseal::cobblestone::Threads;
use objseal::envelope::{EncryptionContext, KeyKind, SealOptions, ServiceContext, WrappingKey};
use objseal::file;
use objseal_keys::keyring::{Keyring, KeyringFile};
use rustix::process::{Pid, Signal, kill_process};
use shared::{Folder, piped};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is said where no context was asked for.
const UNBOUND: &str = "objseal: rewrapped without --context: nothing says that these are the objects you meant\n";

/// A folder whose keyring has the keys `default`, `backup` and `third`.
fn folder() -> Folder {
    let folder = Folder::with_keyring();
    for key in ["backup", "third"] {
        folder.run(&["key", "create", key]).ok();
    }
    folder
}

fn keyring(folder: &Folder) -> Keyring {
    KeyringFile::at(folder.path("keyring")).read(None).expect("a keyring")
}

/// Makes `sealed`, as the command alone does not.
fn seal(folder: &Folder, options: &SealOptions) {
    let sealed = File::create(folder.path("sealed")).expect("made");
    file::seal(options, &b"plain"[..], sealed, &Threads::available()).expect("sealed");
}

/// The keys of each layer of `sealed`, verified.
fn keys(folder: &Folder) -> Vec<Vec<(String, u64)>> {
    let json = folder.inspect(&["sealed"]);
    assert_eq!(json["verified"], true);
    let layers = json["layers"].as_array().expect("layers").iter().map(|layer| {
        let keys = layer["wrapped_keys"].as_array().expect("keys").iter();
        keys.map(|key| {
            (key["key_id"].as_str().expect("text").to_owned(), key["key_version"].as_u64().expect("a number"))
        })
        .collect()
    });
    layers.collect()
}

fn named(keys: &[(&str, u64)]) -> Vec<(String, u64)> {
    keys.iter().map(|&(key, version)| (key.to_owned(), version)).collect()
}

#[test]
fn all_recipients_stay_at_their_latest_versions() {
    let folder = folder();
    let old = keyring(&folder);
    folder.run(&["key", "rotate", "default"]).ok();
    let new = keyring(&folder);
    let latest = |name: &str| new.latest(name).expect("a key");
    let options = SealOptions::new(latest("backup")).with_key(old.latest("default").expect("a key"));
    let options = options.with_key(latest("default")).with_outer_key(latest("third")).with_outer_key(latest("backup"));
    seal(&folder, &options);
    let before = [named(&[("backup", 1), ("default", 1), ("default", 2)]), named(&[("third", 1), ("backup", 1)])];
    assert_eq!(keys(&folder), before);
    for key in ["default", "backup"] {
        folder.run(&["key", "rotate", key]).ok();
    }
    let rewrap = |args: &[&str]| {
        let ended = folder.run(&[&["rewrap", "sealed"], args].concat());
        String::from_utf8(ended.said(UNBOUND)).expect("text")
    };
    assert_eq!(
        rewrap(&[]),
        "sealed: under key \"backup\", version 2, or \"default\", version 3, and \"third\", version 1, or \"backup\", \
         version 2\n"
    );
    assert_eq!(keys(&folder), [named(&[("backup", 2), ("default", 3)]), named(&[("third", 1), ("backup", 2)])]);
    // A key that is named stands alone; the other layer keeps its own.
    rewrap(&["--key", "third"]);
    assert_eq!(keys(&folder), [named(&[("third", 1)]), named(&[("third", 1), ("backup", 2)])]);
    rewrap(&["--outer-key", "default"]);
    assert_eq!(keys(&folder), [named(&[("third", 1)]), named(&[("default", 3)])]);
}

#[test]
fn a_recipient_that_cannot_be_kept_is_not_dropped() {
    let folder = folder();
    let new = keyring(&folder);
    let latest = |name: &str| new.latest(name).expect("a key");
    let other = |service: &str, id: &str, version: u32| {
        Arc::new(WrappingKey::new(service, id, version, Key::generate().expect("random")).expect("short"))
    };
    // Another service, a key that the keyring does not have, and a version that it does not have yet.
    let two_layers = || SealOptions::new(latest("default")).with_outer_key(latest("backup"));
    for (options, lost, option) in [
        (two_layers().with_key(other("my-kms", "arn:1", 7)), "version 7 of \"arn:1\" of my-kms", "--key"),
        (two_layers().with_outer_key(other("my-kms", "arn:1", 7)), "version 7 of \"arn:1\" of my-kms", "--outer-key"),
        (two_layers().with_key(other("keyring", "theirs", 1)), "version 1 of \"theirs\" of keyring", "--key"),
        (
            two_layers().with_outer_key(other("keyring", "backup", 2)),
            "version 2 of \"backup\" of keyring",
            "--outer-key",
        ),
    ] {
        seal(&folder, &options);
        let before = folder.read("sealed");
        let words =
            format!("sealed: {lost} opens it too, and the keyring cannot keep that; {option} names the only key");
        folder.run(&["rewrap", "sealed"]).failed(4, &words);
        assert!(folder.read("sealed") == before, "nothing was written");
        folder.run(&["rewrap", "sealed", option, "third"]).said(UNBOUND);
        folder.run(&["rewrap", "sealed"]).said(UNBOUND);
    }
}

#[test]
fn that_no_identity_was_demanded_is_said_once() {
    let folder = folder();
    for name in ["one", "two", "three"] {
        folder.run(&["seal", "plain", "-o", name, "-c", "a=b"]).ok();
    }
    let files = ["rewrap", "one", "two", "three"];
    let ended = folder.run(&files);
    assert_eq!(String::from_utf8_lossy(&ended.0.stderr), UNBOUND);
    assert_eq!(ended.said("").iter().filter(|&&byte| byte == b'\n').count(), 3);
    folder.run(&[&files[..], &["-c", "a=b"]].concat()).ok();
    // Nothing was rewrapped.
    folder.run(&["rewrap", "plain"]).failed(3, "not a sealed file");
    folder.run(&["rewrap", "one", "--key", "none"]).failed(4, "the keyring has no key \"none\"");
}

/// A process that holds the lock of `sealed` until its input ends.
fn holding(folder: &Folder, program: &str, args: &[&str]) -> Child {
    let mut command = Command::new(program);
    let mut child = piped(command.args(args).current_dir(folder.root()));
    // What comes back is said by a program that runs under the lock.
    child.stdin.as_mut().expect("a pipe").write_all(b".").expect("taken");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("an echo");
    child
}

/// Starts to rewrap, and gives the first line that is said.
fn waiting(folder: &Folder) -> (Child, BufReader<ChildStderr>, String) {
    let start = Instant::now();
    let args = ["rewrap", "sealed", "-c", "a=b"];
    let mut child = piped(&mut folder.command_behind("env", &["--default-signal=INT"], &args));
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("a line");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(child.try_wait().expect("a child").is_none(), "it goes on waiting: {line}");
    (child, stderr, line)
}

#[test]
fn it_waits_for_a_lock_and_says_for_whose() {
    let folder = folder();
    folder.run(&["seal", "plain", "-o", "sealed", "-c", "a=b"]).ok();
    let before = folder.read("sealed");
    let mut holder = holding(&folder, "flock", &["--no-fork", "sealed", "cat"]);
    let (mut child, _, line) = waiting(&folder);
    assert_eq!(line, format!("objseal: waiting for sealed, which process {} (cat) has locked\n", holder.id()));
    // Who does not want to wait.
    kill_process(Pid::from_child(&child), Signal::INT).expect("sent");
    assert_eq!(child.wait().expect("it ends").signal(), Some(Signal::INT.as_raw()));
    assert!(folder.read("sealed") == before && folder.others() == ["sealed"]);

    let (mut child, mut stderr, _) = waiting(&folder);
    drop(holder.stdin.take());
    assert!(holder.wait().expect("it ends").success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("read");
    assert_eq!((child.wait().expect("it ends").code(), &*rest), (Some(0), ""));
    assert_eq!(folder.inspect(&["sealed"])["generation"], 2);

    // Whoever took the lock is gone and left it to others.
    let mut holder = holding(&folder, "sh", &["-c", "exec 9<sealed; flock 9; exec cat"]);
    let (mut child, _, line) = waiting(&folder);
    assert_eq!(line, "objseal: waiting for sealed, which another process has locked\n");
    drop(holder.stdin.take());
    assert!(child.wait().expect("it ends").success() && holder.wait().expect("it ends").success());
    assert_eq!(folder.inspect(&["sealed"])["generation"], 3);
}

#[test]
fn pairs_that_are_bound_and_not_stored() {
    let folder = folder();
    let mut context = EncryptionContext::from_pairs([("name", "cat")]).expect("short");
    context.bind("bucket\u{1b}", "photos").expect("short");
    seal(&folder, &SealOptions::new(keyring(&folder).latest("default").expect("a key")).with_context(context));
    let all = ["-c", "name=cat", "-c", "bucket\u{1b}=photos"];
    let run = |args: &[&str], more: &[&str]| folder.run(&[args, more].concat());
    let commands = [&["open", "sealed", "-o", "-"][..], &["verify", "sealed"], &["rewrap", "sealed"]];
    for command in commands {
        run(command, &[])
            .failed(3, "sealed is bound to pairs that are not stored in it, so it takes --context to open it");
        for wrong in [&all[..2], &all[2..], &["-c", "name=dog", "-c", "bucket\u{1b}=photos"]] {
            run(command, wrong).failed(3, "sealed is not bound to the context that was asked for");
        }
        let wrong = ["-c", "name=cat", "-c", "bucket\u{1b}=other"];
        run(command, &wrong).failed(3, "sealed does not open: wrong key, wrong context, or the file was changed");
        run(command, &all).ok();
    }
    assert_eq!(run(commands[0], &all).ok(), b"plain");

    // Who knows the values can verify the rest; the keys are shown in any case.
    for (args, verified) in [(&["sealed"][..], false), (&[&["sealed"], &all[..]].concat(), true)] {
        let json = folder.inspect(args);
        assert_eq!((&json["verified"], &json["generation"]), (&verified.into(), &2.into()));
        assert_eq!(json["context"], serde_json::json!({"name": "cat"}));
        assert_eq!(json["bound_keys"], serde_json::json!(["bucket\u{1b}"]));
    }
    let text = String::from_utf8(run(&["inspect", "sealed"], &[]).ok()).expect("text");
    assert!(text.contains("\n  context      name=cat\n  bound        bucket\\u{1b}\n"), "{text}");
    assert!(text.contains("NOT VERIFIED (--context can give the pairs that are not stored)"), "{text}");
    run(&["inspect", "sealed"], &all[..2]).failed(3, "sealed is not bound to the context that was asked for");
}

#[test]
fn kinds_of_keys_are_shown() {
    let folder = folder();
    let mut options = SealOptions::new(keyring(&folder).latest("default").expect("a key"));
    for (kind, id) in [(KeyKind::Object, "o"), (KeyKind::Shared, "s"), (KeyKind::Customer, "c")] {
        let key = WrappingKey::new("my-kms", id, 1, Key::generate().expect("random")).expect("short");
        options = options.with_key(Arc::new(key.with_blob(kind, ServiceContext::None, b"blob").expect("short")));
    }
    seal(&folder, &options);
    let json = folder.inspect(&["sealed"]);
    let keys = json["layers"][0]["wrapped_keys"].as_array().expect("keys").iter();
    let kinds: Vec<_> =
        keys.map(|key| (key["key_id"].as_str().expect("text"), key["kind"].as_str().expect("text"))).collect();
    assert_eq!(kinds, [("c", "customer"), ("o", "object"), ("s", "shared"), ("default", "local")]);
}
