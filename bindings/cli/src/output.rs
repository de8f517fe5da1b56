//! What the command writes: a stream, or a file beside its target that is renamed once it is whole.

use crate::failure::Failure;
use crate::input::is_standard;
use crate::text::shown_path;
use rustix::fs::Mode;
use rustix::process::umask;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::NamedTempFile;

/// Where `input` goes if the user does not say: `INPUT.suffix`, or without the suffix, or standard output.
pub(crate) fn default_output(input: &Path, suffix: &str, add: bool) -> Result<PathBuf, Failure> {
    if is_standard(input) {
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

/// Standard output without the buffer of [`io::stdout`], which would keep plaintext and split large writes. `None` if
/// `path` does not stand for it.
pub(crate) fn stdout(path: &Path) -> Option<io::Result<File>> {
    let standard = path == Path::new("-") || path == Path::new("/dev/stdout");
    standard.then(|| io::stdout().as_fd().try_clone_to_owned().map(File::from))
}

pub(crate) struct Output {
    kind: Kind,
    name: String,
}

enum Kind {
    /// Standard output, a device or a pipe.
    Direct(File),
    /// A new file, private and under another name until it is whole. A signal says in `ended` that it never will be.
    /// `mode` is that of the input, if that is a file.
    Beside { file: NamedTempFile, path: PathBuf, force: bool, mode: Option<u32>, ended: Arc<AtomicBool> },
}

impl Output {
    /// Makes ready to write `path`, which must be neither the input nor the file of the keys. `sealed` says that the
    /// bytes are nothing for a terminal.
    pub(crate) fn create(
        path: &Path,
        input: &Metadata,
        keys: Option<&Metadata>,
        force: bool,
        sealed: bool,
    ) -> Result<Self, Failure> {
        let in_use: Vec<_> = [Some(input), keys].into_iter().flatten().collect();
        if let Some(file) = stdout(path) {
            let name = String::from("standard output");
            return Self::direct(file.map_err(|error| cannot_write(&name, &error))?, name, &in_use, sealed);
        }
        let name = shown_path(path);
        match fs::metadata(path) {
            Ok(existing) if existing.is_dir() => {
                return Err(Failure::other(format!("{name} is a directory; name a file in it")));
            }
            Ok(existing) if !existing.is_file() => {
                let file = File::options().write(true).open(path).map_err(|error| cannot_write(&name, &error))?;
                return Self::direct(file, name, &in_use, sealed);
            }
            Ok(existing) => {
                refuse_same_file(&existing, &in_use, &name)?;
                if !force {
                    return Err(exists(&name));
                }
            }
            // A link to nothing is there all the same.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !force && path.is_symlink() {
                    return Err(exists(&name));
                }
            }
            Err(error) => return Err(cannot_write(&name, &error)),
        }
        // First the signals, then the file: one that comes in between waits to be looked at.
        let signals = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal));
        let ended = Arc::new(AtomicBool::new(false));
        for signal in signals.clone() {
            flag::register(signal, Arc::clone(&ended)).map_err(Failure::other)?;
        }
        let signals = Signals::new(signals).map_err(Failure::other)?;
        let make = |path: &Path| File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = tempfile::Builder::new().prefix(".objseal-").suffix(".part").make_in(folder_of(path), make);
        let file = file.map_err(|error| cannot_write(&name, &error))?;
        remove_on_signal(signals, file.path().to_owned())?;
        let mode = input.is_file().then(|| input.mode());
        Ok(Self { kind: Kind::Beside { file, path: path.to_owned(), force, mode, ended }, name })
    }

    fn direct(file: File, name: String, in_use: &[&Metadata], sealed: bool) -> Result<Self, Failure> {
        if sealed && file.is_terminal() {
            return Err(Failure::other("sealed bytes are nothing for a terminal; say with -o where to"));
        }
        if let Ok(existing) = file.metadata()
            && existing.is_file()
        {
            refuse_same_file(&existing, in_use, &name)?;
        }
        Ok(Self { kind: Kind::Direct(file), name })
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(&self.kind, Kind::Direct(file) if file.is_terminal())
    }

    /// What becomes of the output when opening fails.
    pub(crate) fn after_failure(&self) -> &'static str {
        match self.kind {
            Kind::Beside { .. } => "nothing was written",
            Kind::Direct(_) => "what was written before is the authentic beginning",
        }
    }

    /// Gives the output its name, now that it is whole and on disk.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Kind::Beside { file, path, force, mode, ended } = self.kind else {
            return Ok(());
        };
        let name = self.name;
        file.as_file().sync_all().map_err(|error| cannot_write(&name, &error))?;
        // What ends this often ends the writer of its input as well, and then the input looks whole and is not.
        while ended.load(Ordering::Relaxed) {
            // Until the thread that waits for signals ends the command.
            std::thread::park();
        }
        let replaced = fs::symlink_metadata(&path).ok().filter(|existing| force && existing.is_file());
        settle(file.as_file(), replaced.as_ref(), mode);
        let persisted = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
        persisted.map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => exists(&name),
            _ => cannot_write(&name, &error.error),
        })?;
        sync_folder_of(&path).map_err(|error| cannot_write(&name, &error))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = match &mut self.kind {
            Kind::Direct(file) => file,
            Kind::Beside { file, .. } => file.as_file_mut(),
        };
        let written = file.write(bytes);
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: cannot write: {error}", self.name)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives a file that was private the owner and the mode of the one that it replaces, else the mode of the input within
/// the umask. Where the file system or the user's rights do not allow that, it stays more private.
fn settle(file: &File, replaced: Option<&Metadata>, input_mode: Option<u32>) {
    let mode = if let Some(old) = replaced {
        let (user, group) = (Some(old.uid()), Some(old.gid()));
        let same_group = fchown(file, user, group).or_else(|_| fchown(file, None, group)).is_ok();
        Some(old.mode() & if same_group { 0o777 } else { 0o707 })
    } else {
        // The umask can be read by setting it only. No other thread makes files.
        let mask = umask(Mode::RWXG | Mode::RWXO);
        umask(mask);
        input_mode.map(|mode| mode & 0o777 & !mask.bits())
    };
    if let Some(mode) = mode {
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::other(format!("{name}: cannot write: {error}"))
}

fn exists(name: &str) -> Failure {
    Failure::other(format!("{name} exists; --force replaces it"))
}

fn refuse_same_file(output: &Metadata, in_use: &[&Metadata], name: &str) -> Result<(), Failure> {
    let identity = |file: &Metadata| (file.dev(), file.ino());
    if in_use.iter().any(|file| identity(file) == identity(output)) {
        return Err(Failure::other(format!("{name} is what this reads from; name another output")));
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a name in its folder last, where the folder can be opened and its file system knows how.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let Ok(folder) = File::open(folder_of(path)) else {
        return Ok(());
    };
    match folder.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Whether whoever started the command wants `signal` ignored, as nohup does with SIGHUP. Only Linux tells.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
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
