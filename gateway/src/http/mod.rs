//! Listening, within bounds, with or without TLS.
//!
//! | file | what |
//! |---|---|
//! | `server` | connections, and how many, how large and how long they may be |
//! | `patient` | whoever does not read their answers is given up |
//! | `tls` | certificates: given, or made the first time |
//! | `rate` | how often somebody may ask |

mod patient;
pub mod rate;
mod server;
mod tls;

pub use server::{Body, Bounds, Request, Response, Server, Service};
pub use tls::{Tls, TlsError};
