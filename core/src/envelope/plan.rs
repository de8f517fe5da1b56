//! How to come by the keys of something stored, one question at a time and without IO.

use super::context::EncryptionContext;
use super::error::EnvelopeError;
use super::head::{ObjectId, WrappedKey};
use super::layers::Engines;
use super::service::{KeyServiceError, KeyServiceErrorKind};
use super::wrapping_key::{Binding, KeyKind, ServiceContext, WrappingKey};
use crate::error::{Error, Refusal};
use crate::key::Key;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

/// What was read, and what its entries are bound to.
pub(super) trait Entries: Send + Sync {
    /// Its layers; entries of layer 0 belong to something that has none.
    fn layers(&self) -> u8;
    fn object_id(&self) -> ObjectId;
    fn entries(&self) -> &[WrappedKey];
    fn context(&self) -> &EncryptionContext;
}

/// A question to a key service: which wrapping key is this entry of a head, or of an upload state, under?
///
/// What it says was read and is not verified. It is accepted by the caller's policy.
#[derive(Clone)]
pub struct KeyRequest {
    of: Arc<dyn Entries>,
    index: usize,
}

impl KeyRequest {
    fn entry(&self) -> &WrappedKey {
        &self.of.entries()[self.index]
    }

    /// The name of the key service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.entry().service
    }

    /// The root key, as the service calls it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.entry().key_id
    }

    /// The version of the root key, from 1; 0 where the service keeps that to itself.
    #[must_use]
    pub fn key_version(&self) -> u32 {
        self.entry().key_version
    }

    /// What the wrapping key is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.entry().kind
    }

    /// What the service was given as its own encryption context when it made the wrapping key.
    #[must_use]
    pub fn service_context(&self) -> ServiceContext {
        self.entry().service_context
    }

    /// What the service gave with the wrapping key.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.entry().blob
    }

    /// The layer of the object, from 1, the innermost; 0 for the key of an upload state.
    #[must_use]
    pub fn layer(&self) -> u8 {
        self.entry().layer
    }

    /// The encryption context of the object, all of it; the place of an upload for the key of its state.
    #[must_use]
    pub fn context(&self) -> &EncryptionContext {
        self.of.context()
    }

    /// The object.
    #[must_use]
    pub fn object_id(&self) -> ObjectId {
        self.of.object_id()
    }
}

impl fmt::Debug for KeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest")
            .field("service", &self.service())
            .field("key_id", &self.key_id())
            .field("key_version", &self.key_version())
            .field("layer", &self.layer())
            .field("context", &self.context())
            .field("object_id", &self.object_id())
            .finish_non_exhaustive()
    }
}

/// What went wrong with the layer that is wanted.
#[derive(Default)]
struct Trouble {
    /// A wrapping key did not open its entry, or a service refused.
    refused: bool,
    /// An entry whose key is another one of the same name, as its fingerprint says.
    other_key: Option<usize>,
    /// The first failure of a service.
    failure: Option<KeyServiceError>,
}

/// How to come by the keys of something stored: which entry to ask for next, until there is a `T`.
///
/// The caller's policy has decided already. Each accepted entry is named at most once, and none any more once a layer is
/// open or cannot be opened. There is no other way from something stored to a key.
///
/// ```
/// # #[cfg(feature = "std")] {
/// # use objseal::Key;
/// # use objseal::envelope::{KeyServiceErrorKind, OpenOptions, SealOptions, WrappingKey};
/// # use std::sync::Arc;
/// # let mine = Arc::new(WrappingKey::new("my-kms", "photos", 1, Key::generate()?)?);
/// # let (envelope, _) = SealOptions::new(mine.clone()).start()?;
/// # let ask = |_: &objseal::envelope::KeyRequest| Ok(mine.clone());
/// let mut plan = OpenOptions::new().plan(envelope.stored())?;
/// while let Some(request) = plan.next_request() {
///     let answer = match request.service() {
///         "my-kms" => ask(&request), // asynchronous code awaits it
///         _ => Err(KeyServiceErrorKind::UnknownKey.into()),
///     };
///     plan.answer(answer);
/// }
/// let envelope = plan.finish()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a plan opens nothing before it is finished"]
pub struct Plan<T> {
    of: Arc<dyn Entries>,
    /// Where the accepted entries are, those of the first layer first.
    accepted: Vec<usize>,
    /// How many of them have been named.
    named: usize,
    /// The one that is asked for.
    asked: Option<usize>,
    /// The layer whose key is wanted.
    layer: u8,
    last_layer: u8,
    /// The keys of the layers before it, and which entry gave each.
    found: Vec<(usize, Key)>,
    /// Keys that the caller holds.
    held: Arc<[Arc<WrappingKey>]>,
    engines: Engines,
    trouble: Trouble,
    finish: Box<Finish<T>>,
}

type Finish<T> = dyn FnOnce(Vec<(usize, Key)>) -> Result<T, EnvelopeError> + Send + Sync;

impl<T> Plan<T> {
    /// Keys of `layers`, of which each must have an entry that `accepts`. Where one of `keys` opens a layer, nobody is asked.
    pub(super) fn new(
        of: Arc<dyn Entries>,
        layers: RangeInclusive<u8>,
        accepts: impl Fn(&WrappedKey) -> bool,
        keys: &[Arc<WrappingKey>],
        engines: Engines,
        finish: impl FnOnce(Vec<(usize, Key)>) -> Result<T, EnvelopeError> + Send + Sync + 'static,
    ) -> Result<Self, EnvelopeError> {
        let (layer, last_layer) = layers.into_inner();
        let mut accepted = Vec::new();
        for layer in layer..=last_layer {
            let before = accepted.len();
            let of_layer = of.entries().iter().enumerate().filter(|(_, entry)| entry.layer == layer);
            accepted.extend(of_layer.filter(|(_, entry)| accepts(entry)).map(|(index, _)| index));
            // Nobody is asked about an object that has a layer which nobody can open.
            if accepted.len() == before {
                return Err(no_accepted_key(&*of, layer));
            }
        }
        let mut plan = Self {
            of,
            accepted,
            named: 0,
            asked: None,
            layer,
            last_layer,
            found: Vec::with_capacity(2),
            held: keys.into(),
            engines,
            trouble: Trouble::default(),
            finish: Box::new(finish),
        };
        plan.try_held();
        Ok(plan)
    }

    /// Tries the keys that the caller holds on the layer that is wanted, and on those behind what they open.
    fn try_held(&mut self) {
        let held = Arc::clone(&self.held);
        for at in 0..self.accepted.len() {
            let index = self.accepted[at];
            for key in &*held {
                if key.is_of(&self.of.entries()[index]) && self.try_key(index, key) {
                    break;
                }
            }
        }
    }

    /// The entry to ask a key service for. `None` when there is nothing more to ask.
    pub fn next_request(&mut self) -> Option<KeyRequest> {
        let rest = self.accepted.iter().skip(self.named);
        let passed = rest.take_while(|&&index| self.of.entries()[index].layer < self.layer).count();
        self.named += passed;
        let index = self.accepted.get(self.named).copied();
        self.asked = index.filter(|&index| self.of.entries()[index].layer == self.layer);
        let index = self.asked?;
        self.named += 1;
        Some(KeyRequest { of: Arc::clone(&self.of), index })
    }

    /// Takes the answer to the last request: the wrapping key, or why there is none. Says whether that opened the layer. If it
    /// did not, another service of the same name may answer as well.
    pub fn answer(&mut self, answer: Result<Arc<WrappingKey>, KeyServiceError>) -> bool {
        let Some(index) = self.asked else { return false };
        match answer {
            Ok(key) => {
                let opened = self.try_key(index, &key);
                if opened {
                    self.try_held();
                }
                return opened;
            }
            Err(error) => match error.kind() {
                KeyServiceErrorKind::UnknownKey => {}
                KeyServiceErrorKind::Refused => self.trouble.refused = true,
                _ => self.trouble.failure = self.trouble.failure.take().or(Some(error)),
            },
        }
        false
    }

    /// Whether `key` opens the layer that is wanted by this entry.
    fn try_key(&mut self, index: usize, key: &WrappingKey) -> bool {
        let entry = &self.of.entries()[index];
        if entry.layer != self.layer {
            return false;
        }
        let binding = Binding {
            object_id: self.of.object_id(),
            layer: entry.layer,
            layers: self.of.layers(),
            context: self.of.context(),
            engines: self.engines,
        };
        match key.unwrap(entry, &binding) {
            Ok(data_key) => {
                self.found.push((index, data_key));
                self.layer += 1;
                self.asked = None;
                self.trouble = Trouble::default();
                true
            }
            Err(_) => {
                if key.is_of(entry) && !key.seems_to_be_of(entry, &binding.object_id) {
                    self.trouble.other_key = Some(index);
                } else {
                    self.trouble.refused = true;
                }
                false
            }
        }
    }

    /// What the keys open, verified.
    ///
    /// # Errors
    /// [`EnvelopeError::KeyService`] if a service could not answer and no other entry opened the layer;
    /// [`EnvelopeError::Authentication`] if a wrapping key does not open its entry, or what was stored was changed;
    /// [`EnvelopeError::OtherKey`] if it is another one of the same name;
    /// [`EnvelopeError::NoAcceptedKey`] if nobody has the key.
    pub fn finish(self) -> Result<T, EnvelopeError> {
        if self.layer > self.last_layer {
            return (self.finish)(self.found);
        }
        let Trouble { refused, other_key, failure } = self.trouble;
        let other_key = other_key.map(|index| &self.of.entries()[index]);
        match (failure, refused, other_key) {
            (Some(error), ..) => Err(EnvelopeError::KeyService(error)),
            (None, true, _) => Err(Error::refused(Refusal::Wrap).into()),
            (None, false, Some(entry)) => Err(EnvelopeError::OtherKey(entry.named_key())),
            (None, false, None) => Err(no_accepted_key(&*self.of, self.layer)),
        }
    }

    /// The same with something more at the end.
    #[cfg(feature = "std")]
    pub(crate) fn map<U>(self, more: impl FnOnce(T) -> Result<U, EnvelopeError> + Send + Sync + 'static) -> Plan<U>
    where
        T: 'static,
    {
        let Self { of, accepted, named, asked, layer, last_layer, found, held, engines, trouble, finish } = self;
        let finish: Box<Finish<U>> = Box::new(|found| more(finish(found)?));
        Plan { of, accepted, named, asked, layer, last_layer, found, held, engines, trouble, finish }
    }
}

fn no_accepted_key(of: &dyn Entries, layer: u8) -> EnvelopeError {
    let of_layer = of.entries().iter().filter(|entry| entry.layer == layer);
    EnvelopeError::NoAcceptedKey { wanted: of_layer.map(WrappedKey::named_key).collect() }
}

impl<T> fmt::Debug for Plan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("object_id", &self.of.object_id())
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}
