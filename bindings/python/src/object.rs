//! Sealed objects in memory and through streams, laid out as sealed files are.

use crate::buffer::{Input, Output, new_bytes};
use crate::error::{Kind, OrRaise, Raise};
use crate::model;
use crate::options::{Opening, Sealing, ThreadCount};
use crate::source::{Source, Stream, duplicate};
use crate::watch;
use objseal::Error;
use objseal::file::{self, FileError, SealedFile};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io::Write;

/// A length as one in memory.
pub(crate) fn in_memory(len: Option<u64>) -> PyResult<usize> {
    len.and_then(|len| usize::try_from(len).ok()).ok_or_else(|| Error::TooLong.raise())
}

#[pyfunction]
pub(crate) fn sealed_len(sealing: &Sealing, length: u64) -> PyResult<u64> {
    let len = sealing.with(|sealing| Ok::<_, FileError>(file::sealed_len(sealing, length))).or_raise()?;
    len.ok_or_else(|| Error::TooLong.raise())
}

fn seal_to(sealing: &Sealing, data: &Input, out: &mut [u8], threads: &ThreadCount) -> PyResult<usize> {
    sealing.with(|sealing| file::seal_at(sealing, &threads.0, data, out)).map(|(len, _)| len).or_raise()
}

#[pyfunction]
pub(crate) fn seal(py: Python<'_>, sealing: &Sealing, data: Input, threads: ThreadCount) -> PyResult<Py<PyBytes>> {
    let len = in_memory(Some(sealed_len(sealing, data.len() as u64)?))?;
    new_bytes(py, len, |out| py.detach(|| seal_to(sealing, &data, out, &threads)))
}

/// The start of an output of which `needed` bytes are needed.
pub(crate) fn room(out: &mut [u8], needed: usize) -> PyResult<&mut [u8]> {
    let given = out.len();
    out.get_mut(..needed).ok_or_else(|| Error::OutputTooSmall { needed, given }.raise())
}

#[pyfunction]
pub(crate) fn seal_into(
    py: Python<'_>,
    sealing: &Sealing,
    data: Input,
    mut out: Output,
    threads: ThreadCount,
) -> PyResult<usize> {
    let len = in_memory(Some(sealed_len(sealing, data.len() as u64)?))?;
    let out = room(out.for_input(&data)?, len)?;
    py.detach(|| seal_to(sealing, &data, out, &threads))
}

fn open_file<'i>(py: Python<'_>, opening: &Opening, sealed: &'i Input) -> PyResult<SealedFile<&'i Input>> {
    py.detach(|| opening.with(|opening| SealedFile::open(opening, sealed))).or_raise()
}

#[pyfunction]
pub(crate) fn unseal(py: Python<'_>, opening: &Opening, sealed: Input, threads: ThreadCount) -> PyResult<Py<PyBytes>> {
    let file = open_file(py, opening, &sealed)?;
    let len = in_memory(Some(file.body().len()))?;
    new_bytes(py, len, |out| {
        py.detach(|| file.body().open_range_parallel(&threads.0, 0, out)).or_raise()?;
        Ok(len)
    })
}

#[pyfunction]
pub(crate) fn unseal_into(
    py: Python<'_>,
    opening: &Opening,
    sealed: Input,
    mut out: Output,
    threads: ThreadCount,
) -> PyResult<usize> {
    let whole = out.for_input(&sealed)?;
    let opened = open_file(py, opening, &sealed).and_then(|file| {
        let len = in_memory(Some(file.body().len()))?;
        let out = room(whole, len)?;
        py.detach(|| file.body().open_range_parallel(&threads.0, 0, out)).or_raise()?;
        Ok(len)
    });
    if opened.is_err() {
        // What it held before must not pass for plaintext.
        whole.fill(0);
    }
    opened
}

#[pyfunction]
pub(crate) fn seal_stream(
    py: Python<'_>,
    sealing: &Sealing,
    source: Stream,
    mut target: Stream,
    threads: ThreadCount,
    callback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let sealed = watch::run(py, callback, |progress| {
        let sealed = sealing.with(|sealing| file::seal(sealing, progress.of(source), &mut target, &threads.0))?;
        target.flush()?;
        Ok::<_, FileError>(sealed)
    })?;
    model::opened(py, &sealed.or_raise()?)
}

#[pyfunction]
pub(crate) fn unseal_stream(
    py: Python<'_>,
    opening: &Opening,
    source: Stream,
    mut target: Stream,
    threads: ThreadCount,
    callback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let opened = watch::run(py, callback, |progress| {
        let opened = opening.with(|opening| file::open(opening, progress.of(source), &mut target, &threads.0))?;
        target.flush()?;
        Ok::<_, FileError>(opened)
    })?;
    model::opened(py, &opened.or_raise()?)
}

#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, source: Source) -> PyResult<Py<PyAny>> {
    let facts = py.detach(|| file::inspect(&source)).or_raise()?;
    let facts = facts.unverified();
    model::facts(py, &facts.head, Some(facts.plaintext_len), Some(facts.slots))
}

#[pyfunction]
pub(crate) fn rewrap(py: Python<'_>, opening: &Opening, sealing: &Sealing, descriptor: i32) -> PyResult<Py<PyAny>> {
    let target = duplicate(descriptor)?;
    let rewrapped = py.detach(|| {
        target.lock()?;
        let rewrapped = opening.with(|opening| sealing.with(|sealing| file::rewrap(opening, sealing, &target)));
        target.unlock()?;
        rewrapped
    });
    let envelope = rewrapped.map_err(|error: FileError| match error {
        FileError::NotSealed => Kind::Format.err(error.to_string()),
        other => other.raise(),
    })?;
    model::facts(py, envelope.head(), None, None)
}
