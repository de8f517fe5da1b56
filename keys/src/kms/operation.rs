//! What a key management service does, as a count or a log names it.

use std::fmt;

/// A method of [`Kms`](super::Kms) or [`DataKeys`](super::DataKeys).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// [`Kms::generate`](super::Kms::generate).
    Generate,
    /// [`Kms::reopen`](super::Kms::reopen).
    Reopen,
    /// [`Kms::encrypt`](super::Kms::encrypt).
    Encrypt,
    /// [`Kms::decrypt`](super::Kms::decrypt).
    Decrypt,
    /// [`Kms::re_encrypt`](super::Kms::re_encrypt).
    ReEncrypt,
    /// [`Kms::describe`](super::Kms::describe).
    Describe,
    /// [`Kms::standing`](super::Kms::standing).
    Standing,
    /// [`DataKeys::generate_data_key`](super::DataKeys::generate_data_key).
    GenerateDataKey,
    /// [`DataKeys::decrypt_data_key`](super::DataKeys::decrypt_data_key).
    DecryptDataKey,
}

impl Operation {
    /// The name of the method.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Reopen => "reopen",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::ReEncrypt => "re_encrypt",
            Self::Describe => "describe",
            Self::Standing => "standing",
            Self::GenerateDataKey => "generate_data_key",
            Self::DecryptDataKey => "decrypt_data_key",
        }
    }
}

/// The name of the method.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
