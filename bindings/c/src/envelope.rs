//! Head and body apart, for stores that have a place for each.

use crate::info::{self, Info};
use crate::memory::{Handle, apart, free, input, put, room, store_handle, value};
use crate::object::threads;
use crate::options::{OpenOptions, SealOptions, opening};
use crate::status::{Status, on, run};
use objseal::checksums::Digester;
use objseal::envelope::{self, EnvelopeError, Head};
use std::sync::Arc;

/// The envelope of an object, opened or made here. It holds the data keys, and wipes them when it is freed. Many threads can
/// use it.
pub struct Envelope(());

impl Handle for Envelope {
    type Value = Arc<envelope::Envelope>;
}

/// Seals the body of an object, on `threads` threads (0: as many as there are CPUs). It takes `objseal_body_sealed_len` bytes
/// of `out`; `*out_len` is how many that are, also if the output is too small. The envelope has the head, which is stored
/// wherever the store has a place for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_seal(
    options: *const SealOptions,
    plaintext: *const u8,
    plaintext_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    threads: u32,
    envelope: *mut *mut Envelope,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            store_handle(envelope, || {
                let workers = self::threads(threads)?;
                apart(plaintext, plaintext_len, out, out_capacity)?;
                let plaintext = input(plaintext, plaintext_len)?;
                let needed = envelope::sealed_len(options.core.layers(), plaintext.len() as u64);
                let out = room(needed, out, out_capacity, out_len)?;
                let (envelope, body) = options.core.start()?;
                body.seal_at(&workers, plaintext, out)?;
                let mut digester = Digester::new(options.core.digests());
                digester.update(plaintext);
                Ok(Arc::new(envelope.with_attributes(&digester.finish())?))
            })
        })
    }
}

/// Opens a stored head. What the options do not accept is refused before any key is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_open(
    options: *const OpenOptions,
    head: *const u8,
    head_len: usize,
    envelope: *mut *mut Envelope,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        opening(options, |options| store_handle(envelope, || Ok(Arc::new(options.open(input(head, head_len)?)?))))
    }
}

/// Copies the head, as it is to be stored, to `out`: at most 16,384 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_head(
    envelope: *const Envelope,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(envelope, |envelope| Ok(put(envelope.stored(), out, out_capacity, out_len)?)) }
}

/// What is known of the object. It is authentic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_info(envelope: *const Envelope, info: *mut *mut Info) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(envelope, |envelope| store_handle(info, || info::Value::of_envelope(envelope))) }
}

/// What a stored head says. It takes no key, so nothing of it is verified: anybody could have written it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_inspect(head: *const u8, head_len: usize, info: *mut *mut Info) -> Status {
    let look = || {
        // SAFETY: the contract of the header.
        let head = Head::parse(unsafe { input(head, head_len) }?).map_err(EnvelopeError::from)?;
        Ok(info::Value::of_head(head.unverified()))
    };
    // SAFETY: the same.
    run(|| unsafe { store_handle(info, look) })
}

/// The same object under the keys and the context of `options`, which have keys for as many layers: only the head is
/// new, body and part table stay as they are. Which names and pairs it had says `objseal_envelope_info`, never
/// `objseal_envelope_inspect`. Private fields stay, unless `options` set them anew. Whoever kept the old head and its
/// root keys still opens the object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_rewrap(
    envelope: *const Envelope,
    options: *const SealOptions,
    rewrapped: *mut *mut Envelope,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(envelope, |old| store_handle(rewrapped, || Ok(Arc::new(value(options)?.core.rewrap(old)?)))) }
}

/// Frees an envelope and wipes its data keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_free(envelope: *mut Envelope) {
    // SAFETY: the contract of the header.
    unsafe { free(envelope) };
}
