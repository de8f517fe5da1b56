//! The first AES rounds of counter blocks.
//!
//! [`Plain`] makes each counter block and starts with round 0. [`Cached`] starts after round 2 (counter-mode caching:
//! D. J. Bernstein and P. Schwabe, "New AES software speed records", 2008; J. H. Park and D. H. Lee, "FACE", CHES 2018):
//!
//! In 256 consecutive counter blocks only the last byte, b, changes. ShiftRows brings bytes 0, 5, 10 and 15 of the block
//! into the first column, so after round 1 that column depends on b, on nonce bytes 0, 5 and 10 and on the key, and the
//! other columns do not depend on b. Round 2 takes one byte of the first column into each column, and all that follows
//! SubBytes is linear. So, with the rest of the block held fixed,
//!
//! ```text
//! state after round 2 = F[b] XOR D
//! ```
//!
//! where F[b] is that state for a block whose upper counter bytes are zero, and D depends on everything but b: it is what
//! round 2 gives for b = 0 XOR F[0]. F is the [`CounterTable`], and its index is public. It serves every message whose
//! nonce has the same bytes 0, 5 and 10.

use super::Nonce;
use super::kernel::{Keys, STREAMS};
use super::target::{One, OneToken};
use super::vector::{Block, Single, Vector};
use crate::arch::BLOCK_LEN;
use core::mem::MaybeUninit;
use zeroize::optimization_barrier;

/// Counter blocks that have their upper three counter bytes in common.
const RUN: usize = 256;
/// What the upper three counter bytes grow by.
const UPPER_STEP: u32 = 256;
/// The counter of the first block of data is 2 (SP 800-38D, algorithm 4).
const FIRST_COUNTER: u8 = 2;
/// The nonce bytes that the first column depends on.
const COLUMN: [usize; 3] = [0, 5, 10];

/// Counter blocks 2, 3, ... but for the nonce.
static FIRST_COUNTERS: [Block; 4] = [
    last_byte(FIRST_COUNTER),
    last_byte(FIRST_COUNTER + 1),
    last_byte(FIRST_COUNTER + 2),
    last_byte(FIRST_COUNTER + 3),
];

/// What adds 1 to the last byte.
const LAST_BYTE_STEP: u128 = 1 << 120;

/// A block of zeros and, at its end, `byte`.
const fn last_byte(byte: u8) -> Block {
    let mut block = Block([0; BLOCK_LEN]);
    block.0[BLOCK_LEN - 1] = byte;
    block
}

/// Room for the states of a [`CounterTable`], 4 KiB that nobody moves: a short message pays nothing for it.
#[repr(C, align(64))]
pub(crate) struct CounterRoom(MaybeUninit<[Block; RUN]>);

impl CounterRoom {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

/// F of one key: see the module. Wiped on drop.
pub(crate) struct CounterTable<'r> {
    /// F[2], F[3], ... F[255], F[0], F[1]: in the order in which a message needs them.
    room: &'r mut CounterRoom,
    /// The nonce bytes that it is for; none while there is nothing in the room.
    column: Option<[u8; COLUMN.len()]>,
}

impl<'r> CounterTable<'r> {
    #[inline(always)]
    pub(crate) fn new(room: &'r mut CounterRoom) -> Self {
        Self { room, column: None }
    }

    /// The table for `nonce`, made if it is not the one that is there.
    #[inline(always)]
    fn prepare<V: Vector>(&mut self, token: V::Token, keys: &Keys, nonce: &Nonce) -> &[Block; RUN] {
        // Whether they are the same depends on public chunk numbers only.
        let column = COLUMN.map(|at| nonce[at]);
        if self.column != Some(column) {
            self.make::<V>(token, keys, nonce);
            self.column = Some(column);
        }
        // SAFETY: `make` has written all of it, now or when `column` was set before.
        unsafe { self.room.0.assume_init_ref() }
    }

    #[inline(always)]
    fn make<V: Vector>(&mut self, token: V::Token, keys: &Keys, nonce: &Nonce) {
        let upper = V::splat(token, One::from_u128(token.into(), reversed_block(nonce, 0).swap_bytes()));
        let upper = upper.first_key(keys.key(token, 0));
        let (key_1, key_2) = (keys.key_of_round(token, 1), keys.key_of_round(token, 2));
        // SAFETY: no register has more than four lanes.
        let mut counters = unsafe { V::load(token, FIRST_COUNTERS.as_ptr().cast()) };
        // The last byte of a block is the top byte of its last 32-bit word, so the sum does not carry.
        let step = V::broadcast(token, &Block((LAST_BYTE_STEP * V::LANES as u128).to_le_bytes()));
        let states = self.room.0.as_mut_ptr().cast::<Block>();
        for start in (0..RUN).step_by(V::LANES) {
            let state = upper.xor(counters).round(key_1).round(key_2);
            // SAFETY: `start` is below RUN, a multiple of all widths.
            unsafe { state.store(states.add(start).cast()) };
            counters = counters.add32(step);
        }
    }
}

impl Drop for CounterTable<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.column.is_some() {
            optimization_barrier(self.room.0.write([Block([0; BLOCK_LEN]); RUN]));
        }
    }
}

/// Where the states of a group of counter blocks come from.
pub(super) trait Counters<V: Vector> {
    /// The first AES round that is left to do.
    const FIRST_ROUND: usize;

    /// The states of the next counter blocks, before that round.
    fn start<const N: usize>(&mut self, token: V::Token, keys: &Keys, states: &mut [V; N]);
}

/// Counter blocks as they are.
pub(super) struct Plain<V> {
    /// The next counter blocks, bytes reversed, so that the counter is the lowest 32-bit word.
    next: V,
    /// What `next` grows by per register.
    step: V,
    reverse: V,
}

impl<V: Vector> Plain<V> {
    /// Begins with the block of data that `blocks` others go before.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "a message has fewer than 2^32 - 2 blocks")]
    pub(super) fn new(token: V::Token, nonce: &Nonce, blocks: usize, reverse: V) -> Self {
        let counter = u32::from(FIRST_COUNTER).wrapping_add(blocks as u32);
        let first = V::splat(token, One::from_u128(token.into(), reversed_block(nonce, counter)));
        // SAFETY: no register has more than four lanes.
        let lanes = unsafe { V::load(token, LANE_NUMBERS.as_ptr().cast()) };
        let step = V::broadcast(token, &Block((V::LANES as u128).to_le_bytes()));
        Self { next: first.add32(lanes), step, reverse }
    }
}

/// What the counters of the lanes of a register differ by.
static LANE_NUMBERS: [Block; 4] = [
    Block(0_u128.to_le_bytes()),
    Block(1_u128.to_le_bytes()),
    Block(2_u128.to_le_bytes()),
    Block(3_u128.to_le_bytes()),
];

/// The block nonce || counter, bytes reversed.
#[inline(always)]
pub(super) fn reversed_block(nonce: &Nonce, counter: u32) -> u128 {
    let (first, last) = (&nonce[..8], &nonce[8..]);
    let first = first.try_into().map_or(0, u64::from_be_bytes);
    let last = last.try_into().map_or(0, u32::from_be_bytes);
    u128::from(first) << 64 | u128::from(last) << 32 | u128::from(counter)
}

impl<V: Vector> Counters<V> for Plain<V> {
    const FIRST_ROUND: usize = 1;

    #[inline(always)]
    fn start<const N: usize>(&mut self, token: V::Token, keys: &Keys, states: &mut [V; N]) {
        let key_0 = keys.key(token, 0);
        for state in states {
            *state = self.next.shuffle(self.reverse).first_key(key_0);
            self.next = self.next.add32(self.step);
        }
    }
}

/// Counter blocks after two rounds.
pub(super) struct Cached<'t, V> {
    table: &'t [Block; RUN],
    keys: &'t Keys,
    nonce: &'t Nonce,
    /// Position in the table.
    at: usize,
    /// The counter at the end of the table: a multiple of 256.
    upper: u32,
    /// D, in every lane.
    difference: V,
}

impl<'t, V: Vector> Cached<'t, V> {
    /// Begins with the first block of data.
    #[inline(always)]
    pub(super) fn new(token: V::Token, keys: &'t Keys, nonce: &'t Nonce, table: &'t mut CounterTable<'_>) -> Self {
        let table = table.prepare::<V>(token, keys, nonce);
        let mut counters =
            Self { table, keys, nonce, at: 0, upper: 0, difference: V::broadcast(token, &Block([0; BLOCK_LEN])) };
        counters.difference = counters.next_difference(token);
        counters
    }

    /// D for the counters from `upper` on.
    #[inline(always)]
    fn next_difference(&self, token: V::Token) -> V {
        let one: OneToken = token.into();
        let block = reversed_block(self.nonce, self.upper).swap_bytes();
        let state = One::from_u128(one, block).first_key(self.keys.key(one, 0));
        let state = state.round(self.keys.key_of_round(one, 1)).round(self.keys.key_of_round(one, 2));
        // F[0] is where the counter ends in 0.
        V::splat(token, state.xor(One::broadcast(one, &self.table[RUN - FIRST_COUNTER as usize])))
    }
}

impl<V: Vector> Counters<V> for Cached<'_, V> {
    const FIRST_ROUND: usize = 3;

    /// `N` must be [`STREAMS`]: the table is a whole number of such groups.
    #[inline(always)]
    fn start<const N: usize>(&mut self, token: V::Token, _: &Keys, states: &mut [V; N]) {
        const { assert!(N == STREAMS && RUN.is_multiple_of(N * V::LANES)) };
        // SAFETY: `at` is below RUN and a multiple of the group's blocks.
        let table = unsafe { self.table.as_ptr().add(self.at) };
        for (i, state) in states.iter_mut().enumerate() {
            // SAFETY: register `i` of the group.
            let cached = unsafe { V::load(token, table.add(i * V::LANES).cast()) };
            *state = cached.xor(self.difference);
        }
        self.at += N * V::LANES;
        if self.at == RUN {
            // The last two blocks have the next upper counter bytes.
            self.at = 0;
            self.upper = self.upper.wrapping_add(UPPER_STEP);
            let next = self.next_difference(token);
            let change = V::last_two(token, self.difference.xor(next));
            states[N - 2] = states[N - 2].xor(change[0]);
            states[N - 1] = states[N - 1].xor(change[1]);
            self.difference = next;
        }
    }
}
