//! What `--kms` takes: with and without the features of the services over a network.

mod shared;

use shared::Folder;

/// What is said of each location; a service that this command was built without is refused before anything is read of it.
fn refused(folder: &Folder, locations: &[(&str, &str)], built: bool, without: &str) {
    for (location, words) in locations {
        let said = if built { words } else { without };
        for args in [&["seal", "plain"][..], &["verify", "plain"], &["key", "list"]] {
            folder.run(&[args, &["--kms", location]].concat()).failed(2, said);
            let by_environment = folder.command(args).env("OBJSEAL_KMS", location).output().expect("it runs");
            shared::Ended(by_environment).failed(2, said);
        }
    }
}

#[test]
fn only_arns_of_keys_and_aliases_are_of_aws() {
    let folder = Folder::with_keyring();
    let known = "aws: is followed by the ARN of a key or of an alias";
    let locations = [
        ("aws:photos", known),
        ("aws:alias/photos", known),
        ("aws:1234abcd-12ab-34cd-56ef-1234567890ab", known),
        ("aws:arn:aws:kms:eu-west-1:111122223333:photos", known),
        ("aws:arn:aws:kms:eu-west-1:111122223333:key/", known),
        ("aws:arn:aws:kms:eu-west-1::key/1", known),
        ("aws:arn:aws:kms::111122223333:key/1", known),
        ("aws:arn:aws:s3:eu-west-1:111122223333:key/1", known),
    ];
    let without =
        "this command was built without AWS KMS; build it with `cargo install --path bindings/cli --features aws`";
    refused(&folder, &locations, cfg!(feature = "aws"), without);
}

#[test]
fn only_urls_with_keys_are_of_a_transit_engine() {
    let folder = Folder::with_keyring();
    let known = "bao: is followed by https://HOST:PORT#KEY";
    let locations = [
        ("bao:photos", known),
        ("bao:https://bao.example:8200", known),
        ("bao:https://bao.example:8200#", known),
        ("bao:https://#photos", known),
        ("bao:ftp://bao.example#photos", known),
        ("bao:https://s.0123456789@bao.example:8200#photos", "a token is not for the command line: BAO_TOKEN has it"),
    ];
    let without = "this command was built without OpenBao and Vault; build it with `cargo install --path bindings/cli --features bao`";
    refused(&folder, &locations, cfg!(feature = "bao"), without);
}

#[test]
fn other_services_are_not_known() {
    let folder = Folder::with_keyring();
    let known = "known are local:FILE, aws:ARN and bao:URL#KEY";
    let locations = ["kms", "local:", "aws:", "bao:", "gcp:projects/p", ":kms", ""].map(|location| (location, known));
    refused(&folder, &locations[..6], true, "");
    folder.run(&["seal", "plain", "--kms", ""]).failed(2, "");
}
