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
//! ([`IncorrectKey`](KmsErrorKind::IncorrectKey)). What is reopened has the id of a key stored with it, and never another of
//! its names. What an alias stands for, and which key a ciphertext is of that no key is named for, only the service knows:
//! there its answer is held against the policy before anything of it is given out. Until then errors of the service are given
//! on. A call that is only to be tried is answered without a key, so the key is named by its ARN there, or looked up first.
//!
//! - The policy is one for all keys of the account: its statements name keys as resources by their ARN. A key whose id is no
//!   ARN, such as `transit/keys/photos`, is `arn:aws:kms::ACCOUNT:transit/keys/photos` to it. A key of another account is
//!   refused to everybody, whatever its own policy says.
//! - Conditions and variables see `kms:ViaService`, `EncryptionContext:`, `EncryptionContextKeys`, `RequestAlias`,
//!   `ReEncryptOnSameKey`, `CallerAccount`; `KeySpec` and `KeyUsage`, as keys that encrypt data keys have them;
//!   `aws:CurrentTime`, `EpochTime`, `PrincipalAccount`, `PrincipalArn`, `PrincipalType`, `username`; and `aws:SourceIp` of
//!   calls that have a source.
//! - A policy that looks at another key is refused, one of a principal with each call: what every request to AWS has and none
//!   has here, such as `aws:SecureTransport`, `aws:userid`, and the origin, the aliases and the tags of a key, would count as
//!   absent. Keys of other requests than those that are decided here are absent in AWS as well, and stay: those of other
//!   services, of grants, imports, rotation and deletion, and of tags that are put.
//! - Grants are those of the service, and say nothing about the principals here.
//!
//! The alternative is a service for each principal, with credentials of its own (one `aws::AwsKms` for
//! each): then the service decides, its own log has the names, and whoever takes over this process has no more rights than
//! the credentials that it holds.

use crate::clock::{Clock, SystemClock, unix_seconds};
use crate::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, KmsErrorKind, Plaintext, Purpose,
    ReEncrypted, Right, Source, Standing, StoredKey, service_name,
};
use crate::policy::{self, Caller, Effect, Policy, Request, Values};
use objseal::envelope::{EncryptionContext, WrappingKey};
use std::fmt;
use std::sync::Arc;

/// The condition keys whose values are known here, in lower case; those that end with a colon have more behind it.
const KNOWN: [&str; 15] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:sourceip",
    "aws:username",
    "kms:calleraccount",
    "kms:encryptioncontext:",
    "kms:encryptioncontextkeys",
    "kms:keyspec",
    "kms:keyusage",
    "kms:reencryptonsamekey",
    "kms:requestalias",
    "kms:viaservice",
];

/// How those begin that no request to AWS has of the kinds that are decided here: for these, absent is what AWS says too.
const OF_OTHER_REQUESTS: [&str; 11] = [
    "aws:requesttag/",
    "aws:tagkeys",
    "kms:bypasspolicylockoutsafetycheck",
    "kms:expirationmodel",
    "kms:grant",
    "kms:retiringprincipal",
    "kms:rotationperiodindays",
    "kms:schedulekeydeletionpendingwindowindays",
    "kms:validto",
    "kms:wrappingalgorithm",
    "kms:wrappingkeyspec",
];

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

    /// That the call may do this to the key of this id, which is one of the account.
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
        let own = account_of(&resource) == Some(&self.account);
        match policy::decide(&self.policy, &self.account, &request).effect {
            Effect::Allow if own => Ok(()),
            _ => Err(denied(call, &action, &resource)),
        }
    }

    /// The same before it is known whether a ciphertext stays under its key: refused is what is refused either way.
    fn require_either_way(&self, call: &Call, asked: &Asked<'_>, id: &str) -> Result<(), KmsError> {
        let if_same = |same_key| self.require(call, &Asked { same_key: Some(same_key), ..*asked }, id);
        if_same(true).or_else(|_| if_same(false))
    }

    fn values<'v>(&self, call: &'v Call, asked: &'v Asked<'_>) -> Values<'v> {
        let mut values = Values::new().with("kms:KeySpec", "SYMMETRIC_DEFAULT").with("kms:KeyUsage", "ENCRYPT_DECRYPT");
        if let Some(service) = &call.via_service {
            values.add("kms:ViaService", service_name(service));
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
        let known = self.known(call, &asked).await?;
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
    async fn known(&self, call: &Call, asked: &Asked<'_>) -> Result<Option<String>, KmsError> {
        match asked.name {
            Some(name) if is_id(name) => Ok(Some(name.to_owned())),
            // Whatever it stands for is of that account.
            Some(name) if account_of(name).is_some_and(|account| account != self.account) => {
                Err(denied(call, &format!("kms:{}", asked.operation), name))
            }
            // Nothing comes back that would name the key.
            Some(name) if call.dry_run => Ok(Some(self.kms.describe(call, name).await?.arn)),
            None if call.dry_run => {
                Err(KmsError::new(KmsErrorKind::Validation, "name the key of a call that is only to be tried"))
            }
            _ => Ok(None),
        }
    }

    async fn guard_re_encrypt(&self, call: &Call, source: &Source<'_>, key: &str) -> Result<ReEncrypted, KmsError> {
        let from = Asked { name: source.key, ..Asked::of("ReEncryptFrom", source.context) };
        let to = Asked { name: Some(key), ..Asked::of("ReEncryptTo", &call.context) };
        let require = |old: &str, new: &str| {
            let same_key = Some(old == new);
            self.require(call, &Asked { same_key, ..from }, old)?;
            self.require(call, &Asked { same_key, ..to }, new)
        };
        let (old, new) = (self.known(call, &from).await?, self.known(call, &to).await?);
        match (&old, &new) {
            (Some(old), Some(new)) => require(old, new)?,
            (Some(old), None) => self.require_either_way(call, &from, old)?,
            (None, Some(new)) => self.require_either_way(call, &to, new)?,
            (None, None) => {}
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
        let known = self.known(call, &asked).await?;
        if let Some(id) = &known {
            self.require(call, &asked, id)?;
        }
        let standing = self.kms.standing(call, key, right).await?;
        match (&standing, &known) {
            (Some(standing), Some(id)) if standing.key_arn != *id => return Err(other_key()),
            (_, Some(_)) => {}
            (Some(standing), None) => self.require(call, &asked, &standing.key_arn)?,
            (None, None) => self.require(call, &asked, &self.kms.describe(call, key).await?.arn)?,
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

    /// Decided on the id that is stored, which is that of the key: whoever stored it chose it, and what an alias stands for
    /// nobody has stored.
    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        let asked = Asked::of("Decrypt", &call.context);
        Box::pin(async move {
            if !is_id(&stored.key_id) {
                let message = format!("{:?} is not the id of a key, by which keys are stored", stored.key_id);
                return Err(KmsError::new(KmsErrorKind::Validation, message));
            }
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
#[derive(Clone, Copy)]
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
    let known = |key: &&str| {
        let is = |known: &&str| if known.ends_with(':') { key.starts_with(known) } else { key == known };
        let of_kms = key.starts_with("aws:") || key.starts_with("kms:");
        !of_kms || KNOWN.iter().any(is) || OF_OTHER_REQUESTS.iter().any(|start| key.starts_with(start))
    };
    let Some(unknown) = policy.keys().find(|key| !known(key)) else { return Ok(()) };
    let message = format!("{unknown} is not known to a guard: a statement that looks at it would not do what it says");
    Err(KmsError::new(KmsErrorKind::MalformedPolicyDocument, message))
}

/// Whether a name is the id of a key, which answers have as well: its ARN, or its path in a transit engine. What only looks
/// like one is refused when the answer comes.
fn is_id(name: &str) -> bool {
    let own = own_part(name);
    alias_of(name).is_none() && (own.starts_with("key/") || own.contains("/keys/"))
}

fn alias_of(name: &str) -> Option<&str> {
    Some(own_part(name)).filter(|own| own.starts_with("alias/"))
}

/// The account in an ARN.
fn account_of(name: &str) -> Option<&str> {
    name.strip_prefix("arn:").map(|arn| arn.split(':').nth(3).unwrap_or_default())
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
