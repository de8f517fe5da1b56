//! Making the envelope of a new object, and wrapping the data key of an old one anew.

use super::context::EncryptionContext;
use super::derive::{LAYER, MAC_LEN, Role, Subkey, mac, place, subkey};
use super::error::{EnvelopeError, FormatError};
use super::head::{Head, Mode, ObjectId};
use super::open::OpenEnvelope;
use super::service::KeyService;
use crate::cobblestone::{Cobblestone, SALT_LEN, SharedSealer};
use crate::engine::{Choice, Engine};
use crate::error::{Error, RandomError};
use crate::key::Key;
use crate::random::RandomSource;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Root keys and an encryption context, ready to seal objects.
///
/// Every object gets an object id and a data key of its own.
#[derive(Clone)]
pub struct Sealing<'a> {
    recipients: &'a [(&'a dyn KeyService, &'a str)],
    context: EncryptionContext,
    choice: Choice,
    random: &'a (dyn RandomSource + Sync),
}

impl<'a> Sealing<'a> {
    /// Seals for `recipients`: each is a key service and the id of a root key that it holds. There must be 1 to 8, and
    /// any of them suffices to open the object.
    #[must_use]
    pub fn new(recipients: &'a [(&'a dyn KeyService, &'a str)]) -> Self {
        #[cfg(feature = "getrandom")]
        let random = &crate::random::OsRandom;
        #[cfg(not(feature = "getrandom"))]
        let random = &crate::random::NoRandom;
        Self { recipients, context: EncryptionContext::new(), choice: Choice::best(), random }
    }

    /// The same, bound to `context`.
    #[must_use]
    pub fn with_context(self, context: EncryptionContext) -> Self {
        Self { context, ..self }
    }

    /// The same on another engine; see [`Cobblestone::with_engine`].
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_engine(self, engine: Engine) -> Result<Self, Error> {
        Ok(Self { choice: Choice::of(engine)?, ..self })
    }

    /// The same with random bytes from another source than the operating system.
    #[must_use]
    pub fn with_random(self, random: &'a (dyn RandomSource + Sync)) -> Self {
        Self { random, ..self }
    }

    /// Makes the envelope of a new object, and what seals its body.
    ///
    /// # Errors
    /// [`EnvelopeError::KeyService`] if a key service does not wrap; [`EnvelopeError::Format`] if there are no
    /// recipients or too many, or the context does not fit; [`EnvelopeError::Seal`] if there are no random bytes to be
    /// had.
    pub fn start(&self) -> Result<(OpenEnvelope, SharedSealer), EnvelopeError> {
        // One call to the source for all of it: object id, data key, the salt of the body and those of the wraps.
        let drawn = Drawn::new(self.random, ObjectId::LEN + Key::LEN + SALT_LEN * (1 + self.recipients.len()))?;
        let mut object_id = [0; ObjectId::LEN];
        drawn.fill(&mut object_id).map_err(Error::from)?;
        let object_id = ObjectId::from_bytes(object_id);
        let mut key_bytes = Zeroizing::new([0; Key::LEN]);
        drawn.fill(&mut *key_bytes).map_err(Error::from)?;
        let data_key = Key::from_bytes(&key_bytes);

        let context = place(Role::Body, &object_id, LAYER);
        let body =
            Cobblestone::new(&data_key, &context).with_choice(self.choice).with_random(&drawn).shared_sealer()?;
        let mut body_salt = [0; SALT_LEN];
        body_salt.copy_from_slice(&body.header()[..SALT_LEN]);
        let head = Head {
            object_id,
            mode: Mode::Keyring,
            wrapped_keys: Vec::new(),
            context: self.context.clone(),
            generation: 1,
            body_salt,
            unknown: Vec::new(),
        };
        Ok((self.wrap_into(head, data_key, &drawn, false)?, body))
    }

    /// Wraps the data key of `old` for these recipients, under this context. Only the head is new: its generation grows
    /// by one, and the body and the attributes stay as they are.
    ///
    /// Each new wrap is unwrapped again through its service and compared before this returns. It is rotation, not
    /// revocation: who kept the data key, or the old head and its root key, still opens the object.
    ///
    /// # Errors
    /// As for [`start`](Self::start); [`EnvelopeError::Authentication`] if a service does not give back what it wrapped.
    pub fn rewrap(&self, old: &OpenEnvelope) -> Result<OpenEnvelope, EnvelopeError> {
        let drawn = Drawn::new(self.random, SALT_LEN * self.recipients.len())?;
        let generation = old.head().generation.checked_add(1).ok_or(FormatError::TooLong)?;
        let context = self.context.clone();
        let head = Head { wrapped_keys: Vec::new(), context, generation, ..old.head().clone() };
        self.wrap_into(head, Key::from_bytes(old.data_key().expose_secret()), &drawn, true)
    }

    /// Fills in the wrapped keys and the MAC. `verify` unwraps each wrapped key again.
    fn wrap_into(
        &self,
        mut head: Head,
        data_key: Key,
        random: &(dyn RandomSource + Sync),
        verify: bool,
    ) -> Result<OpenEnvelope, EnvelopeError> {
        for (service, key_id) in self.recipients {
            let wrapped_key = service.wrap(key_id, &head.binding(), &data_key, random);
            let wrapped_key = wrapped_key.map_err(EnvelopeError::KeyService)?;
            if verify {
                let unwrapped = service.unwrap(&wrapped_key, &head.binding()).map_err(EnvelopeError::KeyService)?;
                if !bool::from(unwrapped.data_key.expose_secret().ct_eq(data_key.expose_secret())) {
                    return Err(EnvelopeError::Authentication);
                }
            }
            head.wrapped_keys.push(wrapped_key);
        }
        head.sort_wrapped_keys()?;
        let mut stored = head.encode()?;
        let tag: [u8; MAC_LEN] = mac(&subkey(&data_key, &head.object_id, Subkey::Mac), &stored);
        stored.extend_from_slice(&tag);
        Ok(OpenEnvelope::new(head, stored, data_key, 0, self.choice))
    }
}

/// Random bytes of one object, drawn in one call and handed out once each; wiped on drop.
struct Drawn {
    bytes: Zeroizing<Vec<u8>>,
    next: AtomicUsize,
}

impl Drawn {
    fn new(random: &dyn RandomSource, len: usize) -> Result<Self, Error> {
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
