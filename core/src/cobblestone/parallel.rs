//! Whole buffers on several threads. The bytes are the same as on one.

use super::random_access::slice_at;
use super::{
    CHUNK_LEN, Cobblestone, HEADER_LEN, ReadAt, SEALED_CHUNK_LEN, SharedSealer, opened_prefix, prefix, queue,
    sealed_buffer_len,
};
use crate::error::Error;
use core::num::NonZeroUsize;
use std::io;
use std::panic::resume_unwind;
use std::vec::Vec;
use zeroize::Zeroizing;

/// Chunks that a thread takes at a time, at most: 4 MiB, where one byte of the nonce comes round.
const MAX_RUN_CHUNKS: usize = 256;
/// Bytes that are copied at a time before they are sealed, so that they are in the cache then.
const PIECE_LEN: usize = 4 * CHUNK_LEN;

/// Where parallel work runs: [`Threads`], or a `rayon::ThreadPool` with the feature `rayon`.
///
/// The library never starts threads on its own account.
pub trait Workers {
    /// How many threads can work at the same time.
    fn count(&self) -> NonZeroUsize;

    /// Calls `job` on each of the threads and returns when all calls have returned.
    ///
    /// Every call takes work until there is none left, so it is correct, only slower, to make fewer calls. If a call
    /// panics, the panic must be passed on.
    fn run(&self, job: &(dyn Fn() + Sync));
}

/// A number of threads, started for one call and joined before it returns. The calling thread is one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(pub NonZeroUsize);

impl Threads {
    /// As many threads as the operating system says this process can run at once.
    #[must_use]
    pub fn available() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

impl Workers for Threads {
    fn count(&self) -> NonZeroUsize {
        self.0
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, job).ok();
            // Where the system refuses another thread, those that there are do the work.
            let threads: Vec<_> = (1..self.0.get()).map_while(start).collect();
            job();
            // The scope would wait for their work, not for their ends.
            for thread in threads {
                if let Err(panic) = thread.join() {
                    resume_unwind(panic);
                }
            }
        });
    }
}

#[cfg(feature = "rayon")]
impl Workers for rayon::ThreadPool {
    fn count(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.current_num_threads()).unwrap_or(NonZeroUsize::MIN)
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        self.broadcast(|_| job());
    }
}

impl Cobblestone<'_> {
    /// [`seal_into`](Self::seal_into) on several threads.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`], or [`Error::Random`] if there are no random bytes to be had.
    pub fn seal_parallel(&self, workers: &impl Workers, plaintext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, sealed_buffer_len(plaintext.len())?)?;
        let (body, header) = self.start_sealing(plaintext.len() as u64)?;
        let (header_out, chunks_out) = out.split_at_mut(HEADER_LEN);
        header_out.copy_from_slice(&header);
        let sealed = in_parallel(workers, plaintext, chunks_out, CHUNK_LEN, SEALED_CHUNK_LEN, |run| {
            if run.last {
                body.seal_last(run.first, run.input, run.output)
            } else {
                body.seal(run.first, run.input, run.output)
            }
        });
        sealed.map(|()| out.len())
    }

    /// [`open_into`](Self::open_into) on several threads.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the key or the context is wrong or the message was changed in any way; the output
    /// is then all zeros, also where other threads had opened chunks already. [`Error::OutputTooSmall`].
    pub fn open_parallel(&self, workers: &impl Workers, message: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = opened_prefix(out, message.len())?;
        let (header, chunks) = message.split_first_chunk().ok_or(Error::Authentication)?;
        let opened = self.start_opening(header, out.len() as u64).and_then(|body| {
            in_parallel(workers, chunks, out, SEALED_CHUNK_LEN, CHUNK_LEN, |run| {
                body.open(run.first, run.input, run.output)
            })
        });
        if opened.is_err() {
            out.fill(0);
        }
        opened.map(|()| out.len())
    }
}

impl SharedSealer {
    /// Seals the first `len` bytes that are stored in `input` as the whole message, from the start, into the start of `out`;
    /// returns how many bytes that took. What is not [`in_memory`](ReadAt::in_memory) is copied before it is looked at, so `input` may be
    /// memory that others change meanwhile.
    ///
    /// # Errors
    /// What `input` says; [`Error::OutputTooSmall`], [`Error::Finished`] if a run was taken before, or [`Error::TooLong`] as
    /// [`io::Error`]s.
    pub fn seal_at(
        &self,
        workers: &impl Workers,
        input: &(impl ReadAt + Sync + ?Sized),
        len: u64,
        out: &mut [u8],
    ) -> io::Result<usize> {
        let len = usize::try_from(len).map_err(|_| Error::TooLong)?;
        let out = prefix(out, sealed_buffer_len(len)?)?;
        let (header_out, chunks_out) = out.split_at_mut(HEADER_LEN);
        header_out.copy_from_slice(self.header());
        // Where in the input, and what of the output nobody has taken yet. Nothing after the last run.
        let mut rest = Some((0, chunks_out));
        let next = |_: &mut _| -> io::Result<_> {
            let Some((at, out)) = rest.take() else { return Ok(None) };
            let last = len - at < PIECE_LEN;
            let run = if last { self.last_run(len - at) } else { self.next_run(PIECE_LEN / CHUNK_LEN) };
            let run = match run {
                // The thread that failed has the error.
                Err(Error::FailedBefore) if at > 0 => return Ok(None),
                run => run?,
            };
            // Somebody else took a run.
            if run.first_chunk() != (at / CHUNK_LEN) as u64 {
                return Err(Error::Finished.into());
            }
            let (now, later) = out.split_at_mut(run.sealed_len());
            if !last {
                rest = Some((at + PIECE_LEN, later));
            }
            Ok(Some((run, at, now)))
        };
        let copy = || Zeroizing::new(Vec::new());
        let work = |(run, at, out): (super::Run<'_>, usize, &mut [u8]), copy: &mut Zeroizing<Vec<u8>>| {
            let piece_len = PIECE_LEN.min(len - at);
            let piece = match slice_at(input, at as u64, piece_len) {
                Some(piece) => piece,
                None => {
                    copy.resize(piece_len, 0);
                    input.read_exact_at(copy, at as u64)?;
                    copy
                }
            };
            run.seal(piece, out)?;
            Ok(())
        };
        queue::run(workers, copy, next, work, || ()).settle(out).map(|()| out.len())
    }
}

/// Consecutive chunks and where they go.
struct Run<'i, 'o> {
    first: u64,
    input: &'i [u8],
    output: &'o mut [u8],
    last: bool,
}

/// Cuts `input` and `output` into runs and does `work` on each. If it fails or panics anywhere, `output` is zeroed once
/// all threads have stopped.
fn in_parallel(
    workers: &impl Workers,
    input: &[u8],
    output: &mut [u8],
    input_chunk: usize,
    output_chunk: usize,
    work: impl Fn(Run<'_, '_>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let chunks = input.len() / input_chunk + 1;
    let run_chunks = chunks.div_ceil(workers.count().get()).min(MAX_RUN_CHUNKS);
    let mut rest = Some(Run { first: 0, input, output: &mut *output, last: true });
    let next = |(): &mut ()| {
        let Some(now) = rest.take() else { return Ok(None) };
        let input_len = run_chunks * input_chunk;
        // The last chunk, short or empty, belongs to a run that is not whole.
        if now.input.len() < input_len {
            return Ok(Some(now));
        }
        let (input, input_after) = now.input.split_at(input_len);
        let (output, output_after) = now.output.split_at_mut(run_chunks * output_chunk);
        let first_after = now.first + run_chunks as u64;
        rest = Some(Run { first: first_after, input: input_after, output: output_after, last: true });
        Ok(Some(Run { first: now.first, input, output, last: false }))
    };
    queue::run(workers, || (), next, |run, ()| work(run), || ()).settle(output)
}
