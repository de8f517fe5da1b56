//! The audit log from outside.
//!
//! | file | what |
//! |---|---|
//! | `shared` | a log to test |
//! | `writing` | appending, syncing, opening again |
//! | `tampering` | whatever is done to the files is found |
//! | `reader` | a second implementation of the chain |
//! | `anchors` | heads that are kept elsewhere |
//! | `reading` | lines for people |
//! | `processes` | many writers |
//! | `interrupted` | kills and failures at every call |

#![cfg(all(feature = "kms", unix))]

mod anchors;
mod interrupted;
mod processes;
mod reader;
mod reading;
mod shared;
mod tampering;
mod writing;
