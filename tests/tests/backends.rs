//! Which backends this machine is said to have, checked against what others say.

use objseal::Backend;
use objseal_tests::{backends, report};

#[test]
fn detection_agrees_with_the_standard_library() {
    for &backend in Backend::ALL {
        assert_eq!(backend.is_available(), standard_library_says(backend), "{backend}");
    }
    assert!(Backend::detect().is_available());
    for backend in backends() {
        report("backends", backend, "available and under test");
    }
}

#[cfg(target_arch = "x86_64")]
fn standard_library_says(backend: Backend) -> bool {
    macro_rules! has {
        ($($feature:tt)+) => { $(std::arch::is_x86_feature_detected!($feature))&&+ };
    }
    let aes_ni = has!("aes" "pclmulqdq" "sse3" "ssse3" "sse4.1");
    let vaes_256 = aes_ni && has!("sse4.2" "vaes" "vpclmulqdq" "avx2");
    let vaes_512 = vaes_256 && has!("fma" "f16c" "avx512f" "avx512bw" "avx512vl");
    match backend {
        Backend::Soft => true,
        Backend::AesNi => aes_ni,
        Backend::Vaes256 => vaes_256,
        Backend::Vaes512 => vaes_512,
        _ => false,
    }
}

#[cfg(target_arch = "aarch64")]
fn standard_library_says(backend: Backend) -> bool {
    macro_rules! has {
        ($($feature:tt)+) => { $(std::arch::is_aarch64_feature_detected!($feature))&&+ };
    }
    let armv8 = has!("aes" "pmull");
    match backend {
        Backend::Soft => true,
        Backend::Armv8 => armv8,
        Backend::Armv8Sha3 => armv8 && has!("sha3"),
        _ => false,
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn standard_library_says(backend: Backend) -> bool {
    backend == Backend::Soft
}

/// `OBJSEAL_EXPECT_BACKENDS` is set by whoever knows the CPU: a list from its flags, or of an emulated one.
#[test]
fn detection_agrees_with_the_caller() {
    let found: Vec<_> = Backend::ALL.iter().filter(|backend| backend.is_available()).map(|b| b.name()).collect();
    println!("available: {}", found.join(","));
    if let Ok(expected) = std::env::var("OBJSEAL_EXPECT_BACKENDS") {
        assert_eq!(found.join(","), expected);
    }
}

#[test]
fn names_are_read_back() {
    for &backend in Backend::ALL {
        assert_eq!(backend.to_string().parse(), Ok(backend));
    }
    let unknown = "sse9".parse::<Backend>().unwrap_err().to_string();
    assert!(unknown.contains("vaes-512"), "{unknown}");
}
