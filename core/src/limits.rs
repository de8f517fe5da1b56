//! Every bound, with its source.

use crate::cobblestone::{CHUNK_LEN, HEADER_LEN, TAG_LEN};

/// Most bytes that one AES-256-GCM invocation may encrypt: 2^39 - 256 bits (SP 800-38D, section 5.2.1.1).
pub const GCM_MAX_DATA_LEN: u64 = (1 << 36) - 32;

/// Most bytes of additional data of one AES-256-GCM invocation: 2^64 - 1 bits (SP 800-38D, section 5.2.1.1).
pub const GCM_MAX_AAD_LEN: u64 = (1 << 61) - 1;

/// Most chunks of one message (C2SP chunked-encryption: Cobblestone-256).
pub const MAX_CHUNKS: u64 = 1 << 38;

/// Longest plaintext of one message, in bytes: 2^52 - 1, because the last chunk is always shorter than the others.
pub const MAX_PLAINTEXT_LEN: u64 = MAX_CHUNKS * CHUNK_LEN as u64 - 1;

/// Length of the longest sealed message, in bytes.
pub const MAX_SEALED_LEN: u64 = HEADER_LEN as u64 + MAX_PLAINTEXT_LEN + MAX_CHUNKS * TAG_LEN as u64;
