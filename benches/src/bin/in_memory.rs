//! The Rust side of `bindings/python/bench/peers.py`: it reads `WHAT LENGTH TIMES` from standard input, line by line, and
//! prints how many seconds one call takes.

use objseal::cobblestone::{self, Threads};
use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
use objseal::file::{self, SealedFile};
use objseal::{Error, Key};
use objseal_benches::noise;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

fn main() -> io::Result<()> {
    let key = Key::generate().expect("random bytes");
    let wrapping_key = Arc::new(WrappingKey::from_key(Key::generate().expect("random bytes")));
    let (sealing, opening) = (SealOptions::new(wrapping_key.clone()), OpenOptions::new().with_key(wrapping_key));
    let one = Threads(NonZeroUsize::MIN);
    let seal_object = |plain: &[u8]| {
        let len = file::sealed_len(&sealing, plain.len() as u64).expect("short");
        let mut out = vec![0; usize::try_from(len).expect("short")];
        file::seal_at(&sealing, &one, plain, &mut out).expect("sealed");
        out
    };
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split(' ').collect();
        let [what, len, times] = words[..] else { return Err(io::ErrorKind::InvalidInput.into()) };
        let (len, times): (usize, u32) = (len.parse().expect("a length"), times.parse().expect("a number"));
        let plain = noise(len);
        let message = cobblestone::seal(&key, b"", &plain).expect("sealed");
        let object = seal_object(&plain);
        let call = || -> Result<Vec<u8>, Error> {
            match what {
                "seal" => cobblestone::seal(&key, b"", &plain),
                "open" => cobblestone::open(&key, b"", &message),
                "seal_object" => Ok(seal_object(&plain)),
                _ => {
                    let file = SealedFile::open(&opening, &object[..]).expect("authentic");
                    let mut out = vec![0; len];
                    file.body().open_range_into(0, &mut out).expect("authentic");
                    Ok(out)
                }
            }
        };
        black_box(call().expect("works"));
        let start = Instant::now();
        for _ in 0..times {
            black_box(call().expect("works"));
        }
        println!("{}", start.elapsed().as_secs_f64() / f64::from(times));
        io::stdout().flush()?;
    }
    Ok(())
}
