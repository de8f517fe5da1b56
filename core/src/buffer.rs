//! Buffers that the library makes for results.

use alloc::vec;
use alloc::vec::Vec;

/// A buffer of zeros. A large one is in huge pages where the system has them: to make small ones takes longer than to
/// fill them.
pub(crate) fn zeroed(len: usize) -> Vec<u8> {
    #[allow(unused_mut, reason = "advice is not given everywhere")]
    let mut buffer = vec![0; len];
    #[cfg(all(feature = "std", target_os = "linux"))]
    huge_pages::advise(&mut buffer);
    buffer
}

#[cfg(all(feature = "std", target_os = "linux"))]
mod huge_pages {
    #![allow(unsafe_code)]

    /// The usual length of a huge page, in bytes.
    const HUGE: usize = 2 << 20;

    /// Asks for huge pages for all of `buffer` that can be in them. It is not an error if there are none.
    pub(super) fn advise(buffer: &mut [u8]) {
        let start = buffer.as_ptr().align_offset(HUGE);
        let len = buffer.len().saturating_sub(start) / HUGE * HUGE;
        if let Some(part) = buffer.get_mut(start..).and_then(|rest| rest.get_mut(..len))
            && !part.is_empty()
        {
            // SAFETY: the memory is this buffer's, and this advice does not change what is in it.
            unsafe { libc::madvise(part.as_mut_ptr().cast(), part.len(), libc::MADV_HUGEPAGE) };
        }
    }
}
