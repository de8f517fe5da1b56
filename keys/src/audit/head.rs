//! How far a log goes, for those who keep that elsewhere.

use super::{text, time};
use crate::hex;
use serde::Deserialize;
use std::fmt;
use std::time::SystemTime;

/// How far a log goes: whoever keeps one outside of its folder can later tell whether the log was cut off or rewritten
/// ([`verify`](super::verify)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The store whose log it is.
    pub store_id: [u8; 16],
    /// The number of its last line, from 1; 0 in a log without any.
    pub sequence: u64,
    /// The MAC of that line; zeros in a log without any.
    pub mac: [u8; 32],
    /// The highest generation of the store that was committed. A store with a lower one is an old copy that was put back.
    pub generation: u64,
    /// The time of the last line, in milliseconds; that of the log's creation without any.
    pub time: SystemTime,
}

impl Head {
    /// The head as one line of JSON, without an end of line: `storeId` (UUID), `sequence`, `mac` (64 hexadecimal digits),
    /// `generation`, `time` (RFC 3339).
    #[must_use]
    pub fn to_json(&self) -> String {
        // None of these texts needs escapes.
        format!(
            r#"{{"storeId":"{}","sequence":{},"mac":"{}","generation":{},"time":"{}"}}"#,
            text::uuid(&self.store_id),
            self.sequence,
            hex::encode(&self.mac),
            self.generation,
            time::format(time::millis(self.time)),
        )
    }

    /// Reads what [`to_json`](Self::to_json) gives. White space between the fields may differ, and their order.
    ///
    /// # Errors
    /// [`ParseHeadError`] if a field is missing, unknown, there twice or of another form.
    pub fn from_json(json: &str) -> Result<Self, ParseHeadError> {
        // A list of the values would do for serde_json.
        let object = json.trim_start().starts_with('{');
        let fields: Fields = object.then(|| serde_json::from_str(json).ok()).flatten().ok_or(ParseHeadError)?;
        Ok(Self {
            store_id: text::parse_uuid(&fields.store_id).ok_or(ParseHeadError)?,
            sequence: fields.sequence,
            mac: text::parse_hex(&fields.mac).ok_or(ParseHeadError)?,
            generation: fields.generation,
            time: time::system_time(time::parse(&fields.time).ok_or(ParseHeadError)?),
        })
    }

    /// Reads a file of heads, a line for each; empty lines are left out.
    ///
    /// # Errors
    /// [`ParseHeadError`] if a line is no head.
    pub fn list_from_json(lines: &str) -> Result<Vec<Self>, ParseHeadError> {
        lines.lines().filter(|line| !line.trim().is_empty()).map(Self::from_json).collect()
    }
}

/// The text is not that of a [`Head`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseHeadError;

impl fmt::Display for ParseHeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is not the head of an audit log: a line of JSON with storeId, sequence, mac, generation and time",
        )
    }
}

impl std::error::Error for ParseHeadError {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    store_id: String,
    sequence: u64,
    mac: String,
    generation: u64,
    time: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const JSON: &str = concat!(
        r#"{"storeId":"c232ab00-9414-11ec-b3c8-9f6bdeced846","sequence":18446744073709551615,"#,
        r#""mac":"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20","generation":7,"#,
        r#""time":"2000-02-29T12:00:00.000Z"}"#
    );

    #[test]
    fn the_text_has_every_field_and_comes_back() {
        let head = Head::from_json(JSON).expect("a head");
        assert_eq!(head.sequence, u64::MAX);
        assert_eq!(head.mac, std::array::from_fn(|index| u8::try_from(index + 1).expect("small")));
        assert_eq!(head.generation, 7);
        assert_eq!(head.time, SystemTime::UNIX_EPOCH + Duration::from_secs(951_825_600));
        assert_eq!(head.to_json(), JSON);
        assert_eq!(Head::from_json(&format!(" {JSON}\n")), Ok(head));
    }

    #[test]
    fn other_texts_are_refused() {
        let changes = [
            (r#""sequence":18446744073709551615"#, r#""sequence":18446744073709551616"#),
            (r#""sequence":18446744073709551615,"#, r#""sequence":-1,"#),
            (r#""sequence":18446744073709551615,"#, ""),
            (r#""generation":7"#, r#""generation":7,"generation":7"#),
            (r#""generation":7"#, r#""generation":7,"more":7"#),
            (r#""generation":7"#, r#""generation":"7""#),
            ("0102", "01G2"),
            ("0102", "0A02"),
            ("0102", "02"),
            ("2000-02-29T", "2001-02-29T"),
            ("c232ab00", "c232ab0"),
            ("}", "}}"),
            ("{", ""),
        ];
        let list = r#"["c232ab00-9414-11ec-b3c8-9f6bdeced846",1,"MAC",7,"2000-02-29T12:00:00.000Z"]"#;
        assert_eq!(Head::from_json(&list.replace("MAC", &"00".repeat(32))), Err(ParseHeadError));
        for (from, to) in changes {
            let json = JSON.replacen(from, to, 1);
            assert_ne!(json, JSON, "{from}");
            assert_eq!(Head::from_json(&json), Err(ParseHeadError), "{json}");
        }
    }
}
