//! The portable backend: RustCrypto's `aes` and `ghash`, put together as SP 800-38D says. It is also what the tests
//! compare every other backend with, so it stays plain.

use super::{BLOCK_LEN, KEY_LEN, Nonce, Tag, j0, length_block};
use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use ghash::{GHash, universal_hash::UniversalHash};
use inout::InOutBuf;
use zeroize::Zeroize;

/// Blocks of key stream made at a time: enough for the widest parallel path of the `aes` crate.
const BATCH_BLOCKS: usize = 64;

/// Round keys and the hash key. Both wipe themselves on drop.
pub(crate) struct GcmKey {
    aes: Aes256,
    ghash: GHash,
}

impl GcmKey {
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        let mut key = Array(*key);
        let aes = Aes256::new(&key);
        key.zeroize();
        let mut hash_key = Array([0; BLOCK_LEN]);
        aes.encrypt_block(&mut hash_key);
        let ghash = GHash::new(&hash_key);
        hash_key.zeroize();
        Self { aes, ghash }
    }

    pub(crate) fn seal(&self, nonce: &Nonce, aad: &[u8], data: InOutBuf<'_, '_, u8>) -> Tag {
        self.message::<true>(nonce, aad, data)
    }

    pub(crate) fn open(&self, nonce: &Nonce, aad: &[u8], data: InOutBuf<'_, '_, u8>) -> Tag {
        self.message::<false>(nonce, aad, data)
    }

    fn message<const SEAL: bool>(&self, nonce: &Nonce, aad: &[u8], data: InOutBuf<'_, '_, u8>) -> Tag {
        let mut ghash = self.ghash.clone();
        ghash.update_padded(aad);

        let lengths = length_block(aad.len(), data.len());
        let mut counter: u32 = 2; // J0 holds 1; inc32 before each use
        let mut key_stream = [Array([0; BLOCK_LEN]); BATCH_BLOCKS];
        let mut rest = data;
        while !rest.is_empty() {
            let batch_len = rest.len().min(BATCH_BLOCKS * BLOCK_LEN);
            let (mut batch, after) = rest.split_at(batch_len);
            rest = after;

            for block in &mut key_stream {
                block[..nonce.len()].copy_from_slice(nonce);
                block[nonce.len()..].copy_from_slice(&counter.to_be_bytes());
                counter = counter.wrapping_add(1);
            }
            self.aes.encrypt_blocks(&mut key_stream);

            if !SEAL {
                ghash.update_padded(batch.get_in());
            }
            batch.xor_in2out(&Array::cast_slice_to_core(&key_stream).as_flattened()[..batch_len]);
            if SEAL {
                ghash.update_padded(batch.get_out());
            }
        }
        for block in &mut key_stream {
            block.zeroize();
        }

        ghash.update(&[Array(lengths)]);
        let mut tag = Array(j0(nonce));
        self.aes.encrypt_block(&mut tag);
        for (tag_byte, hash_byte) in tag.iter_mut().zip(ghash.finalize()) {
            *tag_byte ^= hash_byte;
        }
        tag.into()
    }
}
