//! What FORMAT.md says, written once more: for tests that look inside what is stored, or forge it.

use hmac::{Hmac, KeyInit, Mac};
use objseal::cobblestone::Cobblestone;
use objseal::envelope::{EncryptionContext, Head, ObjectId};
use objseal::{Error, Key};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use std::ops::Range;

/// Length of the MAC at the end of a head, in bytes.
pub const MAC_LEN: usize = 32;

/// What a Cobblestone message is for (section 3).
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// A body.
    Body = 1,
    /// A part table.
    Table = 2,
    /// The attributes.
    Attributes = 3,
    /// A wrapped key.
    Wrap = 4,
    /// The secrets of an upload state.
    Upload = 5,
    /// A receipt.
    Receipt = 6,
}

/// Which object, and how many layers it has.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// The object.
    pub id: ObjectId,
    /// Its layers.
    pub layers: u8,
}

impl Object {
    /// The object of a stored head.
    ///
    /// # Panics
    /// If it is not one.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let head = Head::parse(head).expect("a head");
        Self { id: head.unverified().object_id, layers: head.unverified().layers() }
    }

    /// The object of a stored upload state.
    ///
    /// # Panics
    /// If it is not one.
    #[must_use]
    pub fn of_state(state: &[u8]) -> Self {
        let fields = state_fields(state);
        let id = ObjectId::from_bytes(state[fields[&1].clone()].try_into().expect("32 bytes"));
        Self { id, layers: u8::try_from(fields[&2].len() / 2).expect("1 or 2") }
    }

    /// The context of a message, or its beginning (section 3).
    #[must_use]
    pub fn place(&self, role: Role, layer: u8, part: u32) -> Vec<u8> {
        let layers = [layer, self.layers];
        [&b"objseal/v1"[..], &[role as u8], self.id.as_bytes(), &layers, &part.to_be_bytes()].concat()
    }

    /// The context of the wrap of an entry that stands in `stored` (section 6).
    #[must_use]
    pub fn wrap_context(&self, stored: &[u8], entry: &Entry, context: &EncryptionContext) -> Vec<u8> {
        let layer = stored[entry["layer"].start];
        let names_and_kinds = &stored[entry["service"].start - 2..entry["service context"].end];
        let blob = Sha512::digest(&stored[entry["blob"].clone()]);
        [&self.place(Role::Wrap, layer, 0)[..], names_and_kinds, &blob, &pairs(context)].concat()
    }

    /// Opens the wrap of an entry that stands in `stored`.
    ///
    /// # Panics
    /// If it does not open.
    #[must_use]
    pub fn unwrap(&self, stored: &[u8], entry: &Entry, wrapping_key: &Key, context: &EncryptionContext) -> Key {
        let context = self.wrap_context(stored, entry, context);
        let wrap = &stored[entry["wrap"].clone()];
        first_key(&Cobblestone::new(&wrap_key(wrapping_key), &context).open(wrap).expect("as FORMAT.md says"))
    }

    /// A subkey of the object with these data keys, one behind the other (section 3).
    #[must_use]
    pub fn subkey(&self, data_keys: &[u8], name: &str) -> Key {
        let info = [&b"objseal/v1/"[..], name.as_bytes(), &[0, 1, self.layers], self.id.as_bytes()].concat();
        first_key(&expand(data_keys, &info))
    }

    /// Seals a record (section 3); gives its salts as well, the innermost layer's first.
    ///
    /// # Panics
    /// If there are no random bytes.
    #[must_use]
    pub fn seal_record(&self, role: Role, key: &Key, plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut message, mut salts) = (plain.to_vec(), Vec::new());
        for place in self.record_places(role) {
            message = Cobblestone::new(key, &place).seal(&message).expect("random bytes");
            salts.extend_from_slice(&message[..24]);
        }
        (message, salts)
    }

    /// Opens a record.
    ///
    /// # Errors
    /// [`Error::Authentication`].
    pub fn open_record(&self, role: Role, key: &Key, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let open = |message: Vec<u8>, place: &Vec<u8>| Cobblestone::new(key, place).open(&message);
        self.record_places(role).iter().rev().try_fold(sealed.to_vec(), open)
    }

    fn record_places(&self, role: Role) -> Vec<Vec<u8>> {
        let layer_of = |layer| if self.layers == 1 { 0 } else { layer };
        (1..=self.layers).map(|layer| self.place(role, layer_of(layer), 0)).collect()
    }

    /// Tells a wrapping key from another one of its name (section 6).
    #[must_use]
    pub fn fingerprint(&self, wrapping_key: &Key) -> Vec<u8> {
        let info = [&b"objseal/v1/fingerprint\0"[..], self.id.as_bytes()].concat();
        expand(wrapping_key.expose_secret(), &info)[..8].to_vec()
    }
}

/// What wraps are sealed under (section 6).
#[must_use]
pub fn wrap_key(wrapping_key: &Key) -> Key {
    first_key(&expand(wrapping_key.expose_secret(), b"objseal/v1/wrap\0"))
}

/// The data key of an entry of a stored head.
///
/// # Panics
/// If the entry does not open under `wrapping_key`.
#[must_use]
pub fn data_key(head: &[u8], entry: usize, wrapping_key: &Key, context: &EncryptionContext) -> Key {
    Object::of(head).unwrap(head, &entries(head)[entry], wrapping_key, context)
}

/// All pairs, as they are bound (section 3).
#[must_use]
pub fn pairs(context: &EncryptionContext) -> Vec<u8> {
    let mut out = number(context.len()).to_vec();
    context.iter().for_each(|(key, value)| out.extend([short(key.as_bytes()), short(value.as_bytes())].concat()));
    out
}

/// The MAC of a head that was stored without it (section 5).
#[must_use]
pub fn head_mac(mac_key: &Key, head: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let signed = [head, &Sha512::digest(pairs(context))].concat();
    hmac(mac_key.expose_secret(), &signed)[..MAC_LEN].to_vec()
}

/// `short(bytes)` (section 1).
#[must_use]
pub fn short(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len())[..], bytes].concat()
}

/// A field (section 4).
#[must_use]
pub fn field(tag: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &short(value)].concat()
}

fn number(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("short").to_be_bytes()
}

fn first_key(bytes: &[u8]) -> Key {
    Key::try_from(&bytes[..Key::LEN]).expect("32 bytes")
}

/// HKDF-Expand with SHA-512, one block of it (RFC 5869, section 2.3).
fn expand(key: &[u8], info: &[u8]) -> [u8; 64] {
    hmac(key, &[info, &[1]].concat())
}

fn hmac(key: &[u8], bytes: &[u8]) -> [u8; 64] {
    Hmac::<Sha512>::new_from_slice(key).expect("any length").chain_update(bytes).finalize().into_bytes().into()
}

/// Where the value of each field of a stored head is.
#[must_use]
pub fn head_fields(head: &[u8]) -> BTreeMap<u16, Range<usize>> {
    fields(head, 8..head.len() - MAC_LEN)
}

/// Where the value of each field of a stored upload state is.
#[must_use]
pub fn state_fields(state: &[u8]) -> BTreeMap<u16, Range<usize>> {
    fields(state, 8..state.len())
}

/// Where the value of each field is in the list that is at `list`.
///
/// # Panics
/// If it is not one.
#[must_use]
pub fn fields(bytes: &[u8], list: Range<usize>) -> BTreeMap<u16, Range<usize>> {
    let (mut at, mut found) = (list.start, BTreeMap::new());
    while at < list.end {
        let value = value_of(bytes, at + 2);
        at = value.end;
        found.insert(u16::from_be_bytes([bytes[value.start - 4], bytes[value.start - 3]]), value);
    }
    assert_eq!(at, list.end, "a list of fields");
    found
}

/// Where what `short` has in front of it is, whose length is at `at`.
fn value_of(bytes: &[u8], at: usize) -> Range<usize> {
    let len = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    at + 2..at + 2 + usize::from(len)
}

/// Where what a wrapped key consists of is, by name.
pub type Entry = BTreeMap<&'static str, Range<usize>>;

/// The wrapped keys of a stored head.
#[must_use]
pub fn entries(head: &[u8]) -> Vec<Entry> {
    let all = head_fields(head)[&4].clone();
    let (mut at, mut found) = (all.start, Vec::new());
    while at < all.end {
        let entry = entry(head, at);
        at = entry["wrap"].end;
        found.push(entry);
    }
    assert_eq!(at, all.end, "a list of wrapped keys");
    found
}

/// The wrapped key of a stored upload state.
#[must_use]
pub fn state_entry(state: &[u8]) -> Entry {
    entry(state, state_fields(state)[&3].start)
}

fn entry(bytes: &[u8], at: usize) -> Entry {
    let service = value_of(bytes, at + 1);
    let key_id = value_of(bytes, service.end);
    let kinds = key_id.end + 4;
    let blob = value_of(bytes, kinds + 2);
    let fingerprint = blob.end..blob.end + if bytes[kinds] == 4 { 0 } else { 8 };
    let wrap = fingerprint.end..fingerprint.end + 104;
    BTreeMap::from([
        ("layer", at..at + 1),
        ("service", service),
        ("key id", key_id.clone()),
        ("key version", key_id.end..kinds),
        ("kind", kinds..kinds + 1),
        ("service context", kinds + 1..kinds + 2),
        ("blob", blob),
        ("fingerprint", fingerprint),
        ("wrap", wrap),
    ])
}
