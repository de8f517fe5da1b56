//! Lines of a log for people, as they are.

use super::chain::{MAC_LEN, mac_of};
use super::segments::{self, Lines, Piece};
use super::time;
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::vec;

/// Which events are to be read: those that have all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The key: its ARN, or what stands behind the last `/` of it.
    pub key: Option<String>,
    /// The ARN of the principal.
    pub principal: Option<String>,
    /// Not earlier than this.
    pub since: Option<SystemTime>,
    /// Earlier than this.
    pub until: Option<SystemTime>,
    /// The operation, such as `Decrypt`.
    pub operation: Option<String>,
    /// The outcome: `Success`, or the code of an error.
    pub outcome: Option<String>,
}

/// The events of a log in the order in which they were written, each as its line without the end. Nothing is verified: for
/// that there is [`verify`](super::verify). An unfinished line at the end is left out.
///
/// A line that is no event, or that is too long, gives an error of kind [`InvalidData`](io::ErrorKind::InvalidData); the lines
/// after it follow.
///
/// # Errors
/// What the operating system says of the folder.
pub fn read(folder: &Path, filter: &Filter) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
    let numbers = segments::numbers(folder)?.into_iter();
    let since = filter.since.map(|time| time::format(time::millis(time)));
    let until = filter.until.map(|time| time::format(time::millis(time)));
    Ok(Events { folder: folder.into(), numbers, filter: filter.clone(), since, until, segment: None })
}

/// Whether the line of this sequence number has this MAC. Nothing else is looked at: [`verify`](super::verify) says whether it
/// belongs there.
pub(super) fn has_line(folder: &Path, sequence: u64, mac: &[u8; MAC_LEN]) -> io::Result<bool> {
    for number in segments::numbers(folder)?.into_iter().rev() {
        let mut lines = Lines::of(File::open(segments::path(folder, number))?);
        let first = match lines.next()? {
            Piece::Line(header) => serde_json::from_slice::<Header>(header).ok().map(|header| header.first_sequence),
            _ => None,
        };
        let Some(before) = first.and_then(|first| sequence.checked_sub(first)) else { continue };
        for _ in 0..before {
            if !matches!(lines.next()?, Piece::Line(_)) {
                return Ok(false);
            }
        }
        return Ok(matches!(lines.next()?, Piece::Line(line) if mac_of(line).as_ref() == Some(mac)));
    }
    Ok(false)
}

/// The field of a header that says where its segment begins.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "firstSequence")]
    first_sequence: u64,
}

struct Events {
    folder: PathBuf,
    numbers: vec::IntoIter<u64>,
    filter: Filter,
    /// Bounds as lines have times: these sort as the times do.
    since: Option<String>,
    until: Option<String>,
    segment: Option<Segment>,
}

struct Segment {
    path: PathBuf,
    lines: Lines<File>,
    /// The number of the last line that was read.
    line: u64,
}

impl Iterator for Events {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<io::Result<String>> {
        loop {
            let Some(mut segment) = self.segment.take() else {
                let path = segments::path(&self.folder, self.numbers.next()?);
                match File::open(&path) {
                    Ok(file) => self.segment = Some(Segment { path, lines: Lines::of(file), line: 0 }),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            segment.line += 1;
            let found = match segment.lines.next() {
                // The rest of the segment cannot be read.
                Err(error) => return Some(Err(error)),
                Ok(Piece::End | Piece::Unfinished(_)) => continue,
                Ok(Piece::TooLong) => Some(Err(segment.invalid())),
                Ok(Piece::Line(_)) if segment.line == 1 => None,
                Ok(Piece::Line(line)) => match self.matches(line) {
                    Some(true) => Some(Ok(String::from_utf8_lossy(line).into_owned())),
                    Some(false) => None,
                    None => Some(Err(segment.invalid())),
                },
            };
            self.segment = Some(segment);
            if found.is_some() {
                return found;
            }
        }
    }
}

impl Events {
    /// Whether the event of a line is to be read; `None` if it is none.
    fn matches(&self, line: &[u8]) -> Option<bool> {
        let fields: Fields<'_> = serde_json::from_str(str::from_utf8(line).ok()?).ok()?;
        let Filter { key, principal, operation, outcome, .. } = &self.filter;
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let found = fields.key.as_deref().unwrap_or_default();
        let has_key = is(key, found) || found.rsplit_once('/').is_some_and(|(_, id)| is(key, id));
        let time = &*fields.time;
        Some(
            has_key
                && is(principal, &fields.principal)
                && is(operation, &fields.operation)
                && is(outcome, &fields.outcome)
                && self.since.as_deref().is_none_or(|since| time >= since)
                && self.until.as_deref().is_none_or(|until| time < until),
        )
    }
}

impl Segment {
    fn invalid(&self) -> io::Error {
        let message = format!("{}, line {}: this is no event of an audit log", self.path.display(), self.line);
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

/// Fields that a filter looks at.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    principal: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
}
