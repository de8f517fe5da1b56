//! What is read and written: files by their paths, objects of Python that are like files, and memory.

use crate::buffer::Input as Memory;
use crate::error::argument;
use crate::place::{Input, InputFile, Output, OutputFile, refuse_keyring};
use objseal::cobblestone::ReadAt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Most bytes that are asked of a Python file, or given to it, at a time.
const PIECE_LEN: usize = 1 << 20;

/// What is read front to back.
pub(crate) enum Stream {
    File(Input),
    Object(Py<PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Stream {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match obj.cast::<InputFile>() {
            Ok(file) => file.get().take(obj.py()).map(Self::File),
            Err(_) => Ok(Self::Object(obj.to_owned().unbind())),
        }
    }
}

impl Stream {
    /// Waits until there is something to read, but not longer than this. Says whether there is; nobody knows of an object.
    pub(crate) fn wait(&self, longest: Duration) -> io::Result<bool> {
        match self {
            Self::File(input) => input.wait(longest),
            Self::Object(_) => Ok(true),
        }
    }
}

/// Calls `read` of a Python file.
fn read_object(object: &Py<PyAny>, buffer: &mut [u8]) -> io::Result<usize> {
    let wanted = buffer.len().min(PIECE_LEN);
    Python::attach(|py| {
        let read = object.bind(py).call_method1(intern!(py, "read"), (wanted,))?;
        if read.is_none() {
            return Err(Errno::WOULDBLOCK.into());
        }
        let read: Memory = read.extract()?;
        let room = buffer
            .get_mut(..read.len())
            .ok_or_else(|| io::Error::from(argument(format!("read({wanted}) gave {} bytes", read.len()))))?;
        read.read_exact_at(room, 0)?;
        Ok(room.len())
    })
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(input) => input.read(buffer),
            Self::Object(object) => read_object(object, buffer),
        }
    }
}

/// What is written front to back.
pub(crate) enum Sink {
    File(Output),
    Object(Py<PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Sink {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(file) = obj.cast::<OutputFile>() {
            return file.get().take(obj.py()).map(Self::File);
        }
        if let Some(descriptor) = descriptor_of(&obj) {
            refuse_keyring(Path::new(&format!("/dev/fd/{descriptor}")))?;
        }
        Ok(Self::Object(obj.to_owned().unbind()))
    }
}

/// The descriptor of an object that has one.
fn descriptor_of(object: &Bound<'_, PyAny>) -> Option<i32> {
    object.call_method0(intern!(object.py(), "fileno")).ok()?.extract().ok()
}

/// Whether an object that says nothing of what it wrote has written nothing: a raw file says so when it would have to wait,
/// and so may what is in that mode. Many other objects that are like files never say anything, and have taken all.
fn would_wait(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    if object.is_instance(&py.import(intern!(py, "io"))?.getattr(intern!(py, "RawIOBase"))?)? {
        return Ok(true);
    }
    let Some(descriptor) = descriptor_of(object) else { return Ok(false) };
    let blocking = py.import(intern!(py, "os"))?.call_method1(intern!(py, "get_blocking"), (descriptor,));
    Ok(!blocking?.extract::<bool>()?)
}

/// Calls `write` of a Python file.
fn write_object(object: &Py<PyAny>, bytes: &[u8]) -> io::Result<usize> {
    let piece = &bytes[..bytes.len().min(PIECE_LEN)];
    Python::attach(|py| {
        let object = object.bind(py);
        let written = object.call_method1(intern!(py, "write"), (PyBytes::new(py, piece),))?;
        if written.is_none() {
            return if would_wait(object)? { Err(Errno::WOULDBLOCK.into()) } else { Ok(piece.len()) };
        }
        match written.extract::<usize>() {
            Ok(written) if written <= piece.len() => Ok(written),
            _ => Err(argument(format!("write() of {} bytes gave {}", piece.len(), written.repr()?)).into()),
        }
    })
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(output) => output.write(bytes),
            Self::Object(object) => write_object(object, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(output) => output.flush(),
            Self::Object(object) => Python::attach(|py| {
                let object = object.bind(py);
                if object.hasattr(intern!(py, "flush"))? {
                    object.call_method0(intern!(py, "flush"))?;
                }
                Ok(())
            }),
        }
    }
}

impl Sink {
    /// Ends what was written whole. An object stays as it is: closing it is for whoever opened it.
    pub(crate) fn commit(self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::File(output) => output.commit(py),
            Self::Object(_) => Ok(()),
        }
    }
}

/// What can be read at any offset: a file, an object of Python that can seek, or memory.
pub(crate) enum Source {
    File(Input),
    /// It has one position, so one thread at a time reads. It begins where it stood at first.
    Object(Mutex<Py<PyAny>>, u64),
    Memory(Memory),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Source {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(file) = obj.cast::<InputFile>() {
            return file.get().take(obj.py())?.at_any_offset().map(Self::File);
        }
        if obj.hasattr(intern!(obj.py(), "read"))? {
            let start = obj.call_method0(intern!(obj.py(), "tell"))?.extract()?;
            return Ok(Self::Object(Mutex::new(obj.to_owned().unbind()), start));
        }
        obj.extract().map(Self::Memory)
    }
}

impl ReadAt for Source {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(input) => input.read_exact_at(buffer, offset),
            Self::Memory(memory) => memory.read_exact_at(buffer, offset),
            Self::Object(object, start) => {
                let offset = start.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
                // Locked while not attached: who waits for it may be attached.
                let object = object.lock().unwrap_or_else(PoisonError::into_inner);
                Python::attach(|py| object.bind(py).call_method1(intern!(py, "seek"), (offset,)).map(drop))?;
                let mut rest = buffer;
                while !rest.is_empty() {
                    match read_object(&object, rest)? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        len => rest = &mut rest[len..],
                    }
                }
                Ok(())
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(input) => input.size(),
            Self::Memory(memory) => memory.size(),
            Self::Object(object, start) => {
                let object = object.lock().unwrap_or_else(PoisonError::into_inner);
                let end: u64 =
                    Python::attach(|py| object.bind(py).call_method1(intern!(py, "seek"), (0, 2))?.extract())?;
                Ok(end.saturating_sub(*start))
            }
        }
    }
}
