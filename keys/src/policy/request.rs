//! What is asked, by whom, and what is known about it.

use super::Principal;
use std::borrow::Cow;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Nobody who said who they are: only `*` means them.
    Anonymous,
    /// A user, a role or a session, with the policies of its account.
    Principal(&'a Principal),
    /// A service for itself, by its name, such as `logs.us-east-1.amazonaws.com`. It belongs to no account.
    Service(&'a str),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: Caller<'a>,
    /// The action, such as `kms:Decrypt`.
    pub action: &'a str,
    /// The ARN of the resource.
    pub resource: &'a str,
    /// What conditions and variables look at.
    pub values: &'a Values<'a>,
}

/// The values of condition keys, such as `kms:ViaService`. The case of letters of a key is the same.
///
/// A known key without a value counts as absent, so whoever asks gives all values that a request has. The known keys
/// are `aws:CurrentTime`, `EpochTime`, `PrincipalAccount`, `PrincipalArn`, `PrincipalType`, `RequestTag/` and
/// `ResourceTag/` with the name of a tag, `SecureTransport`, `SourceIp`, `TagKeys`, `userid`, `username`;
/// `kms:BypassPolicyLockoutSafetyCheck`, `CallerAccount`, `EncryptionContext:` and the key of a pair,
/// `EncryptionContextKeys`, `ExpirationModel`, `GrantConstraintType`, `GranteePrincipal`, `GrantIsForAWSResource`,
/// `GrantOperations`, `KeyOrigin`, `KeySpec`, `KeyUsage`, `ReEncryptOnSameKey`, `RequestAlias`, `ResourceAliases`,
/// `RetiringPrincipal`, `RotationPeriodInDays`, `ScheduleKeyDeletionPendingWindowInDays`, `ValidTo`, `ViaService`,
/// `WrappingAlgorithm`, `WrappingKeySpec`; `s3:delimiter`, `max-keys`, `prefix`, `x-amz-acl`,
/// `x-amz-server-side-encryption`, and with this prefix `-aws-kms-key-id` and `-customer-algorithm`.
///
/// Unless given, these come from the caller: `aws:PrincipalArn` (of a session, the ARN of its role, without a path),
/// `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:username` and `kms:CallerAccount`; and `aws:CurrentTime` is
/// `aws:EpochTime`.
#[derive(Clone, Debug, Default)]
pub struct Values<'a>(Vec<(String, Cow<'a, str>)>);

impl<'a> Values<'a> {
    /// No values.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a value to those of a key. Two pairs of an encryption context whose keys differ in the case of letters only
    /// are two values of one condition key; a condition on it cannot be decided then.
    pub fn add(&mut self, key: &str, value: impl Into<Cow<'a, str>>) {
        self.0.push((key.to_lowercase(), value.into()));
    }

    /// The same with a value more.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Cow<'a, str>>) -> Self {
        self.add(key, value);
        self
    }

    fn of<'s>(&'s self, key: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |(own, _)| own == key).map(|(_, value)| value.as_ref())
    }
}

/// What a policy is held against: a request, and what follows from it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) request: &'a Request<'a>,
    /// In lower case: actions are the same whatever the case of letters.
    pub(super) action: String,
    pub(super) who: Who<'a>,
    principal_arn: Cow<'a, str>,
}

/// Who asks, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who<'a> {
    Anonymous,
    Service(&'a str),
    Principal {
        arn: &'a str,
        /// Empty if the ARN has none.
        account: &'a str,
        root: bool,
        /// The name of the role whose session it is.
        session_of: Option<&'a str>,
    },
}

/// How many values a key has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'v> {
    Nothing,
    One(&'v str),
    Several,
}

impl<'a> Facts<'a> {
    pub(super) fn of(request: &'a Request<'a>) -> Self {
        let who = Who::of(request.caller);
        let principal_arn = match who {
            Who::Principal { arn, account, session_of: Some(role), .. } => {
                let partition = arn.split(':').nth(1).unwrap_or_default();
                Cow::Owned(format!("arn:{partition}:iam::{account}:role/{role}"))
            }
            Who::Principal { arn, .. } => Cow::Borrowed(arn),
            Who::Anonymous | Who::Service(_) => Cow::Borrowed(""),
        };
        Self { request, action: request.action.to_ascii_lowercase(), who, principal_arn }
    }

    /// The values of a key, whose name is in lower case.
    pub(super) fn values<'f>(&'f self, key: &'f str) -> impl Iterator<Item = &'f str> {
        let mut given = self.request.values.of(key).peekable();
        let derived = if given.peek().is_none() { self.derived(key) } else { None };
        given.chain(derived)
    }

    /// The value of a key.
    pub(super) fn find<'f>(&'f self, key: &'f str) -> Found<'f> {
        let mut values = self.values(key);
        match (values.next(), values.next()) {
            (None, _) => Found::Nothing,
            (Some(value), None) => Found::One(value),
            (Some(_), Some(_)) => Found::Several,
        }
    }

    fn derived(&self, key: &str) -> Option<&str> {
        if key == "aws:currenttime" {
            return self.request.values.of("aws:epochtime").next();
        }
        let Who::Principal { arn, account, root, session_of } = self.who else {
            let anonymous = matches!(self.who, Who::Anonymous) && key == "aws:principaltype";
            return anonymous.then_some("Anonymous");
        };
        let own = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let user = own.strip_prefix("user/");
        let value = match key {
            "aws:principalarn" => &self.principal_arn,
            "aws:principalaccount" | "kms:calleraccount" => account,
            "aws:username" => user.and_then(|path| path.rsplit('/').next()).unwrap_or_default(),
            "aws:principaltype" if root => "Account",
            "aws:principaltype" if user.is_some() => "User",
            "aws:principaltype" if session_of.is_some() || own.starts_with("role/") => "AssumedRole",
            "aws:principaltype" if own.starts_with("federated-user/") => "FederatedUser",
            _ => "",
        };
        Some(value).filter(|value| !value.is_empty())
    }
}

impl<'a> Who<'a> {
    pub(super) fn of(caller: Caller<'a>) -> Self {
        let principal = match caller {
            Caller::Anonymous => return Self::Anonymous,
            Caller::Service(name) => return Self::Service(name),
            Caller::Principal(principal) => principal,
        };
        let (arn, account) = (principal.arn(), principal.account());
        let mut fields = arn.splitn(6, ':').skip(2);
        let (service, own) = (fields.next(), fields.nth(2));
        let session = own.filter(|_| service == Some("sts"));
        let session_of =
            session.and_then(|own| own.strip_prefix("assumed-role/")).and_then(|own| own.split('/').next());
        Self::Principal { arn, account, root: (service, own) == (Some("iam"), Some("root")), session_of }
    }
}
