//! The registers of ARMv8: one block, with and without an instruction that XORs three of them.

use super::super::kernel::STREAMS;
use super::super::vector::{Block, Single, Vector, one_instruction, pinned};
use super::{Armv8, Armv8Sha3};
use core::arch::aarch64::*;
use core::arch::asm;

/// An expression compiled for a feature that the values in it prove.
macro_rules! with {
    ($feature:literal, ($($name:ident = $value:expr),+) => $result:expr) => {{
        #[inline]
        #[target_feature(enable = $feature)]
        fn with($($name: uint8x16_t),+) -> uint8x16_t {
            $result
        }
        // SAFETY: a value of this type exists only where its token does, and the token's check covers the feature.
        Self(unsafe { with($($value),+) })
    }};
}

/// This very instruction, from two registers to one. The compiler takes registers apart to make two or three others.
macro_rules! exactly {
    ($instruction:literal, $a:ident, $b:ident) => {{
        let c: uint8x16_t;
        // SAFETY: it touches these registers only, and the function around it is compiled for it.
        unsafe {
            asm!(
                $instruction, a = in(vreg) $a, b = in(vreg) $b, c = lateout(vreg) c,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        c
    }};
}

/// A register of one block, with what its CPU can do besides.
macro_rules! register {
    ($(#[$doc:meta])* $register:ident, $token:ident $(, $method:item)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in super::super) struct $register(uint8x16_t);

        impl Vector for $register {
            type Token = $token;
            const LANES: usize = 1;
            const KEY_LAG: usize = 1;
            const HASH_FIRST: bool = false;

            #[inline(always)]
            fn broadcast(token: $token, block: &Block) -> Self {
                // SAFETY: `Block` is 16 bytes long.
                unsafe { Self::load(token, block.0.as_ptr()) }
            }

            #[inline(always)]
            fn splat(_: $token, block: Neon) -> Self {
                Self(block.0)
            }

            #[inline(always)]
            fn lowest(_: $token, block: Neon) -> Self {
                Self(block.0)
            }

            #[inline(always)]
            fn last_two(_: $token, all: Self) -> [Self; 2] {
                [all, all]
            }

            #[inline(always)]
            unsafe fn load(_: $token, from: *const u8) -> Self {
                // SAFETY: the caller promises 16 readable bytes.
                // Opaque, or the compiler makes two instructions of a TBL whose picks it knows.
                Self(unsafe { vld1q_u8(from) }).opaque()
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // SAFETY: the caller promises 16 writable bytes.
                unsafe { vst1q_u8(to, self.0) }
            }

            /// Left to the CPU.
            #[inline(always)]
            fn prefetch(_: $token, _: *const u8, _: usize) {}

            one_instruction! {
                xor(other) = veorq_u8;
                shuffle(picks) = vqtbl1q_u8;
            }

            $(#[inline(always)] $method)*

            #[inline(always)]
            fn add32(self, other: Self) -> Self {
                // SAFETY: the value proves NEON.
                Self(unsafe {
                    vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(self.0), vreinterpretq_u32_u8(other.0)))
                })
            }

            #[inline(always)]
            fn low_halves(self, high: Self) -> Self {
                with!("neon", (a = self.0, b = high.0) => exactly!("zip1 {c:v}.2d, {a:v}.2d, {b:v}.2d", a, b))
            }

            #[inline(always)]
            fn high_halves(self, high: Self) -> Self {
                // SAFETY: the value proves NEON.
                Self(unsafe {
                    vreinterpretq_u8_u64(vzip2q_u64(vreinterpretq_u64_u8(self.0), vreinterpretq_u64_u8(high.0)))
                })
            }

            #[inline(always)]
            fn first_key(self, _: Self) -> Self {
                self
            }

            #[inline(always)]
            fn round(self, round_key: Self) -> Self {
                with!("aes", (state = self.0, key = round_key.0) => vaesmcq_u8(vaeseq_u8(state, key)))
            }

            #[inline(always)]
            fn last_round(self, key_13: Self, key_14: Self, data: Self) -> Self {
                with!("aes", (state = self.0, key = key_13.0) => vaeseq_u8(state, key)).xor3(key_14, data)
            }

            #[inline(always)]
            fn clmul_low(self, other: Self) -> Self {
                with!("aes", (a = self.0, b = other.0) => exactly!("pmull {c:v}.1q, {a:v}.1d, {b:v}.1d", a, b))
            }

            #[inline(always)]
            fn clmul_high(self, other: Self) -> Self {
                with!("aes", (a = self.0, b = other.0) => exactly!("pmull2 {c:v}.1q, {a:v}.2d, {b:v}.2d", a, b))
            }

            #[inline(always)]
            fn sum(self) -> Neon {
                Neon(self.0)
            }

            pinned!(
                $register,
                uint8x16_t,
                vreg,
                ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10"],
                "neon"
            );
        }
    };
}

register! {
    /// A register of a CPU with AES and PMULL.
    Neon, Armv8
}

register! {
    /// A register of a CPU that has EOR3 too.
    NeonSha3, Armv8Sha3,
    fn xor3(self, b: Self, c: Self) -> Self {
        with!("sha3", (a = self.0, b = b.0, c = c.0) => veor3q_u8(a, b, c))
    }
}

impl Single for Neon {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "halves")]
    fn from_u128(_: Armv8, value: u128) -> Self {
        let (low, high) = (value as u64, (value >> 64) as u64);
        // SAFETY: the token proves NEON.
        Self(unsafe { vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high))) })
    }

    #[inline(always)]
    fn to_block(self) -> Block {
        let mut block = Block([0; 16]);
        // SAFETY: `block` is 16 bytes long.
        unsafe { self.store(block.0.as_mut_ptr()) };
        block
    }

    #[inline(always)]
    fn clmul_low_high(self, other: Self) -> Self {
        self.clmul_low(other.high_half_down())
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: the value proves NEON.
        Self(unsafe { vextq_u8::<8>(self.0, self.0) })
    }

    #[inline(always)]
    fn low_half_up(self) -> Self {
        // SAFETY: the value proves NEON.
        Self(unsafe { vextq_u8::<8>(vdupq_n_u8(0), self.0) })
    }

    #[inline(always)]
    fn high_half_down(self) -> Self {
        // SAFETY: the value proves NEON.
        Self(unsafe { vextq_u8::<8>(self.0, vdupq_n_u8(0)) })
    }

    #[inline(always)]
    fn one_word_up(self) -> Self {
        // SAFETY: the value proves NEON.
        Self(unsafe { vextq_u8::<12>(vdupq_n_u8(0), self.0) })
    }

    /// With a key of zeros AESE is SubBytes and ShiftRows, and ShiftRows does nothing to four columns that are the same.
    #[inline(always)]
    fn sub_last_word(self) -> Self {
        with!("aes", (words = self.0) => {
            let last = vdupq_laneq_u32::<3>(vreinterpretq_u32_u8(words));
            vaeseq_u8(vreinterpretq_u8_u32(last), vdupq_n_u8(0))
        })
    }

    #[inline(always)]
    fn rotate_sub_last_word(self) -> Self {
        // SAFETY: the value proves NEON.
        Self(unsafe {
            let words = vreinterpretq_u32_u8(self.sub_last_word().0);
            vreinterpretq_u8_u32(vsliq_n_u32::<24>(vshrq_n_u32::<8>(words), words))
        })
    }
}
