//! What AWS KMS is asked, and what an answer must be.

use super::AwsKms;
use super::error::kms_error;
use crate::kms::{
    Call, Ciphertext, DataKey, KeyManager, KeyMetadata, KeyState, KmsError, KmsErrorKind, Origin, Plaintext,
    ReEncrypted, Source,
};
use crate::remote::{in_earnest, run};
use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types;
use objseal::Key;
use objseal::envelope::EncryptionContext;
use std::collections::HashMap;
use std::time::SystemTime;
use zeroize::Zeroizing;

impl AwsKms {
    /// GenerateDataKey.
    pub(super) async fn new_data_key(&self, call: &Call, key: &str) -> Result<DataKey, KmsError> {
        let dry_run = call.dry_run;
        let request = self
            .client
            .generate_data_key()
            .key_id(key)
            .key_spec(types::DataKeySpec::Aes256)
            .set_encryption_context(context(&call.context))
            .set_grant_tokens(grant_tokens(call))
            .set_dry_run(dry_run.then_some(true));
        let asked = self.asked(Some(key));
        run(&self.runtime, call.deadline, async move {
            let answer = request.send().await.map_err(|error| kms_error(error, &[]))?;
            let plaintext = secret(answer.plaintext)?;
            in_earnest(dry_run)?;
            let key_arn = asked.answered(answer.key_id)?;
            let plaintext = Key::try_from(&plaintext[..]).map_err(|_| strange("a data key that is not of 32 bytes"))?;
            let (blob, material_id) = (ciphertext(answer.ciphertext_blob)?, answer.key_material_id);
            Ok(DataKey { plaintext, ciphertext: Ciphertext { blob, key_arn, key_version: 0, material_id } })
        })
        .await
    }

    /// Decrypt.
    pub(super) async fn open(&self, call: &Call, key: Option<&str>, blob: &[u8]) -> Result<Plaintext, KmsError> {
        let dry_run = call.dry_run;
        let request = self
            .client
            .decrypt()
            .set_key_id(key.map(str::to_owned))
            .ciphertext_blob(Blob::new(blob))
            .set_encryption_context(context(&call.context))
            .set_grant_tokens(grant_tokens(call))
            .set_dry_run(dry_run.then_some(true));
        let asked = self.asked(key);
        run(&self.runtime, call.deadline, async move {
            let answer = request.send().await.map_err(|error| kms_error(error, &[]))?;
            let bytes = secret(answer.plaintext)?;
            in_earnest(dry_run)?;
            let key_arn = asked.answered(answer.key_id)?;
            Ok(Plaintext { bytes, key_arn, key_version: 0, material_id: answer.key_material_id })
        })
        .await
    }

    /// Encrypt.
    pub(super) async fn close(&self, call: &Call, key: &str, plaintext: &[u8]) -> Result<Ciphertext, KmsError> {
        let dry_run = call.dry_run;
        let request = self
            .client
            .encrypt()
            .key_id(key)
            .plaintext(Blob::new(plaintext))
            .set_encryption_context(context(&call.context))
            .set_grant_tokens(grant_tokens(call))
            .set_dry_run(dry_run.then_some(true));
        let asked = self.asked(Some(key));
        let secret = Zeroizing::new(plaintext.to_vec());
        run(&self.runtime, call.deadline, async move {
            let answer = request.send().await.map_err(|error| kms_error(error, &secret))?;
            in_earnest(dry_run)?;
            let key_arn = asked.answered(answer.key_id)?;
            Ok(Ciphertext { blob: ciphertext(answer.ciphertext_blob)?, key_arn, key_version: 0, material_id: None })
        })
        .await
    }

    /// ReEncrypt.
    pub(super) async fn close_anew(
        &self,
        call: &Call,
        source: &Source<'_>,
        key: &str,
    ) -> Result<ReEncrypted, KmsError> {
        let dry_run = call.dry_run;
        let request = self
            .client
            .re_encrypt()
            .set_source_key_id(source.key.map(str::to_owned))
            .ciphertext_blob(Blob::new(source.blob))
            .set_source_encryption_context(context(source.context))
            .destination_key_id(key)
            .set_destination_encryption_context(context(&call.context))
            .set_grant_tokens(grant_tokens(call))
            .set_dry_run(dry_run.then_some(true));
        let (old, new) = (self.asked(source.key), self.asked(Some(key)));
        run(&self.runtime, call.deadline, async move {
            let answer = request.send().await.map_err(|error| kms_error(error, &[]))?;
            in_earnest(dry_run)?;
            let source_key_arn = old.answered(answer.source_key_id)?;
            let ciphertext = Ciphertext {
                blob: ciphertext(answer.ciphertext_blob)?,
                key_arn: new.answered(answer.key_id)?,
                key_version: 0,
                material_id: answer.destination_key_material_id,
            };
            Ok(ReEncrypted {
                ciphertext,
                source_key_arn,
                source_key_version: 0,
                source_material_id: answer.source_key_material_id,
            })
        })
        .await
    }

    /// DescribeKey.
    pub(super) async fn look_up(&self, call: &Call, key: &str) -> Result<KeyMetadata, KmsError> {
        let request = self.client.describe_key().key_id(key).set_grant_tokens(grant_tokens(call));
        let asked = self.asked(Some(key));
        run(&self.runtime, call.deadline, async move {
            let answer = request.send().await.map_err(|error| kms_error(error, &[]))?;
            metadata(answer.key_metadata.ok_or_else(|| strange("no metadata"))?, &asked)
        })
        .await
    }

    fn asked(&self, key: Option<&str>) -> Asked {
        Asked { name: key.map(str::to_owned), region: self.region.clone() }
    }
}

/// The pairs of a call, exactly.
fn context(context: &EncryptionContext) -> Option<HashMap<String, String>> {
    let pairs = context.iter().map(|(key, value)| (key.into(), value.into())).collect();
    (!context.is_empty()).then_some(pairs)
}

fn grant_tokens(call: &Call) -> Option<Vec<String>> {
    (!call.grant_tokens.is_empty()).then(|| call.grant_tokens.clone())
}

/// The secret of an answer, to be wiped whatever else the answer is.
fn secret(plaintext: Option<Blob>) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    plaintext.map(|blob| Zeroizing::new(blob.into_inner())).ok_or_else(|| strange("no plaintext"))
}

fn ciphertext(blob: Option<Blob>) -> Result<Vec<u8>, KmsError> {
    let blob = blob.map(Blob::into_inner).filter(|blob| !blob.is_empty());
    blob.ok_or_else(|| strange("no ciphertext"))
}

/// The key that a call is about.
struct Asked {
    /// As what it was named, if it was.
    name: Option<String>,
    region: Option<String>,
}

impl Asked {
    /// The ARN of the key that an answer is of, which is the one that was asked for.
    fn answered(&self, arn: Option<String>) -> Result<String, KmsError> {
        let arn = arn.ok_or_else(|| strange("no ARN of a key"))?;
        let Some(key) = Arn::read(&arn).filter(|key| key.own.starts_with("key/")) else {
            return Err(strange("no ARN of a key"));
        };
        let fits = match self.name.as_deref().map(|name| (name, Arn::read(name))) {
            // What an alias stands for only the service knows; it is where the alias is.
            Some((_, Some(alias))) if alias.own.starts_with("alias/") => alias.place == key.place,
            Some((name, None)) if name.starts_with("alias/") => true,
            Some((id, None)) if !id.contains(':') => key.own.strip_prefix("key/") == Some(id),
            Some((name, _)) => name == arn,
            None => true,
        };
        let here = self.region.as_deref().is_none_or(|region| region == key.place[1]);
        let message = "the answer is of another key";
        if fits && here { Ok(arn) } else { Err(KmsError::new(KmsErrorKind::IncorrectKey, message)) }
    }
}

/// An ARN of KMS.
struct Arn<'a> {
    /// Partition, region and account.
    place: [&'a str; 3],
    own: &'a str,
}

impl<'a> Arn<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let fields: Vec<_> = text.splitn(6, ':').collect();
        match fields[..] {
            ["arn", partition, "kms", region, account, own] => Some(Self { place: [partition, region, account], own }),
            _ => None,
        }
    }
}

fn metadata(answer: types::KeyMetadata, asked: &Asked) -> Result<KeyMetadata, KmsError> {
    let arn = asked.answered(answer.arn)?;
    let symmetric = answer.key_spec.is_none_or(|spec| spec == types::KeySpec::SymmetricDefault);
    if !symmetric || answer.key_usage.is_some_and(|usage| usage != types::KeyUsageType::EncryptDecrypt) {
        return Err(KmsError::new(KmsErrorKind::InvalidKeyUsage, format!("{arn} does not encrypt data keys")));
    }
    let mut metadata = KeyMetadata::new(arn, state(answer.key_state.as_ref())?);
    metadata.key_id = answer.key_id;
    metadata.description = answer.description.unwrap_or_default();
    if answer.key_manager == Some(types::KeyManagerType::Aws) {
        metadata.manager = KeyManager::Aws;
    }
    if matches!(answer.origin, Some(types::OriginType::External | types::OriginType::ExternalKeyStore)) {
        metadata.origin = Origin::External;
    }
    metadata.created = time(answer.creation_date).unwrap_or(SystemTime::UNIX_EPOCH);
    metadata.deletion = time(answer.deletion_date);
    metadata.valid_to = time(answer.valid_to);
    metadata.material_id = answer.current_key_material_id;
    Ok(metadata)
}

fn state(state: Option<&types::KeyState>) -> Result<KeyState, KmsError> {
    match state {
        Some(types::KeyState::Enabled) => Ok(KeyState::Enabled),
        Some(types::KeyState::Disabled) => Ok(KeyState::Disabled),
        Some(types::KeyState::PendingDeletion | types::KeyState::PendingReplicaDeletion) => {
            Ok(KeyState::PendingDeletion)
        }
        Some(types::KeyState::PendingImport) => Ok(KeyState::PendingImport),
        Some(types::KeyState::Unavailable) => {
            Err(KmsError::new(KmsErrorKind::KeyUnavailable, "the key store of the key is not connected"))
        }
        Some(other) => Err(KmsError::new(KmsErrorKind::InvalidState, format!("the key is {}", other.as_str()))),
        None => Err(strange("no state of the key")),
    }
}

fn time(time: Option<DateTime>) -> Option<SystemTime> {
    time.and_then(|time| SystemTime::try_from(time).ok())
}

fn strange(what: &str) -> KmsError {
    KmsError::new(KmsErrorKind::Internal, format!("AWS KMS answered with {what}"))
}
