//! Sealed objects in memory and through streams, laid out as sealed files are.

use crate::buffer::{Input, Output, new_bytes};
use crate::error::{OrRaise, Raise};
use crate::model;
use crate::options::{OpenOptions, SealOptions, ThreadCount};
use crate::place::{self, Place};
use crate::source::{Sink, Source, Stream};
use crate::watch;
use objseal::Error;
use objseal::file::{self, FileError, SealedFile};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io::{self, Write};

/// A length as one in memory.
pub(crate) fn in_memory(len: Option<u64>) -> PyResult<usize> {
    len.and_then(|len| usize::try_from(len).ok()).ok_or_else(|| Error::TooLong.raise())
}

#[pyfunction]
pub(crate) fn sealed_len(options: &SealOptions, length: u64) -> PyResult<u64> {
    file::sealed_len(&options.0, length).ok_or_else(|| Error::TooLong.raise())
}

fn seal_to(options: &SealOptions, data: &Input, out: &mut [u8], threads: &ThreadCount) -> PyResult<usize> {
    file::seal_at(&options.0, &threads.0, data, out).map(|(len, _)| len).or_raise()
}

#[pyfunction]
pub(crate) fn seal(py: Python<'_>, options: &SealOptions, data: Input, threads: ThreadCount) -> PyResult<Py<PyBytes>> {
    let len = in_memory(Some(sealed_len(options, data.len() as u64)?))?;
    new_bytes(py, len, |out| py.detach(|| seal_to(options, &data, out, &threads)))
}

/// The start of an output of which `needed` bytes are needed.
pub(crate) fn room(out: &mut [u8], needed: usize) -> PyResult<&mut [u8]> {
    let given = out.len();
    out.get_mut(..needed).ok_or_else(|| Error::OutputTooSmall { needed, given }.raise())
}

#[pyfunction]
pub(crate) fn seal_into(
    py: Python<'_>,
    options: &SealOptions,
    data: Input,
    mut out: Output,
    threads: ThreadCount,
) -> PyResult<usize> {
    let len = in_memory(Some(sealed_len(options, data.len() as u64)?))?;
    let out = room(out.for_input(&data)?, len)?;
    py.detach(|| seal_to(options, &data, out, &threads))
}

fn open_file<'i>(py: Python<'_>, options: &OpenOptions, sealed: &'i Input) -> PyResult<SealedFile<&'i Input>> {
    options.or_raise(py.detach(|| SealedFile::open(&options.how, sealed)))
}

#[pyfunction]
pub(crate) fn unseal(
    py: Python<'_>,
    options: &OpenOptions,
    sealed: Input,
    threads: ThreadCount,
) -> PyResult<Py<PyBytes>> {
    let file = open_file(py, options, &sealed)?;
    let len = in_memory(Some(file.body().len()))?;
    new_bytes(py, len, |out| {
        py.detach(|| file.body().open_range_parallel(&threads.0, 0, out)).or_raise()?;
        Ok(len)
    })
}

#[pyfunction]
pub(crate) fn unseal_into(
    py: Python<'_>,
    options: &OpenOptions,
    sealed: Input,
    mut out: Output,
    threads: ThreadCount,
) -> PyResult<usize> {
    let whole = out.for_input(&sealed)?;
    let opened = open_file(py, options, &sealed).and_then(|file| {
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
    options: &SealOptions,
    source: Stream,
    mut target: Sink,
    threads: ThreadCount,
    callback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let sealed = watch::run(py, callback, |progress| {
        let sealed = file::seal(&options.0, progress.of(source), progress.of(&mut target), &threads.0)?;
        target.flush()?;
        Ok::<_, FileError>(sealed)
    })?;
    let info = model::of_file(py, &sealed.or_raise()?)?;
    target.commit(py)?;
    Ok(info)
}

#[pyfunction]
pub(crate) fn unseal_stream(
    py: Python<'_>,
    options: &OpenOptions,
    source: Stream,
    mut target: Sink,
    threads: ThreadCount,
    callback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let opened = watch::run(py, callback, |progress| {
        let opened = file::open(&options.how, progress.of(source), progress.of(&mut target), &threads.0)?;
        target.flush()?;
        Ok::<_, FileError>(opened)
    })?;
    let info = model::of_file(py, &options.or_raise(opened)?)?;
    target.commit(py)?;
    Ok(info)
}

#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, source: Source) -> PyResult<Py<PyAny>> {
    let facts = py.detach(|| file::inspect(&source)).or_raise()?;
    let facts = facts.unverified();
    model::facts(py, &facts.head, Some(facts.plaintext_len), Some(facts.slots))
}

/// `decide` sees the verified head and gives the `SealOptions`.
#[pyfunction]
pub(crate) fn rewrap(py: Python<'_>, options: &OpenOptions, decide: Py<PyAny>, path: Place) -> PyResult<Py<PyAny>> {
    let target = place::Input::to_change(py, path)?;
    let rewrapped = py.detach(|| {
        target.file().lock().map_err(|error| target.place().at(error))?;
        let rewrapped = file::rewrap(&options.how, &target, |old| {
            let decided = Python::attach(|py| -> PyResult<_> {
                let decided = decide.bind(py).call1((model::facts(py, old.head(), None, None)?,))?;
                Ok(decided.cast::<SealOptions>()?.get().0.clone())
            });
            Ok(decided.map_err(io::Error::from)?)
        });
        target.file().unlock()?;
        rewrapped.map_err(|error: FileError| match error {
            FileError::Io(error) => target.place().at(error).into(),
            other => other,
        })
    });
    model::facts(py, options.or_raise(rewrapped)?.head(), None, None)
}
