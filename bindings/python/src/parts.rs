//! Objects in parts.

use crate::buffer::{Input, SliceWriter, new_bytes};
use crate::envelope::Envelope;
use crate::error::{Kind, OrRaise, argument};
use crate::files::Reader;
use crate::model;
use crate::object::in_memory;
use crate::options::{
    GivenWrappingKey, OpenOptions, Pairs, SealOptions, ThreadCount, algorithm, encryption_context, wanted,
};
use crate::source::{Sink, Source, Stream};
use crate::watch;
use objseal::checksums::{self, DigestReader};
use objseal::cobblestone::ReadAt;
use objseal::envelope::{
    self, ChecksumAlgorithm, ChecksumType, NewBody, Part, PartAttempt, PartSealer, PartStore, PartTable,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// An object that is sealed in parts.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Upload {
    upload: envelope::Upload,
    /// Once the object's own keys are there.
    parts: OnceLock<PartSealer>,
}

impl Upload {
    fn part(&self, number: u32) -> PyResult<(PartAttempt, NewBody)> {
        let locked =
            "a resumed upload has no keys to seal parts with; unlock(key=..., keyring=...) gives it the object's own";
        self.parts.get().ok_or_else(|| Kind::KeyNotFound.err(locked))?.part(number).or_raise()
    }

    fn receipt(
        &self,
        py: Python<'_>,
        attempt: PartAttempt,
        mut attributes: envelope::Attributes,
        etag: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        attributes.etag = etag;
        let (receipt, stored) = self.upload.receipt(attempt, attributes).or_raise()?;
        model::receipt(py, &receipt, &stored)
    }
}

#[pymethods]
impl Upload {
    #[staticmethod]
    fn start(py: Python<'_>, options: &SealOptions, server_key: GivenWrappingKey, place: Pairs) -> PyResult<Self> {
        let place = encryption_context(&place, &Pairs::new())?;
        let (upload, parts) = py.detach(|| options.0.start_upload(&server_key.0, &place)).or_raise()?;
        Ok(Self { upload, parts: parts.into() })
    }

    #[staticmethod]
    fn resume(py: Python<'_>, options: &OpenOptions, state: Input, place: Pairs) -> PyResult<Self> {
        let (state, place) = (state.to_vec(), encryption_context(&place, &Pairs::new())?);
        let upload = options.or_raise(py.detach(|| options.how.resume_upload(&state, &place)))?;
        Ok(Self { upload, parts: OnceLock::new() })
    }

    fn unlock(&self, py: Python<'_>, options: &OpenOptions) -> PyResult<()> {
        let parts = options.or_raise(py.detach(|| self.upload.unlock(&options.how)))?;
        self.parts.get_or_init(|| parts);
        Ok(())
    }

    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.upload.stored())
    }

    #[getter]
    fn object_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.upload.object_id().as_bytes())
    }

    fn seal_part(
        &self,
        py: Python<'_>,
        number: u32,
        data: Input,
        threads: ThreadCount,
        digests: Vec<String>,
        etag: Option<String>,
    ) -> PyResult<(Py<PyBytes>, Py<PyAny>)> {
        let (attempt, body) = self.part(number)?;
        let layers = u8::try_from(body.engines().len()).unwrap_or(u8::MAX);
        let len = in_memory(envelope::sealed_len(layers, data.len() as u64))?;
        let mut input = DigestReader::new(data.reader(), wanted(&digests)?);
        let body = new_bytes(py, len, |out| {
            let mut out = SliceWriter::new(out);
            py.detach(|| body.seal_stream(&mut input, &mut out, &threads.0)).or_raise()?;
            Ok(out.written())
        })?;
        Ok((body, self.receipt(py, attempt, input.finish(), etag)?))
    }

    #[allow(clippy::too_many_arguments, reason = "Python's half gives all of them by name")]
    fn seal_part_stream(
        &self,
        py: Python<'_>,
        number: u32,
        source: Stream,
        mut target: Sink,
        threads: ThreadCount,
        digests: Vec<String>,
        etag: Option<String>,
        callback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (attempt, body) = self.part(number)?;
        let wanted = wanted(&digests)?;
        let attributes = watch::run(py, callback, |progress| {
            let mut input = DigestReader::new(progress.of(source), wanted);
            body.seal_stream(&mut input, &mut target, &threads.0)?;
            target.flush()?;
            Ok::<_, io::Error>(input.finish())
        })?;
        let receipt = self.receipt(py, attempt, attributes.or_raise()?, etag)?;
        target.commit(py)?;
        Ok(receipt)
    }

    fn read_receipt(&self, py: Python<'_>, stored: Input) -> PyResult<Py<PyAny>> {
        let stored = stored.to_vec();
        model::receipt(py, &self.upload.open_receipt(&stored).or_raise()?, &stored)
    }

    #[allow(clippy::too_many_arguments, reason = "Python's half gives all of them by name")]
    fn complete(
        &self,
        py: Python<'_>,
        named: Vec<(u32, String)>,
        receipts: Vec<Input>,
        inline_len: usize,
        etag: Option<String>,
        checksum: Option<String>,
        checksum_type: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        let checksum = checksum.as_deref().map(algorithm).transpose()?;
        let checksum_type = checksum_type.map(|name| match name.as_str() {
            model::FULL_OBJECT => Ok(ChecksumType::FullObject),
            model::COMPOSITE => Ok(ChecksumType::Composite),
            _ => Err(argument(format!("checksum_type={name:?}: {} or {}", model::FULL_OBJECT, model::COMPOSITE))),
        });
        let checksum_type = checksum_type.transpose()?;
        let receipts: Vec<_> = receipts.iter().map(Input::to_vec).collect();
        let (completed, selection, attributes) = py.detach(|| {
            let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
            let named: Vec<_> = named.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
            let mut selection = self.upload.select(&named, &receipts).or_raise()?;
            selection.checksum = checksum;
            if let Some(checksum) = checksum
                && let Some(part) = selection.parts.iter().find(|part| part.attributes.digests.get(checksum).is_none())
            {
                let name = checksum.name();
                return Err(Kind::Parts.err(format!("part {} was sealed without digests={name:?}", part.number)));
            }
            let mut attributes = checksums::of_parts(&selection.attributes());
            attributes.etag = etag.or(attributes.etag);
            attributes.checksum_type = checksum_type;
            let completed = self.upload.complete(&selection, &attributes, inline_len).or_raise()?;
            Ok((completed, selection, attributes))
        })?;
        model::completed(py, &completed, &selection, &attributes)
    }
}

/// What stores the bodies of parts: a function of Python.
struct Store {
    function: Py<PyAny>,
    checksum: Option<ChecksumAlgorithm>,
    /// The part that was asked for last, so that reading on does not ask again.
    last: Mutex<Option<(Part, Arc<Source>)>>,
}

/// A stored body.
struct Body(Arc<Source>);

impl ReadAt for Body {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

impl PartStore for Store {
    type Body = Body;

    fn part(&self, part: &Part) -> io::Result<Body> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, source)) = last.as_ref().filter(|(known, _)| known == part) {
            return Ok(Body(Arc::clone(source)));
        }
        let source: Source = Python::attach(|py| {
            let asked = model::part(py, part, self.checksum)?;
            self.function.bind(py).call1((asked,))?.extract()
        })?;
        let source = Arc::new(source);
        *last = Some((part.clone(), Arc::clone(&source)));
        Ok(Body(source))
    }
}

/// Reads an object in parts, and tells where they are.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct PartsReader;

#[pymethods]
impl PartsReader {
    /// Reads from what `store` gives for a part.
    #[staticmethod]
    fn open(py: Python<'_>, envelope: &Envelope, table: Option<Source>, store: Py<PyAny>) -> PyResult<Reader> {
        let info = envelope.info(py)?;
        let table = py.detach(|| envelope.0.part_table(table)).or_raise()?;
        let store = Store { function: store, checksum: table.checksum(), last: Mutex::new(None) };
        let reader = envelope::PartsReader::new(Arc::clone(&envelope.0), table, store);
        Ok(Reader::of(reader, Some(info)))
    }

    /// All parts.
    #[staticmethod]
    fn parts(py: Python<'_>, envelope: &Envelope, table: Option<Source>) -> PyResult<Vec<Py<PyAny>>> {
        let parts = py.detach(|| {
            let table = envelope.0.part_table(table)?;
            Ok::<_, io::Error>((table.parts(0, table.count())?, table.checksum()))
        });
        let (parts, checksum) = parts.or_raise()?;
        parts.iter().map(|part| Ok(model::part(py, part, checksum)?.unbind())).collect()
    }

    /// For each part that the range touches: the part, the range of its plaintext, and of its stored body.
    #[staticmethod]
    #[allow(clippy::type_complexity, reason = "Python's half gives it names")]
    fn locate(
        py: Python<'_>,
        envelope: &Envelope,
        table: Option<Source>,
        start: u64,
        stop: u64,
    ) -> PyResult<Vec<(Py<PyAny>, (u64, u64), (u64, u64))>> {
        if start > stop {
            return Err(argument("a range that ends before it starts"));
        }
        let found = py.detach(|| -> io::Result<_> {
            let table: PartTable<Source> = envelope.0.part_table(table)?;
            Ok((table.locate(start..stop)?, table.checksum()))
        });
        let (found, checksum) = found.or_raise()?;
        found
            .into_iter()
            .map(|found| {
                let part = model::part(py, &found.part, checksum)?.unbind();
                let (plaintext, stored) = (found.plaintext, found.stored);
                Ok((part, (plaintext.start, plaintext.end), (stored.start, stored.end)))
            })
            .collect()
    }
}
