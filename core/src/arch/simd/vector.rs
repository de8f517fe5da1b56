//! What the kernel asks of a register.
//!
//! A value of a register's type can only be made from the token of a backend whose CPU check covers every instruction
//! used on that type. So the operations on values are safe: holding a value is the proof.
//!
//! Every method is `inline(always)`: the code is compiled inside the backend's `target_feature` functions, where the
//! intrinsics become single instructions.

use super::kernel::STREAMS;
use super::target::{One, OneToken};

/// 16 bytes, aligned so that they can be an operand in memory.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Block(pub(super) [u8; 16]);

/// One register: `LANES` blocks of 128 bits that are worked on at the same time.
pub(super) trait Vector: Copy {
    /// Proof that the CPU has the instructions for this register.
    type Token: Copy + Into<OneToken>;
    /// 128-bit blocks in a register.
    const LANES: usize;
    /// How many keys the AES instruction lags behind. AESENC ends with the key of its round; AESE begins with the key of
    /// the round before, so that a state lacks the key of the last round it went through.
    const KEY_LAG: usize;
    /// Whether a stage of the kernel begins with its share of the hash. Measured on x86-64: with sixteen registers
    /// that is faster, with thirty-two slower.
    const HASH_FIRST: bool = true;

    /// `block` in every lane.
    fn broadcast(token: Self::Token, block: &Block) -> Self;
    /// `block` in every lane.
    fn splat(token: Self::Token, block: One) -> Self;
    /// `block` in the lowest lane, zeros in the others.
    fn lowest(token: Self::Token, block: One) -> Self;
    /// Two registers: `all` in the last two lanes that they have together, zeros in the others.
    fn last_two(token: Self::Token, all: Self) -> [Self; 2];

    /// # Safety
    /// `16 * LANES` bytes at `from` must be readable. No alignment is needed.
    unsafe fn load(token: Self::Token, from: *const u8) -> Self;
    /// # Safety
    /// `16 * LANES` bytes at `to` must be writable. No alignment is needed.
    unsafe fn store(self, to: *mut u8);
    /// Says that `len` bytes at `from` will be needed soon. They need not exist.
    fn prefetch(token: Self::Token, from: *const u8, len: usize);

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

    /// From counter blocks to states before round 1. Key 0 is added unless round 1 does that.
    fn first_key(self, key_0: Self) -> Self;
    /// One of the rounds 1 to 13. Round `n` takes key `n - KEY_LAG`.
    fn round(self, round_key: Self) -> Self;
    /// Round 14, XORed with `data`.
    fn last_round(self, key_13: Self, key_14: Self, data: Self) -> Self;
    /// Carry-less product of the low halves.
    fn clmul_low(self, other: Self) -> Self;
    /// Carry-less product of the high halves.
    fn clmul_high(self, other: Self) -> Self;

    /// XOR of all lanes.
    fn sum(self) -> One;

    /// Says that the value may be any, so that the compiler does not merge what made it with what uses it.
    fn opaque(self) -> Self;

    /// Says that these values are in registers here, each always in the same one, and may be any. It keeps the compiler
    /// from moving what is done with them, and what is read through the pointers, from behind it to before it, and from
    /// moving them between registers.
    fn pin(states: &mut [Self; STREAMS], products: [&mut Self; 3], pointers: [&mut *const u8; 3]);
}

/// What only the register of one block needs: key expansion and reduction.
pub(super) trait Single: Vector {
    fn from_u128(token: Self::Token, value: u128) -> Self;
    fn to_block(self) -> Block;

    /// Carry-less product of the low half and the high half of `other`.
    fn clmul_low_high(self, other: Self) -> Self;
    fn swap_halves(self) -> Self;
    /// The low half as the high one, above zeros.
    fn low_half_up(self) -> Self;
    /// The high half as the low one, below zeros.
    fn high_half_down(self) -> Self;
    /// Each 32-bit word one place up, the lowest zero.
    fn one_word_up(self) -> Self;
    /// SubWord of the highest word, in every word (FIPS 197, section 5.2).
    fn sub_last_word(self) -> Self;
    /// RotWord of SubWord of the highest word, in every word.
    fn rotate_sub_last_word(self) -> Self;
}

/// `opaque` and `pin`. Left to itself the compiler spills states and takes one after the other through several rounds.
macro_rules! pinned {
    ($vector:ty, $register:ty, $class:ident, [$r0:tt, $r1:tt, $r2:tt, $r3:tt, $r4:tt, $r5:tt, $r6:tt, $r7:tt, $r8:tt, $r9:tt, $r10:tt], $feature:literal) => {
        #[inline(always)]
        fn opaque(self) -> Self {
            #[inline]
            #[target_feature(enable = $feature)]
            fn opaque(mut value: $register) -> $register {
                #![allow(asm_sub_register, reason = "the name is in a comment")]
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
    ($($(#[$doc:meta])* $method:ident($($arg:ident),*) = $intrinsic:ident$(::<$imm:literal>)?;)+) => {$(
        $(#[$doc])*
        #[inline(always)]
        fn $method(self $(, $arg: Self)*) -> Self {
            // SAFETY: a value of this type exists only where its token does, and the token's check covers the
            // instruction (module documentation).
            Self(unsafe { $intrinsic$(::<$imm>)?(self.0 $(, $arg.0)*) })
        }
    )+};
}

pub(super) use {one_instruction, pinned};
