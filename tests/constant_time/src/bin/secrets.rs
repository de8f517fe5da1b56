//! Works on secrets under valgrind, which reports each branch and each address that depends on one.
//! `tests/constant_time/run` runs it and reads the reports.
//!
//! Keys and plaintexts are marked as secret, and so is all that follows from them. Two kinds of things are marked as public
//! again. The library marks what a comparison says (`verdict`) and nonces; this program marks what goes to a store.

use objseal::checksums::{Digester, Wanted};
use objseal::cobblestone::{CHUNK_LEN, Cobblestone, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, TAG_LEN};
use objseal::envelope::{
    Attributes, ChecksumAlgorithm, EncryptionContext, EnvelopeError, ObjectId, OpenOptions, SealOptions, WrappingKey,
};
use objseal::hazmat::refusals::{self, Refusal};
use objseal::hazmat::{self, Aes256Gcm, public};
use objseal::{Backend, Engine, Error, Key, RandomError, RandomSource};
use objseal_constant_time::Noise;
use objseal_constant_time::memcheck::{count_secret, is_running, make_public, make_secret};
use std::env;
use std::hint::black_box;
use std::sync::Arc;

/// Around a block, around a chunk, and the lengths between which kernels change their loops.
const LENS: [usize; 12] =
    [0, 1, 15, 16, 17, 1000, 8 * 1024, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN, 3 * CHUNK_LEN + 100];
const AAD_LENS: [usize; 5] = [0, 1, 16, 20, 300];
const CONTEXTS: [&[u8]; 3] = [b"", b"name=plain", &[7; 300]];
const MAC_LEN: usize = 32;

fn main() {
    assert!(is_running(), "this runs under valgrind: tests/constant_time/run");
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check", engine] => {
            public::mark_with(make_public);
            everything(engine.parse().expect("an engine"));
        }
        // Without the marks of the library each of its verdicts must be reported.
        ["control", "verdicts", engine] => everything(engine.parse().expect("an engine")),
        ["control", "branch"] => control_branch(),
        ["control", "index"] => control_index(),
        ["control", "equality"] => control_equality(),
        _ => panic!("secrets check ENGINE | control verdicts ENGINE | control branch|index|equality"),
    }
}

fn everything(engine: Engine) {
    assert!(engine.is_available(), "valgrind's CPU does not have {engine}");
    let noise = &mut Noise::new(1);
    if let Engine::Native(backend) = engine {
        gcm(backend, noise);
    }
    messages(engine, noise);
    pieces(engine, noise);
    derivation(engine, noise);
    envelopes(engine, noise);
    receipts(engine);
    checked_sealing(engine, noise);
    hex_digits(noise);
    digests(noise);
}

/// One message of AES-256-GCM with AAD, and the comparison of tags.
fn gcm(backend: Backend, noise: &mut Noise) {
    let nonce = noise.array();
    for len in LENS {
        let mut key = noise.array();
        make_secret(&mut key);
        let key = Aes256Gcm::new(backend, &key, len as u64).expect("available");
        for aad_len in AAD_LENS {
            let aad = vec![5; aad_len];
            let plaintext = secret_bytes(noise, len);
            let mut data = plaintext.clone();
            let mut tag = key.seal_in_place(&nonce, &aad, &mut data).expect("sealed");
            assert_all_secret(&data);
            assert_all_secret(&tag);
            make_public(&mut data);
            make_public(&mut tag);

            let mut opened = vec![0; len];
            key.open(&nonce, &aad, &data, &tag, &mut opened).expect("opened");
            assert_opened(&mut opened, &plaintext);
            for at in [0, TAG_LEN - 1] {
                let mut wrong = tag;
                wrong[at] ^= 1;
                assert_refused(key.open(&nonce, &aad, &data, &wrong, &mut opened), &opened);
            }
        }
    }
}

/// Whole messages: key derivation, commitment, chunks.
fn messages(engine: Engine, noise: &mut Noise) {
    for len in LENS {
        let key = secret_key(noise);
        for context in CONTEXTS {
            let cobblestone = Cobblestone::new(&key, context).with_engine(engine).expect("available");
            let plaintext = secret_bytes(noise, len);
            let mut message = cobblestone.seal(&plaintext).expect("sealed");
            assert_eq!(count_secret(&message), message.len() - SALT_LEN, "all but the salt follows from secrets");
            make_public(&mut message);

            let mut opened = cobblestone.open(&message).expect("opened");
            assert_opened(&mut opened, &plaintext);
            let end = message.len();
            for (at, reason) in [
                (SALT_LEN, Refusal::Commitment),
                (HEADER_LEN - 1, Refusal::Commitment),
                (HEADER_LEN, Refusal::Tag),
                (end - TAG_LEN, Refusal::Tag),
                (end - 1, Refusal::Tag),
            ] {
                message[at] ^= 1;
                assert_refused(cobblestone.open_into(&message, &mut opened).map(drop), &opened);
                assert_eq!(refusals::take(), Some(reason));
                message[at] ^= 1;
            }
        }
    }
}

/// The other ways into a message: pieces, and chunks in any order.
fn pieces(engine: Engine, noise: &mut Noise) {
    let key = secret_key(noise);
    let cobblestone = Cobblestone::new(&key, b"pieces").with_engine(engine).expect("available");
    let plaintext = secret_bytes(noise, 2 * CHUNK_LEN + 100);
    let mut message = vec![0; HEADER_LEN + plaintext.len() + 3 * TAG_LEN];
    let (mut sealer, mut len) = (cobblestone.sealer().expect("random bytes"), 0);
    for piece in plaintext.chunks(5000) {
        len += sealer.update(piece, &mut message[len..]).expect("sealed");
    }
    len += sealer.finish(&mut message[len..]).expect("sealed");
    assert_eq!(len, message.len());
    make_public(&mut message);

    let (mut opener, mut opened, mut len) = (cobblestone.opener(), vec![0; plaintext.len()], 0);
    for piece in message.chunks(4999) {
        len += opener.update(piece, &mut opened[len..]).expect("opened");
    }
    len += opener.finish(&mut opened[len..]).expect("opened");
    assert_eq!(len, plaintext.len());
    assert_opened(&mut opened, &plaintext);

    let (header, chunks) = message.split_first_chunk().expect("a header");
    let opener = cobblestone.chunk_opener(header).expect("the header is right");
    let mut opened = vec![0; CHUNK_LEN + 100];
    opener.open(1, &chunks[SEALED_CHUNK_LEN..], &mut opened).expect("opened");
    assert_opened(&mut opened, &plaintext[CHUNK_LEN..]);
}

/// What HKDF gives.
fn derivation(engine: Engine, noise: &mut Noise) {
    for context in CONTEXTS {
        let key = secret_key(noise);
        let cobblestone = Cobblestone::new(&key, context).with_engine(engine).expect("available");
        let (key, base_nonce, commitment) = hazmat::derive(&cobblestone, &noise.array());
        assert_all_secret(&key);
        assert_all_secret(&base_nonce);
        assert_all_secret(&commitment);
    }
}

fn sealing(key: &Arc<WrappingKey>, engine: Engine) -> SealOptions {
    SealOptions::new(key.clone()).with_random(Arc::new(SecretRandom)).with_engine(engine).expect("available")
}

/// Data keys, their wraps, and the MAC over the head.
fn envelopes(engine: Engine, noise: &mut Noise) {
    let key = Arc::new(WrappingKey::from_key(secret_key(noise)));
    let sealing = sealing(&key, engine);
    let (envelope, sealer) = sealing.start().expect("sealed");
    let plaintext = secret_bytes(noise, CHUNK_LEN + 100);
    let mut body = sealer.seal(&plaintext).expect("sealed");
    make_public(&mut body);
    let mut head = envelope.stored().to_vec();
    make_public(&mut head);

    let opening = OpenOptions::new().with_key(key).with_engine(engine).expect("available");
    // Another key of that name: its fingerprint, which stands in the head, is another one.
    let another = Arc::new(WrappingKey::from_key(secret_key(noise)));
    let another = OpenOptions::new().with_key(another).with_engine(engine).expect("available");
    assert!(matches!(another.open(&head), Err(EnvelopeError::OtherKey(_))));
    assert_eq!(refusals::take(), Some(Refusal::Wrap));
    let envelope = opening.open(&head).expect("opened");
    let mut opened = envelope.body().expect("a body").open(&body).expect("opened");
    assert_opened(&mut opened, &plaintext);
    // Each new wrap is unwrapped and compared with the data key.
    sealing.rewrap(&envelope).expect("each wrap gives back what was wrapped");

    let end = head.len();
    for at in [end - MAC_LEN, end - 1] {
        head[at] ^= 1;
        assert!(matches!(opening.open(&head), Err(EnvelopeError::Authentication)));
        assert_eq!(refusals::take(), Some(Refusal::Mac));
        head[at] ^= 1;
    }
}

/// Sealed receipts, and whether data keys are those of an upload.
fn receipts(engine: Engine) {
    let key = Arc::new(WrappingKey::from_key(Key::from_bytes(&[1; Key::LEN])));
    let (upload, parts) = sealing(&key, engine).start_upload(&key, &EncryptionContext::new()).expect("started");
    let (attempt, _) = parts.part(1).expect("a part");
    let (_, mut receipt) = upload.receipt(attempt, Attributes::new(4)).expect("a receipt");
    assert_eq!(count_secret(&receipt), receipt.len() - SALT_LEN, "all but the salt follows from secrets");
    make_public(&mut receipt);
    let opening = OpenOptions::new().with_key(key).with_engine(engine).expect("available");
    upload.unlock(&opening).expect("the data keys of this upload");

    // What is in a receipt is parsed once it is open, so none is opened here.
    let end = receipt.len();
    for at in [SALT_LEN, HEADER_LEN - 1, HEADER_LEN, end - TAG_LEN, end - 1] {
        receipt[at] ^= 1;
        assert!(matches!(upload.open_receipt(&receipt), Err(EnvelopeError::Authentication)));
        assert_eq!(refusals::take(), Some(Refusal::Receipt));
        receipt[at] ^= 1;
    }
}

/// Sealing by RustCrypto's `aes-gcm`, with every chunk opened on `engine` and compared with the plaintext.
fn checked_sealing(engine: Engine, noise: &mut Noise) {
    if engine.shares_code_with(Engine::RustCrypto) {
        return;
    }
    let key = secret_key(noise);
    let sealing = Cobblestone::new(&key, b"checked").with_engine(Engine::RustCrypto).expect("always there");
    let plaintext = secret_bytes(noise, CHUNK_LEN + 100);
    let message = sealing.with_check(engine).expect("another implementation").seal(&plaintext).expect("sealed");
    assert_eq!(count_secret(&message), message.len() - SALT_LEN);
}

/// Keys as a keyring has them.
fn hex_digits(noise: &mut Noise) {
    let mut key: [u8; Key::LEN] = noise.array();
    make_secret(&mut key);
    let mut text = String::with_capacity(2 * Key::LEN);
    objseal_keys::hazmat::push_hex(&mut text, &key);
    assert_all_secret(text.as_bytes());
    let mut read = [0; Key::LEN];
    objseal_keys::hazmat::hex_to_bytes(&text, &mut read).expect("digits");
    assert_opened(&mut read, &key);
}

/// Digests of a plaintext.
fn digests(noise: &mut Noise) {
    for len in LENS {
        let plaintext = secret_bytes(noise, len);
        let all = ChecksumAlgorithm::ALL.into_iter().fold(Wanted::NONE, |all, one| all | Wanted::of(one));
        let mut digester = Digester::new(all);
        plaintext.chunks(7000).for_each(|piece| digester.update(piece));
        let digests = digester.finish().digests;
        assert_eq!(digests.iter().count(), ChecksumAlgorithm::ALL.len());
        for (algorithm, digest) in digests.iter() {
            assert_eq!(count_secret(digest) > 0, len > 0, "marks were lost in {algorithm:?}");
        }
    }
}

/// Random bytes that are secret, also salts that are drawn with a data key. The object id, with which a draw begins, is public,
/// and so is a salt that is drawn alone, for a part: its ETag is made of it.
struct SecretRandom;

impl RandomSource for SecretRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        Noise::new(3).fill(bytes);
        if bytes.len() > SALT_LEN {
            make_secret(bytes.get_mut(ObjectId::LEN..).unwrap_or_default());
        }
        Ok(())
    }
}

fn secret_key(noise: &mut Noise) -> Key {
    let mut bytes = noise.array();
    make_secret(&mut bytes);
    Key::from_bytes(&bytes)
}

fn secret_bytes(noise: &mut Noise, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    noise.fill(&mut bytes);
    make_secret(&mut bytes);
    bytes
}

/// That the marks went all the way: where they are lost, nothing can be found.
fn assert_all_secret(bytes: &[u8]) {
    assert_eq!(count_secret(bytes), bytes.len(), "marks were lost on the way");
}

/// That the plaintext came back and is still secret. It is public afterwards.
fn assert_opened(opened: &mut [u8], plaintext: &[u8]) {
    assert_all_secret(opened);
    make_public(opened);
    let mut plaintext = plaintext.to_vec();
    make_public(&mut plaintext);
    assert!(opened == plaintext);
}

/// That nothing of the plaintext is left: zeros, which are no secret.
fn assert_refused(result: Result<(), Error>, out: &[u8]) {
    assert_eq!(result, Err(Error::Authentication));
    assert_eq!(count_secret(out), 0);
    assert!(out.iter().all(|&byte| byte == 0));
}

/// A branch on a secret bit.
fn control_branch() {
    let secret = secret_bytes(&mut Noise::new(1), 1);
    if black_box(&secret)[0] & 1 == 1 {
        println!("odd");
    }
}

/// What an S-box in a table does: a secret is the index.
fn control_index() {
    let secret = secret_bytes(&mut Noise::new(1), 1);
    let table: [u8; 256] = Noise::new(2).array();
    black_box(black_box(&table)[usize::from(black_box(&secret)[0])]);
}

/// A tag compared as slices are.
fn control_equality() {
    let secret = secret_bytes(&mut Noise::new(1), TAG_LEN);
    if black_box(&secret)[..] == black_box(&[0; TAG_LEN])[..] {
        println!("equal");
    }
}
