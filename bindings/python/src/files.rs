//! Sealed files to write to and to read from: what the classes of `objseal._readers` and `objseal._writers` rest on.

use crate::buffer::{Input, Output};
use crate::error::{OrRaise, argument};
use crate::model;
use crate::options::{OpenOptions, SealOptions, ThreadCount};
use crate::source::{Sink, Source, Stream};
use crate::watch::lock;
use objseal::cobblestone::{CHUNK_LEN, Threads};
use objseal::file::{OpenReader, SealWriter, SealedFile};
use objseal_bindings::{Plaintext, SameProcess};
use pyo3::prelude::*;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::sync::{Arc, Mutex};

/// Bytes that are copied from Python's memory at a time.
const PIECE_LEN: usize = 256 * 1024;

/// Reads plaintext at any offset.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Reader {
    /// None once it is closed. Whoever reads meanwhile reads to the end.
    plaintext: Mutex<Option<Arc<dyn Plaintext>>>,
    #[pyo3(get)]
    length: u64,
    info: Option<Py<PyAny>>,
}

impl Reader {
    pub(crate) fn of(plaintext: impl Plaintext + 'static, info: Option<Py<PyAny>>) -> Self {
        Self { length: plaintext.len(), plaintext: Mutex::new(Some(Arc::new(plaintext))), info }
    }
}

/// A buffered reader asks for more than its caller did: what comes before a changed chunk is not to be refused for it. An
/// exception of the source is told at once.
fn read_as_far_as_it_goes(
    plaintext: &dyn Plaintext,
    threads: &Threads,
    offset: u64,
    out: &mut [u8],
) -> io::Result<usize> {
    if out.is_empty() {
        return Ok(0);
    }
    let Err(error) = plaintext.read_at(threads, offset, out) else { return Ok(out.len()) };
    if error.get_ref().is_some_and(|inner| inner.is::<PyErr>()) {
        return Err(error);
    }
    let mut done = 0;
    while done < out.len() {
        let behind = usize::try_from((offset + done as u64) % CHUNK_LEN as u64).unwrap_or(0);
        let end = out.len().min(done + CHUNK_LEN - behind);
        if plaintext.read_at(threads, offset + done as u64, &mut out[done..end]).is_err() {
            break;
        }
        done = end;
    }
    if done == 0 { Err(error) } else { Ok(done) }
}

#[pymethods]
impl Reader {
    #[new]
    fn new(py: Python<'_>, options: &OpenOptions, source: Source) -> PyResult<Self> {
        let file = options.or_raise(py.detach(|| SealedFile::open(&options.how, source)))?;
        let info = model::of_file(py, file.info())?;
        Ok(Self::of(file, Some(info)))
    }

    #[getter]
    fn info(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.info.as_ref().map(|info| info.clone_ref(py))
    }

    /// Fills `out` from `offset` on, as far as there is authentic plaintext; says how many bytes that are.
    fn readinto_at(&self, py: Python<'_>, offset: u64, mut out: Output, threads: ThreadCount) -> PyResult<usize> {
        let plaintext = lock(py, &self.plaintext).clone().ok_or_else(closed)?;
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = out.len().min(left);
        let out = &mut out.bytes()[..len];
        py.detach(|| read_as_far_as_it_goes(&*plaintext, &threads.0, offset, out)).or_raise()
    }

    /// Lets go of the source.
    fn close(&self, py: Python<'_>) {
        let plaintext = lock(py, &self.plaintext).take();
        drop(plaintext);
    }
}

/// Reads a sealed file front to back.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct StreamReader(Mutex<Stage>);

enum Stage {
    Open(Box<OpenReader<Stream>>),
    /// What was known then.
    Closed(Py<PyAny>),
}

/// What is known so far; the attributes are at the end.
fn info_of(py: Python<'_>, reader: &OpenReader<Stream>) -> PyResult<Py<PyAny>> {
    let envelope = reader.envelope();
    model::info(py, envelope.head(), reader.attributes(), &envelope.engines(), Some(reader.slots()))
}

#[pymethods]
impl StreamReader {
    #[new]
    fn new(py: Python<'_>, options: &OpenOptions, source: Stream) -> PyResult<Self> {
        let reader = options.or_raise(py.detach(|| OpenReader::new(&options.how, source)))?;
        Ok(Self(Mutex::new(Stage::Open(Box::new(reader)))))
    }

    fn info(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &*lock(py, &self.0) {
            Stage::Open(reader) => info_of(py, reader),
            Stage::Closed(info) => Ok(info.clone_ref(py)),
        }
    }

    /// Some plaintext, or none at the end.
    fn readinto(&self, py: Python<'_>, mut out: Output) -> PyResult<usize> {
        let out = out.bytes();
        let mut stage = lock(py, &self.0);
        let Stage::Open(reader) = &mut *stage else { return Err(closed()) };
        loop {
            match py.detach(|| reader.read(out)) {
                // Nothing was read yet, so it goes on after a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.or_raise(),
            }
        }
    }

    /// Lets go of the source, once nobody reads.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let mut stage = lock(py, &self.0);
        if let Stage::Open(reader) = &*stage {
            let info = info_of(py, reader)?;
            drop(mem::replace(&mut *stage, Stage::Closed(info)));
        }
        Ok(())
    }
}

fn closed() -> PyErr {
    argument("I/O operation on closed file")
}

/// Writes a sealed file.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Writer {
    open: Mutex<Option<Open>>,
    process: SameProcess,
}

struct Open {
    writer: SealWriter<Sink>,
    /// Where memory that may change is copied to.
    piece: Vec<u8>,
}

#[pymethods]
impl Writer {
    #[new]
    fn new(py: Python<'_>, options: &SealOptions, target: Sink) -> PyResult<Self> {
        let writer = py.detach(|| SealWriter::new(&options.0, target)).or_raise()?;
        Ok(Self { open: Mutex::new(Some(Open { writer, piece: Vec::new() })), process: SameProcess::here() })
    }

    /// Takes in all of `data`.
    fn write(&self, py: Python<'_>, data: Input) -> PyResult<usize> {
        self.process.check().or_raise()?;
        let mut open = lock(py, &self.open);
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

    /// Writes the end, without which the file does not open; a new file is there then.
    fn finish(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.process.check().or_raise()?;
        let Open { writer, .. } = lock(py, &self.open).take().ok_or_else(finished)?;
        let (target, sealed) = py.detach(|| writer.finish()).or_raise()?;
        let info = model::of_file(py, &sealed)?;
        target.commit(py)?;
        Ok(info)
    }

    /// Lets go of the target: a new file was never there. In another process than its own it does nothing.
    fn abort(&self, py: Python<'_>) {
        if self.is_here() {
            let open = lock(py, &self.open).take();
            drop(open);
        }
    }

    /// Whether this is the process that began it.
    #[getter]
    fn is_here(&self) -> bool {
        self.process.check().is_ok()
    }
}

fn finished() -> PyErr {
    argument("this file was finished")
}
