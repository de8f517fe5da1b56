//! AES-256-GCM on this CPU: one file per backend, one place that chooses.
//!
//! No other module may use `unsafe`, but for one system call in `buffer`. A backend offers a key type with two functions,
//! `seal` and `open`, over one whole message. The key type of a CPU-specific backend can only be made from a proof token,
//! and a token only by the check that the CPU and the operating system support its instructions.

#![allow(unsafe_code)]

mod soft;

// Kernels of our own. Targets without SSE2 or NEON (kernels, firmware) have no vector registers.
#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
))]
#[path = "simd/mod.rs"]
mod native;
#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
)))]
#[path = "none.rs"]
mod native;

use core::mem::MaybeUninit;
use inout::InOutBuf;
pub(crate) use native::{CounterRoom, CounterTable};

/// Length of an AES-256 key, in bytes.
pub(crate) const KEY_LEN: usize = 32;
/// Length of an AES block and of a GCM tag, in bytes.
pub(crate) const BLOCK_LEN: usize = 16;
/// Length of the only nonce size that objseal uses (SP 800-38D, section 5.2.1.1 recommends 96 bits).
pub(crate) const NONCE_LEN: usize = 12;

/// A 96-bit GCM nonce.
pub(crate) type Nonce = [u8; NONCE_LEN];
/// A 128-bit GCM tag.
pub(crate) type Tag = [u8; BLOCK_LEN];

/// An implementation of AES-256-GCM.
///
/// All backends give the same bytes. The best one that the CPU and the operating system support is chosen when a key
/// is set up; [`Cobblestone::with_engine`](crate::cobblestone::Cobblestone::with_engine) can lower the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Backend {
    /// Portable and constant-time: the RustCrypto crates `aes` and `ghash`. Those detect CPU instructions on their
    /// own; where there are none they run bitsliced.
    Soft,
    /// x86-64 with AES-NI and PCLMULQDQ, 128 bits at a time.
    AesNi,
    /// x86-64 with VAES, VPCLMULQDQ and AVX2, 256 bits at a time.
    Vaes256,
    /// x86-64 with VAES, VPCLMULQDQ and AVX-512, 512 bits at a time.
    Vaes512,
    /// ARMv8 in 64-bit state with the AES and PMULL instructions.
    Armv8,
    /// The same with EOR3, of the SHA3 instructions.
    Armv8Sha3,
}

impl Backend {
    /// Every backend that this version of objseal knows, for each architecture the slowest first.
    pub const ALL: &'static [Self] =
        &[Self::Soft, Self::AesNi, Self::Vaes256, Self::Vaes512, Self::Armv8, Self::Armv8Sha3];

    /// The best backend that this CPU and operating system support.
    #[must_use]
    pub fn detect() -> Self {
        Choice::best().backend()
    }

    /// Whether this CPU and operating system support the backend. [`Backend::Soft`] is always available.
    #[must_use]
    pub fn is_available(self) -> bool {
        Choice::of(self).is_some()
    }

    /// The name that [`Display`](core::fmt::Display) prints and [`FromStr`](core::str::FromStr) reads, such as
    /// `vaes-512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::AesNi => "aes-ni",
            Self::Vaes256 => "vaes-256",
            Self::Vaes512 => "vaes-512",
            Self::Armv8 => "armv8",
            Self::Armv8Sha3 => "armv8-sha3",
        }
    }
}

impl core::fmt::Display for Backend {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl core::str::FromStr for Backend {
    type Err = crate::error::UnknownBackend;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|backend| backend.name() == name);
        known.copied().ok_or(crate::error::UnknownBackend)
    }
}

/// A backend together with the proof that this machine can run it.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    Soft,
    Native(native::Choice),
}

impl Choice {
    /// The proof for `backend`, if this machine can run it.
    pub(crate) fn of(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Soft => Some(Self::Soft),
            _ => native::Choice::of(backend).map(Self::Native),
        }
    }

    /// The proof for the best backend of this machine.
    pub(crate) fn best() -> Self {
        let available = Backend::ALL.iter().rev().find_map(|&backend| Self::of(backend));
        available.unwrap_or(Self::Soft)
    }

    pub(crate) fn backend(self) -> Backend {
        match self {
            Self::Soft => Backend::Soft,
            Self::Native(choice) => choice.backend(),
        }
    }
}

/// Where keys are: on the heap if there is one. They take kilobytes, and whoever holds them is moved often.
#[cfg(feature = "alloc")]
pub(crate) type Home<T> = alloc::boxed::Box<T>;
/// Where keys are: in whoever holds them.
#[cfg(not(feature = "alloc"))]
pub(crate) type Home<T> = T;

/// Makes room for keys where they stay, and has it filled.
///
/// # Safety
/// `fill` must initialise it.
unsafe fn home<T>(fill: impl FnOnce(&mut MaybeUninit<T>)) -> Home<T> {
    #[cfg(feature = "alloc")]
    let mut room = alloc::boxed::Box::new_uninit();
    #[cfg(not(feature = "alloc"))]
    let mut room = MaybeUninit::uninit();
    fill(&mut room);
    // SAFETY: the caller promises it.
    unsafe { room.assume_init() }
}

/// `keys`, where keys are.
#[cfg(feature = "alloc")]
pub(crate) fn at_home<T>(keys: T) -> Home<T> {
    Home::new(keys)
}

/// `keys`, where keys are.
#[cfg(not(feature = "alloc"))]
pub(crate) fn at_home<T>(keys: T) -> Home<T> {
    keys
}

/// An AES-256-GCM key set up for one backend: round keys and powers of the hash key, wiped on drop.
// Where there is no heap, the large variant is the one in use.
#[cfg_attr(not(feature = "alloc"), allow(clippy::large_enum_variant))]
pub(crate) enum GcmKey {
    Soft(Home<soft::GcmKey>),
    Native(native::GcmKey),
}

impl GcmKey {
    /// Sets up `key`. `long` says that enough data will follow to pay for the long table of hash key powers.
    // Where there are no kernels of our own, no choice but `Soft` exists.
    #[allow(unreachable_code)]
    pub(crate) fn new(choice: Choice, key: &[u8; KEY_LEN], long: bool) -> Self {
        match choice {
            Choice::Soft => {
                let set_up = |room: &mut MaybeUninit<_>| _ = room.write(soft::GcmKey::new(key));
                // SAFETY: it writes the key.
                Self::Soft(unsafe { home(set_up) })
            }
            Choice::Native(choice) => Self::Native(native::GcmKey::new(choice, key, long)),
        }
    }

    /// The backend that it was laid out for, and that seals and opens with it.
    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Soft(_) => Backend::Soft,
            Self::Native(key) => key.backend(),
        }
    }

    /// Encrypts `data` and returns the tag over `aad` and the ciphertext. Lengths are the caller's to check.
    pub(crate) fn seal(
        &self,
        table: Option<&mut CounterTable<'_>>,
        nonce: &Nonce,
        aad: &[u8],
        data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        match self {
            Self::Soft(key) => key.seal(nonce, aad, data),
            Self::Native(key) => key.seal(table, nonce, aad, data),
        }
    }

    /// Decrypts `data` and returns the tag over `aad` and the ciphertext. The caller must compare it with the tag
    /// that came with the message, and must not let anybody see the output if they differ.
    pub(crate) fn open(
        &self,
        table: Option<&mut CounterTable<'_>>,
        nonce: &Nonce,
        aad: &[u8],
        data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        match self {
            Self::Soft(key) => key.open(nonce, aad, data),
            Self::Native(key) => key.open(table, nonce, aad, data),
        }
    }
}

/// The first counter block of a message with a 96-bit nonce, J0 = nonce || 0^31 || 1 (SP 800-38D, section 7.1).
fn j0(nonce: &Nonce) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    block[..NONCE_LEN].copy_from_slice(nonce);
    block[BLOCK_LEN - 1] = 1;
    block
}

/// The last block that GHASH takes in: [len(A)]64 || [len(C)]64, in bits (SP 800-38D, section 7.1).
fn length_block(aad_len: usize, data_len: usize) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    block[..8].copy_from_slice(&(aad_len as u64 * 8).to_be_bytes());
    block[8..].copy_from_slice(&(data_len as u64 * 8).to_be_bytes());
    block
}
