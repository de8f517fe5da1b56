//! The log, killed or failed by the system at every call that changes files. Every append that reported success is there,
//! and the log goes on.

use super::shared::*;
use objseal_keys::audit::{AuditLog, Flush, Options};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The folder in which a process of this program makes, or opens, a log.
const FOLDER: &str = "OBJSEAL_AUDIT_TEST_WORK";
/// The length of its segments, where it is not such that two lines go into each.
const LEN: &str = "OBJSEAL_AUDIT_TEST_SEGMENT_LEN";

/// Calls that change files or locks, or say how they are.
const CALLS: [&str; 13] = [
    "openat",
    "mkdir",
    "write",
    "lseek",
    "fsync",
    "fdatasync",
    "rename",
    "linkat",
    "unlink",
    "ftruncate",
    "flock",
    "read",
    "statx",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The process is killed instead.
    Kill,
    /// The call fails, and everything after it goes on.
    Fail(&'static str),
    /// The call and all of its kind after it fail.
    FailFrom(&'static str),
}

impl Fault {
    fn injection(self, call: &str, number: usize) -> String {
        match self {
            Self::Kill => format!("inject={call}:signal=KILL:when={number}"),
            Self::Fail(error) => format!("inject={call}:error={error}:when={number}"),
            Self::FailFrom(error) => format!("inject={call}:error={error}:when={number}+"),
        }
    }
}

/// The work that is interrupted: a log is made, or opened, and appended to through several segments; it says which lines
/// are there, and which failed.
fn work(folder: &Path) {
    let segment_len = env::var(LEN).map_or(1000, |len| len.parse().expect("a number"));
    let options = || Options { flush: Flush::EveryLine, segment_len, ..options() };
    let open = || AuditLog::open(&folder.join("audit"), STORE, seal_key(), options());
    let make = || AuditLog::create(&folder.join("audit"), STORE, &first_key(), seal_key(), options());
    let log = if folder.join("audit/head").exists() { open() } else { make() };
    let log = match log {
        Ok(log) => log,
        Err(error) => return println!("\nnot opened: {error}"),
    };
    for number in 0..5 {
        match log.append(&event(&format!("user {number}"), "Success")) {
            Ok(head) => println!("\nappended {} {}", head.sequence, head.to_json()),
            Err(error) => println!("\nfailed: {error}"),
        }
    }
}

/// Of this process, or as the one that is interrupted.
#[test]
fn the_work_is_done_without_a_fault() {
    if let Some(folder) = env::var_os(FOLDER) {
        return work(Path::new(&folder));
    }
    let folder = Folder::new();
    work(folder.0.path());
    work(folder.0.path());
    let report = folder.verify(&[]).expect("verified");
    assert_eq!((report.lines, report.segments), (10, 5));
}

/// The work in a process of its own, behind another program.
fn run(folder: &Folder, behind: &[&str]) -> Output {
    let (program, args) = behind.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(args).arg(env::current_exe().expect("this program"));
    command.args(["--exact", "interrupted::the_work_is_done_without_a_fault", "--nocapture", "--test-threads=1"]);
    let ended = command.env(FOLDER, folder.0.path()).env("RUST_BACKTRACE", "0").output();
    ended.unwrap_or_else(|error| panic!("{program} does not run ({error}): apt-get install strace"))
}

/// What is to be true after any fault. Returns how many appends reported success.
fn check(folder: &Folder, ended: &Output, fault: &str) -> usize {
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let reported: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("appended ")).collect();
    // Before the log is opened again: nothing has to be repaired to verify it.
    if folder.segment(1).exists() {
        folder.verify(&[]).unwrap_or_else(|error| panic!("{fault}: {error}\n{said}"));
    }
    // Before `head` has its name, the log is not made yet.
    let head = folder.path().join("head").exists();
    assert!(head || reported.is_empty(), "{fault}");
    let log = if head { folder.open() } else { folder.create(options()) };
    append(&log, 1);
    log.close().unwrap_or_else(|error| panic!("{fault}: {error}"));
    let anchors: Vec<_> = reported
        .iter()
        .map(|line| line.split_once(' ').and_then(|(_, json)| objseal_keys::audit::Head::from_json(json).ok()))
        .map(|head| head.expect("a head"))
        .collect();
    let report = folder.verify(&anchors).unwrap_or_else(|error| panic!("{fault}: {error}\n{said}"));
    assert_eq!(report.anchors, reported.len(), "{fault}");
    assert!(!report.unfinished_line, "{fault}");
    reported.len()
}

/// Interrupts the work at the first call, the second and so on until there is none. Returns the number of faults.
fn at_every_call(fault: Fault, call: &str, prepared: &Folder) -> usize {
    for number in 1.. {
        assert!(number < 1000, "{call}: no end");
        let folder = Folder::new();
        if prepared.path().exists() {
            copy_all(&prepared.path(), &folder.path());
        }
        let injection = fault.injection(call, number);
        let (trace, selected) = (folder.0.path().join("trace"), format!("trace={call}"));
        let strace = ["strace", "-f", "-qqq", "-o", trace.to_str().expect("text"), "-e", &selected, "-e", &injection];
        let ended = run(&folder, &strace);
        let trace = fs::read_to_string(trace).unwrap_or_else(|error| panic!("{error}: apt-get install strace"));
        let met = match fault {
            Fault::Kill => trace.contains("killed by SIGKILL"),
            _ => trace.contains("(INJECTED)"),
        };
        let reported = check(&folder, &ended, &injection);
        if call == "fdatasync" {
            // Nobody knows what of the file is on disk, whatever a later sync says.
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            let after = said.lines().skip_while(|line| !line.starts_with("failed: "));
            assert!(after.into_iter().all(|line| !line.starts_with("appended ")), "{injection}\n{said}");
        }
        if !met {
            assert_eq!(reported, 5, "{}", String::from_utf8_lossy(&ended.stdout));
            return number - 1;
        }
    }
    0
}

fn at_every_call_of_all(fault: Fault) {
    let (none, some) = (Folder::new(), Folder::new());
    work(some.0.path());
    for (prepared, name) in [(&none, "made"), (&some, "opened")] {
        let mut faults = 0;
        for call in CALLS {
            faults += at_every_call(fault, call, prepared);
        }
        println!("audit: a log that is {name}, with {fault:?}: {faults} faults");
        assert!(faults > 60, "{faults}");
    }
}

#[test]
fn a_kill_at_any_call_loses_nothing() {
    at_every_call_of_all(Fault::Kill);
}

#[test]
fn a_full_disk_at_any_call_loses_nothing() {
    at_every_call_of_all(Fault::Fail("ENOSPC"));
}

#[test]
fn a_broken_disk_at_any_call_loses_nothing() {
    at_every_call_of_all(Fault::Fail("EIO"));
}

#[test]
fn a_disk_that_stays_broken_loses_nothing() {
    at_every_call_of_all(Fault::FailFrom("EIO"));
}

#[test]
fn a_line_that_is_written_in_part_is_undone() {
    let folder = Folder::new();
    let log = folder.create(Options { segment_len: 1 << 20, ..options() });
    let len = fs::metadata(folder.segment(1)).expect("a segment").len();
    append(&log, 1);
    // Up to 100 bytes before the longest file that the system allows then, which is as long as `head`.
    let filler = usize::try_from(8192 - 100 - len - 2 * (folder.text(1).len() as u64 - len)).expect("small");
    log.append(&event(&"x".repeat(filler + "user 0".len()), "Success")).expect("appended");
    log.close().expect("closed");
    let before = folder.text(1);
    assert_eq!(before.len(), 8192 - 100);
    let len = format!("{LEN}={}", 1 << 20);
    let ended = run(&folder, &["env", "--ignore-signal=XFSZ", &len, "prlimit", "--fsize=8192"]);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(said.matches("failed: the audit log could not be used (writing a line)").count(), 5, "{said}");
    assert_eq!(folder.text(1), before);
    assert_eq!(check(&folder, &ended, "a limit"), 0);
}

#[test]
fn lines_are_synced_before_the_head_and_the_head_before_its_old_slot_is_overwritten() {
    let folder = Folder::new();
    let trace = folder.0.path().join("trace");
    let selected = "trace=write,fsync,fdatasync";
    let ended = run(&folder, &["strace", "-f", "-y", "-qqq", "-o", trace.to_str().expect("text"), "-e", selected]);
    assert_eq!(check(&folder, &ended, "none"), 5);
    let trace = fs::read_to_string(trace).unwrap_or_else(|error| panic!("{error}: apt-get install strace"));
    let (mut unsynced, mut heads, mut wipes) = (BTreeSet::new(), 0, 0);
    for line in trace.lines() {
        // PID CALL(DESCRIPTOR</PATH>, "BYTES"..., LENGTH) = RESULT
        let Some((path, rest)) = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')) else { continue };
        let name = path.rsplit('/').next().expect("a name").to_owned();
        let is_wipe = rest.starts_with(r#", "\0\0\0\0\0"#);
        if !line.contains(" write(") {
            unsynced.remove(&name);
        } else if name == "head" && is_wipe {
            assert!(unsynced.is_empty(), "{unsynced:?} before {line}");
            wipes += 1;
        } else if name == "head" {
            assert!(unsynced.is_empty(), "{unsynced:?} before {line}");
            unsynced.insert(name);
            heads += 1;
        } else if name.starts_with("audit-") {
            unsynced.insert(name);
        }
    }
    assert_eq!((heads, wipes), (5, 5), "{trace}");
    assert!(unsynced.is_empty());
}
