//! A fault in one implementation, planted: what it can do to objects of one layer and of two, and what finds it.
//!
//! It is planted for the whole process, so there is one test.

use objseal::cobblestone::Threads;
use objseal::envelope::{Envelope, EnvelopeError, NewBody};
use objseal::hazmat::faults::{self, Fault};
use objseal::{Engine, Error};
use objseal_keys::keyring::Keyring;
use objseal_tests::{keyring, open_options, pattern, seal_options};
use std::sync::Arc;

const LEN: usize = 300_000;
const INNER_CHUNKS: u64 = 19;
/// An inner message of 300,360 bytes.
const OUTER_CHUNKS: u64 = 19;

fn seal(keyring: &Keyring, layers: &[Engine]) -> (Envelope, Vec<u8>) {
    let (envelope, body) = start(keyring, layers, false).expect("sealed");
    (envelope, body.seal(&pattern(LEN)).expect("sealed"))
}

fn start(keyring: &Keyring, layers: &[Engine], check: bool) -> Result<(Envelope, NewBody), EnvelopeError> {
    let mut sealing = seal_options(keyring, &["main", "main"][..layers.len()]).with_engine(layers[0])?;
    if let Some(&outer) = layers.get(1) {
        sealing = sealing.with_outer_engine(outer)?;
    }
    if check {
        sealing = sealing.with_check();
    }
    sealing.start()
}

/// Opens the body on these engines.
fn open(keyring: &Arc<Keyring>, envelope: &Envelope, stored: &[u8], layers: &[Engine]) -> Result<Vec<u8>, Error> {
    let mut opening = open_options(keyring).with_engine(layers[0])?;
    if let Some(&outer) = layers.get(1) {
        opening = opening.with_outer_engine(outer)?;
    }
    let envelope = opening.open(envelope.stored()).expect("wraps are not what is tested here");
    envelope.body().expect("one body").open(stored)
}

#[test]
fn a_fault_of_one_engine_shows_in_its_layer_alone() {
    let keyring = keyring(&["main"]);
    let native = Engine::detect();
    let mut checks = 0;

    for (a, b, c) in [
        (native, Engine::AwsLc, Engine::RustCrypto),
        (native, Engine::RustCrypto, Engine::AwsLc),
        (Engine::AwsLc, native, Engine::RustCrypto),
        (Engine::RustCrypto, Engine::AwsLc, native),
    ]
    .into_iter()
    // The portable backend and RustCrypto are no two layers.
    .filter(|(a, b, _)| !a.shares_code_with(*b))
    {
        // Each layer is worked on by its engine and no other: a, b and what wraps.
        let before = [a, b, c].map(faults::chunks);
        let (envelope, body) = start(&keyring, &[a, b], false).expect("sealed");
        let between = [a, b, c].map(faults::chunks);
        // A wrap of each layer is one chunk, on the engine of the layer.
        assert_eq!([1, 1, 0], std::array::from_fn(|i| between[i] - before[i]), "{a} in {b}");
        body.seal(&pattern(LEN)).expect("sealed");
        let after = [a, b, c].map(faults::chunks);
        assert_eq!([INNER_CHUNKS, OUTER_CHUNKS, 0], std::array::from_fn(|i| after[i] - between[i]), "{a} in {b}");
        drop(envelope);

        // The inner layer's engine is at fault, then the outer one's: that layer alone opens on no other engine.
        for layers in [[a, b], [b, a]] {
            let faulty_layer = usize::from(layers[1] == a);
            // Keys are wrapped before, so that the wraps hold.
            let (envelope, body) = start(&keyring, &layers, false).expect("sealed");
            faults::plant(Some((a, Fault::Tag)));
            let stored = body.seal(&pattern(LEN)).expect("sealed");
            for (inner, outer) in [(a, a), (a, b), (a, c), (b, a), (b, b), (b, c), (c, a), (c, b), (c, c)] {
                faults::plant(None);
                let opening = open_options(&keyring).with_engine(inner).expect("available");
                let opening = opening.with_outer_engine(outer).expect("available");
                let opened = opening.open(envelope.stored()).expect("authentic");
                faults::plant(Some((a, Fault::Tag)));
                let result = opened.body().expect("one body").open(&stored);
                // Opens if what does the faulty layer has the same fault, and what does the other one has none.
                let expected = [inner, outer].map(|engine| engine == a) == [faulty_layer == 0, faulty_layer == 1];
                match result {
                    Ok(plaintext) => assert!(expected && plaintext == pattern(LEN), "{inner} in {outer}"),
                    Err(error) => assert!(!expected && error == Error::Authentication, "{inner} in {outer}: {error}"),
                }
                checks += 1;
            }
            faults::plant(None);
        }

        // A wrong key stream under a right tag opens, to something else, wherever the fault is not.
        let (envelope, body) = start(&keyring, &[a], false).expect("sealed");
        faults::plant(Some((a, Fault::KeyStream)));
        let stored = body.seal(&pattern(LEN)).expect("sealed");
        faults::plant(None);
        let opened = open(&keyring, &envelope, &stored, &[b]).expect("the tags hold");
        assert!(opened != pattern(LEN) && opened.len() == LEN);

        // Checked before it is given out, neither fault gets through, in whichever layer.
        for fault in [Fault::Tag, Fault::KeyStream] {
            for layers in [&[a][..], &[a, b], &[b, a]] {
                let (envelope, body) = start(&keyring, layers, true).expect("sealed");
                faults::plant(Some((a, fault)));
                let mut out = Vec::new();
                let error = body.seal_stream(&pattern(LEN)[..], &mut out, &Threads::available());
                faults::plant(None);
                let error = error.expect_err("the fault is found");
                // Which of the two is wrong it cannot know.
                let found = error.get_ref().and_then(|error| error.downcast_ref());
                assert!(matches!(found, Some(Error::CheckFailed(_))), "{layers:?}: {error}");
                assert!(out.len() <= 56, "only a header was written");
                assert_eq!(open(&keyring, &envelope, &out, layers), Err(Error::Authentication));
                // Without a fault the same passes.
                let (envelope, body) = start(&keyring, layers, true).expect("sealed");
                let stored = body.seal(&pattern(LEN)).expect("no fault");
                assert!(open(&keyring, &envelope, &stored, layers).expect("authentic") == pattern(LEN));
                checks += 1;
            }
        }
        println!("faults: planted in {a}; {b} and {c} are without");
    }
    let (envelope, stored) = seal(&keyring, &[native, Engine::AwsLc]);
    assert!(open(&keyring, &envelope, &stored, &[Engine::RustCrypto, native]).expect("authentic") == pattern(LEN));
    println!("faults: {checks} combinations");
}
