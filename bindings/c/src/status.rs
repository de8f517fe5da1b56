//! What functions return, and the wall that panics stop at.

use crate::memory::{Handle, Slot};
use objseal::Error;
use objseal::envelope::{EnvelopeError, FormatError, KeyServiceErrorKind, NamedKey};
use objseal::file::FileError;
use objseal_bindings::OtherProcess;
use objseal_files::errno_of;
use objseal_keys::keyring::KeyringError;
use std::ffi::{CStr, c_char};
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What a function returns. Numbers never change their meaning; there may be new ones.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// A pointer that must not be NULL is.
    NullPointer = 1,
    /// An argument makes no sense, an empty passphrase too, or another process made the sealer.
    Argument = 2,
    /// Wrong key, wrong context, or what was sealed was changed. One answer to all of them: an attacker learns nothing.
    /// Where the head says that the key is another one of the same name, the words say so too. Nothing proves that, so
    /// it is for people, and no program can tell.
    Authentication = 3,
    /// The output is too small. Nothing was written or consumed, and a length that is enough was stored.
    OutputTooSmall = 4,
    /// Longer than it can be, or than this machine can address.
    TooLong = 5,
    /// The range is not within the plaintext.
    OutOfRange = 6,
    /// It was finished.
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
    /// No key at hand opens the object, the keyring has no key of this name, or the upload was not unlocked. Of an object
    /// the words say which key it was sealed under, in which version, and whether `objseal_keyring_reload` may find it.
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
            Self::Finished => c"it was finished",
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
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    status: Status,
    text: Option<String>,
    /// The error number, where the operating system is why.
    errno: i32,
    /// Root keys of which one would have opened the object.
    pub(crate) wanted: Vec<NamedKey>,
}

impl Failure {
    pub(crate) fn new(status: Status, text: impl ToString) -> Self {
        Self { text: Some(text.to_string()), ..status.into() }
    }

    fn words(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.status.text().to_string_lossy().into_owned())
    }

    /// Which file it is about.
    pub(crate) fn at(self, path: &Path) -> Self {
        Self { text: Some(format!("{}: {}", path.display(), self.words())), ..self }
    }

    fn of_system(error: &io::Error) -> Self {
        let errno = errno_of(error);
        // An error that is nothing but a kind has words of Rust's, and the system has better ones.
        let text = errno.filter(|_| error.get_ref().is_none()).map(io::Error::from_raw_os_error);
        let text = text.map_or_else(|| error.to_string(), |error| error.to_string());
        Self { errno: errno.unwrap_or(0), ..Self::new(Status::Io, text) }
    }

    /// What to do about it.
    pub(crate) fn with_advice(self, advice: &str) -> Self {
        Self { text: Some(format!("{}; {advice}", self.words())), ..self }
    }
}

/// What goes on step by step until it has ended; then every call is told how.
pub(crate) struct Steps<W>(Result<W, Failure>);

impl<W> Steps<W> {
    pub(crate) fn new(work: W) -> Self {
        Self(Ok(work))
    }

    pub(crate) fn work(&self) -> Result<&W, Failure> {
        self.0.as_ref().map_err(Failure::clone)
    }

    /// How it has ended, though it was finished.
    pub(crate) fn fail(&mut self, failure: Failure) -> Failure {
        self.0 = Err(failure.clone());
        failure
    }

    /// That it has not failed.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.work().map(drop).or_else(|failure| if failure.status == Status::Finished { Ok(()) } else { Err(failure) })
    }

    /// `act` takes it, and gives it back or says how it has ended. If `act` fails, that is how.
    pub(crate) fn step<T>(
        &mut self,
        act: impl FnOnce(W) -> Result<(Result<W, Status>, T), Failure>,
    ) -> Result<T, Failure> {
        self.work()?;
        // This stays if `act` panics.
        let work = mem::replace(&mut self.0, Err(Status::Internal.into()))?;
        let (next, done) = act(work).inspect_err(|failure| self.0 = Err(failure.clone()))?;
        self.0 = next.map_err(Failure::from);
        Ok(done)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { status, text: None, errno: 0, wanted: Vec::new() }
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
            Error::Finished | Error::FailedBefore => Status::Finished,
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
            EnvelopeError::Authentication | EnvelopeError::OtherKey(_) => Status::Authentication,
            EnvelopeError::Format(_) => Status::Format,
            EnvelopeError::NoAcceptedKey { .. } => Status::KeyNotFound,
            EnvelopeError::KeyService(error) if error.kind() == KeyServiceErrorKind::UnknownKey => Status::KeyNotFound,
            EnvelopeError::KeyService(error) if error.is_transient() => Status::KeyServiceTransient,
            EnvelopeError::Policy(_) => Status::Policy,
            EnvelopeError::KeyService(_) => Status::KeyService,
            EnvelopeError::Parts(_) => Status::Parts,
            _ => Status::Argument,
        };
        let wanted = if let EnvelopeError::NoAcceptedKey { wanted } = &error { wanted.clone() } else { Vec::new() };
        Self { wanted, ..Self::new(status, error) }
    }
}

impl From<OtherProcess> for Failure {
    fn from(error: OtherProcess) -> Self {
        Self::new(Status::Argument, error)
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
        if let Some(&error) = error.get_ref().and_then(|inner| inner.downcast_ref::<OtherProcess>()) {
            return error.into();
        }
        match error.downcast::<EnvelopeError>() {
            Ok(error) => error.into(),
            Err(error) => match error.downcast::<FileError>() {
                Ok(error) => error.into(),
                Err(error) => Self::of_system(&error),
            },
        }
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Io(error) => error.into(),
            KeyringError::Seal(error) => error.into(),
            // Tells it from one that is wrong.
            KeyringError::BadPassphrase => Self::new(Status::Argument, error),
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
        slot.last_error.set(failure.words(), failure.errno);
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
    fn what_keyrings_say() {
        for error in [KeyringError::NotProtected, KeyringError::Owner { uid: 4711 }] {
            let text = error.to_string();
            assert_eq!(Failure::from(error), Failure::new(Status::Keyring, text));
        }
        assert!(KeyringError::Owner { uid: 4711 }.to_string().contains("4711"));
    }

    #[test]
    fn the_first_failure_stays() {
        let engine = || Failure::new(Status::Engine, "the first");
        let mut steps = Steps::new(1);
        assert_eq!(steps.step(|work| Ok((Ok(work + 1), "done"))), Ok("done"));
        assert_eq!(steps.work(), Ok(&2));
        assert_eq!(steps.step(|_| Err::<(_, ()), _>(engine())), Err(engine()));
        assert_eq!(steps.step(|work| Ok((Ok(work), ()))), Err(engine()));
        assert_eq!((steps.work(), steps.check()), (Err(engine()), Err(engine())));

        let mut steps = Steps::new(1);
        assert_eq!(steps.step(|_| Ok((Err(Status::Finished), ()))), Ok(()));
        assert_eq!((steps.work(), steps.check()), (Err(Status::Finished.into()), Ok(())));
        assert_eq!(steps.fail(engine()), engine());
        assert_eq!(steps.check(), Err(engine()));

        let mut steps = Steps::new(1);
        assert!(guarded(|| steps.step(|_| panic!("a fault of the library"))).is_err());
        assert_eq!(steps.work(), Err(Status::Internal.into()));
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
