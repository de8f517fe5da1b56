//! The store of a key management service and its audit log, from the outside: who holds its key, what is seen of changes,
//! and what is not written over.

mod shared;

use shared::{Ended, Folder, text};
use std::fs;
use std::path::Path;
use std::process::Command;

const UNBOUND: &str = "was opened without --context";
const USER: &str = "arn:aws:iam::000000000000:user/backup";

fn copy_store(folder: &Folder, from: &str, to: &str) {
    fs::copy(folder.path(from), folder.path(to)).expect("copied");
    let _ = fs::create_dir(folder.path(&format!("{to}.audit")));
    for entry in fs::read_dir(folder.path(&format!("{from}.audit"))).expect("a folder") {
        let name = entry.expect("read").file_name();
        let path = |store: &str| folder.path(&format!("{store}.audit")).join(&name);
        fs::copy(path(from), path(to)).expect("copied");
    }
}

#[test]
fn a_store_opens_under_its_own_key_only() {
    let folder = Folder::with_kms();
    folder.run(&["key", "create", "default", "--keyring", "another"]).said("made the keyring");
    let refused = folder.kms(&["key", "list", "--keyring", "another"]);
    refused.failed(3, "store kms is under another key of that name, version 1 of \"default\" of \"keyring\"");
    folder.run(&["key", "create", "else", "--keyring", "poor"]).said("made the keyring");
    folder.kms(&["key", "list", "--keyring", "poor"]).failed(4, "store kms is under a key that is not at hand");
    folder.write_secret("file", "0123456789abcdef".repeat(4));
    folder.kms(&["key", "list", "--store-key", "file:file"]).failed(4, "under a key that is not at hand");
    folder.kms(&["key", "list", "--store-key", "file:none"]).failed(1, "key file none: cannot read");
    folder.kms(&["key", "list", "--keyring", "none"]).failed(4, "key of the store: there is no keyring none");
    folder.run(&["key", "list", "--kms", "local:none"]).failed(4, "there is no store none; `objseal key create`");
    folder.run(&["key", "list", "--kms", "local:plain"]).failed(1, "store plain: this is not the store");
    folder.run(&["seal", "plain", "--kms", "s3:key"]).failed(2, "known are local:FILE, aws:ARN and bao:URL#KEY");
    folder.run(&["seal", "plain", "--store-key", "file:file"]).failed(2, "--kms <SERVICE>");
    // A new one is not made under a key that is not there.
    folder
        .run(&["key", "create", "a", "--kms", "local:new", "--store-key", "keyring:none"])
        .failed(4, "no key \"none\"");
    assert!(!folder.path("new").exists());
}

#[test]
fn nothing_of_a_wrong_source_is_shown() {
    let folder = Folder::with_kms();
    let secret = "0123456789abcdef";
    for (source, code) in [
        (secret.to_owned(), 2),
        (format!("secret:{secret}"), 2),
        (format!("pkcs11:token=vault?module-path=/none&pin-value={secret}"), 1),
    ] {
        let ended = folder.kms(&["key", "list", "--store-key", &source]);
        ended.failed(code, "");
        assert!(!String::from_utf8_lossy(&ended.0.stderr).contains(secret), "{source}");
    }
}

/// Makes a store under `source`, uses it, and puts it under the keyring and back.
fn use_store(folder: &Folder, source: &str, env: &[(&str, &Path)]) {
    let run = |args: &[&str]| {
        let mut command = folder.command(&[args, &["--kms", "local:theirs"]].concat());
        command.env("OBJSEAL_STORE_KEY", source).envs(env.iter().copied());
        Ended(command.output().expect("it runs"))
    };
    run(&["key", "create", "default"]).said("made the store theirs, under ");
    run(&["seal", "plain", "-o", "sealed", "-f"]).ok();
    run(&["verify", "sealed"]).ok();
    assert!(text(run(&["key", "audit", "verify"]).ok()).contains("verified"));
    run(&["key", "list", "--store-key", "keyring:default"]).failed(4, "under a key that is not at hand");
    run(&["key", "store", "rewrap", "--to", "keyring:default"]).ok();
    run(&["verify", "sealed"]).failed(4, "store theirs is under a key that is not at hand");
    run(&["verify", "sealed", "--store-key", "keyring:default"]).ok();
    run(&["key", "store", "rewrap", "--store-key", "keyring:default", "--to", source]).ok();
    run(&["verify", "sealed"]).ok();
}

#[test]
fn the_key_of_a_store_may_be_in_a_file() {
    let folder = Folder::with_keyring();
    folder.write_secret("file", "0123456789abcdef".repeat(4));
    use_store(&folder, "file:file", &[]);
    let to_file = ["seal", "plain", "-o", "file", "-f", "--kms", "local:theirs", "--store-key", "file:file"];
    folder.run(&to_file).failed(1, "file is what this reads from");
    folder.write_secret("file", "1123456789abcdef".repeat(4));
    folder.run(&["key", "list", "--kms", "local:theirs", "--store-key", "file:file"]).failed(3, "under another key");
}

#[test]
fn the_key_of_a_store_may_be_a_credential() {
    let folder = Folder::with_keyring();
    fs::create_dir(folder.path("credentials")).expect("made");
    folder.write_secret("credentials/kms", [7; 32]);
    use_store(&folder, "credential:kms", &[("CREDENTIALS_DIRECTORY", &folder.path("credentials"))]);
    let list = ["key", "list", "--kms", "local:theirs", "--store-key", "credential:kms"];
    let ended = folder.command(&list).env_remove("CREDENTIALS_DIRECTORY").output().expect("it runs");
    Ended(ended).failed(1, "credential kms: no credentials");
}

#[test]
fn the_key_of_a_store_may_be_in_a_security_module() {
    const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
    let folder = Folder::with_keyring();
    fs::create_dir(folder.path("tokens")).expect("made");
    let conf = folder.path("conf");
    fs::write(&conf, format!("directories.tokendir = {}\n", folder.path("tokens").display())).expect("written");
    folder.write_secret("aes", [7; 32]);
    folder.write_secret("pin", "1234\n");
    let util = |args: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        let output = command.args(args).current_dir(folder.root()).env("SOFTHSM2_CONF", &conf).output();
        let output = output.expect("softhsm2-util is there: apt-get install softhsm2");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    util(&["--init-token", "--free", "--label", "vault", "--so-pin", "87654321", "--pin", "1234"]);
    util(&["--import", "aes", "--aes", "--token", "vault", "--label", "store", "--id", "01", "--pin", "1234"]);
    let pin = folder.path("pin").display().to_string();
    let uri = |path: &str| format!("pkcs11:token=vault{path}?module-path={MODULE}&pin-source={pin}");
    use_store(&folder, &uri(";object=store"), &[("SOFTHSM2_CONF", &conf)]);
    let create = |uri: &str| {
        let args = ["key", "create", "a", "--kms", "local:new", "--store-key", uri];
        Ended(folder.command(&args).env("SOFTHSM2_CONF", &conf).output().expect("it runs"))
    };
    create(&uri(";object=none")).failed(4, "the token has no secret key of this label");
    create(&uri("")).failed(1, "the URI lacks object=");
    folder.write_secret("pin", "4321\n");
    create(&uri(";object=store")).failed(4, "wrong PIN");
    assert!(!folder.path("new").exists());
}

#[test]
fn a_store_that_was_put_back_is_refused() {
    let folder = Folder::with_kms();
    copy_store(&folder, "kms", "old");
    folder.kms(&["key", "disable", "default"]).ok();
    copy_store(&folder, "kms", "new");
    fs::write(folder.path("head"), folder.printed(&["key", "audit", "head"])).expect("written");
    let list = ["key", "list", "--known-head", "head"];
    folder.kms(&list).ok();
    // The file alone, which its log tells.
    fs::copy(folder.path("old"), folder.path("kms")).expect("copied");
    folder.kms(&["key", "list"]).failed(3, "store kms: the store was put back to an earlier state");
    // And with its log, which only a head tells.
    copy_store(&folder, "old", "kms");
    folder.kms(&list).failed(3, "store kms: the store was put back to an earlier state");
    folder.kms(&["key", "audit", "verify"]).ok();
    let verify = ["key", "audit", "verify", "--anchor", "head"];
    folder.kms(&verify).failed(3, "the log ends here, and an anchor has seen more of it");
    folder.kms(&["key", "list"]).ok();
    folder.kms(&verify).failed(3, "(sequence 4): an anchor has seen another line in its place");
    copy_store(&folder, "new", "kms");
    let verified = folder.printed(&["key", "audit", "verify", "--anchor", "head"]);
    assert!(verified.ends_with(", 1 of 1 heads compared"), "{verified}");
    // That of another store.
    folder.run(&["key", "create", "a", "--kms", "local:else"]).said("made the store else");
    let mut args = ["key", "list", "--kms", "local:else", "--known-head", "head"];
    folder.run(&args).failed(3, "store else: this is another store than the one that is known");
    args[5] = "plain";
    folder.run(&args).failed(1, "plain: cannot read");
}

#[test]
fn an_edited_line_of_the_audit_is_found() {
    let folder = Folder::with_kms();
    folder.kms(&["key", "disable", "default"]).ok();
    let verified = folder.printed(&["key", "audit", "verify"]);
    assert!(verified.ends_with("kms.audit: verified, lines 4, segments 1, sequence 1 to 4"), "{verified}");
    let log = "kms.audit/audit-0000000001.jsonl";
    let lines = text(folder.read(log));
    let edited = lines.replacen("DisableKey", "EnableKey_", 1);
    assert_ne!(edited, lines);
    fs::write(folder.path(log), edited).expect("written");
    let fault = "audit-0000000001.jsonl, line 5 (sequence 4): it was changed";
    folder.kms(&["key", "audit", "verify"]).failed(3, fault);
    let line = lines.lines().nth(2).expect("a line");
    fs::write(folder.path(log), lines.replacen(&format!("{line}\n"), "", 1)).expect("written");
    folder.kms(&["key", "audit", "verify"]).failed(3, "audit-0000000001.jsonl, line 3 (sequence 2): lines are missing");
    // What is no event is told, and what comes after it is shown.
    fs::write(folder.path(log), lines.replacen("\"time\"", "\"tome\"", 1)).expect("written");
    let ended = folder.kms(&["key", "audit", "show"]);
    ended.failed(3, "line 2: this is no event of an audit log");
    assert_eq!(String::from_utf8_lossy(&ended.0.stdout).lines().count(), 3);
}

#[test]
fn the_audit_shows_what_is_asked_for_without_a_key() {
    let folder = Folder::with_kms();
    folder.kms(&["key", "create", "other"]).ok();
    folder.kms(&["seal", "plain", "-k", "other"]).ok();
    folder.kms(&["verify", "plain.sealed"]).ok();
    folder.kms(&["key", "disable", "other"]).ok();
    folder.kms(&["verify", "plain.sealed"]).failed(4, "is disabled");
    let (other, default) = (folder.arn("other"), folder.arn("default"));
    let id = other.rsplit('/').next().expect("an id");
    let by_alias = folder.printed(&["key", "audit", "show", "--key", "other", "--operation", "Decrypt"]);
    fs::remove_file(folder.path("keyring")).expect("removed");
    let shown = |args: &[&str]| -> Vec<String> {
        let shown = folder.printed(&[&["key", "audit", "show"], args].concat());
        shown.lines().map(|line| line.split_whitespace().nth(1).expect("an operation").to_owned()).collect()
    };
    let of_other = ["CreateKey", "GenerateDataKey", "Decrypt", "DisableKey", "Decrypt"];
    assert_eq!(shown(&["--key", &other])[..5], of_other);
    assert_eq!(shown(&["--key", id])[..5], of_other);
    assert_eq!(by_alias, folder.printed(&["key", "audit", "show", "--key", id, "--operation", "Decrypt"]));
    assert_eq!(shown(&["--key", &default])[..2], ["CreateKey", "DescribeKey"]);
    assert_eq!(shown(&["--outcome", "DisabledException"]), ["Decrypt"]);
    assert_eq!(shown(&["--outcome", "Success", "--operation", "Decrypt"]), ["Decrypt"]);
    assert_eq!(shown(&["--principal", "kms.amazonaws.com"]), ["CreateStore"]);
    assert_eq!(shown(&["--principal", USER]), Vec::<String>::new());
    let all = shown(&[]);
    assert_eq!(shown(&["--since", "2h"]), all);
    assert_eq!(shown(&["--until", "2h"]), Vec::<String>::new());
    assert_eq!(shown(&["--until", "9999-12-31T00:00:00+01:00"]), all);
    assert_eq!(shown(&["--since", "9999-12-31T00:00:00Z"]), Vec::<String>::new());
    let line = folder.printed(&["key", "audit", "show", "--operation", "CreateStore", "--json"]);
    assert!(text(folder.read("kms.audit/audit-0000000001.jsonl")).contains(&format!("\n{line}\n")));
    let [time, operation, key, principal, outcome, object] =
        by_alias.lines().next().expect("a line").split_whitespace().collect::<Vec<_>>()[..]
    else {
        panic!("{by_alias}")
    };
    let expected = ["Decrypt", id, "arn:aws:iam::000000000000:root", "Success", "plain.sealed"];
    assert_eq!([operation, key, principal, outcome, object], expected);
    assert!(time.ends_with('Z'));
    folder.kms(&["key", "audit", "show", "--since", "yesterday"]).failed(2, "a time is as in RFC 3339");
    folder.kms(&["key", "audit", "verify"]).failed(4, "there is no keyring");
}

#[test]
fn heads_are_kept_elsewhere_or_nothing_is_done() {
    let folder = Folder::with_kms();
    let keep = ["--anchor-command", "cat >> heads"];
    folder.kms(&[&["seal", "plain"][..], &keep].concat()).ok();
    folder.kms(&[&["verify", "plain.sealed"][..], &keep].concat()).ok();
    let heads = text(folder.read("heads"));
    assert!(heads.lines().count() >= 2, "{heads}");
    let verified = folder.printed(&["key", "audit", "verify", "--anchor", "heads"]);
    assert!(verified.contains(&format!("{0} of {0} heads compared", heads.lines().count())), "{verified}");
    folder.kms(&["verify", "plain.sealed", "--known-head", "heads"]).ok();
    let onto_heads = ["seal", "plain", "-f", "-o", "heads", "--known-head", "heads"];
    folder.kms(&onto_heads).failed(1, "heads is what this reads from");
    fs::remove_file(folder.path("plain.sealed")).expect("removed");
    // At once, or when it is told of the line that says what this does.
    for fails in ["exit 7", "mkdir once 2>/dev/null"] {
        let failed = folder.kms(&["seal", "plain", "--anchor-command", fails]);
        failed.failed(1, "the anchor of the audit log did not take its head");
        assert!(!folder.path("plain.sealed").exists(), "{fails}");
    }
    assert!(folder.path("once").exists());
}

#[test]
fn a_store_is_made_for_an_account_and_a_region() {
    let folder = Folder::with_keyring();
    let create =
        |name: &str, more: &[&str]| folder.run(&[&["key", "create", name, "--kms", "local:kms"], more].concat());
    let theirs = ["--account", "111122223333", "--region", "eu-central-1"];
    create("a", &["--account", "12"]).failed(1, "an account is 12 digits");
    assert!(!folder.path("kms").exists());
    let arn = text(create("a", &theirs).said("made the store"));
    assert!(arn.starts_with("arn:aws:kms:eu-central-1:111122223333:key/"), "{arn}");
    create("b", &theirs).ok();
    create("c", &["--account", "111122223334"]).failed(1, "has another account or region");
    folder.kms(&["seal", "plain", "-k", arn.trim()]).ok();
    assert_eq!(folder.mode("kms"), 0o600);
    assert_eq!(folder.mode("kms.audit"), 0o700);
    // In its default place a keyring is made with it, as for the first file.
    let ended = folder.by_default(&["key", "create", "a", "--kms", "local:second"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("made the keyring") && said.contains("made the store second"), "{said}");
    assert!(folder.default_keyring().exists());
}

#[test]
fn no_store_and_no_audit_is_written_over() {
    const STORE: &str = "is the store of a key management service, or belongs to one; name another output";
    let folder = Folder::with_kms();
    folder.kms(&["seal", "plain", "-o", "sealed"]).ok();
    std::os::unix::fs::symlink("kms", folder.path("link")).expect("a link");
    fs::write(folder.path("kms-journal"), "").expect("written");
    let files = ["kms", "link", "kms-journal", "kms.audit/head", "kms.audit/lock", "kms.audit/audit-0000000001.jsonl"];
    let before = folder.read("kms");
    for name in files {
        folder.run(&["seal", "plain", "-f", "-o", name]).failed(1, &format!("{name} {STORE}"));
        folder.run(&["cobblestone", "keygen", "-o", name]).failed(1, &format!("{name} {STORE}"));
    }
    for name in ["kms", "link"] {
        let what = format!("{name} is what this reads from");
        folder.kms(&["open", "sealed", "-f", "-o", name]).failed(1, &what);
    }
    let printing = ["-c", "exec \"$@\" >>kms", "bash"];
    let ended = folder.command_behind("bash", &printing, &["key", "list"]).output().expect("bash runs");
    Ended(ended).failed(1, &format!("standard output {STORE}"));
    fs::remove_file(folder.path("kms-journal")).expect("removed");
    assert!(folder.read("kms") == before);
    folder.kms(&["open", "sealed", "-o", "opened"]).said(UNBOUND);
}

#[test]
fn a_changed_record_of_a_key_is_told_and_refused() {
    let folder = Folder::with_kms();
    folder.kms(&["key", "create", "other"]).ok();
    let arn = folder.arn("default");
    let id = arn.rsplit('/').next().expect("an id");
    let mut store = folder.read("kms");
    // The id stands before its record, and in an index, which has it near the end of a page.
    let at = (0..store.len() - 36).find(|&at| store[at..].starts_with(id.as_bytes()) && at % 4096 < 3800);
    store[at.expect("a row") + 200] ^= 1;
    fs::write(folder.path("kms"), store).expect("written");
    let ended = folder.kms(&["key", "list"]);
    ended.failed(
        3,
        &format!("the records of these keys were changed, or are damaged; restore the store from a copy: {id}"),
    );
    let listed = String::from_utf8_lossy(&ended.0.stdout).into_owned();
    assert!(listed.starts_with("alias/other ") && listed.lines().count() == 1, "{listed}");
    folder.kms(&["seal", "plain"]).failed(1, "was changed, or is damaged");
    folder.kms(&["seal", "plain", "-k", "other"]).ok();
}

#[test]
fn lines_that_a_failure_of_power_left_are_set_aside_when_that_is_asked_for() {
    let folder = Folder::with_kms();
    let segment = "kms.audit/audit-0000000001.jsonl";
    let whole = folder.read(segment);
    // A page that was not written before one that was.
    let damaged = [&whole[..], &[0; 300], b"}\n"].concat();
    fs::write(folder.path(segment), damaged).expect("written");
    folder.kms(&["seal", "plain"]).failed(3, "`objseal key audit mend` sets them aside");
    folder.kms(&["key", "audit", "mend"]).ok();
    folder.kms(&["key", "audit", "verify"]).ok();
    let aside = folder.read(&format!("kms.audit/damaged-0000000001-{}", whole.len()));
    assert_eq!(aside.len(), 302);
    let lines = text(folder.kms(&["key", "audit", "show", "--json"]).ok());
    assert!(lines.contains("302 bytes before this line did not verify and were set aside"), "{lines}");
    folder.kms(&["seal", "plain"]).ok();
}
