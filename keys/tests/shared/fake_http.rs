//! A server of HTTP/1.1 that records what it is asked, and answers what a test says.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct FakeHttp {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Of each connection that was left in [`Reply::Silence`], once the client has closed it.
    pub(crate) left: Receiver<()>,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// Null if there is none.
    pub(crate) body: Value,
}

pub(crate) enum Reply {
    Json(u16, Value),
    /// Some text that is no JSON.
    Text(u16, String),
    /// To another URL.
    Redirect(String),
    /// Never.
    Silence,
    /// The connection ends.
    HangUp,
    /// The same within the answer.
    Torn,
    /// An answer without a length, which goes on until the client has closed the connection.
    Endless,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl FakeHttp {
    /// Answers the request of each number, from 0, with what `answer` gives.
    pub(crate) fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, answer) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(answer));
        let (leave, left) = channel();
        let recorded = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (recorded, answer, leave) = (Arc::clone(&recorded), Arc::clone(&answer), leave.clone());
                thread::spawn(move || serve(stream.unwrap(), &recorded, &*answer, &leave));
            }
        });
        Self { address, requests, left }
    }

    /// Answers everything so.
    pub(crate) fn always(status: u16, body: Value) -> Self {
        Self::start(move |_, _| Reply::Json(status, body.clone()))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(
    stream: TcpStream,
    recorded: &Mutex<Vec<Request>>,
    answer: &(impl Fn(usize, &Request) -> Reply + ?Sized),
    leave: &Sender<()>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let number = {
            let mut recorded = recorded.lock().unwrap();
            recorded.push(request.clone());
            recorded.len() - 1
        };
        let (status, location, text) = match answer(number, &request) {
            Reply::Json(status, body) => (status, String::new(), body.to_string()),
            Reply::Text(status, text) => (status, String::new(), text),
            Reply::Redirect(url) => (307, format!("location: {url}\r\n"), String::new()),
            Reply::HangUp => return,
            Reply::Torn => {
                let _ = (&stream).write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{ ");
                return;
            }
            Reply::Endless => {
                let _ = (&stream).write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n");
                let part = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
                while (&stream).write_all(part.as_bytes()).is_ok() {}
                let _ = leave.send(());
                return;
            }
            Reply::Silence => {
                let _ = reader.read(&mut [0]);
                let _ = leave.send(());
                return;
            }
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{location}");
        let answer = format!("{head}content-length: {}\r\n\r\n{text}", text.len());
        if (&stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut parts = first.split(' ').map(str::to_owned);
    let (method, path) = (parts.next()?, parts.next()?);
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Value::Null };
    let len = request.header("content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    if len > 0 {
        request.body = serde_json::from_slice(&body).unwrap();
    }
    Some(request)
}
