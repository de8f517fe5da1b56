//! Opening an envelope, as far as the caller's policy goes.

use super::context::EncryptionContext;
use super::derive::{MAC_LEN, Subkey};
use super::error::EnvelopeError;
use super::head::{Head, WrappedKey};
use super::layers::{Engines, Layers, head_mac};
use super::opened::Envelope;
use super::plan::{Entries, Plan};
use super::policy::{DemandedContext, Policy};
use super::service::KeyService;
use super::upload::{self, Upload};
use super::wrapping_key::WrappingKey;
use crate::engine::{Choice, Engine};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::random::{RandomSource, Source};
use crate::verdict::verdict;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;
use subtle::ConstantTimeEq;

/// What is opened, with which keys. Cheap to clone and to share between threads.
///
/// Unless told otherwise it opens objects that are bound to no context, whatever else they are.
///
/// ```
/// # #[cfg(feature = "std")] {
/// # use objseal::Key;
/// # use objseal::envelope::{EncryptionContext, OpenOptions, SealOptions, WrappingKey};
/// # use std::sync::Arc;
/// # let key = Arc::new(WrappingKey::from_key(Key::generate()?));
/// # let context = EncryptionContext::from_pairs([("name", "cat.jpg")])?;
/// # let head = SealOptions::new(key.clone()).with_context(context.clone()).start()?.0.stored().to_vec();
/// let options = OpenOptions::new().with_key(key).with_context(context);
/// let envelope = options.open(&head)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct OpenOptions {
    keys: Vec<Arc<WrappingKey>>,
    services: Vec<Arc<dyn KeyService>>,
    policy: Policy,
    engines: Engines,
    random: Source,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// Without keys yet.
    #[must_use]
    pub fn new() -> Self {
        let (keys, services) = (Vec::new(), Vec::new());
        Self { keys, services, policy: Policy::default(), engines: Engines::best(), random: Source::default() }
    }

    /// The same, and opens what was sealed under `key`. Of several keys that say the same of themselves each is tried.
    #[must_use]
    pub fn with_key(mut self, key: Arc<WrappingKey>) -> Self {
        self.keys.push(key);
        self
    }

    /// The same, and opens what `service` has the wrapping keys of. Of several services of the same name each is asked, in
    /// turn. [`plan`](Self::plan) is for services that answer later.
    #[must_use]
    pub fn with_service(mut self, service: Arc<dyn KeyService>) -> Self {
        self.services.push(service);
        self
    }

    /// The same, and refuses what `policy` does not accept.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same for objects with exactly this context.
    #[must_use]
    pub fn with_context(mut self, context: EncryptionContext) -> Self {
        self.policy.context = DemandedContext::Exactly(context);
        self
    }

    /// The same for objects with whatever context: see [`DemandedContext::Any`].
    #[must_use]
    pub fn with_any_context(mut self) -> Self {
        self.policy.context = DemandedContext::Any;
        self
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
    /// [`SealOptions::with_outer_engine`](super::SealOptions::with_outer_engine).
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if this build or this machine cannot run it.
    pub fn with_outer_engine(mut self, engine: Engine) -> Result<Self, Error> {
        self.engines.outer = Some(Choice::of(engine)?);
        Ok(self)
    }

    /// The same with random bytes from another source than the operating system, for what an opened envelope or a resumed
    /// upload seals.
    #[must_use]
    pub fn with_random(self, random: Arc<dyn RandomSource>) -> Self {
        Self { random: Source::Given(random), ..self }
    }

    /// What objects have to be like.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The same policy, to be changed.
    #[must_use]
    pub fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }

    /// How to come by the keys of a stored head. Key services that are among these options are not asked: whoever follows the
    /// plan asks.
    ///
    /// # Errors
    /// [`EnvelopeError`]: it is not a head, or the policy does not accept it.
    pub fn plan(&self, stored: &[u8]) -> Result<Plan<Envelope>, EnvelopeError> {
        self.plan_head(stored, |_| true)
    }

    /// Opens a stored head by the keys and services among these options.
    ///
    /// # Errors
    /// [`EnvelopeError`]. What the policy does not accept is refused before any service is asked.
    pub fn open(&self, stored: &[u8]) -> Result<Envelope, EnvelopeError> {
        self.follow(self.plan_head(stored, |entry| self.can_answer(entry))?)
    }

    /// How to come by the key of an upload state: see [`plan`](Self::plan). The policy says which keys it may be under; `place`
    /// is what it was [started](super::SealOptions::start_upload) with.
    ///
    /// # Errors
    /// [`EnvelopeError`]: it is not an upload state, or the policy does not accept its key.
    pub fn plan_upload(&self, stored: &[u8], place: &EncryptionContext) -> Result<Plan<Upload>, EnvelopeError> {
        upload::plan(self, stored, place, |_| true)
    }

    /// Goes on with an upload, in whatever process, by the keys and services among these options: the server's. The policy
    /// says which keys its state may be under; `place` is what it was [started](super::SealOptions::start_upload) with.
    ///
    /// # Errors
    /// [`EnvelopeError`]: the state was changed, or belongs to another place; nobody here has the key that it is under.
    pub fn resume_upload(&self, stored: &[u8], place: &EncryptionContext) -> Result<Upload, EnvelopeError> {
        self.follow(upload::plan(self, stored, place, |entry| self.can_answer(entry))?)
    }

    fn plan_head(&self, stored: &[u8], accepts: impl Fn(&WrappedKey) -> bool) -> Result<Plan<Envelope>, EnvelopeError> {
        let mut head = Head::parse(stored)?.0;
        self.policy.check(&mut head)?;
        let (layers, head) = (1..=head.layers(), Arc::new(head));
        let (of, stored, engines, random) = (Arc::clone(&head), stored.to_vec(), self.engines, self.random.clone());
        self.plan_of(of, layers, accepts, move |found| open(head, stored, engines, random, found))
    }

    /// A plan for entries that both the policy and `accepts` accept.
    pub(super) fn plan_of<T>(
        &self,
        of: Arc<dyn Entries>,
        layers: RangeInclusive<u8>,
        accepts: impl Fn(&WrappedKey) -> bool,
        finish: impl FnOnce(Vec<(usize, Key)>) -> Result<T, EnvelopeError> + Send + Sync + 'static,
    ) -> Result<Plan<T>, EnvelopeError> {
        let accepts = |entry: &WrappedKey| self.policy.accepts(entry) && accepts(entry);
        Plan::new(of, layers, accepts, &self.keys, self.engines, finish)
    }

    /// Whether somebody here may have the key of this entry.
    pub(super) fn can_answer(&self, entry: &WrappedKey) -> bool {
        self.keys.iter().any(|key| key.is_of(entry))
            || self.services.iter().any(|service| service.name() == entry.service)
    }

    /// Asks the services here until the plan has no more questions.
    pub(crate) fn follow<T>(&self, mut plan: Plan<T>) -> Result<T, EnvelopeError> {
        while let Some(request) = plan.next_request() {
            for service in self.services.iter().filter(|service| service.name() == request.service()) {
                if plan.answer(service.reopen(&request)) {
                    break;
                }
            }
        }
        plan.finish()
    }

    pub(super) fn random(&self) -> Source {
        self.random.clone()
    }

    pub(super) fn engines(&self) -> Engines {
        self.engines
    }
}

/// The envelope of a head, with these keys: its MAC must hold.
fn open(
    head: Arc<Head>,
    stored: Vec<u8>,
    engines: Engines,
    random: Source,
    found: Vec<(usize, Key)>,
) -> Result<Envelope, EnvelopeError> {
    let (opened_by, layers) = Layers::found(found, head.object_id, engines);
    let (signed, stored_mac) = stored.split_last_chunk::<MAC_LEN>().ok_or(EnvelopeError::Authentication)?;
    let mac = head_mac(&layers.subkey(Subkey::Mac), signed, &head.context.digest());
    if !verdict(mac.ct_eq(stored_mac)) {
        return Err(Error::refused(Refusal::Mac).into());
    }
    Ok(Envelope::opened(head, stored, layers, opened_by, random))
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("keys", &self.keys)
            .field("services", &self.services)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
