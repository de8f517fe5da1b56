//! Whether a log is as it was written.

use super::chain::{MAX_SEGMENT, Position, segment_key};
use super::error::{Fault, VerifyError};
use super::head::Head;
use super::segments::{self, Lines, Piece};
use super::state::head_of;
use objseal::Key;
use std::cmp::Reverse;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sequence number of the first event that is there: higher than 1 if older segments were removed.
    pub first_sequence: u64,
    /// How far the log goes. Its generation is the highest that an event names; nobody knows here which were committed.
    pub last: Head,
    /// Events.
    pub lines: u64,
    /// Segments.
    pub segments: u64,
    /// Anchors that were compared. Those of events before the first one that is there cannot be.
    pub anchors: usize,
    /// Whether an unfinished line stands at the end: of a crash, or of an event that is being written.
    pub unfinished_line: bool,
}

/// Reads a whole log and compares it with its MACs and with heads that were kept elsewhere. It changes nothing, and takes
/// no lock.
///
/// It finds whether lines or segments were changed, removed, moved, repeated or put in. Segments may be removed from the front;
/// the report says which event is the first one then. That lines are missing at the end, or were written anew by somebody who
/// had the keys of the log, shows only against `anchors`.
///
/// # Errors
/// [`VerifyError`]: the first fault there is.
pub fn verify(folder: &Path, first_key: &Key, anchors: &[Head]) -> Result<Report, VerifyError> {
    let numbers = segments::numbers(folder).map_err(|source| VerifyError::Io { path: folder.into(), source })?;
    let (&first, &last) = numbers.first().zip(numbers.last()).ok_or(VerifyError::Empty)?;
    if first == 0 || last > MAX_SEGMENT {
        let number = if first == 0 { first } else { last };
        return Err(damaged(folder, number, 1, 0, Fault::SegmentNumber));
    }
    let mut verifier = Verifier::begin(folder, first, first_key, anchors)?;
    for (expected, &number) in (first..).zip(&numbers) {
        if number != expected {
            return Err(damaged(folder, expected, 1, verifier.next_sequence(), Fault::MissingSegment));
        }
        verifier.segment(number, number == last)?;
    }
    verifier.end()
}

struct Verifier<'a> {
    folder: &'a Path,
    /// Those that are not passed yet, the next one at the end.
    anchors: Vec<&'a Head>,
    position: Position,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// Stands before the first event of the segment `first`.
    fn begin(folder: &'a Path, first: u64, first_key: &Key, anchors: &'a [Head]) -> Result<Self, VerifyError> {
        let (mut lines, path) = open(folder, first)?;
        let header = header(&mut lines, &path)?;
        let position = header.and_then(|header| Position::of_segment(first, &segment_key(first_key, first), header));
        let position = position.map_err(|why| damaged(folder, first, 1, 0, why))?;
        if let Some(other) = anchors.iter().find(|anchor| anchor.store_id != position.store_id) {
            return Err(VerifyError::OtherAnchor(other.clone()));
        }
        let mut anchors: Vec<&Head> = anchors.iter().filter(|anchor| anchor.sequence >= position.sequence).collect();
        anchors.sort_by_key(|anchor| Reverse(anchor.sequence));
        let (first_sequence, last) = (position.first_sequence, head_of(&position, 0));
        let report = Report { first_sequence, last, lines: 0, segments: 0, anchors: 0, unfinished_line: false };
        let mut verifier = Self { folder, anchors, position, report };
        // One of the event before this segment, whose MAC stands in the header.
        verifier.compare_anchors().map_err(|why| damaged(folder, first, 1, first_sequence.saturating_sub(1), why))?;
        Ok(verifier)
    }

    /// Verifies a segment.
    fn segment(&mut self, number: u64, is_last: bool) -> Result<(), VerifyError> {
        let folder = self.folder;
        let (mut lines, path) = open(folder, number)?;
        let header = header(&mut lines, &path)?;
        if number != self.position.segment {
            let next = header.and_then(|header| self.position.enter_next(header));
            self.position = next.map_err(|why| damaged(folder, number, 1, self.next_sequence(), why))?;
        }
        self.report.segments += 1;
        loop {
            let (line, sequence) = (self.position.next_line(), self.next_sequence());
            let passed = match lines.next().map_err(|source| VerifyError::Io { path: path.clone(), source })? {
                Piece::Line(line) => self.pass(line),
                Piece::TooLong => Err(Fault::TooLong),
                Piece::Unfinished(_) if !is_last => Err(Fault::Unfinished),
                piece => {
                    self.report.unfinished_line = matches!(piece, Piece::Unfinished(_));
                    return Ok(());
                }
            };
            passed.map_err(|why| damaged(folder, number, line, sequence, why))?;
        }
    }

    fn pass(&mut self, line: &[u8]) -> Result<(), Fault> {
        let generation = self.position.accept(line)?;
        self.report.lines += 1;
        self.report.last.generation = self.report.last.generation.max(generation.unwrap_or(0));
        self.compare_anchors()
    }

    /// Compares the anchors of the event that was passed last.
    fn compare_anchors(&mut self) -> Result<(), Fault> {
        while let Some(anchor) = self.anchors.pop_if(|anchor| anchor.sequence == self.position.sequence) {
            if anchor.mac != self.position.mac {
                return Err(Fault::Rewritten);
            }
            self.report.anchors += 1;
        }
        Ok(())
    }

    fn next_sequence(&self) -> u64 {
        self.position.sequence.saturating_add(1)
    }

    fn end(self) -> Result<Report, VerifyError> {
        let sequence = self.next_sequence();
        let Self { folder, anchors, position, report } = self;
        if !anchors.is_empty() {
            return Err(damaged(folder, position.segment, position.next_line(), sequence, Fault::Truncated));
        }
        let last = head_of(&position, report.last.generation);
        Ok(Report { last, ..report })
    }
}

fn open(folder: &Path, number: u64) -> Result<(Lines<File>, PathBuf), VerifyError> {
    let path = segments::path(folder, number);
    match File::open(&path) {
        Ok(file) => Ok((Lines::of(file), path)),
        Err(source) => Err(VerifyError::Io { path, source }),
    }
}

/// The first line of a segment. It is there as soon as the file is.
fn header<'l>(lines: &'l mut Lines<File>, path: &Path) -> Result<Result<&'l [u8], Fault>, VerifyError> {
    Ok(match lines.next().map_err(|source| VerifyError::Io { path: path.into(), source })? {
        Piece::Line(line) => Ok(line),
        Piece::TooLong => Err(Fault::TooLong),
        Piece::Unfinished(_) | Piece::End => Err(Fault::Unfinished),
    })
}

fn damaged(folder: &Path, number: u64, line: u64, sequence: u64, why: Fault) -> VerifyError {
    VerifyError::Damaged { segment: segments::path(folder, number), line, sequence, why }
}
