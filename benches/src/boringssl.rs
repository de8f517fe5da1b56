//! BoringSSL as a peer (feature `boring`).

// The other side is C.
#![allow(unsafe_code)]

use crate::{NONCE, Peer, split};
use boring_sys as ffi;
use std::ptr::null;

/// AES-256-GCM through EVP_AEAD, the key set up once.
pub(crate) struct BoringSsl(*mut ffi::EVP_AEAD_CTX);

impl BoringSsl {
    /// Sets up `key`.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        // SAFETY: the key is as long as is said. 0 stands for the default length of the tag, which is 16 bytes.
        let context = unsafe { ffi::EVP_AEAD_CTX_new(ffi::EVP_aead_aes_256_gcm(), key.as_ptr(), key.len(), 0) };
        assert!(!context.is_null(), "BoringSSL failed");
        Self(context)
    }
}

impl Peer for BoringSsl {
    fn name(&self) -> String {
        "BoringSSL".into()
    }

    fn seal(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        let (at, mut tag_len) = (data.as_mut_ptr(), 0);
        // SAFETY: the context lives, buffers are as long as is said, and in place is allowed (openssl/aead.h).
        let done = unsafe {
            ffi::EVP_AEAD_CTX_seal_scatter(
                self.0,
                at,
                tag.as_mut_ptr(),
                &raw mut tag_len,
                tag.len(),
                NONCE.as_ptr(),
                NONCE.len(),
                at,
                data.len(),
                null(),
                0,
                null(),
                0,
            )
        };
        assert_eq!((done, tag_len), (1, tag.len()), "BoringSSL failed");
    }

    fn open(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        let at = data.as_mut_ptr();
        // SAFETY: the context lives, buffers are as long as is said, and in place is allowed (openssl/aead.h).
        let done = unsafe {
            ffi::EVP_AEAD_CTX_open_gather(
                self.0,
                at,
                NONCE.as_ptr(),
                NONCE.len(),
                at,
                data.len(),
                tag.as_ptr(),
                tag.len(),
                null(),
                0,
            )
        };
        assert_eq!(done, 1, "the tag holds");
    }
}

impl Drop for BoringSsl {
    fn drop(&mut self) {
        // SAFETY: nobody uses it after this.
        unsafe { ffi::EVP_AEAD_CTX_free(self.0) };
    }
}
