//! The format itself, as FORMAT.md has it: what is bound to what, what is stored, and what each change leads to.
//!
//! | file | what |
//! |---|---|
//! | `pairs` | the encryption context: stored pairs, and pairs that are only bound |
//! | `private` | private fields, and optional ones of later versions |
//! | `wraps` | wrapped keys: what they are bound to, fingerprints |
//! | `parts` | part tables, their digests, and the type of checksums |
//! | `uploads` | upload states and receipts |

mod pairs;
mod parts;
mod private;
mod uploads;

mod wraps;

use objseal::envelope::{
    EncryptionContext, EnvelopeError, KeyRequest, KeyService, KeyServiceError, OpenOptions, SealOptions, WrappingKey,
};
use objseal::hazmat::refusals::{self, Refusal};
use objseal::{Engine, Key};
use objseal_tests::engines;
use objseal_tests::format::{MAC_LEN, Object, data_key, field, head_fields, head_mac};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The reason for a refusal is the last one of the process, so the tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That `open` gives the one opaque error, for this reason.
fn refused<T>(what: &str, reason: Refusal, open: impl FnOnce() -> Result<T, EnvelopeError>) {
    refusals::take();
    let error = open().map(drop).expect_err(what);
    assert!(matches!(error, EnvelopeError::Authentication), "{what}: {error}");
    assert_eq!(refusals::take(), Some(reason), "{what}");
}

/// That the key at hand is another one of the name `key_id`.
fn another_key<T>(what: &str, key_id: &str, result: Result<T, EnvelopeError>) {
    let error = result.map(drop).expect_err(what);
    assert!(matches!(&error, EnvelopeError::OtherKey(found) if found.key_id == key_id), "{what}: {error}");
}

/// The secret of [`key`].
fn secret(id: &str) -> Key {
    Key::from_bytes(&[id.as_bytes()[0]; Key::LEN])
}

/// The wrapping key of this id, always the same.
fn key(id: &str) -> Arc<WrappingKey> {
    Arc::new(WrappingKey::new("kms", id, 1, secret(id)).expect("a name"))
}

/// The keys of an object in so many layers.
const LAYERS: [&str; 2] = ["inner", "outer"];

/// The engine of the inner layer: that of `OBJSEAL_BACKEND`, or the best one.
fn engine() -> Engine {
    match engines()[..] {
        [named] => named,
        _ => Engine::detect(),
    }
}

fn sealing(layers: usize) -> SealOptions {
    let options = SealOptions::new(key(LAYERS[0])).with_engine(engine()).expect("available");
    LAYERS[1..layers].iter().fold(options, |options, id| options.with_outer_key(key(id)))
}

fn opening() -> OpenOptions {
    let options = OpenOptions::new().with_engine(engine()).expect("available");
    LAYERS.iter().fold(options, |options, id| options.with_key(key(id)))
}

/// The data keys of a stored head of [`sealing`], one behind the other.
fn data_keys(head: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let layers = usize::from(Object::of(head).layers);
    let of_layer = |(entry, id): (usize, &&str)| *data_key(head, entry, &secret(id), context).expose_secret();
    LAYERS[..layers].iter().enumerate().flat_map(of_layer).collect()
}

/// A head of [`sealing`] with other fields and a MAC that is right, by somebody who has the keys.
fn forged(head: &[u8], context: &EncryptionContext, change: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let mac_key = Object::of(head).subkey(&data_keys(head, context), "mac");
    let forged = with_fields(head, &head_fields(head), change);
    let mac = head_mac(&mac_key, &forged, context);
    [forged, mac].concat()
}

/// What the store can make of a head: other fields, and the MAC that it had.
fn changed(head: &[u8], change: impl FnOnce(&mut Fields)) -> Vec<u8> {
    [&with_fields(head, &head_fields(head), change), &head[head.len() - MAC_LEN..]].concat()
}

/// The values of fields by their tags.
type Fields = BTreeMap<u16, Vec<u8>>;

/// The first 8 bytes of what is stored, and its fields with some changes.
fn with_fields(stored: &[u8], places: &BTreeMap<u16, Range<usize>>, change: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let mut fields = places.iter().map(|(&tag, place)| (tag, stored[place.clone()].to_vec())).collect();
    change(&mut fields);
    let fields = fields.iter().flat_map(|(&tag, value)| field(tag, value));
    stored[..8].iter().copied().chain(fields).collect()
}

/// A key service that has every key and counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl KeyService for Counting {
    fn name(&self) -> &'static str {
        "kms"
    }

    fn wrapping_key(&self, key_id: &str, _: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        Ok(key(key_id))
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(key(request.key_id()))
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
