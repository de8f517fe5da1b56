//! Uploads in parts: the state that outlives a process, receipts, and completion. FORMAT.md, section 9.

use super::attributes::Attributes;
use super::body::{NewBody, Salt, sealed_len};
use super::codec::{Reader, put_field};
use super::derive::{MAC_LEN, Role, Subkey};
use super::error::{EnvelopeError, FormatError, PartsError};
use super::head::{Content, DetachedTable, Head, ObjectId, Suite, WrappedKey, decode_suites};
use super::layers::{Frame, Layers};
use super::open::OpenOptions;
use super::opened::Envelope;
use super::parts::{self, Part};
use super::plan::{Entries, Plan};
use super::seal::{Drawn, SealOptions};
use super::wrapping_key::{Binding, WrappingKey};
use super::{EncryptionContext, derive};
use crate::cobblestone::SALT_LEN;
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::limits::{MAX_PART_LEN, MAX_PARTS, MAX_WRAPPED_KEYS};
use crate::random::{RandomSource, Source};
use crate::verdict::verdict;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::{fmt, slice};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const MAGIC: &[u8; 7] = b"objupld";

const TAG_OBJECT_ID: u16 = 1;
const TAG_SUITES: u16 = 2;
const TAG_WRAPPED_KEY: u16 = 3;
const TAG_SECRETS: u16 = 4;

const TAG_DATA_KEYS: u16 = 1;
const TAG_HEAD: u16 = 2;

const TAG_NUMBER: u16 = 1;
const TAG_SALTS: u16 = 2;
const TAG_ATTRIBUTES: u16 = 3;

/// An object that is sealed in parts: in any order, at the same time, by several processes.
///
/// Its [`stored`](Self::stored) state goes from process to process; whoever has it, and the server's key, can seal parts
/// and complete the upload, without the key services that the object is for. Delete it when the upload has ended.
///
/// An upload state opens neither parts nor objects.
pub struct Upload {
    layers: Layers,
    /// A head that lacks the parts.
    draft: Head,
    stored: Vec<u8>,
    random: Source,
}

impl SealOptions {
    /// Begins an object in parts. The state of the upload is kept under `server_key`, the server's own: who seals parts needs
    /// that one, and none of the object's.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_upload(&self, server_key: &WrappingKey) -> Result<Upload, EnvelopeError> {
        let layers = usize::from(self.layers());
        // One call to the source for all of it: object id, data keys, the upload key, and the salts of all wraps and of
        // the secrets.
        let salts = SALT_LEN * (layers + self.wraps() + 1);
        let drawn = self.draw(ObjectId::LEN + Key::LEN * (layers + 1) + salts)?;
        let layers = self.draw_layers(&drawn)?;
        let head = self.head(&layers, Content::Parts(Vec::new()));
        let draft = self.wrap(head, &layers, &drawn)?;
        let mut key_bytes = Zeroizing::new([0; Key::LEN]);
        drawn.fill(&mut *key_bytes).map_err(Error::from)?;
        let upload_key = Key::from_bytes(&key_bytes);
        let Frame { object_id, layers: count, engines } = *layers.frame();
        let none = EncryptionContext::new();
        let binding = Binding { object_id, layer: 0, layers: count, context: &none, engine: engines.engine(0) };
        let wrapped_key = server_key.wrap(&binding, &upload_key, &drawn)?;
        let stored = encode_state(&draft, &layers, &wrapped_key, &upload_key, &drawn)?;
        Ok(Upload { layers, draft, stored, random: self.random() })
    }
}

/// How to come by the key of an upload state, and with it the upload.
pub(super) fn plan(
    options: &OpenOptions,
    stored: &[u8],
    accepts: impl Fn(&WrappedKey) -> bool,
) -> Result<Plan<Upload>, EnvelopeError> {
    let state = Arc::new(State::parse(stored)?);
    let of: Arc<dyn Entries> = Arc::clone(&state) as _;
    let (resumer, stored) = (options.clone(), stored.to_vec());
    options.plan_of(of, 0..=0, accepts, move |found| {
        let (_, upload_key) = found.into_iter().next().ok_or(EnvelopeError::Authentication)?;
        resume(&resumer, stored, &state, &upload_key)
    })
}

fn resume(options: &OpenOptions, stored: Vec<u8>, state: &State, upload_key: &Key) -> Result<Upload, EnvelopeError> {
    let engines = options.engines();
    let frame = Frame { object_id: state.object_id, layers: state.layers(), engines };
    let refused = |_| Error::refused(Refusal::Upload);
    let secrets = frame.open_record(Role::Upload, upload_key, &state.secrets).map_err(refused)?;
    let (data_keys, draft) = decode_secrets(&secrets)?;
    if draft.object_id != state.object_id || draft.suites != state.suites || data_keys.len() != state.suites.len() {
        return Err(Error::refused(Refusal::Upload).into());
    }
    options.policy().check(&draft)?;
    engines.check_for_sealing(draft.layers())?;
    let layers = Layers::new(data_keys, draft.object_id, engines);
    Ok(Upload { layers, draft, stored, random: options.random() })
}

fn encode_state(
    draft: &Head,
    layers: &Layers,
    wrapped_key: &WrappedKey,
    upload_key: &Key,
    random: &dyn RandomSource,
) -> Result<Vec<u8>, EnvelopeError> {
    let mut data_keys = Zeroizing::new(Vec::with_capacity(2 * Key::LEN));
    layers.data_keys().iter().for_each(|key| data_keys.extend_from_slice(key.expose_secret()));
    let draft_fields = draft.encode_draft()?;
    // With its final capacity: a vector that grows leaves copies behind.
    let mut secrets = Zeroizing::new(Vec::with_capacity(data_keys.len() + draft_fields.len() + 8));
    put_field(&mut secrets, TAG_DATA_KEYS, &data_keys);
    put_field(&mut secrets, TAG_HEAD, &draft_fields);

    let mut stored = MAGIC.to_vec();
    stored.push(derive::VERSION);
    put_field(&mut stored, TAG_OBJECT_ID, draft.object_id.as_bytes());
    let suites: Vec<_> = draft.suites.iter().flat_map(|&suite| (suite as u16).to_be_bytes()).collect();
    put_field(&mut stored, TAG_SUITES, &suites);
    let mut entry = Vec::new();
    wrapped_key.encode(&mut entry);
    put_field(&mut stored, TAG_WRAPPED_KEY, &entry);
    put_field(&mut stored, TAG_SECRETS, &layers.frame().seal_record(Role::Upload, upload_key, &secrets, random)?);
    Ok(stored)
}

/// An upload state as it is stored.
struct State {
    object_id: ObjectId,
    suites: Vec<Suite>,
    wrapped_key: WrappedKey,
    secrets: Vec<u8>,
    /// The state is bound to none.
    context: EncryptionContext,
}

impl State {
    fn parse(stored: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(stored);
        if reader.bytes(MAGIC.len()).ok() != Some(MAGIC) {
            return Err(FormatError::NotSealed);
        }
        let version = reader.u8()?;
        if version != derive::VERSION {
            return Err(FormatError::UnknownVersion(version));
        }
        let (mut object_id, mut suites, mut wrapped_key, mut secrets) = (None, None, None, None);
        let mut previous = None;
        while let Some(field) = reader.field(previous)? {
            previous = Some(field.tag);
            let mut value = Reader::new(field.value);
            match field.tag {
                TAG_OBJECT_ID => object_id = Some(ObjectId::from_bytes(value.array()?)),
                TAG_SUITES => suites = Some(decode_suites(&mut value)?),
                TAG_WRAPPED_KEY => wrapped_key = Some(WrappedKey::decode(&mut value)?),
                TAG_SECRETS => secrets = Some(value.bytes(field.value.len())?),
                _ => {
                    field.require_optional()?;
                    value = Reader::new(&[]);
                }
            }
            value.end()?;
        }
        let missing = FormatError::Malformed;
        let wrapped_key = wrapped_key.ok_or(missing)?;
        wrapped_key.check()?;
        if wrapped_key.layer != 0 {
            return Err(missing);
        }
        let (object_id, suites) = (object_id.ok_or(missing)?, suites.ok_or(missing)?);
        let secrets: &[u8] = secrets.ok_or(missing)?;
        Ok(Self { object_id, suites, wrapped_key, secrets: secrets.to_vec(), context: EncryptionContext::new() })
    }
}

impl Entries for State {
    fn layers(&self) -> u8 {
        u8::try_from(self.suites.len()).unwrap_or(u8::MAX)
    }

    fn object_id(&self) -> ObjectId {
        self.object_id
    }

    fn entries(&self) -> &[WrappedKey] {
        slice::from_ref(&self.wrapped_key)
    }

    fn context(&self) -> &EncryptionContext {
        &self.context
    }
}

fn decode_secrets(fields: &[u8]) -> Result<(Vec<Key>, Head), FormatError> {
    let mut reader = Reader::new(fields);
    let (mut data_keys, mut draft) = (Vec::new(), None);
    let mut previous = None;
    while let Some(field) = reader.field(previous)? {
        previous = Some(field.tag);
        let mut value = Reader::new(field.value);
        match field.tag {
            TAG_DATA_KEYS => {
                while !value.is_empty() && data_keys.len() < MAX_WRAPPED_KEYS {
                    data_keys.push(Key::from_bytes(&value.array()?));
                }
            }
            TAG_HEAD => draft = Some(Head::decode_draft(value.bytes(field.value.len())?)?),
            _ => {
                field.require_optional()?;
                value = Reader::new(&[]);
            }
        }
        value.end()?;
    }
    Ok((data_keys, draft.ok_or(FormatError::Malformed)?))
}

/// One attempt at sealing a part.
#[derive(Debug)]
#[must_use = "a part without a receipt is not there"]
pub struct PartAttempt {
    number: u32,
    salts: Vec<Salt>,
}

/// The receipt of a part: that it was sealed for this upload, and how. Only an [`Upload`] makes them and reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The number of the part.
    pub number: u32,
    /// The salts of its body, the innermost layer's first. They tell one attempt at a part from another: a stored body
    /// begins with the last of them.
    pub salts: Vec<Salt>,
    /// What is known of it. It has an ETag.
    pub attributes: Attributes,
}

impl Receipt {
    fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = Vec::with_capacity(256);
        put_field(&mut out, TAG_NUMBER, &self.number.to_be_bytes());
        put_field(&mut out, TAG_SALTS, self.salts.as_flattened());
        put_field(&mut out, TAG_ATTRIBUTES, &self.attributes.encode()?);
        Ok(out)
    }

    fn decode(fields: &[u8], layers: u8) -> Result<Self, FormatError> {
        let mut reader = Reader::new(fields);
        let (mut number, mut salts, mut attributes) = (None, Vec::new(), None);
        let mut previous = None;
        while let Some(field) = reader.field(previous)? {
            previous = Some(field.tag);
            let mut value = Reader::new(field.value);
            match field.tag {
                TAG_NUMBER => number = Some(value.u32()?),
                TAG_SALTS => salts = (0..layers).map(|_| value.array()).collect::<Result<_, _>>()?,
                TAG_ATTRIBUTES => attributes = Some(Attributes::decode(value.bytes(field.value.len())?)?),
                _ => {
                    field.require_optional()?;
                    value = Reader::new(&[]);
                }
            }
            value.end()?;
        }
        let missing = FormatError::Malformed;
        if salts.len() != usize::from(layers) {
            return Err(missing);
        }
        Ok(Self { number: number.ok_or(missing)?, salts, attributes: attributes.ok_or(missing)? })
    }
}

/// The parts that make the object, as the client named them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Selection {
    /// For each part, in their order, which of the receipts it was.
    pub receipts: Vec<usize>,
    /// For each part what its receipt says.
    pub parts: Vec<Receipt>,
}

impl Selection {
    /// The attributes of the parts, in their order; `checksums::of_parts` (feature `checksums`) makes those of the object
    /// of them.
    #[must_use]
    pub fn attributes(&self) -> Vec<Attributes> {
        self.parts.iter().map(|part| part.attributes.clone()).collect()
    }

    /// Length of the plaintext of all parts, in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> u64 {
        // 10,000 parts of 5 GiB at most.
        self.parts.iter().map(|part| part.attributes.plaintext_len).sum()
    }

    fn table(&self) -> Vec<Part> {
        let mut start = 0;
        let parts = self.parts.iter().map(|receipt| {
            let end = start + receipt.attributes.plaintext_len;
            let part = Part { number: receipt.number, plaintext: start..end, salts: receipt.salts.clone() };
            start = end;
            part
        });
        parts.collect()
    }
}

/// A completed upload.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completed {
    /// The envelope of the object.
    pub envelope: Envelope,
    /// The part table, if it is not in the envelope: to be stored beside it.
    pub table: Option<Vec<u8>>,
}

impl Upload {
    /// The state, as it is to be stored. It is sealed under the server's key.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// The object that it will be.
    #[must_use]
    pub fn object_id(&self) -> ObjectId {
        self.draft.object_id
    }

    /// Begins an attempt at part `number`, from 1 to 10,000. Every attempt draws salts of its own, so a part
    /// can be sealed again and again, and by several processes at the same time.
    ///
    /// # Errors
    /// [`PartsError::Number`]; [`EnvelopeError::Seal`] if there are no random bytes to be had.
    pub fn part(&self, number: u32) -> Result<(PartAttempt, NewBody), EnvelopeError> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(PartsError::Number(number).into());
        }
        let drawn = Drawn::new(&self.random, SALT_LEN * usize::from(self.layers.count()))?;
        let body = self.layers.seal(Role::Body, number, &drawn)?;
        Ok((PartAttempt { number, salts: body.salts() }, body))
    }

    /// The receipt of an attempt whose body has been stored: what is sealed with these attributes. Store it with the body.
    ///
    /// An ETag that is not given is made of the salt.
    ///
    /// # Errors
    /// [`PartsError::Size`] above 5 GiB of plaintext; [`EnvelopeError::Format`] if the ETag is out of its bounds.
    pub fn receipt(
        &self,
        attempt: PartAttempt,
        mut attributes: Attributes,
    ) -> Result<(Receipt, Vec<u8>), EnvelopeError> {
        let PartAttempt { number, salts } = attempt;
        if attributes.plaintext_len > MAX_PART_LEN {
            return Err(PartsError::Size(number).into());
        }
        if attributes.etag.is_none() {
            let salt = salts.last().and_then(|salt| salt.first_chunk()).copied().unwrap_or_default();
            attributes.etag = Some(format!("{:032x}", u128::from_be_bytes(salt)));
        }
        let receipt = Receipt { number, salts, attributes };
        let mut stored = receipt.encode()?;
        stored.extend_from_slice(&self.layers.mac(Subkey::Receipt, &stored));
        Ok((receipt, stored))
    }

    /// Reads a stored receipt, which must be of this upload.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`].
    pub fn open_receipt(&self, stored: &[u8]) -> Result<Receipt, EnvelopeError> {
        let refused = || Error::refused(Refusal::Receipt);
        let (fields, stored_mac) = stored.split_last_chunk::<MAC_LEN>().ok_or_else(refused)?;
        if !verdict(self.layers.mac(Subkey::Receipt, fields).ct_eq(stored_mac)) {
            return Err(refused().into());
        }
        Ok(Receipt::decode(fields, self.layers.count())?)
    }

    /// Finds the parts that a client names by number and ETag, in their order, among the stored receipts of this upload.
    /// Of several receipts for the same part and ETag the last one counts, so give them in the order of storing.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] if a receipt is not one of this upload; [`EnvelopeError::Parts`] if the parts do
    /// not make an object.
    pub fn select(&self, named: &[(u32, &str)], receipts: &[&[u8]]) -> Result<Selection, EnvelopeError> {
        let count = u32::try_from(named.len()).ok().filter(|count| (1..=MAX_PARTS).contains(count));
        let count = count.ok_or(PartsError::Count)?;
        let receipts: Vec<_> = receipts.iter().map(|stored| self.open_receipt(stored)).collect::<Result<_, _>>()?;
        let mut by_part: Vec<usize> = (0..receipts.len()).collect();
        by_part.sort_by_key(|&index| receipts[index].number);

        let mut selection = Selection { receipts: Vec::new(), parts: Vec::new() };
        let mut previous = 0;
        for &(number, etag) in named {
            if !(1..=MAX_PARTS).contains(&number) {
                return Err(PartsError::Number(number).into());
            }
            if number <= previous {
                return Err(PartsError::Order(number).into());
            }
            previous = number;
            let of_part = by_part.partition_point(|&index| receipts[index].number < number);
            let of_part = by_part[of_part..].iter().take_while(|&&index| receipts[index].number == number);
            let with_etag = of_part.filter(|&&index| receipts[index].attributes.etag.as_deref() == Some(etag));
            let &index = with_etag.last().ok_or(PartsError::Missing(number))?;
            let receipt = &receipts[index];
            let len = receipt.attributes.plaintext_len;
            if len > MAX_PART_LEN || (len == 0 && count > 1) || sealed_len(self.layers.count(), len).is_none() {
                return Err(PartsError::Size(number).into());
            }
            selection.receipts.push(index);
            selection.parts.push(receipt.clone());
        }
        Ok(selection)
    }

    /// Makes the envelope of the object that the parts are. The part table is in it as long as it is at most `inline_len`
    /// bytes long then ([`INLINE_ENVELOPE_LEN`](crate::limits::INLINE_ENVELOPE_LEN) for those who have no better idea);
    /// otherwise it is given apart.
    ///
    /// # Errors
    /// [`EnvelopeError::Format`] if `attributes` are not those of such an object, or do not fit; [`EnvelopeError::Seal`]
    /// if there are no random bytes to be had.
    pub fn complete(
        &self,
        selection: &Selection,
        attributes: &Attributes,
        inline_len: usize,
    ) -> Result<Completed, EnvelopeError> {
        let table = selection.table();
        if attributes.plaintext_len != selection.plaintext_len() || table.is_empty() {
            return Err(FormatError::Malformed.into());
        }
        let layers = usize::from(self.layers.count());
        let drawn = Drawn::new(&self.random, SALT_LEN * layers * 2)?;
        let sealed = self.layers.seal_attributes(attributes, &drawn)?;
        let head = Head { attributes: Some(sealed), ..self.draft.clone() };
        // Parts that take more than that alone need not be encoded to see it.
        if table.len() * parts::entry_len(self.layers.count()) <= inline_len {
            let head = Head { content: Content::Parts(table.clone()), ..head.clone() };
            let envelope = Envelope::make(head, self.layers.copy(), self.random.clone());
            match envelope {
                Ok(envelope) if envelope.stored().len() <= inline_len => {
                    return Ok(Completed { envelope, table: None });
                }
                Ok(_) | Err(EnvelopeError::Format(FormatError::TooLong)) => {}
                Err(error) => return Err(error),
            }
        }
        let body = self.layers.seal(Role::Table, 0, &drawn)?;
        let count = u32::try_from(table.len()).unwrap_or(u32::MAX);
        let content = DetachedTable::new(count, attributes.plaintext_len, body.salts());
        let sealed_table = body.seal(&parts::encode(&table))?;
        let head = Head { content: Content::DetachedTable(content), ..head };
        Ok(Completed {
            envelope: Envelope::make(head, self.layers.copy(), self.random.clone())?,
            table: Some(sealed_table),
        })
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("object_id", &self.draft.object_id).finish_non_exhaustive()
    }
}
