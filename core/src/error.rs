//! What can go wrong.

use crate::arch::Backend;
use crate::engine::Engine;
use core::fmt;

/// Why sealing or opening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The message is not one that was sealed under this key and context. It is the one answer to a wrong key, a wrong
    /// context and every change to the message: altered, reordered, shortened or extended.
    Authentication,
    /// The source of randomness failed, or there is none.
    Random,
    /// The plaintext is longer than [`MAX_PLAINTEXT_LEN`](crate::limits::MAX_PLAINTEXT_LEN), or than this machine can
    /// address.
    TooLong,
    /// The output buffer is too small; nothing was written or consumed.
    OutputTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The plaintext does not have the length that was reserved for it.
    WrongRunLength {
        /// Bytes reserved.
        reserved: usize,
        /// Bytes given.
        given: usize,
    },
    /// It was finished: the last run of the message was reserved, or its end was opened.
    Finished,
    /// Another run of the message failed: the message is lost.
    FailedBefore,
    /// The range is not within the plaintext.
    OutOfRange {
        /// Length of the plaintext, in bytes.
        plaintext_len: u64,
    },
    /// The pool that was to do the work did not finish it.
    WorkersFailed,
    /// This CPU or operating system cannot run the engine, or it was not compiled in.
    EngineUnavailable(Engine),
    /// These two engines have code in common, and two implementations are needed.
    EnginesAlike(Engine, Engine),
    /// What was sealed did not open to the same on the engine that was to check it. It was not given out.
    CheckFailed(Engine),
}

/// Why something is not authentic. Callers never learn it: they get [`Error::Authentication`]. Tests do, so that what is
/// refused is refused for its own reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[cfg_attr(not(objseal_hazmat), allow(unreachable_pub, reason = "tests see it"))]
#[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "without a heap there are no envelopes"))]
pub enum Refusal {
    /// The tag of a chunk.
    Tag = 1,
    /// The key commitment of a message.
    Commitment,
    /// A salt that is not the one in the head or the part table.
    Salt,
    /// A length that no message has, or another one than was said elsewhere.
    Length,
    /// A wrapped key.
    Wrap,
    /// The MAC of a head.
    Mac,
    /// What a part table says.
    Table,
    /// A receipt.
    Receipt,
    /// An upload state.
    Upload,
}

impl Error {
    /// [`Error::Authentication`], for a reason that stays here.
    pub(crate) fn refused(reason: Refusal) -> Self {
        #[cfg(objseal_hazmat)]
        crate::hazmat::refusals::note(reason);
        #[cfg(not(objseal_hazmat))]
        let _ = reason;
        Self::Authentication
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authentication => f.write_str("wrong key, wrong context, or the message was changed"),
            Self::Random => RandomError.fmt(f),
            Self::TooLong => f.write_str("the plaintext is longer than a message can be"),
            Self::OutputTooSmall { needed, given } => {
                write!(f, "the output buffer has {given} bytes, and {needed} are needed")
            }
            Self::WrongRunLength { reserved, given } => {
                write!(f, "{given} bytes of plaintext were given, and {reserved} were reserved")
            }
            Self::Finished => f.write_str("it was finished already"),
            Self::FailedBefore => f.write_str("another run of this message failed, so the message is lost"),
            Self::OutOfRange { plaintext_len } => {
                write!(f, "the range is not within the {plaintext_len} bytes of plaintext")
            }
            Self::WorkersFailed => f.write_str("the pool that was to do the work did not finish it"),
            Self::EngineUnavailable(Engine::Native(backend)) => {
                write!(f, "this CPU or operating system does not support the backend {backend}")
            }
            Self::EngineUnavailable(engine) => write!(f, "the engine {engine} was not compiled in"),
            Self::EnginesAlike(one, other) if one == other => {
                write!(f, "the engine {one} was given twice, and two implementations are needed")
            }
            Self::EnginesAlike(one, other) => {
                write!(f, "the engines {one} and {other} share code, and two implementations are needed")
            }
            Self::CheckFailed(engine) => {
                write!(f, "what was sealed does not open to the same on {engine}; this machine is not to be trusted")
            }
        }
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error {
            Error::Authentication => ErrorKind::InvalidData,
            Error::TooLong => ErrorKind::FileTooLarge,
            Error::EngineUnavailable(_) => ErrorKind::Unsupported,
            Error::Random | Error::WorkersFailed | Error::CheckFailed(_) => ErrorKind::Other,
            Error::OutputTooSmall { .. }
            | Error::WrongRunLength { .. }
            | Error::Finished
            | Error::FailedBefore
            | Error::EnginesAlike(..)
            | Error::OutOfRange { .. } => ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// A key must be exactly 32 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyLengthError;

impl fmt::Display for KeyLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key must be exactly 32 bytes long")
    }
}

impl core::error::Error for KeyLengthError {}

/// The source of randomness failed, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RandomError;

impl RandomError {
    /// The error for a [`RandomSource`](crate::RandomSource) to return.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no random bytes to be had")
    }
}

impl core::error::Error for RandomError {}

impl From<RandomError> for Error {
    fn from(_: RandomError) -> Self {
        Self::Random
    }
}

/// No [`Backend`] has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownBackend;

impl fmt::Display for UnknownBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such backend; known are:")?;
        Backend::ALL.iter().try_for_each(|backend| write!(f, " {backend}"))
    }
}

impl core::error::Error for UnknownBackend {}

/// No [`Engine`] has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownEngine;

impl fmt::Display for UnknownEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such engine; known are:")?;
        Engine::all().try_for_each(|engine| write!(f, " {engine}"))
    }
}

impl core::error::Error for UnknownEngine {}
