//! `objseal bench`: what this machine can do.

use crate::engine;
use crate::failure::Failure;
use crate::text::print;
use objseal::cobblestone::{Cobblestone, Threads, sealed_len};
use objseal::{Engine, Error, Key};
use std::time::{Duration, Instant};

/// One measurement. There are two for each engine and two for all threads.
const TIME: Duration = Duration::from_millis(900);
/// What one thread works on.
const SMALL: usize = 4 << 20;
/// What all threads work on.
const LARGE: usize = 64 << 20;

pub(crate) fn run() -> Result<(), Failure> {
    let key = Key::generate()?;
    let in_use = engine::chosen(Cobblestone::new(&key, b"bench"), Cobblestone::with_engine)?;
    print(format_args!("{:<10} {:>9} {:>10} {:>10}", "engine", "threads", "seal GB/s", "open GB/s"))?;
    let mut buffers = Buffers::random(&key, SMALL)?;
    for engine in Engine::all() {
        if !engine.is_available() {
            print(format_args!("{engine:<10} {:>9} {:>10} {:>10}", "-", "-", "-"))?;
            continue;
        }
        let cobblestone = in_use.with_engine(engine)?;
        let seal = buffers.rate(|plaintext, message| cobblestone.seal_into(plaintext, message))?;
        let open = buffers.rate(|plaintext, message| cobblestone.open_into(message, plaintext))?;
        print(format_args!("{engine:<10} {:>9} {seal:>10.2} {open:>10.2}", 1))?;
    }
    let threads = Threads::available();
    let mut buffers = Buffers::random(&key, LARGE)?;
    let seal = buffers.rate(|plaintext, message| in_use.seal_parallel(&threads, plaintext, message))?;
    let open = buffers.rate(|plaintext, message| in_use.open_parallel(&threads, message, plaintext))?;
    print(format_args!("{:<10} {:>9} {seal:>10.2} {open:>10.2}", in_use.engine(), threads.0))?;
    print(format_args!("\nOne thread works on 4 MiB, all threads on 64 MiB. {} is in use.", in_use.engine()))
}

struct Buffers {
    plaintext: Vec<u8>,
    message: Vec<u8>,
}

impl Buffers {
    /// Random plaintext, and room for its message.
    fn random(key: &Key, len: usize) -> Result<Self, Failure> {
        let sealed = sealed_len(len as u64).and_then(|sealed| usize::try_from(sealed).ok());
        let mut message = vec![0; sealed.ok_or(Error::TooLong)?];
        let mut plaintext = vec![0; len];
        // A sealed message looks random.
        Cobblestone::new(key, b"noise").seal_into(&plaintext, &mut message)?;
        plaintext.copy_from_slice(&message[message.len() - len..]);
        Ok(Self { plaintext, message })
    }

    /// GB of plaintext a second.
    fn rate(&mut self, work: impl Fn(&mut [u8], &mut [u8]) -> Result<usize, Error>) -> Result<f64, Failure> {
        work(&mut self.plaintext, &mut self.message)?;
        let start = Instant::now();
        let mut bytes = 0;
        while start.elapsed() < TIME {
            work(&mut self.plaintext, &mut self.message)?;
            bytes += self.plaintext.len();
        }
        Ok(bytes as f64 / start.elapsed().as_secs_f64() / 1e9)
    }
}
