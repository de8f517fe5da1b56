//! Ranges of objects in parts over fetches, with a part table in the head and one that is stored apart.

mod shared;

use bytes::Bytes;
use objseal::checksums::{self, Digester, Wanted};
use objseal::envelope::{EncryptionContext, Envelope, OpenOptions, Part, SealOptions, WrappingKey};
use objseal::limits::INLINE_ENVELOPE_LEN;
use objseal::{Error, Key};
use objseal_tokio::{Fetch, FetchParts, PartsReader, Pool};
use shared::{pattern, runtimes};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;

#[derive(Default)]
struct Store {
    parts: Mutex<HashMap<u32, Bytes>>,
    table: Mutex<Option<Bytes>>,
    table_read: AtomicU64,
}

impl FetchParts for &'static Store {
    async fn fetch_part(&self, part: &Part, range: Range<u64>) -> io::Result<Bytes> {
        let stored = self.parts.lock().expect("no panic").get(&part.number).cloned();
        stored.ok_or(ErrorKind::NotFound)?.fetch(range).await
    }

    async fn fetch_table(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.table_read.fetch_add(range.end - range.start, Ordering::SeqCst);
        let table = self.table.lock().expect("no panic").clone();
        table.expect("it is in the head").fetch(range).await
    }
}

/// An object of parts of these lengths: its envelope, its plaintext, and what is stored beside it.
fn object(lens: &[usize], layers: u8, inline_len: usize) -> (Arc<Envelope>, Bytes, &'static Store) {
    let [inner, outer, server] =
        [(); 3].map(|()| Arc::new(WrappingKey::from_key(Key::generate().expect("random bytes"))));
    let sealing = SealOptions::new(inner.clone());
    let sealing = if layers == 2 { sealing.with_outer_key(outer.clone()) } else { sealing };
    let place = EncryptionContext::from_pairs([("upload", "17")]).expect("a context");
    let (upload, sealer) = sealing.start_upload(&server, &place).expect("started");
    let store: &Store = Box::leak(Box::default());
    let (mut plain, mut named, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
    for (number, &len) in (1_u32..).zip(lens) {
        let part: Bytes = pattern(len).iter().map(|byte| byte.wrapping_add(number.to_le_bytes()[0])).collect();
        let (attempt, body) = sealer.part(number).expect("a salt");
        store.parts.lock().expect("no panic").insert(number, body.seal(&part).expect("sealed").into());
        let mut digester = Digester::new(Wanted::MD5);
        digester.update(&part);
        let (receipt, stored) = upload.receipt(attempt, digester.finish()).expect("a receipt");
        named.push((number, receipt.attributes.etag.expect("an ETag")));
        receipts.push(stored);
        plain.extend_from_slice(&part);
    }
    let named: Vec<_> = named.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
    let selection = upload.select(&named, &receipts).expect("all are there");
    let completed = upload.complete(&selection, &checksums::of_parts(&selection.attributes()), inline_len);
    let completed = completed.expect("completed");
    *store.table.lock().expect("no panic") = completed.table.map(Bytes::from);
    let opening = OpenOptions::new().with_key(inner).with_key(outer);
    (Arc::new(opening.open(&completed.head).expect("authentic")), plain.into(), store)
}

#[test]
fn ranges_across_parts() {
    let lens = [70_000, 1, 16_384, 100_000, 5];
    for runtime in runtimes() {
        for (layers, inline_len) in [(1, INLINE_ENVELOPE_LEN), (2, INLINE_ENVELOPE_LEN), (1, 0), (2, 0)] {
            let (envelope, plain, store) = object(&lens, layers, inline_len);
            assert_eq!(store.table.lock().expect("no panic").is_some(), inline_len == 0);
            runtime.block_on(async {
                let reader = PartsReader::new(envelope, store).expect("in parts");
                let reader = reader.with_pool(Pool::default().with_inline_len(20_000));
                let end = plain.len() as u64;
                assert_eq!(reader.plaintext_len(), end);
                let borders = [0, 1, 69_999, 70_000, 70_001, 86_384, 86_386, 186_384, end - 1, end];
                for from in borders {
                    for to in borders.into_iter().filter(|&to| to >= from) {
                        let range = usize::try_from(from).expect("small")..usize::try_from(to).expect("small");
                        assert_eq!(reader.read_range(from..to).await.expect("authentic"), plain.slice(range));
                    }
                }
                let error = reader.read_range(0..end + 1).await.expect_err("beyond the end");
                let ours = error.get_ref().and_then(|inner| inner.downcast_ref());
                assert_eq!(ours, Some(&Error::OutOfRange { plaintext_len: end }));
                let mut all = Vec::new();
                reader.reader().read_to_end(&mut all).await.expect("authentic");
                assert!(all == plain);
            });
        }
    }
}

#[test]
fn of_a_long_table_only_what_tells_is_fetched() {
    runtimes()[0].block_on(async {
        let (envelope, plain, store) = object(&vec![10; 4_000], 1, 0);
        let reader = PartsReader::new(envelope, store).expect("in parts");
        assert_eq!(reader.read_range(20_000..20_025).await.expect("authentic"), plain.slice(20_000..20_025));
        let once = store.table_read.load(Ordering::SeqCst);
        let len = store.table.lock().expect("no panic").as_ref().expect("apart").len() as u64;
        assert!(once < len / 2, "{once} of {len}");
        assert_eq!(reader.read_range(20_000..20_025).await.expect("authentic"), plain.slice(20_000..20_025));
        assert_eq!(store.table_read.load(Ordering::SeqCst), once, "it is kept");
    });
}

#[test]
fn what_was_changed_does_not_come_out() {
    runtimes()[0].block_on(async {
        let (envelope, _, store) = object(&[70_000, 30_000], 1, 0);
        let reader = PartsReader::new(Arc::clone(&envelope), store).expect("in parts");
        let invalid = |read: io::Result<Bytes>| {
            let error = read.expect_err("changed");
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        };
        let change = |stored: &Bytes, at: usize| {
            let mut changed = stored.to_vec();
            changed[at] ^= 1;
            Bytes::from(changed)
        };
        let table = store.table.lock().expect("no panic").clone().expect("apart");
        for version in [change(&table, 70), table.slice(..table.len() - 1)] {
            *store.table.lock().expect("no panic") = Some(version);
            let read = reader.read_range(0..10).await;
            assert!(matches!(read.expect_err("changed").kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof));
        }
        *store.table.lock().expect("no panic") = Some(table);
        reader.read_range(0..100_000).await.expect("authentic");
        let parts = store.parts.lock().expect("no panic").clone();
        for swapped in [parts[&2].clone(), change(&parts[&1], 200), change(&parts[&1], 20_000)] {
            let swapped =
                if swapped.len() < 70_000 { [&swapped[..], &swapped, &swapped].concat().into() } else { swapped };
            store.parts.lock().expect("no panic").insert(1, swapped);
            invalid(reader.read_range(0..60_000).await);
        }
        let other = PartsReader::new(object(&[1], 1, 0).0, store).expect("in parts");
        invalid(other.read_range(0..1).await.and(reader.read_range(0..5).await));
    });
}
