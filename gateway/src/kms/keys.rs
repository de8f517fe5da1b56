//! Making keys, describing and listing them, and their states.

use super::failure::Failure;
use super::operations::Operation;
use super::pages::{Page, page};
use super::policies::parse;
use super::tags::{Tag, tags_of};
use super::wire::{GrantTokens, SYMMETRIC, Time, check_absent};
use crate::json::Object;
use objseal_keys::kms::{self, Call, KeyManager, KeyState, Kms, Origin, block_on};
use objseal_keys::local::{DeletionWindow, LocalKms, NewKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const USAGE: &str = "ENCRYPT_DECRYPT";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateKey {
    policy: Option<String>,
    description: Option<String>,
    key_usage: Option<String>,
    /// The older name of `KeySpec`.
    customer_master_key_spec: Option<String>,
    key_spec: Option<String>,
    origin: Option<String>,
    custom_key_store_id: Option<Value>,
    bypass_policy_lockout_safety_check: Option<bool>,
    tags: Option<Vec<Object<Tag>>>,
    multi_region: Option<bool>,
    xks_key_id: Option<Value>,
}

impl Operation for CreateKey {
    type Answer = Described;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Described, Failure> {
        check_absent("CustomKeyStoreId", &self.custom_key_store_id)?;
        check_absent("XksKeyId", &self.xks_key_id)?;
        check_absent("MultiRegion", &self.multi_region.filter(|many| *many))?;
        let mut new = NewKey::default();
        new.origin = match self.origin.as_deref() {
            None | Some("AWS_KMS") => Origin::Service,
            Some("EXTERNAL") => Origin::External,
            Some(_) => return Err(Failure::unsupported("Origin is AWS_KMS or EXTERNAL")),
        };
        if self.key_spec.is_some() && self.customer_master_key_spec.is_some() {
            return Err(Failure::validation("KeySpec and CustomerMasterKeySpec are the same: give one of them"));
        }
        let spec = self.key_spec.or(self.customer_master_key_spec);
        if spec.is_some_and(|spec| spec != SYMMETRIC) || self.key_usage.is_some_and(|usage| usage != USAGE) {
            return Err(Failure::unsupported(format!("keys are for symmetric encryption: {SYMMETRIC}, {USAGE}")));
        }
        new.description = self.description.unwrap_or_default();
        new.policy = self.policy.as_deref().map(parse).transpose()?;
        new.bypass_lockout_check = self.bypass_policy_lockout_safety_check.unwrap_or_default();
        new.tags = tags_of(self.tags.unwrap_or_default())?;
        let key_metadata = KeyMetadata::of(kms.create_key(&call, new)?, kms);
        Ok(Described { key_metadata })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DescribeKey {
    key_id: String,
    grant_tokens: Option<GrantTokens>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    key_metadata: KeyMetadata,
}

/// How a key is.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyMetadata {
    #[serde(rename = "AWSAccountId")]
    account: String,
    key_id: String,
    arn: String,
    creation_date: Time,
    enabled: bool,
    description: String,
    key_usage: &'static str,
    key_state: KeyState,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<Time>,
    origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_model: Option<&'static str>,
    key_manager: KeyManager,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    encryption_algorithms: [&'static str; 1],
    multi_region: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_key_material_id: Option<String>,
}

impl KeyMetadata {
    fn of(key: kms::KeyMetadata, kms: &LocalKms) -> Self {
        let imported = key.origin == Origin::External && key.current_version > 0;
        let expires = if key.valid_to.is_some() { EXPIRES } else { EXPIRES_NOT };
        Self {
            account: kms.owner().account.clone(),
            key_id: key.key_id,
            arn: key.arn,
            creation_date: Time(key.created),
            enabled: key.state == KeyState::Enabled,
            description: key.description,
            key_usage: USAGE,
            key_state: key.state,
            deletion_date: key.deletion.map(Time),
            valid_to: key.valid_to.map(Time),
            origin: key.origin,
            expiration_model: imported.then_some(expires),
            key_manager: key.manager,
            customer_master_key_spec: SYMMETRIC,
            key_spec: SYMMETRIC,
            encryption_algorithms: [SYMMETRIC],
            multi_region: false,
            current_key_material_id: key.material_id,
        }
    }
}

pub(super) const EXPIRES: &str = "KEY_MATERIAL_EXPIRES";
pub(super) const EXPIRES_NOT: &str = "KEY_MATERIAL_DOES_NOT_EXPIRE";

impl Operation for DescribeKey {
    type Answer = Described;

    fn run(self, kms: &LocalKms, mut call: Call) -> Result<Described, Failure> {
        call.grant_tokens = self.grant_tokens.unwrap_or_default().check()?;
        let key_metadata = KeyMetadata::of(block_on(kms.describe(&call, &self.key_id))?, kms);
        Ok(Described { key_metadata })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListKeys {
    limit: Option<usize>,
    marker: Option<String>,
    resource_owners: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Keys {
    keys: Vec<KeyListEntry>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyListEntry {
    key_id: String,
    key_arn: String,
}

impl Operation for ListKeys {
    type Answer = Keys;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Keys, Failure> {
        check_absent("ResourceOwners", &self.resource_owners)?;
        let keys = kms.keys(&call)?;
        let (keys, page) = page(keys, |key| &key.key_id, (self.limit, self.marker), (100, 1_000))?;
        let keys = keys.into_iter().map(|key| KeyListEntry { key_id: key.key_id, key_arn: key.arn });
        Ok(Keys { keys: keys.collect(), page })
    }
}

/// An operation that names a key, and nothing else.
macro_rules! of_a_key {
    ($name:ident) => {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase", deny_unknown_fields)]
        pub(super) struct $name {
            key_id: String,
        }
    };
}

of_a_key!(EnableKey);
of_a_key!(DisableKey);
of_a_key!(CancelKeyDeletion);

impl Operation for EnableKey {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.enable(&call, &self.key_id)?)
    }
}

impl Operation for DisableKey {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.disable(&call, &self.key_id)?)
    }
}

/// A key by its ARN.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfKey {
    pub(super) key_id: String,
}

impl Operation for CancelKeyDeletion {
    type Answer = OfKey;

    fn run(self, kms: &LocalKms, call: Call) -> Result<OfKey, Failure> {
        kms.cancel_deletion(&call, &self.key_id)?;
        Ok(OfKey { key_id: arn_of(kms, &self.key_id)? })
    }
}

/// The ARN of a key that was just used under this name. Keys, and not aliases, are named where this is answered.
pub(super) fn arn_of(kms: &LocalKms, key: &str) -> Result<String, Failure> {
    Ok(kms.key_arn(key)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ScheduleKeyDeletion {
    key_id: String,
    pending_window_in_days: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Scheduled {
    key_id: String,
    deletion_date: Time,
    key_state: KeyState,
    pending_window_in_days: u32,
}

impl Operation for ScheduleKeyDeletion {
    type Answer = Scheduled;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Scheduled, Failure> {
        let days = self.pending_window_in_days.unwrap_or(30);
        let date = kms.schedule_deletion(&call, &self.key_id, DeletionWindow::days(days)?)?;
        Ok(Scheduled {
            key_id: arn_of(kms, &self.key_id)?,
            deletion_date: Time(date),
            key_state: KeyState::PendingDeletion,
            pending_window_in_days: days,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UpdateKeyDescription {
    key_id: String,
    description: String,
}

impl Operation for UpdateKeyDescription {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.update_description(&call, &self.key_id, &self.description)?)
    }
}
