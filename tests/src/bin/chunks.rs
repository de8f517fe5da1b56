//! Seals so many chunks of 16 KiB on an engine, for a count of the instructions that one takes.
//!
//!     chunks ENGINE CHUNKS

use objseal::cobblestone::{CHUNK_LEN, Cobblestone};
use objseal::{Engine, Key};

fn main() {
    let args: Vec<_> = std::env::args().collect();
    let [_, engine, chunks] = args.as_slice() else { panic!("usage: chunks ENGINE CHUNKS") };
    let engine: Engine = engine.parse().expect("an engine");
    let plaintext = vec![7; CHUNK_LEN * chunks.parse::<usize>().expect("a number")];
    let mut message = vec![0; plaintext.len() + 1000];
    let key = Key::from_bytes(&[1; Key::LEN]);
    let cobblestone = Cobblestone::new(&key, b"").with_engine(engine).expect("an engine of this CPU");
    let len = cobblestone.seal_into(&plaintext, &mut message).expect("sealed");
    assert!(len > plaintext.len());
}
