//! What no client should do to a server, over bare connections.

mod connections;
#[path = "../shared/credentials.rs"]
mod credentials;
mod requests;
#[path = "../shared/server.rs"]
mod server;
#[path = "../shared/service.rs"]
mod service;
#[path = "../shared/signer.rs"]
mod signer;
#[path = "../shared/wire.rs"]
mod wire;
