//! Who may send requests: access keys, whom they stand for, and what the account of those allows them.
//!
//! They are in a file that only its owner can read:
//!
//! ```json
//! {
//!   "principals": [
//!     {"arn": "arn:aws:iam::000000000000:user/alice", "policies": [
//!       {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}]}
//!   ],
//!   "credentials": [
//!     {"access_key_id": "OSAK...", "secret_access_key": "...", "principal": "arn:aws:iam::000000000000:user/alice"},
//!     {"access_key_id": "OSAK...", "secret_access_key": "...", "principal": "arn:aws:iam::000000000000:role/s3", "service": true}
//!   ]
//! }
//! ```
//!
//! A principal that is not listed has no policies of its account: it can do what the policies of keys allow it by name, and the
//! root user of an account everything that they allow the account.

use crate::json::Object;
use objseal_files::{Existing, NewFile};
use objseal_keys::key_file::check_private;
use objseal_keys::keyring::KeyringError;
use objseal_keys::kms::Principal;
use objseal_keys::policy::{Policy, PolicyOf};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest file, in bytes.
const MAX_LEN: u64 = 4 << 20;
/// What access keys of ours begin with.
const PREFIX: &str = "OSAK";
/// Letters of the rest of them, 16: RFC 4648, section 6.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Bytes of a secret access key: 40 characters in base64.
const SECRET_LEN: usize = 30;

/// Why there are no credentials.
#[derive(Debug)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file could not be read or written.
    Io(io::Error),
    /// Others can read it, or it is somebody else's.
    NotPrivate(KeyringError),
    /// It is not what it should be.
    Malformed(String),
    /// A policy in it is not understood.
    Policy {
        /// The ARN of whom it is attached to.
        principal: String,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotPrivate(error) => error.fmt(f),
            Self::Malformed(why) => write!(f, "not a file of credentials: {why}"),
            Self::Policy { principal, why } => write!(f, "policy of {principal}: {why}"),
        }
    }
}

impl std::error::Error for CredentialsError {}

impl From<io::Error> for CredentialsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Access keys, and whom they stand for.
#[derive(Debug, Default)]
pub struct Credentials {
    keys: BTreeMap<String, Credential>,
    principals: BTreeMap<String, Arc<Principal>>,
}

/// An access key.
pub struct Credential {
    /// Its id.
    pub access_key_id: String,
    /// Whom it stands for.
    pub principal: Arc<Principal>,
    /// Whether it is of a service that acts for others and says for whom.
    pub is_service: bool,
    secret: Zeroizing<String>,
}

/// All but the secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("principal", &self.principal.arn())
            .field("is_service", &self.is_service)
            .finish_non_exhaustive()
    }
}

impl Credential {
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

impl Credentials {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        Self::of(&Document::read(path)?)
    }

    /// The access key of this id.
    #[must_use]
    pub fn get(&self, access_key_id: &str) -> Option<&Credential> {
        self.keys.get(access_key_id)
    }

    /// The principal of this ARN, with the policies that are listed for it. A session of a role has those of the role, unless it is
    /// listed itself.
    ///
    /// # Errors
    /// [`CredentialsError::Malformed`] for what is no ARN of somebody in an account.
    pub fn principal(&self, arn: &str) -> Result<Arc<Principal>, CredentialsError> {
        check_arn(arn)?;
        let listed = self.principals.get(arn).cloned();
        let of_role = || self.role_of(arn).map(|role| Arc::new(role.session(arn)));
        Ok(listed.or_else(of_role).unwrap_or_else(|| Arc::new(Principal::new(arn))))
    }

    /// The role whose session this is, if it is listed: the names of roles are unique in an account, whatever their paths.
    fn role_of(&self, session: &str) -> Option<&Principal> {
        let fields: Vec<_> = session.splitn(6, ':').collect();
        let ["arn", partition, "sts", "", account, own] = fields[..] else { return None };
        let name = own.strip_prefix("assumed-role/")?.split('/').next()?;
        let start = format!("arn:{partition}:iam::{account}:role/");
        let is_it = |arn: &str| arn.strip_prefix(&start).is_some_and(|path| path.rsplit('/').next() == Some(name));
        self.principals.values().map(|principal| &**principal).find(|principal| is_it(principal.arn()))
    }

    /// All access keys, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.keys.values()
    }

    fn of(document: &Document) -> Result<Self, CredentialsError> {
        let mut found = Self::default();
        for Object(PrincipalEntry { arn, policies }) in &document.principals {
            check_arn(arn)?;
            let mut principal = Principal::new(arn.as_str());
            for policy in policies {
                principal = principal.with_policy(Arc::new(identity_policy(arn, policy)?));
            }
            if found.principals.insert(arn.clone(), Arc::new(principal)).is_some() {
                return Err(CredentialsError::Malformed(format!("{arn} is there twice")));
            }
        }
        for Object(entry) in &document.credentials {
            let id = &entry.access_key_id;
            let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !plain || !(16..=128).contains(&id.len()) {
                return Err(CredentialsError::Malformed("an access key id has 16 to 128 letters and digits".into()));
            }
            if entry.secret_access_key.len() < 16 {
                return Err(CredentialsError::Malformed(format!("the secret of {id} has less than 16 characters")));
            }
            let credential = Credential {
                access_key_id: id.clone(),
                principal: found.principal(&entry.principal)?,
                is_service: entry.service,
                secret: entry.secret_access_key.clone(),
            };
            if found.keys.insert(id.clone(), credential).is_some() {
                return Err(CredentialsError::Malformed(format!("{id} is there twice")));
            }
        }
        Ok(found)
    }
}

/// A new access key, which is shown once.
pub struct NewCredential {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Zeroizing<String>,
}

/// Adds a new access key to the file at `path`, and makes the file if there is none. The policies are attached to the principal,
/// beside those that it has.
///
/// # Errors
/// [`CredentialsError`]; [`CredentialsError::Policy`] for what is no policy.
pub fn add(
    path: &Path,
    principal: &str,
    is_service: bool,
    policies: Vec<String>,
) -> Result<NewCredential, CredentialsError> {
    let _lock = lock(path)?;
    let mut document = match Document::read(path) {
        Err(CredentialsError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Document::default(),
        document => document?,
    };
    let new = NewCredential::generate()?;
    document.credentials.push(Object(CredentialEntry {
        access_key_id: new.access_key_id.clone(),
        secret_access_key: new.secret_access_key.clone(),
        principal: principal.into(),
        service: is_service,
    }));
    if !policies.is_empty() {
        let wrong =
            |why: serde_json::Error| CredentialsError::Policy { principal: principal.into(), why: why.to_string() };
        let policies: Result<Vec<_>, _> = policies.into_iter().map(RawValue::from_string).collect();
        let policies = policies.map_err(wrong)?;
        match document.principals.iter_mut().find(|entry| entry.0.arn == principal) {
            Some(entry) => entry.0.policies.extend(policies),
            None => document.principals.push(Object(PrincipalEntry { arn: principal.into(), policies })),
        }
    }
    Credentials::of(&document)?;
    document.write(path)?;
    Ok(new)
}

/// Removes an access key from the file at `path`; says whether it was there.
///
/// # Errors
/// [`CredentialsError`].
pub fn remove(path: &Path, access_key_id: &str) -> Result<bool, CredentialsError> {
    let _lock = lock(path)?;
    let mut document = Document::read(path)?;
    let before = document.credentials.len();
    document.credentials.retain(|entry| entry.0.access_key_id != access_key_id);
    let removed = document.credentials.len() < before;
    if removed {
        document.write(path)?;
    }
    Ok(removed)
}

/// Keeps other changes of the file waiting. The lock has a file of its own, which stays, because the other one is replaced.
fn lock(path: &Path) -> Result<File, CredentialsError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let lock = options.create(true).truncate(false).write(true).open(name)?;
    lock.lock()?;
    Ok(lock)
}

impl NewCredential {
    fn generate() -> Result<Self, CredentialsError> {
        use base64ct::{Base64, Encoding};
        let mut bytes = Zeroizing::new([0; 16 + SECRET_LEN]);
        getrandom::fill(&mut bytes[..]).map_err(|error| io::Error::other(error.to_string()))?;
        let (id, secret) = bytes.split_at(16);
        let letters = id.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        Ok(Self {
            access_key_id: PREFIX.chars().chain(letters).collect(),
            secret_access_key: Zeroizing::new(Base64::encode_string(secret)),
        })
    }
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    principals: Vec<Object<PrincipalEntry>>,
    #[serde(default)]
    credentials: Vec<Object<CredentialEntry>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalEntry {
    arn: String,
    /// As they are written: parsed twice, a member that is there twice would be lost unseen.
    #[serde(default)]
    policies: Vec<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialEntry {
    access_key_id: String,
    #[serde(with = "secret_text")]
    secret_access_key: Zeroizing<String>,
    principal: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    service: bool,
}

impl Document {
    fn read(path: &Path) -> Result<Self, CredentialsError> {
        let file = File::open(path)?;
        check_private(&file.metadata()?).map_err(CredentialsError::NotPrivate)?;
        let mut text =
            Zeroizing::new(Vec::with_capacity(file.metadata()?.len().min(MAX_LEN).try_into().unwrap_or(0) + 1));
        file.take(MAX_LEN + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_LEN {
            return Err(CredentialsError::Malformed(format!("longer than {MAX_LEN} bytes")));
        }
        // Where it stands, but nothing of it: it has secrets.
        let place = |error: serde_json::Error| format!("line {}, column {}", error.line(), error.column());
        serde_json::from_slice(&text)
            .map(|Object(document)| document)
            .map_err(|error| CredentialsError::Malformed(place(error)))
    }

    fn write(&self, path: &Path) -> Result<(), CredentialsError> {
        let mut text = Zeroizing::new(Vec::with_capacity(1 << 16));
        serde_json::to_writer_pretty(&mut *text, self)
            .map_err(|error| CredentialsError::Malformed(error.to_string()))?;
        text.push(b'\n');
        let new = NewFile::create(path, Existing::Replace, 0o600)?;
        new.file().write_all(&text)?;
        Ok(new.commit()?)
    }
}

mod secret_text {
    //! A text that is wiped.

    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

fn identity_policy(arn: &str, policy: &RawValue) -> Result<Policy, CredentialsError> {
    let wrong = |why: String| CredentialsError::Policy { principal: arn.into(), why };
    let policy = Policy::parse(policy.get()).map_err(|error| wrong(error.to_string()))?;
    policy.check(PolicyOf::Identity).map_err(|error| wrong(error.to_string()))?;
    Ok(policy)
}

fn check_arn(arn: &str) -> Result<(), CredentialsError> {
    let account = Principal::new(arn).account().len() == 12;
    let plain = arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte));
    if arn.starts_with("arn:") && account && plain && arn.len() <= 2_048 {
        return Ok(());
    }
    Err(CredentialsError::Malformed("a principal is an ARN, such as arn:aws:iam::000000000000:user/alice".into()))
}
