//! The verifier of signatures, next to AWS's own signer and to the worked examples of AWS's documentation.

mod agreement;
#[path = "../shared/credentials.rs"]
mod credentials;
mod random;
mod refusals;
mod request;
