//! Sealed files to write to and to read from: what the classes of `objseal._files` rest on.

use crate::buffer::{Input, Output};
use crate::error::{OrRaise, argument};
use crate::model;
use crate::options::{OpenOptions, SealOptions, ThreadCount};
use crate::source::{Source, Stream};
use crate::watch::lock;
use objseal::cobblestone::{CHUNK_LEN, Threads};
use objseal::file::{OpenReader, SealWriter, SealedFile};
use objseal_bindings::Plaintext;
use pyo3::prelude::*;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Mutex;

/// Bytes that are copied from Python's memory at a time.
const PIECE_LEN: usize = 256 * 1024;

/// Reads plaintext at any offset.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Reader {
    plaintext: Box<dyn Plaintext>,
    info: Option<Py<PyAny>>,
}

impl Reader {
    pub(crate) fn of(plaintext: impl Plaintext + 'static, info: Option<Py<PyAny>>) -> Self {
        Self { plaintext: Box::new(plaintext), info }
    }
}

impl Reader {
    /// A buffered reader asks for more than its caller did: what comes before a changed chunk is not to be refused for it. An
    /// exception of the source is told at once.
    fn read_as_far_as_it_goes(&self, threads: &Threads, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let Err(error) = self.plaintext.read_at(threads, offset, out) else { return Ok(out.len()) };
        if error.get_ref().is_some_and(|inner| inner.is::<PyErr>()) {
            return Err(error);
        }
        let mut done = 0;
        while done < out.len() {
            let behind = usize::try_from((offset + done as u64) % CHUNK_LEN as u64).unwrap_or(0);
            let end = out.len().min(done + CHUNK_LEN - behind);
            if self.plaintext.read_at(threads, offset + done as u64, &mut out[done..end]).is_err() {
                break;
            }
            done = end;
        }
        if done == 0 { Err(error) } else { Ok(done) }
    }
}

#[pymethods]
impl Reader {
    #[new]
    fn new(py: Python<'_>, options: &OpenOptions, source: Source) -> PyResult<Self> {
        let file = py.detach(|| SealedFile::open(&options.0, source)).or_raise()?;
        let info = model::of_file(py, file.info())?;
        Ok(Self::of(file, Some(info)))
    }

    #[getter]
    fn length(&self) -> u64 {
        self.plaintext.len()
    }

    #[getter]
    fn info(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.info.as_ref().map(|info| info.clone_ref(py))
    }

    /// Fills `out` from `offset` on, as far as there is authentic plaintext; says how many bytes that are.
    fn readinto_at(&self, py: Python<'_>, offset: u64, mut out: Output, threads: ThreadCount) -> PyResult<usize> {
        let left = usize::try_from(self.plaintext.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = out.len().min(left);
        let out = &mut out.bytes()[..len];
        py.detach(|| self.read_as_far_as_it_goes(&threads.0, offset, out)).or_raise()
    }
}

/// Reads a sealed file front to back.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct StreamReader(Mutex<OpenReader<Stream>>);

#[pymethods]
impl StreamReader {
    #[new]
    fn new(py: Python<'_>, options: &OpenOptions, source: Stream) -> PyResult<Self> {
        let reader = py.detach(|| OpenReader::new(&options.0, source)).or_raise()?;
        Ok(Self(Mutex::new(reader)))
    }

    /// What is known so far; the attributes are at the end.
    fn info(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let reader = lock(py, &self.0);
        model::info(
            py,
            reader.envelope().head(),
            reader.attributes(),
            &reader.envelope().engines(),
            Some(reader.slots()),
        )
    }

    /// Some plaintext, or none at the end.
    fn readinto(&self, py: Python<'_>, mut out: Output) -> PyResult<usize> {
        let out = out.bytes();
        let mut reader = lock(py, &self.0);
        let reader = &mut *reader;
        loop {
            match py.detach(|| reader.read(out)) {
                // Nothing was read yet, so it goes on after a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => py.check_signals()?,
                read => return read.or_raise(),
            }
        }
    }
}

/// Writes a sealed file.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Writer(Mutex<Option<Open>>);

struct Open {
    writer: SealWriter<Stream>,
    /// Where memory that may change is copied to.
    piece: Vec<u8>,
}

#[pymethods]
impl Writer {
    #[new]
    fn new(py: Python<'_>, options: &SealOptions, target: Stream) -> PyResult<Self> {
        let writer = py.detach(|| SealWriter::new(&options.0, target)).or_raise()?;
        Ok(Self(Mutex::new(Some(Open { writer, piece: Vec::new() }))))
    }

    /// Takes in all of `data`.
    fn write(&self, py: Python<'_>, data: Input) -> PyResult<usize> {
        let mut open = lock(py, &self.0);
        let Open { writer, piece } = open.as_mut().ok_or_else(finished)?;
        let written = py.detach(|| match &data {
            Input::Fixed(bytes) => writer.write_all(bytes),
            shared @ Input::Shared(_) => {
                let mut reader = shared.reader();
                piece.resize(PIECE_LEN, 0);
                loop {
                    match reader.read(piece)? {
                        0 => return Ok(()),
                        len => writer.write_all(&piece[..len])?,
                    }
                }
            }
        });
        written.or_raise()?;
        Ok(data.len())
    }

    /// Writes the end. Without it the file does not open.
    fn finish(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Open { writer, .. } = lock(py, &self.0).take().ok_or_else(finished)?;
        let (_, sealed) = py.detach(|| writer.finish()).or_raise()?;
        model::of_file(py, &sealed)
    }
}

fn finished() -> PyErr {
    argument("this file was finished")
}
