//! What the asynchronous faces seal, the blocking ones open, and the other way round.

mod shared;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use objseal::cobblestone::{self, Cobblestone, Opener};
use objseal::{Error, Key};
use objseal_tokio::{OpenReader, OpenStream, Pool, Reader, SealStream, SealWriter, Transformed, Writer};
use proptest::prelude::*;
use shared::{Keys, LENGTHS, Sluggish, Trickle, keys, pattern, runtimes};
use std::num::NonZeroUsize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Lengths of what is written, read and taken at a time.
const PIECES: [usize; 4] = [1_000, 16_400, 70_000, 1_000_000];

/// Some pieces go to it, some do not.
fn pool() -> Pool {
    Pool::new(NonZeroUsize::MIN).with_inline_len(60_000)
}

fn pieces(of: &Bytes, len: usize) -> Vec<std::io::Result<Bytes>> {
    of.chunks(len).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

async fn write(keys: &Keys, plain: &Bytes, lens: &[usize], inner: Sluggish) -> Vec<u8> {
    let mut writer = SealWriter::new(&keys.sealing, inner).expect("begun").with_pool(pool());
    let mut rest = plain.clone();
    for len in lens.iter().cycle() {
        let piece = rest.split_to(rest.len().min((*len).max(1)));
        writer.write_all(&piece).await.expect("written");
        if rest.is_empty() {
            break;
        }
    }
    let (inner, info) = writer.finish().await.expect("sealed");
    assert_eq!(info.attributes.plaintext_len, plain.len() as u64);
    assert!(inner.shut_down);
    inner.taken
}

async fn read(keys: &Keys, inner: Trickle, len: usize) -> Vec<u8> {
    let mut reader = OpenReader::open(&keys.opening, inner).await.expect("opened").with_pool(pool());
    assert!(reader.envelope().is_some() && reader.slots().is_some() && reader.attributes().is_none());
    let (mut plain, mut buffer) = (Vec::new(), vec![0; len]);
    loop {
        let len = reader.read(&mut buffer).await.expect("authentic");
        if len == 0 {
            break;
        }
        plain.extend_from_slice(&buffer[..len]);
    }
    assert_eq!(reader.attributes().expect("at the end").plaintext_len, plain.len() as u64);
    assert_eq!(reader.read(&mut buffer).await.expect("still the end"), 0);
    plain
}

async fn seal_stream(keys: &Keys, inner: Trickle) -> Vec<u8> {
    let mut sealed = SealStream::new(&keys.sealing, inner).expect("begun").with_pool(pool());
    let mut all = Vec::new();
    while let Some(item) = sealed.next().await {
        let item = item.expect("sealed");
        assert!(!item.is_empty() && item.len() <= 300_000, "{}", item.len());
        all.extend_from_slice(&item);
    }
    assert!(sealed.next().await.is_none());
    assert!(sealed.into_info().is_some());
    all
}

async fn open_stream(keys: &Keys, inner: Trickle) -> Vec<u8> {
    let mut opened = OpenStream::open(&keys.opening, inner).await.expect("opened").with_pool(pool());
    assert!(opened.envelope().is_some() && opened.attributes().is_none());
    let items: Vec<Bytes> = opened.by_ref().try_collect().await.expect("authentic");
    let all = items.concat();
    assert_eq!(opened.attributes().expect("at the end").plaintext_len, all.len() as u64);
    all
}

#[test]
fn files_at_every_border() {
    for runtime in runtimes() {
        for layers in [1, 2] {
            let keys = keys(layers);
            for len in LENGTHS {
                let plain = pattern(len);
                let stored = keys.seal(&plain);
                for piece in PIECES {
                    let what = format!("{len} in pieces of {piece}, {layers} layers");
                    runtime.block_on(async {
                        let written = write(&keys, &plain, &[piece], Sluggish::new(piece)).await;
                        assert!(keys.open(&written).expect("whole") == plain, "{what}");
                        assert_eq!(written.len(), stored.len(), "{what}");
                        let streamed = seal_stream(&keys, Trickle::new(plain.clone(), &[piece])).await;
                        assert!(keys.open(&streamed).expect("whole") == plain, "{what}");
                        assert!(read(&keys, Trickle::new(stored.clone(), &[piece]), piece).await == plain, "{what}");
                        assert!(open_stream(&keys, Trickle::new(stored.clone(), &[piece])).await == plain, "{what}");
                    });
                }
            }
        }
    }
}

#[test]
fn bare_messages_at_every_border() {
    let runtime = &runtimes()[0];
    let bytes = [7; 32];
    let key = Key::from_bytes(&bytes);
    let cobblestone = Cobblestone::new(&key, b"notes");
    let opener = || Opener::owned(Key::from_bytes(&bytes), b"notes".to_vec());
    for len in LENGTHS {
        let plain = pattern(len);
        let message = Bytes::from(cobblestone.seal(&plain).expect("sealed"));
        for piece in PIECES {
            runtime.block_on(async {
                let sealer = || cobblestone.sealer().expect("random bytes");
                let mut writer = Writer::of(sealer(), Sluggish::new(piece)).with_pool(pool());
                for piece in plain.chunks(piece) {
                    writer.write_all(piece).await.expect("written");
                    writer.flush().await.expect("flushed");
                }
                writer.shutdown().await.expect("sealed");
                let written = writer.into_inner().taken;
                assert!(cobblestone::open(&key, b"notes", &written).expect("authentic") == plain);

                let sealed = Transformed::of(sealer(), stream::iter(pieces(&plain, piece)));
                let sealed = sealed.try_collect::<Vec<Bytes>>().await.expect("sealed").concat();
                assert!(cobblestone::open(&key, b"notes", &sealed).expect("authentic") == plain);

                // An opener that is written to, a sealer that is read from.
                let mut writer = Writer::of(opener(), Sluggish::new(piece));
                writer.write_all(&message).await.expect("authentic");
                writer.shutdown().await.expect("whole");
                assert!(writer.into_inner().taken == plain);
                let mut sealed = Vec::new();
                Reader::of(sealer(), &plain[..]).read_to_end(&mut sealed).await.expect("sealed");
                assert!(cobblestone::open(&key, b"notes", &sealed).expect("authentic") == plain);

                let mut opened = Vec::new();
                let trickle = Trickle::new(message.clone(), &[piece]);
                Reader::of(opener(), trickle).read_to_end(&mut opened).await.expect("authentic");
                assert!(opened == plain);
                let opened = Transformed::of(opener(), stream::iter(pieces(&message, piece)));
                assert!(opened.try_collect::<Vec<Bytes>>().await.expect("authentic").concat() == plain);
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn in_any_pieces(
        layers in 1_u8..=2,
        len in 0_usize..400_000,
        lens in proptest::collection::vec(prop_oneof![100_usize..40_000, 60_000_usize..300_000], 1..6),
        read_len in prop_oneof![1_000_usize..40_000, Just(300_000)],
    ) {
        let (keys, plain) = (keys(layers), pattern(len));
        let stored = keys.seal(&plain);
        runtimes()[0].block_on(async {
            let written = write(&keys, &plain, &lens, Sluggish::new(lens[0])).await;
            assert!(keys.open(&written).expect("whole") == plain);
            assert!(keys.open(&seal_stream(&keys, Trickle::new(plain.clone(), &lens)).await).expect("whole") == plain);
            assert!(read(&keys, Trickle::new(stored.clone(), &lens), read_len).await == plain);
            assert!(open_stream(&keys, Trickle::new(stored.clone(), &lens)).await == plain);
        });
    }
}

#[test]
fn after_the_end_nothing_is_written() {
    runtimes()[0].block_on(async {
        let keys = keys(1);
        let mut writer = SealWriter::new(&keys.sealing, Vec::new()).expect("begun");
        assert!(writer.write(b"").await.is_ok_and(|len| len == 0));
        writer.write_all(b"plain").await.expect("written");
        writer.shutdown().await.expect("sealed");
        let len = writer.inner().len();
        for _ in 0..2 {
            let error = writer.write(b"more").await.expect_err("it has ended");
            assert_eq!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(&Error::Finished));
            writer.shutdown().await.expect("it is");
            writer.flush().await.expect("it is");
        }
        let (stored, info) = writer.into_info().expect("it was shut down");
        assert_eq!((stored.len(), info.attributes.plaintext_len), (len, 5));
        assert_eq!(keys.open(&stored).expect("whole"), b"plain");
    });
}
