//! NIST's CAVP vectors for AES-256-GCM with 96-bit IVs and 128-bit tags, on every backend.

use objseal::Error;
use objseal::hazmat::Aes256Gcm;
use objseal_tests::{backends, report};
use std::collections::HashMap;

#[test]
fn decrypt() {
    let cases = cases(include_str!("../../vectors/cavp/gcmDecrypt256.rsp"));
    assert_eq!(cases.len(), 375);
    assert_eq!(cases.iter().filter(|case| case.contains_key("FAIL")).count(), 191);
    for backend in backends() {
        for case in &cases {
            let gcm = Aes256Gcm::new(backend, &array(case, "Key"), 0).expect("available");
            let mut data = bytes(case, "CT");
            let opened = gcm.open_in_place(&array(case, "IV"), &bytes(case, "AAD"), &mut data, &array(case, "Tag"));
            if case.contains_key("FAIL") {
                assert_eq!(opened, Err(Error::Authentication), "{case:?}");
                assert!(data.iter().all(|&byte| byte == 0), "{case:?}");
            } else {
                assert_eq!(opened, Ok(()), "{case:?}");
                assert_eq!(data, bytes(case, "PT"), "{case:?}");
            }
        }
        report("cavp gcmDecrypt256", backend, "375 of 375");
    }
}

#[test]
fn encrypt() {
    let cases = cases(include_str!("../../vectors/cavp/gcmEncryptExtIV256.rsp"));
    assert_eq!(cases.len(), 375);
    for backend in backends() {
        for case in &cases {
            let gcm = Aes256Gcm::new(backend, &array(case, "Key"), 0).expect("available");
            let mut data = bytes(case, "PT");
            let tag = gcm.seal_in_place(&array(case, "IV"), &bytes(case, "AAD"), &mut data);
            assert_eq!(tag, Ok(array(case, "Tag")), "{case:?}");
            assert_eq!(data, bytes(case, "CT"), "{case:?}");
        }
        report("cavp gcmEncryptExtIV256", backend, "375 of 375");
    }
}

type Case<'t> = HashMap<&'t str, &'t str>;

/// A case begins with its `Count`; its other lines are `NAME = HEX`, or `FAIL`.
fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(['#', '['])) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        match (name.trim(), cases.last_mut()) {
            ("", _) => {}
            ("Count", _) => cases.push(Case::new()),
            (name, Some(case)) => {
                case.insert(name, value.trim());
            }
            (name, None) => panic!("{name} before the first case"),
        }
    }
    cases
}

fn bytes(case: &Case<'_>, name: &str) -> Vec<u8> {
    let hex = case[name];
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal")).collect()
}

fn array<const N: usize>(case: &Case<'_>, name: &str) -> [u8; N] {
    bytes(case, name).try_into().expect("the right length")
}
