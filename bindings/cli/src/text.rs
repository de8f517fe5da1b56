//! Text for people.

use crate::failure::Failure;
use crate::standard;
use objseal_files::Target;
use std::fmt::{Arguments, Display, Formatter, Result as FmtResult};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Standard output, once something was printed.
static PRINTED: Mutex<Option<Target>> = Mutex::new(None);

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode Standard Annex #9, section 2).
const DIRECTIONS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];
/// Of lines and paragraphs.
const SEPARATORS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// Text that may come from anybody: characters that a terminal would obey, or that turn around or break up what stands beside them,
/// are escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if c.is_control() || DIRECTIONS.contains(&c) || SEPARATORS.contains(&c) {
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
    let line = format!("objseal: {what}\n");
    let _ = Target::of(2).and_then(|mut stderr| stderr.write_all(line.as_bytes()));
}

/// A line to standard output.
pub(crate) fn print(line: Arguments<'_>) -> Result<(), Failure> {
    print_text(&format!("{line}\n"))
}

/// Text to standard output. It has arrived when [`finish_printing`] says so.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    let stdout = match &mut *printed {
        Some(stdout) => stdout,
        none => none.insert(standard::output()?),
    };
    stdout.write_all(text.as_bytes()).map_err(|error| Failure::of_stdout(&error))
}

/// Makes sure that everything that was printed has arrived.
pub(crate) fn finish_printing() -> Result<(), Failure> {
    let printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner).take();
    printed.map_or(Ok(()), |stdout| stdout.commit().map_err(|error| Failure::of_stdout(&error)))
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

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn text_of_others_moves_nothing() {
        assert_eq!(shown("cat \u{1f408} été 猫.jpg"), "cat \u{1f408} été 猫.jpg");
        assert_eq!(shown("a\u{202e}gpj.exe\u{2066}\n\u{1b}[2J"), r"a\u{202e}gpj.exe\u{2066}\n\u{1b}[2J");
        assert_eq!(shown("a\u{2028}b\u{61c}\u{200f}\u{85}"), r"a\u{2028}b\u{61c}\u{200f}\u{85}");
    }
}
