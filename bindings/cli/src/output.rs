//! What the command writes: a file that takes its name when it is whole, or straight into a descriptor, a device or a pipe.

use crate::failure::Failure;
use crate::input::Input;
use crate::signals::{Held, LastStep};
use crate::standard;
use crate::text::shown_path;
use objseal_files::{Existing, Remains, Target, descriptor_of};
use objseal_keys::keyring::KeyringFile;
use objseal_keys::local::LocalKms;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where `input` goes if the user does not say: `INPUT.suffix`, or without the suffix, or standard output.
pub(crate) fn default_output(input: &Path, suffix: &str, add: bool) -> Result<PathBuf, Failure> {
    if standard::is_dash(input) || descriptor_of(input).is_some() {
        return Ok("-".into());
    }
    if add {
        let mut name = input.as_os_str().to_owned();
        name.push(".");
        name.push(suffix);
        return Ok(name.into());
    }
    if input.extension().is_some_and(|extension| extension == suffix) {
        return Ok(input.with_extension(""));
    }
    Err(Failure::other(format!("{}: its name does not end in .{suffix}, so say with -o where to", shown_path(input))))
}

/// What an output is to be.
pub(crate) struct Wanted<'w> {
    /// Files that the command reads: none of them is written.
    pub(crate) in_use: &'w [Metadata],
    /// The permissions of a new file, within the umask.
    pub(crate) mode: u32,
    /// Why a file that is there stays. `None` replaces it.
    pub(crate) stays: Option<&'static str>,
    /// Whether its bytes are nothing for a terminal.
    pub(crate) sealed: bool,
}

pub(crate) struct Output {
    target: Target,
    name: String,
    /// Of a new file.
    last_step: Option<LastStep>,
    stays: Option<&'static str>,
}

impl Output {
    /// Makes ready to write what is made of `input` and of files with secrets.
    pub(crate) fn from(
        input: &Input,
        secrets: Vec<Metadata>,
        path: &Path,
        force: bool,
        sealed: bool,
    ) -> Result<Self, Failure> {
        let mut in_use = secrets;
        in_use.push(input.metadata().clone());
        let stays = (!force).then_some("--force replaces it");
        Self::create(path, &Wanted { in_use: &in_use, mode: input.mode(), stays, sealed })
    }

    /// Makes ready to write `path`, which must be neither in use nor hold keys.
    pub(crate) fn create(path: &Path, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        if standard::is_dash(path) {
            let name = "standard output".into();
            return Self { target: standard::output()?, name, last_step: None, stays: None }.checked(wanted);
        }
        let name = shown_path(path);
        let fail = |error| cannot_write(&name, &error, wanted.stays);
        let descriptor = descriptor_of(path);
        standard::refuse_closed(descriptor).map_err(fail)?;
        let there = fs::metadata(path).ok();
        if let (None, Some(there)) = (descriptor, &there) {
            refuse_in_use(there, wanted.in_use, &name)?;
        }
        refuse_keys(path, &name)?;
        let is_new = descriptor.is_none() && there.is_none_or(|there| there.is_file());
        // First the signals, then the file: one that comes in between waits to be looked at.
        let held = is_new.then(Held::new).transpose()?;
        let existing = if wanted.stays.is_some() { Existing::Refuse } else { Existing::Replace };
        let target = Target::create(path, existing, wanted.mode).map_err(fail)?;
        let remains = match &target {
            Target::New(file) => file.remains(),
            Target::Direct(_) => Remains::default(),
        };
        let last_step = held.map(|held| held.end_with(remains)).transpose()?;
        Self { target, name, last_step, stays: wanted.stays }.checked(wanted)
    }

    /// What can be told of an output only when it is open.
    fn checked(self, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        if let Target::Direct(direct) = &self.target {
            if wanted.sealed && direct.file().is_terminal() {
                return Err(Failure::other("sealed bytes are nothing for a terminal; say with -o where to"));
            }
            if let Ok(there) = direct.file().metadata() {
                refuse_in_use(&there, wanted.in_use, &self.name)?;
            }
        }
        Ok(self)
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(&self.target, Target::Direct(direct) if direct.file().is_terminal())
    }

    /// The file, if it is a new one.
    pub(crate) fn new_file(&self) -> Option<&File> {
        match &self.target {
            Target::New(file) => Some(file.file()),
            Target::Direct(_) => None,
        }
    }

    /// What becomes of the output when opening fails.
    pub(crate) fn after_failure(&self) -> &'static str {
        match self.target {
            Target::New(_) => "nothing was written",
            Target::Direct(_) => "what was written before is the authentic beginning",
        }
    }

    /// Ends the output, now that it is whole: a new file is on disk and gets its name, everything else has arrived.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { target, name, last_step, stays } = self;
        let finished = match target {
            Target::New(file) => file.commit_after(|| last_step.as_ref().map(LastStep::begin)),
            Target::Direct(direct) => direct.finish(),
        };
        finished.map_err(|error| cannot_write(&name, &error, stays))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.target.write(bytes);
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: cannot write: {error}", self.name)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refuses a path at which a keyring or its lock is, or the store of a key management service or its audit: what is sealed
/// under their keys would be lost.
pub(crate) fn refuse_keys(path: &Path, name: &str) -> Result<(), Failure> {
    if KeyringFile::is_at(path) {
        return Err(Failure::other(format!("{name} is a keyring, or the lock of one; name another output")));
    }
    if LocalKms::is_at(path) {
        let what = "is the store of a key management service, or belongs to one";
        return Err(Failure::other(format!("{name} {what}; name another output")));
    }
    Ok(())
}

fn refuse_in_use(output: &Metadata, in_use: &[Metadata], name: &str) -> Result<(), Failure> {
    let identity = identity(output);
    if identity.is_some() && in_use.iter().any(|file| self::identity(file) == identity) {
        return Err(Failure::other(format!("{name} is what this reads from; name another output")));
    }
    Ok(())
}

/// What tells a file or a block device from others. Who reads from a pipe or a terminal may write to it as well.
fn identity(file: &Metadata) -> Option<(bool, u64, u64)> {
    match file.file_type() {
        kind if kind.is_file() => Some((true, file.dev(), file.ino())),
        kind if kind.is_block_device() => Some((false, file.rdev(), 0)),
        _ => None,
    }
}

fn cannot_write(name: &str, error: &io::Error, stays: Option<&str>) -> Failure {
    Failure::other(match (error.kind(), stays) {
        (ErrorKind::IsADirectory, _) => format!("{name} is a directory; name a file in it"),
        (ErrorKind::AlreadyExists, Some(why)) => format!("{name} exists; {why}"),
        _ => format!("{name}: cannot write: {error}"),
    })
}
