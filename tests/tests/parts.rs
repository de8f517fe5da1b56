//! Objects in parts: uploads by several processes, completion, ranges across borders, and sizes up to S3's limits.

use objseal::Error;
use objseal::checksums::{self, Digester, Wanted};
use objseal::cobblestone::{ReadAt, Threads, Workers};
use objseal::envelope::{
    Attributes, Content, Demand, EncryptionContext, Envelope, EnvelopeError, FormatError, Head, Located, OpenOptions,
    Part, PartRange, PartSealer, PartStore, PartTable, PartsError, PartsReader, Selection, Upload, locate, sealed_len,
};
use objseal::limits::{INLINE_ENVELOPE_LEN, MAX_PART_LEN};
use objseal_keys::keyring::Keyring;
use objseal_tests::format::state_entry;
use objseal_tests::{context, keyring, open_options, pattern, seal_options};
use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Keys of the object, and the server's own.
fn keyrings() -> (Arc<Keyring>, Arc<Keyring>) {
    (keyring(&["photos", "outer"]), keyring(&["uploads"]))
}

/// What all objects are bound to.
fn bound() -> EncryptionContext {
    context(&[("name", "cat.jpg")])
}

/// What all uploads are bound to.
fn place() -> EncryptionContext {
    context(&[("bucket", "photos"), ("upload id", "17")])
}

fn start(customer: &Keyring, server: &Keyring, layers: u8) -> (Upload, PartSealer) {
    let sealing = seal_options(customer, &["photos", "outer"][..usize::from(layers)]).with_context(bound());
    sealing.start_upload(&server.latest("uploads").expect("it is there"), &place()).expect("started")
}

fn opening(keyring: &Arc<Keyring>) -> OpenOptions {
    open_options(keyring).with_context(bound())
}

fn resume(server: &Arc<Keyring>, state: &[u8]) -> Upload {
    open_options(server).resume_upload(state, &place()).expect("authentic")
}

/// What has the customer's keys as well.
fn resume_parts(customer: &Arc<Keyring>, server: &Arc<Keyring>, state: &[u8]) -> (Upload, PartSealer) {
    let upload = resume(server, state);
    let parts = upload.unlock(&opening(customer)).expect("the right keys");
    (upload, parts)
}

/// Bodies by their outermost salt, as a store has them that keeps every attempt.
#[derive(Default)]
struct Store {
    bodies: HashMap<Vec<u8>, Vec<u8>>,
    receipts: Vec<Vec<u8>>,
    /// Bytes read from bodies.
    read: Cell<usize>,
}

impl Store {
    /// Seals a part; gives its ETag.
    fn put(&mut self, (upload, parts): &(Upload, PartSealer), number: u32, plaintext: &[u8]) -> String {
        let (attempt, body) = parts.part(number).expect("a salt");
        let mut digester = Digester::new(Wanted::MD5 | Wanted::SHA256 | Wanted::CRC64NVME | Wanted::CRC32C);
        digester.update(plaintext);
        let stored = body.seal(plaintext).expect("sealed");
        self.bodies.insert(stored[..24].to_vec(), stored);
        let (receipt, stored) = upload.receipt(attempt, digester.finish()).expect("a receipt");
        self.receipts.push(stored);
        receipt.attributes.etag.expect("there is one")
    }

    fn receipts(&self) -> Vec<&[u8]> {
        self.receipts.iter().map(Vec::as_slice).collect()
    }
}

/// A body that counts what is read of it.
struct Counted<'b>(&'b [u8], &'b Cell<usize>);

impl ReadAt for Counted<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.set(self.1.get() + buffer.len());
        self.0.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

impl<'s> PartStore for &'s Store {
    type Body = Counted<'s>;

    fn part(&self, part: &Part) -> io::Result<Counted<'s>> {
        let salt = part.salts.last().expect("a layer");
        let body = self.bodies.get(&salt[..]).ok_or(io::ErrorKind::NotFound)?;
        assert_eq!(body.len() as u64, part.stored_len());
        Ok(Counted(body, &self.read))
    }
}

fn complete(upload: &Upload, selection: &Selection, inline_len: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let attributes = checksums::of_parts(&selection.attributes());
    let completed = upload.complete(selection, &attributes, inline_len).expect("completed");
    (completed.head, completed.table)
}

fn open(customer: &Arc<Keyring>, envelope: &[u8]) -> Envelope {
    opening(customer).open(envelope).expect("authentic")
}

/// Where a range is, told without IO; and how many bytes of the stored table that took.
fn locate_without_io(envelope: &Envelope, table: Option<&[u8]>, range: Range<u64>) -> (Vec<PartRange>, usize) {
    let mut parts = envelope.part_ranges().expect("authentic");
    let mut read = 0;
    loop {
        match parts.locate(range.clone()).expect("within") {
            Located::In(found) => return (found, read),
            Located::Unknown(fetch) => {
                let within = |at| usize::try_from(at).expect("in memory");
                let fetched = &table.expect("apart")[within(fetch.stored.start)..within(fetch.stored.end)];
                let mut changed = fetched.to_vec();
                changed[fetched.len() / 2] ^= 1;
                assert_eq!(parts.take_in(&fetch, &changed), Err(Error::Authentication));
                assert_eq!(parts.take_in(&fetch, &fetched[1..]), Err(Error::Authentication));
                parts.take_in(&fetch, fetched).expect("authentic");
                read += fetched.len();
            }
        }
    }
}

/// The plaintext of a range, of which only what was planned is fetched.
fn open_without_io(envelope: &Envelope, located: &[PartRange], store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    for PartRange { part, plaintext, stored, .. } in located {
        let body = &store.bodies[&part.salts.last().expect("a layer")[..]];
        let ranges = envelope.ranges_of_part(part).expect("a length");
        let fetch = ranges.plan(std::slice::from_ref(plaintext), 0).expect("within").pop().expect("one");
        // To the end of the body, where one ends with it, so that its end is proven.
        assert!(fetch.stored.start == stored.start && stored.end <= fetch.stored.end);
        let within = |at| usize::try_from(at).expect("in memory");
        let fetched = &body[within(fetch.stored.start)..within(fetch.stored.end)];
        let mut opener = ranges.opener(&fetch);
        let mut opened = vec![0; opener.update_len(fetched.len())];
        opener.update(fetched, &mut opened).expect("authentic");
        opener.finish().expect("all of it");
        out.extend_from_slice(&opened);
    }
    out
}

fn named(parts: &[(u32, String)]) -> Vec<(u32, &str)> {
    parts.iter().map(|(number, etag)| (*number, etag.as_str())).collect()
}

#[test]
fn parts_come_back_whatever_order_they_came_in() {
    let (customer, server) = keyrings();
    let lens = [70_000, 1, 16_384, 262_145, 5];
    let numbers = [1, 2, 7, 5_000, 10_000];
    for layers in [1, 2] {
        let state = start(&customer, &server, layers).0.stored().to_vec();
        let mut store = Store::default();
        let mut etags = Vec::new();
        for index in [3, 0, 4, 2, 1] {
            // Each by another process.
            let upload = resume_parts(&customer, &server, &state);
            let (number, len): (u32, usize) = (numbers[index], lens[index]);
            // An attempt that failed is in the way of nothing.
            store.put(&upload, number, b"an earlier attempt");
            etags.push((number, store.put(&upload, number, &part(number, len))));
        }
        etags.sort_by_key(|&(number, _)| number);
        let whole: Vec<u8> = numbers.iter().zip(lens).flat_map(|(&number, len)| part(number, len)).collect();

        // By one that does not have the customer's keys.
        let upload = resume(&server, &state);
        let selection = upload.select(&named(&etags), &store.receipts()).expect("all are there");
        assert_eq!(selection.plaintext_len(), whole.len() as u64);
        for inline_len in [INLINE_ENVELOPE_LEN, 0] {
            let (envelope, table) = complete(&upload, &selection, inline_len);
            let stored_table = table.clone();
            assert_eq!(table.is_some(), inline_len == 0);
            assert!(table.is_some() || envelope.len() <= INLINE_ENVELOPE_LEN, "{}", envelope.len());
            let opened = open(&customer, &envelope);
            assert!(matches!(opened.body(), Err(EnvelopeError::OtherContent)));
            let attributes = opened.attributes().expect("authentic").expect("in the head");
            assert_eq!(attributes, checksums::of_parts(&selection.attributes()));
            let all = opened.parts(table.as_deref()).expect("authentic");
            assert_eq!(all.iter().map(|part| part.number).collect::<Vec<_>>(), numbers);

            let table: PartTable<&[u8]> = opened.part_table(table.as_deref()).expect("authentic");
            assert_eq!((table.count(), table.plaintext_len()), (5, whole.len() as u64));
            assert_eq!(table.parts(0, 100).expect("authentic"), all);
            assert_eq!(table.parts(2, 2).expect("authentic"), all[2..4]);
            assert_eq!(table.parts(5, 1).expect("authentic"), []);
            let reader = PartsReader::new(&opened, table, &store);
            let len = whole.len();
            let borders =
                [0, 1, 69_999, 70_000, 70_001, 70_002, 86_385, 86_384, 86_386, 348_529, 348_530, len - 1, len];
            for from in borders {
                for to in borders {
                    let range = from as u64..to as u64;
                    let located = locate(&all, range.clone());
                    if from > to {
                        assert_eq!(located, None);
                        assert!(reader.open_range(range).is_err());
                        continue;
                    }
                    assert!(reader.open_range(range.clone()).expect("authentic") == whole[from..to], "{range:?}");
                    // What is fetched is what was said before.
                    let located = located.expect("within");
                    assert_eq!(located, reader.table().locate(range.clone()).expect("authentic"));
                    assert_eq!(located, locate_without_io(&opened, stored_table.as_deref(), range).0);
                    assert!(open_without_io(&opened, &located, &store) == whole[from..to]);
                }
            }
            let error = reader.open_range(0..len as u64 + 1).expect_err("beyond the end");
            let reason = error.get_ref().and_then(|error| error.downcast_ref());
            assert_eq!(reason, Some(&Error::OutOfRange { plaintext_len: len as u64 }));
        }
        println!("parts: {layers} layers, 5 parts, inline and detached");
    }
}

/// Bytes that no other part has.
fn part(number: u32, len: usize) -> Vec<u8> {
    pattern(len).into_iter().map(|byte| byte ^ u8::try_from(number % 256).expect("a byte")).collect()
}

#[test]
fn parts_are_sealed_at_the_same_time() {
    let (customer, server) = keyrings();
    let (upload, _) = start(&customer, &server, 2);
    let store = Mutex::new(Store::default());
    let next = Mutex::new(1..=40_u32);
    let etags = Mutex::new(Vec::new());
    Threads(NonZeroUsize::new(4).expect("4")).run(&|| {
        let (upload, parts) = resume_parts(&customer, &server, upload.stored());
        loop {
            let Some(number) = next.lock().expect("no panic").next() else { return };
            let plaintext = part(number, 10_000);
            let (attempt, body) = parts.part(number).expect("a salt");
            let mut stored = Vec::new();
            let len = body.seal_stream(&plaintext[..], &mut stored, &Threads(NonZeroUsize::MIN)).expect("sealed");
            let (receipt, proof) = upload.receipt(attempt, Attributes::new(len)).expect("a receipt");
            let mut store = store.lock().expect("no panic");
            store.bodies.insert(stored[..24].to_vec(), stored);
            store.receipts.push(proof);
            etags.lock().expect("no panic").push((number, receipt.attributes.etag.expect("there is one")));
        }
    });
    let store = store.into_inner().expect("no panic");
    let mut etags = etags.into_inner().expect("no panic");
    etags.sort();
    let selection = upload.select(&named(&etags), &store.receipts()).expect("all are there");
    let (envelope, table) = complete(&upload, &selection, INLINE_ENVELOPE_LEN);
    let opened = open(&customer, &envelope);
    let reader = PartsReader::new(&opened, opened.part_table(table.as_deref()).expect("authentic"), &store);
    let whole: Vec<u8> = (1..=40).flat_map(|number| part(number, 10_000)).collect();
    assert!(reader.open_range(0..400_000).expect("authentic") == whole);
    assert!(reader.open_range(123_456..234_567).expect("authentic") == whole[123_456..234_567]);
}

#[test]
fn parts_that_do_not_make_an_object_are_refused() {
    let (customer, server) = keyrings();
    let both = start(&customer, &server, 1);
    let mut store = Store::default();
    let stale = store.put(&both, 1, b"stale");
    let first = store.put(&both, 1, b"first");
    let second = store.put(&both, 2, b"second");
    let empty = store.put(&both, 3, b"");
    let (upload, parts) = both;
    let select = |named: &[(u32, &str)]| upload.select(named, &store.receipts()).map(|selection| selection.receipts);
    let refused = |named: &[(u32, &str)]| match select(named) {
        Err(EnvelopeError::Parts(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(select(&[(1, &first), (2, &second)]).expect("both are there"), [1, 2]);
    // The client decides which attempt it means.
    assert_eq!(select(&[(1, &stale), (2, &second)]).expect("both are there"), [0, 2]);
    assert_eq!(select(&[(3, &empty)]).expect("an empty object"), [3]);
    assert_eq!(refused(&[]), PartsError::Count);
    assert_eq!(refused(&[(1, &first), (4, &second)]), PartsError::Missing(4));
    assert_eq!(refused(&[(1, &second)]), PartsError::Missing(1));
    assert_eq!(refused(&[(1, &first), (1, &first)]), PartsError::Order(1));
    assert_eq!(refused(&[(2, &second), (1, &first)]), PartsError::Order(1));
    assert_eq!(refused(&[(0, &first)]), PartsError::Number(0));
    assert_eq!(refused(&[(10_001, &first)]), PartsError::Number(10_001));
    assert_eq!(refused(&[(1, &first), (3, &empty)]), PartsError::Size(3));
    for number in [0, 10_001, u32::MAX] {
        let error = parts.part(number).map(drop).expect_err("no such number");
        assert!(matches!(error, EnvelopeError::Parts(PartsError::Number(n)) if n == number));
    }
    let (attempt, _) = parts.part(9).expect("a salt");
    let error = upload.receipt(attempt, Attributes::new(MAX_PART_LEN + 1)).map(drop).expect_err("too long");
    assert!(matches!(error, EnvelopeError::Parts(PartsError::Size(9))));
    // Receipts of another upload, or changed.
    let (another, _) = start(&customer, &server, 1);
    let error = another.select(&[(1, &first)], &store.receipts()).map(drop).expect_err("foreign");
    assert!(matches!(error, EnvelopeError::Authentication));
    for at in 0..store.receipts[0].len() {
        let mut changed = store.receipts[0].clone();
        changed[at] ^= 1;
        assert!(matches!(upload.open_receipt(&changed), Err(EnvelopeError::Authentication)), "byte {at}");
    }
    // Attributes of something else.
    let selection = upload.select(&[(1, &first)], &store.receipts()).expect("it is there");
    let error = upload.complete(&selection, &Attributes::new(6), 0).map(drop).expect_err("5 bytes");
    assert!(matches!(error, EnvelopeError::Format(FormatError::Malformed)));
}

#[test]
fn an_empty_object_can_be_of_one_part() {
    let (customer, server) = keyrings();
    for inline_len in [INLINE_ENVELOPE_LEN, 0] {
        let upload = start(&customer, &server, 2);
        let mut store = Store::default();
        let etag = store.put(&upload, 4, b"");
        let selection = upload.0.select(&[(4, &etag)], &store.receipts()).expect("it is there");
        let (envelope, table) = complete(&upload.0, &selection, inline_len);
        let opened = open(&customer, &envelope);
        let reader = PartsReader::new(&opened, opened.part_table(table.as_deref()).expect("authentic"), &store);
        assert_eq!(reader.table().plaintext_len(), 0);
        assert_eq!(reader.open_range(0..0).expect("authentic"), b"");
    }
}

#[test]
fn ten_thousand_parts_of_five_gib() {
    let (customer, server) = keyrings();
    // 48.8 TiB, without the bytes: receipts are enough. And parts of any size.
    let five_gib = |_: u32| MAX_PART_LEN;
    let any = |number: u32| u64::from(number).pow(4) % MAX_PART_LEN + 1;
    for (layers, len_of) in [(1, five_gib as fn(u32) -> u64), (2, five_gib), (1, any), (2, any)] {
        let (upload, parts) = start(&customer, &server, layers);
        let (mut receipts, mut etags) = (Vec::new(), Vec::new());
        for number in 1..=10_000 {
            let (attempt, _) = parts.part(number).expect("a salt");
            let (receipt, stored) = upload.receipt(attempt, Attributes::new(len_of(number))).expect("a receipt");
            etags.push((number, receipt.attributes.etag.expect("there is one")));
            receipts.push(stored);
        }
        let stored: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
        let selection = upload.select(&named(&etags), &stored).expect("all are there");
        let (envelope, table) = complete(&upload, &selection, INLINE_ENVELOPE_LEN);
        let table = table.expect("detached");
        assert_eq!(table.len() as u64, sealed_len(layers, 10_000 * (12 + 24 * u64::from(layers))).expect("short"));
        assert!(envelope.len() <= INLINE_ENVELOPE_LEN, "{}", envelope.len());
        let opened = open(&customer, &envelope);
        let all = opened.parts(Some(&table)).expect("authentic");
        let end = all.last().expect("10,000").plaintext.end;
        if len_of == five_gib {
            assert_eq!(end, 10_000 * MAX_PART_LEN);
            assert_eq!(end, 53_687_091_200_000);
        }
        let head = Head::parse(&envelope).expect("a head");
        let Content::Parts { table: facts, sealed: None } = &head.unverified().content else { panic!() };
        assert_eq!((facts.parts, facts.plaintext_len), (10_000, end));

        let read = Cell::new(0);
        let part_table = opened.part_table(Some(Counted(&table, &read))).expect("authentic");
        let mut worst = 0;
        for number in (0..10_000).step_by(97).chain([1, 9_998, 9_999]) {
            for at in [all[number].plaintext.start, all[number].plaintext.end - 1] {
                let range = at..(at + 100).min(end);
                read.set(0);
                let located = part_table.locate(range.clone()).expect("authentic");
                worst = worst.max(read.get());
                assert_eq!(Some(&located), locate(&all, range.clone()).as_ref());
                assert_eq!(located[0].part.number, all[number].number);
                let (without_io, fetched) = locate_without_io(&opened, Some(&table), range.clone());
                assert_eq!(without_io, located);
                worst = worst.max(fetched);
                let len: u64 = located.iter().map(|part| part.plaintext.end - part.plaintext.start).sum();
                assert_eq!(len, range.end - range.start);
            }
        }
        let chunks = worst.div_ceil(16_400);
        println!(
            "parts: 10,000 parts, {layers} layers: a range reads at most {chunks} chunks of {}",
            table.len() / 16_400
        );
        // The part and the one behind it, each perhaps across two chunks; in two layers each of those across two. Where
        // sizes tell nothing, a search.
        let bound = if len_of == five_gib { 4 } else { 12 };
        assert!(chunks <= bound * usize::from(layers), "{chunks}");
    }
}

#[test]
fn an_upload_state_opens_nothing_and_can_be_changed_by_nobody() {
    let (customer, server) = keyrings();
    let (upload, _) = start(&customer, &server, 2);
    let state = upload.stored();
    assert_eq!(resume(&server, state).object_id(), upload.object_id());
    let fingerprint = &state_entry(state)["fingerprint"];
    let mut refused = 0;
    for at in 0..state.len() {
        let mut changed = state.to_vec();
        changed[at] ^= 1 << (at % 8);
        if fingerprint.contains(&at) {
            // It only chooses words, and those of an error.
            assert_eq!(resume(&server, &changed).object_id(), upload.object_id());
            continue;
        }
        let error = open_options(&server).resume_upload(&changed, &place()).map(drop).expect_err("changed");
        let expected = matches!(
            error,
            EnvelopeError::Authentication
                | EnvelopeError::Format(_)
                | EnvelopeError::NoAcceptedKey { .. }
                | EnvelopeError::OtherKey(_)
        );
        assert!(expected, "byte {at}: {error}");
        assert!(open_options(&server).resume_upload(&state[..at], &place()).is_err());
        refused += 2;
    }
    println!("parts: {refused} changed or shortened upload states refused");
    // It is no head, and a head is no state.
    assert!(matches!(Head::parse(state), Err(FormatError::NotSealed)));
    let (envelope, _) = seal_options(&server, &["uploads"]).start().expect("sealed");
    let error = open_options(&server).resume_upload(envelope.stored(), &place()).map(drop).expect_err("a head");
    assert!(matches!(error, EnvelopeError::Format(FormatError::NotSealed)));
    // The customer's keys do not open it, nor another key of the server's name.
    let error = open_options(&customer).resume_upload(state, &place()).map(drop).expect_err("another keyring");
    assert!(matches!(error, EnvelopeError::NoAcceptedKey { .. }), "{error}");
    let (_, another) = keyrings();
    let error = open_options(&another).resume_upload(state, &place()).map(drop).expect_err("another key");
    assert!(matches!(&error, EnvelopeError::OtherKey(key) if key.key_id == "uploads"), "{error}");
    // What the object has to be like is asked by who seals its parts.
    let upload = resume(&server, state);
    let error = upload.unlock(&open_options(&customer)).map(drop).expect_err("a policy");
    assert!(matches!(error, EnvelopeError::Policy(Demand::Context)), "{error}");
    // The server's key opens no part.
    let error = upload.unlock(&opening(&server)).map(drop).expect_err("the server's keys");
    assert!(matches!(error, EnvelopeError::NoAcceptedKey { .. }), "{error}");
}

#[test]
fn every_attempt_has_salts_of_its_own() {
    let (customer, server) = keyrings();
    let upload = start(&customer, &server, 2);
    let mut seen = std::collections::HashSet::new();
    let mut store = Store::default();
    for _ in 0..100 {
        store.put(&upload, 3, b"the same bytes");
    }
    for receipt in &store.receipts {
        for salt in upload.0.open_receipt(receipt).expect("authentic").salts {
            assert!(seen.insert(salt));
        }
    }
    let bodies: std::collections::HashSet<_> = store.bodies.values().map(|body| body[56..].to_vec()).collect();
    assert_eq!((seen.len(), bodies.len()), (200, 100));
}

#[test]
fn rewrapping_an_object_in_parts_moves_no_data() {
    let (customer, server) = keyrings();
    let upload = start(&customer, &server, 1);
    let mut store = Store::default();
    let etag = store.put(&upload, 1, b"plain");
    let selection = upload.0.select(&[(1, &etag)], &store.receipts()).expect("it is there");
    let (envelope, table) = complete(&upload.0, &selection, 0);
    let old = open(&customer, &envelope);
    let mut customer = Arc::into_inner(customer).expect("nobody else has it");
    customer.rotate("photos").expect("random bytes");
    let new = seal_options(&customer, &["photos"]).with_context(bound()).rewrap(&old).expect("rewrapped");
    let customer = Arc::new(customer);
    let opened = open(&customer, new.stored());
    assert_eq!(opened.opened_by().next().expect("a layer").key_version, 2);
    assert_eq!(opened.attributes().expect("authentic").expect("in the head").plaintext_len, 5);
    let reader = PartsReader::new(&opened, opened.part_table(table.as_deref()).expect("authentic"), &store);
    assert_eq!(reader.open_range(0..5).expect("authentic"), b"plain");
}
