//! Uploads in parts: the state that outlives a process, receipts, and completion. FORMAT.md, section 9.

use super::attributes::{Attributes, ChecksumAlgorithm};
use super::body::{NewBody, Salt, sealed_len};
use super::codec::{Reader, put_field};
use super::context::{ContextDigest, EncryptionContext};
use super::derive::{self, Role, Subkey};
use super::error::{EnvelopeError, FormatError, PartsError};
use super::head::{Content, Head, ObjectId, Suite, TableFacts, WrappedKey, decode_suites};
use super::layers::{Engines, Frame, Layers, Subkeys, head_mac};
use super::open::OpenOptions;
use super::parts::{self, Part};
use super::plan::{Entries, Plan};
use super::seal::{Drawn, SealOptions};
use super::wrapping_key::{Binding, WrappingKey};
use crate::cobblestone::SALT_LEN;
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::limits::{LATE_FIELDS_LEN, MAX_HEAD_LEN, MAX_PART_LEN, MAX_PARTS};
use crate::random::{RandomSource, Source};
use crate::verdict::verdict;
use alloc::boxed::Box;
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

const TAG_SUBKEYS: u16 = 1;
const TAG_HEAD: u16 = 2;
const TAG_CONTEXT_DIGEST: u16 = 3;

const TAG_NUMBER: u16 = 1;
const TAG_SALTS: u16 = 2;
const TAG_ATTRIBUTES: u16 = 3;

/// An object that is sealed in parts: in any order, at the same time, by several processes.
///
/// Its [`stored`](Self::stored) state goes from process to process. Whoever has it, and the server's key, reads receipts and
/// completes the upload, without the keys that the object is for; who seals parts needs those too
/// ([`unlock`](Self::unlock)). Delete it when the upload has ended.
///
/// An upload state holds no data keys: it opens neither parts nor objects.
pub struct Upload {
    frame: Frame,
    subkeys: Subkeys,
    /// A head that lacks the parts.
    draft: Head,
    context: ContextDigest,
    stored: Vec<u8>,
    random: Source,
}

/// Seals the parts of an upload. It holds the data keys of the object.
pub struct PartSealer {
    layers: Layers,
    random: Source,
}

impl SealOptions {
    /// Begins an object in parts. The state of the upload is kept under `server_key`, the server's own, and bound to `place`,
    /// such as bucket, key and upload id: nothing of that is stored with it, and who resumes the upload gives the same.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_upload(
        &self,
        server_key: &WrappingKey,
        place: &EncryptionContext,
    ) -> Result<(Upload, PartSealer), EnvelopeError> {
        let layers = usize::from(self.layers());
        // One call to the source for all of it: object id, data keys, the upload key, and the salts of all wraps and of
        // the secrets.
        let salts = SALT_LEN * (layers + self.wraps() + 1);
        let drawn = self.draw(ObjectId::LEN + Key::LEN * (layers + 1) + salts)?;
        let layers = self.draw_layers(&drawn)?;
        let head = self.head(&layers, Content::unknown_parts());
        let draft = self.wrap(head, &layers, &drawn)?;
        let mut key_bytes = Zeroizing::new([0; Key::LEN]);
        drawn.fill(&mut *key_bytes).map_err(Error::from)?;
        let upload_key = Key::from_bytes(&key_bytes);
        let Frame { object_id, layers: count, engines } = *layers.frame();
        let binding = Binding { object_id, layer: 0, layers: count, context: place, engines };
        let wrapped_key = server_key.wrap(&binding, &upload_key, &drawn)?;
        let mut upload = Upload {
            frame: *layers.frame(),
            subkeys: Subkeys::of(&layers),
            context: draft.context.digest(),
            draft,
            stored: Vec::new(),
            random: self.random(),
        };
        upload.stored = upload.encode_state(&wrapped_key, &upload_key, &drawn)?;
        Ok((upload, PartSealer { layers, random: self.random() }))
    }
}

/// How to come by the key of an upload state, and with it the upload.
pub(super) fn plan(
    options: &OpenOptions,
    stored: &[u8],
    place: &EncryptionContext,
    accepts: impl Fn(&WrappedKey) -> bool,
) -> Result<Plan<Upload>, EnvelopeError> {
    let state = Arc::new(State::parse(stored, place)?);
    let of: Arc<dyn Entries> = Arc::clone(&state) as _;
    let (engines, random, stored) = (options.engines(), options.random(), stored.to_vec());
    options.plan_of(of, 0..=0, accepts, move |found| {
        let (_, upload_key) = found.first().ok_or(EnvelopeError::Authentication)?;
        state.open(upload_key, engines, stored, random)
    })
}

/// An upload state as it is stored.
struct State {
    object_id: ObjectId,
    suites: Vec<Suite>,
    wrapped_key: WrappedKey,
    secrets: Vec<u8>,
    /// What its key is bound to.
    place: EncryptionContext,
}

impl State {
    fn parse(stored: &[u8], place: &EncryptionContext) -> Result<Self, FormatError> {
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
                TAG_SECRETS => secrets = Some(value.all().to_vec()),
                _ => {
                    field.require_optional()?;
                    value.all();
                }
            }
            value.end()?;
        }
        let missing = FormatError::Malformed;
        Ok(Self {
            object_id: object_id.ok_or(missing)?,
            suites: suites.ok_or(missing)?,
            wrapped_key: wrapped_key.filter(|entry: &WrappedKey| entry.layer == 0).ok_or(missing)?,
            secrets: secrets.ok_or(missing)?,
            place: place.clone(),
        })
    }

    fn open(
        &self,
        upload_key: &Key,
        engines: Engines,
        stored: Vec<u8>,
        random: Source,
    ) -> Result<Upload, EnvelopeError> {
        let frame = Frame { object_id: self.object_id, layers: self.layers(), engines };
        let refused = |_| Error::refused(Refusal::Upload);
        let secrets = frame.open_record(Role::Upload, upload_key, &self.secrets).map_err(refused)?;
        let (subkeys, draft, context) = decode_secrets(&secrets)?;
        if draft.object_id != self.object_id || draft.suites != self.suites {
            return Err(Error::refused(Refusal::Upload).into());
        }
        Ok(Upload { frame, subkeys, draft, context, stored, random })
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
        &self.place
    }
}

fn decode_secrets(fields: &[u8]) -> Result<(Subkeys, Head, ContextDigest), FormatError> {
    let mut reader = Reader::new(fields);
    let (mut subkeys, mut draft, mut context) = (None, None, None);
    let mut previous = None;
    while let Some(field) = reader.field(previous)? {
        previous = Some(field.tag);
        let mut value = Reader::new(field.value);
        match field.tag {
            TAG_SUBKEYS => subkeys = Subkeys::from_bytes(value.all()),
            TAG_HEAD => draft = Some(Head::decode_draft(value.all())?),
            TAG_CONTEXT_DIGEST => context = Some(value.array()?),
            _ => {
                field.require_optional()?;
                value.all();
            }
        }
        value.end()?;
    }
    let missing = FormatError::Malformed;
    Ok((subkeys.ok_or(missing)?, draft.ok_or(missing)?, context.ok_or(missing)?))
}

/// One attempt at sealing a part.
#[derive(Debug)]
#[must_use = "a part without a receipt is not there"]
pub struct PartAttempt {
    object_id: ObjectId,
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
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, FormatError> {
        let (salts, attributes) = (self.salts.as_flattened(), Zeroizing::new(self.attributes.encode()?));
        let mut out = Zeroizing::new(Vec::with_capacity(16 + salts.len() + attributes.len()));
        put_field(&mut out, TAG_NUMBER, &self.number.to_be_bytes());
        put_field(&mut out, TAG_SALTS, salts);
        put_field(&mut out, TAG_ATTRIBUTES, &attributes);
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
                TAG_ATTRIBUTES => attributes = Some(Attributes::decode(value.all())?),
                _ => {
                    field.require_optional()?;
                    value.all();
                }
            }
            value.end()?;
        }
        let missing = FormatError::Malformed;
        let number = number.filter(|number| (1..=MAX_PARTS).contains(number)).ok_or(missing)?;
        let attributes = attributes.filter(|attributes: &Attributes| attributes.etag.is_some()).ok_or(missing)?;
        if salts.len() == usize::from(layers) { Ok(Self { number, salts, attributes }) } else { Err(missing) }
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
    /// By which algorithm the digest of each part goes into the part table, for who reads the object part by part. None
    /// unless set; all parts must have it.
    pub checksum: Option<ChecksumAlgorithm>,
    object_id: ObjectId,
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
        self.parts.iter().fold(0, |len, part| part.attributes.plaintext_len.saturating_add(len))
    }

    /// The parts as the table has them, if a reader takes them.
    fn table(&self, layers: u8) -> Result<Vec<Part>, FormatError> {
        let malformed = FormatError::Malformed;
        let count = u32::try_from(self.parts.len()).ok().filter(|count| (1..=MAX_PARTS).contains(count));
        let count = count.ok_or(malformed)?;
        let (mut previous, mut start) = (0, 0_u64);
        let parts = self.parts.iter().map(|receipt| {
            let Receipt { number, salts, attributes } = receipt;
            let end = start.checked_add(attributes.plaintext_len).ok_or(malformed)?;
            let digest = self.checksum.map(|algorithm| attributes.digests.get(algorithm).ok_or(malformed));
            let checksum = digest.transpose()?.unwrap_or_default().to_vec();
            let part = Part { number: *number, plaintext: start..end, salts: salts.clone(), checksum };
            part.check(previous, count)?;
            (previous, start) = (*number, end);
            if salts.len() == usize::from(layers) { Ok(part) } else { Err(malformed) }
        });
        parts.collect()
    }
}

/// A completed upload, as it is to be stored.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completed {
    /// The head of the object.
    pub head: Vec<u8>,
    /// The part table, if it is not in the head: to be stored beside it.
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

    /// That something is of this upload, and not of another one that the caller has as well.
    fn check_own(&self, object_id: ObjectId) -> Result<(), Error> {
        if object_id == self.object_id() { Ok(()) } else { Err(Error::refused(Refusal::Upload)) }
    }

    /// How to come by the object's own keys, to seal parts: see [`OpenOptions::plan`]. The policy holds for the object that it
    /// will be.
    ///
    /// # Errors
    /// [`EnvelopeError`]: the policy does not accept the object or its keys.
    pub fn plan_parts(&self, options: &OpenOptions) -> Result<Plan<PartSealer>, EnvelopeError> {
        self.plan_keys(options, |_| true)
    }

    /// Comes by the object's own keys, to seal parts, through the keys and services among `options`.
    ///
    /// # Errors
    /// [`EnvelopeError`]: the policy does not accept the object or its keys; nobody here has them.
    pub fn unlock(&self, options: &OpenOptions) -> Result<PartSealer, EnvelopeError> {
        options.follow(self.plan_keys(options, |entry| options.can_answer(entry))?)
    }

    fn plan_keys(
        &self,
        options: &OpenOptions,
        accepts: impl Fn(&WrappedKey) -> bool,
    ) -> Result<Plan<PartSealer>, EnvelopeError> {
        let mut head = self.draft.clone();
        options.policy().check(&mut head)?;
        let (engines, random) = (options.engines(), options.random());
        engines.check_for_sealing(head.layers())?;
        let (object_id, layers) = (head.object_id, 1..=head.layers());
        // In memory of its own: what a closure holds stays behind where it was when it is called.
        let mac_key = Box::new(Key::from_bytes(self.subkeys.get(Subkey::Mac).expose_secret()));
        options.plan_of(Arc::new(head), layers, accepts, move |found| {
            let (_, layers) = Layers::found(found, object_id, engines);
            // What is sealed has to open under the head to come.
            if !verdict(layers.subkey(Subkey::Mac).expose_secret().ct_eq(mac_key.expose_secret())) {
                return Err(Error::refused(Refusal::Upload).into());
            }
            Ok(PartSealer { layers, random })
        })
    }

    fn encode_state(
        &self,
        wrapped_key: &WrappedKey,
        upload_key: &Key,
        random: &dyn RandomSource,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let subkeys = self.subkeys.to_bytes();
        let draft = self.draft.encode_draft()?;
        // What comes late must find room, as no part is sealed in vain.
        if draft.len() > MAX_HEAD_LEN - LATE_FIELDS_LEN {
            return Err(FormatError::TooLong.into());
        }
        // With its final capacity: a vector that grows leaves copies behind.
        let mut secrets = Zeroizing::new(Vec::with_capacity(subkeys.len() + draft.len() + self.context.len() + 12));
        put_field(&mut secrets, TAG_SUBKEYS, &subkeys[..]);
        put_field(&mut secrets, TAG_HEAD, &draft);
        put_field(&mut secrets, TAG_CONTEXT_DIGEST, &self.context);

        let mut stored = MAGIC.to_vec();
        stored.push(derive::VERSION);
        put_field(&mut stored, TAG_OBJECT_ID, self.draft.object_id.as_bytes());
        let suites: Vec<_> = self.draft.suites.iter().flat_map(|&suite| (suite as u16).to_be_bytes()).collect();
        put_field(&mut stored, TAG_SUITES, &suites);
        let mut entry = Vec::new();
        wrapped_key.encode(&mut entry);
        put_field(&mut stored, TAG_WRAPPED_KEY, &entry);
        put_field(&mut stored, TAG_SECRETS, &self.frame.seal_record(Role::Upload, upload_key, &secrets, random)?);
        Ok(stored)
    }

    /// The receipt of an attempt whose body has been stored: what is sealed with these attributes. Store it with the body.
    ///
    /// An ETag that is not given is made of the salt.
    ///
    /// # Errors
    /// [`PartsError::Size`] above 5 GiB of plaintext; [`EnvelopeError::Format`] if the ETag is out of its bounds;
    /// [`EnvelopeError::Authentication`] for an attempt of another upload.
    pub fn receipt(
        &self,
        attempt: PartAttempt,
        mut attributes: Attributes,
    ) -> Result<(Receipt, Vec<u8>), EnvelopeError> {
        let PartAttempt { object_id, number, salts } = attempt;
        self.check_own(object_id)?;
        if attributes.plaintext_len > MAX_PART_LEN {
            return Err(PartsError::Size(number).into());
        }
        if attributes.etag.is_none() {
            let salt = salts.last().and_then(|salt| salt.first_chunk()).copied().unwrap_or_default();
            attributes.etag = Some(format!("{:032x}", u128::from_be_bytes(salt)));
        }
        let receipt = Receipt { number, salts, attributes };
        let key = self.subkeys.get(Subkey::Receipt);
        let stored = self.frame.seal_record(Role::Receipt, key, &receipt.encode()?, &self.random)?;
        Ok((receipt, stored))
    }

    /// Reads a stored receipt, which must be of this upload.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`].
    pub fn open_receipt(&self, stored: &[u8]) -> Result<Receipt, EnvelopeError> {
        let refused = |_| Error::refused(Refusal::Receipt);
        let fields = self.frame.open_record(Role::Receipt, self.subkeys.get(Subkey::Receipt), stored);
        Ok(Receipt::decode(&fields.map_err(refused)?, self.frame.layers)?)
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

        let object_id = self.object_id();
        let mut selection = Selection { receipts: Vec::new(), parts: Vec::new(), checksum: None, object_id };
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
            if len > MAX_PART_LEN || (len == 0 && count > 1) || sealed_len(self.frame.layers, len).is_none() {
                return Err(PartsError::Size(number).into());
            }
            selection.receipts.push(index);
            selection.parts.push(receipt.clone());
        }
        Ok(selection)
    }

    /// Makes the head of the object that the parts are. The part table is in it as long as the head is at most `inline_len`
    /// bytes long then ([`INLINE_ENVELOPE_LEN`](crate::limits::INLINE_ENVELOPE_LEN) for those who have no better idea);
    /// otherwise it is given apart.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] if `selection` is of another upload; [`EnvelopeError::Format`] if it is not as
    /// [`select`](Self::select) gave it, if `attributes` are not those of such an object, or do not fit, or if a part does not
    /// have the digest that the table is to have; [`EnvelopeError::Seal`] if there are no random bytes to be had.
    pub fn complete(
        &self,
        selection: &Selection,
        attributes: &Attributes,
        inline_len: usize,
    ) -> Result<Completed, EnvelopeError> {
        self.check_own(selection.object_id)?;
        let parts = selection.table(self.frame.layers)?;
        if attributes.plaintext_len != selection.plaintext_len() {
            return Err(FormatError::Malformed.into());
        }
        let drawn = Drawn::new(&self.random, SALT_LEN * usize::from(self.frame.layers) * 2)?;
        let key = self.subkeys.get(Subkey::Attributes);
        let attributes_record = self.frame.seal_attributes(key, attributes, &drawn)?;
        let body = self.frame.start_record(Role::Table, self.subkeys.get(Subkey::Table), &drawn)?;
        let table = TableFacts {
            parts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
            plaintext_len: attributes.plaintext_len,
            checksum: selection.checksum,
            salts: body.salts(),
        };
        let sealed = body.seal(&parts::encode(&parts))?;
        let head = |sealed| {
            let content = Content::Parts { table: table.clone(), sealed };
            let head = Head { attributes: Some(attributes_record.clone()), content, ..self.draft.clone() };
            let mut stored = head.encode()?;
            stored.extend_from_slice(&head_mac(self.subkeys.get(Subkey::Mac), &stored, &self.context));
            Ok::<_, EnvelopeError>(stored)
        };
        if sealed.len() <= inline_len {
            match head(Some(sealed.clone())) {
                Ok(head) if head.len() <= inline_len => return Ok(Completed { head, table: None }),
                Ok(_) | Err(EnvelopeError::Format(FormatError::TooLong)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Completed { head: head(None)?, table: Some(sealed) })
    }
}

impl PartSealer {
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
        let object_id = self.layers.frame().object_id;
        Ok((PartAttempt { object_id, number, salts: body.salts() }, body))
    }
}

impl fmt::Debug for PartSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object_id = &self.layers.frame().object_id;
        f.debug_struct("PartSealer").field("object_id", object_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("object_id", &self.draft.object_id).finish_non_exhaustive()
    }
}
