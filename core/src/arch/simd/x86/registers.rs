//! The registers of x86-64: one, two and four blocks.

use super::super::kernel::STREAMS;
use super::super::vector::{Block, Single, Vector, one_instruction, pinned};
use super::{AesNi, Vaes256, Vaes512};
use core::arch::asm;
use core::arch::x86_64::*;

/// Length of a line of the cache, in bytes.
const CACHE_LINE: usize = 64;

#[derive(Clone, Copy)]
pub(in super::super) struct Xmm(__m128i);

impl Vector for Xmm {
    type Token = AesNi;
    const LANES: usize = 1;
    const KEY_LAG: usize = 0;

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

    #[inline(always)]
    fn prefetch(_: AesNi, from: *const u8, len: usize) {
        for at in (0..len).step_by(CACHE_LINE) {
            // SAFETY: the token proves SSE; prefetching reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at).cast()) };
        }
    }

    one_instruction! {
        xor(other) = _mm_xor_si128;
        add32(other) = _mm_add_epi32;
        shuffle(picks) = _mm_shuffle_epi8;
        low_halves(high) = _mm_unpacklo_epi64;
        high_halves(high) = _mm_unpackhi_epi64;
        round(round_key) = _mm_aesenc_si128;
        clmul_low(other) = _mm_clmulepi64_si128::<0x00>;
        clmul_high(other) = _mm_clmulepi64_si128::<0x11>;
    }

    #[inline(always)]
    fn first_key(self, key_0: Self) -> Self {
        self.xor(key_0)
    }

    #[inline(always)]
    fn last_round(self, _: Self, key_14: Self, data: Self) -> Self {
        // SAFETY: the value proves the instruction. It ends with the XOR of a key, and so of the data.
        Self(unsafe { _mm_aesenclast_si128(self.0, data.xor(key_14).0) })
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

impl Single for Xmm {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "halves")]
    fn from_u128(_: AesNi, value: u128) -> Self {
        let (low, high) = (value as i64, (value >> 64) as i64);
        // SAFETY: the token proves SSE2.
        Self(unsafe { _mm_set_epi64x(high, low) })
    }

    #[inline(always)]
    fn to_block(self) -> Block {
        let mut block = Block([0; 16]);
        // SAFETY: `block` is 16 bytes long.
        unsafe { self.store(block.0.as_mut_ptr()) };
        block
    }

    one_instruction! {
        clmul_low_high(other) = _mm_clmulepi64_si128::<0x10>;
        swap_halves() = _mm_shuffle_epi32::<0b01_00_11_10>;
        low_half_up() = _mm_slli_si128::<8>;
        high_half_down() = _mm_srli_si128::<8>;
        one_word_up() = _mm_slli_si128::<4>;
    }

    #[inline(always)]
    fn sub_last_word(self) -> Self {
        self.sub_words().words_all_2()
    }

    #[inline(always)]
    fn rotate_sub_last_word(self) -> Self {
        self.sub_words().words_all_3()
    }
}

impl Xmm {
    one_instruction! {
        /// SubWord of the highest word is word 2 of what comes out, RotWord of it word 3.
        sub_words() = _mm_aeskeygenassist_si128::<0x00>;
        words_all_2() = _mm_shuffle_epi32::<0b10_10_10_10>;
        words_all_3() = _mm_shuffle_epi32::<0b11_11_11_11>;
    }
}

#[derive(Clone, Copy)]
pub(in super::super) struct Ymm(__m256i);

impl Vector for Ymm {
    type Token = Vaes256;
    const LANES: usize = 2;
    const KEY_LAG: usize = 0;

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
    fn prefetch(token: Vaes256, from: *const u8, len: usize) {
        Xmm::prefetch(token.into(), from, len);
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
        round(round_key) = _mm256_aesenc_epi128;
        clmul_low(other) = _mm256_clmulepi64_epi128::<0x00>;
        clmul_high(other) = _mm256_clmulepi64_epi128::<0x11>;
    }

    #[inline(always)]
    fn first_key(self, key_0: Self) -> Self {
        self.xor(key_0)
    }

    #[inline(always)]
    fn last_round(self, _: Self, key_14: Self, data: Self) -> Self {
        // SAFETY: the value proves the instruction. It ends with the XOR of a key, and so of the data.
        Self(unsafe { _mm256_aesenclast_epi128(self.0, data.xor(key_14).0) })
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
pub(in super::super) struct Zmm(__m512i);

impl Vector for Zmm {
    type Token = Vaes512;
    const LANES: usize = 4;
    const KEY_LAG: usize = 0;
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
    fn prefetch(token: Vaes512, from: *const u8, len: usize) {
        Xmm::prefetch(token.into(), from, len);
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
        round(round_key) = _mm512_aesenc_epi128;
        clmul_low(other) = _mm512_clmulepi64_epi128::<0x00>;
        clmul_high(other) = _mm512_clmulepi64_epi128::<0x11>;
    }

    #[inline(always)]
    fn first_key(self, key_0: Self) -> Self {
        self.xor(key_0)
    }

    #[inline(always)]
    fn last_round(self, _: Self, key_14: Self, data: Self) -> Self {
        // SAFETY: the value proves the instruction. It ends with the XOR of a key, and so of the data.
        Self(unsafe { _mm512_aesenclast_epi128(self.0, data.xor(key_14).0) })
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
