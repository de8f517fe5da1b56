//! Bare messages: Cobblestone-256.

use crate::buffer::{Input, Output, new_bytes};
use crate::error::{OrRaise, Raise, argument};
use crate::files::Reader;
use crate::key::GivenKey;
use crate::object::{in_memory, room};
use crate::options::ThreadCount;
use crate::source::Source;
use crate::watch::lock;
use objseal::cobblestone::{self, Cobblestone, Threads};
use objseal::{Error, Key};
use objseal_bindings::SameProcess;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::mem;
use std::sync::Mutex;

#[pyfunction]
pub(crate) fn cobblestone_sealed_len(length: u64) -> PyResult<u64> {
    cobblestone::sealed_len(length).ok_or_else(|| Error::TooLong.raise())
}

#[pyfunction]
pub(crate) fn cobblestone_plaintext_len(sealed_length: u64) -> PyResult<u64> {
    let none = || argument(format!("no message is {sealed_length} bytes long"));
    cobblestone::plaintext_len(sealed_length).ok_or_else(none)
}

#[pyfunction]
pub(crate) fn cobblestone_largest_plaintext_len(stored_limit: u64) -> PyResult<u64> {
    let none = || argument(format!("no message fits into {stored_limit} bytes"));
    cobblestone::largest_plaintext_len(stored_limit).ok_or_else(none)
}

#[pyfunction]
pub(crate) fn cobblestone_sealed_range(start: u64, stop: u64, sealed_length: u64) -> PyResult<(u64, u64)> {
    let none = || argument(format!("bytes {start} to {stop} are not in a message of {sealed_length} bytes"));
    cobblestone::sealed_range(start..stop, sealed_length).map(|range| (range.start, range.end)).ok_or_else(none)
}

/// Seals into all of `out`. Memory that may change is copied before it is looked at.
fn seal_to(cobblestone: &Cobblestone<'_>, data: &Input, out: &mut [u8], threads: &Threads) -> PyResult<usize> {
    match data {
        Input::Fixed(bytes) => cobblestone.seal_parallel(threads, bytes, out).or_raise(),
        shared @ Input::Shared(_) => {
            let len = data.len() as u64;
            cobblestone.shared_sealer().or_raise()?.seal_at(threads, shared, len, out).or_raise()
        }
    }
}

/// Opens into all of `out`, in the same way.
fn open_to(cobblestone: &Cobblestone<'_>, message: &Input, out: &mut [u8], threads: &Threads) -> PyResult<usize> {
    match message {
        Input::Fixed(bytes) => cobblestone.open_parallel(threads, bytes, out).or_raise(),
        shared @ Input::Shared(_) => {
            let opened = cobblestone.open_at(shared).and_then(|access| access.open_range_parallel(threads, 0, out));
            opened.inspect_err(|_| out.fill(0)).or_raise()?;
            Ok(out.len())
        }
    }
}

fn opened_len(message: &Input) -> PyResult<usize> {
    let len = cobblestone::plaintext_len(message.len() as u64).ok_or_else(|| Error::Authentication.raise())?;
    in_memory(Some(len))
}

#[pyfunction]
pub(crate) fn cobblestone_seal(
    py: Python<'_>,
    key: GivenKey,
    data: Input,
    context: Input,
    threads: ThreadCount,
) -> PyResult<Py<PyBytes>> {
    let context = context.to_vec();
    let len = in_memory(cobblestone::sealed_len(data.len() as u64))?;
    new_bytes(py, len, |out| py.detach(|| seal_to(&Cobblestone::new(key.secret(), &context), &data, out, &threads.0)))
}

#[pyfunction]
pub(crate) fn cobblestone_seal_into(
    py: Python<'_>,
    key: GivenKey,
    data: Input,
    mut out: Output,
    context: Input,
    threads: ThreadCount,
) -> PyResult<usize> {
    let context = context.to_vec();
    let len = in_memory(cobblestone::sealed_len(data.len() as u64))?;
    let out = room(out.for_input(&data)?, len)?;
    py.detach(|| seal_to(&Cobblestone::new(key.secret(), &context), &data, out, &threads.0))
}

#[pyfunction]
pub(crate) fn cobblestone_open(
    py: Python<'_>,
    key: GivenKey,
    message: Input,
    context: Input,
    threads: ThreadCount,
) -> PyResult<Py<PyBytes>> {
    let context = context.to_vec();
    new_bytes(py, opened_len(&message)?, |out| {
        py.detach(|| open_to(&Cobblestone::new(key.secret(), &context), &message, out, &threads.0))
    })
}

#[pyfunction]
pub(crate) fn cobblestone_open_into(
    py: Python<'_>,
    key: GivenKey,
    message: Input,
    mut out: Output,
    context: Input,
    threads: ThreadCount,
) -> PyResult<usize> {
    let context = context.to_vec();
    let whole = out.for_input(&message)?;
    let len = match opened_len(&message) {
        Ok(len) => len,
        Err(error) => {
            // What it held before must not pass for plaintext.
            whole.fill(0);
            return Err(error);
        }
    };
    let out = room(whole, len)?;
    py.detach(|| open_to(&Cobblestone::new(key.secret(), &context), &message, out, &threads.0))
}

/// Reads a stored message at any offset.
#[pyfunction]
pub(crate) fn cobblestone_reader(py: Python<'_>, key: GivenKey, source: Source, context: Input) -> PyResult<Reader> {
    let context = context.to_vec();
    let access = py.detach(|| Cobblestone::new(key.secret(), &context).open_at(source)).or_raise()?;
    Ok(Reader::of(access, None))
}

/// What a message is sealed or opened with until it ends; then that it is finished, or what went wrong.
type State<T> = Mutex<Result<T, Error>>;

/// Gives what is left of a message.
fn end<T>(
    py: Python<'_>,
    state: &State<T>,
    len: impl FnOnce(&T) -> usize,
    finish: impl FnOnce(T, &mut [u8]) -> Result<usize, Error>,
) -> PyResult<Py<PyBytes>> {
    let mut state = lock(py, state);
    new_bytes(py, state.as_ref().map_or(0, len), |out| {
        let ended = mem::replace(&mut *state, Err(Error::Finished)).and_then(|message| finish(message, out));
        ended.inspect_err(|&error| *state = Err(error)).or_raise()
    })
}

/// Seals a message piece by piece: the message is all that `update` and `finalize` give, in order. It goes on in the process
/// that made it alone: after a fork the child begins anew.
///
/// >>> import objseal
/// >>> key = objseal.Key.generate()
/// >>> sealer = objseal.cobblestone.Sealer(key, b"a context")
/// >>> message = sealer.update(b"in any number ") + sealer.update(b"of pieces") + sealer.finalize()
/// >>> opener = objseal.cobblestone.Opener(key, b"a context")
/// >>> opener.update(message) + opener.finalize()
/// b'in any number of pieces'
#[pyclass(frozen, module = "objseal.cobblestone")]
pub(crate) struct Sealer {
    state: State<cobblestone::Sealer>,
    process: SameProcess,
}

#[pymethods]
impl Sealer {
    #[new]
    #[pyo3(signature = (key, context = None), text_signature = "(key, context=b'')")]
    fn new(key: GivenKey, context: Option<Input>) -> PyResult<Self> {
        let context = context.map(|context| context.to_vec()).unwrap_or_default();
        let sealer = Cobblestone::new(key.secret(), &context).sealer().or_raise()?;
        Ok(Self { state: Mutex::new(Ok(sealer)), process: SameProcess::here() })
    }

    /// Takes in `data` and gives all chunks that are whole.
    fn update(&self, py: Python<'_>, data: Input) -> PyResult<Py<PyBytes>> {
        self.process.check().or_raise()?;
        let mut sealer = lock(py, &self.state);
        let sealer = sealer.as_mut().map_err(|error| error.raise())?;
        let (data, len) = (data.settled(), sealer.update_len(data.len()).or_raise()?);
        new_bytes(py, len, |out| py.detach(|| sealer.update(&data, out)).or_raise())
    }

    /// The same into the start of `out`; returns how many bytes that took.
    fn update_into(&self, py: Python<'_>, data: Input, mut out: Output) -> PyResult<usize> {
        self.process.check().or_raise()?;
        let mut sealer = lock(py, &self.state);
        let sealer = sealer.as_mut().map_err(|error| error.raise())?;
        let (out, data) = (out.for_input(&data)?, data.settled());
        py.detach(|| sealer.update(&data, out)).or_raise()
    }

    /// Gives the rest.
    fn finalize(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        self.process.check().or_raise()?;
        end(py, &self.state, cobblestone::Sealer::finish_len, cobblestone::Sealer::finish)
    }
}

/// Opens a message piece by piece. What `update` gives is authentic; the plaintext is whole once `finalize` has succeeded.
/// After an error nothing more comes out, and every call says the same.
#[pyclass(frozen, module = "objseal.cobblestone")]
pub(crate) struct Opener(State<Box<cobblestone::Opener<'static>>>);

#[pymethods]
impl Opener {
    #[new]
    #[pyo3(signature = (key, context = None), text_signature = "(key, context=b'')")]
    fn new(key: GivenKey, context: Option<Input>) -> Self {
        let context = context.map(|context| context.to_vec()).unwrap_or_default();
        let key = Key::from_bytes(key.secret().expose_secret());
        Self(Mutex::new(Ok(Box::new(cobblestone::Opener::owned(key, context)))))
    }

    /// Takes in `data` and gives all chunks that are whole.
    fn update(&self, py: Python<'_>, data: Input) -> PyResult<Py<PyBytes>> {
        let mut opener = lock(py, &self.0);
        let opener = opener.as_mut().map_err(|error| error.raise())?;
        let (data, len) = (data.settled(), opener.update_len(data.len()));
        new_bytes(py, len, |out| py.detach(|| opener.update(&data, out)).or_raise())
    }

    /// The same into the start of `out`; returns how many bytes that took.
    fn update_into(&self, py: Python<'_>, data: Input, mut out: Output) -> PyResult<usize> {
        let mut opener = lock(py, &self.0);
        let opener = opener.as_mut().map_err(|error| error.raise())?;
        let (out, data) = (out.for_input(&data)?, data.settled());
        py.detach(|| opener.update(&data, out)).or_raise()
    }

    /// Gives the rest.
    fn finalize(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        end(py, &self.0, |opener| opener.finish_len(), |opener, out| opener.finish(out))
    }
}
