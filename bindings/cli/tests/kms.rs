//! Keys of a key management service in a file, from the outside: states, versions, policies, grants and names.

mod shared;

use serde_json::Value;
use shared::{Ended, Folder, LEN, json, plaintext, text};
use std::fs;

const USER: &str = "arn:aws:iam::000000000000:user/backup";

/// Service, key and version of all that a sealed file is under.
fn needed(folder: &Folder, file: &str) -> Vec<(String, String, u64)> {
    let versions = json(&folder.kms(&["key", "needed", file, "--json"]).ok());
    let versions = versions.as_array().expect("a list").iter().map(|version| {
        let text = |field: &str| version[field].as_str().expect("text").to_owned();
        (text("Service"), text("KeyId"), version["KeyVersion"].as_u64().expect("a number"))
    });
    versions.collect()
}

#[test]
fn a_key_that_cannot_be_used_opens_nothing_until_it_can() {
    let folder = Folder::with_kms();
    folder.kms(&["seal", "plain", "-o", "sealed", "-c", "name=plain"]).ok();
    let open = ["open", "sealed", "-o", "opened", "-f", "-c", "name=plain"];
    let verify = ["verify", "sealed"];
    let id = folder.arn("default");
    let shut = |code: &str| {
        for args in [&open[..], &verify, &["seal", "plain", "-f"], &["rewrap", "sealed"], &["key", "rotate", "default"]]
        {
            folder.kms(args).failed(4, code);
        }
    };

    folder.kms(&open).ok();
    assert!(folder.read("opened") == plaintext(LEN));
    folder.kms(&["key", "disable", "default"]).ok();
    shut(&format!("{id} is disabled (DisabledException)"));
    folder.kms(&["inspect", "sealed"]).said("is disabled (DisabledException)");
    folder.kms(&["key", "enable", "default"]).ok();
    folder.kms(&open).ok();
    let said = folder.printed(&["key", "schedule-deletion", "default", "--days", "7"]);
    assert!(said.starts_with("key \"default\" will be deleted on "), "{said}");
    shut(&format!("{id} is pending deletion (KMSInvalidStateException)"));
    let state = |key: &str| json(&folder.kms(&["key", "describe", key, "--json"]).ok())["KeyState"].clone();
    assert_eq!(state("default"), "PendingDeletion");
    folder.kms(&["key", "cancel-deletion", &id]).ok();
    assert_eq!(state(&id), "Disabled");
    shut("is disabled (DisabledException)");
    folder.kms(&["key", "enable", id.rsplit('/').next().expect("an id")]).ok();
    folder.kms(&verify).ok();
    folder.kms(&["key", "schedule-deletion", "default", "--days", "6"]).failed(2, "6 is not in 7..=30");
}

#[test]
fn after_rotation_and_rewrap_only_the_new_version_is_needed() {
    let folder = Folder::with_kms();
    let id = folder.arn("default");
    let under = |version| vec![("local-kms".to_owned(), id.clone(), version)];
    folder.kms(&["seal", "plain", "-o", "sealed"]).ok();
    folder.kms(&["key", "rotate", "default"]).ok();
    assert_eq!(needed(&folder, "sealed"), under(1));
    for _ in 0..2 {
        folder.kms(&["rewrap", "sealed"]).said("rewrapped without --context");
        assert_eq!(needed(&folder, "sealed"), under(2));
    }
    folder.kms(&["verify", "sealed"]).ok();
    let versions = json(&folder.kms(&["key", "versions", "default", "--json"]).ok());
    let field =
        |name: &str| versions.as_array().expect("a list").iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("KeyVersion"), [1, 2]);
    assert_eq!(field("RotationType"), ["CREATED", "ON_DEMAND"]);
    assert_eq!(field("KeyMaterialState"), ["NON_CURRENT", "CURRENT"]);

    // Under another key, and in two layers under two.
    folder.kms(&["key", "create", "other"]).ok();
    // Once, and not for each file.
    folder.kms(&["rewrap", "sealed", "sealed", "--key", "none"]).failed(4, "NotFoundException");
    folder.kms(&["rewrap", "sealed", "--key", "other"]).said("rewrapped without --context");
    assert_eq!(needed(&folder, "sealed"), [("local-kms".to_owned(), folder.arn("other"), 1)]);
    folder.kms(&["seal", "plain", "-o", "twice", "-l", "2", "--outer-key", "alias/other"]).ok();
    folder.kms(&["verify", "twice", "-l", "2"]).ok();
    assert_eq!(needed(&folder, "twice").len(), 2);
    // A file that does not open says nothing.
    fs::write(folder.path("broken"), "nothing").expect("written");
    let ended = folder.kms(&["key", "needed", "sealed", "broken"]);
    ended.failed(3, "broken: this is not a sealed file");
    assert_eq!(ended.0.stdout, b"");
}

#[test]
fn files_under_the_keyring_open_too_where_it_holds_the_key_of_the_store() {
    let folder = Folder::with_kms();
    folder.run(&["seal", "plain", "-o", "of-keyring"]).ok();
    folder.kms(&["seal", "plain", "-o", "of-kms"]).ok();
    folder.kms(&["verify", "of-keyring", "of-kms"]).ok();
    let id = folder.arn("default");
    folder
        .run(&["verify", "of-kms"])
        .failed(4, &format!("sealed under a key that is not at hand: \"{id}\", version 1"));
    folder.run(&["key", "rotate", "default"]).ok();
    folder.kms(&["rewrap", "of-keyring"]).said("rewrapped without --context");
    assert_eq!(needed(&folder, "of-keyring"), [("keyring".to_owned(), "default".to_owned(), 2)]);
    folder.kms(&["rewrap", "of-keyring", "--key", "default"]).said("rewrapped without --context");
    assert_eq!(needed(&folder, "of-keyring"), [("local-kms".to_owned(), id, 1)]);
}

#[test]
fn a_file_is_bound_to_its_context_in_the_service_as_well() {
    let folder = Folder::with_kms();
    folder.kms(&["seal", "plain", "-o", "sealed", "-c", "name=plain"]).ok();
    folder.kms(&["open", "sealed", "-o", "-", "-c", "name=other"]).failed(3, "not bound to the context");
    let line = folder.printed(&["key", "audit", "show", "--operation", "GenerateDataKey", "--json"]);
    assert_eq!(json(line.as_bytes())["context"]["name"], "plain");
    assert_eq!(json(line.as_bytes())["object"], "plain");
}

#[test]
fn processes_change_one_store_one_after_the_other() {
    let folder = Folder::with_kms();
    let script = "for i in 1 2 3; do (for n in $(seq 10); do \"$@\" || exit; done) & pids+=($!); done; \
        for pid in ${pids[@]}; do wait $pid || exit; done";
    let args = ["key", "rotate", "default", "--kms", "local:kms"];
    let ended = folder.command_behind("bash", &["-c", script, "bash"], &args).output().expect("bash runs");
    let said = text(Ended(ended).ok());
    let versions: std::collections::BTreeSet<_> = said.lines().collect();
    assert_eq!((said.lines().count(), versions.len()), (30, 30));
    assert_eq!(json(&folder.kms(&["key", "describe", "default", "--json"]).ok())["KeyVersion"], 31);
    assert!(folder.printed(&["key", "audit", "verify"]).contains("kms.audit: verified, "));
}

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"},
    {"Sid": "Backup", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/backup"}, "Action": "kms:Decrypt",
     "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:bucket": "photos",
     "kms:ViaService": "s3.us-east-1.amazonaws.com"}}}]}"#;

#[test]
fn a_policy_is_put_checked_and_explained() {
    let folder = Folder::with_kms();
    fs::write(folder.path("policy"), POLICY).expect("written");
    let explain = ["key", "policy", "explain", "default", "--principal", USER, "--action", "kms:Decrypt"];
    let denied = format!("{USER} may not Decrypt with key \"default\"");
    folder.kms(&explain).failed(3, &denied);
    folder.kms(&["key", "policy", "put", "default", "policy"]).ok();
    assert_eq!(folder.printed(&["key", "policy", "get", "default"]), POLICY);
    let fits = ["--via", "s3.us-east-1", "--context", "bucket=photos"];
    let said = folder.printed(&[&explain[..], &fits].concat());
    assert!(said.starts_with("allowed: ") && said.contains("statement Backup (Allow): it matches"), "{said}");
    let ended = folder.kms(&[&explain[..], &["--via", "s3.us-east-1", "--context", "bucket=letters"]].concat());
    ended.failed(3, &denied);
    assert!(String::from_utf8_lossy(&ended.0.stdout).starts_with("denied: "));

    let put = |policy: &str| {
        let args = ["key", "policy", "put", "default", "-", "--kms", "local:kms"];
        folder.run_with_input(&args, policy.as_bytes())
    };
    put(&POLICY.replace("StringEquals", "StringAlike")).failed(1, "standard input: statement Backup: ");
    put(&POLICY.replace(r#""Sid": "Account", "#, "").replace("kms:*", "s3:*")).failed(1, "statement 1: \"s3:*\"");
    put("{").failed(1, "policy: not JSON");
    put(&" ".repeat(40_000)).failed(1, "policy: shorten it");
    let lockout = POLICY.replace("kms:*", "kms:Describe*");
    put(&lockout).failed(1, "will not allow you to update the key policy in the future");
    assert_eq!(folder.printed(&["key", "policy", "get", "default"]), POLICY);
    let create = ["key", "create", "other", "--policy", "policy"];
    folder.kms(&create).ok();
    assert_eq!(folder.printed(&["key", "policy", "get", "other"]), POLICY);
    // Nobody who may not is let.
    put(&POLICY.replace("kms:*", "kms:PutKeyPolicy")).ok();
    folder.kms(&["seal", "plain"]).failed(4, "is not authorized to perform: kms:GenerateDataKey");
}

#[test]
fn a_grant_allows_until_it_is_taken_away() {
    let folder = Folder::with_kms();
    let explain = ["key", "policy", "explain", "default", "--principal", USER, "--action", "Decrypt", "-c", "a=b"];
    let create =
        ["key", "grant", "create", "default", "--grantee", USER, "--operation", "Decrypt,Encrypt", "-c", "a=b"];
    let [subset, exactly] = [&[][..], &["--exactly"]].map(|more| folder.printed(&[&create[..], more].concat()));
    assert!(folder.printed(&explain).starts_with(&format!("allowed: by grant {subset}")));
    let grants = json(&folder.kms(&["key", "grant", "list", "default", "--json"]).ok());
    assert_eq!(grants[0]["GrantId"], *subset);
    assert_eq!(grants[0]["GranteePrincipal"], USER);
    assert_eq!(grants[0]["Operations"], serde_json::json!(["Decrypt", "Encrypt"]));
    assert_eq!(grants[0]["Constraints"], serde_json::json!({"EncryptionContextSubset": {"a": "b"}}));
    assert_eq!(grants[1]["Constraints"], serde_json::json!({"EncryptionContextEquals": {"a": "b"}}));
    folder.kms(&["key", "grant", "revoke", "default", &subset]).ok();
    folder.kms(&["key", "grant", "retire", "default", &exactly]).ok();
    folder.kms(&["key", "grant", "retire", "default", &exactly]).failed(4, "NotFoundException");
    folder.kms(&explain).failed(3, "may not Decrypt");
    let create = ["key", "grant", "create", "default", "--grantee", USER, "--operation", "Fly"];
    folder.kms(&create).failed(1, "a grant is for some of these operations");
}

#[test]
fn aliases_stand_for_keys() {
    let folder = Folder::with_kms();
    folder.kms(&["key", "create", "other"]).ok();
    folder.kms(&["key", "alias", "create", "photos", "default"]).ok();
    assert_eq!(folder.arn("photos"), folder.arn("default"));
    folder.kms(&["key", "alias", "create", "alias/photos", "other"]).failed(1, "AlreadyExistsException");
    folder.kms(&["key", "alias", "update", "alias/photos", "other"]).ok();
    assert_eq!(folder.arn("photos"), folder.arn("other"));
    let aliases = json(&folder.kms(&["key", "alias", "list", "--json"]).ok());
    let names: Vec<_> = aliases.as_array().expect("a list").iter().map(|alias| alias["AliasName"].clone()).collect();
    assert_eq!(names, ["alias/default", "alias/other", "alias/photos"]);
    folder.kms(&["key", "alias", "delete", "photos"]).ok();
    folder.kms(&["key", "describe", "photos"]).failed(4, "NotFoundException");
    // Names that no key gets.
    for (name, why) in [
        ("aws/s3", "alias/aws/ is reserved"),
        ("a.b", "InvalidAliasNameException"),
        ("1234abcd-12ab-44cd-96ef-1234567890ab", "would be taken for the id of a key"),
        ("default", "there is a key \"default\" already"),
    ] {
        folder.kms(&["key", "create", name]).failed(1, why);
    }
    assert_eq!(json(&folder.kms(&["key", "list", "--json"]).ok()).as_array().map(Vec::len), Some(2));
}

#[test]
fn imported_material_can_be_destroyed_and_given_again() {
    let folder = Folder::with_kms();
    folder.write_secret("material", "0123456789abcdef".repeat(4));
    folder.write_secret("another", "1123456789abcdef".repeat(4));
    folder.kms(&["key", "create", "mine", "--external", "--description", "Mine"]).ok();
    folder.kms(&["seal", "plain", "-k", "mine"]).failed(4, "is pending import");
    folder.kms(&["key", "import", "mine", "material"]).ok();
    folder.kms(&["seal", "plain", "-k", "mine"]).ok();
    folder.kms(&["key", "delete-material", "mine"]).ok();
    folder.kms(&["verify", "plain.sealed"]).failed(4, "is pending import");
    folder.kms(&["key", "import", "mine", "another"]).failed(3, "IncorrectKeyMaterialException");
    folder.kms(&["key", "import", "mine", "material", "--valid-to", "9999-01-01T00:00:00Z"]).ok();
    folder.kms(&["verify", "plain.sealed"]).ok();
    let key = json(&folder.kms(&["key", "describe", "mine", "--json"]).ok());
    assert_eq!((&key["Origin"], &key["Description"]), (&Value::from("EXTERNAL"), &Value::from("Mine")));
    assert_eq!(key["ValidTo"], "9999-01-01T00:00:00Z");
    folder.kms(&["key", "rotate", "mine"]).failed(1, "UnsupportedOperationException");
    folder.kms(&["key", "import", "default", "material"]).failed(1, "UnsupportedOperationException");
}

#[test]
fn keys_are_rotated_by_themselves_if_that_is_wanted() {
    let folder = Folder::with_kms();
    let status = || json(&folder.kms(&["key", "rotation", "status", "default", "--json"]).ok());
    assert_eq!(status()["KeyRotationEnabled"], false);
    folder.kms(&["key", "rotation", "enable", "default", "--days", "90"]).ok();
    assert_eq!((&status()["KeyRotationEnabled"], &status()["RotationPeriodInDays"]), (&true.into(), &90.into()));
    folder.kms(&["key", "rotation", "disable", "default"]).ok();
    assert_eq!(status()["KeyRotationEnabled"], false);
    folder.kms(&["key", "rotation", "enable", "default", "--days", "89"]).failed(2, "89 is not in 90..=2560");
}

#[test]
fn a_keyring_says_what_only_a_service_has() {
    let folder = Folder::with_keyring();
    folder.write_secret("file", "0123456789abcdef".repeat(4));
    let commands: [&[&str]; 18] = [
        &["enable", "default"],
        &["disable", "default"],
        &["schedule-deletion", "default"],
        &["cancel-deletion", "default"],
        &["versions", "default"],
        &["rotation", "status", "default"],
        &["import", "default", "file"],
        &["delete-material", "default"],
        &["policy", "get", "default"],
        &["policy", "put", "default", "file"],
        &["policy", "explain", "default", "--principal", USER, "--action", "Decrypt"],
        &["alias", "list"],
        &["grant", "list", "default"],
        &["audit", "verify"],
        &["audit", "show"],
        &["audit", "head"],
        &["store", "rewrap", "--to", "file:file"],
        &["create", "other", "--description", "Other"],
    ];
    for args in commands {
        let ended = folder.run(&[&["key"], args].concat());
        ended.failed(1, "a keyring has no ");
        ended.failed(1, "; use --kms local:FILE");
    }
    // And what it has as well.
    assert_eq!(folder.run(&["key", "describe", "default"]).ok(), b"default  version 1\n");
    let key = json(&folder.run(&["key", "describe", "default", "--json"]).ok());
    assert_eq!(key, serde_json::json!({"name": "default", "version": 1}));
    folder.run(&["key", "describe", "other"]).failed(4, "there is no key of this name");
    folder.run(&["seal", "plain"]).ok();
    assert_eq!(folder.run(&["key", "needed", "plain.sealed"]).ok(), b"keyring  default  version 1  1 wrapped key\n");
}
