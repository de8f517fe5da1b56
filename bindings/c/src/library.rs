//! Version, engines and constants.

use crate::memory::c_text;
use crate::status::guarded_or;
use objseal::envelope::{ChecksumAlgorithm, ChecksumType, KeyKind, ObjectId};
use objseal::{Engine, cobblestone, file, limits};
use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

/// Length of a key, in bytes.
pub const OBJSEAL_KEY_LEN: usize = 32;
/// Length of what goes before the chunks of a message, in bytes: salt and commitment.
pub const OBJSEAL_HEADER_LEN: usize = 56;
/// Length of a salt, in bytes.
pub const OBJSEAL_SALT_LEN: usize = 24;
/// Bytes of plaintext in every chunk but the last, which is shorter.
pub const OBJSEAL_CHUNK_LEN: usize = 16384;
/// Length of a tag, in bytes: so much longer is each chunk when sealed.
pub const OBJSEAL_TAG_LEN: usize = 16;
/// Where the body begins in a sealed file: behind two slots with its head.
pub const OBJSEAL_BODY_OFFSET: u64 = 8192;
/// Length of an object id, in bytes.
pub const OBJSEAL_OBJECT_ID_LEN: usize = 32;
/// Most layers of an object.
pub const OBJSEAL_MAX_LAYERS: u8 = 2;
/// Most parts of an object, and the highest part number.
pub const OBJSEAL_MAX_PARTS: u32 = 10000;
/// Length of the longest plaintext of a part, in bytes.
pub const OBJSEAL_MAX_PART_LEN: u64 = 5368709120;
/// Length of the longest head of an object, in bytes.
pub const OBJSEAL_MAX_HEAD_LEN: usize = 16384;
/// Up to which length, in bytes, a head with its part table fits into the metadata of common stores.
pub const OBJSEAL_INLINE_ENVELOPE_LEN: usize = 1400;
/// Most threads that a call works on.
pub const OBJSEAL_MAX_THREADS: u32 = 1000;
/// A digest: SHA-256, 32 bytes.
pub const OBJSEAL_SHA256: u32 = 1;
/// A digest: CRC-64/NVME, 8 bytes.
pub const OBJSEAL_CRC64NVME: u32 = 2;
/// A digest: CRC-32C, 4 bytes.
pub const OBJSEAL_CRC32C: u32 = 4;
/// A digest: CRC-32, 4 bytes.
pub const OBJSEAL_CRC32: u32 = 8;
/// A digest: SHA-1, 20 bytes.
pub const OBJSEAL_SHA1: u32 = 16;
/// A digest: MD5, 16 bytes.
pub const OBJSEAL_MD5: u32 = 32;
/// A digest: SHA-512, 64 bytes.
pub const OBJSEAL_SHA512: u32 = 64;
/// A digest: XXH64 with seed 0, 8 bytes.
pub const OBJSEAL_XXHASH64: u32 = 128;
/// A digest: XXH3 of 64 bits with seed 0, 8 bytes.
pub const OBJSEAL_XXHASH3: u32 = 256;
/// A digest: XXH3 of 128 bits with seed 0, 16 bytes.
pub const OBJSEAL_XXHASH128: u32 = 512;
/// Length of the longest digest, in bytes.
pub const OBJSEAL_MAX_DIGEST_LEN: usize = 64;
/// The checksum of an object in parts that counts (S3: ChecksumType) is that of the whole plaintext.
pub const OBJSEAL_FULL_OBJECT: u8 = 1;
/// It is that of the checksums of its parts.
pub const OBJSEAL_COMPOSITE: u8 = 2;
/// What a wrapping key is: held by its service itself, as those of keyrings and single keys.
pub const OBJSEAL_KEY_LOCAL: u8 = 1;
/// Made by a key service for this object.
pub const OBJSEAL_KEY_OBJECT: u8 = 2;
/// Made by a key service for many objects, such as a bucket key.
pub const OBJSEAL_KEY_SHARED: u8 = 3;
/// Derived from a key that a customer gives with every request.
pub const OBJSEAL_KEY_CUSTOMER: u8 = 4;

const _: () = assert!(
    OBJSEAL_KEY_LEN == objseal::Key::LEN
        && OBJSEAL_HEADER_LEN == cobblestone::HEADER_LEN
        && OBJSEAL_SALT_LEN == cobblestone::SALT_LEN
        && OBJSEAL_CHUNK_LEN == cobblestone::CHUNK_LEN
        && OBJSEAL_TAG_LEN == cobblestone::TAG_LEN
        && OBJSEAL_BODY_OFFSET == file::BODY_OFFSET
        && OBJSEAL_OBJECT_ID_LEN == ObjectId::LEN
        && OBJSEAL_MAX_LAYERS == limits::MAX_LAYERS
        && OBJSEAL_MAX_PARTS == limits::MAX_PARTS
        && OBJSEAL_MAX_PART_LEN == limits::MAX_PART_LEN
        && OBJSEAL_MAX_HEAD_LEN == limits::MAX_HEAD_LEN
        && OBJSEAL_INLINE_ENVELOPE_LEN == limits::INLINE_ENVELOPE_LEN
        && OBJSEAL_MAX_THREADS == objseal_bindings::MAX_THREADS
        && OBJSEAL_MAX_DIGEST_LEN == ChecksumAlgorithm::Sha512.len()
        && OBJSEAL_FULL_OBJECT == ChecksumType::FullObject as u8
        && OBJSEAL_COMPOSITE == ChecksumType::Composite as u8
        && OBJSEAL_KEY_LOCAL == KeyKind::Local as u8
        && OBJSEAL_KEY_OBJECT == KeyKind::Object as u8
        && OBJSEAL_KEY_SHARED == KeyKind::Shared as u8
        && OBJSEAL_KEY_CUSTOMER == KeyKind::Customer as u8
);

/// `OBJSEAL_KEY_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_key_len() -> usize {
    OBJSEAL_KEY_LEN
}

/// `OBJSEAL_HEADER_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_header_len() -> usize {
    OBJSEAL_HEADER_LEN
}

/// `OBJSEAL_SALT_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_salt_len() -> usize {
    OBJSEAL_SALT_LEN
}

/// `OBJSEAL_CHUNK_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_chunk_len() -> usize {
    OBJSEAL_CHUNK_LEN
}

/// `OBJSEAL_TAG_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_tag_len() -> usize {
    OBJSEAL_TAG_LEN
}

/// `OBJSEAL_BODY_OFFSET`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_body_offset() -> u64 {
    OBJSEAL_BODY_OFFSET
}

/// `OBJSEAL_OBJECT_ID_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_object_id_len() -> usize {
    OBJSEAL_OBJECT_ID_LEN
}

/// `OBJSEAL_MAX_LAYERS`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_max_layers() -> u8 {
    OBJSEAL_MAX_LAYERS
}

/// `OBJSEAL_MAX_PARTS`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_max_parts() -> u32 {
    OBJSEAL_MAX_PARTS
}

/// `OBJSEAL_MAX_PART_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_max_part_len() -> u64 {
    OBJSEAL_MAX_PART_LEN
}

/// `OBJSEAL_MAX_HEAD_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_max_head_len() -> usize {
    OBJSEAL_MAX_HEAD_LEN
}

/// `OBJSEAL_INLINE_ENVELOPE_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_inline_envelope_len() -> usize {
    OBJSEAL_INLINE_ENVELOPE_LEN
}

/// `OBJSEAL_MAX_THREADS`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_max_threads() -> u32 {
    OBJSEAL_MAX_THREADS
}

/// `OBJSEAL_MAX_DIGEST_LEN`, for those who cannot read macros.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_max_digest_len() -> usize {
    OBJSEAL_MAX_DIGEST_LEN
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// The version of the library, such as "0.1.0". It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_version() -> *const c_char {
    VERSION.as_ptr()
}

/// What was built in, words with spaces between them. It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_features() -> *const c_char {
    c"aws-lc checksums keyring".as_ptr()
}

/// The names of all engines, for C.
fn names() -> &'static [(Engine, CString)] {
    static NAMES: OnceLock<Vec<(Engine, CString)>> = OnceLock::new();
    NAMES.get_or_init(|| Engine::all().map(|engine| (engine, c_text(engine.name()))).collect())
}

pub(crate) fn engine_name(engine: Engine) -> *const c_char {
    names().iter().find(|(known, _)| *known == engine).map_or(c"".as_ptr(), |(_, name)| name.as_ptr())
}

/// The name of the fastest engine of this machine, which is what seals and opens unless another was asked for. It lives as
/// long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_best_engine() -> *const c_char {
    guarded_or(std::ptr::null(), || engine_name(Engine::detect()))
}

/// The name of the engine at `index`, from 0, of those that this machine can run; NULL if there are not so many. It lives as
/// long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn objseal_engine(index: usize) -> *const c_char {
    guarded_or(std::ptr::null(), || {
        let mut available = names().iter().filter(|(engine, _)| engine.is_available());
        available.nth(index).map_or(std::ptr::null(), |(_, name)| name.as_ptr())
    })
}
