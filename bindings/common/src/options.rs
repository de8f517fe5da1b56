//! How to seal, and what to open.

use crate::Keyring;
use objseal::checksums::Wanted;
use objseal::cobblestone::Threads;
use objseal::envelope::{self, EncryptionContext, EnvelopeError, KeyService, Policy, SingleKey};
use objseal::{Engine, Key};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Most threads that a call works on.
pub const MAX_THREADS: u32 = 1_000;

/// A number of threads; 0 is as many as there are CPUs, and above [`MAX_THREADS`] there is none.
#[must_use]
pub fn threads(count: u32) -> Option<Threads> {
    match NonZeroUsize::new(usize::try_from(count).ok()?) {
        None => Some(Threads::available()),
        Some(threads) => (count <= MAX_THREADS).then_some(Threads(threads)),
    }
}

/// Something that holds root keys.
#[derive(Clone, Debug)]
pub enum Service {
    /// Keys of a keyring, by name.
    Keyring(Arc<Keyring>),
    /// One key.
    Single(Arc<SingleKey>),
}

impl Service {
    /// The service of this one key.
    #[must_use]
    pub fn single(key: &Key) -> Self {
        Self::Single(Arc::new(SingleKey::new(Key::from_bytes(key.expose_secret()))))
    }

    /// The core's interface.
    #[must_use]
    pub fn as_service(&self) -> &dyn KeyService {
        match self {
            Self::Keyring(keyring) => &**keyring,
            Self::Single(key) => &**key,
        }
    }
}

/// How objects are sealed.
#[derive(Clone, Debug, Default)]
pub struct Sealing {
    /// For each layer its recipients, the innermost first: service and key id.
    pub recipients: Vec<Vec<(Service, String)>>,
    /// What objects are bound to.
    pub context: EncryptionContext,
    /// The engine of the inner layer, or the only one.
    pub engine: Option<Engine>,
    /// The engine of the outer layer.
    pub outer_engine: Option<Engine>,
    /// Whether each chunk is opened again before it is given out.
    pub check: bool,
    /// What is computed of the plaintext.
    pub digests: Wanted,
}

impl Sealing {
    /// How many layers there are.
    #[must_use]
    pub fn layers(&self) -> u8 {
        u8::try_from(self.recipients.len()).unwrap_or(u8::MAX)
    }

    /// Does something with the core's [`envelope::Sealing`] of this.
    ///
    /// # Errors
    /// An engine that is not to be had, and what `act` says.
    pub fn with<T, E: From<EnvelopeError>>(
        &self,
        act: impl FnOnce(&envelope::Sealing<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let layers: Vec<Vec<_>> = self
            .recipients
            .iter()
            .map(|layer| layer.iter().map(|(service, key_id)| (service.as_service(), key_id.as_str())).collect())
            .collect();
        let inner = layers.first().map_or(&[][..], |layer| layer);
        let mut sealing = envelope::Sealing::new(inner).with_context(self.context.clone()).with_digests(self.digests);
        if let Some(outer) = layers.get(1) {
            sealing = sealing.with_outer_layer(outer);
        }
        if let Some(engine) = self.engine {
            sealing = sealing.with_engine(engine).map_err(EnvelopeError::from)?;
        }
        if let Some(engine) = self.outer_engine {
            sealing = sealing.with_outer_engine(engine).map_err(EnvelopeError::from)?;
        }
        if self.check {
            sealing = sealing.with_check();
        }
        act(&sealing)
    }
}

/// What is opened, with which keys.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// What holds the root keys.
    pub services: Vec<Service>,
    /// What objects have to be like.
    pub policy: Policy,
    /// The engine of the inner layer, or the only one.
    pub engine: Option<Engine>,
    /// The engine of the outer layer.
    pub outer_engine: Option<Engine>,
}

impl Opening {
    /// Does something with the core's [`envelope::Opening`] of this.
    ///
    /// # Errors
    /// An engine that is not to be had, and what `act` says.
    pub fn with<T, E: From<EnvelopeError>>(
        &self,
        act: impl FnOnce(&envelope::Opening<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let services: Vec<_> = self.services.iter().map(Service::as_service).collect();
        let mut opening = envelope::Opening::new(&services).with_policy(self.policy.clone());
        if let Some(engine) = self.engine {
            opening = opening.with_engine(engine).map_err(EnvelopeError::from)?;
        }
        if let Some(engine) = self.outer_engine {
            opening = opening.with_outer_engine(engine).map_err(EnvelopeError::from)?;
        }
        act(&opening)
    }
}
