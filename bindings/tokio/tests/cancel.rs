//! Dropped at every await point: what was reported stays true, and what has no end never opens.

mod shared;

use bytes::Bytes;
use futures_core::Stream;
use objseal_tokio::{OpenReader, OpenStream, Pool, SealStream, SealWriter};
use shared::{Keys, Sluggish, Trickle, keys, pattern, runtimes, spin};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LEN: usize = 120_000;

/// One where nothing is handed over, and one where everything is.
fn pools() -> [Pool; 2] {
    [usize::MAX, 0].map(|len| Pool::new(NonZeroUsize::MIN).with_inline_len(len))
}

/// How often to wait before it is dropped: each number of times, then ever more, for how long a pool takes nobody can tell.
fn patience() -> impl Iterator<Item = usize> {
    (0..300).chain(std::iter::successors(Some(512), |left| Some(left * 2)))
}

/// Counts what had to wait, and says when to stop.
struct Waits {
    left: usize,
}

impl Waits {
    /// Polls with a new future each time. `None` when it is time to stop.
    fn poll<R>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Option<R> {
        loop {
            if let Poll::Ready(ready) = poll(&mut Context::from_waker(Waker::noop())) {
                return Some(ready);
            }
            self.left = self.left.checked_sub(1)?;
            std::thread::yield_now();
        }
    }
}

/// Writes `plain` and the end, with every future dropped each time it has to wait.
fn seal(writer: &mut SealWriter<Sluggish>, plain: &[u8], waits: &mut Waits) -> Option<()> {
    let mut rest = plain;
    while !rest.is_empty() {
        let piece = &rest[..rest.len().min(50_000)];
        let len = waits.poll(|cx| pin!(writer.write(piece)).poll(cx))?.expect("written");
        rest = &rest[len..];
    }
    waits.poll(|cx| pin!(writer.shutdown()).poll(cx))?.ok()
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_whole() {
    let runtime = &runtimes()[0];
    let _entered = runtime.enter();
    let (keys, plain) = (keys(2), pattern(LEN));
    let len = keys.seal(&plain).len();
    for pool in pools() {
        let mut cut = 0;
        for left in patience() {
            let mut writer =
                SealWriter::new(&keys.sealing, Sluggish::new(9_000)).expect("begun").with_pool(pool.clone());
            let done = seal(&mut writer, &plain, &mut Waits { left });
            let stored = writer.into_inner().taken;
            // Only the inner writer may have to be flushed yet.
            assert_eq!(keys.is_whole(&stored), stored.len() == len, "after {left}");
            assert!(done.is_none() || stored.len() == len);
            if done.is_some() {
                assert!(keys.open(&stored).expect("whole") == plain, "what was reported was taken in");
                break;
            }
            cut += 1;
        }
        assert!(cut > 5, "{cut}");
    }
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing_whole() {
    let runtime = &runtimes()[0];
    let _entered = runtime.enter();
    let (keys, plain) = (keys(1), pattern(LEN));
    for pool in pools() {
        let mut cut = 0;
        for left in patience() {
            let inner = Trickle::new(plain.clone(), &[7_000]);
            let mut sealed = SealStream::new(&keys.sealing, inner).expect("begun").with_pool(pool.clone());
            let (mut stored, mut waits) = (Vec::new(), left);
            let ended = loop {
                match Pin::new(&mut sealed).poll_next(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Some(item)) => stored.extend_from_slice(&item.expect("sealed")),
                    Poll::Ready(None) => break true,
                    Poll::Pending if waits == 0 => break false,
                    Poll::Pending => waits -= 1,
                }
                std::thread::yield_now();
            };
            assert_eq!(keys.is_whole(&stored), ended, "after {left}");
            assert_eq!(sealed.into_info().is_some(), ended);
            if ended {
                break;
            }
            cut += 1;
        }
        assert!(cut > 5, "{cut}");
    }
}

/// Reads with every future dropped each time it has to wait.
fn read_all(keys: &Keys, stored: &Bytes, pool: Pool) -> Vec<u8> {
    let inner = Trickle::new(stored.clone(), &[7_000]);
    let mut opening = Box::pin(OpenReader::open(&keys.opening, inner));
    let mut reader = spin(|cx| opening.as_mut().poll(cx)).expect("opened").with_pool(pool);
    let (mut plain, mut buffer) = (Vec::new(), [0; 5_000]);
    loop {
        match spin(|cx| pin!(reader.read(&mut buffer)).poll(cx)).expect("authentic") {
            0 => return plain,
            len => plain.extend_from_slice(&buffer[..len]),
        }
    }
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    let runtime = &runtimes()[0];
    let _entered = runtime.enter();
    let (keys, plain) = (keys(2), pattern(LEN));
    let stored = keys.seal(&plain);
    for pool in pools() {
        assert!(read_all(&keys, &stored, pool.clone()) == plain);
        let mut opening = Box::pin(OpenStream::open(&keys.opening, Trickle::new(stored.clone(), &[7_000])));
        let mut opened = spin(|cx| opening.as_mut().poll(cx)).expect("opened").with_pool(pool);
        let mut all = Vec::new();
        while let Some(item) = spin(|cx| Pin::new(&mut opened).poll_next(cx)) {
            all.extend_from_slice(&item.expect("authentic"));
        }
        assert!(all == plain);
    }
}

#[test]
fn opening_that_is_dropped_can_begin_anew() {
    let (keys, plain) = (keys(1), pattern(100));
    let stored = keys.seal(&plain);
    for left in 0..20 {
        let mut waits = Waits { left };
        let mut opening = Box::pin(OpenReader::open(&keys.opening, Trickle::new(stored.clone(), &[1_000])));
        let opened = waits.poll(|cx| opening.as_mut().poll(cx));
        assert_eq!(opened.is_some(), left >= 9, "nine pieces of slots");
    }
}

/// One thread, many tasks, everything handed over.
#[test]
fn one_thread_serves_many_tasks() {
    for runtime in runtimes() {
        let pool = Pool::new(NonZeroUsize::MIN).with_inline_len(0);
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..100 {
                let pool = pool.clone();
                tasks.spawn(async move {
                    let (keys, plain) = (keys(1), pattern(70_000));
                    let writer = SealWriter::new(&keys.sealing, Vec::new()).expect("begun");
                    let mut writer = writer.with_pool(pool.clone());
                    writer.write_all(&plain).await.expect("written");
                    let (stored, _) = writer.finish().await.expect("sealed");
                    let reader = OpenReader::open(&keys.opening, &stored[..]).await.expect("opened");
                    let mut opened = Vec::new();
                    reader.with_pool(pool).read_to_end(&mut opened).await.expect("authentic");
                    assert!(opened == plain);
                });
            }
            let all = async {
                while let Some(done) = tasks.join_next().await {
                    done.expect("no panic");
                }
            };
            tokio::time::timeout(Duration::from_secs(60), all).await.expect("no deadlock");
        });
    }
}

/// A writer that has a piece under way and is not polled does not hold the only thread against another of the same task.
#[test]
fn who_is_not_polled_holds_up_nobody() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let pool = Pool::new(NonZeroUsize::MIN).with_inline_len(0);
            let (keys, plain) = (keys(1), pattern(50_000));
            let writer = || SealWriter::new(&keys.sealing, Vec::new()).expect("begun").with_pool(pool.clone());
            let mut writers: Vec<_> = (0..10).map(|_| writer()).collect();
            let all = async {
                for _ in 0..5 {
                    for writer in &mut writers {
                        writer.write_all(&plain).await.expect("written");
                    }
                }
                // The last first, while the others have a piece under way.
                while let Some(writer) = writers.pop() {
                    let (stored, _) = writer.finish().await.expect("sealed");
                    assert_eq!(keys.open(&stored).expect("whole").len(), 250_000);
                }
            };
            tokio::time::timeout(Duration::from_secs(60), all).await.expect("no deadlock");
        });
    }
}
