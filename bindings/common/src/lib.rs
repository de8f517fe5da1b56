//! What the bindings to other languages share: options that own all they hold, and plaintext behind one interface.

#[cfg(objseal_hazmat)]
compile_error!("objseal_hazmat is for the tests of the core: nothing that is built with it may be shipped");

mod keyring;
mod options;
mod plaintext;

pub use keyring::Keyring;
pub use options::{MAX_THREADS, Opening, Sealing, Service, threads};
pub use plaintext::Plaintext;
