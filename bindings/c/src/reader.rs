//! Reading at any offset.

use crate::envelope::Envelope;
use crate::info::{self, Info};
use crate::key::Key;
use crate::memory::{Handle, free, input, output, store, store_handle, value};
use crate::options::{OpenOptions, opening};
use crate::status::{Failure, Status, on, run};
use objseal::cobblestone::{Cobblestone, ReadAt};
use objseal::envelope;
use objseal::file::SealedFile;
use objseal_bindings::Plaintext;
use std::ffi::c_void;
use std::io;
use std::sync::Arc;

/// Fills `buffer` with the `len` bytes that are stored from `offset` on. 0 means that it worked. Several threads may call it at
/// the same time. No exception may leave it.
pub type ReadAtFn = Option<unsafe extern "C" fn(user: *mut c_void, buffer: *mut u8, len: usize, offset: u64) -> i32>;

/// Reads something at any offset: an object that is one file, the body of an envelope, an object in parts, or a bare message.
/// Many threads can use it, if they can call the callback.
pub struct Reader(());

impl Handle for Reader {
    type Value = Value;
}

/// Verified plaintext, and what is known of it, which is made when it is asked for.
pub(crate) struct Value {
    pub(crate) plaintext: Box<dyn Plaintext>,
    pub(crate) info: Option<MakeInfo>,
}

type MakeInfo = Box<dyn Fn() -> Result<info::Value, Failure> + Send + Sync>;

pub(crate) fn of_envelope(envelope: &Arc<envelope::Envelope>) -> MakeInfo {
    let envelope = Arc::clone(envelope);
    Box::new(move || info::Value::of_envelope(&envelope))
}

/// What is stored, behind a callback.
pub(crate) struct Stored {
    read_at: unsafe extern "C" fn(*mut c_void, *mut u8, usize, u64) -> i32,
    user: *mut c_void,
    len: u64,
}

// SAFETY: by contract the callback and `user` can be used by every thread that uses the reader.
unsafe impl Send for Stored {}
// SAFETY: the same.
unsafe impl Sync for Stored {}

impl Stored {
    /// By contract the callback takes `user`.
    pub(crate) unsafe fn new(read_at: ReadAtFn, user: *mut c_void, len: u64) -> Result<Self, Status> {
        Ok(Self { read_at: read_at.ok_or(Status::NullPointer)?, user, len })
    }
}

/// What a callback answered.
pub(crate) fn answered(answer: i32) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::other(format!("the callback failed with {answer}"))) }
}

impl ReadAt for Stored {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        // SAFETY: by contract the callback takes these, and writes no more than `len` bytes.
        answered(unsafe { (self.read_at)(self.user, buffer.as_mut_ptr(), buffer.len(), offset) })
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}

/// Opens an object that is one file of `stored_len` bytes, which `read_at` reads and is given `user`. Its head, its attributes
/// and its end are verified here, so its length is authentic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_reader_new(
    options: *const OpenOptions,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
    reader: *mut *mut Reader,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        opening(options, |options| {
            store_handle(reader, || {
                let stored = Stored::new(read_at, user, stored_len)?;
                let file = Arc::new(SealedFile::open(options, stored)?);
                let known = Arc::clone(&file);
                let info = move || Ok(info::Value::of_file(known.info()));
                Ok(Value { plaintext: Box::new(file), info: Some(Box::new(info)) })
            })
        })
    }
}

/// Opens the stored body of an envelope, `stored_len` bytes long, in the same way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_reader_new(
    envelope: *const Envelope,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
    reader: *mut *mut Reader,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(envelope, |envelope| {
            store_handle(reader, || {
                let stored = Stored::new(read_at, user, stored_len)?;
                let body = envelope.body()?.open_at(stored)?;
                Ok(Value { plaintext: Box::new(body), info: Some(of_envelope(envelope)) })
            })
        })
    }
}

/// Opens a bare message of `stored_len` bytes in the same way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_cobblestone_reader_new(
    key: *const Key,
    context: *const u8,
    context_len: usize,
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
    reader: *mut *mut Reader,
) -> Status {
    let make = || {
        // SAFETY: the contract of the header.
        let (key, context) = unsafe { (value(key)?, input(context, context_len)?) };
        // SAFETY: the same.
        let stored = unsafe { Stored::new(read_at, user, stored_len) }?;
        Ok(Value { plaintext: Box::new(Cobblestone::new(key, context).open_at(stored)?), info: None })
    };
    // SAFETY: the same.
    run(|| unsafe { store_handle(reader, make) })
}

/// Stores the length of the plaintext, in bytes. It is authentic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_reader_len(reader: *const Reader, plaintext_len: *mut u64) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(reader, |reader| Ok(store(plaintext_len, reader.plaintext.len())?)) }
}

/// Fills `out` with the `len` bytes of the plaintext from `start` on, on `threads` threads (0: as many as there are CPUs). It
/// reads the chunks that hold them, and verifies those. If it fails, all of `out` is zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_reader_read(
    reader: *const Reader,
    start: u64,
    out: *mut u8,
    len: usize,
    threads: u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(reader, |reader| {
            let out = output(out, len)?;
            let read = crate::object::threads(threads)
                .and_then(|workers| Ok(reader.plaintext.read_at(&workers, start, out)?));
            read.inspect_err(|_| out.fill(0))
        })
    }
}

/// What is known of the object. A bare message has nothing: `OBJSEAL_STATUS_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_reader_info(reader: *const Reader, info: *mut *mut Info) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(reader, |reader| {
            store_handle(info, || match &reader.info {
                Some(info) => info(),
                None => Err(Failure::new(Status::Argument, "a bare message has no head")),
            })
        })
    }
}

/// Frees a reader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_reader_free(reader: *mut Reader) {
    // SAFETY: the contract of the header.
    unsafe { free(reader) };
}
