//! Other sides that fail, lie or panic, and objects that were changed.

mod shared;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use objseal::Error;
use objseal_tokio::{OpenReader, OpenStream, Pool, SealStream, SealWriter};
use shared::{Keys, keys, pattern, runtimes};
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

const LEN: usize = 300_000;

fn pools() -> [Pool; 2] {
    [usize::MAX, 0].map(|len| Pool::new(NonZeroUsize::MIN).with_inline_len(len))
}

fn is_authentication(error: &io::Error) -> bool {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref());
    error.kind() == ErrorKind::InvalidData && ours == Some(&Error::Authentication)
}

/// What comes out of a reader before its error, which is said again; and that of a stream, which ends with it.
async fn refused(keys: &Keys, stored: &[u8], plain: &[u8], pool: &Pool) {
    // A buffer that what is opened is written to, and one that it is copied to.
    for len in [300_000, 100] {
        let mut reader = OpenReader::open(&keys.opening, stored).await.expect("opened").with_pool(pool.clone());
        let (mut out, mut buffer) = (Vec::new(), vec![0; len]);
        let error = loop {
            match reader.read(&mut buffer).await {
                Ok(0) => panic!("it was changed"),
                Ok(len) => out.extend_from_slice(&buffer[..len]),
                Err(error) => break error,
            }
        };
        assert!(is_authentication(&error), "{error}");
        assert!(plain.starts_with(&out) && out.len() < plain.len(), "the authentic beginning");
        for _ in 0..3 {
            let again = reader.read(&mut buffer).await.expect_err("for good");
            assert!(is_authentication(&again), "{again}");
        }
        assert!(reader.attributes().is_none());
    }

    let pieces: Vec<_> = stored.chunks(40_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let opened = OpenStream::open(&keys.opening, stream::iter(pieces)).await.expect("opened");
    let items: Vec<_> = opened.with_pool(pool.clone()).collect().await;
    let (last, before) = items.split_last().expect("an error");
    assert!(is_authentication(last.as_ref().expect_err("the last item")));
    let before: Vec<_> = before.iter().flat_map(|item| item.as_ref().expect("the only error").to_vec()).collect();
    assert!(plain.starts_with(&before));
}

#[test]
fn what_was_changed_cut_extended_or_swapped() {
    for runtime in runtimes() {
        for layers in [1, 2] {
            let (keys, plain) = (keys(layers), pattern(LEN));
            let stored = keys.seal(&plain).to_vec();
            let other = keys.seal(&plain);
            let chunk = |number: usize| 8_192 + 56 + number * 16_400..8_192 + 56 + (number + 1) * 16_400;
            let mut versions = vec![stored[..stored.len() - 1].to_vec(), stored[..8_192].to_vec()];
            versions.extend([8_193, 100_000, 280_000].map(|len| stored[..len].to_vec()));
            versions.push([&stored[..], &[0]].concat());
            versions.push([&stored[..8_192], &other[8_192..]].concat());
            for at in [8_192, 8_300, 100_000, stored.len() - 100, stored.len() - 1] {
                let mut changed = stored.clone();
                changed[at] ^= 1;
                versions.push(changed);
            }
            let mut swapped = stored.clone();
            swapped[chunk(1)].copy_from_slice(&stored[chunk(2)]);
            swapped[chunk(2)].copy_from_slice(&stored[chunk(1)]);
            versions.push(swapped);
            let mut dropped = stored.clone();
            dropped.drain(chunk(3));
            versions.push(dropped);
            for version in versions {
                for pool in pools() {
                    runtime.block_on(refused(&keys, &version, &plain, &pool));
                }
            }
        }
    }
}

/// Bytes, then what the closure says.
struct Then<F>(Bytes, F);

impl<F: FnMut(&mut ReadBuf<'_>) -> Poll<io::Result<()>> + Unpin> AsyncRead for Then<F> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return (self.1)(buffer);
        }
        let len = buffer.remaining().min(self.0.len());
        buffer.put_slice(&self.0.split_to(len));
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_reader_that_fails_can_be_tried_again() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(LEN));
        let stored = keys.seal(&plain);
        let mut rest = stored.slice(100_001..);
        let mut failures = 0;
        let inner = Then(stored.slice(..100_001), move |buffer: &mut ReadBuf<'_>| {
            failures += 1;
            if failures < 4 {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            let len = buffer.remaining().min(rest.len());
            buffer.put_slice(&rest.split_to(len));
            Poll::Ready(Ok(()))
        });
        let mut reader = OpenReader::open(&keys.opening, inner).await.expect("opened");
        let (mut out, mut failures) = (Vec::new(), 0);
        while let Err(error) = reader.read_to_end(&mut out).await {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            failures += 1;
        }
        assert_eq!(failures, 3);
        assert!(out == plain);
    });
}

#[test]
fn readers_that_end_early_wait_for_ever_or_lie() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(LEN));
        let stored = keys.seal(&plain);
        let cut = || stored.slice(..200_000);
        let mut out = Vec::new();
        let zero = Then(cut(), |_: &mut ReadBuf<'_>| Poll::Ready(Ok(())));
        let error = OpenReader::open(&keys.opening, zero).await.expect("opened").read_to_end(&mut out).await;
        assert!(is_authentication(&error.expect_err("cut short")));
        let short = OpenReader::open(&keys.opening, &stored[..8_191]).await.expect_err("too short");
        assert!(matches!(short, objseal::file::FileError::NotSealed), "{short}");

        // What came is given out, and then it waits.
        let waits = Then(cut(), |_: &mut ReadBuf<'_>| Poll::Pending);
        let mut reader = OpenReader::open(&keys.opening, waits).await.expect("opened");
        let mut out = Vec::new();
        let ended = tokio::select! { biased; done = reader.read_to_end(&mut out) => Some(done), () = pause() => None };
        assert!(ended.is_none() && plain.starts_with(&out) && out.len() > 150_000, "{}", out.len());

        let lies = Then(cut(), |buffer: &mut ReadBuf<'_>| {
            *buffer = ReadBuf::new(Box::leak(vec![0; 1 << 20].into()));
            buffer.set_filled(1 << 20);
            Poll::Ready(Ok(()))
        });
        let lies = OpenReader::open(&keys.opening, lies).await.expect("opened").read_to_end(&mut Vec::new()).await;
        assert!(lies.expect_err("it lies").to_string().contains("more than there was room for"));
    });
}

/// Until everything else waits.
async fn pause() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

#[test]
fn the_error_of_a_stream_ends_it() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(LEN));
        let failing = |of: &Bytes| {
            let first = of.slice(..100_000);
            stream::iter([Ok(first), Err(io::Error::from(ErrorKind::ConnectionReset)), Ok(of.slice(100_000..))])
        };
        let sealed: Vec<_> = SealStream::new(&keys.sealing, failing(&plain)).expect("begun").collect().await;
        let kinds: Vec<_> = sealed.iter().filter_map(|item| item.as_ref().err().map(io::Error::kind)).collect();
        assert_eq!(kinds, [ErrorKind::ConnectionReset]);
        assert!(sealed.last().expect("an item").is_err(), "it is the last");
        let stored: Vec<_> = sealed.iter().flatten().flat_map(|item| item.to_vec()).collect();
        assert!(!keys.is_whole(&stored));

        let stored = keys.seal(&plain);
        let opened = OpenStream::open(&keys.opening, failing(&stored)).await.expect("opened").collect::<Vec<_>>().await;
        let error = opened.last().expect("an item").as_ref().expect_err("it is the last");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let short = stream::iter([Ok(stored.slice(..8_191))]);
        assert!(OpenStream::open(&keys.opening, short).await.is_err());
        // Empty items for ever keep nobody else waiting.
        let empty = stream::iter(std::iter::repeat_with(|| Ok(Bytes::new())));
        let mut sealed = SealStream::new(&keys.sealing, empty).expect("begun");
        let ended = tokio::select! { biased; _ = sealed.next() => true, () = pause() => false };
        assert!(!ended);
    });
}

/// Takes so many bytes, then what the closure says.
struct Takes<F>(Vec<u8>, usize, F);

impl<F: FnMut() -> Poll<io::Result<usize>> + Unpin> AsyncWrite for Takes<F> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let len = bytes.len().min(self.1 - self.0.len());
        if len == 0 {
            return (self.2)();
        }
        self.0.extend_from_slice(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_writer_says_its_first_error_again() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(LEN));
        let full: fn(bool) -> Poll<io::Result<usize>> = |first| match first {
            true => Poll::Ready(Err(io::Error::from_raw_os_error(28))),
            // It would go on, so nothing but our memory keeps this from being a whole object.
            false => Poll::Ready(Ok(1_000_000)),
        };
        let zero: fn(bool) -> Poll<io::Result<usize>> = |_| Poll::Ready(Ok(0));
        for (what, kind) in [(full, ErrorKind::StorageFull), (zero, ErrorKind::WriteZero)] {
            for pool in pools() {
                let mut first = true;
                let inner = Takes(Vec::new(), 100_000, move || what(std::mem::replace(&mut first, false)));
                let mut writer = SealWriter::new(&keys.sealing, inner).expect("begun").with_pool(pool);
                assert_eq!(writer.write_all(&plain).await.and(writer.flush().await).expect_err("full").kind(), kind);
                for _ in 0..2 {
                    assert_eq!(writer.write(&plain).await.expect_err("again").kind(), kind);
                    assert_eq!(writer.write(b"").await.expect_err("again").kind(), kind);
                    assert_eq!(writer.flush().await.expect_err("again").kind(), kind);
                    assert_eq!(writer.shutdown().await.expect_err("again").kind(), kind);
                }
                assert_eq!(writer.inner().0.len(), 100_000, "nothing more");
                assert!(!keys.is_whole(&writer.inner().0) && writer.into_info().is_none());
            }
        }
    });
}

#[test]
fn panics_of_the_other_side_go_on_and_nothing_comes_after_them() {
    let runtime = &runtimes()[0];
    let (keys, plain) = (keys(1), pattern(LEN));
    let stored = keys.seal(&plain);
    let inner = Takes(Vec::new(), 100_000, || panic!("the writer"));
    let mut writer = SealWriter::new(&keys.sealing, inner).expect("begun");
    let panicked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(writer.write_all(&plain)).map(drop)));
    assert!(panicked.is_err() || runtime.block_on(writer.flush()).is_err());
    for _ in 0..2 {
        let error = runtime.block_on(writer.shutdown()).expect_err("it panicked");
        assert!(error.to_string().contains("panicked"), "{error}");
    }
    assert!(!keys.is_whole(&writer.inner().0));

    let mut panics = 0;
    let inner = Then(stored.slice(..100_000), move |_: &mut ReadBuf<'_>| {
        panics += 1;
        if panics == 1 { panic!("the reader") } else { Poll::Ready(Ok(())) }
    });
    let mut reader = runtime.block_on(OpenReader::open(&keys.opening, inner)).expect("opened");
    let mut out = Vec::new();
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(reader.read_to_end(&mut out)))).is_err());
    let error = runtime.block_on(reader.read_to_end(&mut out)).expect_err("it is not whole");
    assert!(is_authentication(&error), "{error}");
}
