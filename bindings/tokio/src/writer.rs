//! Something to write to: what is written goes through a transform to another writer.

use crate::pool::Pool;
use crate::work::{Buffer, MAX_PIECE_LEN, Work, poll_turn};
use objseal::envelope::SealOptions;
use objseal::file::{FileError, Info, Sealer};
use objseal::{FirstError, Push};
use pin_project_lite::pin_project;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// A sealed file that is written to `W`: what is written to it is the plaintext.
pub type SealWriter<W> = Writer<Sealer, W>;

pin_project! {
    /// Writes what comes out of a sealer or opener `T` to `W`.
    ///
    /// `poll_shutdown` writes the end, flushes, and shuts `W` down. Without it, what was sealed does not open. After an error
    /// there is no going on: every later call says it again, and the end is never written.
    ///
    /// A write takes in up to 256 KiB. It returns when they are taken in; the next one waits until all that came of them is
    /// written. A write that is dropped before it returns took in nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use objseal::{Key, cobblestone::Cobblestone};
    /// use objseal_tokio::Writer;
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let key = Key::generate()?;
    /// let mut writer = Writer::of(Cobblestone::new(&key, b"notes").sealer()?, Vec::new());
    /// writer.write_all(b"dear diary").await?;
    /// writer.shutdown().await?;
    /// let message = writer.into_inner();
    /// assert_eq!(objseal::cobblestone::open(&key, b"notes", &message)?, b"dear diary");
    /// # Ok(())
    /// # }
    /// ```
    pub struct Writer<T, W> {
        work: Work<T, Buffer>,
        #[pin]
        inner: W,
        out: Buffer,
        // Bytes of `out` that have been written.
        written: usize,
        stage: Stage,
        failed: Option<FirstError>,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The end was taken in.
    Ending,
    /// The end was written and flushed.
    Flushed,
    /// The inner writer is shut down.
    Closed,
}

impl<T, W> Writer<T, W> {
    /// Writes what comes out of `transform` to `inner`. Nothing is written before the first write.
    pub fn of(transform: T, inner: W) -> Self {
        Self {
            work: Work::new(transform, Pool::default()),
            inner,
            out: Buffer::default(),
            written: 0,
            stage: Stage::Open,
            failed: None,
        }
    }

    /// Does the work on this pool.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.work.set_pool(pool);
        self
    }

    /// What is written to.
    pub fn inner(&self) -> &W {
        &self.inner
    }

    /// What was written to. It is whole only if this was shut down before.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W> Writer<Sealer, W> {
    /// Begins a sealed file. Its head goes out with the first write.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &SealOptions, inner: W) -> Result<Self, FileError> {
        Ok(Self::of(Sealer::new(options)?, inner))
    }

    /// What is known of the file, and what it was written to. `None` if it was not shut down, or that failed.
    pub fn into_info(self) -> Option<(W, Info)> {
        let info = match self.stage {
            Stage::Closed => self.work.into_transform().and_then(Sealer::into_info),
            _ => None,
        };
        info.map(|info| (self.inner, info))
    }
}

impl<W: AsyncWrite + Unpin> Writer<Sealer, W> {
    /// Shuts it down, and says what is known of the file.
    ///
    /// # Errors
    /// What `inner` says, or that an earlier write failed. What has been written then does not open, unless `inner` failed only
    /// when all of it was written.
    pub async fn finish(mut self) -> io::Result<(W, Info)> {
        self.shutdown().await?;
        self.into_info().ok_or_else(|| objseal::Error::Finished.into())
    }
}

impl<T, W> Writer<T, W>
where
    T: Push + Send + 'static,
    W: AsyncWrite,
    io::Error: From<T::Error>,
{
    /// Remembers the first error, and that a call panicked: part of what was to be written may be missing then.
    fn guarded<R>(
        mut self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut Self>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let failed = self.as_mut().project().failed;
        if let Some(first) = failed {
            return Poll::Ready(Err(first.again()));
        }
        *failed = Some(FirstError::panicked());
        let polled = poll(self.as_mut());
        *self.project().failed = match &polled {
            Poll::Ready(Err(error)) => Some(FirstError::of(error)),
            _ => None,
        };
        polled
    }

    /// Waits for the piece that is under way, and writes what came of it.
    fn poll_drained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        loop {
            while let Some(rest) = this.out.get(*this.written..).filter(|rest| !rest.is_empty()) {
                match ready!(this.inner.as_mut().poll_write(cx, rest))? {
                    0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                    len if len > rest.len() => {
                        return Poll::Ready(Err(io::Error::other("the output took more than it was given")));
                    }
                    len => *this.written += len,
                }
            }
            if !this.work.is_away() {
                return Poll::Ready(Ok(()));
            }
            let (_, out) = ready!(this.work.poll(cx))?;
            (*this.out, *this.written) = (out, 0);
        }
    }

    fn poll_taken_in(mut self: Pin<&mut Self>, cx: &mut Context<'_>, input: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_drained(cx))?;
        if input.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(poll_turn(cx));
        let piece = &input[..input.len().min(MAX_PIECE_LEN)];
        let this = self.as_mut().project();
        if this.work.is_inline(piece.len()) {
            *this.written = 0;
            this.work.update(piece, this.out)?;
        } else {
            this.work.begin(Some(Zeroizing::new(piece.to_vec())), std::mem::take(this.out))?;
        }
        // As far as that goes without waiting: the piece is taken in.
        match self.poll_drained(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_closed(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_drained(cx))?;
        let this = self.as_mut().project();
        if *this.stage == Stage::Open {
            this.work.begin(None, std::mem::take(this.out))?;
            *this.stage = Stage::Ending;
        }
        ready!(self.as_mut().poll_drained(cx))?;
        // Once: a flush that waits each time must not keep the other from being asked.
        if self.stage == Stage::Ending {
            ready!(self.as_mut().project().inner.poll_flush(cx))?;
            *self.as_mut().project().stage = Stage::Flushed;
        }
        ready!(self.as_mut().project().inner.poll_shutdown(cx))?;
        *self.project().stage = Stage::Closed;
        Poll::Ready(Ok(()))
    }
}

impl<T, W> AsyncWrite for Writer<T, W>
where
    T: Push + Send + 'static,
    W: AsyncWrite,
    io::Error: From<T::Error>,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, input: &[u8]) -> Poll<io::Result<usize>> {
        if self.failed.is_none() && self.stage != Stage::Open {
            return Poll::Ready(Err(objseal::Error::Finished.into()));
        }
        self.guarded(|this| this.poll_taken_in(cx, input))
    }

    /// Writes all that came of what was taken in, and flushes. Up to a chunk in each layer waits for more, or for the end.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.guarded(|mut this| {
            ready!(this.as_mut().poll_drained(cx))?;
            this.project().inner.poll_flush(cx)
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_none() && self.stage == Stage::Closed {
            return Poll::Ready(Ok(()));
        }
        self.guarded(|this| this.poll_closed(cx))
    }
}

/// How far it is.
impl<T, W> fmt::Debug for Writer<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("failed", &self.failed).finish_non_exhaustive()
    }
}
