//! The store as it was read and verified, in memory.

use super::error::StoreError;
use super::names::{KeyName, Owner};
use super::record::{Catalogue, MAX_VERSIONS, StoredKey};
use super::store::{Change, RowKeys};
use crate::kms::{KeyManager, KeyMetadata, KeyState, KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All keys and aliases, verified. It never changes; a change of the store makes another one.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Of the database when it was read.
    pub(super) version: i64,
    pub(super) catalogue: Catalogue,
    keys: BTreeMap<Uuid, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Intact(Arc<StoredKey>),
    /// Its row is missing, older than the catalogue says, or was changed.
    Damaged,
}

impl Contents {
    /// Reads everything that `before` does not have yet.
    pub(super) fn read(
        change: &Change<'_>,
        row_keys: &RowKeys,
        version: i64,
        before: Option<&Self>,
    ) -> Result<Self, StoreError> {
        let catalogue = change.catalogue(row_keys)?;
        let mut keys = BTreeMap::new();
        for (&id, &generation) in &catalogue.keys {
            let known = before.filter(|before| before.catalogue.keys.get(&id) == Some(&generation));
            let entry = match known.and_then(|before| before.keys.get(&id)) {
                Some(Entry::Intact(stored)) => Entry::Intact(Arc::clone(stored)),
                _ => match change.key(row_keys, id, generation)? {
                    Some(stored) => Entry::Intact(Arc::new(stored)),
                    None => Entry::Damaged,
                },
            };
            keys.insert(id, entry);
        }
        Ok(Self { version, catalogue, keys })
    }

    pub(super) fn generation(&self) -> u64 {
        self.catalogue.generation
    }

    /// The key that somebody named.
    pub(super) fn find(&self, owner: &Owner, name: &str, now: u64) -> Result<&Arc<StoredKey>, KmsError> {
        match owner.parse(name)? {
            KeyName::Id(id) => self.key(owner, id, now),
            KeyName::Alias(alias) => {
                let Some(target) = self.catalogue.aliases.get(&alias) else {
                    let message = format!("Alias {} is not found.", owner.alias_arn(&alias));
                    return Err(KmsError::new(KmsErrorKind::NotFound, message));
                };
                self.key(owner, target.key, now)
            }
        }
    }

    /// A key by its id. One whose deletion is due is not there any more.
    pub(super) fn key(&self, owner: &Owner, id: Uuid, now: u64) -> Result<&Arc<StoredKey>, KmsError> {
        match self.keys.get(&id) {
            Some(Entry::Intact(stored)) if !stored.is_gone(now) => Ok(stored),
            Some(Entry::Damaged) => Err(KmsError::new(
                KmsErrorKind::Internal,
                format!(
                    "the record of key {} was changed, or is damaged; restore the store from a copy",
                    owner.arn_of(id)
                ),
            )),
            _ => Err(KmsError::new(KmsErrorKind::NotFound, format!("Key '{}' does not exist", owner.arn_of(id)))),
        }
    }

    /// All keys whose records are intact.
    pub(super) fn intact(&self) -> impl Iterator<Item = &Arc<StoredKey>> {
        self.keys.values().filter_map(|entry| match entry {
            Entry::Intact(stored) => Some(stored),
            Entry::Damaged => None,
        })
    }

    /// Keys whose records are not.
    pub(super) fn damaged(&self) -> impl Iterator<Item = Uuid> {
        self.keys.iter().filter(|(_, entry)| matches!(entry, Entry::Damaged)).map(|(&id, _)| id)
    }

    /// The aliases of a key.
    pub(super) fn aliases_of(&self, id: Uuid) -> impl Iterator<Item = &str> {
        self.catalogue.aliases.iter().filter(move |(_, alias)| alias.key == id).map(|(name, _)| name.as_str())
    }

    pub(super) fn put(&mut self, stored: StoredKey) {
        let id = stored.record.id;
        self.catalogue.keys.insert(id, self.catalogue.generation);
        self.keys.insert(id, Entry::Intact(Arc::new(stored)));
    }

    pub(super) fn remove(&mut self, id: Uuid) {
        self.catalogue.keys.remove(&id);
        self.catalogue.aliases.retain(|_, alias| alias.key != id);
        self.keys.remove(&id);
    }
}

impl StoredKey {
    /// Whether its deletion is due.
    pub(super) fn is_gone(&self, now: u64) -> bool {
        self.record.deletion.is_some_and(|due| due <= now)
    }

    /// Whether its imported material has come to its end.
    pub(super) fn has_expired(&self, now: u64) -> bool {
        self.record.valid_to.is_some_and(|end| end <= now)
    }

    /// Whether it is to be rotated. One that has all the versions that it can have stays as it is.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let due = self.record.rotation.is_some_and(|rotation| rotation.next <= now);
        due && self.record.state == KeyState::Enabled && self.material.len() < MAX_VERSIONS
    }

    pub(super) fn state(&self, now: u64) -> KeyState {
        match self.record.state {
            KeyState::Enabled | KeyState::Disabled if self.has_expired(now) => KeyState::PendingImport,
            state => state,
        }
    }

    /// That it can encrypt and decrypt.
    pub(super) fn check_usable(&self, arn: &str, now: u64) -> Result<(), KmsError> {
        match self.state(now) {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(KmsError::new(KmsErrorKind::Disabled, format!("{arn} is disabled."))),
            state => Err(invalid_state(arn, state)),
        }
    }

    /// That its user manages it, and not the service.
    pub(super) fn check_customer_managed(&self, arn: &str) -> Result<(), KmsError> {
        match self.record.manager {
            KeyManager::Customer => Ok(()),
            KeyManager::Aws => Err(KmsError::new(
                KmsErrorKind::AccessDenied,
                format!("{arn} is managed by the service: it cannot be changed, disabled or deleted"),
            )),
        }
    }

    pub(super) fn metadata(&self, owner: &Owner, now: u64) -> KeyMetadata {
        let record = &self.record;
        let time = |seconds| crate::clock::from_unix_seconds(seconds);
        let current_version = if self.has_expired(now) { 0 } else { self.current_version() };
        KeyMetadata {
            key_id: record.id.to_string(),
            arn: owner.arn_of(record.id),
            description: record.description.clone(),
            state: self.state(now),
            manager: record.manager,
            origin: record.origin,
            created: time(record.created),
            deletion: record.deletion.map(time),
            valid_to: record.valid_to.map(time),
            current_version,
            material_id: record
                .versions
                .last()
                .filter(|_| current_version > 0)
                .map(|version| version.material_id.clone()),
        }
    }
}

/// The words of AWS KMS for a state in which something cannot be done.
pub(super) fn invalid_state(arn: &str, state: KeyState) -> KmsError {
    let state = match state {
        KeyState::Enabled => "enabled",
        KeyState::Disabled => "disabled",
        KeyState::PendingDeletion => "pending deletion",
        KeyState::PendingImport => "pending import",
    };
    KmsError::new(KmsErrorKind::InvalidState, format!("{arn} is {state}."))
}
