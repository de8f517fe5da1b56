//! Objects in parts.

use crate::envelope::{Envelope, EnvelopeValue};
use crate::info::{self, Info};
use crate::library::OBJSEAL_SALT_LEN;
use crate::memory::{Handle, free, input, optional_text, output, put, store, store_handle, text};
use crate::options::{OpenOptions, SealOptions};
use crate::reader::{self, ReadAtFn, Reader, Stored, answered};
use crate::status::{Failure, Status, on};
use objseal::checksums;
use objseal::cobblestone::ReadAt;
use objseal::envelope::{self, PartStore, PartTable as Table, PartsReader};
use std::ffi::{c_char, c_void};
use std::io;
use std::sync::Arc;

/// An object that is sealed in parts, in any order, by many threads and processes at the same time. It opens nothing.
pub struct Upload(());

impl Handle for Upload {
    type Value = Arc<envelope::Upload>;
}

/// Begins an object in parts. Its state is kept under the upload key of `options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_new(options: *const SealOptions, upload: *mut *mut Upload) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            store_handle(upload, || {
                let none = || Failure::new(Status::Argument, "no upload key was set");
                let upload_key = options.upload_key.as_ref().ok_or_else(none)?;
                Ok(Arc::new(options.core.start_upload(upload_key)?))
            })
        })
    }
}

/// Goes on with an upload, in whatever process. `options` have the upload key; what they demand is demanded of the object that
/// it will be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_resume(
    options: *const OpenOptions,
    state: *const u8,
    state_len: usize,
    upload: *mut *mut Upload,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| store_handle(upload, || Ok(Arc::new(options.resume_upload(input(state, state_len)?)?))))
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
    unsafe { on(upload, |upload| Ok(put(upload.stored(), out, out_capacity, out_len)?)) }
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
                Ok(info::Value::of_receipt(&upload.open_receipt(receipt)?))
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

/// Makes the envelope of the object that `parts`, in rising order of their numbers, are. `receipts` are those that were stored;
/// of several for the same part and ETag the last one counts, so give them in the order of storing. `chosen` has room for
/// `part_count` indices, and gets for each part the one of its receipt: bodies of other receipts can be deleted. `etag` is the
/// object's; NULL is what S3 would make of those of the parts. The part table is in the head if that is at most `inline_len`
/// bytes long with it (`OBJSEAL_INLINE_ENVELOPE_LEN`), else `objseal_envelope_table` gives it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_upload_complete(
    upload: *const Upload,
    parts: *const NamedPart,
    part_count: usize,
    receipts: *const Bytes,
    receipt_count: usize,
    etag: *const c_char,
    inline_len: usize,
    chosen: *mut usize,
    envelope: *mut *mut Envelope,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(upload, |upload| {
            store_handle(envelope, || {
                let (named, stored) = (input(parts, part_count)?, input(receipts, receipt_count)?);
                let chosen = output(chosen, part_count)?;
                let named = named.iter().map(|part| Ok((part.number, text(part.etag)?)));
                let named = named.collect::<Result<Vec<_>, Failure>>()?;
                let stored = stored.iter().map(|bytes| input(bytes.start, bytes.len));
                let stored = stored.collect::<Result<Vec<_>, _>>()?;
                let selection = upload.select(&named, &stored)?;
                let mut attributes = checksums::of_parts(&selection.attributes());
                attributes.etag = optional_text(etag)?.map(str::to_owned).or(attributes.etag);
                let completed = upload.complete(&selection, &attributes, inline_len)?;
                chosen.copy_from_slice(&selection.receipts);
                let table = completed.table.unwrap_or_default().into();
                Ok(EnvelopeValue { table, ..EnvelopeValue::of(completed.envelope) })
            })
        })
    }
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
}

impl Part {
    fn of(part: &envelope::Part) -> Self {
        let salt = part.salts.last().copied().unwrap_or_default();
        Self { number: part.number, start: part.plaintext.start, len: part.len(), stored_len: part.stored_len(), salt }
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
    envelope: &EnvelopeValue,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
) -> Result<Table<Stored>, Failure> {
    // SAFETY: the contract of the header.
    let stored = read_at.map(|_| unsafe { Stored::new(read_at, user, stored_len) }).transpose()?;
    Ok(envelope.envelope.part_table(stored)?)
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
            Ok(store(part, Part::of(found.first().ok_or(Status::OutOfRange)?))?)
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
                    part: Part::of(&range.part),
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
        let Store { read, user } = self.store;
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
        Ok(Body { store: *self, part: Part::of(part) })
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
                let store = Store { read: read_part.ok_or(Status::NullPointer)?, user: part_user };
                let table = table(envelope, read_at, user, stored_len)?;
                let plaintext =
                    PartsReader::<Arc<envelope::Envelope>, _, _>::new(Arc::clone(&envelope.envelope), table, store);
                let envelope = envelope.clone();
                let info = Box::new(move || envelope.info());
                Ok(reader::Value { plaintext: Box::new(plaintext), info: Some(info) })
            })
        })
    }
}
