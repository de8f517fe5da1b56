//! Which backend does the work.

use crate::failure::Failure;
use objseal::Backend;
use objseal::cobblestone::Cobblestone;
use std::fmt::Display;

const VARIABLE: &str = "OBJSEAL_BACKEND";

/// `cobblestone` on the backend that the environment asks for, or else on the best one.
pub(crate) fn chosen(cobblestone: Cobblestone<'_>) -> Result<Cobblestone<'_>, Failure> {
    let Some(name) = std::env::var_os(VARIABLE) else {
        return Ok(cobblestone);
    };
    let name = name.to_string_lossy();
    let fail = |error: &dyn Display| Failure::other(format!("{VARIABLE}={}: {error}", name.escape_debug()));
    let backend: Backend = name.parse().map_err(|error| fail(&error))?;
    cobblestone.with_backend(backend).map_err(|error| fail(&error))
}
