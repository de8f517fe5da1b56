//! Encrypt and decrypt: what is done with keys.

use super::access::{Access, Asked};
use super::blob::{Blob, MAX_PLAINTEXT_LEN, Material};
use super::contents::Contents;
use super::record::StoredKey;
use super::{Line, LocalKms, SERVICE};
use crate::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, KmsErrorKind, Plaintext, Purpose,
    ReEncrypted, Right, Source, Standing, StoredKey as StoredWrappingKey,
};
use objseal::Key;
use objseal::envelope::{EncryptionContext, WrappingKey};
use std::sync::Arc;

impl Kms for LocalKms {
    fn service(&self) -> &str {
        SERVICE
    }

    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            let DataKey { plaintext, ciphertext } = self.new_data_key(call, key)?;
            wrapping_key(plaintext, &ciphertext.key_arn, ciphertext.key_version, purpose, &ciphertext.blob)
        })
    }

    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredWrappingKey) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            let opened = self.open_blob(call, Some(&stored.key_id), &stored.blob)?;
            let secret = data_key(&opened)?;
            wrapping_key(secret, &opened.key_arn, opened.key_version, stored.purpose, &stored.blob)
        })
    }

    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        Box::pin(async move {
            self.rotate_if_due(call, key);
            self.run(call, "Encrypt", |contents, line| {
                let used = self.usable(contents, line, call, key, &Asked::of("Encrypt"))?;
                in_earnest(call)?;
                self.seal(&used, plaintext, &call.context)
            })
        })
    }

    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        Box::pin(async move { self.open_blob(call, key, blob) })
    }

    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        Box::pin(async move { self.encrypt_anew(call, source, key) })
    }

    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        Box::pin(async move {
            self.run(call, "DescribeKey", |contents, line| {
                let used = self.allowed(contents, line, call, key, &Asked::of("DescribeKey"))?;
                Ok(used.stored.metadata(&self.owner, self.now()))
            })
        })
    }

    fn standing<'a>(&'a self, call: &'a Call, key: &'a str, right: Right) -> Answer<'a, Option<Standing>> {
        let operation = match right {
            Right::Generate => "GenerateDataKey",
            Right::Decrypt => "Decrypt",
        };
        Box::pin(async move {
            if right == Right::Generate {
                self.rotate_if_due(call, key);
            }
            self.run(call, operation, |contents, line| {
                line.detail = Some("from a cache".into());
                let used = self.usable(contents, line, call, key, &Asked::of(operation))?;
                Ok(Some(Standing { key_arn: used.arn, current_version: used.stored.current_version() }))
            })
        })
    }
}

impl DataKeys for LocalKms {
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        Box::pin(async move { self.new_data_key(call, key) })
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey> {
        Box::pin(async move {
            let opened = self.open_blob(call, key, blob)?;
            let plaintext = data_key(&opened)?;
            let Plaintext { key_arn, key_version, material_id, .. } = opened;
            Ok(DataKey { plaintext, ciphertext: Ciphertext { blob: blob.into(), key_arn, key_version, material_id } })
        })
    }
}

/// A key that somebody may use.
pub(super) struct Used {
    pub(super) stored: Arc<StoredKey>,
    pub(super) arn: String,
}

impl LocalKms {
    fn open_blob(&self, call: &Call, key: Option<&str>, blob: &[u8]) -> Result<Plaintext, KmsError> {
        self.run(call, "Decrypt", |contents, line| {
            let (used, blob) = self.used_of(contents, line, call, (key, blob), &Asked::of("Decrypt"))?;
            in_earnest(call)?;
            self.unseal(&used, &blob, &call.context)
        })
    }

    fn encrypt_anew(&self, call: &Call, source: &Source<'_>, key: &str) -> Result<ReEncrypted, KmsError> {
        self.rotate_if_due(call, key);
        self.run(call, "ReEncrypt", |contents, line| {
            let from = Call { context: source.context.clone(), ..call.clone() };
            let asked = |operation| {
                let old = Blob::parse(source.blob).map(|blob| blob.key);
                let new = contents.find(&self.owner, key, self.now()).map(|stored| stored.record.id);
                Asked::of(operation).with("kms:ReEncryptOnSameKey", (old == new).to_string())
            };
            let source_of = (source.key, source.blob);
            let (old, blob) = self.used_of(contents, line, &from, source_of, &asked("ReEncryptFrom"))?;
            line.detail = Some(format!("from version {} of {}", blob.version, old.arn));
            let new = self.usable(contents, line, call, key, &asked("ReEncryptTo"))?;
            in_earnest(call)?;
            let plaintext = self.unseal(&old, &blob, source.context)?;
            let ciphertext = self.seal(&new, &plaintext.bytes, &call.context)?;
            let Plaintext { key_arn, key_version, material_id, .. } = plaintext;
            Ok(ReEncrypted {
                ciphertext,
                source_key_arn: key_arn,
                source_key_version: key_version,
                source_material_id: material_id,
            })
        })
    }

    /// The key of this name, if the call may do this to it, in whatever state the key is.
    pub(super) fn allowed(
        &self,
        contents: &Contents,
        line: &mut Line,
        call: &Call,
        name: &str,
        asked: &Asked<'_>,
    ) -> Result<Used, KmsError> {
        let stored = Arc::clone(contents.find(&self.owner, name, self.now())?);
        let arn = self.owner.arn_of(stored.record.id);
        line.key = Some(arn.clone());
        line.key_version = Some(stored.current_version());
        let access = Access::to(self, contents, &stored, call, name);
        access.require(asked)?;
        Ok(Used { stored, arn })
    }

    /// The same, and the key must be in use.
    pub(super) fn usable(
        &self,
        contents: &Contents,
        line: &mut Line,
        call: &Call,
        name: &str,
        asked: &Asked<'_>,
    ) -> Result<Used, KmsError> {
        let used = self.allowed(contents, line, call, name, asked)?;
        used.stored.check_usable(&used.arn, self.now())?;
        Ok(used)
    }

    /// The key that a ciphertext is under. One that was named must be it.
    fn used_of<'b>(
        &self,
        contents: &Contents,
        line: &mut Line,
        call: &Call,
        (name, blob): (Option<&str>, &'b [u8]),
        asked: &Asked<'_>,
    ) -> Result<(Used, Blob<'b>), KmsError> {
        // Whoever names a key asks for the right to it first.
        let named = name.map(|name| self.usable(contents, line, call, name, asked)).transpose()?;
        let blob = Blob::parse(blob)?;
        if blob.store != self.id {
            return Err(KmsError::new(KmsErrorKind::InvalidCiphertext, ""));
        }
        let used = match named {
            Some(used) if used.stored.record.id != blob.key => {
                let message = "The key ID in the request does not identify a CMK that can perform this operation.";
                return Err(KmsError::new(KmsErrorKind::IncorrectKey, message));
            }
            Some(used) => used,
            None => self.usable(contents, line, call, &self.owner.arn_of(blob.key), asked)?,
        };
        line.key_version = Some(blob.version);
        Ok((used, blob))
    }

    pub(super) fn seal(
        &self,
        used: &Used,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Ciphertext, KmsError> {
        let key_version = used.stored.current_version();
        let blob = self.material(used, key_version)?.encrypt(plaintext, context)?;
        Ok(Ciphertext {
            blob,
            key_arn: used.arn.clone(),
            key_version,
            material_id: used.stored.material_id(key_version),
        })
    }

    fn unseal(&self, used: &Used, blob: &Blob<'_>, context: &EncryptionContext) -> Result<Plaintext, KmsError> {
        let bytes = self.material(used, blob.version)?.decrypt(blob, context)?;
        debug_assert!(bytes.len() <= MAX_PLAINTEXT_LEN);
        let material_id = used.stored.material_id(blob.version);
        Ok(Plaintext { bytes, key_arn: used.arn.clone(), key_version: blob.version, material_id })
    }

    fn material<'u>(&self, used: &'u Used, version: u32) -> Result<Material<'u>, KmsError> {
        // A ciphertext of a version that never was is one that was changed.
        let secret = used.stored.material_of(version);
        let secret = secret.ok_or_else(|| KmsError::new(KmsErrorKind::InvalidCiphertext, ""))?;
        Ok(Material { store: self.id, key: used.stored.record.id, arn: &used.arn, version, secret })
    }
}

/// That a call is not only to be tried.
pub(super) fn in_earnest(call: &Call) -> Result<(), KmsError> {
    if call.dry_run {
        let message = "The request would have succeeded, but the DryRun option is set.";
        return Err(KmsError::new(KmsErrorKind::DryRun, message));
    }
    Ok(())
}

fn data_key(opened: &Plaintext) -> Result<Key, KmsError> {
    Key::try_from(&opened.bytes[..])
        .map_err(|_| KmsError::new(KmsErrorKind::InvalidCiphertext, "it is not of a data key"))
}

fn wrapping_key(
    secret: Key,
    arn: &str,
    version: u32,
    purpose: Purpose,
    blob: &[u8],
) -> Result<Arc<WrappingKey>, KmsError> {
    let key = WrappingKey::new(SERVICE, arn, version, secret)?;
    Ok(Arc::new(key.with_blob(purpose.kind, purpose.context, blob)?))
}
