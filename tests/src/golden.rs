//! The files of `vectors/golden`, for those who make them and those who open them.

use crate::context;
use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyKind, ServiceContext, WrappingKey};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The plaintext of every golden file of this length.
#[must_use]
pub fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).expect("below 251")).collect()
}

/// What the golden uploads are bound to.
#[must_use]
pub fn upload_place() -> EncryptionContext {
    context(&[("bucket", "photos"), ("key", "cats/cat.jpg"), ("upload id", "17")])
}

/// The keys in `wrapping-keys/keys.tsv` of the folder of golden files, in their order.
///
/// # Panics
/// If they are not there.
#[must_use]
pub fn wrapping_keys<const COUNT: usize>(folder: &Path) -> [Arc<WrappingKey>; COUNT] {
    let keys = fs::read_to_string(folder.join("wrapping-keys/keys.tsv")).expect("keys");
    let keys: Vec<_> = keys.lines().skip(1).map(wrapping_key).collect();
    keys.try_into().expect("so many keys")
}

fn wrapping_key(line: &str) -> Arc<WrappingKey> {
    let columns: Vec<_> = line.split('\t').collect();
    let [_, service, key_id, version, kind, service_context, blob, secret] = columns[..] else { panic!("{line}") };
    let kinds = [KeyKind::Local, KeyKind::Object, KeyKind::Shared, KeyKind::Customer];
    let kind = kinds.into_iter().find(|&known| (known as u8).to_string() == kind).expect("a kind");
    let contexts = [ServiceContext::None, ServiceContext::Object, ServiceContext::Bucket];
    let service_context = contexts.into_iter().find(|&known| (known as u8).to_string() == service_context);
    let secret = Key::try_from(&unhex(secret)[..]).expect("32 bytes");
    let key = WrappingKey::new(service, key_id, version.parse().expect("a number"), secret).expect("names");
    Arc::new(key.with_blob(kind, service_context.expect("known"), &unhex(blob)).expect("it fits"))
}

/// Bytes of hexadecimal digits.
///
/// # Panics
/// If they are none.
#[must_use]
pub fn unhex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("two digits");
    digits.as_bytes().chunks(2).map(byte).collect()
}
