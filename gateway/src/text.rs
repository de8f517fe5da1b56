//! Text of others, as it is shown in logs and errors, and what is told on standard error.

use std::fmt;
use std::io::{self, Write};

/// Most characters that are shown.
const MAX_SHOWN: usize = 256;

/// A text that somebody else chose, so that it can be shown on a terminal and in a log.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Tells a line on standard error. Nobody may be there to read it, which stops nothing.
pub fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
