//! Making the envelope of a new object, and wrapping the data key of an old one anew.

use super::body::NewBody;
use super::codec::FIRST_PRIVATE_TAG;
use super::context::EncryptionContext;
use super::derive::Role;
use super::error::{EnvelopeError, FormatError};
use super::head::{Content, Head, ObjectId, Suite};
use super::layers::{Engines, Layers};
use super::opened::Envelope;
use super::wrapping_key::{Binding, WrappingKey};
use crate::cobblestone::SALT_LEN;
use crate::engine::{Choice, Engine};
use crate::error::{Error, RandomError};
use crate::key::Key;
use crate::limits::{LATE_FIELDS_LEN, MAX_HEAD_LEN};
use crate::random::{RandomSource, Source};
use crate::verdict::verdict;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Under which keys objects are sealed, in how many layers, bound to which encryption context. Cheap to clone and to share
/// between threads.
///
/// Every object gets an object id and a data key of its own; with two layers, two data keys. Sealing asks nobody: the
/// wrapping keys are here.
#[derive(Clone)]
pub struct SealOptions {
    keys: Vec<Arc<WrappingKey>>,
    /// Those of the second layer, if there is one.
    outer_keys: Vec<Arc<WrappingKey>>,
    context: EncryptionContext,
    fields: BTreeMap<u16, Vec<u8>>,
    engines: Engines,
    #[cfg(feature = "checksums")]
    digests: crate::checksums::Wanted,
    random: Source,
}

/// Without keys: they must be added before anything is sealed.
impl Default for SealOptions {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            outer_keys: Vec::new(),
            context: EncryptionContext::new(),
            fields: BTreeMap::new(),
            engines: Engines::best(),
            #[cfg(feature = "checksums")]
            digests: crate::checksums::Wanted::NONE,
            random: Source::default(),
        }
    }
}

impl SealOptions {
    /// Seals under `key`, in one layer.
    #[must_use]
    pub fn new(key: Arc<WrappingKey>) -> Self {
        Self::default().with_key(key)
    }

    /// The same for one more recipient: up to 8 keys, of which any opens the object or, with two layers, the inner one.
    #[must_use]
    pub fn with_key(mut self, key: Arc<WrappingKey>) -> Self {
        self.keys.push(key);
        self
    }

    /// The same in two layers, as DSSE asks for: what is sealed under the other keys is sealed once more, under a data key
    /// of its own and by another implementation of AES-256-GCM. It takes one key of each layer to open the object. A second
    /// call adds a recipient to the outer layer.
    ///
    /// Both data keys come from the same source of random bytes. None of the implementations is a validated module.
    #[must_use]
    pub fn with_outer_key(mut self, key: Arc<WrappingKey>) -> Self {
        self.outer_keys.push(key);
        self
    }

    /// The same, bound to `context`.
    #[must_use]
    pub fn with_context(self, context: EncryptionContext) -> Self {
        Self { context, ..self }
    }

    /// The same with a private field in the head, in clear and authentic, which [`Head::field`] gives back. Tags are from
    /// 0xC000 on. What an object has already stays when it is rewrapped, unless it is set anew.
    ///
    /// # Errors
    /// [`FormatError::Malformed`] for a tag below; [`FormatError::TooLong`] for a value longer than [`LATE_FIELDS_LEN`].
    pub fn with_field(mut self, tag: u16, value: &[u8]) -> Result<Self, FormatError> {
        if tag < FIRST_PRIVATE_TAG {
            return Err(FormatError::Malformed);
        }
        if value.len() > LATE_FIELDS_LEN {
            return Err(FormatError::TooLong);
        }
        self.fields.insert(tag, value.to_vec());
        Ok(self)
    }

    /// The same with the inner layer, or the only one, on another engine; see
    /// [`Cobblestone::with_engine`](crate::cobblestone::Cobblestone::with_engine).
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_engine(mut self, engine: Engine) -> Result<Self, Error> {
        self.engines.inner = Choice::of(engine)?;
        Ok(self)
    }

    /// The same with the outer layer on `engine`. By default it is AWS-LC or, where that is missing or does the inner
    /// layer, the fastest that shares no code with the inner one's.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_outer_engine(mut self, engine: Engine) -> Result<Self, Error> {
        self.engines.outer = Some(Choice::of(engine)?);
        Ok(self)
    }

    /// The same, and opens everything that it seals again before it is given out, every wrapped key and every chunk, on another
    /// engine; with two layers on that of the other layer. See
    /// [`Cobblestone::with_check`](crate::cobblestone::Cobblestone::with_check).
    #[must_use]
    pub fn with_check(mut self) -> Self {
        self.engines.check = true;
        self
    }

    /// The same, and keeps these digests of the plaintext among the attributes. [`file::seal`](crate::file::seal)
    /// computes them on the way; who seals a body otherwise uses [`checksums`](crate::checksums).
    #[cfg(feature = "checksums")]
    #[must_use]
    pub fn with_digests(self, digests: crate::checksums::Wanted) -> Self {
        Self { digests, ..self }
    }

    /// Whether there are digests to keep.
    #[cfg(feature = "std")]
    pub(crate) fn has_digests(&self) -> bool {
        #[cfg(feature = "checksums")]
        return self.digests != crate::checksums::Wanted::NONE;
        #[cfg(not(feature = "checksums"))]
        false
    }

    /// The digests that are kept.
    #[cfg(feature = "checksums")]
    #[must_use]
    pub fn digests(&self) -> crate::checksums::Wanted {
        self.digests
    }

    /// The same with random bytes from another source than the operating system: all that is drawn for an object, and later
    /// for its attributes and parts.
    #[must_use]
    pub fn with_random(self, random: Arc<dyn RandomSource>) -> Self {
        Self { random: Source::Given(random), ..self }
    }

    /// Keys of each layer, the innermost first.
    fn keys_of_layers(&self) -> impl Iterator<Item = (u8, &[Arc<WrappingKey>])> {
        (1..=self.layers()).zip([&self.keys[..], &self.outer_keys[..]])
    }

    /// How many layers objects get: 1 or 2.
    #[must_use]
    pub fn layers(&self) -> u8 {
        if self.outer_keys.is_empty() { 1 } else { 2 }
    }

    pub(super) fn wraps(&self) -> usize {
        self.keys.len() + self.outer_keys.len()
    }

    pub(super) fn random(&self) -> Source {
        self.random.clone()
    }

    /// Makes the envelope of a new object, and what seals its body.
    ///
    /// # Errors
    /// [`EnvelopeError::NoKey`]; [`EnvelopeError::Format`] if there are too many keys, or keys and context do not fit;
    /// [`EnvelopeError::Seal`] if there are no random bytes to be had, or if two implementations are needed and the engines
    /// share code.
    pub fn start(&self) -> Result<(Envelope, NewBody), EnvelopeError> {
        let layers = usize::from(self.layers());
        // One call to the source for all of it: object id, data keys, the salts of the body and those of the wraps.
        let salts = SALT_LEN * (layers + self.wraps());
        let drawn = self.draw(ObjectId::LEN + Key::LEN * layers + salts)?;
        let layers = self.draw_layers(&drawn)?;
        let body = layers.seal(Role::Body, 0, &drawn)?;
        let head = self.head(&layers, Content::Body { salts: body.salts() });
        let head = self.wrap(head, &layers, &drawn)?;
        let envelope = Envelope::make(head, layers, self.random())?;
        // What comes late must find room, as no body is sealed in vain.
        if envelope.stored().len() > MAX_HEAD_LEN - LATE_FIELDS_LEN {
            return Err(FormatError::TooLong.into());
        }
        Ok((envelope, body))
    }

    pub(super) fn draw(&self, len: usize) -> Result<Drawn, Error> {
        Drawn::new(&self.random, len)
    }

    /// That there are keys for each layer.
    fn check_keys(&self) -> Result<(), EnvelopeError> {
        if self.keys.is_empty() { Err(EnvelopeError::NoKey) } else { Ok(()) }
    }

    /// Draws an object id and the data keys.
    pub(super) fn draw_layers(&self, random: &dyn RandomSource) -> Result<Layers, EnvelopeError> {
        self.check_keys()?;
        self.engines.check_for_sealing(self.layers())?;
        let mut object_id = [0; ObjectId::LEN];
        random.fill(&mut object_id).map_err(Error::from)?;
        let mut data_keys = Vec::with_capacity(2);
        for _ in 0..self.layers() {
            let mut key_bytes = Zeroizing::new([0; Key::LEN]);
            random.fill(&mut *key_bytes).map_err(Error::from)?;
            data_keys.push(Key::from_bytes(&key_bytes));
        }
        Ok(Layers::new(data_keys, ObjectId::from_bytes(object_id), self.engines))
    }

    /// A first head, without wrapped keys.
    pub(super) fn head(&self, layers: &Layers, content: Content) -> Head {
        Head {
            object_id: layers.frame().object_id,
            suites: vec![Suite::Cobblestone256; usize::from(self.layers())],
            wrapped_keys: Vec::new(),
            context: self.context.clone(),
            bound_keys: self.bound_keys(),
            generation: 1,
            content,
            attributes: None,
            others: self.fields.clone(),
        }
    }

    fn bound_keys(&self) -> Vec<String> {
        self.context.bound_keys().map(String::from).collect()
    }

    /// Wraps the data keys of `old` under these keys and this context. Only the head is new: its generation grows by one, and
    /// the body and the attributes stay as they are. Pairs that are bound and not stored can be others than before: that binds
    /// the object to another place.
    ///
    /// Each new wrap is unwrapped again and compared before this returns. It is rotation, not revocation: who kept the data
    /// keys, or the old head and its root keys, still opens the object.
    ///
    /// # Errors
    /// As for [`start`](Self::start); [`EnvelopeError::Authentication`] if a wrap does not give back what was wrapped;
    /// [`EnvelopeError::OtherLayers`] if the object has another number of layers.
    pub fn rewrap(&self, old: &Envelope) -> Result<Envelope, EnvelopeError> {
        self.check_keys()?;
        let (object, given) = (old.head().layers(), self.layers());
        if object != given {
            return Err(EnvelopeError::OtherLayers { object, given });
        }
        self.engines.check_for_sealing(given)?;
        let drawn = self.draw(SALT_LEN * self.wraps())?;
        let generation = old.head().generation.checked_add(1).ok_or(FormatError::TooLong)?;
        let context = self.context.clone();
        let bound_keys = self.bound_keys();
        let mut head = Head { wrapped_keys: Vec::new(), context, bound_keys, generation, ..old.head().clone() };
        head.others.extend(self.fields.clone());
        let layers = old.layers().copy().with_engines(self.engines);
        let head = self.wrap(head, &layers, &drawn)?;
        self.verify_wraps(&head, &layers)?;
        Envelope::make(head, layers, self.random())
    }

    /// Fills in the wrapped keys.
    pub(super) fn wrap(
        &self,
        mut head: Head,
        layers: &Layers,
        random: &dyn RandomSource,
    ) -> Result<Head, EnvelopeError> {
        for ((layer, keys), data_key) in self.keys_of_layers().zip(layers.data_keys()) {
            for key in keys {
                let wrapped_key = key.wrap(&self.binding(&head, layer), data_key, random)?;
                head.wrapped_keys.push(wrapped_key);
            }
        }
        head.sort_wrapped_keys()?;
        Ok(head)
    }

    /// That each wrapped key gives the data key of its layer.
    fn verify_wraps(&self, head: &Head, layers: &Layers) -> Result<(), EnvelopeError> {
        for ((layer, keys), data_key) in self.keys_of_layers().zip(layers.data_keys()) {
            for entry in head.wrapped_keys.iter().filter(|entry| entry.layer == layer) {
                let key = keys.iter().find(|key| key.is_of(entry)).ok_or(EnvelopeError::Authentication)?;
                let unwrapped = key.unwrap(entry, &self.binding(head, layer))?;
                if !verdict(unwrapped.expose_secret().ct_eq(data_key.expose_secret())) {
                    return Err(EnvelopeError::Authentication);
                }
            }
        }
        Ok(())
    }

    fn binding<'h>(&self, head: &'h Head, layer: u8) -> Binding<'h> {
        let engines = self.engines;
        Binding { object_id: head.object_id, layer, layers: head.layers(), context: &head.context, engines }
    }
}

impl fmt::Debug for SealOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealOptions")
            .field("keys", &self.keys)
            .field("outer_keys", &self.outer_keys)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Random bytes of one object, drawn in one call and handed out once each; wiped on drop.
pub(super) struct Drawn {
    bytes: Zeroizing<Vec<u8>>,
    next: AtomicUsize,
}

impl Drawn {
    pub(super) fn new(random: &dyn RandomSource, len: usize) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        random.fill(&mut bytes)?;
        Ok(Self { bytes, next: AtomicUsize::new(0) })
    }
}

impl RandomSource for Drawn {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let start = self.next.fetch_add(out.len(), Ordering::Relaxed);
        let drawn = self.bytes.get(start..).and_then(|rest| rest.get(..out.len())).ok_or(RandomError)?;
        out.copy_from_slice(drawn);
        Ok(())
    }
}
