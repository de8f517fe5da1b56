//! The C library `libobjseal`. Its contract is at the head of `objseal.h`, which comes from here.
//!
//! | file | what |
//! |---|---|
//! | `status` | what functions return, and the wall that panics stop at |
//! | `memory` | pointers as slices, texts and handles |
//! | `library` | version, engines, constants |
//! | `key`, `keyring` | root keys: one, or many in a file |
//! | `options` | how to seal, what to open |
//! | `object` | objects that are one file: at once, from callback to callback, rewrapped |
//! | `sealer`, `opener` | whatever is sealed, piece by piece |
//! | `reader` | whatever is sealed, at any offset |
//! | `envelope` | head and body apart |
//! | `parts` | objects in parts |
//! | `info` | what is known of an object |
//! | `cobblestone` | bare messages, and where things are in bodies |

#![allow(unsafe_code, reason = "all of it is the edge to C")]
#![allow(unreachable_pub, reason = "C reaches it")]
#![allow(clippy::missing_safety_doc, reason = "the contract of the header holds for every function")]
#![allow(clippy::too_many_arguments, reason = "C has no slices")]

mod cobblestone;
mod envelope;
mod info;
mod key;
mod keyring;
mod library;
mod memory;
mod object;
mod opener;
mod options;
mod parts;
mod reader;
mod sealer;
mod status;
