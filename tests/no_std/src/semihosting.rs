//! An ARM board of qemu without an operating system. Output, randomness and the end are semihosting: the debugger, here
//! qemu, does what a register asks for when the program stops at a certain instruction.

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;
use objseal::{RandomError, RandomSource};

/// The only stack.
#[repr(C, align(16))]
struct Stack([u8; 256 << 10]);

#[unsafe(no_mangle)]
static mut STACK: Stack = Stack([0; 256 << 10]);
const STACK_LEN: usize = size_of::<Stack>();

// The floating-point registers are off until they are asked for, and compiled code uses them everywhere.
#[cfg(target_arch = "arm")]
global_asm!(
    ".section .start, \"a\"",
    ".word STACK + {len}",
    ".word _start",
    ".text",
    ".global _start",
    ".thumb_func",
    "_start:",
    "ldr r0, =0xe000ed88", // CPACR
    "ldr r1, [r0]",
    "orr r1, r1, #0xf00000",
    "str r1, [r0]",
    "dsb",
    "isb",
    "bl {run}",
    len = const STACK_LEN,
    run = sym run,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".section .start, \"ax\"",
    ".global _start",
    "_start:",
    "adrp x0, STACK",
    "add x0, x0, :lo12:STACK",
    "add sp, x0, {len}",
    "mrs x0, cpacr_el1",
    "orr x0, x0, #0x300000",
    "msr cpacr_el1, x0",
    "isb",
    "bl {run}",
    len = const STACK_LEN,
    run = sym run,
);

extern "C" fn run() -> ! {
    exit(crate::run(&Host, print).is_err().into())
}

/// Randomness from the machine that qemu runs on. A board would ask its own generator.
struct Host;

impl RandomSource for Host {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        const OPEN: usize = 0x01;
        const CLOSE: usize = 0x02;
        const READ: usize = 0x06;
        const BINARY: usize = 1;
        let path = c"/dev/urandom";
        // SAFETY: the path has this length, and a zero behind it.
        let file = unsafe { call(OPEN, &[path.as_ptr() as usize, BINARY, path.count_bytes()]) };
        // SAFETY: the host writes into `bytes`, and no further.
        let left = unsafe { call(READ, &[file, bytes.as_mut_ptr() as usize, bytes.len()]) };
        // SAFETY: it takes a number.
        unsafe { call(CLOSE, &[file]) };
        if left == 0 { Ok(()) } else { Err(RandomError::new()) }
    }
}

fn print(text: &str) {
    const WRITE_CHARACTER: usize = 0x03;
    for byte in text.bytes() {
        // SAFETY: the first byte of the block is the character.
        unsafe { call(WRITE_CHARACTER, &[usize::from(byte)]) };
    }
}

fn exit(code: usize) -> ! {
    const EXIT_EXTENDED: usize = 0x20;
    const APPLICATION_EXIT: usize = 0x20026;
    loop {
        // SAFETY: nothing comes after it.
        unsafe { call(EXIT_EXTENDED, &[APPLICATION_EXIT, code]) };
    }
}

/// # Safety
/// `block` must be what the operation expects.
unsafe fn call(operation: usize, block: &[usize]) -> usize {
    let result;
    #[cfg(target_arch = "arm")]
    // SAFETY: the host changes r0, and memory only as the block says.
    unsafe {
        asm!("bkpt #0xab", inlateout("r0") operation => result, in("r1") block.as_ptr(), options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the host changes x0, and memory only as the block says.
    unsafe {
        asm!("hlt #0xf000", inlateout("x0") operation => result, in("x1") block.as_ptr(), options(nostack));
    }
    result
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    print("panicked\n");
    exit(101)
}
