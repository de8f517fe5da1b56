//! Python's files as readers, writers and sources.

use crate::buffer::Input;
use crate::error::argument;
use objseal::cobblestone::ReadAt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

/// Most bytes that are asked of a Python file at a time.
const PIECE_LEN: usize = 1 << 20;

/// A file: one of the operating system's, by its descriptor, or an object of Python.
pub(crate) enum Stream {
    File(File),
    Object(Py<PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Stream {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match obj.extract::<i32>() {
            Ok(descriptor) => duplicate(descriptor).map(Self::File),
            Err(_) => Ok(Self::Object(obj.to_owned().unbind())),
        }
    }
}

/// The file of a descriptor, which the caller goes on owning.
#[allow(unsafe_code, reason = "Python's descriptors are numbers")]
pub(crate) fn duplicate(descriptor: i32) -> PyResult<File> {
    if descriptor < 0 {
        return Err(argument("the file is closed"));
    }
    // SAFETY: Python's half gives the descriptor of a file that it keeps open during this call, and it is not -1.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(borrowed.try_clone_to_owned()?.into())
}

/// Calls `read` of a Python file.
fn read_object(object: &Py<PyAny>, buffer: &mut [u8]) -> io::Result<usize> {
    let wanted = buffer.len().min(PIECE_LEN);
    Python::attach(|py| {
        let read = object.bind(py).call_method1(intern!(py, "read"), (wanted,))?;
        if read.is_none() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read: Input = read.extract()?;
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
            Self::File(file) => file.read(buffer),
            Self::Object(object) => read_object(object, buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Object(object) => Python::attach(|py| {
                let piece = &bytes[..bytes.len().min(PIECE_LEN)];
                let written = object.bind(py).call_method1(intern!(py, "write"), (PyBytes::new(py, piece),))?;
                // Many objects that are like files say nothing, and have taken all.
                let written = if written.is_none() { piece.len() } else { written.extract()? };
                if written <= piece.len() {
                    Ok(written)
                } else {
                    Err(argument("write() took more than it was given").into())
                }
            }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
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

/// What can be read at any offset: a file, an object of Python that can seek, or memory.
pub(crate) enum Source {
    File(File),
    /// It has one position, so one thread at a time reads. It begins where it stood at first.
    Object(Mutex<Py<PyAny>>, u64),
    Memory(Input),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Source {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(descriptor) = obj.extract::<i32>() {
            return duplicate(descriptor).map(Self::File);
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
            Self::File(file) => ReadAt::read_exact_at(file, buffer, offset),
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
            Self::File(file) => file.size(),
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
