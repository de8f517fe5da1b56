//! Ranges without IO: what is planned is enough and no more than needed, and what comes out is the plaintext or nothing.

#![allow(clippy::single_range_in_vec_init, reason = "one range is a list of ranges")]

use objseal::cobblestone::{CHUNK_LEN, SEALED_CHUNK_LEN, Threads};
use objseal::envelope::{Envelope, EnvelopeError, Fetch, KeyService, Ranges, SealOptions, sealed_range};
use objseal::file::{FileError, FileRanges};
use objseal::{Backend, Error};
use objseal_keys::keyring::Keyring;
use objseal_tests::{keyring, open_options, pattern, report, seal_in_memory, seal_options};
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

const CHUNK: u64 = CHUNK_LEN as u64;

struct Stored {
    plain: Vec<u8>,
    envelope: Envelope,
    body: Vec<u8>,
}

fn stored(keyring: &Arc<Keyring>, layers: u8, len: usize) -> Stored {
    let plain = pattern(len);
    let (envelope, body) = options(keyring, layers).start().expect("sealed");
    let body = body.seal(&plain).expect("sealed");
    let envelope = open_options(keyring).with_any_context().open(envelope.stored()).expect("opened");
    Stored { plain, envelope, body }
}

fn options(keyring: &Keyring, layers: u8) -> SealOptions {
    seal_options(keyring, &["a", "b"][..usize::from(layers)])
}

impl Stored {
    fn ranges(&self) -> Ranges {
        let body = self.envelope.body().expect("a body");
        body.ranges(self.body.len() as u64).expect("a length")
    }

    /// The bytes that a fetch asks for.
    fn fetch(&self, fetch: &Fetch) -> &[u8] {
        &self.body[usize_range(&fetch.stored)]
    }

    /// That the fetches hold all of the ranges, and open to the plaintext.
    fn check(&self, ranges: &Ranges, wanted: &[Range<u64>], gap: u64, piece_len: usize) {
        let fetches = ranges.plan(wanted, gap).expect("within the plaintext");
        for pair in fetches.windows(2) {
            assert!(pair[0].stored.end + gap < pair[1].stored.start, "{fetches:?} with gaps of {gap}");
        }
        let opened: Vec<_> = fetches.iter().map(|fetch| open(ranges, fetch, self.fetch(fetch), piece_len)).collect();
        for range in wanted.iter().filter(|range| !range.is_empty()) {
            let found = fetches
                .iter()
                .zip(&opened)
                .find_map(|(fetch, opened)| Some(&opened.as_ref().expect("authentic")[fetch.find(range)?]));
            assert_eq!(found.expect("fetched"), &self.plain[usize_range(range)], "{range:?} in {fetches:?}");
        }
        assert!(ranges.is_proven());
    }
}

fn usize_range(range: &Range<u64>) -> Range<usize> {
    let at = |at| usize::try_from(at).expect("in memory");
    at(range.start)..at(range.end)
}

/// Opens what was fetched, in pieces of this length.
fn open(ranges: &Ranges, fetch: &Fetch, fetched: &[u8], piece_len: usize) -> Result<Vec<u8>, Error> {
    let mut opener = ranges.opener(fetch);
    let mut out = Vec::new();
    for piece in fetched.chunks(piece_len) {
        let mut room = vec![0xff; opener.update_len(piece.len()) + 3];
        let len = opener.update(piece, &mut room).inspect_err(|_| {
            let (written, beyond) = room.split_at(room.len() - 3);
            assert!(written.iter().all(|&byte| byte == 0) && beyond == [0xff; 3]);
        })?;
        assert_eq!(len + 3, room.len(), "as many as were told");
        out.extend_from_slice(&room[..len]);
    }
    opener.finish().map(|()| out)
}

/// Lengths at every border of chunks, in one layer and in two.
fn lengths() -> Vec<usize> {
    let inner = CHUNK_LEN - 56;
    let near = |len: usize| len.saturating_sub(17)..len + 18;
    let mut all: Vec<_> = (0..3).chain(near(inner)).chain(near(CHUNK_LEN)).chain(near(2 * CHUNK_LEN)).collect();
    all.extend([3 * CHUNK_LEN - 73, 5 * CHUNK_LEN, 5 * CHUNK_LEN + 1, 100_000]);
    all
}

#[test]
fn at_every_border() {
    let keyring = keyring(&["a", "b"]);
    for layers in [1, 2] {
        for len in lengths() {
            let stored = stored(&keyring, layers, len);
            let end = len as u64;
            let borders = [0, 1, CHUNK - 57, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, end.saturating_sub(1), end];
            let borders: Vec<_> = borders.into_iter().filter(|&at| at <= end).collect();
            for &from in &borders {
                for &to in borders.iter().filter(|&&to| to >= from) {
                    let ranges = stored.ranges();
                    assert!(!ranges.is_proven());
                    stored.check(&ranges, &[from..to], 0, 16_391);
                }
            }
        }
    }
    report("ranges", Backend::detect(), format_args!("{} lengths at every border, two ways", lengths().len()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn many_ranges_in_any_pieces(
        layers in 1_u8..=2,
        len in 0_usize..300_000,
        cuts in proptest::collection::vec((0_usize..300_000, 0_usize..40_000), 0..12),
        gap in prop_oneof![Just(0_u64), 0_u64..100_000],
        piece_len in prop_oneof![1_usize..100, 100_usize..50_000, Just(1_000_000)],
        proven: bool,
    ) {
        // Small pieces are slow ones.
        let len = if piece_len < 100 { len % 50_000 } else { len };
        let stored = stored(&keyring(&["a", "b"]), layers, len);
        let wanted: Vec<_> = cuts
            .iter()
            .map(|&(start, more)| {
                let start = start % (len + 1);
                start as u64..(start + more).min(len) as u64
            })
            .collect();
        let ranges = stored.ranges();
        let ranges = if proven { ranges.of_plaintext_len(len as u64).expect("its length") } else { ranges };
        stored.check(&ranges, &wanted, gap, piece_len);
    }
}

#[test]
fn no_more_is_fetched_than_is_needed() {
    let keyring = keyring(&["a", "b"]);
    for layers in [1, 2] {
        let len = 40 * CHUNK + 5;
        let stored = stored(&keyring, layers, usize::try_from(len).expect("in memory"));
        let ranges = stored.ranges().of_plaintext_len(len).expect("its length");
        for range in [0..1, 7 * CHUNK..8 * CHUNK, 20 * CHUNK - 1..20 * CHUNK + 1] {
            let fetches = ranges.plan(std::slice::from_ref(&range), 0).expect("within");
            assert_eq!(fetches.len(), 1, "one fetch: nothing of the header");
            let expected = sealed_range(layers, range, stored.body.len() as u64).expect("within");
            assert_eq!(fetches[0].stored, expected);
        }
        // Ranges of one chunk are fetched once, whatever the gap.
        let fetches = ranges.plan(&[5..6, 0..1, 9_000..9_001, 100..100], 0).expect("within");
        assert_eq!(fetches.len(), 1);
        assert_eq!(fetches[0].plaintext, 0..9_001);
        let apart = [0..1, 10 * CHUNK..10 * CHUNK + 1];
        assert_eq!(ranges.plan(&apart, 0).expect("within").len(), 2);
        assert_eq!(ranges.plan(&apart, 10 * SEALED_CHUNK_LEN as u64).expect("within").len(), 1);
        assert!(ranges.plan(&[], 0).expect("nothing").is_empty());
    }
}

#[test]
fn the_end_is_proven_once_for_all() {
    let keyring = keyring(&["a", "b"]);
    for (layers, len) in [(1, 0), (1, 2 * CHUNK_LEN), (2, 100_000), (2, 2 * CHUNK_LEN - 56)] {
        let stored = stored(&keyring, layers, len);
        let ranges = stored.ranges();
        let plan = ranges.plan(&[], 0).expect("the end");
        assert_eq!(plan.len(), 1);
        assert_eq!(plan[0].stored.end, stored.body.len() as u64);
        assert_eq!(open(&ranges, &plan[0], stored.fetch(&plan[0]), 1_000).expect("authentic").len(), 0);
        assert!(ranges.is_proven() && ranges.plan(&[], 0).expect("nothing").is_empty());

        // What was cut short, or is longer, by chunks or by bytes, is never proven.
        let body = stored.envelope.body().expect("a body");
        let other = stored.body.len() + SEALED_CHUNK_LEN;
        for claimed in
            [stored.body.len() - 1, stored.body.len() + 1, other, stored.body.len().saturating_sub(SEALED_CHUNK_LEN)]
        {
            let Ok(ranges) = body.ranges(claimed as u64) else { continue };
            let plan = ranges.plan(&[], 0).expect("the end");
            let mut longer = stored.body.clone();
            longer.resize(longer.len() + SEALED_CHUNK_LEN, 0);
            let fetched = &longer[usize_range(&plan[0].stored)];
            assert_eq!(open(&ranges, &plan[0], fetched, 1_000), Err(Error::Authentication), "{claimed}");
            assert!(!ranges.is_proven());
            assert_eq!(ranges.of_plaintext_len(len as u64).map(drop), Err(Error::Authentication), "{claimed}");
        }
    }
}

#[test]
fn what_was_changed_does_not_come_out() {
    let keyring = keyring(&["a", "b"]);
    for layers in [1, 2] {
        let mut changed = stored(&keyring, layers, 5 * CHUNK_LEN + 100);
        let ranges = changed.ranges();
        let end = changed.plain.len() as u64;
        let wanted = [CHUNK + 5..3 * CHUNK + 5, end - 10..end];
        let fetches = ranges.plan(&wanted, 0).expect("within");
        for fetch in &fetches {
            let places = usize_range(&fetch.stored).step_by(997).chain([usize_range(&fetch.stored).end - 1]);
            for at in places {
                changed.body[at] ^= 0x40;
                assert_eq!(open(&ranges, fetch, changed.fetch(fetch), 20_000), Err(Error::Authentication), "{at}");
                changed.body[at] ^= 0x40;
            }
            // Missing, doubled, or of another place.
            let fetched = changed.fetch(fetch);
            assert_eq!(open(&ranges, fetch, &fetched[..fetched.len() - 1], 20_000), Err(Error::Authentication));
            assert_eq!(open(&ranges, fetch, &[fetched, &[0]].concat(), 20_000), Err(Error::Authentication));
            assert_eq!(open(&ranges, fetch, &[], 20_000), Err(Error::Authentication));
            let elsewhere = &changed.body[60..60 + fetched.len()];
            assert_eq!(open(&ranges, fetch, elsewhere, 20_000), Err(Error::Authentication));
        }
        let middle = ranges.plan(&[CHUNK..CHUNK + 1], 0).expect("within").remove(0);
        open(&ranges, &middle, changed.fetch(&middle), 20_000).expect("authentic");
        assert!(!ranges.is_proven(), "the end was not opened");
        let other = stored(&keyring, layers, 5 * CHUNK_LEN + 100);
        let refused = open(&ranges, &fetches[0], other.fetch(&fetches[0]), 20_000);
        assert_eq!(refused, Err(Error::Authentication), "the body of another object");
    }
}

#[test]
fn after_a_failure_nothing_comes() {
    let keyring = keyring(&["a", "b"]);
    let stored = stored(&keyring, 2, 200_000);
    let ranges = stored.ranges();
    let fetch = &ranges.plan(&[0..200_000], 0).expect("within")[0];
    let mut opener = ranges.opener(fetch);
    let mut changed = stored.fetch(fetch).to_vec();
    changed[40_000] ^= 1;
    let mut out = vec![0; 300_000];
    let mut refused = 0;
    for piece in changed.chunks(10_000) {
        match opener.update(piece, &mut out) {
            Ok(len) => assert!(refused == 0 && len <= opener.update_len(0) + 16_384 * 2),
            Err(error) => {
                assert_eq!((error, opener.update_len(1_000_000)), (Error::Authentication, 0));
                refused += 1;
            }
        }
    }
    assert!(refused > 1);
    assert_eq!(opener.finish(), Err(Error::Authentication));
}

#[test]
fn misuse_is_an_error() {
    let keyring = keyring(&["a", "b"]);
    let stored = stored(&keyring, 1, 100);
    let ranges = stored.ranges();
    #[allow(clippy::reversed_empty_ranges, reason = "what is refused")]
    for range in [0..101, 101..101, 5..4, 0..u64::MAX, u64::MAX..u64::MAX] {
        assert_eq!(ranges.plan(&[range], 0).map(drop), Err(Error::OutOfRange { plaintext_len: 100 }));
    }
    for len in [0, 1, 71, u64::MAX] {
        assert_eq!(stored.envelope.body().expect("a body").ranges(len).map(drop), Err(Error::Authentication), "{len}");
    }
    // A fetch that nobody planned opens nothing.
    let mut fetch = ranges.plan(&[0..100], u64::MAX).expect("within").remove(0);
    #[allow(clippy::reversed_empty_ranges, reason = "nobody planned it")]
    for plaintext in [u64::MAX - 1..u64::MAX, 50..40, 200..300] {
        fetch.plaintext = plaintext.clone();
        let opened = open(&ranges, &fetch, &stored.body[56..], 1_000);
        assert!(opened.is_ok_and(|out| out.is_empty()) || plaintext.start < plaintext.end, "{plaintext:?}");
    }
    let mut opener = ranges.opener(&ranges.plan(&[0..100], 0).expect("within")[0]);
    let short = opener.update(&stored.body[56..], &mut [0; 99]);
    assert_eq!(short, Err(Error::OutputTooSmall { needed: 100, given: 99 }));
    assert_eq!(opener.update(&stored.body[56..], &mut [0; 100]), Ok(100), "nothing was consumed");
}

#[test]
fn threads_share_them() {
    let keyring = keyring(&["a", "b"]);
    let plain = pattern(2_000_000);
    let (envelope, body) = options(&keyring, 2).start().expect("sealed");
    let mut sealed = Vec::new();
    let threads = Threads(NonZeroUsize::new(2).expect("2"));
    body.seal_stream(&plain[..], &mut sealed, &threads).expect("sealed");
    let stored = Stored { plain, envelope, body: sealed };
    let ranges = stored.ranges();
    let fetches = ranges.plan(&[0..400_000, 700_000..2_000_000], 0).expect("within");
    std::thread::scope(|scope| {
        for fetch in &fetches {
            scope.spawn(|| {
                let opened = open(&ranges, fetch, stored.fetch(fetch), 70_000).expect("authentic");
                assert_eq!(opened, stored.plain[usize_range(&fetch.plaintext)]);
            });
        }
    });
    assert!(ranges.is_proven());
}

/// A range of a sealed file, of which only what was planned is fetched.
fn open_of_file(file: &FileRanges, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for fetch in file.ranges().plan(&[range], 0)? {
        out.extend(open(file.ranges(), &fetch, &stored[usize_range(&fetch.stored)], 40_000)?);
    }
    Ok(out)
}

fn file_ranges(keyring: &Arc<Keyring>, stored: &[u8]) -> Result<FileRanges, FileError> {
    let size = stored.len() as u64;
    let [start, end] = FileRanges::ends(size)?;
    let fetched = |range| &stored[usize_range(&range)];
    FileRanges::open(&open_options(keyring), size, fetched(start), fetched(end))
}

#[test]
fn of_sealed_files() {
    let keyring = keyring(&["a", "b"]);
    for layers in [1, 2] {
        for len in [0, 1, 16_384, 20_000, 300_000] {
            let plain = pattern(len);
            let stored = seal_in_memory(&options(&keyring, layers), &plain);
            let file = file_ranges(&keyring, &stored).expect("authentic");
            assert_eq!((file.info().attributes.plaintext_len, file.ranges().plaintext_len()), (len as u64, len as u64));
            assert!(file.ranges().is_proven());
            let end = len as u64;
            for range in [0..end, end / 3..end / 2, end.saturating_sub(1)..end, 0..end.min(1)] {
                let opened = open_of_file(&file, &stored, range.clone()).expect("authentic");
                assert!(opened == plain[usize_range(&range)], "{range:?} of {len}");
            }
            // The keys can come by a plan.
            let size = stored.len() as u64;
            let [start, last] = FileRanges::ends(size).expect("long enough");
            let (start, last) = (&stored[usize_range(&start)], &stored[usize_range(&last)]);
            let mut plan = FileRanges::plan(&open_options(&keyring), size, start, last).expect("accepted");
            while let Some(request) = plan.next_request() {
                let answer = keyring.reopen(&request);
                plan.answer(answer);
            }
            let planned = plan.finish().expect("authentic");
            assert_eq!(planned.info().envelope.head().object_id, file.info().envelope.head().object_id);
        }
    }
}

#[test]
fn files_that_are_none_or_were_changed() {
    let keyring = keyring(&["a", "b"]);
    let plain = pattern(100_000);
    let stored = seal_in_memory(&options(&keyring, 2), &plain);
    for len in [0, 1, 8_191] {
        assert!(matches!(file_ranges(&keyring, &stored[..len]), Err(FileError::NotSealed)), "{len}");
    }
    assert!(matches!(file_ranges(&keyring, &vec![0; 50_000]), Err(FileError::NotSealed)));
    let authentication = |result: Result<FileRanges, FileError>, what: &str| {
        let error = result.map(drop).expect_err(what);
        assert!(matches!(error, FileError::Envelope(EnvelopeError::Authentication)), "{what}: {error}");
    };
    for len in [8_192, 8_195, 8_300, 20_000, stored.len() - 1] {
        authentication(file_ranges(&keyring, &stored[..len]), &format!("cut to {len}"));
    }
    authentication(file_ranges(&keyring, &[&stored[..], &[0]].concat()), "a byte more");
    let mut longer = stored.clone();
    longer.splice(50_000..50_000, [0; SEALED_CHUNK_LEN]);
    authentication(file_ranges(&keyring, &longer), "a chunk more");
    for from_end in [1, 4, 5, 50] {
        let mut changed = stored.clone();
        let at = changed.len() - from_end;
        changed[at] ^= 1;
        authentication(file_ranges(&keyring, &changed), &format!("changed {from_end} from the end"));
    }
    // Ends that are not those that were asked for.
    let size = stored.len() as u64;
    let [start, end] = FileRanges::ends(size).expect("long enough");
    let (start, end) = (&stored[usize_range(&start)], &stored[usize_range(&end)]);
    let options = open_options(&keyring);
    authentication(FileRanges::open(&options, size, start, &end[1..]), "too short an end");
    authentication(FileRanges::open(&options, size, start, &[]), "no end");
    assert!(matches!(FileRanges::open(&options, size, &start[1..], end), Err(FileError::NotSealed)));
    // Exchanged after it was opened.
    let file = file_ranges(&keyring, &stored).expect("authentic");
    let other = seal_in_memory(&self::options(&keyring, 2), &plain);
    assert_eq!(open_of_file(&file, &other, 0..10), Err(Error::Authentication));
}
