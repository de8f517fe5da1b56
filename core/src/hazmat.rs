//! Hooks for test vectors, benchmarks and fuzzing: what takes a nonce or a salt from the caller, or shows the inside.
//!
//! Compiled only with `--cfg objseal_hazmat`, which the published crate and the bindings never set.

use crate::arch::{Backend, Choice};
use crate::cobblestone::{Cobblestone, SALT_LEN};
use crate::error::{Error, RandomError};
use crate::gcm::{self, CounterRoom};
use crate::random::RandomSource;
use inout::InOutBuf;

/// AES-256-GCM with a caller's nonce.
pub struct Aes256Gcm(gcm::Aes256Gcm);

impl Aes256Gcm {
    /// Sets up `key` for use on about `expected_len` bytes.
    pub fn new(backend: Backend, key: &[u8; 32], expected_len: u64) -> Result<Self, Error> {
        let choice = Choice::of(backend).ok_or(Error::EngineUnavailable(backend.into()))?;
        Ok(Self(gcm::Aes256Gcm::new(choice, key, expected_len)))
    }

    /// Encrypts in place and returns the tag.
    pub fn seal_in_place(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Result<[u8; 16], Error> {
        self.0.worker(&mut CounterRoom::new(), data.len()).seal(nonce, aad, data.into())
    }

    /// Calls `work` with what keeps its tables from message to message, as for the chunks of a body.
    pub fn keep_tables<R>(&self, work: impl FnOnce(&mut Worker<'_>) -> R) -> R {
        work(&mut Worker(self.0.worker(&mut CounterRoom::new(), usize::MAX)))
    }

    /// Encrypts `plaintext` into `out`, which must be as long.
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], plaintext: &[u8], out: &mut [u8]) -> Result<[u8; 16], Error> {
        self.0.worker(&mut CounterRoom::new(), plaintext.len()).seal(nonce, aad, between(plaintext, out)?)
    }

    /// Decrypts in place; zeroes `data` if the tag does not hold.
    pub fn open_in_place(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), Error> {
        self.0.worker(&mut CounterRoom::new(), data.len()).open(nonce, aad, data.into(), tag)
    }

    /// Decrypts `ciphertext` into `out`, which must be as long; zeroes `out` if the tag does not hold.
    pub fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8; 16],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.0.worker(&mut CounterRoom::new(), ciphertext.len()).open(nonce, aad, between(ciphertext, out)?, tag)
    }
}

/// Works in place, as [`Aes256Gcm`] does.
pub struct Worker<'w>(gcm::Worker<'w>);

impl Worker<'_> {
    /// Encrypts in place and returns the tag.
    pub fn seal_in_place(&mut self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Result<[u8; 16], Error> {
        self.0.seal(nonce, aad, data.into())
    }

    /// Decrypts in place; zeroes `data` if the tag does not hold.
    pub fn open_in_place(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Error> {
        self.0.open(nonce, aad, data.into(), tag)
    }
}

fn between<'i, 'o>(input: &'i [u8], out: &'o mut [u8]) -> Result<InOutBuf<'i, 'o, u8>, Error> {
    let (needed, given) = (input.len(), out.len());
    InOutBuf::new(input, out).map_err(|_| Error::OutputTooSmall { needed, given })
}

/// "Randomness" that is always this salt.
pub struct FixedSalt(pub [u8; SALT_LEN]);

impl RandomSource for FixedSalt {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

/// What is derived from a key, a salt and a context: the AES key, the base nonce and the commitment.
#[must_use]
pub fn derive(cobblestone: &Cobblestone<'_>, salt: &[u8; SALT_LEN]) -> ([u8; 32], [u8; 12], [u8; 32]) {
    crate::cobblestone::derive_for_vectors(cobblestone, salt)
}

/// Seals chunks, from any position on; the last one of the message is there unless all are whole.
pub fn seal_chunks(
    cobblestone: &Cobblestone<'_>,
    salt: &[u8; SALT_LEN],
    first: u64,
    plaintext: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    crate::cobblestone::seal_chunks_for_vectors(cobblestone, salt, first, plaintext, out)
}

/// What becomes public on purpose, for a check that nothing else does.
#[cfg(feature = "std")]
pub mod public {
    use std::sync::OnceLock;
    use subtle::Choice;

    static MARK: OnceLock<fn(&mut [u8])> = OnceLock::new();

    /// From now on `mark` is called with everything that becomes public, in the whole process. The first call counts.
    pub fn mark_with(mark: fn(&mut [u8])) {
        MARK.get_or_init(|| mark);
    }

    pub(crate) fn bytes(bytes: &mut [u8]) {
        if let Some(mark) = MARK.get() {
            mark(bytes);
        }
    }

    /// A verdict on secrets.
    #[must_use]
    pub fn choice(choice: Choice) -> Choice {
        let mut bit = [choice.unwrap_u8()];
        bytes(&mut bit);
        bit[0].into()
    }
}

/// A head as it is stored, up to its MAC.
#[cfg(feature = "alloc")]
pub fn encode_head(head: &crate::envelope::Head) -> Result<alloc::vec::Vec<u8>, crate::envelope::FormatError> {
    head.encode()
}

/// Makes the checksums of the two slots right, whatever they hold.
#[cfg(feature = "std")]
pub fn fix_slot_checksums(file: &mut [u8]) {
    crate::file::fix_slot_checksums(file);
}

/// Faults of one engine, planted for tests, and how many chunks each engine did.
#[cfg(feature = "alloc")]
pub mod faults {
    use crate::arch::Tag;
    use crate::engine::Engine;
    use alloc::borrow::Cow;
    use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// What an engine does wrong, in sealing and in opening alike: it opens what it sealed itself.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// A bit of every tag.
        Tag = 1,
        /// A bit of every key stream. The tags are right for the wrong ciphertext.
        KeyStream = 2,
    }

    /// Twice the place of the engine in `Engine::all`, and the fault; 0 for none.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);
    /// The one chunk that it hits, or `EVERY`.
    static HIT: AtomicU64 = AtomicU64::new(EVERY);
    static CHUNKS: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

    const EVERY: u64 = u64::MAX;

    fn place(engine: Engine) -> usize {
        Engine::all().position(|known| known == engine).unwrap_or(usize::MAX)
    }

    /// Plants a fault in an engine, for the whole process, in place of the one that was there.
    pub fn plant(fault: Option<(Engine, Fault)>) {
        let planted = fault.map_or(0, |(engine, fault)| place(engine) * 2 + fault as usize);
        HIT.store(EVERY, Ordering::SeqCst);
        PLANTED.store(planted, Ordering::SeqCst);
    }

    /// The same, but it hits only one chunk: the one that `engine` does after so many others. For one thread.
    pub fn plant_once(engine: Engine, fault: Fault, after: u64) {
        plant(Some((engine, fault)));
        HIT.store(chunks(engine) + after, Ordering::SeqCst);
    }

    /// How many chunks `engine` has sealed and opened so far.
    #[must_use]
    pub fn chunks(engine: Engine) -> u64 {
        CHUNKS[place(engine)].load(Ordering::SeqCst)
    }

    /// Whether chunk number `chunk` of the engine is hit.
    fn has(engine: Engine, fault: Fault, chunk: u64) -> bool {
        let hit = HIT.load(Ordering::Relaxed);
        PLANTED.load(Ordering::Relaxed) == place(engine) * 2 + fault as usize && (hit == EVERY || hit == chunk)
    }

    pub(crate) fn tag(engine: Engine, tag: &Tag) -> Tag {
        let chunk = CHUNKS[place(engine)].fetch_add(1, Ordering::Relaxed);
        let mut tag = *tag;
        tag[0] ^= u8::from(has(engine, Fault::Tag, chunk));
        tag
    }

    pub(crate) fn plaintext_to_seal(engine: Engine, plaintext: &[u8]) -> Cow<'_, [u8]> {
        let mut plaintext = Cow::Borrowed(plaintext);
        if has(engine, Fault::KeyStream, chunks(engine)) {
            change(plaintext.to_mut());
        }
        plaintext
    }

    /// Its tag has been counted.
    pub(crate) fn opened_plaintext(engine: Engine, plaintext: &mut [u8]) {
        if has(engine, Fault::KeyStream, chunks(engine) - 1) {
            change(plaintext);
        }
    }

    fn change(plaintext: &mut [u8]) {
        if let Some(first) = plaintext.first_mut() {
            *first ^= 1;
        }
    }
}

/// Why something was refused, for tests of refusals.
pub mod refusals {
    pub use crate::error::Refusal;
    use core::sync::atomic::{AtomicU8, Ordering};

    static LAST: AtomicU8 = AtomicU8::new(0);

    const ALL: [Refusal; 9] = [
        Refusal::Tag,
        Refusal::Commitment,
        Refusal::Salt,
        Refusal::Length,
        Refusal::Wrap,
        Refusal::Mac,
        Refusal::Table,
        Refusal::Receipt,
        Refusal::Upload,
    ];

    pub(crate) fn note(reason: Refusal) {
        LAST.store(reason as u8, Ordering::SeqCst);
    }

    /// The last reason in this process since this was asked.
    pub fn take() -> Option<Refusal> {
        let last = LAST.swap(0, Ordering::SeqCst);
        ALL.into_iter().find(|&reason| reason as u8 == last)
    }
}
