//! Parts on their way to the inner store.

use crate::error::generic;
use object_store::{MultipartUpload, PutResult, Result};
use tokio::task::{JoinError, JoinSet};

/// Parts of the shortest length that are on their way at the same time; of longer ones fewer, for the same number of bytes.
const IN_FLIGHT: usize = 4;

/// An upload to the inner store, in parts of one length but the last. Dropped before it is complete, there is no object.
pub(crate) struct Parts {
    upload: Box<dyn MultipartUpload>,
    sending: JoinSet<Result<()>>,
    part_len: usize,
    in_flight: usize,
}

impl Parts {
    /// In parts of at least `shortest` bytes.
    pub(crate) fn new(upload: Box<dyn MultipartUpload>, shortest: usize) -> Self {
        Self { upload, sending: JoinSet::new(), part_len: shortest, in_flight: IN_FLIGHT }
    }

    /// In parts of `len` bytes, if that is more. Before the first of them.
    pub(crate) fn lengthen(&mut self, len: usize) {
        let bytes = self.part_len.saturating_mul(IN_FLIGHT);
        self.part_len = self.part_len.max(len);
        self.in_flight = (bytes / self.part_len).max(1);
    }

    pub(crate) fn part_len(&self) -> usize {
        self.part_len
    }

    /// Sends the next part, once there is room for it.
    pub(crate) async fn send(&mut self, part: Vec<u8>) -> Result<()> {
        while self.sending.len() >= self.in_flight {
            sent(self.sending.join_next().await)?;
        }
        self.sending.spawn(self.upload.put_part(part.into()));
        Ok(())
    }

    /// That all have arrived, and that they are an object.
    pub(crate) async fn complete(&mut self) -> Result<PutResult> {
        while !self.sending.is_empty() {
            sent(self.sending.join_next().await)?;
        }
        self.upload.complete().await
    }

    pub(crate) async fn abort(&mut self) -> Result<()> {
        self.sending.shutdown().await;
        self.upload.abort().await
    }
}

fn sent(part: Option<Result<Result<()>, JoinError>>) -> Result<()> {
    part.map_or(Ok(()), |joined| joined.map_err(generic)?)
}

/// Cuts the first `part_len` bytes off `buffer`, if there are as many.
pub(crate) fn take_part(buffer: &mut Vec<u8>, part_len: usize) -> Option<Vec<u8>> {
    if buffer.len() < part_len {
        return None;
    }
    let mut rest = Vec::with_capacity(buffer.capacity().max(part_len));
    rest.extend_from_slice(&buffer[part_len..]);
    buffer.truncate(part_len);
    Some(std::mem::replace(buffer, rest))
}
