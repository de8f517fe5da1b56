//! No bytes in the place of a segment make whoever verifies or shows an audit log panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal_core::Key;
use objseal_kms::audit::{Filter, Head, read, verify};
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir_in("/dev/shm").expect("a folder in memory"));

fuzz_target!(|segment: &[u8]| {
    fs::write(FOLDER.path().join("audit-0000000001.jsonl"), segment).expect("written");
    let first_key = Key::from_bytes(&[7; Key::LEN]);
    let _ = verify(FOLDER.path(), &first_key, &[]);
    if let Ok(lines) = read(FOLDER.path(), &Filter::default()) {
        lines.for_each(drop);
    }
    if let Ok(text) = std::str::from_utf8(segment)
        && let Ok(head) = Head::from_json(text)
    {
        assert_eq!(Head::from_json(&head.to_json()).expect("read again"), head);
    }
});
