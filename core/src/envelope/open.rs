//! Opening an envelope, as far as the caller's policy goes.

use super::attributes::{Attributes, MAX_SEALED_LEN};
use super::context::EncryptionContext;
use super::derive::{LAYER, MAC_LEN, PLACE_LEN, Role, Subkey, mac, place, subkey};
use super::error::{Demand, EnvelopeError};
use super::head::{Head, ObjectId, WrappedKey};
use super::service::{KeyService, KeyServiceError};
use crate::cobblestone::{ChunkOpener, Cobblestone, HEADER_LEN, SALT_LEN};
use crate::engine::{Choice, Engine};
use crate::error::Error;
use crate::key::Key;
use crate::random::RandomSource;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What the caller demands of an object before any key service is asked. Nothing in the object can lower it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
    /// The encryption context must be exactly this one. `None` accepts any: the object is then bound to nothing that
    /// the caller knows.
    pub context: Option<EncryptionContext>,
    /// Key ids that are accepted; `None` accepts all that the given services have.
    pub key_ids: Option<Vec<String>>,
    /// The object must be this one.
    pub object_id: Option<ObjectId>,
    /// The head must have been rewritten at least so often, counting the first writing.
    pub minimum_generation: u64,
}

impl Policy {
    fn check(&self, head: &Head) -> Result<(), EnvelopeError> {
        if self.context.as_ref().is_some_and(|context| *context != head.context) {
            return Err(EnvelopeError::Policy(Demand::Context));
        }
        if self.object_id.is_some_and(|object_id| object_id != head.object_id) {
            return Err(EnvelopeError::Policy(Demand::ObjectId));
        }
        if head.generation < self.minimum_generation {
            return Err(EnvelopeError::Policy(Demand::Generation));
        }
        Ok(())
    }

    fn accepts_key(&self, key_id: &str) -> bool {
        self.key_ids.as_ref().is_none_or(|accepted| accepted.iter().any(|id| id == key_id))
    }
}

/// Key services and a policy, ready to open objects.
#[derive(Clone)]
pub struct Opening<'a> {
    services: &'a [&'a dyn KeyService],
    policy: Policy,
    choice: Choice,
}

impl<'a> Opening<'a> {
    /// Opens what these key services have the root keys of. Other services are never asked.
    #[must_use]
    pub fn new(services: &'a [&'a dyn KeyService]) -> Self {
        Self { services, policy: Policy::default(), choice: Choice::best() }
    }

    /// The same, and refuses what `policy` does not accept.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same on another engine; see [`Cobblestone::with_engine`].
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_engine(self, engine: Engine) -> Result<Self, Error> {
        Ok(Self { choice: Choice::of(engine)?, ..self })
    }

    /// Opens a stored head.
    ///
    /// # Errors
    /// [`EnvelopeError`]. What the policy does not accept is refused before any service is asked.
    pub fn open(&self, stored: &[u8]) -> Result<OpenEnvelope, EnvelopeError> {
        let head = Head::parse(stored)?.0;
        self.policy.check(&head)?;
        let (entry, data_key) = self.unwrap_any(&head)?;
        let (signed, stored_mac) = stored.split_last_chunk::<MAC_LEN>().ok_or(EnvelopeError::Authentication)?;
        let computed = mac(&subkey(&data_key, &head.object_id, Subkey::Mac), signed);
        if !bool::from(computed.ct_eq(stored_mac)) {
            return Err(EnvelopeError::Authentication);
        }
        Ok(OpenEnvelope::new(head, stored.to_vec(), data_key, entry, self.choice))
    }

    /// Tries each accepted wrapped key once; says which one gave the data key.
    fn unwrap_any(&self, head: &Head) -> Result<(usize, Key), EnvelopeError> {
        let (mut refused, mut failure) = (false, None);
        for (entry, wrapped_key) in head.wrapped_keys.iter().enumerate() {
            let service = self.services.iter().find(|service| service.name() == wrapped_key.service);
            let Some(service) = service.filter(|_| self.policy.accepts_key(&wrapped_key.key_id)) else {
                continue;
            };
            match service.unwrap(wrapped_key, &head.binding()) {
                Ok(unwrapped) if unwrapped.key_id == wrapped_key.key_id => return Ok((entry, unwrapped.data_key)),
                Ok(_) | Err(KeyServiceError::Refused) => refused = true,
                Err(KeyServiceError::UnknownKey) => {}
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(EnvelopeError::KeyService(error));
        }
        if refused {
            return Err(EnvelopeError::Authentication);
        }
        let names = head.wrapped_keys.iter().map(|key| (key.service.clone(), key.key_id.clone()));
        Err(EnvelopeError::NoAcceptedKey { wanted: names.collect() })
    }
}

/// An envelope whose MAC holds, and its data key.
pub struct OpenEnvelope {
    head: Head,
    stored: Vec<u8>,
    data_key: Key,
    /// Which of the wrapped keys gave the data key.
    entry: usize,
    choice: Choice,
}

impl OpenEnvelope {
    pub(super) fn new(head: Head, stored: Vec<u8>, data_key: Key, entry: usize, choice: Choice) -> Self {
        Self { head, stored, data_key, entry, choice }
    }

    /// The head. It is authentic.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The head as it is to be stored.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// The wrapped key that opened it, or the first one of an envelope that was made here.
    #[must_use]
    pub fn opened_by(&self) -> &WrappedKey {
        &self.head.wrapped_keys[self.entry]
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.choice.engine()
    }

    pub(super) fn data_key(&self) -> &Key {
        &self.data_key
    }

    /// What opens the body, given its first bytes.
    ///
    /// # Errors
    /// [`Error::Authentication`] if the body is not the one that this envelope was made with.
    pub fn open_body(&self, header: &[u8; HEADER_LEN]) -> Result<ChunkOpener, Error> {
        if header[..SALT_LEN] != self.head.body_salt {
            return Err(Error::Authentication);
        }
        let context = place(Role::Body, &self.head.object_id, LAYER);
        Cobblestone::new(&self.data_key, &context).with_choice(self.choice).chunk_opener(header)
    }

    /// Seals the attributes, under a salt of their own that `random` gives.
    ///
    /// # Errors
    /// [`EnvelopeError::Seal`] if there are no random bytes to be had.
    pub fn seal_attributes(
        &self,
        attributes: &Attributes,
        random: &(dyn RandomSource + Sync),
    ) -> Result<Vec<u8>, EnvelopeError> {
        let (key, context) = self.attributes_key();
        let cobblestone = Cobblestone::new(&key, &context).with_choice(self.choice).with_random(random);
        Ok(cobblestone.seal(&Zeroizing::new(attributes.encode()))?)
    }

    /// Opens the attributes.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] if they do not belong to this object or were changed; [`EnvelopeError::Format`]
    /// if this library does not know what they say.
    pub fn open_attributes(&self, sealed: &[u8]) -> Result<Attributes, EnvelopeError> {
        if sealed.len() > MAX_SEALED_LEN {
            return Err(EnvelopeError::Authentication);
        }
        let (key, context) = self.attributes_key();
        let fields = Cobblestone::new(&key, &context).with_choice(self.choice).open(sealed)?;
        Ok(Attributes::decode(&Zeroizing::new(fields))?)
    }

    fn attributes_key(&self) -> (Key, [u8; PLACE_LEN]) {
        let key = subkey(&self.data_key, &self.head.object_id, Subkey::Attributes);
        (key, place(Role::Attributes, &self.head.object_id, 0))
    }
}

impl fmt::Debug for OpenEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenEnvelope").field("head", &self.head).finish_non_exhaustive()
    }
}
