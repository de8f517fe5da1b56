//! Many streams at once, and the memory of that as the kernel counts it: this process runs nothing else.

mod shared;

use objseal_tokio::{OpenReader, SealWriter};
use shared::{keys, pattern, runtimes};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const STREAMS: usize = 2_000;
const PIECES: usize = 16;
const PIECE_LEN: usize = 64 * 1024;

/// Most memory that this process had so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// A thousand are sealed and a thousand opened, in two layers. All of them are half-way at the same time.
#[test]
fn two_thousand_streams_at_once_take_512_mib() {
    let (keys, piece) = (keys(2), pattern(PIECE_LEN));
    let half_way = Arc::new(Barrier::new(STREAMS / 2));
    runtimes()[0].block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..STREAMS / 2 {
            let (piece, half_way) = (piece.clone(), Arc::clone(&half_way));
            let (sealing, opening) = (keys.sealing.clone(), keys.opening.clone());
            let (ours, theirs) = duplex(16 * 1024);
            let writes = async move {
                let mut writer = SealWriter::new(&sealing, ours).expect("begun");
                for number in 0..PIECES {
                    if number == PIECES / 2 {
                        half_way.wait().await;
                    }
                    writer.write_all(&piece).await.expect("written");
                }
                writer.shutdown().await.expect("sealed");
            };
            let reads = async move {
                let mut reader = OpenReader::open(&opening, theirs).await.expect("opened");
                let (mut buffer, mut all) = (vec![0; 16 * 1024], 0);
                loop {
                    match reader.read(&mut buffer).await.expect("authentic") {
                        0 => break,
                        len => all += len,
                    }
                }
                assert_eq!(all, PIECES * PIECE_LEN);
            };
            tasks.spawn(async { tokio::join!(writes, reads) });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
    });
    let peak = peak() >> 20;
    println!("{STREAMS} streams at once: {peak} MiB");
    assert!(peak <= 512, "{peak} MiB");
}
