//! Turns on the hooks.

fn main() {
    println!("cargo::rustc-cfg=objseal_hazmat");
}
