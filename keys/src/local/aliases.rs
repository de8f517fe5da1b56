//! Names that users give to keys.

use super::access::Asked;
use super::data::in_earnest;
use super::keys::check_not_pending_deletion;
use super::names::{MAX_ALIAS_LEN, RESERVED, check_alias};
use super::record::{Alias, StoredKey};
use super::{Draft, LocalKms};
use crate::clock::from_unix_seconds;
use crate::kms::{Call, KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use std::time::SystemTime;

/// An alias, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AliasEntry {
    /// With `alias/`.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The id of its key.
    pub key_id: Uuid,
    /// When it was made.
    pub created: SystemTime,
    /// When it was changed last.
    pub updated: SystemTime,
}

impl LocalKms {
    /// Makes an alias for a key (`kms:CreateAlias`, on both).
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::AlreadyExists`], [`KmsErrorKind::InvalidAliasName`] for `alias/aws/`.
    pub fn create_alias(&self, call: &Call, alias: &str, key: &str) -> Result<(), KmsError> {
        self.change(call, "CreateAlias", |draft| {
            check_own_alias(alias)?;
            let used = self.allowed(&draft.contents, &mut draft.line, call, key, &Asked::of("CreateAlias"))?;
            check_target(&used.arn, &used.stored, self.now())?;
            self.add_alias(draft, call, alias, &used.stored)
        })
    }

    /// Adds an alias for a key, whose policy allows it.
    pub(super) fn add_alias(
        &self,
        draft: &mut Draft,
        call: &Call,
        alias: &str,
        stored: &StoredKey,
    ) -> Result<(), KmsError> {
        check_own_alias(alias)?;
        let arn = self.owner().alias_arn(alias);
        self.require_of_account(call, &Asked::of("CreateAlias"), &arn)?;
        if draft.contents.catalogue.aliases.contains_key(alias) {
            let message = format!("An alias with the name {arn} already exists");
            return Err(KmsError::new(KmsErrorKind::AlreadyExists, message));
        }
        in_earnest(call)?;
        draft.line.detail = Some(alias.into());
        self.point(draft, alias, stored.record.id);
        Ok(())
    }

    /// Points an alias to another key (`kms:UpdateAlias`, on the alias and both keys).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn update_alias(&self, call: &Call, alias: &str, key: &str) -> Result<(), KmsError> {
        self.change(call, "UpdateAlias", |draft| {
            check_own_alias(alias)?;
            self.allowed(&draft.contents, &mut draft.line, call, alias, &Asked::of("UpdateAlias"))?;
            let used = self.allowed(&draft.contents, &mut draft.line, call, key, &Asked::of("UpdateAlias"))?;
            self.require_of_account(call, &Asked::of("UpdateAlias"), &self.owner().alias_arn(alias))?;
            check_target(&used.arn, &used.stored, self.now())?;
            in_earnest(call)?;
            draft.line.detail = Some(alias.into());
            self.point(draft, alias, used.stored.record.id);
            Ok(())
        })
    }

    /// Removes an alias (`kms:DeleteAlias`, on both).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn delete_alias(&self, call: &Call, alias: &str) -> Result<(), KmsError> {
        self.change(call, "DeleteAlias", |draft| {
            check_own_alias(alias)?;
            self.allowed(&draft.contents, &mut draft.line, call, alias, &Asked::of("DeleteAlias"))?;
            self.require_of_account(call, &Asked::of("DeleteAlias"), &self.owner().alias_arn(alias))?;
            in_earnest(call)?;
            draft.line.detail = Some(alias.into());
            draft.contents.catalogue.aliases.remove(alias);
            Ok(())
        })
    }

    /// All aliases, sorted by name (`kms:ListAliases`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn aliases(&self, call: &Call) -> Result<Vec<AliasEntry>, KmsError> {
        self.run(call, "ListAliases", |contents, _| {
            self.require_of_account(call, &Asked::of("ListAliases"), "*")?;
            let aliases = contents.catalogue.aliases.iter().map(|(name, alias)| AliasEntry {
                name: name.clone(),
                arn: self.owner().alias_arn(name),
                key_id: alias.key,
                created: from_unix_seconds(alias.created),
                updated: from_unix_seconds(alias.updated),
            });
            Ok(aliases.collect())
        })
    }

    pub(super) fn point(&self, draft: &mut Draft, alias: &str, key: Uuid) {
        let now = self.now();
        let aliases = &mut draft.contents.catalogue.aliases;
        let created = aliases.get(alias).map_or(now, |before| before.created);
        aliases.insert(alias.into(), Alias { key, created, updated: now });
    }
}

/// That an alias can point to it.
fn check_target(arn: &str, stored: &StoredKey, now: u64) -> Result<(), KmsError> {
    stored.check_customer_managed(arn)?;
    check_not_pending_deletion(arn, stored, now)
}

/// That users can make an alias of this name: `alias/` and letters, digits, `/`, `_` and `-`, of at most 256 bytes in all, but not
/// `alias/aws/`, which is the service's.
///
/// # Errors
/// [`KmsErrorKind::InvalidAliasName`].
pub fn check_own_alias(alias: &str) -> Result<(), KmsError> {
    check_alias(alias)?;
    if alias.starts_with(RESERVED) {
        let message = format!("{RESERVED} is reserved; an alias has at most {MAX_ALIAS_LEN} bytes");
        return Err(KmsError::new(KmsErrorKind::InvalidAliasName, message));
    }
    Ok(())
}
