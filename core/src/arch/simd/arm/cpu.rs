//! What this CPU and operating system support.
//!
//! An ARMv8 program cannot ask the CPU itself: the identification registers belong to the operating system, which says
//! what it found in the auxiliary vector (Linux) or in calls of its own. What the program was compiled for counts
//! always; that is all there is on bare metal (`-C target-feature=+aes`), and all that is needed on macOS and iOS, where
//! the target includes what every such device has.

/// One bit per feature name that a backend may ask for.
pub(super) const fn bit(feature: &str) -> u32 {
    match feature.as_bytes() {
        b"neon" => 1 << 0,
        b"aes" => 1 << 1,
        b"sha3" => 1 << 2,
        _ => panic!("a backend asks for a CPU feature that cpu.rs does not know"),
    }
}

/// Whether every feature in `wanted` (a union of [`bit`]s) can be used.
pub(super) fn has_all(wanted: u32) -> bool {
    (compiled_in() | ask()) & wanted == wanted
}

const fn compiled_in() -> u32 {
    // The kernels are compiled only where NEON is.
    let mut features = bit("neon");
    if cfg!(target_feature = "aes") {
        features |= bit("aes");
    }
    if cfg!(target_feature = "sha3") {
        features |= bit("sha3");
    }
    features
}

/// The auxiliary vector has what the CPU has and the kernel knows of. The C library keeps it; no system call is made.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn ask() -> u32 {
    // SAFETY: reads memory that does not change.
    let found = unsafe { libc::getauxval(libc::AT_HWCAP) };
    let mut features = 0;
    // The compiler's `aes` means both of these, and its `sha3` SHA-512 too.
    if found & (libc::HWCAP_AES | libc::HWCAP_PMULL) == libc::HWCAP_AES | libc::HWCAP_PMULL {
        features |= bit("aes");
    }
    if found & (libc::HWCAP_SHA3 | libc::HWCAP_SHA512) == libc::HWCAP_SHA3 | libc::HWCAP_SHA512 {
        features |= bit("sha3");
    }
    features
}

/// The standard library knows the calls of Windows and the BSDs.
#[cfg(all(feature = "std", not(any(target_os = "linux", target_os = "android"))))]
fn ask() -> u32 {
    let mut features = 0;
    if std::arch::is_aarch64_feature_detected!("aes") {
        features |= bit("aes");
    }
    if std::arch::is_aarch64_feature_detected!("sha3") {
        features |= bit("sha3");
    }
    features
}

#[cfg(not(any(feature = "std", target_os = "linux", target_os = "android")))]
fn ask() -> u32 {
    0
}
