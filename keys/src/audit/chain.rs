//! The chain: a key for every line and a MAC in it.

use super::error::Fault;
use super::text;
use super::time;
use crate::hex;
use crate::verdict::verdict;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use objseal::Key;
use serde::Deserialize;
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// No line is longer, in bytes with its end.
pub(super) const MAX_LINE_LEN: usize = 64 << 10;
/// No segment has a higher number: to verify it, as many keys are derived one from the other.
pub(super) const MAX_SEGMENT: u64 = 10_000_000;
/// Length of a MAC, in bytes.
pub(super) const MAC_LEN: usize = 32;
/// What stands before the MAC of a line, and behind it.
const BEFORE_MAC: &[u8] = b",\"mac\":\"";
const AFTER_MAC: &[u8] = b"\"}";
/// Length of the field of the MAC with the end of the object, in bytes.
pub(super) const MAC_FIELD_LEN: usize = BEFORE_MAC.len() + 2 * MAC_LEN + AFTER_MAC.len();

/// Where a log stands: behind its last line, with the keys for what follows. From these no earlier key can be computed.
pub(super) struct Position {
    pub(super) store_id: [u8; 16],
    /// The number of the segment, from 1.
    pub(super) segment: u64,
    /// The sequence number of the first event of the segment.
    pub(super) first_sequence: u64,
    /// That of the last event; 0 before the first.
    pub(super) sequence: u64,
    /// The MAC of the last event; zeros before the first.
    pub(super) mac: [u8; MAC_LEN],
    /// When it was written, in milliseconds since 1970.
    pub(super) time: u64,
    /// Bytes of the segment.
    pub(super) offset: u64,
    pub(super) next_segment_key: Key,
    pub(super) line_key: Key,
}

impl Position {
    /// The beginning of a log, and the header of its first segment. `time` is in milliseconds since 1970.
    pub(super) fn start(store_id: [u8; 16], first_key: &Key, time: u64) -> (Self, Vec<u8>) {
        Self::with_header(Self {
            store_id,
            segment: 1,
            first_sequence: 1,
            sequence: 0,
            mac: [0; MAC_LEN],
            time,
            offset: 0,
            next_segment_key: next_segment_key(first_key),
            line_key: first_line_key(first_key),
        })
    }

    /// The beginning of the next segment, and its header; `None` if there can be no more.
    pub(super) fn next_segment(&self) -> Option<(Self, Vec<u8>)> {
        let segment = self.segment.checked_add(1).filter(|&segment| segment <= MAX_SEGMENT)?;
        Some(Self::with_header(Self {
            segment,
            first_sequence: self.sequence.checked_add(1)?,
            offset: 0,
            next_segment_key: next_segment_key(&self.next_segment_key),
            line_key: first_line_key(&self.next_segment_key),
            ..self.copy()
        }))
    }

    fn with_header(mut self) -> (Self, Vec<u8>) {
        let (store, mac) = (text::uuid(&self.store_id), hex::encode(&self.mac));
        let (segment, first) = (self.segment, self.first_sequence);
        let mut line =
            format!(r#"{{"segment":{segment},"storeId":"{store}","firstSequence":{first},"previousMac":"{mac}""#)
                .into_bytes();
        self.seal(&mut line);
        self.pass(line.len());
        (self, line)
    }

    /// Reads the header of the segment `number`, without its end of line.
    pub(super) fn of_segment(number: u64, segment_key: &Key, line: &[u8]) -> Result<Self, Fault> {
        let header: Header<'_> = serde_json::from_slice(line).map_err(|_| Fault::Changed)?;
        let store_id = text::parse_uuid(header.store_id).ok_or(Fault::Changed)?;
        let mac = text::parse_hex(header.previous_mac).ok_or(Fault::Changed)?;
        let mut position = Self {
            store_id,
            segment: number,
            first_sequence: header.first_sequence,
            sequence: header.first_sequence.checked_sub(1).ok_or(Fault::Changed)?,
            mac,
            time: 0,
            offset: 0,
            next_segment_key: next_segment_key(segment_key),
            line_key: first_line_key(segment_key),
        };
        match position.check(line) {
            Some(_) if header.segment == number => {}
            _ if header.segment != number => return Err(Fault::Misplaced),
            _ => return Err(Fault::Changed),
        }
        position.pass(line.len() + 1);
        Ok(position)
    }

    /// Reads the header of the next segment.
    pub(super) fn enter_next(&self, line: &[u8]) -> Result<Self, Fault> {
        let number = self.segment.checked_add(1).ok_or(Fault::SegmentNumber)?;
        let next = Self::of_segment(number, &self.next_segment_key, line)?;
        if next.store_id != self.store_id {
            return Err(Fault::OtherStore);
        }
        // Both are authentic, so the end of the segment before is missing.
        if next.sequence != self.sequence || next.mac != self.mac {
            return Err(Fault::Missing);
        }
        Ok(Self { time: self.time, ..next })
    }

    /// Ends the line of the next event: with its MAC and the end of line. Returns the MAC.
    pub(super) fn seal(&self, line: &mut Vec<u8>) -> [u8; MAC_LEN] {
        let mac = first_32(&hmac(&self.line_key, &[&self.mac, line]));
        line.extend_from_slice(BEFORE_MAC);
        line.extend_from_slice(hex::encode(&mac).as_bytes());
        line.extend_from_slice(AFTER_MAC);
        line.push(b'\n');
        mac
    }

    /// Goes on behind an event that was written: of `len` bytes, with this MAC and time.
    pub(super) fn advance(&mut self, len: usize, mac: [u8; MAC_LEN], time: u64) {
        self.sequence = self.sequence.saturating_add(1);
        self.mac = mac;
        self.time = time;
        self.pass(len);
    }

    /// Goes on behind the line of an event, without its end, if it is the next one. Returns the generation in it.
    pub(super) fn accept(&mut self, line: &[u8]) -> Result<Option<u64>, Fault> {
        let mac = self.check(line).ok_or_else(|| self.why_not(line))?;
        let fields: Fields<'_> = serde_json::from_slice(line).map_err(|_| Fault::Changed)?;
        // Whoever has the key wrote these, and may have them from elsewhere.
        if text::parse_uuid(fields.store_id) != Some(self.store_id) {
            return Err(Fault::OtherStore);
        }
        if Some(fields.sequence) != self.sequence.checked_add(1) {
            return Err(Fault::Misplaced);
        }
        let time = time::parse(fields.time).ok_or(Fault::Changed)?;
        self.advance(line.len() + 1, mac, time);
        Ok(fields.generation)
    }

    /// The number of the next line in its file, from 1.
    pub(super) fn next_line(&self) -> u64 {
        self.sequence.saturating_sub(self.first_sequence.saturating_sub(1)).saturating_add(2)
    }

    /// A copy, made on purpose.
    pub(super) fn copy(&self) -> Self {
        Self {
            next_segment_key: Key::from_bytes(self.next_segment_key.expose_secret()),
            line_key: Key::from_bytes(self.line_key.expose_secret()),
            ..*self
        }
    }

    fn pass(&mut self, len: usize) {
        self.offset = self.offset.saturating_add(len as u64);
        self.line_key = next_line_key(&self.line_key);
    }

    /// The MAC of a line, if it is right.
    fn check(&self, line: &[u8]) -> Option<[u8; MAC_LEN]> {
        let (body, field) = line.split_at_checked(line.len().checked_sub(MAC_FIELD_LEN)?)?;
        let stored = mac_in(field)?;
        let mac = first_32(&hmac(&self.line_key, &[&self.mac, body]));
        verdict(mac.ct_eq(&stored)).then_some(mac)
    }

    /// A guess for people: nothing in the line is authentic.
    fn why_not(&self, line: &[u8]) -> Fault {
        let Ok(fields) = serde_json::from_slice::<Fields<'_>>(line) else { return Fault::Changed };
        if text::parse_uuid(fields.store_id).is_some_and(|store_id| store_id != self.store_id) {
            return Fault::OtherStore;
        }
        match fields.sequence.checked_sub(self.sequence) {
            None | Some(0) => Fault::Misplaced,
            Some(1) => Fault::Changed,
            Some(_) => Fault::Missing,
        }
    }
}

/// The MAC in the last [`MAC_FIELD_LEN`] bytes of a line.
pub(super) fn mac_in(field: &[u8]) -> Option<[u8; MAC_LEN]> {
    let digits = field.strip_prefix(BEFORE_MAC)?.strip_suffix(AFTER_MAC)?;
    text::parse_hex(str::from_utf8(digits).ok()?)
}

/// The MAC that stands at the end of a line.
pub(super) fn mac_of(line: &[u8]) -> Option<[u8; MAC_LEN]> {
    mac_in(line.get(line.len().checked_sub(MAC_FIELD_LEN)?..)?)
}

/// The key of the segment `number`, which is at most [`MAX_SEGMENT`].
pub(super) fn segment_key(first_key: &Key, number: u64) -> Key {
    (1..number).fold(Key::from_bytes(first_key.expose_secret()), |key, _| next_segment_key(&key))
}

/// The first line of a segment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    segment: u64,
    store_id: &'a str,
    first_sequence: u64,
    previous_mac: &'a str,
}

/// Fields that are compared when a line is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    sequence: u64,
    store_id: &'a str,
    time: &'a str,
    generation: Option<u64>,
}

fn next_line_key(line_key: &Key) -> Key {
    derived(line_key, b"objseal/v1/audit/line")
}

fn first_line_key(segment_key: &Key) -> Key {
    derived(segment_key, b"objseal/v1/audit/first")
}

fn next_segment_key(segment_key: &Key) -> Key {
    derived(segment_key, b"objseal/v1/audit/segment")
}

fn derived(key: &Key, label: &[u8]) -> Key {
    let full = Zeroizing::new(hmac(key, &[label]));
    let bytes = Zeroizing::new(first_32(&full));
    Key::from_bytes(&bytes)
}

fn first_32(full: &[u8; 64]) -> [u8; 32] {
    let mut first = [0; 32];
    first.iter_mut().zip(full).for_each(|(to, from)| *to = *from);
    first
}

/// HMAC-SHA-512 over the pieces, one behind the other.
fn hmac(key: &Key, pieces: &[&[u8]]) -> [u8; 64] {
    // HMAC pads its key with zeros to the block length of the hash (RFC 2104, section 2).
    let mut padded = Array::default();
    padded.iter_mut().zip(key.expose_secret()).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha512>::new(&padded);
    padded.zeroize();
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}
