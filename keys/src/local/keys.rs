//! Making keys; their states and policies.

use super::access::{Access, Asked, Explanation};
use super::contents::invalid_state;
use super::data::in_earnest;
use super::names::Owner;
use super::record::{DAY, KeyRecord, RotationType, StoredKey};
use super::tags::{asked_with, check_tags};
use super::{Draft, LocalKms};
use crate::clock::from_unix_seconds;
use crate::kms::{Call, KeyManager, KeyMetadata, KeyState, KmsError, KmsErrorKind, Origin};
use crate::policy::{Policy, PolicyOf};
use crate::uuid::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// Longest description, in bytes.
const MAX_DESCRIPTION_LEN: usize = 8_192;
/// What kind of key there is, and what for.
pub(super) const SPEC: &str = "SYMMETRIC_DEFAULT";
pub(super) const USAGE: &str = "ENCRYPT_DECRYPT";
/// The condition key for the unique ids that AWS gives to users, and nobody here has.
const USER_ID: &str = "aws:userid";
/// The condition key for who may lock themselves out.
const BYPASS: &str = "kms:BypassPolicyLockoutSafetyCheck";

/// A key that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKey {
    /// Its description, of at most 8,192 bytes.
    pub description: String,
    /// Its policy; `None` for one that leaves everything to the account.
    pub policy: Option<Arc<Policy>>,
    /// An alias that is made with it (`kms:CreateAlias`, on both).
    pub alias: Option<String>,
    /// Whether the service makes its material, or it is imported.
    pub origin: Origin,
    /// What kind of key it is. Only `SYMMETRIC_DEFAULT`, AES-256-GCM, is there.
    pub spec: String,
    /// What it is for. Only `ENCRYPT_DECRYPT` is there.
    pub usage: String,
    /// Makes it even if whoever makes it could not change its policy later.
    pub bypass_lockout_check: bool,
    /// Its tags, at most 50 (`kms:TagResource`).
    pub tags: BTreeMap<String, String>,
}

impl Default for NewKey {
    fn default() -> Self {
        Self {
            description: String::new(),
            policy: None,
            alias: None,
            origin: Origin::Service,
            spec: SPEC.into(),
            usage: USAGE.into(),
            bypass_lockout_check: false,
            tags: BTreeMap::new(),
        }
    }
}

impl NewKey {
    /// A key with this description.
    #[must_use]
    pub fn described(description: impl Into<String>) -> Self {
        Self { description: description.into(), ..Self::default() }
    }

    /// The same with an alias, such as `alias/photos`.
    #[must_use]
    pub fn with_alias(self, alias: impl Into<String>) -> Self {
        Self { alias: Some(alias.into()), ..self }
    }

    /// The same under this policy.
    #[must_use]
    pub fn with_policy(self, policy: Arc<Policy>) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// The same with material that is to be imported.
    #[must_use]
    pub fn with_imported_material(self) -> Self {
        Self { origin: Origin::External, ..self }
    }

    /// The same with these tags.
    #[must_use]
    pub fn with_tags(self, tags: BTreeMap<String, String>) -> Self {
        Self { tags, ..self }
    }

    /// What policies can look at.
    fn asked(&self) -> Asked<'static> {
        let origin = self.origin.name();
        asked_with("CreateKey", &self.tags)
            .with(BYPASS, self.bypass_lockout_check.to_string())
            .with("kms:KeyOrigin", origin)
            .with("kms:KeySpec", self.spec.clone())
            .with("kms:KeyUsage", self.usage.clone())
    }
}

/// For how many days the deletion of a key can be cancelled: 7 to 30, 30 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionWindow(u32);

impl DeletionWindow {
    /// So many days.
    ///
    /// # Errors
    /// [`KmsErrorKind::Validation`] below 7 and above 30.
    pub fn days(days: u32) -> Result<Self, KmsError> {
        if (7..=30).contains(&days) {
            return Ok(Self(days));
        }
        Err(KmsError::new(KmsErrorKind::Validation, "a deletion can be cancelled for 7 to 30 days"))
    }
}

impl Default for DeletionWindow {
    fn default() -> Self {
        Self(30)
    }
}

impl LocalKms {
    /// Makes a key (`kms:CreateKey`).
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::InvalidKeyUsage`] for all but symmetric encryption,
    /// [`KmsErrorKind::MalformedPolicyDocument`] for a policy that could not be decided, or that would lock its maker
    /// out; for tags as [`set_tags`](Self::set_tags).
    pub fn create_key(&self, call: &Call, new: NewKey) -> Result<KeyMetadata, KmsError> {
        self.change(call, "CreateKey", |draft| {
            self.require_of_account(call, &new.asked(), "*")?;
            if new.spec != SPEC || new.usage != USAGE {
                let message = format!("only keys for symmetric encryption are there: {SPEC}, {USAGE}");
                return Err(KmsError::new(KmsErrorKind::InvalidKeyUsage, message));
            }
            check_description(&new.description)?;
            check_tags(&new.tags)?;
            let policy = match new.policy {
                Some(policy) => policy,
                None => Arc::clone(&self.account_policy),
            };
            check_policy(&policy)?;
            let bypass = new.bypass_lockout_check;
            let mut stored = self.new_key(KeyManager::Customer, new.origin, new.description, policy)?;
            let arn = self.owner().arn_of(stored.record.id);
            draft.line.key = Some(arn.clone());
            if !new.tags.is_empty() {
                self.require_of_account(call, &asked_with("TagResource", &new.tags), &arn)?;
                stored.record.tags = new.tags;
            }
            self.check_lockout(draft, call, &stored, bypass)?;
            draft.line.key_version = Some(stored.current_version());
            let metadata = stored.metadata(self.owner(), self.now());
            if let Some(alias) = &new.alias {
                Access::to(self, &draft.contents, &stored, call, "").require(&Asked::of("CreateAlias"))?;
                self.add_alias(draft, call, alias, &stored)?;
            }
            in_earnest(call)?;
            draft.put(stored);
            Ok(metadata)
        })
    }

    /// How every key is, sorted by id (`kms:ListKeys`). Keys with damaged records are not among them.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn keys(&self, call: &Call) -> Result<Vec<KeyMetadata>, KmsError> {
        self.run(call, "ListKeys", |contents, _| {
            self.require_of_account(call, &Asked::of("ListKeys"), "*")?;
            let now = self.now();
            let there = contents.intact().filter(|stored| !stored.is_gone(now));
            Ok(there.map(|stored| stored.metadata(self.owner(), now)).collect())
        })
    }

    /// Lets a key be used again (`kms:EnableKey`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn enable(&self, call: &Call, key: &str) -> Result<(), KmsError> {
        self.change_key(call, key, &Asked::of("EnableKey"), |arn, stored, now| {
            switch(call, arn, stored, now, KeyState::Enabled)
        })
    }

    /// Lets a key be used no longer, until it is enabled (`kms:DisableKey`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn disable(&self, call: &Call, key: &str) -> Result<(), KmsError> {
        self.change_key(call, key, &Asked::of("DisableKey"), |arn, stored, now| {
            switch(call, arn, stored, now, KeyState::Disabled)
        })
    }

    /// Deletes a key after a time in which that can be cancelled; returns when (`kms:ScheduleKeyDeletion`). Its material is
    /// destroyed then, and nothing that is under it opens any more.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn schedule_deletion(&self, call: &Call, key: &str, window: DeletionWindow) -> Result<SystemTime, KmsError> {
        let days = window.0.to_string();
        let asked = Asked::of("ScheduleKeyDeletion").with("kms:ScheduleKeyDeletionPendingWindowInDays", days);
        self.change_key(call, key, &asked, |arn, stored, now| {
            if stored.record.state == KeyState::PendingDeletion {
                return Err(invalid_state(arn, KeyState::PendingDeletion));
            }
            in_earnest(call)?;
            let due = now.saturating_add(u64::from(window.0) * DAY);
            stored.record.state = KeyState::PendingDeletion;
            stored.record.deletion = Some(due);
            Ok(from_unix_seconds(due))
        })
    }

    /// Keeps a key that was to be deleted; it is disabled then, or waits for its material (`kms:CancelKeyDeletion`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn cancel_deletion(&self, call: &Call, key: &str) -> Result<(), KmsError> {
        self.change_key(call, key, &Asked::of("CancelKeyDeletion"), |arn, stored, now| {
            let state = stored.state(now);
            if state != KeyState::PendingDeletion {
                return Err(KmsError::new(KmsErrorKind::InvalidState, format!("{arn} is not pending deletion.")));
            }
            in_earnest(call)?;
            stored.record.deletion = None;
            let has_material = stored.current_version() > 0;
            stored.record.state = if has_material { KeyState::Disabled } else { KeyState::PendingImport };
            Ok(())
        })
    }

    /// Describes a key in other words (`kms:UpdateKeyDescription`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn update_description(&self, call: &Call, key: &str, description: &str) -> Result<(), KmsError> {
        self.change_key(call, key, &Asked::of("UpdateKeyDescription"), |arn, stored, now| {
            check_description(description)?;
            check_not_pending_deletion(arn, stored, now)?;
            in_earnest(call)?;
            stored.record.description = description.into();
            Ok(())
        })
    }

    /// The policy of a key (`kms:GetKeyPolicy`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn policy(&self, call: &Call, key: &str) -> Result<Arc<Policy>, KmsError> {
        self.run(call, "GetKeyPolicy", |contents, line| {
            let used = self.allowed(contents, line, call, key, &Asked::of("GetKeyPolicy"))?;
            Ok(Arc::clone(&used.stored.record.policy))
        })
    }

    /// That the call may list the policies of a key (`kms:ListKeyPolicies`): it has one, `default`.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn check_may_list_policies(&self, call: &Call, key: &str) -> Result<(), KmsError> {
        self.run(call, "ListKeyPolicies", |contents, line| {
            self.allowed(contents, line, call, key, &Asked::of("ListKeyPolicies")).map(drop)
        })
    }

    /// Gives a key another policy (`kms:PutKeyPolicy`). One under which the caller could not do that again is refused, unless
    /// `bypass_lockout_check`.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::MalformedPolicyDocument`] for a policy that could not be decided, or would lock out.
    pub fn put_policy(
        &self,
        call: &Call,
        key: &str,
        policy: &Arc<Policy>,
        bypass_lockout_check: bool,
    ) -> Result<(), KmsError> {
        let bypass = bypass_lockout_check.to_string();
        let asked = Asked::of("PutKeyPolicy").with(BYPASS, bypass);
        self.change(call, "PutKeyPolicy", |draft| {
            let used = self.allowed(&draft.contents, &mut draft.line, call, key, &asked)?;
            used.stored.check_customer_managed(&used.arn)?;
            check_policy(policy)?;
            let mut stored = StoredKey::clone(&used.stored);
            stored.record.policy = Arc::clone(policy);
            self.check_lockout(draft, call, &stored, bypass_lockout_check)?;
            in_earnest(call)?;
            draft.put(stored);
            Ok(())
        })
    }

    /// Which statement, or which grant, decides whether the call may do something, such as `Decrypt`, with a key. Nothing is
    /// done. It takes the right to see the policy (`kms:GetKeyPolicy`) of `asker`, not that of the call.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn explain(&self, asker: &Call, call: &Call, key: &str, operation: &str) -> Result<Explanation, KmsError> {
        self.run(asker, "GetKeyPolicy", |contents, line| {
            line.detail = Some(format!("explain {operation}"));
            let used = self.allowed(contents, line, asker, key, &Asked::of("GetKeyPolicy"))?;
            Ok(Access::to(self, contents, &used.stored, call, key).explain(&Asked::of(operation)))
        })
    }

    pub(super) fn new_key(
        &self,
        manager: KeyManager,
        origin: Origin,
        description: String,
        policy: Arc<Policy>,
    ) -> Result<StoredKey, KmsError> {
        let now = self.now();
        let state = if origin == Origin::Service { KeyState::Enabled } else { KeyState::PendingImport };
        let record = KeyRecord {
            id: Uuid::generate()?,
            description,
            manager,
            origin,
            created: now,
            state,
            deletion: None,
            valid_to: None,
            rotation: None,
            versions: Vec::new(),
            policy,
            grants: Vec::new(),
            tags: BTreeMap::new(),
        };
        let mut stored = StoredKey { record, material: Vec::new() };
        if origin == Origin::Service {
            self.add_version(&mut stored, RotationType::Created, now)?;
        }
        Ok(stored)
    }

    /// That whoever gives a key its policy can change it again.
    fn check_lockout(&self, draft: &Draft, call: &Call, stored: &StoredKey, bypass: bool) -> Result<(), KmsError> {
        let access = Access::to(self, &draft.contents, stored, call, "");
        if bypass || access.require(&Asked::of("PutKeyPolicy").with(BYPASS, "false")).is_ok() {
            return Ok(());
        }
        let message = "The new key policy will not allow you to update the key policy in the future.";
        Err(KmsError::new(KmsErrorKind::MalformedPolicyDocument, message))
    }
}

/// The policy that leaves everything to the account.
pub(super) fn account_policy(owner: &Owner) -> Result<Policy, KmsError> {
    let Owner { account, partition, .. } = owner;
    parse_policy(&format!(
        r#"{{"Version":"2012-10-17","Id":"key-default-1","Statement":[{{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{{"AWS":"arn:{partition}:iam::{account}:root"}},"Action":"kms:*","Resource":"*"}}]}}"#
    ))
}

/// A policy of the service itself.
pub(super) fn parse_policy(text: &str) -> Result<Policy, KmsError> {
    Policy::parse(text).map_err(|error| KmsError::new(KmsErrorKind::Internal, error.to_string()))
}

fn check_policy(policy: &Policy) -> Result<(), KmsError> {
    let malformed = |why: String| KmsError::new(KmsErrorKind::MalformedPolicyDocument, why);
    policy.check(PolicyOf::Key).map_err(|error| malformed(error.to_string()))?;
    // Its absence would be taken for an answer.
    if policy.keys().any(|key| key == USER_ID) {
        return Err(malformed(format!("{USER_ID} is not known here: remove the condition")));
    }
    Ok(())
}

fn check_description(description: &str) -> Result<(), KmsError> {
    if description.len() <= MAX_DESCRIPTION_LEN {
        return Ok(());
    }
    let message = format!("a description has at most {MAX_DESCRIPTION_LEN} bytes");
    Err(KmsError::new(KmsErrorKind::Validation, message))
}

pub(super) fn check_not_pending_deletion(arn: &str, stored: &StoredKey, now: u64) -> Result<(), KmsError> {
    match stored.state(now) {
        KeyState::PendingDeletion => Err(invalid_state(arn, KeyState::PendingDeletion)),
        _ => Ok(()),
    }
}

fn switch(call: &Call, arn: &str, stored: &mut StoredKey, now: u64, to: KeyState) -> Result<(), KmsError> {
    match stored.state(now) {
        KeyState::Enabled | KeyState::Disabled => {
            in_earnest(call)?;
            stored.record.state = to;
            Ok(())
        }
        state => Err(invalid_state(arn, state)),
    }
}
