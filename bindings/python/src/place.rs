//! Files by their paths: what is read, and what is written. Errors name the path.

use crate::error::{OrRaise, Raise, argument, is_told};
use crate::watch::{INTERVAL, lock};
use objseal::cobblestone::ReadAt;
use objseal::file::WriteAt;
use objseal_files::{Direct, Existing, Source, Target, descriptor_of};
use objseal_keys::keyring::KeyringFile;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;
use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A path, and how it was given.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) given: Py<PyAny>,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Place {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let given = obj.py().import("os")?.call_method1("fspath", (obj,))?;
        let path = match given.cast::<PyBytes>() {
            Ok(bytes) => PathBuf::from(OsStr::from_bytes(bytes.as_bytes())),
            Err(_) => given.extract()?,
        };
        if path.as_os_str().as_bytes().contains(&0) {
            return Err(argument("a path has no NUL character"));
        }
        Ok(Self { path, given: given.unbind() })
    }
}

/// An error of the operating system, and the path that it is about.
#[derive(Debug)]
pub(crate) struct AtPlace {
    pub(crate) error: io::Error,
    pub(crate) place: Arc<Place>,
}

impl fmt::Display for AtPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for AtPlace {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl Place {
    /// The error with this path, if it is one of the operating system. A signal that came is looked after.
    pub(crate) fn at(self: &Arc<Self>, error: io::Error) -> io::Error {
        if error.kind() == ErrorKind::Interrupted {
            return Python::attach(|py| py.check_signals()).map_or_else(io::Error::from, |()| error);
        }
        if is_told(&error) {
            return error;
        }
        io::Error::new(error.kind(), AtPlace { error, place: Arc::clone(self) })
    }

    /// The same as an exception.
    pub(crate) fn raise(self: &Arc<Self>, error: impl Into<io::Error>) -> PyErr {
        self.at(error.into()).raise()
    }

    /// Opens it as Python does: a signal ends the wait for the other end of a pipe. `with` gets the descriptor.
    fn open<T>(self: &Arc<Self>, py: Python<'_>, access: i32, with: impl Fn(i32) -> io::Result<T>) -> PyResult<T> {
        let os = py.import("os")?;
        let descriptor: i32 = os.call_method1("open", (&self.given, access))?.extract()?;
        let opened = with(descriptor).map_err(|error| self.raise(error));
        os.call_method1("close", (descriptor,))?;
        opened
    }
}

/// How `open` is to open a file; the numbers are the same everywhere.
const TO_READ: i32 = 0;
const TO_WRITE: i32 = 1;
const TO_READ_AND_WRITE: i32 = 2;

/// A file that is read. One that a descriptor stands for is read on from where that stands.
pub(crate) struct Input {
    source: Source,
    place: Arc<Place>,
    /// What is a file can be read at any offset.
    is_file: bool,
    start: u64,
}

impl Input {
    fn open(py: Python<'_>, place: Place, access: i32) -> PyResult<Self> {
        let place = Arc::new(place);
        let source = match descriptor_of(&place.path) {
            Some(descriptor) => Source::of(descriptor).map_err(|error| place.raise(error))?,
            None => place.open(py, access, Source::of)?,
        };
        let found = source.file().metadata()?;
        if found.is_dir() {
            return Err(place.raise(Errno::ISDIR));
        }
        let start = if found.is_file() { source.file().stream_position()? } else { 0 };
        Ok(Self { source, place, is_file: found.is_file(), start })
    }

    /// A file that is read at any offset and changed.
    pub(crate) fn to_change(py: Python<'_>, place: Place) -> PyResult<Self> {
        Self::open(py, place, TO_READ_AND_WRITE)?.at_any_offset()
    }

    pub(crate) fn at_any_offset(self) -> PyResult<Self> {
        if self.is_file { Ok(self) } else { Err(self.place.raise(Errno::SPIPE)) }
    }

    pub(crate) fn file(&self) -> &fs::File {
        self.source.file()
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Waits until there is something to read, but not longer than this. Says whether there is.
    pub(crate) fn wait(&self, longest: Duration) -> io::Result<bool> {
        if self.is_file {
            return Ok(true);
        }
        is_ready(self.file(), PollFlags::IN, longest).map_err(|error| self.place.at(error))
    }

    fn offset(&self, offset: u64) -> io::Result<u64> {
        self.start.checked_add(offset).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }
}

/// Waits for this of a file, but not longer. Says whether it came.
fn is_ready(file: &fs::File, wanted: PollFlags, longest: Duration) -> io::Result<bool> {
    let longest = Timespec::try_from(longest).map_err(io::Error::other)?;
    match poll(&mut [PollFd::from_borrowed_fd(file.as_fd(), wanted)], Some(&longest)) {
        Err(Errno::INTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).map_err(|error| self.place.at(error))
    }
}

impl ReadAt for Input {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = ReadAt::read_exact_at(self.file(), buffer, self.offset(offset)?);
        read.map_err(|error| self.place.at(error))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file().size().map_err(|error| self.place.at(error))?.saturating_sub(self.start))
    }
}

impl WriteAt for Input {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = WriteAt::write_all_at(self.file(), bytes, self.offset(offset)?);
        written.map_err(|error| self.place.at(error))
    }

    fn sync(&self) -> io::Result<()> {
        self.file().sync().map_err(|error| self.place.at(error))
    }
}

/// A file to read. What reads it takes it.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct InputFile {
    input: Mutex<Option<Input>>,
    /// Whether it can be read at any offset.
    #[pyo3(get)]
    seekable: bool,
    /// Whether the path is a name, which leads there again, and not a descriptor.
    #[pyo3(get)]
    named: bool,
    /// The permissions of what is a file.
    #[pyo3(get)]
    mode: Option<u32>,
}

#[pymethods]
impl InputFile {
    #[new]
    fn new(py: Python<'_>, path: Place) -> PyResult<Self> {
        let named = descriptor_of(&path.path).is_none();
        let input = Input::open(py, path, TO_READ)?;
        let mode = if input.is_file { Some(input.file().metadata()?.mode() & 0o777) } else { None };
        Ok(Self { seekable: input.is_file, named, mode, input: Mutex::new(Some(input)) })
    }
}

impl InputFile {
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Input> {
        lock(py, &self.input).take().ok_or_else(|| argument("this file is read already"))
    }
}

/// A file that is written, and there once it is committed.
pub(crate) struct Output {
    target: Target,
    place: Arc<Place>,
    /// Whether somebody reads it, who may be slow: it is a pipe, a socket or a terminal.
    is_read: bool,
}

impl Output {
    /// Writes what whoever reads has room for. Not waiting for more than a moment lets signals and the end of the work through;
    /// a write that waits would not even be ended by a signal once it has written something.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_read {
            return self.target.write(bytes);
        }
        if !is_ready(self.target.file(), PollFlags::OUT, INTERVAL)? {
            return Err(ErrorKind::Interrupted.into());
        }
        match write_at_once(self.target.file(), bytes) {
            // Not known of this, or by this system. For so much there surely is room.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.target.write(&bytes[..bytes.len().min(PIPE_BUF)]),
            // Another writer took the room.
            Err(Errno::AGAIN) => Err(ErrorKind::Interrupted.into()),
            written => Ok(written?),
        }
    }

    /// Ends it: everything is there when this returns.
    pub(crate) fn commit(self, py: Python<'_>) -> PyResult<()> {
        // One may have come meanwhile.
        refuse_keyring(&self.place.path)?;
        let Self { target, place, .. } = self;
        py.detach(|| target.commit().map_err(|error| place.at(error))).or_raise()
    }
}

/// Writes as much as there is room for, and does not wait for more.
fn write_at_once(file: &fs::File, bytes: &[u8]) -> Result<usize, Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::{ReadWriteFlags, pwritev2};
        // On from where the file stands.
        const HERE: u64 = u64::MAX;
        pwritev2(file, &[io::IoSlice::new(bytes)], HERE, ReadWriteFlags::NOWAIT)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes);
        Err(Errno::OPNOTSUPP)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_some(bytes).map_err(|error| self.place.at(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file to write. What writes it takes it; if nobody commits it, a new one was never there.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct OutputFile(Mutex<Option<Output>>);

#[pymethods]
impl OutputFile {
    /// A new file gets the permissions `mode` within the umask.
    #[new]
    fn new(py: Python<'_>, path: Place, exclusive: bool, mode: u32) -> PyResult<Self> {
        refuse_keyring(&path.path)?;
        let place = Arc::new(path);
        if exclusive && fs::symlink_metadata(&place.path).is_ok() {
            return Err(place.raise(Errno::EXIST));
        }
        let existing = if exclusive { Existing::Refuse } else { Existing::Replace };
        let open = |_: &Path| Ok(Python::attach(|py| place.open(py, TO_WRITE, Direct::of))?);
        let target = py.detach(|| Target::create_with(&place.path, existing, mode, open));
        let target = target.map_err(|error| place.raise(error))?;
        let kind = target.file().metadata()?.file_type();
        let is_read = kind.is_fifo() || kind.is_socket() || target.file().is_terminal();
        Ok(Self(Mutex::new(Some(Output { target, place, is_read }))))
    }
}

impl OutputFile {
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Output> {
        lock(py, &self.0).take().ok_or_else(|| argument("this file is written already"))
    }
}

/// No output replaces root keys, whatever leads to them.
pub(crate) fn refuse_keyring(path: &Path) -> PyResult<()> {
    if KeyringFile::is_at(path) {
        return Err(argument(format!("{} is a keyring, or the lock of one; choose another target", path.display())));
    }
    Ok(())
}
