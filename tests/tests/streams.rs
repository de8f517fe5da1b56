//! Streams, readers, writers, shared sealing and random access give the same as one call, however the data is cut.

use objseal::cobblestone::{
    CHUNK_LEN, ChunkOpener, Cobblestone, HEADER_LEN, Opener, ReadAt, SEALED_CHUNK_LEN, TAG_LEN, Threads,
    largest_plaintext_len, plaintext_len, sealed_len, sealed_range,
};
use objseal::hazmat::FixedSalt;
use objseal::limits::{MAX_CHUNKS, MAX_PLAINTEXT_LEN, MAX_SEALED_LEN};
use objseal::{Error, Key};
use objseal_tests::pattern;
use proptest::prelude::*;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

const SALT: FixedSalt = FixedSalt([9; 24]);

fn key() -> Key {
    Key::from_bytes(&[0x42; 32])
}

fn threads(count: usize) -> Threads {
    Threads(NonZeroUsize::new(count).expect("not 0"))
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    Cobblestone::new(&key(), b"c").with_random(&SALT).seal(plaintext).expect("room")
}

/// Lengths of pieces, taken in turn.
fn pieces<'d>(data: &'d [u8], lengths: &[usize]) -> Vec<&'d [u8]> {
    let mut rest = data;
    let mut pieces = Vec::new();
    for &len in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(len.min(rest.len()));
        pieces.push(now);
        rest = later;
    }
    pieces
}

/// Gives and takes no more at a time than the lengths say, and interrupts now and then.
struct Choppy<'l, T> {
    inner: T,
    lengths: &'l [usize],
    turn: usize,
}

impl<'l, T> Choppy<'l, T> {
    fn new(inner: T, lengths: &'l [usize]) -> Self {
        Self { inner, lengths, turn: 0 }
    }

    fn next(&mut self, len: usize) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(len.min(self.lengths[self.turn % self.lengths.len()]))
    }
}

impl<T: Read> Read for Choppy<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.next(buffer.len())?;
        self.inner.read(&mut buffer[..len])
    }
}

impl<T: Write> Write for Choppy<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.next(bytes.len())?;
        self.inner.write(&bytes[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whole chunks and their neighbours come up often.
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    let len = prop_oneof![
        1..100_usize,
        1..40_000_usize,
        Just(CHUNK_LEN),
        Just(CHUNK_LEN - 1),
        Just(SEALED_CHUNK_LEN),
        Just(SEALED_CHUNK_LEN + 1),
    ];
    prop::collection::vec(len, 1..6)
}

fn plaintext_lengths() -> impl Strategy<Value = usize> {
    prop_oneof![0..200_usize, 0..200_000_usize, (0..8_usize).prop_map(|n| n * CHUNK_LEN)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same(len in plaintext_lengths(), cuts in lengths()) {
        let (key, plaintext) = (key(), pattern(len));
        let cobblestone = Cobblestone::new(&key, b"c").with_random(&SALT);
        let message = sealed(&plaintext);

        let mut sealer = cobblestone.sealer().expect("a salt");
        let mut out = Vec::new();
        for piece in pieces(&plaintext, &cuts) {
            let mut part = vec![0; sealer.update_len(piece.len()).expect("short")];
            prop_assert_eq!(sealer.update(piece, &mut part), Ok(part.len()));
            out.extend(part);
        }
        let mut part = vec![0; sealer.finish_len()];
        prop_assert_eq!(sealer.finish(&mut part), Ok(part.len()));
        out.extend(part);
        prop_assert!(out == message);

        for mut opener in [cobblestone.opener(), Opener::owned(self::key(), b"c".to_vec())] {
            let mut out = Vec::new();
            for piece in pieces(&message, &cuts) {
                let mut part = vec![0; opener.update_len(piece.len())];
                prop_assert_eq!(opener.update(piece, &mut part), Ok(part.len()));
                out.extend(part);
            }
            let mut part = vec![0; opener.finish_len()];
            prop_assert_eq!(opener.finish(&mut part), Ok(part.len()));
            out.extend(part);
            prop_assert!(out == plaintext);
        }
    }

    #[test]
    fn readers_and_writers_give_the_same(len in plaintext_lengths(), cuts in lengths()) {
        let (key, plaintext) = (key(), pattern(len));
        let cobblestone = Cobblestone::new(&key, b"c").with_random(&SALT);
        let message = sealed(&plaintext);

        let mut writer = cobblestone.seal_writer(Choppy::new(Vec::new(), &cuts)).expect("a salt");
        pieces(&plaintext, &cuts).into_iter().try_for_each(|piece| writer.write_all(piece)).expect("written");
        prop_assert!(writer.finish().expect("finished").inner == message);

        let mut writer = cobblestone.open_writer(Choppy::new(Vec::new(), &cuts));
        pieces(&message, &cuts).into_iter().try_for_each(|piece| writer.write_all(piece)).expect("written");
        prop_assert!(writer.finish().expect("finished").inner == plaintext);

        let mut out = Vec::new();
        let mut reader = cobblestone.seal_reader(Choppy::new(&plaintext[..], &cuts)).expect("a salt");
        io::copy(&mut reader, &mut out).expect("read");
        prop_assert!(out == message);

        let mut out = Vec::new();
        io::copy(&mut cobblestone.open_reader(Choppy::new(&message[..], &cuts)), &mut out).expect("read");
        prop_assert!(out == plaintext);
    }

    #[test]
    fn pipelines_give_the_same(len in prop_oneof![plaintext_lengths(), 0..3_000_000_usize], cuts in lengths(),
                               count in 1..=5_usize) {
        let (key, plaintext) = (key(), pattern(len));
        let cobblestone = Cobblestone::new(&key, b"c").with_random(&SALT);
        let mut message = Vec::new();
        let read = cobblestone.seal_stream(Choppy::new(&plaintext[..], &cuts), &mut message, &threads(count));
        prop_assert_eq!(read.expect("sealed"), len as u64);
        prop_assert!(message == sealed(&plaintext));

        let mut opened = Vec::new();
        let written = cobblestone.open_stream(Choppy::new(&message[..], &cuts), &mut opened, &threads(count));
        prop_assert_eq!(written.expect("opened"), len as u64);
        prop_assert!(opened == plaintext);
    }

    #[test]
    fn any_range_gives_the_same(len in plaintext_lengths(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(), seeks in lengths()) {
        let plaintext = pattern(len);
        let message = sealed(&plaintext);
        let key = key();
        let stored = Cobblestone::new(&key, b"c").open_at(&message[..]).expect("authentic");
        prop_assert_eq!(stored.len(), len as u64);
        let (a, b) = (a.index(len + 1), b.index(len + 1));
        let (start, end) = (a.min(b), a.max(b));
        prop_assert!(stored.open_range(start as u64..end as u64).expect("within") == plaintext[start..end]);

        let mut reader = stored.reader();
        let mut model = io::Cursor::new(&plaintext);
        for (i, &n) in seeks.iter().cycle().take(12).enumerate() {
            let to = match i % 3 {
                0 => SeekFrom::Start(n as u64 % (len as u64 + 1)),
                1 => SeekFrom::End(-i64::try_from(n % (len + 1)).expect("short")),
                _ => SeekFrom::Current(7),
            };
            prop_assert_eq!(reader.seek(to).expect("within"), model.seek(to).expect("within"));
            let (mut ours, mut theirs) = (vec![0; n], vec![0; n]);
            let (mut got, mut expected) = (0, 0);
            while let n @ 1.. = reader.read(&mut ours[got..]).expect("authentic") {
                got += n;
            }
            while let n @ 1.. = model.read(&mut theirs[expected..]).expect("in memory") {
                expected += n;
            }
            prop_assert!(ours[..got] == theirs[..expected]);
        }
    }

    #[test]
    fn sizes_are_inverses(len in 0..=MAX_PLAINTEXT_LEN) {
        let sealed = sealed_len(len).expect("within");
        prop_assert_eq!(plaintext_len(sealed), Some(len));
        prop_assert_eq!(largest_plaintext_len(sealed), Some(len));
        let limit = largest_plaintext_len(len.max(72)).expect("room for an empty one");
        prop_assert!(sealed_len(limit).expect("within") <= len.max(72));
        prop_assert!(sealed_len(limit + 1).is_none_or(|more| more > len.max(72)));
    }
}

#[test]
fn sizes_at_the_borders() {
    let chunk = CHUNK_LEN as u64;
    for (plain, sealed) in [
        (0, 72),
        (1, 73),
        (chunk - 1, 56 + chunk + 15),
        (chunk, 56 + chunk + 32),
        (chunk + 1, 56 + chunk + 33),
        (MAX_PLAINTEXT_LEN, MAX_SEALED_LEN),
    ] {
        assert_eq!(sealed_len(plain), Some(sealed));
        assert_eq!(plaintext_len(sealed), Some(plain));
    }
    assert_eq!(MAX_PLAINTEXT_LEN, (1 << 52) - 1);
    assert_eq!(sealed_len(MAX_PLAINTEXT_LEN + 1), None);
    assert_eq!(sealed_len(u64::MAX), None);
    // Lengths that no message has: no room for the last tag.
    for no in (0..72).chain(56 + 16_400..56 + 16_416).chain([MAX_SEALED_LEN + 1, u64::MAX]) {
        assert_eq!(plaintext_len(no), None, "{no}");
    }
    assert_eq!(largest_plaintext_len(71), None);
    assert_eq!(largest_plaintext_len(72), Some(0));
    assert_eq!(largest_plaintext_len(5 << 30), Some(5_363_471_288));
    assert_eq!(largest_plaintext_len(u64::MAX), Some(MAX_PLAINTEXT_LEN));
}

#[test]
fn ranges_at_the_borders() {
    let sealed = sealed_len(40_000).expect("short");
    assert_eq!(sealed_range(0..1, sealed), Some(56..56 + 16_400));
    assert_eq!(sealed_range(16_383..16_384, sealed), Some(56..56 + 16_400));
    assert_eq!(sealed_range(16_384..16_385, sealed), Some(56 + 16_400..56 + 32_800));
    assert_eq!(sealed_range(16_383..16_385, sealed), Some(56..56 + 32_800));
    assert_eq!(sealed_range(39_999..40_000, sealed), Some(56 + 32_800..sealed));
    assert_eq!(sealed_range(0..40_000, sealed), Some(56..sealed));
    assert_eq!(sealed_range(0..40_001, sealed), None);
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 2..1;
    assert_eq!(sealed_range(reversed, sealed), None);
    assert_eq!(sealed_range(0..0, 71), None);
    assert!(sealed_range(40_000..40_000, sealed).is_some_and(|range| range.is_empty()));
}

/// Counts the bytes that are fetched from it.
struct Counting<'m>(&'m [u8], AtomicU64);

impl ReadAt for Counting<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.0.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

#[test]
fn a_small_range_fetches_little() {
    let plaintext = pattern(3_000_000);
    let message = sealed(&plaintext);
    let key = key();
    let stored = Cobblestone::new(&key, b"c").open_at(Counting(&message, AtomicU64::new(0))).expect("authentic");
    let source = Counting(&message, AtomicU64::new(0));
    let counted = Cobblestone::new(&key, b"c").open_at(&source).expect("authentic");
    assert!(counted.open_range(1_999_950..2_000_050).expect("within") == plaintext[1_999_950..2_000_050]);
    let fetched = source.1.load(Ordering::Relaxed);
    assert!(fetched < 70_000, "{fetched} bytes");
    for out_of_range in [0..3_000_001, 3_000_001..3_000_001, u64::MAX..u64::MAX] {
        let error = stored.open_range(out_of_range).expect_err("out of range");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    let mut out = vec![0xEE; 100];
    stored.open_range_into(2_999_950, &mut out).expect_err("out of range");
    assert!(out.iter().all(|&byte| byte == 0));
}

#[test]
fn a_changed_chunk_is_refused_where_it_is_read() {
    let mut message = sealed(&pattern(100_000));
    message[HEADER_LEN + 2 * SEALED_CHUNK_LEN + 5] ^= 1;
    let key = key();
    let stored = Cobblestone::new(&key, b"c").open_at(&message[..]).expect("its end is authentic");
    assert!(stored.open_range(0..32_768).is_ok());
    for (start, len) in [(32_768, 1), (32_767, 2), (0, 100_000), (49_000, 5000)] {
        let mut out = vec![0xEE; len];
        let error = stored.open_range_into(start, &mut out).expect_err("changed");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(out.iter().all(|&byte| byte == 0));
    }
}

/// Fails once `left` bytes have passed.
struct Failing {
    left: usize,
}

impl Failing {
    fn pass(&mut self, len: usize) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("planted"));
        }
        let len = len.min(self.left);
        self.left -= len;
        Ok(len)
    }
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass(buffer.len())
    }
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pass(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn failures_of_others_are_passed_on() {
    let key = key();
    let cobblestone = Cobblestone::new(&key, b"c");
    let plaintext = pattern(2_000_000);
    let planted = |error: io::Error| assert_eq!(error.to_string(), "planted");
    for left in [0, 1, 23, 56, 57, 16_384, 16_456, 524_288, 524_856, 1_999_999] {
        for count in 1..=3 {
            planted(cobblestone.seal_stream(Failing { left }, io::sink(), &threads(count)).unwrap_err());
            planted(cobblestone.seal_stream(&plaintext[..], Failing { left }, &threads(count)).unwrap_err());
        }
        let mut writer = cobblestone.seal_writer(Failing { left }).expect("random bytes");
        planted(writer.write_all(&plaintext).and_then(|()| writer.finish().map(drop)).unwrap_err());
        planted(
            io::copy(&mut cobblestone.seal_reader(Failing { left }).expect("random bytes"), &mut io::sink())
                .unwrap_err(),
        );
    }
    // After a failure a writer takes nothing more, as part of its output may be lost, and says the same again.
    let mut writer = cobblestone.seal_writer(Failing { left: 10 }).expect("random bytes");
    planted(writer.write_all(&plaintext).unwrap_err());
    planted(writer.write(b"more").unwrap_err());
    planted(writer.finish().map(drop).unwrap_err());
}

#[test]
fn too_small_outputs_leave_a_stream_as_it_was() {
    let key = key();
    let cobblestone = Cobblestone::new(&key, b"c").with_random(&SALT);
    let plaintext = pattern(20_000);
    let message = sealed(&plaintext);

    let mut sealer = cobblestone.sealer().expect("a salt");
    let needed = sealer.update_len(20_000).expect("short");
    let refused = sealer.update(&plaintext, &mut vec![0; needed - 1]);
    assert_eq!(refused, Err(Error::OutputTooSmall { needed, given: needed - 1 }));
    let mut out = vec![0; message.len()];
    let len = sealer.update(&plaintext, &mut out).expect("room");
    sealer.finish(&mut out[len..]).expect("room");
    assert!(out == message);

    let mut opener = cobblestone.opener();
    let needed = opener.update_len(message.len());
    let refused = opener.update(&message, &mut vec![0; needed - 1]);
    assert_eq!(refused, Err(Error::OutputTooSmall { needed, given: needed - 1 }));
    let mut out = vec![0; 20_000];
    let len = opener.update(&message, &mut out).expect("room");
    opener.finish(&mut out[len..]).expect("room");
    assert!(out == plaintext);
}

#[test]
fn a_shared_sealer_gives_each_chunk_out_once() {
    let key = key();
    let cobblestone = Cobblestone::new(&key, b"c").with_random(&SALT);
    let plaintext = pattern(5 * CHUNK_LEN + 9);
    let sealer = cobblestone.shared_sealer().expect("a salt");
    let runs =
        [sealer.next_run(2).expect("room"), sealer.next_run(0).expect("room"), sealer.next_run(1).expect("room")];
    let last = sealer.last_run(2 * CHUNK_LEN + 9).expect("room");
    assert_eq!(sealer.next_run(1).err(), Some(Error::Finished));
    assert_eq!(sealer.last_run(0).err(), Some(Error::Finished));

    // In any order, each into its place.
    let mut message = vec![0; sealed(&plaintext).len()];
    message[..HEADER_LEN].copy_from_slice(sealer.header());
    assert_eq!(last.sealed_len(), 2 * SEALED_CHUNK_LEN + 9 + TAG_LEN);
    last.seal(&plaintext[3 * CHUNK_LEN..], &mut message[HEADER_LEN + 3 * SEALED_CHUNK_LEN..]).expect("room");
    let [first, none, third] = runs;
    third
        .seal(&plaintext[2 * CHUNK_LEN..3 * CHUNK_LEN], &mut message[HEADER_LEN + 2 * SEALED_CHUNK_LEN..])
        .expect("room");
    assert_eq!(none.seal(b"", &mut []), Ok(0));
    first.seal(&plaintext[..2 * CHUNK_LEN], &mut message[HEADER_LEN..]).expect("room");
    assert!(message == sealed(&plaintext));

    let sealer = cobblestone.shared_sealer().expect("a salt");
    let wrong = sealer.next_run(1).expect("room").seal(&plaintext[..100], &mut message);
    assert_eq!(wrong, Err(Error::WrongRunLength { reserved: CHUNK_LEN, given: 100 }));
    // The message is lost.
    assert_eq!(sealer.next_run(1).err(), Some(Error::FailedBefore));
    assert_eq!(sealer.last_run(0).err(), Some(Error::FailedBefore));

    let sealer = cobblestone.shared_sealer().expect("a salt");
    assert_eq!(sealer.next_run(usize::MAX).err(), Some(Error::TooLong));
    let too_many = usize::try_from(MAX_CHUNKS).unwrap_or(usize::MAX);
    assert_eq!(sealer.next_run(too_many).err(), Some(Error::TooLong));
    // All but the last, in as many runs as it takes where a `usize` is small.
    let mut left = MAX_CHUNKS - 1;
    while left > 0 {
        let chunks = usize::try_from(left).unwrap_or(usize::MAX).min(usize::MAX / SEALED_CHUNK_LEN);
        assert!(sealer.next_run(chunks).is_ok(), "{left} are left");
        left -= chunks as u64;
    }
    assert_eq!(sealer.next_run(1).err(), Some(Error::TooLong));
    assert_eq!(sealer.last_run(CHUNK_LEN).err(), Some(Error::TooLong));
    assert!(sealer.last_run(CHUNK_LEN - 1).is_ok());
}

#[test]
fn chunks_open_in_any_order_and_only_in_their_place() {
    let plaintext = pattern(3 * CHUNK_LEN + 100);
    let message = sealed(&plaintext);
    let key = key();
    let opener =
        Cobblestone::new(&key, b"c").chunk_opener(message.first_chunk().expect("a header")).expect("authentic");
    for first in [3, 0, 2, 1] {
        let sealed = &message[HEADER_LEN + first * SEALED_CHUNK_LEN..];
        let mut out = vec![0xEE; ChunkOpener::open_len(sealed.len())];
        assert_eq!(opener.open(first as u64, sealed, &mut out), Ok(out.len()));
        assert!(out == plaintext[first * CHUNK_LEN..]);
        for elsewhere in [first as u64 + 1, u64::MAX, 1 << 38] {
            assert_eq!(opener.open(elsewhere, sealed, &mut out), Err(Error::Authentication));
            assert!(out.iter().all(|&byte| byte == 0));
        }
    }
}
