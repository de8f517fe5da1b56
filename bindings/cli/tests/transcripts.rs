//! Transcripts of the command, in `transcripts`: what a user types and sees, word for word.

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .env("OBJSEAL_KEYRING", "keyring")
        .env("OBJSEAL_PASSPHRASE_FILE", "words")
        .env("COLUMNS", "100")
        .case("tests/transcripts/*.trycmd");
}
