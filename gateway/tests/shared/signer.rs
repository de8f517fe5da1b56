//! A client that signs: requests of the protocol of AWS KMS as bytes (Signature Version 4).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// An access key.
pub(crate) struct Signer<'k> {
    pub(crate) access_key_id: &'k str,
    pub(crate) secret: &'k str,
}

impl Signer<'_> {
    /// A request for an operation with this body, signed now, for a connection that stays.
    pub(crate) fn post(&self, operation: &str, body: &[u8]) -> Vec<u8> {
        self.post_with(operation, body, &[])
    }

    /// The same with more headers, which are signed as well.
    pub(crate) fn post_with(&self, operation: &str, body: &[u8], more: &[(&str, &str)]) -> Vec<u8> {
        let date = date_of(SystemTime::now());
        let (day, _) = date.split_once('T').expect("a date");
        let target = format!("TrentService.{operation}");
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", "localhost"),
            ("x-amz-date", &*date),
            ("x-amz-target", &*target),
        ];
        headers.extend(more);
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", hex(&Sha256::digest(body)));
        let scope = format!("{day}/us-east-1/kms/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = hmac(&key, part);
        }
        let (id, signature) = (self.access_key_id, hex(&hmac(&key, &text)));
        let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "POST / HTTP/1.1\r\n{head}authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, \
             Signature={signature}\r\ncontent-length: {}\r\n\r\n",
            body.len(),
        );
        [head.as_bytes(), body].concat()
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as signatures have it, such as `20150830T123600Z`.
fn date_of(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    // Years that begin with March, so that the day of a leap year is the last one; from 1 March of the year 0.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (era * 400 + year, month + 3) } else { (era * 400 + year + 1, month - 9) };
    let second = seconds % 86_400;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}
