//! From a reader to a writer on several threads, in bounded memory.
//!
//! Every thread does the same in a loop: under one lock it reads the next window, without a lock it seals or opens it,
//! and when all windows before have been written, it writes its own. So reading, work and writing overlap, and each
//! window stays in the cache of one core.

use super::parallel::Workers;
use super::pass::{One, Pass, Two};
use super::queue::{self, lock};
use super::{CHUNK_LEN, ChunkOpener, Cobblestone, HEADER_LEN, SEALED_CHUNK_LEN, SharedSealer};
use crate::error::Error;
use crate::push::read_some;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, Read, Write};
use std::sync::{Condvar, Mutex, PoisonError};
use std::vec;
use std::vec::Vec;
use zeroize::Zeroizing;

/// Chunks that are not worth a thread, nor large buffers.
const SMALL_CHUNKS: usize = 4;
/// Chunks in a window when there is one thread: nothing is gained by more, and memory that is new to the process costs
/// more than to fill it.
const ALONE_CHUNKS: usize = 8;
/// Bytes that all windows together take, input and output, at most.
const MEMORY: usize = 32 << 20;

impl Cobblestone<'_> {
    /// Seals everything that `input` has to give into `output`, and returns the length of the plaintext.
    ///
    /// It takes at most 32 MiB of memory, whatever the length, for up to 1,000 threads. It does not flush `output`. If
    /// `output` fails, it returns once the reads that go on have ended.
    ///
    /// # Errors
    /// What `input` and `output` say; [`Error::Random`] and [`Error::TooLong`] as [`io::Error`]s. What has been
    /// written then cannot be opened.
    pub fn seal_stream(
        &self,
        input: impl Read + Send,
        mut output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        let sealer = self.shared_sealer()?;
        output.write_all(sealer.header())?;
        sealer.seal_stream(input, output, workers)
    }

    /// Opens the message that `input` has to give into `output`, and returns the length of the plaintext.
    ///
    /// It takes at most 32 MiB of memory, whatever the length, for up to 1,000 threads. It does not flush `output`. If
    /// `output` fails, it returns once the reads that go on have ended.
    ///
    /// # Errors
    /// What `input` and `output` say; [`Error::Authentication`] as an [`io::Error`] of kind
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the key or the context is wrong or the message was changed or cut
    /// short. What has been written then is the authentic beginning of the plaintext, in whole chunks.
    pub fn open_stream(
        &self,
        mut input: impl Read + Send,
        output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        let mut header = [0; HEADER_LEN];
        if read_full(&mut input, &mut header)? < HEADER_LEN {
            return Err(Error::Authentication.into());
        }
        self.chunk_opener(&header)?.open_stream(input, output, workers)
    }
}

impl SharedSealer {
    /// Seals everything that `input` has to give as the rest of the message into `output`, without the
    /// [`header`](Self::header), and returns the length of the plaintext. See [`Cobblestone::seal_stream`].
    ///
    /// # Errors
    /// Those of [`Cobblestone::seal_stream`], and [`Error::Finished`].
    pub fn seal_stream(
        &self,
        input: impl Read + Send,
        output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        Ok(pump(input, output, workers, &One(self))?.read)
    }

    /// The same with `self` as the inner of two messages, both whole: the plaintext of `outer` is the message of `self`.
    pub(crate) fn seal_stream_within(
        &self,
        outer: &SharedSealer,
        input: impl Read + Send,
        mut output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        output.write_all(outer.header())?;
        let pass = Two { first: self, second: outer, carried: self.header().to_vec(), skipped: 0 };
        Ok(pump(input, output, workers, &pass)?.read)
    }
}

impl ChunkOpener {
    /// Opens all chunks of the message, from the first to the last, and returns the length of the plaintext. `input`
    /// begins behind the header. See [`Cobblestone::open_stream`].
    ///
    /// # Errors
    /// Those of [`Cobblestone::open_stream`].
    pub fn open_stream(
        &self,
        input: impl Read + Send,
        output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        Ok(pump(input, output, workers, &One(self))?.written)
    }

    /// The same with `self` as the outer of two messages. `start_inner` makes what opens the inner one from its header.
    pub(crate) fn open_stream_to_inner(
        &self,
        start_inner: impl FnOnce(&[u8; HEADER_LEN]) -> Result<Self, Error>,
        mut input: impl Read + Send,
        output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        // The header of the inner message is in the first chunk: that one is opened twice.
        let mut sealed = [0; SEALED_CHUNK_LEN];
        let len = read_full(&mut input, &mut sealed)?;
        let mut opened = Zeroizing::new([0; CHUNK_LEN]);
        let opened_len = self.open(0, &sealed[..len], &mut opened[..])?;
        let header = opened[..opened_len].first_chunk().ok_or(Error::Authentication)?;
        let pass = Two { first: self, second: &start_inner(header)?, carried: Vec::new(), skipped: HEADER_LEN };
        Ok(pump(sealed[..len].chain(input), output, workers, &pass)?.written)
    }
}

/// Reads until `buffer` is full or the input has ended; returns how many bytes there are.
pub(super) fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match read_some(input, &mut buffer[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

struct Sink<W, C> {
    output: W,
    /// What the pass keeps from window to window.
    carry: C,
    windows: u64,
    written: u64,
}

/// What a thread works with: a window of the input, and what is made of it.
struct Room<B> {
    input: Zeroizing<Vec<u8>>,
    buffers: B,
}

/// A window that was read.
struct Window<T> {
    number: u64,
    len: usize,
    /// The right to work on it. Why there is none is told in its turn.
    reserved: Result<T, Error>,
}

struct Totals {
    read: u64,
    written: u64,
}

/// Moves windows from `input` to `output`.
fn pump<P: Pass>(
    mut input: impl Read + Send,
    mut output: impl Write + Send,
    workers: &impl Workers,
    pass: &P,
) -> io::Result<Totals> {
    let mut start = Zeroizing::new(vec![0; SMALL_CHUNKS * P::INPUT_CHUNK]);
    let len = read_full(&mut input, &mut start)?;
    if len == start.len() {
        return pump_windows(start.as_slice().chain(input), output, workers, pass);
    }
    let mut buffers = P::buffers(SMALL_CHUNKS);
    let worked = pass.work(pass.reserve(0, len, true)?, &start[..len], &mut buffers)?;
    let out = pass.put(worked, &mut buffers, &mut pass.carry())?;
    output.write_all(out)?;
    Ok(Totals { read: len as u64, written: out.len() as u64 })
}

/// [`pump`] for more than a few chunks.
fn pump_windows<P: Pass>(
    input: impl Read + Send,
    output: impl Write + Send,
    workers: &impl Workers,
    pass: &P,
) -> io::Result<Totals> {
    let per_worker = MEMORY / workers.count().get();
    let most = if workers.count().get() == 1 { ALONE_CHUNKS } else { P::MAX_WINDOW_CHUNKS };
    let window_chunks = (per_worker / P::MEMORY_PER_CHUNK).clamp(1, most);
    let sink = Mutex::new(Sink { output, carry: pass.carry(), windows: 0, written: 0 });
    let turns = Turns::new(workers.count().get());
    let ended = AtomicBool::new(false);
    let (mut input, mut windows, mut read) = (input, 0, 0);

    // None for who comes too late: memory that is new to the process costs more than to fill it.
    let room = || {
        let chunks = if ended.load(Ordering::Relaxed) { 0 } else { window_chunks };
        Room { input: Zeroizing::new(vec![0; chunks * P::INPUT_CHUNK]), buffers: P::buffers(chunks) }
    };
    let next = |room: &mut Room<P::Buffers>| {
        if ended.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let len = read_full(&mut input, &mut room.input)?;
        let last = len < room.input.len();
        ended.store(last, Ordering::Relaxed);
        let number = windows;
        windows += 1;
        read += len as u64;
        Ok(Some(Window { number, len, reserved: pass.reserve(number * window_chunks as u64, len, last) }))
    };
    let work = |window: Window<P::Ticket>, room: &mut Room<P::Buffers>| -> io::Result<()> {
        let Window { number, len, reserved } = window;
        let worked = reserved.and_then(|reserved| pass.work(reserved, &room.input[..len], &mut room.buffers));
        let mut turn = lock(&sink);
        while turn.windows != number && !turns.is_stopped() {
            turn = turns.of(number).wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turns.is_stopped() {
            return Ok(());
        }
        let out = pass.put(worked?, &mut room.buffers, &mut turn.carry)?;
        turn.output.write_all(out)?;
        turn.written += out.len() as u64;
        turn.windows += 1;
        turns.of(turn.windows).notify_all();
        Ok(())
    };
    queue::run(workers, room, next, work, || turns.stop(&sink)).settle(&mut [])?;
    let sink = sink.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Totals { read, written: sink.written })
}

/// What threads wait for: their turn to write, or the word to stop. The word is apart from the sink, so that reading
/// need not wait for a write to end.
struct Turns {
    stop: AtomicBool,
    /// One for each thread, so that the end of a write wakes the thread with the next window and no other.
    turns: Vec<Condvar>,
}

impl Turns {
    fn new(threads: usize) -> Self {
        Self { stop: AtomicBool::new(false), turns: (0..threads).map(|_| Condvar::new()).collect() }
    }

    /// Threads that wait for another window may share it, so they look again when they wake.
    fn of(&self, window: u64) -> &Condvar {
        let index = window % self.turns.len() as u64;
        &self.turns[usize::try_from(index).unwrap_or(0)]
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stop<W, C>(&self, sink: &Mutex<Sink<W, C>>) {
        // Under the lock, so that no thread goes to sleep between looking and being woken.
        let _turn = lock(sink);
        self.stop.store(true, Ordering::Relaxed);
        self.turns.iter().for_each(Condvar::notify_all);
    }
}
