//! The suite on a face in another language: `OBJSEAL_FACE_NAME` is what it is, `OBJSEAL_FACE` the program and its arguments.

use objseal_conformance::{Child, conform};
use std::env;

fn main() {
    let variable =
        |name| env::var(name).unwrap_or_else(|_| panic!("{name} says what to test: see bindings/*/tests/run"));
    conform(&mut Child::start(&variable("OBJSEAL_FACE_NAME"), &variable("OBJSEAL_FACE")));
    println!("test result: ok. 1 passed; 0 failed");
}
