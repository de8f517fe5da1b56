//! `objseal key rotate`, `rotation`, `versions`, `import` and `delete-material`.

use super::table::{print_json, print_table};
use super::{NAME_HELP, NameArgs, ShowArgs, keyring, with_key};
use crate::failure::Failure;
use crate::key_file;
use crate::keys::KeysArgs;
use crate::text::{print, shown};
use crate::time::{When, shown_time};
use clap::{Args, Subcommand};
use objseal_keys::local::{KeyVersion, LocalKms, RotationPeriod, RotationType};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Rotation {
    /// Rotate a key every so many days, when it is used or looked at.
    Enable(EnableArgs),
    /// Rotate a key no longer by itself.
    Disable(NameArgs),
    /// Show when a key is rotated next.
    Status(ShowArgs),
}

#[derive(Args)]
pub(crate) struct EnableArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// Days from one rotation to the next, 90 to 2560.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(90..=2560))]
    days: u32,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[arg(help = NAME_HELP)]
    name: String,
    /// The material, in a file that nobody else can read: 64 hexadecimal digits, or 32 bytes as they are.
    key_file: PathBuf,
    /// When the material is destroyed: a time as in RFC 3339.
    #[arg(long, value_name = "TIME")]
    valid_to: Option<When>,
    #[command(flatten)]
    keys: KeysArgs,
}

/// How a key is rotated. As JSON, with the names of AWS.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    key_rotation_enabled: bool,
    rotation_period_in_days: Option<u32>,
    next_rotation_date: Option<String>,
}

/// A version of a key. As JSON, with the names of AWS, and with its number.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version<'v> {
    key_version: u32,
    key_material_id: &'v str,
    key_material_state: &'static str,
    rotation_type: RotationType,
    rotation_date: String,
}

/// What only a service has.
const IMPORT: &str = "imported material";
const ROTATION: &str = "rotation of keys by themselves";

pub(super) fn rotate(args: &NameArgs) -> Result<(), Failure> {
    let name = &args.name;
    if args.keys.kms.store()?.is_none() {
        return keyring::rotate(&args.keys.keyring, name);
    }
    let version = with_key(&args.keys, name, ROTATION, LocalKms::rotate)?;
    let name = shown(name);
    print(format_args!("key \"{name}\" is at version {version}; `objseal rewrap` puts older files under it"))
}

pub(super) fn versions(args: &ShowArgs) -> Result<(), Failure> {
    let versions = with_key(&args.keys, &args.name, "old versions to list", LocalKms::versions)?;
    let current = versions.last().map_or(0, |version| version.version);
    let versions: Vec<_> = versions.iter().map(|version| Version::new(version, current)).collect();
    if args.json {
        return print_json(&versions);
    }
    let rows: Vec<_> = versions.iter().map(Version::row).collect();
    print_table(&rows)
}

pub(super) fn import(args: &ImportArgs) -> Result<(), Failure> {
    // First: a file that is no key is told before a store is opened.
    args.keys.kms.required(IMPORT)?;
    let material = key_file::read(&args.key_file)?;
    let valid_to = args.valid_to.map(|When(time)| time);
    with_key(&args.keys, &args.name, IMPORT, |kms, call, key| kms.import_material(call, key, &material, valid_to))?;
    print(format_args!("key \"{}\" has its material; keep a copy of it", shown(&args.name)))
}

pub(super) fn delete(args: &NameArgs) -> Result<(), Failure> {
    with_key(&args.keys, &args.name, IMPORT, LocalKms::delete_material)?;
    print(format_args!("key \"{}\" waits for its material", shown(&args.name)))
}

impl Rotation {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Enable(args) => {
                with_key(&args.keys, &args.name, ROTATION, |kms, call, key| {
                    kms.enable_rotation(call, key, RotationPeriod::days(args.days)?)
                })?;
                print(format_args!("key \"{}\" is rotated every {} days", shown(&args.name), args.days))
            }
            Self::Disable(args) => {
                with_key(&args.keys, &args.name, ROTATION, LocalKms::disable_rotation)?;
                print(format_args!("key \"{}\" is not rotated by itself", shown(&args.name)))
            }
            Self::Status(args) => status(&args),
        }
    }
}

fn status(args: &ShowArgs) -> Result<(), Failure> {
    let rotation = with_key(&args.keys, &args.name, ROTATION, LocalKms::rotation)?;
    let status = Status {
        key_rotation_enabled: rotation.is_some(),
        rotation_period_in_days: rotation.map(|rotation| rotation.period_days),
        next_rotation_date: rotation.map(|rotation| shown_time(rotation.next)),
    };
    if args.json {
        return print_json(&status);
    }
    let name = shown(&args.name);
    match (status.rotation_period_in_days, status.next_rotation_date) {
        (Some(days), Some(next)) => {
            print(format_args!("key \"{name}\" is rotated every {days} days, the next time on {next}"))
        }
        _ => print(format_args!("key \"{name}\" is not rotated by itself")),
    }
}

impl<'v> Version<'v> {
    fn new(version: &'v KeyVersion, current: u32) -> Self {
        let state = match version {
            KeyVersion { has_material: false, .. } => "PENDING_IMPORT",
            KeyVersion { version, .. } if *version == current => "CURRENT",
            _ => "NON_CURRENT",
        };
        Self {
            key_version: version.version,
            key_material_id: &version.material_id,
            key_material_state: state,
            rotation_type: version.by,
            rotation_date: shown_time(version.created),
        }
    }

    fn row(&self) -> [String; 4] {
        let by = match self.rotation_type {
            RotationType::Created => "created",
            RotationType::Automatic => "by itself",
            RotationType::OnDemand => "on demand",
        };
        let state = match self.key_material_state {
            "CURRENT" => "current",
            "NON_CURRENT" => "",
            _ => "without material",
        };
        [format!("version {}", self.key_version), self.rotation_date.clone(), by.into(), state.into()]
    }
}
