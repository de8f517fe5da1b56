//! Heads that are kept elsewhere.

use super::shared::*;
use objseal_keys::audit::{Anchor, AuditError, AuditLog, CommandAnchor, Flush, Head, Options};
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
struct Notes {
    heads: Mutex<Vec<Head>>,
    fails: AtomicBool,
}

impl Anchor for Notes {
    fn publish(&self, head: &Head) -> io::Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("out of paper"));
        }
        self.heads.lock().expect("locked").push(head.clone());
        Ok(())
    }
}

impl Notes {
    fn sequences(&self) -> Vec<u64> {
        self.heads.lock().expect("locked").iter().map(|head| head.sequence).collect()
    }
}

fn with_notes(flush: Flush) -> (Folder, AuditLog, Arc<Notes>) {
    let (folder, notes) = (Folder::new(), Arc::new(Notes::default()));
    let log = folder.create(Options { flush, anchor: Some(Arc::clone(&notes) as _), ..options() });
    (folder, log, notes)
}

#[test]
fn an_anchor_is_told_after_each_flush_with_new_lines() {
    let (folder, log, notes) = with_notes(options().flush);
    log.flush().expect("flushed");
    append(&log, 3);
    assert_eq!(notes.sequences(), [0; 0]);
    log.flush().expect("flushed");
    log.flush().expect("flushed");
    let last = append(&log, 2).pop().expect("a head");
    log.note_generation(8).expect("noted");
    log.close().expect("closed");
    assert_eq!(notes.sequences(), [3, 5]);
    let heads = notes.heads.lock().expect("locked");
    assert_eq!(heads[1], Head { generation: 8, ..last });
    assert_eq!(folder.verify(&heads).expect("verified").anchors, 2);
}

#[test]
fn an_anchor_that_fails_stops_the_log_until_it_takes_the_head() {
    let (folder, log, notes) = with_notes(options().flush);
    append(&log, 1);
    notes.fails.store(true, Ordering::Relaxed);
    assert!(matches!(log.flush(), Err(AuditError::Anchor(_))));
    for _ in 0..2 {
        let refused = log.append(&event("u", "Success")).expect_err("it is refused").to_string();
        assert!(refused.contains("out of paper") && refused.contains("see to the anchor"), "{refused}");
    }
    assert_eq!(folder.events().len(), 1, "a refused event was written");
    notes.fails.store(false, Ordering::Relaxed);
    append(&log, 1);
    log.close().expect("closed");
    assert_eq!(notes.sequences(), [1, 2]);
}

#[test]
fn with_a_sync_for_every_line_the_append_itself_fails() {
    let (folder, log, notes) = with_notes(Flush::EveryLine);
    append(&log, 1);
    notes.fails.store(true, Ordering::Relaxed);
    assert!(matches!(log.append(&event("u", "Success")), Err(AuditError::Anchor(_))));
    notes.fails.store(false, Ordering::Relaxed);
    append(&log, 1);
    assert_eq!(notes.sequences(), [1, 2, 3]);
    assert_eq!(folder.verify(&[]).expect("verified").lines, 3);
}

#[test]
fn a_log_opens_while_its_anchor_fails() {
    let (folder, log, notes) = with_notes(options().flush);
    append(&log, 1);
    drop(log);
    notes.fails.store(true, Ordering::Relaxed);
    let with_anchor = Options { anchor: Some(Arc::clone(&notes) as _), ..options() };
    let log = AuditLog::open(&folder.path(), STORE, seal_key(), with_anchor).expect("opened");
    assert!(matches!(log.append(&event("u", "Success")), Err(AuditError::Anchor(_))));
}

#[test]
fn a_command_gets_heads_as_lines() {
    let folder = Folder::new();
    let file = folder.0.path().join("heads");
    let script = r#"cat >> "$0""#;
    let anchor = CommandAnchor::new("sh", ["-c".into(), script.into(), file.clone().into_os_string()]);
    let log = folder.create(Options { anchor: Some(Arc::new(anchor)), ..options() });
    for _ in 0..2 {
        append(&log, 2);
        log.flush().expect("flushed");
    }
    let text = fs::read_to_string(file).expect("heads");
    let heads: Vec<Head> = text.lines().map(|line| Head::from_json(line).expect("a head")).collect();
    assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(heads[1], log.head());
}

#[test]
fn a_command_that_fails_or_does_not_end_is_a_failure() {
    let folder = Folder::new();
    let head = folder.create(options()).head();
    let run = |args: [&str; 2]| CommandAnchor::new("sh", args);
    let failed = run(["-c", "cat >/dev/null; exit 3"]).publish(&head).expect_err("it fails");
    assert!(failed.to_string().contains("exit status: 3"), "{failed}");
    let missing = CommandAnchor::new("/nowhere/at/all", [""; 0]).publish(&head).expect_err("it fails");
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let endless = run(["-c", "exec sleep 1000"]).with_limit(Duration::ZERO).publish(&head).expect_err("it fails");
    assert_eq!(endless.kind(), io::ErrorKind::TimedOut);
}
