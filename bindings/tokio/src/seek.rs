//! Something to read from and to seek in, over ranges.

use bytes::{Buf, Bytes};
use std::fmt;
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

/// Something sealed of whose plaintext ranges can be read.
pub trait ReadRange: Clone + Send + Sync {
    /// Length of its plaintext, in bytes.
    fn plaintext_len(&self) -> u64;

    /// The bytes `range` of its plaintext, all of them.
    fn read_range(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send;
}

type Coming = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

/// Reads front to back from any place.
///
/// It reads ahead: 64 KiB behind a seek, twice as much each time it goes on from there, at most
/// [`with_read_ahead`](Self::with_read_ahead). Two such ranges are held at most: the one that is being given out and the one
/// behind it, which is on its way meanwhile. After an error, reading can be tried again.
pub struct SeekReader<R> {
    source: R,
    read_ahead: u64,
    position: u64,
    /// What is there from `position` on.
    there: Bytes,
    /// What comes from `there`'s end on.
    coming: Option<(Range<u64>, State)>,
    /// Length of the next range.
    window: u64,
    /// Whether a range was read since the last seek: the one after the next is read ahead then.
    goes_on: bool,
}

enum State {
    Coming(Coming),
    Came(io::Result<Bytes>),
}

/// Length of the range behind a seek.
const MIN_WINDOW: u64 = 64 * 1024;

impl<R: ReadRange + 'static> SeekReader<R> {
    /// Most bytes that are read ahead, unless [`with_read_ahead`](Self::with_read_ahead) says otherwise.
    pub const READ_AHEAD: u64 = 4 * 1024 * 1024;

    /// Reads from the first byte on.
    pub fn new(source: R) -> Self {
        Self {
            source,
            read_ahead: Self::READ_AHEAD,
            position: 0,
            there: Bytes::new(),
            coming: None,
            window: MIN_WINDOW,
            goes_on: false,
        }
    }

    /// Reads at most so many bytes ahead; 0 is taken for 1.
    #[must_use]
    pub fn with_read_ahead(mut self, len: u64) -> Self {
        self.read_ahead = len.max(1);
        self.window = self.window.min(self.read_ahead);
        self
    }

    /// What is read from.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// The next byte to be read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Where what is there ends.
    fn end(&self) -> u64 {
        self.position.saturating_add(self.there.len() as u64)
    }

    /// Begins to read the range behind what is there, unless that is under way or there is none.
    fn read_on(&mut self) {
        let start = self.end();
        let end = self.source.plaintext_len().min(start.saturating_add(self.window));
        if self.coming.is_none() && start < end {
            let source = self.source.clone();
            let coming: Coming = Box::pin(async move { source.read_range(start..end).await });
            self.coming = Some((start..end, State::Coming(coming)));
            self.window = self.window.saturating_mul(2).min(self.read_ahead);
        }
    }

    fn poll_coming(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some((_, state)) = &mut self.coming
            && let State::Coming(coming) = state
        {
            *state = State::Came(ready!(coming.as_mut().poll(cx)));
        }
        Poll::Ready(())
    }

    fn seek_to(&mut self, position: u64) {
        let ahead = position.checked_sub(self.position).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead.filter(|&ahead| ahead <= self.there.len()) {
            Some(ahead) => self.there.advance(ahead),
            None => {
                self.there.clear();
                self.coming = None;
                self.window = MIN_WINDOW.min(self.read_ahead);
                self.goes_on = false;
            }
        }
        self.position = position;
    }
}

impl<R: ReadRange + Unpin + 'static> AsyncRead for SeekReader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while this.there.is_empty() {
            if this.position >= this.source.plaintext_len() {
                return Poll::Ready(Ok(()));
            }
            this.window = this.window.max((buffer.remaining() as u64).min(this.read_ahead));
            this.read_on();
            ready!(this.poll_coming(cx));
            if let Some((range, State::Came(came))) = this.coming.take() {
                let came = came?;
                if came.len() as u64 != range.end - range.start {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                this.there = came;
                if this.goes_on {
                    this.read_on();
                }
                this.goes_on = true;
            }
        }
        let len = this.there.len().min(buffer.remaining());
        buffer.put_slice(&this.there.split_to(len));
        this.position += len as u64;
        // So that it gets on. Whoever needs what comes of it gets that then.
        let _ = this.poll_coming(cx);
        Poll::Ready(Ok(()))
    }
}

impl<R: ReadRange + Unpin + 'static> AsyncSeek for SeekReader<R> {
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => this.source.plaintext_len().checked_add_signed(offset),
            SeekFrom::Current(offset) => this.position.checked_add_signed(offset),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "there is nothing before the first byte");
        this.seek_to(position.ok_or_else(before)?);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

/// Where it is.
impl<R> fmt::Debug for SeekReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeekReader").field("position", &self.position).finish_non_exhaustive()
    }
}
