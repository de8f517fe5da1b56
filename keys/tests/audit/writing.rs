//! Appending, syncing, opening again.

use super::shared::*;
use objseal::Key;
use objseal_keys::audit::{AuditError, AuditLog, Event, Fault, Flush, Head, Options};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

fn head_bytes(folder: &Folder) -> Vec<u8> {
    fs::read(folder.path().join("head")).expect("head")
}

fn detail(folder: &Folder) -> String {
    let events = folder.events();
    let line: serde_json::Value = serde_json::from_str(events.last().expect("an event")).expect("JSON");
    line["detail"].as_str().unwrap_or_default().to_owned()
}

fn append_raw(path: &Path, bytes: &[u8]) {
    fs::OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

#[test]
fn lines_and_heads_say_what_was_appended_and_go_on_after_opening_again() {
    let folder = Folder::new();
    let log = folder.create(options());
    let time = |seconds| SystemTime::UNIX_EPOCH + BEGIN + Duration::from_secs(seconds);
    let zero = Head { store_id: STORE, sequence: 0, mac: [0; 32], generation: 0, time: time(0) };
    assert_eq!(log.head(), zero);
    let heads = append(&log, 10);
    for (head, number) in heads.iter().zip(1..) {
        assert_eq!((head.store_id, head.sequence, head.time), (STORE, number, time(number)));
    }
    assert_eq!(log.head(), heads[9]);
    log.close().expect("closed");
    for (line, head) in folder.events().iter().zip(&heads) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(line["sequence"], head.sequence);
        assert_eq!(line["principal"], format!("user {}", head.sequence - 1));
        let json: serde_json::Value = serde_json::from_str(&head.to_json()).expect("JSON");
        assert_eq!((&line["mac"], &line["storeId"], &line["time"]), (&json["mac"], &json["storeId"], &json["time"]));
    }
    let log = folder.open();
    assert_eq!(log.head(), heads[9]);
    assert_eq!(append(&log, 1)[0].sequence, 11);
    log.close().expect("closed");
    let report = folder.verify(&heads).expect("verified");
    assert_eq!((report.first_sequence, report.lines, report.anchors, report.unfinished_line), (1, 11, 10, false));
    assert_eq!(report.last.sequence, 11);
    assert!(report.segments > 2);
}

#[test]
fn only_the_owner_can_read_the_files() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 8);
    assert_eq!(mode(&folder.path()), 0o700);
    for name in ["head", "lock", "audit-0000000001.jsonl", "audit-0000000002.jsonl"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn no_segment_is_longer_than_the_options_say_unless_one_line_is() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 20);
    let long = "x".repeat(3000);
    log.append(&event(&long, "Success")).expect("appended");
    append(&log, 5);
    log.close().expect("closed");
    let mut longer = 0;
    for number in 1..=folder.verify(&[]).expect("verified").segments {
        let text = folder.text(number);
        assert!(text.lines().count() >= 2, "segment {number} has no event");
        longer += u64::from(text.len() as u64 > SEGMENT_LEN);
    }
    assert_eq!(longer, 1);
}

#[test]
fn a_second_log_is_not_made_in_a_folder_that_has_one() {
    let folder = Folder::new();
    let create = || AuditLog::create(&folder.path(), STORE, &first_key(), seal_key(), options());
    let refused = || matches!(create(), Err(AuditError::AlreadyExists));
    append(&folder.create(options()), 1);
    assert!(refused());
    fs::remove_file(folder.path().join("head")).expect("removed");
    assert!(refused(), "without its head");
    // What a call leaves that did not end.
    let text = folder.text(1);
    replace(folder.segment(1), text.lines().next().expect("a header").to_owned() + "\n");
    append(&create().expect("created"), 1);
    assert_eq!(folder.verify(&[]).expect("verified").lines, 1);
}

#[test]
fn a_log_in_memory_has_the_same_chain() {
    let log = AuditLog::in_memory(STORE, &first_key(), options());
    let heads = append(&log, 9);
    log.flush().expect("nothing to sync");
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    replace(folder.segment(1), log.lines().join("\n") + "\n");
    let report = folder.verify(&heads).expect("verified");
    assert_eq!((report.lines, report.segments, report.anchors), (9, 1, 9));
    assert_eq!(report.last.mac, heads[8].mac);
}

#[test]
fn the_head_goes_on_with_each_flush_and_its_other_slot_is_empty() {
    let folder = Folder::new();
    let log = folder.create(options());
    let before = head_bytes(&folder);
    append(&log, 1);
    assert!(head_bytes(&folder) == before, "it went on before the flush");
    for _ in 0..3 {
        append(&log, 1);
        let before = head_bytes(&folder);
        log.flush().expect("flushed");
        let after = head_bytes(&folder);
        assert!(after != before);
        let slots = [&after[..4096], &after[4096..]];
        assert_eq!(slots.iter().filter(|slot| slot.iter().all(|&byte| byte == 0)).count(), 1, "an old key is left");
        log.flush().expect("flushed");
        assert!(head_bytes(&folder) == after, "it was written for nothing");
    }
    drop(log);
    let every_line = Options { flush: Flush::EveryLine, ..options() };
    let log = AuditLog::open(&folder.path(), STORE, seal_key(), every_line).expect("opened");
    let before = head_bytes(&folder);
    append(&log, 1);
    assert!(head_bytes(&folder) != before, "it did not go on with the line");
}

#[test]
fn dropping_a_log_syncs_it() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 1);
    let before = head_bytes(&folder);
    drop(log);
    assert!(head_bytes(&folder) != before);
}

#[test]
fn generations_rise_and_outlive_the_process() {
    let folder = Folder::new();
    let a = folder.create(options());
    let b = folder.open();
    let change = Event { generation: Some(5), ..event("admin", "Success") };
    assert_eq!(a.append(&change).expect("appended").generation, 0, "it is not committed yet");
    a.note_generation(5).expect("noted");
    assert_eq!(a.head().generation, 5);
    a.flush().expect("flushed");
    b.note_generation(3).expect("noted");
    b.flush().expect("flushed");
    assert_eq!(b.head().generation, 5, "another process knew of a later one");
    a.note_generation(4).expect("noted");
    drop((a, b));
    let log = folder.open();
    assert_eq!(log.head().generation, 5);
    assert_eq!(append(&log, 1)[0].generation, 5);
    assert_eq!(folder.verify(&[]).expect("verified").last.generation, 5);
    // Without a line, and with a sync for each.
    let every_line = Options { flush: Flush::EveryLine, ..options() };
    let other = AuditLog::open(&folder.path(), STORE, seal_key(), every_line).expect("opened");
    other.note_generation(6).expect("noted");
    assert_eq!(folder.open().head().generation, 6);
}

#[test]
fn two_logs_of_one_folder_follow_each_other_through_segments() {
    let folder = Folder::new();
    let a = folder.create(options());
    let b = folder.open();
    let mut sequences = Vec::new();
    for round in 0..12 {
        sequences.extend(append(&a, round % 4).iter().map(|head| head.sequence));
        sequences.extend(append(&b, round % 3).iter().map(|head| head.sequence));
        if round % 5 == 0 {
            a.flush().expect("flushed");
        }
    }
    assert!(sequences.iter().copied().eq(1..=30));
    b.flush().expect("flushed");
    let later = head_bytes(&folder);
    a.close().expect("closed");
    assert!(head_bytes(&folder) == later, "a later head was replaced by an earlier one");
    drop(b);
    assert_eq!(folder.open().head().sequence, 30);
    assert_eq!(folder.verify(&[]).expect("verified").lines, 30);
}

#[test]
fn lines_behind_the_head_are_taken_after_a_crash() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 3);
    log.flush().expect("flushed");
    // Over the end of the segment.
    let last = append(&log, 7).pop();
    let crashed = folder.copy();
    assert_eq!(Some(crashed.open().head()), last);
    let again = crashed.open();
    assert_eq!(append(&again, 1)[0].sequence, 11);
    drop(again);
    assert_eq!(crashed.verify(&[]).expect("verified").lines, 11);
}

#[test]
fn an_unfinished_line_is_cut_off_and_the_next_one_says_so() {
    let folder = Folder::new();
    let log = folder.create(Options { segment_len: 1 << 20, ..options() });
    append(&log, 3);
    log.flush().expect("flushed");
    append(&log, 2);
    let text = folder.text(1);
    let ends: Vec<usize> = text.match_indices('\n').map(|(index, _)| index + 1).collect();
    // At every byte of what came after the flush.
    for len in ends[3]..=text.len() {
        let crashed = folder.copy();
        replace(crashed.segment(1), &text[..len]);
        let whole = ends.iter().filter(|&&end| end <= len).count();
        let left = len - ends[whole - 1];
        let log = crashed.open();
        assert_eq!(log.head().sequence, whole as u64 - 1, "at {len}");
        assert_eq!(crashed.text(1).len(), ends[whole - 1], "at {len}");
        append(&log, 1);
        let said = match left {
            0 => String::new(),
            left => format!("an unfinished line of {left} bytes before this one was cut off"),
        };
        assert_eq!(detail(&crashed), said, "at {len}");
        append(&log, 1);
        assert_eq!(detail(&crashed), "");
        assert_eq!(crashed.verify(&[]).expect("verified").lines, whole as u64 + 1);
    }
}

#[test]
fn a_living_log_cuts_off_what_another_process_left_unfinished() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 1);
    append_raw(&folder.segment(1), b"{\"sequence\":2,");
    append(&log, 1);
    assert_eq!(detail(&folder), "an unfinished line of 14 bytes before this one was cut off");
    // However long it is.
    append_raw(&folder.segment(1), &vec![0; 200_000]);
    append(&log, 1);
    assert_eq!(detail(&folder), "an unfinished line of 200000 bytes before this one was cut off");
    assert_eq!(folder.verify(&[]).expect("verified").lines, 3);
}

#[test]
fn lines_that_are_not_of_this_log_stop_it() {
    let folder = Folder::new();
    let log = folder.create(Options { segment_len: 1 << 20, ..options() });
    append(&log, 3);
    log.flush().expect("flushed");
    append(&log, 2);
    let text = folder.text(1);
    let lines: Vec<&str> = text.lines().collect();
    let long = "x".repeat(70_000);
    let changed = lines[4].replace("user 0", "user 1");
    let other_store = lines[4].replace("5a5a5a5a-", "6a5a5a5a-");
    // Of six lines, the last two came after the head.
    let cases = [
        (vec![lines[3], &changed, lines[5]], 5, Fault::Changed),
        (vec![lines[3], lines[5]], 5, Fault::Missing),
        (vec![lines[3], lines[4], lines[4], lines[5]], 6, Fault::Misplaced),
        (vec![lines[3], lines[5], lines[4]], 5, Fault::Missing),
        (vec![lines[3], lines[4], lines[5], "{}"], 7, Fault::Changed),
        (vec![lines[3], lines[4], lines[5], ""], 7, Fault::Changed),
        (vec![lines[3], lines[4], lines[5], &long], 7, Fault::TooLong),
        (vec![lines[3], &other_store], 5, Fault::OtherStore),
        // Before the head.
        (vec![], 5, Fault::Missing),
        (vec![lines[2]], 5, Fault::Changed),
    ];
    for (tail, number, fault) in cases {
        let crashed = folder.copy();
        let content = [&lines[..3], &tail].concat().join("\n") + "\n";
        replace(crashed.segment(1), content);
        let opened = AuditLog::open(&crashed.path(), STORE, seal_key(), options());
        let Err(AuditError::Damaged { segment: 1, line, why }) = opened else { panic!("{fault:?}: {opened:?}") };
        assert_eq!((line, why), (number, fault));
    }
    // The same in a log that is open, again and again.
    let before = folder.text(1);
    append_raw(&folder.segment(1), b"{}\n");
    for _ in 0..2 {
        let refused = log.append(&event("u", "Success"));
        assert!(
            matches!(refused, Err(AuditError::Damaged { segment: 1, line: 7, why: Fault::Changed })),
            "{refused:?}"
        );
    }
    // Until it is repaired.
    fs::write(folder.segment(1), before).expect("written");
    append(&log, 1);
    assert_eq!(folder.verify(&[]).expect("verified").lines, 6);
}

#[test]
fn a_log_whose_files_are_removed_takes_nothing_more() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 1);
    fs::remove_file(folder.segment(1)).expect("removed");
    let refused = log.append(&event("u", "Success"));
    assert!(matches!(refused, Err(AuditError::Damaged { why: Fault::MissingSegment, .. })), "{refused:?}");
    let folder = Folder::new();
    let log = folder.create(options());
    fs::remove_file(folder.path().join("lock")).expect("removed");
    let refused = log.append(&event("u", "Success"));
    assert!(refused.expect_err("it is refused").to_string().contains("its lock was removed"));
    append(&folder.open(), 1);
}

#[test]
fn segments_that_have_ended_can_be_removed_under_a_log_that_is_open() {
    let folder = Folder::new();
    let (a, b) = (folder.create(options()), folder.open());
    append(&a, 9);
    a.flush().expect("flushed");
    fs::remove_file(folder.segment(1)).expect("removed");
    assert_eq!(append(&b, 1)[0].sequence, 10);
    drop((a, b));
    assert_eq!(append(&folder.open(), 1)[0].sequence, 11);
}

#[test]
fn the_head_opens_under_its_key_for_its_store_only() {
    let folder = Folder::new();
    append(&folder.create(options()), 5);
    let open = |folder: &Folder, store, key| AuditLog::open(&folder.path(), store, key, options());
    let refused = |opened: Result<AuditLog, AuditError>| matches!(opened, Err(AuditError::Head));
    assert!(open(&folder, STORE, seal_key()).is_ok());
    assert!(refused(open(&folder, STORE, Key::from_bytes(&[10; 32]))));
    assert!(refused(open(&folder, [1; 16], seal_key())));
    // The head of another store under the same key.
    let other = Folder::new();
    drop(AuditLog::create(&other.path(), [1; 16], &first_key(), seal_key(), options()).expect("created"));
    let head = folder.path().join("head");
    let good = fs::read(&head).expect("head");
    fs::copy(other.path().join("head"), &head).expect("copied");
    assert!(refused(open(&folder, STORE, seal_key())));
    // One slot is empty. A Cobblestone message of 168 bytes is in the other, and nothing behind it.
    let slot = if good[..4096].iter().any(|&byte| byte != 0) { 0 } else { 4096 };
    let context = [&b"objseal/v1/audit/head"[..], &STORE].concat();
    let state = objseal::cobblestone::open(&seal_key(), &context, &good[slot..slot + 240]).expect("opened");
    assert_eq!(state[8..24], STORE);
    for index in 0..good.len() {
        let within = (slot..slot + 240).contains(&index);
        if !within && index % 100 != 0 {
            continue;
        }
        let mut changed = good.clone();
        changed[index] ^= 1;
        replace(&head, &changed);
        assert_eq!(refused(open(&folder, STORE, seal_key())), within, "byte {index}");
    }
    for len in [0, 1, 240, 4096, 4096 + 239] {
        replace(&head, &good[..len]);
        assert!(refused(open(&folder, STORE, seal_key())), "{len} bytes");
    }
    fs::remove_file(&head).expect("removed");
    assert!(refused(open(&folder, STORE, seal_key())));
    replace(&head, &good);
    assert_eq!(append(&folder.open(), 1)[0].sequence, 6);
}

#[test]
fn an_older_head_changes_nothing() {
    let folder = Folder::new();
    let log = folder.create(options());
    append(&log, 2);
    log.flush().expect("flushed");
    let older = head_bytes(&folder);
    let last = append(&log, 9).pop();
    log.close().expect("closed");
    replace(folder.path().join("head"), older);
    let log = folder.open();
    assert_eq!(Some(log.head()), last);
    append(&log, 1);
    drop(log);
    assert_eq!(folder.verify(&[]).expect("verified").lines, 12);
}

#[test]
fn a_head_without_its_lines_is_damage() {
    let folder = Folder::new();
    append(&folder.create(options()), 10);
    let segments = folder.verify(&[]).expect("verified").segments;
    let text = folder.text(segments);
    for len in 0..text.len() {
        replace(folder.segment(segments), &text[..len]);
        let opened = AuditLog::open(&folder.path(), STORE, seal_key(), options());
        let Err(AuditError::Damaged { segment, why: Fault::Missing, .. }) = opened else { panic!("{len}: {opened:?}") };
        assert_eq!(segment, segments);
        assert_eq!(folder.text(segments).len(), len, "something was changed");
    }
    fs::remove_file(folder.segment(segments)).expect("removed");
    let opened = AuditLog::open(&folder.path(), STORE, seal_key(), options());
    assert!(matches!(opened, Err(AuditError::Damaged { why: Fault::MissingSegment, .. })), "{opened:?}");
}

#[test]
fn a_folder_without_a_log_is_not_found() {
    let folder = Folder::new();
    for made in [false, true] {
        if made {
            fs::create_dir(folder.path()).expect("a folder");
        }
        let opened = AuditLog::open(&folder.path(), STORE, seal_key(), options());
        let Err(AuditError::Io { source, .. }) = opened else { panic!("{opened:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    }
}
