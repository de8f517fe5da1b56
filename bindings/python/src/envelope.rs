//! Head and body apart, for stores that have a place for each.

use crate::buffer::{Input, SliceWriter, new_bytes};
use crate::error::OrRaise;
use crate::files::Reader;
use crate::model;
use crate::object::in_memory;
use crate::options::{OpenOptions, SealOptions, ThreadCount};
use crate::source::{Sink, Source, Stream};
use crate::watch;
use objseal::checksums::DigestReader;
use objseal::envelope::{self, EnvelopeError, Head};
use objseal::file::FileError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io::{Read, Write};
use std::sync::Arc;

/// Seals a body; the head then has its attributes.
fn seal_body(
    options: &SealOptions,
    data: impl Read + Send,
    out: impl Write + Send,
    threads: &ThreadCount,
) -> Result<envelope::Envelope, FileError> {
    let (envelope, body) = options.0.start()?;
    let mut data = DigestReader::new(data, options.0.digests());
    body.seal_stream(&mut data, out, &threads.0)?;
    Ok(envelope.with_attributes(&data.finish())?)
}

#[pyfunction]
pub(crate) fn seal_envelope(
    py: Python<'_>,
    options: &SealOptions,
    data: Input,
    threads: ThreadCount,
) -> PyResult<(Envelope, Py<PyBytes>)> {
    let len = in_memory(envelope::sealed_len(options.0.layers(), data.len() as u64))?;
    let mut sealed = None;
    let body = new_bytes(py, len, |out| {
        let mut out = SliceWriter::new(out);
        let done = py.detach(|| seal_body(options, data.reader(), &mut out, &threads));
        sealed = Some(done.or_raise()?);
        Ok(out.written())
    })?;
    let envelope = sealed.ok_or_else(|| crate::error::argument("nothing was sealed"))?;
    Ok((Envelope::of(envelope), body))
}

#[pyfunction]
pub(crate) fn seal_envelope_stream(
    py: Python<'_>,
    options: &SealOptions,
    source: Stream,
    mut target: Sink,
    threads: ThreadCount,
    callback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Envelope> {
    let sealed = watch::run(py, callback, |progress| {
        let envelope = seal_body(options, progress.of(source), &mut target, &threads)?;
        target.flush()?;
        Ok::<_, FileError>(envelope)
    })?;
    let envelope = Envelope::of(sealed.or_raise()?);
    target.commit(py)?;
    Ok(envelope)
}

#[pyfunction]
pub(crate) fn inspect_head(py: Python<'_>, head: Input) -> PyResult<Py<PyAny>> {
    let head = Head::parse(&head.to_vec()).map_err(EnvelopeError::from).or_raise()?;
    model::facts(py, head.unverified(), None, None)
}

/// An envelope that was opened, or made here.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Envelope(pub(crate) Arc<envelope::Envelope>);

impl Envelope {
    pub(crate) fn of(envelope: envelope::Envelope) -> Self {
        Self(Arc::new(envelope))
    }
}

#[pymethods]
impl Envelope {
    #[new]
    fn new(py: Python<'_>, options: &OpenOptions, head: Input) -> PyResult<Self> {
        let head = head.to_vec();
        Ok(Self::of(options.or_raise(py.detach(|| options.how.open(&head)))?))
    }

    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.stored())
    }

    pub(crate) fn info(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let attributes = self.0.attributes().or_raise()?;
        model::info(py, self.0.head(), attributes.as_ref(), &self.0.engines(), None)
    }

    fn rewrap(&self, py: Python<'_>, options: &SealOptions) -> PyResult<Self> {
        Ok(Self::of(py.detach(|| options.0.rewrap(&self.0)).or_raise()?))
    }

    fn unseal(&self, py: Python<'_>, body: Input, threads: ThreadCount) -> PyResult<Py<PyBytes>> {
        let access = py.detach(|| self.0.body().or_raise()?.open_at(&body).or_raise())?;
        let len = in_memory(Some(access.len()))?;
        new_bytes(py, len, |out| {
            py.detach(|| access.open_range_parallel(&threads.0, 0, out)).or_raise()?;
            Ok(len)
        })
    }

    fn reader(&self, py: Python<'_>, body: Source) -> PyResult<Reader> {
        let info = self.info(py)?;
        let access = py.detach(|| self.0.body().or_raise()?.open_at(body).or_raise())?;
        Ok(Reader::of(access, Some(info)))
    }
}
