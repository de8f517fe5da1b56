//! The backends of ARMv8 in 64-bit state.

mod cpu;
mod registers;

use super::{Backend, CounterTable, KEY_LEN, Keys, Nonce, Tag, kernel};
use core::mem::MaybeUninit;
use inout::InOutBuf;
use registers::{Neon, NeonSha3};

/// The register of one block, and the proof that the CPU has what it needs.
pub(super) use Armv8 as OneToken;
pub(super) use registers::Neon as One;

backends! {
    /// Proof of AES and PMULL, which the compiler calls `aes` together.
    Armv8: Armv8, Neon, ["neon", "aes"];
    /// The same with EOR3, which XORs three registers.
    Armv8Sha3: Armv8Sha3, NeonSha3, ["neon", "aes", "sha3"];
}

// Its features include those of the other: see the lists above.
impl From<Armv8Sha3> for Armv8 {
    #[inline(always)]
    fn from(_: Armv8Sha3) -> Self {
        Self(())
    }
}

const _: () = assert!(Armv8Sha3::FEATURES & Armv8::FEATURES == Armv8::FEATURES);
