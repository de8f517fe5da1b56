//! Material of keys: rotation, and its end.

use super::access::Asked;
use super::blob::subkey;
use super::data::in_earnest;
use super::record::{MAX_VERSIONS, Rotation, RotationType, StoredKey, Version};
use super::store::PATIENCE;
use super::{Draft, LocalKms};
use crate::clock::from_unix_seconds;
use crate::hex;
use crate::kms::{Call, KeyState, KmsError, KmsErrorKind, Origin};
use objseal::Key;
use std::sync::Arc;
use std::time::SystemTime;

/// After how many days a key is rotated: 90 to 2,560, 365 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPeriod(u32);

impl RotationPeriod {
    /// So many days.
    ///
    /// # Errors
    /// [`KmsErrorKind::Validation`] below 90 and above 2,560.
    pub fn days(days: u32) -> Result<Self, KmsError> {
        if (90..=2_560).contains(&days) {
            return Ok(Self(days));
        }
        Err(KmsError::new(KmsErrorKind::Validation, "a rotation period has 90 to 2,560 days"))
    }
}

impl Default for RotationPeriod {
    fn default() -> Self {
        Self(365)
    }
}

/// How a key is rotated: what GetKeyRotationStatus says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRotation {
    /// Days from one rotation to the next.
    pub period_days: u32,
    /// When the next one is.
    pub next: SystemTime,
}

/// A version of a key: what ListKeyRotations says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyVersion {
    /// Its number, from 1.
    pub version: u32,
    /// The id of its material, 64 hexadecimal digits.
    pub material_id: String,
    /// When it came about.
    pub created: SystemTime,
    /// How.
    pub by: RotationType,
    /// Whether its material is there.
    pub has_material: bool,
    /// Where its material is from.
    pub origin: Origin,
}

impl LocalKms {
    /// Makes the next version of a key and returns its number (`kms:RotateKeyOnDemand`). The ARN stays, and older versions still
    /// decrypt.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::UnsupportedOperation`] for imported material, [`KmsErrorKind::LimitExceeded`] at 10,000
    /// versions.
    pub fn rotate(&self, call: &Call, key: &str) -> Result<u32, KmsError> {
        self.change_key(call, key, &Asked::of("RotateKeyOnDemand"), |arn, stored, now| {
            check_origin(arn, stored, Origin::Service)?;
            stored.check_usable(arn, now)?;
            in_earnest(call)?;
            self.add_version(stored, RotationType::OnDemand, now)
        })
    }

    /// Rotates a key by period from now on (`kms:EnableKeyRotation`).
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::UnsupportedOperation`] for imported material.
    pub fn enable_rotation(&self, call: &Call, key: &str, period: RotationPeriod) -> Result<(), KmsError> {
        let asked = Asked::of("EnableKeyRotation").with("kms:RotationPeriodInDays", period.0.to_string());
        self.change_key(call, key, &asked, |arn, stored, now| {
            check_origin(arn, stored, Origin::Service)?;
            stored.check_usable(arn, now)?;
            in_earnest(call)?;
            stored.record.rotation = Some(Rotation::starting(now, period.0));
            Ok(())
        })
    }

    /// Rotates a key by period no longer (`kms:DisableKeyRotation`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn disable_rotation(&self, call: &Call, key: &str) -> Result<(), KmsError> {
        self.change_key(call, key, &Asked::of("DisableKeyRotation"), |arn, stored, now| {
            check_origin(arn, stored, Origin::Service)?;
            stored.check_usable(arn, now)?;
            in_earnest(call)?;
            stored.record.rotation = None;
            Ok(())
        })
    }

    /// How a key is rotated; `None` if it is not (`kms:GetKeyRotationStatus`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn rotation(&self, call: &Call, key: &str) -> Result<Option<KeyRotation>, KmsError> {
        self.run(call, "GetKeyRotationStatus", |contents, line| {
            let used = self.allowed(contents, line, call, key, &Asked::of("GetKeyRotationStatus"))?;
            let rotation = used.stored.record.rotation;
            Ok(rotation
                .map(|Rotation { period_days, next }| KeyRotation { period_days, next: from_unix_seconds(next) }))
        })
    }

    /// All versions of a key, the first one first (`kms:ListKeyRotations`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn versions(&self, call: &Call, key: &str) -> Result<Vec<KeyVersion>, KmsError> {
        self.run(call, "ListKeyRotations", |contents, line| {
            let used = self.allowed(contents, line, call, key, &Asked::of("ListKeyRotations"))?;
            let versions = (1..).zip(used.stored.record.versions.iter().zip(&used.stored.material));
            let versions = versions.map(|(version, (of, material))| KeyVersion {
                version,
                material_id: of.material_id.clone(),
                created: from_unix_seconds(of.created),
                by: of.by,
                has_material: material.is_some(),
                origin: used.stored.record.origin,
            });
            Ok(versions.collect())
        })
    }

    /// Destroys the imported material of a key, which waits for it then; returns the id of the material, if there ever was any
    /// (`kms:DeleteImportedKeyMaterial`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn delete_material(&self, call: &Call, key: &str) -> Result<Option<String>, KmsError> {
        self.change_key(call, key, &Asked::of("DeleteImportedKeyMaterial"), |arn, stored, _| {
            check_origin(arn, stored, Origin::External)?;
            in_earnest(call)?;
            end_material(stored);
            Ok(stored.record.versions.last().map(|version| version.material_id.clone()))
        })
    }

    /// Does what is due: rotates keys, destroys those whose deletion is due, and imported material that has come to its end.
    ///
    /// Opening a store does it, and using a key does it for that key. Whoever has a store open for long calls it from time to time,
    /// once an hour for example.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn maintain(&self) -> Result<(), KmsError> {
        let now = self.now();
        let contents = self.current(PATIENCE)?;
        for stored in contents.intact().filter(|stored| due(stored, now).is_some()) {
            self.do_what_is_due(&self.own_call(None), stored, now)?;
        }
        Ok(())
    }

    /// Rotates a key that is about to encrypt. If that fails, the version that there is still encrypts.
    pub(super) fn rotate_if_due(&self, call: &Call, key: &str) {
        let now = self.now();
        // As this process knows it: another one may have rotated the key already, which is looked at again.
        if let Ok(stored) = self.known().find(&self.owner, key, now)
            && stored.is_due(now)
        {
            let _ = self.do_what_is_due(&self.own_call(call.deadline), stored, now);
        }
    }

    fn do_what_is_due(&self, call: &Call, stored: &StoredKey, now: u64) -> Result<(), KmsError> {
        let id = stored.record.id;
        let Some(operation) = due(stored, now) else { return Ok(()) };
        self.change(call, operation, |draft| {
            let arn = self.owner.arn_of(id);
            draft.line.key = Some(arn.clone());
            // Another process may have done it, or somebody may have cancelled it.
            let stored = draft.contents.key(&self.owner, id, 0).cloned();
            let Some(stored) = stored.ok().filter(|stored| due(stored, now) == Some(operation)) else {
                draft.line.detail = Some("it was done already".into());
                return Ok(());
            };
            let mut stored = StoredKey::clone(&stored);
            match operation {
                DELETE => draft.remove(id),
                END_MATERIAL => {
                    end_material(&mut stored);
                    draft.put(stored);
                }
                _ => {
                    draft.line.key_version = Some(self.add_version(&mut stored, RotationType::Automatic, now)?);
                    draft.put(stored);
                }
            }
            Ok(())
        })
    }

    /// The first version of a key, or the next one; returns its number.
    pub(super) fn add_version(&self, stored: &mut StoredKey, by: RotationType, now: u64) -> Result<u32, KmsError> {
        if stored.material.len() >= MAX_VERSIONS {
            let message = format!("a key has at most {MAX_VERSIONS} versions");
            return Err(KmsError::new(KmsErrorKind::LimitExceeded, message));
        }
        let material = Key::generate()?;
        let material_id = self.material_id(stored, &material);
        stored.record.versions.push(Version { material_id, created: now, by });
        stored.material.push(Some(Arc::new(material)));
        if let Some(rotation) = &mut stored.record.rotation {
            *rotation = Rotation::starting(now, rotation.period_days);
        }
        Ok(stored.current_version())
    }

    /// Tells material from other material of the key, and nothing of what it is.
    pub(super) fn material_id(&self, stored: &StoredKey, material: &Key) -> String {
        let of = [self.id.to_bytes(), stored.record.id.to_bytes()].concat();
        hex::encode(subkey(material, "material id", &of).expose_secret())
    }

    /// Changes one key that its user manages.
    pub(super) fn change_key<T>(
        &self,
        call: &Call,
        key: &str,
        asked: &Asked<'_>,
        work: impl FnOnce(&str, &mut StoredKey, u64) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        self.change(call, asked.operation, |draft: &mut Draft| {
            let now = self.now();
            let used = self.allowed(&draft.contents, &mut draft.line, call, key, asked)?;
            used.stored.check_customer_managed(&used.arn)?;
            let mut stored = StoredKey::clone(&used.stored);
            let result = work(&used.arn, &mut stored, now)?;
            draft.line.key_version = Some(stored.current_version());
            draft.put(stored);
            Ok(result)
        })
    }
}

const DELETE: &str = "DeleteKey";
const END_MATERIAL: &str = "DeleteExpiredKeyMaterial";

/// The operation that is due.
fn due(stored: &StoredKey, now: u64) -> Option<&'static str> {
    if stored.is_gone(now) {
        Some(DELETE)
    } else if stored.has_expired(now) {
        Some(END_MATERIAL)
    } else {
        stored.is_due(now).then_some("RotateKey")
    }
}

fn end_material(stored: &mut StoredKey) {
    stored.material.iter_mut().for_each(|material| *material = None);
    stored.record.valid_to = None;
    if stored.record.state != KeyState::PendingDeletion {
        stored.record.state = KeyState::PendingImport;
    }
}

/// That its material is from where the operation needs it to be.
pub(super) fn check_origin(arn: &str, stored: &StoredKey, needed: Origin) -> Result<(), KmsError> {
    if stored.record.origin == needed {
        return Ok(());
    }
    let origin = stored.record.origin.name();
    let message = format!("{arn} origin is {origin} which is not valid for this operation.");
    Err(KmsError::new(KmsErrorKind::UnsupportedOperation, message))
}
