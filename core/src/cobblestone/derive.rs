//! From key, salt and context to the secrets of one message.

use super::SALT_LEN;
use super::layout::COMMITMENT_LEN;
use crate::arch::{KEY_LEN, NONCE_LEN};
use crate::engine::{Choice, LayerKey};
use crate::error::Error;
use crate::key::Key;
use crate::verdict::verdict;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Names the format and its version.
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+";
/// The IANA name of the AEAD (RFC 5116, section 5.2), and what separates it from the salt.
const AEAD_NAME: &[u8] = b"AEAD_AES_256_GCM\x00";
/// Output of HMAC-SHA-512, in bytes.
const BLOCK_LEN: usize = 64;
const OUTPUT_LEN: usize = KEY_LEN + NONCE_LEN + COMMITMENT_LEN;

/// What HKDF-Expand gives, in its order. Wiped on drop.
pub(super) struct Derived {
    pub(super) key: [u8; KEY_LEN],
    pub(super) base_nonce: [u8; NONCE_LEN],
    pub(super) commitment: [u8; COMMITMENT_LEN],
}

impl Derived {
    /// HKDF-Expand (RFC 5869, section 2.3) with SHA-512 and the key as it is, by the engine's own HMAC.
    ///
    /// The `hkdf` crate refuses keys shorter than a hash output, as RFC 5869 does for what is called a PRK; the format
    /// gives it 32 bytes.
    pub(super) fn new(choice: Choice, key: &Key, salt: &[u8; SALT_LEN], context: &[u8]) -> Self {
        let parts = [LABEL, AEAD_NAME, salt, context];
        let (mut first, mut second) = match choice {
            Choice::Native(_) | Choice::RustCrypto => two_blocks(key, parts),
            #[cfg(feature = "aws-lc")]
            Choice::AwsLc => two_blocks_by_aws_lc(key, parts),
        };

        let mut output = [0; OUTPUT_LEN];
        output[..BLOCK_LEN].copy_from_slice(&first);
        output[BLOCK_LEN..].copy_from_slice(&second[..OUTPUT_LEN - BLOCK_LEN]);
        first.zeroize();
        second.zeroize();

        let mut derived = Self { key: [0; KEY_LEN], base_nonce: [0; NONCE_LEN], commitment: [0; COMMITMENT_LEN] };
        let (key_bytes, rest) = output.split_at(KEY_LEN);
        let (nonce_bytes, commitment_bytes) = rest.split_at(NONCE_LEN);
        derived.key.copy_from_slice(key_bytes);
        derived.base_nonce.copy_from_slice(nonce_bytes);
        derived.commitment.copy_from_slice(commitment_bytes);
        output.zeroize();
        derived
    }

    /// The same key on another engine, which must derive the same.
    pub(super) fn check(
        &self,
        choice: Choice,
        key: &Key,
        salt: &[u8; SALT_LEN],
        context: &[u8],
        expected_len: u64,
    ) -> Result<LayerKey, Error> {
        let other = Self::new(choice, key, salt, context);
        let same = self.key.ct_eq(&other.key)
            & self.base_nonce.ct_eq(&other.base_nonce)
            & self.commitment.ct_eq(&other.commitment);
        if !verdict(same) {
            return Err(Error::CheckFailed(choice.engine()));
        }
        LayerKey::new(choice, &other.key, expected_len)
    }
}

/// T(1) and T(2) of HKDF-Expand, by RustCrypto.
fn two_blocks(key: &Key, info: [&[u8]; 4]) -> ([u8; BLOCK_LEN], [u8; BLOCK_LEN]) {
    // HMAC pads its key with zeros to the block length of the hash (RFC 2104, section 2).
    let mut padded_key = Array::default();
    padded_key[..Key::LEN].copy_from_slice(key.expose_secret());
    let mac = Hmac::<Sha512>::new(&padded_key);
    padded_key.zeroize();
    let block = |mut mac: Hmac<Sha512>, previous: &[u8], number: u8| {
        mac.update(previous);
        info.into_iter().chain([&[number][..]]).for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let first: [u8; BLOCK_LEN] = block(mac.clone(), &[], 1);
    (first, block(mac, &first, 2))
}

/// The same by AWS-LC.
#[cfg(feature = "aws-lc")]
fn two_blocks_by_aws_lc(key: &Key, info: [&[u8]; 4]) -> ([u8; BLOCK_LEN], [u8; BLOCK_LEN]) {
    use aws_lc_rs::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA512, key.expose_secret());
    let block = |previous: &[u8], number: u8| {
        let mut mac = hmac::Context::with_key(&key);
        mac.update(previous);
        info.into_iter().chain([&[number][..]]).for_each(|part| mac.update(part));
        let mut block = [0; BLOCK_LEN];
        block.copy_from_slice(mac.sign().as_ref());
        block
    };
    let first = block(&[], 1);
    (first, block(&first, 2))
}

impl Drop for Derived {
    fn drop(&mut self) {
        self.key.zeroize();
        self.base_nonce.zeroize();
        self.commitment.zeroize();
    }
}
