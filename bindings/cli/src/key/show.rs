//! `objseal key list` and `describe`.

use super::table::{print_json, print_table};
use super::{ListArgs, ShowArgs, keyring};
use crate::failure::Failure;
use crate::kms::OpenStore;
use crate::time::shown_time;
use objseal_keys::kms::{KeyManager, KeyMetadata, KeyState, Origin};
use objseal_keys::local::AliasEntry;
use serde::Serialize;
use std::time::UNIX_EPOCH;

/// How a key is. As JSON, with the names of AWS, and with its aliases and its version.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    key_id: String,
    arn: String,
    /// `None` where the service is not asked for them.
    aliases: Option<Vec<String>>,
    description: String,
    enabled: bool,
    key_state: KeyState,
    key_manager: KeyManager,
    origin: Origin,
    key_spec: &'static str,
    key_usage: &'static str,
    /// 0 without material, or where the service keeps it to itself.
    key_version: u32,
    current_key_material_id: Option<String>,
    /// `None` where the service does not tell.
    creation_date: Option<String>,
    deletion_date: Option<String>,
    valid_to: Option<String>,
}

pub(super) fn list(args: &ListArgs) -> Result<(), Failure> {
    let Some(path) = args.keys.kms.store()? else {
        return keyring::list(&args.keys.keyring, args.json);
    };
    let kms = OpenStore::open(&args.keys, path)?;
    let keys = kms.local().keys(&kms.call()).map_err(|error| Failure::of_kms(&error, "keys"))?;
    let aliases = aliases(&kms)?;
    let keys: Vec<_> = keys.into_iter().map(|key| Shown::new(key, Some(&aliases))).collect();
    if args.json {
        print_json(&keys)?;
    } else {
        let mut rows: Vec<_> = keys.iter().map(Shown::row).collect();
        rows.sort();
        print_table(&rows)?;
    }
    // They are not among the others.
    let damaged = kms.local().damaged().map_err(|error| kms.failure(&error))?;
    if damaged.is_empty() {
        return Ok(());
    }
    let damaged: Vec<_> = damaged.iter().map(ToString::to_string).collect();
    let what = "were changed, or are damaged; restore the store from a copy";
    Err(Failure::Refused(format!("the records of these keys {what}: {}", damaged.join(", "))))
}

pub(super) fn describe(args: &ShowArgs) -> Result<(), Failure> {
    let ShowArgs { name, json, keys } = args;
    let key = if let Some(remote) = keys.kms.remote()? {
        Shown::new(remote.connect()?.describe(name)?, None)
    } else if let Some(path) = keys.kms.store()? {
        let kms = OpenStore::open(keys, path)?;
        Shown::new(kms.describe(name)?, Some(&aliases(&kms)?))
    } else {
        return keyring::describe(&keys.keyring, name, *json);
    };
    if *json { print_json(&key) } else { print_table(&key.rows()) }
}

fn aliases(kms: &OpenStore) -> Result<Vec<AliasEntry>, Failure> {
    kms.local().aliases(&kms.call()).map_err(|error| Failure::of_kms(&error, "aliases"))
}

impl Shown {
    fn new(key: KeyMetadata, aliases: Option<&[AliasEntry]>) -> Self {
        let of_key = |alias: &&AliasEntry| alias.key_id.to_string() == key.key_id;
        Self {
            aliases: aliases.map(|all| all.iter().filter(of_key).map(|alias| alias.name.clone()).collect()),
            enabled: key.state == KeyState::Enabled,
            key_state: key.state,
            key_manager: key.manager,
            origin: key.origin,
            key_spec: "SYMMETRIC_DEFAULT",
            key_usage: "ENCRYPT_DECRYPT",
            key_version: key.current_version,
            current_key_material_id: key.material_id,
            creation_date: Some(key.created).filter(|&created| created > UNIX_EPOCH).map(shown_time),
            deletion_date: key.deletion.map(shown_time),
            valid_to: key.valid_to.map(shown_time),
            key_id: key.key_id,
            arn: key.arn,
            description: key.description,
        }
    }

    fn aliases(&self) -> Option<String> {
        let aliases = self.aliases.as_ref()?;
        Some(if aliases.is_empty() { "-".into() } else { aliases.join(", ") })
    }

    fn row(&self) -> [String; 4] {
        let version = format!("version {}", self.key_version);
        [self.aliases().unwrap_or_default(), version, format!("{:?}", self.key_state), self.key_id.clone()]
    }

    fn rows(&self) -> Vec<[String; 2]> {
        let origin = if self.origin == Origin::Service { "made by the service" } else { "imported" };
        let rows = [
            ("arn", Some(self.arn.clone())),
            ("alias", self.aliases()),
            ("description", Some(self.description.clone()).filter(|text| !text.is_empty())),
            ("state", Some(format!("{:?}", self.key_state))),
            ("version", (self.key_version > 0).then(|| self.key_version.to_string())),
            ("material", Some(origin.into())),
            ("created", self.creation_date.clone()),
            ("deletion", self.deletion_date.clone()),
            ("valid to", self.valid_to.clone()),
        ];
        rows.into_iter().filter_map(|(what, value)| Some([what.into(), value?])).collect()
    }
}
