//! Memory that Python has: what is sealed and opened, and where it goes.
#![allow(unsafe_code, reason = "Python's buffers are pointers")]

use crate::error::{Raise, argument};
use objseal::Error;
use objseal::cobblestone::ReadAt;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::borrow::Cow;
use std::io::{self, Read, Write};

/// Bytes to read.
pub(crate) enum Input {
    /// They never change.
    Fixed(PyBackedBytes),
    /// Other threads may change them at any time, so nothing of them is looked at twice: it is copied first.
    Shared(Memory),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Input {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = obj.cast_exact::<PyBytes>() {
            return Ok(Self::Fixed(PyBackedBytes::from(bytes.to_owned())));
        }
        Memory::of(&obj).map(Self::Shared)
    }
}

impl Input {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Fixed(bytes) => bytes.len(),
            Self::Shared(memory) => memory.len,
        }
    }

    /// All of it, in a copy if it may change.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Fixed(bytes) => bytes.to_vec(),
            Self::Shared(memory) => {
                let mut copy = vec![0; memory.len];
                memory.copy_to(0, &mut copy);
                copy
            }
        }
    }

    /// The same as bytes that do not change: a copy if need be.
    pub(crate) fn settled(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Fixed(bytes) => Cow::Borrowed(bytes),
            Self::Shared(_) => Cow::Owned(self.to_vec()),
        }
    }

    /// From the start on.
    pub(crate) fn reader(&self) -> InputReader<'_> {
        InputReader { input: self, at: 0 }
    }
}

impl ReadAt for Input {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Fixed(bytes) => bytes[..].read_exact_at(buffer, offset),
            Self::Shared(memory) => {
                let from = usize::try_from(offset)
                    .ok()
                    .filter(|&from| from.checked_add(buffer.len()).is_some_and(|end| end <= memory.len));
                memory.copy_to(from.ok_or(io::ErrorKind::UnexpectedEof)?, buffer);
                Ok(())
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        match self {
            Self::Fixed(bytes) => Some(bytes),
            Self::Shared(_) => None,
        }
    }
}

/// Reads an input from its start.
pub(crate) struct InputReader<'i> {
    input: &'i Input,
    at: usize,
}

impl Read for InputReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(self.input.len() - self.at);
        self.input.read_exact_at(&mut out[..len], self.at as u64)?;
        self.at += len;
        Ok(len)
    }
}

/// The memory of an object that has the buffer protocol. As long as this lives, it stays where it is.
pub(crate) struct Memory {
    buffer: PyUntypedBuffer,
    start: *mut u8,
    len: usize,
}

// SAFETY: a pointer can be sent; what is behind it is not tied to a thread.
unsafe impl Send for Memory {}
// SAFETY: a shared reference only reads, through `copy_to`, which takes into account that others may write.
unsafe impl Sync for Memory {}

impl Memory {
    fn of(obj: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(obj)?;
        if !buffer.is_c_contiguous() {
            return Err(argument("the memory of this object is not in one piece; make a contiguous copy of it"));
        }
        let (start, len) = (buffer.buf_ptr().cast(), buffer.len_bytes());
        Ok(Self { buffer, start, len })
    }

    /// Copies the bytes from `offset` on, which must be there.
    fn copy_to(&self, offset: usize, out: &mut [u8]) {
        assert!(offset <= self.len && out.len() <= self.len - offset);
        if !out.is_empty() {
            // SAFETY: Python keeps the memory in place while `buffer` lives, and the range is within it. If another thread
            // writes meanwhile, the copy holds some bytes or others; it is the copy alone that is used from here on.
            unsafe { std::ptr::copy_nonoverlapping(self.start.add(offset), out.as_mut_ptr(), out.len()) };
        }
    }
}

/// Bytes to write to, which no other thread touches meanwhile: the documentation asks for that.
pub(crate) struct Output(Memory);

impl<'a, 'py> FromPyObject<'a, 'py> for Output {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let memory = Memory::of(&obj)?;
        if memory.buffer.readonly() {
            return Err(argument("the memory to write to is read-only"));
        }
        Ok(Self(memory))
    }
}

impl Output {
    pub(crate) fn len(&self) -> usize {
        self.0.len
    }

    /// The memory, which must not be that of `input`.
    pub(crate) fn for_input(&mut self, input: &Input) -> PyResult<&mut [u8]> {
        let (start, len) = match input {
            Input::Fixed(bytes) => (bytes.as_ptr() as usize, bytes.len()),
            Input::Shared(memory) => (memory.start as usize, memory.len),
        };
        let out = self.0.start as usize;
        if len > 0 && self.0.len > 0 && start < out + self.0.len && out < start + len {
            return Err(argument("input and output share memory; give the output memory of its own"));
        }
        Ok(self.bytes())
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        if self.0.len == 0 {
            return &mut [];
        }
        // SAFETY: Python keeps the memory in place and exported for writing while `buffer` lives; `&mut self` makes this the
        // only reference from here, and callers are told to keep other threads away.
        unsafe { std::slice::from_raw_parts_mut(self.0.start, self.0.len) }
    }
}

/// Writes to the start of a slice that is long enough.
pub(crate) struct SliceWriter<'o> {
    rest: &'o mut [u8],
    len: usize,
}

impl<'o> SliceWriter<'o> {
    pub(crate) fn new(out: &'o mut [u8]) -> Self {
        let len = out.len();
        Self { rest: out, len }
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> usize {
        self.len - self.rest.len()
    }
}

impl Write for SliceWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A new `bytes` of this length. `fill` says how many bytes it wrote, and it has to be all of them: they are not cleared first.
pub(crate) fn new_bytes(
    py: Python<'_>,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> PyResult<usize>,
) -> PyResult<Py<PyBytes>> {
    let len_of_object = ffi::Py_ssize_t::try_from(len).map_err(|_| Error::TooLong.raise())?;
    // SAFETY: Python gives a new object with room for `len` bytes, or none and an exception. Nobody else knows of it until it is
    // returned. Its memory comes from a foreign function, so its bytes have values, whatever they are.
    let (bytes, out) = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(std::ptr::null(), len_of_object);
        let bytes = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>();
        let start: *mut u8 = ffi::PyBytes_AsString(object).cast();
        advise(start, len);
        (bytes, std::slice::from_raw_parts_mut(start, len))
    };
    if fill(out)? != len {
        return Err(argument("another thread used this at the same time"));
    }
    Ok(bytes.unbind())
}

/// Asks for huge pages for what can be in them of `len` bytes that are new to the process: to make small pages takes longer
/// than to fill them. It is not an error if there are none.
#[cfg(target_os = "linux")]
fn advise(start: *mut u8, len: usize) {
    const HUGE: usize = 2 << 20;
    let before = start.align_offset(HUGE);
    let inside = len.saturating_sub(before) / HUGE * HUGE;
    if inside > 0 {
        // SAFETY: the range lies within the object, and this advice does not change what is in it.
        unsafe { libc::madvise(start.add(before).cast(), inside, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: *mut u8, _: usize) {}
