//! A sealed file that was changed in some places opens to its plaintext, whole, or is refused.
#![no_main]

mod golden;

use golden::{OPTIONS, change, golden, plaintext};
use libfuzzer_sys::fuzz_target;
use objseal::cobblestone::Threads;
use objseal::file::{self, SealedFile};
use objseal::hazmat::fix_slot_checksums;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

static FILES: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    ["chunks.sealed", "rewrap-interrupted.sealed", "layers-chunks.sealed", "layers-digests.sealed"].map(golden)
});
const LENS: [usize; 4] = [40_000, 100, 40_000, 16_384];

fuzz_target!(|data: &[u8]| {
    let Some((&[which], changes)) = data.split_first_chunk() else { return };
    let mut stored = FILES[usize::from(which & 3)].clone();
    change(&mut stored, changes);
    if which & 4 != 0 {
        fix_slot_checksums(&mut stored);
    }
    let len = LENS[usize::from(which & 3)];
    let plain = plaintext(len);
    let mut released = Vec::new();
    let opened = file::open(&OPTIONS, &stored[..], &mut released, &Threads(NonZeroUsize::MIN));
    assert!(plain.starts_with(&released));
    assert!(opened.is_err() || released == plain);
    let at_any_offset = SealedFile::open(&OPTIONS, &stored[..]);
    if let Ok(file) = &at_any_offset {
        assert!(file.body().len() == len as u64);
        if let Ok(bytes) = file.body().open_range(0..len as u64) {
            assert!(bytes == plain);
        }
    }
    // Both ways agree on what they both look at; the streaming one looks at more.
    assert!(opened.is_err() || at_any_offset.is_ok());
    let _ = file::inspect(&stored[..]);
});
