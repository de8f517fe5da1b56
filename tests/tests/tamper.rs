//! A hostile store: each test is one thing it can do to a stored message. Every way of opening must refuse, with the one
//! opaque error, and give out nothing (a stream: nothing but the authentic beginning).

use objseal::cobblestone::{
    CHUNK_LEN, Cobblestone, HEADER_LEN, SALT_LEN, SEALED_CHUNK_LEN, TAG_LEN, Threads, plaintext_len,
};
use objseal::{Engine, Error, Key};
use objseal_tests::{engines, pattern, report};
use std::io;
use std::num::NonZeroUsize;

const CONTEXT: &[u8] = b"bucket/object";
/// Five whole chunks and a tail.
const LEN: usize = 5 * CHUNK_LEN + 777;

fn key() -> Key {
    Key::from_bytes(&[0x42; 32])
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    Cobblestone::new(&key(), CONTEXT).seal(plaintext).expect("random bytes")
}

/// Opens `message` in every way, on every engine, and demands that each refuses for the right reason.
fn refused(name: &str, message: &[u8], key: &Key, context: &[u8]) {
    let plaintext = pattern(LEN);
    for engine in engines() {
        let cobblestone = Cobblestone::new(key, context).with_engine(engine).expect("available");
        refused_at_once(name, message, &cobblestone);
        refused_by_streams(name, message, &plaintext, &cobblestone, engine);
        // Random access reads the end first; what it does not read, it cannot refuse before it is asked for.
        let ranges = cobblestone.open_at(message).and_then(|stored| stored.open_range(0..stored.len()));
        authentication(name, ranges.expect_err(name));
    }
}

fn refused_at_once(name: &str, message: &[u8], cobblestone: &Cobblestone<'_>) {
    let room = plaintext_len(message.len() as u64).unwrap_or(64);
    let mut out = vec![0xEE; usize::try_from(room).expect("small")];
    assert_eq!(cobblestone.open(message), Err(Error::Authentication), "{name}");
    assert_eq!(cobblestone.open_into(message, &mut out), Err(Error::Authentication), "{name}");
    nothing_in(name, &out);
    out.fill(0xEE);
    let threads = Threads(NonZeroUsize::new(2).expect("2"));
    assert_eq!(cobblestone.open_parallel(&threads, message, &mut out), Err(Error::Authentication), "{name}");
    nothing_in(name, &out);
}

/// What the buffer held before must be gone too, lest it pass for plaintext.
fn nothing_in(name: &str, out: &[u8]) {
    assert!(out.iter().all(|&byte| byte == 0), "{name}: something was left or given out");
}

fn refused_by_streams(name: &str, message: &[u8], plaintext: &[u8], cobblestone: &Cobblestone<'_>, engine: Engine) {
    for piece_len in [1000, SEALED_CHUNK_LEN, message.len().max(1)] {
        let mut opener = cobblestone.opener();
        let mut released = Vec::new();
        let mut failed = false;
        for piece in message.chunks(piece_len) {
            let mut out = vec![0xEE; opener.update_len(piece.len())];
            match opener.update(piece, &mut out) {
                Ok(len) => released.extend_from_slice(&out[..len]),
                Err(error) => {
                    assert_eq!(error, Error::Authentication, "{name}");
                    assert!(out.iter().all(|&byte| byte == 0), "{name}: something was given out");
                    failed = true;
                    // And it stays so.
                    assert_eq!(opener.update(b"more", &mut [0; 64]), Err(Error::Authentication), "{name}");
                    break;
                }
            }
        }
        let mut out = vec![0xEE; opener.finish_len()];
        assert_eq!(opener.finish(&mut out), Err(Error::Authentication), "{name}");
        assert!(failed || out.iter().all(|&byte| byte == 0), "{name}: something was given out");
        assert!(plaintext.starts_with(&released), "{name}: gave out what is not the beginning, {engine}");
    }
    for threads in 1..=2 {
        let mut released = Vec::new();
        let threads = Threads(NonZeroUsize::new(threads).expect("not 0"));
        authentication(name, cobblestone.open_stream(message, &mut released, &threads).expect_err(name));
        assert!(plaintext.starts_with(&released), "{name}: gave out what is not the beginning, {engine}");
    }
    let mut released = Vec::new();
    authentication(name, io::copy(&mut cobblestone.open_reader(message), &mut released).expect_err(name));
    assert!(plaintext.starts_with(&released), "{name}: gave out what is not the beginning, {engine}");
}

fn authentication(name: &str, error: io::Error) {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    assert_eq!(inner, Some(&Error::Authentication), "{name}: {error}");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}");
}

fn hostile(name: &str, change: impl Fn(&mut Vec<u8>)) {
    hostile_many(name, [change]);
}

fn hostile_many(name: &str, changes: impl IntoIterator<Item = impl Fn(&mut Vec<u8>)>) {
    let message = sealed(&pattern(LEN));
    let mut count = 0;
    for change in changes {
        let mut changed = message.clone();
        change(&mut changed);
        assert!(changed != message, "{name}: nothing was changed");
        refused(&format!("{name} #{count}"), &changed, &key(), CONTEXT);
        count += 1;
    }
    for engine in engines() {
        report(name, engine, format!("{count} refused"));
    }
}

/// Where chunk `i` begins.
fn chunk(i: usize) -> usize {
    HEADER_LEN + i * SEALED_CHUNK_LEN
}

fn flip(at: usize) -> impl Fn(&mut Vec<u8>) {
    move |message| message[at] ^= 1
}

#[test]
fn the_message_itself_opens() {
    let message = sealed(&pattern(LEN));
    for engine in engines() {
        let key = key();
        let cobblestone = Cobblestone::new(&key, CONTEXT).with_engine(engine).expect("available");
        assert!(cobblestone.open(&message).expect("authentic") == pattern(LEN));
    }
}

#[test]
fn salt_changed() {
    hostile_many("salt changed", (0..SALT_LEN).map(flip));
}

#[test]
fn commitment_changed() {
    hostile_many("commitment changed", (SALT_LEN..HEADER_LEN).map(flip));
}

#[test]
fn first_byte_of_a_chunk_changed() {
    hostile_many("first byte of a chunk changed", (0..6).map(|i| flip(chunk(i))));
}

#[test]
fn last_byte_of_a_chunk_changed() {
    hostile_many(
        "last byte of a chunk changed",
        (0..5).map(|i| chunk(i) + CHUNK_LEN - 1).chain([chunk(5) + 776]).map(flip),
    );
}

#[test]
fn tag_changed() {
    let of_whole_chunks = (0..5).flat_map(|i| [chunk(i) + CHUNK_LEN, chunk(i + 1) - 1]);
    let of_last_chunk = (0..TAG_LEN).map(|i| chunk(5) + 777 + i);
    hostile_many("tag changed", of_whole_chunks.chain(of_last_chunk).map(flip));
}

#[test]
fn chunks_swapped() {
    let pairs = [(0, 1), (1, 3), (3, 4)];
    hostile_many(
        "chunks swapped",
        pairs.map(|(a, b)| {
            move |message: &mut Vec<u8>| {
                let (head, tail) = message.split_at_mut(chunk(b));
                head[chunk(a)..][..SEALED_CHUNK_LEN].swap_with_slice(&mut tail[..SEALED_CHUNK_LEN]);
            }
        }),
    );
}

#[test]
fn chunk_repeated() {
    hostile_many(
        "chunk repeated",
        (0..5).map(|i| {
            move |message: &mut Vec<u8>| {
                let again = message[chunk(i)..chunk(i + 1)].to_vec();
                message.splice(chunk(i)..chunk(i), again);
            }
        }),
    );
}

#[test]
fn chunk_dropped() {
    hostile_many(
        "chunk dropped",
        (0..5).map(|i| {
            move |message: &mut Vec<u8>| {
                message.drain(chunk(i)..chunk(i + 1));
            }
        }),
    );
}

#[test]
fn truncated() {
    let end = chunk(5) + 777 + TAG_LEN;
    let around = (0..=5).flat_map(|i| [-17, -16, -15, -1, 0, 1, 15, 16, 17].map(|d| chunk(i).wrapping_add_signed(d)));
    let to = [0, 1, 23, 24, 25, 55].into_iter().chain(around).chain([end - 17, end - 16, end - 15, end - 1]);
    hostile_many("truncated", to.map(|len| move |message: &mut Vec<u8>| message.truncate(len)));
}

#[test]
fn truncated_when_the_last_chunk_is_empty() {
    let message = sealed(&pattern(2 * CHUNK_LEN));
    for cut in [1, 15, 16, 17, 16 + SEALED_CHUNK_LEN] {
        refused("truncated, empty last chunk", &message[..message.len() - cut], &key(), CONTEXT);
    }
    let empty = sealed(b"");
    for len in 0..empty.len() {
        refused("empty message truncated", &empty[..len], &key(), CONTEXT);
    }
}

#[test]
fn extended() {
    hostile_many(
        "extended",
        [1, 15, 16, 17, SEALED_CHUNK_LEN]
            .map(|more| move |message: &mut Vec<u8>| message.resize(message.len() + more, 0)),
    );
    hostile("extended by its own last chunk", |message| message.extend_from_within(chunk(5)..));
    hostile("extended by its own first chunk", |message| message.extend_from_within(chunk(0)..chunk(1)));
}

#[test]
fn last_chunk_of_another_message() {
    let other = sealed(&pattern(LEN));
    hostile("last chunk of another message", |message| message[chunk(5)..].copy_from_slice(&other[chunk(5)..]));
}

#[test]
fn header_of_another_message() {
    let other = sealed(&pattern(LEN));
    hostile("header of another message", |message| message[..HEADER_LEN].copy_from_slice(&other[..HEADER_LEN]));
    hostile("salt of another message", |message| message[..SALT_LEN].copy_from_slice(&other[..SALT_LEN]));
}

#[test]
fn another_context() {
    let message = sealed(&pattern(LEN));
    for context in [&b""[..], b"bucket", b"bucket/object2", b"bucket/objecT", b"bucket/object\0"] {
        refused("another context", &message, &key(), context);
    }
}

#[test]
fn another_key() {
    let message = sealed(&pattern(LEN));
    let mut bytes = [0x42; 32];
    bytes[31] ^= 1;
    refused("another key", &message, &Key::from_bytes(&bytes), CONTEXT);
    refused("the zero key", &message, &Key::from_bytes(&[0; 32]), CONTEXT);
}

#[test]
fn not_a_message() {
    refused("zeros", &[0; 100], &key(), CONTEXT);
    refused("nothing", &[], &key(), CONTEXT);
}
