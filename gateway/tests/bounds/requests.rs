//! Requests as no client should send them: too long, or of a length that nobody is sure of.

use crate::server::Running;
use crate::service::{OTHER, ROOT, describe, service};
use crate::wire::{Answer, Wire};
use objseal_gateway::http::Bounds;
use objseal_gateway::kms::Options;
use tokio::net::TcpStream;

struct World {
    running: Running,
    keys: [String; 3],
}

impl World {
    async fn new() -> Self {
        let (service, keys) = service(Options { tells_refusals: false, ..Options::default() });
        Self { running: Running::start(service, None, Bounds::default()).await, keys }
    }

    async fn connect(&self) -> Wire<TcpStream> {
        Wire::of(TcpStream::connect(self.running.address).await.expect("connected"))
    }

    /// What is answered to all of this in one piece, until the server closes.
    async fn answers(&self, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
        let mut wire = self.connect().await;
        wire.send(bytes).await;
        wire.answers().await
    }

    /// Answers in short: the letter of the key that is described, or a status.
    fn short(&self, answers: &[Answer]) -> String {
        let of = |answer: &Answer| {
            let key = self.keys.iter().position(|key| answer.status == 200 && answer.body.contains(key));
            key.map_or_else(|| answer.status.to_string(), |at| ["a", "b", "c"][at].into())
        };
        answers.iter().map(of).collect::<Vec<_>>().join(" ")
    }

    /// Still answers others.
    async fn is_alive(&self) {
        let answer = self.connect().await.ask(describe(&self.keys[0])).await;
        assert_eq!(self.short(&[answer]), "a");
    }
}

/// A request with other text in its head.
fn changed(request: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(request).expect("a text");
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

/// A request whose body comes in chunks of these lengths.
fn chunked(request: &[u8], lengths: &[usize]) -> Vec<u8> {
    let text = std::str::from_utf8(request).expect("a text");
    let (head, mut body) = text.split_once("\r\n\r\n").expect("a head");
    let (head, _) = head.rsplit_once("\r\ncontent-length").expect("the last header");
    let mut bytes = format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n");
    for &len in lengths {
        let (chunk, rest) = body.split_at(len.min(body.len()));
        bytes += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        body = rest;
    }
    (bytes + &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).into_bytes()
}

/// The last request of a connection.
fn last(request: &[u8]) -> Vec<u8> {
    changed(request, "\r\n", "\r\nconnection: close\r\n")
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let world = World::new().await;
    let most = Bounds::default().body_len;
    let longest = ROOT.post("DescribeKey", &vec![b' '; most]);
    let answer = world.connect().await.ask(&longest).await;
    assert_eq!((answer.status, &*answer.code(), answer.closes()), (400, "SerializationException", false));

    let longer = ROOT.post("DescribeKey", &vec![b' '; most + 1]);
    for request in [chunked(&longer, &[1_000; 10]), longer] {
        let answers = world.answers(request).await;
        assert_eq!(world.short(&answers), "413");
        assert!(answers[0].closes());
        assert!(answers[0].body.contains("The body is too long."));
    }
    world.is_alive().await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let world = World::new().await;
    let request = last(&describe(&world.keys[0]));
    let many = |headers: usize| {
        let more: String = (0..headers).map(|at| format!("x-{at}: 1\r\n")).collect();
        changed(&request, "content-length", &format!("{more}content-length"))
    };
    let there = request.split(|byte| *byte == b'\n').count() - 3;
    assert_eq!(world.short(&world.answers(many(100 - there)).await), "a", "{there} headers");
    assert_eq!(world.short(&world.answers(many(101 - there)).await), "431");

    let long =
        |len: usize| changed(&request, "content-length", &format!("x-long: {}\r\ncontent-length", "1".repeat(len)));
    assert_eq!(world.short(&world.answers(long(30_000)).await), "a");
    // All that is read, and no byte more: what is not read when the server closes can take the answer with it.
    assert_eq!(world.short(&world.answers(&long(40_000)[..32 << 10]).await), "431");
    world.is_alive().await;
}

#[tokio::test]
async fn bodies_come_in_chunks() {
    let world = World::new().await;
    let request = last(&describe(&world.keys[1]));
    for lengths in [&[][..], &[1; 20], &[7, 9]] {
        assert_eq!(world.short(&world.answers(chunked(&request, lengths)).await), "b");
    }
    let good = String::from_utf8(chunked(&request, &[8])).expect("a text");
    for (from, to) in [
        ("\r\n\r\n8\r\n", "\r\n\r\n9\r\n"),
        ("\r\n\r\n8\r\n", "\r\n\r\n7\r\n"),
        ("\r\n\r\n8\r\n", "\r\n\r\n-8\r\n"),
        ("\r\n\r\n8\r\n", "\r\n\r\nz\r\n"),
        ("\r\n\r\n8\r\n", "\r\n\r\nfffffffffffffffff\r\n"),
        ("\r\n\r\n8\r\n", "\r\n\r\n\r\n"),
    ] {
        assert_eq!(world.short(&world.answers(changed(good.as_bytes(), from, to)).await), "400", "{to:?}");
    }
    world.is_alive().await;
}

#[tokio::test]
async fn no_length_lets_a_request_be_taken_for_another() {
    let world = World::new().await;
    let [a, b, c] = [0, 1, 2].map(|at| describe(&world.keys[at]));
    let (len, two) = ("content-length: 49\r\n", "content-length: 49\r\ncontent-length: 49\r\n");
    let after = [b.clone(), last(&c)].concat();
    assert_eq!(world.short(&world.answers([a.clone(), after.clone()].concat()).await), "a b c");
    // All three in their order, or nothing after what is refused.
    for (to, expected) in [
        // Shorter or longer than it is: no signature is over that, and what begins there is no request, or one of OST.
        ("content-length: 48\r\n", "400 400"),
        ("content-length: 50\r\n", "400 404 c"),
        ("content-length: 0\r\n", "400 400"),
        ("", "400 400"),
        ("content-length: 49\r\ncontent-length: 0\r\n", "400"),
        ("content-length: 0\r\ncontent-length: 49\r\n", "400"),
        (two, "a b c"),
        ("content-length: 49, 0\r\n", "400"),
        ("content-length: +49\r\n", "400"),
        ("content-length: -49\r\n", "400"),
        ("content-length: 0x31\r\n", "400"),
        ("content-length: 4 9\r\n", "400"),
        ("content-length:\r\n", "400"),
        ("content-length : 49\r\n", "400"),
        (" content-length: 49\r\n", "400"),
        ("content-length: 18446744073709551665\r\n", "400"),
        // The body is not in chunks.
        ("content-length: 49\r\ntransfer-encoding: chunked\r\n", "400"),
        ("transfer-encoding: chunked\r\ncontent-length: 49\r\n", "400"),
        ("content-length: 49\r\ntransfer-encoding: identity\r\n", "400"),
        ("content-length: 49\r\ntransfer-encoding: xchunked\r\n", "400"),
        ("content-length: 49\r\ntransfer-encoding: chunked, identity\r\n", "400"),
        ("content-length: 49\r\ntransfer-encoding : chunked\r\n", "400"),
        ("content-length: 49\r\ntransfer-encoding:\x0bchunked\r\n", "400"),
    ] {
        let request = [changed(&a, len, to), after.clone()].concat();
        assert_eq!(world.short(&world.answers(request).await), expected, "{to:?}");
    }
    // In chunks, and with a length: the chunks count, and nothing is read after them (RFC 9112, section 6.1).
    for length in ["content-length: 0", "content-length: 49", "content-length: 300"] {
        let request = changed(&chunked(&a, &[]), "transfer-encoding", &format!("{length}\r\ntransfer-encoding"));
        let answers = world.answers([request, after.clone()].concat()).await;
        assert_eq!((&*world.short(&answers), answers[0].closes()), ("a", true), "{length}");
    }
    world.is_alive().await;
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_their_order() {
    let world = World::new().await;
    let order: Vec<usize> = (0..60).map(|at| (at * at + at / 7) % 3).collect();
    let requests: Vec<u8> = order.iter().flat_map(|at| describe(&world.keys[*at])).collect();
    let answers = world.answers([requests, last(&describe(&world.keys[0]))].concat()).await;
    let expected: Vec<_> = order.iter().chain([&0]).map(|at| ["a", "b", "c"][*at]).collect();
    assert_eq!(world.short(&answers), expected.join(" "));
}

#[tokio::test]
async fn other_forms_of_requests() {
    let world = World::new().await;
    let a = last(&describe(&world.keys[0]));
    for (from, to, expected) in [
        // Older clients get an answer and the end.
        ("HTTP/1.1", "HTTP/1.0", "a"),
        ("host", "expect: 100-continue\r\nhost", "100 a"),
        ("POST / ", "POST http://localhost/ ", "a"),
        // Whoever it names as host: the signature is over what the header says, and nothing looks at either.
        ("POST / ", "POST http://elsewhere/ ", "a"),
        ("POST / ", "POST //localhost/ ", "404"),
        ("POST / ", "POST /a ", "404"),
        ("POST / ", "POST /../ ", "404"),
        ("POST / ", "POST * ", "404"),
        ("POST / ", "POST localhost ", "404"),
        ("POST / ", "OPTIONS * ", "404"),
        ("POST / ", "CONNECT localhost:443 ", "404"),
        ("POST / ", "GET / ", "404"),
        ("POST / ", "post / ", "404"),
        ("POST / ", "P@ST / ", "400"),
        ("POST / HTTP/1.1\r\n", "POST /\r\n", "400"),
        ("HTTP/1.1", "HTTP/2.0", "400"),
        ("HTTP/1.1", "HTTP/1.2", "400"),
        ("POST / ", "POST /? ", "a"),
        ("POST / ", "POST /?a=1 ", "400"),
        ("host: localhost\r\n", "", "400"),
        ("x-amz-target: TrentService.DescribeKey", "x-amz-target: TrentService.EnableKey", "400"),
        ("DescribeKey", "DescribeKey\0", "400"),
    ] {
        let answers = world.answers(changed(&a, from, to)).await;
        assert_eq!(world.short(&answers), expected, "{to}");
    }
    assert_eq!(world.short(&world.answers("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await), "");
    world.is_alive().await;
}

#[tokio::test]
async fn a_client_that_sends_no_more_gets_its_answer_or_none() {
    let world = World::new().await;
    let a = describe(&world.keys[0]);
    let mut answered = 0;
    for _ in 0..100 {
        let mut wire = world.connect().await;
        wire.send(&a).await;
        wire.shutdown().await;
        let answers = wire.answers().await;
        let short = world.short(&answers);
        assert!(["", "a"].contains(&&*short), "{short}");
        answered += usize::from(short == "a");
    }
    println!("{answered} of 100 were answered");
    // In the middle of a head and of a body.
    for len in [0, 1, 20, a.len() - 49, a.len() - 1] {
        let mut wire = world.connect().await;
        wire.send(&a[..len]).await;
        wire.shutdown().await;
        let short = world.short(&wire.answers().await);
        assert!(["", "400"].contains(&&*short), "{len}: {short}");
    }
    world.is_alive().await;
}

#[tokio::test]
async fn whoever_asks_too_often_is_throttled() {
    let (service, [key]) = service(Options { rate: 1, tells_refusals: false, ..Options::default() });
    let running = Running::start(service, None, Bounds::default()).await;
    let connect = async || Wire::of(TcpStream::connect(running.address).await.expect("connected"));
    let mut wire = connect().await;
    assert_eq!(wire.ask(describe(&key)).await.status, 200);
    // More at once than are let through in minutes.
    wire.send(describe(&key).repeat(200)).await;
    let mut throttled = 0;
    for _ in 0..200 {
        let answer = wire.answer().await.expect("an answer");
        if answer.status == 400 {
            assert_eq!(answer.code(), "ThrottlingException");
            throttled += 1;
        }
    }
    assert!(throttled > 0);
    // Another access key has a bound of its own, and who is nobody takes nothing from anybody.
    let unsigned = changed(&describe(&key), "authorization", "x-authorization");
    assert_eq!(wire.ask(unsigned).await.code(), "MissingAuthenticationTokenException");
    let body = format!(r#"{{"KeyId": "{key}"}}"#);
    assert_eq!(wire.ask(OTHER.post("DescribeKey", body.as_bytes())).await.status, 200);
}
