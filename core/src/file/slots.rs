//! The two places of the head at the start of a file, so that at every moment one is whole.

use super::FileError;
use crate::cobblestone::ReadAt;
use crate::envelope::{FormatError, Head};
use crate::limits::MAX_FILE_HEAD_LEN;
use sha2::{Digest, Sha512};
use std::io::{self, Read};
use std::vec::Vec;

const MAGIC: &[u8; 8] = b"objslot1";
const LENGTH_LEN: usize = 4;
const CHECKSUM_LEN: usize = 32;
/// Length of a slot, in bytes.
pub(super) const SLOT_LEN: usize = 4096;
/// Length of both slots, with which a file begins, in bytes.
pub const SLOTS_LEN: usize = 2 * SLOT_LEN;

const _: () = assert!(MAGIC.len() + LENGTH_LEN + MAX_FILE_HEAD_LEN + CHECKSUM_LEN == SLOT_LEN);

/// How the two slots of a file are. In any state but the first, [`rewrap`](super::rewrap) makes them the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotState {
    /// Both hold the same head.
    Same,
    /// One is damaged; the other served.
    Damaged {
        /// Which one is damaged: 0 or 1.
        slot: usize,
    },
    /// One holds an older head: a rewrite did not come to its end.
    Older {
        /// Which one is older: 0 or 1.
        slot: usize,
    },
}

impl SlotState {
    /// The slot that may be written first: not the one that serves.
    pub(super) fn free_slot(self) -> usize {
        match self {
            Self::Same => 1,
            Self::Damaged { slot } | Self::Older { slot } => slot,
        }
    }
}

/// The heads at the start of a file: for each slot the stored head, if the slot is intact.
pub(super) struct Slots([Option<Vec<u8>>; 2]);

impl Slots {
    /// Reads the slots from the start of a stream.
    pub(super) fn read(input: &mut impl Read) -> Result<Self, FileError> {
        let mut bytes = [0; SLOTS_LEN];
        input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => FileError::NotSealed,
            _ => FileError::from(error),
        })?;
        Ok(Self::decode(&bytes))
    }

    /// Reads the slots of a store, which is at least as long.
    pub(super) fn of(source: &(impl ReadAt + ?Sized)) -> io::Result<Self> {
        let mut bytes = [0; SLOTS_LEN];
        source.read_exact_at(&mut bytes, 0)?;
        Ok(Self::decode(&bytes))
    }

    pub(super) fn decode(bytes: &[u8; SLOTS_LEN]) -> Self {
        let (a, b) = bytes.split_at(SLOT_LEN);
        Self([decode_slot(a), decode_slot(b)])
    }

    /// Both slots with the same head, as in a new file.
    pub(super) fn encode(head: &[u8]) -> Result<Vec<u8>, FormatError> {
        Ok(encode_slot(head)?.repeat(2))
    }

    /// The head that counts. An intact slot that does not parse is not passed over: who could write the one could write
    /// the other.
    pub(super) fn choose(&self) -> Result<(&[u8], SlotState), FileError> {
        match &self.0 {
            [Some(a), Some(b)] if a == b => Ok((a, SlotState::Same)),
            [Some(a), Some(b)] => match generation(a)?.cmp(&generation(b)?) {
                core::cmp::Ordering::Greater => Ok((a, SlotState::Older { slot: 1 })),
                core::cmp::Ordering::Less => Ok((b, SlotState::Older { slot: 0 })),
                core::cmp::Ordering::Equal => Err(FormatError::Malformed.into()),
            },
            [Some(a), None] => Ok((a, SlotState::Damaged { slot: 1 })),
            [None, Some(b)] => Ok((b, SlotState::Damaged { slot: 0 })),
            [None, None] => Err(FileError::NotSealed),
        }
    }
}

fn generation(head: &[u8]) -> Result<u64, FormatError> {
    Ok(Head::parse(head)?.unverified().generation)
}

/// A slot as it is stored.
pub(super) fn encode_slot(head: &[u8]) -> Result<[u8; SLOT_LEN], FormatError> {
    let len = u32::try_from(head.len()).ok().filter(|_| head.len() <= MAX_FILE_HEAD_LEN);
    let len = len.ok_or(FormatError::TooLong)?;
    let mut slot = [0; SLOT_LEN];
    let (content, checksum_out) = slot.split_at_mut(SLOT_LEN - CHECKSUM_LEN);
    content[..MAGIC.len()].copy_from_slice(MAGIC);
    content[MAGIC.len()..][..LENGTH_LEN].copy_from_slice(&len.to_be_bytes());
    content[MAGIC.len() + LENGTH_LEN..][..head.len()].copy_from_slice(head);
    checksum_out.copy_from_slice(&checksum(content));
    Ok(slot)
}

/// The head in a slot, if the slot is intact.
fn decode_slot(slot: &[u8]) -> Option<Vec<u8>> {
    let (content, stored) = slot.split_at_checked(SLOT_LEN - CHECKSUM_LEN)?;
    let (magic, rest) = content.split_first_chunk::<{ MAGIC.len() }>()?;
    let (len, rest) = rest.split_first_chunk::<LENGTH_LEN>()?;
    let (head, padding) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let intact = magic == MAGIC && checksum(content) == *stored && padding.iter().all(|&byte| byte == 0);
    intact.then(|| head.to_vec())
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_LEN] {
    let full = Sha512::digest(content);
    let mut cut = [0; CHECKSUM_LEN];
    cut.copy_from_slice(&full[..CHECKSUM_LEN]);
    cut
}

/// Makes the checksums of both slots right, whatever they hold.
#[cfg(objseal_hazmat)]
pub(crate) fn fix_slot_checksums(file: &mut [u8]) {
    for slot in file.chunks_exact_mut(SLOT_LEN).take(2) {
        let (content, checksum_out) = slot.split_at_mut(SLOT_LEN - CHECKSUM_LEN);
        checksum_out.copy_from_slice(&checksum(content));
    }
}
