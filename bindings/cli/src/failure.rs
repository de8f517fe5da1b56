//! How the command ends when something went wrong: one line, and an exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why the command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read the output closed it: that is their choice and needs no words.
    ClosedPipe,
    /// The message is not authentic.
    Authentication(String),
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
            Some(objseal::Error::Authentication) => Self::Authentication(format!(
                "{message} does not open: wrong key, wrong context, or the file was changed; {written}"
            )),
            _ if error.kind() == io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::other(error),
        }
    }

    /// An error of writing to standard output.
    pub(crate) fn of_stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::other(format!("standard output: cannot write: {error}")),
        }
    }

    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::from(141),
            Self::Authentication(what) => {
                say(what);
                ExitCode::from(3)
            }
            Self::Other(what) => {
                say(what);
                ExitCode::FAILURE
            }
        }
    }
}

fn say(what: &str) {
    // If that fails too, the exit code is all there is.
    let _ = writeln!(io::stderr(), "objseal: {what}");
}

impl From<objseal::Error> for Failure {
    fn from(error: objseal::Error) -> Self {
        Self::other(error)
    }
}
