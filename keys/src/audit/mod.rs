//! The audit log of a key management service: events as lines of JSON, chained so that nobody changes them unseen who owns the
//! disk.
//!
//! A log is a folder. [`AuditLog`] writes it, [`read`] shows it, and [`verify`] says whether it is as it was written.
//!
//! | in the folder | what |
//! |---|---|
//! | `audit-0000000001.jsonl`, ... | segments: a header, then a line for each event |
//! | `head` | how far the log goes and the keys for what follows, sealed |
//! | `lock` | locked by whoever writes |
//!
//! # Lines
//! The header of a segment has the fields `segment` (its number, from 1), `storeId` (a UUID), `firstSequence`, `previousMac`
//! and `mac`. An event has `sequence` (from 1, one more for each event), `storeId`, `time` (RFC 3339, UTC, milliseconds),
//! `principal`, `viaService`, `operation`, `key`, `keyVersion`, `context`, `object`, `source`, `generation`, `outcome`, `detail`
//! and `mac`, in this order; what an [`Event`] does not have is left out. A line is one JSON object without white space between
//! its tokens, ends with `\n` and is at most 64 KiB long.
//!
//! # Keys and MACs
//! HMAC is HMAC-SHA-512 of which the first 32 bytes are used.
//!
//! ```text
//! segment key 1     = the first key of the log
//! segment key n + 1 = HMAC(segment key n, "objseal/v1/audit/segment")
//! line key of line 1 of a segment = HMAC(segment key, "objseal/v1/audit/first")
//! line key of line l + 1          = HMAC(line key of line l, "objseal/v1/audit/line")
//! mac = HMAC(line key, previous mac || the bytes of the line before `,"mac":`)
//! ```
//!
//! The header is line 1. The previous mac is the one of the event before, across segments, and 32 zeros before the first event;
//! `previousMac` of a header is the same. MACs stand in the lines as 64 lower-case hexadecimal digits.
//!
//! # Who can do what
//! A key is wiped as soon as its line is written. Whoever verifies holds the first key, and the log does not: it has the keys for
//! what follows, in memory and in `head`, which is written at each [flush](Flush). Whoever owns the disk but not the seal key can
//! remove the end of the log, which [`AuditLog::open`] refuses up to the last flush and [`verify`] sees against an anchor; what
//! else they do, [`verify`] sees. Whoever has the seal key as well, or the memory of a process, can write lines anew from the last
//! flush on, or from the last line on that the process has read: an [`Anchor`] has seen those before. Lines from before cannot be
//! changed unseen with any of these keys.
//!
//! Lines are written before they are synced, and synced before `head` goes on, so `head` is never ahead of them. A process that is
//! killed loses no line that was written.
//!
//! | file | what |
//! |---|---|
//! | `log` | the log, and when it is synced |
//! | `writer` | one line after the other, behind those of other processes |
//! | `memory` | the same in memory |
//! | `event` | an event, and its line |
//! | `chain` | keys and MACs |
//! | `state` | the file `head` |
//! | `head` | how far a log goes, for those who keep that elsewhere |
//! | `anchor` | those who do |
//! | `flusher` | the thread that syncs |
//! | `verify` | whether a log is as it was written |
//! | `read` | lines for people |
//! | `segments` | files of segments, and their lines |
//! | `files` | private files, and locks |
//! | `error` | why not, and what is wrong |
//! | `time`, `text` | times, UUIDs and MACs as text |

mod anchor;
mod chain;
mod error;
mod event;
mod files;
mod flusher;
mod head;
mod log;
mod memory;
mod read;
mod segments;
mod state;
mod text;
mod time;
mod verify;
mod writer;

pub use anchor::{Anchor, CommandAnchor};
pub use error::{AuditError, Fault, VerifyError};
pub use event::Event;
pub use head::{Head, ParseHeadError};
pub use log::{AuditLog, Flush, Options};
pub use read::{Filter, read};
pub use verify::{Report, verify};
