//! From the core's errors to the exceptions of `objseal._errors`.

use crate::place::{AtPlace, Place};
use objseal::envelope::{EnvelopeError, KeyServiceError, KeyServiceErrorKind};
use objseal::file::FileError;
use objseal::{Error, KeyLengthError};
use objseal_bindings::OtherProcess;
use objseal_files::Reason;
use objseal_keys::keyring::KeyringError;
use pyo3::PyErr;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rustix::io::Errno;
use std::io;

/// The exceptions that come from here, by their names in Python.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Argument,
    Authentication,
    Engine,
    Format,
    KeyNotFound,
    KeyService,
    Keyring,
    Limit,
    Parts,
    Policy,
    Random,
}

impl Kind {
    /// Whether it is this exception.
    pub(crate) fn is(self, py: Python<'_>, error: &PyErr) -> bool {
        error.get_type(py).name().is_ok_and(|name| name == self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Argument => "ArgumentError",
            Self::Authentication => "AuthenticationError",
            Self::Engine => "EngineError",
            Self::Format => "FormatError",
            Self::KeyNotFound => "KeyNotFound",
            Self::KeyService => "KeyServiceError",
            Self::Keyring => "KeyringError",
            Self::Limit => "LimitError",
            Self::Parts => "PartsError",
            Self::Policy => "PolicyError",
            Self::Random => "RandomError",
        }
    }

    /// The exception with this message.
    pub(crate) fn err(self, message: impl Into<String>) -> PyErr {
        let message = message.into();
        Python::attach(|py| self.with_args(py, (message,)))
    }

    pub(crate) fn with_args<'py>(
        self,
        py: Python<'py>,
        args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
    ) -> PyErr {
        let made = py
            .import("objseal._errors")
            .and_then(|module| module.getattr(self.name()))
            .and_then(|class| class.call1(args.into_pyobject(py)?));
        made.map_or_else(|error| error, PyErr::from_value)
    }
}

/// An argument that makes no sense, said in words.
pub(crate) fn argument(message: impl Into<String>) -> PyErr {
    Kind::Argument.err(message)
}

/// What the core says, as an exception.
pub(crate) trait OrRaise<T> {
    /// The exception for the error.
    fn or_raise(self) -> PyResult<T>;
}

impl<T, E: Raise> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(Raise::raise)
    }
}

/// An error that has an exception.
pub(crate) trait Raise {
    /// The exception.
    fn raise(self) -> PyErr;
}

impl Raise for Error {
    fn raise(self) -> PyErr {
        let kind = match self {
            Self::Authentication => Kind::Authentication,
            Self::Random => Kind::Random,
            Self::TooLong => Kind::Limit,
            Self::EngineUnavailable(_) | Self::EnginesAlike(..) | Self::CheckFailed(_) | Self::WorkersFailed => {
                Kind::Engine
            }
            _ => Kind::Argument,
        };
        kind.err(self.to_string())
    }
}

impl Raise for KeyLengthError {
    fn raise(self) -> PyErr {
        argument(self.to_string())
    }
}

impl Raise for EnvelopeError {
    fn raise(self) -> PyErr {
        let message = self.to_string();
        match self {
            Self::NoAcceptedKey { wanted } => {
                let wanted: Vec<_> = wanted.into_iter().map(|key| (key.service, key.key_id, key.key_version)).collect();
                Python::attach(|py| Kind::KeyNotFound.with_args(py, (message, wanted)))
            }
            Self::Format(_) => Kind::Format.err(message),
            Self::Policy(_) => Kind::Policy.err(message),
            Self::KeyService(error) => error.raise(),
            Self::Authentication | Self::OtherKey(_) => Kind::Authentication.err(message),
            Self::Parts(_) => Kind::Parts.err(message),
            Self::Seal(error) => error.raise(),
            _ => argument(message),
        }
    }
}

impl Raise for KeyServiceError {
    fn raise(self) -> PyErr {
        let kind = match self.kind() {
            KeyServiceErrorKind::UnknownKey => return Kind::KeyNotFound.err(self.to_string()),
            KeyServiceErrorKind::Refused => "refused",
            KeyServiceErrorKind::Denied => "denied",
            KeyServiceErrorKind::Disabled => "disabled",
            KeyServiceErrorKind::PendingDeletion => "pending_deletion",
            KeyServiceErrorKind::WrongUsage => "wrong_usage",
            KeyServiceErrorKind::Throttled => "throttled",
            KeyServiceErrorKind::TimedOut => "timed_out",
            KeyServiceErrorKind::Unreachable => "unreachable",
            KeyServiceErrorKind::Malformed => "malformed",
            _ => "other",
        };
        Python::attach(|py| Kind::KeyService.with_args(py, (self.to_string(), kind, self.is_transient())))
    }
}

impl Raise for FileError {
    fn raise(self) -> PyErr {
        match self {
            Self::Io(error) => error.raise(),
            Self::Envelope(error) => error.raise(),
            other => Kind::Format.err(other.to_string()),
        }
    }
}

impl Raise for io::Error {
    fn raise(self) -> PyErr {
        if let Some(&error) = self.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return error.raise();
        }
        match self.downcast::<EnvelopeError>() {
            Ok(error) => error.raise(),
            Err(error) => match error.downcast::<FileError>() {
                Ok(error) => error.raise(),
                Err(error) => match error.downcast::<AtPlace>() {
                    Ok(AtPlace { error, place }) => of_system(error, Some(&place)),
                    Err(error) => of_system(error, None),
                },
            },
        }
    }
}

/// Whether an error has an exception of its own already, and is none of the operating system.
pub(crate) fn is_told(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| {
        inner.is::<PyErr>()
            || inner.is::<Error>()
            || inner.is::<EnvelopeError>()
            || inner.is::<FileError>()
            || inner.is::<AtPlace>()
    })
}

/// The `OSError` with number, words and path. An exception of Python comes back as it was.
fn of_system(error: io::Error, place: Option<&Place>) -> PyErr {
    if is_told(&error) {
        return PyErr::from(error);
    }
    let reason = Reason::of(&error);
    let number = error.raw_os_error().or(match error.kind() {
        io::ErrorKind::AlreadyExists => Some(Errno::EXIST.raw_os_error()),
        io::ErrorKind::IsADirectory => Some(Errno::ISDIR.raw_os_error()),
        io::ErrorKind::NotFound => Some(Errno::NOENT.raw_os_error()),
        _ => None,
    });
    let made = Python::attach(|py| {
        let (number, words): (i32, String) = match (reason, number) {
            (Some(reason), _) => (reason.errno(), reason.to_string()),
            (None, Some(number)) => (number, py.import("os")?.call_method1("strerror", (number,))?.extract()?),
            (None, None) => (Errno::IO.raw_os_error(), error.to_string()),
        };
        let path = place.map(|place| place.given.clone_ref(py));
        // Its class follows from the number.
        Ok(PyErr::from_value(py.get_type::<PyOSError>().call1((number, words, path))?))
    });
    made.unwrap_or_else(|error: PyErr| error)
}

impl Raise for OtherProcess {
    fn raise(self) -> PyErr {
        argument(self.to_string())
    }
}

impl Raise for KeyringError {
    fn raise(self) -> PyErr {
        match self {
            Self::Io(error) => error.raise(),
            Self::Seal(error) => error.raise(),
            Self::UnknownKey => Kind::KeyNotFound.err(self.to_string()),
            other => Kind::Keyring.err(other.to_string()),
        }
    }
}
