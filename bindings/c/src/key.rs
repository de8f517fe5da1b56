//! Root keys.

use crate::memory::{Handle, free, input, output, store_handle};
use crate::status::{Failure, Status, on, run};
use objseal::Key as RootKey;

/// A key: 32 random bytes, which are wiped when it is freed. Many threads can use it.
pub struct Key(());

impl Handle for Key {
    type Value = RootKey;
}

/// A key of these bytes. `OBJSEAL_STATUS_ARGUMENT` if `len` is not 32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_key_new(bytes: *const u8, len: usize, key: *mut *mut Key) -> Status {
    let make = || {
        // SAFETY: the contract of the header.
        let bytes = unsafe { input(bytes, len) }?;
        RootKey::try_from(bytes).map_err(|error| Failure::new(Status::Argument, error))
    };
    // SAFETY: the same.
    run(|| unsafe { store_handle(key, make) })
}

/// A new key, from the random source of the operating system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_key_generate(key: *mut *mut Key) -> Status {
    // SAFETY: the contract of the header.
    run(|| unsafe { store_handle(key, || Ok(RootKey::generate()?)) })
}

/// Copies the 32 bytes of a key to `out`, to be kept somewhere safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_key_expose(key: *const Key, out: *mut u8) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(key, |key| {
            output(out, RootKey::LEN)?.copy_from_slice(key.expose_secret());
            Ok(())
        })
    }
}

/// Wipes and frees a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_key_free(key: *mut Key) {
    // SAFETY: the contract of the header.
    unsafe { free(key) };
}
