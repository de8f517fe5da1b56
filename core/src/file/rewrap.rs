//! Another head for a file that stays where it is: FORMAT.md, section 10.

use super::slots::{SLOT_LEN, Slots, encode_slot};
use super::{FileError, SealedFile};
use crate::cobblestone::ReadAt;
use crate::envelope::{Envelope, OpenOptions, SealOptions};
use std::io;

/// A store whose bytes can be replaced in place. The caller sees to it that nobody else writes meanwhile:
/// [`File::lock`](std::fs::File::lock) for files.
pub trait WriteAt: ReadAt {
    /// Replaces the bytes from `offset` on.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once everything that was written will outlive a crash.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn sync(&self) -> io::Result<()>;
}

impl<T: WriteAt + ?Sized> WriteAt for &T {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (**self).write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }
}

#[cfg(unix)]
impl WriteAt for std::fs::File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Wraps the data keys of a sealed file anew. `decide` sees the envelope that was opened and verified, and says under which
/// keys and which context. Only the head is written, so it takes the same time whatever the size. See
/// [`SealOptions::rewrap`].
///
/// Head, attributes and the end of the body are verified first. What is replaced is the very head that `decide` saw: if there
/// is another one when it is to be written, nothing is.
///
/// Whenever it is interrupted, the file opens under the old head or under the new one. Where slots were not the same
/// before, they are afterwards.
///
/// # Errors
/// [`FileError`]: the file does not open under `options`; the new head cannot be made or is too long for a slot; the
/// file cannot be written, or its head was changed meanwhile. What `decide` says.
pub fn rewrap<E: From<FileError>>(
    options: &OpenOptions,
    target: &(impl WriteAt + ?Sized),
    decide: impl FnOnce(&Envelope) -> Result<SealOptions, E>,
) -> Result<Envelope, E> {
    let stored = SealedFile::open(options, target)?;
    let old = &stored.info().envelope;
    let new = decide(old)?.rewrap(old).map_err(FileError::from)?;
    replace(old, &new, target)?;
    Ok(new)
}

fn replace(old: &Envelope, new: &Envelope, target: &(impl WriteAt + ?Sized)) -> Result<(), FileError> {
    let slot = encode_slot(new.stored())?;
    let slots = Slots::of(target)?;
    let (head, state) = slots.choose()?;
    if head != old.stored() {
        return Err(io::Error::other("its head was changed meanwhile; nothing was written").into());
    }
    let first = state.free_slot();
    for index in [first, 1 - first] {
        target.write_all_at(&slot, (index * SLOT_LEN) as u64)?;
        target.sync()?;
    }
    Ok(())
}
