//! A second implementation of the chain, in Python, reads our logs, and we read its.

use super::shared::*;
use objseal::envelope::EncryptionContext;
use objseal_keys::audit::Event;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn python(args: &[&str], folder: &Path) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit_reader.py");
    let (command, more) = args.split_first().expect("a command");
    let run = Command::new("python3").arg(program).arg(command).arg(folder).args(more).output();
    run.unwrap_or_else(|error| panic!("python3 does not run ({error}): apt-get install python3"))
}

fn key_as_text() -> String {
    FIRST_KEY.iter().map(|byte| format!("{byte:02x}")).collect()
}

const STORE_AS_TEXT: &str = "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a";

#[test]
fn python_reads_what_we_write() {
    let folder = Folder::new();
    let log = folder.create(options());
    let context = EncryptionContext::from_pairs([("bucket", "b\"\\\n\u{1}ä"), ("key", "😀")]).expect("a context");
    let long = "\u{2}".repeat(20_000);
    let mut heads = append(&log, 9);
    for detail in [None, Some("ä\",\"mac\":\"0\"}"), Some(&*long)] {
        let event = Event { context: Some(&context), detail, ..event("user", "AccessDeniedException") };
        heads.push(log.append(&event).expect("appended"));
    }
    log.close().expect("closed");
    let read = python(&["read", &key_as_text()], &folder.path());
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let expected: String = heads
        .iter()
        .map(|head| {
            let mac: String = head.mac.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {mac}\n", head.sequence)
        })
        .collect();
    assert_eq!(String::from_utf8_lossy(&read.stdout), expected);

    let text = folder.text(2);
    replace(folder.segment(2), text.replacen("user ", "User ", 1));
    let read = python(&["read", &key_as_text()], &folder.path());
    assert!(String::from_utf8_lossy(&read.stderr).contains("audit-0000000002.jsonl, line 2: mac"));
}

#[test]
fn we_verify_what_python_writes() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    let written = python(&["write", &key_as_text(), STORE_AS_TEXT], &folder.path());
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let report = folder.verify(&[]).expect("verified");
    assert_eq!((report.first_sequence, report.lines, report.segments), (1, 12, 3));
    let head = report.last;
    let mac: String = head.mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let macs = String::from_utf8(written.stdout).expect("text");
    assert_eq!(macs.lines().last(), Some(&*format!("12 {mac}")));
    assert_eq!((head.store_id, head.sequence, head.generation), (STORE, 12, 99));
    assert!(head.to_json().ends_with(r#""time":"2026-11-28T00:00:12.007Z"}"#), "{}", head.to_json());
}
