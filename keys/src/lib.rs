//! Key services for sealed objects: who holds root keys.
//!
//! | you have | use |
//! |---|---|
//! | no key management service | [`keyring`]: root keys in a file, perhaps under a passphrase |
//! | many users, and rights, states and an audit to keep | `local`, with the feature `kms`: a key management service in a file |
//! | a key service that answers over a network | `kms`: one interface, and a cache over it that keeps rights apart |
//! | AWS KMS | `aws`, with the feature `aws` |
//! | OpenBao or Vault | `bao`, with the feature `bao`: keys of the transit engine |
//! | a service that knows the server, and not its users | `guard`, with the feature `kms`: rights decided here |
//! | a security module | `pkcs11`, with the feature `pkcs11`: a key that never leaves its token |

#[cfg(feature = "kms")]
pub mod audit;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "bao")]
pub mod bao;
#[cfg(feature = "kms")]
pub mod cache;
#[cfg(feature = "kms")]
pub mod clock;
#[cfg(feature = "kms")]
pub mod guard;
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
#[cfg(any(feature = "aws", feature = "bao"))]
mod remote;
#[cfg(feature = "kms")]
pub mod store_key;
#[cfg(feature = "kms")]
mod uuid;
mod verdict;

#[cfg(feature = "kms")]
pub use uuid::Uuid;
