//! Import: material of keys that is the user's own.
//!
//! AWS KMS Developer Guide, "Importing key material". The private key under which the material arrives is kept nowhere:
//! it is sealed into the token that whoever imports brings back. FORMAT.md, section 5.

use super::LocalKms;
use super::access::Asked;
use super::blob::put;
use super::contents::invalid_state;
use super::data::in_earnest;
use super::keys::check_not_pending_deletion;
use super::material::check_origin;
use super::record::{DAY, RotationType, StoredKey, Version};
use crate::clock::{from_unix_seconds, unix_seconds};
use crate::kms::{Call, KeyState, KmsError, KmsErrorKind, Origin};
use objseal::Key;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// Longest token, in bytes (AWS KMS API Reference, ImportToken).
const MAX_TOKEN_LEN: usize = 6_144;

/// How material is wrapped on its way, by the names of AWS KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapping {
    /// Such as `RSAES_OAEP_SHA_256`.
    pub algorithm: String,
    /// Such as `RSA_4096`.
    pub spec: String,
}

impl Wrapping {
    /// With this algorithm, under a key of this kind.
    #[must_use]
    pub fn new(algorithm: impl Into<String>, spec: impl Into<String>) -> Self {
        Self { algorithm: algorithm.into(), spec: spec.into() }
    }
}

/// What whoever imports material brings back with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportToken {
    /// At most 6,144 bytes.
    pub token: Vec<u8>,
    /// The ARN of the key that it is for.
    pub key_arn: String,
    /// When it is no longer taken.
    pub valid_to: SystemTime,
}

impl LocalKms {
    /// Begins an import into a key of [`Origin::External`] (`kms:GetParametersForImport`). `make` makes the private
    /// key, whose public key the material is to be wrapped under, once it is clear that the call may have it. The
    /// token, which is valid for 24 hours, is all that keeps it.
    ///
    /// # Errors
    /// [`KmsError`], of `make` as well; [`KmsErrorKind::UnsupportedOperation`] for a key whose material is the
    /// service's own.
    pub fn begin_import(
        &self,
        call: &Call,
        key: &str,
        how: &Wrapping,
        make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, KmsError>,
    ) -> Result<ImportToken, KmsError> {
        let asked = Asked::of("GetParametersForImport")
            .with("kms:WrappingAlgorithm", how.algorithm.as_str())
            .with("kms:WrappingKeySpec", how.spec.as_str());
        self.run(call, asked.operation, |contents, line| {
            let now = self.now();
            let used = self.allowed(contents, line, call, key, &asked)?;
            check_origin(&used.arn, &used.stored, Origin::External)?;
            check_not_pending_deletion(&used.arn, &used.stored, now)?;
            in_earnest(call)?;
            let valid_to = now.saturating_add(DAY);
            let message = self.row_keys.seal_token(used.stored.record.id, &said(how, valid_to, &make()?))?;
            let token = [&[VERSION], &message[..]].concat();
            if token.len() > MAX_TOKEN_LEN {
                return Err(KmsError::new(KmsErrorKind::Internal, "the wrapping key is too long for a token"));
            }
            Ok(ImportToken { token, key_arn: used.arn, valid_to: from_unix_seconds(valid_to) })
        })
    }

    /// Gives a key the material that `open` opens with what the token of [`begin_import`](Self::begin_import) says, its
    /// private key among it, and returns the id of the material. All else is as for
    /// [`import_material`](Self::import_material). Nobody else changes the store while `open` works.
    ///
    /// # Errors
    /// As for [`import_material`](Self::import_material), and those of `open`;
    /// [`KmsErrorKind::InvalidImportToken`] for a token of another key or store, or one that was changed,
    /// [`KmsErrorKind::ExpiredImportToken`] for one that is too old.
    pub fn import_wrapped(
        &self,
        call: &Call,
        key: &str,
        token: &[u8],
        open: impl FnOnce(&Wrapping, &[u8]) -> Result<Key, KmsError>,
        valid_to: Option<SystemTime>,
    ) -> Result<String, KmsError> {
        self.import(call, key, valid_to, |stored, now| {
            let invalid = || KmsError::new(KmsErrorKind::InvalidImportToken, "this is not a token for this key");
            let message = token.strip_prefix(&[VERSION]).ok_or_else(invalid)?;
            let said = self.row_keys.open_token(stored.record.id, message).ok_or_else(invalid)?;
            let (how, end, private_key) = understood(&said).ok_or_else(invalid)?;
            if end <= now {
                return Err(KmsError::new(KmsErrorKind::ExpiredImportToken, "the token is too old; get another one"));
            }
            open(&how, private_key)
        })
    }

    /// Gives a key of [`Origin::External`] its material, perhaps until a time (`kms:ImportKeyMaterial`). Material that
    /// was deleted, or came to its end, can only be given again: what is encrypted would not open under another.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::IncorrectKeyMaterial`] for other material than before,
    /// [`KmsErrorKind::UnsupportedOperation`] for a key whose material is the service's own.
    pub fn import_material(
        &self,
        call: &Call,
        key: &str,
        material: &Key,
        valid_to: Option<SystemTime>,
    ) -> Result<(), KmsError> {
        self.import(call, key, valid_to, |_, _| Ok(Key::from_bytes(material.expose_secret()))).map(drop)
    }

    fn import(
        &self,
        call: &Call,
        key: &str,
        valid_to: Option<SystemTime>,
        material: impl FnOnce(&StoredKey, u64) -> Result<Key, KmsError>,
    ) -> Result<String, KmsError> {
        let valid_to = valid_to.map(unix_seconds);
        let mut asked = Asked::of("ImportKeyMaterial");
        asked = match valid_to {
            Some(end) => asked.with("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES").with("kms:ValidTo", end.to_string()),
            None => asked.with("kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"),
        };
        self.change_key(call, key, &asked, |arn, stored, now| {
            check_origin(arn, stored, Origin::External)?;
            let state = stored.state(now);
            if state == KeyState::PendingDeletion {
                return Err(invalid_state(arn, state));
            }
            if valid_to.is_some_and(|end| end <= now) {
                return Err(KmsError::new(KmsErrorKind::Validation, "the material would have come to its end already"));
            }
            let material = material(stored, now)?;
            let material_id = self.material_id(stored, &material);
            match stored.record.versions.last() {
                Some(version) if version.material_id != material_id => {
                    return Err(KmsError::new(
                        KmsErrorKind::IncorrectKeyMaterial,
                        "this is other material than the key had before",
                    ));
                }
                Some(_) => {}
                None => {
                    let material_id = material_id.clone();
                    stored.record.versions.push(Version { material_id, created: now, by: RotationType::Created });
                }
            }
            in_earnest(call)?;
            stored.material = vec![Some(Arc::new(material))];
            stored.record.valid_to = valid_to;
            if state == KeyState::PendingImport {
                stored.record.state = KeyState::Enabled;
            }
            Ok(material_id)
        })
    }
}

/// What a token says.
fn said(how: &Wrapping, valid_to: u64, private_key: &[u8]) -> Zeroizing<Vec<u8>> {
    // With its final capacity: a buffer that grows leaves copies of the private key behind.
    let len = 8 + 4 + how.algorithm.len() + 4 + how.spec.len() + private_key.len();
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    out.extend_from_slice(&valid_to.to_be_bytes());
    put(&mut out, &how.algorithm);
    put(&mut out, &how.spec);
    out.extend_from_slice(private_key);
    out
}

/// How the material is wrapped, until when it is taken, and the private key.
fn understood(said: &[u8]) -> Option<(Wrapping, u64, &[u8])> {
    let (valid_to, rest) = said.split_first_chunk()?;
    let (algorithm, rest) = text(rest)?;
    let (spec, private_key) = text(rest)?;
    Some((Wrapping::new(algorithm, spec), u64::from_be_bytes(*valid_to), private_key))
}

fn text(said: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = said.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}
