//! Memory that is given back holds no secret: no key, nothing that is derived from one, no plaintext that waited somewhere.
//!
//! The allocator of this program keeps what is given back while something is done, and looks through it afterwards. What
//! grows always moves, so what is left behind then is found too. What C code allocates, and the stack, it does not see.

#![allow(unsafe_code, reason = "an allocator")]

use argon2::{Algorithm, Argon2, Block, Params, Version};
use objseal::Push;
use objseal::checksums;
use objseal::cobblestone::{self, Cobblestone, Threads};
use objseal::envelope::{
    Attributes, EncryptionContext, EnvelopeError, KeyKind, OpenOptions, SealOptions, ServiceContext, WrappingKey,
};
use objseal::file::{self, FileError, SealedFile};
use objseal::limits::INLINE_ENVELOPE_LEN;
use objseal::{Error, Key, RandomError, RandomSource, hazmat};
use objseal_keys::keyring::{KeyringError, KeyringFile, Passphrase, PassphraseCost};
use objseal_tests::format::{Object, Role, entries, state_fields, wrap_key};
use objseal_tests::{Disk, context, engines};
use sha2::{Digest, Sha512};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::fs;
use std::io::{self, Read, Write};
use std::mem::forget;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most blocks that are kept at a time.
const MOST: usize = 1 << 13;
/// So much of a secret, from one of its multiples on, is enough to be found.
const PIECE: usize = 16;

#[global_allocator]
static ALLOCATOR: Keeping = Keeping;
static KEEPS: AtomicBool = AtomicBool::new(false);
static KEPT: Mutex<Kept> = Mutex::new(Kept { count: 0, blocks: [(0, Layout::new::<()>()); MOST] });
/// The tests of this file take turns.
static TURN: Mutex<()> = Mutex::new(());

/// The allocator of the system, but what is given back may be kept for a while, and nothing grows where it is.
struct Keeping;

struct Kept {
    count: usize,
    /// Addresses, and how they were allocated.
    blocks: [(usize, Layout); MOST],
}

// SAFETY: all memory is the system's, which does what is promised. Only to give it back is put off. What is not here
// (`realloc`) consists of these.
unsafe impl GlobalAlloc for Keeping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeros, so that there is nothing in it that was never written.
        // SAFETY: the caller promises what the system asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the system asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if KEEPS.load(Ordering::SeqCst) {
            let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            let count = kept.count;
            if let Some(room) = kept.blocks.get_mut(count) {
                *room = (block.expose_provenance(), layout);
                kept.count += 1;
                return;
            }
        }
        // SAFETY: the caller promises what the system asks for.
        unsafe { System.dealloc(block, layout) };
    }
}

/// What must not be left behind.
#[derive(Default)]
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, name: &str, secret: &[u8]) {
        let pieces = secret.chunks_exact(PIECE).enumerate();
        self.0.extend(pieces.map(|(i, piece)| (format!("{name} from {} on", i * PIECE), piece.to_vec())));
    }

    /// A key, and its text as a keyring has it.
    fn add_key(&mut self, name: &str, key: &Key) {
        self.add(name, key.expose_secret());
        let hex: String = key.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
        self.add(&format!("{name} in hexadecimal digits"), hex.as_bytes());
    }

    /// A key that data keys are wrapped under, and what they really are wrapped under.
    fn add_wrapping_key(&mut self, key: &WrappingKey) {
        self.add_key(&format!("root key {}", key.key_id()), key.secret());
        self.add_key(&format!("wrap key {}", key.key_id()), &wrap_key(key.secret()));
    }

    /// Some of every KiB.
    fn add_plaintext(&mut self, plaintext: &[u8]) {
        let end = plaintext.len().saturating_sub(PIECE);
        for (at, piece) in plaintext.chunks(1024).enumerate().chain([(end / 1024, &plaintext[end..])]) {
            self.add(&format!("plaintext of KiB {at}"), &piece[..piece.len().min(PIECE)]);
        }
    }

    fn found_in(&self, block: &[u8]) -> impl Iterator<Item = (&str, usize)> {
        let mut begins = vec![false; 1 << 16];
        let start = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
        self.0.iter().for_each(|(_, piece)| begins[start(piece)] = true);
        let at = |(at, window): (usize, &[u8])| begins[start(window)].then(|| (at, window.to_vec()));
        let candidates: Vec<_> = block.windows(PIECE).enumerate().filter_map(at).collect();
        candidates.into_iter().flat_map(|(at, window)| {
            self.0.iter().filter(move |(_, piece)| *piece == window).map(move |(name, _)| (name.as_str(), at))
        })
    }
}

/// While this is there, what is given back is kept.
struct Keeps;

impl Drop for Keeps {
    fn drop(&mut self) {
        KEEPS.store(false, Ordering::SeqCst);
    }
}

/// What was given back while something was done.
struct GivenBack(Vec<(usize, Layout)>);

impl GivenBack {
    fn during(work: impl FnOnce()) -> Self {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).count = 0;
        KEEPS.store(true, Ordering::SeqCst);
        let keeps = Keeps;
        work();
        drop(keeps);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let count = std::mem::take(&mut kept.count);
        assert!(0 < count && count < MOST, "{count} blocks");
        Self(kept.blocks[..count].to_vec())
    }

    /// Which secrets are in it, and where.
    fn holds(&self, secrets: &Secrets) -> Vec<String> {
        let mut found = Vec::new();
        for &(address, layout) in &self.0 {
            let start = std::ptr::with_exposed_provenance::<u8>(address);
            // SAFETY: it was allocated with this layout and all of it was written then; whoever had it gave it back.
            let block = unsafe { slice::from_raw_parts(start, layout.size()) };
            found.extend(secrets.found_in(block).map(|(name, at)| format!("{name} at {at} of {}", block.len())));
        }
        found
    }
}

impl Drop for GivenBack {
    fn drop(&mut self) {
        for &(address, layout) in &self.0 {
            // SAFETY: it was allocated with this layout, and nobody has given it to the system.
            unsafe { System.dealloc(std::ptr::with_exposed_provenance_mut(address), layout) };
        }
    }
}

/// Until this is dropped nobody else gives anything back.
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That nothing is left behind by something.
fn clean(name: &str, secrets: &Secrets, work: impl FnOnce()) {
    clean_afterwards(name, &GivenBack::during(work), secrets);
}

/// The same where secrets are known afterwards.
fn clean_afterwards(name: &str, given_back: &GivenBack, secrets: &Secrets) {
    let found = given_back.holds(secrets);
    assert!(found.is_empty(), "{name}: {} times, such as {:?}", found.len(), &found[..found.len().min(8)]);
    println!(
        "freed memory: {name}: {} blocks without any of {} pieces of secrets",
        given_back.0.len(),
        secrets.0.len()
    );
}

/// "Random" bytes that are known before.
struct Known {
    seed: u8,
    at: AtomicUsize,
}

impl Known {
    fn new(seed: u8) -> Arc<Self> {
        Arc::new(Self { seed, at: AtomicUsize::new(0) })
    }

    fn byte(seed: u8, at: usize) -> u8 {
        let block = Sha512::new().chain_update([seed]).chain_update((at / 64).to_be_bytes()).finalize();
        block[at % 64]
    }

    fn bytes<const N: usize>(seed: u8, from: usize) -> [u8; N] {
        std::array::from_fn(|i| Self::byte(seed, from + i))
    }
}

impl RandomSource for Known {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let at = self.at.fetch_add(bytes.len(), Ordering::SeqCst);
        (at..).zip(bytes).for_each(|(at, byte)| *byte = Self::byte(self.seed, at));
        Ok(())
    }
}

fn key(seed: u8) -> Key {
    Key::from_bytes(&Known::bytes(seed, 1 << 20))
}

fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|at| Known::byte(255, at)).collect()
}

const LEN: usize = 100_003;

/// An object whose keys are known, and the keys that it is sealed under.
struct Case {
    seed: u8,
    layers: u8,
    inner: Arc<WrappingKey>,
    outer: Arc<WrappingKey>,
    server: Arc<WrappingKey>,
}

impl Case {
    fn new(seed: u8, layers: u8) -> Self {
        let of = |id, number| WrappingKey::new("service", id, 1, key(number)).expect("a key");
        let server = of("server", seed + 2).with_blob(KeyKind::Object, ServiceContext::Object, b"blob");
        let server = Arc::new(server.expect("a blob"));
        Self { seed, layers, inner: Arc::new(of("inner", seed)), outer: Arc::new(of("outer", seed + 1)), server }
    }

    fn seal_options(&self) -> SealOptions {
        let options = SealOptions::new(self.inner.clone()).with_context(context(&[("name", "cat.jpg")]));
        let options = options.with_random(Known::new(self.seed));
        if self.layers == 1 { options } else { options.with_outer_key(self.outer.clone()) }
    }

    /// With a wrong key beside the right ones.
    fn open_options(&self) -> OpenOptions {
        let wrong = WrappingKey::new("service", "inner", 1, key(200)).expect("a key");
        let options = OpenOptions::new().with_key(Arc::new(wrong)).with_key(self.inner.clone());
        options.with_key(self.outer.clone()).with_context(context(&[("name", "cat.jpg")]))
    }

    fn server_options(&self) -> OpenOptions {
        OpenOptions::new().with_key(self.server.clone())
    }

    fn object(&self) -> Object {
        let id = objseal::envelope::ObjectId::from_bytes(Known::bytes(self.seed, 0));
        Object { id, layers: self.layers }
    }

    fn data_keys(&self) -> Vec<u8> {
        (0..32 * usize::from(self.layers)).map(|at| Known::byte(self.seed, 32 + at)).collect()
    }

    fn data_key(&self, layer: u8) -> Key {
        Key::from_bytes(&Known::bytes(self.seed, 32 * usize::from(layer)))
    }

    /// Where the source is after object id and data keys.
    fn after_keys(&self) -> usize {
        32 + 32 * usize::from(self.layers)
    }

    fn upload_key(&self) -> Key {
        Key::from_bytes(&Known::bytes(self.seed, self.after_keys() + 24 * usize::from(self.layers)))
    }

    /// The key of the AES of a layer of the body.
    fn body_key(&self, layer: u8) -> Key {
        let salt = Known::bytes(self.seed, self.after_keys() + 24 * usize::from(layer - 1));
        let (data_key, place) = (self.data_key(layer), self.object().place(Role::Body, layer, 0));
        Key::from_bytes(&hazmat::derive(&Cobblestone::new(&data_key, &place), &salt).0)
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        [&self.inner, &self.outer, &self.server].into_iter().for_each(|key| secrets.add_wrapping_key(key));
        for layer in 1..=self.layers {
            secrets.add_key(&format!("data key {layer}"), &self.data_key(layer));
            secrets.add_key(&format!("AES key of layer {layer}"), &self.body_key(layer));
        }
        for name in ["mac", "attributes", "receipt", "table"] {
            secrets.add_key(&format!("subkey {name}"), &self.object().subkey(&self.data_keys(), name));
        }
        secrets.add_plaintext(&plaintext(LEN));
        secrets
    }
}

fn cases() -> impl Iterator<Item = Case> {
    [(10, 1), (20, 2)].into_iter().map(|(seed, layers)| Case::new(seed, layers))
}

fn threads() -> Threads {
    Threads(NonZeroUsize::new(3).expect("3"))
}

/// The search finds what is there, and what is looked for is what objects are sealed under.
#[test]
fn what_is_left_behind_is_found() {
    let _turn = turn();
    let secret = key(1);
    let mut secrets = Secrets::default();
    secrets.add_key("a key", &secret);
    let found = |work: &dyn Fn()| GivenBack::during(work).holds(&secrets).len();
    let copies = |count: usize| std::hint::black_box(secret.expose_secret().repeat(count));
    assert_eq!(found(&|| drop(std::hint::black_box(vec![1; 1000]))), 0);
    assert_eq!(found(&|| drop(copies(1))), 2);
    assert_eq!(found(&|| drop(copies(3))), 6);
    // Half of it, at an odd place.
    assert_eq!(found(&|| drop(std::hint::black_box([&[7; 3], &secret.expose_secret()[..16]].concat()))), 1);
    // What grows.
    assert_eq!(
        found(&|| {
            let mut grows = copies(1);
            grows.resize(10_000, 0);
            forget(std::hint::black_box(grows));
        }),
        2
    );
    // A key of the library wipes itself, on the heap too.
    assert_eq!(found(&|| drop(std::hint::black_box(Box::new(Key::from_bytes(secret.expose_secret()))))), 0);

    for case in cases() {
        let plain = plaintext(LEN);
        let (envelope, body) = case.seal_options().start().expect("sealed");
        let (mut sealed, object) = (body.seal(&plain).expect("sealed"), case.object());
        let record = envelope.seal_attributes(&Attributes::new(1)).expect("sealed");
        let (head, bound) = (envelope.stored(), &envelope.head().context);
        for (entry, wrapping_key) in entries(head).iter().zip([&case.inner, &case.outer]) {
            let data_key = object.unwrap(head, entry, wrapping_key.secret(), bound);
            assert!(*data_key.expose_secret() == *case.data_key(head[entry["layer"].start]).expose_secret());
        }
        for layer in (1..=case.layers).rev() {
            let place = object.place(Role::Body, layer, 0);
            sealed = cobblestone::open(&case.data_key(layer), &place, &sealed).expect("as FORMAT.md says");
        }
        assert!(sealed == plain);
        let subkey = object.subkey(&case.data_keys(), "attributes");
        object.open_record(Role::Attributes, &subkey, &record).expect("as FORMAT.md says");
        let (upload, _) = case.seal_options().start_upload(&case.server, &EncryptionContext::new()).expect("started");
        let secrets = &upload.stored()[state_fields(upload.stored())[&4].clone()];
        object.open_record(Role::Upload, &case.upload_key(), secrets).expect("as FORMAT.md says");
    }
}

#[test]
fn envelopes_and_bodies() {
    let _turn = turn();
    for case in cases() {
        let (layers, secrets, plain) = (case.layers, case.secrets(), plaintext(LEN));
        clean(&format!("sealing a body in {layers} layers"), &secrets, || {
            let (envelope, body) = case.seal_options().start().expect("sealed");
            body.seal(&plain).expect("sealed");
            let (_, body) = case.seal_options().start().expect("sealed");
            let mut sealer = body.sealer();
            let mut out = Vec::new();
            plain.chunks(7_001).for_each(|piece| sealer.update_vec(piece, &mut out).expect("sealed"));
            sealer.finish_vec(&mut out).expect("sealed");
            let (_, body) = case.seal_options().start().expect("sealed");
            body.seal_stream(&plain[..], io::sink(), &threads()).expect("sealed");
            let (_, body) = case.seal_options().start().expect("sealed");
            body.seal_at(&threads(), &plain[..], &mut out).expect("sealed");
            // One that is given up.
            let (_, body) = case.seal_options().start().expect("sealed");
            body.sealer().update_vec(&plain[..20_000], &mut out).expect("sealed");
            let checked = case.seal_options().with_check().start().expect("sealed").1;
            checked.seal(&plain).expect("sealed");
            envelope.with_attributes(&Attributes::new(LEN as u64)).expect("sealed");
        });

        let (envelope, body) = case.seal_options().start().expect("sealed");
        let stored = body.seal(&plain).expect("sealed");
        let envelope = envelope.with_attributes(&Attributes::new(LEN as u64)).expect("sealed");
        let head = envelope.stored();
        clean(&format!("opening a body in {layers} layers"), &secrets, || {
            let envelope = case.open_options().open(head).expect("authentic");
            envelope.attributes().expect("authentic");
            forget(envelope.body().expect("a body").open(&stored).expect("authentic"));
            let mut out = Vec::with_capacity(2 * LEN);
            let mut opener = envelope.body().expect("a body").opener();
            stored.chunks(7_001).for_each(|piece| opener.update_vec(piece, &mut out).expect("authentic"));
            opener.finish_vec(&mut out).expect("authentic");
            assert!(out == plain);
            let body = envelope.body().expect("a body");
            body.open_stream(&stored[..], io::sink(), &threads()).expect("authentic");
            let access = envelope.body().expect("a body").open_at(&stored[..]).expect("authentic");
            forget(access.open_range(5..LEN as u64 - 5).expect("authentic"));
            access.open_range_parallel(&threads(), 0, &mut out[..LEN]).expect("authentic");
            let mut reader = access.reader();
            reader.read_exact(&mut out[..50_000]).expect("authentic");
            forget(out);
        });
        clean(&format!("following a plan in {layers} layers"), &secrets, || {
            let keys = [&case.inner, &case.outer];
            let options = OpenOptions::new().with_any_context();
            let mut plan = options.plan(head).expect("a head");
            while let Some(request) = plan.next_request() {
                plan.answer(Ok(keys[usize::from(request.layer()) - 1].clone()));
            }
            plan.finish().expect("authentic");
            // One that is given up half-way.
            let mut plan = options.plan(head).expect("a head");
            plan.next_request().expect("a question");
            plan.answer(Ok(case.inner.clone()));
        });
        clean(&format!("refusing in {layers} layers"), &secrets, || {
            for at in [head.len() - 1, head.len() - 40, 100, 150, 180, 190] {
                let mut changed = head.to_vec();
                changed[at] ^= 1;
                assert!(case.open_options().open(&changed).is_err(), "{at}");
            }
            let envelope = case.open_options().open(head).expect("authentic");
            for at in [0, 30, 60, 20_000, stored.len() - 1] {
                let mut changed = stored.clone();
                changed[at] ^= 1;
                let error = envelope.body().expect("a body").open(&changed).expect_err("refused");
                assert_eq!(error, Error::Authentication);
                let body = envelope.body().expect("a body");
                body.open_stream(&changed[..], io::sink(), &threads()).expect_err("refused");
                let mut opener = envelope.body().expect("a body").opener();
                let mut out = Vec::with_capacity(2 * LEN);
                assert!(opener.update_vec(&changed, &mut out).and_then(|()| opener.finish_vec(&mut out)).is_err());
                forget(out);
            }
        });
    }
}

#[test]
fn files() {
    let _turn = turn();
    for case in cases() {
        let (layers, secrets, plain) = (case.layers, case.secrets(), plaintext(LEN));
        clean(&format!("sealing a file in {layers} layers"), &secrets, || {
            file::seal(&case.seal_options(), &plain[..], io::sink(), &threads()).expect("sealed");
            let mut out = vec![0; LEN + 30_000];
            file::seal_at(&case.seal_options(), &threads(), &plain[..], &mut out).expect("sealed");
            let mut writer = file::SealWriter::new(&case.seal_options(), io::sink()).expect("sealed");
            plain.chunks(7_001).for_each(|piece| writer.write_all(piece).expect("sealed"));
            writer.finish().expect("sealed");
            let mut given_up = file::SealWriter::new(&case.seal_options(), io::sink()).expect("sealed");
            given_up.write_all(&plain[..20_000]).expect("sealed");
        });
        let mut stored = Vec::new();
        file::seal(&case.seal_options(), &plain[..], &mut stored, &threads()).expect("sealed");
        clean(&format!("opening a file in {layers} layers"), &secrets, || {
            let mut out = Vec::with_capacity(2 * LEN);
            file::open(&case.open_options(), &stored[..], &mut out, &threads()).expect("authentic");
            // In pieces of all sizes.
            for most in [1 << 20, 50_000, 3_001] {
                let mut reader = file::OpenReader::new(&case.open_options(), Slow(&stored, most)).expect("authentic");
                reader.read_exact(&mut out).expect("authentic");
                assert!(out == plain);
                assert_eq!(reader.read(&mut out[..1]).expect("authentic"), 0);
                // And one that is given up.
                let mut reader = file::OpenReader::new(&case.open_options(), Slow(&stored, most)).expect("authentic");
                reader.read_exact(&mut out[..40_000]).expect("authentic");
            }
            let file = SealedFile::open(&case.open_options(), &stored[..]).expect("authentic");
            forget(file.body().open_range(0..LEN as u64).expect("authentic"));
            let slots = stored.first_chunk().expect("slots");
            let mut plan = file::Opener::plan(&case.open_options(), slots).expect("a file");
            assert!(plan.next_request().is_none());
            plan.finish().expect("authentic");
            forget(out);
        });
        clean(&format!("rewrapping a file in {layers} layers"), &secrets, || {
            let disk = Disk(RefCell::new(stored.clone()));
            // What is drawn for the new head is no secret.
            let options = case.seal_options().with_random(Known::new(case.seed + 5));
            let rewrapped = file::rewrap(&case.open_options(), &disk, |_| Ok::<_, FileError>(options));
            rewrapped.expect("rewrapped");
            let other = SealOptions::new(case.inner.clone()).with_outer_key(case.outer.clone());
            let other = if layers == 1 { other } else { SealOptions::new(case.inner.clone()) };
            let error = file::rewrap(&case.open_options(), &disk, |_| Ok::<_, FileError>(other)).expect_err("refused");
            assert!(matches!(error, FileError::Envelope(EnvelopeError::OtherLayers { .. })), "{error}");
        });
    }
}

/// Gives at most so many bytes at a time, and fewer at first.
struct Slow<'b>(&'b [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.1 += self.1 / 2;
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn uploads() {
    let _turn = turn();
    for case in cases() {
        let (layers, mut secrets, plain) = (case.layers, case.secrets(), plaintext(LEN));
        secrets.add_key("upload key", &case.upload_key());
        let place = context(&[("bucket", "photos"), ("upload id", "17")]);
        let (mut state, mut receipts, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        let etags = ["a", "b", "c"].map(String::from);
        clean(&format!("an upload in {layers} layers"), &secrets, || {
            let (upload, sealer) = case.seal_options().start_upload(&case.server, &place).expect("started");
            state = upload.stored().to_vec();
            drop((upload, sealer));
            for (number, etag) in (1..).zip(&etags) {
                let upload = case.server_options().resume_upload(&state, &place).expect("authentic");
                let sealer = upload.unlock(&case.open_options()).expect("authentic");
                let (attempt, body) = sealer.part(number).expect("random bytes");
                body.seal(&plain).expect("sealed");
                let mut attributes = Attributes::new(LEN as u64);
                attributes.etag = Some(etag.clone());
                receipts.push(upload.receipt(attempt, attributes).expect("sealed").1);
            }
            let upload = case.server_options().resume_upload(&state, &place).expect("authentic");
            let named: Vec<_> = (1..).zip(etags.iter().map(String::as_str)).collect();
            let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
            let selection = upload.select(&named, &receipts).expect("all are there");
            let attributes = checksums::of_parts(&selection.attributes());
            for inline_len in [0, INLINE_ENVELOPE_LEN] {
                heads.push(upload.complete(&selection, &attributes, inline_len).expect("completed"));
            }
        });
        clean(&format!("reading an object in parts, in {layers} layers"), &secrets, || {
            for completed in &heads {
                let envelope = case.open_options().open(&completed.head).expect("authentic");
                assert_eq!(envelope.parts(completed.table.as_deref()).expect("authentic").len(), 3);
                let table = envelope.part_table(completed.table.as_deref()).expect("authentic");
                assert_eq!(table.parts(0, 3).expect("authentic").len(), 3);
            }
        });
        clean(&format!("following the plans of an upload in {layers} layers"), &secrets, || {
            let mut plan = OpenOptions::new().plan_upload(&state, &place).expect("a state");
            plan.next_request().expect("a question");
            assert!(plan.answer(Ok(case.server.clone())));
            let upload = plan.finish().expect("authentic");
            let mut plan = upload.plan_parts(&OpenOptions::new().with_any_context()).expect("a head");
            let keys = [&case.inner, &case.outer];
            while let Some(request) = plan.next_request() {
                assert!(plan.answer(Ok(keys[usize::from(request.layer()) - 1].clone())));
            }
            plan.finish().expect("authentic");
            // Those that are given up.
            let plan = upload.plan_parts(&case.open_options()).expect("a head");
            drop(plan);
            assert!(case.server_options().resume_upload(&state, &EncryptionContext::new()).is_err());
            let mut changed = state.clone();
            *changed.last_mut().expect("a byte") ^= 1;
            assert!(case.server_options().resume_upload(&changed, &place).is_err());
        });
    }
}

#[test]
fn messages_on_every_engine() {
    let _turn = turn();
    let (secret, plain) = (key(3), plaintext(LEN));
    for engine in engines() {
        let salt = Known::bytes(4, 0);
        let mut secrets = Secrets::default();
        secrets.add_key("a key", &secret);
        let derived = hazmat::derive(&Cobblestone::new(&secret, b"place"), &salt).0;
        secrets.add("the key of its AES", &derived);
        secrets.add_plaintext(&plain);
        clean(&format!("a message on {engine}"), &secrets, || {
            let known = hazmat::FixedSalt(salt);
            let cobblestone = Cobblestone::new(&secret, b"place").with_engine(engine).expect("available");
            let cobblestone = cobblestone.with_random(&known);
            let message = cobblestone.seal(&plain).expect("sealed");
            let mut out = vec![0; LEN + 1_000];
            cobblestone.seal_parallel(&threads(), &plain, &mut out).expect("sealed");
            assert!(out.starts_with(&message));
            cobblestone.seal_stream(&plain[..], io::sink(), &threads()).expect("sealed");
            let mut writer = cobblestone.seal_writer(io::sink()).expect("sealed");
            plain.chunks(7_001).for_each(|piece| writer.write_all(piece).expect("sealed"));
            writer.finish().expect("sealed");
            let mut reader = cobblestone.seal_reader(&plain[..]).expect("sealed");
            reader.read_exact(&mut out[..message.len()]).expect("sealed");
            let mut on_the_heap: Vec<Box<dyn Read>> = vec![
                Box::new(cobblestone.seal_reader(&plain[..]).expect("sealed")),
                Box::new(cobblestone.seal_reader(&plain[..]).expect("sealed")),
            ];
            on_the_heap[0].read_exact(&mut out[..10]).expect("sealed");
            on_the_heap[1].read_to_end(&mut Vec::new()).expect("sealed");
            drop(on_the_heap);

            forget(cobblestone.open(&message).expect("authentic"));
            cobblestone.open_parallel(&threads(), &message, &mut out).expect("authentic");
            cobblestone.open_stream(&message[..], io::sink(), &threads()).expect("authentic");
            let mut writer = cobblestone.open_writer(io::sink());
            message.chunks(7_001).for_each(|piece| writer.write_all(piece).expect("authentic"));
            writer.finish().expect("authentic");
            let mut reader = cobblestone.open_reader(Slow(&message, 20_000));
            reader.read_exact(&mut out[..LEN]).expect("authentic");
            let access = cobblestone.open_at(&message[..]).expect("authentic");
            access.open_range_into(10, &mut out[..LEN - 10]).expect("authentic");
            let mut opener = cobblestone::Opener::owned(Key::from_bytes(secret.expose_secret()), b"place".to_vec());
            opener.update(&message[..50_000], &mut out).expect("authentic");
            drop(Box::new(opener));
            forget(out);
        });
    }
}

#[test]
fn keyrings() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring");
    let file = KeyringFile::at(&path);
    let cost = PassphraseCost::new(19_456, 2, 1).expect("the least");
    let (first, second) = ("correct horse battery staple, and so on", "another passphrase that is long enough");
    let passphrase = |text: &str| {
        // As long as it is, as it would come from a terminal.
        let mut exact = String::with_capacity(text.len());
        exact.push_str(text);
        Passphrase::new(exact).expect("words")
    };
    let write = |path: &std::path::Path, text: &[u8]| {
        fs::write(path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
    };

    // A keyring of known keys. What is made later is known when it has been made.
    let mut text = String::from("objseal-keyring 1\n");
    let keys = [("a", 1, key(30)), ("a", 2, key(31)), ("b", 1, key(32))];
    for (name, version, key) in &keys {
        let hex: String = key.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("key {name} {version} {hex}\n");
    }
    write(&path, text.as_bytes());
    let mut secrets = Secrets::default();
    for (name, version, key) in &keys {
        secrets.add_wrapping_key(
            &WrappingKey::new(name, &format!("{name} {version}"), 1, Key::from_bytes(key.expose_secret()))
                .expect("a key"),
        );
    }
    secrets.add("a passphrase", first.as_bytes());
    secrets.add("another passphrase", second.as_bytes());
    forget(text);

    clean("reading and changing a keyring", &secrets, || {
        file.read(None).expect("a keyring");
        assert_eq!(file.update(None, |keyring| keyring.rotate("a")).expect("changed"), 3);
        let denied = file.update(None, |keyring| keyring.create("a"));
        assert!(matches!(denied, Err(KeyringError::KeyExists)));
        assert!(matches!(file.read(Some(&passphrase(first))), Err(KeyringError::NotProtected)));
    });
    clean("a keyring under a passphrase", &secrets, || {
        file.protect(None, Some((&passphrase(first), cost))).expect("protected");
        file.read(Some(&passphrase(first))).expect("a keyring");
        assert!(matches!(file.read(Some(&passphrase(second))), Err(KeyringError::WrongPassphrase)));
        assert!(matches!(file.read(None), Err(KeyringError::PassphraseNeeded)));
        file.update(Some(&passphrase(first)), |keyring| keyring.create("c")).expect("changed");
        file.protect(Some(&passphrase(first)), Some((&passphrase(second), cost))).expect("protected");
        file.protect(Some(&passphrase(second)), None).expect("in clear");
    });
    let lines = fs::read(&path).expect("read");
    let damaged = folder.path().join("damaged");
    for (name, change) in [
        ("a keyring that is cut short", &(|text: &mut Vec<u8>| text.truncate(text.len() - 1)) as &dyn Fn(&mut Vec<u8>)),
        ("a keyring with a wrong digit", &|text| *text.iter_mut().nth_back(1).expect("a digit") = b'g'),
        ("a keyring with a wrong name", &|text| text[22] = b'!'),
        ("a keyring that is not text", &|text| text.extend([0xff, b'\n'])),
        ("a keyring with a line too many", &|text| text.extend(b"key a 9 0\n")),
        ("a keyring of another version", &|text| text[16] = b'2'),
    ] {
        let mut text = lines.clone();
        change(&mut text);
        write(&damaged, &text);
        forget(text);
        clean(name, &secrets, || {
            let error = KeyringFile::at(&damaged).read(None).expect_err("refused");
            assert!(matches!(error, KeyringError::Malformed { .. } | KeyringError::UnknownVersion), "{name}: {error}");
        });
    }
    forget(lines);

    // In another form than it is used in; both are in it.
    let mut secrets = Secrets::default();
    let decomposed = "le cafe\u{301} est sur la table de la cuisine, et il fait chaud";
    secrets.add("a passphrase as it was given", decomposed.as_bytes());
    secrets.add("a passphrase as it is used", decomposed.replace("e\u{301}", "\u{e9}").as_bytes());
    let line = format!("\u{feff}{decomposed}\r\nmore");
    clean("a passphrase in another form", &secrets, || {
        drop(passphrase(decomposed));
        drop(std::hint::black_box(Passphrase::from_first_line(&line)).expect("a passphrase"));
    });

    // What nobody knows before it is there.
    let path = folder.path().join("new");
    let new = KeyringFile::at(&path);
    let mut made = Vec::with_capacity(2);
    let given_back = GivenBack::during(|| {
        let keyring = new.create(Some((&passphrase(first), cost)), |keyring| {
            keyring.create("main")?;
            keyring.create("other")?;
            keyring.rotate("main").map(drop)
        });
        made.push(keyring.expect("created"));
        new.update(Some(&passphrase(first)), |keyring| keyring.rotate("other").map(drop)).expect("changed");
        made.push(new.read(Some(&passphrase(first))).expect("a keyring"));
    });
    let mut secrets = Secrets::default();
    for keyring in &made {
        for name in ["main", "other"] {
            secrets.add_wrapping_key(&keyring.latest(name).expect("it is there"));
        }
    }
    let text = fs::read_to_string(&path).expect("read");
    let salt = text.split_once("salt=").and_then(|(_, rest)| rest.get(..32)).expect("a salt");
    let salt: Vec<_> = salt
        .as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(str::from_utf8(digits).expect("text"), 16).expect("digits"))
        .collect();
    let params = Params::new(19_456, 2, 1, Some(Key::LEN)).expect("the least");
    let (mut memory, mut derived) = (vec![Block::new(); params.block_count()], [0; Key::LEN]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(first.as_bytes(), &salt, &mut derived, &mut memory[..]).expect("derived");
    secrets.add("the key of a passphrase", &derived);
    // The key follows from the last block.
    let last: Vec<_> = memory[memory.len() - 1].as_ref().iter().flat_map(|word| word.to_le_bytes()).collect();
    secrets.add("what the key of a passphrase is made of", &last[..64]);
    clean_afterwards("making a keyring", &given_back, &secrets);
    let given_back = GivenBack::during(|| drop(made));
    clean_afterwards("dropping a keyring", &given_back, &secrets);
}
