//! Why something is not logged, and what is wrong with a log.

use super::head::Head;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What is wrong with a line or a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Its MAC is not right: it was changed, or it was written under other keys.
    Changed,
    /// Lines are missing before it, or where it should be.
    Missing,
    /// It was written elsewhere in this log: moved, or there twice.
    Misplaced,
    /// It names another store.
    OtherStore,
    /// It has no end, though it is not the last one.
    Unfinished,
    /// It is longer than any line.
    TooLong,
    /// The segment is not there, though later ones are.
    MissingSegment,
    /// The segment has a number that no segment gets.
    SegmentNumber,
    /// The log ends before a line that an anchor has seen.
    Truncated,
    /// An anchor has seen another line in its place.
    Rewritten,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "it was changed, or written under other keys than those of this log",
            Self::Missing => "lines are missing before it",
            Self::Misplaced => "it was moved, or is there twice",
            Self::OtherStore => "it is of another store",
            Self::Unfinished => "it has no end, though it is not the last one",
            Self::TooLong => "it is longer than any line",
            Self::MissingSegment => "the segment is missing",
            Self::SegmentNumber => "no segment has this number",
            Self::Truncated => "the log ends here, and an anchor has seen more of it",
            Self::Rewritten => "an anchor has seen another line in its place",
        })
    }
}

/// Why the log does not take an event, or does not open. What was to be logged must not be done then.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuditError {
    /// The operating system failed. The log is as it was before.
    Io {
        /// The step that failed.
        step: &'static str,
        /// The error.
        source: io::Error,
    },
    /// There is a log in the folder, or a part of one.
    AlreadyExists,
    /// The log does not verify where this process reads it.
    Damaged {
        /// The number of the segment, from 1.
        segment: u64,
        /// The number of the line in its file, from 1.
        line: u64,
        /// The fault.
        why: Fault,
    },
    /// The file `head` does not open: it is missing, was changed, is of another store, or the seal key is another one.
    Head,
    /// A file was not synced or not restored, so nobody knows what of it is on disk. No append succeeds until the log is opened
    /// again.
    Poisoned {
        /// The failure.
        why: String,
    },
    /// The anchor did not take the last head.
    Anchor(io::Error),
    /// There can be no more segments.
    Full,
    /// A head could not be sealed.
    Seal(objseal::Error),
}

impl AuditError {
    /// For `map_err`.
    pub(super) fn io(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { step, source }
    }

    /// The failure without what to do about it.
    pub(super) fn in_short(&self) -> String {
        match self {
            Self::Io { step, source } => format!("{step}: {source}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { step, source } if source.kind() == io::ErrorKind::StorageFull => {
                write!(f, "the audit log could not be used ({step}): {source}; make room on its disk and try again")
            }
            Self::Io { step, source } => {
                write!(f, "the audit log could not be used ({step}): {source}; see to its folder and try again")
            }
            Self::AlreadyExists => f.write_str("there is an audit log in this folder, or a part of one; choose another folder"),
            Self::Damaged { segment, line, why } => write!(
                f,
                "the audit log is damaged in segment {segment}, line {line}: {why}; verify it, keep it aside as evidence, and \
                 bring back a good copy or begin a new log"
            ),
            Self::Head => f.write_str(
                "the head of the audit log does not open: it is missing, was changed, is of another store, or is under another seal key; \
                 bring back a good copy of the log",
            ),
            Self::Poisoned { why } => write!(
                f,
                "the audit log takes nothing more in this process, because it failed before ({why}); see to its disk, then \
                 start the process again"
            ),
            Self::Anchor(error) => {
                write!(f, "the anchor of the audit log did not take its head: {error}; see to the anchor and try again")
            }
            Self::Full => f.write_str("the audit log has all segments that it can have; begin a new log with longer segments"),
            Self::Seal(error) => write!(f, "the head of the audit log could not be sealed: {error}; try again"),
        }
    }
}

impl std::error::Error for AuditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Anchor(source) => Some(source),
            Self::Seal(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a log does not verify.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file cannot be read.
    Io {
        /// The file, or the folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// There are no segments.
    Empty,
    /// The log is not as it was written.
    Damaged {
        /// The file of the segment.
        segment: PathBuf,
        /// The number of the line in its file, from 1.
        line: u64,
        /// The sequence number that belongs there; that of the next event for the first line of a segment.
        sequence: u64,
        /// The fault.
        why: Fault,
    },
    /// An anchor is of another store.
    OtherAnchor(Head),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Empty => f.write_str("there are no segments of an audit log in this folder"),
            Self::Damaged { segment, line, sequence, why } => {
                write!(f, "{}, line {line} (sequence {sequence}): {why}", segment.display())
            }
            Self::OtherAnchor(head) => write!(f, "an anchor is of another store: {}", head.to_json()),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
