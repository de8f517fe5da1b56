//! A store that answers differently when it is asked again: with another object, another generation, another end, or none.
//! What comes out is of the very object that was verified, or nothing does.

use objseal::Push;
use objseal::checksums;
use objseal::cobblestone::{ReadAt, Threads};
use objseal::envelope::{
    Attributes, EncryptionContext, Envelope, EnvelopeError, ObjectId, OpenOptions, Part, PartStore, PartsReader,
    SealOptions,
};
use objseal::file::{self, FileError, SealedFile, SlotState, WriteAt};
use objseal_keys::keyring::Keyring;
use objseal_tests::{context, keyring, open_options, pattern, seal_in_memory, seal_options};
use std::collections::HashMap;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Which of two versions answers question number `n`.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// The second one from this question on.
    From(usize),
    /// The second one to this question only.
    Only(usize),
    /// The second one, but for this question.
    But(usize),
    /// The second one once `decide` has been asked.
    Decided,
}

/// Bytes of which there are two versions.
struct Store<'v> {
    versions: [&'v [u8]; 2],
    plan: Plan,
    asked: AtomicUsize,
    /// Which one answered last.
    last: AtomicUsize,
    decided: AtomicBool,
    in_memory: bool,
    writes: Mutex<Vec<(usize, Vec<u8>)>>,
}

impl<'v> Store<'v> {
    fn new(versions: [&'v [u8]; 2], plan: Plan) -> Self {
        let (asked, last, decided) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        Self { versions, plan, asked, last, decided, in_memory: false, writes: Mutex::default() }
    }

    fn answer(&self) -> &'v [u8] {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        let second = match self.plan {
            Plan::From(first) => n >= first,
            Plan::Only(one) => n == one,
            Plan::But(one) => n != one,
            Plan::Decided => self.decided.load(Ordering::SeqCst),
        };
        self.last.store(usize::from(second), Ordering::SeqCst);
        self.versions[usize::from(second)]
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A version with what was written.
    fn written_over(&self, version: usize) -> Vec<u8> {
        let mut bytes = self.versions[version].to_vec();
        for (at, written) in &*self.writes.lock().expect("no panic") {
            bytes[*at..at + written.len()].copy_from_slice(written);
        }
        bytes
    }
}

impl ReadAt for Store<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.answer().read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.answer().size()
    }

    fn in_memory(&self) -> Option<&[u8]> {
        self.in_memory.then(|| self.answer())
    }
}

impl WriteAt for Store<'_> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).expect("small");
        self.writes.lock().expect("no panic").push((at, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Does something with every plan that makes a difference, with and without memory, and gives how many there were.
fn with_every_plan(versions: [&[u8]; 2], mut work: impl FnMut(&Store<'_>)) -> usize {
    let mut count = 0;
    for in_memory in [false, true] {
        let mut ask = |plan| {
            let store = Store { in_memory, ..Store::new(versions, plan) };
            work(&store);
            count += 1;
            store.asked()
        };
        ask(Plan::Decided);
        for plan in [Plan::From, Plan::Only, Plan::But] {
            let mut n = 0;
            // As many as there are questions, and once without a difference.
            while ask(plan(n)) > n {
                n += 1;
            }
        }
    }
    count
}

/// An object, and all that somebody who owns the storage can have of it.
struct Sealed {
    name: &'static str,
    plaintext: Vec<u8>,
    file: Vec<u8>,
}

impl Sealed {
    fn new(name: &'static str, options: &SealOptions, plaintext: Vec<u8>) -> Self {
        let file = seal_in_memory(options, &plaintext);
        Self { name, plaintext, file }
    }

    fn id(&self) -> ObjectId {
        file::inspect(&self.file[..]).expect("a file").unverified().head.object_id
    }
}

const LEN: usize = 70_000;

fn other_pattern(len: usize) -> Vec<u8> {
    pattern(len).iter().map(|byte| byte ^ 0x55).collect()
}

/// Keys, and objects under them: one, and what the store puts in its place.
struct World {
    keyring: Arc<Keyring>,
    object: Sealed,
    others: Vec<Sealed>,
    /// Of each object.
    plaintexts: HashMap<ObjectId, Vec<u8>>,
}

fn world(layers: usize) -> World {
    let keyring = keyring(&["main", "outer", "other"]);
    let seal = |key, context: &[(&str, &str)], name, plaintext| {
        let options = seal_options(&keyring, &[key, "outer"][..layers]).with_context(self::context(context));
        Sealed::new(name, &options, plaintext)
    };
    let same_context = &[("name", "cat.jpg")];
    let object = seal("main", same_context, "the object", pattern(LEN));
    let same = |name, file| Sealed { name, plaintext: object.plaintext.clone(), file };
    let rewrapped = rewrapped(&keyring, &object.file, &seal_options(&keyring, &["main", "outer"][..layers]));
    let other = seal("other", &[("name", "dog.jpg")], "under another key, of another context", other_pattern(LEN));

    let mut others = vec![
        seal("main", same_context, "another object of the same key and context", other_pattern(LEN)),
        seal("main", same_context, "a shorter one", other_pattern(40_000)),
        seal("main", same_context, "a longer one", other_pattern(90_000)),
        seal("main", same_context, "an empty one", Vec::new()),
    ];
    let objects = [&object, &other].into_iter().chain(&others);
    let plaintexts = objects.map(|object| (object.id(), object.plaintext.clone())).collect();
    // The slots of one and the rest of the other, and a slot of each.
    let splice =
        |at: usize, end: usize, from: &[u8]| [&object.file[..at], &from[at..end], &object.file[end..]].concat();
    let object_len = object.file.len();
    for (name, file) in [
        ("another generation", rewrapped.clone()),
        ("slot B of another generation", splice(4096, 8192, &rewrapped)),
        ("slot A of another generation", splice(0, 4096, &rewrapped)),
        ("slot A damaged", splice(100, 110, &other.file)),
        ("the slots of another object", splice(0, 8192, &other.file)),
        ("slot B of another object", splice(4096, 8192, &other.file)),
        ("the body of another object", splice(8192, object_len - 88, &other.file)),
        ("the end of another object", splice(object_len - 88, object_len, &other.file)),
        ("cut short by a byte", object.file[..object_len - 1].to_vec()),
        ("cut short by a chunk", object.file[..object_len - 16_400].to_vec()),
        ("cut short within the slots", object.file[..5_000].to_vec()),
        ("longer by a byte", [&object.file[..], &[0]].concat()),
        ("longer by its own end", [&object.file[..], &object.file[object_len - 20_000..]].concat()),
        ("nothing", Vec::new()),
    ] {
        others.push(same(name, file));
    }
    let newer = self::rewrapped(&keyring, &other.file, &seal_options(&keyring, &["other", "outer"][..layers]));
    others.push(same("slot B of another object's later generation", splice(4096, 8192, &newer)));
    others.push(other);
    World { keyring, object, others, plaintexts }
}

fn rewrapped(keyring: &Arc<Keyring>, file: &[u8], options: &SealOptions) -> Vec<u8> {
    let store = Store::new([file, file], Plan::From(0));
    let decide = |old: &Envelope| Ok::<_, FileError>(options.clone().with_context(old.head().context.clone()));
    file::rewrap(&open_options(keyring).with_any_context(), &store, decide).expect("rewrapped");
    store.written_over(0)
}

impl World {
    fn options(&self) -> OpenOptions {
        open_options(&self.keyring).with_any_context()
    }

    /// The plaintext of the object with this id.
    fn plaintext(&self, id: ObjectId) -> &[u8] {
        &self.plaintexts[&id]
    }
}

fn opened(options: &OpenOptions, file: &[u8]) -> Option<(ObjectId, Vec<u8>)> {
    let mut plaintext = Vec::new();
    let info = file::open(options, file, &mut plaintext, &Threads::available()).ok()?;
    Some((info.envelope.head().object_id, plaintext))
}

#[test]
fn a_rewrap_writes_the_head_of_the_object_that_was_decided_on() {
    for layers in [1, 2] {
        let world = world(layers);
        let (mut plans, mut done, mut refused) = (0, 0, 0);
        for other in &world.others {
            plans += with_every_plan([&world.object.file, &other.file], |store| {
                let mut seen = None;
                // The same keys and the same context, as whoever only rotates keys decides.
                let decide = |old: &Envelope| {
                    store.decided.store(true, Ordering::SeqCst);
                    seen = Some((old.head().object_id, old.stored().to_vec()));
                    let key = &old.opened_by().next().expect("a layer").key_id;
                    let options = seal_options(&world.keyring, &[key, "outer"][..layers]);
                    Ok::<_, FileError>(options.with_context(old.head().context.clone()))
                };
                let result = file::rewrap(&world.options(), store, decide);
                let name = format!("{}, {:?}, {layers} layers", other.name, store.plan);
                let Ok(new) = result else {
                    // Nothing is written before all is decided.
                    assert!(store.writes.lock().expect("no panic").is_empty(), "{name}");
                    refused += 1;
                    return;
                };
                let (id, head) = seen.expect("it was decided");
                assert_eq!(new.head().object_id, id, "{name}");
                // What was replaced is what was decided on.
                let last = store.versions[store.last.load(Ordering::SeqCst)];
                let replaced = [&last[12..][..head.len()], &last[4108..][..head.len()]];
                assert!(replaced.contains(&&head[..]), "{name}");
                let slots = store.written_over(store.last.load(Ordering::SeqCst));
                assert!(slots[..4096] == slots[4096..8192] && slots[12..].starts_with(new.stored()), "{name}");
                for version in [0, 1] {
                    // Not one without room for slots.
                    if store.versions[version].len() < 8192 {
                        continue;
                    }
                    let written = store.written_over(version);
                    if let Some((opened_id, plaintext)) = opened(&world.options(), &written) {
                        assert_eq!(opened_id, id, "{name}: a head that opens another object");
                        assert!(plaintext == world.plaintext(id), "{name}");
                    }
                }
                done += 1;
            });
        }
        assert!(done > 100 && refused > 100, "{done} rewrapped, {refused} refused");
        println!("second read: {plans} plans of rewrapping in {layers} layers, {done} done, {refused} refused");
    }
}

/// One file after another: what was decided for the first is written over no other.
#[test]
fn a_file_that_comes_while_it_is_decided_stays_as_it_is() {
    for layers in [1, 2] {
        let world = world(layers);
        for other in &world.others {
            let store = Store::new([&world.object.file, &other.file], Plan::Decided);
            let decide = |old: &Envelope| {
                store.decided.store(true, Ordering::SeqCst);
                let options = seal_options(&world.keyring, &["main", "outer"][..layers]);
                Ok::<_, FileError>(options.with_context(old.head().context.clone()))
            };
            let result = file::rewrap(&world.options(), &store, decide);
            // What a reader takes from both slots.
            let head = |file: &[u8]| {
                let inspected = file::inspect(&[file.get(..8192)?, &world.object.file[8192..]].concat()[..]);
                Some(inspected.ok()?.unverified().head.clone())
            };
            let another_head = head(&other.file) != head(&world.object.file);
            let writes = store.writes.lock().expect("no panic").len();
            match result {
                Err(error) => assert!(writes == 0 && another_head, "{}: {error}", other.name),
                Ok(_) => assert!(writes == 2 && !another_head, "{}", other.name),
            }
        }
    }
}

#[test]
fn what_is_read_of_a_file_is_of_the_object_that_was_verified() {
    let threads = Threads(NonZeroUsize::new(2).expect("2"));
    for layers in [1, 2] {
        let world = world(layers);
        let (mut plans, mut given, mut refused) = (0, 0, 0);
        for other in &world.others {
            plans += with_every_plan([&world.object.file, &other.file], |store| {
                let name = format!("{}, {:?}, {layers} layers", other.name, store.plan);
                if let Ok(facts) = file::inspect(store) {
                    // Unverified, but of a head that there is.
                    world.plaintext(facts.unverified().head.object_id);
                }
                let Ok(file) = SealedFile::open(&world.options(), store) else {
                    refused += 1;
                    return;
                };
                let plaintext = world.plaintext(file.info().envelope.head().object_id);
                let len = plaintext.len();
                assert_eq!(
                    (file.body().len(), file.info().attributes.plaintext_len),
                    (len as u64, len as u64),
                    "{name}"
                );
                for range in [0..len, len / 2..len, 0..len / 3, 16_384.min(len)..32_768.min(len), len..len] {
                    match file.body().open_range(range.start as u64..range.end as u64) {
                        Ok(bytes) => assert!(bytes == plaintext[range], "{name}"),
                        Err(_) => refused += 1,
                    }
                    given += 1;
                }
                let mut out = vec![1; len];
                match file.body().open_range_parallel(&threads, 0, &mut out) {
                    Ok(()) => assert!(out == plaintext, "{name}"),
                    Err(_) => assert!(out.iter().all(|&byte| byte == 0), "{name}"),
                }
            });
        }
        assert!(given > 1000 && refused > 500, "{given} given, {refused} refused");
        println!("second read: {plans} plans of files in {layers} layers, {given} ranges, {refused} refused");
    }
}

/// The bytes of one up to a place, and those of another from there on.
struct Spliced<'v> {
    versions: [&'v [u8]; 2],
    at: usize,
    read: usize,
}

impl Read for Spliced<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let [first, second] = self.versions;
        let from = if self.read < self.at { &first[..self.at.min(first.len())] } else { second };
        let rest = from.get(self.read..).unwrap_or_default();
        let len = rest.len().min(buffer.len()).min(30_000);
        buffer[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        Ok(len)
    }
}

#[test]
fn a_stream_that_goes_on_as_another_ends() {
    for layers in [1, 2] {
        let world = world(layers);
        let (mut count, mut whole) = (0, 0);
        let first = &world.object;
        for other in &world.others {
            let len = first.file.len();
            let places = [0, 1, 100, 4095, 4096, 8191, 8192, 8216, 8248, 8249, 8300, 24_648, 24_649, 50_000];
            for at in places.into_iter().chain([len - 16_076, len - 88, len - 4, len - 1, len]) {
                let spliced = || Spliced { versions: [&first.file, &other.file], at, read: 0 };
                let mut bytes = Vec::new();
                spliced().read_to_end(&mut bytes).expect("read");
                // The object whose head a reader takes, if there is one.
                let slots = bytes.get(..8192).unwrap_or_default();
                let inspected = file::inspect(&[slots, &first.file[8192..]].concat()[..]);
                let id = inspected.ok().map(|facts| facts.unverified().head.object_id);
                let name = format!("{} from {at} on, {layers} layers", other.name);
                let check = |result: Result<(), String>, plaintext: &[u8]| {
                    let expected = id.map(|id| world.plaintext(id)).unwrap_or_default();
                    assert!(expected.starts_with(plaintext), "{name}");
                    if result.is_ok() {
                        assert!(expected == plaintext && opened(&world.options(), &bytes).is_some(), "{name}");
                    } else {
                        assert!(opened(&world.options(), &bytes).is_none(), "{name}: {result:?}");
                    }
                    usize::from(result.is_ok())
                };
                let mut plaintext = Vec::new();
                let opened = file::open(&world.options(), spliced(), &mut plaintext, &Threads::available());
                whole += check(opened.map(drop).map_err(|error| error.to_string()), &plaintext);
                let mut plaintext = Vec::new();
                let opened = file::OpenReader::new(&world.options(), spliced()).map_err(|error| error.to_string());
                let read = opened.and_then(|mut reader| {
                    reader.read_to_end(&mut plaintext).map(drop).map_err(|error| error.to_string())
                });
                whole += check(read, &plaintext);
                count += 2;
            }
        }
        assert!(whole > 20 && whole < count / 2, "{whole} of {count}");
        println!("second read: {count} spliced streams in {layers} layers, {whole} of them whole");
    }
}

fn place() -> EncryptionContext {
    context(&[("upload id", "17")])
}

/// Bodies and tables under the same keys: attempts at parts, and completions.
struct InParts {
    envelopes: Vec<Envelope>,
    tables: Vec<Vec<u8>>,
    /// By part, the attempts.
    bodies: Vec<Vec<Vec<u8>>>,
    plaintexts: Vec<Vec<u8>>,
}

/// Three parts, of each two attempts of the same length; each completion takes another one of them.
fn in_parts(keyring: &Arc<Keyring>, layers: usize) -> InParts {
    let server = keyring.latest("server").expect("it is there");
    let options = seal_options(keyring, &["main", "outer"][..layers]);
    let (upload, sealer) = options.start_upload(&server, &place()).expect("started");
    let lens = [40_000, 16_384, 30_000];
    let (mut bodies, mut receipts) = (vec![Vec::new(); 3], vec![Vec::new(); 2]);
    for (attempt, make) in [pattern, other_pattern].into_iter().enumerate() {
        for (number, len) in (1..).zip(lens) {
            let (started, body) = sealer.part(number).expect("random bytes");
            bodies[number as usize - 1].push(body.seal(&make(len)).expect("sealed"));
            let receipt = upload.receipt(started, Attributes::new(len as u64)).expect("a receipt");
            receipts[attempt].push((number, receipt.0.attributes.etag.expect("there is one"), receipt.1));
        }
    }
    let (mut envelopes, mut tables) = (Vec::new(), Vec::new());
    for receipts in &receipts {
        let named: Vec<_> = receipts.iter().map(|(number, etag, _)| (*number, etag.as_str())).collect();
        let stored: Vec<_> = receipts.iter().map(|(.., stored)| stored.as_slice()).collect();
        let selection = upload.select(&named, &stored).expect("all are there");
        let attributes = checksums::of_parts(&selection.attributes());
        let completed = upload.complete(&selection, &attributes, 0).expect("completed");
        envelopes.push(open_options(keyring).open(&completed.head).expect("authentic"));
        tables.push(completed.table.expect("apart"));
    }
    let plaintexts = [pattern, other_pattern].map(|make| lens.map(make).concat());
    InParts { envelopes, tables, bodies, plaintexts: plaintexts.to_vec() }
}

/// Bodies of parts, in turns from the one and the other attempt.
struct Bodies<'p> {
    bodies: &'p [Vec<Vec<u8>>],
    plan: Plan,
    given: Mutex<Vec<Arc<Store<'p>>>>,
}

struct Shared<'p>(Arc<Store<'p>>);

impl ReadAt for Shared<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn in_memory(&self) -> Option<&[u8]> {
        self.0.in_memory()
    }
}

impl<'p> PartStore for &Bodies<'p> {
    type Body = Shared<'p>;

    fn part(&self, part: &Part) -> io::Result<Shared<'p>> {
        let bodies = &self.bodies[part.number as usize - 1];
        let store = Arc::new(Store::new([&bodies[0], &bodies[1]], self.plan));
        self.given.lock().expect("no panic").push(store.clone());
        Ok(Shared(store))
    }
}

#[test]
fn what_is_read_of_an_object_in_parts_is_what_its_head_says() {
    let keyring = keyring(&["main", "outer", "server"]);
    for layers in [1, 2] {
        let object = in_parts(&keyring, layers);
        let another = in_parts(&keyring, layers);
        let (plaintext, envelope) = (&object.plaintexts[0], &object.envelopes[0]);
        let (mut plans, mut given) = (0, 0);
        let first = &object.tables[0];
        let cut = &first[..first.len() - 1];
        let longer = [&first[..], &[0]].concat();
        for table in [&object.tables[1], &another.tables[0], cut, &longer, &[][..]] {
            plans += with_every_plan([first, table], |store| {
                let bodies = Bodies { bodies: &object.bodies, plan: Plan::From(usize::MAX), given: Mutex::default() };
                let Ok(table) = envelope.part_table(Some(store)) else { return };
                assert_eq!((table.count(), table.plaintext_len()), (3, plaintext.len() as u64));
                for first in 0..3 {
                    if let Ok(parts) = table.parts(first, 3) {
                        let all = envelope.parts(Some(&object.tables[0])).expect("authentic");
                        assert_eq!(parts, all[first as usize..]);
                    }
                }
                let reader = PartsReader::new(envelope, table, &bodies);
                for range in [0..plaintext.len(), 39_000..57_000, 60_000..60_001] {
                    if let Ok(bytes) = reader.open_range(range.start as u64..range.end as u64) {
                        assert!(bytes == plaintext[range]);
                        given += 1;
                    }
                }
            });
        }
        // The same of bodies, of all attempts and of other parts.
        let mut swapped = object.bodies.clone();
        swapped[0][1] = another.bodies[0][0].clone();
        swapped[1][1] = object.bodies[2][0].clone();
        swapped[2][1].truncate(20_000);
        for bodies in [&object.bodies, &swapped] {
            for plan in [Plan::From, Plan::Only, Plan::But] {
                for n in 0..20 {
                    let bodies = Bodies { bodies, plan: plan(n), given: Mutex::default() };
                    let table = envelope.part_table(Some(&object.tables[0][..])).expect("authentic");
                    let reader = PartsReader::new(envelope, table, &bodies);
                    for range in [0..plaintext.len(), 39_000..57_000, 60_000..60_001, 41_000..42_000] {
                        let mut out = vec![1; range.len()];
                        match reader.open_range_into(range.start as u64, &mut out) {
                            Ok(()) => {
                                assert!(out == plaintext[range]);
                                given += 1;
                            }
                            Err(_) => assert!(out.iter().all(|&byte| byte == 0)),
                        }
                    }
                    plans += 1;
                }
            }
        }
        assert!(given > 100, "{given}");
        println!("second read: {plans} plans of parts in {layers} layers, {given} ranges given");
    }
}

#[test]
fn what_is_read_of_a_body_is_of_its_object() {
    let keyring = keyring(&["main", "outer"]);
    for layers in [1, 2] {
        let options = seal_options(&keyring, &["main", "outer"][..layers]);
        let seal = |plaintext: &[u8]| {
            let (envelope, body) = options.start().expect("sealed");
            (envelope, body.seal(plaintext).expect("sealed"))
        };
        let (plaintext, (envelope, body)) = (pattern(LEN), seal(&pattern(LEN)));
        let mut versions = vec![seal(&other_pattern(LEN)).1, seal(&[]).1, body[..body.len() - 1].to_vec(), Vec::new()];
        // Where a body of whole chunks, or none, would end.
        let whole = 56 + 3 * 16_400;
        versions.extend([whole, whole - 1, whole + 15, whole + 16, 56, 72].map(|len| body[..len].to_vec()));
        versions.push([&body[..], &[0; 16]].concat());
        versions.push([&body[..56], &body[56 + 16_400..]].concat());
        let (mut plans, mut given) = (0, 0);
        for version in &versions {
            plans += with_every_plan([&body, version], |store| {
                let Ok(access) = envelope.body().expect("a body").open_at(store) else { return };
                assert_eq!(access.len(), LEN as u64);
                for range in [0..LEN, 0..1, LEN - 1..LEN, 20_000..40_000] {
                    if let Ok(bytes) = access.open_range(range.start as u64..range.end as u64) {
                        assert!(bytes == plaintext[range]);
                        given += 1;
                    }
                }
                let mut bytes = Vec::new();
                let read = access.reader().read_to_end(&mut bytes);
                assert!(plaintext.starts_with(&bytes) && (read.is_err() || bytes == plaintext));
            });
            for at in [0, 24, 56, 57, 16_456, 16_457, 40_000, body.len() - 16, body.len() - 1] {
                let spliced = || Spliced { versions: [&body, version], at, read: 0 };
                let mut all = Vec::new();
                spliced().read_to_end(&mut all).expect("read");
                let mut bytes = Vec::new();
                let stream = envelope.body().expect("a body").open_stream(spliced(), &mut bytes, &Threads::available());
                assert!(plaintext.starts_with(&bytes));
                assert_eq!(stream.is_ok(), all == body, "from {at} on");
                let mut pieces = envelope.body().expect("a body").opener();
                let mut bytes = Vec::new();
                let opened = all.chunks(9_000).try_for_each(|piece| pieces.update_vec(piece, &mut bytes));
                let opened = opened.and_then(|()| pieces.finish_vec(&mut bytes));
                assert!(plaintext.starts_with(&bytes));
                assert_eq!(opened.is_ok(), all == body, "from {at} on");
            }
        }
        assert!(given > 100, "{given}");
        println!("second read: {plans} plans of a body in {layers} layers, {given} ranges given");
    }
}

/// A file that is told to be longer or shorter than it is, from one moment on.
#[test]
fn slots_are_chosen_once() {
    let world = world(1);
    let newer = &world.others.iter().find(|other| other.name == "another generation").expect("it is there").file;
    let mixed = [&world.object.file[..4096], &newer[4096..]].concat();
    // Both generations are there; a reader takes one of them and says so.
    let file = SealedFile::open(&world.options(), &mixed[..]).expect("authentic");
    assert_eq!(file.info().envelope.head().generation, 2);
    assert_eq!(file.info().slots, SlotState::Older { slot: 0 });
    let mut demanding = world.options();
    demanding.policy_mut().minimum_generation = 2;
    with_every_plan([&mixed, &world.object.file], |store| {
        // Where a newer head is demanded, an older one is not taken, whatever comes at the second read.
        match SealedFile::open(&demanding, store) {
            Ok(file) => assert_eq!(file.info().envelope.head().generation, 2),
            Err(FileError::Envelope(EnvelopeError::Policy(_))) => {}
            Err(error) => panic!("{error}"),
        }
    });
}
