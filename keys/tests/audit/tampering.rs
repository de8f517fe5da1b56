//! Whatever is done to the files is found.

use super::shared::*;
use objseal::Key;
use objseal_keys::audit::{AuditError, AuditLog, Fault, Head, Options, VerifyError, verify};
use std::collections::BTreeMap;
use std::fs;

/// A log of several segments, its heads, and the lines of each segment with their ends.
struct Log {
    folder: Folder,
    heads: Vec<Head>,
    segments: BTreeMap<u64, Vec<String>>,
}

fn log() -> Log {
    let folder = Folder::new();
    let log = folder.create(options());
    let heads = append(&log, 11);
    log.close().expect("closed");
    let count = folder.verify(&[]).expect("verified").segments;
    assert!(count >= 3);
    let lines = |number| folder.text(number).split_inclusive('\n').map(str::to_owned).collect();
    let segments = (1..=count).map(|number| (number, lines(number))).collect();
    Log { folder, heads, segments }
}

impl Log {
    /// What is found if a segment is replaced: the line, the sequence number that belongs there, and the fault.
    fn found(&self, number: u64, content: &[u8], anchors: &[Head]) -> Option<(u64, u64, u64, Fault)> {
        replace(self.folder.segment(number), content);
        let found = self.fault(anchors);
        replace(self.folder.segment(number), self.segments[&number].concat());
        found
    }

    fn fault(&self, anchors: &[Head]) -> Option<(u64, u64, u64, Fault)> {
        match self.folder.verify(anchors) {
            Ok(_) => None,
            Err(VerifyError::Damaged { segment, line, sequence, why }) => {
                let name = segment.file_name().expect("a name").to_str().expect("text");
                let number = name.trim_start_matches("audit-").trim_end_matches(".jsonl").parse().expect("a number");
                Some((number, line, sequence, why))
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn count(&self) -> u64 {
        self.segments.len() as u64
    }

    /// The sequence number that belongs to a line of a segment, both from 0 and 1.
    fn sequence(&self, number: u64, index: usize) -> u64 {
        let before: usize = self.segments.range(..number).map(|(_, lines)| lines.len() - 1).sum();
        (before + index.max(1)) as u64
    }
}

#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let log = log();
    for (&number, lines) in &log.segments {
        let content = lines.concat().into_bytes();
        let mut start = 0;
        for (index, line) in lines.iter().enumerate() {
            for at in start..start + line.len() {
                let mut changed = content.clone();
                changed[at] ^= 1;
                let found = log.found(number, &changed, &[log.heads[10].clone()]);
                let (segment, at_line, sequence, _) = found.unwrap_or_else(|| panic!("byte {at} of {number}"));
                assert_eq!((segment, at_line), (number, index as u64 + 1), "byte {at}");
                assert!(index == 0 || sequence == log.sequence(number, index), "byte {at}");
            }
            start += line.len();
        }
    }
    assert_eq!(log.fault(&log.heads), None);
}

#[test]
fn a_deleted_line_is_found() {
    let log = log();
    for (&number, lines) in &log.segments {
        for index in 0..lines.len() {
            let mut left = lines.clone();
            left.remove(index);
            let found = log.found(number, left.concat().as_bytes(), &log.heads);
            let last = index + 1 == lines.len();
            let expected = match (index, last, number == log.count()) {
                // An event is no header.
                (0, ..) => (number, 1, if number == 1 { 0 } else { log.sequence(number, 0) }, Fault::Changed),
                (_, true, true) => (number, index as u64 + 1, log.sequence(number, index), Fault::Truncated),
                (_, true, false) => (number + 1, 1, log.sequence(number, index), Fault::Missing),
                _ => (number, index as u64 + 1, log.sequence(number, index), Fault::Missing),
            };
            assert_eq!(found, Some(expected), "line {index} of {number}");
        }
    }
}

#[test]
fn a_line_that_is_there_twice_or_elsewhere_is_found() {
    let log = log();
    let all: Vec<&String> = log.segments.values().flat_map(|lines| &lines[1..]).collect();
    for (&number, lines) in &log.segments {
        for at in 1..=lines.len() {
            for line in &all {
                let mut more = lines.clone();
                more.insert(at, line.to_string());
                let found = log.found(number, more.concat().as_bytes(), &[]);
                let (segment, at_line, _, why) = found.unwrap_or_else(|| panic!("at {at} of {number}"));
                // In front of itself it is where it belongs, and what follows is there twice.
                let moved = u64::from(lines.get(at) == Some(line));
                assert_eq!((segment, at_line), (number, at as u64 + 1 + moved));
                assert!([Fault::Misplaced, Fault::Missing, Fault::Changed].contains(&why));
            }
        }
        for at in 1..lines.len() - 1 {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            let expected = (number, at as u64 + 1, log.sequence(number, at), Fault::Missing);
            assert_eq!(log.found(number, swapped.concat().as_bytes(), &[]), Some(expected));
        }
    }
}

#[test]
fn a_line_that_was_put_in_is_found() {
    let log = log();
    // As whoever does not have the keys would write it.
    let forger = AuditLog::in_memory(STORE, &Key::from_bytes(&[1; 32]), options());
    append(&forger, 11);
    let forged = forger.lines();
    for (&number, lines) in &log.segments {
        for index in 1..lines.len() {
            let mut replaced = lines.clone();
            let sequence = log.sequence(number, index);
            replaced[index] = forged[usize::try_from(sequence).expect("small")].clone() + "\n";
            let expected = (number, index as u64 + 1, sequence, Fault::Changed);
            assert_eq!(log.found(number, replaced.concat().as_bytes(), &[]), Some(expected));
        }
    }
}

#[test]
fn what_is_cut_off_at_the_end_shows_against_an_anchor() {
    let log = log();
    let number = log.count();
    let content = log.segments[&number].concat();
    let header = log.segments[&number][0].len();
    let whole = |len: usize| content[..len].matches('\n').count() as u64;
    for len in 0..content.len() {
        let cut = &content.as_bytes()[..len];
        if len < header {
            let found = log.found(number, cut, &[]);
            assert_eq!(found, Some((number, 1, log.sequence(number, 0), Fault::Unfinished)), "{len} bytes");
            continue;
        }
        replace(log.folder.segment(number), cut);
        let report = log.folder.verify(&[]).expect("nothing to compare");
        assert_eq!(report.unfinished_line, !content[..len].ends_with('\n'), "{len} bytes");
        assert_eq!(report.last.sequence, log.sequence(number, 0) + whole(len) - 2);
        let anchors = &log.heads[10..];
        let expected = (number, whole(len) + 1, report.last.sequence + 1, Fault::Truncated);
        assert_eq!(log.fault(anchors), Some(expected), "{len} bytes");
    }
}

#[test]
fn segments_that_are_missing_or_moved_are_found() {
    let log = log();
    let (remove, put) = (
        |number| fs::remove_file(log.folder.segment(number)).expect("removed"),
        |number, from: u64| replace(log.folder.segment(number), log.segments[&from].concat()),
    );
    let second = log.sequence(2, 0);
    remove(2);
    assert_eq!(log.fault(&[]), Some((2, 1, second, Fault::MissingSegment)));
    put(2, 2);
    // Two change places.
    put(1, 2);
    put(2, 1);
    assert_eq!(log.fault(&[]), Some((1, 1, 0, Fault::Misplaced)));
    put(1, 1);
    put(2, 3);
    put(3, 2);
    assert_eq!(log.fault(&[]), Some((2, 1, second, Fault::Misplaced)));
    put(2, 2);
    put(3, 3);
    // One has another name.
    fs::rename(log.folder.segment(log.count()), log.folder.segment(log.count() + 1)).expect("renamed");
    assert_eq!(log.fault(&[]).map(|found| found.3), Some(Fault::MissingSegment));
    fs::rename(log.folder.segment(log.count() + 1), log.folder.segment(log.count())).expect("renamed");
    for (number, fault) in [(0, Fault::SegmentNumber), (9_999_999_999, Fault::SegmentNumber)] {
        put(number, 1);
        assert_eq!(log.fault(&[]).map(|found| (found.0, found.3)), Some((number, fault)));
        remove(number);
    }
    // The end of one that is not the last.
    let content = log.segments[&1].concat();
    let found = log.found(1, &content.as_bytes()[..content.len() - 1], &[]);
    assert_eq!(found, Some((1, log.segments[&1].len() as u64, second - 1, Fault::Unfinished)));
    // The last one is gone, which shows against an anchor.
    remove(log.count());
    let left = log.folder.verify(&log.heads[..3]).expect("nothing to compare");
    assert_eq!(left.segments, log.count() - 1);
    assert_eq!(log.fault(&log.heads).map(|found| found.3), Some(Fault::Truncated));
}

#[test]
fn segments_can_be_removed_from_the_front_and_the_report_says_so() {
    let log = log();
    fs::remove_file(log.folder.segment(1)).expect("removed");
    let report = log.folder.verify(&log.heads).expect("verified");
    let first = log.sequence(2, 0);
    assert_eq!((report.first_sequence, report.segments, report.lines), (first, log.count() - 1, 12 - first));
    // Those that are there, and the one right before them.
    assert_eq!(report.anchors as u64, 13 - first);
    let mut other = log.heads[usize::try_from(first).expect("small") - 2].clone();
    other.mac[0] ^= 1;
    assert_eq!(log.fault(&[other]), Some((2, 1, first - 1, Fault::Rewritten)));
}

#[test]
fn a_tail_that_was_written_anew_with_the_right_keys_shows_against_an_anchor() {
    let log = log();
    let again = Folder::new();
    let other = again.create(options());
    append(&other, 5);
    other.append(&event("somebody else", "Success")).expect("appended");
    append(&other, 5);
    drop(other);
    assert_eq!(again.verify(&log.heads[..5]).expect("the same so far").anchors, 5);
    let found = again.verify(&log.heads[9..]);
    let Err(VerifyError::Damaged { sequence: 10, why: Fault::Rewritten, .. }) = found else { panic!("{found:?}") };
}

#[test]
fn a_log_of_another_store_or_under_another_key_is_found() {
    let log = log();
    let under = verify(&log.folder.path(), &Key::from_bytes(&[8; 32]), &[]);
    assert!(matches!(under, Err(VerifyError::Damaged { line: 1, why: Fault::Changed, .. })), "{under:?}");
    let mut head = log.heads[0].clone();
    head.store_id = [1; 16];
    let compared = log.folder.verify(&[log.heads[0].clone(), head.clone()]);
    assert!(matches!(compared, Err(VerifyError::OtherAnchor(other)) if other == head));
    // A segment of another store with the same keys.
    let other = Folder::new();
    append(&AuditLog::create(&other.path(), [1; 16], &first_key(), seal_key(), options()).expect("created"), 11);
    fs::copy(other.segment(2), log.folder.segment(2)).expect("copied");
    assert_eq!(log.fault(&[]), Some((2, 1, log.sequence(2, 0), Fault::OtherStore)));
    let empty = Folder::new();
    fs::create_dir(empty.path()).expect("a folder");
    assert!(matches!(empty.verify(&[]), Err(VerifyError::Empty)));
    assert!(matches!(Folder::new().verify(&[]), Err(VerifyError::Io { .. })));
}

#[test]
fn an_end_that_does_not_verify_is_set_aside_if_that_is_asked_for() {
    let made = Folder::new();
    let log = made.create(options());
    append(&log, 2);
    log.flush().expect("synced");
    let synced = made.text(1);
    let head = fs::read(made.path().join("head")).expect("read");
    append(&log, 1);
    drop(log);
    let end = made.text(1).split_off(synced.len()).into_bytes();
    // A page that was not written though a later one was; a line that is longer than any; a line that was changed.
    let zeros = [vec![0; end.len() - 1], b"\n".to_vec()].concat();
    let long = [vec![b'x'; 70_000], b"\n".to_vec()].concat();
    let mut changed = end.clone();
    changed[20] ^= 1;
    for damaged in [zeros, long, changed] {
        let as_it_was = || {
            replace(made.segment(1), [synced.as_bytes(), &damaged].concat());
            replace(made.path().join("head"), &head);
        };
        as_it_was();
        let refused = AuditLog::open(&made.path(), STORE, seal_key(), options()).map(drop);
        assert!(matches!(refused, Err(AuditError::Damaged { .. })), "{refused:?}");
        as_it_was();
        let options = Options { set_damaged_end_aside: true, ..options() };
        let log = AuditLog::open(&made.path(), STORE, seal_key(), options).expect("opened");
        append(&log, 1);
        log.close().expect("closed");
        let said = format!("{} bytes before this line did not verify and were set aside", damaged.len());
        assert!(made.text(1).contains(&said), "{}", made.text(1));
        let aside = made.path().join(format!("damaged-0000000001-{}", synced.len()));
        assert_eq!(fs::read(aside).expect("read"), damaged);
        assert_eq!(made.verify(&[]).expect("verified").lines, 3);
    }
    // Lines that were synced are not given up.
    replace(made.segment(1), &synced.as_bytes()[..synced.len() - 1]);
    replace(made.path().join("head"), &head);
    let options = Options { set_damaged_end_aside: true, ..options() };
    let refused = AuditLog::open(&made.path(), STORE, seal_key(), options).map(drop);
    assert!(matches!(refused, Err(AuditError::Damaged { .. })), "{refused:?}");
}
