//! The backends of x86-64. Each list is closed: what the compiler takes to follow from a feature is in it too.

mod cpu;
mod registers;

use super::{Backend, CounterTable, KEY_LEN, Keys, Nonce, Tag, kernel};
use core::mem::MaybeUninit;
use inout::InOutBuf;
use registers::{Xmm, Ymm, Zmm};

/// The register of one block, and the proof that the CPU has what it needs.
pub(super) use AesNi as OneToken;
pub(super) use registers::Xmm as One;

backends! {
    /// Proof of AES-NI and PCLMULQDQ.
    AesNi: AesNi, Xmm, ["sse2", "sse3", "ssse3", "sse4.1", "aes", "pclmulqdq"];
    /// The same with AVX, whose instructions have three operands, which saves many moves.
    AesNiAvx: AesNi, Xmm, ["sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "aes", "pclmulqdq", "avx"];
    /// Proof of VAES and VPCLMULQDQ on 256-bit registers.
    Vaes256: Vaes256, Ymm, [
        "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "aes", "pclmulqdq", "avx", "avx2", "vaes", "vpclmulqdq",
    ];
    /// Proof of VAES and VPCLMULQDQ on 512-bit registers.
    Vaes512: Vaes512, Zmm, [
        "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "aes", "pclmulqdq", "avx", "avx2", "vaes", "vpclmulqdq",
        "fma", "f16c", "avx512f", "avx512bw", "avx512vl",
    ];
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
