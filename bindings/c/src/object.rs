//! Objects that are one file.

use crate::info::{self, Info};
use crate::memory::{apart, input, room, store, store_handle, value};
use crate::options::{OpenOptions, SealOptions, opening};
use crate::reader::{ReadAtFn, Stored, answered};
use crate::status::{Failure, Status, on, run};
use objseal::cobblestone::{ReadAt, Threads};
use objseal::file::{self, FileError, SealedFile, WriteAt};
use objseal_bindings::SameProcess;
use std::ffi::c_void;
use std::io::{self, Read, Write};

/// A number of threads; 0 is as many as there are CPUs.
pub(crate) fn threads(count: u32) -> Result<Threads, Failure> {
    let none = || Failure::new(Status::Argument, format_args!("{count} threads: 1 to 1,000, or 0 for all CPUs"));
    objseal_bindings::threads(count).ok_or_else(none)
}

/// Stores the length of the file that `plaintext_len` bytes of plaintext give.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealed_len(
    options: *const SealOptions,
    plaintext_len: u64,
    sealed_len: *mut u64,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            let len = file::sealed_len(&options.core, plaintext_len).ok_or(Status::TooLong)?;
            Ok(store(sealed_len, len)?)
        })
    }
}

/// Seals an object into one file, on `threads` threads (0: as many as there are CPUs). It takes `objseal_sealed_len` bytes of
/// `out`; `*out_len` is how many that are, also if the output is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal(
    options: *const SealOptions,
    plaintext: *const u8,
    plaintext_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    threads: u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            let workers = self::threads(threads)?;
            apart(plaintext, plaintext_len, out, out_capacity)?;
            let plaintext = input(plaintext, plaintext_len)?;
            let out = room(file::sealed_len(&options.core, plaintext.len() as u64), out, out_capacity, out_len)?;
            file::seal_at(&options.core, &workers, plaintext, out)?;
            Ok(())
        })
    }
}

/// Opens an object that is one file, on `threads` threads (0: as many as there are CPUs): all of it, or nothing. `*out_len` is
/// how many bytes of `out` it takes, also if the output is too small; `sealed_len` bytes are always enough. Once its head and
/// its end are found to be authentic, those bytes are all zero if the rest is not; before, `out` is not touched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open(
    options: *const OpenOptions,
    sealed: *const u8,
    sealed_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    threads: u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        opening(options, |options| {
            let workers = self::threads(threads)?;
            apart(sealed, sealed_len, out, out_capacity)?;
            let sealed = input(sealed, sealed_len)?;
            let file = SealedFile::open(options, sealed)?;
            let out = room(Some(file.body().len()), out, out_capacity, out_len)?;
            Ok(file.body().open_range_parallel(&workers, 0, out)?)
        })
    }
}

/// Reads at most `len` bytes into `buffer`: how many it read, 0 at the end, less than 0 if it failed. What came before a 0 passes
/// for all there is, so a source that breaks off must not give one. One thread at a time calls it, not always the same. No
/// exception may leave it.
pub type ReadFn = Option<unsafe extern "C" fn(user: *mut c_void, buffer: *mut u8, len: usize) -> i64>;

/// Writes all of the `len` bytes of `bytes`. 0 means that all of them were taken. Anything else is a failure, the number of bytes
/// that `write` returns too, and ends the work: it is not called again. One thread at a time calls it, not always the same. No
/// exception may leave it.
pub type WriteFn = Option<unsafe extern "C" fn(user: *mut c_void, bytes: *const u8, len: usize) -> i32>;

struct Input(unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> i64, *mut c_void);
struct Output(unsafe extern "C" fn(*mut c_void, *const u8, usize) -> i32, *mut c_void);

// SAFETY: by contract any thread can call it, one at a time.
unsafe impl Send for Input {}
// SAFETY: the same.
unsafe impl Send for Output {}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: by contract the callback takes these, and writes no more than `len` bytes.
        let len = unsafe { (self.0)(self.1, buffer.as_mut_ptr(), buffer.len()) };
        match usize::try_from(len) {
            Ok(len) if len <= buffer.len() => Ok(len),
            _ => Err(io::Error::other(format!("the callback failed with {len}"))),
        }
    }
}

/// What is sealed. A callback can fork, and return in both processes.
struct InOneProcess(Input, SameProcess);

impl Read for InOneProcess {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(buffer)?;
        self.1.check().map_err(io::Error::other)?;
        Ok(len)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: by contract the callback takes these.
        answered(unsafe { (self.0)(self.1, bytes.as_ptr(), bytes.len()) })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seals all that `read` has to give, and gives the file to `write`, on `threads` threads (0: as many as there are CPUs).
/// `info` may be NULL. It takes at most 32 MiB of memory, whatever the length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_stream(
    options: *const SealOptions,
    read: ReadFn,
    read_user: *mut c_void,
    write: WriteFn,
    write_user: *mut c_void,
    threads: u32,
    info: *mut *mut Info,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            let workers = self::threads(threads)?;
            let input = Input(read.ok_or(Status::NullPointer)?, read_user);
            let input = InOneProcess(input, SameProcess::here());
            let output = Output(write.ok_or(Status::NullPointer)?, write_user);
            let sealed = file::seal(&options.core, input, output, &workers)?;
            if info.is_null() { Ok(()) } else { store_handle(info, || Ok(info::Value::of_file(&sealed))) }
        })
    }
}

/// Opens the file that `read` has to give, and gives the plaintext to `write`, on `threads` threads (0: as many as there are
/// CPUs). What `write` gets is authentic, but only if this works is it whole. `info` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_stream(
    options: *const OpenOptions,
    read: ReadFn,
    read_user: *mut c_void,
    write: WriteFn,
    write_user: *mut c_void,
    threads: u32,
    info: *mut *mut Info,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        opening(options, |options| {
            let workers = self::threads(threads)?;
            let input = Input(read.ok_or(Status::NullPointer)?, read_user);
            let output = Output(write.ok_or(Status::NullPointer)?, write_user);
            let opened = file::open(options, input, output, &workers)?;
            if info.is_null() { Ok(()) } else { store_handle(info, || Ok(info::Value::of_file(&opened))) }
        })
    }
}

/// What a stored file of `stored_len` bytes says about itself. It takes no key, so nothing of it is verified: anybody could have
/// written it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_inspect(
    read_at: ReadAtFn,
    user: *mut c_void,
    stored_len: u64,
    info: *mut *mut Info,
) -> Status {
    let look = || {
        // SAFETY: the contract of the header.
        let stored = unsafe { Stored::new(read_at, user, stored_len) }?;
        let facts = file::inspect(&stored)?;
        let facts = facts.unverified();
        Ok(info::Value::of_head(&facts.head).with_plaintext_len(facts.plaintext_len).with_slots(facts.slots))
    };
    // SAFETY: the same.
    run(|| unsafe { store_handle(info, look) })
}

/// Replaces the stored bytes from `offset` on by the `len` bytes of `bytes`, and returns once they will outlive a crash. 0 means
/// that it worked. No exception may leave it.
pub type WriteAtFn = Option<unsafe extern "C" fn(user: *mut c_void, bytes: *const u8, len: usize, offset: u64) -> i32>;

struct Target {
    stored: Stored,
    write_at: unsafe extern "C" fn(*mut c_void, *const u8, usize, u64) -> i32,
    user: *mut c_void,
}

impl ReadAt for Target {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.stored.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.stored.size()
    }
}

impl WriteAt for Target {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // SAFETY: by contract the callback takes these.
        answered(unsafe { (self.write_at)(self.user, bytes.as_ptr(), bytes.len(), offset) })
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts a stored file of `stored_len` bytes under the keys and the context of `seal_options`, which have keys for as
/// many layers. Only its first 8,192 bytes are written, half of them at a time, so whenever it is interrupted the file
/// opens under the old keys or the new ones. The caller sees to it that nobody else writes meanwhile: what is found to
/// have another head when it is to be written stays as it is, `OBJSEAL_STATUS_IO`. Private fields stay, unless
/// `seal_options` set them anew. Whoever kept the old head and its root keys still opens the object.
///
/// Names of keys and pairs of the context that are to stay come from an object that was opened, so from
/// `objseal_reader_info`, and never from `objseal_inspect`, whose answer anybody could have written. With
/// `objseal_open_options_set_object_id` and the id from there, no other object gets them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_rewrap(
    open_options: *const OpenOptions,
    seal_options: *const SealOptions,
    read_at: ReadAtFn,
    write_at: WriteAtFn,
    user: *mut c_void,
    stored_len: u64,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        opening(open_options, |open_options| {
            let write_at = write_at.ok_or(Status::NullPointer)?;
            let target = Target { stored: Stored::new(read_at, user, stored_len)?, write_at, user };
            let seal_options = value(seal_options)?.core.clone();
            file::rewrap(open_options, &target, |_| Ok::<_, FileError>(seal_options))?;
            Ok(())
        })
    }
}
