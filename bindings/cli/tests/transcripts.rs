//! Transcripts of the command, in `transcripts`: what a user types and sees, word for word.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn transcripts() {
    // Git does not keep that nobody else can read it.
    fs::set_permissions("tests/transcripts/passphrase.in/words", Permissions::from_mode(0o600)).expect("set");
    trycmd::TestCases::new().env("OBJSEAL_KEYRING", "keyring").env("COLUMNS", "100").case("tests/transcripts/*.trycmd");
}
