//! Messages exchanged with another implementation: Cobblestone-256 of PyCA's `cryptography`.

use objseal::cobblestone::{Cobblestone, Threads};
use objseal::{Error, Key};
use objseal_tests::{Python, engines, pattern, report};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

const SIZES: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 1 << 20, 100 << 20];
const KEY: [u8; 32] = *b"a key that is known to everybody";
const CONTEXT: &[u8] = "bucket/\u{fc}ber".as_bytes();

fn peer(args: &[&str]) -> (Option<i32>, String) {
    Python::find().run("tests/pyca/peer.py", args)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn messages_go_both_ways() {
    let (_, version) = peer(&["version"]);
    let major = version.split('.').next().and_then(|major| major.parse().ok());
    assert!(major.is_some_and(|major: u32| major >= 50), "PyCA cryptography {version}: 50 or later is needed");

    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let ask = |what, from: &Path, to: &Path| peer(&[what, &hex(&KEY), &hex(CONTEXT), &text(from), &text(to)]);
    let key = Key::from_bytes(&KEY);
    let cobblestone = Cobblestone::new(&key, CONTEXT);
    let threads = Threads(NonZeroUsize::new(2).expect("2"));

    let (mut to_peer, mut from_peer) = (0, 0);
    for size in SIZES {
        let plaintext = pattern(size);
        fs::write(file("plain"), &plaintext).expect("written");

        // Ours, as it would be for a large object: on several threads, or in one call.
        let mut ours = Vec::new();
        cobblestone.seal_stream(&plaintext[..], &mut ours, &threads).expect("sealed");
        for message in [ours, cobblestone.seal(&plaintext).expect("room")] {
            fs::write(file("ours"), message).expect("written");
            assert_eq!(ask("open", &file("ours"), &file("opened")), (Some(0), String::new()), "{size} bytes");
            assert!(fs::read(file("opened")).expect("read") == plaintext, "{size} bytes");
            to_peer += 1;
        }

        assert_eq!(ask("seal", &file("plain"), &file("theirs")), (Some(0), String::new()), "{size} bytes");
        let theirs = fs::read(file("theirs")).expect("read");
        for engine in engines() {
            let cobblestone = cobblestone.with_engine(engine).expect("available");
            assert!(cobblestone.open(&theirs).expect("authentic") == plaintext, "{size} bytes, {engine}");
            from_peer += 1;
        }
    }

    // Both refuse a changed message, and each other's under another context.
    let mut message = cobblestone.seal(&pattern(50_000)).expect("room");
    message[40_000] ^= 1;
    fs::write(file("changed"), &message).expect("written");
    assert_eq!(ask("open", &file("changed"), &file("opened")).0, Some(3));
    let theirs = fs::read(file("theirs")).expect("read");
    assert_eq!(Cobblestone::new(&key, b"other").open(&theirs), Err(Error::Authentication));

    println!("pyca: cryptography {version}: {to_peer} messages to it, {from_peer} openings of its messages, 2 refused");
    for engine in engines() {
        report("pyca", engine, format!("{} sizes", SIZES.len()));
    }
}
