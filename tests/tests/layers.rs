//! Objects of two layers: sizes, splits, ranges, engines, and what it takes to open them.

use objseal::Push;
use objseal::cobblestone::{CHUNK_LEN, Threads, Workers};
use objseal::envelope::{
    Demand, Envelope, EnvelopeError, Head, NewBody, largest_plaintext_len, plaintext_len, sealed_len, sealed_range,
};
use objseal::file::{FileError, SealedFile};
use objseal::{Backend, Engine, Error};
use objseal_keys::keyring::Keyring;
use objseal_tests::{engines, open_options, pattern, report, seal_in_memory, seal_options};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Borders of chunks in both layers, of small inputs and of windows.
const SIZES: [usize; 22] = [
    0, 1, 16_311, 16_312, 16_313, 16_383, 16_384, 16_385, 32_679, 32_680, 65_535, 65_536, 65_537, 262_143, 262_144,
    262_145, 278_527, 278_528, 524_287, 524_288, 524_289, 1_000_003,
];

/// A key for each layer.
const LAYERS: [&str; 2] = ["inner", "outer"];

fn keyring() -> Arc<Keyring> {
    objseal_tests::keyring(&LAYERS)
}

/// Says that there are many threads, so that windows are one chunk long, and has few.
struct ManyInWords;

impl Workers for ManyInWords {
    fn count(&self) -> NonZeroUsize {
        NonZeroUsize::new(1_000).expect("1,000")
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        Threads(NonZeroUsize::new(3).expect("3")).run(job);
    }
}

/// Every pair of engines that share no code.
fn pairs() -> Vec<(Engine, Engine)> {
    let all: Vec<_> = Engine::all().filter(|engine| engine.is_available()).collect();
    let pairs = engines().into_iter().flat_map(|inner| all.iter().map(move |&outer| (inner, outer)));
    pairs.filter(|(inner, outer)| !inner.shares_code_with(*outer)).collect()
}

#[test]
fn every_size_comes_back_whichever_way_it_went() {
    let keyring = keyring();
    for (inner, outer) in pairs() {
        let sealing = seal_options(&keyring, &LAYERS).with_engine(inner);
        let sealing = sealing.and_then(|sealing| sealing.with_outer_engine(outer)).expect("available");
        // Each layer on the other's engine.
        let opening = open_options(&keyring).with_engine(outer).and_then(|opening| opening.with_outer_engine(inner));
        let opening = opening.expect("available");
        for size in SIZES {
            let plain = pattern(size);
            let stored_len = sealed_len(2, size as u64).expect("short");
            assert_eq!(plaintext_len(2, stored_len), Some(size as u64));
            assert!(largest_plaintext_len(2, stored_len).expect("fits") >= size as u64);

            // Piece by piece.
            let (envelope, sealer) = sealing.start().expect("sealed");
            assert_eq!(sealer.engines(), [inner, outer]);
            let (mut sealer, mut by_pieces) = (sealer.sealer(), Vec::new());
            for piece in plain.chunks(70_001) {
                sealer.update_vec(piece, &mut by_pieces).expect("sealed");
            }
            sealer.finish_vec(&mut by_pieces).expect("sealed");
            let mut bodies = vec![(envelope, by_pieces)];
            // All at once.
            let (envelope, sealer) = sealing.start().expect("sealed");
            bodies.push((envelope, sealer.seal(&plain).expect("sealed")));
            // As a stream.
            let stream = |workers: &dyn Fn(NewBody, &mut Vec<u8>)| {
                let (envelope, sealer) = sealing.start().expect("sealed");
                let mut stored = Vec::new();
                workers(sealer, &mut stored);
                (envelope, stored)
            };
            bodies.push(stream(&|sealer, out| {
                assert_eq!(sealer.seal_stream(&plain[..], out, &threads(3)).expect("sealed"), size as u64);
            }));
            bodies.push(stream(&|sealer, out| {
                assert_eq!(sealer.seal_stream(&plain[..], out, &ManyInWords).expect("sealed"), size as u64);
            }));

            for (envelope, stored) in bodies {
                assert_eq!(stored.len() as u64, stored_len);
                let envelope = opening.open(envelope.stored()).expect("authentic");
                opens_every_way(&envelope, &stored, &plain, [outer, inner]);
            }
        }
        report("layers", inner, format!("{} sizes, four ways in, five ways out, under {outer}", SIZES.len()));
    }
}

fn threads(count: usize) -> Threads {
    Threads(NonZeroUsize::new(count).expect("not 0"))
}

fn opens_every_way(envelope: &Envelope, stored: &[u8], plain: &[u8], by: [Engine; 2]) {
    let size = plain.len();
    let body = envelope.body().expect("one body");
    assert!(body.open(stored).expect("authentic") == plain, "{size} bytes at once");
    let (mut opener, mut opened) = (envelope.body().expect("one body").opener(), Vec::new());
    for piece in stored.chunks(70_001) {
        opener.update_vec(piece, &mut opened).expect("authentic");
    }
    opener.finish_vec(&mut opened).expect("authentic");
    assert!(opened == plain, "{size} bytes in pieces");

    let mut opened = Vec::new();
    let (len, engines) = body.open_stream(stored, &mut opened, &threads(3)).expect("authentic");
    assert!(opened == plain && len == size as u64, "{size} bytes as a stream");
    assert_eq!(engines, by);
    let mut opened = Vec::new();
    body.open_stream(stored, &mut opened, &ManyInWords).expect("authentic");
    assert!(opened == plain, "{size} bytes as a stream on many threads");

    let access = body.open_at(stored).expect("authentic");
    assert_eq!(access.engines(), by);
    assert_eq!(access.len(), size as u64);
    for (from, to) in [(0, size), (size / 3, size), (size / 3, size / 3 + 1), (size.saturating_sub(1), size)] {
        let (from, to) = (from.min(size), to.min(size));
        let range = access.open_range(from as u64..to as u64).expect("authentic");
        assert!(range == plain[from..to], "{from}..{to} of {size}");
        let mut range = vec![0; to - from];
        access.open_range_parallel(&threads(3), from as u64, &mut range).expect("authentic");
        assert!(range == plain[from..to], "{from}..{to} of {size} on three threads");
    }
}

#[test]
fn a_range_fetches_only_the_chunks_that_it_needs() {
    let stored = sealed_len(2, 10_000_000).expect("short");
    for start in (0..9_999_000).step_by(9_973) {
        let range = start..start + 1_000;
        let fetched = sealed_range(2, range.clone(), stored).expect("within");
        assert!(fetched.end - fetched.start <= 4 * 16_400, "{range:?}");
    }
    assert_eq!(sealed_range(2, 0..10_000_001, stored), None);
    assert_eq!(sealed_range(2, 5..5, stored).map(|range| range.is_empty()), Some(true));
}

#[test]
fn the_largest_plaintexts_of_a_stored_limit() {
    // S3's largest single upload.
    assert_eq!(largest_plaintext_len(1, 5 << 30), Some(5_363_471_288));
    assert_eq!(largest_plaintext_len(2, 5 << 30), Some(5_358_238_576));
    for layers in [1, 2] {
        for limit in (0..40_000).chain((5 << 30) - 2_000..(5 << 30) + 2_000) {
            let Some(largest) = largest_plaintext_len(layers, limit) else {
                assert!(sealed_len(layers, 0).expect("short") > limit);
                continue;
            };
            assert!(sealed_len(layers, largest).expect("short") <= limit, "{layers} layers, {limit}");
            assert!(sealed_len(layers, largest + 1).expect("short") > limit, "{layers} layers, {limit}");
        }
    }
}

#[test]
fn a_changed_byte_is_refused_and_nothing_behind_it_comes_out() {
    let keyring = keyring();
    let plain = pattern(700_000);
    let (envelope, sealer) = seal_options(&keyring, &LAYERS).start().expect("sealed");
    let stored = sealer.seal(&plain).expect("sealed");
    let envelope = open_options(&keyring).open(envelope.stored()).expect("authentic");
    let mut refused = 0;
    for at in (0..200).chain((200..stored.len()).step_by(7_919)).chain(stored.len() - 100..stored.len()) {
        let mut changed = stored.clone();
        changed[at] ^= 1 << (at % 8);
        let mut opened = Vec::new();
        let error = envelope
            .body()
            .expect("one body")
            .open_stream(&changed[..], &mut opened, &threads(2))
            .expect_err("changed");
        assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&Error::Authentication), "byte {at}");
        assert!(plain.starts_with(&opened) && opened.len() % CHUNK_LEN == 0 && opened.len() <= at, "byte {at}");
        assert_eq!(envelope.body().expect("one body").open(&changed), Err(Error::Authentication));
        refused += 1;
    }
    for len in [0, 1, 56, 71, 72, 143, 144, 16_456, 16_472, stored.len() - 16_400, stored.len() - 1] {
        let error = envelope
            .body()
            .expect("one body")
            .open_stream(&stored[..len], Vec::new(), &threads(2))
            .expect_err("cut short");
        assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&Error::Authentication), "{len} bytes");
        let error = envelope.body().expect("one body").open_at(&stored[..len]).err().expect("cut short");
        assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&Error::Authentication), "{len} bytes");
        refused += 1;
    }
    println!("layers: {refused} changed or shortened bodies refused");
}

#[test]
fn two_layers_need_two_implementations() {
    let keyring = keyring();
    let [one_layer, two_layers] = [1, 2].map(|layers| seal_options(&keyring, &LAYERS[..layers]));
    let native = Engine::detect();
    let soft = Engine::Native(Backend::Soft);
    for (inner, outer) in [(native, native), (native, soft), (soft, Engine::RustCrypto), (Engine::AwsLc, Engine::AwsLc)]
    {
        let sealing = two_layers.clone().with_engine(inner);
        let sealing = sealing.and_then(|sealing| sealing.with_outer_engine(outer)).expect("available");
        let error = sealing.start().map(drop).expect_err("they share code");
        assert!(matches!(error, EnvelopeError::Seal(Error::EnginesAlike(a, b)) if (a, b) == (inner, outer)), "{error}");
        // One layer needs one.
        assert!(one_layer.clone().with_engine(inner).expect("available").start().is_ok());
        // Opening takes whatever there is.
        let (envelope, sealer) = two_layers.start().expect("sealed");
        let stored = sealer.seal(b"plain").expect("sealed");
        let opening = open_options(&keyring).with_engine(inner).and_then(|opening| opening.with_outer_engine(outer));
        let envelope = opening.expect("available").open(envelope.stored()).expect("authentic");
        assert_eq!(envelope.body().expect("one body").open(&stored).expect("authentic"), b"plain");
    }
    // What is chosen without a word.
    let (_, sealer) = two_layers.start().expect("sealed");
    assert_eq!(sealer.engines(), [native, Engine::AwsLc]);
    let sealing = two_layers.with_engine(Engine::AwsLc).expect("available");
    assert_eq!(sealing.start().expect("sealed").1.engines(), [Engine::AwsLc, native]);
}

#[test]
fn it_takes_a_key_of_each_layer() {
    let keyring = keyring();
    let (envelope, _sealer) = seal_options(&keyring, &LAYERS).start().expect("sealed");
    for (accepted, missing) in [("inner", "outer"), ("outer", "inner")] {
        let mut opening = open_options(&keyring);
        opening.policy_mut().keys.key_ids = Some(vec![accepted.into()]);
        let error = opening.open(envelope.stored()).expect_err("one is not enough");
        assert!(matches!(&error, EnvelopeError::NoAcceptedKey { wanted } if wanted[0].key_id == missing), "{error}");
    }
    let by: Vec<_> = envelope.opened_by().map(|key| (key.layer, key.key_id.as_str())).collect();
    assert_eq!(by, [(1, "inner"), (2, "outer")]);
    let head = Head::parse(envelope.stored()).expect("a head");
    assert_eq!(head.unverified().layers(), 2);
    // 258 for one layer; and a suite, a wrapped key and a salt.
    let wrapped_key = 125 + "keyring".len() + "outer".len();
    assert_eq!(envelope.stored().len(), 258 + "inner".len() + 2 + wrapped_key + 24);
}

#[test]
fn a_policy_can_ask_for_layers() {
    let keyring = keyring();
    let stored = seal_in_memory(&seal_options(&keyring, &["inner"]), b"plain");
    let mut opening = open_options(&keyring);
    opening.policy_mut().minimum_layers = 2;
    let error = SealedFile::open(&opening, &stored[..]).err();
    assert!(matches!(error, Some(FileError::Envelope(EnvelopeError::Policy(Demand::Layers)))));
    let stored = seal_in_memory(&seal_options(&keyring, &["inner", "inner"]), b"plain");
    // 72 more for the body, 72 for the attributes.
    assert_eq!(stored.len(), 8352 + 5 + 72 + 72);
    let file = SealedFile::open(&opening, &stored[..]).expect("authentic");
    assert_eq!(file.body().open_range(0..5).expect("authentic"), b"plain");
    assert_eq!(file.info().attributes.plaintext_len, 5);
}

#[test]
fn rewrapping_keeps_the_layers() {
    let keyring = keyring();
    let (old, sealer) = seal_options(&keyring, &LAYERS).start().expect("sealed");
    let stored = sealer.seal(b"plain").expect("sealed");
    let error = seal_options(&keyring, &["inner"]).rewrap(&old).expect_err("a layer is missing");
    assert!(matches!(error, EnvelopeError::OtherLayers { object: 2, given: 1 }), "{error}");
    let new = seal_options(&keyring, &["outer", "inner"]).rewrap(&old).expect("rewrapped");
    let opened = open_options(&keyring).open(new.stored()).expect("authentic");
    assert_eq!(opened.body().expect("one body").open(&stored).expect("authentic"), b"plain");
    let by: Vec<_> = opened.opened_by().map(|key| key.key_id.as_str()).collect();
    assert_eq!(by, ["outer", "inner"]);
}
