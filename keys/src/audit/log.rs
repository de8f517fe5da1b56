//! The log: appended to by threads and processes, synced in time.

use super::anchor::Anchor;
use super::chain::Position;
use super::error::AuditError;
use super::event::Event;
use super::files::{self, Locked};
use super::flusher::Flusher;
use super::head::Head;
use super::memory::Memory;
use super::read;
use super::segments::{self, Lines, Piece};
use super::state::{self, HeadFile, State, head_of};
use super::time;
use super::writer::{Writer, open_lock};
use crate::clock::{Clock, SystemClock};
use objseal::Key;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When lines are synced: that is when a failure of the machine cannot lose them any more. A process that is killed loses
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Before [`AuditLog::append`] returns. Threads that append at the same time share a sync.
    EveryLine,
    /// At most so long after they were written, by a thread of the log.
    Within(Duration),
}

/// How a log is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// When lines are synced. Default: within a second.
    pub flush: Flush,
    /// No segment is longer, in bytes, unless one line is. Default: 64 MiB.
    pub segment_len: u64,
    /// Says what time it is.
    pub clock: Arc<dyn Clock>,
    /// Is told how far the log goes after each sync.
    pub anchor: Option<Arc<dyn Anchor>>,
    /// Whether [`AuditLog::open`] moves lines after the last sync that do not verify into a file of the folder,
    /// `damaged-SEGMENT-OFFSET`, and goes on before them; the `detail` of the next line says how many bytes that were. A failure
    /// of power can leave such lines, and so can somebody who changed them, who could have cut them off as well. Default: it
    /// refuses.
    pub set_damaged_end_aside: bool,
}

impl Default for Options {
    fn default() -> Self {
        let flush = Flush::Within(Duration::from_secs(1));
        Self { flush, segment_len: 64 << 20, clock: Arc::new(SystemClock), anchor: None, set_damaged_end_aside: false }
    }
}

/// An audit log: see the [module](super).
///
/// Any number of threads and processes can append to the log of a folder. One that is stopped, not killed, within a call makes the
/// others wait. In a process that was forked while no thread was in a call, the log can be used too; there every line is
/// synced.
///
/// Dropping it syncs what is not synced yet, and says nothing if that fails; [`close`](Self::close) does.
pub struct AuditLog {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    process: u32,
    lines: Mutex<Store>,
    /// Of a log in a folder. It is locked before the lines are, never after.
    head_file: Option<Mutex<Synced>>,
    /// The highest generation that was committed, as far as this process knows.
    generation: AtomicU64,
    anchored: Mutex<Anchored>,
    /// Whether the anchor did not take the last head.
    anchor_failed: AtomicBool,
    flusher: Arc<Flusher>,
}

enum Store {
    Folder(Box<Writer>),
    Memory(Box<Memory>),
}

struct Synced {
    file: HeadFile,
    /// How far the file goes, at least.
    head: Head,
}

/// Heads that an anchor was to be told.
#[derive(Default)]
struct Anchored {
    /// Sequence number of the last one that it took.
    taken: u64,
    /// One that it did not take.
    refused: Option<Head>,
}

impl AuditLog {
    /// Makes a log in a folder, and the folder, with permissions 700, if it is not there. What was left of a call that did not
    /// end is replaced.
    ///
    /// `first_key` is for those who [`verify`](super::verify) the log. It must be kept where the log is not written: with it,
    /// any line can be forged. `seal_key` protects the state on disk, and is needed to [`open`](Self::open) it.
    ///
    /// # Errors
    /// [`AuditError::AlreadyExists`] if there is a log in the folder, or a part of one; [`AuditError::Io`].
    pub fn create(
        folder: &Path,
        store_id: [u8; 16],
        first_key: &Key,
        seal_key: Key,
        options: Options,
    ) -> Result<Self, AuditError> {
        make_folder(folder).map_err(AuditError::io("making the folder"))?;
        {
            let _locked = Locked::new(&open_lock(folder)?, "locking")?;
            refuse_existing(folder)?;
            let (position, header) = Position::start(store_id, first_key, time::millis(options.clock.now()));
            files::place(&segments::path(folder, 1), &header)?;
            HeadFile::create(folder, &position, &seal_key)?;
            files::sync_folder(folder).map_err(AuditError::io("syncing the folder"))?;
        }
        objseal_files::sync_folder_of(folder);
        Self::open(folder, store_id, seal_key, options)
    }

    /// Opens the log in a folder. Lines that were written after the last sync are verified; an unfinished one at the end, which a
    /// crash leaves, is cut off, and the `detail` of the next line says so.
    ///
    /// # Errors
    /// [`AuditError::Head`] if the state is missing or does not open under this key for this store; [`AuditError::Damaged`] if lines are
    /// missing, or others do not verify; [`AuditError::Io`], of kind [`NotFound`](io::ErrorKind::NotFound) if there is no log.
    pub fn open(folder: &Path, store_id: [u8; 16], seal_key: Key, options: Options) -> Result<Self, AuditError> {
        // Whatever the process makes its current folder later.
        let folder = fs::canonicalize(folder).map_err(AuditError::io("opening the folder"))?;
        let mut head_file = match HeadFile::open(&folder, store_id, seal_key) {
            Err(AuditError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && has_segments(&folder) => {
                return Err(AuditError::Head);
            }
            opened => opened?,
        };
        let (writer, state) = Writer::open(&folder, &options, || head_file.read())?;
        let (head, generation) = (state.head(), state.generation);
        let log =
            Self::of(options, Store::Folder(Box::new(writer)), Some(Synced { file: head_file, head }), generation);
        match log.flush() {
            // The next append tells it again.
            Ok(()) | Err(AuditError::Anchor(_)) => Ok(log),
            Err(error) => Err(error),
        }
    }

    /// A log whose lines are kept in memory ([`lines`](Self::lines)): one segment, with the same chain.
    #[must_use]
    pub fn in_memory(store_id: [u8; 16], first_key: &Key, options: Options) -> Self {
        let memory = Memory::new(store_id, first_key, time::millis(options.clock.now()));
        Self::of(options, Store::Memory(Box::new(memory)), None, 0)
    }

    fn of(options: Options, lines: Store, head_file: Option<Synced>, generation: u64) -> Self {
        let inner = Inner {
            options,
            process: std::process::id(),
            lines: Mutex::new(lines),
            head_file: head_file.map(Mutex::new),
            generation: AtomicU64::new(generation),
            anchored: Mutex::default(),
            anchor_failed: AtomicBool::new(false),
            flusher: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Writes an event. What it tells of may be done only if this succeeds: it is then in the file, and with
    /// [`Flush::EveryLine`] on disk.
    ///
    /// # Errors
    /// [`AuditError`]. With [`Flush::EveryLine`] the line may stand in the file though its sync failed.
    pub fn append(&self, event: &Event<'_>) -> Result<Head, AuditError> {
        let inner = &self.inner;
        inner.tell_anchor_again()?;
        let time = time::millis(inner.options.clock.now());
        let head = match &mut *inner.lines() {
            Store::Folder(writer) => inner.head(writer.append(event, time)?),
            Store::Memory(memory) => inner.head(memory.append(event, time)?),
        };
        inner.flush_in_time(Some(head.sequence))?;
        Ok(head)
    }

    /// Says that a generation of the store was committed, for the next heads. A lower one than before changes nothing.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush), with [`Flush::EveryLine`].
    pub fn note_generation(&self, generation: u64) -> Result<(), AuditError> {
        if self.inner.generation.fetch_max(generation, Ordering::AcqRel) < generation {
            self.inner.flush_in_time(None)?;
        }
        Ok(())
    }

    /// Syncs all lines, stores how far the log goes, and tells the anchor.
    ///
    /// # Errors
    /// [`AuditError::Poisoned`] if a sync fails; [`AuditError::Anchor`] if the lines are synced and the anchor failed;
    /// [`AuditError::Io`].
    pub fn flush(&self) -> Result<(), AuditError> {
        self.inner.flush(None)
    }

    /// How far the log goes, as this process knows it: it reads what others wrote when it appends.
    #[must_use]
    pub fn head(&self) -> Head {
        self.inner.current()
    }

    /// Whether the log has a line that a head of it, which was kept elsewhere, tells of. Only the number and the MAC are compared;
    /// [`verify`](super::verify) looks at all that is before it.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn has(&self, head: &Head) -> Result<bool, AuditError> {
        if head.sequence == 0 {
            return Ok(true);
        }
        match &*self.inner.lines() {
            Store::Folder(writer) => {
                read::has_line(writer.folder(), head.sequence, &head.mac).map_err(AuditError::io("reading a segment"))
            }
            Store::Memory(memory) => Ok(memory.has_line(head.sequence, &head.mac)),
        }
    }

    /// The lines of a log in memory, without their ends, the header first. A log in a folder has its lines there, and gives none.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match &*self.inner.lines() {
            Store::Folder(_) => Vec::new(),
            Store::Memory(memory) => memory.lines(),
        }
    }

    /// Syncs all lines and ends the log.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush).
    pub fn close(self) -> Result<(), AuditError> {
        self.flush()
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.inner.flusher.close();
        // Who wants to know closes it.
        let _ = self.flush();
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("head", &self.head()).field("options", &self.inner.options).finish()
    }
}

impl Inner {
    fn lines(&self) -> MutexGuard<'_, Store> {
        locked(&self.lines)
    }

    fn head(&self, position: &Position) -> Head {
        head_of(position, self.generation.load(Ordering::Acquire))
    }

    /// Syncs now or later, as the options say.
    fn flush_in_time(self: &Arc<Self>, sequence: Option<u64>) -> Result<(), AuditError> {
        if let Flush::Within(delay) = self.options.flush
            // A fork has no threads.
            && self.process == std::process::id()
            // Whoever appends next learns of a failure: no line is taken then.
            && self.flusher.wake(delay, self, |inner| drop(inner.flush(None)))
        {
            return Ok(());
        }
        self.flush(sequence)
    }

    /// Syncs, unless the line `sequence` is synced already.
    fn flush(&self, sequence: Option<u64>) -> Result<(), AuditError> {
        let Some(synced) = &self.head_file else { return self.tell_anchor(self.current()) };
        let mut synced = locked(synced);
        if sequence.is_none_or(|sequence| sequence > synced.head.sequence) {
            self.sync(&mut synced)?;
        }
        let head = synced.head.clone();
        drop(synced);
        self.tell_anchor(head)
    }

    /// Syncs lines while others are appended, and stores how far they go.
    fn sync(&self, synced: &mut Synced) -> Result<(), AuditError> {
        let unsynced = match &mut *self.lines() {
            Store::Folder(writer) => writer.unsynced()?,
            Store::Memory(_) => return Ok(()),
        };
        let generation = self.generation.load(Ordering::Acquire);
        if unsynced.position.sequence <= synced.head.sequence && generation <= synced.head.generation {
            return Ok(());
        }
        let stored = unsynced.file.sync_data().map_err(AuditError::io("syncing lines"));
        let stored = stored.and_then(|()| synced.file.store(&unsynced.position, generation));
        let state: State = stored.map_err(|error| self.poison(error))?;
        self.generation.fetch_max(state.generation, Ordering::AcqRel);
        synced.head = state.head();
        Ok(())
    }

    fn poison(&self, error: AuditError) -> AuditError {
        match &mut *self.lines() {
            Store::Folder(writer) => writer.poison(error.in_short()),
            Store::Memory(_) => error,
        }
    }

    fn current(&self) -> Head {
        match &*self.lines() {
            Store::Folder(writer) => self.head(writer.position()),
            Store::Memory(memory) => self.head(memory.position()),
        }
    }

    /// Tells the anchor of a head, unless it knows a later one.
    fn tell_anchor(&self, head: Head) -> Result<(), AuditError> {
        let Some(anchor) = &self.options.anchor else { return Ok(()) };
        let mut anchored = locked(&self.anchored);
        if head.sequence <= anchored.taken {
            return Ok(());
        }
        let told = anchor.publish(&head);
        self.anchor_failed.store(told.is_err(), Ordering::Release);
        match told {
            Ok(()) => *anchored = Anchored { taken: head.sequence, refused: None },
            Err(error) => {
                anchored.refused = Some(head);
                return Err(AuditError::Anchor(error));
            }
        }
        Ok(())
    }

    /// Tells the anchor what it did not take before.
    fn tell_anchor_again(&self) -> Result<(), AuditError> {
        if !self.anchor_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let refused = locked(&self.anchored).refused.clone();
        refused.map_or(Ok(()), |head| self.tell_anchor(head))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }
}

fn has_segments(folder: &Path) -> bool {
    segments::numbers(folder).is_ok_and(|numbers| !numbers.is_empty())
}

/// Refuses a folder in which there is more than the beginning of a call to `create`.
fn refuse_existing(folder: &Path) -> Result<(), AuditError> {
    let io = || AuditError::io("looking into the folder");
    let is_new = match &segments::numbers(folder).map_err(io())?[..] {
        [] => true,
        [1] => {
            let file = fs::File::open(segments::path(folder, 1)).map_err(io())?;
            let mut lines = Lines::of(file);
            let header = matches!(lines.next().map_err(io())?, Piece::Line(_) | Piece::End);
            header && matches!(lines.next().map_err(io())?, Piece::End)
        }
        _ => false,
    };
    let head = folder.join(state::NAME).try_exists().map_err(io())?;
    if is_new && !head { Ok(()) } else { Err(AuditError::AlreadyExists) }
}
