//! The servers of objseal.
//!
//! | module | what |
//! |---|---|
//! | [`kms`] | a local key management service, over the protocol of AWS KMS |
//! | [`sigv4`] | who sent a request: signatures of AWS |
//! | [`credentials`] | who may send requests, and their keys |
//! | [`http`] | listening, within bounds, with or without TLS |

pub mod credentials;
pub mod http;
mod json;
pub mod kms;
pub mod sigv4;
mod text;

pub use text::tell;
