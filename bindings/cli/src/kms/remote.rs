//! What services over a network share: the runtime that carries their calls.

use crate::failure::Failure;
use objseal_keys::kms::{Call, Principal};
use std::future::pending;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Handle};

/// A runtime of one thread, which lives as long as the command.
pub(super) fn runtime() -> Result<Handle, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::other)?;
    let handle = runtime.handle().clone();
    let carry = move || runtime.block_on(pending::<()>());
    thread::Builder::new().name("key-service".into()).spawn(carry).map_err(Failure::other)?;
    Ok(handle)
}

/// A call. Who makes it, the service finds out itself.
pub(super) fn call() -> Call {
    Call::of(Arc::new(Principal::new("")))
}
