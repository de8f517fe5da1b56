//! Who writes a log in a folder: one line after the other, behind those of other processes.

use super::chain::{MAC_FIELD_LEN, MAC_LEN, Position, mac_in};
use super::error::{AuditError, Fault};
use super::event::{self, CutOff, Event, Place};
use super::files::{self, Locked};
use super::log::Options;
use super::segments::{self, Lines, Piece};
use super::state::State;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the file that all writers lock.
const LOCK: &str = "lock";

/// The lines of a log in a folder, as far as this process has read and written them.
pub(super) struct Writer {
    folder: PathBuf,
    segment_len: u64,
    /// Whether an end that does not verify is set aside.
    set_aside: bool,
    lock: Arc<File>,
    /// The segment.
    file: Arc<File>,
    /// The next one, which another process may have made.
    next: PathBuf,
    position: Position,
    /// The process that opened the files: a fork has the locks of the other one.
    process: u32,
    /// What was cut off, and no line tells of yet.
    cut_off: Option<CutOff>,
    poisoned: Option<String>,
    line: Vec<u8>,
}

/// A position up to which lines can be synced, and the file to sync.
pub(super) struct Unsynced {
    pub(super) file: Arc<File>,
    pub(super) position: Position,
}

/// The lock of all writers of a folder.
pub(super) fn open_lock(folder: &Path) -> Result<Arc<File>, AuditError> {
    files::open_or_make(&folder.join(LOCK), "opening lock")
}

impl Writer {
    /// Goes on behind the state on disk, which `read` reads, with lines that were written after it.
    pub(super) fn open(
        folder: &Path,
        options: &Options,
        read: impl FnOnce() -> Result<State, AuditError>,
    ) -> Result<(Self, State), AuditError> {
        let lock = open_lock(folder)?;
        let _locked = Locked::new(&lock, "locking")?;
        let state = read()?;
        let position = state.position.copy();
        let file = open_segment(folder, position.segment)?;
        let mut writer = Self {
            folder: folder.into(),
            segment_len: options.segment_len,
            set_aside: options.set_damaged_end_aside,
            lock,
            file,
            next: segments::path(folder, position.segment.saturating_add(1)),
            position,
            process: std::process::id(),
            cut_off: None,
            poisoned: None,
            line: Vec::new(),
        };
        writer.compare_last_line()?;
        writer.catch_up()?;
        // What others write from now on is not what a failure of power left.
        writer.set_aside = false;
        // Whoever made the files may have been killed before that.
        files::sync_folder(folder).map_err(AuditError::io("syncing the folder"))?;
        objseal_files::sync_folder_of(folder);
        writer.write_again(&state.position)?;
        Ok((writer, state))
    }

    /// Writes the line of an event at this time, in milliseconds since 1970.
    pub(super) fn append(&mut self, event: &Event<'_>, time: u64) -> Result<&Position, AuditError> {
        self.check_poison()?;
        self.open_after_fork()?;
        let _locked = Locked::new(&self.lock, "locking")?;
        let lock = self.lock.metadata().map_err(AuditError::io("looking at lock"))?;
        if files::is_removed(&lock) {
            // Other processes lock another file by now.
            return Err(self.poison("its lock was removed".into()));
        }
        self.catch_up()?;
        self.write_event(event, time)?;
        Ok(&self.position)
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it stands.
    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// What is to be synced for all lines so far. Segments before the file were synced when they ended.
    pub(super) fn unsynced(&mut self) -> Result<Unsynced, AuditError> {
        self.check_poison()?;
        self.open_after_fork()?;
        Ok(Unsynced { file: Arc::clone(&self.file), position: self.position.copy() })
    }

    /// Takes no lines any more: nobody knows what is on disk.
    pub(super) fn poison(&mut self, why: String) -> AuditError {
        self.poisoned = Some(why.clone());
        AuditError::Poisoned { why }
    }

    fn check_poison(&self) -> Result<(), AuditError> {
        self.poisoned.clone().map_or(Ok(()), |why| Err(AuditError::Poisoned { why }))
    }

    /// In a fork: opens anew what is locked.
    fn open_after_fork(&mut self) -> Result<(), AuditError> {
        let process = std::process::id();
        if process != self.process {
            self.lock = open_lock(&self.folder)?;
            self.file = open_segment(&self.folder, self.position.segment)?;
            self.process = process;
        }
        Ok(())
    }

    /// Compares the end of what the state on disk says is there.
    fn compare_last_line(&self) -> Result<(), AuditError> {
        let Position { offset, mac, .. } = self.position;
        let mut end = [0; MAC_FIELD_LEN + 1];
        let start = offset.saturating_sub(end.len() as u64);
        let mut file = &*self.file;
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut end));
        match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.damaged(Fault::Missing)),
            read => read.map_err(AuditError::io("reading a segment"))?,
        }
        let found: Option<[u8; MAC_LEN]> = end.strip_suffix(b"\n").and_then(mac_in);
        // A header has a MAC that the state does not hold.
        let is_header = self.position.sequence < self.position.first_sequence;
        if found.is_some_and(|found| is_header || found == mac) { Ok(()) } else { Err(self.damaged(Fault::Changed)) }
    }

    /// Reads what other processes wrote, or this one before it ended.
    fn catch_up(&mut self) -> Result<(), AuditError> {
        loop {
            let found = self.file.metadata().map_err(AuditError::io("looking at a segment"))?;
            let next = fs::metadata(&self.next).is_ok();
            // One that has ended may be removed on purpose.
            if files::is_removed(&found) && !next {
                return Err(self.damaged(Fault::MissingSegment));
            }
            if found.len() < self.position.offset {
                return Err(self.damaged(Fault::Missing));
            }
            if found.len() > self.position.offset {
                self.read_lines(next)?;
            }
            if !next {
                return Ok(());
            }
            self.enter_next()?;
        }
    }

    /// Reads the lines behind the position; `ended` if a later segment is there.
    fn read_lines(&mut self, ended: bool) -> Result<(), AuditError> {
        let file = Arc::clone(&self.file);
        (&*file).seek(SeekFrom::Start(self.position.offset)).map_err(AuditError::io("reading a segment"))?;
        let mut lines = Lines::of(&*file);
        loop {
            match lines.next().map_err(AuditError::io("reading a segment"))? {
                Piece::End => return Ok(()),
                Piece::TooLong if self.set_aside && !ended => return self.set_end_aside(),
                Piece::TooLong => return Err(self.damaged(Fault::TooLong)),
                Piece::Unfinished(_) if ended => return Err(self.damaged(Fault::Unfinished)),
                // Whoever wrote it has ended: they had the lock.
                Piece::Unfinished(len) => {
                    file.set_len(self.position.offset).map_err(AuditError::io("cutting off an unfinished line"))?;
                    self.cut_off = Some(CutOff::Unfinished(len));
                    return Ok(());
                }
                Piece::Line(line) => match self.position.accept(line) {
                    Ok(_) => {}
                    Err(_) if self.set_aside && !ended => return self.set_end_aside(),
                    Err(why) => return Err(self.damaged(why)),
                },
            }
        }
    }

    /// Moves what is behind the position into a file of its own.
    fn set_end_aside(&mut self) -> Result<(), AuditError> {
        let Position { segment, offset, .. } = self.position;
        let mut file = &*self.file;
        let mut end = Vec::new();
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_to_end(&mut end));
        read.map_err(AuditError::io("reading a segment"))?;
        files::place(&self.folder.join(format!("damaged-{segment:010}-{offset}")), &end)?;
        file.set_len(offset).map_err(AuditError::io("cutting off lines that do not verify"))?;
        self.cut_off = Some(CutOff::SetAside(end.len() as u64));
        Ok(())
    }

    fn enter_next(&mut self) -> Result<(), AuditError> {
        let number = self.position.segment.saturating_add(1);
        let file = open_segment(&self.folder, number)?;
        let damaged = |why| AuditError::Damaged { segment: number, line: 1, why };
        let position = match Lines::of(&*file).next().map_err(AuditError::io("reading a segment"))? {
            Piece::Line(line) => self.position.enter_next(line).map_err(damaged)?,
            Piece::TooLong => return Err(damaged(Fault::TooLong)),
            Piece::Unfinished(_) | Piece::End => return Err(damaged(Fault::Unfinished)),
        };
        // Whoever made it may have been killed before that.
        self.sync_folder()?;
        self.enter(file, position);
        Ok(())
    }

    fn sync_folder(&mut self) -> Result<(), AuditError> {
        files::sync_folder(&self.folder).map_err(|error| self.poison(format!("the folder was not synced: {error}")))
    }

    fn enter(&mut self, file: Arc<File>, position: Position) {
        self.next = segments::path(&self.folder, position.segment.saturating_add(1));
        self.file = file;
        self.position = position;
    }

    /// Writes the lines behind `from` again where they are. If a sync of theirs failed before, the system takes them to be on
    /// disk, and would not write them.
    fn write_again(&self, from: &Position) -> Result<(), AuditError> {
        // Segments before this one were synced before it was made.
        let mut at = if from.segment == self.position.segment { from.offset } else { 0 };
        let mut file = &*self.file;
        let mut piece = vec![0; 1 << 16];
        while at < self.position.offset {
            let left = usize::try_from(self.position.offset - at).unwrap_or(usize::MAX);
            let len = left.min(piece.len());
            let (piece, _) = piece.split_at_mut(len);
            file.seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(piece))
                .and_then(|()| file.seek(SeekFrom::Start(at)))
                .and_then(|_| file.write_all(piece))
                .map_err(AuditError::io("writing lines again"))?;
            at = at.saturating_add(len as u64);
        }
        Ok(())
    }

    fn write_event(&mut self, event: &Event<'_>, time: u64) -> Result<(), AuditError> {
        let sequence = self.position.sequence.checked_add(1).ok_or(AuditError::Full)?;
        let place = Place { store_id: &self.position.store_id, sequence, time, cut_off: self.cut_off };
        event::encode(&mut self.line, event, &place).map_err(AuditError::io("encoding a line"))?;
        let len = (self.line.len() + MAC_FIELD_LEN + 1) as u64;
        let has_events = self.position.sequence >= self.position.first_sequence;
        if has_events && self.position.offset.saturating_add(len) > self.segment_len {
            self.begin_segment()?;
        }
        let mac = self.position.seal(&mut self.line);
        let mut file = &*self.file;
        let offset = self.position.offset;
        let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(&self.line));
        if let Err(error) = written {
            if let Err(undo) = file.set_len(offset) {
                return Err(self.poison(format!("a line was not written: {error}; and not cut off: {undo}")));
            }
            return Err(AuditError::io("writing a line")(error));
        }
        self.position.advance(self.line.len(), mac, time);
        self.cut_off = None;
        Ok(())
    }

    /// Ends the segment and makes the next one.
    fn begin_segment(&mut self) -> Result<(), AuditError> {
        let (position, header) = self.position.next_segment().ok_or(AuditError::Full)?;
        if let Err(error) = self.file.sync_data() {
            return Err(self.poison(format!("a segment was not synced: {error}")));
        }
        files::place(&self.next, &header)?;
        self.sync_folder()?;
        let file = open_segment(&self.folder, position.segment)?;
        self.enter(file, position);
        Ok(())
    }

    fn damaged(&self, why: Fault) -> AuditError {
        AuditError::Damaged { segment: self.position.segment, line: self.position.next_line(), why }
    }
}

/// Opens a segment that must be there.
fn open_segment(folder: &Path, number: u64) -> Result<Arc<File>, AuditError> {
    match files::open(&segments::path(folder, number), "opening a segment") {
        Err(AuditError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(AuditError::Damaged { segment: number, line: 1, why: Fault::MissingSegment })
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::{AuditLog, Options};
    use super::super::state::HeadFile;
    use super::*;
    use objseal::Key;

    const STORE: [u8; 16] = [1; 16];

    #[test]
    fn a_fork_opens_what_it_locks_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, seal) = (Key::from_bytes(&[1; 32]), || Key::from_bytes(&[2; 32]));
        drop(AuditLog::create(folder.path(), STORE, &first, seal(), Options::default()).expect("created"));
        let mut head = HeadFile::open(folder.path(), STORE, seal()).expect("opened");
        let (mut writer, _) = Writer::open(folder.path(), &Options::default(), || head.read()).expect("opened");
        let event = Event { principal: "p", ..Event::default() };
        writer.append(&event, 0).expect("appended");
        let (lock, file) = (Arc::clone(&writer.lock), Arc::clone(&writer.file));
        writer.append(&event, 0).expect("appended");
        assert!(Arc::ptr_eq(&lock, &writer.lock) && Arc::ptr_eq(&file, &writer.file), "opened for nothing");
        // As it is in a process that was forked from the one that opened them.
        writer.process = writer.process.wrapping_add(1);
        assert_eq!(writer.append(&event, 0).expect("appended").sequence, 3);
        assert!(!Arc::ptr_eq(&lock, &writer.lock) && !Arc::ptr_eq(&file, &writer.file));
    }
}
