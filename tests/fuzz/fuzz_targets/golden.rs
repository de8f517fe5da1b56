//! The golden files, and changes to them.

use objseal::envelope::OpenOptions;
use objseal_keys::keyring::KeyringFile;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, LazyLock};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/golden/");

/// A golden file.
pub fn golden(name: &str) -> Vec<u8> {
    fs::read(format!("{GOLDEN}{name}")).expect("read")
}

/// The plaintext of all golden files of this length.
pub fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Opens the golden files, whatever their context, that are bound to nothing which is not stored.
pub static OPTIONS: LazyLock<OpenOptions> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    fs::copy(format!("{GOLDEN}keyring"), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    let keyring = KeyringFile::at(path).read(None).expect("a keyring");
    OpenOptions::new().with_service(Arc::new(keyring)).with_any_context()
});

/// The input is a list of changes: what, where (from the start or the end), how much.
pub fn change(stored: &mut Vec<u8>, mut changes: &[u8]) {
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
