//! A message, or a body in two layers, that was changed opens piece by piece as it does whole, whatever the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal::cobblestone::Cobblestone;
use objseal::envelope::{Envelope, SealOptions, WrappingKey};
use objseal::{Key, Push};
use std::io::Write;
use std::sync::{Arc, LazyLock};

static KEY: LazyLock<Key> = LazyLock::new(|| Key::from_bytes(&[7; 32]));
static MESSAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let plain: Vec<u8> = (0..40_000).map(|i| (i % 251) as u8).collect();
    Cobblestone::new(&KEY, b"fuzz").seal(&plain).expect("random bytes")
});

static LAYERED: LazyLock<(Envelope, Vec<u8>)> = LazyLock::new(|| {
    let key = Arc::new(WrappingKey::from_key(Key::from_bytes(&[7; 32])));
    let (envelope, body) = SealOptions::new(key.clone()).with_outer_key(key).start().expect("sealed");
    (envelope, body.seal(&(0..40_000).map(|i| (i % 251) as u8).collect::<Vec<_>>()).expect("sealed"))
});

fuzz_target!(|data: &[u8]| {
    let Some((&[change, high, low], pieces)) = data.split_first_chunk() else { return };
    let right = if change & 0x80 == 0 { &*MESSAGE } else { &LAYERED.1 };
    let mut message = right.clone();
    let at = usize::from(u16::from_be_bytes([high, low])) % message.len();
    match change & 3 {
        0 => {}
        1 => message[at] ^= (change >> 2) | 1,
        2 => message.truncate(at),
        _ => message.insert(at, change),
    }
    if change & 0x80 != 0 {
        return layered(&message, message == *right, pieces);
    }
    let cobblestone = Cobblestone::new(&KEY, b"fuzz");
    let whole = cobblestone.open(&message);
    assert_eq!(whole.is_ok(), message == *right);

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

fn layered(stored: &[u8], unchanged: bool, pieces: &[u8]) {
    let body = LAYERED.0.body().expect("one body");
    let whole = body.open(stored);
    assert_eq!(whole.is_ok(), unchanged);
    let (mut opener, mut opened, mut rest, mut refused) = (body.opener(), Vec::new(), stored, false);
    for piece in pieces.iter().map(|&byte| usize::from(byte) * 97).chain([usize::MAX]) {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        refused = refused || opener.update_vec(now, &mut opened).is_err();
    }
    let finished = opener.finish_vec(&mut opened);
    match whole {
        Ok(plain) => assert!(!refused && finished.is_ok() && opened == plain),
        Err(_) => assert!(finished.is_err()),
    }
}
