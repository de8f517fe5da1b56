//! Rights decided here, over a service that knows this process only.
//!
//! AWS KMS sees the credentials of a server, and OpenBao its token: to them all of the server's users are one. [`Guarded`]
//! holds a policy of this process against every call, with its principal, service, encryption context and source, as a key
//! policy is ([`policy`]), and then asks with the credentials that there are. Whom the policy does not allow
//! is refused in the words of AWS KMS.
//!
//! It stands before a cache, so that it decides about what is kept as well: `Guarded<CachedKms<AwsKms>>`.
//!
//! ```
//! use objseal_keys::cache::{CacheOptions, CachedKms};
//! use objseal_keys::guard::Guarded;
//! use objseal_keys::kms::{Kms, KmsError};
//! use objseal_keys::policy::Policy;
//! use std::sync::Arc;
//!
//! fn guarded(kms: Arc<dyn Kms>, policy: Policy) -> Result<Arc<dyn Kms>, KmsError> {
//!     let cached = CachedKms::new(kms, CacheOptions::new())?;
//!     Ok(Arc::new(Guarded::new(Arc::new(cached), Arc::new(policy), "111122223333")?))
//! }
//! ```
//!
//! **The right is decided on the key that is used, and not on what it was called.** Whoever names a key by its ARN, or
//! reopens one, is refused before the service hears of it; and an answer of another key is refused
//! ([`IncorrectKey`](KmsErrorKind::IncorrectKey)). What an alias stands for, and which key a ciphertext is of that no key is
//! named for, only the service knows: there its answer is held against the policy before anything of it is given out. Until
//! then errors of the service are given on. A call that is only to be tried is answered without a key, so the key is named by
//! its ARN there, or looked up first.
//!
//! - The policy is one for all keys that the service has: its statements name keys as resources by their ARN. A key whose id
//!   is no ARN, such as `transit/keys/photos`, is `arn:aws:kms::ACCOUNT:transit/keys/photos` to it.
//! - Conditions see `kms:ViaService`, `kms:EncryptionContext:`, `kms:EncryptionContextKeys`, `kms:RequestAlias`,
//!   `kms:KeySpec`, `kms:KeyUsage`, `kms:ReEncryptOnSameKey`, `aws:SourceIp`, `aws:EpochTime` and what follows from the
//!   principal. A policy with conditions on the origin, the aliases or the tags of a key is refused, one of a principal with
//!   each call: these are not known here.
//! - Grants are those of the service, and say nothing about the principals here.
//!
//! The alternative is a service for each principal, with credentials of its own (one `aws::AwsKms` for
//! each): then the service decides, its own log has the names, and whoever takes over this process has no more rights than
//! the credentials that it holds.

use crate::clock::{Clock, SystemClock, unix_seconds};
use crate::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, KmsErrorKind, Plaintext, Purpose,
    ReEncrypted, Right, Source, Standing, StoredKey,
};
use crate::policy::{self, Caller, Effect, Policy, Request, Values};
use objseal::envelope::{EncryptionContext, WrappingKey};
use std::fmt;
use std::sync::Arc;

/// Condition keys that every request of AWS KMS has, and none here: a statement that looks at one would not do what it says.
const UNKNOWN: [&str; 3] = ["aws:resourcetag/", "kms:keyorigin", "kms:resourcealiases"];

/// A service that is asked only by whom a policy allows it.
pub struct Guarded<K: Kms + ?Sized> {
    kms: Arc<K>,
    policy: Arc<Policy>,
    account: String,
    clock: Arc<dyn Clock>,
}

impl<K: Kms + ?Sized> Guarded<K> {
    /// A service that asks `kms` for whom `policy` allows it. The keys are of `account`: to its principals the policy alone
    /// can allow something; those of others need a policy of their own that allows the same.
    ///
    /// # Errors
    /// [`MalformedPolicyDocument`](KmsErrorKind::MalformedPolicyDocument) if the policy looks at what is not known here.
    pub fn new(kms: Arc<K>, policy: Arc<Policy>, account: &str) -> Result<Self, KmsError> {
        check(&policy)?;
        Ok(Self { kms, policy, account: account.into(), clock: Arc::new(SystemClock) })
    }

    /// The same with another clock, for conditions on the time.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// That the call may do this to the key of this id.
    fn require(&self, call: &Call, asked: &Asked<'_>, id: &str) -> Result<(), KmsError> {
        let resource = match id.starts_with("arn:") {
            true => id.to_owned(),
            false => format!("arn:aws:kms::{}:{id}", self.account),
        };
        let values = self.values(call, asked);
        let action = format!("kms:{}", asked.operation);
        call.principal.policies().try_for_each(check)?;
        let caller = Caller::Principal(&call.principal);
        let request = Request { caller, action: &action, resource: &resource, values: &values };
        match policy::decide(&self.policy, &self.account, &request).effect {
            Effect::Allow => Ok(()),
            _ => Err(denied(call, &action, &resource)),
        }
    }

    fn values<'v>(&self, call: &'v Call, asked: &'v Asked<'_>) -> Values<'v> {
        let mut values = Values::new().with("kms:KeySpec", "SYMMETRIC_DEFAULT").with("kms:KeyUsage", "ENCRYPT_DECRYPT");
        if let Some(service) = &call.via_service {
            let suffix = if service.ends_with(SERVICES) { "" } else { SERVICES };
            values.add("kms:ViaService", format!("{service}{suffix}"));
        }
        for (key, value) in asked.context.into_iter().flat_map(EncryptionContext::iter) {
            values.add(&format!("kms:EncryptionContext:{key}"), value);
            values.add("kms:EncryptionContextKeys", key);
        }
        if let Some(alias) = asked.name.and_then(alias_of) {
            values.add("kms:RequestAlias", alias);
        }
        if let Some(same) = asked.same_key {
            values.add("kms:ReEncryptOnSameKey", same.to_string());
        }
        if let Some(source) = &call.source {
            values.add("aws:SourceIp", source.as_str());
        }
        values.add("aws:EpochTime", unix_seconds(self.clock.now()).to_string());
        values
    }

    /// What the service answers, if the call may do this to the key that is named, or else to the one of the answer.
    async fn ask<'a, T>(
        &'a self,
        call: &'a Call,
        asked: Asked<'a>,
        ask: impl FnOnce(&'a K) -> Answer<'a, T>,
        id_of: impl Fn(&T) -> &str,
    ) -> Result<T, KmsError> {
        let known = self.known(call, asked.name).await?;
        if let Some(id) = &known {
            self.require(call, &asked, id)?;
        }
        let answered = ask(&self.kms).await?;
        match known {
            Some(id) if id == id_of(&answered) => {}
            Some(_) => return Err(other_key()),
            None => self.require(call, &asked, id_of(&answered))?,
        }
        Ok(answered)
    }

    /// The id of the key of this name, if that can be known before the service is asked for more.
    async fn known(&self, call: &Call, name: Option<&str>) -> Result<Option<String>, KmsError> {
        match name {
            Some(name) if is_id(name) => Ok(Some(name.to_owned())),
            // Nothing comes back that would name the key.
            Some(name) if call.dry_run => Ok(Some(self.kms.describe(call, name).await?.arn)),
            None if call.dry_run => {
                Err(KmsError::new(KmsErrorKind::Validation, "name the key of a call that is only to be tried"))
            }
            _ => Ok(None),
        }
    }

    async fn guard_re_encrypt(&self, call: &Call, source: &Source<'_>, key: &str) -> Result<ReEncrypted, KmsError> {
        let require = |old: &str, new: &str| {
            let same_key = Some(old == new);
            let from = Asked { name: source.key, same_key, ..Asked::of("ReEncryptFrom", source.context) };
            let to = Asked { name: Some(key), same_key, ..Asked::of("ReEncryptTo", &call.context) };
            self.require(call, &from, old).and_then(|()| self.require(call, &to, new))
        };
        let (old, new) = (self.known(call, source.key).await?, self.known(call, Some(key)).await?);
        // Whether they are the same key says something only once both are known.
        if let (Some(old), Some(new)) = (&old, &new) {
            require(old, new)?;
        }
        let answered = self.kms.re_encrypt(call, source, key).await?;
        let found = (&*answered.source_key_arn, &*answered.ciphertext.key_arn);
        if old.as_deref().is_some_and(|old| old != found.0) || new.as_deref().is_some_and(|new| new != found.1) {
            return Err(other_key());
        }
        require(found.0, found.1)?;
        Ok(answered)
    }

    async fn guard_standing(&self, call: &Call, key: &str, right: Right) -> Result<Option<Standing>, KmsError> {
        let operation = match right {
            Right::Generate => "GenerateDataKey",
            Right::Decrypt => "Decrypt",
        };
        let asked = Asked { name: Some(key), ..Asked::of(operation, &call.context) };
        if is_id(key) {
            self.require(call, &asked, key)?;
        }
        let standing = self.kms.standing(call, key, right).await?;
        match &standing {
            Some(standing) if is_id(key) && standing.key_arn != key => return Err(other_key()),
            None if is_id(key) => {}
            Some(standing) => self.require(call, &asked, &standing.key_arn)?,
            None => self.require(call, &asked, &self.kms.describe(call, key).await?.arn)?,
        }
        Ok(standing)
    }
}

impl<K: Kms + ?Sized> Kms for Guarded<K> {
    fn service(&self) -> &str {
        self.kms.service()
    }

    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        let asked = Asked { name: Some(key), ..Asked::of("GenerateDataKey", &call.context) };
        Box::pin(self.ask(call, asked, move |kms| kms.generate(call, key, purpose), |key| key.key_id()))
    }

    /// Decided on the id that is stored, which is that of the key.
    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        let asked = Asked::of("Decrypt", &call.context);
        Box::pin(async move {
            self.require(call, &asked, &stored.key_id)?;
            let key = self.kms.reopen(call, stored).await?;
            if key.key_id() == stored.key_id { Ok(key) } else { Err(other_key()) }
        })
    }

    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        let asked = Asked { name: Some(key), ..Asked::of("Encrypt", &call.context) };
        Box::pin(self.ask(call, asked, move |kms| kms.encrypt(call, key, plaintext), |made| &made.key_arn))
    }

    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        let asked = Asked { name: key, ..Asked::of("Decrypt", &call.context) };
        Box::pin(self.ask(call, asked, move |kms| kms.decrypt(call, key, blob), |opened| &opened.key_arn))
    }

    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        Box::pin(self.guard_re_encrypt(call, source, key))
    }

    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        let asked = Asked { name: Some(key), context: None, ..Asked::of("DescribeKey", &call.context) };
        Box::pin(self.ask(call, asked, move |kms| kms.describe(call, key), |found| &found.arn))
    }

    fn standing<'a>(&'a self, call: &'a Call, key: &'a str, right: Right) -> Answer<'a, Option<Standing>> {
        Box::pin(self.guard_standing(call, key, right))
    }
}

impl<K: DataKeys + ?Sized> DataKeys for Guarded<K> {
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        let asked = Asked { name: Some(key), ..Asked::of("GenerateDataKey", &call.context) };
        let ask = move |kms: &'a K| kms.generate_data_key(call, key);
        Box::pin(self.ask(call, asked, ask, |made| &made.ciphertext.key_arn))
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey> {
        let asked = Asked { name: key, ..Asked::of("Decrypt", &call.context) };
        let ask = move |kms: &'a K| kms.decrypt_data_key(call, key, blob);
        Box::pin(self.ask(call, asked, ask, |opened| &opened.ciphertext.key_arn))
    }
}

/// The service and the account.
impl<K: Kms + ?Sized> fmt::Debug for Guarded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Guarded");
        debug.field("kms", &self.kms).field("account", &self.account).finish_non_exhaustive()
    }
}

/// What is asked, and what policies can look at besides what every call has.
struct Asked<'a> {
    /// Without `kms:`.
    operation: &'static str,
    /// As what the key was named.
    name: Option<&'a str>,
    /// Of operations that have one.
    context: Option<&'a EncryptionContext>,
    same_key: Option<bool>,
}

impl<'a> Asked<'a> {
    fn of(operation: &'static str, context: &'a EncryptionContext) -> Self {
        Self { operation, name: None, context: Some(context), same_key: None }
    }
}

/// That everything a policy looks at is known here.
fn check(policy: &Policy) -> Result<(), KmsError> {
    let text = policy.text().to_lowercase();
    let Some(unknown) = UNKNOWN.into_iter().find(|key| text.contains(key)) else { return Ok(()) };
    let message = format!("{unknown} is not known to a guard: name keys by their ARN as Resource");
    Err(KmsError::new(KmsErrorKind::MalformedPolicyDocument, message))
}

/// The end of the name of a service in a policy.
const SERVICES: &str = ".amazonaws.com";

/// Whether a name is the id of a key, which answers have as well: its ARN, or its path in a transit engine. What only looks
/// like one is refused when the answer comes.
fn is_id(name: &str) -> bool {
    let own = own_part(name);
    alias_of(name).is_none() && (own.starts_with("key/") || own.contains("/keys/"))
}

fn alias_of(name: &str) -> Option<&str> {
    Some(own_part(name)).filter(|own| own.starts_with("alias/"))
}

/// What follows the account in an ARN, and all of what is none.
fn own_part(name: &str) -> &str {
    name.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)).unwrap_or(name)
}

fn other_key() -> KmsError {
    KmsError::new(KmsErrorKind::IncorrectKey, "the service answered with another key than the one that was named")
}

/// The words of AWS KMS.
fn denied(call: &Call, action: &str, resource: &str) -> KmsError {
    let principal = call.principal.arn();
    let message = format!("User: {principal} is not authorized to perform: {action} on resource: {resource}");
    KmsError::new(KmsErrorKind::AccessDenied, message)
}
