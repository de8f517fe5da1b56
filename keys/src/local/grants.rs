//! Grants: rights to one key that are given to one principal, without a change of the key's policy.
//!
//! AWS KMS Developer Guide, "Grants in AWS KMS".

use super::access::Asked;
use super::data::in_earnest;
use super::names::shown;
use super::record::StoredKey;
use super::{Draft, LocalKms};
use crate::hex;
use crate::kms::{Call, KmsError, KmsErrorKind, Principal};
use crate::policy;
use crate::uuid::Uuid;
use objseal::envelope::EncryptionContext;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most grants of a key.
pub(super) const MAX_GRANTS: usize = 50_000;
/// Longest ARN of a principal that has a grant or may retire it, in bytes (AWS KMS API Reference, CreateGrant).
const MAX_ARN_LEN: usize = 256;
/// Most grant tokens of a call (the same, GrantTokens).
const MAX_TOKENS: usize = 10;
/// Hexadecimal digits of a grant's id, which is its token.
const ID_LEN: usize = 64;
/// What a grant can allow.
const OPERATIONS: [&str; 9] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "DescribeKey",
    "CreateGrant",
    "RetireGrant",
];

/// A grant that is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewGrant {
    /// The ARN of the principal that gets it, of at most 256 letters, digits and `_+=,.@:/-`.
    pub grantee: String,
    /// The ARN of a principal that may retire it, with the same bounds.
    pub retiring: Option<String>,
    /// Operations, such as `Decrypt`, each once.
    pub operations: Vec<String>,
    /// Pairs that the encryption context must have.
    pub constraint: Option<Constraint>,
    /// A name, so that the same grant is not made twice.
    pub name: Option<String>,
}

impl NewGrant {
    /// These operations for the principal of this ARN.
    #[must_use]
    pub fn to<'o>(grantee: impl Into<String>, operations: impl IntoIterator<Item = &'o str>) -> Self {
        let operations = operations.into_iter().map(String::from).collect();
        Self { grantee: grantee.into(), operations, ..Self::default() }
    }
}

/// Pairs that the encryption context of a call must have. Only cryptographic operations have a context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constraint {
    /// These pairs and no others.
    #[serde(rename = "EncryptionContextEquals")]
    Equals(BTreeMap<String, String>),
    /// These pairs, and perhaps others.
    #[serde(rename = "EncryptionContextSubset")]
    Subset(BTreeMap<String, String>),
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The key.
    pub key: Uuid,
    /// The ARN of the principal that has it.
    pub grantee: String,
    /// The ARN of a principal that may retire it.
    pub retiring: Option<String>,
    /// Operations, such as `Decrypt`.
    pub operations: Vec<String>,
    /// Pairs that the encryption context must have.
    pub constraint: Option<Constraint>,
    /// Its name.
    pub name: Option<String>,
    /// The account that made it.
    pub issued_by: String,
    /// Seconds since 1970.
    pub created: u64,
}

impl Constraint {
    pub(super) fn pairs(&self) -> &BTreeMap<String, String> {
        let (Self::Equals(pairs) | Self::Subset(pairs)) = self;
        pairs
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Equals(_) => "EncryptionContextEquals",
            Self::Subset(_) => "EncryptionContextSubset",
        }
    }
}

impl NewGrant {
    /// That it can be made.
    pub(super) fn check(&self) -> Result<(), KmsError> {
        let invalid = |message: &str| Err(KmsError::new(KmsErrorKind::Validation, message));
        if !is_arn(&self.grantee) || self.retiring.as_deref().is_some_and(|arn| !is_arn(arn)) {
            return invalid("a grantee, and who may retire a grant, is the ARN of a principal");
        }
        let some = (1..=OPERATIONS.len()).contains(&self.operations.len());
        if !some || self.operations.iter().any(|one| !OPERATIONS.contains(&one.as_str())) {
            return Err(KmsError::new(
                KmsErrorKind::Validation,
                format!("a grant is for some of these operations: {}", OPERATIONS.join(", ")),
            ));
        }
        let pairs = self.constraint.as_ref().map(Constraint::pairs);
        let bounds = pairs.is_none_or(|pairs| {
            EncryptionContext::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))).is_ok()
        });
        let name = self.name.as_deref().is_none_or(|name| (1..=256).contains(&name.len()));
        if bounds && name { Ok(()) } else { invalid("a name of a grant is too long, or its pairs are too many") }
    }

    pub(super) fn into_grant(self, id: String, key: Uuid, call: &Call, now: u64) -> Grant {
        let Self { grantee, retiring, operations, constraint, name } = self;
        let issued_by = format!("arn:aws:iam::{}:root", call.principal.account());
        Grant { id, key, grantee, retiring, operations, constraint, name, issued_by, created: now }
    }
}

impl Grant {
    /// Whether it allows this call of an operation.
    pub(super) fn allows(&self, call: &Call, asked: &Asked<'_>) -> bool {
        let operation = asked.operation;
        // It can be given back itself; it gives no right to other grants.
        if operation == "RetireGrant" {
            return false;
        }
        let context = &call.context;
        let has = |(key, value): (&String, &String)| context.get(key) == Some(value.as_str());
        let constrained = match &self.constraint {
            // A constraint is on the context: other operations have none.
            Some(_) if !has_context(operation) => true,
            Some(Constraint::Equals(pairs)) => pairs.len() == context.len() && pairs.iter().all(has),
            Some(Constraint::Subset(pairs)) => pairs.iter().all(has),
            None => true,
        };
        let given_on = asked.new_grant.is_none_or(|new| self.covers(new));
        constrained
            && given_on
            && policy::names(&self.grantee, &call.principal)
            && self.operations.iter().any(|one| one == operation)
    }

    /// Whether it has all that a grant which is made by virtue of it would give.
    fn covers(&self, new: &NewGrant) -> bool {
        let constraint = match (&self.constraint, &new.constraint) {
            (None, _) => true,
            (Some(own), Some(new)) if own == new => true,
            (Some(Constraint::Subset(own)), Some(Constraint::Equals(new) | Constraint::Subset(new))) => {
                own.iter().all(|(key, value)| new.get(key) == Some(value))
            }
            _ => false,
        };
        constraint && new.operations.iter().all(|operation| self.operations.contains(operation))
    }

    /// Whether somebody may retire it.
    pub(super) fn may_be_retired_by(&self, principal: &Principal) -> bool {
        let may = self.retiring.as_deref().is_some_and(|retiring| policy::names(retiring, principal));
        let own = policy::names(&self.grantee, principal) && self.operations.iter().any(|one| one == "RetireGrant");
        may || own || principal.is_root() && policy::names(&self.issued_by, principal)
    }

    /// Whether it is what making `new` again would make.
    pub(super) fn is_like(&self, new: &NewGrant) -> bool {
        new.name.is_some()
            && self.name == new.name
            && self.grantee == new.grantee
            && self.retiring == new.retiring
            && self.operations == new.operations
            && self.constraint == new.constraint
    }
}

/// Whether an operation is a cryptographic one: others have no encryption context, whatever the call says.
pub(super) fn has_context(operation: &str) -> bool {
    matches!(
        operation,
        "Decrypt" | "Encrypt" | "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" | "ReEncryptFrom" | "ReEncryptTo"
    )
}

impl LocalKms {
    /// Grants rights to a key; returns the id of the grant, which is its token as well (`kms:CreateGrant`). The same grant with the
    /// same name is made once.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn create_grant(&self, call: &Call, key: &str, new: NewGrant) -> Result<String, KmsError> {
        let mut asked = Asked::of("CreateGrant").with("kms:GranteePrincipal", new.grantee.clone());
        asked = asked.with("kms:GrantIsForAWSResource", call.via_service.is_some().to_string());
        if let Some(retiring) = &new.retiring {
            asked = asked.with("kms:RetiringPrincipal", retiring.clone());
        }
        for operation in &new.operations {
            asked = asked.with("kms:GrantOperations", operation.clone());
        }
        if let Some(constraint) = &new.constraint {
            asked = asked.with("kms:GrantConstraintType", constraint.name());
        }
        asked.new_grant = Some(&new);
        self.change_key(call, key, &asked, |arn, stored, now| {
            new.check()?;
            stored.check_usable(arn, now)?;
            let same = stored.record.grants.iter().find(|grant| grant.is_like(&new)).map(|grant| grant.id.clone());
            if same.is_none() && stored.record.grants.len() >= MAX_GRANTS {
                let message = format!("a key has at most {MAX_GRANTS} grants");
                return Err(KmsError::new(KmsErrorKind::LimitExceeded, message));
            }
            in_earnest(call)?;
            if let Some(id) = same {
                return Ok(id);
            }
            let id = hex::encode(&[Uuid::generate()?.to_bytes(), Uuid::generate()?.to_bytes()].concat());
            stored.record.grants.push(new.clone().into_grant(id.clone(), stored.record.id, call, now));
            Ok(id)
        })
    }

    /// The grants of a key (`kms:ListGrants`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn grants(&self, call: &Call, key: &str) -> Result<Vec<Grant>, KmsError> {
        self.run(call, "ListGrants", |contents, line| {
            let used = self.allowed(contents, line, call, key, &Asked::of("ListGrants"))?;
            Ok(used.stored.record.grants.clone())
        })
    }

    /// Takes a grant away (`kms:RevokeGrant`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn revoke_grant(&self, call: &Call, key: &str, grant: &str) -> Result<(), KmsError> {
        self.change_key(call, key, &Asked::of("RevokeGrant"), |_, stored, _| {
            find(stored, grant)?;
            in_earnest(call)?;
            stored.record.grants.retain(|one| one.id != grant);
            Ok(())
        })
    }

    /// Gives a grant back (`kms:RetireGrant`): who may is whom it names for that, whom it lets do that, and the account that made
    /// it; else the policy of the key decides.
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn retire_grant(&self, call: &Call, key: &str, grant: &str) -> Result<(), KmsError> {
        self.change(call, "RetireGrant", |draft| {
            let stored = StoredKey::clone(draft.contents.find(self.owner(), key, self.now())?);
            self.retire(draft, call, stored, key, grant)
        })
    }

    /// The same for the grant of this token, whatever key it is for.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::InvalidGrantToken`] if it is the token of no grant.
    pub fn retire_grant_of_token(&self, call: &Call, token: &str) -> Result<(), KmsError> {
        self.change(call, "RetireGrant", |draft| {
            let now = self.now();
            let has_grant = |stored: &&Arc<StoredKey>| stored.record.grants.iter().any(|grant| grant.id == token);
            let stored = draft.contents.intact().filter(|stored| !stored.is_gone(now)).find(has_grant);
            let stored = StoredKey::clone(stored.ok_or_else(invalid_token)?);
            let key = self.owner().arn_of(stored.record.id);
            self.retire(draft, call, stored, &key, token)
        })
    }

    /// The grants that this principal may retire because they name it for that (`kms:ListRetirableGrants`, which the
    /// account decides).
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::InvalidArn`] if `retiring` is not the ARN of a principal.
    pub fn retirable_grants(&self, call: &Call, retiring: &str) -> Result<Vec<Grant>, KmsError> {
        self.run(call, "ListRetirableGrants", |contents, _| {
            self.require_of_account(call, &Asked::of("ListRetirableGrants"), "*")?;
            if !is_arn(retiring) {
                let message = format!("{} is not the ARN of a principal", shown(retiring));
                return Err(KmsError::new(KmsErrorKind::InvalidArn, message));
            }
            let now = self.now();
            let grants = contents.intact().filter(|stored| !stored.is_gone(now)).flat_map(|key| &key.record.grants);
            Ok(grants.filter(|grant| grant.retiring.as_deref() == Some(retiring)).cloned().collect())
        })
    }

    fn retire(
        &self,
        draft: &mut Draft,
        call: &Call,
        mut stored: StoredKey,
        key: &str,
        grant: &str,
    ) -> Result<(), KmsError> {
        draft.line.key = Some(self.owner().arn_of(stored.record.id));
        if !find(&stored, grant).is_ok_and(|grant| grant.may_be_retired_by(&call.principal)) {
            self.allowed(&draft.contents, &mut draft.line, call, key, &Asked::of("RetireGrant"))?;
            find(&stored, grant)?;
        }
        in_earnest(call)?;
        stored.record.grants.retain(|one| one.id != grant);
        draft.put(stored);
        Ok(())
    }
}

/// That the grant tokens of a call are such, if its operation takes any. Grants hold at once: tokens change nothing
/// else.
pub(super) fn check_tokens(call: &Call, operation: &str) -> Result<(), KmsError> {
    let takes_tokens = matches!(
        operation,
        "Decrypt"
            | "Encrypt"
            | "GenerateDataKey"
            | "GenerateDataKeyWithoutPlaintext"
            | "ReEncrypt"
            | "DescribeKey"
            | "CreateGrant"
            | "RetireGrant"
    );
    if !takes_tokens {
        return Ok(());
    }
    if call.grant_tokens.len() > MAX_TOKENS {
        let message = format!("a call has at most {MAX_TOKENS} grant tokens");
        return Err(KmsError::new(KmsErrorKind::Validation, message));
    }
    let is_token =
        |token: &String| token.len() == ID_LEN && token.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if call.grant_tokens.iter().all(is_token) { Ok(()) } else { Err(invalid_token()) }
}

fn invalid_token() -> KmsError {
    KmsError::new(KmsErrorKind::InvalidGrantToken, "this is not the token of a grant")
}

/// Whether this can be the ARN of a principal.
fn is_arn(arn: &str) -> bool {
    let plain = arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte));
    arn.starts_with("arn:") && plain && arn.len() <= MAX_ARN_LEN && Principal::new(arn).account().len() == 12
}

fn find<'s>(stored: &'s StoredKey, grant: &str) -> Result<&'s Grant, KmsError> {
    let found = stored.record.grants.iter().find(|one| one.id == grant);
    found.ok_or_else(|| KmsError::new(KmsErrorKind::NotFound, format!("Grant ID {} not found", shown(grant))))
}
