//! The command, killed or failed by the system at every call that changes files. What was there stays, what comes is
//! whole, and a failure leaves nothing behind.

mod shared;

use rustix::process::{Pid, Signal, kill_process};
use shared::{Ended, Folder, piped, plaintext};
use std::fs;
use std::time::{Duration, Instant};

/// Calls that change files. There is one thread that makes them.
const CALLS: [&str; 15] = [
    "openat",
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "flock",
    "fchown",
    "fchmod",
];

/// The same of a key management service, whose database and log are written in place.
const CALLS_OF_KMS: [&str; 13] = [
    "openat",
    "mkdir",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "link",
    "linkat",
    "unlink",
    "flock",
    "fchmod",
];

/// Cargo has the dynamic linker look into many folders first.
const WITHOUT_CARGO: [&str; 2] = ["-u", "LD_LIBRARY_PATH"];

/// What is done to a call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The process is killed instead.
    Kill,
    /// It fails, and everything after it goes on.
    Fail(&'static str),
}

impl Fault {
    fn injection(self, call: &str, number: usize) -> String {
        match self {
            Self::Kill => format!("inject={call}:signal=KILL:when={number}"),
            Self::Fail(error) => format!("inject={call}:error={error}:when={number}"),
        }
    }
}

/// Runs `args`, in an environment that is changed by `env`, again and again, with the fault at the first of `calls`, the
/// second and so on until there is none; `check` looks at the folder after each, and `reset` goes back to the start. Returns
/// the number of faults.
fn at_every_call(
    folder: &Folder,
    calls: &[&str],
    env: &[&str],
    args: &[&str],
    fault: Fault,
    reset: impl Fn(),
    check: impl Fn(&Ended, &str),
) -> usize {
    let mut faults = 0;
    for call in calls {
        for number in 1.. {
            assert!(number < 1000, "{call}: no end");
            reset();
            let injection = fault.injection(call, number);
            let trace = format!("trace={call}");
            let strace = [env, &["strace", "-f", "-qqq", "-o", "trace", "-e", &trace, "-e", &injection]].concat();
            let ended = folder.command_behind("env", &strace, args).output();
            let ended =
                Ended(ended.unwrap_or_else(|error| panic!("strace does not run ({error}): apt-get install strace")));
            let trace = String::from_utf8_lossy(&folder.read("trace")).into_owned();
            fs::remove_file(folder.path("trace")).expect("removed");
            let met = match fault {
                Fault::Kill => trace.contains("killed by SIGKILL"),
                Fault::Fail(_) => trace.contains("(INJECTED)"),
            };
            if !met {
                assert_eq!(ended.0.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.0.stderr));
                break;
            }
            check(&ended, &injection);
            faults += 1;
        }
    }
    faults
}

const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Fail("ENOSPC"), Fault::Fail("EIO")];

fn remove(folder: &Folder, names: &[String]) {
    for name in names {
        fs::remove_file(folder.path(name)).expect("removed");
    }
}

/// Names of unfinished files, beside the keyring in its default place, too.
fn parts(folder: &Folder) -> Vec<String> {
    let mut names = folder.others();
    for entry in fs::read_dir(folder.path("data/objseal")).into_iter().flatten() {
        names.push(entry.expect("read").file_name().into_string().expect("plain"));
    }
    names.retain(|name| name.starts_with(".objseal-"));
    names
}

fn check_parts(folder: &Folder, fault: Fault, injection: &str) {
    let parts = parts(folder);
    if matches!(fault, Fault::Kill) {
        // For as long as a file gets its name.
        assert!(parts.is_empty() || parts.len() == 1 && !injection.contains("write"), "{injection}: {parts:?}");
    } else {
        // To remove it may be what failed.
        assert!(parts.is_empty() || injection.contains("unlink"), "{injection}: {parts:?}");
    }
}

#[test]
fn sealing_and_opening() {
    let folder = Folder::with_keyring();
    let plain = plaintext(1_200_000);
    fs::write(folder.path("plain"), &plain).expect("written");
    folder.run(&["seal", "plain", "-o", "good"]).ok();
    let good = folder.read("good");
    let cases: [(&[&str], bool); 4] = [
        (&["seal", "plain", "-o", "target", "-t", "1"], false),
        (&["seal", "plain", "-o", "target", "-t", "1", "--force"], true),
        (&["open", "good", "-o", "target", "-t", "1"], false),
        (&["open", "good", "-o", "target", "-t", "1", "--force"], true),
    ];
    for (args, replaces) in cases {
        for fault in FAULTS {
            let reset = || {
                let mut names = folder.others();
                names.retain(|name| name != "good");
                remove(&folder, &names);
                if replaces {
                    fs::write(folder.path("target"), "before").expect("written");
                }
            };
            let check = |ended: &Ended, injection: &str| {
                check_parts(&folder, fault, injection);
                let target = fs::read(folder.path("target")).ok();
                assert!(target.is_some() || !replaces, "{injection}: the target is gone");
                let new = target.as_deref().filter(|&target| !replaces || target != b"before");
                // An end that is reported as good is one.
                assert!(new.is_some() || ended.0.status.code() != Some(0), "{injection}");
                match new {
                    Some(_) if args[0] == "seal" => drop(folder.run(&["verify", "target"]).ok()),
                    Some(opened) => assert!(opened == plain, "{injection}"),
                    None => {}
                }
                // Who writes it next removes what a kill has left.
                folder.run(&["seal", "plain", "-o", "target", "--force"]).ok();
                assert_eq!(parts(&folder), Vec::<String>::new(), "{injection}");
            };
            let faults = at_every_call(&folder, &CALLS, &[], args, fault, reset, check);
            println!("interrupted: {} with {fault:?}: {faults} faults, target replaced: {replaces}", args[0]);
            assert!(faults >= 5, "{args:?}, {fault:?}");
        }
    }
    assert!(folder.read("good") == good);
}

#[test]
fn the_keyring() {
    let folder = Folder::without_keyring();
    folder.run(&["key", "create", "default"]).said("made the keyring");
    folder.run(&["seal", "plain", "-o", "good"]).ok();
    let before = folder.read("keyring");
    let data = format!("XDG_DATA_HOME={}", folder.path("data").display());
    let by_default = ["-u", "OBJSEAL_KEYRING", &data];
    let cases: [(&[&str], &[&str], bool); 4] = [
        (&[], &["key", "create", "default"], false),
        (&by_default, &["seal", "plain", "-o", "first", "-t", "1"], false),
        (&[], &["key", "create", "second"], true),
        (&[], &["key", "rotate", "default"], true),
    ];
    for (env, args, exists) in cases {
        for fault in FAULTS {
            let reset = || {
                let _ = fs::remove_dir_all(folder.path("data"));
                let mut names = folder.others();
                names.retain(|name| name != "good");
                remove(&folder, &names);
                if exists {
                    folder.run(&["key", "create", "default"]).said("made the keyring");
                    fs::write(folder.path("keyring"), &before).expect("written");
                }
            };
            let check = |_: &Ended, injection: &str| {
                check_parts(&folder, fault, injection);
                if exists {
                    // Old or new, the old key is in it.
                    folder.run(&["verify", "good"]).ok();
                }
                // The next change gets through, whether there is a keyring or not, and removes what a kill has left.
                let next = folder.command_behind("env", env, &["key", "create", "next"]).output().expect("it runs");
                assert_eq!(next.status.code(), Some(0), "{injection}: {}", String::from_utf8_lossy(&next.stderr));
                if args[0] == "key" {
                    assert_eq!(parts(&folder), Vec::<String>::new(), "{injection}");
                }
            };
            let faults = at_every_call(&folder, &CALLS, env, args, fault, reset, check);
            println!("interrupted: {} {} with {fault:?}: {faults} faults", args[0], args[1]);
            assert!(faults >= 5, "{args:?}, {fault:?}");
        }
    }
}

#[test]
fn rewrapping() {
    let folder = Folder::with_keyring();
    folder.run(&["key", "create", "other"]).ok();
    folder.run(&["seal", "plain", "-o", "good"]).ok();
    for fault in FAULTS {
        let reset = || {
            fs::copy(folder.path("good"), folder.path("target")).expect("copied");
        };
        let check = |_: &Ended, injection: &str| {
            let verified = folder.run(&["verify", "target"]).0;
            assert_eq!(verified.status.code(), Some(0), "{injection}: {}", String::from_utf8_lossy(&verified.stderr));
            folder.run(&["rewrap", "target"]).said("rewrapped without --context");
            folder.run(&["verify", "target"]).ok();
        };
        let faults = at_every_call(&folder, &CALLS, &[], &["rewrap", "target", "-k", "other"], fault, reset, check);
        println!("interrupted: rewrap with {fault:?}: {faults} faults");
        assert!(faults >= 4, "{fault:?}");
    }
}

/// Puts the store back to what it was in the folder `before`; to none without that folder.
fn reset_store(folder: &Folder) {
    for name in ["kms", "kms-journal"] {
        let _ = fs::remove_file(folder.path(name));
    }
    for name in ["kms.audit", "kms.audit.unfinished"] {
        let _ = fs::remove_dir_all(folder.path(name));
    }
    let before = folder.path("before");
    if before.exists() {
        fs::copy(before.join("kms"), folder.path("kms")).expect("copied");
        fs::create_dir(folder.path("kms.audit")).expect("made");
        for entry in fs::read_dir(before.join("kms.audit")).expect("a folder") {
            let name = entry.expect("read").file_name();
            fs::copy(before.join("kms.audit").join(&name), folder.path("kms.audit").join(&name)).expect("copied");
        }
    }
}

/// Version and state of the key, from a store that opens and whose audit verifies.
fn key_of_store(folder: &Folder, injection: &str) -> (u64, String) {
    let list = folder.kms(&["key", "describe", "default", "--json"]).0;
    assert_eq!(list.status.code(), Some(0), "{injection}: {}", String::from_utf8_lossy(&list.stderr));
    let key: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
    let verified = folder.kms(&["key", "audit", "verify"]).0;
    assert_eq!(verified.status.code(), Some(0), "{injection}: {}", String::from_utf8_lossy(&verified.stderr));
    (key["KeyVersion"].as_u64().expect("a number"), key["KeyState"].as_str().expect("text").into())
}

#[test]
fn the_first_key_of_a_key_management_service() {
    let folder = Folder::with_keyring();
    let args = ["key", "create", "default", "--kms", "local:kms"];
    for fault in FAULTS {
        let check = |ended: &Ended, injection: &str| {
            let done = ended.0.status.code() == Some(0);
            // Whether there is no store, one without the key, or one with it.
            let next = folder.run(&args).0;
            let said = String::from_utf8_lossy(&next.stderr).into_owned();
            let there = said.contains("there is a key \"default\" already");
            assert!(next.status.code() == Some(0) && !done || there, "{injection}: {said}");
            assert_eq!(key_of_store(&folder, injection), (1, "Enabled".into()), "{injection}");
        };
        // That files cannot be opened is for the other test: here there are many.
        let calls = &CALLS_OF_KMS[1..];
        let faults = at_every_call(&folder, calls, &WITHOUT_CARGO, &args, fault, || reset_store(&folder), check);
        println!("interrupted: key create --kms with {fault:?}: {faults} faults");
        assert!(faults >= 20, "{fault:?}");
    }
}

#[test]
fn changes_of_a_key_management_service() {
    let folder = Folder::with_kms();
    folder.kms(&["seal", "plain", "-o", "good"]).ok();
    fs::create_dir(folder.path("before")).expect("made");
    for name in ["kms", "kms.audit"] {
        fs::rename(folder.path(name), folder.path("before").join(name)).expect("moved");
    }
    for (command, new) in [("rotate", (2, "Enabled")), ("disable", (1, "Disabled"))] {
        let args = ["key", command, "default", "--kms", "local:kms"];
        for fault in FAULTS {
            let check = |ended: &Ended, injection: &str| {
                let (version, state) = key_of_store(&folder, injection);
                let found = (version, state.as_str());
                assert!(found == new || found == (1, "Enabled"), "{injection}: {found:?}");
                // What is reported as done is there.
                assert!(found == new || ended.0.status.code() != Some(0), "{injection}: {found:?}");
                folder.kms(&["key", "enable", "default"]).ok();
                folder.kms(&["verify", "good"]).ok();
            };
            let faults =
                at_every_call(&folder, &CALLS_OF_KMS, &WITHOUT_CARGO, &args, fault, || reset_store(&folder), check);
            println!("interrupted: key {command} --kms with {fault:?}: {faults} faults");
            assert!(faults >= 20, "{fault:?}");
        }
    }
}

/// File systems on which a file without a name can get none, and on which no file gets a second one.
const WITHOUT_UNNAMED: &str = "inject=linkat:error=EPERM:when=1";
const WITHOUT_LINKS: &str = "inject=linkat:error=EPERM";

#[test]
fn a_kill_leaves_no_name() {
    let folder = Folder::with_keyring();
    fs::write(folder.path("plain"), plaintext(20 << 20)).expect("written");
    // The second write is one of many to the output.
    let run = |more: &[&str], args: &[&str]| {
        let strace = ["-f", "-qqq", "-o", "trace", "-e", "trace=write,linkat", "-e", "inject=write:signal=KILL:when=2"];
        let args = [&["seal", "plain", "-o", "target"], args].concat();
        let ended = folder.command_behind("strace", &[&strace, more].concat(), &args).output().expect("strace runs");
        assert_eq!(ended.status.code(), None, "{}", String::from_utf8_lossy(&ended.stderr));
        fs::remove_file(folder.path("trace")).expect("removed");
    };
    for args in [&[][..], &["--force"]] {
        run(&[], args);
        assert_eq!(folder.others(), Vec::<String>::new());
    }
    // Elsewhere it leaves one file that nobody else can read, and the next run removes it.
    for (file_system, args) in
        [(WITHOUT_UNNAMED, &[][..]), (WITHOUT_UNNAMED, &["--force"]), (WITHOUT_LINKS, &["--force"])]
    {
        run(&["-e", file_system], args);
        let [part] = &folder.others()[..] else { panic!("{:?}", folder.others()) };
        assert!(part.starts_with(".objseal-") && !folder.read(part).is_empty());
        assert_eq!(folder.mode(part), 0o600);
        folder.run(&[&["seal", "plain", "-o", "target"], args].concat()).ok();
        assert_eq!(folder.others(), ["target"]);
        fs::remove_file(folder.path("target")).expect("removed");
    }
}

#[test]
fn a_signal_before_the_last_step_wins() {
    let folder = Folder::with_keyring();
    fs::write(folder.path("plain"), plaintext(1000)).expect("written");
    for file_system in ["inject=linkat:delay_enter=1", WITHOUT_UNNAMED, WITHOUT_LINKS] {
        // The signal comes while the whole file is made to last, and who removes the file is slow.
        let mut strace =
            vec!["--default-signal=TERM", "strace", "-f", "-qqq", "-o", "trace", "-e", "trace=fsync,linkat,/unlink"];
        strace.extend(["-e", "inject=fsync:signal=TERM:when=1", "-e", "inject=/unlink:delay_enter=200000"]);
        strace.extend(["-e", file_system]);
        let ended = folder.command_behind("env", &strace, &["seal", "plain", "-o", "target"]).output();
        let trace = String::from_utf8_lossy(&folder.read("trace")).into_owned();
        assert_eq!(ended.expect("it runs").status.code(), Some(143), "{trace}");
        assert_eq!(folder.others(), ["trace"]);
        assert!(trace.contains("SIGTERM") && trace.contains("(DELAYED)"), "{trace}");
    }
}

#[test]
fn a_signal_while_signals_are_made_to_wait_does_not_hang() {
    let folder = Folder::with_keyring();
    let mut ends = 0;
    for number in 1.. {
        let injection = format!("inject=rt_sigaction:signal=INT:when={number}");
        let strace = ["10", "strace", "-f", "-qqq", "-o", "trace", "-e", "trace=rt_sigaction", "-e", &injection];
        let ended = folder.command_behind("timeout", &strace, &["seal", "plain", "-o", "target", "--force"]).output();
        let ended = ended.expect("it runs").status.code();
        assert_ne!(ended, Some(124), "the signal at call {number} ended nothing");
        ends += usize::from(ended == Some(130));
        if !String::from_utf8_lossy(&folder.read("trace")).contains("--- SIGINT") {
            break;
        }
    }
    assert!(ends > 0, "not one of the signals was waited for");
}

#[test]
fn a_signal_in_the_last_step_waits_for_it() {
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain", "-o", "target"]).ok();
    let before = folder.read("target");
    // The file has a name of its own then, and is slow to get that of its target.
    let strace = [
        "--default-signal=TERM",
        "strace",
        "-f",
        "-qqq",
        "-o",
        "trace",
        "-e",
        "trace=linkat,rename",
        "-e",
        "inject=linkat:signal=TERM:when=2",
        "-e",
        "inject=rename:delay_enter=200000",
    ];
    let ended = folder.command_behind("env", &strace, &["seal", "plain", "-o", "target", "--force"]).output();
    let trace = String::from_utf8_lossy(&folder.read("trace")).into_owned();
    assert!([Some(143), Some(0)].contains(&ended.expect("it runs").status.code()), "{trace}");
    assert!(trace.contains("SIGTERM") && trace.contains("(DELAYED)"), "{trace}");
    assert_eq!(folder.others(), ["target", "trace"]);
    assert!(folder.read("target") != before);
    folder.run(&["verify", "target"]).ok();
}

#[test]
fn fifty_kills() {
    let folder = Folder::with_keyring();
    let plain = plaintext(24 << 20);
    fs::write(folder.path("plain"), &plain).expect("written");
    let start = Instant::now();
    folder.run(&["seal", "plain", "-o", "good"]).ok();
    let whole = start.elapsed();
    let (mut absent, mut old, mut new) = (0, 0, 0);
    for number in 0..50 {
        let replaces = number % 2 == 1;
        if replaces {
            fs::write(folder.path("target"), "before").expect("written");
        }
        let mut child = piped(&mut folder.command(&["seal", "plain", "-o", "target", "--force"]));
        // Wherever it comes, the result must be right; that is spread over the time that sealing takes.
        std::thread::sleep(whole.mul_f64(f64::from(number) / 45.0).min(Duration::from_secs(5)));
        // It may have ended.
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        let ended = child.wait().expect("it ends");
        match fs::read(folder.path("target")) {
            Err(_) => {
                assert!(!replaces && !ended.success());
                absent += 1;
            }
            Ok(target) if target == b"before" => {
                assert!(!ended.success());
                old += 1;
            }
            Ok(_) => {
                folder.run(&["verify", "target"]).ok();
                new += 1;
            }
        }
        // What a kill has left is for the next run.
        let names = folder.others();
        assert!(parts(&folder).len() <= 1, "{names:?}");
        remove(&folder, &names.into_iter().filter(|name| name == "target").collect::<Vec<_>>());
    }
    folder.run(&["seal", "plain", "-o", "target"]).ok();
    assert_eq!(folder.others(), ["good", "target"]);
    println!("interrupted: 50 kills: target absent {absent}, old {old}, new {new}");
}
