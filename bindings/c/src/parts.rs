//! Objects in parts.

use crate::envelope::Envelope;
use crate::info::{self, Info};
use crate::library::{OBJSEAL_COMPOSITE, OBJSEAL_FULL_OBJECT, OBJSEAL_MAX_DIGEST_LEN, OBJSEAL_SALT_LEN};
use crate::memory::{Handle, free, input, optional_text, output, put, store, store_handle, text, value};
use crate::options::{self, OpenOptions, Pair, SealOptions, opening};
use crate::reader::{self, ReadAtFn, Reader, Stored, answered};
use crate::status::{Failure, Status, on, on_mut};
use objseal::checksums;
use objseal::cobblestone::ReadAt;
use objseal::envelope::{
    self, Attributes, ChecksumAlgorithm, ChecksumType, Head, PartSealer, PartStore, PartTable as Table, PartsReader,
};
use std::ffi::{c_char, c_void};
use std::io;
use std::sync::Arc;

/// An object that is sealed in parts, in any order, by many threads and processes at the same time. It opens nothing.
///
/// What seals parts needs the keys of the object as well as the server's; receipts and completion take the server's
/// only.
pub struct Upload(());

pub(crate) struct UploadValue {
    pub(crate) core: Arc<envelope::Upload>,
    /// There once the object's own keys were.
    sealer: Option<PartSealer>,
}

impl Handle for Upload {
    type Value = UploadValue;
}

impl UploadValue {
    pub(crate) fn part_sealer(&self) -> Result<&PartSealer, Failure> {
        let locked = || {
            let text = "the upload was resumed without the object's own keys: objseal_upload_unlock takes them";
            Failure::new(Status::KeyNotFound, text)
        };
        self.sealer.as_ref().ok_or_else(locked)
    }
}

/// Begins an object in parts, of which parts can be sealed at once. Its state is kept under the upload key of
/// `options`, and bound to `place`: whatever names the upload, such as bucket, key and upload id. Nothing of that is
/// stored, and who resumes the upload gives the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_new(
    options: *const SealOptions,
    place: *const Pair,
    place_count: usize,
    upload: *mut *mut Upload,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            store_handle(upload, || {
                let none = || Failure::new(Status::Argument, "no upload key was set");
                let upload_key = options.upload_key.as_ref().ok_or_else(none)?;
                let (core, sealer) = options.core.start_upload(upload_key, &options::place(place, place_count)?)?;
                Ok(UploadValue { core: Arc::new(core), sealer: Some(sealer) })
            })
        })
    }
}

/// Goes on with an upload, in whatever process. `options` have the server's key; of what they demand, only which keys
/// are accepted for every layer counts here. `place` is what the upload was begun with. Parts are sealed after
/// `objseal_upload_unlock`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_resume(
    options: *const OpenOptions,
    place: *const Pair,
    place_count: usize,
    state: *const u8,
    state_len: usize,
    upload: *mut *mut Upload,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        opening(options, |options| {
            store_handle(upload, || {
                let (place, state) = (options::place(place, place_count)?, input(state, state_len)?);
                Ok(UploadValue { core: Arc::new(options.resume_upload(state, &place)?), sealer: None })
            })
        })
    }
}

/// Lets parts of a resumed upload be sealed. `options` have the object's own keys, and what they demand is demanded of
/// the object that it will be. Whoever has this handle can seal parts then, so a server makes one for each request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_unlock(upload: *mut Upload, options: *const OpenOptions) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(upload, |upload| {
            let options = value(options)?;
            let unlocked = upload.core.unlock(&options.core).map_err(|error| options.explained(error));
            upload.sealer = Some(unlocked?);
            Ok(())
        })
    }
}

/// Copies the state, as it is to be stored, to `out`. It is sealed. Delete it when the upload has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_state(
    upload: *const Upload,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(upload, |upload| Ok(put(upload.core.stored(), out, out_capacity, out_len)?)) }
}

/// What a stored receipt says, which must be one of this upload: number, length, digests and ETag of a part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_receipt_info(
    upload: *const Upload,
    receipt: *const u8,
    receipt_len: usize,
    info: *mut *mut Info,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(upload, |upload| {
            store_handle(info, || {
                let receipt = input(receipt, receipt_len)?;
                Ok(info::Value::of_receipt(&upload.core.open_receipt(receipt)?))
            })
        })
    }
}

/// A part as the client names it.
#[repr(C)]
pub struct NamedPart {
    /// Its number, from 1 to 10,000.
    pub number: u32,
    /// Its ETag.
    pub etag: *const c_char,
}

/// Some bytes.
#[repr(C)]
pub struct Bytes {
    /// The first of them.
    pub start: *const u8,
    /// How many they are.
    pub len: usize,
}

/// A completed upload: what is to be stored of it. It holds no keys; the head opens under those of the object.
pub struct Completed(());

pub(crate) struct CompletedValue {
    core: envelope::Completed,
    attributes: Attributes,
}

impl Handle for Completed {
    type Value = CompletedValue;
}

/// Makes the head of the object that `parts`, in rising order of their numbers, are. `receipts` are those that were
/// stored; of several for the same part and ETag the last one counts, so give them in the order of storing.
///
/// `etag` is the object's; NULL is what S3 would make of those of the parts. `checksum_type` says which of its
/// checksums counts: `OBJSEAL_FULL_OBJECT`, `OBJSEAL_COMPOSITE`, or 0 for nothing. `part_digest` is the digest that the
/// part table has of each part, such as `OBJSEAL_CRC32C`, or 0; all parts must have it. The part table is in the head
/// if that is at most `inline_len` bytes long with it (`OBJSEAL_INLINE_ENVELOPE_LEN`). `chosen` has room for
/// `part_count` indices, and gets for each part the one of its receipt: bodies of other receipts can be deleted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_complete(
    upload: *const Upload,
    parts: *const NamedPart,
    part_count: usize,
    receipts: *const Bytes,
    receipt_count: usize,
    etag: *const c_char,
    checksum_type: u8,
    part_digest: u32,
    inline_len: usize,
    chosen: *mut usize,
    completed: *mut *mut Completed,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(upload, |UploadValue { core: upload, .. }| {
            store_handle(completed, || {
                let (named, stored) = (input(parts, part_count)?, input(receipts, receipt_count)?);
                let chosen = output(chosen, part_count)?;
                let named = named.iter().map(|part| Ok((part.number, text(part.etag)?)));
                let named = named.collect::<Result<Vec<_>, Failure>>()?;
                let stored = stored.iter().map(|bytes| input(bytes.start, bytes.len));
                let stored = stored.collect::<Result<Vec<_>, _>>()?;
                let mut selection = upload.select(&named, &stored)?;
                if part_digest != 0 {
                    let algorithm = options::digest(part_digest).ok_or_else(options::no_such_digest)?;
                    if selection.parts.iter().any(|part| part.attributes.digests.get(algorithm).is_none()) {
                        return Err(Failure::new(Status::Parts, "not every part has this digest"));
                    }
                    selection.checksum = Some(algorithm);
                }
                let mut attributes = checksums::of_parts(&selection.attributes());
                attributes.etag = optional_text(etag)?.map(str::to_owned).or(attributes.etag);
                attributes.checksum_type = match checksum_type {
                    0 => None,
                    OBJSEAL_FULL_OBJECT => Some(ChecksumType::FullObject),
                    OBJSEAL_COMPOSITE => Some(ChecksumType::Composite),
                    _ => return Err(Failure::new(Status::Argument, "no such type of checksum")),
                };
                let core = upload.complete(&selection, &attributes, inline_len)?;
                chosen.copy_from_slice(&selection.receipts);
                Ok(CompletedValue { core, attributes })
            })
        })
    }
}

/// Copies the head of the object to `out`: at most 16,384 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_completed_head(
    completed: *const Completed,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(completed, |completed| Ok(put(&completed.core.head, out, out_capacity, out_len)?)) }
}

/// Copies the part table, which is to be stored beside the head, to `out`. 0 bytes if the table is in the head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_completed_table(
    completed: *const Completed,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(completed, |completed| {
            Ok(put(completed.core.table.as_deref().unwrap_or_default(), out, out_capacity, out_len)?)
        })
    }
}

/// What is known of the object: its length, ETag, digests and object id, say, to answer the client with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_completed_info(completed: *const Completed, info: *mut *mut Info) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(completed, |completed| {
            store_handle(info, || {
                let head = Head::parse(&completed.core.head)?;
                Ok(info::Value::of_head(head.unverified()).with_attributes(Some(&completed.attributes)))
            })
        })
    }
}

/// Frees a completed upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_completed_free(completed: *mut Completed) {
    // SAFETY: the contract of the header.
    unsafe { free(completed) };
}

/// Frees an upload. Its state, where it is stored, stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_free(upload: *mut Upload) {
    // SAFETY: the contract of the header.
    unsafe { free(upload) };
}

/// A part of an object.
#[repr(C)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Where it lies in the plaintext of the object.
    pub start: u64,
    /// Length of its plaintext, in bytes.
    pub len: u64,
    /// Length of its stored body, in bytes.
    pub stored_len: u64,
    /// The first bytes of its stored body, which tell one attempt at a part from another.
    pub salt: [u8; OBJSEAL_SALT_LEN],
    /// Which digest of it the table has, such as `OBJSEAL_CRC32C`; 0 for none.
    pub digest_kind: u32,
    /// Length of that digest, in bytes.
    pub digest_len: u32,
    /// The digest, and zeros behind it.
    pub digest: [u8; OBJSEAL_MAX_DIGEST_LEN],
}

impl Part {
    fn of(part: &envelope::Part, algorithm: Option<ChecksumAlgorithm>) -> Self {
        let mut digest = [0; OBJSEAL_MAX_DIGEST_LEN];
        digest.iter_mut().zip(&part.checksum).for_each(|(to, &byte)| *to = byte);
        Self {
            number: part.number,
            start: part.plaintext.start,
            len: part.len(),
            stored_len: part.stored_len(),
            salt: part.salts.last().copied().unwrap_or_default(),
            digest_kind: options::digest_bit(algorithm),
            digest_len: u32::try_from(part.checksum.len()).unwrap_or(0),
            digest,
        }
    }
}

/// What to fetch of a part.
#[repr(C)]
pub struct PartRange {
    /// The part.
    pub part: Part,
    /// The first byte of its plaintext that is in the range.
    pub start: u64,
    /// The byte behind the last one.
    pub end: u64,
    /// The first byte of its stored body that holds them.
    pub stored_start: u64,
    /// The byte behind the last one.
    pub stored_end: u64,
}

/// The part table of an object. Of one that is stored apart only the chunks are read that are needed. Many threads can use it,
/// if they can call the callback.
pub struct PartTable(());

impl Handle for PartTable {
    type Value = Table<Stored>;
}

unsafe fn table(
    envelope: &envelope::Envelope,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
) -> Result<Table<Stored>, Failure> {
    // SAFETY: the contract of the header.
    let stored = read_at.map(|_| unsafe { Stored::new(read_at, user, stored_len) }).transpose()?;
    Ok(envelope.part_table(stored)?)
}

/// The part table of an object. `read_at` reads a table that is stored apart, `stored_len` bytes long; NULL for one in the head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_part_table_new(
    envelope: *const Envelope,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
    part_table: *mut *mut PartTable,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(envelope, |envelope| store_handle(part_table, || table(envelope, read_at, user, stored_len))) }
}

/// Stores how many parts there are, and the length of the plaintext of all of them, in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_part_table_size(
    part_table: *const PartTable,
    count: *mut u32,
    plaintext_len: *mut u64,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(part_table, |table| {
            store(count, table.count())?;
            Ok(store(plaintext_len, table.plaintext_len())?)
        })
    }
}

/// Stores the part at `index`, from 0. `OBJSEAL_STATUS_OUT_OF_RANGE` if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_part_table_part(part_table: *const PartTable, index: u32, part: *mut Part) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(part_table, |table| {
            let found = table.parts(index, 1)?;
            Ok(store(part, Part::of(found.first().ok_or(Status::OutOfRange)?, table.checksum()))?)
        })
    }
}

/// Stores, for each part that bytes `start` to `end` of the plaintext touch, `end` not included, what to fetch of it. `*count` is
/// how many they are, also if `capacity` is less. `OBJSEAL_STATUS_OUT_OF_RANGE` if they are not within the plaintext.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_part_table_locate(
    part_table: *const PartTable,
    start: u64,
    end: u64,
    out: *mut PartRange,
    capacity: usize,
    count: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(part_table, |table| {
            let found = table.locate(start..end)?;
            store(count, found.len())?;
            if found.len() > capacity {
                return Err(Status::OutputTooSmall.into());
            }
            // Not a slice: what the caller gave may not have been set yet.
            if !found.is_empty() && out.is_null() {
                return Err(Status::NullPointer.into());
            }
            for (index, range) in found.iter().enumerate() {
                let (plaintext, stored) = (&range.plaintext, &range.stored);
                let range = PartRange {
                    part: Part::of(&range.part, table.checksum()),
                    start: plaintext.start,
                    end: plaintext.end,
                    stored_start: stored.start,
                    stored_end: stored.end,
                };
                out.add(index).write(range);
            }
            Ok(())
        })
    }
}

/// Frees a part table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_part_table_free(part_table: *mut PartTable) {
    // SAFETY: the contract of the header.
    unsafe { free(part_table) };
}

/// Fills `buffer` with the `len` bytes from `offset` on of the stored body of a part. 0 means that it worked. Several threads
/// may call it at the same time. No exception may leave it.
pub type ReadPartFn =
    Option<unsafe extern "C" fn(user: *mut c_void, part: *const Part, buffer: *mut u8, len: usize, offset: u64) -> i32>;

#[derive(Clone, Copy)]
struct Store {
    read: unsafe extern "C" fn(*mut c_void, *const Part, *mut u8, usize, u64) -> i32,
    user: *mut c_void,
    /// Which digest of each part there is.
    digest: Option<ChecksumAlgorithm>,
}

// SAFETY: by contract the callback and `user` can be used by every thread that uses the reader.
unsafe impl Send for Store {}
// SAFETY: the same.
unsafe impl Sync for Store {}

struct Body {
    store: Store,
    part: Part,
}

impl ReadAt for Body {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let Store { read, user, .. } = self.store;
        // SAFETY: by contract the callback takes these, and writes no more than `len` bytes.
        answered(unsafe { read(user, &self.part, buffer.as_mut_ptr(), buffer.len(), offset) })
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.part.stored_len)
    }
}

impl PartStore for Store {
    type Body = Body;

    fn part(&self, part: &envelope::Part) -> io::Result<Body> {
        Ok(Body { store: *self, part: Part::of(part, self.digest) })
    }
}

/// Opens an object in parts for reading at any offset. `read_at` reads a part table that is stored apart, as for
/// `objseal_part_table_new`; `read_part` reads the stored bodies. A call of `objseal_reader_read` reads part after part, on one
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_parts_reader_new(
    envelope: *const Envelope,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
    read_part: ReadPartFn,
    part_user: *mut c_void,
    reader: *mut *mut Reader,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(envelope, |envelope| {
            store_handle(reader, || {
                let read = read_part.ok_or(Status::NullPointer)?;
                let table = table(envelope, read_at, user, stored_len)?;
                let store = Store { read, user: part_user, digest: table.checksum() };
                let parts = PartsReader::<Arc<envelope::Envelope>, _, _>::new(Arc::clone(envelope), table, store);
                Ok(reader::Value { plaintext: Box::new(parts), info: Some(reader::of_envelope(envelope)) })
            })
        })
    }
}
