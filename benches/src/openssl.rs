//! The system's OpenSSL as a peer, loaded when the program runs, so that building needs nothing of it.

// The other side is C.
#![allow(unsafe_code)]

use crate::{NONCE, Peer, split};
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null;

type Context = *mut c_void;
type Init = unsafe extern "C" fn(Context, *const c_void, *const c_void, *const u8, *const u8) -> c_int;
type Update = unsafe extern "C" fn(Context, *mut u8, *mut c_int, *const u8, c_int) -> c_int;
type Final = unsafe extern "C" fn(Context, *mut u8, *mut c_int) -> c_int;

/// openssl/evp.h: EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG.
const GET_TAG: c_int = 0x10;
const SET_TAG: c_int = 0x11;

/// AES-256-GCM through EVP, one context for each direction, the key set up once.
pub(crate) struct OpenSsl {
    version: String,
    seal: Context,
    open: Context,
    encrypt_init: Init,
    encrypt_update: Update,
    encrypt_final: Final,
    decrypt_init: Init,
    decrypt_update: Update,
    decrypt_final: Final,
    control: unsafe extern "C" fn(Context, c_int, c_int, *mut c_void) -> c_int,
    free: unsafe extern "C" fn(Context),
    // Last, so that it is unloaded last.
    _library: Library,
}

impl OpenSsl {
    /// Loads libcrypto and sets up `key`.
    ///
    /// # Panics
    /// If there is no OpenSSL 3, with the command that installs it.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        // SAFETY: the types are those of openssl/evp.h and openssl/crypto.h of OpenSSL 3.
        unsafe {
            let library = Library::new("libcrypto.so.3").expect("OpenSSL 3 is missing: apt-get install libssl3");
            macro_rules! function {
                ($name:literal) => {
                    *library.get(concat!($name, "\0").as_bytes()).expect($name)
                };
            }
            let version: unsafe extern "C" fn(c_int) -> *const c_char = function!("OpenSSL_version");
            let new: unsafe extern "C" fn() -> Context = function!("EVP_CIPHER_CTX_new");
            let cipher: unsafe extern "C" fn() -> *const c_void = function!("EVP_aes_256_gcm");
            let openssl = Self {
                version: CStr::from_ptr(version(0)).to_string_lossy().into_owned(),
                seal: new(),
                open: new(),
                encrypt_init: function!("EVP_EncryptInit_ex"),
                encrypt_update: function!("EVP_EncryptUpdate"),
                encrypt_final: function!("EVP_EncryptFinal_ex"),
                decrypt_init: function!("EVP_DecryptInit_ex"),
                decrypt_update: function!("EVP_DecryptUpdate"),
                decrypt_final: function!("EVP_DecryptFinal_ex"),
                control: function!("EVP_CIPHER_CTX_ctrl"),
                free: function!("EVP_CIPHER_CTX_free"),
                _library: library,
            };
            done((openssl.encrypt_init)(openssl.seal, cipher(), null(), key.as_ptr(), null()));
            done((openssl.decrypt_init)(openssl.open, cipher(), null(), key.as_ptr(), null()));
            openssl
        }
    }
}

fn done(status: c_int) {
    assert_eq!(status, 1, "OpenSSL failed");
}

fn c_len(data: &[u8]) -> c_int {
    data.len().try_into().expect("below 2 GiB")
}

impl Peer for OpenSsl {
    fn name(&self) -> String {
        let words: Vec<_> = self.version.split(' ').take(2).collect();
        words.join(" ")
    }

    fn seal(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        let (at, mut len) = (data.as_mut_ptr(), 0);
        // SAFETY: the context lives, and buffers are as long as is said.
        unsafe {
            done((self.encrypt_init)(self.seal, null(), null(), null(), NONCE.as_ptr()));
            done((self.encrypt_update)(self.seal, at, &raw mut len, at, c_len(data)));
            done((self.encrypt_final)(self.seal, tag.as_mut_ptr(), &raw mut len));
            done((self.control)(self.seal, GET_TAG, c_len(tag), tag.as_mut_ptr().cast()));
        }
    }

    fn open(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        let (at, mut len) = (data.as_mut_ptr(), 0);
        let mut rest = [0; 16];
        // SAFETY: the context lives, and buffers are as long as is said.
        unsafe {
            done((self.decrypt_init)(self.open, null(), null(), null(), NONCE.as_ptr()));
            done((self.decrypt_update)(self.open, at, &raw mut len, at, c_len(data)));
            done((self.control)(self.open, SET_TAG, c_len(tag), tag.as_mut_ptr().cast()));
            done((self.decrypt_final)(self.open, rest.as_mut_ptr(), &raw mut len));
        }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // SAFETY: nobody uses them after this.
        unsafe {
            (self.free)(self.seal);
            (self.free)(self.open);
        }
    }
}
