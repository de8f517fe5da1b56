//! Rights to one key for one principal.

use super::failure::Failure;
use super::operations::Operation;
use super::pages::{Page, page};
use super::wire::{Context, GrantTokens, Time, check_absent};
use crate::json::Object;
use objseal_keys::clock::from_unix_seconds;
use objseal_keys::kms::{Call, KmsError, KmsErrorKind};
use objseal_keys::local::{Constraint, Grant, LocalKms, NewGrant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateGrant {
    key_id: String,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    operations: Vec<String>,
    constraints: Option<Object<GrantConstraints>>,
    grant_tokens: Option<GrantTokens>,
    name: Option<String>,
    dry_run: Option<bool>,
    grantee_service_principal: Option<Value>,
    retiring_service_principal: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GrantConstraints {
    encryption_context_subset: Option<Context>,
    encryption_context_equals: Option<Context>,
    source_arn: Option<Value>,
}

impl GrantConstraints {
    fn constraint(self) -> Result<Option<Constraint>, Failure> {
        check_absent("SourceArn", &self.source_arn)?;
        let pairs = |context: Context| -> BTreeMap<String, String> {
            context.0.iter().map(|(key, value)| (key.into(), value.into())).collect()
        };
        match (self.encryption_context_subset, self.encryption_context_equals) {
            (None, None) => Ok(None),
            (Some(subset), None) => Ok(Some(Constraint::Subset(pairs(subset)))),
            (None, Some(equals)) => Ok(Some(Constraint::Equals(pairs(equals)))),
            _ => Err(Failure::validation("a grant has EncryptionContextSubset or EncryptionContextEquals, not both")),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Granted {
    grant_token: String,
    grant_id: String,
}

impl Operation for CreateGrant {
    type Answer = Granted;

    fn run(self, kms: &LocalKms, mut call: Call) -> Result<Granted, Failure> {
        check_absent("GranteeServicePrincipal", &self.grantee_service_principal)?;
        check_absent("RetiringServicePrincipal", &self.retiring_service_principal)?;
        call.grant_tokens = self.grant_tokens.unwrap_or_default().check()?;
        call.dry_run = self.dry_run.unwrap_or_default();
        let mut new = NewGrant::default();
        new.grantee = self.grantee_principal.ok_or_else(|| Failure::validation("GranteePrincipal is missing"))?;
        new.retiring = self.retiring_principal;
        new.operations = self.operations;
        new.constraint = self.constraints.map(|Object(constraints)| constraints.constraint()).transpose()?.flatten();
        new.name = self.name;
        let id = kms.create_grant(&call, &self.key_id, new)?;
        Ok(Granted { grant_token: id.clone(), grant_id: id })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListGrants {
    key_id: String,
    grant_id: Option<String>,
    grantee_principal: Option<String>,
    limit: Option<usize>,
    marker: Option<String>,
    grantee_service_principal: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Grants {
    grants: Vec<GrantListEntry>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GrantListEntry {
    /// The ARN.
    key_id: String,
    grant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    creation_date: Time,
    grantee_principal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring_principal: Option<String>,
    issuing_account: String,
    operations: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraints: Option<Constraint>,
}

impl GrantListEntry {
    fn of(grant: Grant, kms: &LocalKms) -> Self {
        Self {
            // A key that is gone has no grants.
            key_id: kms.key_arn(&grant.key.to_string()).unwrap_or_else(|_| grant.key.to_string()),
            grant_id: grant.id,
            name: grant.name,
            creation_date: Time(from_unix_seconds(grant.created)),
            grantee_principal: grant.grantee,
            retiring_principal: grant.retiring,
            issuing_account: grant.issued_by,
            operations: grant.operations,
            constraints: grant.constraint,
        }
    }
}

fn answer(mut grants: Vec<Grant>, kms: &LocalKms, piece: (Option<usize>, Option<String>)) -> Result<Grants, Failure> {
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    let (grants, page) = page(grants, |grant| &grant.id, piece, (50, 100))?;
    Ok(Grants { grants: grants.into_iter().map(|grant| GrantListEntry::of(grant, kms)).collect(), page })
}

impl Operation for ListGrants {
    type Answer = Grants;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Grants, Failure> {
        check_absent("GranteeServicePrincipal", &self.grantee_service_principal)?;
        let mut grants = kms.grants(&call, &self.key_id)?;
        if let Some(id) = &self.grant_id {
            check_grant_id(id)?;
            grants.retain(|grant| grant.id == *id);
        }
        if let Some(grantee) = self.grantee_principal {
            grants.retain(|grant| grant.grantee == grantee);
        }
        answer(grants, kms, (self.limit, self.marker))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListRetirableGrants {
    retiring_principal: Option<String>,
    limit: Option<usize>,
    marker: Option<String>,
    retiring_service_principal: Option<Value>,
}

impl Operation for ListRetirableGrants {
    type Answer = Grants;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Grants, Failure> {
        check_absent("RetiringServicePrincipal", &self.retiring_service_principal)?;
        let retiring = self.retiring_principal.ok_or_else(|| Failure::validation("RetiringPrincipal is missing"))?;
        answer(kms.retirable_grants(&call, &retiring)?, kms, (self.limit, self.marker))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RetireGrant {
    grant_token: Option<String>,
    key_id: Option<String>,
    grant_id: Option<String>,
    dry_run: Option<bool>,
}

impl Operation for RetireGrant {
    type Answer = ();

    fn run(self, kms: &LocalKms, mut call: Call) -> Result<(), Failure> {
        call.dry_run = self.dry_run.unwrap_or_default();
        match (self.grant_token, self.key_id, self.grant_id) {
            (Some(token), None, None) => Ok(kms.retire_grant_of_token(&call, &token)?),
            (None, Some(key), Some(id)) => {
                check_grant_id(&id)?;
                Ok(kms.retire_grant(&call, &key, &id)?)
            }
            _ => Err(Failure::validation("a grant is named by its token, or by the key and its id")),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RevokeGrant {
    key_id: String,
    grant_id: String,
    dry_run: Option<bool>,
}

impl Operation for RevokeGrant {
    type Answer = ();

    fn run(self, kms: &LocalKms, mut call: Call) -> Result<(), Failure> {
        check_grant_id(&self.grant_id)?;
        call.dry_run = self.dry_run.unwrap_or_default();
        Ok(kms.revoke_grant(&call, &self.key_id, &self.grant_id)?)
    }
}

/// API Reference: 1 to 128 characters.
fn check_grant_id(id: &str) -> Result<(), Failure> {
    if (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(KmsError::new(KmsErrorKind::InvalidGrantId, "a grant id is 1 to 128 letters and digits").into())
}
