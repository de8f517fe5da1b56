//! What functions return, and the wall that panics stop at.

use crate::memory::{Handle, Slot};
use objseal::Error;
use objseal::envelope::{EnvelopeError, FormatError, KeyServiceErrorKind};
use objseal::file::FileError;
use objseal_keys::keyring::KeyringError;
use std::ffi::{CStr, c_char};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a function returns. Numbers never change their meaning; there may be new ones.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// A pointer that must not be NULL is.
    NullPointer = 1,
    /// An argument makes no sense.
    Argument = 2,
    /// Wrong key, wrong context, or what was sealed was changed. One answer to all of them: an attacker learns nothing.
    Authentication = 3,
    /// The output is too small. Nothing was written or consumed, and a length that is enough was stored.
    OutputTooSmall = 4,
    /// Longer than it can be, or than this machine can address.
    TooLong = 5,
    /// The range is not within the plaintext.
    OutOfRange = 6,
    /// It was finished, or an earlier call on it failed.
    Finished = 7,
    /// The operating system has no random bytes to give.
    Random = 8,
    /// An engine is not to be had here, or did not do its work.
    Engine = 9,
    /// A callback failed, or a file could not be read or written.
    Io = 10,
    /// A fault of this library. What it was working on is lost, as after a failure.
    Internal = 11,
    /// This is not a sealed object, or one that this version does not know.
    Format = 12,
    /// No key at hand opens the object, or the keyring has no key of this name.
    KeyNotFound = 13,
    /// The object is not what was demanded of it.
    Policy = 14,
    /// A key service failed.
    KeyService = 15,
    /// The keyring could not be read or changed.
    Keyring = 16,
    /// The parts do not make an object.
    Parts = 17,
    /// A key service cannot answer for the moment; try again.
    KeyServiceTransient = 18,
}

impl Status {
    fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"it worked",
            Self::NullPointer => c"a pointer that must not be NULL is",
            Self::Argument => c"an argument makes no sense",
            Self::Authentication => c"wrong key, wrong context, or what was sealed was changed",
            Self::OutputTooSmall => c"the output is too small",
            Self::TooLong => c"longer than it can be",
            Self::OutOfRange => c"the range is not within the plaintext",
            Self::Finished => c"it was finished, or an earlier call on it failed",
            Self::Random => c"no random bytes to be had",
            Self::Engine => c"an engine is not to be had here, or did not do its work",
            Self::Io => c"a callback failed, or a file could not be read or written",
            Self::Internal => c"a fault of this library",
            Self::Format => c"not a sealed object, or one that this version does not know",
            Self::KeyNotFound => c"no key at hand opens it, or there is no key of this name",
            Self::Policy => c"the object is not what was demanded of it",
            Self::KeyService => c"a key service failed",
            Self::Keyring => c"the keyring could not be read or changed",
            Self::Parts => c"the parts do not make an object",
            Self::KeyServiceTransient => c"a key service cannot answer for the moment; try again",
        }
    }

    const ALL: [Self; 19] = [
        Self::Ok,
        Self::NullPointer,
        Self::Argument,
        Self::Authentication,
        Self::OutputTooSmall,
        Self::TooLong,
        Self::OutOfRange,
        Self::Finished,
        Self::Random,
        Self::Engine,
        Self::Io,
        Self::Internal,
        Self::Format,
        Self::KeyNotFound,
        Self::Policy,
        Self::KeyService,
        Self::Keyring,
        Self::Parts,
        Self::KeyServiceTransient,
    ];
}

/// What a status means, in English; a number that is none has a text too. It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_status_text(status: i32) -> *const c_char {
    let known = Status::ALL.into_iter().find(|&known| known as i32 == status);
    known.map_or(c"no such status", Status::text).as_ptr()
}

/// A status, and what more there is to say.
pub(crate) struct Failure {
    status: Status,
    text: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: Status, text: impl ToString) -> Self {
        Self { status, text: Some(text.to_string()) }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { status, text: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Authentication => Status::Authentication,
            Error::Random => Status::Random,
            Error::TooLong => Status::TooLong,
            Error::OutputTooSmall { .. } => Status::OutputTooSmall,
            Error::OutOfRange { .. } => Status::OutOfRange,
            Error::Finished => Status::Finished,
            Error::EngineUnavailable(_) | Error::EnginesAlike(..) | Error::CheckFailed(_) | Error::WorkersFailed => {
                Status::Engine
            }
            _ => Status::Argument,
        };
        Self::new(status, error)
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        Self::new(Status::Format, error)
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Self {
        let status = match &error {
            EnvelopeError::Seal(error) => return (*error).into(),
            EnvelopeError::Authentication => Status::Authentication,
            EnvelopeError::Format(_) => Status::Format,
            EnvelopeError::NoAcceptedKey { .. } => Status::KeyNotFound,
            EnvelopeError::KeyService(error) if error.kind() == KeyServiceErrorKind::UnknownKey => Status::KeyNotFound,
            EnvelopeError::KeyService(error) if error.is_transient() => Status::KeyServiceTransient,
            EnvelopeError::Policy(_) => Status::Policy,
            EnvelopeError::KeyService(_) => Status::KeyService,
            EnvelopeError::Parts(_) => Status::Parts,
            _ => Status::Argument,
        };
        Self::new(status, error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => error.into(),
            FileError::Envelope(error) => error.into(),
            other => Self::new(Status::Format, other),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if let Some(&error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return error.into();
        }
        match error.downcast::<EnvelopeError>() {
            Ok(error) => error.into(),
            Err(error) => match error.downcast::<FileError>() {
                Ok(error) => error.into(),
                Err(error) => Self::new(Status::Io, error),
            },
        }
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Io(error) => error.into(),
            KeyringError::Seal(error) => error.into(),
            KeyringError::UnknownKey => Self::new(Status::KeyNotFound, error),
            other => Self::new(Status::Keyring, other),
        }
    }
}

/// Runs `act` behind the wall that panics stop at.
fn guarded(act: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(Status::Internal.into()))
}

/// The same for what answers with something else: `none` if it panics.
pub(crate) fn guarded_or<T>(none: T, act: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or(none)
}

fn status(done: Result<(), Failure>) -> Status {
    done.map_or_else(|failure| failure.status, |()| Status::Ok)
}

/// Runs what belongs to no handle.
pub(crate) fn run(act: impl FnOnce() -> Result<(), Failure>) -> Status {
    status(guarded(act))
}

fn noted<T>(slot: &Slot<T>, done: Result<(), Failure>) -> Status {
    if let Err(failure) = &done {
        let known = || failure.status.text().to_string_lossy().into_owned();
        slot.last_error.set(failure.text.clone().unwrap_or_else(known));
    }
    status(done)
}

/// Runs what a handle is for, and notes with it what went wrong.
pub(crate) unsafe fn on<H: Handle>(handle: *const H, act: impl FnOnce(&H::Value) -> Result<(), Failure>) -> Status {
    // SAFETY: the contract of the header.
    let Some(slot) = (unsafe { handle.cast::<Slot<H::Value>>().as_ref() }) else { return Status::NullPointer };
    noted(slot, guarded(|| act(&slot.value)))
}

/// The same for a handle that one thread at a time uses.
pub(crate) unsafe fn on_mut<H: Handle>(
    handle: *mut H,
    act: impl FnOnce(&mut H::Value) -> Result<(), Failure>,
) -> Status {
    // SAFETY: the contract of the header.
    let Some(slot) = (unsafe { handle.cast::<Slot<H::Value>>().as_mut() }) else { return Status::NullPointer };
    let done = guarded(|| act(&mut slot.value));
    noted(slot, done)
}

// What no caller from C can bring about; all other tests are in C.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, objseal_key_free, objseal_key_generate};
    use crate::memory::objseal_last_error;
    use objseal::envelope::KeyServiceError;
    use std::ptr;

    #[test]
    fn what_key_services_say() {
        use KeyServiceErrorKind as Kind;
        let others =
            [Kind::Refused, Kind::Denied, Kind::Disabled, Kind::PendingDeletion, Kind::WrongUsage, Kind::Malformed];
        let transient = [Kind::Throttled, Kind::TimedOut, Kind::Unreachable];
        let all = [(Kind::UnknownKey, Status::KeyNotFound)].into_iter();
        let all = all.chain(transient.map(|kind| (kind, Status::KeyServiceTransient)));
        for (kind, status) in all.chain(others.map(|kind| (kind, Status::KeyService))) {
            let failure = Failure::from(EnvelopeError::KeyService(KeyServiceError::new(kind, "the reason")));
            assert_eq!(failure.status, status, "{kind:?}");
            assert_eq!(failure.text, Some(format!("{kind}: the reason")));
        }
    }

    #[test]
    fn a_panic_stops_at_the_wall() {
        assert_eq!(run(|| panic!("a fault of the library")), Status::Internal);
        assert_eq!(guarded_or(7, || panic!("a fault of the library")), 7);
        let mut key: *mut Key = ptr::null_mut();
        let mut text = [0_u8; 100];
        // SAFETY: the contract of the header.
        unsafe {
            assert_eq!(objseal_key_generate(&raw mut key), Status::Ok);
            assert_eq!(on(key.cast_const(), |_| panic!("a fault of the library")), Status::Internal);
            assert_eq!(on_mut(key, |_| Err(Status::Finished.into())), Status::Finished);
            assert_eq!(on_mut(key, |_| panic!("a fault of the library")), Status::Internal);
            let len = objseal_last_error(key.cast_const().cast(), text.as_mut_ptr().cast(), text.len());
            assert_eq!(&text[..len], b"a fault of this library");
            objseal_key_free(key);
        }
    }
}
