//! The body of an object, or a part of it: a Cobblestone message for each layer, the outer one around the inner one.

use super::layers::Message;
use super::ranges::Ranges;
use crate::cobblestone::{
    self, CHUNK_LEN, ChunkOpener, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, SharedSealer, TAG_LEN, prefix,
};
use crate::engine::Engine;
use crate::error::{Error, Refusal};
use crate::push::{Push, append};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;
#[cfg(feature = "std")]
use {
    crate::cobblestone::{RandomAccess, ReadAt, Workers},
    std::io::{self, Read, Write},
};

/// The salt of a Cobblestone message.
pub type Salt = [u8; SALT_LEN];

/// Bytes that go through both layers at a time, so that they stay in the cache between them.
const PIECE_LEN: usize = 64 * 1024;

/// Length of the body that `plaintext_len` bytes seal to in `layers` layers.
///
/// `None` if that is longer than a message can be.
#[must_use]
pub fn sealed_len(layers: u8, plaintext_len: u64) -> Option<u64> {
    (0..layers).try_fold(plaintext_len, |len, _| cobblestone::sealed_len(len))
}

/// Length of the plaintext in a body of `sealed_len` bytes and `layers` layers; the inverse of [`sealed_len`].
///
/// `None` if no body has that length.
#[must_use]
pub fn plaintext_len(layers: u8, sealed_len: u64) -> Option<u64> {
    (0..layers).try_fold(sealed_len, |len, _| cobblestone::plaintext_len(len))
}

/// Length of the longest plaintext whose body fits into `stored_limit` bytes.
///
/// `None` if not even an empty one fits.
///
/// ```
/// use objseal::envelope::largest_plaintext_len;
/// // 5 GiB, the largest S3 object that one request can write
/// assert_eq!(largest_plaintext_len(1, 5 << 30), Some(5_363_471_288));
/// assert_eq!(largest_plaintext_len(2, 5 << 30), Some(5_358_238_576));
/// ```
#[must_use]
pub fn largest_plaintext_len(layers: u8, stored_limit: u64) -> Option<u64> {
    (0..layers).try_fold(stored_limit, |limit, _| cobblestone::largest_plaintext_len(limit))
}

/// Where in a body of `sealed_len` bytes and `layers` layers the chunks are that hold bytes `range` of its plaintext.
///
/// An empty range gives an empty range. `None` if no body has that length or `range` is not within its plaintext.
///
/// ```
/// use objseal::envelope::{sealed_len, sealed_range};
/// let stored = sealed_len(2, 1 << 20).ok_or("too long")?;
/// // The inner chunk that holds it lies across two outer ones.
/// assert_eq!(sealed_range(2, 500_000..500_001, stored), Some(56 + 30 * 16_400..56 + 32 * 16_400));
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn sealed_range(layers: u8, range: core::ops::Range<u64>, sealed_len: u64) -> Option<core::ops::Range<u64>> {
    (0..layers)
        .rev()
        .try_fold(range, |range, within| cobblestone::sealed_range(range, plaintext_len(within, sealed_len)?))
}

/// Seals a body. Its salts were drawn with it.
pub struct NewBody {
    /// The innermost first.
    layers: Vec<SharedSealer>,
}

impl NewBody {
    pub(super) fn new(layers: Vec<SharedSealer>) -> Self {
        Self { layers }
    }

    /// The salts, the innermost layer's first.
    pub(super) fn salts(&self) -> Vec<Salt> {
        let salt = |layer: &SharedSealer| layer.header().first_chunk().copied();
        self.layers.iter().filter_map(salt).collect()
    }

    /// The engines that seal: for each layer one, the innermost first.
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        self.layers.iter().map(SharedSealer::engine).collect()
    }

    /// Seals everything that `input` has to give into `output`, and returns the length of the plaintext. See
    /// [`Cobblestone::seal_stream`](crate::cobblestone::Cobblestone::seal_stream).
    ///
    /// # Errors
    /// What `input` and `output` say; [`Error::TooLong`] as an [`io::Error`]. What has been written then does not open.
    #[cfg(feature = "std")]
    pub fn seal_stream(
        self,
        input: impl Read + Send,
        mut output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<u64> {
        match &self.layers[..] {
            [inner, outer] => inner.seal_stream_within(outer, input, output, workers),
            [only] => {
                output.write_all(only.header())?;
                only.seal_stream(input, output, workers)
            }
            _ => Err(Error::Finished.into()),
        }
    }

    /// Seals all that is stored in `input` into the start of `out`, and returns how many bytes that took. `input` may be
    /// memory that others change meanwhile: nothing of it is looked at twice.
    ///
    /// # Errors
    /// What `input` says; [`Error::OutputTooSmall`] and [`Error::TooLong`] as [`io::Error`]s. What has been written then
    /// does not open.
    #[cfg(feature = "std")]
    pub fn seal_at(
        self,
        workers: &impl Workers,
        input: &(impl ReadAt + Sync + ?Sized),
        out: &mut [u8],
    ) -> io::Result<usize> {
        let len = input.size()?;
        self.seal_len_at(workers, input, len, out)
    }

    /// Seals the first `len` bytes of what is stored: the size is asked for once, whatever becomes of the input.
    #[cfg(feature = "std")]
    pub(crate) fn seal_len_at(
        self,
        workers: &impl Workers,
        input: &(impl ReadAt + Sync + ?Sized),
        len: u64,
        out: &mut [u8],
    ) -> io::Result<usize> {
        let layers = u8::try_from(self.layers.len()).unwrap_or(u8::MAX);
        let needed = sealed_len(layers, len).and_then(|len| usize::try_from(len).ok()).ok_or(Error::TooLong)?;
        let given = out.len();
        let out = out.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, given })?;
        if let [only] = &self.layers[..] {
            return only.seal_at(workers, input, len, out);
        }
        let sealed = self.seal_stream(StoredReader::new(input, len), out, workers)?;
        if sealed == len { Ok(needed) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Seals `plaintext`, all there is.
    ///
    /// # Errors
    /// [`Error::TooLong`]; [`Error::CheckFailed`] if it was to be checked.
    pub fn seal(self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let layers = u8::try_from(self.layers.len()).unwrap_or(u8::MAX);
        let len = sealed_len(layers, plaintext.len() as u64).and_then(|len| usize::try_from(len).ok());
        let mut out = Vec::with_capacity(len.ok_or(Error::TooLong)?);
        let mut sealer = self.sealer();
        sealer.update_vec(plaintext, &mut out)?;
        sealer.finish_vec(&mut out)?;
        Ok(out)
    }

    /// Seals piece by piece.
    #[must_use]
    pub fn sealer(self) -> Sealer {
        let layers = self.layers.into_iter().map(SharedSealer::into_sealer);
        Sealer { layers: layers.collect(), inner: Zeroizing::default(), failed: None }
    }
}

/// Reads what is stored from its start.
#[cfg(feature = "std")]
pub(crate) struct StoredReader<'s, S: ?Sized> {
    stored: &'s S,
    at: u64,
    len: u64,
}

#[cfg(feature = "std")]
impl<'s, S: ReadAt + ?Sized> StoredReader<'s, S> {
    /// Reads the first `len` bytes.
    pub(crate) fn new(stored: &'s S, len: u64) -> Self {
        Self { stored, at: 0, len }
    }
}

#[cfg(feature = "std")]
impl<S: ReadAt + ?Sized> Read for StoredReader<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        self.stored.read_exact_at(&mut buffer[..len], self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

impl fmt::Debug for NewBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewBody").field("engines", &self.engines()).finish_non_exhaustive()
    }
}

/// Seals a body piece by piece: [`Push`].
pub struct Sealer {
    /// The innermost first.
    layers: Vec<cobblestone::Sealer>,
    /// What comes out of the inner one.
    inner: Zeroizing<Vec<u8>>,
    /// What went wrong when part of the input had been consumed: nothing more comes out.
    failed: Option<Error>,
}

impl Sealer {
    fn seal(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        for piece in pieces(input) {
            done += match &mut self.layers[..] {
                [inner, outer] => {
                    self.inner.clear();
                    inner.update_vec(piece, &mut self.inner)?;
                    outer.update(&self.inner, &mut out[done..])?
                }
                [only] => only.update(piece, &mut out[done..])?,
                _ => return Err(Error::Finished),
            };
        }
        Ok(done)
    }

    fn seal_end(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        // They stay where they are: moved away, they would leave behind what is pending.
        match &mut self.layers[..] {
            [inner, outer] => {
                self.inner.clear();
                inner.finish_vec(&mut self.inner)?;
                let done = outer.update(&self.inner, out)?;
                Ok(done + outer.finish_in_place(&mut out[done..])?)
            }
            [only] => only.finish_in_place(out),
            _ => Err(Error::Finished),
        }
    }
}

/// At the end come at most 32,910 bytes.
impl Push for Sealer {
    type Error = Error;

    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        self.layers.iter().try_fold(input_len, |len, layer| layer.update_len(len))
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.failed.map_or(Ok(()), Err)?;
        let out = prefix(out, self.update_len(input.len())?)?;
        self.seal(input, out).inspect_err(|&error| self.failed = Some(error))
    }

    fn finish_len(&self) -> Result<usize, Error> {
        Ok(match &self.layers[..] {
            [inner, outer] => outer.rest_len(inner.finish_len()),
            [only] => only.finish_len(),
            _ => 0,
        })
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.failed.map_or(Ok(()), Err)?;
        let out = prefix(out, self.finish_len()?)?;
        self.failed = Some(Error::Finished);
        self.seal_end(out).inspect_err(|&error| self.failed = Some(error))
    }
}

/// `input` in pieces that both layers do while they are in the cache; one empty piece if it is empty.
pub(super) fn pieces(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.chunks(PIECE_LEN).chain(input.is_empty().then_some(input))
}

/// Opens a body whose salts are known.
pub struct StoredBody {
    /// The innermost first. None opens nothing.
    layers: Vec<(Message, Salt)>,
}

impl StoredBody {
    pub(super) fn new(layers: Vec<(Message, Salt)>) -> Self {
        Self { layers }
    }

    /// The last of the layers.
    #[cfg(feature = "std")]
    fn outermost(&self) -> Result<usize, Error> {
        self.layers.len().checked_sub(1).ok_or(Error::Authentication)
    }

    /// What opens the message of a layer, from 0, given its header.
    fn chunk_opener(&self, layer: usize, header: &[u8; HEADER_LEN]) -> Result<ChunkOpener, Error> {
        let (message, salt) = self.layers.get(layer).ok_or(Error::Authentication)?;
        if header[..SALT_LEN] != *salt {
            return Err(Error::refused(Refusal::Salt));
        }
        message.cobblestone().chunk_opener(header)
    }

    /// Ranges of the body, which is stored in `sealed_len` bytes, for who fetches them on their own.
    ///
    /// # Errors
    /// [`Error::Authentication`] if no body is so long.
    pub fn ranges(&self, sealed_len: u64) -> Result<Ranges, Error> {
        let openers = self.layers.iter().map(|(message, salt)| message.cobblestone().chunk_opener_of_salt(salt));
        Ranges::new(openers.collect::<Result<_, _>>()?, sealed_len)
    }

    /// Opens the body that `input` has to give into `output`, and returns the length of the plaintext and the engines
    /// that opened it, the innermost layer's first. See
    /// [`Cobblestone::open_stream`](crate::cobblestone::Cobblestone::open_stream).
    ///
    /// # Errors
    /// What `input` and `output` say; [`Error::Authentication`] as an [`io::Error`] of kind
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the body is not the one of this object or was changed. What has
    /// been written then is the authentic beginning of the plaintext, in whole chunks.
    #[cfg(feature = "std")]
    pub fn open_stream(
        &self,
        mut input: impl Read + Send,
        output: impl Write + Send,
        workers: &impl Workers,
    ) -> io::Result<(u64, Vec<Engine>)> {
        let mut header = [0; HEADER_LEN];
        input.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::refused(Refusal::Length).into(),
            _ => error,
        })?;
        let outermost = self.chunk_opener(self.outermost()?, &header)?;
        if self.layers.len() == 1 {
            let len = outermost.open_stream(input, output, workers)?;
            return Ok((len, Vec::from([outermost.engine()])));
        }
        let mut engines = Vec::new();
        let start_inner = |header: &[u8; HEADER_LEN]| {
            let inner = self.chunk_opener(0, header)?;
            engines.extend([inner.engine(), outermost.engine()]);
            Ok(inner)
        };
        let len = outermost.open_stream_to_inner(start_inner, input, output, workers)?;
        Ok((len, engines))
    }

    /// Opens the stored body `source` for reading at any offset. See
    /// [`Cobblestone::open_at`](crate::cobblestone::Cobblestone::open_at).
    ///
    /// # Errors
    /// What `source` says; [`Error::Authentication`] as an [`io::Error`] of kind
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the body is not the one of this object or was changed.
    #[cfg(feature = "std")]
    pub fn open_at<S: ReadAt>(&self, source: S) -> io::Result<RandomAccess<S>> {
        if source.size()? < HEADER_LEN as u64 {
            return Err(Error::refused(Refusal::Length).into());
        }
        let mut header = [0; HEADER_LEN];
        source.read_exact_at(&mut header, 0)?;
        let outermost = self.outermost()?;
        let opened = self.chunk_opener(outermost, &header)?.open_at(source)?;
        (0..outermost)
            .rev()
            .try_fold(opened, |outer, layer| outer.open_inner(|header| self.chunk_opener(layer, header)))
    }

    /// Opens piece by piece.
    #[must_use]
    pub fn opener(self) -> Opener {
        let layers = self.layers.iter().map(|_| Progress::Header(Vec::with_capacity(HEADER_LEN))).collect();
        Opener { body: self, layers, inner: Zeroizing::default(), ended: Error::Authentication }
    }

    /// Opens a whole body.
    ///
    /// # Errors
    /// [`Error::Authentication`] if it is not the one of this object or was changed.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut opened: Option<Zeroizing<Vec<u8>>> = None;
        for layer in (0..self.layers.len()).rev() {
            let sealed = opened.as_ref().map_or(sealed, |inner| &inner[..]);
            let header = sealed.first_chunk().ok_or(Error::Authentication)?;
            self.chunk_opener(layer, header)?;
            opened = Some(Zeroizing::new(self.layers[layer].0.cobblestone().open(sealed)?));
        }
        Ok(core::mem::take(&mut *opened.ok_or(Error::Authentication)?))
    }
}

/// Opens a body piece by piece: [`Push`].
///
/// Each chunk is given out once its tags hold, so what an update gave is authentic even if a later one fails. After an error
/// nothing more comes out.
pub struct Opener {
    body: StoredBody,
    /// The innermost first; none after the end or an error.
    layers: Vec<Progress>,
    /// What comes out of the outer layer.
    inner: Zeroizing<Vec<u8>>,
    /// Why there are no layers any more: the end was opened, or the first error.
    ended: Error,
}

/// How far the message of a layer has come.
enum Progress {
    /// What there is of its header.
    Header(Vec<u8>),
    Chunks(Box<cobblestone::Opener<'static>>),
}

impl Progress {
    /// Bytes behind the header among `more`.
    fn behind_header(&self, more: usize) -> usize {
        match self {
            Self::Header(header) => more.saturating_sub(HEADER_LEN - header.len()),
            Self::Chunks(_) => more,
        }
    }

    /// How many bytes [`update`](Self::update) writes when it is given `input_len` bytes, if they are authentic.
    fn update_len(&self, input_len: usize) -> usize {
        let len = self.behind_header(input_len);
        match self {
            Self::Header(_) => len / SEALED_CHUNK_LEN * CHUNK_LEN,
            Self::Chunks(opener) => opener.update_len(len),
        }
    }

    /// How many bytes an update with `more` bytes and the end write.
    fn rest_len(&self, more: usize) -> usize {
        let len = self.behind_header(more);
        match self {
            Self::Header(_) => len / SEALED_CHUNK_LEN * CHUNK_LEN + (len % SEALED_CHUNK_LEN).saturating_sub(TAG_LEN),
            Self::Chunks(opener) => opener.rest_len(len),
        }
    }

    /// Takes in `input` and writes what it opens to.
    fn update(
        &mut self,
        start: impl FnOnce(&[u8; HEADER_LEN]) -> Result<ChunkOpener, Error>,
        mut input: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        if let Self::Header(header) = self {
            let (now, later) = input.split_at(input.len().min(HEADER_LEN - header.len()));
            header.extend_from_slice(now);
            let Some(header) = header.first_chunk() else { return Ok(0) };
            *self = Self::Chunks(Box::new(start(header)?.into_opener()));
            input = later;
        }
        match self {
            Self::Header(_) => Ok(0),
            Self::Chunks(opener) => opener.update(input, out),
        }
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Header(_) => Err(Error::Authentication),
            Self::Chunks(opener) => opener.finish_in_place(out),
        }
    }
}

impl Opener {
    /// Opens one piece. After a failure there is nothing to go on with.
    fn take_in(&mut self, piece: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let Self { body, layers, inner: middle, ended } = self;
        let opened = match &mut layers[..] {
            [inner, outer] => {
                middle.clear();
                append(middle, outer.update_len(piece.len()), |room| {
                    outer.update(|header| body.chunk_opener(1, header), piece, room)
                })
                .and_then(|()| inner.update(|header| body.chunk_opener(0, header), middle, out))
            }
            [only] => only.update(|header| body.chunk_opener(0, header), piece, out),
            _ => Err(*ended),
        };
        opened.inspect_err(|&error| self.end(error))
    }

    fn open_end(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let Self { body, layers, inner: middle, ended } = self;
        match &mut layers[..] {
            [inner, outer] => {
                middle.clear();
                append(middle, outer.rest_len(0), |room| outer.finish(room))?;
                let done = inner.update(|header| body.chunk_opener(0, header), middle, out)?;
                Ok(done + inner.finish(&mut out[done..])?)
            }
            [only] => only.finish(out),
            _ => Err(*ended),
        }
    }

    /// From here on nothing comes out.
    fn end(&mut self, with: Error) {
        self.layers.clear();
        self.ended = with;
    }

    /// How many bytes an update with `input_len` bytes writes, if they are authentic.
    pub(crate) fn opened_len(&self, input_len: usize) -> usize {
        if self.layers.is_empty() {
            0
        } else {
            self.layers.iter().rev().fold(input_len, |len, layer| layer.update_len(len))
        }
    }

    /// How many bytes an update with `more` bytes and the end write.
    pub(crate) fn rest_len(&self, more: usize) -> usize {
        if self.layers.is_empty() { 0 } else { self.layers.iter().rev().fold(more, |len, layer| layer.rest_len(len)) }
    }
}

/// At the end come at most 32,767 bytes.
impl Push for Opener {
    type Error = Error;

    fn update_len(&self, input_len: usize) -> Result<usize, Error> {
        Ok(self.opened_len(input_len))
    }

    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, self.opened_len(input.len()))?;
        let opened = pieces(input).try_fold(0, |done, piece| Ok(done + self.take_in(piece, &mut out[done..])?));
        opened.inspect_err(|_| out.fill(0))
    }

    fn finish_len(&self) -> Result<usize, Error> {
        Ok(self.rest_len(0))
    }

    fn finish(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let out = prefix(out, self.rest_len(0))?;
        let opened = self.open_end(out);
        self.end(opened.err().unwrap_or(Error::Finished));
        opened.inspect_err(|_| out.fill(0))
    }
}
