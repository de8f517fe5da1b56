//! Streams: what another stream gives, through a transform.

use crate::keys;
use crate::pool::Pool;
use crate::work::{Buffer, MAX_PIECE_LEN, Work, poll_turn};
use bytes::Bytes;
use futures_core::Stream;
use objseal::Push;
use objseal::envelope::{Attributes, Envelope, KeyRequest, KeyServiceError, OpenOptions, SealOptions, WrappingKey};
use objseal::file::{FileError, Info, Opener, SLOTS_LEN, Sealer};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::take;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

/// The sealed file of the plaintext that `S` gives.
pub type SealStream<S> = Transformed<Sealer, S>;

/// The plaintext of the sealed file that `S` gives.
pub type OpenStream<S> = Transformed<Opener, S>;

pin_project! {
    /// What comes out of a sealer or opener `T` when it takes in what `S` gives.
    ///
    /// What a stream of plaintext gives out is authentic, and it is whole only when the stream has ended without an error. An
    /// error, of `S` or of ours, is the last item. Items of `S` are taken in 256 KiB at a time, and items come out as they were
    /// written by `T`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use bytes::Bytes;
    /// use futures_util::{TryStreamExt, stream};
    /// use objseal::{Key, cobblestone::Cobblestone};
    /// use objseal_tokio::Transformed;
    ///
    /// let key = Key::generate()?;
    /// let pieces = stream::iter([Ok(Bytes::from("dear ")), Ok(Bytes::from("diary"))]);
    /// let sealed = Transformed::of(Cobblestone::new(&key, b"notes").sealer()?, pieces);
    /// let message = sealed.try_collect::<Vec<Bytes>>().await?.concat();
    /// assert_eq!(objseal::cobblestone::open(&key, b"notes", &message)?, b"dear diary");
    /// # Ok(())
    /// # }
    /// ```
    pub struct Transformed<T, S> {
        work: Work<T, Bytes>,
        #[pin]
        inner: S,
        // What was not taken in yet of an item.
        rest: Bytes,
        // Where the memory of items comes back to.
        room: Room,
        stage: Stage,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Going,
    Failed,
    /// All has come out.
    Whole,
}

impl<T, S> Transformed<T, S> {
    /// What comes out of `transform` when it takes in what `inner` gives.
    pub fn of(transform: T, inner: S) -> Self {
        Self {
            work: Work::new(transform, Pool::default()),
            inner,
            rest: Bytes::new(),
            room: Room::default(),
            stage: Stage::Going,
        }
    }

    /// Does the work on this pool.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.work.set_pool(pool);
        self
    }

    /// The sealer or opener. `None` after a failure, and while a piece is under way.
    pub fn transform(&self) -> Option<&T> {
        self.work.transform()
    }
}

impl<S> Transformed<Sealer, S> {
    /// Begins a sealed file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(options: &SealOptions, inner: S) -> Result<Self, FileError> {
        Ok(Self::of(Sealer::new(options)?, inner))
    }

    /// What is known of the file. `None` if the stream has not ended, or with an error.
    pub fn into_info(self) -> Option<Info> {
        match self.stage {
            Stage::Whole => self.work.into_transform().and_then(Sealer::into_info),
            _ => None,
        }
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Transformed<Opener, S> {
    /// Takes the head of a file from `inner` and opens it. Key services among `options` are asked on a thread where blocking is
    /// allowed.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn open(options: &OpenOptions, mut inner: S) -> Result<Self, FileError> {
        let (slots, rest) = take_slots(&mut inner).await?;
        let plan = Opener::plan(options, &slots)?;
        let opener = keys::open(options, plan, move |options| Opener::new(options, &slots)).await?;
        Ok(Self { rest, ..Self::of(opener, inner) })
    }

    /// The same with the keys at hand among `options` and those that `answer` gives, which may wait.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn open_with<A>(
        options: &OpenOptions,
        mut inner: S,
        answer: impl FnMut(KeyRequest) -> A,
    ) -> Result<Self, FileError>
    where
        A: Future<Output = Result<Arc<WrappingKey>, KeyServiceError>>,
    {
        let (slots, rest) = take_slots(&mut inner).await?;
        let opener = keys::open_with(Opener::plan(options, &slots)?, answer).await?;
        Ok(Self { rest, ..Self::of(opener, inner) })
    }
}

/// The slots, and what else came with them.
async fn take_slots<S>(inner: &mut S) -> Result<(Box<[u8; SLOTS_LEN]>, Bytes), FileError>
where
    S: Stream<Item = io::Result<Bytes>> + Unpin,
{
    let mut slots = Box::new([0; SLOTS_LEN]);
    let mut filled = 0;
    loop {
        let item = poll_fn(|cx| Pin::new(&mut *inner).poll_next(cx)).await;
        let mut item = item.ok_or(FileError::NotSealed)??;
        let now = item.split_to(item.len().min(SLOTS_LEN - filled));
        slots[filled..filled + now.len()].copy_from_slice(&now);
        filled += now.len();
        if filled == SLOTS_LEN {
            return Ok((slots, item));
        }
    }
}

impl<S> Transformed<Opener, S> {
    /// The envelope of the file. `None` as [`transform`](Self::transform) says.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.transform().map(Opener::envelope)
    }

    /// The attributes, once the stream has ended.
    pub fn attributes(&self) -> Option<&Attributes> {
        self.transform().and_then(Opener::attributes)
    }
}

impl<T, S> Stream for Transformed<T, S>
where
    T: Push + Send + 'static,
    S: Stream<Item = io::Result<Bytes>>,
    io::Error: From<T::Error>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut this = self.project();
        let stage = this.stage;
        let mut step = || -> Poll<io::Result<Option<Bytes>>> {
            while *stage == Stage::Going {
                if this.work.is_away() {
                    let (piece, out) = ready!(this.work.poll(cx))?;
                    if piece.is_none() {
                        *stage = Stage::Whole;
                    }
                    if !out.is_empty() {
                        let item = Item { bytes: out, room: Arc::clone(this.room) };
                        return Poll::Ready(Ok(Some(Bytes::from_owner(item))));
                    }
                    continue;
                }
                ready!(poll_turn(cx));
                if !this.rest.is_empty() {
                    let piece = this.rest.split_to(this.rest.len().min(MAX_PIECE_LEN));
                    this.work.begin(Some(piece), take(&mut *lock(this.room)))?;
                    continue;
                }
                match ready!(this.inner.as_mut().poll_next(cx)).transpose()? {
                    Some(item) => *this.rest = item,
                    None => this.work.begin(None, take(&mut *lock(this.room)))?,
                }
            }
            Poll::Ready(Ok(None))
        };
        let stepped = step();
        if matches!(stepped, Poll::Ready(Err(_))) {
            *stage = Stage::Failed;
        }
        stepped.map(Result::transpose)
    }
}

/// Memory for the next item, if there is some.
type Room = Arc<Mutex<Buffer>>;

fn lock(room: &Room) -> MutexGuard<'_, Buffer> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was given out. Once nobody has it any more, its memory serves again: new memory takes longer than to write it.
struct Item {
    bytes: Buffer,
    room: Room,
}

impl AsRef<[u8]> for Item {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        // An item that outlives its stream is wiped.
        if Arc::strong_count(&self.room) > 1 {
            *lock(&self.room) = take(&mut self.bytes);
        }
    }
}

/// How far it is.
impl<T, S> fmt::Debug for Transformed<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transformed").field("stage", &self.stage).finish_non_exhaustive()
    }
}
