//! Copies: the same sealed body behind another head, which is bound to the new place. Nothing is sealed again.

use crate::error::{Reason, SealedError, at};
use crate::opening::{ATTEMPTS, Ends, checked, collect};
use crate::parts::{Parts, take_part};
use crate::store::{MAY_BLOCK, SealedStore, run};
use bytes::Bytes;
use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, RenameOptions, RenameTargetMode, Result,
};
use objseal::cobblestone::{ReadAt, SEALED_CHUNK_LEN};
use objseal::envelope::{OpenOptions, SealOptions};
use objseal::file::{self, BODY_OFFSET, FileError, WriteAt};
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Bytes at either end of a body that prove where it ends: header and first chunk, and the last chunk, in each of two layers.
const MORE: u64 = 4 * SEALED_CHUNK_LEN as u64;

impl<S: ObjectStore> SealedStore<S> {
    pub(crate) async fn copy_sealed(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let CopyOptions { mode, extensions } = options;
        let reading = GetOptions { extensions: extensions.clone(), ..GetOptions::default() };
        for _ in 0..ATTEMPTS {
            let Ends { meta, attributes, start, end, .. } = self.fetch_ends(from, &reading, MORE..MORE).await?;
            let (open, seal) = (self.open_options(from)?, self.seal_options(to)?);
            let size = meta.size;
            let slots = run(&self.pool, from, MAY_BLOCK, move || rebound(&open, seal, size, &start, &end)).await?;
            let slots = slots.map_err(at(from))?;
            let in_one = mode == CopyMode::Create || size <= self.part_len as u64;
            let copied = if in_one {
                let mode = if mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite };
                let options = PutOptions { mode, attributes, extensions: extensions.clone(), ..PutOptions::default() };
                self.copy_in_one(&meta, slots, to, options, &reading).await?
            } else {
                let options = PutMultipartOptions { attributes, extensions: extensions.clone(), ..Default::default() };
                self.copy_in_parts(&meta, slots, to, options, &reading).await?
            };
            if copied {
                return Ok(());
            }
        }
        Err(SealedError::new(from, Reason::Changing).into())
    }

    /// Whether it was still the object that `meta` is of.
    async fn copy_in_one(
        &self,
        meta: &ObjectMeta,
        slots: Bytes,
        to: &Path,
        options: PutOptions,
        reading: &GetOptions,
    ) -> Result<bool> {
        let body = BODY_OFFSET..meta.size;
        let Some(result) = self.fetch(&meta.location, reading, meta, &body).await? else { return Ok(false) };
        let payload = PutPayload::from_iter([slots, collect(result, &body).await?]);
        self.inner.put_opts(to, payload, options).await?;
        Ok(true)
    }

    /// The same in bounded memory.
    async fn copy_in_parts(
        &self,
        meta: &ObjectMeta,
        slots: Bytes,
        to: &Path,
        options: PutMultipartOptions,
        reading: &GetOptions,
    ) -> Result<bool> {
        let body = BODY_OFFSET..meta.size;
        let Some(result) = self.fetch(&meta.location, reading, meta, &body).await? else { return Ok(false) };
        let stream = checked(result, &body)?.into_stream();
        let mut parts = Parts::new(self.inner.put_multipart_opts(to, options).await?, self.part_len);
        let sent = async {
            send_all(&mut parts, &slots, stream, &body, &meta.location).await?;
            parts.complete().await
        };
        if let Err(error) = sent.await {
            // The first error is the one that counts.
            let _ = parts.abort().await;
            return Err(error);
        }
        Ok(true)
    }

    pub(crate) async fn rename_sealed(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let RenameOptions { target_mode, extensions } = options;
        let mode = match target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        if from == to && mode == CopyMode::Overwrite {
            // To copy it and to delete what it was copied from would leave nothing.
            let options = GetOptions { head: true, extensions, ..GetOptions::default() };
            return self.inner.get_opts(from, options).await.map(drop);
        }
        self.copy_sealed(from, to, CopyOptions { mode, extensions }).await?;
        self.inner.delete(from).await
    }
}

/// Sends the slots and what `stream` gives, which must be those bytes.
async fn send_all(
    parts: &mut Parts,
    slots: &[u8],
    mut stream: impl futures::Stream<Item = Result<Bytes>> + Unpin,
    body: &Range<u64>,
    from: &Path,
) -> Result<()> {
    let wanted = body.end - body.start;
    let length = |given| Error::from(SealedError::new(from, Reason::Length { wanted, given }));
    let mut given = 0_u64;
    let mut buffer = slots.to_vec();
    while let Some(mut piece) = stream.try_next().await? {
        given = given.saturating_add(piece.len() as u64);
        if given > wanted {
            return Err(length(given));
        }
        while !piece.is_empty() {
            let room = parts.part_len().saturating_sub(buffer.len());
            buffer.extend_from_slice(&piece.split_to(room.min(piece.len())));
            while let Some(part) = take_part(&mut buffer, parts.part_len()) {
                parts.send(part).await?;
            }
        }
    }
    if given < wanted {
        return Err(length(given));
    }
    if buffer.is_empty() { Ok(()) } else { parts.send(buffer).await }
}

/// The slots of the file of `size` bytes with these ends, once it is bound to another place.
fn rebound(open: &OpenOptions, seal: SealOptions, size: u64, start: &[u8], end: &[u8]) -> Result<Bytes, FileError> {
    let ends = FileEnds { size, start: Mutex::new(start.to_vec()), end: end.to_vec() };
    file::rewrap(open, &ends, |_| Ok::<_, FileError>(seal))?;
    let mut start = ends.start.into_inner().unwrap_or_else(PoisonError::into_inner);
    start.truncate(usize::try_from(BODY_OFFSET).unwrap_or(usize::MAX));
    Ok(start.into())
}

/// A file of which only the ends are here: all of it that a new head takes.
struct FileEnds {
    size: u64,
    start: Mutex<Vec<u8>>,
    end: Vec<u8>,
}

impl ReadAt for FileEnds {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        let end_offset = self.size.saturating_sub(self.end.len() as u64);
        let in_start = within(&start, 0, offset, buffer.len());
        let found = in_start.or_else(|| within(&self.end, end_offset, offset, buffer.len()));
        // It ends elsewhere than its size says.
        buffer.copy_from_slice(found.ok_or(objseal::Error::Authentication)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// `len` bytes at `offset`, if they are among `bytes`, which begin at `first`.
fn within(bytes: &[u8], first: u64, offset: u64, len: usize) -> Option<&[u8]> {
    let from = usize::try_from(offset.checked_sub(first)?).ok()?;
    bytes.get(from..from.checked_add(len)?)
}

impl WriteAt for FileEnds {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).ok();
        let place = from.and_then(|from| start.get_mut(from..from.checked_add(bytes.len())?));
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
