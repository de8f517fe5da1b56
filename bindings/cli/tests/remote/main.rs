//! Sealed files under keys of AWS KMS, and of the transit engine of OpenBao or Vault, from the outside: what the services are
//! asked, what is refused without asking them, and what comes of their errors.

mod server;
#[path = "../shared/mod.rs"]
mod shared;

use serde_json::json;
use server::{KEY, Request, Server, TOKEN};
use shared::{Ended, Folder, LEN, json, plaintext, text};
use std::fs;

const ACCOUNT: &str = "arn:aws:kms:eu-west-1:111122223333:";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CONTEXT: [&str; 2] = ["-c", "name=plain"];

/// A folder, and the services.
struct Services {
    folder: Folder,
    server: Server,
}

impl Services {
    fn start() -> Self {
        Self { folder: Folder::without_keyring(), server: Server::start() }
    }

    /// Runs the command with nothing in its environment but this.
    fn run_in(&self, env: &[(&str, &str)], args: &[&str]) -> Ended {
        let mut command = self.folder.command(args);
        let keyring = self.folder.path("keyring");
        command.env_clear().env("HOME", self.folder.root()).env("OBJSEAL_KEYRING", keyring).envs(env.iter().copied());
        Ended(command.output().expect("it runs"))
    }

    /// The command with AWS KMS.
    fn aws(&self, location: &str, args: &[&str]) -> Ended {
        let env = [
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_ENDPOINT_URL_KMS", self.server.url()),
        ];
        self.run_in(&env, &[args, &["--kms", &format!("aws:{location}")]].concat())
    }

    /// The command with a transit engine.
    fn bao(&self, env: &[(&str, &str)], path: &str, args: &[&str]) -> Ended {
        self.run_in(env, &[args, &["--kms", &format!("bao:{}{path}", self.server.url())]].concat())
    }

    fn asked(&self) -> Vec<String> {
        self.server.asked().into_iter().map(|request| request.what).collect()
    }

    fn one(&self) -> Request {
        let mut asked = self.server.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

fn key_arn() -> String {
    format!("{ACCOUNT}key/{KEY}")
}

#[test]
fn files_are_under_keys_of_aws() {
    let services = Services::start();
    let arn = key_arn();
    services.aws(&arn, &[&["seal", "plain", "-o", "sealed"][..], &CONTEXT].concat()).ok();
    let Request { what, headers, body } = services.one();
    assert_eq!(what, "GenerateDataKey");
    assert_eq!(body, json!({"KeyId": arn, "KeySpec": "AES_256", "EncryptionContext": {"name": "plain"}}));
    let scope = "Credential=AKIAIOSFODNN7EXAMPLE/";
    assert!(headers["authorization"].contains(scope) && headers["authorization"].contains("/eu-west-1/kms/"));

    services.aws(&arn, &[&["open", "sealed", "-o", "opened"][..], &CONTEXT].concat()).ok();
    assert!(services.folder.read("opened") == plaintext(LEN));
    let Request { what, body, .. } = services.one();
    assert_eq!((what.as_str(), &body["KeyId"]), ("Decrypt", &json!(arn)));
    assert_eq!(body["EncryptionContext"], json!({"name": "plain"}));
    services.aws(&arn, &["verify", "sealed"]).ok();
    let inspected = json(&services.aws(&arn, &["inspect", "sealed", "--json"]).ok());
    assert_eq!(inspected["verified"], true);
    let wrapped = &inspected["layers"][0]["wrapped_keys"];
    assert_eq!(wrapped, &json!([{"service": "aws-kms", "key_id": arn, "key_version": 0, "kind": "object"}]));
    assert_eq!(services.asked(), ["Decrypt", "Decrypt"]);

    services.aws(&arn, &[&["rewrap", "sealed"][..], &CONTEXT].concat()).ok();
    let asked = services.server.asked();
    assert_eq!(asked.iter().map(|request| request.what.as_str()).collect::<Vec<_>>(), ["Decrypt", "GenerateDataKey"]);
    assert_eq!(asked[1].body["KeyId"], json!(arn));
    let needed = text(services.aws(&arn, &["key", "needed", "sealed"]).ok());
    assert_eq!(needed, format!("aws-kms  {arn}  version 0  1 wrapped key\n"));
    services.run_in(&[], &["verify", "sealed"]).failed(4, "there is no keyring");
}

#[test]
fn names_are_those_of_the_account_of_the_arn() {
    let services = Services::start();
    let alias = format!("{ACCOUNT}alias/photos");
    let names = [
        (None, alias.clone()),
        (Some("backup"), format!("{ACCOUNT}alias/backup")),
        (Some("alias/aws/s3"), format!("{ACCOUNT}alias/aws/s3")),
        (Some(KEY), key_arn()),
        (Some("mrk-1234abcd12ab34cd56ef1234567890ab"), format!("{ACCOUNT}key/mrk-1234abcd12ab34cd56ef1234567890ab")),
        (Some(&alias), alias.clone()),
    ];
    for (name, sent) in &names {
        let key: Vec<_> = name.iter().flat_map(|name| ["-k", name]).collect();
        services.aws(&alias, &[&["seal", "plain", "-f"][..], &key].concat()).ok();
        assert_eq!(services.one().body["KeyId"], json!(sent));
    }
    services.aws(&alias, &["rewrap", "plain.sealed", "--key", "other"]).said("rewrapped without --context");
    let asked = services.server.asked();
    // First, whether the key is there at all.
    let sent: Vec<_> = asked.iter().map(|request| (request.what.as_str(), &request.body["KeyId"])).collect();
    let (key, other) = (json!(key_arn()), json!(format!("{ACCOUNT}alias/other")));
    assert_eq!(sent, [("DescribeKey", &other), ("Decrypt", &key), ("GenerateDataKey", &other)]);
}

#[test]
fn keys_of_other_accounts_and_regions_are_not_asked_for() {
    let services = Services::start();
    for account in ["arn:aws:kms:eu-west-1:999999999999:", "arn:aws:kms:eu-west-2:111122223333:"] {
        let other = format!("{account}key/{KEY}");
        services.aws(&other, &["seal", "plain", "-o", "sealed", "-f"]).ok();
        services.server.asked();
        let why = format!("sealed is sealed under a key that is not at hand: \"{other}\"");
        services.aws(&key_arn(), &["open", "sealed", "-o", "-"]).failed(4, &why);
        services.aws(&key_arn(), &["verify", "sealed"]).failed(4, &why);
        assert!(text(services.aws(&key_arn(), &["inspect", "sealed"]).ok()).contains("NOT VERIFIED"));
        let why = format!("\"{other}\" is of another account or region than the key that --kms names");
        services.aws(&key_arn(), &["seal", "plain", "-k", &other]).failed(4, &why);
        assert_eq!(services.asked(), Vec::<String>::new());
    }
    assert!(!services.folder.path("plain.sealed").exists());
}

#[test]
fn what_aws_refuses_is_told_by_its_exit_code() {
    let services = Services::start();
    let arn = key_arn();
    services.aws(&arn, &["seal", "plain", "-o", "sealed"]).ok();
    let not_at_hand = format!("sealed is sealed under a key that is not at hand: \"{arn}\"");
    let told = |code: &str| format!("this is why ({code})");
    for (code, exit, opening) in [
        ("AccessDeniedException", 4, &told("AccessDeniedException")),
        ("DisabledException", 4, &told("DisabledException")),
        ("KMSInvalidStateException", 4, &told("KMSInvalidStateException")),
        ("NotFoundException", 4, &not_at_hand),
        // Whoever changed a file learns nothing about why it does not open.
        ("InvalidCiphertextException", 3, &"sealed does not open".into()),
        ("IncorrectKeyException", 3, &"sealed does not open".into()),
        ("UnsupportedOperationException", 1, &told("UnsupportedOperationException")),
    ] {
        services.server.fail(code, "this is why");
        services.aws(&arn, &["verify", "sealed"]).failed(exit, opening);
        services.server.fail(code, "this is why");
        services.aws(&arn, &["seal", "plain", "-o", "new"]).failed(exit, &format!("plain: {}", told(code)));
    }
    services.server.fail("DisabledException", "this is why");
    let said = services.aws(&arn, &["inspect", "sealed"]).said("sealed: this is why (DisabledException)");
    assert!(text(said).contains("NOT VERIFIED"));
    services.server.fail("AccessDeniedException", "an escape \u{1b}[31m");
    let ended = services.aws(&arn, &["verify", "sealed"]);
    ended.failed(4, "an escape");
    assert!(!ended.0.stderr.contains(&0x1b));
    assert!(!services.folder.path("new").exists());
    let secret = String::from_utf8_lossy(&ended.0.stderr).contains(SECRET);
    assert!(!secret);
}

#[test]
fn a_key_of_a_service_is_described_and_managed_elsewhere() {
    let services = Services::start();
    let arn = key_arn();
    let described = text(services.aws(&arn, &["key", "describe", "photos"]).ok());
    let id = services.one();
    assert_eq!((id.what.as_str(), &id.body["KeyId"]), ("DescribeKey", &json!(format!("{ACCOUNT}alias/photos"))));
    let rows = [
        format!("arn          {arn}"),
        "description  All photos".into(),
        "state        Enabled".into(),
        "material     made by the service".into(),
        "created      2023-11-14T22:13:20Z".into(),
    ];
    assert_eq!(described.lines().collect::<Vec<_>>(), rows);
    let described = json(&services.aws(&arn, &["key", "describe", KEY, "--json"]).ok());
    assert_eq!((&described["Arn"], &described["Aliases"]), (&json!(arn), &json!(null)));
    let token = [("BAO_TOKEN", TOKEN)];
    let described = text(services.bao(&token, "#photos", &["key", "describe", "photos"]).ok());
    let rows = [
        "arn       transit/keys/photos",
        "state     Enabled",
        "version   1",
        "material  made by the service",
        "created   2023-11-14T22:13:20Z",
    ];
    assert_eq!(described.lines().collect::<Vec<_>>(), rows);
    services.server.asked();

    fs::write(services.folder.path("policy"), "{}").expect("written");
    let managing: [&[&str]; 16] = [
        &["create", "photos"],
        &["list"],
        &["rotate", "photos"],
        &["enable", "photos"],
        &["disable", "photos"],
        &["schedule-deletion", "photos"],
        &["cancel-deletion", "photos"],
        &["versions", "photos"],
        &["rotation", "enable", "photos"],
        &["import", "photos", "plain"],
        &["delete-material", "photos"],
        &["policy", "put", "photos", "policy"],
        &["alias", "list"],
        &["grant", "list", "photos"],
        &["audit", "verify"],
        &["store", "rewrap", "--to", "keyring:default"],
    ];
    for args in managing {
        let args = [&["key"], args].concat();
        services.aws(&arn, &args).failed(1, "keys of AWS KMS are managed with its own tools, such as `aws kms`");
        let own = "keys of the transit engine are managed with the server's own tools, such as `bao` or `vault`";
        services.bao(&token, "#photos", &args).failed(1, own);
    }
    assert_eq!(services.asked(), Vec::<String>::new());
    assert_eq!(services.folder.others(), ["policy"]);
}

#[test]
fn what_only_a_store_has_is_refused() {
    let services = Services::start();
    for [option, value] in [["--store-key", "file:key"], ["--known-head", "head"], ["--anchor-command", "true"]] {
        for args in [&["seal", "plain"][..], &["verify", "plain"], &["key", "describe", "photos"], &["key", "list"]] {
            let args = [args, &[option, value]].concat();
            services.aws(&key_arn(), &args).failed(2, &format!("{option} is for --kms local:FILE"));
            services.bao(&[("BAO_TOKEN", TOKEN)], "#photos", &args).failed(2, option);
        }
    }
    let ended =
        services.bao(&[("OBJSEAL_STORE_KEY", "keyring:default"), ("BAO_TOKEN", TOKEN)], "#a", &["verify", "plain"]);
    ended.failed(2, "--store-key is for --kms local:FILE");
    assert_eq!(services.asked(), Vec::<String>::new());
}

#[test]
fn files_are_under_keys_of_a_transit_engine() {
    let services = Services::start();
    let token = [("BAO_TOKEN", TOKEN)];
    services.bao(&token, "#photos", &[&["seal", "plain", "-o", "sealed"][..], &CONTEXT].concat()).ok();
    let Request { what, body, .. } = services.one();
    assert_eq!(what, "/v1/transit/encrypt/photos");
    let bound = body["associated_data"].clone();
    services.bao(&token, "#other", &[&["open", "sealed", "-o", "opened"][..], &CONTEXT].concat()).ok();
    assert!(services.folder.read("opened") == plaintext(LEN));
    let Request { what, body, .. } = services.one();
    assert_eq!((what.as_str(), &body["associated_data"]), ("/v1/transit/decrypt/photos", &bound));
    services.bao(&token, "#photos", &[&["rewrap", "sealed", "--key", "other"][..], &CONTEXT].concat()).ok();
    let asked = ["keys/other", "decrypt/photos", "encrypt/other"].map(|what| format!("/v1/transit/{what}"));
    assert_eq!(services.asked(), asked);
    let needed = text(services.bao(&token, "#photos", &["key", "needed", "sealed"]).ok());
    assert_eq!(needed, "bao-transit  transit/keys/other  version 1  1 wrapped key\n");
    services.server.asked();

    // Another mount and namespace, whose files those of the first one are not.
    let token = [("VAULT_TOKEN", TOKEN), ("VAULT_NAMESPACE", "europe")];
    services.bao(&token, "/team/transit#photos", &["seal", "plain", "-o", "theirs"]).ok();
    let Request { what, headers, .. } = services.one();
    assert_eq!(what, "/v1/team/transit/encrypt/photos");
    assert_eq!(headers["x-vault-namespace"], "europe");
    services.bao(&token, "/team/transit#photos", &["verify", "theirs"]).ok();
    services.server.asked();
    services
        .bao(&token, "#photos", &["verify", "theirs"])
        .failed(4, "not at hand: \"europe/team/transit/keys/photos\"");
    assert_eq!(services.asked(), Vec::<String>::new());
}

#[test]
fn the_token_is_in_the_environment_or_in_its_file() {
    let services = Services::start();
    let seal = ["seal", "plain", "-f"];
    let refused = "permission denied";
    services.bao(&[], "#photos", &seal).failed(4, "no token; `bao login` gets one");
    services.bao(&[("BAO_TOKEN", ""), ("VAULT_TOKEN", TOKEN)], "#photos", &seal).ok();
    services.bao(&[("BAO_TOKEN", TOKEN), ("VAULT_TOKEN", "other")], "#photos", &seal).ok();
    services.folder.write_secret(".vault-token", TOKEN);
    services.bao(&[], "#photos", &seal).ok();
    services.folder.write_secret(".vault-token", "other\n");
    services.bao(&[], "#photos", &seal).failed(4, refused);
    services.bao(&[("BAO_TOKEN", TOKEN)], "#photos", &seal).ok();
    // As for all secrets.
    services.folder.write_secret(".vault-token", format!("{TOKEN}\n"));
    services.folder.set_mode(".vault-token", 0o644);
    let ended = services.bao(&[], "#photos", &seal);
    ended.failed(4, ".vault-token: ");
    assert!(!String::from_utf8_lossy(&ended.0.stderr).contains(TOKEN));
    services.folder.set_mode(".vault-token", 0o600);
    services.bao(&[("BAO_CACERT", "none")], "#photos", &seal).failed(1, "none: cannot read");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let services = Services::start();
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let at = format!("http://{gone}");
    let env = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_ENDPOINT_URL", &at)];
    let ended = services.run_in(&env, &["seal", "plain", "--kms", &format!("aws:{}", key_arn())]);
    ended.failed(1, "plain: ");
    assert!(!String::from_utf8_lossy(&ended.0.stderr).contains(SECRET));
    let kms = format!("bao:{at}#photos");
    let ended = services.run_in(&[("BAO_TOKEN", TOKEN)], &["seal", "plain", "--kms", &kms]);
    ended.failed(1, "plain: ");
    assert!(!String::from_utf8_lossy(&ended.0.stderr).contains(TOKEN));
    assert_eq!(services.folder.others(), Vec::<String>::new());
}
