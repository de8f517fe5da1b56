//! What tells a kept key from all others, and how long it is kept.

use crate::kms::{Call, Operation, Principal, Purpose, Right, StoredKey};
use objseal::envelope::WrappingKey;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What was asked, by whom, under what. Nobody has a key of the cache who did not ask for exactly this.
///
/// All that a service may decide by is here: that includes grant tokens, and the source, which a policy can name. The moment
/// and the object are for the audit only. Which pairs of the context are stored with the object the service never learns.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct EntryKey {
    asked: Asked,
    principal: Arc<Principal>,
    via_service: Option<String>,
    context: Vec<(String, String)>,
    grant_tokens: Vec<String>,
    source: Option<String>,
}

/// What was asked. The two rights are apart: whoever may have new keys may not open what there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A new key under the one that is named so.
    Generate { key: String, purpose: Purpose },
    /// A key again.
    Reopen(StoredKey),
}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            Self::Generate { key, purpose } => (0_u8, key, purpose).hash(hasher),
            Self::Reopen(StoredKey { key_id, key_version, purpose, blob }) => {
                (1_u8, key_id, key_version, purpose, blob).hash(hasher);
            }
        }
    }
}

impl Asked {
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Generate { .. } => Operation::Generate,
            Self::Reopen(_) => Operation::Reopen,
        }
    }
}

impl EntryKey {
    pub(super) fn new(call: &Call, asked: Asked) -> Self {
        Self {
            asked,
            principal: Arc::clone(&call.principal),
            via_service: call.via_service.clone(),
            context: call.context.iter().map(|(key, value)| (key.into(), value.into())).collect(),
            grant_tokens: call.grant_tokens.clone(),
            source: call.source.clone(),
        }
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The key as it was named, and the right that it takes.
    pub(super) fn needs(&self) -> (&str, Right) {
        match &self.asked {
            Asked::Generate { key, .. } => (key, Right::Generate),
            Asked::Reopen(stored) => (&stored.key_id, Right::Decrypt),
        }
    }
}

/// A key that the service gave.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: Arc<WrappingKey>,
    expires: Instant,
    /// How many more times it is given out.
    uses: AtomicU64,
}

impl Held {
    /// A key for `uses` calls, of which the one that made it is the first.
    pub(super) fn new(key: Arc<WrappingKey>, expires: Instant, uses: u64) -> Self {
        Self { key, expires, uses: AtomicU64::new(uses.saturating_sub(1)) }
    }

    pub(super) fn expires(&self) -> Instant {
        self.expires
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.expires <= now || self.uses.load(Ordering::Relaxed) == 0
    }

    /// The key once more, unless it is over.
    pub(super) fn give(&self, now: Instant) -> Option<Arc<WrappingKey>> {
        let one_less = |uses: u64| uses.checked_sub(1).filter(|_| self.expires > now);
        let before = self.uses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        before.is_ok().then(|| Arc::clone(&self.key))
    }
}
