//! What this CPU and operating system support, asked without the standard library.
//!
//! A register file is usable only when the operating system saves it on a context switch, which XCR0 tells (Intel SDM
//! volume 1, section 13.3). Each instruction set is checked against the registers that the kernel written for it uses:
//! VAES on 256-bit registers needs no AVX-512 state, as on CPUs that have VAES and no AVX-512.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv, CpuidResult};
use core::sync::atomic::{AtomicU32, Ordering};

/// XCR0 bits 1 and 2: SSE and AVX state.
const XCR0_YMM: u64 = 0b110;
/// XCR0 bits 1, 2, 5, 6 and 7: SSE, AVX, opmask, upper halves of zmm0-15, and zmm16-31.
const XCR0_ZMM: u64 = 0b1110_0110;

/// One bit per feature name that a backend may ask for.
pub(super) const fn bit(feature: &str) -> u32 {
    match feature.as_bytes() {
        b"sse2" => 1 << 0,
        b"sse3" => 1 << 1,
        b"ssse3" => 1 << 2,
        b"sse4.1" => 1 << 3,
        b"sse4.2" => 1 << 4,
        b"aes" => 1 << 5,
        b"pclmulqdq" => 1 << 6,
        b"avx" => 1 << 7,
        b"avx2" => 1 << 8,
        b"vaes" => 1 << 9,
        b"vpclmulqdq" => 1 << 10,
        b"fma" => 1 << 11,
        b"f16c" => 1 << 12,
        b"avx512f" => 1 << 13,
        b"avx512bw" => 1 << 14,
        b"avx512vl" => 1 << 15,
        _ => panic!("a backend asks for a CPU feature that cpu.rs does not know"),
    }
}

/// Set in the cache once the CPU has been asked; no feature uses it.
const ASKED: u32 = 1 << 31;
static CACHE: AtomicU32 = AtomicU32::new(0);

/// Whether every feature in `wanted` (a union of [`bit`]s) can be used.
pub(super) fn has_all(wanted: u32) -> bool {
    // CPUID traps in virtual machines and costs microseconds there, so it is asked once. Two threads that ask at the
    // same time store the same answer.
    let mut features = CACHE.load(Ordering::Relaxed);
    if features == 0 {
        features = ask() | ASKED;
        CACHE.store(features, Ordering::Relaxed);
    }
    features & wanted == wanted
}

/// Freestanding, UEFI and SGX programs may run where vector state is not saved or CPUID is forbidden: they have the
/// portable backend.
#[cfg(any(target_os = "none", target_os = "uefi", target_env = "sgx"))]
fn ask() -> u32 {
    0
}

#[cfg(not(any(target_os = "none", target_os = "uefi", target_env = "sgx")))]
fn ask() -> u32 {
    let none = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    // SAFETY: every x86-64 CPU has CPUID, and where it is forbidden this function is not compiled.
    // Newer compilers know that and call it safe.
    #[allow(unused_unsafe)]
    let (leaf1, leaf7) = unsafe {
        // A leaf above the highest one returns the data of another leaf on some CPUs.
        let highest = __cpuid(0).eax;
        let leaf1 = if highest >= 1 { __cpuid(1) } else { none };
        (leaf1, if highest >= 7 { __cpuid_count(7, 0) } else { none })
    };
    let set = |register: u32, bit: u32| register & (1 << bit) != 0;

    let xsave_enabled = set(leaf1.ecx, 26) && set(leaf1.ecx, 27);
    let xcr0 = if xsave_enabled {
        // SAFETY: CPUID.1:ECX.OSXSAVE (bit 27) is set, so XGETBV exists and the operating system enabled it.
        unsafe { _xgetbv(0) }
    } else {
        0
    };
    let ymm = xcr0 & XCR0_YMM == XCR0_YMM;
    let zmm = xcr0 & XCR0_ZMM == XCR0_ZMM;

    let present = [
        ("sse2", set(leaf1.edx, 26)),
        ("sse3", set(leaf1.ecx, 0)),
        ("ssse3", set(leaf1.ecx, 9)),
        ("sse4.1", set(leaf1.ecx, 19)),
        ("sse4.2", set(leaf1.ecx, 20)),
        ("aes", set(leaf1.ecx, 25)),
        ("pclmulqdq", set(leaf1.ecx, 1)),
        ("avx", ymm && set(leaf1.ecx, 28)),
        ("avx2", ymm && set(leaf7.ebx, 5)),
        ("vaes", ymm && set(leaf7.ecx, 9)),
        ("vpclmulqdq", ymm && set(leaf7.ecx, 10)),
        ("fma", ymm && set(leaf1.ecx, 12)),
        ("f16c", ymm && set(leaf1.ecx, 29)),
        ("avx512f", zmm && set(leaf7.ebx, 16)),
        ("avx512bw", zmm && set(leaf7.ebx, 30)),
        ("avx512vl", zmm && set(leaf7.ebx, 31)),
    ];
    let mut features = 0;
    for (name, usable) in present {
        if usable {
            features |= bit(name);
        }
    }
    features
}
