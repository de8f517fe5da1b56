//! Seals and opens a message without the standard library, an allocator or a C library, on whatever machine this is.

#![no_std]
#![no_main]

#[cfg_attr(target_arch = "x86_64", path = "linux.rs")]
#[cfg_attr(any(target_arch = "arm", target_arch = "aarch64"), path = "semihosting.rs")]
#[cfg_attr(target_arch = "wasm32", path = "wasm.rs")]
mod machine;
mod round_trip;

/// The same on every machine: `machine` gives the randomness, and takes what is to be printed.
fn run(random: &dyn objseal::RandomSource, print: fn(&str)) -> Result<(), round_trip::Fault> {
    static mut ROOM: round_trip::Room = round_trip::Room::new();
    let room = &raw mut ROOM;
    // SAFETY: every machine has one thread, and calls this once.
    let room = unsafe { &mut *room };
    let engine = round_trip::round_trip(room, random)?;
    print("no_std: sealed and opened on ");
    print(engine.name());
    print("\n");
    Ok(())
}
