//! AES-256-GCM in place, per backend and size. Run by `cargo bench -p objseal-benches --bench kernel`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use objseal::{Backend, hazmat::Aes256Gcm};
use objseal_benches::noise;

fn kernel(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernel");
    for &backend in Backend::ALL.iter().filter(|backend| backend.is_available()) {
        let gcm = Aes256Gcm::new(backend, &[7; 32], 1 << 20).expect("the backend is available");
        for size in [64, 1 << 10, 16 << 10, 1 << 20] {
            let mut data = noise(size);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(format!("seal/{backend}"), size), |bench| {
                bench.iter(|| gcm.seal_in_place(&[9; 12], &[], &mut data));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
