//! Lines for people.

use super::shared::*;
use objseal_keys::audit::{Event, Filter, read};
use std::fs;
use std::time::{Duration, SystemTime};

fn sequences(folder: &Folder, filter: &Filter) -> Vec<u64> {
    let lines = read(&folder.path(), filter).expect("a folder");
    lines
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            line["sequence"].as_u64().expect("a number")
        })
        .collect()
}

fn filled() -> Folder {
    let folder = Folder::new();
    let log = folder.create(options());
    let events = [
        event("arn:a", "Success"),
        event("arn:b", "AccessDeniedException"),
        Event { operation: "Encrypt", ..event("arn:a", "Success") },
        Event { key: None, operation: "ListKeys", ..event("arn:b\"ä", "Success") },
        Event { key: Some("arn:aws:kms:us-east-1:111122223333:key/other"), ..event("arn:a", "Success") },
        event("arn:a", "Success"),
    ];
    for event in events {
        log.append(&event).expect("appended");
    }
    folder
}

#[test]
fn all_lines_are_read_as_they_are() {
    let folder = filled();
    assert!(folder.segment(2).exists());
    let lines: Vec<String> = read(&folder.path(), &Filter::default()).expect("read").map(Result::unwrap).collect();
    assert_eq!(lines, folder.events());
    assert_eq!(lines.len(), 6);
}

#[test]
fn filters_are_met_together() {
    let folder = filled();
    let some = |text: &str| Some(text.to_owned());
    let at = |seconds| Some(SystemTime::UNIX_EPOCH + BEGIN + Duration::from_secs(seconds));
    let all = Filter::default();
    let cases: [(Filter, &[u64]); 11] = [
        (Filter { principal: some("arn:a"), ..all.clone() }, &[1, 3, 5, 6]),
        (Filter { principal: some("arn:b\"ä"), ..all.clone() }, &[4]),
        (Filter { operation: some("Decrypt"), ..all.clone() }, &[1, 2, 5, 6]),
        (Filter { outcome: some("AccessDeniedException"), ..all.clone() }, &[2]),
        (Filter { key: some("arn:aws:kms:us-east-1:111122223333:key/1234abcd"), ..all.clone() }, &[1, 2, 3, 6]),
        (Filter { key: some("other"), ..all.clone() }, &[5]),
        (Filter { key: some("abcd"), ..all.clone() }, &[]),
        (Filter { since: at(4), ..all.clone() }, &[4, 5, 6]),
        (Filter { until: at(4), ..all.clone() }, &[1, 2, 3]),
        (Filter { since: at(2), until: at(3), ..all.clone() }, &[2]),
        (Filter { principal: some("arn:a"), operation: some("Decrypt"), since: at(2), ..all.clone() }, &[5, 6]),
    ];
    for (filter, expected) in cases {
        assert_eq!(sequences(&folder, &filter), expected, "{filter:?}");
    }
}

#[test]
fn lines_that_are_no_events_are_said_and_the_others_follow() {
    let folder = filled();
    let text = folder.text(1);
    let mut lines: Vec<&[u8]> = text.split_inclusive('\n').map(str::as_bytes).collect();
    let long = vec![b'x'; 100_000];
    lines.splice(2..2, [&b"nonsense\n"[..], b"\xff\n", &long, b"\n"]);
    replace(folder.segment(1), lines.concat());
    let read: Vec<_> = read(&folder.path(), &Filter::default()).expect("read").collect();
    let errors: Vec<String> = read.iter().filter_map(|line| line.as_ref().err().map(ToString::to_string)).collect();
    assert_eq!(errors.len(), 3);
    for (error, line) in errors.iter().zip(3..) {
        assert!(error.contains(&format!("audit-0000000001.jsonl, line {line}:")), "{error}");
    }
    assert_eq!(read.iter().flatten().count(), 6);
}

#[test]
fn an_unfinished_line_is_left_out() {
    let folder = filled();
    let last = fs::read_dir(folder.path()).expect("a folder").count() as u64 - 2;
    let text = folder.text(last);
    replace(folder.segment(last), &text[..text.len() - 1]);
    assert_eq!(sequences(&folder, &Filter::default()), [1, 2, 3, 4, 5]);
}
