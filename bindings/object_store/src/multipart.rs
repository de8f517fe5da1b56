//! Uploads in parts: sealed one after the other by a task of their own, in the order of the calls.

use crate::error::{Reason, SealedError, at};
use crate::parts::{Parts, take_part};
use crate::store::{SealedStore, run};
use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{Either, select};
use object_store::path::Path;
use object_store::{
    Error, MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart,
};
use objseal::Push;
use objseal::envelope::SealOptions;
use objseal::file::{FileError, Sealer, sealed_len};
use objseal_tokio::Pool;
use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Bytes that are sealed at a time.
const PIECE_LEN: usize = 256 * 1024;

impl<S: ObjectStore> SealedStore<S> {
    pub(crate) async fn upload(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let runtime = Handle::try_current().map_err(|_| SealedError::new(location, Reason::NoRuntime))?;
        let options = self.seal_options(location)?;
        let sealer = Sealer::new(&options).map_err(at(location))?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        let (orders, queue) = mpsc::unbounded_channel();
        let (abort, aborted) = oneshot::channel();
        let work = Work {
            location: location.clone(),
            pool: self.pool.clone(),
            options,
            parts: Parts::new(inner, self.part_len),
            sealing: Some(Sealing { sealer, buffer: Vec::new() }),
            begun: false,
        };
        runtime.spawn(work.run(queue, aborted));
        Ok(Box::new(SealedUpload { location: location.clone(), orders, abort: Some(abort) }))
    }
}

/// An upload, as its caller has it. Dropped, it ends the task.
struct SealedUpload {
    location: Path,
    orders: mpsc::UnboundedSender<Order>,
    abort: Option<oneshot::Sender<Reply<()>>>,
}

type Reply<T> = oneshot::Sender<Result<T>>;

enum Order {
    Part(PutPayload, Reply<()>),
    Complete(Reply<PutResult>),
}

#[async_trait]
impl MultipartUpload for SealedUpload {
    /// The place of the part is that of the call, however its future is polled.
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (reply, answer) = oneshot::channel();
        let ended = ended(&self.location);
        // If the task has ended, so has the other end of `reply`.
        let _ = self.orders.send(Order::Part(data, reply));
        async move { answer.await.unwrap_or(Err(ended)) }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Complete(reply));
        answer.await.unwrap_or_else(|_| Err(ended(&self.location)))
    }

    async fn abort(&mut self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let abort = self.abort.take().ok_or_else(|| ended(&self.location))?;
        let _ = abort.send(reply);
        answer.await.unwrap_or_else(|_| Err(ended(&self.location)))
    }
}

fn ended(location: &Path) -> Error {
    SealedError::new(location, Reason::UploadEnded).into()
}

impl fmt::Debug for SealedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedUpload").field("location", &self.location).finish_non_exhaustive()
    }
}

/// The task. What was handed over stays in its queue until it is sealed, and of what is sealed only some parts wait to be sent.
struct Work {
    location: Path,
    pool: Pool,
    options: SealOptions,
    parts: Parts,
    /// None after a failure, and after the end.
    sealing: Option<Sealing>,
    begun: bool,
}

impl Work {
    async fn run(mut self, queue: mpsc::UnboundedReceiver<Order>, aborted: oneshot::Receiver<Reply<()>>) {
        let aborted = {
            let served = pin!(self.serve(queue));
            match select(aborted, served).await {
                Either::Left((aborted, _)) => aborted,
                Either::Right(((), aborted)) => aborted.await,
            }
        };
        // Otherwise its caller has dropped the upload.
        if let Ok(reply) = aborted {
            let _ = reply.send(self.parts.abort().await);
        }
    }

    async fn serve(&mut self, mut queue: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = queue.recv().await {
            match order {
                Order::Part(data, reply) => {
                    let _ = reply.send(self.take_in(data).await);
                }
                Order::Complete(reply) => {
                    let _ = reply.send(self.complete().await);
                }
            }
        }
    }

    async fn take_in(&mut self, data: PutPayload) -> Result<()> {
        let mut sealing = self.sealing.take().ok_or_else(|| ended(&self.location))?;
        let mut left = data.content_length();
        if !self.begun {
            self.begun = true;
            let sealed = sealed_len(&self.options, left as u64).and_then(|len| usize::try_from(len).ok());
            self.parts.lengthen(sealed.unwrap_or(0));
        }
        let part_len = self.parts.part_len();
        let mut pieces: VecDeque<Bytes> = data.into_iter().collect();
        loop {
            let sealed = run(&self.pool, &self.location, left.min(part_len), move || {
                let full = sealing.fill(&mut pieces, part_len);
                (sealing, pieces, full)
            });
            let full;
            (sealing, pieces, full) = sealed.await?;
            match full.map_err(at(&self.location))? {
                Some(part) => self.parts.send(part).await?,
                None => break,
            }
            left = pieces.iter().map(Bytes::len).sum();
        }
        self.sealing = Some(sealing);
        Ok(())
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Sealing { mut sealer, mut buffer } = self.sealing.take().ok_or_else(|| ended(&self.location))?;
        sealer.finish_vec(&mut buffer).map_err(at(&self.location))?;
        while let Some(part) = take_part(&mut buffer, self.parts.part_len()) {
            self.parts.send(part).await?;
        }
        if !buffer.is_empty() {
            self.parts.send(buffer).await?;
        }
        self.parts.complete().await
    }
}

/// The sealed file, as far as it is not sent.
struct Sealing {
    sealer: Sealer,
    buffer: Vec<u8>,
}

impl Sealing {
    /// Seals until there is a part, or nothing left to seal.
    fn fill(&mut self, pieces: &mut VecDeque<Bytes>, part_len: usize) -> Result<Option<Vec<u8>>, FileError> {
        while self.buffer.len() < part_len {
            let Some(piece) = pieces.front_mut() else { return Ok(None) };
            let now = piece.split_to(piece.len().min(PIECE_LEN));
            self.sealer.update_vec(&now, &mut self.buffer)?;
            if piece.is_empty() {
                pieces.pop_front();
            }
        }
        Ok(take_part(&mut self.buffer, part_len))
    }
}
