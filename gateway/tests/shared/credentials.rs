//! Credentials for tests: those of a file that is written for them.

use objseal_gateway::credentials::Credentials;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// What a file of credentials with this text gives.
pub(crate) fn credentials(text: &str) -> Credentials {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).expect("made");
    file.write_all(text.as_bytes()).expect("written");
    Credentials::read(&path).expect("credentials")
}
