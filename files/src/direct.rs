//! Writing straight into what is there: every byte is delivered, or there is an error.

use crate::descriptor::duplicate;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, try_close};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, IntoRawFd, RawFd};
use std::os::unix::fs::FileTypeExt;

/// A descriptor, a device or a pipe.
#[derive(Debug)]
pub struct Direct(File);

impl Direct {
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

    /// Makes sure that everything has arrived: a file and a block device are synced, since that is when many of them tell
    /// of a full or a broken disk, and others do when they are closed.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn finish(self) -> io::Result<()> {
        let kind = self.0.metadata()?.file_type();
        if kind.is_file() || kind.is_block_device() {
            match self.0.sync_all() {
                // It cannot be synced.
                Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {}
                synced => synced?,
            }
        }
        // SAFETY: the descriptor is this file's own, which gave it away, so nobody uses it afterwards.
        #[allow(unsafe_code, reason = "a file that is dropped hides what closing it says")]
        let closed = unsafe { try_close(self.0.into_raw_fd()) };
        match closed {
            // Linux has closed it.
            Err(Errno::INTR) => Ok(()),
            closed => Ok(closed?),
        }
    }
}

impl From<File> for Direct {
    fn from(file: File) -> Self {
        Self(file)
    }
}

impl Write for &Direct {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.0).write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_until(&self.0, Ready::ToWrite)?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a descriptor is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Ready {
    ToRead,
    ToWrite,
}

/// Waits, however long that takes. A signal ends the wait with `Interrupted`.
pub(crate) fn wait_until(file: &File, ready: Ready) -> io::Result<()> {
    let events = match ready {
        Ready::ToRead => PollFlags::IN,
        Ready::ToWrite => PollFlags::OUT,
    };
    poll(&mut [PollFd::from_borrowed_fd(file.as_fd(), events)], None)?;
    Ok(())
}
