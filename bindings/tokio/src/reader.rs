//! Something to read from: what another reader gives, through a transform.

use crate::keys;
use crate::pool::Pool;
use crate::work::{Buffer, MAX_PIECE_LEN, Work, poll_turn};
use objseal::envelope::{Attributes, Envelope, KeyRequest, KeyServiceError, OpenOptions, WrappingKey};
use objseal::file::{FileError, Opener, SLOTS_LEN, SlotState};
use objseal::{FirstError, Push};
use pin_project_lite::pin_project;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use zeroize::Zeroizing;

/// The plaintext of a sealed file that is read from `R`, front to back.
pub type OpenReader<R> = Reader<Opener, R>;

pin_project! {
    /// Reads from `R` through a sealer or opener `T`.
    ///
    /// Each chunk of plaintext is given out once its tags hold. The end is given only when all was verified; a file that was cut
    /// short is an error of kind [`InvalidData`](ErrorKind::InvalidData) instead, and so is every later read. What `R` says when
    /// it fails is passed on, and reading can be tried again.
    ///
    /// It takes in as much at a time as it is asked for, from 64 KiB to 256 KiB.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # use objseal::cobblestone::Cobblestone;
    /// use objseal::{Key, cobblestone::Opener};
    /// use objseal_tokio::Reader;
    /// use tokio::io::AsyncReadExt;
    ///
    /// # let key = Key::generate()?;
    /// # let message = Cobblestone::new(&key, b"notes").seal(b"dear diary")?;
    /// let mut reader = Reader::of(Opener::owned(key, b"notes".to_vec()), &message[..]);
    /// let mut plaintext = Vec::new();
    /// reader.read_to_end(&mut plaintext).await?;
    /// assert_eq!(plaintext, b"dear diary");
    /// # Ok(())
    /// # }
    /// ```
    pub struct Reader<T, R> {
        work: Work<T, Filled>,
        #[pin]
        inner: R,
        input: Filled,
        out: Buffer,
        // Bytes of `out` that have been given out.
        taken: usize,
        ended: bool,
        failed: Option<FirstError>,
    }
}

/// Least bytes that are read at a time.
const MIN_PIECE_LEN: usize = 64 * 1024;

/// A buffer and how much of it was read.
#[derive(Default)]
struct Filled {
    buffer: Buffer,
    len: usize,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Filled {
    /// Reads until it is full, nothing more is there for now, or all was read. Says whether to go on with what is there;
    /// nothing is there at the end.
    fn poll_fill(&mut self, mut inner: Pin<&mut impl AsyncRead>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.len < self.buffer.len() {
            let room = &mut self.buffer[self.len..];
            let room_len = room.len();
            let mut room = ReadBuf::new(room);
            match inner.as_mut().poll_read(cx, &mut room) {
                Poll::Pending if self.len == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            match room.filled().len() {
                0 => break,
                // It put a buffer of its own in the place of ours.
                len if len > room_len => {
                    return Poll::Ready(Err(io::Error::other("the input read more than there was room for")));
                }
                len => self.len += len,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T, R> Reader<T, R> {
    /// Reads from `inner` through `transform`.
    pub fn of(transform: T, inner: R) -> Self {
        Self {
            work: Work::new(transform, Pool::default()),
            inner,
            input: Filled::default(),
            out: Buffer::default(),
            taken: 0,
            ended: false,
            failed: None,
        }
    }

    /// Does the work on this pool.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.work.set_pool(pool);
        self
    }

    /// What is read from.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// What was read from. Some of what it gave is lost.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The sealer or opener. `None` after a failure, and between the polls of a read that has not returned.
    pub fn transform(&self) -> Option<&T> {
        self.work.transform()
    }
}

impl<R: AsyncRead + Unpin> Reader<Opener, R> {
    /// Reads the head of a file from `inner` and opens it. Key services among `options` are asked on a thread where blocking is
    /// allowed.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn open(options: &OpenOptions, mut inner: R) -> Result<Self, FileError> {
        let slots = read_slots(&mut inner).await?;
        let plan = Opener::plan(options, &slots)?;
        let opener = keys::open(options, plan, move |options| Opener::new(options, &slots)).await?;
        Ok(Self::of(opener, inner))
    }

    /// The same with the keys at hand among `options` and those that `answer` gives, which may wait.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn open_with<A>(
        options: &OpenOptions,
        mut inner: R,
        answer: impl FnMut(KeyRequest) -> A,
    ) -> Result<Self, FileError>
    where
        A: Future<Output = Result<Arc<WrappingKey>, KeyServiceError>>,
    {
        let slots = read_slots(&mut inner).await?;
        let opener = keys::open_with(Opener::plan(options, &slots)?, answer).await?;
        Ok(Self::of(opener, inner))
    }
}

async fn read_slots(inner: &mut (impl AsyncRead + Unpin)) -> Result<Box<[u8; SLOTS_LEN]>, FileError> {
    let mut slots = Box::new([0; SLOTS_LEN]);
    inner.read_exact(&mut slots[..]).await.map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => FileError::NotSealed,
        _ => FileError::from(error),
    })?;
    Ok(slots)
}

impl<R> Reader<Opener, R> {
    /// The envelope of the file. `None` as [`transform`](Self::transform) says.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.transform().map(Opener::envelope)
    }

    /// How the two slots of the file are. `None` as [`transform`](Self::transform) says.
    pub fn slots(&self) -> Option<SlotState> {
        self.transform().map(Opener::slots)
    }

    /// The attributes, once the end has been read.
    pub fn attributes(&self) -> Option<&Attributes> {
        self.transform().and_then(Opener::attributes)
    }
}

impl<T, R> AsyncRead for Reader<T, R>
where
    T: Push + Send + 'static,
    R: AsyncRead,
    io::Error: From<T::Error>,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let rest = &this.out[*this.taken..];
            if !rest.is_empty() {
                let len = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..len]);
                *this.taken += len;
                return Poll::Ready(Ok(()));
            }
            if let Some(first) = this.failed {
                return Poll::Ready(Err(first.again()));
            }
            if this.work.is_away() {
                *this.failed = Some(FirstError::panicked());
                let polled = this.work.poll(cx);
                *this.failed = match &polled {
                    Poll::Ready(Err(error)) => Some(FirstError::of(error)),
                    _ => None,
                };
                let (input, out) = ready!(polled)?;
                *this.ended = input.is_none();
                *this.input = Filled { len: 0, ..input.unwrap_or_default() };
                (*this.out, *this.taken) = (out, 0);
                continue;
            }
            if *this.ended {
                return Poll::Ready(Ok(()));
            }
            ready!(poll_turn(cx));
            let wanted = buffer.remaining().clamp(MIN_PIECE_LEN, MAX_PIECE_LEN);
            if this.input.len == 0 && this.input.buffer.len() < wanted {
                this.input.buffer = Zeroizing::new(vec![0; wanted]);
            }
            ready!(this.input.poll_fill(this.inner.as_mut(), cx))?;
            if this.input.len > 0 {
                // Straight to where it belongs, if there is room: a copy would cost a quarter of the time.
                *this.failed = Some(FirstError::panicked());
                let updated = this.work.update_into(this.input.as_ref(), buffer);
                *this.failed = match &updated {
                    Some(Err(error)) => Some(FirstError::of(error)),
                    _ => None,
                };
                if let Some(len) = updated.transpose()? {
                    this.input.len = 0;
                    if len > 0 {
                        return Poll::Ready(Ok(()));
                    }
                    continue;
                }
            }
            let piece = (this.input.len > 0).then(|| std::mem::take(this.input));
            this.work.begin(piece, std::mem::take(this.out))?;
            *this.taken = 0;
        }
    }
}

/// How far it is.
impl<T, R> fmt::Debug for Reader<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("ended", &self.ended).field("failed", &self.failed).finish_non_exhaustive()
    }
}
