//! Policies of keys. Each key has one, whose name is `default`.

use super::failure::Failure;
use super::operations::Operation;
use super::pages::{Page, page};
use objseal_keys::kms::{Call, KmsError, KmsErrorKind};
use objseal_keys::local::LocalKms;
use objseal_keys::policy::Policy;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const DEFAULT: &str = "default";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetKeyPolicy {
    key_id: String,
    policy_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyPolicy {
    policy: String,
    policy_name: &'static str,
}

impl Operation for GetKeyPolicy {
    type Answer = KeyPolicy;

    fn run(self, kms: &LocalKms, call: Call) -> Result<KeyPolicy, Failure> {
        let policy = kms.policy(&call, &self.key_id)?;
        if self.policy_name.is_some_and(|name| name != DEFAULT) {
            return Err(KmsError::new(KmsErrorKind::NotFound, "No such policy exists").into());
        }
        Ok(KeyPolicy { policy: policy.text().into(), policy_name: DEFAULT })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutKeyPolicy {
    key_id: String,
    policy_name: Option<String>,
    policy: String,
    bypass_policy_lockout_safety_check: Option<bool>,
}

impl Operation for PutKeyPolicy {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        if self.policy_name.is_some_and(|name| name != DEFAULT) {
            return Err(Failure::validation(format!("PolicyName is {DEFAULT}")));
        }
        let bypass = self.bypass_policy_lockout_safety_check.unwrap_or_default();
        Ok(kms.put_policy(&call, &self.key_id, &parse(&self.policy)?, bypass)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListKeyPolicies {
    key_id: String,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyNames {
    policy_names: Vec<&'static str>,
    #[serde(flatten)]
    page: Page,
}

impl Operation for ListKeyPolicies {
    type Answer = PolicyNames;

    fn run(self, kms: &LocalKms, call: Call) -> Result<PolicyNames, Failure> {
        kms.check_may_list_policies(&call, &self.key_id)?;
        let (policy_names, page) = page(vec![DEFAULT], |name| name, (self.limit, self.marker), (100, 1_000))?;
        Ok(PolicyNames { policy_names, page })
    }
}

pub(super) fn parse(text: &str) -> Result<Arc<Policy>, Failure> {
    let policy = Policy::parse(text).map(Arc::new);
    policy.map_err(|error| KmsError::new(KmsErrorKind::MalformedPolicyDocument, error.to_string()).into())
}
