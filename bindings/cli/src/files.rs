//! What the command reads and writes: files and standard streams, with errors that name them.

use crate::failure::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// What is read.
pub(crate) struct Input {
    file: Option<File>,
    name: String,
    metadata: Option<Metadata>,
}

impl Input {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if is_dash(path) {
            return Ok(Self { file: None, name: "standard input".into(), metadata: None });
        }
        let name = path.display().to_string();
        let fail = |error: io::Error| Failure::other(format!("{name}: cannot read: {error}"));
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(Failure::other(format!("{name} is a directory; pack it with tar and seal what that gives")));
        }
        Ok(Self { file: Some(file), name, metadata: Some(metadata) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Length in bytes, if that can be known beforehand.
    pub(crate) fn len(&self) -> Option<u64> {
        self.metadata.as_ref().filter(|metadata| metadata.is_file()).map(Metadata::len)
    }

    /// The file, if it can be read at any position.
    pub(crate) fn seekable(&self) -> Result<&File, Failure> {
        let regular = self.file.as_ref().filter(|_| self.len().is_some());
        regular.ok_or_else(|| Failure::other(format!("{}: --range needs a file, not a stream", self.name)))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.file {
            Some(file) => file.read(buffer),
            None => io::stdin().lock().read(buffer),
        };
        read.map_err(|error| io::Error::new(error.kind(), format!("{}: cannot read: {error}", self.name)))
    }
}

/// Where `input` goes if the user does not say: `INPUT.suffix`, or without the suffix, or standard output.
pub(crate) fn default_output(input: &Path, suffix: &str, add: bool) -> Result<PathBuf, Failure> {
    if is_dash(input) {
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
    Err(Failure::other(format!("{}: its name does not end in .{suffix}, so say with -o where to", input.display())))
}

/// What is written.
pub(crate) struct Output {
    kind: Kind,
    name: String,
}

enum Kind {
    Stdout,
    /// A device or a pipe that is there already.
    Direct(File),
    /// A new file, under another name until it is whole.
    Beside {
        file: NamedTempFile,
        path: PathBuf,
        force: bool,
    },
}

impl Output {
    /// Makes ready to write `path`. `sealed` says that the bytes are nothing for a terminal.
    pub(crate) fn create(path: &Path, input: &Input, force: bool, sealed: bool) -> Result<Self, Failure> {
        if is_dash(path) {
            if sealed && io::stdout().is_terminal() {
                return Err(Failure::other("sealed bytes are nothing for a terminal; say with -o where to"));
            }
            return Ok(Self { kind: Kind::Stdout, name: "standard output".into() });
        }
        let name = path.display().to_string();
        let fail = |error: io::Error| Failure::other(format!("{name}: cannot write: {error}"));
        match fs::metadata(path) {
            Ok(existing) if existing.is_dir() => {
                return Err(Failure::other(format!("{name} is a directory; name a file in it")));
            }
            Ok(existing) if !existing.is_file() => {
                let file = File::options().write(true).open(path).map_err(fail)?;
                return Ok(Self { kind: Kind::Direct(file), name });
            }
            Ok(existing) => {
                if input.metadata.as_ref().is_some_and(|input| same_file(input, &existing)) {
                    return Err(Failure::other(format!("{name} is both input and output")));
                }
                if !force {
                    return Err(Failure::other(format!("{name} exists; --force replaces it")));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".objseal-").suffix(".part");
        // As any new file: the umask decides.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // First the signals, then the file: one that comes in between waits to be looked at.
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Failure::other)?;
        let file = builder.tempfile_in(folder_of(path)).map_err(fail)?;
        remove_on_signal(signals, file.path().to_owned())?;
        Ok(Self { kind: Kind::Beside { file, path: path.to_owned(), force }, name })
    }

    /// What becomes of the output when opening fails.
    pub(crate) fn after_failure(&self) -> &'static str {
        match self.kind {
            Kind::Beside { .. } => "nothing was written",
            _ => "what was written before is the authentic beginning",
        }
    }

    /// Gives the output its name, now that it is whole and on disk.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let name = self.name;
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::other(format!("{name}: cannot write: {error}")),
        };
        match self.kind {
            Kind::Stdout => io::stdout().flush().map_err(fail),
            Kind::Direct(_) => Ok(()),
            Kind::Beside { file, path, force } => {
                file.as_file().sync_all().map_err(fail)?;
                let persisted = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
                persisted.map_err(|error| fail(error.error))?;
                File::open(folder_of(&path)).and_then(|folder| folder.sync_all()).map_err(fail)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.kind {
            Kind::Stdout => io::stdout().lock().write(bytes),
            Kind::Direct(file) => file.write(bytes),
            Kind::Beside { file, .. } => file.write(bytes),
        };
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: cannot write: {error}", self.name)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// Removes the unfinished file when the user or the system ends the command.
fn remove_on_signal(mut signals: Signals, path: PathBuf) -> Result<(), Failure> {
    let waiting = std::thread::Builder::new().spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _ = fs::remove_file(path);
            std::process::exit(128 + signal);
        }
    });
    waiting.map(drop).map_err(Failure::other)
}
