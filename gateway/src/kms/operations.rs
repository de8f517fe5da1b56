//! Which operations there are, and which there are not.

use super::failure::Failure;
use super::{aliases, cryptography, grants, import, keys, policies, rotation, tags};
use crate::text::shown;
use objseal_keys::kms::Call;
use objseal_keys::local::LocalKms;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use zeroize::Zeroizing;

/// What a request asks for, as JSON has it.
pub(super) trait Operation: DeserializeOwned {
    /// What is answered.
    type Answer: Serialize;

    /// Does it.
    fn run(self, kms: &LocalKms, call: Call) -> Result<Self::Answer, Failure>;
}

/// Answers the body of a request.
pub(super) type Answer = fn(&LocalKms, Call, &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure>;

/// Longest answer that is made without moving, in bytes: room for all that is secret, which is short.
const SECRET_ANSWER_LEN: usize = 16 << 10;

macro_rules! operations {
    ($($name:ident in $module:ident),* $(,)?) => {
        /// The operations that there are.
        pub const PRESENT: &[&str] = &[$(stringify!($name)),*];

        fn present(name: &str) -> Option<Answer> {
            match name {
                $(stringify!($name) => Some(answer::<$module::$name>),)*
                _ => None,
            }
        }
    };
}

operations! {
    CancelKeyDeletion in keys,
    CreateAlias in aliases,
    CreateGrant in grants,
    CreateKey in keys,
    Decrypt in cryptography,
    DeleteAlias in aliases,
    DeleteImportedKeyMaterial in import,
    DescribeKey in keys,
    DisableKey in keys,
    DisableKeyRotation in rotation,
    EnableKey in keys,
    EnableKeyRotation in rotation,
    Encrypt in cryptography,
    GenerateDataKey in cryptography,
    GenerateDataKeyWithoutPlaintext in cryptography,
    GenerateRandom in cryptography,
    GetKeyPolicy in policies,
    GetKeyRotationStatus in rotation,
    GetParametersForImport in import,
    ImportKeyMaterial in import,
    ListAliases in aliases,
    ListGrants in grants,
    ListKeyPolicies in policies,
    ListKeyRotations in rotation,
    ListKeys in keys,
    ListResourceTags in tags,
    ListRetirableGrants in grants,
    PutKeyPolicy in policies,
    ReEncrypt in cryptography,
    RetireGrant in grants,
    RevokeGrant in grants,
    RotateKeyOnDemand in rotation,
    ScheduleKeyDeletion in keys,
    TagResource in tags,
    UntagResource in tags,
    UpdateAlias in aliases,
    UpdateKeyDescription in keys,
}

/// Operations of AWS KMS that are not there: for keys of pairs and for signatures, for stores of others, for keys in many regions.
pub const ABSENT: &[&str] = &[
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "Decapsulate",
    "DeleteCustomKeyStore",
    "DeriveSharedSecret",
    "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore",
    "Encapsulate",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "GetKeyLastUsage",
    "GetPublicKey",
    "ReplicateKey",
    "Sign",
    "UpdateCustomKeyStore",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
];

/// What answers an operation.
pub(super) fn find(name: &str) -> Result<Answer, Failure> {
    present(name).ok_or_else(|| match name {
        name if ABSENT.contains(&name) => Failure::unsupported(format!("{name} is not there in this service")),
        name => Failure::unknown_operation(format!("'{}'", shown(name))),
    })
}

fn answer<O: Operation>(kms: &LocalKms, call: Call, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let body = if body.is_empty() { b"{}" } else { body.trim_ascii() };
    // An array would be taken for the parameters in their order.
    if !body.starts_with(b"{") {
        return Err(Failure::serialization("the body is a JSON object"));
    }
    // It may show what was sent, to whoever sent it.
    let request: O = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Failure::validation(error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => Failure::serialization(error.to_string()),
    })?;
    let answer = request.run(kms, call)?;
    let mut text = Zeroizing::new(Vec::with_capacity(SECRET_ANSWER_LEN));
    serde_json::to_writer(&mut *text, &answer).map_err(|_| Failure::internal())?;
    // Operations that answer nothing have no body.
    if &text[..] == b"null" {
        text.clear();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_absent() {
        assert!(PRESENT.iter().all(|name| !ABSENT.contains(name) && present(name).is_some()));
        assert!([PRESENT, ABSENT].iter().all(|names| names.is_sorted()));
    }
}
