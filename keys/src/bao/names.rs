//! Ids of keys, versions of ciphertexts, and contexts as they are bound.

use crate::kms::{KmsError, KmsErrorKind};
use objseal::envelope::EncryptionContext;

/// Before the pairs of a context.
const LABEL: &[u8] = b"objseal bao-transit context 1";

/// The pairs of a context as they are bound.
pub(super) fn associated_data(context: &EncryptionContext) -> Vec<u8> {
    let mut data = LABEL.to_vec();
    for text in context.iter().flat_map(|(key, value)| [key, value]) {
        // A context is far shorter.
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        data.extend_from_slice(&len.to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}

/// A ciphertext as text, and its version.
pub(super) fn version_of(blob: &[u8]) -> Result<(&str, u32), KmsError> {
    let text = str::from_utf8(blob).ok();
    let parts = text.and_then(|text| Some((text, text.strip_prefix("vault:v")?.split_once(':')?)));
    let version = parts.and_then(|(text, (version, rest))| Some((text, number(version)?)).filter(|_| is_base64(rest)));
    version.ok_or_else(|| KmsError::new(KmsErrorKind::InvalidCiphertext, "it is not a ciphertext of transit"))
}

/// A version from 1, written in the one way that there is.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|version: &u32| *version > 0 && version.to_string() == text)
}

fn is_base64(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// Whether it can be a part of a path, and is that part only.
pub(super) fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let ends = [text.bytes().next(), text.bytes().last()];
    ends.iter().all(|end| end.is_some_and(word)) && text.bytes().all(|byte| word(byte) || matches!(byte, b'-' | b'.'))
}

/// The same of several parts.
pub(super) fn is_path(text: &str) -> bool {
    text.split('/').all(is_name)
}
