//! A client that sends bytes as they are, and reads answers.

use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// What hangs fails.
const HANGS: Duration = Duration::from_secs(100_000);

pub(crate) struct Wire<T> {
    stream: T,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close")
    }

    /// What kind of error it is.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        body["__type"].as_str().unwrap_or_default().into()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    pub(crate) fn of(stream: T) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // Whoever refuses need not read it all.
        let _ = timeout(HANGS, self.stream.write_all(bytes.as_ref())).await.expect("it is read");
        let _ = self.stream.flush().await;
    }

    pub(crate) async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes).await;
        self.answer().await.expect("an answer")
    }

    /// The next answer; nothing if the other side has closed.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, len)) = first(&self.unread) {
                self.unread.drain(..len);
                return Some(answer);
            }
            let read = timeout(HANGS, self.stream.read_buf(&mut self.unread)).await.expect("an answer, or the end");
            if matches!(read, Ok(0) | Err(_)) {
                assert!(self.unread.is_empty(), "half an answer: {}", String::from_utf8_lossy(&self.unread));
                return None;
            }
        }
    }

    /// All answers until the other side closes.
    pub(crate) async fn answers(mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            answers.push(answer);
        }
        answers
    }

    /// Says that no more will be sent.
    pub(crate) async fn shutdown(&mut self) {
        self.stream.shutdown().await.expect("shut down");
    }
}

/// The answer that these bytes begin with, and its length.
fn first(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text").to_ascii_lowercase();
    let status = head.get(9..12).expect("a status").parse().expect("a number");
    let len = head
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.split("\r\n").next().expect("a line").parse::<usize>().expect("a length"));
    let body = bytes.get(end..end + len)?;
    Some((Answer { status, body: String::from_utf8_lossy(body).into(), head }, end + len))
}
