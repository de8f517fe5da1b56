//! What is written: a new file, or straight into what is there.

use crate::descriptor::descriptor_of;
use crate::direct::Direct;
use crate::new_file::{Existing, NewFile};
use crate::path::{folder_of, resolved};
use crate::system;
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::RawFd;
use std::path::Path;

/// Where bytes go.
#[derive(Debug)]
pub enum Target {
    /// A file that takes its name when it is whole.
    New(NewFile),
    /// A descriptor, a device or a pipe: what is written is there at once.
    Direct(Direct),
}

impl Target {
    /// Makes ready to write `path`: a new file, or what is there if that is a descriptor, a device or a pipe.
    ///
    /// `mode` is what a new file gets, within the umask; see [`NewFile::create`].
    ///
    /// # Errors
    /// Those of the operating system, and those of [`NewFile::create`]; a [`Reason`](crate::Reason) for what somebody else has
    /// put where everybody may.
    pub fn create(path: &Path, existing: Existing, mode: u32) -> io::Result<Self> {
        Self::create_with(path, existing, mode, |path| File::options().write(true).open(path).map(Direct::from))
    }

    /// The same. `open` opens devices and pipes, which may have to wait for whoever reads.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), and those of `open`.
    pub fn create_with(
        path: &Path,
        existing: Existing,
        mode: u32,
        open: impl FnOnce(&Path) -> io::Result<Direct>,
    ) -> io::Result<Self> {
        if let Some(descriptor) = descriptor_of(path) {
            return Self::of(descriptor);
        }
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(Errno::ISDIR.into()),
            Ok(there) if !there.is_file() => {
                let path = resolved(path)?;
                system::refuse_foreign(&fs::symlink_metadata(&path)?, folder_of(&path))?;
                let direct = open(&path)?;
                // Somebody may have exchanged it since.
                if direct.file().metadata()?.is_file() { Err(Errno::EXIST.into()) } else { Ok(Self::Direct(direct)) }
            }
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => NewFile::create(path, existing, mode).map(Self::New),
        }
    }

    /// Writes to the open file of a descriptor.
    ///
    /// # Errors
    /// Those of the operating system: it is not open.
    pub fn of(descriptor: RawFd) -> io::Result<Self> {
        Direct::of(descriptor).map(Self::Direct)
    }

    /// The file that is written.
    #[must_use]
    pub fn file(&self) -> &File {
        match self {
            Self::New(file) => file.file(),
            Self::Direct(direct) => direct.file(),
        }
    }

    /// Ends it: everything was written, and is there when this returns. Dropped instead, a new file was never there.
    ///
    /// # Errors
    /// Those of the operating system; a new file is not there then.
    pub fn commit(self) -> io::Result<()> {
        match self {
            Self::New(file) => file.commit(),
            Self::Direct(direct) => direct.finish(),
        }
    }
}

impl Write for &Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::New(file) => file.file().write(bytes),
            Target::Direct(direct) => { direct }.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
