//! Marks on memory that valgrind's memcheck follows: what is marked as undefined is a secret, and memcheck reports every
//! branch and every address that depends on it.

#![allow(unsafe_code)]

use std::hint::black_box;

/// Requests of valgrind (`valgrind.h`) and of memcheck (`memcheck.h`).
const RUNNING_ON_VALGRIND: usize = 0x1001;
const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;
const MAKE_MEM_UNDEFINED: usize = MEMCHECK + 1;
const MAKE_MEM_DEFINED: usize = MEMCHECK + 2;
const GET_VBITS: usize = MEMCHECK + 8;
/// The answer of `GET_VBITS` if the bytes were there to ask about.
const ANSWERED: usize = 1;

/// Whether this runs on valgrind, where marks mean something.
#[must_use]
pub fn is_running() -> bool {
    request([RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0]) != 0
}

/// Marks `bytes` as secret.
pub fn make_secret(bytes: &mut [u8]) {
    let bytes = black_box(bytes);
    request([MAKE_MEM_UNDEFINED, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0]);
}

/// Marks `bytes` as public.
pub fn make_public(bytes: &mut [u8]) {
    let bytes = black_box(bytes);
    request([MAKE_MEM_DEFINED, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0]);
}

/// How many of `bytes` are secret: those that have a bit which is.
///
/// # Panics
/// If valgrind does not answer.
#[must_use]
pub fn count_secret(bytes: &[u8]) -> usize {
    let bytes = black_box(bytes);
    let mut marks = vec![0_u8; bytes.len()];
    let answer = request([GET_VBITS, bytes.as_ptr() as usize, marks.as_mut_ptr() as usize, bytes.len(), 0, 0]);
    assert!(answer == ANSWERED || bytes.is_empty(), "valgrind does not say what is secret");
    black_box(&marks).iter().filter(|&&mark| mark != 0).count()
}

/// Asks valgrind. The answer is 0 where there is none.
#[cfg(target_arch = "x86_64")]
fn request(request: [usize; 6]) -> usize {
    let mut answer = 0_usize;
    // SAFETY: the rotations add up to 128 bits and the exchange is of a register with itself, so for the CPU this does
    // nothing. Valgrind takes the sequence for a request: it reads the array, sets RDX, and reads or writes no other
    // memory than `GET_VBITS` names, which the caller gave as a vector of that length.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

/// Elsewhere requests are other instructions; nobody answers.
#[cfg(not(target_arch = "x86_64"))]
fn request(_: [usize; 6]) -> usize {
    0
}
