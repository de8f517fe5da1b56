//! One AES-256-GCM message: the algorithm, once, for registers of any width. `doc/KERNEL.md` explains it top-down.
//!
//! What is computed (SP 800-38D, algorithms 4 and 5), with E the AES-256 encryption and H = E(0):
//!
//! ```text
//! ciphertext block i = plaintext block i XOR E(nonce || i + 2)
//! Y = 0; for each block X of (padded AAD, padded ciphertext, lengths): Y = (Y XOR X) * H
//! tag = Y XOR E(nonce || 1)
//! ```
//!
//! How it is computed differently:
//!
//! 1. Data goes in groups of eight registers, whose AES rounds run side by side to hide the latency of AESENC.
//! 2. GHASH of one group is woven between the AES rounds of another: of the group before when sealing (its
//!    ciphertext must exist first), of the same group when opening.
//! 3. GHASH is evaluated as a sum of products with powers of H. One reduction serves a batch of up to
//!    [`LONG_GROUPS`] groups. Before it, products stay in three parts: low, high and middle (Karatsuba).
//! 4. The middle part works on pairs of registers: for `a` and `b` the sums `a.low ^ a.high` and `b.low ^ b.high` are
//!    made in one register, next to a table of the same sums of the powers.
//! 5. Bits are in the order of POLYVAL (RFC 8452, appendix A): bytes reversed, H multiplied by x, and a reduction
//!    that needs no shift.
//! 6. In a message that is long enough, the first two AES rounds of a counter block are one XOR: see [`counters`](super::counters).
//! 7. The last round key is XORed to the data beforehand, so that AESENCLAST also does the XOR with the key stream.

use super::counters::{Cached, CounterTable, Counters, Plain, reversed_block};
use super::target::{One, OneToken};
use super::vector::{Block, Single, Vector};
use super::{KEY_LEN, Nonce, Tag};
use crate::arch::{BLOCK_LEN, length_block};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;
use inout::InOutBuf;
use zeroize::optimization_barrier;

/// Registers in a group.
pub(super) const STREAMS: usize = 8;
/// Groups that share one reduction when the long table of powers is there.
const LONG_GROUPS: usize = 8;
/// Widest register, in blocks.
const MAX_LANES: usize = 4;
/// Blocks in the largest group.
const MAX_GROUP: usize = STREAMS * MAX_LANES;
/// Powers of H in the long table of the widest register.
const MAX_POWERS: usize = LONG_GROUPS * MAX_GROUP;
/// AES-256 round keys (FIPS 197, table 3: 14 rounds).
const ROUND_KEYS: usize = 15;

/// How far ahead data is asked for, in bytes. The CPU does that on its own, but stops at the end of each page.
const PREFETCH: usize = 2048;

const ZERO: Block = Block([0; BLOCK_LEN]);
/// Byte reversal within a lane.
const REVERSE: Block = Block([15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
/// x^127 + x^126 + x^121 + 1 in the upper half, for the reduction by x^128 + x^127 + x^126 + x^121 + 1.
const POLYNOMIAL: Block = Block(0xC200_0000_0000_0000_0000_0000_0000_0001_u128.to_le_bytes());

/// Round keys and powers of H for one register width, wiped on drop.
#[repr(C, align(64))]
pub(super) struct Keys {
    round: [Block; ROUND_KEYS],
    /// Groups that the tables serve with one reduction: 1 or [`LONG_GROUPS`].
    groups: usize,
    /// How many powers there are.
    count: usize,
    /// H^count ... H^2, H^1 at the end. What would be before them is not there: a short message does not pay for it.
    powers: [MaybeUninit<Block>; MAX_POWERS],
    /// For the lanes of a last register that reach past the last block: one less than a register, and one more so that
    /// the sums begin with a line of the cache.
    zeros: [Block; MAX_LANES],
    /// `low ^ high` of each power, for pairs of registers: see `pair_sums`. As many as half the powers, at the end.
    sums: [MaybeUninit<Block>; MAX_POWERS / 2],
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.round.fill(ZERO);
        self.powers[MAX_POWERS - self.count..].fill(MaybeUninit::new(ZERO));
        self.sums[(MAX_POWERS - self.count) / 2..].fill(MaybeUninit::new(ZERO));
        optimization_barrier(self);
    }
}

impl Keys {
    /// Expands `key` into `room`. `long` asks for the powers of [`LONG_GROUPS`] groups, otherwise there are those of one.
    #[inline(always)]
    pub(super) fn set_up<V: Vector>(room: &mut MaybeUninit<Self>, token: V::Token, key: &[u8; KEY_LEN], long: bool) {
        let groups = if long { LONG_GROUPS } else { 1 };
        let count = groups * STREAMS * V::LANES;
        let keys = room.as_mut_ptr();
        // SAFETY: the room is there to be written. Powers and sums need not be.
        let keys = unsafe {
            (&raw mut (*keys).round).write(expand_key(token.into(), key));
            (&raw mut (*keys).groups).write(groups);
            (&raw mut (*keys).count).write(count);
            (&raw mut (*keys).zeros).write([ZERO; MAX_LANES]);
            &mut *keys
        };
        keys.fill_powers(token.into());
        keys.fill_sums::<V>(token);
    }

    #[inline(always)]
    fn fill_powers(&mut self, token: OneToken) {
        let mut hash_key = encrypt(token, &self.round, One::from_u128(token, 0)).to_block();
        self.powers[MAX_POWERS - 1].write(times_x(hash_key));
        hash_key.0.fill(0);
        optimization_barrier(&hash_key);
        // From n powers to 2 n: H^(n + i) = H^i * H^n. The products of one step do not depend on each other.
        let mut have = 1;
        while have < self.count {
            let highest = self.power(token, have);
            let step = have.min(self.count - have);
            for i in 1..=step {
                let power = multiply(token, self.power(token, i), highest);
                self.powers[MAX_POWERS - have - i].write(power.to_block());
            }
            have += step;
        }
    }

    #[inline(always)]
    fn fill_sums<V: Vector>(&mut self, token: V::Token) {
        let powers = &self.powers[MAX_POWERS - self.count..];
        let sums = &mut self.sums[(MAX_POWERS - self.count) / 2..];
        for (pair, sums) in powers.chunks_exact(2 * V::LANES).zip(sums.chunks_exact_mut(V::LANES)) {
            // SAFETY: `pair` is two registers long and there; `sums` is one long.
            unsafe {
                let a = V::load(token, pair.as_ptr().cast());
                let b = V::load(token, pair[V::LANES..].as_ptr().cast());
                pair_sums(a, b).store(sums.as_mut_ptr().cast());
            }
        }
    }

    /// Where H^n is, before the lower powers and `zeros`.
    #[inline(always)]
    fn powers_from(&self, n: usize) -> *const u8 {
        // A pointer into the whole of it, because a register may reach from the powers into the zeros.
        let powers = ptr::from_ref(self).cast::<u8>().wrapping_add(offset_of!(Self, powers));
        powers.wrapping_add((MAX_POWERS - n) * BLOCK_LEN)
    }

    /// H^n, which must be there.
    #[inline(always)]
    fn power(&self, token: OneToken, n: usize) -> One {
        debug_assert!(n <= self.count);
        // SAFETY: the powers up to H^n were written.
        One::broadcast(token, unsafe { self.powers[MAX_POWERS - n].assume_init_ref() })
    }

    /// Round key `n` in every lane.
    #[inline(always)]
    pub(super) fn key<V: Vector>(&self, token: V::Token, n: usize) -> V {
        V::broadcast(token, &self.round[n])
    }

    /// The key that goes with [`Vector::round`] `n`, in every lane.
    #[inline(always)]
    pub(super) fn key_of_round<V: Vector>(&self, token: V::Token, n: usize) -> V {
        self.key(token, n - V::KEY_LAG)
    }
}

/// Encrypts (`SEAL`) or decrypts `data` and returns the tag. With a `table` it is the faster way for long messages.
#[inline(always)]
pub(super) fn message<V: Vector, const SEAL: bool>(
    token: V::Token,
    keys: &Keys,
    table: Option<&mut CounterTable<'_>>,
    nonce: &Nonce,
    aad: &[u8],
    data: InOutBuf<'_, '_, u8>,
) -> Tag {
    let one: OneToken = token.into();
    let lengths = length_block(aad.len(), data.len());
    let tag_mask = encrypt(one, &keys.round, One::from_u128(one, reversed_block(nonce, 1).swap_bytes()));
    let mut run = Run::<V> { token, keys, reverse: V::broadcast(token, &REVERSE), hash: One::broadcast(one, &ZERO) };
    run.absorb_padded(aad);
    let whole_len = data.len() / Run::<V>::GROUP_LEN * Run::<V>::GROUP_LEN;
    let (whole, rest) = data.split_at(whole_len);
    if let Some(table) = table {
        let counters = Cached::new(token, keys, nonce, table);
        run.whole_groups::<SEAL, _>(counters, whole);
    } else {
        run.whole_groups::<SEAL, _>(Plain::new(token, nonce, 0, run.reverse), whole);
    }
    run.last_group::<SEAL>(Plain::new(token, nonce, whole_len / BLOCK_LEN, run.reverse), rest);

    let reverse = One::broadcast(one, &REVERSE);
    let lengths = One::from_u128(one, u128::from_be_bytes(lengths));
    let hash = multiply(one, run.hash.xor(lengths), keys.power(one, 1));
    hash.shuffle(reverse).xor(tag_mask).to_block().0
}

/// The state of one message.
struct Run<'k, V: Vector> {
    token: V::Token,
    keys: &'k Keys,
    reverse: V,
    /// Y, bytes reversed.
    hash: One,
}

impl<V: Vector> Run<'_, V> {
    const GROUP_BLOCKS: usize = STREAMS * V::LANES;
    const GROUP_LEN: usize = Self::GROUP_BLOCKS * BLOCK_LEN;
    const REGISTER_LEN: usize = V::LANES * BLOCK_LEN;

    /// Ciphers and hashes `whole`, a whole number of groups.
    #[inline(always)]
    fn whole_groups<const SEAL: bool, C: Counters<V>>(&mut self, mut counters: C, whole: InOutBuf<'_, '_, u8>) {
        let groups = whole.len() / Self::GROUP_LEN;
        if groups == 0 {
            return;
        }
        let (input, output) = whole.into_raw();
        let ciphertext: *const u8 = if SEAL { output } else { input };
        // Out of place it would be in the way of the lines that are read because they will be written.
        let in_place = ptr::eq(input, output);
        let no_products = Products::zero(self.token);
        // When sealing, hashing lags one group behind.
        let mut ciphered = 0;
        if SEAL {
            // SAFETY: group 0 exists.
            unsafe { self.group::<true, false, C>(&mut counters, input, output, ciphertext, 0, no_products) };
            ciphered = 1;
        }
        let mut hashed = 0;
        while hashed < groups {
            let batch = (groups - hashed).min(self.keys.groups);
            let blocks = batch * Self::GROUP_BLOCKS;
            let mut products = Products::carry_in(self.token, self.hash, self.keys.power(self.token.into(), blocks));
            for i in 0..batch {
                let power = MAX_POWERS - blocks + i * Self::GROUP_BLOCKS;
                // SAFETY: `hashed` and, where it is used, `ciphered` are below `groups`, the whole groups of input and
                // output; the powers of a batch lie within the table.
                unsafe {
                    let hash_from = ciphertext.add(hashed * Self::GROUP_LEN);
                    products = if ciphered < groups {
                        let at = ciphered * Self::GROUP_LEN;
                        if in_place {
                            V::prefetch(self.token, input.wrapping_add(at + PREFETCH), Self::GROUP_LEN);
                        }
                        self.group::<true, true, C>(
                            &mut counters,
                            input.add(at),
                            output.add(at),
                            hash_from,
                            power,
                            products,
                        )
                    } else {
                        self.group::<false, true, C>(&mut counters, input, output, hash_from, power, products)
                    };
                }
                ciphered += 1;
                hashed += 1;
            }
            self.hash = products.reduce(self.token.into());
        }
    }

    /// Ciphers one group and hashes another, or does one of the two: what all the time is spent in.
    ///
    /// # Safety
    /// To cipher, a group must be readable at `input` and writable at `output`. To hash, a group must be readable at
    /// `hash_from`, and a group of powers must start at index `power`.
    #[inline(always)]
    unsafe fn group<const CIPHER: bool, const HASH: bool, C: Counters<V>>(
        &self,
        counters: &mut C,
        input: *const u8,
        output: *mut u8,
        hash_from: *const u8,
        power: usize,
        products: Products<V>,
    ) -> Products<V> {
        let mut products = products;
        // SAFETY: passed on.
        let mut hash = unsafe { self.hash_source(hash_from, power) };
        let mut states = [self.reverse; STREAMS];
        if CIPHER {
            counters.start(self.token, self.keys, &mut states);
        }
        // Four stages, each of three AES rounds and a pair of registers to hash. Written out, because a loop with
        // `pin` in it would stay one.
        macro_rules! rounds {
            ($first:expr) => {
                if CIPHER {
                    self.round(&mut states, $first);
                    pin(&mut states, &mut products, &mut hash);
                    self.round(&mut states, $first + 1);
                    pin(&mut states, &mut products, &mut hash);
                    if $first + 2 < ROUND_KEYS - 1 {
                        self.round(&mut states, $first + 2);
                        pin(&mut states, &mut products, &mut hash);
                    }
                }
            };
        }
        macro_rules! stage {
            ($stage:literal) => {
                if !V::HASH_FIRST {
                    rounds!(C::FIRST_ROUND + 3 * $stage);
                }
                if HASH {
                    // SAFETY: passed on.
                    products = unsafe { self.hash_pair(&hash, $stage, products) };
                    pin(&mut states, &mut products, &mut hash);
                }
                if V::HASH_FIRST {
                    rounds!(C::FIRST_ROUND + 3 * $stage);
                }
            };
        }
        stage!(0);
        stage!(1);
        stage!(2);
        stage!(3);
        if CIPHER {
            if C::FIRST_ROUND == 1 {
                self.round(&mut states, 13);
            }
            for (i, &state) in states.iter().enumerate() {
                let at = i * V::LANES * BLOCK_LEN;
                // SAFETY: register `i` of the group.
                unsafe { self.finish_key_stream(state, input.add(at), output.add(at)) };
            }
        }
        products
    }

    /// One AES round of each register.
    #[inline(always)]
    fn round<const N: usize>(&self, states: &mut [V; N], round: usize) {
        let round_key = self.keys.key_of_round(self.token, round);
        for state in states {
            *state = state.round(round_key);
        }
    }

    /// The last AES round of one register, XORed with `data`.
    #[inline(always)]
    fn last_round(&self, state: V, data: V) -> V {
        state.last_round(self.keys.key(self.token, 13), self.keys.key(self.token, 14), data)
    }

    /// The last AES round of one register, and its XOR with the data.
    ///
    /// # Safety
    /// A register must be readable at `input` and writable at `output`.
    #[inline(always)]
    unsafe fn finish_key_stream(&self, state: V, input: *const u8, output: *mut u8) {
        // SAFETY: passed on.
        unsafe {
            let data = V::load(self.token, input);
            self.last_round(state, data).store(output);
        }
    }

    /// What [`hash_pair`](Self::hash_pair) reads.
    ///
    /// # Safety
    /// A group must be readable at `hash_from`; a group of powers must start at index `power`.
    #[inline(always)]
    unsafe fn hash_source(&self, hash_from: *const u8, power: usize) -> HashSource {
        // SAFETY: passed on; there are half as many sums as powers.
        unsafe {
            HashSource {
                data: hash_from,
                powers: self.keys.powers.as_ptr().add(power).cast(),
                sums: self.keys.sums.as_ptr().add(power / 2).cast(),
            }
        }
    }

    /// Adds the products of registers `2 * pair` and `2 * pair + 1` of a group with their powers.
    ///
    /// # Safety
    /// `source` must be valid, and `pair` below half of [`STREAMS`].
    #[inline(always)]
    unsafe fn hash_pair(&self, source: &HashSource, pair: usize, products: Products<V>) -> Products<V> {
        let width = V::LANES * BLOCK_LEN;
        // SAFETY: two registers from `2 * pair` on lie within the group, and one within its half as many sums.
        unsafe {
            let data = source.data.add(pair * 2 * width);
            let a = V::load(self.token, data).shuffle(self.reverse).opaque();
            let b = V::load(self.token, data.add(width)).shuffle(self.reverse).opaque();
            let powers = source.powers.add(pair * 2 * width);
            let power_a = V::load(self.token, powers);
            let power_b = V::load(self.token, powers.add(width));
            let power_sums = V::load(self.token, source.sums.add(pair * width));
            let sums = pair_sums(a, b);
            Products {
                low: products.low.xor3(a.clmul_low(power_a), b.clmul_low(power_b)),
                high: products.high.xor3(a.clmul_high(power_a), b.clmul_high(power_b)),
                middle: products.middle.xor3(sums.clmul_low(power_sums), sums.clmul_high(power_sums)),
            }
        }
    }

    /// Ciphers and hashes what is left after the whole groups: less than one group.
    #[inline(always)]
    fn last_group<const SEAL: bool>(&mut self, mut counters: Plain<V>, data: InOutBuf<'_, '_, u8>) {
        let len = data.len();
        if len == 0 {
            return;
        }
        let (input, output) = data.into_raw();
        let blocks = len.div_ceil(BLOCK_LEN);
        let mut products = Products::carry_in(self.token, self.hash, self.keys.power(self.token.into(), blocks));
        let mut done = 0;
        while done < len {
            // Four registers side by side take no longer than one.
            let mut states = [self.reverse; 4];
            counters.start(self.token, self.keys, &mut states);
            for round in 1..=13 {
                self.round(&mut states, round);
            }
            for state in states {
                if done == len {
                    break;
                }
                let here = (len - done).min(Self::REGISTER_LEN);
                // SAFETY: so many bytes are left, and their powers lie within the table.
                unsafe {
                    let data = self.load_padded(input.add(done), here);
                    let text = self.last_round(state, data);
                    let text = store_part(self.token, text, output.add(done), here);
                    let power = self.keys.powers_from(blocks - done / BLOCK_LEN);
                    let hashed = if SEAL { text } else { data };
                    products = products.add(hashed.shuffle(self.reverse), V::load(self.token, power));
                }
                done += here;
            }
        }
        self.hash = products.reduce(self.token.into());
    }

    /// Hashes `bytes`, padded with zeros to whole blocks.
    #[inline(always)]
    fn absorb_padded(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(Self::GROUP_LEN) {
            let blocks = part.len().div_ceil(BLOCK_LEN);
            let mut products = Products::carry_in(self.token, self.hash, self.keys.power(self.token.into(), blocks));
            for (i, register) in part.chunks(Self::REGISTER_LEN).enumerate() {
                // SAFETY: the bytes are those of a slice, and their powers lie within the table: a last register that
                // reaches past the last block meets the zeros behind it.
                unsafe {
                    let data = self.load_padded(register.as_ptr(), register.len());
                    let power = self.keys.powers_from(blocks - i * V::LANES);
                    products = products.add(data.shuffle(self.reverse), V::load(self.token, power));
                }
            }
            self.hash = products.reduce(self.token.into());
        }
    }

    /// A register of `len` bytes, at most as many as it has, and zeros.
    ///
    /// # Safety
    /// They must be readable at `from`.
    #[inline(always)]
    unsafe fn load_padded(&self, from: *const u8, len: usize) -> V {
        if len == Self::REGISTER_LEN {
            // SAFETY: passed on.
            return unsafe { V::load(self.token, from) };
        }
        let mut buffer = Buffer([ZERO; MAX_LANES]);
        // SAFETY: `len` is below the length of a register, and the buffer is as long as the widest.
        unsafe {
            core::ptr::copy_nonoverlapping(from, buffer.0.as_mut_ptr().cast(), len);
            V::load(self.token, buffer.0.as_ptr().cast())
        }
    }
}

/// Where a group of blocks to hash is, and the powers and sums of powers for them.
struct HashSource {
    data: *const u8,
    powers: *const u8,
    sums: *const u8,
}

/// See [`Vector::pin`].
#[inline(always)]
fn pin<V: Vector>(states: &mut [V; STREAMS], products: &mut Products<V>, source: &mut HashSource) {
    let Products { low, middle, high } = products;
    V::pin(states, [low, middle, high], [&mut source.data, &mut source.powers, &mut source.sums]);
}

/// A sum of unreduced 256-bit products: `low + middle' * x^64 + high * x^128` with
/// `middle' = middle + low + high`.
#[derive(Clone, Copy)]
struct Products<V: Vector> {
    low: V,
    middle: V,
    high: V,
}

impl<V: Vector> Products<V> {
    #[inline(always)]
    fn zero(token: V::Token) -> Self {
        let zero = V::broadcast(token, &ZERO);
        Self { low: zero, middle: zero, high: zero }
    }

    /// `hash * power`: what the blocks so far become when those of the next batch have been added.
    #[inline(always)]
    fn carry_in(token: V::Token, hash: One, power: One) -> Self {
        let (hash_sum, power_sum) = (pair_sums(hash, hash), pair_sums(power, power));
        Self {
            low: V::lowest(token, hash.clmul_low(power)),
            middle: V::lowest(token, hash_sum.clmul_low(power_sum)),
            high: V::lowest(token, hash.clmul_high(power)),
        }
    }

    /// Adds the products of one register.
    #[inline(always)]
    fn add(self, data: V, power: V) -> Self {
        let (data_sums, power_sums) = (pair_sums(data, data), pair_sums(power, power));
        Self {
            low: self.low.xor(data.clmul_low(power)),
            middle: self.middle.xor(data_sums.clmul_low(power_sums)),
            high: self.high.xor(data.clmul_high(power)),
        }
    }

    /// Adds up the lanes and reduces modulo the polynomial of GHASH, times x^-128 (RFC 8452, section 3: `dot`).
    #[inline(always)]
    fn reduce(self, token: OneToken) -> One {
        let polynomial = One::broadcast(token, &POLYNOMIAL);
        let (low, high) = (self.low.sum(), self.high.sum());
        let middle = self.middle.sum().xor3(low, high);
        let low = low.xor(middle.low_half_up());
        let high = high.xor(middle.high_half_down());
        let low = low.swap_halves().xor(low.clmul_low_high(polynomial));
        let low = low.swap_halves().xor(low.clmul_low_high(polynomial));
        high.xor(low)
    }
}

/// `[a.low ^ a.high, b.low ^ b.high]` in each lane.
#[inline(always)]
fn pair_sums<V: Vector>(a: V, b: V) -> V {
    a.low_halves(b).xor(a.high_halves(b))
}

/// a * b * x^-128 in the field of GHASH.
#[inline(always)]
fn multiply(token: OneToken, a: One, b: One) -> One {
    Products::<One>::carry_in(token, a, b).reduce(token)
}

/// From a hash key as GCM has it to the one that byte-reversed blocks are multiplied with: bytes reversed and times x
/// (RFC 8452, appendix A: mulX_POLYVAL).
#[inline(always)]
fn times_x(hash_key: Block) -> Block {
    let h = u128::from_be_bytes(hash_key.0);
    let carry = 0_u128.wrapping_sub(h >> 127); // all ones if the top bit is set
    Block(((h << 1) ^ (carry & u128::from_le_bytes(POLYNOMIAL.0))).to_le_bytes())
}

/// The round keys of AES-256 (FIPS 197, section 5.2).
#[inline(always)]
fn expand_key(token: OneToken, key: &[u8; KEY_LEN]) -> [Block; ROUND_KEYS] {
    // SAFETY: both halves of the key are 16 bytes long.
    let (mut even, mut odd) =
        unsafe { (One::load(token, key.as_ptr()), One::load(token, key.as_ptr().add(BLOCK_LEN))) };
    let mut round = [ZERO; ROUND_KEYS];
    round[0] = even.to_block();
    for i in 0..7 {
        round[2 * i + 1] = odd.to_block();
        let round_constant = One::from_u128(token, 0x0000_0001_0000_0001_0000_0001_0000_0001 << i);
        even = running_xor(even).xor3(odd.rotate_sub_last_word(), round_constant);
        odd = running_xor(odd).xor(even.sub_last_word());
        round[2 * i + 2] = even.to_block();
    }
    round
}

/// Each word XORed with all words before it.
#[inline(always)]
fn running_xor(v: One) -> One {
    let v = v.xor(v.one_word_up());
    v.xor(v.low_half_up())
}

/// One block through AES.
#[inline(always)]
fn encrypt(token: OneToken, round: &[Block; ROUND_KEYS], block: One) -> One {
    let mut state = block.first_key(One::broadcast(token, &round[0]));
    for round_key in &round[1 - One::KEY_LAG..14 - One::KEY_LAG] {
        state = state.round(One::broadcast(token, round_key));
    }
    let (key_13, key_14) = (One::broadcast(token, &round[13]), One::broadcast(token, &round[14]));
    state.last_round(key_13, key_14, One::broadcast(token, &ZERO))
}

/// Stores the first `len` bytes of a register, at most all; returns them with zeros behind them.
///
/// # Safety
/// They must be writable at `to`.
#[inline(always)]
unsafe fn store_part<V: Vector>(token: V::Token, value: V, to: *mut u8, len: usize) -> V {
    if len == V::LANES * BLOCK_LEN {
        // SAFETY: passed on.
        unsafe { value.store(to) };
        return value;
    }
    let mut buffer = Buffer([ZERO; MAX_LANES]);
    // SAFETY: the buffer is as long as the widest register, and `len` is below the length of one.
    unsafe {
        let bytes = buffer.0.as_mut_ptr().cast::<u8>();
        value.store(bytes);
        core::ptr::copy_nonoverlapping(bytes, to, len);
        bytes.add(len).write_bytes(0, V::LANES * BLOCK_LEN - len);
        V::load(token, bytes)
    }
}

/// Room for one register, wiped on drop: it holds plaintext or, behind the data, key stream.
struct Buffer([Block; MAX_LANES]);

impl Drop for Buffer {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.fill(ZERO);
        optimization_barrier(&self.0);
    }
}
