//! The keyring as text, a line for each version of each key: FORMAT.md, section 13.

use super::{Keyring, KeyringError, MAX_VERSIONS, check_name};
use crate::hex::{self, Case};
use objseal::Key;

use zeroize::{Zeroize, Zeroizing};

/// The first line.
pub(super) const FIRST_LINE: &str = "objseal-keyring 1";
/// What the first line of any version begins with.
pub(super) const FIRST_WORD: &str = "objseal-keyring ";

/// Checks the first line of `text`; returns the others.
pub(super) fn after_first_line(text: &str) -> Result<&str, KeyringError> {
    let (first, rest) = text.split_once('\n').ok_or(KeyringError::Malformed { line: 1 })?;
    if first == FIRST_LINE {
        Ok(rest)
    } else if first.starts_with(FIRST_WORD) {
        Err(KeyringError::UnknownVersion)
    } else {
        Err(KeyringError::Malformed { line: 1 })
    }
}

/// The `key` lines.
pub(super) fn encode(keyring: &Keyring) -> Zeroizing<String> {
    // With its final capacity: a string that grows leaves copies of its keys behind.
    let lines: usize = keyring.keys.iter().map(|(name, versions)| versions.len() * (name.len() + 90)).sum();
    let mut text = Zeroizing::new(String::with_capacity(lines));
    for (name, versions) in &keyring.keys {
        for (index, key) in versions.iter().enumerate() {
            text.push_str(&format!("key {name} {} ", index + 1));
            hex::push(&mut text, key.secret().expose_secret());
            text.push('\n');
        }
    }
    text
}

/// Reads `key` lines, of which the first is line `first_line` of the file.
pub(super) fn decode(lines: &str, first_line: usize) -> Result<Keyring, KeyringError> {
    let mut keyring = Keyring::new();
    if !lines.is_empty() && !lines.ends_with('\n') {
        // Cut short.
        return Err(KeyringError::Malformed { line: first_line + lines.split_terminator('\n').count() - 1 });
    }
    let mut previous = "";
    for (number, line) in (first_line..).zip(lines.split_terminator('\n')) {
        let malformed = KeyringError::Malformed { line: number };
        let Some((name, version, key)) = decode_line(line) else {
            return Err(malformed);
        };
        if name < previous || check_name(name).is_err() {
            return Err(malformed);
        }
        previous = name;
        let latest = keyring.keys.get(name).map_or(0, Vec::len);
        if version != latest + 1 || version > MAX_VERSIONS {
            return Err(malformed);
        }
        keyring.add_version(name, key)?;
    }
    Ok(keyring)
}

fn decode_line(line: &str) -> Option<(&str, usize, Key)> {
    let (name, rest) = line.strip_prefix("key ")?.split_once(' ')?;
    let (version, digits) = rest.split_once(' ')?;
    let mut bytes = [0; Key::LEN];
    hex::decode(digits.as_bytes(), Case::Lower, &mut bytes)?;
    let key = Key::from_bytes(&bytes);
    bytes.zeroize();
    Some((name, usize::try_from(number(version)?).ok()?, key))
}

/// A number that is written in the one way that there is.
pub(super) fn number(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}
