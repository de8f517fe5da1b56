//! Which backend does the work.

use crate::failure::Failure;
use objseal::{Backend, Error};
use std::fmt::Display;

const VARIABLE: &str = "OBJSEAL_BACKEND";

/// `machine` on the backend that the environment asks for, or else on the best one, which it is on. `with_backend` is
/// its method of this name.
pub(crate) fn chosen<T>(machine: T, with_backend: impl FnOnce(T, Backend) -> Result<T, Error>) -> Result<T, Failure> {
    let Some(name) = std::env::var_os(VARIABLE) else {
        return Ok(machine);
    };
    let name = name.to_string_lossy();
    let fail = |error: &dyn Display| Failure::other(format!("{VARIABLE}={}: {error}", name.escape_debug()));
    let backend: Backend = name.parse().map_err(|error| fail(&error))?;
    with_backend(machine, backend).map_err(|error| fail(&error))
}
