//! What is read: a file, or what a descriptor stands for.

use crate::descriptor::{descriptor_of, duplicate};
use crate::direct::{Ready, wait_until};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::RawFd;
use std::path::Path;

/// A file to read. Where a descriptor has nothing to give yet, reading waits, whatever its mode.
#[derive(Debug)]
pub struct Source(File);

impl Source {
    /// Opens `path`; one that stands for a descriptor is read on from where that stands.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn open(path: &Path) -> io::Result<Self> {
        match descriptor_of(path) {
            Some(descriptor) => Self::of(descriptor),
            None => File::open(path).map(Self),
        }
    }

    /// Another descriptor for the same open file.
    ///
    /// # Errors
    /// Those of the operating system: it is not open.
    pub fn of(descriptor: RawFd) -> io::Result<Self> {
        duplicate(descriptor).map(Self)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.0
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_until(&self.0, Ready::ToRead)?,
                read => return read,
            }
        }
    }
}
