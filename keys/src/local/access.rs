//! Who may do what with a key: its policy, then its grants.

use super::LocalKms;
use super::contents::Contents;
use super::grants::{Grant, NewGrant, has_context};
use super::keys::{SPEC, USAGE};
use super::record::StoredKey;
use crate::clock::unix_seconds;
use crate::kms::{Call, KmsError, KmsErrorKind, service_name};
use crate::policy::{self, Caller, Decision, Effect, Request, Values};
use std::borrow::Cow;
use std::fmt;

/// An operation that somebody asks for, and what policies can look at besides what every call has.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    /// Without `kms:`.
    pub(super) operation: &'a str,
    /// A grant that is to be made: a grant can only allow to give on what it has itself.
    pub(super) new_grant: Option<&'a NewGrant>,
    values: Vec<(Cow<'static, str>, String)>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(operation: &'a str) -> Self {
        Self { operation, new_grant: None, values: Vec::new() }
    }

    /// The same with a value of a condition key.
    pub(super) fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.values.push((key.into(), value.into()));
        self
    }
}

/// A key that somebody asks for, and as what they named it.
pub(super) struct Access<'a> {
    kms: &'a LocalKms,
    contents: &'a Contents,
    stored: &'a StoredKey,
    call: &'a Call,
    name: &'a str,
}

/// Why a call may do something with a key, or may not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether it may.
    pub allowed: bool,
    /// What the policies say.
    pub decision: Decision,
    /// The id of the grant that allows it.
    pub grant: Option<String>,
    /// A line for each statement: whether it matched, or which part of it did not.
    pub statements: Vec<String>,
}

/// The answer first, then the statements.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = if self.allowed { "allowed" } else { "denied" };
        match &self.grant {
            Some(grant) => write!(f, "{answer}: by grant {grant}")?,
            None => write!(f, "{answer}: {}", self.decision.why)?,
        }
        self.statements.iter().try_for_each(|statement| write!(f, "\n  {statement}"))
    }
}

impl<'a> Access<'a> {
    pub(super) fn to(
        kms: &'a LocalKms,
        contents: &'a Contents,
        stored: &'a StoredKey,
        call: &'a Call,
        name: &'a str,
    ) -> Self {
        Self { kms, contents, stored, call, name }
    }

    /// That the call may do this.
    pub(super) fn require(&self, asked: &Asked<'_>) -> Result<(), KmsError> {
        let decision =
            self.ask(asked, |request| policy::decide(&self.stored.record.policy, &self.kms.owner.account, request));
        match decision.effect {
            Effect::Allow => Ok(()),
            Effect::NoStatement if self.grant(asked).is_some() => Ok(()),
            _ => Err(self.denied(asked)),
        }
    }

    pub(super) fn explain(&self, asked: &Asked<'_>) -> Explanation {
        let policy = &self.stored.record.policy;
        let account = &self.kms.owner.account;
        let (decision, statements) = self.ask(asked, |request| {
            (policy::decide(policy, account, request), policy::explain(policy, account, request))
        });
        let grant = self.grant(asked).filter(|_| decision.effect == Effect::NoStatement).map(|grant| grant.id.clone());
        Explanation { allowed: decision.effect == Effect::Allow || grant.is_some(), decision, grant, statements }
    }

    /// A grant that allows it.
    fn grant(&self, asked: &Asked<'_>) -> Option<&'a Grant> {
        self.stored.record.grants.iter().find(|grant| grant.allows(self.call, asked))
    }

    fn ask<T>(&self, asked: &Asked<'_>, answer: impl FnOnce(&Request<'_>) -> T) -> T {
        let Self { kms, contents, stored, call, name } = self;
        let mut values = values_of(kms, call, asked);
        values.add("kms:KeyOrigin", stored.record.origin.name());
        values.add("kms:KeySpec", SPEC);
        values.add("kms:KeyUsage", USAGE);
        if let Some(alias) = name.strip_prefix("arn:").map_or(Some(*name), |arn| arn.splitn(5, ':').nth(4))
            && alias.starts_with("alias/")
        {
            values.add("kms:RequestAlias", alias);
        }
        contents.aliases_of(stored.record.id).for_each(|alias| values.add("kms:ResourceAliases", alias));
        stored
            .record
            .tags
            .iter()
            .for_each(|(tag, value)| values.add(&format!("aws:ResourceTag/{tag}"), value.as_str()));
        let action = format!("kms:{}", asked.operation);
        let resource = kms.owner.arn_of(stored.record.id);
        let caller = Caller::Principal(&call.principal);
        answer(&Request { caller, action: &action, resource: &resource, values: &values })
    }

    /// The words of AWS KMS.
    fn denied(&self, asked: &Asked<'_>) -> KmsError {
        denied(self.call, asked.operation, &self.kms.owner.arn_of(self.stored.record.id))
    }
}

impl LocalKms {
    /// That the call may do something with a resource that has no policy: an alias, or `*` for what is of no key. The account
    /// decides that alone.
    pub(super) fn require_of_account(&self, call: &Call, asked: &Asked<'_>, resource: &str) -> Result<(), KmsError> {
        let values = values_of(self, call, asked);
        let action = format!("kms:{}", asked.operation);
        let request =
            Request { caller: Caller::Principal(&call.principal), action: &action, resource, values: &values };
        match policy::decide(&self.account_policy, &self.owner.account, &request).effect {
            Effect::Allow => Ok(()),
            _ => Err(denied(call, asked.operation, resource)),
        }
    }
}

/// What policies can look at in a call, whatever it is about.
fn values_of<'a>(kms: &LocalKms, call: &'a Call, asked: &'a Asked<'_>) -> Values<'a> {
    let mut values = Values::new();
    if let Some(service) = &call.via_service {
        values.add("kms:ViaService", service_name(service));
    }
    let mut pair = |key: &'a str, value: &'a str| {
        values.add(&format!("kms:EncryptionContext:{key}"), value);
        values.add("kms:EncryptionContextKeys", key);
    };
    if has_context(asked.operation) {
        call.context.iter().for_each(|(key, value)| pair(key, value));
    }
    // A grant is made for the context that it demands.
    if let Some(constraint) = asked.new_grant.and_then(|new| new.constraint.as_ref()) {
        constraint.pairs().iter().for_each(|(key, value)| pair(key, value));
    }
    if let Some(source) = &call.source {
        values.add("aws:SourceIp", source.as_str());
    }
    values.add("aws:SecureTransport", call.secure_transport.to_string());
    values.add("aws:EpochTime", unix_seconds(kms.clock.now()).to_string());
    asked.values.iter().for_each(|(key, value)| values.add(key, value.as_str()));
    values
}

fn denied(call: &Call, operation: &str, resource: &str) -> KmsError {
    let message =
        format!("User: {} is not authorized to perform: kms:{operation} on resource: {resource}", call.principal.arn());
    KmsError::new(KmsErrorKind::AccessDenied, message)
}
