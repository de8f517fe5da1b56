//! Key services for sealed objects: who holds root keys.
//!
//! | you have | use |
//! |---|---|
//! | no key management service | [`keyring`]: root keys in a file, perhaps under a passphrase |
//! | many users, and rights, states and an audit to keep | `local`, with the feature `kms`: a key management service in a file |
//! | a key service that answers over a network | `kms`: one interface, and a cache over it that keeps rights apart |
//! | a security module | `pkcs11`, with the feature `pkcs11`: a key that never leaves its token |

#[cfg(feature = "kms")]
pub mod audit;
#[cfg(feature = "kms")]
pub mod cache;
#[cfg(feature = "kms")]
pub mod clock;
#[cfg(objseal_hazmat)]
pub mod hazmat;
mod hex;
pub mod key_file;
pub mod keyring;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "kms")]
pub mod local;
pub mod needed;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
#[cfg(feature = "kms")]
pub mod policy;
#[cfg(feature = "kms")]
mod uuid;
mod verdict;

#[cfg(feature = "kms")]
pub use uuid::Uuid;
