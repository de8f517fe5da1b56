//! Opening an envelope, as far as the caller's policy goes.

use super::attributes::Attributes;
use super::body::BodyOpener;
use super::context::EncryptionContext;
use super::derive::{MAC_LEN, Role, Subkey};
use super::error::{Demand, EnvelopeError};
use super::head::{Content, DetachedTable, Head, ObjectId, Suite, WrappedKey};
use super::layers::{Engines, Layers};
use super::parts::Part;
use super::service::{Binding, KeyService, KeyServiceError};
use crate::engine::{Choice, Engine};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::random::RandomSource;
use crate::verdict::verdict;
use alloc::string::String;
use alloc::vec;
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
    /// The object must have at least so many layers.
    pub minimum_layers: u8,
    /// Suites that are accepted for every layer; `None` accepts all that this version knows.
    pub suites: Option<Vec<Suite>>,
    /// Names of key services that are accepted; `None` accepts all that are given.
    pub services: Option<Vec<String>>,
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
        if head.layers() < self.minimum_layers {
            return Err(EnvelopeError::Policy(Demand::Layers));
        }
        if self.suites.as_ref().is_some_and(|accepted| head.suites.iter().any(|suite| !accepted.contains(suite))) {
            return Err(EnvelopeError::Policy(Demand::Suites));
        }
        Ok(())
    }

    fn accepts_key(&self, wrapped_key: &WrappedKey) -> bool {
        let accepts = |accepted: &Option<Vec<String>>, name: &String| {
            accepted.as_ref().is_none_or(|accepted| accepted.contains(name))
        };
        accepts(&self.services, &wrapped_key.service) && accepts(&self.key_ids, &wrapped_key.key_id)
    }
}

/// Key services and a policy, ready to open objects.
#[derive(Clone)]
pub struct Opening<'a> {
    services: &'a [&'a dyn KeyService],
    policy: Policy,
    engines: Engines,
}

impl<'a> Opening<'a> {
    /// Opens what these key services have the root keys of. Other services are never asked.
    #[must_use]
    pub fn new(services: &'a [&'a dyn KeyService]) -> Self {
        Self { services, policy: Policy::default(), engines: Engines::best() }
    }

    /// The same, and refuses what `policy` does not accept.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same with the inner layer, or the only one, on another engine. Every engine opens what any other sealed.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_engine(mut self, engine: Engine) -> Result<Self, Error> {
        self.engines.inner = Choice::of(engine)?;
        Ok(self)
    }

    /// The same with the outer layer on `engine`, which may be that of the inner one. By default it is as for
    /// [`Sealing::with_outer_engine`](super::Sealing::with_outer_engine).
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_outer_engine(mut self, engine: Engine) -> Result<Self, Error> {
        self.engines.outer = Some(Choice::of(engine)?);
        Ok(self)
    }

    /// Opens a stored head.
    ///
    /// # Errors
    /// [`EnvelopeError`]. What the policy does not accept is refused before any service is asked.
    pub fn open(&self, stored: &[u8]) -> Result<OpenEnvelope, EnvelopeError> {
        let head = Head::parse(stored)?.0;
        self.policy.check(&head)?;
        let (opened_by, data_keys): (Vec<_>, Vec<_>) = self.unwrap_layers(&head)?.into_iter().unzip();
        let layers = Layers::new(data_keys, head.object_id, self.engines);
        let (signed, stored_mac) = stored.split_last_chunk::<MAC_LEN>().ok_or(EnvelopeError::Authentication)?;
        if !verdict(layers.mac(Subkey::Mac, signed).ct_eq(stored_mac)) {
            return Err(Error::refused(Refusal::Mac).into());
        }
        Ok(OpenEnvelope { head, stored: stored.to_vec(), layers, opened_by })
    }

    pub(super) fn check_policy(&self, head: &Head) -> Result<(), EnvelopeError> {
        self.policy.check(head)
    }

    pub(super) fn engines(&self) -> Engines {
        self.engines
    }

    /// The key that one wrapped key gives, whatever the policy says about the ids of an object's keys.
    pub(super) fn unwrap_key(&self, wrapped_key: &WrappedKey, binding: &Binding<'_>) -> Result<Key, EnvelopeError> {
        let service = self.services.iter().find(|service| service.name() == wrapped_key.service);
        let no_key = || {
            let wanted = vec![(wrapped_key.service.clone(), wrapped_key.key_id.clone())];
            EnvelopeError::NoAcceptedKey { wanted }
        };
        match service.ok_or_else(no_key)?.unwrap(wrapped_key, binding) {
            Ok(unwrapped) if unwrapped.key_id == wrapped_key.key_id => Ok(unwrapped.data_key),
            Ok(_) | Err(KeyServiceError::Refused) => Err(Error::refused(Refusal::Wrap).into()),
            Err(KeyServiceError::UnknownKey) => Err(no_key()),
            Err(error) => Err(EnvelopeError::KeyService(error)),
        }
    }

    /// The data key of each layer, and which wrapped key gave it.
    fn unwrap_layers(&self, head: &Head) -> Result<Vec<(usize, Key)>, EnvelopeError> {
        // No service is asked about an object that has a layer which none can open.
        for layer in 1..=head.layers() {
            if self.accepted(head, layer).next().is_none() {
                return Err(no_accepted_key(head, layer));
            }
        }
        (1..=head.layers()).map(|layer| self.unwrap_any(head, layer)).collect()
    }

    /// The wrapped keys of `layer` that the policy accepts, where they are, and their services.
    fn accepted<'h>(
        &self,
        head: &'h Head,
        layer: u8,
    ) -> impl Iterator<Item = (usize, &'h WrappedKey, &'a dyn KeyService)> {
        let of_layer = head.wrapped_keys.iter().enumerate().filter(move |(_, key)| key.layer == layer);
        of_layer.filter(|(_, key)| self.policy.accepts_key(key)).filter_map(|(entry, key)| {
            let service = self.services.iter().find(|service| service.name() == key.service)?;
            Some((entry, key, *service))
        })
    }

    /// Tries each accepted wrapped key of `layer` once; says which one gave the data key.
    fn unwrap_any(&self, head: &Head, layer: u8) -> Result<(usize, Key), EnvelopeError> {
        let binding = head.binding(layer, self.engines.engine(layer));
        let (mut refused, mut failure) = (false, None);
        for (entry, wrapped_key, service) in self.accepted(head, layer) {
            match service.unwrap(wrapped_key, &binding) {
                Ok(unwrapped) if unwrapped.key_id == wrapped_key.key_id => return Ok((entry, unwrapped.data_key)),
                Ok(_) | Err(KeyServiceError::Refused) => refused = true,
                Err(KeyServiceError::UnknownKey) => {}
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(EnvelopeError::KeyService(error));
        }
        if refused { Err(Error::refused(Refusal::Wrap).into()) } else { Err(no_accepted_key(head, layer)) }
    }
}

fn no_accepted_key(head: &Head, layer: u8) -> EnvelopeError {
    let of_layer = head.wrapped_keys.iter().filter(|key| key.layer == layer);
    EnvelopeError::NoAcceptedKey { wanted: of_layer.map(|key| (key.service.clone(), key.key_id.clone())).collect() }
}

/// An envelope whose MAC holds, and its data keys.
pub struct OpenEnvelope {
    head: Head,
    stored: Vec<u8>,
    layers: Layers,
    /// Which of the wrapped keys gave the data key of each layer.
    opened_by: Vec<usize>,
}

impl OpenEnvelope {
    /// The envelope of `head`, which gets its MAC.
    pub(super) fn make(head: Head, layers: Layers) -> Result<Self, EnvelopeError> {
        let mut stored = head.encode()?;
        stored.extend_from_slice(&layers.mac(Subkey::Mac, &stored));
        let first_of = |layer| head.wrapped_keys.iter().position(|key| key.layer == layer);
        let opened_by = (1..=head.layers()).filter_map(first_of).collect();
        Ok(Self { head, stored, layers, opened_by })
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

    /// For each layer, the innermost first, the wrapped key that opened it, or the first one of an envelope that was made
    /// here.
    pub fn opened_by(&self) -> impl Iterator<Item = &WrappedKey> {
        self.opened_by.iter().map(|&entry| &self.head.wrapped_keys[entry])
    }

    /// The engines that seal and open what belongs to it: for each layer one, the innermost first.
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        let frame = self.layers.frame();
        (1..=frame.layers).map(|layer| frame.engines.engine(layer)).collect()
    }

    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What opens the body.
    ///
    /// # Errors
    /// [`EnvelopeError::OtherContent`] if the object is in parts.
    pub fn body(&self) -> Result<BodyOpener, EnvelopeError> {
        match &self.head.content {
            Content::Body { salts } => Ok(self.layers.open(Role::Body, 0, salts)),
            _ => Err(EnvelopeError::OtherContent),
        }
    }

    /// What opens the body of a part, which a part table of this object said is one.
    #[must_use]
    pub fn part(&self, part: &Part) -> BodyOpener {
        self.layers.open(Role::Body, part.number, &part.salts)
    }

    /// All parts. `detached` is the stored part table, if it is not in the envelope.
    ///
    /// # Errors
    /// [`EnvelopeError::OtherContent`] if the object is not in parts, or its table is detached and was not given;
    /// [`EnvelopeError::Authentication`] if it is not the table of this object.
    pub fn parts(&self, detached: Option<&[u8]>) -> Result<Vec<Part>, EnvelopeError> {
        match (&self.head.content, detached) {
            (Content::Parts(parts), _) => Ok(parts.clone()),
            (Content::DetachedTable(table), Some(sealed)) => {
                let entries = Zeroizing::new(self.detached_table(table).open(sealed)?);
                table.check_len(self.head.layers(), entries.len() as u64)?;
                table.decode(self.head.layers(), &entries, None, true)
            }
            _ => Err(EnvelopeError::OtherContent),
        }
    }

    pub(super) fn detached_table(&self, table: &DetachedTable) -> BodyOpener {
        self.layers.open(Role::Table, 0, &table.salts)
    }

    /// Seals the attributes, under salts of their own that `random` gives.
    ///
    /// # Errors
    /// [`EnvelopeError::Seal`] if there are no random bytes to be had; [`EnvelopeError::Format`] if an ETag is out of its
    /// bounds.
    pub fn seal_attributes(
        &self,
        attributes: &Attributes,
        random: &(dyn RandomSource + Sync),
    ) -> Result<Vec<u8>, EnvelopeError> {
        self.layers.seal_attributes(attributes, random)
    }

    /// Opens attributes that are stored outside of the head.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] if they do not belong to this object or were changed; [`EnvelopeError::Format`]
    /// if this library does not know what they say.
    pub fn open_attributes(&self, sealed: &[u8]) -> Result<Attributes, EnvelopeError> {
        self.layers.open_attributes(sealed)
    }

    /// The same object with these attributes in its head, for stores that write the head after the body.
    ///
    /// # Errors
    /// Those of [`seal_attributes`](Self::seal_attributes).
    pub fn with_attributes(
        self,
        attributes: &Attributes,
        random: &(dyn RandomSource + Sync),
    ) -> Result<Self, EnvelopeError> {
        let sealed = self.seal_attributes(attributes, random)?;
        let made = Self::make(Head { attributes: Some(sealed), ..self.head }, self.layers)?;
        Ok(Self { opened_by: self.opened_by, ..made })
    }

    /// The attributes that are in the head, if they are.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] and [`EnvelopeError::Format`] as for [`open_attributes`](Self::open_attributes).
    pub fn attributes(&self) -> Result<Option<Attributes>, EnvelopeError> {
        self.head.attributes.as_ref().map(|sealed| self.open_attributes(sealed)).transpose()
    }
}

impl fmt::Debug for OpenEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenEnvelope").field("head", &self.head).finish_non_exhaustive()
    }
}
