//! What the command reads: a file or standard input, with errors that name it.

use crate::failure::Failure;
use crate::text::shown_path;
use objseal::cobblestone::ReadAt;
use objseal_keys::keyring::KeyringError;
use rustix::process::geteuid;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(crate) struct Input {
    file: File,
    name: String,
    metadata: Metadata,
    standard: bool,
}

impl Input {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let standard = is_standard(path);
        let name = if standard { "standard input".into() } else { shown_path(path) };
        // Not through `io::stdin`: its buffer would keep plaintext.
        let file = if standard { io::stdin().as_fd().try_clone_to_owned().map(File::from) } else { File::open(path) };
        let opened = file.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        let (file, metadata) = opened.map_err(|error| Failure::other(format!("{name}: cannot read: {error}")))?;
        if metadata.is_dir() {
            return Err(Failure::other(format!("{name} is a directory; pack it with tar and seal what that gives")));
        }
        Ok(Self { file, name, metadata, standard })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Bytes to come, if that can be known beforehand.
    pub(crate) fn len(&self) -> Option<u64> {
        let at = (&self.file).stream_position().ok()?;
        // Files in /proc have no length, and much to read.
        self.metadata.len().checked_sub(at).filter(|&len| self.metadata.is_file() && len > 0)
    }

    /// This input as one that can be read at any position, which is what `purpose` needs.
    pub(crate) fn stored(&self, purpose: &str) -> Result<impl ReadAt, Failure> {
        if self.standard || !self.metadata.is_file() {
            return Err(Failure::other(format!("{}: {purpose} needs a file, not a stream", self.name)));
        }
        Ok(Stored(self))
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: cannot read: {error}", self.name))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).map_err(|error| self.named(&error))
    }
}

struct Stored<'i>(&'i Input);

impl ReadAt for Stored<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        ReadAt::read_exact_at(&self.0.file, buffer, offset).map_err(|error| self.0.named(&error))
    }

    fn size(&self) -> io::Result<u64> {
        self.0.file.size().map_err(|error| self.0.named(&error))
    }
}

/// Opens a file with a secret in it, which must be as private as a keyring. The modes of pipes and devices say nothing
/// about what comes out of them.
pub(crate) fn open_secret(path: &Path) -> Result<File, KeyringError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if metadata.is_file() && ![0, geteuid().as_raw()].contains(&uid) {
        return Err(KeyringError::Owner { uid });
    }
    if metadata.is_file() && mode & 0o077 != 0 {
        return Err(KeyringError::Permissions { mode });
    }
    Ok(file)
}

/// Whether `path` stands for standard input.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdin")
}
