//! Ciphertexts, and keys that are made of other keys: FORMAT.md, section 4.

use crate::kms::{KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use objseal::Key;
use objseal::cobblestone::Cobblestone;
use objseal::envelope::EncryptionContext;
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

/// Most bytes of plaintext, as in AWS KMS.
pub const MAX_PLAINTEXT_LEN: usize = 4_096;
const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + 16 + 16 + 4;

/// A ciphertext, taken apart. Nothing proves what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob<'b> {
    pub(super) store: Uuid,
    pub(super) key: Uuid,
    pub(super) version: u32,
    message: &'b [u8],
}

/// Material of a key, and what its ciphertexts are bound to.
pub(super) struct Material<'m> {
    pub(super) store: Uuid,
    pub(super) key: Uuid,
    pub(super) arn: &'m str,
    pub(super) version: u32,
    pub(super) secret: &'m Key,
}

impl<'b> Blob<'b> {
    pub(super) fn parse(blob: &'b [u8]) -> Result<Self, KmsError> {
        let (&version, rest) = blob.split_first().ok_or_else(invalid)?;
        let (store, rest) = rest.split_first_chunk().ok_or_else(invalid)?;
        let (key, rest) = rest.split_first_chunk().ok_or_else(invalid)?;
        let (material, message) = rest.split_first_chunk().ok_or_else(invalid)?;
        if version != VERSION {
            return Err(invalid());
        }
        Ok(Self {
            store: Uuid::from_bytes(*store),
            key: Uuid::from_bytes(*key),
            version: u32::from_be_bytes(*material),
            message,
        })
    }
}

impl Material<'_> {
    /// Encrypts 1 to [`MAX_PLAINTEXT_LEN`] bytes.
    pub(super) fn encrypt(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, KmsError> {
        if !(1..=MAX_PLAINTEXT_LEN).contains(&plaintext.len()) {
            let message = format!("a plaintext has 1 to {MAX_PLAINTEXT_LEN} bytes");
            return Err(KmsError::new(KmsErrorKind::Validation, message));
        }
        let message = Cobblestone::new(self.secret, &self.context(context)).seal(plaintext)?;
        let mut blob = Vec::with_capacity(HEADER_LEN + message.len());
        blob.push(VERSION);
        blob.extend_from_slice(&self.store.to_bytes());
        blob.extend_from_slice(&self.key.to_bytes());
        blob.extend_from_slice(&self.version.to_be_bytes());
        blob.extend_from_slice(&message);
        Ok(blob)
    }

    /// Decrypts a blob of this store, key and version.
    pub(super) fn decrypt(&self, blob: &Blob<'_>, context: &EncryptionContext) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        if (blob.store, blob.key, blob.version) != (self.store, self.key, self.version) {
            return Err(invalid());
        }
        let opened = Cobblestone::new(self.secret, &self.context(context)).open(blob.message);
        opened.map(Zeroizing::new).map_err(|_| invalid())
    }

    fn context(&self, pairs: &EncryptionContext) -> Vec<u8> {
        let mut context = b"objseal/v1/kms/ciphertext\0".to_vec();
        put(&mut context, self.arn);
        context.extend_from_slice(&self.version.to_be_bytes());
        // At most 64 pairs.
        context.extend_from_slice(&u16::try_from(pairs.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (key, value) in pairs.iter() {
            put(&mut context, key);
            put(&mut context, value);
        }
        context
    }
}

/// `text(t)` of FORMAT.md, section 4.
pub(super) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// One answer to all that is wrong with a ciphertext, as AWS KMS has it: without words.
fn invalid() -> KmsError {
    KmsError::new(KmsErrorKind::InvalidCiphertext, "")
}

/// A key from a key: FORMAT.md, before section 1.
pub(super) fn subkey(key: &Key, label: &str, of: &[u8]) -> Key {
    let mut padded_key = Array::default();
    let (start, _) = padded_key.split_at_mut(Key::LEN);
    start.copy_from_slice(key.expose_secret());
    let mut mac = Hmac::<Sha512>::new(&padded_key);
    padded_key.zeroize();
    for part in [b"objseal/v1/kms/", label.as_bytes(), b"\0", of, b"\x01"] {
        mac.update(part);
    }
    let block = Zeroizing::new(<[u8; 64]>::from(mac.finalize().into_bytes()));
    let mut first = Zeroizing::new([0; Key::LEN]);
    first.copy_from_slice(&block[..Key::LEN]);
    Key::from_bytes(&first)
}
