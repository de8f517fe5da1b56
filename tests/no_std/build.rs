//! Links without the standard library and its start-up code.

fn main() {
    let target = std::env::var("TARGET").expect("cargo sets it");
    let script = concat!("-T", env!("CARGO_MANIFEST_DIR"), "/bare.ld");
    let args: &[&str] = match target.as_str() {
        "x86_64-unknown-none" => &["-static", "--no-pie"],
        "thumbv7em-none-eabihf" => &[script, "--defsym=START=0"],
        "aarch64-unknown-none" => &[script, "--defsym=START=0x40080000"],
        "wasm32-unknown-unknown" => &["--no-entry"],
        _ => &["-nostdlib", "-nostartfiles", "-static", "-no-pie"],
    };
    for arg in args {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    println!("cargo::rerun-if-changed=bare.ld");
}
