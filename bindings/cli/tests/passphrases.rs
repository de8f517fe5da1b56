//! Passphrases as files and environments give them.

mod shared;

use shared::{Ended, Folder};
use std::fs;

fn with_words(folder: &Folder, args: &[&str], file: &str) -> Ended {
    Ended(folder.command(args).env("OBJSEAL_PASSPHRASE_FILE", file).output().expect("it runs"))
}

/// A keyring under the passphrase in `file`, and something sealed under it.
fn under(file: &[u8]) -> Folder {
    let folder = Folder::without_keyring();
    folder.write_secret("words", file);
    folder.run(&["key", "create", "default", "--passphrase-file", "words"]).said("protected by the passphrase");
    with_words(&folder, &["seal", "plain"], "words").ok();
    folder
}

#[test]
fn the_first_line_is_the_passphrase_however_it_is_written() {
    // With a, a combining acute accent, and with the letter that is both.
    let forms = ["ca\u{301}rr\u{e9}", "c\u{e1}rre\u{301}", "c\u{e1}rr\u{e9}", "ca\u{301}rre\u{301}"];
    let mut same: Vec<Vec<u8>> = Vec::new();
    for form in forms {
        same.extend(["", "\n", "\r\n", "\nmore\n", "\r\nmore\r\n"].map(|end| format!("{form}{end}").into_bytes()));
        same.push(format!("\u{feff}{form}\r\n").into_bytes());
    }
    let folders = [&same[0], &same[17]].map(|file| under(file));
    for folder in &folders {
        // Trying each costs a while; one of each kind is enough for the others.
        for file in [&same[1], &same[5], &same[8], &same[11], &same[14], &same[23]] {
            folder.write_secret("again", file);
            with_words(folder, &["verify", "plain.sealed"], "again").ok();
        }
        for other in ["carre", "c\u{e1}rr\u{e9} ", " c\u{e1}rr\u{e9}", "C\u{e1}rr\u{e9}"] {
            folder.write_secret("again", other);
            with_words(folder, &["verify", "plain.sealed"], "again").failed(4, "wrong passphrase");
        }
    }
}

#[test]
fn what_is_no_passphrase_is_refused_and_makes_nothing() {
    let folder = Folder::without_keyring();
    for bad in ["", "\n", "\r\n", "\u{feff}", "\u{feff}\r\n", "a\0b", "\0", "words\0\n", "\nsecond"] {
        folder.write_secret("words", bad);
        let words = "passphrase file words: first line: a passphrase is not empty and has no NUL character";
        folder.run(&["key", "create", "default", "--passphrase-file", "words"]).failed(1, words);
        with_words(&folder, &["key", "create", "default"], "words").failed(1, words);
        let first = folder.by_default(&["seal", "plain"]).env("OBJSEAL_PASSPHRASE_FILE", "words").output();
        Ended(first.expect("it runs")).failed(1, words);
        assert_eq!(folder.others(), ["words"]);
        assert!(!folder.path("keyring.lock").exists());
    }
    // The second line is none of its business.
    folder.write_secret("words", "words\nwith\0more\n");
    folder.run(&["key", "create", "default", "--passphrase-file", "words"]).said("protected by the passphrase");
}

#[test]
fn the_first_file_makes_a_keyring_that_is_protected() {
    let folder = Folder::without_keyring();
    folder.write_secret("words", "correct horse\r\n");
    let run = |args: &[&str], file: &str| {
        Ended(folder.by_default(args).env("OBJSEAL_PASSPHRASE_FILE", file).output().expect("it runs"))
    };
    run(&["seal", "plain"], "nothing").failed(1, "passphrase file nothing: cannot read: No such file");
    assert_eq!(folder.others(), ["words"]);
    run(&["seal", "plain"], "words").said("with the key \"default\", protected by the passphrase");
    assert!(fs::read_to_string(folder.default_keyring()).expect("there").contains("argon2id"));
    run(&["verify", "plain.sealed"], "words").ok();
    let without = Ended(folder.by_default(&["verify", "plain.sealed"]).output().expect("it runs"));
    without.failed(4, "has a passphrase, and there is no terminal to ask for it");
}

#[test]
fn a_wrong_passphrase_is_told_before_a_new_one_is_asked_for() {
    let folder = under(b"correct horse\n");
    folder.write_secret("wrong", "incorrect horse\n");
    let before = folder.read("keyring");
    for args in [
        &["key", "passphrase"][..],
        &["key", "passphrase", "--file", "words"],
        &["key", "rotate", "default"],
        &["key", "create", "more"],
        &["key", "list"],
        &["seal", "plain", "-o", "x"],
    ] {
        with_words(&folder, args, "wrong").failed(4, "wrong passphrase, or the keyring was changed");
    }
    with_words(&folder, &["key", "passphrase"], "words").failed(1, "no terminal to ask for a passphrase");
    assert!(folder.read("keyring") == before);
}
