//! Completions for shells, and manual pages.

use crate::Cli;
use crate::failure::Failure;
use crate::output::refuse_keys;
use crate::text::{print_text, shown_path};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use objseal_files::{Existing, NewFile};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "objseal", &mut script);
    print_text(&String::from_utf8(script).map_err(Failure::other)?)
}

/// Writes `objseal.1` and a page for each subcommand.
pub(crate) fn pages(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    page_and_those_below(&command, folder)
}

fn page_and_those_below(command: &Command, folder: &Path) -> Result<(), Failure> {
    command.get_subcommands().try_for_each(|below| page_and_those_below(below, folder))?;
    let page = Man::new(command.clone());
    let path = folder.join(page.get_filename());
    refuse_keys(&path, &shown_path(&path))?;
    write(&page, &path).map_err(|error| cannot_write(&path, &error))
}

fn write(page: &Man, path: &Path) -> io::Result<()> {
    let mut text = Vec::new();
    page.render(&mut text)?;
    let file = NewFile::create(path, Existing::Replace, 0o666)?;
    file.file().write_all(&text)?;
    file.commit()
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("{}: cannot write: {error}", shown_path(path)))
}
