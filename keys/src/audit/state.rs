//! The file `head`: the position of the log, sealed, in one of two slots.

use super::chain::Position;
use super::error::AuditError;
use super::files::{self, Locked};
use super::head::Head;
use super::time;
use objseal::Key;
use objseal::cobblestone::Cobblestone;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The name of the file.
pub(super) const NAME: &str = "head";
/// Bytes from one slot to the other: what is torn of one slot leaves the other alone.
const STRIDE: usize = 4096;
/// Bytes of what is sealed.
const PLAIN_LEN: usize = 8 + 16 + 5 * 8 + 8 + 3 * 32;
/// Bytes of a slot: a Cobblestone message has 72 more than what is in it.
const SEALED_LEN: usize = PLAIN_LEN + 72;

/// What is stored.
pub(super) struct State {
    pub(super) position: Position,
    /// The highest generation of the store that was committed.
    pub(super) generation: u64,
}

impl State {
    pub(super) fn head(&self) -> Head {
        head_of(&self.position, self.generation)
    }
}

/// The head of a log that stands there.
pub(super) fn head_of(position: &Position, generation: u64) -> Head {
    let &Position { store_id, sequence, mac, time, .. } = position;
    Head { store_id, sequence, mac, generation, time: time::system_time(time) }
}

/// The file. A new state goes into the slot of the older one; once it is synced, what was in the other is overwritten, so
/// that one state is on disk, and no older key.
pub(super) struct HeadFile {
    path: PathBuf,
    file: Arc<File>,
    process: u32,
    store_id: [u8; 16],
    seal_key: Key,
}

impl HeadFile {
    /// Makes the file for a new log.
    pub(super) fn create(folder: &Path, position: &Position, seal_key: &Key) -> Result<(), AuditError> {
        let state = State { position: position.copy(), generation: 0 };
        let mut slots = vec![0; 2 * STRIDE];
        let sealed = seal(&state, 0, seal_key)?;
        slots.iter_mut().zip(sealed).for_each(|(to, from)| *to = from);
        files::place(&folder.join(NAME), &slots)
    }

    pub(super) fn open(folder: &Path, store_id: [u8; 16], seal_key: Key) -> Result<Self, AuditError> {
        let path = folder.join(NAME);
        let file = files::open(&path, "opening head")?;
        Ok(Self { path, file, process: std::process::id(), store_id, seal_key })
    }

    /// The state on disk.
    pub(super) fn read(&mut self) -> Result<State, AuditError> {
        let _locked = self.lock()?;
        self.newest().map(|(state, _)| state)
    }

    /// Stores a position, unless another process has stored a later one, and the highest generation of both. What it belongs
    /// to must be synced. Returns what is on disk then.
    pub(super) fn store(&mut self, position: &Position, generation: u64) -> Result<State, AuditError> {
        let _locked = self.lock()?;
        let (found, count) = self.newest()?;
        let order = |position: &Position| (position.sequence, position.segment);
        let later = order(position) > order(&found.position);
        if !later && generation <= found.generation {
            return Ok(found);
        }
        let position = if later { position.copy() } else { found.position };
        let state = State { position, generation: generation.max(found.generation) };
        let count = count.wrapping_add(1);
        self.write(count, &seal(&state, count, &self.seal_key)?)?;
        self.file.sync_data().map_err(AuditError::io("syncing head"))?;
        // It reaches the disk with the next sync at the latest.
        self.write(count.wrapping_add(1), &[0; SEALED_LEN])?;
        Ok(state)
    }

    /// Keeps other processes and, in a fork, the other one from changing the file.
    fn lock(&mut self) -> Result<Locked, AuditError> {
        let process = std::process::id();
        if process != self.process {
            self.file = files::open(&self.path, "opening head")?;
            self.process = process;
        }
        Locked::new(&self.file, "locking head")
    }

    /// The newer state of the slots, and its count.
    fn newest(&self) -> Result<(State, u64), AuditError> {
        let mut slots = [0; STRIDE + SEALED_LEN];
        let mut file = &*self.file;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_exact(&mut slots));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(AuditError::Head),
            read => read.map_err(AuditError::io("reading head"))?,
        }
        let open = |from: usize| unseal(slots.get(from..)?.first_chunk()?, self.store_id, &self.seal_key);
        let states = [open(0), open(STRIDE)];
        states.into_iter().flatten().max_by_key(|(_, count)| *count).ok_or(AuditError::Head)
    }

    fn write(&self, count: u64, slot: &[u8]) -> Result<(), AuditError> {
        let at = if count.is_multiple_of(2) { 0 } else { STRIDE as u64 };
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(slot)).map_err(AuditError::io("writing head"))
    }
}

fn context(store_id: &[u8; 16]) -> Vec<u8> {
    [&b"objseal/v1/audit/head"[..], store_id].concat()
}

fn seal(state: &State, count: u64, seal_key: &Key) -> Result<Vec<u8>, AuditError> {
    let State { position, generation } = state;
    // With its final capacity: what grows leaves copies of its keys behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN_LEN));
    plain.extend_from_slice(&count.to_be_bytes());
    plain.extend_from_slice(&position.store_id);
    for number in [position.segment, position.first_sequence, position.sequence, position.time, position.offset] {
        plain.extend_from_slice(&number.to_be_bytes());
    }
    plain.extend_from_slice(&generation.to_be_bytes());
    plain.extend_from_slice(&position.mac);
    plain.extend_from_slice(position.next_segment_key.expose_secret());
    plain.extend_from_slice(position.line_key.expose_secret());
    Cobblestone::new(seal_key, &context(&position.store_id)).seal(&plain).map_err(AuditError::Seal)
}

fn unseal(slot: &[u8; SEALED_LEN], store_id: [u8; 16], seal_key: &Key) -> Option<(State, u64)> {
    let plain = Zeroizing::new(Cobblestone::new(seal_key, &context(&store_id)).open(slot).ok()?);
    let mut rest = &plain[..];
    let count = number(&mut rest)?;
    let stored_id = take(&mut rest)?;
    let segment = number(&mut rest)?;
    let first_sequence = number(&mut rest)?;
    let sequence = number(&mut rest)?;
    let time = number(&mut rest)?;
    let offset = number(&mut rest)?;
    let generation = number(&mut rest)?;
    let mac = *take(&mut rest)?;
    let next_segment_key = Key::from_bytes(take(&mut rest)?);
    let line_key = Key::from_bytes(take(&mut rest)?);
    let position =
        Position { store_id, segment, first_sequence, sequence, mac, time, offset, next_segment_key, line_key };
    (*stored_id == store_id).then_some((State { position, generation }, count))
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(|bytes| u64::from_be_bytes(*bytes))
}

fn take<'a, const LEN: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; LEN]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(first)
}
