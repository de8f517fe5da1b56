//! A transform, and the one piece that is under way in it.

use crate::pool::Pool;
use objseal::{FirstError, Push};
use std::io;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::task::coop;
use zeroize::Zeroizing;

/// Buffers grow in steps: what comes of pieces of one length differs by a chunk or two.
const CAPACITY_STEP: usize = 64 * 1024;
/// Most bytes that are taken in at a time.
pub(crate) const MAX_PIECE_LEN: usize = 256 * 1024;

/// Wiped when it is dropped: plaintext that nobody got.
pub(crate) type Buffer = Zeroizing<Vec<u8>>;

/// What was taken in, `None` for the end, and what came of it.
pub(crate) type Done<I> = (Option<I>, Buffer);

/// A transform that takes in `I`, one piece at a time. The work goes on in here, so whoever polls may stop at any time.
pub(crate) struct Work<T, I> {
    at: At<T, I>,
    pool: Pool,
}

enum At<T, I> {
    /// On the heap, so that what is pending in it has one place, which is wiped.
    Here(Box<T>),
    Away(Pin<Box<Away<T, I>>>),
    /// It failed or panicked.
    Lost,
}

type Away<T, I> = dyn Future<Output = io::Result<(Box<T>, io::Result<Done<I>>)>> + Send;

impl<T, I> Work<T, I> {
    pub(crate) fn new(transform: T, pool: Pool) -> Self {
        Self { at: At::Here(Box::new(transform)), pool }
    }

    pub(crate) fn set_pool(&mut self, pool: Pool) {
        self.pool = pool;
    }

    pub(crate) fn is_inline(&self, len: usize) -> bool {
        self.pool.is_inline(len)
    }

    /// Whether a piece is under way.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self.at, At::Away(_))
    }

    /// The transform, unless a piece is under way or it failed.
    pub(crate) fn transform(&self) -> Option<&T> {
        match &self.at {
            At::Here(transform) => Some(transform),
            _ => None,
        }
    }

    pub(crate) fn into_transform(self) -> Option<T> {
        match self.at {
            At::Here(transform) => Some(*transform),
            _ => None,
        }
    }

    fn take(&mut self) -> io::Result<Box<T>> {
        match replace(&mut self.at, At::Lost) {
            At::Here(transform) => Ok(transform),
            _ => Err(FirstError::panicked().again()),
        }
    }
}

impl<T, I> Work<T, I>
where
    T: Push + Send + 'static,
    I: AsRef<[u8]> + Send + 'static,
    io::Error: From<T::Error>,
{
    /// Takes in a piece where the task runs.
    pub(crate) fn update(&mut self, piece: &[u8], out: &mut Buffer) -> io::Result<()> {
        let mut transform = self.take()?;
        push(&mut *transform, Some(piece), out)?;
        self.at = At::Here(transform);
        Ok(())
    }

    /// Takes in a piece where the task runs, if what comes of it goes into `room` and no pool is to do it; `None` if not. Says how
    /// many bytes came.
    pub(crate) fn update_into(&mut self, piece: &[u8], room: &mut ReadBuf<'_>) -> Option<io::Result<usize>> {
        let needed = self.transform()?.update_len(piece.len()).ok()?;
        if needed > room.remaining() || !self.is_inline(piece.len()) {
            return None;
        }
        let updated = self.take().and_then(|mut transform| {
            let len = transform.update(piece, room.initialize_unfilled_to(needed))?;
            room.advance(len);
            self.at = At::Here(transform);
            Ok(len)
        });
        Some(updated)
    }

    /// Begins to take in a piece, or the end. [`poll`](Self::poll) says what comes of it. `out` is room for it.
    pub(crate) fn begin(&mut self, piece: Option<I>, mut out: Buffer) -> io::Result<()> {
        let mut transform = self.take()?;
        let pool = self.pool.clone();
        self.at = At::Away(Box::pin(async move {
            let len = piece.as_ref().map_or(0, |piece| piece.as_ref().len());
            let work = move || {
                let pushed = push(&mut *transform, piece.as_ref().map(I::as_ref), &mut out);
                (transform, pushed.map(|()| (piece, out)))
            };
            pool.run(len, work).await
        }));
        Ok(())
    }

    /// What comes of the piece that is under way.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Done<I>>> {
        let At::Away(mut away) = replace(&mut self.at, At::Lost) else {
            return Poll::Ready(Err(FirstError::panicked().again()));
        };
        let Poll::Ready(came_back) = away.as_mut().poll(cx) else {
            self.at = At::Away(away);
            return Poll::Pending;
        };
        let (transform, done) = came_back?;
        let done = done?;
        self.at = At::Here(transform);
        Poll::Ready(Ok(done))
    }
}

fn push<T: Push>(transform: &mut T, piece: Option<&[u8]>, out: &mut Buffer) -> io::Result<()>
where
    io::Error: From<T::Error>,
{
    let needed = match piece {
        Some(piece) => transform.update_len(piece.len())?,
        None => transform.finish_len()?,
    };
    if out.capacity() < needed {
        // A `Vec` that grows leaves copies of its plaintext behind.
        *out = Zeroizing::new(Vec::with_capacity(needed.next_multiple_of(CAPACITY_STEP)));
    }
    // What is there already is written over: to fill it with zeros first would be one pass more.
    out.resize(needed, 0);
    let written = match piece {
        Some(piece) => transform.update(piece, out),
        None => transform.finish(out),
    };
    out.truncate(*written.as_ref().unwrap_or(&0));
    written?;
    Ok(())
}

/// Counts against what tokio lets a task do in one go: pieces that are always ready must not keep other tasks waiting.
pub(crate) fn poll_turn(cx: &mut Context<'_>) -> Poll<()> {
    ready!(coop::poll_proceed(cx)).made_progress();
    Poll::Ready(())
}
