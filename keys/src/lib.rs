//! Key services for sealed objects: who holds root keys.
//!
//! | you have | use |
//! |---|---|
//! | no key management service | [`keyring`]: root keys in a file, perhaps under a passphrase |

#[cfg(objseal_hazmat)]
pub mod hazmat;
pub mod keyring;
mod verdict;
