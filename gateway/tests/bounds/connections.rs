//! Connections: how many there are, how long they may be silent, how they end, and how they are kept from others.

use crate::server::Running;
use crate::service::{describe, service};
use crate::wire::Wire;
use hyper::StatusCode;
use objseal_gateway::http::{Body, Bounds, Request, Response, Server, Service, Tls, TlsError};
use objseal_gateway::kms::Options;
use std::fs;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

const REQUEST: &str = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nbody";

/// Answers what it is asked, when it is told to.
struct Gate {
    begun: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new(open: usize) -> Arc<Self> {
        Arc::new(Self { begun: Semaphore::new(0), open: Semaphore::new(open) })
    }
}

impl Service for Gate {
    async fn answer(&self, request: Request) -> Response {
        self.begun.add_permits(1);
        self.open.acquire().await.expect("open").forget();
        Response::new(request.body.into())
    }

    fn refuse(&self, status: StatusCode, why: &str) -> Response {
        let mut response = Response::new(Body::new(why.as_bytes().to_vec().into()).into());
        *response.status_mut() = status;
        response
    }
}

async fn connect(running: &Running) -> Wire<TcpStream> {
    Wire::of(TcpStream::connect(running.address).await.expect("connected"))
}

#[tokio::test]
async fn who_is_too_much_waits_for_a_place() {
    let gate = Gate::new(Semaphore::MAX_PERMITS);
    let running = Running::start(gate, None, Bounds { connections: 2, ..Bounds::default() }).await;
    let (mut first, mut second) = (connect(&running).await, connect(&running).await);
    assert_eq!(first.ask(REQUEST).await.body, "body");
    assert_eq!(second.ask(REQUEST).await.body, "body");
    // The system takes the connection, and what is sent; nobody reads it.
    let mut third = connect(&running).await;
    third.send(REQUEST).await;
    for _ in 0..100 {
        assert_eq!(first.ask(REQUEST).await.body, "body");
        assert_eq!(second.ask(REQUEST).await.body, "body");
    }
    let waiting = tokio::spawn(async move { third.answer().await.expect("an answer").body });
    for _ in 0..100 {
        assert_eq!(first.ask(REQUEST).await.body, "body");
        assert!(!waiting.is_finished(), "there are more connections than places");
    }
    drop(second);
    assert_eq!(waiting.await.expect("no panic"), "body");
    assert_eq!(first.ask(REQUEST).await.body, "body");
}

#[tokio::test]
async fn what_was_begun_is_answered_when_the_server_ends() {
    let gate = Gate::new(1);
    let running = Running::start(gate.clone(), None, Bounds::default()).await;
    let (mut idle, mut busy) = (connect(&running).await, connect(&running).await);
    assert_eq!(idle.ask(REQUEST).await.body, "body");
    busy.send(REQUEST).await;
    gate.begun.acquire_many(2).await.expect("begun").forget();

    let address = running.address;
    let ended = running.stop();
    assert!(idle.answer().await.is_none(), "who asks nothing is let go");
    // Nobody new is let in.
    loop {
        match TcpStream::connect(address).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
            _ => yield_now().await,
        }
    }
    assert!(!ended.is_finished());
    gate.open.add_permits(1);
    let answer = busy.answer().await.expect("an answer");
    assert_eq!((&*answer.body, answer.closes()), ("body", true));
    assert!(busy.answer().await.is_none());
    ended.await.expect("ended");
}

/// A connection without a network, and what ends when it does. The clock stands still but when everybody waits.
fn talk(gate: &Arc<Gate>, bounds: Bounds) -> (Wire<DuplexStream>, JoinHandle<()>) {
    let (ours, theirs) = duplex(1 << 16);
    let (stop, stopped) = watch::channel(false);
    let from = SocketAddr::from(([127, 0, 0, 1], 1));
    let served = Server::serve_stream(theirs, from, Arc::clone(gate), bounds, stopped);
    let talking = async move {
        served.await;
        drop(stop);
    };
    (Wire::of(ours), tokio::spawn(talking))
}

/// The seconds that pass until this ends.
async fn seconds<T>(of: impl Future<Output = T>) -> (T, u64) {
    let start = Instant::now();
    let done = of.await;
    (done, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let (gate, bounds) = (Gate::new(Semaphore::MAX_PERMITS), Bounds::default());
    let patience = bounds.patience.as_secs();
    // Nothing, or half a head.
    for beginning in ["", &REQUEST[..20]] {
        let (mut wire, talk) = talk(&gate, bounds);
        wire.send(beginning).await;
        let (answers, waited) = seconds(wire.answers()).await;
        assert!(answers.is_empty() && waited == patience, "{beginning}: {answers:?}, {waited} s");
        talk.await.expect("no panic");
    }
    // Half a body, with a length or in chunks.
    for request in [&REQUEST[..REQUEST.len() - 1], "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nbod\r\n"]
    {
        let (mut wire, _talk) = talk(&gate, bounds);
        wire.send(request).await;
        let (answers, waited) = seconds(wire.answers()).await;
        assert_eq!((answers.len(), answers[0].status, answers[0].closes(), waited), (1, 408, true, patience));
    }
    // Silence after an answer.
    let (mut wire, _talk) = talk(&gate, bounds);
    assert_eq!(wire.ask(REQUEST).await.body, "body");
    let (answers, waited) = seconds(wire.answers()).await;
    assert!(answers.is_empty() && waited == patience, "{answers:?}, {waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_help() {
    let (gate, bounds) = (Gate::new(Semaphore::MAX_PERMITS), Bounds::default());
    let head = REQUEST.len() - 4;
    for (from, expected) in [(0, 0), (head, 408)] {
        let (ours, theirs) = duplex(1 << 16);
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(Server::serve_stream(theirs, ([127, 0, 0, 1], 1).into(), gate.clone(), bounds, stopped));
        let (reader, mut writer) = tokio::io::split(ours);
        tokio::spawn(async move {
            writer.write_all(&REQUEST.as_bytes()[..from]).await.expect("written");
            for byte in &REQUEST.as_bytes()[from..] {
                tokio::time::sleep(Duration::from_secs(7)).await;
                if writer.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        });
        let read = async {
            let (mut reader, mut bytes) = (reader, Vec::new());
            reader.read_to_end(&mut bytes).await.map(|_| bytes)
        };
        let (bytes, waited) = seconds(read).await;
        let answer = String::from_utf8(bytes.expect("read")).expect("a text");
        let status = answer.get(9..12).map_or(0, |status| status.parse().expect("a number"));
        assert_eq!((status, waited), (expected, bounds.patience.as_secs()));
    }
}

#[tokio::test(start_paused = true)]
async fn no_connection_is_used_for_ever() {
    let (gate, bounds) = (Gate::new(Semaphore::MAX_PERMITS), Bounds::default());
    let (mut wire, talk) = talk(&gate, bounds);
    let start = Instant::now();
    let mut answers = 0;
    loop {
        wire.send(REQUEST).await;
        if wire.answer().await.is_none() {
            break;
        }
        answers += 1;
        tokio::time::sleep(bounds.patience / 2).await;
    }
    talk.await.expect("no panic");
    let (lifetime, pause) = (bounds.lifetime.as_secs(), bounds.patience.as_secs() / 2);
    assert!((lifetime..=lifetime + pause).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert!((lifetime / pause..=lifetime / pause + 1).contains(&answers), "{answers} answers");
}

/// A certificate that was made, and a client that trusts it.
fn made(folder: &Path) -> (Tls, TlsConnector) {
    let tls = Tls::read_or_make(folder, &["localhost".into()]).expect("made");
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(Tls::ca_in(folder)).expect("a certificate");
    roots.add(ca).expect("added");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    (tls, TlsConnector::from(Arc::new(config)))
}

async fn connect_tls(running: &Running, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(running.address).await?;
    connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await
}

#[tokio::test]
async fn a_certificate_is_read_again_and_a_broken_one_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second, third] = ["first", "second", "third"].map(|name| folder.path().join(name));
    let ((tls, trusts_first), (_, trusts_second), _) = (made(&first), made(&second), made(&third));
    let tls = Arc::new(tls);
    let (service, [key]) = service(Options::default());
    let running = Running::start(service, Some(Arc::clone(&tls)), Bounds::default()).await;
    let ask = async |wire: &mut Wire<TlsStream<TcpStream>>| wire.ask(describe(&key)).await.status;

    let mut old = Wire::of(connect_tls(&running, &trusts_first).await.expect("connected"));
    assert_eq!(ask(&mut old).await, 200);
    assert!(connect_tls(&running, &trusts_second).await.is_err(), "it is another certificate");

    let copy = |from: &Path, name: &str| assert!(fs::copy(from.join(name), first.join(name)).expect("copied") > 0);
    let reads_on = async || {
        let mut new = Wire::of(connect_tls(&running, &trusts_second).await.expect("connected"));
        assert_eq!(ask(&mut new).await, 200);
        assert!(connect_tls(&running, &trusts_first).await.is_err());
    };
    copy(&second, "certificate.pem");
    copy(&second, "private-key.pem");
    tls.reload().expect("reloaded");
    reads_on().await;
    assert_eq!(ask(&mut old).await, 200, "who is connected stays");

    // Another one without its key, something else, nothing, and no file.
    copy(&third, "certificate.pem");
    assert!(matches!(tls.reload(), Err(TlsError::Certificate(_))));
    reads_on().await;
    for text in ["no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", ""] {
        fs::write(first.join("certificate.pem"), text).expect("written");
        assert!(matches!(tls.reload(), Err(TlsError::Pem { .. })), "{text}");
        reads_on().await;
    }
    fs::remove_file(first.join("certificate.pem")).expect("removed");
    assert!(matches!(tls.reload(), Err(TlsError::Io { .. })));
    reads_on().await;
    assert_eq!(ask(&mut old).await, 200);
}

#[tokio::test]
async fn who_talks_no_tls_gets_no_word_of_http() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, connector) = made(folder.path());
    let (service, [key]) = service(Options::default());
    let running = Running::start(service, Some(Arc::new(tls)), Bounds::default()).await;
    for bytes in [describe(&key), REQUEST.into(), b"SSH-2.0-a\r\n".to_vec(), vec![0x16, 3, 1, 0xff, 0xff, 0]] {
        let mut stream = TcpStream::connect(running.address).await.expect("connected");
        stream.write_all(&bytes).await.expect("written");
        stream.shutdown().await.expect("shut down");
        let mut answer = Vec::new();
        // It may be cut off.
        let _ = stream.read_to_end(&mut answer).await;
        // Nothing, or an alert (RFC 8446, section 5.1).
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    let mut wire = Wire::of(connect_tls(&running, &connector).await.expect("connected"));
    assert_eq!(wire.ask(describe(&key)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_begins_no_handshake_is_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, _) = made(folder.path());
    let running = Running::start(Gate::new(0), Some(Arc::new(tls)), Bounds::default()).await;
    let start = Instant::now();
    assert!(connect(&running).await.answer().await.is_none());
    assert!(start.elapsed() >= Bounds::default().patience);
}
