//! Pointers as slices, texts and handles. Every function here trusts the contract of the header: a pointer that is not
//! NULL leads to memory of the length that was given with it, which nobody changes during the call.

use crate::status::{Failure, Status, guarded_or};
use std::ffi::OsStr;
use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::slice;
use std::sync::{Mutex, PoisonError};

/// Memory to read. NULL is fine for no bytes.
pub(crate) unsafe fn input<'a, T>(start: *const T, len: usize) -> Result<&'a [T], Status> {
    if len == 0 {
        return Ok(&[]);
    }
    check(start, len)?;
    // SAFETY: it is not NULL, not longer than memory can be, and by contract readable and unchanged during the call.
    Ok(unsafe { slice::from_raw_parts(start, len) })
}

/// Memory to write to. NULL is fine for no bytes.
pub(crate) unsafe fn output<'a, T>(start: *mut T, len: usize) -> Result<&'a mut [T], Status> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(start, len)?;
    // SAFETY: it is not NULL, not longer than memory can be, and by contract writable and nobody else's during the call.
    Ok(unsafe { slice::from_raw_parts_mut(start, len) })
}

fn check<T>(start: *const T, len: usize) -> Result<(), Status> {
    let bytes = len.checked_mul(size_of::<T>()).and_then(|len| isize::try_from(len).ok());
    if start.is_null() {
        return Err(Status::NullPointer);
    }
    if bytes.is_none() || !start.is_aligned() {
        return Err(Status::Argument);
    }
    Ok(())
}

/// That input and output share no memory. Looked at before either becomes a slice.
pub(crate) fn apart(input: *const u8, input_len: usize, output: *const u8, output_len: usize) -> Result<(), Failure> {
    let (from, to) = (input as usize, output as usize);
    let touch =
        input_len > 0 && output_len > 0 && from < to.saturating_add(output_len) && to < from.saturating_add(input_len);
    if touch { Err(Failure::new(Status::Argument, "input and output overlap")) } else { Ok(()) }
}

/// A text in UTF-8.
pub(crate) unsafe fn text<'a>(start: *const c_char) -> Result<&'a str, Failure> {
    if start.is_null() {
        return Err(Status::NullPointer.into());
    }
    // SAFETY: it is not NULL, and by contract ends with a zero.
    let text = unsafe { CStr::from_ptr(start) };
    text.to_str().map_err(|_| Failure::new(Status::Argument, "a text is not UTF-8"))
}

/// A text that may be left out.
pub(crate) unsafe fn optional_text<'a>(start: *const c_char) -> Result<Option<&'a str>, Failure> {
    // SAFETY: as for `text`.
    if start.is_null() { Ok(None) } else { unsafe { text(start) }.map(Some) }
}

/// A path, in whatever bytes the file system has.
pub(crate) unsafe fn path(start: *const c_char) -> Result<PathBuf, Status> {
    if start.is_null() {
        return Err(Status::NullPointer);
    }
    // SAFETY: as for `text`.
    Ok(OsStr::from_bytes(unsafe { CStr::from_ptr(start) }.to_bytes()).into())
}

/// A text for C.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Stores a result.
pub(crate) unsafe fn store<T>(place: *mut T, value: T) -> Result<(), Status> {
    if place.is_null() {
        return Err(Status::NullPointer);
    }
    // SAFETY: it is not NULL, and by contract leads to room for one.
    unsafe { place.write(value) };
    Ok(())
}

/// Stores how long the output has to be, and gives that much of it. `None` is longer than memory can be.
pub(crate) unsafe fn room<'a>(
    needed: Option<u64>,
    out: *mut u8,
    capacity: usize,
    out_len: *mut usize,
) -> Result<&'a mut [u8], Status> {
    let needed = needed.and_then(|len| usize::try_from(len).ok()).ok_or(Status::TooLong)?;
    // SAFETY: the contract of the header.
    unsafe {
        store(out_len, needed)?;
        if capacity > 0 {
            check(out, capacity)?;
        }
        if needed > capacity {
            return Err(Status::OutputTooSmall);
        }
        output(out, needed)
    }
}

/// Stores all of `bytes`, and how many they are.
pub(crate) unsafe fn put(bytes: &[u8], out: *mut u8, capacity: usize, out_len: *mut usize) -> Result<(), Status> {
    // SAFETY: the contract of the header.
    unsafe { room(Some(bytes.len() as u64), out, capacity, out_len) }?.copy_from_slice(bytes);
    Ok(())
}

/// The text of the last failure, and its error number.
pub(crate) struct LastError(Mutex<(String, i32)>);

impl LastError {
    pub(crate) fn set(&self, text: String, errno: i32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (text, errno);
    }

    fn errno(&self) -> i32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Copies as much of it as there is room for, ended by a zero; returns its whole length.
    unsafe fn copy(&self, out: *mut c_char, capacity: usize) -> usize {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        // SAFETY: the contract of the header.
        if let Ok([room @ .., _]) = unsafe { output(out.cast::<u8>(), capacity) } {
            let mut len = text.len().min(room.len());
            while !text.is_char_boundary(len) {
                len -= 1;
            }
            room[..len].copy_from_slice(&text.as_bytes()[..len]);
            // SAFETY: `len` is at most `capacity` - 1.
            unsafe { out.add(len).write(0) };
        }
        text.len()
    }
}

/// What every handle leads to.
#[repr(C)]
pub(crate) struct Slot<T> {
    /// First, so that it can be found without knowing the rest.
    pub(crate) last_error: LastError,
    pub(crate) value: T,
}

/// A type whose pointers are handles. C knows no more of it than its name.
pub(crate) trait Handle {
    /// What there is behind it.
    type Value;
}

/// What a handle leads to.
pub(crate) unsafe fn value<'a, H: Handle>(handle: *const H) -> Result<&'a H::Value, Status> {
    // SAFETY: by contract it is NULL, or what `store_handle` gave and nobody has freed.
    let slot = unsafe { handle.cast::<Slot<H::Value>>().as_ref() };
    slot.map(|slot| &slot.value).ok_or(Status::NullPointer)
}

/// Stores a new handle; NULL first, so that it is never left as it was.
pub(crate) unsafe fn store_handle<H: Handle>(
    place: *mut *mut H,
    make: impl FnOnce() -> Result<H::Value, Failure>,
) -> Result<(), Failure> {
    // SAFETY: as for `store`.
    unsafe { store(place, std::ptr::null_mut()) }?;
    let slot = Slot { last_error: LastError(Mutex::default()), value: make()? };
    // SAFETY: as for `store`.
    Ok(unsafe { store(place, Box::into_raw(Box::new(slot)).cast()) }?)
}

/// Frees a handle. NULL is fine.
pub(crate) unsafe fn free<H: Handle>(handle: *mut H) {
    if !handle.is_null() {
        // SAFETY: by contract it is what `store_handle` gave, and nobody uses it any more.
        let slot = unsafe { Box::from_raw(handle.cast::<Slot<H::Value>>()) };
        // What is dropped wipes keys, and does not panic; should it, that goes no further.
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(slot))));
    }
}

/// Copies what went wrong last with a handle to `out`, in English, ended by a zero and cut to `capacity` bytes; returns its
/// whole length without the zero. It is empty if nothing went wrong yet. Any handle of this library will do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_last_error(handle: *const c_void, out: *mut c_char, capacity: usize) -> usize {
    // SAFETY: by contract it is NULL or a handle, and those all begin so.
    let Some(last_error) = (unsafe { handle.cast::<LastError>().as_ref() }) else { return 0 };
    // SAFETY: the contract of the header.
    guarded_or(0, || unsafe { last_error.copy(out, capacity) })
}

/// The error number, as of `errno`, of what went wrong last with a handle, such as `ENOENT` for a keyring that is not there; 0
/// where it was not the operating system. What went wrong in a callback is the callback's to keep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_last_errno(handle: *const c_void) -> i32 {
    // SAFETY: by contract it is NULL or a handle, and those all begin so.
    let last_error = unsafe { handle.cast::<LastError>().as_ref() };
    guarded_or(0, || last_error.map_or(0, LastError::errno))
}
