//! The head of a sealed object: FORMAT.md, section 5.

use super::attributes::{MAX_SEALED_LEN, MIN_SEALED_LEN};
use super::body::Salt;
use super::codec::{Reader, put_field, put_short};
use super::context::EncryptionContext;
use super::derive::{MAC_LEN, VERSION};
use super::error::{EnvelopeError, FormatError};
use super::parts::{self, Part};
use super::plan::Entries;
use super::wrapping_key::WRAP_LEN;
use crate::error::{Error, Refusal};
use crate::limits::{MAX_HEAD_LEN, MAX_KEY_ID_LEN, MAX_LAYERS, MAX_PARTS, MAX_WRAPPED_KEYS, MAX_WRAPPED_LEN};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

const MAGIC: &[u8; 7] = b"objseal";

const TAG_OBJECT_ID: u16 = 1;
const TAG_MODE: u16 = 2;
const TAG_SUITES: u16 = 3;
const TAG_WRAPPED_KEYS: u16 = 4;
const TAG_CONTEXT: u16 = 5;
const TAG_GENERATION: u16 = 6;
const TAG_BODY_SALTS: u16 = 7;
const TAG_ATTRIBUTES: u16 = 8;
const TAG_PARTS: u16 = 9;
const TAG_DETACHED_TABLE: u16 = 10;

/// The random identity of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId([u8; ObjectId::LEN]);

impl ObjectId {
    /// Length of an object id, in bytes.
    pub const LEN: usize = 32;

    /// The id that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

/// Which kind of key service an object was sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Mode {
    /// A keyring.
    Keyring = 1,
}

impl Mode {
    fn decode(value: u8) -> Result<Self, FormatError> {
        if value == Self::Keyring as u8 { Ok(Self::Keyring) } else { Err(FormatError::Unsupported) }
    }
}

/// How a layer is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u16)]
pub enum Suite {
    /// Cobblestone-256.
    Cobblestone256 = 1,
}

impl Suite {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cobblestone256 => "Cobblestone-256",
        }
    }

    fn decode(value: u16) -> Result<Self, FormatError> {
        if value == Self::Cobblestone256 as u16 { Ok(Self::Cobblestone256) } else { Err(FormatError::Unsupported) }
    }
}

/// A data key, wrapped under the wrapping key of a key service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrappedKey {
    /// The layer whose data key it is, from 1.
    pub layer: u8,
    /// The name of the key service.
    pub service: String,
    /// The root key, as the service calls it.
    pub key_id: String,
    /// The version of the root key, from 1; 0 where the service keeps that to itself.
    pub key_version: u32,
    /// What the service needs to give the wrapping key again, and the wrap.
    pub bytes: Vec<u8>,
}

impl WrappedKey {
    /// What the service needs to give the wrapping key again.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.bytes[..self.bytes.len().saturating_sub(WRAP_LEN)]
    }

    /// That it is within its bounds: its fields are for everybody to change.
    pub(super) fn check(&self) -> Result<(), FormatError> {
        check_name(&self.service)?;
        check_name(&self.key_id)?;
        if self.bytes.len() > MAX_WRAPPED_LEN {
            return Err(FormatError::TooLong);
        }
        if self.layer <= MAX_LAYERS && !self.bytes.is_empty() { Ok(()) } else { Err(FormatError::Malformed) }
    }

    /// What entries are sorted by: everything before the wrapped bytes, as it is stored.
    fn sort_key(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.push(self.layer);
        put_short(&mut out, self.service.as_bytes());
        put_short(&mut out, self.key_id.as_bytes());
        out.extend_from_slice(&self.key_version.to_be_bytes());
        out
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sort_key());
        put_short(out, &self.bytes);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let layer = reader.u8()?;
        let (service, key_id) = (reader.short_text()?.into(), reader.short_text()?.into());
        let key_version = reader.u32()?;
        Ok(Self { layer, service, key_id, key_version, bytes: reader.short()?.to_vec() })
    }
}

pub(super) fn check_name(name: &str) -> Result<(), FormatError> {
    check_text(name, MAX_KEY_ID_LEN)
}

/// That `text` is there, not too long, and without control characters.
pub(super) fn check_text(text: &str, max_len: usize) -> Result<(), FormatError> {
    if text.len() > max_len {
        return Err(FormatError::TooLong);
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(FormatError::Malformed);
    }
    Ok(())
}

/// Something that was read and not verified: anybody could have written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified<T>(pub(super) T);

impl<T> Unverified<T> {
    #[cfg(feature = "std")]
    pub(crate) fn new(read: T) -> Self {
        Self(read)
    }

    #[cfg(feature = "std")]
    pub(crate) fn into_inner(self) -> T {
        self.0
    }

    /// What was read. Nothing proves it.
    #[must_use]
    pub fn unverified(&self) -> &T {
        &self.0
    }
}

/// What an object consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// One body.
    Body {
        /// Its salts, the innermost layer's first.
        salts: Vec<Salt>,
    },
    /// Parts, and these are they.
    Parts(Vec<Part>),
    /// Parts, and the table that says which is stored elsewhere.
    DetachedTable(DetachedTable),
}

/// What the head says about a part table that is stored elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DetachedTable {
    /// How many parts there are.
    pub parts: u32,
    /// Length of the plaintext of all parts, in bytes.
    pub plaintext_len: u64,
    /// The salts of the table, the innermost layer's first.
    pub salts: Vec<Salt>,
}

impl DetachedTable {
    pub(super) fn new(parts: u32, plaintext_len: u64, salts: Vec<Salt>) -> Self {
        Self { parts, plaintext_len, salts }
    }

    /// That the table has the length that so many parts give.
    pub(super) fn check_len(&self, layers: u8, len: u64) -> Result<(), Error> {
        let expected = u64::from(self.parts) * parts::entry_len(layers) as u64;
        if len == expected { Ok(()) } else { Err(Error::refused(Refusal::Table)) }
    }

    /// Reads entries that follow `before`; `last` says that the last one of the table is among them.
    pub(super) fn decode(
        &self,
        layers: u8,
        entries: &[u8],
        before: Option<(u32, u64)>,
        last: bool,
    ) -> Result<Vec<Part>, EnvelopeError> {
        let refused = || Error::refused(Refusal::Table);
        let table = parts::decode(entries, layers, before, self.parts).map_err(|_| refused())?;
        let end = table.last().map(|part| part.plaintext.end);
        if last && end != Some(self.plaintext_len) { Err(refused().into()) } else { Ok(table) }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = self.parts.to_be_bytes().to_vec();
        out.extend_from_slice(&self.plaintext_len.to_be_bytes());
        out.extend_from_slice(self.salts.as_flattened());
        out
    }
}

/// The head of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The random identity of the object.
    pub object_id: ObjectId,
    /// Which kind of key service it was sealed for.
    pub mode: Mode,
    /// How each layer is sealed, the innermost first.
    pub suites: Vec<Suite>,
    /// The data keys, wrapped for each recipient; sorted.
    pub wrapped_keys: Vec<WrappedKey>,
    /// The public pairs that the wraps are bound to.
    pub context: EncryptionContext,
    /// Grows by one whenever the head is rewritten, from 1.
    pub generation: u64,
    /// What the object consists of.
    pub content: Content,
    /// The sealed attributes, in heads that are written after the body.
    pub attributes: Option<Vec<u8>>,
    /// Optional fields that this version does not know, as they were read.
    pub(super) unknown: Vec<(u16, Vec<u8>)>,
}

impl Head {
    /// Reads a stored head, without verifying it.
    ///
    /// # Errors
    /// [`FormatError`] if `stored` is not a head, all of it.
    pub fn parse(stored: &[u8]) -> Result<Unverified<Self>, FormatError> {
        if stored.len() > MAX_HEAD_LEN {
            return Err(FormatError::TooLong);
        }
        let mut reader = Reader::new(stored);
        if reader.bytes(MAGIC.len()).ok() != Some(MAGIC) {
            return Err(FormatError::NotSealed);
        }
        let version = reader.u8()?;
        if version != VERSION {
            return Err(FormatError::UnknownVersion(version));
        }
        let fields_len = stored.len() - MAGIC.len() - 1;
        let fields = reader.bytes(fields_len.checked_sub(MAC_LEN).ok_or(FormatError::Malformed)?)?;
        Self::decode_fields(fields, |contents, suites| contents.decode(suites)).map(Unverified)
    }

    /// Reads the fields of a head whose parts are not known yet, as they are kept in an upload state.
    pub(super) fn decode_draft(fields: &[u8]) -> Result<Self, FormatError> {
        let without = |contents: Contents<'_>, _: &[Suite]| match contents.0 {
            None => Ok(Content::Parts(Vec::new())),
            Some(_) => Err(FormatError::Malformed),
        };
        Self::decode_fields(fields, without)
    }

    /// The fields of such a head.
    pub(super) fn encode_draft(&self) -> Result<Vec<u8>, FormatError> {
        let mut stored = self.encode()?;
        Ok(stored.split_off(MAGIC.len() + 1))
    }

    fn decode_fields(
        fields: &[u8],
        decode_content: impl FnOnce(Contents<'_>, &[Suite]) -> Result<Content, FormatError>,
    ) -> Result<Self, FormatError> {
        let mut reader = Reader::new(fields);
        let (mut object_id, mut mode, mut suites, mut generation) = (None, None, None, None);
        let (mut content, mut attributes) = (Contents::default(), None);
        let mut wrapped_keys = Vec::new();
        let mut context = EncryptionContext::new();
        let mut unknown = Vec::new();
        let mut previous = None;
        while let Some(field) = reader.field(previous)? {
            previous = Some(field.tag);
            let mut value = Reader::new(field.value);
            match field.tag {
                TAG_OBJECT_ID => object_id = Some(ObjectId(value.array()?)),
                TAG_MODE => mode = Some(Mode::decode(value.u8()?)?),
                TAG_SUITES => suites = Some(decode_suites(&mut value)?),
                TAG_WRAPPED_KEYS => wrapped_keys = decode_wrapped_keys(&mut value)?,
                TAG_CONTEXT => {
                    context = EncryptionContext::decode(field.value)?;
                    value = Reader::new(&[]);
                }
                TAG_GENERATION => generation = Some(value.u64()?),
                TAG_BODY_SALTS | TAG_PARTS | TAG_DETACHED_TABLE => {
                    content.take(field.tag, field.value)?;
                    value = Reader::new(&[]);
                }
                TAG_ATTRIBUTES => {
                    if !(MIN_SEALED_LEN..=MAX_SEALED_LEN).contains(&field.value.len()) {
                        return Err(FormatError::Malformed);
                    }
                    attributes = Some(field.value.to_vec());
                    value = Reader::new(&[]);
                }
                _ => {
                    field.require_optional()?;
                    unknown.push((field.tag, field.value.to_vec()));
                    value = Reader::new(&[]);
                }
            }
            value.end()?;
        }
        let missing = FormatError::Malformed;
        let suites = suites.ok_or(missing)?;
        let head = Self {
            object_id: object_id.ok_or(missing)?,
            mode: mode.ok_or(missing)?,
            content: decode_content(content, &suites)?,
            attributes,
            suites,
            wrapped_keys,
            context,
            generation: generation.filter(|&generation| generation > 0).ok_or(missing)?,
            unknown,
        };
        check_wrapped_keys(&head.wrapped_keys, head.layers())?;
        Ok(head)
    }

    /// How many layers the object has: 1 or 2.
    #[must_use]
    pub fn layers(&self) -> u8 {
        u8::try_from(self.suites.len()).unwrap_or(u8::MAX)
    }

    /// The head as it is stored, up to its MAC.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        put_field(&mut out, TAG_OBJECT_ID, self.object_id.as_bytes());
        put_field(&mut out, TAG_MODE, &[self.mode as u8]);
        let suites = self.suites.iter().flat_map(|&suite| (suite as u16).to_be_bytes());
        put_field(&mut out, TAG_SUITES, &suites.collect::<Vec<_>>());
        let mut wrapped_keys = Vec::new();
        for wrapped_key in &self.wrapped_keys {
            wrapped_key.encode(&mut wrapped_keys);
        }
        if wrapped_keys.len() > MAX_HEAD_LEN {
            return Err(FormatError::TooLong);
        }
        put_field(&mut out, TAG_WRAPPED_KEYS, &wrapped_keys);
        if !self.context.is_empty() {
            let context = self.context.encode();
            if context.len() > MAX_HEAD_LEN {
                return Err(FormatError::TooLong);
            }
            put_field(&mut out, TAG_CONTEXT, &context);
        }
        put_field(&mut out, TAG_GENERATION, &self.generation.to_be_bytes());
        if let Content::Body { salts } = &self.content {
            put_field(&mut out, TAG_BODY_SALTS, salts.as_flattened());
        }
        if let Some(attributes) = &self.attributes {
            put_field(&mut out, TAG_ATTRIBUTES, attributes);
        }
        match &self.content {
            Content::Body { .. } => {}
            // Not known yet.
            Content::Parts(table) if table.is_empty() => {}
            Content::Parts(table) => {
                let entries = parts::encode(table);
                if entries.len() > MAX_HEAD_LEN {
                    return Err(FormatError::TooLong);
                }
                put_field(&mut out, TAG_PARTS, &entries);
            }
            Content::DetachedTable(table) => put_field(&mut out, TAG_DETACHED_TABLE, &table.encode()),
        }
        for (tag, value) in &self.unknown {
            put_field(&mut out, *tag, value);
        }
        if out.len() + MAC_LEN > MAX_HEAD_LEN { Err(FormatError::TooLong) } else { Ok(out) }
    }

    /// Puts the wrapped keys in their order and checks them.
    ///
    /// # Errors
    /// [`FormatError::TooLong`] above eight keys of a layer, or beyond the bounds of one; [`FormatError::Malformed`] if a
    /// layer has none, or two have the same service, key and version.
    pub(super) fn sort_wrapped_keys(&mut self) -> Result<(), FormatError> {
        self.wrapped_keys.sort_by_cached_key(WrappedKey::sort_key);
        check_wrapped_keys(&self.wrapped_keys, self.layers())
    }
}

impl Entries for Head {
    fn layers(&self) -> u8 {
        self.layers()
    }

    fn object_id(&self) -> ObjectId {
        self.object_id
    }

    fn entries(&self) -> &[WrappedKey] {
        &self.wrapped_keys
    }

    fn context(&self) -> &EncryptionContext {
        &self.context
    }
}

pub(super) fn decode_suites(value: &mut Reader<'_>) -> Result<Vec<Suite>, FormatError> {
    let mut suites = Vec::new();
    while !value.is_empty() {
        if suites.len() >= usize::from(MAX_LAYERS) {
            return Err(FormatError::Unsupported);
        }
        suites.push(Suite::decode(value.u16()?)?);
    }
    if suites.is_empty() { Err(FormatError::Malformed) } else { Ok(suites) }
}

/// The fields that say what the object consists of, as they are read: exactly one of them must be there.
#[derive(Default)]
struct Contents<'b>(Option<(u16, &'b [u8])>);

impl<'b> Contents<'b> {
    fn take(&mut self, tag: u16, value: &'b [u8]) -> Result<(), FormatError> {
        if self.0.is_some() {
            return Err(FormatError::Malformed);
        }
        self.0 = Some((tag, value));
        Ok(())
    }

    fn decode(self, suites: &[Suite]) -> Result<Content, FormatError> {
        let (tag, value) = self.0.ok_or(FormatError::Malformed)?;
        let layers = u8::try_from(suites.len()).unwrap_or(u8::MAX);
        let mut reader = Reader::new(value);
        let content = match tag {
            TAG_BODY_SALTS => Content::Body { salts: decode_salts(&mut reader, layers)? },
            TAG_PARTS => {
                let count = u32::try_from(value.len() / parts::entry_len(layers)).unwrap_or(u32::MAX);
                let table = parts::decode(value, layers, None, count)?;
                if table.is_empty() {
                    return Err(FormatError::Malformed);
                }
                return Ok(Content::Parts(table));
            }
            _ => {
                let (parts, plaintext_len) = (reader.u32()?, reader.u64()?);
                if !(1..=MAX_PARTS).contains(&parts) {
                    return Err(FormatError::Malformed);
                }
                Content::DetachedTable(DetachedTable::new(parts, plaintext_len, decode_salts(&mut reader, layers)?))
            }
        };
        reader.end()?;
        Ok(content)
    }
}

fn decode_salts(value: &mut Reader<'_>, layers: u8) -> Result<Vec<Salt>, FormatError> {
    (0..layers).map(|_| value.array()).collect()
}

fn decode_wrapped_keys(value: &mut Reader<'_>) -> Result<Vec<WrappedKey>, FormatError> {
    let mut wrapped_keys = Vec::new();
    while !value.is_empty() {
        if wrapped_keys.len() >= MAX_WRAPPED_KEYS * usize::from(MAX_LAYERS) {
            return Err(FormatError::TooLong);
        }
        wrapped_keys.push(WrappedKey::decode(value)?);
    }
    Ok(wrapped_keys)
}

/// That the wrapped keys are within their bounds and in their order, and that each layer has some.
fn check_wrapped_keys(wrapped_keys: &[WrappedKey], layers: u8) -> Result<(), FormatError> {
    wrapped_keys.iter().try_for_each(WrappedKey::check)?;
    let mut of_layers = 0;
    for layer in 1..=layers {
        let count = wrapped_keys.iter().filter(|key| key.layer == layer).count();
        if count > MAX_WRAPPED_KEYS {
            return Err(FormatError::TooLong);
        }
        if count == 0 {
            return Err(FormatError::Malformed);
        }
        of_layers += count;
    }
    let rising = wrapped_keys.windows(2).all(|pair| pair[0].sort_key() < pair[1].sort_key());
    if rising && of_layers == wrapped_keys.len() { Ok(()) } else { Err(FormatError::Malformed) }
}
