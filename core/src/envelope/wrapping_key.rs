//! Keys that data keys are wrapped under: FORMAT.md, section 6.

use super::codec::put_short;
use super::context::EncryptionContext;
use super::derive::{Place, Role};
use super::error::FormatError;
use super::head::{ObjectId, WrappedKey, check_name};
use crate::cobblestone::{Cobblestone, sealed_len};
use crate::engine::Engine;
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::limits::MAX_BLOB_LEN;
use crate::random::RandomSource;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Length of a data key that was wrapped, in bytes.
#[allow(clippy::cast_possible_truncation, reason = "it is 104")]
pub(super) const WRAP_LEN: usize = match sealed_len(Key::LEN as u64) {
    Some(len) => len as usize,
    None => panic!("a key is shorter than a message can be"),
};

/// A secret that data keys are wrapped under in this process, and what its key service needs to give it again.
///
/// A [`KeyService`](super::KeyService) yields it; a caller who holds a key needs no service ([`from_key`](Self::from_key)).
/// It can wrap the data keys of any number of objects. No key service ever sees a data key.
///
/// Names and blob stand in clear in every head that it wrapped a key for. The secret is wiped when dropped.
pub struct WrappingKey {
    service: String,
    key_id: String,
    key_version: u32,
    blob: Vec<u8>,
    secret: Key,
}

impl WrappingKey {
    /// The name of the service of keys [`from_key`](Self::from_key).
    pub const SINGLE_KEY_SERVICE: &'static str = "single-key";
    /// The id of such a key; its version is 1.
    pub const SINGLE_KEY_ID: &'static str = "key";

    /// A wrapping key of a key service.
    ///
    /// `service` and `key_id` are 1 to [`MAX_KEY_ID_LEN`](crate::limits::MAX_KEY_ID_LEN) bytes; `key_version` counts from
    /// 1 and is 0 where the service keeps versions to itself; `blob` is what the service needs to give the same 32 bytes
    /// again, empty if that is nothing, of at most [`MAX_BLOB_LEN`] bytes.
    ///
    /// # Errors
    /// [`FormatError::TooLong`] beyond these lengths; [`FormatError::Malformed`] if a name is empty or has control
    /// characters.
    pub fn new(service: &str, key_id: &str, key_version: u32, blob: &[u8], secret: Key) -> Result<Self, FormatError> {
        check_name(service)?;
        check_name(key_id)?;
        if blob.len() > MAX_BLOB_LEN {
            return Err(FormatError::TooLong);
        }
        Ok(Self { service: service.into(), key_id: key_id.into(), key_version, blob: blob.to_vec(), secret })
    }

    /// A wrapping key of a caller who keeps keys elsewhere.
    ///
    /// Another key than the one that an object was sealed under is refused as
    /// [`EnvelopeError::Authentication`](super::EnvelopeError::Authentication): nothing in the object says which key it was.
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// use objseal::Key;
    /// use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
    /// use std::sync::Arc;
    ///
    /// let key = Arc::new(WrappingKey::from_key(Key::generate()?));
    /// let (envelope, body) = SealOptions::new(key.clone()).start()?;
    /// let stored = body.seal(b"the plaintext")?;
    ///
    /// let opened = OpenOptions::new().with_key(key).open(envelope.stored())?;
    /// assert_eq!(opened.body()?.open(&stored)?, b"the plaintext");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn from_key(secret: Key) -> Self {
        let (service, key_id) = (Self::SINGLE_KEY_SERVICE.into(), Self::SINGLE_KEY_ID.into());
        Self { service, key_id, key_version: 1, blob: Vec::new(), secret }
    }

    /// The name of its key service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The root key behind it, as the service calls it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The version of the root key, from 1; 0 where the service keeps that to itself.
    #[must_use]
    pub fn key_version(&self) -> u32 {
        self.key_version
    }

    /// What the service needs to give it again.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The secret, for a key service to store.
    #[must_use]
    pub fn secret(&self) -> &Key {
        &self.secret
    }

    /// Whether it says of itself what the entry says.
    pub(super) fn is_of(&self, entry: &WrappedKey) -> bool {
        self.service == entry.service
            && self.key_id == entry.key_id
            && self.key_version == entry.key_version
            && self.blob == entry.blob()
    }

    /// Wraps a data key.
    pub(super) fn wrap(
        &self,
        binding: &Binding<'_>,
        data_key: &Key,
        random: &dyn RandomSource,
    ) -> Result<WrappedKey, Error> {
        let mut bytes = vec![0; self.blob.len() + WRAP_LEN];
        let (blob, wrap) = bytes.split_at_mut(self.blob.len());
        blob.copy_from_slice(&self.blob);
        let context = self.context(binding);
        let cobblestone = Cobblestone::new(&self.secret, &context).with_engine(binding.engine)?.with_random(random);
        cobblestone.seal_into(data_key.expose_secret(), wrap)?;
        Ok(WrappedKey {
            layer: binding.layer,
            service: self.service.clone(),
            key_id: self.key_id.clone(),
            key_version: self.key_version,
            bytes,
        })
    }

    /// Unwraps what [`wrap`](Self::wrap) gave, bound to the same.
    pub(super) fn unwrap(&self, entry: &WrappedKey, binding: &Binding<'_>) -> Result<Key, Error> {
        let refused = |_| Error::refused(Refusal::Wrap);
        if !self.is_of(entry) || entry.bytes.len() != self.blob.len() + WRAP_LEN {
            return Err(refused(Error::Authentication));
        }
        let mut plain = Zeroizing::new([0; Key::LEN]);
        let context = self.context(binding);
        let cobblestone = Cobblestone::new(&self.secret, &context).with_engine(binding.engine)?;
        cobblestone.open_into(&entry.bytes[self.blob.len()..], &mut *plain).map_err(refused)?;
        Ok(Key::from_bytes(&plain))
    }

    /// The context of a wrap.
    fn context(&self, binding: &Binding<'_>) -> Vec<u8> {
        let Binding { object_id, layer, layers, .. } = binding;
        let place = Place { role: Role::Wrap, object_id, layer: *layer, layers: *layers, part: 0 };
        let mut context = place.encode().to_vec();
        put_short(&mut context, self.service.as_bytes());
        put_short(&mut context, self.key_id.as_bytes());
        context.extend_from_slice(&self.key_version.to_be_bytes());
        binding.context.put_counted(&mut context);
        if !self.blob.is_empty() {
            context.extend_from_slice(&Sha512::digest(&self.blob));
        }
        context
    }
}

/// All but the secret.
impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappingKey")
            .field("service", &self.service)
            .field("key_id", &self.key_id)
            .field("key_version", &self.key_version)
            .finish_non_exhaustive()
    }
}

/// What a wrap is bound to, besides the wrapping key.
#[derive(Clone, Copy)]
pub(super) struct Binding<'a> {
    /// The object whose data key it is.
    pub(super) object_id: ObjectId,
    /// The layer whose data key it is, from 1; 0 for an upload key.
    pub(super) layer: u8,
    /// Layers of the object.
    pub(super) layers: u8,
    /// The public pairs of the object.
    pub(super) context: &'a EncryptionContext,
    /// The engine of the layer, so that a fault of one engine cannot show the data keys of both layers.
    pub(super) engine: Engine,
}
