//! A server that answers as AWS KMS and as the transit engine of OpenBao do, as far as the command asks them.
//!
//! It keeps what it was asked, and which key and context each ciphertext is bound to.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The operation of AWS KMS, or the path.
    pub(crate) what: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// Key, context and plaintext of each ciphertext.
    ciphertexts: HashMap<String, (String, Value, Value)>,
    /// The next answer of AWS KMS, instead of what was asked for: a code and a message.
    failure: Option<(&'static str, String)>,
}

pub(crate) struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let answering = Arc::clone(&state);
        // It ends with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.expect("a connection"), &answering);
            }
        });
        Self { url, state }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What was asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    /// AWS KMS fails once.
    pub(crate) fn fail(&self, code: &'static str, message: impl Into<String>) {
        self.state().failure = Some((code, message.into()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

/// Answers one request.
fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let Some(request) = read(&stream) else { return };
    let mut state = state.lock().expect("no panic");
    let (status, body) = if request.headers.contains_key("x-amz-target") {
        match state.failure.take() {
            Some((code, message)) => (400, json!({"__type": code, "message": message})),
            None => state.aws(&request),
        }
    } else {
        state.bao(&request)
    };
    state.requests.push(request);
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} It\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // Whoever asked may have gone.
    let _ = stream.write_all((head + &body).as_bytes());
}

/// A request; `None` if there is none, as where a client only tries whether somebody listens.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("read");
        line.trim_end().to_owned()
    };
    let first = line();
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    while let Some((name, value)) = line().split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let len = headers.get("content-length").map_or(0, |len| len.parse().expect("a number"));
    let mut body = vec![0; len];
    reader.read_exact(&mut body).expect("read");
    let what = headers.get("x-amz-target").map_or(path, |target| target.trim_start_matches("TrentService.").into());
    Some(Request { what, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

impl State {
    /// A ciphertext, which is four bytes of base64 and more as it stands.
    fn close(&mut self, key: &str, context: &Value, plaintext: Value) -> String {
        let name = format!("{:08}", self.ciphertexts.len());
        self.ciphertexts.insert(name.clone(), (key.into(), context.clone(), plaintext));
        name
    }

    fn open(&self, ciphertext: &Value, key: &str, context: &Value) -> Option<Value> {
        let (of_key, of_context, plaintext) = self.ciphertexts.get(ciphertext.as_str()?)?;
        (of_key == key && of_context == context).then(|| plaintext.clone())
    }

    fn aws(&mut self, Request { what, body, .. }: &Request) -> (u16, Value) {
        let named = body["KeyId"].as_str().expect("a key is named");
        // Any alias is that of the one key of its account.
        let arn = named.split_once(":alias/").map_or(named.to_owned(), |(account, _)| format!("{account}:key/{KEY}"));
        let context = &body["EncryptionContext"];
        match what.as_str() {
            "GenerateDataKey" => {
                // 32 bytes in base64.
                let plaintext = json!(format!("{:040}AAA=", self.ciphertexts.len()));
                let blob = self.close(&arn, context, plaintext.clone());
                (200, json!({"CiphertextBlob": blob, "Plaintext": plaintext, "KeyId": arn}))
            }
            "Decrypt" => match self.open(&body["CiphertextBlob"], &arn, context) {
                Some(plaintext) => (200, json!({"Plaintext": plaintext, "KeyId": arn})),
                None => (400, json!({"__type": "InvalidCiphertextException"})),
            },
            "DescribeKey" => {
                let metadata = json!({
                    "KeyId": KEY, "Arn": arn, "Description": "All photos", "KeyState": "Enabled", "Enabled": true,
                    "KeyManager": "CUSTOMER", "Origin": "AWS_KMS", "KeySpec": "SYMMETRIC_DEFAULT",
                    "KeyUsage": "ENCRYPT_DECRYPT", "CreationDate": 1_700_000_000,
                });
                (200, json!({"KeyMetadata": metadata}))
            }
            other => panic!("{other} was asked"),
        }
    }

    fn bao(&mut self, Request { what, headers, body }: &Request) -> (u16, Value) {
        if headers.get("x-vault-token").is_none_or(|token| token != TOKEN) {
            return (403, json!({"errors": ["permission denied"]}));
        }
        let context = &body["associated_data"];
        let data = match what.rsplit('/').collect::<Vec<_>>()[..] {
            [key, "encrypt", ..] => {
                let text = format!("vault:v1:{:08}", self.ciphertexts.len());
                self.ciphertexts.insert(text.clone(), (key.into(), context.clone(), body["plaintext"].clone()));
                json!({"ciphertext": text})
            }
            [key, "decrypt", ..] => match self.open(&body["ciphertext"], key, context) {
                Some(plaintext) => json!({"plaintext": plaintext}),
                None => return (400, json!({"errors": ["cipher: message authentication failed"]})),
            },
            [name, "keys", ..] => {
                json!({"name": name, "type": "aes256-gcm96", "latest_version": 1, "keys": {"1": 1_700_000_000}})
            }
            _ => panic!("{what} was asked"),
        };
        let nothing = Value::Null;
        let answer = json!({
            "request_id": "1", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data,
            "wrap_info": nothing, "warnings": nothing, "auth": nothing,
        });
        (200, answer)
    }
}

/// The id of the one key of an account.
pub(crate) const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
/// The token that may do everything.
pub(crate) const TOKEN: &str = "s.0123456789abcdefghij";
