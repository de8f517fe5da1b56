//! Linux on x86-64 without a C library: two system calls for output and end, one for randomness, nothing else.
//!
//! A program for the bare target `x86_64-unknown-none` makes them as well, and so runs on the machine that built it.

use core::arch::{asm, naked_asm};
use core::panic::PanicInfo;
use objseal::{RandomError, RandomSource};

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    // The kernel leaves the stack aligned to 16; a call makes it what a function expects.
    naked_asm!("call {run}", "ud2", run = sym run)
}

extern "C" fn run() -> ! {
    exit(crate::run(&Kernel, print).is_err().into())
}

/// Randomness from the kernel itself.
struct Kernel;

impl RandomSource for Kernel {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        const GETRANDOM: usize = 318;
        // SAFETY: the kernel writes into `bytes`, and no further.
        let filled = unsafe { system_call(GETRANDOM, bytes.as_mut_ptr() as usize, bytes.len(), 0) };
        if filled == bytes.len() as isize { Ok(()) } else { Err(RandomError::new()) }
    }
}

fn print(text: &str) {
    const WRITE: usize = 1;
    // SAFETY: the kernel only reads `text`.
    unsafe { system_call(WRITE, 1, text.as_ptr() as usize, text.len()) };
}

fn exit(code: usize) -> ! {
    const EXIT: usize = 60;
    loop {
        // SAFETY: no memory is passed, and the call does not return.
        unsafe { system_call(EXIT, code, 0, 0) };
    }
}

/// # Safety
///
/// What the call does to the memory that the arguments name is the caller's concern.
unsafe fn system_call(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: a system call of x86-64 takes these registers, changes rax, rcx and r11, and leaves the stack alone.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    print("panicked\n");
    exit(101)
}

/// The compiled `core` names it; with `panic = "abort"` nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// What compiled code calls without being asked, with the contracts of the C library, which has them elsewhere.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller says that both are `len` bytes long; the direction flag is clear between instructions of Rust.
    unsafe { asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: no byte is read after it was written.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: the caller says that both are `len` bytes long; from the last byte on, none is read after it was written.
    unsafe {
        asm!(
            "std", "rep movsb", "cld",
            inout("rcx") len => _,
            inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _,
        );
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller says that `to` is `len` bytes long.
    unsafe { asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for i in 0..len {
        // SAFETY: the caller says that both are `len` bytes long. Volatile, lest it be compiled to a call of itself.
        let (a, b) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: the contract is the same.
    unsafe { memcmp(a, b, len) }
}
