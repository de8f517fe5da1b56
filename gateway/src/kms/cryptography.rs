//! Data keys, encrypt, decrypt, random bytes.

use super::failure::Failure;
use super::operations::Operation;
use super::wire::{Blob, Bounded, Context, GrantTokens, SYMMETRIC, check_absent, check_algorithm, check_bounds};
use objseal_keys::kms::{Call, Ciphertext, Kms, Source, block_on};
use objseal_keys::local::LocalKms;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Least and most bytes of a data key, or of random ones (API Reference).
const NUMBER_OF_BYTES: (usize, usize) = (1, 1_024);
/// The same of a plaintext.
const PLAINTEXT: (usize, usize) = (1, 4_096);

/// What all of them may have.
fn with(
    call: Call,
    context: Option<Context>,
    grant_tokens: Option<GrantTokens>,
    dry_run: Option<bool>,
) -> Result<Call, Failure> {
    let mut call = call.with_context(context.unwrap_or_default().0);
    call.grant_tokens = grant_tokens.unwrap_or_default().check()?;
    call.dry_run = dry_run.unwrap_or_default();
    Ok(call)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GenerateDataKey {
    key_id: String,
    encryption_context: Option<Context>,
    number_of_bytes: Option<usize>,
    key_spec: Option<String>,
    grant_tokens: Option<GrantTokens>,
    recipient: Option<Value>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataKey {
    ciphertext_blob: Blob,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<Blob>,
    key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_material_id: Option<String>,
}

impl DataKey {
    fn of(ciphertext: Ciphertext, plaintext: Option<Blob>) -> Self {
        let Ciphertext { blob, key_arn, material_id, .. } = ciphertext;
        Self { ciphertext_blob: blob.into(), plaintext, key_id: key_arn, key_material_id: material_id }
    }
}

/// Bytes of a data key.
fn len_of(number_of_bytes: Option<usize>, key_spec: Option<&str>) -> Result<usize, Failure> {
    match (number_of_bytes, key_spec) {
        (Some(len), None) => check_bounds("numberOfBytes", Bounded::Number(len), NUMBER_OF_BYTES).map(|()| len),
        (None, Some("AES_256")) => Ok(32),
        (None, Some("AES_128")) => Ok(16),
        (None, Some(_)) => Err(Failure::validation("KeySpec is AES_256 or AES_128")),
        _ => Err(Failure::validation("Please specify either number of bytes or key spec.")),
    }
}

impl Operation for GenerateDataKey {
    type Answer = DataKey;

    fn run(self, kms: &LocalKms, call: Call) -> Result<DataKey, Failure> {
        check_absent("Recipient", &self.recipient)?;
        let len = len_of(self.number_of_bytes, self.key_spec.as_deref())?;
        let call = with(call, self.encryption_context, self.grant_tokens, self.dry_run)?;
        let (plaintext, ciphertext) = kms.generate_data_key_of(&call, &self.key_id, len)?;
        Ok(DataKey::of(ciphertext, Some(Blob(plaintext))))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GenerateDataKeyWithoutPlaintext {
    key_id: String,
    encryption_context: Option<Context>,
    number_of_bytes: Option<usize>,
    key_spec: Option<String>,
    grant_tokens: Option<GrantTokens>,
    dry_run: Option<bool>,
}

impl Operation for GenerateDataKeyWithoutPlaintext {
    type Answer = DataKey;

    fn run(self, kms: &LocalKms, call: Call) -> Result<DataKey, Failure> {
        let len = len_of(self.number_of_bytes, self.key_spec.as_deref())?;
        let call = with(call, self.encryption_context, self.grant_tokens, self.dry_run)?;
        Ok(DataKey::of(kms.generate_data_key_without_plaintext(&call, &self.key_id, len)?, None))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Encrypt {
    key_id: String,
    plaintext: Blob,
    encryption_context: Option<Context>,
    grant_tokens: Option<GrantTokens>,
    encryption_algorithm: Option<String>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Encrypted {
    ciphertext_blob: Blob,
    key_id: String,
    encryption_algorithm: &'static str,
}

impl Operation for Encrypt {
    type Answer = Encrypted;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Encrypted, Failure> {
        check_algorithm(self.encryption_algorithm.as_deref())?;
        check_bounds("plaintext", Bounded::Length(self.plaintext.0.len()), PLAINTEXT)?;
        let call = with(call, self.encryption_context, self.grant_tokens, self.dry_run)?;
        let Ciphertext { blob, key_arn, .. } = block_on(kms.encrypt(&call, &self.key_id, &self.plaintext.0))?;
        Ok(Encrypted { ciphertext_blob: blob.into(), key_id: key_arn, encryption_algorithm: SYMMETRIC })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Decrypt {
    // Only dry runs of AWS KMS can be without it.
    ciphertext_blob: Blob,
    encryption_context: Option<Context>,
    grant_tokens: Option<GrantTokens>,
    key_id: Option<String>,
    encryption_algorithm: Option<String>,
    recipient: Option<Value>,
    dry_run: Option<bool>,
    dry_run_modifiers: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Decrypted {
    key_id: String,
    plaintext: Blob,
    encryption_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_material_id: Option<String>,
}

impl Operation for Decrypt {
    type Answer = Decrypted;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Decrypted, Failure> {
        check_absent("Recipient", &self.recipient)?;
        check_absent("DryRunModifiers", &self.dry_run_modifiers)?;
        check_algorithm(self.encryption_algorithm.as_deref())?;
        let call = with(call, self.encryption_context, self.grant_tokens, self.dry_run)?;
        let opened = block_on(kms.decrypt(&call, self.key_id.as_deref(), &self.ciphertext_blob.0))?;
        Ok(Decrypted {
            key_id: opened.key_arn,
            plaintext: Blob(opened.bytes),
            encryption_algorithm: SYMMETRIC,
            key_material_id: opened.material_id,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ReEncrypt {
    ciphertext_blob: Blob,
    source_encryption_context: Option<Context>,
    source_key_id: Option<String>,
    destination_key_id: String,
    destination_encryption_context: Option<Context>,
    source_encryption_algorithm: Option<String>,
    destination_encryption_algorithm: Option<String>,
    grant_tokens: Option<GrantTokens>,
    dry_run: Option<bool>,
    dry_run_modifiers: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReEncrypted {
    ciphertext_blob: Blob,
    source_key_id: String,
    key_id: String,
    source_encryption_algorithm: &'static str,
    destination_encryption_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_key_material_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_key_material_id: Option<String>,
}

impl Operation for ReEncrypt {
    type Answer = ReEncrypted;

    fn run(self, kms: &LocalKms, call: Call) -> Result<ReEncrypted, Failure> {
        check_absent("DryRunModifiers", &self.dry_run_modifiers)?;
        check_algorithm(self.source_encryption_algorithm.as_deref())?;
        check_algorithm(self.destination_encryption_algorithm.as_deref())?;
        let call = with(call, self.destination_encryption_context, self.grant_tokens, self.dry_run)?;
        let context = self.source_encryption_context.unwrap_or_default().0;
        let source = Source { key: self.source_key_id.as_deref(), blob: &self.ciphertext_blob.0, context: &context };
        let anew = block_on(kms.re_encrypt(&call, &source, &self.destination_key_id))?;
        Ok(ReEncrypted {
            ciphertext_blob: anew.ciphertext.blob.into(),
            source_key_id: anew.source_key_arn,
            key_id: anew.ciphertext.key_arn,
            source_encryption_algorithm: SYMMETRIC,
            destination_encryption_algorithm: SYMMETRIC,
            source_key_material_id: anew.source_material_id,
            destination_key_material_id: anew.ciphertext.material_id,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GenerateRandom {
    number_of_bytes: Option<usize>,
    custom_key_store_id: Option<Value>,
    recipient: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Random {
    plaintext: Blob,
}

impl Operation for GenerateRandom {
    type Answer = Random;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Random, Failure> {
        check_absent("CustomKeyStoreId", &self.custom_key_store_id)?;
        check_absent("Recipient", &self.recipient)?;
        let len = self.number_of_bytes.ok_or_else(|| Failure::validation("NumberOfBytes is required."))?;
        check_bounds("numberOfBytes", Bounded::Number(len), NUMBER_OF_BYTES)?;
        Ok(Random { plaintext: Blob(kms.generate_random(&call, len)?) })
    }
}
