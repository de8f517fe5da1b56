//! An object in parts, or the upload before it, of which stored bytes were changed, opens to its plaintext or is refused.
#![no_main]

mod golden;

use golden::{OPTIONS, change, golden, plaintext};
use libfuzzer_sys::fuzz_target;
use objseal::envelope::{Part, PartStore, PartsReader};
use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

const FOLDERS: [&str; 4] = ["parts", "parts-detached", "layers-parts", "layers-parts-detached"];
const FILES: [&str; 9] =
    ["envelope", "table", "1.part", "2.part", "10.part", "upload", "1.receipt", "2.receipt", "10.receipt"];

static STORED: LazyLock<[BTreeMap<&str, Vec<u8>>; 4]> = LazyLock::new(|| {
    FOLDERS.map(|folder| {
        let there = FILES.into_iter().filter(|&file| file != "table" || folder.ends_with("detached"));
        there.map(|file| (file, golden(&format!("{folder}/{file}")))).collect()
    })
});

struct Store<'s>(&'s BTreeMap<&'static str, Vec<u8>>);

impl<'s> PartStore for Store<'s> {
    type Body = &'s [u8];

    fn part(&self, part: &Part) -> io::Result<&'s [u8]> {
        Ok(self.0.get(&*format!("{}.part", part.number)).ok_or(io::ErrorKind::NotFound)?)
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[which], changes)) = data.split_first_chunk() else { return };
    let mut stored = STORED[usize::from(which & 3)].clone();
    let file = FILES[usize::from(which >> 2) % FILES.len()];
    if let Some(bytes) = stored.get_mut(file) {
        change(bytes, changes);
    }
    let plain = plaintext(40_000);
    if let Ok(upload) = OPTIONS.resume_upload(&stored["upload"]) {
        for number in [1, 2, 10] {
            if let Ok(receipt) = upload.open_receipt(&stored[&*format!("{number}.receipt")]) {
                assert!(receipt.number == number);
            }
        }
    }
    let Ok(envelope) = OPTIONS.open(&stored["envelope"]) else { return };
    let _ = envelope.attributes();
    let whole = envelope.parts(stored.get("table").map(Vec::as_slice));
    let Ok(table) = envelope.part_table(stored.get("table").map(Vec::as_slice)) else { return };
    let reader = PartsReader::new(&envelope, table, Store(&stored));
    for (start, end) in [(0, 40_000), (19_000, 21_000), (36_383, 36_385), (39_999, 40_000)] {
        if let Ok(bytes) = reader.open_range(start as u64..end as u64) {
            assert!(bytes == plain[start..end]);
            // Whatever is found in parts of the table is found in all of it, unless that was changed elsewhere.
            assert!(whole.is_err() || whole.as_ref().is_ok_and(|parts| parts.len() == 3));
        }
    }
});
