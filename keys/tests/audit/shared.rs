//! A log to test.

use objseal::Key;
use objseal_keys::audit::{AuditLog, Event, Flush, Head, Options, Report, VerifyError, verify};
use objseal_keys::clock::Clock;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

pub(crate) const STORE: [u8; 16] = [0x5a; 16];
pub(crate) const FIRST_KEY: [u8; 32] = [7; 32];

/// 2026-11-28T00:00:00Z.
pub(crate) const BEGIN: Duration = Duration::from_secs(1_795_824_000);

pub(crate) fn first_key() -> Key {
    Key::from_bytes(&FIRST_KEY)
}

pub(crate) fn seal_key() -> Key {
    Key::from_bytes(&[9; 32])
}

/// A second goes by each time that it is asked.
#[derive(Debug, Default)]
pub(crate) struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + BEGIN + Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// No segment is longer, so that there are four lines or so in each.
pub(crate) const SEGMENT_LEN: u64 = 1400;

/// Lines are synced when the test says so.
pub(crate) fn options() -> Options {
    let flush = Flush::Within(Duration::from_secs(1_000_000));
    Options { flush, segment_len: SEGMENT_LEN, clock: Arc::new(Ticks::default()), ..Options::default() }
}

/// The folder of a log.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    pub(crate) fn create(&self, options: Options) -> AuditLog {
        AuditLog::create(&self.path(), STORE, &first_key(), seal_key(), options).expect("created")
    }

    pub(crate) fn open(&self) -> AuditLog {
        AuditLog::open(&self.path(), STORE, seal_key(), options()).expect("opened")
    }

    pub(crate) fn verify(&self, anchors: &[Head]) -> Result<Report, VerifyError> {
        verify(&self.path(), &first_key(), anchors)
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.path().join(format!("audit-{number:010}.jsonl"))
    }

    pub(crate) fn text(&self, number: u64) -> String {
        fs::read_to_string(self.segment(number)).expect("a segment")
    }

    /// The lines of all segments without their headers.
    pub(crate) fn events(&self) -> Vec<String> {
        let segments = (1..).map_while(|number| fs::read_to_string(self.segment(number)).ok());
        segments.flat_map(|text| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// A copy of all files.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy_all(&self.path(), &copy.path());
        copy
    }
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// Writes a file anew. Writing over the old one would make some file systems sync it.
pub(crate) fn replace(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let _ = fs::remove_file(&path);
    fs::write(path, content).expect("written");
}

pub(crate) fn event<'a>(principal: &'a str, outcome: &'a str) -> Event<'a> {
    Event {
        principal,
        operation: "Decrypt",
        key: Some("arn:aws:kms:us-east-1:111122223333:key/1234abcd"),
        outcome,
        ..Event::default()
    }
}

pub(crate) fn append(log: &AuditLog, count: usize) -> Vec<Head> {
    let one = |number| log.append(&event(&format!("user {number}"), "Success")).expect("appended");
    (0..count).map(one).collect()
}
