//! No bytes on a connection make the server of the key management service panic or wait for ever, and no request is
//! answered that nobody signed.
#![no_main]

#[path = "shared/gateway.rs"]
mod gateway;

use gateway::{SIGNER, World, answers};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static WORLD: World = World::new();
}

/// What a request can have where it should not.
const PIECES: [&str; 16] = [
    "\r\n",
    "\r\n\r\n",
    "content-length: 0\r\n",
    "content-length: 49\r\n",
    "transfer-encoding: chunked\r\n",
    "0\r\n\r\n",
    "connection: close\r\n",
    "expect: 100-continue\r\n",
    "x-objseal-principal: arn:aws:iam::000000000000:root\r\n",
    "x-amz-target: TrentService.DisableKey\r\n",
    "x-amz-security-token: a\r\n",
    "?X-Amz-Signature=0",
    "HTTP/1.0",
    "POST / HTTP/1.1\r\n",
    ", ",
    "%",
];

/// A request with changes, each of four bytes: where, what, and with what.
fn changed(request: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = request.to_vec();
    for change in changes.chunks_exact(4).take(16) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (bytes.len() + 1);
        match change[2] % 5 {
            0 if at < bytes.len() => bytes[at] ^= change[3],
            1 => bytes.insert(at, change[3]),
            2 => drop(bytes.drain(at..(at + usize::from(change[3])).min(bytes.len()))),
            3 => drop(bytes.splice(at..at, PIECES[usize::from(change[3]) % PIECES.len()].bytes())),
            _ => bytes.extend_from_slice(request),
        }
    }
    bytes
}

/// With the time of now for `@date` and `@day`: such a request is refused for its signature alone.
fn today(input: &[u8]) -> Vec<u8> {
    let signed = String::from_utf8(SIGNER.post("ListKeys", b"")).expect("a text");
    let date = signed.split_once("x-amz-date: ").expect("a date").1[..16].to_owned();
    let mut bytes = input.to_vec();
    for (name, is) in [("@date", &date[..]), ("@day", &date[..8])] {
        while let Some(at) = bytes.windows(name.len()).position(|window| window == name.as_bytes()) {
            bytes.splice(at..at + name.len(), is.bytes());
        }
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    WORLD.with(|world| match input.split_first() {
        // A signed request, changed: what is answered is what was signed.
        Some((0, changes)) => {
            let body = format!(r#"{{"KeyId":"{}"}}"#, world.there[0].1);
            let request = SIGNER.post("DescribeKey", body.as_bytes());
            let answer = world.exchange(changed(&request, changes));
            for (status, body) in answers(&answer) {
                assert!([200, 400, 404, 408, 413, 414, 431].contains(&status), "{status}");
                let body = String::from_utf8_lossy(body);
                assert!(status != 200 || body.contains("KeyMetadata") && body.contains(&world.there[0].1), "{body}");
            }
        }
        _ => {
            let answer = world.exchange(today(input));
            for (status, _) in answers(&answer) {
                assert!([400, 404, 408, 413, 414, 431].contains(&status), "{status}");
            }
        }
    });
});
