//! What this CPU and operating system support.
//!
//! An ARMv8 program cannot ask the CPU itself: the identification registers belong to the operating system, which says
//! what it found in the auxiliary vector (Linux) or in calls of its own. What the program was compiled for counts
//! always: that is all there is on bare metal (`-C target-feature=+aes`), and all that is needed on macOS, whose target
//! includes what every such CPU has. The target for iOS includes AES; for more, and on Windows and the BSDs, the standard
//! library asks.

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
    // What the compiler means by the two: its `aes` is PMULL too, its `sha3` the other SHA instructions too.
    const AES: libc::c_ulong = libc::HWCAP_AES | libc::HWCAP_PMULL;
    const SHA3: libc::c_ulong = libc::HWCAP_SHA3 | libc::HWCAP_SHA512 | libc::HWCAP_SHA2 | libc::HWCAP_SHA1;
    if found & AES == AES {
        features |= bit("aes");
    }
    if found & SHA3 == SHA3 {
        features |= bit("sha3");
    }
    features
}

/// The standard library knows the calls of the other systems.
#[cfg(all(feature = "std", not(any(target_os = "linux", target_os = "android"))))]
fn ask() -> u32 {
    let mut features = 0;
    if std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull") {
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
