//! Cobblestone-256 bodies, out of place, on one thread and on all. Run by
//! `cargo bench -p objseal-benches --bench body`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use objseal::Key;
use objseal::cobblestone::{Cobblestone, Threads, sealed_len};
use objseal_benches::noise;

fn body(c: &mut Criterion) {
    let key = Key::generate().expect("the operating system has random bytes");
    let cobblestone = Cobblestone::new(&key, b"bench");
    let mut group = c.benchmark_group("body");
    for size in [1 << 10, 1 << 20, 64 << 20] {
        let mut plaintext = noise(size);
        let sealed = sealed_len(size as u64).and_then(|len| usize::try_from(len).ok()).expect("it fits into memory");
        let mut message = vec![0; sealed];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("seal", size), |bench| {
            bench.iter(|| cobblestone.seal_into(&plaintext, &mut message).expect("room"));
        });
        group.bench_function(BenchmarkId::new("open", size), |bench| {
            bench.iter(|| cobblestone.open_into(&message, &mut plaintext).expect("authentic"));
        });
        let threads = Threads::available();
        group.bench_function(BenchmarkId::new("seal, all threads", size), |bench| {
            bench.iter(|| cobblestone.seal_parallel(&threads, &plaintext, &mut message).expect("room"));
        });
        group.bench_function(BenchmarkId::new("open, all threads", size), |bench| {
            bench.iter(|| cobblestone.open_parallel(&threads, &message, &mut plaintext).expect("authentic"));
        });
    }
    group.finish();
}

criterion_group!(benches, body);
criterion_main!(benches);
