//! The suite on the faces in Rust.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use objseal::Push;
use objseal::cobblestone::{Threads, Workers};
use objseal::file::{self, FileRanges, OpenReader, SealWriter, SealedFile};
use objseal_conformance::{Face, Keys, Pieces, Refusal, conform};
use objseal_tokio::{OpenStream, Pool, RangeReader, SealStream};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::io::StreamReader;

/// Bytes that are read in pieces.
struct InPieces<'b>(std::vec::IntoIter<&'b [u8]>);

impl<'b> InPieces<'b> {
    fn new(pieces: &Pieces, bytes: &'b [u8]) -> Self {
        Self(pieces.of(bytes).into_iter())
    }
}

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.as_slice().first() else { return Ok(0) };
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        let rest = &piece[len..];
        if rest.is_empty() {
            self.0.next();
        } else {
            let later = std::iter::once(rest).chain(self.0.as_slice()[1..].iter().copied()).collect::<Vec<_>>();
            self.0 = later.into_iter();
        }
        Ok(len)
    }
}

/// `Read` and `Write`, on one thread.
struct Blocking;

impl Face for Blocking {
    fn name(&self) -> String {
        "Read and Write".into()
    }

    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut writer = SealWriter::new(&keys.to_seal(), Vec::new())?;
        pieces.of(plain).into_iter().try_for_each(|piece| writer.write_all(piece))?;
        Ok(writer.finish()?.0)
    }

    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut plain = Vec::new();
        OpenReader::new(&keys.to_open(), InPieces::new(pieces, stored))?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
        Ok(SealedFile::open(&keys.to_open(), stored)?.body().open_range(range)?)
    }
}

/// From a reader to a writer on several threads.
struct Parallel(Threads);

impl Face for Parallel {
    fn name(&self) -> String {
        format!("streams on {} threads", self.0.count())
    }

    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut stored = Vec::new();
        file::seal(&keys.to_seal(), InPieces::new(pieces, plain), &mut stored, &self.0)?;
        Ok(stored)
    }

    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut plain = Vec::new();
        file::open(&keys.to_open(), InPieces::new(pieces, stored), &mut plain, &self.0)?;
        Ok(plain)
    }

    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
        let file = SealedFile::open(&keys.to_open(), stored)?;
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut out = vec![0; len];
        file.body().open_range_parallel(&self.0, range.start, &mut out)?;
        Ok(out)
    }
}

/// Slices in, slices out.
struct Pushed;

fn push<T: Push>(mut transform: T, pieces: &[&[u8]]) -> Result<Vec<u8>, T::Error> {
    let mut out = Vec::new();
    pieces.iter().try_for_each(|piece| transform.update_vec(piece, &mut out))?;
    transform.finish_vec(&mut out)?;
    Ok(out)
}

impl Face for Pushed {
    fn name(&self) -> String {
        "Push, and ranges without IO".into()
    }

    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
        Ok(push(file::Sealer::new(&keys.to_seal())?, &pieces.of(plain))?)
    }

    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (slots, rest) = stored.split_first_chunk().ok_or(Refusal::Format)?;
        Ok(push(file::Opener::new(&keys.to_open(), slots)?, &pieces.of(rest))?)
    }

    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
        let fetch = |range: &Range<u64>| {
            let at = |at| usize::try_from(at).unwrap_or(usize::MAX);
            &stored[at(range.start)..at(range.end)]
        };
        let size = stored.len() as u64;
        let [start, end] = FileRanges::ends(size)?;
        let file = FileRanges::open(&keys.to_open(), size, fetch(&start), fetch(&end))?;
        let mut out = Vec::new();
        for planned in file.ranges().plan(&[range], 0)? {
            out.extend(push(file.ranges().opener(&planned), &[fetch(&planned.stored)])?);
        }
        Ok(out)
    }
}

/// Runs a future on a runtime of its own, of one thread and a few blocking ones.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn read_range(keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
    wait(async {
        let file = RangeReader::open(&keys.to_open(), Bytes::copy_from_slice(stored)).await?;
        Ok(file.read_range(range).await?.to_vec())
    })
}

/// `AsyncRead` and `AsyncWrite`.
struct Async;

impl Face for Async {
    fn name(&self) -> String {
        "AsyncRead and AsyncWrite".into()
    }

    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
        wait(async {
            let mut writer = objseal_tokio::SealWriter::new(&keys.to_seal(), Vec::new())?;
            for piece in pieces.of(plain) {
                writer.write_all(piece).await?;
            }
            Ok(writer.finish().await?.0)
        })
    }

    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
        wait(async {
            let pieces = stream::iter(pieces.of(stored).into_iter().map(Ok::<_, io::Error>));
            let mut reader = objseal_tokio::OpenReader::open(&keys.to_open(), StreamReader::new(pieces)).await?;
            let mut plain = Vec::new();
            reader.read_to_end(&mut plain).await?;
            Ok(plain)
        })
    }

    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
        read_range(keys, stored, range)
    }
}

/// Streams of `Bytes`, all of it on the blocking pool.
struct Streams;

fn stream_of(pieces: &Pieces, bytes: &[u8]) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    let pieces: Vec<_> = pieces.of(bytes).into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

impl Face for Streams {
    fn name(&self) -> String {
        "streams of Bytes".into()
    }

    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
        wait(async {
            let pool = Pool::new(NonZeroUsize::MIN).with_inline_len(0);
            let sealed = SealStream::new(&keys.to_seal(), stream_of(pieces, plain))?.with_pool(pool);
            Ok(sealed.try_collect::<Vec<Bytes>>().await?.concat())
        })
    }

    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
        wait(async {
            let opened = OpenStream::open(&keys.to_open(), stream_of(pieces, stored)).await?;
            Ok(opened.try_collect::<Vec<Bytes>>().await?.concat())
        })
    }

    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
        read_range(keys, stored, range)
    }
}

#[test]
fn asynchronous() {
    conform(&mut Async);
}

#[test]
fn streams() {
    conform(&mut Streams);
}

#[test]
fn blocking() {
    conform(&mut Blocking);
}

#[test]
fn parallel() {
    conform(&mut Parallel(Threads(NonZeroUsize::new(3).expect("3"))));
}

#[test]
fn pushed() {
    conform(&mut Pushed);
}
