//! What the program does.

pub(crate) mod credential;
pub(crate) mod kms;
mod store;
