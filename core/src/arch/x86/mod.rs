//! AES-256-GCM kernels for x86-64.
//!
//! [`kernel`] is the one text of the algorithm, generic over the register width, and [`counters`] the first rounds of the
//! counter blocks. [`vector`] gives the three widths.
//! This file stamps a backend out of each: a token, the CPU check behind it, and the functions compiled for it.

mod counters;
mod cpu;
mod kernel;
mod vector;

use super::{Backend, Home, KEY_LEN, Nonce, Tag, home};
use core::mem::MaybeUninit;
pub(crate) use counters::{CounterRoom, CounterTable};
use inout::InOutBuf;
use kernel::Keys;
use vector::{Xmm, Ymm, Zmm};

/// Defines a backend. The one list of features is both what the CPU is asked for and what the code is compiled for.
macro_rules! backend {
    ($(#[$doc:meta])* $token:ident, $vector:ty, [$($feature:tt),+ $(,)?]) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $token(());

        impl $token {
            const FEATURES: u32 = 0 $(| cpu::bit($feature))+;

            fn detect() -> Option<Self> {
                cpu::has_all(Self::FEATURES).then_some(Self(()))
            }

            fn set_up(self, room: &mut MaybeUninit<Keys>, key: &[u8; KEY_LEN], long: bool) {
                #[target_feature($(enable = $feature),+)]
                #[inline(never)]
                fn set_up(token: $token, room: &mut MaybeUninit<Keys>, key: &[u8; KEY_LEN], long: bool) {
                    Keys::set_up::<$vector>(room, token.into(), key, long);
                }
                // SAFETY: the token exists only if the CPU has the features.
                unsafe { set_up(self, room, key, long) }
            }

            fn seal(
                self,
                keys: &Keys,
                table: Option<&mut CounterTable<'_>>,
                nonce: &Nonce,
                aad: &[u8],
                data: InOutBuf<'_, '_, u8>,
            ) -> Tag {
                #[target_feature($(enable = $feature),+)]
                #[inline(never)]
                fn seal(
                    token: $token,
                    keys: &Keys,
                    table: Option<&mut CounterTable<'_>>,
                    nonce: &Nonce,
                    aad: &[u8],
                    data: InOutBuf<'_, '_, u8>,
                ) -> Tag {
                    kernel::message::<$vector, true>(token.into(), keys, table, nonce, aad, data)
                }
                // SAFETY: the token exists only if the CPU has the features.
                unsafe { seal(self, keys, table, nonce, aad, data) }
            }

            fn open(
                self,
                keys: &Keys,
                table: Option<&mut CounterTable<'_>>,
                nonce: &Nonce,
                aad: &[u8],
                data: InOutBuf<'_, '_, u8>,
            ) -> Tag {
                #[target_feature($(enable = $feature),+)]
                #[inline(never)]
                fn open(
                    token: $token,
                    keys: &Keys,
                    table: Option<&mut CounterTable<'_>>,
                    nonce: &Nonce,
                    aad: &[u8],
                    data: InOutBuf<'_, '_, u8>,
                ) -> Tag {
                    kernel::message::<$vector, false>(token.into(), keys, table, nonce, aad, data)
                }
                // SAFETY: the token exists only if the CPU has the features.
                unsafe { open(self, keys, table, nonce, aad, data) }
            }
        }
    };
}

backend! {
    /// Proof of AES-NI and PCLMULQDQ.
    AesNi, Xmm, ["sse2", "ssse3", "sse4.1", "aes", "pclmulqdq"]
}

backend! {
    /// The same with AVX, whose instructions have three operands, which saves many moves.
    AesNiAvx, Xmm, ["sse2", "ssse3", "sse4.1", "aes", "pclmulqdq", "avx"]
}

backend! {
    /// Proof of VAES and VPCLMULQDQ on 256-bit registers.
    Vaes256, Ymm, ["sse2", "ssse3", "sse4.1", "aes", "pclmulqdq", "avx", "avx2", "vaes", "vpclmulqdq"]
}

backend! {
    /// Proof of VAES and VPCLMULQDQ on 512-bit registers.
    Vaes512, Zmm, [
        "sse2", "ssse3", "sse4.1", "aes", "pclmulqdq", "avx", "avx2", "vaes", "vpclmulqdq",
        "avx512f", "avx512bw", "avx512vl",
    ]
}

// A wider backend's features include those of the 128-bit one: see the lists above.
impl From<AesNiAvx> for AesNi {
    #[inline(always)]
    fn from(_: AesNiAvx) -> Self {
        Self(())
    }
}

impl From<Vaes256> for AesNi {
    #[inline(always)]
    fn from(_: Vaes256) -> Self {
        Self(())
    }
}

impl From<Vaes512> for AesNi {
    #[inline(always)]
    fn from(_: Vaes512) -> Self {
        Self(())
    }
}

const _: () = assert!(AesNiAvx::FEATURES & AesNi::FEATURES == AesNi::FEATURES);
const _: () = assert!(Vaes256::FEATURES & AesNi::FEATURES == AesNi::FEATURES);
const _: () = assert!(Vaes512::FEATURES & AesNi::FEATURES == AesNi::FEATURES);
// The sum of a 512-bit register goes through a 256-bit one.
const _: () = assert!(Vaes512::FEATURES & Vaes256::FEATURES == Vaes256::FEATURES);

/// A backend of this architecture, with the proof that this machine can run it.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    AesNi(AesNi),
    AesNiAvx(AesNiAvx),
    Vaes256(Vaes256),
    Vaes512(Vaes512),
}

impl Choice {
    pub(crate) fn of(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Soft => None,
            Backend::AesNi => AesNiAvx::detect().map(Self::AesNiAvx).or_else(|| AesNi::detect().map(Self::AesNi)),
            Backend::Vaes256 => Vaes256::detect().map(Self::Vaes256),
            Backend::Vaes512 => Vaes512::detect().map(Self::Vaes512),
        }
    }

    pub(crate) fn backend(self) -> Backend {
        match self {
            Self::AesNi(_) | Self::AesNiAvx(_) => Backend::AesNi,
            Self::Vaes256(_) => Backend::Vaes256,
            Self::Vaes512(_) => Backend::Vaes512,
        }
    }
}

/// Round keys and hash key powers, together with the backend that they were laid out for.
pub(crate) struct GcmKey {
    choice: Choice,
    keys: Home<Keys>,
}

impl GcmKey {
    pub(crate) fn new(choice: Choice, key: &[u8; KEY_LEN], long: bool) -> Self {
        let set_up = |room: &mut MaybeUninit<Keys>| match choice {
            Choice::AesNi(token) => token.set_up(room, key, long),
            Choice::AesNiAvx(token) => token.set_up(room, key, long),
            Choice::Vaes256(token) => token.set_up(room, key, long),
            Choice::Vaes512(token) => token.set_up(room, key, long),
        };
        // SAFETY: it writes all that must be there.
        let keys = unsafe { home(set_up) };
        Self { choice, keys }
    }

    pub(crate) fn backend(&self) -> Backend {
        self.choice.backend()
    }

    pub(crate) fn seal(
        &self,
        table: Option<&mut CounterTable<'_>>,
        nonce: &Nonce,
        aad: &[u8],
        data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        match self.choice {
            Choice::AesNi(token) => token.seal(&self.keys, table, nonce, aad, data),
            Choice::AesNiAvx(token) => token.seal(&self.keys, table, nonce, aad, data),
            Choice::Vaes256(token) => token.seal(&self.keys, table, nonce, aad, data),
            Choice::Vaes512(token) => token.seal(&self.keys, table, nonce, aad, data),
        }
    }

    pub(crate) fn open(
        &self,
        table: Option<&mut CounterTable<'_>>,
        nonce: &Nonce,
        aad: &[u8],
        data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        match self.choice {
            Choice::AesNi(token) => token.open(&self.keys, table, nonce, aad, data),
            Choice::AesNiAvx(token) => token.open(&self.keys, table, nonce, aad, data),
            Choice::Vaes256(token) => token.open(&self.keys, table, nonce, aad, data),
            Choice::Vaes512(token) => token.open(&self.keys, table, nonce, aad, data),
        }
    }
}
