//! Which engines do the work.

use crate::failure::Failure;
use objseal::envelope::{OpenOptions, SealOptions};
use objseal::{Engine, Error};
use std::fmt::Display;

const VARIABLE: &str = "OBJSEAL_BACKEND";
const OUTER_VARIABLE: &str = "OBJSEAL_OUTER_BACKEND";

/// `machine` on the engine that the environment asks for, or else on the best one, which it is on. `with_engine` is its
/// method of this name.
pub(crate) fn chosen<T>(machine: T, with_engine: impl FnOnce(T, Engine) -> Result<T, Error>) -> Result<T, Failure> {
    named_by(VARIABLE, machine, with_engine)
}

/// [`chosen`] for both layers.
pub(crate) fn to_seal(options: SealOptions) -> Result<SealOptions, Failure> {
    named_by(OUTER_VARIABLE, chosen(options, SealOptions::with_engine)?, SealOptions::with_outer_engine)
}

/// [`chosen`] for both layers.
pub(crate) fn to_open(options: OpenOptions) -> Result<OpenOptions, Failure> {
    named_by(OUTER_VARIABLE, chosen(options, OpenOptions::with_engine)?, OpenOptions::with_outer_engine)
}

fn named_by<T>(
    variable: &str,
    machine: T,
    with_engine: impl FnOnce(T, Engine) -> Result<T, Error>,
) -> Result<T, Failure> {
    let Some(name) = std::env::var_os(variable) else {
        return Ok(machine);
    };
    let name = name.to_string_lossy();
    let fail = |error: &dyn Display| Failure::other(format!("{variable}={}: {error}", name.escape_debug()));
    let engine: Engine = name.parse().map_err(|error| fail(&error))?;
    with_engine(machine, engine).map_err(|error| fail(&error))
}

/// The names of engines, the innermost layer's first.
pub(crate) fn names(engines: &[Engine]) -> String {
    let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
    names.join(" in ")
}
