//! Keys that data keys are wrapped under: FORMAT.md, section 6.

use super::codec::put_short;
use super::context::EncryptionContext;
use super::derive::{Place, Purpose, Role, expand, first_key};
use super::error::FormatError;
use super::head::{ObjectId, WrappedKey, check_name};
use super::layers::Engines;
use crate::cobblestone::{Cobblestone, sealed_len};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::limits::MAX_BLOB_LEN;
use crate::random::RandomSource;
use crate::verdict::verdict;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Length of a data key that was wrapped, in bytes.
#[allow(clippy::cast_possible_truncation, reason = "it is 104")]
pub(super) const WRAP_LEN: usize = match sealed_len(Key::LEN as u64) {
    Some(len) => len as usize,
    None => panic!("a key is shorter than a message can be"),
};

/// What a wrapping key is: FORMAT.md, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum KeyKind {
    /// Held by the service itself, as those of a keyring.
    Local = 1,
    /// Made by a key service for one object.
    Object = 2,
    /// Made by a key service for many objects, such as a bucket key.
    Shared = 3,
    /// Derived from a key that a customer gives with every request.
    Customer = 4,
}

impl KeyKind {
    pub(super) fn decode(value: u8) -> Result<Self, FormatError> {
        let all = [Self::Local, Self::Object, Self::Shared, Self::Customer];
        all.into_iter().find(|&kind| kind as u8 == value).ok_or(FormatError::Unsupported)
    }
}

/// What a key service was given as its own encryption context when it made a wrapping key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ServiceContext {
    /// Nothing.
    #[default]
    None = 0,
    /// The place of the object, as whoever sealed knows it, and the stored pairs of the object.
    Object = 1,
    /// The place of the object's bucket, and the stored pairs of the object.
    Bucket = 2,
}

impl ServiceContext {
    pub(super) fn decode(value: u8) -> Result<Self, FormatError> {
        let all = [Self::None, Self::Object, Self::Bucket];
        all.into_iter().find(|&context| context as u8 == value).ok_or(FormatError::Unsupported)
    }
}

/// What tells a wrapping key from another of the same name, in words to people only.
pub(super) type Fingerprint = [u8; 8];

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
    kind: KeyKind,
    service_context: ServiceContext,
    blob: Vec<u8>,
    /// SHA-512 of the blob, which every wrap is bound to.
    blob_digest: [u8; 64],
    secret: Key,
    /// What wraps are sealed under.
    wrap_key: Key,
}

impl WrappingKey {
    /// The name of the service of keys [`from_key`](Self::from_key).
    pub const SINGLE_KEY_SERVICE: &'static str = "single-key";
    /// The id of such a key; its version is 1.
    pub const SINGLE_KEY_ID: &'static str = "key";

    /// A wrapping key that its service finds by its id and version: of kind [`KeyKind::Local`].
    ///
    /// `service` and `key_id` are 1 to [`MAX_KEY_ID_LEN`](crate::limits::MAX_KEY_ID_LEN) bytes; `key_version` counts from
    /// 1 and is 0 where the service keeps versions to itself.
    ///
    /// # Errors
    /// [`FormatError::TooLong`] beyond these lengths; [`FormatError::Malformed`] if a name is empty or has control
    /// characters.
    pub fn new(service: &str, key_id: &str, key_version: u32, secret: Key) -> Result<Self, FormatError> {
        check_name(service)?;
        check_name(key_id)?;
        Ok(Self::of(service, key_id, key_version, secret))
    }

    fn of(service: &str, key_id: &str, key_version: u32, secret: Key) -> Self {
        let wrap_key = first_key(&expand(&secret, Purpose::Wrap));
        let (service, key_id, kind) = (service.into(), key_id.into(), KeyKind::Local);
        let (service_context, blob) = (ServiceContext::None, Vec::<u8>::new());
        let blob_digest = Sha512::digest(&blob).into();
        Self { service, key_id, key_version, kind, service_context, blob, blob_digest, secret, wrap_key }
    }

    /// The same of another kind. `blob` is what the service needs to give the same secret again, of at most
    /// [`MAX_BLOB_LEN`] bytes; `service_context` says what else it was given.
    ///
    /// # Errors
    /// [`FormatError::TooLong`] for a longer blob; [`FormatError::Malformed`] for [`KeyKind::Local`], which has no blob.
    pub fn with_blob(self, kind: KeyKind, service_context: ServiceContext, blob: &[u8]) -> Result<Self, FormatError> {
        if blob.len() > MAX_BLOB_LEN {
            return Err(FormatError::TooLong);
        }
        if kind == KeyKind::Local {
            return Err(FormatError::Malformed);
        }
        let blob_digest = Sha512::digest(blob).into();
        Ok(Self { kind, service_context, blob: blob.to_vec(), blob_digest, ..self })
    }

    /// A wrapping key of a caller who keeps keys elsewhere.
    ///
    /// An object that was sealed under another one is refused as
    /// [`EnvelopeError::OtherKey`](super::EnvelopeError::OtherKey).
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
        Self::of(Self::SINGLE_KEY_SERVICE, Self::SINGLE_KEY_ID, 1, secret)
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

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
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
            && self.kind == entry.kind
            && self.service_context == entry.service_context
            && self.blob == entry.blob
    }

    /// Whether the entry was made under this very secret, as far as its fingerprint says. Anybody could have written that.
    pub(super) fn seems_to_be_of(&self, entry: &WrappedKey, object_id: &ObjectId) -> bool {
        let Some(stored) = entry.fingerprint else { return true };
        self.fingerprint(object_id).is_none_or(|fingerprint| verdict(fingerprint.ct_eq(&stored)))
    }

    fn fingerprint(&self, object_id: &ObjectId) -> Option<Fingerprint> {
        let expanded = expand(&self.secret, Purpose::Fingerprint(object_id));
        expanded.first_chunk().copied().filter(|_| self.kind != KeyKind::Customer)
    }

    /// Wraps a data key.
    pub(super) fn wrap(
        &self,
        binding: &Binding<'_>,
        data_key: &Key,
        random: &dyn RandomSource,
    ) -> Result<WrappedKey, Error> {
        let context = self.context(binding);
        let mut wrap = [0; WRAP_LEN];
        let (choice, check) = (binding.engines.of(binding.layer), binding.engines.check_of(binding.layer));
        let cobblestone = Cobblestone::new(&self.wrap_key, &context).with_choices(choice, check).with_random(random);
        cobblestone.seal_into(data_key.expose_secret(), &mut wrap)?;
        Ok(WrappedKey {
            layer: binding.layer,
            service: self.service.clone(),
            key_id: self.key_id.clone(),
            key_version: self.key_version,
            kind: self.kind,
            service_context: self.service_context,
            blob: self.blob.clone(),
            fingerprint: self.fingerprint(&binding.object_id),
            wrap,
        })
    }

    /// Unwraps what [`wrap`](Self::wrap) gave, bound to the same.
    pub(super) fn unwrap(&self, entry: &WrappedKey, binding: &Binding<'_>) -> Result<Key, Error> {
        let refused = |_| Error::refused(Refusal::Wrap);
        if !self.is_of(entry) {
            return Err(refused(Error::Authentication));
        }
        let mut plain = Zeroizing::new([0; Key::LEN]);
        let context = self.context(binding);
        let choice = binding.engines.of(binding.layer);
        let cobblestone = Cobblestone::new(&self.wrap_key, &context).with_choices(choice, None);
        cobblestone.open_into(&entry.wrap, &mut *plain).map_err(refused)?;
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
        context.extend_from_slice(&[self.kind as u8, self.service_context as u8]);
        context.extend_from_slice(&self.blob_digest);
        binding.context.put_all(&mut context);
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
            .field("kind", &self.kind)
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
    /// That of the layer does the work, so that a fault of one engine cannot show the data keys of both layers.
    pub(super) engines: Engines,
}
