//! How the command ends when something went wrong: one line, and an exit code.

use crate::text::{say, shown};
use objseal::envelope::{
    Demand, DemandedContext, EnvelopeError, KeyServiceError, KeyServiceErrorKind, NamedKey, OpenOptions,
};
use objseal::file::FileError;
use objseal_keys::keyring;
use objseal_keys::kms::{KmsError, KmsErrorKind};
use std::error::Error;
use std::fmt::{Display, Formatter, Result as FmtResult};
use std::io;
use std::process::ExitCode;

/// Why the command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read the output closed it: that is their choice and needs no words.
    ClosedPipe,
    /// What was given is not authentic, or not what was asked for.
    Refused(String),
    /// The key is not there.
    NoKey(String),
    /// The command line is wrong, in what it says as a whole.
    Usage(String),
    /// Everything else.
    Other(String),
}

impl Failure {
    pub(crate) fn other(what: impl Display) -> Self {
        Self::Other(what.to_string())
    }

    /// An error of a stream that may have come from opening a message named `message`. `written` says what became of
    /// the output.
    pub(crate) fn of_stream(error: &io::Error, message: &str, written: &str) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(objseal::Error::Authentication) => Self::Refused(format!(
                "{message} does not open: wrong key, wrong context, or the file was changed; {written}"
            )),
            _ if error.kind() == io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::other(error),
        }
    }

    /// An error of opening the sealed file `name` with `options`. `written` says what became of the output.
    pub(crate) fn of_opening(error: FileError, options: &OpenOptions, name: &str, written: &str) -> Self {
        match error {
            FileError::Io(error) => Self::of_stream(&error, name, written),
            FileError::Envelope(EnvelopeError::Authentication) => {
                Self::of_stream(&objseal::Error::Authentication.into(), name, written)
            }
            FileError::Envelope(EnvelopeError::OtherKey(key)) => Self::Refused(format!(
                "{name} was sealed under another key of that name, {}; {written}",
                versions(&[key])
            )),
            FileError::Envelope(EnvelopeError::Policy(Demand::Context))
                if options.policy().context == DemandedContext::Any =>
            {
                Self::Refused(format!(
                    "{name} is bound to pairs that are not stored in it, so it takes --context to open it; `objseal \
                     inspect` shows their keys"
                ))
            }
            FileError::Envelope(EnvelopeError::Policy(Demand::Context)) => Self::Refused(format!(
                "{name} is not bound to the context that was asked for; `objseal inspect` shows to which it claims to be"
            )),
            FileError::Envelope(EnvelopeError::NoAcceptedKey { wanted }) => Self::NoKey(format!(
                "{name} is sealed under a key that {}: {}",
                if wanted.iter().all(|key| key.service == keyring::SERVICE) {
                    "this keyring does not have"
                } else {
                    "is not at hand"
                },
                versions(&wanted)
            )),
            FileError::Envelope(EnvelopeError::Seal(error)) => Self::other(error),
            FileError::Envelope(EnvelopeError::KeyService(error)) => Self::of_key_service(&error, name),
            error => Self::Refused(format!("{name}: {error}")),
        }
    }

    /// What a key management service says about `name`.
    pub(crate) fn of_kms(error: &KmsError, name: &str) -> Self {
        use KmsErrorKind as Kind;
        let code = error.kind().code();
        let what = match shown(error.message()).trim_end_matches('.') {
            "" => format!("{name}: {code}"),
            message => format!("{name}: {message} ({code})"),
        };
        match error.kind() {
            Kind::AccessDenied | Kind::Disabled | Kind::InvalidState | Kind::NotFound | Kind::KeyUnavailable => {
                Self::NoKey(what)
            }
            Kind::InvalidCiphertext | Kind::IncorrectKey | Kind::IncorrectKeyMaterial => Self::Refused(what),
            _ => Self::Other(what),
        }
    }

    /// A key service did not give the key of `name`.
    pub(crate) fn of_key_service(error: &KeyServiceError, name: &str) -> Self {
        use KeyServiceErrorKind as Kind;
        if let Some(error) = error.source().and_then(|source| source.downcast_ref()) {
            return Self::of_kms(error, name);
        }
        let what = format!("{name}: {error}");
        match error.kind() {
            Kind::UnknownKey | Kind::Denied | Kind::Disabled | Kind::PendingDeletion => Self::NoKey(what),
            Kind::Refused => Self::Refused(what),
            _ => Self::Other(what),
        }
    }

    /// An error of opening the key of the store `name`, or of wrapping it.
    pub(crate) fn of_store_key(error: &EnvelopeError, name: &str) -> Self {
        match error {
            EnvelopeError::NoAcceptedKey { wanted } => Self::NoKey(format!(
                "{name} is under a key that is not at hand: {}; --store-key says who holds it",
                named(wanted)
            )),
            EnvelopeError::OtherKey(key) => Self::Refused(format!(
                "{name} is under another key of that name, {}; --store-key says who holds the right one",
                named(std::slice::from_ref(key))
            )),
            EnvelopeError::Authentication => {
                Self::Refused(format!("{name} does not open: wrong key, or its key was changed"))
            }
            EnvelopeError::KeyService(error) => Self::of_key_service(error, name),
            EnvelopeError::Format(_) => Self::Refused(format!("{name}: its key is damaged: {error}")),
            error => Self::Other(format!("{name}: {error}")),
        }
    }

    /// The keyring lacks one of the keys to seal under.
    pub(crate) fn no_key(keys: &[&str]) -> Self {
        Self::NoKey(format!(
            "the keyring has no key {}; `objseal key list` shows what there is, `objseal key create` makes one",
            quoted(keys)
        ))
    }

    /// An error of sealing `name`.
    pub(crate) fn of_sealing(error: FileError, name: &str) -> Self {
        match error {
            FileError::Io(error) => Self::of_stream(&error, name, ""),
            error => Self::other(error),
        }
    }

    /// An error of writing to standard output.
    pub(crate) fn of_stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::other(format!("standard output: cannot write: {error}")),
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::NoKey(_) => 4,
            Self::ClosedPipe => 141,
        }
    }

    /// Says what went wrong.
    pub(crate) fn report(&self) -> ExitCode {
        if !matches!(self, Self::ClosedPipe) {
            say(self);
        }
        ExitCode::from(self.code())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str(match self {
            Self::ClosedPipe => "whoever read the output closed it",
            Self::Refused(what) | Self::NoKey(what) | Self::Usage(what) | Self::Other(what) => what,
        })
    }
}

impl From<objseal::Error> for Failure {
    fn from(error: objseal::Error) -> Self {
        Self::other(error)
    }
}

/// Keys by name, version and service.
fn named(keys: &[NamedKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| shown(&key.to_string())).collect();
    keys.join(", or ")
}

/// Keys by name and version.
fn versions(keys: &[NamedKey]) -> String {
    let keys: Vec<_> =
        keys.iter().map(|key| format!("\"{}\", version {}", shown(&key.key_id), key.key_version)).collect();
    keys.join(", or ")
}

/// Names of keys, each of them once.
fn quoted(keys: &[&str]) -> String {
    let mut names: Vec<_> = keys.iter().map(|key| format!("\"{}\"", shown(key))).collect();
    names.dedup();
    names.join(" or ")
}
