//! Whatever reads as a keyring is written again as the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal_keys::keyring::KeyringFile;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir_in("/dev/shm").expect("a folder in memory"));

fuzz_target!(|text: &[u8]| {
    let path = FOLDER.path().join("keyring");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    let file = KeyringFile::at(&path);
    if file.read(None).is_ok() {
        file.update(None, |_| Ok(())).expect("written");
        assert!(fs::read(&path).expect("read") == text);
    }
});
