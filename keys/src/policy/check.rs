//! What is refused when a policy is put: all that could not be decided later.

use super::error::PolicyError;
use super::statement::{Patterns, Statement};

/// Where a policy is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyOf {
    /// At a key, as its key policy.
    Key,
    /// At a bucket, as its bucket policy.
    Bucket,
    /// At a user or a role.
    Identity,
}

impl PolicyOf {
    /// The longest text, in bytes: 32 KiB of a key (AWS KMS API reference, PutKeyPolicy), 20 KiB of a bucket (Amazon S3
    /// user guide). For one of an identity it is that of a key.
    #[must_use]
    pub const fn max_len(self) -> usize {
        match self {
            Self::Key | Self::Identity => 32 * 1024,
            Self::Bucket => 20 * 1024,
        }
    }

    /// The service that such a policy is about.
    fn service(self) -> Option<&'static str> {
        match self {
            Self::Key => Some("kms"),
            Self::Bucket => Some("s3"),
            Self::Identity => None,
        }
    }
}

/// Checks a statement.
pub(super) fn check(statement: &Statement, of: PolicyOf) -> Result<(), PolicyError> {
    let complaints = statement.complaints.iter().cloned();
    let mismatches = statement.conditions.iter().filter_map(super::condition::Condition::mismatch);
    let why = complaints.chain(principal(statement, of)).chain(resource(statement)).chain(mismatches);
    let why = why.chain(of.service().and_then(|service| foreign(statement, service))).next();
    why.map_or(Ok(()), |why| Err(PolicyError::of_statement(&statement.name, why)))
}

fn principal(statement: &Statement, of: PolicyOf) -> Option<String> {
    let why = match (of, &statement.principal) {
        (PolicyOf::Identity, None) => return None,
        (PolicyOf::Identity, Some(_)) => "remove the Principal: the policy is about who it belongs to",
        (_, None) => "add a Principal",
        (_, Some(names)) if names.except && statement.allow => "NotPrincipal goes with Deny only: use Principal",
        (_, Some(_)) => return None,
    };
    Some(why.into())
}

fn resource(statement: &Statement) -> Option<String> {
    statement.resources.is_none().then(|| "add a Resource; * in a key policy is the key".into())
}

/// What is of another service, and so would never match.
fn foreign(statement: &Statement, service: &str) -> Option<String> {
    let texts = |patterns: &Patterns, of: fn(&str) -> Option<&str>| {
        let mut texts = patterns.patterns.iter().map(|(text, _)| text.as_str()).filter(|&text| text != "*");
        texts.find(|text| of(text).is_some_and(|own| !own.eq_ignore_ascii_case(service))).map(str::to_owned)
    };
    let action = texts(&statement.actions, |action| action.split(':').next());
    let resources = statement.resources.as_ref();
    let resource = || resources.and_then(|patterns| texts(patterns, |arn| arn.split(':').nth(2)));
    let mut keys = statement.conditions.iter().map(|condition| &condition.key);
    let key = || keys.find(|key| key.split(':').next().is_some_and(|own| own != service && own != "aws")).cloned();
    let foreign = action.or_else(resource).or_else(key)?;
    Some(format!("{foreign:?} is not of {service}, so it never matches: remove it"))
}
