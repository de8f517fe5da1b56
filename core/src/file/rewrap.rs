//! Another head for a file that stays where it is: FORMAT.md, section 10.

use super::FileError;
use super::slots::{SLOT_LEN, SLOTS_LEN, Slots, encode_slot};
use crate::cobblestone::ReadAt;
use crate::envelope::{OpenEnvelope, Opening, Sealing};
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

/// Wraps the data key of a sealed file for the recipients and the context of `sealing`. Only the head is written, so it
/// takes the same time whatever the size. See [`Sealing::rewrap`].
///
/// Whenever it is interrupted, the file opens under the old head or under the new one. Where slots were not the same
/// before, they are afterwards.
///
/// # Errors
/// [`FileError`]: the file does not open under `opening`; the new head cannot be made or is too long for a slot; the
/// file cannot be written.
pub fn rewrap(
    opening: &Opening<'_>,
    sealing: &Sealing<'_>,
    target: &(impl WriteAt + ?Sized),
) -> Result<OpenEnvelope, FileError> {
    if target.size()? < SLOTS_LEN as u64 {
        return Err(FileError::NotSealed);
    }
    let mut slots = [0; SLOTS_LEN];
    target.read_exact_at(&mut slots, 0)?;
    let slots = Slots::decode(&slots);
    let (head, state) = slots.choose()?;
    let new = sealing.rewrap(&opening.open(head)?)?;
    let slot = encode_slot(new.stored())?;
    let first = state.free_slot();
    for index in [first, 1 - first] {
        target.write_all_at(&slot, (index * SLOT_LEN) as u64)?;
        target.sync()?;
    }
    Ok(new)
}
