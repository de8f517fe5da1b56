//! WebAssembly: the module imports randomness and output from JavaScript, and `wasm.mjs` calls what it exports.

use core::panic::PanicInfo;
use objseal::cobblestone::Cobblestone;
use objseal::{Key, RandomError, RandomSource};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    fn random(to: *mut u8, len: usize);
    fn print(from: *const u8, len: usize);
}

/// `crypto.getRandomValues`.
struct Host;

impl RandomSource for Host {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        // SAFETY: JavaScript writes into `bytes`, and no further; if it cannot, it throws, and nothing returns here.
        unsafe { random(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }
}

/// Seals and opens; gives 0 if all went well.
#[unsafe(no_mangle)]
extern "C" fn round_trip() -> u32 {
    // SAFETY: JavaScript reads `text` and changes nothing.
    crate::run(&Host, |text| unsafe { print(text.as_ptr(), text.len()) }).is_err().into()
}

/// Opens a message; gives the length of its plaintext, or -1.
///
/// # Safety
/// The four ranges must be in memory that the module does not use, and `plaintext` apart from the others.
#[unsafe(no_mangle)]
unsafe extern "C" fn open(
    key: &[u8; Key::LEN],
    context: *const u8,
    context_len: usize,
    message: *const u8,
    message_len: usize,
    plaintext: *mut u8,
    plaintext_len: usize,
) -> isize {
    // SAFETY: the caller promises it.
    let (context, message, plaintext) = unsafe {
        (
            core::slice::from_raw_parts(context, context_len),
            core::slice::from_raw_parts(message, message_len),
            core::slice::from_raw_parts_mut(plaintext, plaintext_len),
        )
    };
    let opened = Cobblestone::new(&Key::from_bytes(key), context).open_into(message, plaintext);
    opened.map_or(-1, |len| len as isize)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
