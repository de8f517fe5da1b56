//! The registers that the kernel is written for, as types.
//!
//! A value of [`Xmm`], [`Ymm`] or [`Zmm`] can only be made from the token of a backend whose CPU check covers every
//! instruction used here on that type. So the operations on values are safe: holding a value is the proof.
//!
//! Every method is `inline(always)`: the code is compiled inside the backend's `target_feature` functions, where the
//! intrinsics become single instructions.

use super::kernel::STREAMS;
use super::{AesNi, Vaes256, Vaes512};
use core::arch::asm;
use core::arch::x86_64::*;

/// 16 bytes, aligned so that they can be an operand in memory.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Block(pub(super) [u8; 16]);

/// Length of a line of the cache, in bytes.
const CACHE_LINE: usize = 64;

/// One register: `LANES` blocks of 128 bits that are worked on at the same time.
pub(super) trait Vector: Copy {
    /// Proof that the CPU has the instructions for this register.
    type Token: Copy + Into<AesNi>;
    /// 128-bit blocks in a register.
    const LANES: usize;
    /// Whether a stage of the kernel begins with its share of the hash. Measured: with sixteen registers that is
    /// faster, with thirty-two slower.
    const HASH_FIRST: bool = true;

    /// `block` in every lane.
    fn broadcast(token: Self::Token, block: &Block) -> Self;
    /// `block` in every lane.
    fn splat(token: Self::Token, block: Xmm) -> Self;
    /// `block` in the lowest lane, zeros in the others.
    fn lowest(token: Self::Token, block: Xmm) -> Self;
    /// Two registers: `all` in the last two lanes that they have together, zeros in the others.
    fn last_two(token: Self::Token, all: Self) -> [Self; 2];

    /// # Safety
    /// `16 * LANES` bytes at `from` must be readable. No alignment is needed.
    unsafe fn load(token: Self::Token, from: *const u8) -> Self;
    /// # Safety
    /// `16 * LANES` bytes at `to` must be writable. No alignment is needed.
    unsafe fn store(self, to: *mut u8);

    fn xor(self, other: Self) -> Self;
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }
    /// Adds 32-bit words.
    fn add32(self, other: Self) -> Self;
    /// Picks bytes within each lane.
    fn shuffle(self, picks: Self) -> Self;
    /// The low halves of the lanes of `self` and `high`, side by side.
    fn low_halves(self, high: Self) -> Self;
    /// The high halves of the lanes of `self` and `high`, side by side.
    fn high_halves(self, high: Self) -> Self;

    fn aesenc(self, round_key: Self) -> Self;
    fn aesenclast(self, round_key: Self) -> Self;
    /// Carry-less product of the low halves.
    fn clmul_low(self, other: Self) -> Self;
    /// Carry-less product of the high halves.
    fn clmul_high(self, other: Self) -> Self;

    /// XOR of all lanes.
    fn sum(self) -> Xmm;

    /// Says that the value may be any, so that the compiler does not merge what made it with what uses it.
    fn opaque(self) -> Self;

    /// Says that these values are in registers here, each always in the same one, and may be any. It keeps the compiler
    /// from moving what is done with them, and what is read through the pointers, from behind it to before it, and from
    /// moving them between registers.
    fn pin(states: &mut [Self; STREAMS], products: [&mut Self; 3], pointers: [&mut *const u8; 3]);
}

/// `opaque` and `pin`. Left to itself the compiler spills states and takes one after the other through several rounds.
macro_rules! pinned {
    ($vector:ty, $register:ty, $class:ident, [$r0:tt, $r1:tt, $r2:tt, $r3:tt, $r4:tt, $r5:tt, $r6:tt, $r7:tt, $r8:tt, $r9:tt, $r10:tt], $feature:literal) => {
        #[inline(always)]
        fn opaque(self) -> Self {
            #[inline]
            #[target_feature(enable = $feature)]
            fn opaque(mut value: $register) -> $register {
                // SAFETY: there is no instruction.
                unsafe { asm!("/* {0} */", inout($class) value, options(pure, nomem, nostack, preserves_flags)) };
                value
            }
            // SAFETY: the value proves the feature.
            Self(unsafe { opaque(self.0) })
        }

        #[inline(always)]
        fn pin(states: &mut [Self; STREAMS], products: [&mut Self; 3], pointers: [&mut *const u8; 3]) {
            #[inline]
            #[target_feature(enable = $feature)]
            fn pin(
                states: &mut [$vector; STREAMS],
                [low, middle, high]: [&mut $vector; 3],
                [x, y, z]: [&mut *const u8; 3],
            ) {
                #![allow(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written")]
                let [a, b, c, d, e, f, g, h] = states;
                // SAFETY: there is no instruction.
                unsafe {
                    asm!(
                        "/* {0} {1} {2} */",
                        inout(reg) *x, inout(reg) *y, inout(reg) *z,
                        inout($r0) a.0, inout($r1) b.0,
                        inout($r2) c.0, inout($r3) d.0,
                        inout($r4) e.0, inout($r5) f.0,
                        inout($r6) g.0, inout($r7) h.0,
                        inout($r8) low.0, inout($r9) middle.0,
                        inout($r10) high.0,
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
            }
            // SAFETY: the values prove the feature.
            unsafe { pin(states, products, pointers) }
        }
    };
}

/// Methods that are one intrinsic each.
macro_rules! one_instruction {
    ($($vis:vis $method:ident($($arg:ident),*) = $intrinsic:ident$(::<$imm:literal>)?;)+) => {$(
        #[inline(always)]
        $vis fn $method(self $(, $arg: Self)*) -> Self {
            // SAFETY: a value of this type exists only where its token does, and the token's check covers the
            // instruction (module documentation).
            Self(unsafe { $intrinsic$(::<$imm>)?(self.0 $(, $arg.0)*) })
        }
    )+};
}

/// Says that `len` bytes at `from` will be needed soon. They need not exist.
#[inline(always)]
pub(super) fn prefetch(_: AesNi, from: *const u8, len: usize) {
    for at in (0..len).step_by(CACHE_LINE) {
        // SAFETY: the token proves SSE; prefetching reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at).cast()) };
    }
}

#[derive(Clone, Copy)]
pub(super) struct Xmm(__m128i);

impl Vector for Xmm {
    type Token = AesNi;
    const LANES: usize = 1;

    #[inline(always)]
    fn broadcast(_: AesNi, block: &Block) -> Self {
        // SAFETY: `Block` is 16 bytes long and aligned to 16.
        Self(unsafe { _mm_load_si128((&raw const *block).cast()) })
    }

    #[inline(always)]
    fn splat(_: AesNi, block: Xmm) -> Self {
        block
    }

    #[inline(always)]
    fn lowest(_: AesNi, block: Xmm) -> Self {
        block
    }

    #[inline(always)]
    fn last_two(_: AesNi, all: Self) -> [Self; 2] {
        [all, all]
    }

    #[inline(always)]
    unsafe fn load(_: AesNi, from: *const u8) -> Self {
        // SAFETY: the caller promises 16 readable bytes.
        Self(unsafe { _mm_loadu_si128(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises 16 writable bytes.
        unsafe { _mm_storeu_si128(to.cast(), self.0) }
    }

    one_instruction! {
        xor(other) = _mm_xor_si128;
        add32(other) = _mm_add_epi32;
        shuffle(picks) = _mm_shuffle_epi8;
        low_halves(high) = _mm_unpacklo_epi64;
        high_halves(high) = _mm_unpackhi_epi64;
        aesenc(round_key) = _mm_aesenc_si128;
        aesenclast(round_key) = _mm_aesenclast_si128;
        clmul_low(other) = _mm_clmulepi64_si128::<0x00>;
        clmul_high(other) = _mm_clmulepi64_si128::<0x11>;
    }

    #[inline(always)]
    fn sum(self) -> Xmm {
        self
    }

    pinned!(
        Xmm,
        __m128i,
        xmm_reg,
        ["xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10"],
        "sse2"
    );
}

/// What only the 128-bit register needs: key expansion and reduction.
impl Xmm {
    #[inline(always)]
    pub(super) fn from_block(token: AesNi, block: Block) -> Self {
        Self::broadcast(token, &block)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "halves")]
    pub(super) fn from_u128(_: AesNi, value: u128) -> Self {
        let (low, high) = (value as i64, (value >> 64) as i64);
        // SAFETY: the token proves SSE2.
        Self(unsafe { _mm_set_epi64x(high, low) })
    }

    #[inline(always)]
    pub(super) fn to_block(self) -> Block {
        let mut block = Block([0; 16]);
        // SAFETY: `block` is 16 bytes long.
        unsafe { self.store(block.0.as_mut_ptr()) };
        block
    }

    one_instruction! {
        pub(super) clmul_low_high(other) = _mm_clmulepi64_si128::<0x10>;
        pub(super) swap_halves() = _mm_shuffle_epi32::<0b01_00_11_10>;
        pub(super) low_half_up() = _mm_slli_si128::<8>;
        pub(super) high_half_down() = _mm_srli_si128::<8>;
        pub(super) one_word_up() = _mm_slli_si128::<4>;
        pub(super) words_all_2() = _mm_shuffle_epi32::<0b10_10_10_10>;
        pub(super) words_all_3() = _mm_shuffle_epi32::<0b11_11_11_11>;
        pub(super) sub_words() = _mm_aeskeygenassist_si128::<0x00>;
    }
}

#[derive(Clone, Copy)]
pub(super) struct Ymm(__m256i);

impl Vector for Ymm {
    type Token = Vaes256;
    const LANES: usize = 2;

    #[inline(always)]
    fn broadcast(token: Vaes256, block: &Block) -> Self {
        // SAFETY: the token proves AVX2.
        Self(unsafe { _mm256_broadcastsi128_si256(Xmm::broadcast(token.into(), block).0) })
    }

    #[inline(always)]
    fn splat(_: Vaes256, block: Xmm) -> Self {
        // SAFETY: the token proves AVX2.
        Self(unsafe { _mm256_broadcastsi128_si256(block.0) })
    }

    #[inline(always)]
    fn lowest(_: Vaes256, block: Xmm) -> Self {
        // SAFETY: the token proves AVX.
        Self(unsafe { _mm256_zextsi128_si256(block.0) })
    }

    #[inline(always)]
    fn last_two(_: Vaes256, all: Self) -> [Self; 2] {
        // SAFETY: the value proves AVX.
        [Self(unsafe { _mm256_setzero_si256() }), all]
    }

    #[inline(always)]
    unsafe fn load(_: Vaes256, from: *const u8) -> Self {
        // SAFETY: the caller promises 32 readable bytes; the token proves AVX.
        Self(unsafe { _mm256_loadu_si256(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises 32 writable bytes; the value proves AVX.
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }

    one_instruction! {
        xor(other) = _mm256_xor_si256;
        add32(other) = _mm256_add_epi32;
        shuffle(picks) = _mm256_shuffle_epi8;
        low_halves(high) = _mm256_unpacklo_epi64;
        high_halves(high) = _mm256_unpackhi_epi64;
        aesenc(round_key) = _mm256_aesenc_epi128;
        aesenclast(round_key) = _mm256_aesenclast_epi128;
        clmul_low(other) = _mm256_clmulepi64_epi128::<0x00>;
        clmul_high(other) = _mm256_clmulepi64_epi128::<0x11>;
    }

    #[inline(always)]
    fn sum(self) -> Xmm {
        // SAFETY: the value proves AVX2.
        unsafe { Xmm(_mm256_castsi256_si128(self.0)).xor(Xmm(_mm256_extracti128_si256::<1>(self.0))) }
    }

    pinned!(
        Ymm,
        __m256i,
        ymm_reg,
        ["ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10"],
        "avx"
    );
}

#[derive(Clone, Copy)]
pub(super) struct Zmm(__m512i);

impl Vector for Zmm {
    type Token = Vaes512;
    const LANES: usize = 4;
    const HASH_FIRST: bool = false;

    #[inline(always)]
    fn broadcast(token: Vaes512, block: &Block) -> Self {
        // SAFETY: the token proves AVX-512F.
        Self(unsafe { _mm512_broadcast_i32x4(Xmm::broadcast(token.into(), block).0) })
    }

    #[inline(always)]
    fn splat(_: Vaes512, block: Xmm) -> Self {
        // SAFETY: the token proves AVX-512F.
        Self(unsafe { _mm512_broadcast_i32x4(block.0) })
    }

    #[inline(always)]
    fn lowest(_: Vaes512, block: Xmm) -> Self {
        // SAFETY: the token proves AVX-512F.
        Self(unsafe { _mm512_zextsi128_si512(block.0) })
    }

    #[inline(always)]
    fn last_two(_: Vaes512, all: Self) -> [Self; 2] {
        // SAFETY: the value proves AVX-512F. Each bit of the mask keeps 64 bits.
        unsafe { [Self(_mm512_setzero_si512()), Self(_mm512_maskz_mov_epi64(0b1111_0000, all.0))] }
    }

    #[inline(always)]
    unsafe fn load(_: Vaes512, from: *const u8) -> Self {
        // SAFETY: the caller promises 64 readable bytes; the token proves AVX-512F.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises 64 writable bytes; the value proves AVX-512F.
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: the value proves AVX-512F. 0x96 is the truth table of a ^ b ^ c.
        Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0) })
    }

    one_instruction! {
        xor(other) = _mm512_xor_si512;
        add32(other) = _mm512_add_epi32;
        shuffle(picks) = _mm512_shuffle_epi8;
        low_halves(high) = _mm512_unpacklo_epi64;
        high_halves(high) = _mm512_unpackhi_epi64;
        aesenc(round_key) = _mm512_aesenc_epi128;
        aesenclast(round_key) = _mm512_aesenclast_epi128;
        clmul_low(other) = _mm512_clmulepi64_epi128::<0x00>;
        clmul_high(other) = _mm512_clmulepi64_epi128::<0x11>;
    }

    #[inline(always)]
    fn sum(self) -> Xmm {
        // SAFETY: the value proves AVX-512F, which includes AVX2.
        let halves =
            unsafe { Ymm(_mm256_xor_si256(_mm512_castsi512_si256(self.0), _mm512_extracti64x4_epi64::<1>(self.0))) };
        halves.sum()
    }

    pinned!(
        Zmm,
        __m512i,
        zmm_reg,
        ["zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10"],
        "avx512f"
    );
}
