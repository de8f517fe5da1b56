//! A sealed file that was changed in some places opens to its plaintext, whole, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal::cobblestone::Threads;
use objseal::envelope::Opening;
use objseal::file::{self, SealedFile};
use objseal::hazmat::fix_slot_checksums;
use objseal::keyring::{Keyring, KeyringFile};
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/golden/");

static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    ["chunks.sealed", "rewrap-interrupted.sealed"].map(|name| fs::read(format!("{GOLDEN}{name}")).expect("read"))
});

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    fs::copy(format!("{GOLDEN}keyring"), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    KeyringFile::at(path).read(None).expect("a keyring")
});

/// The input is a list of changes: what, where (from the start or the end), how much.
fn change(stored: &mut Vec<u8>, mut changes: &[u8]) {
    while let Some(([kind, high, low, value], rest)) = changes.split_first_chunk() {
        changes = rest;
        let offset = usize::from(u16::from_be_bytes([*high, *low]));
        let len = stored.len();
        let at = if kind & 1 == 0 { offset.min(len) } else { len.saturating_sub(offset) };
        match kind >> 1 & 7 {
            0 if at < len => stored[at] ^= value,
            1 if at < len => stored[at] = *value,
            2 => stored.truncate(at),
            3 => stored.insert(at, *value),
            4 if at < len => drop(stored.remove(at)),
            5 => stored.extend(vec![*value; offset]),
            6 => stored.rotate_left(at.min(len)),
            _ if at < len => {
                let end = (at + usize::from(*value)).min(len);
                let piece = stored[at..end].to_vec();
                let to = offset % (len - piece.len() + 1);
                stored[to..to + piece.len()].copy_from_slice(&piece);
            }
            _ => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[which], changes)) = data.split_first_chunk() else { return };
    let mut stored = FILES[usize::from(which & 1)].clone();
    change(&mut stored, changes);
    if which & 2 != 0 {
        fix_slot_checksums(&mut stored);
    }
    let len = [40_000, 100][usize::from(which & 1)];
    let plain: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    let services = [&*KEYRING as _];
    let opening = Opening::new(&services);
    let mut released = Vec::new();
    let opened = file::open(&opening, &stored[..], &mut released, &Threads(NonZeroUsize::MIN));
    assert!(plain.starts_with(&released));
    assert!(opened.is_err() || released == plain);
    let at_any_offset = SealedFile::open(&opening, &stored[..]);
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
