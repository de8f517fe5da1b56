//! Making the envelope of a new object, and wrapping the data key of an old one anew.

use super::body::BodySealer;
use super::context::EncryptionContext;
use super::derive::Role;
use super::error::{EnvelopeError, FormatError};
use super::head::{Content, Head, Mode, ObjectId, Suite};
use super::layers::{Engines, Layers};
use super::open::OpenEnvelope;
use super::service::KeyService;
use crate::cobblestone::SALT_LEN;
use crate::engine::{Choice, Engine};
use crate::error::{Error, RandomError};
use crate::key::Key;
use crate::random::RandomSource;
use crate::verdict::verdict;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Key services, each with the id of a root key that it holds.
pub type Recipients<'a> = &'a [(&'a dyn KeyService, &'a str)];

/// Root keys and an encryption context, ready to seal objects.
///
/// Every object gets an object id and a data key of its own; with two layers, two data keys.
#[derive(Clone)]
pub struct Sealing<'a> {
    recipients: Recipients<'a>,
    /// Those of the second layer, if there is one.
    outer_recipients: Option<Recipients<'a>>,
    context: EncryptionContext,
    engines: Engines,
    #[cfg(feature = "checksums")]
    digests: crate::checksums::Wanted,
    random: &'a (dyn RandomSource + Sync),
}

impl<'a> Sealing<'a> {
    /// Seals for `recipients`: each is a key service and the id of a root key that it holds. There must be 1 to 8, and
    /// any of them suffices to open the object.
    #[must_use]
    pub fn new(recipients: Recipients<'a>) -> Self {
        #[cfg(feature = "getrandom")]
        let random = &crate::random::OsRandom;
        #[cfg(not(feature = "getrandom"))]
        let random = &crate::random::NoRandom;
        let context = EncryptionContext::new();
        Self {
            recipients,
            outer_recipients: None,
            context,
            engines: Engines::best(),
            #[cfg(feature = "checksums")]
            digests: crate::checksums::Wanted::NONE,
            random,
        }
    }

    /// The same in two layers, as DSSE asks for: what is sealed for the recipients given so far is sealed once more, for
    /// `recipients`, under a data key of its own and by another implementation of AES-256-GCM. It takes one of each to
    /// open the object.
    ///
    /// Both data keys come from the same source of random bytes. None of the implementations is a validated module.
    #[must_use]
    pub fn with_outer_layer(self, recipients: Recipients<'a>) -> Self {
        Self { outer_recipients: Some(recipients), ..self }
    }

    /// The same, bound to `context`.
    #[must_use]
    pub fn with_context(self, context: EncryptionContext) -> Self {
        Self { context, ..self }
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

    /// The same, and opens every chunk that it seals on another engine before it is given out: with two layers on that
    /// of the other layer. See [`Cobblestone::with_check`](crate::cobblestone::Cobblestone::with_check).
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

    #[cfg(feature = "checksums")]
    pub(crate) fn digests(&self) -> crate::checksums::Wanted {
        self.digests
    }

    /// The same with random bytes from another source than the operating system.
    #[must_use]
    pub fn with_random(self, random: &'a (dyn RandomSource + Sync)) -> Self {
        Self { random, ..self }
    }

    /// Recipients of each layer, the innermost first.
    fn layers(&self) -> impl Iterator<Item = (u8, Recipients<'a>)> {
        (1..).zip([Some(self.recipients), self.outer_recipients].into_iter().flatten())
    }

    pub(crate) fn layer_count(&self) -> u8 {
        if self.outer_recipients.is_some() { 2 } else { 1 }
    }

    pub(super) fn recipient_count(&self) -> usize {
        self.layers().map(|(_, recipients)| recipients.len()).sum()
    }

    /// Makes the envelope of a new object, and what seals its body.
    ///
    /// # Errors
    /// [`EnvelopeError::KeyService`] if a key service does not wrap; [`EnvelopeError::Format`] if there are no
    /// recipients or too many, or the context does not fit; [`EnvelopeError::Seal`] if there are no random bytes to be
    /// had, or if two implementations are needed and the engines share code.
    pub fn start(&self) -> Result<(OpenEnvelope, BodySealer), EnvelopeError> {
        let layers = usize::from(self.layer_count());
        // One call to the source for all of it: object id, data keys, the salts of the body and those of the wraps.
        let salts = SALT_LEN * (layers + self.recipient_count());
        let drawn = self.draw(ObjectId::LEN + Key::LEN * layers + salts)?;
        let layers = self.draw_layers(&drawn)?;
        let body = layers.seal(Role::Body, 0, &drawn)?;
        let head = self.head(&layers, Content::Body { salts: body.salts() });
        let head = self.wrap(head, &layers, &drawn, false)?;
        Ok((OpenEnvelope::make(head, layers)?, body))
    }

    pub(super) fn draw(&self, len: usize) -> Result<Drawn, Error> {
        Drawn::new(self.random, len)
    }

    /// Draws an object id and the data keys.
    pub(super) fn draw_layers(&self, random: &dyn RandomSource) -> Result<Layers, EnvelopeError> {
        self.engines.check_for_sealing(self.layer_count())?;
        let mut object_id = [0; ObjectId::LEN];
        random.fill(&mut object_id).map_err(Error::from)?;
        let mut data_keys = Vec::with_capacity(2);
        for _ in self.layers() {
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
            mode: Mode::Keyring,
            suites: vec![Suite::Cobblestone256; usize::from(self.layer_count())],
            wrapped_keys: Vec::new(),
            context: self.context.clone(),
            generation: 1,
            content,
            attributes: None,
            unknown: Vec::new(),
        }
    }

    /// Wraps the data keys of `old` for these recipients, under this context. Only the head is new: its generation grows
    /// by one, and the body and the attributes stay as they are.
    ///
    /// Each new wrap is unwrapped again through its service and compared before this returns. It is rotation, not
    /// revocation: who kept the data keys, or the old head and its root keys, still opens the object.
    ///
    /// # Errors
    /// As for [`start`](Self::start); [`EnvelopeError::Authentication`] if a service does not give back what it wrapped;
    /// [`EnvelopeError::OtherLayers`] if the object has another number of layers.
    pub fn rewrap(&self, old: &OpenEnvelope) -> Result<OpenEnvelope, EnvelopeError> {
        let (object, given) = (old.head().layers(), self.layer_count());
        if object != given {
            return Err(EnvelopeError::OtherLayers { object, given });
        }
        let drawn = self.draw(SALT_LEN * self.recipient_count())?;
        let generation = old.head().generation.checked_add(1).ok_or(FormatError::TooLong)?;
        let context = self.context.clone();
        let head = Head { wrapped_keys: Vec::new(), context, generation, ..old.head().clone() };
        let layers = old.layers().copy().with_engines(self.engines);
        OpenEnvelope::make(self.wrap(head, &layers, &drawn, true)?, layers)
    }

    /// Fills in the wrapped keys. `verify` unwraps each wrapped key again.
    pub(super) fn wrap(
        &self,
        mut head: Head,
        layers: &Layers,
        random: &(dyn RandomSource + Sync),
        verify: bool,
    ) -> Result<Head, EnvelopeError> {
        for ((layer, recipients), data_key) in self.layers().zip(layers.data_keys()) {
            for (service, key_id) in recipients {
                let binding = head.binding(layer, self.engines.engine(layer));
                let wrapped_key = service.wrap(key_id, &binding, data_key, random);
                let wrapped_key = wrapped_key.map_err(EnvelopeError::KeyService)?;
                if verify {
                    let unwrapped = service.unwrap(&wrapped_key, &binding).map_err(EnvelopeError::KeyService)?;
                    if !verdict(unwrapped.data_key.expose_secret().ct_eq(data_key.expose_secret())) {
                        return Err(EnvelopeError::Authentication);
                    }
                }
                head.wrapped_keys.push(wrapped_key);
            }
        }
        head.sort_wrapped_keys()?;
        Ok(head)
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
