//! Wraps: a secret under AES-GCM of the token, and what they are bound to.
//!
//! | bytes of a blob | what |
//! |---|---|
//! | 1 | version: 1 |
//! | 12 | IV, random |
//! | 32 | the secret, encrypted |
//! | 16 | tag |
//!
//! The additional data is `objseal/v1/pkcs11/wrap`, a NUL, the label of the key, the number of pairs of the encryption
//! context as u16, and keys and values of these pairs, sorted by key. Texts have their length in bytes before them as
//! u32, and numbers are big-endian.

use super::error::TokenError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use objseal::envelope::EncryptionContext;
use objseal::{Key, OsRandom, RandomSource};
use zeroize::Zeroizing;

/// What additional data begins with.
const DOMAIN: &[u8] = b"objseal/v1/pkcs11/wrap\0";
const VERSION: u8 = 1;
const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Encrypts a secret; returns the blob.
pub(super) fn seal(session: &Session, key: ObjectHandle, aad: &[u8], secret: &Key) -> Result<Vec<u8>, TokenError> {
    let mut given = [0; IV_LEN];
    OsRandom.fill(&mut given).map_err(|error| TokenError::Random(error.into()))?;
    let mut iv = given;
    let params = GcmParams::new(&mut iv, aad, tag_bits()).map_err(TokenError::of_module)?;
    let sealed = session.encrypt(&Mechanism::AesGcm(params), key, secret.expose_secret());
    let sealed = sealed.map_err(TokenError::of_encryption)?;
    // Tokens that make the IV themselves write it over the given one, or behind the tag.
    if iv != given || sealed.len() != Key::LEN + TAG_LEN {
        return Err(TokenError::OwnIv);
    }
    Ok([&[VERSION][..], &given, &sealed].concat())
}

/// Decrypts a blob.
pub(super) fn open(session: &Session, key: ObjectHandle, aad: &[u8], blob: &[u8]) -> Result<Key, TokenError> {
    let (mut iv, sealed) = parts(blob).ok_or(TokenError::Refused)?;
    let params = GcmParams::new(&mut iv, aad, tag_bits()).map_err(TokenError::of_module)?;
    let secret = session.decrypt(&Mechanism::AesGcm(params), key, sealed).map(Zeroizing::new);
    let secret = secret.map_err(TokenError::of_decryption)?;
    Key::try_from(secret.as_slice()).map_err(|_| TokenError::Refused)
}

/// The additional data of a wrap.
pub(super) fn aad(label: &str, context: &EncryptionContext) -> Vec<u8> {
    let mut aad = DOMAIN.to_vec();
    put(&mut aad, label);
    // At most MAX_CONTEXT_PAIRS.
    aad.extend_from_slice(&u16::try_from(context.len()).unwrap_or(u16::MAX).to_be_bytes());
    for (key, value) in context.iter() {
        put(&mut aad, key);
        put(&mut aad, value);
    }
    aad
}

fn put(aad: &mut Vec<u8>, text: &str) {
    // At most MAX_CONTEXT_LEN or MAX_KEY_ID_LEN bytes.
    aad.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    aad.extend_from_slice(text.as_bytes());
}

/// IV and ciphertext of a blob that has the right length and version.
fn parts(blob: &[u8]) -> Option<([u8; IV_LEN], &[u8])> {
    let (&version, rest) = blob.split_first()?;
    let (&iv, sealed) = rest.split_first_chunk()?;
    (version == VERSION && sealed.len() == Key::LEN + TAG_LEN).then_some((iv, sealed))
}

fn tag_bits() -> Ulong {
    const { assert!(TAG_LEN == 16) };
    Ulong::new(128)
}
