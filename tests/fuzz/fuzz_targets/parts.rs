//! An object in parts, or the upload before it, of which stored bytes were changed, opens to its plaintext or is refused, and
//! an upload that goes on comes to an object that opens.
#![no_main]

mod golden;

use golden::{OPTIONS, change, golden, plaintext};
use libfuzzer_sys::fuzz_target;
use objseal::checksums::of_parts;
use objseal::envelope::{DemandedContext, EncryptionContext, OpenOptions, Part, PartStore, PartsReader, Upload};
use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

const FOLDERS: [&str; 6] = [
    "parts",
    "parts-detached",
    "layers-parts",
    "layers-parts-detached",
    "parts-checksums",
    "layers-parts-checksums-detached",
];
const FILES: [&str; 9] =
    ["envelope", "table", "1.part", "2.part", "10.part", "upload", "1.receipt", "2.receipt", "10.receipt"];

static STORED: LazyLock<[BTreeMap<&str, Vec<u8>>; 6]> = LazyLock::new(|| {
    FOLDERS.map(|folder| {
        let there = FILES.into_iter().filter(|&file| file != "table" || folder.ends_with("detached"));
        there.map(|file| (file, golden(&format!("{folder}/{file}")))).collect()
    })
});

/// Opens the objects in parts that are bound to pairs which are not stored.
static BOUND_OPTIONS: LazyLock<OpenOptions> = LazyLock::new(|| {
    let mut options = OPTIONS.clone();
    let mut known = EncryptionContext::new();
    known.bind("bucket", "photos").and_then(|()| known.bind("key", "cats/cat.jpg")).expect("two pairs");
    options.policy_mut().context = DemandedContext::Known(known);
    options
});

/// What the golden uploads are bound to.
static UPLOAD_PLACE: LazyLock<EncryptionContext> = LazyLock::new(|| {
    let pairs = [("bucket", "photos"), ("key", "cats/cat.jpg"), ("upload id", "17")];
    EncryptionContext::from_pairs(pairs).expect("three pairs")
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
    let (folder, file) = (usize::from(which) % FOLDERS.len(), usize::from(which) / FOLDERS.len() % FILES.len());
    let options = if FOLDERS[folder].contains("checksums") { &*BOUND_OPTIONS } else { &*OPTIONS };
    let mut stored = STORED[folder].clone();
    if let Some(bytes) = stored.get_mut(FILES[file]) {
        change(bytes, changes);
    }
    let plain = plaintext(40_000);
    if let Ok(upload) = OPTIONS.resume_upload(&stored["upload"], &UPLOAD_PLACE) {
        go_on(&upload, options, &stored);
    }
    let Ok(envelope) = options.open(&stored["envelope"]) else { return };
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

/// Goes on with an upload whose state opened.
fn go_on(upload: &Upload, options: &OpenOptions, stored: &BTreeMap<&'static str, Vec<u8>>) {
    // What is sealed in the state is what was sealed, so the object's own keys are those of the upload.
    let parts = upload.unlock(options).expect("the keys of the object");
    assert!(parts.part(3).is_ok());
    let receipts: Vec<_> = [1, 2, 10].iter().map(|number| &stored[&*format!("{number}.receipt")][..]).collect();
    let mut named = Vec::new();
    for (number, receipt) in [1, 2, 10].into_iter().zip(&receipts) {
        let Ok(receipt) = upload.open_receipt(receipt) else { return };
        assert!(receipt.number == number);
        named.push((number, receipt.attributes.etag.expect("there is one")));
    }
    let named: Vec<_> = named.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let selection = upload.select(&named, &receipts).expect("all are there");
    let completed = upload.complete(&selection, &of_parts(&selection.attributes()), 0).expect("completed");
    let envelope = options.open(&completed.head).expect("authentic");
    let table = envelope.part_table(completed.table.as_deref()).expect("authentic");
    // The bodies may have been changed.
    if let Ok(bytes) = PartsReader::new(&envelope, table, Store(stored)).open_range(0..40_000) {
        assert!(bytes == plaintext(40_000));
    }
}
