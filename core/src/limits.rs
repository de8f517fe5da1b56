//! Every bound, with its source.

use crate::cobblestone::{CHUNK_LEN, HEADER_LEN, TAG_LEN};

/// Most bytes that one AES-256-GCM invocation may encrypt: 2^39 - 256 bits (SP 800-38D, section 5.2.1.1).
pub(crate) const GCM_MAX_DATA_LEN: u64 = (1 << 36) - 32;

/// Most bytes of additional data of one AES-256-GCM invocation: 2^64 - 1 bits (SP 800-38D, section 5.2.1.1).
pub(crate) const GCM_MAX_AAD_LEN: u64 = (1 << 61) - 1;

/// Most chunks of one message (C2SP chunked-encryption: Cobblestone-256).
pub const MAX_CHUNKS: u64 = 1 << 38;

/// Longest plaintext of one message, in bytes: 2^52 - 1, because the last chunk is always shorter than the others.
pub const MAX_PLAINTEXT_LEN: u64 = MAX_CHUNKS * CHUNK_LEN as u64 - 1;

/// Length of the longest sealed message, in bytes.
pub const MAX_SEALED_LEN: u64 = HEADER_LEN as u64 + MAX_PLAINTEXT_LEN + MAX_CHUNKS * TAG_LEN as u64;

/// Longest head of a sealed object, in bytes ([FORMAT.md](crate::envelope::format), section 2).
pub const MAX_HEAD_LEN: usize = 16_384;

/// Longest head in a sealed file, in bytes: a slot's room ([FORMAT.md](crate::envelope::format), section 10).
pub const MAX_FILE_HEAD_LEN: usize = 4_052;

/// Most layers of an object ([FORMAT.md](crate::envelope::format), section 2).
pub const MAX_LAYERS: u8 = 2;

/// Most wrapped keys of a layer ([FORMAT.md](crate::envelope::format), section 5).
pub const MAX_WRAPPED_KEYS: usize = 8;

/// Longest blob of a wrapping key, in bytes: the longest that AWS KMS gives (its API reference: Encrypt, CiphertextBlob).
pub const MAX_BLOB_LEN: usize = 6_144;

/// What a head keeps for what comes late, in bytes: attributes and parts
/// ([FORMAT.md](crate::envelope::format), section 6).
pub const LATE_FIELDS_LEN: usize = 2_304;

/// Longest name of a key service and longest key id, in bytes: the longest key id of AWS KMS (its API reference:
/// Encrypt, KeyId).
pub const MAX_KEY_ID_LEN: usize = 2_048;

/// Most pairs of an encryption context ([FORMAT.md](crate::envelope::format), section 2).
pub const MAX_CONTEXT_PAIRS: usize = 64;

/// Longest encryption context, in bytes as encoded ([FORMAT.md](crate::envelope::format), section 2).
pub const MAX_CONTEXT_LEN: usize = 8_192;

/// Longest ETag, in bytes ([FORMAT.md](crate::envelope::format), section 2).
pub const MAX_ETAG_LEN: usize = 1_024;

/// Most parts of an object (S3 User Guide: Amazon S3 multipart upload limits).
pub const MAX_PARTS: u32 = 10_000;

/// Longest part, in bytes of plaintext: 5 GiB (S3 User Guide: Amazon S3 multipart upload limits).
pub const MAX_PART_LEN: u64 = 5 << 30;

/// Longest envelope whose part table is kept in it unless the caller says otherwise, in bytes. S3's user metadata is
/// 2 KB, and takes four characters for three bytes (S3 User Guide: Working with object metadata).
pub const INLINE_ENVELOPE_LEN: usize = 1_400;

/// Longest attributes record before it is sealed, in bytes ([FORMAT.md](crate::envelope::format), section 7).
pub const MAX_ATTRIBUTES_LEN: usize = 16_000;
