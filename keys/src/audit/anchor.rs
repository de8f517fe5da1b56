//! Places outside of the folder that are told how far the log goes.

use super::head::Head;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A place that the owner of the disk cannot change: another machine, a log service, a printer.
pub trait Anchor: fmt::Debug + Send + Sync {
    /// Keeps a head. It is called after lines were synced, by one thread of a process at a time. Processes that share a log call
    /// it each, so that heads can come twice or late. It must end in bounded time, and not use
    /// the log, or the key service whose log it is.
    ///
    /// # Errors
    /// What went wrong: nothing more is logged until a later call succeeds.
    fn publish(&self, head: &Head) -> io::Result<()>;
}

/// An anchor that runs a command, with the head as one line of JSON ([`Head::to_json`]) on its standard input. What it writes to
/// its standard output is dropped. It has 30 seconds.
#[derive(Clone, Debug)]
pub struct CommandAnchor {
    program: OsString,
    args: Vec<OsString>,
    limit: Duration,
}

impl CommandAnchor {
    /// Runs `program` with these arguments, without a shell.
    #[must_use]
    pub fn new<A: Into<OsString>>(program: impl Into<OsString>, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { program: program.into(), args, limit: Duration::from_secs(30) }
    }

    /// The same with another time limit.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }
}

impl Anchor for CommandAnchor {
    fn publish(&self, head: &Head) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        let mut child = command.args(&self.args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        // A pipe has room for the line, so this waits for nobody.
        let written =
            child.stdin.take().map_or(Ok(()), |mut input| input.write_all((head.to_json() + "\n").as_bytes()));
        let begin = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = child.try_wait()? {
                return succeeded(status).and(written);
            }
            if begin.elapsed() >= self.limit {
                // It may have ended by now.
                let _ = child.kill();
                let _ = child.wait();
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

fn succeeded(status: ExitStatus) -> io::Result<()> {
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the command failed: {status}"))) }
}
