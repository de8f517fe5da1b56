//! New data keys, and random bytes.

use super::LocalKms;
use super::access::Asked;
use super::data::in_earnest;
use crate::kms::{Call, Ciphertext, DataKey, KmsError, KmsErrorKind};
use objseal::{Key, RandomError};
use zeroize::Zeroizing;

/// Most bytes of a data key, and of random bytes (AWS KMS API Reference, NumberOfBytes).
const MAX_LEN: usize = 1_024;

impl LocalKms {
    /// A new data key of 1 to 1,024 bytes under the current version of a key (`kms:GenerateDataKey`).
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::Validation`] for another length.
    pub fn generate_data_key_of(
        &self,
        call: &Call,
        key: &str,
        len: usize,
    ) -> Result<(Zeroizing<Vec<u8>>, Ciphertext), KmsError> {
        self.sealed_random(call, "GenerateDataKey", key, len)
    }

    /// The same for those who only keep it for others (`kms:GenerateDataKeyWithoutPlaintext`).
    ///
    /// # Errors
    /// As for [`generate_data_key_of`](Self::generate_data_key_of).
    pub fn generate_data_key_without_plaintext(
        &self,
        call: &Call,
        key: &str,
        len: usize,
    ) -> Result<Ciphertext, KmsError> {
        let (_, ciphertext) = self.sealed_random(call, "GenerateDataKeyWithoutPlaintext", key, len)?;
        Ok(ciphertext)
    }

    /// 1 to 1,024 random bytes (`kms:GenerateRandom`, which the account decides). Nothing comes of it, so a call that
    /// is only to be tried is made.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::Validation`] for another length.
    pub fn generate_random(&self, call: &Call, len: usize) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.run(call, "GenerateRandom", |_, _| {
            self.require_of_account(call, &Asked::of("GenerateRandom"), "*")?;
            random(len)
        })
    }

    pub(super) fn new_data_key(&self, call: &Call, key: &str) -> Result<DataKey, KmsError> {
        let (plaintext, ciphertext) = self.sealed_random(call, "GenerateDataKey", key, Key::LEN)?;
        let plaintext = Key::try_from(&plaintext[..]);
        let plaintext = plaintext.map_err(|error| KmsError::new(KmsErrorKind::Internal, error.to_string()))?;
        Ok(DataKey { plaintext, ciphertext })
    }

    fn sealed_random(
        &self,
        call: &Call,
        operation: &str,
        key: &str,
        len: usize,
    ) -> Result<(Zeroizing<Vec<u8>>, Ciphertext), KmsError> {
        self.make_service_key_if_named(call, key)?;
        self.rotate_if_due(call, key);
        self.run(call, operation, |contents, line| {
            let used = self.usable(contents, line, call, key, &Asked::of(operation))?;
            check_len(len)?;
            in_earnest(call)?;
            let plaintext = random(len)?;
            let ciphertext = self.seal(&used, &plaintext, &call.context)?;
            Ok((plaintext, ciphertext))
        })
    }
}

fn random(len: usize) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    check_len(len)?;
    let mut bytes = Zeroizing::new(vec![0; len]);
    getrandom::fill(&mut bytes).map_err(|_| RandomError::new())?;
    Ok(bytes)
}

fn check_len(len: usize) -> Result<(), KmsError> {
    if (1..=MAX_LEN).contains(&len) {
        return Ok(());
    }
    Err(KmsError::new(KmsErrorKind::Validation, format!("there are 1 to {MAX_LEN} bytes at a time")))
}
