//! What a caller demands of an object before any key is used.

use super::context::EncryptionContext;
use super::error::{Demand, EnvelopeError};
use super::head::{Head, ObjectId, Suite, WrappedKey};
use alloc::string::String;
use alloc::vec::Vec;

/// The encryption context that an object must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemandedContext {
    /// These pairs, no more and none less, whether they are stored with it or only bound.
    Exactly(EncryptionContext),
    /// Of the pairs that are [bound and not stored](EncryptionContext::bind) these, no more and none less, and whatever is
    /// stored: for a server that knows where the object is, and not what else its client bound it to.
    Known(EncryptionContext),
    /// Whatever is stored, and nothing bound: the object is then bound to nothing that the caller knows, and the store can
    /// answer with another one of the same key.
    Any,
}

impl DemandedContext {
    /// All pairs of an object that has `stored` ones and keys of others; `None` if they are not what is demanded.
    fn complete(&self, stored: &EncryptionContext, bound_keys: &[String]) -> Option<EncryptionContext> {
        let mut context = stored.clone();
        let none = EncryptionContext::new();
        let known = match self {
            Self::Exactly(demanded) => {
                let same = stored.iter().all(|(key, value)| demanded.get(key) == Some(value));
                if !same || demanded.len() != stored.len() + bound_keys.len() {
                    return None;
                }
                demanded
            }
            Self::Known(known) if known.len() == bound_keys.len() => known,
            Self::Any if bound_keys.is_empty() => &none,
            _ => return None,
        };
        bound_keys.iter().try_for_each(|key| context.bind(key, known.get(key)?).ok())?;
        Some(context)
    }
}

/// No pairs.
impl Default for DemandedContext {
    fn default() -> Self {
        Self::Exactly(EncryptionContext::new())
    }
}

/// Which root keys are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedKeys {
    /// Names of key services; `None` accepts all.
    pub services: Option<Vec<String>>,
    /// Key ids; `None` accepts all.
    pub key_ids: Option<Vec<String>>,
}

impl AcceptedKeys {
    fn accept(&self, entry: &WrappedKey) -> bool {
        let accept = |accepted: &Option<Vec<String>>, name: &String| {
            accepted.as_ref().is_none_or(|accepted| accepted.contains(name))
        };
        accept(&self.services, &entry.service) && accept(&self.key_ids, &entry.key_id)
    }
}

/// What the caller demands of an object before any key service is asked. Nothing in the object can lower it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
    /// The encryption context that the object must have.
    pub context: DemandedContext,
    /// The object must have at least so many layers.
    pub minimum_layers: u8,
    /// Suites that are accepted for every layer; `None` accepts all that this version knows.
    pub suites: Option<Vec<Suite>>,
    /// Root keys that are accepted, for the layers of an object and for an upload state.
    pub keys: AcceptedKeys,
    /// Those of them that are accepted for the inner layer or the only one, and for the outer one.
    pub layer_keys: [AcceptedKeys; 2],
    /// The object must be this one.
    pub object_id: Option<ObjectId>,
    /// The head must have been rewritten at least so often, counting the first writing.
    pub minimum_generation: u64,
}

impl Policy {
    /// That the object is what is demanded. Its context is complete then.
    pub(super) fn check(&self, head: &mut Head) -> Result<(), EnvelopeError> {
        let context = self.context.complete(&head.context, &head.bound_keys);
        head.context = context.ok_or(EnvelopeError::Policy(Demand::Context))?;
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

    pub(super) fn accepts(&self, entry: &WrappedKey) -> bool {
        let of_layer = usize::from(entry.layer).checked_sub(1).and_then(|index| self.layer_keys.get(index));
        self.keys.accept(entry) && of_layer.is_none_or(|keys| keys.accept(entry))
    }
}
