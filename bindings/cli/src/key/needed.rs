//! `objseal key needed`: which versions of keys sealed files are under.

use super::table::{print_json, print_table};
use crate::failure::Failure;
use crate::input::Input;
use crate::keys::{Keys, KeysArgs};
use crate::sealed::{demanded, for_each};
use crate::{ContextArgs, engine};
use clap::Args;
use objseal::envelope::OpenOptions;
use objseal::file::SealedFile;
use objseal_keys::needed::Needed;
use serde::Serialize;
use std::cell::RefCell;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct NeededArgs {
    /// Sealed files. Nothing is shown unless all of them open.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

/// A version that is needed. As JSON, with these names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version<'n> {
    service: &'n str,
    key_id: &'n str,
    key_version: u32,
    wrapped_keys: u64,
}

pub(super) fn run(args: &NeededArgs) -> Result<(), Failure> {
    let keys = Keys::open(&args.keys)?;
    let mut options = engine::to_open(OpenOptions::new())?;
    options.policy_mut().context = demanded(&args.context)?;
    let needed = RefCell::new(Needed::new());
    for_each(&args.files, |path| {
        let input = Input::open(path)?;
        let options = keys.add_to(options.clone(), input.name());
        let opened = SealedFile::open(&options, input.stored("needed")?)
            .map_err(|error| Failure::of_opening(error, &options, input.name(), "what it says is not to be trusted"))?;
        needed.borrow_mut().add(opened.info().envelope.head());
        Ok(())
    })?;
    let needed = needed.into_inner();
    let versions: Vec<_> = needed
        .iter()
        .map(|(service, key_id, key_version, wrapped_keys)| Version { service, key_id, key_version, wrapped_keys })
        .collect();
    if args.json {
        return print_json(&versions);
    }
    let rows: Vec<_> = versions.iter().map(Version::row).collect();
    print_table(&rows)
}

impl Version<'_> {
    fn row(&self) -> [String; 4] {
        let Self { service, key_id, key_version, wrapped_keys } = self;
        let plural = if *wrapped_keys == 1 { "" } else { "s" };
        [
            service.to_string(),
            key_id.to_string(),
            format!("version {key_version}"),
            format!("{wrapped_keys} wrapped key{plural}"),
        ]
    }
}
