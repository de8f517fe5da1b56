//! How much of the speed of the blocking faces the asynchronous ones have, for pieces of several lengths.
//!
//! `cargo run --release -p objseal-tokio --example throughput`
//!
//! Writers, readers and streams are compared with the writers and readers of `objseal::file`, streams also with the same pieces
//! pushed through its sealer and opener, which has an output of its own for each as a stream has. Rounds take turns, and each figure is the ratio of the medians.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use objseal::cobblestone::Threads;
use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
use objseal::file;
use objseal::{Key, Push};
use objseal_tokio::{OpenReader, OpenStream, SealStream, SealWriter};
use std::error::Error;
use std::hint::black_box;
use std::io::{self, Read, Write, sink};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

type Done = Result<(), Box<dyn Error>>;

const LEN: usize = 32 << 20;
const ROUNDS: usize = 32;

/// Bytes of which at most so many are read at a time, as an item of a stream has.
struct InPieces<'b>(&'b [u8], usize);

impl InPieces<'_> {
    fn next(&mut self, room: usize) -> &[u8] {
        let (now, later) = self.0.split_at(room.min(self.1).min(self.0.len()));
        self.0 = later;
        now
    }
}

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.next(buffer.len());
        buffer[..now.len()].copy_from_slice(now);
        Ok(now.len())
    }
}

impl AsyncRead for InPieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let now = self.next(buffer.remaining());
        buffer.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

struct Data {
    sealing: SealOptions,
    opening: OpenOptions,
    plain: Bytes,
    stored: Bytes,
}

impl Data {
    fn new() -> Result<Self, Box<dyn Error>> {
        let key = Arc::new(WrappingKey::from_key(Key::generate()?));
        let (sealing, opening) = (SealOptions::new(key.clone()), OpenOptions::new().with_key(key));
        let plain = Bytes::from(vec![7; LEN]);
        let mut stored = Vec::new();
        file::seal(&sealing, &plain[..], &mut stored, &Threads::available())?;
        Ok(Self { sealing, opening, plain, stored: stored.into() })
    }

    fn pieces(of: &Bytes, len: usize) -> impl Iterator<Item = Bytes> + '_ {
        (0..of.len()).step_by(len).map(move |at| of.slice(at..of.len().min(at + len)))
    }

    fn seal(&self, piece: usize) -> Done {
        let mut writer = file::SealWriter::new(&self.sealing, sink())?;
        self.plain.chunks(piece).try_for_each(|piece| writer.write_all(piece))?;
        writer.finish()?;
        Ok(())
    }

    async fn seal_async(&self, piece: usize) -> Done {
        let mut writer = SealWriter::new(&self.sealing, tokio::io::sink())?;
        for piece in self.plain.chunks(piece) {
            writer.write_all(piece).await?;
        }
        writer.finish().await?;
        Ok(())
    }

    async fn seal_stream(&self, piece: usize) -> Done {
        let mut sealed = SealStream::new(&self.sealing, stream::iter(Self::pieces(&self.plain, piece).map(Ok)))?;
        while let Some(item) = sealed.next().await {
            black_box(item?);
        }
        Ok(())
    }

    fn seal_pushed(&self, piece: usize) -> Done {
        let mut sealer = file::Sealer::new(&self.sealing)?;
        push(&mut sealer, Self::pieces(&self.plain, piece))
    }

    fn open_pushed(&self, piece: usize) -> Done {
        let slots = self.stored.first_chunk().ok_or("too short")?;
        let mut opener = file::Opener::new(&self.opening, slots)?;
        push(&mut opener, Self::pieces(&self.stored.slice(slots.len()..), piece))
    }

    fn open(&self, piece: usize) -> Done {
        let mut reader = file::OpenReader::new(&self.opening, InPieces(&self.stored, piece))?;
        let mut buffer = vec![0; piece];
        while reader.read(&mut buffer)? > 0 {}
        Ok(())
    }

    async fn open_async(&self, piece: usize) -> Done {
        let mut reader = OpenReader::open(&self.opening, InPieces(&self.stored, piece)).await?;
        let mut buffer = vec![0; piece];
        while reader.read(&mut buffer).await? > 0 {}
        Ok(())
    }

    async fn open_stream(&self, piece: usize) -> Done {
        let pieces = stream::iter(Self::pieces(&self.stored, piece).map(Ok));
        let mut opened = OpenStream::open(&self.opening, pieces).await?;
        while let Some(item) = opened.next().await {
            black_box(item?);
        }
        Ok(())
    }
}

/// Each output is a `Vec` of its own, as it is an item of its own in a stream.
fn push<T: Push<Error: Error + 'static>>(transform: &mut T, pieces: impl Iterator<Item = Bytes>) -> Done {
    for piece in pieces {
        let mut out = Vec::with_capacity(transform.update_len(piece.len())?);
        transform.update_vec(&piece, &mut out)?;
        black_box(out);
    }
    let mut out = Vec::new();
    transform.finish_vec(&mut out)?;
    black_box(out);
    Ok(())
}

fn timed(work: impl FnOnce() -> Done) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let data = Data::new()?;
    println!("piece    what  blocking     writer/reader  stream   pushed       stream");
    for kib in [8, 64, 256, 1024] {
        let piece = kib * 1024;
        for seals in [true, false] {
            let run = |which: usize| match (which, seals) {
                (0, true) => timed(|| data.seal(piece)),
                (1, true) => timed(|| runtime.block_on(data.seal_async(piece))),
                (2, true) => timed(|| data.seal_pushed(piece)),
                (_, true) => timed(|| runtime.block_on(data.seal_stream(piece))),
                (0, false) => timed(|| data.open(piece)),
                (1, false) => timed(|| runtime.block_on(data.open_async(piece))),
                (2, false) => timed(|| data.open_pushed(piece)),
                (_, false) => timed(|| runtime.block_on(data.open_stream(piece))),
            };
            let mut times = [const { Vec::new() }; 4];
            for round in 0..ROUNDS {
                for turn in 0..4 {
                    // None is always first.
                    let which = (round + turn) % 4;
                    times[which].push(run(which)?);
                }
            }
            let [blocking, face, pushed, stream] = times.map(|times| median(times).as_secs_f64());
            let what = if seals { "seal" } else { "open" };
            let speed = |seconds| f64::from(32 << 20) / seconds / 1e9;
            println!(
                "{kib:4} KiB {what}  {:5.2} GB/s  {:13.2}  {:6.2}  {:7.2} GB/s  {:6.2}",
                speed(blocking),
                blocking / face,
                blocking / stream,
                speed(pushed),
                pushed / stream
            );
        }
    }
    Ok(())
}
