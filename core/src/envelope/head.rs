//! The head of a sealed object: FORMAT.md, section 5.

use super::attributes::{ChecksumAlgorithm, MAX_SEALED_LEN, MIN_SEALED_LEN};
use super::body::Salt;
use super::codec::{FIRST_PRIVATE_TAG, Reader, put_field, put_short};
use super::context::EncryptionContext;
use super::derive::{MAC_LEN, VERSION};
use super::error::{EnvelopeError, FormatError, NamedKey};
use super::parts::{self, Part};
use super::plan::Entries;
use super::wrapping_key::{Fingerprint, KeyKind, ServiceContext, WRAP_LEN};
use crate::error::{Error, Refusal};
use crate::limits::{
    MAX_BLOB_LEN, MAX_CONTEXT_LEN, MAX_CONTEXT_PAIRS, MAX_HEAD_LEN, MAX_KEY_ID_LEN, MAX_LAYERS, MAX_PARTS,
    MAX_WRAPPED_KEYS,
};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

const MAGIC: &[u8; 7] = b"objseal";

const TAG_OBJECT_ID: u16 = 1;
const TAG_BOUND_KEYS: u16 = 2;
const TAG_SUITES: u16 = 3;
const TAG_WRAPPED_KEYS: u16 = 4;
const TAG_CONTEXT: u16 = 5;
const TAG_GENERATION: u16 = 6;
const TAG_BODY_SALTS: u16 = 7;
const TAG_ATTRIBUTES: u16 = 8;
const TAG_PARTS: u16 = 9;
const TAG_TABLE: u16 = 10;

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

/// A data key, wrapped under the wrapping key of a key service: FORMAT.md, section 6.
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
    /// What the wrapping key is.
    pub kind: KeyKind,
    /// What the service was given as its own encryption context.
    pub service_context: ServiceContext,
    /// What the service needs to give the wrapping key again.
    pub blob: Vec<u8>,
    /// What tells the wrapping key from another of the same name.
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) wrap: [u8; WRAP_LEN],
}

impl WrappedKey {
    /// The root key by its names.
    pub(super) fn named_key(&self) -> NamedKey {
        NamedKey { service: self.service.clone(), key_id: self.key_id.clone(), key_version: self.key_version }
    }

    fn check(&self) -> Result<(), FormatError> {
        check_name(&self.service)?;
        check_name(&self.key_id)?;
        if self.blob.len() > MAX_BLOB_LEN {
            return Err(FormatError::TooLong);
        }
        // A service that holds the key itself was given nothing.
        let bare = self.blob.is_empty() && self.service_context == ServiceContext::None;
        if self.layer <= MAX_LAYERS && (bare || self.kind != KeyKind::Local) {
            Ok(())
        } else {
            Err(FormatError::Malformed)
        }
    }

    /// What entries are sorted by, as it is stored.
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
        out.extend_from_slice(&[self.kind as u8, self.service_context as u8]);
        put_short(out, &self.blob);
        out.extend_from_slice(self.fingerprint.as_ref().map_or(&[], |fingerprint| &fingerprint[..]));
        out.extend_from_slice(&self.wrap);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let layer = reader.u8()?;
        let (service, key_id) = (reader.short_text()?.into(), reader.short_text()?.into());
        let key_version = reader.u32()?;
        let (kind, service_context) = (KeyKind::decode(reader.u8()?)?, ServiceContext::decode(reader.u8()?)?);
        let blob = reader.short()?.to_vec();
        let fingerprint = if kind == KeyKind::Customer { None } else { Some(reader.array()?) };
        let wrap = reader.array()?;
        let read = Self { layer, service, key_id, key_version, kind, service_context, blob, fingerprint, wrap };
        read.check().map(|()| read)
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
    /// Parts, and a table that says which.
    Parts {
        /// What the head says about the table.
        table: TableFacts,
        /// The table, sealed, unless it is stored elsewhere.
        sealed: Option<Vec<u8>>,
    },
}

/// What the head says about a part table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableFacts {
    /// How many parts there are.
    pub parts: u32,
    /// Length of the plaintext of all parts, in bytes.
    pub plaintext_len: u64,
    /// By which algorithm the digest of each part is in the table, if it is.
    pub checksum: Option<ChecksumAlgorithm>,
    /// The salts of the table, the innermost layer's first.
    pub salts: Vec<Salt>,
}

impl TableFacts {
    /// That the table has the length that so many parts give.
    pub(super) fn check_len(&self, layers: u8, len: u64) -> Result<(), Error> {
        let expected = u64::from(self.parts) * parts::entry_len(layers, self.checksum) as u64;
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
        let table = parts::decode(entries, layers, self.checksum, before, self.parts).map_err(|_| refused())?;
        let end = table.last().map(|part| part.plaintext.end);
        if last && end != Some(self.plaintext_len) { Err(refused().into()) } else { Ok(table) }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = self.parts.to_be_bytes().to_vec();
        out.extend_from_slice(&self.plaintext_len.to_be_bytes());
        out.push(self.checksum.map_or(0, |algorithm| algorithm as u8));
        out.extend_from_slice(self.salts.as_flattened());
        out
    }

    fn decode_facts(value: &[u8], layers: u8) -> Result<Self, FormatError> {
        let mut reader = Reader::new(value);
        let (parts, plaintext_len) = (reader.u32()?, reader.u64()?);
        let checksum = match reader.u8()? {
            0 => None,
            tag => Some(ChecksumAlgorithm::of_tag(tag.into()).ok_or(FormatError::Unsupported)?),
        };
        let salts = decode_salts(&mut reader, layers)?;
        reader.end()?;
        if !(1..=MAX_PARTS).contains(&parts) {
            return Err(FormatError::Malformed);
        }
        Ok(Self { parts, plaintext_len, checksum, salts })
    }
}

/// The head of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The random identity of the object.
    pub object_id: ObjectId,
    /// How each layer is sealed, the innermost first.
    pub suites: Vec<Suite>,
    /// The data keys, wrapped for each recipient; sorted.
    pub wrapped_keys: Vec<WrappedKey>,
    /// The public pairs that the object is bound to. Of a head that was only parsed those that are stored; of one that was
    /// opened all.
    pub context: EncryptionContext,
    /// The keys of the pairs that are bound and not stored, sorted.
    pub bound_keys: Vec<String>,
    /// Grows by one whenever the head is rewritten, from 1.
    pub generation: u64,
    /// What the object consists of.
    pub content: Content,
    /// The sealed attributes, in heads that are written after the body.
    pub attributes: Option<Vec<u8>>,
    /// Optional fields that this version does not know, as they were read, and private ones.
    pub(super) others: BTreeMap<u16, Vec<u8>>,
}

impl Head {
    /// The private field of this tag, from 0xC000 on: see [`SealOptions::with_field`](super::SealOptions::with_field).
    #[must_use]
    pub fn field(&self, tag: u16) -> Option<&[u8]> {
        self.others.get(&tag).filter(|_| tag >= FIRST_PRIVATE_TAG).map(Vec::as_slice)
    }

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
        let draft = Self::decode_fields(fields, |contents, _| contents.decode_none())?;
        if draft.attributes.is_none() { Ok(draft) } else { Err(FormatError::Malformed) }
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
        let (mut object_id, mut bound_keys, mut suites, mut generation) = (None, Vec::new(), None, None);
        let (mut content, mut attributes) = (Contents::default(), None);
        let mut wrapped_keys = Vec::new();
        let mut context = EncryptionContext::new();
        let mut others = BTreeMap::new();
        let mut previous = None;
        while let Some(field) = reader.field(previous)? {
            previous = Some(field.tag);
            let mut value = Reader::new(field.value);
            match field.tag {
                TAG_OBJECT_ID => object_id = Some(ObjectId(value.array()?)),
                TAG_BOUND_KEYS => bound_keys = decode_bound_keys(&mut value)?,
                TAG_SUITES => suites = Some(decode_suites(&mut value)?),
                TAG_WRAPPED_KEYS => wrapped_keys = decode_wrapped_keys(&mut value)?,
                TAG_CONTEXT => context = EncryptionContext::decode(value.all())?,
                TAG_GENERATION => generation = Some(value.u64()?),
                TAG_BODY_SALTS => content.body_salts = Some(value.all()),
                TAG_PARTS => content.parts = Some(value.all()),
                TAG_TABLE => content.table = Some(value.all()),
                TAG_ATTRIBUTES => {
                    if !(MIN_SEALED_LEN..=MAX_SEALED_LEN).contains(&field.value.len()) {
                        return Err(FormatError::Malformed);
                    }
                    attributes = Some(value.all().to_vec());
                }
                _ => {
                    field.require_optional()?;
                    others.insert(field.tag, value.all().to_vec());
                }
            }
            value.end()?;
        }
        let missing = FormatError::Malformed;
        let suites = suites.ok_or(missing)?;
        let head = Self {
            object_id: object_id.ok_or(missing)?,
            content: decode_content(content, &suites)?,
            attributes,
            suites,
            wrapped_keys,
            context,
            bound_keys,
            generation: generation.filter(|&generation| generation > 0).ok_or(missing)?,
            others,
        };
        let keys = head.context.len() + head.bound_keys.len();
        if keys > MAX_CONTEXT_PAIRS || head.bound_keys.iter().any(|key| head.context.get(key).is_some()) {
            return Err(FormatError::Malformed);
        }
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
        if !self.bound_keys.is_empty() {
            let mut bound_keys = Vec::new();
            self.bound_keys.iter().for_each(|key| put_short(&mut bound_keys, key.as_bytes()));
            put_field(&mut out, TAG_BOUND_KEYS, &bound_keys);
        }
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
        let context = self.context.encode();
        if !context.is_empty() {
            put_field(&mut out, TAG_CONTEXT, &context);
        }
        put_field(&mut out, TAG_GENERATION, &self.generation.to_be_bytes());
        if let Content::Body { salts } = &self.content {
            put_field(&mut out, TAG_BODY_SALTS, salts.as_flattened());
        }
        if let Some(attributes) = &self.attributes {
            put_field(&mut out, TAG_ATTRIBUTES, attributes);
        }
        if let Content::Parts { table, sealed } = &self.content {
            // Not known yet.
            if table.parts > 0 {
                put_field(&mut out, TAG_PARTS, &table.encode());
            }
            if let Some(sealed) = sealed {
                if sealed.len() > MAX_HEAD_LEN {
                    return Err(FormatError::TooLong);
                }
                put_field(&mut out, TAG_TABLE, sealed);
            }
        }
        for (tag, value) in &self.others {
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

/// The fields that say what the object consists of, as they are read.
#[derive(Default)]
struct Contents<'b> {
    body_salts: Option<&'b [u8]>,
    parts: Option<&'b [u8]>,
    table: Option<&'b [u8]>,
}

impl Contents<'_> {
    fn decode(self, suites: &[Suite]) -> Result<Content, FormatError> {
        let layers = u8::try_from(suites.len()).unwrap_or(u8::MAX);
        match (self.body_salts, self.parts, self.table) {
            (Some(salts), None, None) => {
                let mut reader = Reader::new(salts);
                let salts = decode_salts(&mut reader, layers)?;
                reader.end().map(|()| Content::Body { salts })
            }
            (None, Some(facts), sealed) => {
                let table = TableFacts::decode_facts(facts, layers)?;
                Ok(Content::Parts { table, sealed: sealed.map(<[u8]>::to_vec) })
            }
            _ => Err(FormatError::Malformed),
        }
    }

    fn decode_none(self) -> Result<Content, FormatError> {
        match (self.body_salts, self.parts, self.table) {
            (None, None, None) => Ok(Content::unknown_parts()),
            _ => Err(FormatError::Malformed),
        }
    }
}

impl Content {
    /// Parts that are still to come.
    pub(super) fn unknown_parts() -> Self {
        Self::Parts { table: TableFacts::default(), sealed: None }
    }
}

fn decode_bound_keys(value: &mut Reader<'_>) -> Result<Vec<String>, FormatError> {
    let mut keys: Vec<String> = Vec::new();
    while !value.is_empty() {
        let key = value.short_text()?;
        let previous = keys.last().map_or("", String::as_str);
        // Strictly rising, and so never empty.
        if key <= previous || keys.len() >= MAX_CONTEXT_PAIRS || key.len() > MAX_CONTEXT_LEN {
            return Err(FormatError::Malformed);
        }
        keys.push(key.into());
    }
    if keys.is_empty() { Err(FormatError::Malformed) } else { Ok(keys) }
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
