//! An event, and its line.

use super::text;
use super::time;
use crate::kms::Call;
use objseal::envelope::EncryptionContext;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::io;

/// No text of a line is longer, in bytes as JSON has them.
const MAX_TEXT: usize = 8 << 10;
/// The same for names that come from short lists.
const MAX_NAME: usize = 1 << 10;
/// The same for the pairs of an encryption context with their quotes, so that whatever an `EncryptionContext` holds without
/// characters to escape is whole.
const MAX_CONTEXT: usize = 9 << 10;
/// Room for the mark of a text that was cut.
const MARK_LEN: usize = 64;

/// Something that was asked of a key management service, and what came of it. It holds no key bytes, ever.
///
/// A text of more than 8 KiB as JSON is cut, and says so at its end; `via_service`, `operation` and `outcome` are cut at 1 KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    /// The ARN of the principal.
    pub principal: &'a str,
    /// The service that asked for it.
    pub via_service: Option<&'a str>,
    /// The operation as AWS KMS names it, such as `Decrypt`.
    pub operation: &'a str,
    /// The ARN of the key, if the operation is about one.
    pub key: Option<&'a str>,
    /// The version of the key.
    pub key_version: Option<u32>,
    /// The encryption context. An empty one is left out.
    pub context: Option<&'a EncryptionContext>,
    /// The object that it is about.
    pub object: Option<&'a str>,
    /// Where the request came from.
    pub source: Option<&'a str>,
    /// For a change: the generation of the store that it leads to.
    pub generation: Option<u64>,
    /// [`SUCCESS`](Self::SUCCESS), or the code of the error ([`KmsErrorKind::code`](crate::kms::KmsErrorKind::code)).
    pub outcome: &'a str,
    /// A short text for people.
    pub detail: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// The outcome of what was done.
    pub const SUCCESS: &'static str = "Success";

    /// What a call asked for: with its principal, service, context, object and source.
    #[must_use]
    pub fn of(call: &'a Call, operation: &'a str, outcome: &'a str) -> Self {
        Self {
            principal: call.principal.arn(),
            via_service: call.via_service.as_deref(),
            operation,
            context: Some(&call.context),
            object: call.object.as_deref(),
            source: call.source.as_deref(),
            outcome,
            ..Self::default()
        }
    }
}

/// Where and when a line is written.
pub(super) struct Place<'a> {
    pub(super) store_id: &'a [u8; 16],
    pub(super) sequence: u64,
    /// Milliseconds since 1970.
    pub(super) time: u64,
    /// What stood before it and is no part of the log.
    pub(super) cut_off: Option<CutOff>,
}

/// An end of the log that was cut off, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum CutOff {
    /// A line without an end.
    Unfinished(u64),
    /// Lines that do not verify, which are in a file of their own.
    SetAside(u64),
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished(bytes) => write!(f, "an unfinished line of {bytes} bytes before this one was cut off"),
            Self::SetAside(bytes) => write!(f, "{bytes} bytes before this line did not verify and were set aside"),
        }
    }
}

/// Replaces `line` by that of an event, up to where its MAC goes. It is at most 52 KiB long.
pub(super) fn encode(line: &mut Vec<u8>, event: &Event<'_>, place: &Place<'_>) -> io::Result<()> {
    line.clear();
    let detail = match (place.cut_off, event.detail) {
        (None, detail) => detail.map(Cow::Borrowed),
        (Some(cut_off), detail) => Some(Cow::Owned(format!(
            "{cut_off}{}{}",
            if detail.is_some() { "; " } else { "" },
            detail.unwrap_or_default()
        ))),
    };
    let mut fields = Fields { line };
    // None of these needs escapes.
    fields.number("{\"sequence\":", place.sequence);
    fields.plain(&format!(",\"storeId\":\"{}\",\"time\":\"{}\"", text::uuid(place.store_id), time::format(place.time)));
    fields.text("principal", Some(event.principal), MAX_TEXT)?;
    fields.text("viaService", event.via_service, MAX_NAME)?;
    fields.text("operation", Some(event.operation), MAX_NAME)?;
    fields.text("key", event.key, MAX_TEXT)?;
    if let Some(version) = event.key_version {
        fields.number(",\"keyVersion\":", version.into());
    }
    if let Some(context) = event.context.filter(|context| !context.is_empty()) {
        fields.plain(",\"context\":");
        serde_json::to_writer(&mut *fields.line, &Pairs(context))?;
    }
    fields.text("object", event.object, MAX_TEXT)?;
    fields.text("source", event.source, MAX_TEXT)?;
    if let Some(generation) = event.generation {
        fields.number(",\"generation\":", generation);
    }
    fields.text("outcome", Some(event.outcome), MAX_NAME)?;
    fields.text("detail", detail.as_deref(), MAX_TEXT)
}

/// A JSON object that is written field by field.
struct Fields<'a> {
    line: &'a mut Vec<u8>,
}

impl Fields<'_> {
    fn plain(&mut self, text: &str) {
        self.line.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, name: &str, number: u64) {
        self.plain(name);
        self.plain(&number.to_string());
    }

    fn text(&mut self, name: &str, text: Option<&str>, limit: usize) -> io::Result<()> {
        let Some(text) = text else { return Ok(()) };
        self.plain(",\"");
        self.plain(name);
        self.plain("\":");
        Ok(serde_json::to_writer(&mut *self.line, &*cut(text, limit))?)
    }
}

/// The pairs of a context as an object: as many as there is room for, and the number of the others.
struct Pairs<'a>(&'a EncryptionContext);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut room = MAX_CONTEXT - MARK_LEN;
        for (index, (key, value)) in self.0.iter().enumerate() {
            if room < 4 * MARK_LEN {
                map.serialize_entry("…", &format!("cut, {} more", self.0.len() - index))?;
                break;
            }
            let key = cut(key, room / 2);
            room = room.saturating_sub(escaped_len(&key) + 6);
            let value = cut(value, room);
            room = room.saturating_sub(escaped_len(&value));
            map.serialize_entry(&*key, &*value)?;
        }
        map.end()
    }
}

/// The text, or the beginning of it with a mark, if it takes more than `limit` bytes between the quotes.
fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // No character takes more than six bytes for one.
    if text.len() <= limit / 6 || escaped_len(text) <= limit {
        return Cow::Borrowed(text);
    }
    let mut room = limit.saturating_sub(MARK_LEN);
    let kept = text.char_indices().find_map(|(index, character)| {
        match room.checked_sub(escaped(character)) {
            Some(rest) => room = rest,
            None => return Some(index),
        }
        None
    });
    let start = kept.and_then(|kept| text.get(..kept)).unwrap_or_default();
    Cow::Owned(format!("{start}… (cut, {} bytes)", text.len()))
}

/// Bytes of a text as JSON, between the quotes.
fn escaped_len(text: &str) -> usize {
    text.chars().map(escaped).sum()
}

/// Bytes of a character as serde_json writes it.
fn escaped(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const STORE: [u8; 16] = [0xab; 16];

    fn line_of(event: &Event<'_>, cut_off: Option<CutOff>) -> String {
        let mut line = b"old".to_vec();
        let place = Place { store_id: &STORE, sequence: 12, time: 951_825_600_123, cut_off };
        encode(&mut line, event, &place).expect("encoded");
        line.push(b'}');
        String::from_utf8(line).expect("UTF-8")
    }

    fn value_of(event: &Event<'_>) -> Value {
        serde_json::from_str(&line_of(event, None)).expect("JSON")
    }

    #[test]
    fn fields_stand_in_their_order() {
        let context = EncryptionContext::from_pairs([("b", "2"), ("a", "\"1\"")]).expect("a context");
        let event = Event {
            principal: "arn:aws:iam::111122223333:user/ä",
            via_service: Some("s3.us-east-1"),
            operation: "Decrypt",
            key: Some("arn:aws:kms:us-east-1:111122223333:key/k"),
            key_version: Some(3),
            context: Some(&context),
            object: Some("bucket/na\nme"),
            source: Some("192.0.2.1"),
            generation: Some(9),
            outcome: Event::SUCCESS,
            detail: Some("note"),
        };
        let expected = concat!(
            r#"{"sequence":12,"storeId":"abababab-abab-abab-abab-abababababab","time":"2000-02-29T12:00:00.123Z","#,
            r#""principal":"arn:aws:iam::111122223333:user/ä","viaService":"s3.us-east-1","operation":"Decrypt","#,
            r#""key":"arn:aws:kms:us-east-1:111122223333:key/k","keyVersion":3,"context":{"a":"\"1\"","b":"2"},"#,
            r#""object":"bucket/na\nme","source":"192.0.2.1","generation":9,"outcome":"Success","detail":"note"}"#
        );
        assert_eq!(line_of(&event, None), expected);
    }

    #[test]
    fn absent_fields_are_left_out() {
        let event = Event { principal: "p", operation: "ListKeys", outcome: "Success", ..Event::default() };
        let expected = concat!(
            r#"{"sequence":12,"storeId":"abababab-abab-abab-abab-abababababab","time":"2000-02-29T12:00:00.123Z","#,
            r#""principal":"p","operation":"ListKeys","outcome":"Success"}"#
        );
        assert_eq!(line_of(&event, None), expected);
        let empty = EncryptionContext::new();
        assert_eq!(line_of(&Event { context: Some(&empty), ..event }, None), expected);
    }

    #[test]
    fn an_unfinished_line_that_was_cut_off_stands_in_the_detail() {
        let detail = |detail, cut_off| {
            let event = Event { detail, ..Event::default() };
            let value: Value = serde_json::from_str(&line_of(&event, cut_off)).expect("JSON");
            value["detail"].as_str().map(str::to_owned)
        };
        let said = "an unfinished line of 7 bytes before this one was cut off";
        assert_eq!(detail(None, Some(CutOff::Unfinished(7))).as_deref(), Some(said));
        assert_eq!(detail(Some("note"), Some(CutOff::Unfinished(7))), Some(format!("{said}; note")));
        assert_eq!(detail(Some("note"), None).as_deref(), Some("note"));
    }

    #[test]
    fn a_text_of_8_kib_is_whole_and_a_longer_one_is_cut_with_a_mark() {
        for (character, escaped) in [("x", 1), ("ä", 2), ("\"", 2), ("\u{1}", 6), ("\u{7f}", 1), ("😀", 4)] {
            let whole = character.repeat(8192 / escaped);
            let value = value_of(&Event { principal: &whole, ..Event::default() });
            assert_eq!(value["principal"], json!(whole));
            let more = whole + character + "xxxxxx";
            let value = value_of(&Event { principal: &more, ..Event::default() });
            let kept = value["principal"].as_str().expect("a text");
            let mark = format!("… (cut, {} bytes)", more.len());
            let start = kept.strip_suffix(&mark).expect("a mark");
            assert!(more.starts_with(start) && serde_json::to_string(kept).expect("JSON").len() <= 8192 + 2);
            assert!(start.len() * escaped / character.len() > 8000, "{character}");
        }
    }

    #[test]
    fn every_context_without_escapes_is_whole() {
        // Limits of EncryptionContext: 64 pairs, 8,192 bytes with 4 for each pair.
        let keys: Vec<String> = (0..64).map(|number| format!("key{number:02}")).collect();
        let value = "v".repeat(8192 / 64 - 5 - 4);
        let pairs = EncryptionContext::from_pairs(keys.iter().map(|key| (key.as_str(), value.as_str()))).expect("all");
        let line = value_of(&Event { context: Some(&pairs), ..Event::default() });
        assert_eq!(line["context"].as_object().expect("pairs").len(), 64);
        assert!(keys.iter().all(|key| line["context"][key] == json!(value)));
    }

    #[test]
    fn no_line_is_longer_than_64_kib() {
        let hostile = "\u{1}".repeat(100_000);
        let half = "\u{1}".repeat(4000);
        let mut context = EncryptionContext::from_pairs([("a", half.as_str())]).expect("a context");
        context.insert(&"\u{2}".repeat(3000), "x").expect("it fits");
        context.insert("z", "\u{3}").expect("it fits");
        let event = Event {
            principal: &hostile,
            via_service: Some(&hostile),
            operation: &hostile,
            key: Some(&hostile),
            key_version: Some(u32::MAX),
            context: Some(&context),
            object: Some(&hostile),
            source: Some(&hostile),
            generation: Some(u64::MAX),
            outcome: &hostile,
            detail: Some(&hostile),
        };
        let line = line_of(&event, Some(CutOff::Unfinished(u64::MAX)));
        assert!(line.len() < 53 << 10, "{}", line.len());
        let value: Value = serde_json::from_str(&line).expect("JSON");
        let a = value["context"]["a"].as_str().expect("the first pair");
        assert!(a.ends_with("… (cut, 4000 bytes)"), "{a}");
        assert_eq!(value["context"]["…"], json!("cut, 1 more"));
        assert_eq!(value["context"].as_object().expect("pairs").len(), 3);
    }

    #[test]
    fn a_call_gives_its_fields() {
        use crate::kms::Principal;
        let principal = std::sync::Arc::new(Principal::new("arn:aws:iam::111122223333:user/u"));
        let context = EncryptionContext::from_pairs([("a", "1")]).expect("a context");
        let mut call = Call::of(principal).via("s3").with_context(context);
        call.object = Some("o".into());
        call.source = Some("s".into());
        let value = value_of(&Event::of(&call, "Decrypt", "AccessDeniedException"));
        for (field, expected) in [
            ("principal", json!("arn:aws:iam::111122223333:user/u")),
            ("viaService", json!("s3")),
            ("operation", json!("Decrypt")),
            ("context", json!({"a": "1"})),
            ("object", json!("o")),
            ("source", json!("s")),
            ("outcome", json!("AccessDeniedException")),
        ] {
            assert_eq!(value[field], expected, "{field}");
        }
    }
}
