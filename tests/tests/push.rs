//! Everything that is pushed: the same contract for every sealer and opener, of bare messages, of bodies, of files and of
//! ranges.

use objseal::cobblestone::Cobblestone;
use objseal::envelope::{EnvelopeError, OpenOptions, SealOptions, WrappingKey};
use objseal::file;
use objseal::{Error, Key, Push};
use objseal_tests::{pattern, report};
use std::fmt::Debug;
use std::sync::Arc;

/// Lengths at the borders of chunks, in one layer and in two.
const LENGTHS: [usize; 10] = [0, 1, 56, 16_327, 16_328, 16_383, 16_384, 16_385, 50_000, 200_000];
/// Lengths of pieces.
const PIECES: [usize; 5] = [1_000, 16_384, 16_400, 65_537, 1_000_000];

/// Whether an error is this one.
trait Is: Debug {
    fn is(&self, error: Error) -> bool;
}

impl Is for Error {
    fn is(&self, error: Error) -> bool {
        *self == error
    }
}

impl Is for file::FileError {
    fn is(&self, error: Error) -> bool {
        match self {
            Self::Envelope(EnvelopeError::Authentication) => error == Error::Authentication,
            Self::Envelope(EnvelopeError::Seal(ours)) => *ours == error,
            _ => false,
        }
    }
}

/// What comes out, told beforehand to the byte; room that is a byte too short is refused and costs nothing.
fn push<T: Push>(transform: &mut T, input: &[u8], piece_len: usize) -> Result<Vec<u8>, T::Error>
where
    T::Error: Is,
{
    let mut out = Vec::new();
    for piece in input.chunks(piece_len) {
        let needed = transform.update_len(piece.len())?;
        if let Some(short) = needed.checked_sub(1) {
            let refused = transform.update(piece, &mut vec![0; short]).expect_err("too short");
            assert!(refused.is(Error::OutputTooSmall { needed, given: short }), "{refused:?}");
        }
        let mut room = vec![0xaa; needed + 2];
        assert_eq!(transform.update(piece, &mut room)?, needed);
        assert_eq!(room[needed..], [0xaa; 2], "no more than that");
        out.extend_from_slice(&room[..needed]);
    }
    transform.finish_vec(&mut out)?;
    Ok(out)
}

/// After the end nothing comes out any more: no nonce is used twice.
fn it_has_ended<T: Push>(transform: &mut T, with: Error)
where
    T::Error: Is,
{
    let mut room = vec![0; 100_000];
    for input in [&b""[..], &[7; 40_000]] {
        let refused = transform.update(input, &mut room).expect_err("it has ended");
        assert!(refused.is(with), "{refused:?}");
    }
    let refused = transform.finish(&mut room).expect_err("it has ended");
    assert!(refused.is(with), "{refused:?}");
    assert!(room.iter().all(|&byte| byte == 0));
}

/// Seals and opens at every border, in pieces of every length, changed and cut.
fn contract<S: Push, O: Push>(what: &str, sealer: impl Fn() -> S, opener: impl Fn(&[u8]) -> (O, usize))
where
    S::Error: Is,
    O::Error: Is,
{
    for len in LENGTHS {
        let plain = pattern(len);
        for piece_len in PIECES {
            let mut seal = sealer();
            let sealed = push(&mut seal, &plain, piece_len).expect("sealed");
            it_has_ended(&mut seal, Error::Finished);
            // What was read before it could begin.
            let (mut open, from) = opener(&sealed);
            let opened =
                push(&mut open, &sealed[from..], piece_len).unwrap_or_else(|error| panic!("{what}, {len}: {error:?}"));
            assert!(opened == plain, "{what}, {len} in pieces of {piece_len}");
            it_has_ended(&mut open, Error::Finished);
            let (mut cut, from) = opener(&sealed);
            let refused = push(&mut cut, &sealed[from..sealed.len() - 1], piece_len).expect_err("cut short");
            assert!(refused.is(Error::Authentication), "{what}: {refused:?}");
            it_has_ended(&mut cut, Error::Authentication);
            let mut changed = sealed.clone();
            let (mut open, from) = opener(&sealed);
            changed[from + (sealed.len() - from) / 2] ^= 1;
            let refused = push(&mut open, &changed[from..], piece_len).expect_err("changed");
            assert!(refused.is(Error::Authentication), "{what}: {refused:?}");
            it_has_ended(&mut open, Error::Authentication);
        }
    }
    report(
        "push",
        objseal::Backend::detect(),
        format_args!("{what}: {} lengths, {} pieces", LENGTHS.len(), PIECES.len()),
    );
}

#[test]
fn bare_messages() {
    let key = Key::generate().expect("a key");
    let cobblestone = Cobblestone::new(&key, b"notes");
    contract("messages", || cobblestone.sealer().expect("a salt"), |_| (cobblestone.opener(), 0));
}

fn keyed(layers: u8) -> (SealOptions, OpenOptions) {
    let [inner, outer] = [(); 2].map(|()| Arc::new(WrappingKey::from_key(Key::generate().expect("a key"))));
    let sealing = SealOptions::new(inner.clone());
    let opening = OpenOptions::new().with_key(inner).with_key(outer.clone());
    (if layers == 2 { sealing.with_outer_key(outer) } else { sealing }, opening)
}

#[test]
fn files() {
    for layers in [1, 2] {
        let (sealing, opening) = keyed(layers);
        let open = |sealed: &[u8]| {
            let slots = sealed.first_chunk().expect("slots");
            (file::Opener::new(&opening, slots).expect("opened"), slots.len())
        };
        contract(&format!("files of {layers} layers"), || file::Sealer::new(&sealing).expect("begun"), open);
        let mut sealer = file::Sealer::new(&sealing).expect("begun");
        push(&mut sealer, b"plain", 3).expect("sealed");
        let info = sealer.into_info().expect("the end was sealed");
        assert_eq!((info.attributes.plaintext_len, info.engines.len()), (5, usize::from(layers)));
        assert!(file::Sealer::new(&sealing).expect("begun").into_info().is_none());
    }
}

#[test]
fn bodies_and_ranges() {
    for layers in [1, 2] {
        let (sealing, opening) = keyed(layers);
        for len in LENGTHS {
            let plain = pattern(len);
            for piece_len in PIECES {
                let (envelope, body) = sealing.start().expect("begun");
                let mut sealer = body.sealer();
                let sealed = push(&mut sealer, &plain, piece_len).expect("sealed");
                it_has_ended(&mut sealer, Error::Finished);
                let envelope = opening.open(envelope.stored()).expect("opened");
                let opener = || envelope.body().expect("a body").opener();
                let mut whole = opener();
                assert!(push(&mut whole, &sealed, piece_len).expect("authentic") == plain);
                it_has_ended(&mut whole, Error::Finished);
                let mut cut = opener();
                assert_eq!(push(&mut cut, &sealed[..sealed.len() - 1], piece_len), Err(Error::Authentication));
                it_has_ended(&mut cut, Error::Authentication);

                let ranges = envelope.body().expect("a body").ranges(sealed.len() as u64).expect("a length");
                let range = len as u64 / 3..len as u64;
                let fetch = ranges.plan(std::slice::from_ref(&range), u64::MAX).expect("within").remove(0);
                let within = |at| usize::try_from(at).expect("in memory");
                let fetched = &sealed[within(fetch.stored.start)..within(fetch.stored.end)];
                let mut of_range = ranges.opener(&fetch);
                assert!(push(&mut of_range, fetched, piece_len).expect("authentic") == plain[len / 3..]);
                let mut room = [0; 10];
                assert_eq!(of_range.update(b"", &mut room), Err(Error::Finished));
                assert_eq!(Push::finish(&mut of_range, &mut room), Err(Error::Finished));
            }
        }
    }
}
