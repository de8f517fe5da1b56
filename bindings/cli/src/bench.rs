//! `objseal bench`: what this machine can do.

use crate::failure::Failure;
use objseal::cobblestone::{Cobblestone, Threads, sealed_len};
use objseal::{Backend, Error, Key};
use std::time::{Duration, Instant};

/// One measurement. There are two for each backend and two for all threads.
const TIME: Duration = Duration::from_millis(900);
/// One thread works in its cache.
const SMALL: usize = 256 << 10;
/// All threads work in memory.
const LARGE: usize = 64 << 20;

pub(crate) fn run() -> Result<(), Failure> {
    let key = Key::generate()?;
    let best = Cobblestone::new(&key, b"bench");
    println!("{:<10} {:>9} {:>10} {:>10}", "backend", "threads", "seal GB/s", "open GB/s");
    let mut buffers = Buffers::random(&key, SMALL)?;
    for &backend in Backend::ALL {
        if !backend.is_available() {
            println!("{backend:<10} {:>9} {:>10} {:>10}", "-", "-", "-");
            continue;
        }
        let cobblestone = best.with_backend(backend)?;
        let seal = buffers.rate(|plaintext, message| cobblestone.seal_into(plaintext, message))?;
        let open = buffers.rate(|plaintext, message| cobblestone.open_into(message, plaintext))?;
        println!("{backend:<10} {:>9} {seal:>10.2} {open:>10.2}", 1);
    }
    let threads = Threads::available();
    let mut buffers = Buffers::random(&key, LARGE)?;
    let seal = buffers.rate(|plaintext, message| best.seal_parallel(&threads, plaintext, message))?;
    let open = buffers.rate(|plaintext, message| best.open_parallel(&threads, message, plaintext))?;
    println!("{:<10} {:>9} {seal:>10.2} {open:>10.2}", best.backend().name(), threads.0);
    println!("\nOne thread in 256 KiB that stay in its cache, all threads in 64 MiB. {} is in use.", best.backend());
    Ok(())
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
