//! Why a token does not do what it was asked.

use super::uri::UriFault;
use crate::key_file::KeyFileError;
use cryptoki::context::Function;
use cryptoki::error::{Error as CryptokiError, RvError};
use objseal::Error;
use objseal::envelope::{KeyServiceError, KeyServiceErrorKind};
use std::fmt;
use std::path::PathBuf;

/// Why something could not be done with a token.
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// The URI is not one of RFC 7512, or says something that this library does not do.
    Uri {
        /// The attribute; empty where it is the URI itself.
        attribute: String,
        /// Why.
        fault: UriFault,
    },
    /// The module could not be loaded or initialised.
    Module {
        /// Where it is.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No token is like the one that was named.
    NoToken,
    /// More than one token is like the one that was named.
    SeveralTokens,
    /// The token has no AES-GCM that both encrypts and decrypts.
    NoGcm,
    /// The token needs a PIN, and none was given.
    NoPin,
    /// The file with the PIN could not be read, or is not private.
    PinFile(KeyFileError),
    /// A PIN is the first line of its file: 1 to 256 bytes of UTF-8.
    BadPin,
    /// The token did not let the user in. The same PIN is not tried again.
    Login(LoginFault),
    /// A label is 1 to 2,048 bytes without control characters.
    BadLabel,
    /// There is no secret key of this label.
    UnknownKey,
    /// More than one secret key has this label.
    SeveralKeys,
    /// There is a secret key of this label already.
    KeyExists,
    /// The key is not one that this library uses.
    UnfitKey(KeyFault),
    /// The key has made as many wraps as one may.
    WrapLimit {
        /// How many.
        limit: u32,
    },
    /// The token does not keep the data object that counts wraps.
    NoCounter {
        /// Why.
        reason: String,
    },
    /// The data object that counts wraps is not as this library writes it.
    BadCounter,
    /// The token takes no IV from its caller, or answers with more than the ciphertext and its tag.
    OwnIv,
    /// The blob was changed, or is of another key or another context.
    Refused,
    /// The operating system has no random bytes to give.
    Random(Error),
    /// The token or its sessions are gone. The next call begins anew.
    Lost {
        /// The function that found that, and what it said.
        reason: String,
    },
    /// The token has failed.
    Failed {
        /// The function that failed, and what it said.
        reason: String,
    },
}

/// Why a token does not let its user in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginFault {
    /// The PIN is wrong. The token does not say how many wrong ones it takes.
    Wrong,
    /// The PIN is wrong, and few tries are left before the token locks itself.
    WrongFewLeft,
    /// The PIN is wrong, and one try is left before the token locks itself.
    WrongOneLeft,
    /// The token has locked itself after too many wrong PINs.
    Locked,
    /// The PIN has expired.
    Expired,
    /// The token has no PIN for its user yet.
    NotSet,
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// It is not an AES key.
    NotAes,
    /// Its length is not 32 bytes, or the token does not say.
    NotOf32Bytes,
    /// It can be read in clear: CKA_SENSITIVE is not true.
    NotSensitive,
    /// It can leave the token: CKA_EXTRACTABLE is not false.
    Extractable,
    /// It is not for encryption: CKA_ENCRYPT is not true.
    NoEncrypt,
    /// It is not for decryption: CKA_DECRYPT is not true.
    NoDecrypt,
}

impl TokenError {
    /// What somebody who seals and opens objects can do about it.
    fn kind(&self) -> KeyServiceErrorKind {
        match self {
            Self::UnknownKey => KeyServiceErrorKind::UnknownKey,
            Self::Refused => KeyServiceErrorKind::Refused,
            Self::NoPin | Self::PinFile(_) | Self::BadPin | Self::Login(_) | Self::WrapLimit { .. } => {
                KeyServiceErrorKind::Denied
            }
            Self::UnfitKey(_) | Self::NoGcm | Self::OwnIv | Self::NoCounter { .. } => KeyServiceErrorKind::WrongUsage,
            Self::Module { .. } | Self::NoToken | Self::Random(_) | Self::Lost { .. } | Self::Failed { .. } => {
                KeyServiceErrorKind::Unreachable
            }
            Self::Uri { .. }
            | Self::SeveralTokens
            | Self::BadLabel
            | Self::SeveralKeys
            | Self::KeyExists
            | Self::BadCounter => KeyServiceErrorKind::Malformed,
        }
    }

    /// Of a function of the module that failed.
    pub(super) fn of_module(error: CryptokiError) -> Self {
        use RvError::{
            CryptokiNotInitialized, DeviceError, DeviceRemoved, SessionClosed, SessionHandleInvalid, SlotIdInvalid,
            TokenNotPresent, TokenNotRecognized, UserNotLoggedIn,
        };
        let reason = reason_of(&error);
        match error {
            CryptokiError::Pkcs11(
                CryptokiNotInitialized
                | DeviceError
                | DeviceRemoved
                | SessionClosed
                | SessionHandleInvalid
                | SlotIdInvalid
                | TokenNotPresent
                | TokenNotRecognized
                | UserNotLoggedIn,
                _,
            ) => Self::Lost { reason },
            _ => Self::Failed { reason },
        }
    }

    /// Of encryption: tokens that make the IV themselves say that the parameters are wrong.
    pub(super) fn of_encryption(error: CryptokiError) -> Self {
        match error {
            CryptokiError::Pkcs11(RvError::MechanismParamInvalid | RvError::ArgumentsBad, _) => Self::OwnIv,
            error => Self::of_module(error),
        }
    }

    /// Of decryption: what modules say of a tag that does not hold. SoftHSM says CKR_GENERAL_ERROR, so that a token
    /// which fails in this one function looks the same.
    pub(super) fn of_decryption(error: CryptokiError) -> Self {
        // CKR_AEAD_DECRYPT_FAILED of PKCS #11 3.0, which cryptoki 0.12 has no name for.
        const AEAD_DECRYPT_FAILED: u32 = 0x42;
        match error {
            CryptokiError::Pkcs11(
                RvError::GeneralError
                | RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange,
                Function::Decrypt,
            ) => Self::Refused,
            CryptokiError::Pkcs11(RvError::UnknownErrorCode(code), Function::Decrypt)
                if u32::try_from(code) == Ok(AEAD_DECRYPT_FAILED) =>
            {
                Self::Refused
            }
            error => Self::of_module(error),
        }
    }
}

/// The function and the name of what it said, without the explanation that the standard has for it.
pub(super) fn reason_of(error: &CryptokiError) -> String {
    match error {
        CryptokiError::Pkcs11(value, function) => format!("C_{function:?}: {value:?}"),
        error => error.to_string(),
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri { attribute, fault } if attribute.is_empty() => write!(f, "PKCS #11 URI: {fault}"),
            Self::Uri { attribute, fault } => write!(f, "PKCS #11 URI: {attribute:?}: {fault}"),
            Self::Module { path, reason } => write!(f, "PKCS #11 module {path:?}: {reason}"),
            Self::NoToken => f.write_str("no token is like the one that was named"),
            Self::SeveralTokens => {
                f.write_str("more than one token is like the one that was named; give its serial number")
            }
            Self::NoGcm => f.write_str("the token does not encrypt and decrypt with AES-GCM"),
            Self::NoPin => f.write_str("the token needs a PIN, and none was given"),
            Self::PinFile(error) => write!(f, "PIN file: {error}"),
            Self::BadPin => f.write_str("a PIN is the first line of its file, of 1 to 256 bytes of UTF-8"),
            Self::Login(fault) => fault.fmt(f),
            Self::BadLabel => f.write_str("a label is 1 to 2048 bytes without control characters"),
            Self::UnknownKey => f.write_str("the token has no secret key of this label"),
            Self::SeveralKeys => f.write_str("more than one secret key has this label; give each its own"),
            Self::KeyExists => f.write_str("the token has a secret key of this label already"),
            Self::UnfitKey(fault) => fault.fmt(f),
            Self::WrapLimit { limit } => {
                write!(f, "the key has made {limit} wraps, as many as it may; make a new key with another label")
            }
            Self::NoCounter { reason } => write!(f, "the token does not keep the count of a key's wraps: {reason}"),
            Self::BadCounter => f.write_str("the data object that counts the key's wraps is not one of objseal"),
            Self::OwnIv => f.write_str(
                "the token makes IVs itself, as FIPS 140 modules may; only one that takes a random IV can be used",
            ),
            Self::Refused => f.write_str("the blob was changed, or is of another key or another context"),
            Self::Random(error) => error.fmt(f),
            Self::Lost { reason } => write!(f, "the token is gone: {reason}"),
            Self::Failed { reason } => write!(f, "the token has failed: {reason}"),
        }
    }
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "wrong PIN; it is not tried again, because a token locks itself after some wrong ones",
            Self::WrongFewLeft => {
                "wrong PIN; it is not tried again, because few tries are left before the token locks itself"
            }
            Self::WrongOneLeft => "wrong PIN; it is not tried again, because the next wrong one locks the token",
            Self::Locked => "the token has locked itself after too many wrong PINs; its security officer can unlock it",
            Self::Expired => "the PIN has expired",
            Self::NotSet => "the token has no PIN for its user yet",
        })
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAes => "the key is not an AES key",
            Self::NotOf32Bytes => "the key is not one of 32 bytes, or the token does not say so",
            Self::NotSensitive => "the key can be read in clear: CKA_SENSITIVE is not true",
            Self::Extractable => "the key can leave the token: CKA_EXTRACTABLE is not false",
            Self::NoEncrypt => "the key is not for encryption: CKA_ENCRYPT is not true",
            Self::NoDecrypt => "the key is not for decryption: CKA_DECRYPT is not true",
        })
    }
}

impl std::error::Error for TokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::PinFile(error) => Some(error),
            Self::Random(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TokenError> for KeyServiceError {
    fn from(error: TokenError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_decrypt(value: RvError) -> TokenError {
        TokenError::of_decryption(CryptokiError::Pkcs11(value, Function::Decrypt))
    }

    /// Codes of modules that are not at hand: PKCS #11 3.0, section 5.1, and its header (CKR_AEAD_DECRYPT_FAILED is
    /// 0x42).
    #[test]
    fn codes_of_a_tag_that_does_not_hold_are_refusals_of_decryption_only() {
        use RvError::{DataInvalid, EncryptedDataInvalid, EncryptedDataLenRange, GeneralError, UnknownErrorCode};
        for value in [GeneralError, EncryptedDataInvalid, EncryptedDataLenRange, DataInvalid, UnknownErrorCode(0x42)] {
            assert!(matches!(after_decrypt(value), TokenError::Refused), "{value:?}");
            let elsewhere = TokenError::of_decryption(CryptokiError::Pkcs11(value, Function::DecryptInit));
            assert!(matches!(elsewhere, TokenError::Failed { .. }), "{value:?}");
        }
        for value in [UnknownErrorCode(0x43), RvError::DeviceMemory, RvError::KeyFunctionNotPermitted] {
            assert!(matches!(after_decrypt(value), TokenError::Failed { .. }), "{value:?}");
        }
    }

    #[test]
    fn a_token_that_is_gone_can_be_tried_again() {
        for value in [RvError::DeviceRemoved, RvError::SessionHandleInvalid, RvError::TokenNotPresent] {
            let error = after_decrypt(value);
            assert!(matches!(error, TokenError::Lost { .. }), "{value:?}");
            assert!(KeyServiceError::from(error).is_transient());
        }
    }

    #[test]
    fn a_token_that_takes_no_iv_is_not_one_that_failed() {
        for value in [RvError::MechanismParamInvalid, RvError::ArgumentsBad] {
            let error = TokenError::of_encryption(CryptokiError::Pkcs11(value, Function::EncryptInit));
            assert!(matches!(error, TokenError::OwnIv), "{value:?}");
        }
    }
}
