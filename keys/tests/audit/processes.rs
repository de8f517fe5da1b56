//! Many writers of one log.

use super::shared::*;
use objseal_keys::audit::{AuditLog, Flush, Options};
use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The folder that a process of this program appends to, with a name for its lines.
const FOLDER: &str = "OBJSEAL_AUDIT_TEST_FOLDER";
const NAME: &str = "OBJSEAL_AUDIT_TEST_NAME";
const THREADS: usize = 4;
const LINES: usize = 2_000;

/// The test below in a process of its own.
fn child(folder: &Path, name: &str) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program"));
    let args = ["--exact", "processes::threads_append_to_one_log"];
    command.args(args).env(FOLDER, folder).env(NAME, name).stdout(Stdio::null()).spawn().expect("started")
}

fn check(folder: &Folder, names: &[&str]) {
    let report = folder.verify(&[]).expect("verified");
    assert_eq!(report.lines, (names.len() * THREADS * LINES) as u64);
    // Each thread's lines are all there, in the order in which it wrote them.
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for line in folder.events() {
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let (thread, number) = line["principal"].as_str().and_then(|name| name.rsplit_once(' ')).expect("a name");
        let next = next.entry(thread.to_owned()).or_default();
        assert_eq!(number, next.to_string());
        *next += 1;
    }
    assert_eq!(next.len(), names.len() * THREADS);
    assert!(next.values().all(|&count| count == LINES));
}

/// Of this process only, or as one of several.
#[test]
fn threads_append_to_one_log() {
    let of_its_own = Folder::new();
    let other = env::var_os(FOLDER);
    let name = env::var(NAME).unwrap_or_else(|_| "one".into());
    let options = Options { flush: Flush::Within(Duration::from_millis(5)), segment_len: 200_000, ..options() };
    let log = match &other {
        Some(folder) => AuditLog::open(Path::new(folder), STORE, seal_key(), options).expect("opened"),
        None => of_its_own.create(options),
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, name) = (&log, &name);
            scope.spawn(move || {
                for number in 0..LINES {
                    log.append(&event(&format!("{name}-{thread} {number}"), "Success")).expect("appended");
                }
            });
        }
    });
    log.close().expect("closed");
    if other.is_none() {
        check(&of_its_own, &["one"]);
    }
}

#[test]
fn processes_append_to_one_log() {
    let folder = Folder::new();
    folder.create(options()).close().expect("closed");
    let mut children = [child(&folder.path(), "first"), child(&folder.path(), "second")];
    for child in &mut children {
        assert!(child.wait().expect("ended").success());
    }
    check(&folder, &["first", "second"]);
    assert_eq!(folder.open().head().sequence, (2 * THREADS * LINES) as u64);
}

#[test]
fn threads_that_sync_every_line_share_syncs_and_lose_nothing() {
    let folder = Folder::new();
    let log = folder.create(Options { flush: Flush::EveryLine, ..options() });
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| append(&log, 25));
        }
    });
    // As a process that was killed leaves it.
    let killed = folder.copy();
    assert_eq!(killed.open().head().sequence, 100);
    assert_eq!(killed.verify(&[]).expect("verified").lines, 100);
}
