//! Who asks, with the policies of their account.

use super::Policy;
use std::sync::Arc;

/// Who asks: a user, a role, an account.
///
/// Two principals are the same if nothing can be allowed to one of them and not to the other: policies that narrow down a
/// session belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    arn: String,
    /// What its own account allows it, if its account does.
    policies: Vec<Arc<Policy>>,
}

impl Principal {
    /// The principal of this ARN, such as `arn:aws:iam::111122223333:role/backup`.
    #[must_use]
    pub fn new(arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), policies: Vec::new() }
    }

    /// The root user of an account.
    #[must_use]
    pub fn root_of(account: &str) -> Self {
        Self::new(format!("arn:aws:iam::{account}:root"))
    }

    /// A session of this role, or of this user, which has its policies, under an ARN of its own.
    #[must_use]
    pub fn session(&self, arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), policies: self.policies.clone() }
    }

    /// The same with a policy of its account that is attached to it. What a key's policy allows to an account, somebody of the
    /// account has only if such a policy allows it; the root user needs none.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<Policy>) -> Self {
        self.policies.push(policy);
        self
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Its account: the fifth field of the ARN; empty without one.
    #[must_use]
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// Whether it is the root user of its account.
    #[must_use]
    pub fn is_root(&self) -> bool {
        let fields: Vec<_> = self.arn.splitn(6, ':').collect();
        matches!(fields[..], ["arn", _, "iam", "", _, "root"])
    }

    /// The policies that are attached to it.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter().map(|policy| &**policy)
    }
}
