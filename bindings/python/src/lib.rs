//! The native half of the Python package `objseal`. The other half, `objseal/`, has its public face.
//!
//! | file | what |
//! |---|---|
//! | `buffer` | memory that Python has |
//! | `key`, `keyring` | root keys |
//! | `options` | how to seal, and what to open |
//! | `object` | sealed objects in memory and through streams, as files are |
//! | `files` | sealed files to write to and to read from |
//! | `place` | files by their paths |
//! | `source` | what is read and written: these, Python's files, and memory |
//! | `envelope` | head and body apart |
//! | `parts` | objects in parts |
//! | `cobblestone` | bare messages |
//! | `watch` | long work that can be watched and stopped |
//! | `model`, `error` | what Python is told |

mod buffer;
mod cobblestone;
mod envelope;
mod error;
mod files;
mod key;
mod keyring;
mod model;
mod object;
mod options;
mod parts;
mod place;
mod source;
mod watch;

use pyo3::pymodule;

// Free-threaded builds are untested, so they get a lock.
#[pymodule(gil_used = true)]
mod _objseal {
    #[pymodule_export]
    use crate::cobblestone::{
        Opener, Sealer, cobblestone_largest_plaintext_len, cobblestone_open, cobblestone_open_into,
        cobblestone_plaintext_len, cobblestone_reader, cobblestone_seal, cobblestone_seal_into, cobblestone_sealed_len,
        cobblestone_sealed_range,
    };
    #[pymodule_export]
    use crate::envelope::{Envelope, inspect_head, seal_envelope, seal_envelope_stream};
    #[pymodule_export]
    use crate::files::{Reader, StreamReader, Writer};
    #[pymodule_export]
    use crate::key::Key;
    #[pymodule_export]
    use crate::keyring::Keyring;
    #[pymodule_export]
    use crate::object::{
        inspect, rewrap, seal, seal_into, seal_stream, sealed_len, unseal, unseal_into, unseal_stream,
    };
    #[pymodule_export]
    use crate::options::{OpenOptions, SealOptions, engines};
    #[pymodule_export]
    use crate::parts::{PartsReader, Upload};
    #[pymodule_export]
    use crate::place::{InputFile, OutputFile};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
