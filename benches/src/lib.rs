//! What the benchmarks share: the peers behind one interface, and the data.

#[cfg(feature = "boring")]
mod boringssl;
pub mod c_library;
pub mod chart;
mod openssl;

use aes_gcm::KeyInit;
use aes_gcm::aead::{AeadInOut, inout::InOutBuf};
use objseal::Backend;
use objseal::hazmat::Aes256Gcm;

/// Length of a tag, in bytes.
pub const TAG_LEN: usize = 16;

/// The nonce of every message here. Nothing that is sealed here is secret.
const NONCE: [u8; 12] = [9; 12];

/// An AES-256-GCM implementation with a key set up, used in place and without additional data.
pub trait Peer {
    /// What it is called in the tables.
    fn name(&self) -> String;
    /// Encrypts all but the last 16 bytes of `message` and puts the tag there.
    fn seal(&self, message: &mut [u8]);
    /// Checks the tag in the last 16 bytes of `message` and decrypts the others. Panics if the tag does not hold.
    fn open(&self, message: &mut [u8]);

    /// Seals message after message.
    fn seal_all(&self, messages: &mut dyn Iterator<Item = &mut [u8]>) {
        messages.for_each(|message| self.seal(message));
    }

    /// Opens message after message.
    fn open_all(&self, messages: &mut dyn Iterator<Item = &mut [u8]>) {
        messages.for_each(|message| self.open(message));
    }
}

/// Every implementation that is compared, ours first: the backend `ours`, then the slower ones, then `ours` with its
/// tables kept.
///
/// # Panics
/// If this machine cannot run `ours`.
#[must_use]
pub fn peers(ours: Backend) -> Vec<Box<dyn Peer>> {
    let key = [7; 32];
    let mut all: Vec<Box<dyn Peer>> = Vec::new();
    for &backend in Backend::ALL.iter().rev().filter(|&&backend| backend <= ours && backend.is_available()) {
        let gcm = Aes256Gcm::new(backend, &key, 1 << 20).expect("the backend is available");
        all.push(Box::new(Ours(backend, gcm)));
    }
    let gcm = Aes256Gcm::new(ours, &key, 1 << 20).expect("the backend is available");
    all.push(Box::new(TablesKept(ours, gcm)));
    assert!(ours.is_available(), "this machine cannot run the backend {ours}");
    all.push(Box::new(AwsLc(aws_lc_rs::aead::LessSafeKey::new(
        aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &key).expect("a key of the right length"),
    ))));
    all.push(Box::new(Ring(ring::aead::LessSafeKey::new(
        ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &key).expect("a key of the right length"),
    ))));
    #[cfg(feature = "boring")]
    all.push(Box::new(boringssl::BoringSsl::new(&key)));
    all.push(Box::new(openssl::OpenSsl::new(&key)));
    all.push(Box::new(Graviola(graviola::aead::AesGcm::new(&key))));
    all.push(Box::new(RustCrypto(aes_gcm::Aes256Gcm::new(&key.into()))));
    all
}

struct Ours(Backend, Aes256Gcm);

impl Peer for Ours {
    fn name(&self) -> String {
        format!("objseal {}", self.0)
    }

    fn seal(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        *tag = self.1.seal_in_place(&NONCE, &[], data).expect("short enough");
    }

    fn open(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        self.1.open_in_place(&NONCE, &[], data, tag).expect("the tag holds");
    }
}

/// Ours as it works on the chunks of a body: the table of counter blocks stays from message to message.
struct TablesKept(Backend, Aes256Gcm);

impl Peer for TablesKept {
    fn name(&self) -> String {
        format!("objseal {}, tables kept", self.0)
    }

    fn seal(&self, message: &mut [u8]) {
        self.seal_all(&mut std::iter::once(message));
    }

    fn open(&self, message: &mut [u8]) {
        self.open_all(&mut std::iter::once(message));
    }

    fn seal_all(&self, messages: &mut dyn Iterator<Item = &mut [u8]>) {
        self.1.keep_tables(|worker| {
            messages.for_each(|message| {
                let (data, tag) = split(message);
                *tag = worker.seal_in_place(&NONCE, &[], data).expect("short enough");
            });
        });
    }

    fn open_all(&self, messages: &mut dyn Iterator<Item = &mut [u8]>) {
        self.1.keep_tables(|worker| {
            messages.for_each(|message| {
                let (data, tag) = split(message);
                worker.open_in_place(&NONCE, &[], data, tag).expect("the tag holds");
            });
        });
    }
}

/// aws-lc-rs has the interface of ring.
macro_rules! with_the_interface_of_ring {
    ($peer:ident, $library:ident, $name:literal) => {
        struct $peer($library::aead::LessSafeKey);

        impl Peer for $peer {
            fn name(&self) -> String {
                $name.into()
            }

            fn seal(&self, message: &mut [u8]) {
                use $library::aead::{Aad, Nonce};
                let (data, tag) = split(message);
                let nonce = Nonce::assume_unique_for_key(NONCE);
                let computed = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), data).expect("short enough");
                tag.copy_from_slice(computed.as_ref());
            }

            fn open(&self, message: &mut [u8]) {
                use $library::aead::{Aad, Nonce};
                let nonce = Nonce::assume_unique_for_key(NONCE);
                self.0.open_in_place(nonce, Aad::empty(), message).expect("the tag holds");
            }
        }
    };
}

with_the_interface_of_ring!(AwsLc, aws_lc_rs, "aws-lc-rs");
with_the_interface_of_ring!(Ring, ring, "ring");

struct Graviola(graviola::aead::AesGcm);

impl Peer for Graviola {
    fn name(&self) -> String {
        "graviola".into()
    }

    fn seal(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        self.0.encrypt(&NONCE, &[], data, tag);
    }

    fn open(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        self.0.decrypt(&NONCE, &[], data, tag).expect("the tag holds");
    }
}

struct RustCrypto(aes_gcm::Aes256Gcm);

impl Peer for RustCrypto {
    fn name(&self) -> String {
        "RustCrypto aes-gcm".into()
    }

    fn seal(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        let computed = self.0.encrypt_inout_detached(&NONCE.into(), &[], InOutBuf::from(data)).expect("short enough");
        *tag = computed.into();
    }

    fn open(&self, message: &mut [u8]) {
        let (data, tag) = split(message);
        let tag = (*tag).into();
        self.0.decrypt_inout_detached(&NONCE.into(), &[], InOutBuf::from(data), &tag).expect("the tag holds");
    }
}

fn split(message: &mut [u8]) -> (&mut [u8], &mut [u8; TAG_LEN]) {
    message.split_last_chunk_mut().expect("a message has room for its tag")
}

/// `len` bytes that do not compress and look the same in every run (xorshift64*).
#[must_use]
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = vec![0; len];
    for piece in bytes.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        piece.copy_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()[..piece.len()]);
    }
    bytes
}

/// The middle one of some values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
