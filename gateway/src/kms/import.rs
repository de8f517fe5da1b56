//! Import of material: under an RSA key that is made for it and travels, sealed, in the import token.

use super::failure::Failure;
use super::keys::{EXPIRES, EXPIRES_NOT, arn_of};
use super::operations::Operation;
use super::wire::{Blob, Time, check_absent};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use objseal::Key;
use objseal_keys::kms::{Call, KmsError, KmsErrorKind};
use objseal_keys::local::{LocalKms, Wrapping};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::SystemTime;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetParametersForImport {
    key_id: String,
    wrapping_algorithm: String,
    wrapping_key_spec: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameters {
    key_id: String,
    import_token: Blob,
    public_key: Blob,
    parameters_valid_to: Time,
}

impl Operation for GetParametersForImport {
    type Answer = Parameters;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Parameters, Failure> {
        algorithm(&self.wrapping_algorithm)?;
        let size = match self.wrapping_key_spec.as_str() {
            "RSA_2048" => KeySize::Rsa2048,
            "RSA_3072" => KeySize::Rsa3072,
            "RSA_4096" => KeySize::Rsa4096,
            _ => return Err(Failure::validation("WrappingKeySpec is RSA_2048, RSA_3072 or RSA_4096")),
        };
        let mut public_key = Vec::new();
        let how = Wrapping::new(self.wrapping_algorithm, self.wrapping_key_spec);
        let token = kms.begin_import(&call, &self.key_id, &how, || {
            let (public, private) = generate(size).map_err(|_| internal())?;
            public_key = public;
            Ok(private)
        })?;
        Ok(Parameters {
            key_id: token.key_arn,
            import_token: token.token.into(),
            public_key: public_key.into(),
            parameters_valid_to: Time(token.valid_to),
        })
    }
}

/// A public key (X.509), and its private key (PKCS #8).
fn generate(size: KeySize) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), Unspecified> {
    let key = PrivateDecryptingKey::generate(size)?;
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key())?.as_ref().to_vec();
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key)?;
    Ok((public, Zeroizing::new(private.as_ref().to_vec())))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ImportKeyMaterial {
    key_id: String,
    import_token: Blob,
    encrypted_key_material: Blob,
    valid_to: Option<Time>,
    expiration_model: Option<String>,
    import_type: Option<String>,
    key_material_description: Option<Value>,
    key_material_id: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Imported {
    key_id: String,
    key_material_id: String,
}

impl ImportKeyMaterial {
    /// When the material is to end.
    fn end(&self) -> Result<Option<SystemTime>, Failure> {
        match (self.expiration_model.as_deref(), self.valid_to) {
            (None | Some(EXPIRES), Some(Time(end))) => Ok(Some(end)),
            (Some(EXPIRES_NOT), None) => Ok(None),
            (None | Some(EXPIRES), None) => {
                Err(Failure::validation(format!("A validTo date must be set if the ExpirationModel is {EXPIRES}")))
            }
            (Some(EXPIRES_NOT), Some(_)) => Err(Failure::validation(format!("{EXPIRES_NOT} has no ValidTo"))),
            _ => Err(Failure::validation(format!("ExpirationModel is {EXPIRES} or {EXPIRES_NOT}"))),
        }
    }
}

impl Operation for ImportKeyMaterial {
    type Answer = Imported;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Imported, Failure> {
        check_absent("KeyMaterialDescription", &self.key_material_description)?;
        check_absent("KeyMaterialId", &self.key_material_id)?;
        // A key has one material that is imported: it is given the first time, or again.
        if !matches!(self.import_type.as_deref(), None | Some("EXISTING_KEY_MATERIAL")) {
            return Err(Failure::unsupported("ImportType is EXISTING_KEY_MATERIAL"));
        }
        let end = self.end()?;
        let open = |how: &Wrapping, private_key: &[u8]| unwrap(how, private_key, &self.encrypted_key_material.0);
        let key_material_id = kms.import_wrapped(&call, &self.key_id, &self.import_token.0, open, end)?;
        Ok(Imported { key_id: arn_of(kms, &self.key_id)?, key_material_id })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DeleteImportedKeyMaterial {
    key_id: String,
    key_material_id: Option<Value>,
}

impl Operation for DeleteImportedKeyMaterial {
    type Answer = Imported;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Imported, Failure> {
        check_absent("KeyMaterialId", &self.key_material_id)?;
        let key_material_id = kms.delete_material(&call, &self.key_id)?;
        Ok(Imported { key_id: arn_of(kms, &self.key_id)?, key_material_id: key_material_id.unwrap_or_default() })
    }
}

/// How material is wrapped: under RSA alone, or under an AES key that is under RSA.
struct Algorithm {
    oaep: &'static OaepAlgorithm,
    by_aes: bool,
}

fn algorithm(name: &str) -> Result<Algorithm, KmsError> {
    let (oaep, by_aes) = match name {
        "RSAES_OAEP_SHA_256" => (&OAEP_SHA256_MGF1SHA256, false),
        "RSAES_OAEP_SHA_1" => (&OAEP_SHA1_MGF1SHA1, false),
        "RSA_AES_KEY_WRAP_SHA_256" => (&OAEP_SHA256_MGF1SHA256, true),
        "RSA_AES_KEY_WRAP_SHA_1" => (&OAEP_SHA1_MGF1SHA1, true),
        _ => {
            let message = "WrappingAlgorithm is RSAES_OAEP_SHA_256, RSAES_OAEP_SHA_1, RSA_AES_KEY_WRAP_SHA_256 or \
                           RSA_AES_KEY_WRAP_SHA_1";
            return Err(KmsError::new(KmsErrorKind::UnsupportedOperation, message));
        }
    };
    Ok(Algorithm { oaep, by_aes })
}

/// Opens wrapped material. RSA is constant-time, and all that can be wrong has one answer.
fn unwrap(how: &Wrapping, private_key: &[u8], wrapped: &[u8]) -> Result<Key, KmsError> {
    let Algorithm { oaep, by_aes } = algorithm(&how.algorithm)?;
    let invalid = || KmsError::new(KmsErrorKind::InvalidCiphertext, "");
    let key = PrivateDecryptingKey::from_pkcs8(private_key).map_err(|_| internal())?;
    let len = key.key_size_bytes();
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| internal())?;
    let (under_rsa, rest) = wrapped.split_at_checked(len).ok_or_else(invalid)?;
    let mut opened = Zeroizing::new(vec![0; len]);
    let opened = &*key.decrypt(oaep, under_rsa, &mut opened, None).map_err(|_| invalid())?;
    let mut material = Zeroizing::new([0; Key::LEN + 8]);
    let material = match by_aes {
        false if rest.is_empty() => opened,
        false => return Err(invalid()),
        true => {
            let kek = AesKek::new(&AES_256, opened).map_err(|_| invalid())?;
            &*kek.unwrap_with_padding(rest, &mut material[..]).map_err(|_| invalid())?
        }
    };
    Key::try_from(material).map_err(|_| invalid())
}

fn internal() -> KmsError {
    KmsError::new(KmsErrorKind::Internal, "RSA failed")
}
