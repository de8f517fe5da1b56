//! The server of a key management service in memory, at the other end of a stream.
//! The clock stands still but when all wait.

#[path = "../../../../gateway/tests/shared/credentials.rs"]
mod credentials;
#[path = "../../../../gateway/tests/shared/signer.rs"]
mod signer;

use objseal_gateway::http::{Bounds, Server};
use objseal_gateway::kms::{KmsService, Options};
use objseal_kms::kms::{Call, Kms, Origin, Principal, block_on};
use objseal_kms::local::{LocalKms, NewGrant, NewKey, Owner};
use signer::Signer;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) const SIGNER: Signer<'static> =
    Signer { access_key_id: "KEYOFTHEROOTUSER", secret: "a secret of the tests" };
const CREDENTIALS: &str = r#"{"credentials": [{"access_key_id": "KEYOFTHEROOTUSER",
    "secret_access_key": "a secret of the tests", "principal": "arn:aws:iam::000000000000:root"}]}"#;

pub(crate) struct World {
    runtime: Runtime,
    service: Arc<KmsService>,
    /// What there is, by the name that inputs have for it; a key first.
    pub(crate) there: [(&'static str, String); 4],
}

impl World {
    pub(crate) fn new() -> Self {
        let kms = LocalKms::in_memory(&Owner::default(), Default::default()).expect("made");
        let root = Call::of(Arc::new(Principal::root_of("000000000000")));
        let key = kms.create_key(&root, NewKey::default()).expect("created").key_id;
        let mut new = NewKey::default();
        new.origin = Origin::External;
        let external = kms.create_key(&root, new).expect("created").key_id;
        let grant = NewGrant::to("arn:aws:iam::000000000000:user/grantee", ["Decrypt"]);
        let grant = kms.create_grant(&root, &key, grant).expect("granted");
        kms.create_alias(&root, "alias/a", &key).expect("made");
        let blob = block_on(kms.encrypt(&root, &key, b"plain")).expect("encrypted").blob;
        let options = Options { rate: u32::MAX, tells_refusals: false, ..Options::default() };
        let service = Arc::new(KmsService::new(Arc::new(kms), credentials::credentials(CREDENTIALS), options));
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let there = [("@key", key), ("@external", external), ("@grant", grant), ("@blob", base64(&blob))];
        Self { runtime, service, there }
    }

    /// What is answered to these bytes until the server ends the connection, which it does.
    pub(crate) fn exchange(&self, bytes: Vec<u8>) -> Vec<u8> {
        let bounds = Bounds::default();
        let (ours, theirs) = duplex(1 << 16);
        let (_stop, stopped) = watch::channel(false);
        let serve = Server::serve_stream(theirs, ([127, 0, 0, 1], 1).into(), self.service.clone(), bounds, stopped);
        let (mut reader, mut writer) = split(ours);
        let mut answer = Vec::new();
        self.runtime.block_on(async {
            // It may not be read to its end. That the client says no more is not the end: the stream stays open.
            let write = async { drop(writer.write_all(&bytes).await) };
            let read = async { tokio::join!(serve, write, reader.read_to_end(&mut answer)).2 };
            timeout(2 * bounds.lifetime, read).await.expect("it ends").expect("read");
        });
        answer
    }
}

/// The answers that these bytes are, and nothing else: status and body. That a body may come (100) is no answer.
pub(crate) fn answers(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    let begins = |bytes: &[u8]| bytes.is_empty() || bytes.starts_with(b"HTTP/1.");
    while !bytes.is_empty() {
        assert!(begins(bytes));
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let head = std::str::from_utf8(&bytes[..end]).expect("a text");
        let status = head[9..12].parse().expect("a status");
        let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let len: usize = line.map_or(0, |len| len.parse().expect("a length"));
        // An answer to HEAD has the length of a body, and none.
        let rest = &bytes[end..];
        let len = if rest.get(len..).is_some_and(begins) { len } else { 0 };
        let (body, rest) = rest.split_at(len);
        if status != 100 {
            found.push((status, body));
        }
        bytes = rest;
    }
    found
}

fn base64(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let of_three = |three: &[u8]| -> String {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or_default()));
        let letter = |at: usize| if at <= three.len() { char::from(letters[bits >> (18 - 6 * at) & 63]) } else { '=' };
        (0..4).map(letter).collect()
    };
    bytes.chunks(3).map(of_three).collect()
}
