//! Completions for shells, and manual pages.

use crate::Cli;
use crate::failure::Failure;
use crate::text::shown_path;
use clap::CommandFactory;
use clap_complete::Shell;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "objseal", &mut script);
    io::stdout().lock().write_all(&script).map_err(|error| Failure::of_stdout(&error))
}

/// Writes `objseal.1` and a page for each subcommand.
pub(crate) fn pages(folder: &Path) -> Result<(), Failure> {
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| Failure::other(format!("{}: cannot write: {error}", shown_path(folder))))
}
