//! Sizes and offsets of a message. Pure arithmetic, checked, on public numbers.

use crate::limits::{MAX_PLAINTEXT_LEN, MAX_SEALED_LEN};
use core::ops::Range;

/// Length of the salt at the start of a message, in bytes.
pub const SALT_LEN: usize = 24;
/// Length of the key commitment after the salt, in bytes.
pub(super) const COMMITMENT_LEN: usize = 32;
/// Length of salt and commitment together: where chunk 0 begins.
pub const HEADER_LEN: usize = SALT_LEN + COMMITMENT_LEN;
/// Plaintext bytes in every chunk but the last.
pub const CHUNK_LEN: usize = 16 * 1024;
/// Length of the tag at the end of every chunk, in bytes.
pub const TAG_LEN: usize = 16;
/// Stored bytes of every chunk but the last.
pub const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;

const HEADER: u64 = HEADER_LEN as u64;
const CHUNK: u64 = CHUNK_LEN as u64;
const TAG: u64 = TAG_LEN as u64;
const SEALED_CHUNK: u64 = SEALED_CHUNK_LEN as u64;

/// Length of the message that `plaintext_len` bytes seal to; the inverse of [`plaintext_len`].
///
/// `None` above [`MAX_PLAINTEXT_LEN`].
///
/// ```
/// assert_eq!(objseal::cobblestone::sealed_len(0), Some(72));
/// assert_eq!(objseal::cobblestone::sealed_len(16_384), Some(16_472));
/// ```
#[must_use]
pub const fn sealed_len(plaintext_len: u64) -> Option<u64> {
    if plaintext_len > MAX_PLAINTEXT_LEN {
        return None;
    }
    let chunks = plaintext_len / CHUNK + 1;
    Some(HEADER + plaintext_len + chunks * TAG)
}

/// Length of the plaintext in a message of `sealed_len` bytes; the inverse of [`sealed_len`].
///
/// `None` if no message has that length. The length of a stored message is not authentic until its last chunk has
/// been opened.
#[must_use]
pub const fn plaintext_len(sealed_len: u64) -> Option<u64> {
    if sealed_len < HEADER || sealed_len > MAX_SEALED_LEN {
        return None;
    }
    let whole_chunks = (sealed_len - HEADER) / SEALED_CHUNK;
    let last_chunk = (sealed_len - HEADER) % SEALED_CHUNK;
    if last_chunk < TAG {
        return None;
    }
    Some(whole_chunks * CHUNK + last_chunk - TAG)
}

/// Length of the longest plaintext whose message fits into `stored_limit` bytes, such as the largest object of a store.
///
/// `None` if not even an empty one fits.
///
/// ```
/// // 5 GiB, the largest S3 object that one request can write
/// assert_eq!(objseal::cobblestone::largest_plaintext_len(5 << 30), Some(5_363_471_288));
/// ```
#[must_use]
pub const fn largest_plaintext_len(stored_limit: u64) -> Option<u64> {
    let stored = if stored_limit > MAX_SEALED_LEN { MAX_SEALED_LEN } else { stored_limit };
    if stored < HEADER + TAG {
        return None;
    }
    let whole_chunks = (stored - HEADER) / SEALED_CHUNK;
    let rest = (stored - HEADER) % SEALED_CHUNK;
    if rest < TAG {
        // No room for another tag: the last of the whole chunks gives up a byte and becomes the short one.
        Some(whole_chunks * CHUNK - 1)
    } else {
        Some(whole_chunks * CHUNK + rest - TAG)
    }
}

/// Where in a message of `sealed_len` bytes the chunks are that hold bytes `range` of its plaintext.
///
/// They begin with chunk `range.start / CHUNK_LEN`: fetch them, open them with
/// [`ChunkOpener`](super::ChunkOpener) and skip `range.start % CHUNK_LEN` bytes. An empty range gives an empty range.
///
/// `None` if no message has that length or `range` is not within its plaintext.
#[must_use]
pub const fn sealed_range(range: Range<u64>, sealed_len: u64) -> Option<Range<u64>> {
    let Some(plaintext_len) = plaintext_len(sealed_len) else {
        return None;
    };
    if range.start > range.end || range.end > plaintext_len {
        return None;
    }
    let start = HEADER + range.start / CHUNK * SEALED_CHUNK;
    if range.start == range.end {
        return Some(start..start);
    }
    let end = HEADER + range.end.div_ceil(CHUNK) * SEALED_CHUNK;
    Some(start..if end > sealed_len { sealed_len } else { end })
}
