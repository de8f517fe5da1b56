//! Ranges over fetches: what comes is the plaintext or nothing, in no more fetches than it takes.

#![allow(clippy::single_range_in_vec_init, reason = "one range is a list of ranges")]

mod shared;

use bytes::Bytes;
use objseal::envelope::{
    EncryptionContext, EnvelopeError, KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind, OpenOptions,
    SealOptions, WrappingKey,
};
use objseal::file::FileError;
use objseal::{Error, Key};
use objseal_tokio::{Fetch, OpenReader, Pool, RangeReader};
use proptest::prelude::*;
use shared::{keys, pattern, runtimes};
use std::io::{self, ErrorKind, SeekFrom};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::Notify;

/// Counts its fetches, and how many are under way at once.
struct Store {
    stored: Mutex<Bytes>,
    fetched: Mutex<Vec<Range<u64>>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Store {
    fn of(stored: Bytes) -> Arc<Self> {
        Arc::new(Self {
            stored: Mutex::new(stored),
            fetched: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }

    fn take_fetched(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.fetched.lock().expect("no panic"))
    }

    fn stored(&self) -> Bytes {
        self.stored.lock().expect("no panic").clone()
    }
}

impl Fetch for Store {
    async fn size(&self) -> io::Result<u64> {
        self.stored().size().await
    }

    async fn fetch(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.fetched.lock().expect("no panic").push(range.clone());
        self.most_at_once.fetch_max(self.at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.stored().fetch(range).await
    }
}

fn of(plain: &Bytes, range: &Range<u64>) -> Bytes {
    plain.slice(usize::try_from(range.start).expect("small")..usize::try_from(range.end).expect("small"))
}

#[test]
fn at_every_border() {
    for runtime in runtimes() {
        for layers in [1, 2] {
            let keys = keys(layers);
            for len in shared::LENGTHS {
                let plain = pattern(len);
                runtime.block_on(async {
                    let reader = RangeReader::open(&keys.opening, keys.seal(&plain)).await.expect("opened");
                    let reader = reader.with_pool(Pool::default().with_inline_len(20_000));
                    let end = len as u64;
                    assert_eq!((reader.plaintext_len(), reader.info().attributes.plaintext_len), (end, end));
                    let borders = [0, 1, 16_327, 16_328, 16_384, 16_385, 32_768, end.saturating_sub(1), end];
                    for from in borders.into_iter().filter(|&at| at <= end) {
                        for to in borders.into_iter().filter(|&to| to >= from && to <= end) {
                            assert_eq!(reader.read_range(from..to).await.expect("authentic"), of(&plain, &(from..to)));
                        }
                    }
                    let error = reader.read_range(0..end + 1).await.expect_err("beyond the end");
                    let ours = error.get_ref().and_then(|inner| inner.downcast_ref());
                    assert_eq!(ours, Some(&Error::OutOfRange { plaintext_len: end }));
                });
            }
        }
    }
}

#[test]
fn fetches_are_as_few_and_as_many_at_once_as_was_said() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(2_000_000));
        let store = Store::of(keys.seal(&plain));
        let reader = RangeReader::open(&keys.opening, store.clone()).await.expect("opened");
        assert_eq!(store.take_fetched().len(), 2);
        assert_eq!(store.most_at_once.load(Ordering::SeqCst), 2, "together");
        let ranges: Vec<_> = (0..20).map(|at| at * 100_000..at * 100_000 + 50).rev().collect();
        let reader = reader.with_gap(0).with_parallel(NonZeroUsize::new(3).expect("3"));
        let read = reader.read_ranges(&ranges).await.expect("authentic");
        assert!(read.iter().zip(&ranges).all(|(read, range)| *read == of(&plain, range)));
        assert_eq!(store.take_fetched().len(), 20);
        assert_eq!(store.most_at_once.load(Ordering::SeqCst), 3);
        let reader = reader.with_gap(1_000_000);
        let read = reader.read_ranges(&ranges).await.expect("authentic");
        assert_eq!(store.take_fetched().len(), 1);
        // Slices of one buffer.
        assert_eq!(read[0].as_ptr() as usize - read[19].as_ptr() as usize, 1_900_000);
        assert!(reader.read_ranges(&[]).await.expect("nothing").is_empty());
        assert_eq!(reader.read_range(7..7).await.expect("nothing"), Bytes::new());
        assert!(reader.read_ranges(&[0..10, 1..2_000_001]).await.is_err());
        assert!(store.take_fetched().is_empty(), "what is not there is not fetched");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_ranges(
        layers in 1_u8..=2,
        len in 0_u64..400_000,
        cuts in proptest::collection::vec((0_u64..400_000, 0_u64..90_000), 0..12),
        gap in 0_u64..100_000,
    ) {
        let (keys, plain) = (keys(layers), pattern(usize::try_from(len).expect("small")));
        let wanted: Vec<_> = cuts.iter().map(|&(start, more)| {
            let start = start % (len + 1);
            start..(start + more).min(len)
        }).collect();
        runtimes()[0].block_on(async {
            let reader = RangeReader::open(&keys.opening, keys.seal(&plain)).await.expect("opened").with_gap(gap);
            let read = reader.read_ranges(&wanted).await.expect("authentic");
            assert_eq!(read.len(), wanted.len());
            assert!(read.iter().zip(&wanted).all(|(read, range)| *read == of(&plain, range)));
            let mut reader = reader.reader().with_read_ahead(70_000);
            for range in &wanted {
                reader.seek(SeekFrom::Start(range.start)).await.expect("there");
                let mut out = Vec::new();
                (&mut reader).take(range.end - range.start).read_to_end(&mut out).await.expect("authentic");
                assert!(out == of(&plain, range));
            }
        });
    }
}

#[test]
fn what_is_changed_or_of_another_length_does_not_come_out() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(2), pattern(300_000));
        let (stored, other) = (keys.seal(&plain), keys.seal(&plain));
        let store = Store::of(stored.clone());
        let reader = RangeReader::open(&keys.opening, store.clone()).await.expect("opened").with_gap(0);
        let invalid = |error: io::Error| {
            let ours = error.get_ref().and_then(|inner| inner.downcast_ref());
            assert_eq!((error.kind(), ours), (ErrorKind::InvalidData, Some(&Error::Authentication)));
        };
        let mut changed = stored.to_vec();
        changed[150_000] ^= 1;
        for version in [changed.into(), other.clone()] {
            *store.stored.lock().expect("no panic") = version;
            invalid(reader.read_range(140_000..150_000).await.expect_err("changed"));
            invalid(reader.read_ranges(&[0..10, 140_000..150_000]).await.expect_err("one of them changed"));
            let mut seeks = reader.reader();
            seeks.seek(SeekFrom::Start(140_000)).await.expect("there");
            invalid(seeks.read(&mut [0; 10]).await.expect_err("changed"));
            // Once it is what it was, reading goes on.
            *store.stored.lock().expect("no panic") = stored.clone();
            let mut out = [0; 10];
            seeks.read_exact(&mut out).await.expect("authentic");
            assert_eq!(out[..], of(&plain, &(140_000..140_010)));
        }
        let cut = Store::of(stored.slice(..200_000));
        assert!(matches!(
            RangeReader::open(&keys.opening, cut).await,
            Err(FileError::Envelope(EnvelopeError::Authentication))
        ));
        let short = Store::of(stored.slice(..8_000));
        assert!(matches!(RangeReader::open(&keys.opening, short).await, Err(FileError::NotSealed)));
        let missing = Store::of(stored.clone());
        let reader = RangeReader::open(&keys.opening, missing.clone()).await.expect("opened");
        *missing.stored.lock().expect("no panic") = Bytes::new();
        assert_eq!(reader.read_range(0..10).await.expect_err("its error").kind(), ErrorKind::UnexpectedEof);
    });
}

/// Gives another number of bytes than it was asked for, once the file is open.
struct Wrong(Bytes, AtomicUsize, i64);

impl Fetch for Wrong {
    async fn size(&self) -> io::Result<u64> {
        self.0.size().await
    }

    async fn fetch(&self, range: Range<u64>) -> io::Result<Bytes> {
        let wrong = if self.1.fetch_add(1, Ordering::SeqCst) < 2 { 0 } else { self.2 };
        self.0.fetch(range.start..range.end.saturating_add_signed(wrong)).await
    }
}

#[test]
fn too_few_or_too_many_bytes_are_invalid() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(300_000));
        for wrong in [-16_400, -1, 1, 16_400] {
            let fetch = Wrong(keys.seal(&plain), AtomicUsize::new(0), wrong);
            let reader = RangeReader::open(&keys.opening, fetch).await.expect("opened");
            let error = reader.read_range(0..100).await.expect_err("another length");
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{wrong}");
        }
    });
}

#[test]
fn a_seek_reader_reads_and_seeks_as_a_cursor_does() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let (keys, plain) = (keys(1), pattern(1_000_000));
            let store = Store::of(keys.seal(&plain));
            let opened = RangeReader::open(&keys.opening, store.clone()).await.expect("opened");
            store.take_fetched();
            let mut reader = opened.reader().with_read_ahead(200_000);
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await.expect("authentic");
            assert!(all == plain);
            let fetched = store.take_fetched();
            assert!(fetched.len() < 12, "ever longer ones: {fetched:?}");
            assert!(fetched.iter().all(|range| range.end - range.start < 240_000), "within bounds: {fetched:?}");

            let mut cursor = std::io::Cursor::new(plain.clone());
            let seeks = [SeekFrom::Start(10), SeekFrom::Current(500_000), SeekFrom::Current(-3), SeekFrom::End(-7)];
            let more = [SeekFrom::End(100), SeekFrom::Current(-200), SeekFrom::Start(0), SeekFrom::Start(40_000)];
            for to in seeks.into_iter().chain(more) {
                let at = reader.seek(to).await.expect("there");
                assert_eq!(at, std::io::Seek::seek(&mut cursor, to).expect("there"));
                assert_eq!(reader.position(), at);
                let (mut ours, mut theirs) = ([0; 60], [0; 60]);
                let (len, other) = (reader.read(&mut ours).await, std::io::Read::read(&mut cursor, &mut theirs));
                assert_eq!((len.expect("authentic"), ours), (other.expect("there"), theirs), "{to:?}");
            }
            assert_eq!(
                reader.seek(SeekFrom::Current(-1 << 40)).await.expect_err("before it").kind(),
                ErrorKind::InvalidInput
            );
        });
    }
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    runtimes()[0].block_on(async {
        let (keys, plain) = (keys(1), pattern(500_000));
        let store = Store::of(keys.seal(&plain));
        let mut reader = RangeReader::open(&keys.opening, store).await.expect("opened").reader();
        let (mut all, mut buffer) = (Vec::new(), [0; 30_000]);
        loop {
            let read = tokio::select! { biased; len = reader.read(&mut buffer) => Some(len), () = std::future::ready(()) => None };
            match read.transpose().expect("authentic") {
                Some(0) => break,
                Some(len) => all.extend_from_slice(&buffer[..len]),
                None => tokio::task::yield_now().await,
            }
        }
        assert!(all == plain);
    });
}

/// A key service that blocks until it is told to answer.
#[derive(Debug)]
struct Blocks(Arc<WrappingKey>, Mutex<std::sync::mpsc::Receiver<()>>);

impl KeyService for Blocks {
    fn name(&self) -> &str {
        "blocks"
    }

    fn wrapping_key(&self, _: &str, _: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        Ok(Arc::clone(&self.0))
    }

    fn reopen(&self, _: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.1.lock().expect("no panic").recv().map_err(|_| KeyServiceErrorKind::Unreachable)?;
        Ok(Arc::clone(&self.0))
    }
}

fn of_service() -> (Arc<WrappingKey>, SealOptions) {
    let key = WrappingKey::new("blocks", "photos", 1, Key::generate().expect("random bytes")).expect("a key");
    let key = Arc::new(key);
    (Arc::clone(&key), SealOptions::new(key))
}

#[test]
fn a_key_service_that_blocks_keeps_no_task_waiting() {
    let (key, sealing) = of_service();
    let keys = shared::Keys { sealing, opening: OpenOptions::new() };
    let (plain, stored) = (pattern(1_000), keys.seal(&pattern(1_000)));
    // The only task thread is the one that lets it answer.
    runtimes()[0].block_on(async {
        let (answer, answers) = std::sync::mpsc::channel();
        let service = Blocks(key, Mutex::new(answers));
        let options = OpenOptions::new().with_service(Arc::new(service));
        let go_on = async { (0..2).for_each(|_| answer.send(()).expect("it waits")) };
        let (reader, opened, ()) =
            tokio::join!(RangeReader::open(&options, stored.clone()), OpenReader::open(&options, &stored[..]), go_on);
        assert_eq!(reader.expect("opened").read_range(0..1_000).await.expect("authentic"), plain);
        assert!(opened.is_ok());
    });
}

#[test]
fn keys_can_come_from_a_service_that_answers_later() {
    let (key, sealing) = of_service();
    let keys = shared::Keys { sealing, opening: OpenOptions::new() };
    let (plain, stored) = (pattern(1_000), keys.seal(&pattern(1_000)));
    runtimes()[1].block_on(async {
        let later = Arc::new(Notify::new());
        let (waits, wakes) = (Arc::clone(&later), Arc::clone(&later));
        let opening = tokio::spawn(async move {
            let answer = |request: KeyRequest| {
                let (key, waits) = (Arc::clone(&key), Arc::clone(&waits));
                async move {
                    assert_eq!((request.service(), request.key_id()), ("blocks", "photos"));
                    waits.notified().await;
                    Ok(key)
                }
            };
            let reader = RangeReader::open_with(&OpenOptions::new(), stored.clone(), answer).await.expect("opened");
            let mut out = Vec::new();
            let opened = OpenReader::open_with(&OpenOptions::new(), &stored[..], answer).await;
            opened.expect("opened").read_to_end(&mut out).await.expect("authentic");
            (reader.read_range(5..10).await.expect("authentic"), out)
        });
        while !opening.is_finished() {
            wakes.notify_one();
            tokio::task::yield_now().await;
        }
        let (range, all) = opening.await.expect("no panic");
        assert!(range == plain.slice(5..10) && all == plain);
        let refuse = async |_| Err(KeyServiceErrorKind::Denied.into());
        let refused = RangeReader::open_with(&OpenOptions::new(), keys.seal(&plain), refuse).await;
        assert!(matches!(refused, Err(FileError::Envelope(EnvelopeError::KeyService(_)))), "{refused:?}");
    });
}
