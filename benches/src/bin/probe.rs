use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use objseal::{Backend, hazmat::Aes256Gcm};
use std::time::Instant;
fn main() {
    let key = [7u8; 32];
    let nonce = [9u8; 12];
    let awsk = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    for &b in Backend::ALL {
        if !b.is_available() {
            println!("no {b}");
            continue;
        }
        let k = Aes256Gcm::new(b, &key, 1 << 20).unwrap();
        for len in (0..3000).chain([4096, 5000, 16384, 20000, 65536, 100001]) {
            for aadlen in [0, 13, 600] {
                let pt: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
                let aad = vec![3u8; aadlen];
                let mut x = pt.clone();
                let t = awsk
                    .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&aad), &mut x)
                    .unwrap();
                let mut y = pt.clone();
                let u = k.seal_in_place(&nonce, &aad, &mut y).unwrap();
                assert!(x == y, "{b} ct {len}");
                assert!(t.as_ref() == u, "{b} tag {len} {aadlen}");
                k.open_in_place(&nonce, &aad, &mut y, &u).unwrap();
                assert!(y == pt);
            }
        }
        println!("{b} ok");
    }
    for size in [256usize, 1024, 16384, 65536, 1 << 20] {
        let mut buf = vec![1u8; size];
        let iters = (64 << 20) / size / 4;
        let ks: Vec<_> = Backend::ALL
            .iter()
            .filter(|b| b.is_available())
            .map(|&b| (b, Aes256Gcm::new(b, &key, 1 << 20).unwrap()))
            .collect();
        let mut best = vec![0f64; ks.len() * 2 + 2];
        for _ in 0..9 {
            let mut j = 0;
            let t = Instant::now();
            for _ in 0..iters {
                awsk.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut buf).unwrap();
            }
            best[0] = best[0].max((iters * size) as f64 / t.elapsed().as_secs_f64() / 1e9);
            for (_, k) in &ks {
                j += 1;
                let t = Instant::now();
                for _ in 0..iters {
                    k.seal_in_place(&nonce, b"", &mut buf).unwrap();
                }
                best[j] = best[j].max((iters * size) as f64 / t.elapsed().as_secs_f64() / 1e9);
                j += 1;
                let mut o = vec![0; size];
                let tag = k.seal(&nonce, b"", &buf, &mut o).unwrap();
                let mut p = vec![0; size];
                let t = Instant::now();
                for _ in 0..iters {
                    k.open(&nonce, b"", &o, &tag, &mut p).unwrap();
                }
                best[j] = best[j].max((iters * size) as f64 / t.elapsed().as_secs_f64() / 1e9);
            }
        }
        print!("{size}: aws {:.2}", best[0]);
        for (i, (b, _)) in ks.iter().enumerate() {
            print!(" | {b} {:.2}/{:.2}", best[1 + 2 * i], best[2 + 2 * i])
        }
        println!();
    }
}
