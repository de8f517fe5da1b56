//! Text of others, as it is shown in logs and errors.

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
