//! A log in memory.

use super::chain::{MAC_LEN, Position, mac_of};
use super::error::AuditError;
use super::event::{self, Event, Place};
use objseal::Key;

/// The lines of a log, and where it stands.
pub(super) struct Memory {
    position: Position,
    /// With their ends.
    lines: Vec<Vec<u8>>,
}

impl Memory {
    pub(super) fn new(store_id: [u8; 16], first_key: &Key, time: u64) -> Self {
        let (position, header) = Position::start(store_id, first_key, time);
        Self { position, lines: vec![header] }
    }

    pub(super) fn append(&mut self, event: &Event<'_>, time: u64) -> Result<&Position, AuditError> {
        let sequence = self.position.sequence.checked_add(1).ok_or(AuditError::Full)?;
        let place = Place { store_id: &self.position.store_id, sequence, time, cut_off: None };
        let mut line = Vec::new();
        event::encode(&mut line, event, &place).map_err(AuditError::io("encoding a line"))?;
        let mac = self.position.seal(&mut line);
        self.position.advance(line.len(), mac, time);
        self.lines.push(line);
        Ok(&self.position)
    }

    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// Whether the line of this sequence number, from 1, has this MAC.
    pub(super) fn has_line(&self, sequence: u64, mac: &[u8; MAC_LEN]) -> bool {
        // The header is the first one.
        let line = usize::try_from(sequence).ok().and_then(|sequence| self.lines.get(sequence));
        line.and_then(|line| mac_of(line.trim_ascii_end())).as_ref() == Some(mac)
    }

    /// The lines without their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|line| String::from_utf8_lossy(line).trim_end().to_owned()).collect()
    }
}
