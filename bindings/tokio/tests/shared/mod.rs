//! What the tests share: keys, plaintexts, and other sides that take their time.

#![allow(dead_code, reason = "each test uses some of it")]

use bytes::Bytes;
use futures_core::Stream;
use objseal::cobblestone::Threads;
use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
use objseal::file;
use objseal::{Key, file::FileError};
use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// Lengths at the borders of chunks, in one layer and in two, and of pieces.
pub(crate) const LENGTHS: [usize; 16] = [
    0, 1, 56, 16_327, 16_328, 16_329, 16_383, 16_384, 16_385, 32_768, 65_536, 65_537, 262_144, 262_145, 300_000,
    700_000,
];

pub(crate) fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1].wrapping_mul(31)).collect()
}

pub(crate) struct Keys {
    pub(crate) sealing: SealOptions,
    pub(crate) opening: OpenOptions,
}

pub(crate) fn keys(layers: u8) -> Keys {
    let [inner, outer] = [(); 2].map(|()| Arc::new(WrappingKey::from_key(Key::generate().expect("random bytes"))));
    let sealing = SealOptions::new(inner.clone());
    let opening = OpenOptions::new().with_key(inner).with_key(outer.clone());
    Keys { sealing: if layers == 2 { sealing.with_outer_key(outer) } else { sealing }, opening }
}

impl Keys {
    /// A sealed file by the blocking face.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Bytes {
        let mut stored = Vec::new();
        file::seal(&self.sealing, plaintext, &mut stored, &Threads(NonZeroUsize::MIN)).expect("sealed");
        stored.into()
    }

    /// Opens a file by the blocking face.
    pub(crate) fn open(&self, stored: &[u8]) -> Result<Vec<u8>, FileError> {
        let mut plaintext = Vec::new();
        file::open(&self.opening, stored, &mut plaintext, &Threads(NonZeroUsize::MIN))?;
        Ok(plaintext)
    }

    pub(crate) fn is_whole(&self, stored: &[u8]) -> bool {
        self.open(stored).is_ok()
    }
}

pub(crate) fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.worker_threads(2).enable_all().build().expect("a runtime"))
}

/// Polls until it is ready, every time anew: what was dropped in between must have lost nothing.
pub(crate) fn spin<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    loop {
        if let Poll::Ready(ready) = poll(&mut Context::from_waker(Waker::noop())) {
            return ready;
        }
        std::thread::yield_now();
    }
}

/// Every second time it has to wait, and it is woken at once.
#[derive(Default)]
pub(crate) struct Turns(bool);

impl Turns {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0 = !self.0;
        if self.0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// Gives at most so many bytes, every second time.
pub(crate) struct Trickle {
    pub(crate) data: Bytes,
    pub(crate) lens: Vec<usize>,
    pub(crate) turns: Turns,
    pub(crate) count: usize,
}

impl Trickle {
    pub(crate) fn new(data: Bytes, lens: &[usize]) -> Self {
        Self { data, lens: lens.to_vec(), turns: Turns::default(), count: 0 }
    }

    fn piece(&mut self, most: usize) -> Bytes {
        self.count += 1;
        let len = self.lens[self.count % self.lens.len()].max(1);
        self.data.split_to(len.min(most).min(self.data.len()))
    }
}

impl AsyncRead for Trickle {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.turns.poll(cx));
        let piece = self.piece(buffer.remaining());
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl Stream for Trickle {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        std::task::ready!(self.turns.poll(cx));
        if self.data.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.piece(usize::MAX);
        Poll::Ready(Some(Ok(piece)))
    }
}

/// Takes at most so many bytes, every second time.
#[derive(Default)]
pub(crate) struct Sluggish {
    pub(crate) taken: Vec<u8>,
    pub(crate) most: usize,
    pub(crate) turns: Turns,
    pub(crate) shut_down: bool,
}

impl Sluggish {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }
}

impl AsyncWrite for Sluggish {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.turns.poll(cx));
        let len = bytes.len().min(self.most);
        self.taken.extend_from_slice(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.turns.poll(cx).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.turns.poll(cx));
        self.shut_down = true;
        Poll::Ready(Ok(()))
    }
}
