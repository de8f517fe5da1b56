//! Which engine does the work.

use crate::failure::Failure;
use objseal::{Engine, Error};
use std::fmt::Display;

const VARIABLE: &str = "OBJSEAL_BACKEND";

/// `machine` on the engine that the environment asks for, or else on the best one, which it is on. `with_engine` is its
/// method of this name.
pub(crate) fn chosen<T>(machine: T, with_engine: impl FnOnce(T, Engine) -> Result<T, Error>) -> Result<T, Failure> {
    let Some(name) = std::env::var_os(VARIABLE) else {
        return Ok(machine);
    };
    let name = name.to_string_lossy();
    let fail = |error: &dyn Display| Failure::other(format!("{VARIABLE}={}: {error}", name.escape_debug()));
    let engine: Engine = name.parse().map_err(|error| fail(&error))?;
    with_engine(machine, engine).map_err(|error| fail(&error))
}
