//! Sealed objects for tokio.
//!
//! | file | what |
//! |---|---|
//! | `pool` | where the work is done: inline, or on a bounded part of tokio's blocking pool |

mod pool;

pub use pool::Pool;
