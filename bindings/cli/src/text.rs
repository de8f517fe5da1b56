//! Text for people.

use crate::failure::Failure;
use std::fmt::{Arguments, Display, Formatter, Result as FmtResult};
use std::io::{self, Write};
use std::path::Path;

/// Text that may come from anybody: control characters, which a terminal would obey, are escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A path, in the same way.
pub(crate) fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// A line to standard error that the user should see. If that fails, the exit code is all there is.
pub(crate) fn say(what: impl Display) {
    // In one write: other commands of a pipeline may say something too.
    let _ = io::stderr().write_all(format!("objseal: {what}\n").as_bytes());
}

/// A line to standard output.
pub(crate) fn print(line: Arguments<'_>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| Failure::of_stdout(&error))
}

/// A number of bytes.
pub(crate) struct Size(pub(crate) u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.2} {}", units[unit])
    }
}
