//! Places and subkeys: FORMAT.md, section 3.

use super::head::ObjectId;
use crate::key::Key;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

/// Version of the format.
pub(super) const VERSION: u8 = 1;

const LABEL: &[u8; 10] = b"objseal/v1";
/// Length of a place, in bytes.
pub(super) const PLACE_LEN: usize = LABEL.len() + 1 + ObjectId::LEN + 1 + 1 + 4;
/// Length of a MAC, in bytes.
pub(super) const MAC_LEN: usize = 32;

/// What a Cobblestone message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    Body = 1,
    Table = 2,
    Attributes = 3,
    Wrap = 4,
    Upload = 5,
    Receipt = 6,
}

/// Where a Cobblestone message belongs: the beginning, or all, of its context.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) role: Role,
    pub(super) object_id: &'a ObjectId,
    /// From 1, the innermost; 0 where a message belongs to none.
    pub(super) layer: u8,
    /// Layers of the object.
    pub(super) layers: u8,
    /// The number of the part, or 0.
    pub(super) part: u32,
}

impl Place<'_> {
    pub(super) fn encode(self) -> [u8; PLACE_LEN] {
        let mut place = [0; PLACE_LEN];
        let role = [self.role as u8];
        let layers = [self.layer, self.layers];
        let part = self.part.to_be_bytes();
        let parts: [&[u8]; 5] = [LABEL, &role, self.object_id.as_bytes(), &layers, &part];
        let mut rest = &mut place[..];
        for part in parts {
            let (now, later) = rest.split_at_mut(part.len());
            now.copy_from_slice(part);
            rest = later;
        }
        place
    }
}

/// A key that is derived from the data keys of an object.
#[derive(Clone, Copy)]
pub(super) enum Subkey {
    Mac,
    Attributes,
    Receipt,
    Table,
}

impl Subkey {
    pub(super) const ALL: [Self; 4] = [Self::Mac, Self::Attributes, Self::Receipt, Self::Table];
}

/// What a wrapping key is expanded for.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'o> {
    Wrap,
    Fingerprint(&'o ObjectId),
}

/// Expands a wrapping key: the first bytes of the output are what is asked for.
pub(super) fn expand(wrapping_key: &Key, purpose: Purpose<'_>) -> Zeroizing<[u8; 64]> {
    let (name, object_id): (&[u8], &[u8]) = match purpose {
        Purpose::Wrap => (b"wrap", &[]),
        Purpose::Fingerprint(object_id) => (b"fingerprint", object_id.as_bytes()),
    };
    expand_block(core::slice::from_ref(wrapping_key), &[LABEL, b"/", name, &[0], object_id])
}

/// The subkey that `which` says, of the object with these data keys, the innermost first.
pub(super) fn subkey(data_keys: &[Key], object_id: &ObjectId, which: Subkey) -> Key {
    let name: &[u8] = match which {
        Subkey::Mac => b"mac",
        Subkey::Attributes => b"attributes",
        Subkey::Receipt => b"receipt",
        Subkey::Table => b"table",
    };
    let layers = u8::try_from(data_keys.len()).unwrap_or(u8::MAX);
    let block = expand_block(data_keys, &[LABEL, b"/", name, &[0, VERSION, layers], object_id.as_bytes()]);
    first_key(&block)
}

/// The key that `block` begins with.
pub(super) fn first_key(block: &Zeroizing<[u8; 64]>) -> Key {
    let mut bytes = Zeroizing::new([0; Key::LEN]);
    bytes.copy_from_slice(&block[..Key::LEN]);
    Key::from_bytes(&bytes)
}

/// HKDF-Expand of one block: T(1) = HMAC(key, info || 0x01) (RFC 5869, section 2.3). `info` is of five pieces.
fn expand_block(keys: &[Key], info: &[&[u8]; 5]) -> Zeroizing<[u8; 64]> {
    let [a, b, c, d, e] = info;
    Zeroizing::new(hmac(keys, &[a, b, c, d, e, &[1]]))
}

/// The first 32 bytes of HMAC-SHA-512 over the pieces, one behind the other.
pub(super) fn mac(key: &Key, pieces: &[&[u8]]) -> [u8; MAC_LEN] {
    let full = hmac(core::slice::from_ref(key), pieces);
    let mut mac = [0; MAC_LEN];
    mac.copy_from_slice(&full[..MAC_LEN]);
    mac
}

/// HMAC-SHA-512 under all of `keys`, one behind the other: at most four, so that they fit into a block of the hash.
fn hmac(keys: &[Key], parts: &[&[u8]]) -> [u8; 64] {
    // HMAC pads its key with zeros to the block length of the hash (RFC 2104, section 2).
    let mut padded_key = Array::default();
    for (room, key) in padded_key.chunks_exact_mut(Key::LEN).zip(keys) {
        room.copy_from_slice(key.expose_secret());
    }
    let mut mac = Hmac::<Sha512>::new(&padded_key);
    padded_key.zeroize();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
