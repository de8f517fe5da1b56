//! All there is of a key, and the list of all keys: FORMAT.md, section 3.
//!
//! Material stands behind the JSON and not in it, so that no parser leaves copies of it behind.

use super::grants::Grant;
use super::names::Owner;
use crate::kms::{KeyManager, KeyState, Origin};
use crate::policy::Policy;
use crate::uuid::Uuid;
use objseal::Key;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// In seconds.
pub(super) const DAY: u64 = 24 * 60 * 60;
/// Most versions of a key.
pub(super) const MAX_VERSIONS: usize = 10_000;

/// A key, but for its material.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord {
    pub(super) id: Uuid,
    pub(super) description: String,
    pub(super) manager: KeyManager,
    pub(super) origin: Origin,
    /// Seconds since 1970, as all times here.
    pub(super) created: u64,
    pub(super) state: KeyState,
    /// When it is to be deleted.
    pub(super) deletion: Option<u64>,
    /// When the imported material ends.
    pub(super) valid_to: Option<u64>,
    pub(super) rotation: Option<Rotation>,
    pub(super) versions: Vec<Version>,
    #[serde(serialize_with = "policy_text", deserialize_with = "parse_policy")]
    pub(super) policy: Arc<Policy>,
    pub(super) grants: Vec<Grant>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Rotation by period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    pub(super) period_days: u32,
    pub(super) next: u64,
}

impl Rotation {
    /// The period begins now.
    pub(super) fn starting(now: u64, period_days: u32) -> Self {
        Self { period_days, next: now.saturating_add(u64::from(period_days) * DAY) }
    }
}

/// A version of a key. Its number is its place, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    /// 64 hexadecimal digits.
    pub(super) material_id: String,
    pub(super) created: u64,
    pub(super) by: RotationType,
}

/// How a version of a key came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RotationType {
    /// With the key.
    Created,
    /// By its period.
    Automatic,
    /// Because somebody asked for it.
    OnDemand,
}

/// A key with its material.
#[derive(Debug)]
pub(super) struct StoredKey {
    pub(super) record: KeyRecord,
    /// Of each version; `None` where there is none yet, or any more.
    pub(super) material: Vec<Option<Arc<Key>>>,
}

/// The list of all keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalogue {
    /// Counts the changes of the store.
    pub(super) generation: u64,
    pub(super) created: u64,
    pub(super) owner: Owner,
    /// Whether there is an audit log, which must be there then.
    pub(super) audited: bool,
    /// The generation in which each key was changed last.
    pub(super) keys: BTreeMap<Uuid, u64>,
    pub(super) aliases: BTreeMap<String, Alias>,
}

/// Where an alias points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alias {
    pub(super) key: Uuid,
    pub(super) created: u64,
    pub(super) updated: u64,
}

impl StoredKey {
    /// The number of the version that is used for what is new; 0 without material.
    pub(super) fn current_version(&self) -> u32 {
        match self.material.last() {
            Some(Some(_)) => u32::try_from(self.material.len()).unwrap_or(u32::MAX),
            _ => 0,
        }
    }

    /// The material of a version.
    pub(super) fn material_of(&self, version: u32) -> Option<&Arc<Key>> {
        let index = usize::try_from(version.checked_sub(1)?).ok()?;
        self.material.get(index)?.as_ref()
    }

    /// The id of the material of a version.
    pub(super) fn material_id(&self, version: u32) -> Option<String> {
        let index = usize::try_from(version.checked_sub(1)?).ok()?;
        Some(self.record.versions.get(index)?.material_id.clone())
    }

    pub(super) fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let text = serde_json::to_vec(&self.record).ok()?;
        // With its final capacity: a buffer that grows leaves copies of material behind.
        let mut out = Zeroizing::new(Vec::with_capacity(5 + text.len() + self.material.len() * (1 + Key::LEN)));
        out.push(VERSION);
        out.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&text);
        for material in &self.material {
            out.push(u8::from(material.is_some()));
            out.extend_from_slice(material.as_ref().map_or(&[0; Key::LEN], |key| key.expose_secret()));
        }
        Some(out)
    }

    pub(super) fn decode(record: &[u8]) -> Option<Self> {
        let (&version, rest) = record.split_first()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (text, material) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
        if version != VERSION {
            return None;
        }
        let record: KeyRecord = serde_json::from_slice(text).ok()?;
        let mut of_versions = Vec::with_capacity(record.versions.len());
        let entries = material.chunks_exact(1 + Key::LEN);
        if !entries.remainder().is_empty() || entries.len() != record.versions.len() {
            return None;
        }
        for entry in entries {
            let (&present, bytes) = entry.split_first()?;
            of_versions.push(match present {
                0 => None,
                1 => Some(Arc::new(Key::try_from(bytes).ok()?)),
                _ => return None,
            });
        }
        Some(Self { record, material: of_versions })
    }
}

impl Clone for StoredKey {
    /// Material is shared, not copied.
    fn clone(&self) -> Self {
        Self { record: self.record.clone(), material: self.material.clone() }
    }
}

impl Catalogue {
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let mut out = vec![VERSION];
        serde_json::to_writer(&mut out, self).ok()?;
        Some(out)
    }

    pub(super) fn decode(catalogue: &[u8]) -> Option<Self> {
        let (&version, text) = catalogue.split_first()?;
        serde_json::from_slice(text).ok().filter(|_| version == VERSION)
    }
}

fn policy_text<S: Serializer>(policy: &Arc<Policy>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(policy.text())
}

fn parse_policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Policy>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Policy::parse(&text).map(Arc::new).map_err(serde::de::Error::custom)
}
