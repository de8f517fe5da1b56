//! Ranges of a stored body without IO: what to fetch, and what comes of it.

use super::body::{pieces, plaintext_len};
use crate::cobblestone::{CHUNK_LEN, ChunkOpener, HEADER_LEN, SEALED_CHUNK_LEN, TAG_LEN, prefix};
use crate::error::{Error, Refusal};
use crate::push::Push;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

const HEADER: u64 = HEADER_LEN as u64;
const CHUNK: u64 = CHUNK_LEN as u64;
const SEALED_CHUNK: u64 = SEALED_CHUNK_LEN as u64;

/// Any ranges of a stored body, for who fetches its bytes on their own: [`plan`](Self::plan) says which bytes of the body
/// hold them, and an [`opener`](Self::opener) takes those in as they come.
///
/// A range takes one fetch: the salts are those of the head, which commits to the key (FORMAT.md, section 11), so nothing
/// else of the body is needed. Where it ends is proven by its last chunk, which the first plan includes; a length that
/// attributes or a part table say needs no proof. All clones share that.
///
/// ```
/// # use objseal::{Key, envelope::{EncryptionContext, OpenOptions, SealOptions, WrappingKey}};
/// # let key = std::sync::Arc::new(WrappingKey::from_key(Key::generate()?));
/// # let plain: Vec<u8> = (0..100_000_u32).map(|at| at.to_le_bytes()[0]).collect();
/// # let (envelope, body) = SealOptions::new(key.clone()).start()?;
/// # let stored = body.seal(&plain)?;
/// # let options = OpenOptions::new().with_key(key);
/// let envelope = options.open(envelope.stored())?;
/// let ranges = envelope.body()?.ranges(stored.len() as u64)?;
/// for fetch in ranges.plan(&[10..20, 70_000..70_010], 0)? {
///     // However they are fetched, and in whatever pieces they come:
///     let fetched = &stored[fetch.stored.start as usize..fetch.stored.end as usize];
///     let mut opener = ranges.opener(&fetch);
///     let mut out = vec![0; opener.update_len(fetched.len())];
///     opener.update(fetched, &mut out)?;
///     opener.finish()?;
///     assert_eq!(out, plain[fetch.plaintext.start as usize..fetch.plaintext.end as usize]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ranges {
    shared: Arc<Shared>,
    /// Where the body begins in what is fetched from.
    offset: u64,
}

struct Shared {
    /// The innermost first.
    layers: Vec<Layer>,
    plaintext_len: u64,
    /// Whether that is authentic.
    proven: AtomicBool,
}

struct Layer {
    opener: ChunkOpener,
    /// Length of its message.
    sealed_len: u64,
}

/// Some bytes of a stored body to fetch, at once or piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// Which bytes of what is stored.
    pub stored: Range<u64>,
    /// Which bytes of the plaintext they open to: of one range, or from the start of the first of several to the end of the
    /// last.
    pub plaintext: Range<u64>,
}

impl Fetch {
    /// Where `range` of the plaintext is in what this opens to. `None` if not all of it is there.
    #[must_use]
    pub fn find(&self, range: &Range<u64>) -> Option<Range<usize>> {
        let within = self.plaintext.start <= range.start && range.start <= range.end && range.end <= self.plaintext.end;
        let offset = |at: u64| usize::try_from(at - self.plaintext.start).ok();
        if within { Some(offset(range.start)?..offset(range.end)?) } else { None }
    }
}

impl Ranges {
    /// `layers` opens the messages, the innermost first.
    pub(super) fn new(layers: Vec<ChunkOpener>, sealed_len: u64) -> Result<Self, Error> {
        let len_within = |layers: usize| plaintext_len(u8::try_from(layers).ok()?, sealed_len);
        let count = layers.len();
        let too_short = || Error::refused(Refusal::Length);
        let plaintext_len = len_within(count).filter(|_| count > 0).ok_or_else(too_short)?;
        let layer = |(number, opener)| {
            let sealed_len = len_within(count - 1 - number).ok_or_else(too_short)?;
            Ok(Layer { opener, sealed_len })
        };
        let layers = layers.into_iter().enumerate().map(layer).collect::<Result<_, Error>>()?;
        let shared = Shared { layers, plaintext_len, proven: AtomicBool::new(false) };
        Ok(Self { shared: Arc::new(shared), offset: 0 })
    }

    /// The same of a body that begins at byte `offset` of what is fetched from.
    #[must_use]
    pub fn at(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// The same of a body whose plaintext has this length, as something authentic says.
    ///
    /// # Errors
    /// [`Error::Authentication`] if that is not the length of what is stored.
    pub fn of_plaintext_len(self, authentic: u64) -> Result<Self, Error> {
        if authentic != self.plaintext_len() {
            return Err(Error::refused(Refusal::Length));
        }
        self.shared.proven.store(true, Ordering::Relaxed);
        Ok(self)
    }

    /// Length of the plaintext, in bytes. Authentic once [`is_proven`](Self::is_proven) says so; until then it is what the
    /// length of the stored body comes to.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        self.shared.plaintext_len
    }

    /// Whether the length of the plaintext is known to be authentic.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.shared.proven.load(Ordering::Relaxed)
    }

    /// What to fetch for `ranges` of the plaintext, from front to back. Ranges whose chunks are at most `gap` stored bytes
    /// apart are fetched together: a fetch more often costs more than some bytes more. Empty ranges take no fetch.
    ///
    /// As long as the length of the plaintext is not proven, the last of the fetches ends with the body.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a range is not within the plaintext.
    pub fn plan(&self, ranges: &[Range<u64>], gap: u64) -> Result<Vec<Fetch>, Error> {
        let len = self.plaintext_len();
        if ranges.iter().any(|range| range.start > range.end || range.end > len) {
            return Err(Error::OutOfRange { plaintext_len: len });
        }
        let mut wanted: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        if !self.is_proven() {
            wanted.push(len..len);
        }
        wanted.sort_unstable_by_key(|range| (range.start, range.end));
        let mut fetches: Vec<Fetch> = Vec::new();
        for plaintext in wanted {
            let stored = self.stored(&plaintext);
            match fetches.last_mut() {
                Some(last) if stored.start <= last.stored.end.saturating_add(gap) => {
                    last.plaintext.end = last.plaintext.end.max(plaintext.end);
                    last.stored.end = last.stored.end.max(stored.end);
                }
                _ => fetches.push(Fetch { stored, plaintext }),
            }
        }
        Ok(fetches)
    }

    /// Which bytes of the body hold the chunks of a range; one that reaches to the end takes all chunks that prove it.
    fn stored(&self, plaintext: &Range<u64>) -> Range<u64> {
        let to_end = plaintext.end == self.plaintext_len();
        let body = self.shared.layers.iter().fold(plaintext.clone(), |range, layer| layer.stored(&range, to_end));
        self.offset.saturating_add(body.start)..self.offset.saturating_add(body.end)
    }

    /// What opens the bytes of a fetch that [`plan`](Self::plan) gave.
    #[must_use]
    pub fn opener(&self, fetch: &Fetch) -> RangeOpener {
        let to_end = fetch.plaintext.end == self.plaintext_len();
        let mut range = fetch.plaintext.clone();
        let mut stages = Vec::with_capacity(self.shared.layers.len());
        for layer in &self.shared.layers {
            let stored = layer.stored(&range, to_end);
            stages.push(Stage::new(&range, &stored));
            range = stored;
        }
        RangeOpener { ranges: self.clone(), stages, to_end, middle: Zeroizing::default(), failed: None }
    }
}

impl Layer {
    fn stored(&self, plaintext: &Range<u64>, to_end: bool) -> Range<u64> {
        let at = |chunk: u64| HEADER.saturating_add(chunk.saturating_mul(SEALED_CHUNK)).min(self.sealed_len);
        let end = if to_end { self.sealed_len } else { at(plaintext.end.div_ceil(CHUNK)) };
        at(plaintext.start / CHUNK)..end
    }
}

/// Its lengths.
impl fmt::Debug for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ranges")
            .field("plaintext_len", &self.plaintext_len())
            .field("is_proven", &self.is_proven())
            .finish_non_exhaustive()
    }
}

/// Opens what a [`Fetch`] asked for, piece by piece: its plaintext is all the output of [`update`](Self::update), in order.
///
/// Each chunk is given out once its tags hold. After an error nothing more comes out.
pub struct RangeOpener {
    ranges: Ranges,
    /// One for each layer, the innermost first.
    stages: Vec<Stage>,
    to_end: bool,
    /// What comes out of the outer one of two layers.
    middle: Zeroizing<Vec<u8>>,
    failed: Option<Error>,
}

impl RangeOpener {
    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes, if they are authentic.
    #[must_use]
    pub fn update_len(&self, input_len: usize) -> usize {
        if self.failed.is_some() {
            0
        } else {
            self.stages.iter().rev().fold(input_len, |len, stage| stage.output_len(len))
        }
    }

    /// Takes in the next bytes, writes the plaintext of all chunks that are whole, as far as it was asked for, to the start of
    /// `out`, and returns how many bytes that took.
    ///
    /// # Errors
    /// [`Error::Authentication`] if these are not the bytes of the body, or more than the fetch asked for; what this call
    /// would have written is all zeros then. [`Error::OutputTooSmall`]; nothing was consumed or written then. After a failure
    /// that failure.
    pub fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.failed.map_or(Ok(()), Err)?;
        let out = prefix(out, self.update_len(input.len()))?;
        let opened = pieces(input).try_fold(0, |done, piece| {
            let done_now = self.take_in(piece, &mut out[done..])?;
            Ok(done + done_now)
        });
        opened.inspect_err(|&error| {
            out.fill(0);
            self.failed = Some(error);
        })
    }

    fn take_in(&mut self, piece: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let Self { ranges, stages, middle, .. } = self;
        match (&mut stages[..], &ranges.shared.layers[..]) {
            ([inner, outer], [inner_layer, outer_layer]) => {
                middle.resize(outer.output_len(piece.len()), 0);
                let len = outer.take_in(&outer_layer.opener, piece, middle)?;
                inner.take_in(&inner_layer.opener, &middle[..len], out)
            }
            ([only], [layer]) => only.take_in(&layer.opener, piece, out),
            _ => Err(Error::Authentication),
        }
    }

    /// That all of it has come. If the fetch ended with the body, the length of the plaintext is proven then.
    ///
    /// # Errors
    /// [`Error::Authentication`] if bytes are missing; after a failure that failure.
    pub fn finish(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        self.failed.map_or(Ok(()), Err)?;
        self.failed = Some(Error::Finished);
        if self.stages.iter().any(|stage| stage.left > 0) {
            let error = Error::refused(Refusal::Length);
            self.failed = Some(error);
            return Err(error);
        }
        if self.to_end {
            self.ranges.shared.proven.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Nothing comes out at the end.
impl Push for RangeOpener {
    type Error = Error;

    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        Ok(self.update_len(input_len))
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.update(input, out)
    }

    fn finish_len(&self) -> Result<usize, Error> {
        Ok(0)
    }

    fn finish(&mut self, _: &mut [u8]) -> Result<usize, Error> {
        self.end().map(|()| 0)
    }
}

impl fmt::Debug for RangeOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeOpener").field("ranges", &self.ranges).finish_non_exhaustive()
    }
}

/// How far a layer has come.
struct Stage {
    /// The next chunk.
    chunk: u64,
    /// Bytes to come in.
    left: u64,
    /// A chunk of which some has come.
    pending: Zeroizing<Vec<u8>>,
    /// Bytes of the first chunk that nobody asked for.
    skip: usize,
    /// Bytes to come out.
    wanted: u64,
}

impl Stage {
    fn new(plaintext: &Range<u64>, stored: &Range<u64>) -> Self {
        let skip = usize::try_from(plaintext.start % CHUNK).unwrap_or(0);
        Self {
            chunk: plaintext.start / CHUNK,
            left: stored.end.saturating_sub(stored.start),
            // With all its capacity: a `Vec` that grows leaves copies of its plaintext behind.
            pending: Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_LEN)),
            skip,
            wanted: plaintext.end.saturating_sub(plaintext.start),
        }
    }

    /// How many bytes come out when so many go in.
    fn output_len(&self, input_len: usize) -> usize {
        let len = self.pending.len().saturating_add(input_len);
        let rest = if input_len as u64 == self.left { len % SEALED_CHUNK_LEN } else { 0 };
        let opened = (len / SEALED_CHUNK_LEN * CHUNK_LEN).saturating_add(rest.saturating_sub(TAG_LEN));
        opened.saturating_sub(self.skip).min(usize::try_from(self.wanted).unwrap_or(usize::MAX))
    }

    fn take_in(&mut self, opener: &ChunkOpener, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.left = self.left.checked_sub(input.len() as u64).ok_or_else(|| Error::refused(Refusal::Length))?;
        let ended = self.left == 0;
        let mut input = input;
        let mut done = 0;
        if !self.pending.is_empty() {
            let (now, later) = input.split_at(input.len().min(SEALED_CHUNK_LEN - self.pending.len()));
            self.pending.extend_from_slice(now);
            input = later;
            if self.pending.len() < SEALED_CHUNK_LEN && !ended {
                return Ok(0);
            }
            let mut pending = core::mem::take(&mut self.pending);
            done = self.open(opener, &pending, out)?;
            pending.clear();
            self.pending = pending;
        }
        let ready = if ended { input.len() } else { input.len() / SEALED_CHUNK_LEN * SEALED_CHUNK_LEN };
        let (ready, later) = input.split_at(ready);
        done += self.open(opener, ready, &mut out[done..])?;
        self.pending.extend_from_slice(later);
        Ok(done)
    }

    /// Opens the next chunks; of the first and the last one perhaps only a part was asked for.
    fn open(&mut self, opener: &ChunkOpener, sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let mut sealed = sealed;
        let mut done = 0;
        while !sealed.is_empty() {
            let whole = sealed.len() / SEALED_CHUNK_LEN;
            let wanted = usize::try_from(self.wanted / CHUNK).unwrap_or(usize::MAX);
            let count = if self.skip == 0 { whole.min(wanted) } else { 0 };
            let len;
            if count > 0 {
                // Whole chunks go straight to where they belong.
                let (now, later) = sealed.split_at(count * SEALED_CHUNK_LEN);
                len = opener.open(self.chunk, now, &mut out[done..])?;
                self.chunk += count as u64;
                sealed = later;
            } else {
                let (now, later) = sealed.split_at(sealed.len().min(SEALED_CHUNK_LEN));
                let mut chunk = Zeroizing::new([0; CHUNK_LEN]);
                let opened = opener.open(self.chunk, now, &mut chunk[..])?;
                let asked = &chunk[self.skip.min(opened)..opened];
                len = asked.len().min(usize::try_from(self.wanted).unwrap_or(usize::MAX));
                out[done..done + len].copy_from_slice(&asked[..len]);
                self.skip = self.skip.saturating_sub(opened);
                self.chunk += 1;
                sealed = later;
            }
            self.wanted -= len as u64;
            done += len;
        }
        Ok(done)
    }
}
