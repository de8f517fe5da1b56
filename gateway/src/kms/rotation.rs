//! Rotation of keys.

use super::failure::Failure;
use super::keys::{OfKey, arn_of};
use super::operations::Operation;
use super::pages::{Page, page};
use super::wire::Time;
use objseal_keys::kms::{Call, Origin};
use objseal_keys::local::{KeyVersion, LocalKms, RotationPeriod, RotationType};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct EnableKeyRotation {
    key_id: String,
    rotation_period_in_days: Option<u32>,
}

impl Operation for EnableKeyRotation {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        let period =
            self.rotation_period_in_days.map_or_else(|| Ok(RotationPeriod::default()), RotationPeriod::days)?;
        Ok(kms.enable_rotation(&call, &self.key_id, period)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DisableKeyRotation {
    key_id: String,
}

impl Operation for DisableKeyRotation {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.disable_rotation(&call, &self.key_id)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetKeyRotationStatus {
    key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RotationStatus {
    key_id: String,
    key_rotation_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period_in_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_rotation_date: Option<Time>,
}

impl Operation for GetKeyRotationStatus {
    type Answer = RotationStatus;

    fn run(self, kms: &LocalKms, call: Call) -> Result<RotationStatus, Failure> {
        let rotation = kms.rotation(&call, &self.key_id)?;
        Ok(RotationStatus {
            key_id: arn_of(kms, &self.key_id)?,
            key_rotation_enabled: rotation.is_some(),
            rotation_period_in_days: rotation.map(|rotation| rotation.period_days),
            next_rotation_date: rotation.map(|rotation| Time(rotation.next)),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RotateKeyOnDemand {
    key_id: String,
}

impl Operation for RotateKeyOnDemand {
    type Answer = OfKey;

    fn run(self, kms: &LocalKms, call: Call) -> Result<OfKey, Failure> {
        kms.rotate(&call, &self.key_id)?;
        Ok(OfKey { key_id: arn_of(kms, &self.key_id)? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListKeyRotations {
    key_id: String,
    include_key_material: Option<String>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rotations {
    rotations: Vec<RotationsListEntry>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RotationsListEntry {
    key_id: String,
    key_material_id: String,
    key_material_state: &'static str,
    /// Of imported material only.
    #[serde(skip_serializing_if = "Option::is_none")]
    import_state: Option<&'static str>,
    /// Of rotations only: material that came with the key has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_date: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_type: Option<RotationType>,
    /// The place in the list.
    #[serde(skip)]
    name: String,
}

impl Operation for ListKeyRotations {
    type Answer = Rotations;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Rotations, Failure> {
        let all = match self.include_key_material.as_deref() {
            None | Some("ROTATIONS_ONLY") => false,
            Some("ALL_KEY_MATERIAL") => true,
            Some(_) => return Err(Failure::validation("IncludeKeyMaterial is ALL_KEY_MATERIAL or ROTATIONS_ONLY")),
        };
        let versions = kms.versions(&call, &self.key_id)?;
        let arn = arn_of(kms, &self.key_id)?;
        // Who may list its rotations learns where its material is from.
        let imported = versions.first().is_some_and(|version| version.origin == Origin::External);
        let last = versions.len();
        let entries = versions.into_iter().filter(|version| all || version.by != RotationType::Created);
        let entries = entries.map(|version| {
            let KeyVersion { version: number, material_id, created, by, has_material, .. } = version;
            let rotated = by != RotationType::Created;
            let state = if has_material { "IMPORTED" } else { "PENDING_IMPORT" };
            RotationsListEntry {
                key_id: arn.clone(),
                key_material_id: material_id,
                key_material_state: if number as usize == last { "CURRENT" } else { "NON_CURRENT" },
                import_state: imported.then_some(state),
                rotation_date: rotated.then_some(Time(created)),
                rotation_type: rotated.then_some(by),
                name: format!("{number:010}"),
            }
        });
        let (rotations, page) = page(entries.collect(), |entry| &entry.name, (self.limit, self.marker), (100, 1_000))?;
        Ok(Rotations { rotations, page })
    }
}
