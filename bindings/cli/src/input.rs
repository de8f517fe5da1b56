//! What the command reads: a file or standard input, with errors that name it.

use crate::failure::Failure;
use crate::standard;
use crate::text::shown_path;
use objseal::cobblestone::ReadAt;
use objseal_files::Source;
use std::fs::Metadata;
use std::io::{self, ErrorKind, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(crate) struct Input {
    source: Source,
    name: String,
    metadata: Metadata,
}

impl Input {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (name, opened) = if standard::is_dash(path) {
            ("standard input".into(), standard::input())
        } else {
            (shown_path(path), standard::open(path))
        };
        let opened = opened.and_then(|source| source.file().metadata().map(|metadata| (source, metadata)));
        let (source, metadata) = opened.map_err(|error| Failure::other(format!("{name}: cannot read: {error}")))?;
        if metadata.is_dir() {
            return Err(Failure::other(format!("{name} is a directory; pack it with tar and seal what that gives")));
        }
        Ok(Self { source, name, metadata })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its permissions, which what is made of it gets; a pipe has none that say anything.
    pub(crate) fn mode(&self) -> u32 {
        if self.metadata.is_file() { self.metadata.mode() & 0o777 } else { 0o600 }
    }

    /// Bytes to come, if that can be known beforehand.
    pub(crate) fn len(&self) -> Option<u64> {
        let at = self.source.file().stream_position().ok()?;
        // Files in /proc have no length, and much to read.
        self.metadata.len().checked_sub(at).filter(|&len| self.metadata.is_file() && len > 0)
    }

    /// This input as one that can be read at any position, which is what `purpose` needs.
    pub(crate) fn stored(&self, purpose: &str) -> Result<impl ReadAt, Failure> {
        let start = self.source.file().stream_position().ok().filter(|_| self.metadata.is_file());
        let start =
            start.ok_or_else(|| Failure::other(format!("{}: {purpose} needs a file, not a stream", self.name)))?;
        Ok(Stored { input: self, start })
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: cannot read: {error}", self.name))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).map_err(|error| self.named(&error))
    }
}

/// An input from where it stands.
struct Stored<'i> {
    input: &'i Input,
    start: u64,
}

impl ReadAt for Stored<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = match self.start.checked_add(offset) {
            Some(at) => ReadAt::read_exact_at(self.input.source.file(), buffer, at),
            None => Err(ErrorKind::UnexpectedEof.into()),
        };
        read.map_err(|error| self.input.named(&error))
    }

    fn size(&self) -> io::Result<u64> {
        let size = self.input.source.file().size().map_err(|error| self.input.named(&error))?;
        Ok(size.saturating_sub(self.start))
    }
}
