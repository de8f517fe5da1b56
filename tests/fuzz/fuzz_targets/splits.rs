//! A message that was changed opens piece by piece as it does whole, whatever the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal::Key;
use objseal::cobblestone::Cobblestone;
use std::io::Write;
use std::sync::LazyLock;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::from_bytes(&[7; 32]));
static MESSAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let plain: Vec<u8> = (0..40_000).map(|i| (i % 251) as u8).collect();
    Cobblestone::new(&KEY, b"fuzz").seal(&plain).expect("random bytes")
});

fuzz_target!(|data: &[u8]| {
    let Some((&[change, high, low], pieces)) = data.split_first_chunk() else { return };
    let mut message = MESSAGE.clone();
    let at = usize::from(u16::from_be_bytes([high, low])) % message.len();
    match change & 3 {
        0 => {}
        1 => message[at] ^= (change >> 2) | 1,
        2 => message.truncate(at),
        _ => message.insert(at, change),
    }
    let cobblestone = Cobblestone::new(&KEY, b"fuzz");
    let whole = cobblestone.open(&message);
    assert_eq!(whole.is_ok(), message == *MESSAGE);

    let mut opener = cobblestone.open_writer(Vec::new());
    let mut rest = &message[..];
    let mut refused = false;
    for piece in pieces.iter().map(|&byte| usize::from(byte) * 97).chain([usize::MAX]) {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        refused = refused || opener.write_all(now).is_err();
    }
    let finished = opener.finish();
    match whole {
        Ok(plain) => assert!(!refused && finished.is_ok_and(|opened| opened == plain)),
        Err(_) => assert!(refused || finished.is_err()),
    }
});
