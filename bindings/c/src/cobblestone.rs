//! Bare messages at once, and where things are in bodies.

use crate::key::Key;
use crate::memory::{apart, input, output, room, store};
use crate::object::threads;
use crate::status::{Status, on, run};
use objseal::cobblestone::{self, Cobblestone};
use objseal::envelope;
use objseal::limits::MAX_LAYERS;

/// Seals a bare message under `key`, bound to `context`, on `threads` threads (0: as many as there are CPUs). It takes
/// `objseal_body_sealed_len` bytes of `out`, for one layer; `*out_len` is how many that are, also if the output is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_cobblestone_seal(
    key: *const Key,
    context: *const u8,
    context_len: usize,
    plaintext: *const u8,
    plaintext_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    threads: u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(key, |key| {
            let workers = self::threads(threads)?;
            apart(plaintext, plaintext_len, out, out_capacity)?;
            let (context, plaintext) = (input(context, context_len)?, input(plaintext, plaintext_len)?);
            let needed = cobblestone::sealed_len(plaintext.len() as u64);
            let out = room(needed, out, out_capacity, out_len)?;
            Cobblestone::new(key, context).seal_parallel(&workers, plaintext, out)?;
            Ok(())
        })
    }
}

/// Opens a bare message, on `threads` threads (0: as many as there are CPUs): all of it, or nothing. It takes
/// `objseal_body_plaintext_len` bytes of `out`, for one layer; `*out_len` is how many that are, also if the output is too small.
/// If the message is not authentic, all of `out` that it would have taken is zero; all of `out` if no message is so long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_cobblestone_open(
    key: *const Key,
    context: *const u8,
    context_len: usize,
    message: *const u8,
    message_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    threads: u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(key, |key| {
            let workers = self::threads(threads)?;
            apart(message, message_len, out, out_capacity)?;
            let (context, message) = (input(context, context_len)?, input(message, message_len)?);
            let Some(needed) = cobblestone::plaintext_len(message.len() as u64) else {
                // What it held before must not pass for plaintext.
                output(out, out_capacity)?.fill(0);
                store(out_len, 0)?;
                return Err(Status::Authentication.into());
            };
            let out = room(Some(needed), out, out_capacity, out_len)?;
            Cobblestone::new(key, context).open_parallel(&workers, message, out)?;
            Ok(())
        })
    }
}

fn layers(count: u8) -> Result<u8, Status> {
    if (1..=MAX_LAYERS).contains(&count) { Ok(count) } else { Err(Status::Argument) }
}

/// Stores the length of the body that `plaintext_len` bytes of plaintext give in `layers` layers. A bare message is a body of
/// one layer; the body of a part has as many layers as its object. `OBJSEAL_STATUS_TOO_LONG` if there is no such body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_body_sealed_len(layers: u8, plaintext_len: u64, sealed_len: *mut u64) -> Status {
    run(|| {
        let len = envelope::sealed_len(self::layers(layers)?, plaintext_len).ok_or(Status::TooLong)?;
        // SAFETY: the contract of the header.
        Ok(unsafe { store(sealed_len, len) }?)
    })
}

/// Stores the length of the plaintext in a body of `sealed_len` bytes. `OBJSEAL_STATUS_ARGUMENT` if no body is so long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_body_plaintext_len(layers: u8, sealed_len: u64, plaintext_len: *mut u64) -> Status {
    run(|| {
        let len = envelope::plaintext_len(self::layers(layers)?, sealed_len).ok_or(Status::Argument)?;
        // SAFETY: the contract of the header.
        Ok(unsafe { store(plaintext_len, len) }?)
    })
}

/// Stores the length of the longest plaintext whose body fits into `stored_limit` bytes. `OBJSEAL_STATUS_ARGUMENT` if none
/// fits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_body_largest_plaintext_len(
    layers: u8,
    stored_limit: u64,
    plaintext_len: *mut u64,
) -> Status {
    run(|| {
        let len = envelope::largest_plaintext_len(self::layers(layers)?, stored_limit).ok_or(Status::Argument)?;
        // SAFETY: the contract of the header.
        Ok(unsafe { store(plaintext_len, len) }?)
    })
}

/// Stores where in a body of `sealed_len` bytes the chunks are that hold bytes `start` to `end` of its plaintext, `end` not
/// included: what a server fetches to serve them, besides the first 56 bytes in one layer, or the first 16,456 in two, and the
/// last chunk. In a file the body begins at `OBJSEAL_BODY_OFFSET`. `OBJSEAL_STATUS_OUT_OF_RANGE` if they are not within it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_body_sealed_range(
    layers: u8,
    start: u64,
    end: u64,
    sealed_len: u64,
    stored_start: *mut u64,
    stored_end: *mut u64,
) -> Status {
    run(|| {
        let range = envelope::sealed_range(self::layers(layers)?, start..end, sealed_len).ok_or(Status::OutOfRange)?;
        // SAFETY: the contract of the header.
        unsafe {
            store(stored_start, range.start)?;
            Ok(store(stored_end, range.end)?)
        }
    })
}
