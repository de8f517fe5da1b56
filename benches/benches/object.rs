//! Sealed objects, envelope and all, in memory under a keyring of one key; and a range of one. Run by
//! `cargo bench -p objseal-benches --bench object`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use objseal::cobblestone::Threads;
use objseal::envelope::{OpenOptions, SealOptions};
use objseal::file::{self, SealedFile};
use objseal_benches::noise;
use objseal_keys::keyring::Keyring;
use std::sync::Arc;

fn object(c: &mut Criterion) {
    let mut keyring = Keyring::new();
    keyring.create("default").expect("a new key");
    let sealing = SealOptions::new(keyring.latest("default").expect("a key"));
    let opening = OpenOptions::new().with_service(Arc::new(keyring));
    let threads = Threads::available();
    let mut group = c.benchmark_group("object");
    for size in [1 << 10, 1 << 20, 64 << 20] {
        let plaintext = noise(size);
        let mut sealed = Vec::new();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("seal", size), |bench| {
            bench.iter(|| {
                sealed.clear();
                file::seal(&sealing, plaintext.as_slice(), &mut sealed, &threads).expect("sealed")
            });
        });
        let mut opened = Vec::new();
        group.bench_function(BenchmarkId::new("open", size), |bench| {
            bench.iter(|| {
                opened.clear();
                file::open(&opening, sealed.as_slice(), &mut opened, &threads).expect("authentic")
            });
        });
        assert_eq!(plaintext, opened);
        group.throughput(Throughput::Bytes(100));
        group.bench_function(BenchmarkId::new("open 100 bytes of", size), |bench| {
            bench.iter(|| {
                let stored = SealedFile::open(&opening, sealed.as_slice()).expect("authentic");
                stored.body().open_range(500..600).expect("authentic")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, object);
criterion_main!(benches);
