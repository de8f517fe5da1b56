//! Whatever parses as a head has this one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal::envelope::Head;
use objseal::hazmat::encode_head;

fuzz_target!(|stored: &[u8]| {
    if let Ok(head) = Head::parse(stored) {
        let encoded = encode_head(head.unverified()).expect("it fitted before");
        assert!(encoded == stored[..stored.len() - 32]);
    }
});
