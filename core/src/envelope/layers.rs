//! The layers of an object: their data keys, and which engine does which.

use super::attributes::{Attributes, MAX_SEALED_LEN};
use super::body::{NewBody, Salt, StoredBody};
use super::context::ContextDigest;
use super::derive::{MAC_LEN, PLACE_LEN, Place, Role, Subkey, mac, subkey};
use super::error::EnvelopeError;
use super::head::ObjectId;
use crate::cobblestone::Cobblestone;
use crate::engine::{Choice, Engine};
use crate::error::Error;
use crate::key::Key;
use crate::random::RandomSource;
use alloc::boxed::Box;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Which engine does which layer.
#[derive(Clone, Copy)]
pub(super) struct Engines {
    pub(super) inner: Choice,
    /// `None` for another implementation than the inner one's.
    pub(super) outer: Option<Choice>,
    /// Whether what one engine seals is opened by another before it is given out.
    pub(super) check: bool,
}

impl Engines {
    pub(super) fn best() -> Self {
        Self { inner: Choice::best(), outer: None, check: false }
    }

    fn outer(self) -> Choice {
        self.outer.unwrap_or_else(|| self.inner.other())
    }

    /// What does `layer`, from 1.
    pub(super) fn of(self, layer: u8) -> Choice {
        if layer <= 1 { self.inner } else { self.outer() }
    }

    /// What checks `layer`, if it is to be checked.
    pub(super) fn check_of(self, layer: u8) -> Option<Choice> {
        let other = if layer <= 1 { self.outer() } else { self.inner };
        self.check.then_some(other)
    }

    /// The engine of `layer`, from 1.
    pub(super) fn engine(self, layer: u8) -> Engine {
        self.of(layer).engine()
    }

    /// That two implementations work, if two are to.
    pub(super) fn check_for_sealing(self, layers: u8) -> Result<(), Error> {
        if layers > 1 || self.check { self.inner.require_other(self.outer()) } else { Ok(()) }
    }
}

/// Which object it is, how many layers it has, and which engines do them.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) object_id: ObjectId,
    pub(super) layers: u8,
    pub(super) engines: Engines,
}

impl Frame {
    /// The message of a layer: where it belongs, and what does it.
    fn message(&self, role: Role, place_layer: u8, layer: u8, part: u32, key: &Key) -> Message {
        let place = Place { role, object_id: &self.object_id, layer: place_layer, layers: self.layers, part };
        Message {
            key: Key::from_bytes(key.expose_secret()),
            context: place.encode(),
            choice: self.engines.of(layer),
            check: self.engines.check_of(layer),
        }
    }

    fn record_messages(&self, role: Role, key: &Key) -> impl Iterator<Item = Message> {
        // A record in one layer belongs to none.
        let place_layer = |layer| if self.layers == 1 { 0 } else { layer };
        (1..=self.layers).map(move |layer| self.message(role, place_layer(layer), layer, 0, key))
    }

    /// Starts sealing a record whose salts are pinned elsewhere.
    pub(super) fn start_record(&self, role: Role, key: &Key, random: &dyn RandomSource) -> Result<NewBody, Error> {
        let messages = self.record_messages(role, key);
        let sealers = messages.map(|message| message.cobblestone().with_random(random).shared_sealer());
        Ok(NewBody::new(sealers.collect::<Result<_, _>>()?))
    }

    /// What opens such a record.
    pub(super) fn record_opener(&self, role: Role, key: &Key, salts: &[Salt]) -> StoredBody {
        StoredBody::new(self.record_messages(role, key).zip(salts.iter().copied()).collect())
    }

    /// Seals the attributes record: FORMAT.md, section 7.
    pub(super) fn seal_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        random: &dyn RandomSource,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let fields = Zeroizing::new(attributes.encode()?);
        Ok(self.seal_record(Role::Attributes, key, &fields, random)?)
    }

    /// Seals a record under `key`, in as many layers as the object has: FORMAT.md, section 3.
    pub(super) fn seal_record(
        &self,
        role: Role,
        key: &Key,
        fields: &[u8],
        random: &dyn RandomSource,
    ) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        for message in self.record_messages(role, key) {
            let inner = if record.is_empty() { fields } else { &record };
            record = message.cobblestone().with_random(random).seal(inner)?;
        }
        Ok(record)
    }

    /// Opens such a record.
    pub(super) fn open_record(&self, role: Role, key: &Key, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut opened: Option<Zeroizing<Vec<u8>>> = None;
        let messages: Vec<_> = self.record_messages(role, key).collect();
        for message in messages.iter().rev() {
            let sealed = opened.as_ref().map_or(sealed, |inner| &inner[..]);
            opened = Some(Zeroizing::new(message.cobblestone().open(sealed)?));
        }
        opened.ok_or(Error::Authentication)
    }
}

/// The data keys of an object, the innermost layer's first, and what does the work.
pub(super) struct Layers {
    frame: Frame,
    data_keys: Vec<Key>,
}

impl Layers {
    /// `data_keys` must not have grown: a vector that does leaves copies of its keys behind.
    pub(super) fn new(data_keys: Vec<Key>, object_id: ObjectId, engines: Engines) -> Self {
        let layers = u8::try_from(data_keys.len()).unwrap_or(u8::MAX);
        Self { frame: Frame { object_id, layers, engines }, data_keys }
    }

    /// The data keys that a plan found, and which entry gave each.
    pub(super) fn found(found: Vec<(usize, Key)>, object_id: ObjectId, engines: Engines) -> (Vec<usize>, Self) {
        let entries = found.iter().map(|&(entry, _)| entry).collect();
        // Copied one by one, and wiped where they were: moved out of the vector they would stay in its memory.
        let mut data_keys = Vec::with_capacity(found.len());
        data_keys.extend(found.iter().map(|(_, key)| Key::from_bytes(key.expose_secret())));
        (entries, Self::new(data_keys, object_id, engines))
    }

    pub(super) fn count(&self) -> u8 {
        self.frame.layers
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn data_keys(&self) -> &[Key] {
        &self.data_keys
    }

    /// The same keys once more.
    pub(super) fn copy(&self) -> Self {
        let data_keys = self.data_keys.iter().map(|key| Key::from_bytes(key.expose_secret())).collect();
        Self { frame: self.frame, data_keys }
    }

    /// The same on other engines.
    pub(super) fn with_engines(mut self, engines: Engines) -> Self {
        self.frame.engines = engines;
        self
    }

    /// Starts sealing a message in each layer, the outer one around the inner one.
    pub(super) fn seal(&self, role: Role, part: u32, random: &dyn RandomSource) -> Result<NewBody, Error> {
        let sealers =
            self.messages(role, part).map(|message| message.cobblestone().with_random(random).shared_sealer());
        Ok(NewBody::new(sealers.collect::<Result<_, _>>()?))
    }

    /// What opens such a message, whose salts must be these.
    pub(super) fn open(&self, role: Role, part: u32, salts: &[Salt]) -> StoredBody {
        StoredBody::new(self.messages(role, part).zip(salts.iter().copied()).collect())
    }

    fn messages(&self, role: Role, part: u32) -> impl Iterator<Item = Message> {
        let layers = (1..).zip(&self.data_keys);
        layers.map(move |(layer, data_key)| self.frame.message(role, layer, layer, part, data_key))
    }

    /// Opens the attributes record.
    pub(super) fn open_attributes(&self, sealed: &[u8]) -> Result<Attributes, EnvelopeError> {
        if sealed.len() > MAX_SEALED_LEN {
            return Err(EnvelopeError::Authentication);
        }
        let fields = self.frame.open_record(Role::Attributes, &self.subkey(Subkey::Attributes), sealed)?;
        Ok(Attributes::decode(&fields)?)
    }

    pub(super) fn subkey(&self, which: Subkey) -> Key {
        subkey(&self.data_keys, &self.frame.object_id, which)
    }
}

/// All subkeys of an object, for who does not have its data keys. They stay in one place on the heap: what is moved about
/// leaves copies on the stack, from where they can get into the gaps of other values.
pub(super) struct Subkeys(Box<[Key; Subkey::ALL.len()]>);

impl Subkeys {
    const LEN: usize = Key::LEN * Subkey::ALL.len();

    fn zeros() -> Self {
        Self(Box::new([const { Key::from_bytes(&[0; Key::LEN]) }; Subkey::ALL.len()]))
    }

    pub(super) fn of(layers: &Layers) -> Self {
        let mut subkeys = Self::zeros();
        for (room, which) in subkeys.0.iter_mut().zip(Subkey::ALL) {
            room.copy_from(layers.subkey(which).expose_secret());
        }
        subkeys
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks();
        if keys.len() != Subkey::ALL.len() || !rest.is_empty() {
            return None;
        }
        let mut subkeys = Self::zeros();
        subkeys.0.iter_mut().zip(keys).for_each(|(room, key)| room.copy_from(key));
        Some(subkeys)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        for (room, key) in bytes.chunks_exact_mut(Key::LEN).zip(&*self.0) {
            room.copy_from_slice(key.expose_secret());
        }
        bytes
    }

    pub(super) fn get(&self, which: Subkey) -> &Key {
        &self.0[which as usize]
    }
}

/// The MAC over a stored head whose object has these pairs.
pub(super) fn head_mac(mac_key: &Key, stored: &[u8], context: &ContextDigest) -> [u8; MAC_LEN] {
    mac(mac_key, &[stored, context])
}

/// The key and the context of one Cobblestone message, and what seals and opens it.
pub(super) struct Message {
    key: Key,
    context: [u8; PLACE_LEN],
    choice: Choice,
    check: Option<Choice>,
}

impl Message {
    pub(super) fn cobblestone(&self) -> Cobblestone<'_> {
        Cobblestone::new(&self.key, &self.context).with_choices(self.choice, self.check)
    }
}
