//! The cases. The reference is the blocking face, in memory.

use crate::{Face, Keys, Pieces, Refusal, hostile};
use objseal::cobblestone::Threads;
use objseal::file::{self, SealedFile};
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;
use std::num::NonZeroUsize;

/// Lengths around every border: of chunks in one layer, in two, and of windows.
fn lengths() -> Vec<usize> {
    let mut all = vec![0, 1, 15, 16, 17];
    for border in [16_384 - 56, 16_384 - 40, 16_384, 2 * 16_384 - 128, 2 * 16_384, 65_536, 262_144] {
        all.extend(border - 1..=border + 1);
    }
    all
}

/// Runs all cases on a face, and prints what it exchanged with the reference.
///
/// # Panics
/// If it does not conform.
pub fn conform(face: &mut dyn Face) {
    let mut exchanged = 0;
    for layers in [1, 2] {
        let keys = Keys::of(layers);
        for len in lengths() {
            let plain = pattern(len);
            let pieces = Pieces(vec![u32::try_from(len / 3 + 1).unwrap_or(1), 65_536, 7]);
            round_trip(face, &keys, &pieces, &plain);
            exchanged += 2;
        }
    }
    let splits = any_splits(face);
    let refused = hostile(face);
    println!(
        "conformance: {}: {exchanged} objects at borders, {splits} in random pieces, {refused} refused",
        face.name()
    );
}

/// What the face seals the reference opens, and the other way round; and ranges.
fn round_trip(face: &mut dyn Face, keys: &Keys, pieces: &Pieces, plain: &[u8]) {
    let (name, len) = (face.name(), plain.len());
    let sealed = face.seal(keys, pieces, plain).unwrap_or_else(|error| panic!("{name}, {len}: {error:?}"));
    assert_eq!(sealed.len() as u64, file::sealed_len(&keys.to_seal(), len as u64).expect("a length"), "{name}");
    assert!(open(keys, &sealed).expect("authentic") == plain, "{name}, {len} bytes sealed by it");
    let stored = seal(keys, plain);
    let opened = face.open(keys, pieces, &stored).unwrap_or_else(|error| panic!("{name}, {len}: {error:?}"));
    assert!(opened == plain, "{name}, {len} bytes opened by it");
    let end = len as u64;
    for range in
        [0..end, end / 3..end / 2, end.saturating_sub(1)..end, 0..end.min(16_384), end.min(16_383)..end.min(16_386)]
    {
        let opened = face.open_range(keys, &stored, range.clone()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let within = |at| usize::try_from(at).unwrap_or(0);
        assert!(opened == plain[within(range.start)..within(range.end)], "{name}, {range:?} of {len}");
    }
    let beyond = face.open_range(keys, &stored, end..end + 1).expect_err("beyond the end");
    assert!(matches!(beyond, Refusal::Other(_)), "{name}: {beyond:?}");
}

fn any_splits(face: &mut dyn Face) -> u32 {
    const CASES: u32 = 40;
    let face = RefCell::new(face);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let strategy = (1_u8..=2, 0_usize..150_000, proptest::collection::vec(1_u32..40_000, 1..10));
    let done = TestRunner::new(config).run(&strategy, |(layers, len, pieces)| {
        round_trip(&mut **face.borrow_mut(), &Keys::of(layers), &Pieces(pieces), &pattern(len));
        Ok(())
    });
    if let Err(error) = done {
        panic!("{}: {error}", face.borrow().name());
    }
    2 * CASES
}

/// Everything that was changed is refused, front to back and in ranges, for the reason that the reference gives.
fn hostile(face: &mut dyn Face) -> usize {
    let mut refused = 0;
    for layers in [1, 2] {
        let keys = Keys::of(layers);
        for len in [0, 100, 60_000] {
            let plain = pattern(len);
            let (stored, other) = (seal(&keys, &plain), seal(&keys, &plain));
            for (what, changed) in hostile::changed(&stored, &other) {
                let what = format!("{}, {layers} layers, {len} bytes, {what}", face.name());
                let expected = open(&keys, &changed).expect_err(&what);
                assert!(!matches!(expected, Refusal::Other(_)), "{what}: {expected:?}");
                let pieces = Pieces(vec![50_000]);
                assert_eq!(face.open(&keys, &pieces, &changed), Err(expected.clone()), "{what}");
                // A range may not touch what was changed; if it opens, it is the plaintext.
                match (SealedFile::open(&keys.to_open(), &changed[..]), face.open_range(&keys, &changed, 0..len as u64))
                {
                    (_, Ok(opened)) => assert!(opened == plain, "{what}"),
                    (Err(error), Err(refusal)) => assert_eq!(refusal, error.into(), "{what}"),
                    (Ok(_), Err(refusal)) => assert_eq!(refusal, Refusal::Authentication, "{what}"),
                }
                refused += 1;
            }
            let wrong = face.open(&Keys::another(), &Pieces(vec![50_000]), &stored);
            assert_eq!(wrong, Err(Refusal::Authentication), "{}: another key", face.name());
            refused += 1;
        }
    }
    refused
}

/// Bytes that repeat at no length that matters.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251 + at / 65_521).to_le_bytes()[0]).collect()
}

fn seal(keys: &Keys, plain: &[u8]) -> Vec<u8> {
    let mut stored = Vec::new();
    file::seal(&keys.to_seal(), plain, &mut stored, &Threads(NonZeroUsize::MIN)).expect("sealed");
    stored
}

fn open(keys: &Keys, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    file::open(&keys.to_open(), stored, &mut plain, &Threads(NonZeroUsize::MIN))?;
    Ok(plain)
}
