//! One interface to key management services, whoever answers: this process, or a server far away.
//!
//! A service is asked for [`WrappingKey`]s, which wrap data keys in this process; it never sees a data key. Every call says who
//! asks, for which service, under which encryption context and until when ([`Call`]). Formats that need the data key itself
//! use [`DataKeys`].
//!
//! | file | what |
//! |---|---|
//! | `call` | what goes with every call |
//! | `error` | why not, by the names of AWS KMS |
//! | `blocking` | the same for programs without an executor, and for `objseal::envelope` |
//! | `operation` | what a service does, as a count or a log names it |
//! | `testing` | a service that fails when it is told to |

mod blocking;
mod call;
mod error;
mod operation;
pub mod testing;

pub use crate::policy::Principal;
pub use blocking::{Blocking, block_on};
pub use call::Call;
pub(crate) use call::service_name;
pub use error::{KmsError, KmsErrorKind};
pub use operation::Operation;

use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyKind, KeyRequest, ServiceContext, WrappingKey};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// An answer that may come later. Dropping it is safe at any time: the call was made whole, or not at all.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, KmsError>> + Send + 'a>>;

/// What a new wrapping key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Purpose {
    /// For one object ([`KeyKind::Object`]) or for many ([`KeyKind::Shared`]). Only those for many are cached.
    pub kind: KeyKind,
    /// How whoever opens finds the encryption context of the call again.
    pub context: ServiceContext,
}

/// A wrapping key as it is stored: what a service needs to give it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The ARN of the root key.
    pub key_id: String,
    /// The version of the root key; 0 where the service keeps that to itself.
    pub key_version: u32,
    /// As it was made.
    pub purpose: Purpose,
    /// The ciphertext.
    pub blob: Vec<u8>,
}

impl From<&KeyRequest> for StoredKey {
    fn from(request: &KeyRequest) -> Self {
        Self {
            key_id: request.key_id().into(),
            key_version: request.key_version(),
            purpose: Purpose { kind: request.kind(), context: request.service_context() },
            blob: request.blob().into(),
        }
    }
}

/// What somebody may do with a key, as far as data keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Have new wrapping keys: `kms:GenerateDataKey`.
    Generate,
    /// Have them again: `kms:Decrypt`.
    Decrypt,
}

/// How a key is at the moment, for somebody who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The ARN that the name stands for.
    pub key_arn: String,
    /// The version that is used for what is new.
    pub current_version: u32,
}

/// A key management service.
///
/// A key is named by its id, its ARN, an alias (`alias/photos`) or the ARN of an alias, where the service knows these.
pub trait Kms: fmt::Debug + Send + Sync {
    /// The name that stands in every wrapped key of this service.
    fn service(&self) -> &str;

    /// A new wrapping key under the current version of a key (`kms:GenerateDataKey`).
    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>>;

    /// A wrapping key again (`kms:Decrypt`).
    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>>;

    /// Encrypts up to 4,096 bytes (`kms:Encrypt`).
    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext>;

    /// Decrypts (`kms:Decrypt`). A `key` that is named must be the one that encrypted.
    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext>;

    /// Decrypts under the context of `source` and encrypts under that of the call (`kms:ReEncryptFrom`, `kms:ReEncryptTo`). The
    /// plaintext stays in the service.
    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted>;

    /// Says how a key is (`kms:DescribeKey`).
    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata>;

    /// Whether the call would be granted `right` now, so that a cache can ask before it gives out what it has. `None` if only
    /// a call would tell.
    ///
    /// It is a use of the key, and audited as one.
    fn standing<'a>(&'a self, call: &'a Call, key: &'a str, right: Right) -> Answer<'a, Option<Standing>>;
}

/// A key management service for formats that need the data key itself.
pub trait DataKeys: Kms {
    /// A new data key under the current version of a key (`kms:GenerateDataKey`).
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey>;

    /// A data key again (`kms:Decrypt`).
    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey>;
}

/// A data key, and its ciphertext.
#[derive(Debug)]
pub struct DataKey {
    /// The data key.
    pub plaintext: Key,
    /// It under the root key.
    pub ciphertext: Ciphertext,
}

/// A ciphertext, and the key that it is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    /// At most 6,144 bytes.
    pub blob: Vec<u8>,
    /// The ARN of the key.
    pub key_arn: String,
    /// The version of the key; 0 where the service keeps that to itself.
    pub key_version: u32,
    /// The id of the material of that version, where the service tells it.
    pub material_id: Option<String>,
}

/// What a ciphertext opened to. It is wiped when dropped.
pub struct Plaintext {
    /// At most 4,096 bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The ARN of the key that it was under.
    pub key_arn: String,
    /// The version of the key; 0 where the service keeps that to itself.
    pub key_version: u32,
    /// The id of the material of that version, where the service tells it.
    pub material_id: Option<String>,
}

/// All but the bytes.
impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plaintext").field("key_arn", &self.key_arn).finish_non_exhaustive()
    }
}

/// A ciphertext that is to be encrypted anew.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The key that it must be under, if one is demanded.
    pub key: Option<&'a str>,
    /// The ciphertext.
    pub blob: &'a [u8],
    /// The encryption context that it is bound to.
    pub context: &'a EncryptionContext,
}

/// A ciphertext that was encrypted anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReEncrypted {
    /// It, and the key that it is under now.
    pub ciphertext: Ciphertext,
    /// The ARN of the key that it was under.
    pub source_key_arn: String,
    /// The version of that key; 0 where the service keeps that to itself.
    pub source_key_version: u32,
    /// The id of the material of that version, where the service tells it.
    pub source_material_id: Option<String>,
}

/// In which state a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum KeyState {
    /// In use.
    Enabled,
    /// Not in use until it is enabled.
    Disabled,
    /// To be deleted at a date, unless that is cancelled.
    PendingDeletion,
    /// Without material, which is to be imported.
    PendingImport,
}

/// Who manages a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum KeyManager {
    /// The service itself.
    #[serde(rename = "AWS")]
    Aws,
    /// Its user.
    #[serde(rename = "CUSTOMER")]
    Customer,
}

/// Where the material of a key is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Origin {
    /// Made by the service.
    #[serde(rename = "AWS_KMS")]
    Service,
    /// Imported.
    #[serde(rename = "EXTERNAL")]
    External,
}

impl Origin {
    /// As AWS KMS names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "AWS_KMS",
            Self::External => "EXTERNAL",
        }
    }
}

/// How a key is: what DescribeKey says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyMetadata {
    /// Its id, a UUID.
    pub key_id: String,
    /// Its ARN, which never changes.
    pub arn: String,
    /// Its description.
    pub description: String,
    /// Its state.
    pub state: KeyState,
    /// Who manages it.
    pub manager: KeyManager,
    /// Where its material is from.
    pub origin: Origin,
    /// When it was made.
    pub created: SystemTime,
    /// When it is to be deleted.
    pub deletion: Option<SystemTime>,
    /// When its imported material ends.
    pub valid_to: Option<SystemTime>,
    /// The version that is used for what is new, from 1; 0 without material.
    pub current_version: u32,
    /// The id of its material, 64 hexadecimal digits.
    pub material_id: Option<String>,
}

impl KeyMetadata {
    /// A key of this ARN in this state, managed by its user, with material of the service, made in 1970, at version 0: for services that
    /// fill in what they know.
    #[must_use]
    pub fn new(arn: impl Into<String>, state: KeyState) -> Self {
        let arn = arn.into();
        let key_id = arn.rsplit('/').next().unwrap_or_default().into();
        Self {
            key_id,
            arn,
            description: String::new(),
            state,
            manager: KeyManager::Customer,
            origin: Origin::Service,
            created: SystemTime::UNIX_EPOCH,
            deletion: None,
            valid_to: None,
            current_version: 0,
            material_id: None,
        }
    }
}
