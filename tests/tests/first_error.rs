//! After an error behind the first byte nothing more comes out of whatever seals or opens, and it says the same error again.
//!
//! Faults are planted for the whole process, so the tests of this file take turns.

use objseal::checksums;
use objseal::cobblestone::{CHUNK_LEN, Cobblestone, ReadAt, Threads, Workers};
use objseal::envelope::{Attributes, EnvelopeError, OpenOptions, SealOptions, WrappingKey};
use objseal::file::{self, FileError};
use objseal::hazmat::faults::{self, Fault};
use objseal::{Engine, Error, Key, Push};
use objseal_tests::{context, pattern};
use std::io::{self, ErrorKind, Read, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const LEN: usize = 200_000;

/// One test at a time, without a fault to begin with.
struct Turn(#[allow(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

fn turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = Turn(TURN.lock().unwrap_or_else(PoisonError::into_inner));
    faults::plant(None);
    turn
}

impl Drop for Turn {
    fn drop(&mut self) {
        faults::plant(None);
    }
}

/// Engines that share no code: those of two layers, and of a check.
fn engines() -> [Engine; 2] {
    let other = if Engine::detect().shares_code_with(Engine::RustCrypto) { Engine::AwsLc } else { Engine::RustCrypto };
    [Engine::detect(), other]
}

fn threads(count: usize) -> Threads {
    Threads(NonZeroUsize::new(count).expect("not zero"))
}

struct Keys {
    layers: u8,
    inner: Arc<WrappingKey>,
    outer: Arc<WrappingKey>,
    server: Arc<WrappingKey>,
}

impl Keys {
    fn new(layers: u8) -> Self {
        let new = |id| Arc::new(WrappingKey::new("service", id, 1, Key::generate().expect("random")).expect("a key"));
        Self { layers, inner: new("inner"), outer: new("outer"), server: new("server") }
    }

    fn seal_options(&self) -> SealOptions {
        let options = SealOptions::new(self.inner.clone());
        let options = if self.layers == 1 { options } else { options.with_outer_key(self.outer.clone()) };
        let [inner, outer] = engines();
        options.with_engine(inner).and_then(|options| options.with_outer_engine(outer)).expect("available")
    }

    fn open_options(&self) -> OpenOptions {
        OpenOptions::new().with_key(self.inner.clone()).with_key(self.outer.clone())
    }
}

/// With the fault planted.
fn faulty<T>(engine: Engine, fault: Fault, work: impl FnOnce() -> T) -> T {
    faults::plant(Some((engine, fault)));
    let result = work();
    faults::plant(None);
    result
}

/// In which engine, and which fault; and how many layers.
fn cases() -> impl Iterator<Item = (Engine, Fault, u8)> {
    let faults = [Fault::Tag, Fault::KeyStream];
    let engines = engines().into_iter().flat_map(move |engine| faults.map(move |fault| (engine, fault)));
    engines.flat_map(|(engine, fault)| [1, 2].map(move |layers| (engine, fault, layers)))
}

fn is_check_failed(error: Error) -> bool {
    matches!(error, Error::CheckFailed(_))
}

fn ours(error: &io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref().copied()
}

fn of_file(error: FileError) -> Error {
    match error {
        FileError::Envelope(error) => of_envelope(error),
        FileError::Io(error) => ours(&error).expect("one of ours"),
        error => panic!("{error}"),
    }
}

fn of_envelope(error: EnvelopeError) -> Error {
    match error {
        EnvelopeError::Seal(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn a_cobblestone_sealer_says_its_first_error_again() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let [engine, check] = engines();
    let cobblestone = Cobblestone::new(&key, b"place").with_engine(engine).expect("available");
    let cobblestone = cobblestone.with_check(check).expect("another");
    let plaintext = pattern(LEN);
    for fault in [Fault::Tag, Fault::KeyStream] {
        for faulty_engine in [engine, check] {
            let mut sealer = cobblestone.sealer().expect("random");
            let mut out = vec![0; 2 * LEN];
            let written = sealer.update(&plaintext[..50_000], &mut out).expect("no fault yet");
            out[written..].fill(7);
            let first = faulty(faulty_engine, fault, || sealer.update(&plaintext[50_000..], &mut out[written..]));
            let first = first.expect_err("the fault is found");
            assert_eq!(first, Error::CheckFailed(check));
            // Nothing of the chunk that is at fault is there.
            assert!(out[written..][..CHUNK_LEN].iter().all(|&byte| byte == 0), "{faulty_engine}");
            out.fill(9);
            for input in [&plaintext[..], &plaintext[..1], &[]] {
                assert_eq!(sealer.update(input, &mut out), Err(first));
                assert_eq!(sealer.update(input, &mut []), Err(first), "before any other");
            }
            assert_eq!(sealer.finish(&mut out), Err(first));
            assert!(out.iter().all(|&byte| byte == 9), "nothing more comes out");
            // At the last chunk alone.
            let sealer = cobblestone.sealer().expect("random");
            let last = faulty(faulty_engine, fault, || sealer.finish(&mut out));
            // There is no plaintext in it, so only the tag can be wrong.
            assert_eq!(last.is_err(), fault == Fault::Tag, "{last:?}");

            let sealed = faulty(faulty_engine, fault, || cobblestone.seal(&plaintext));
            assert_eq!(sealed, Err(first));
            for count in [1, 3] {
                let sealed =
                    faulty(faulty_engine, fault, || cobblestone.seal_parallel(&threads(count), &plaintext, &mut out));
                assert_eq!(sealed, Err(first));
                let mut written = Vec::new();
                let sealed = faulty(faulty_engine, fault, || {
                    cobblestone.seal_stream(&plaintext[..], &mut written, &threads(count))
                });
                assert_eq!(ours(&sealed.expect_err("the fault is found")), Some(first));
                assert_eq!(written.len(), 56, "only the header");
            }
        }
    }
    // What is refused before anything was consumed is no failure.
    let mut sealer = cobblestone.sealer().expect("random");
    let mut out = vec![0; 2 * LEN];
    let error = sealer.update(&plaintext, &mut out[..10]).expect_err("too small");
    assert!(matches!(error, Error::OutputTooSmall { given: 10, .. }));
    let written = sealer.update(&plaintext, &mut out).expect("sealed");
    let end = sealer.finish(&mut out[written..]).expect("sealed");
    assert!(cobblestone.open(&out[..written + end]).expect("authentic") == plaintext);
}

#[test]
fn runs_of_a_message_that_is_lost_are_not_to_be_had() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let [engine, check] = engines();
    let cobblestone = Cobblestone::new(&key, b"place").with_engine(engine).expect("available");
    let cobblestone = cobblestone.with_check(check).expect("another");
    let plaintext = pattern(LEN);
    let mut out = vec![0; 2 * LEN];
    for why in 0..4 {
        let sealer = cobblestone.shared_sealer().expect("random");
        let before = sealer.next_run(1).expect("a run");
        before.seal(&plaintext[..CHUNK_LEN], &mut out).expect("sealed");
        let run = sealer.next_run(2).expect("a run");
        let error = match why {
            0 => faulty(engine, Fault::Tag, || run.seal(&plaintext[..2 * CHUNK_LEN], &mut out)),
            1 => faulty(check, Fault::KeyStream, || run.seal(&plaintext[..2 * CHUNK_LEN], &mut out)),
            2 => run.seal(&plaintext[..CHUNK_LEN], &mut out),
            _ => run.seal(&plaintext[..2 * CHUNK_LEN], &mut out[..100]),
        };
        match (why, error.expect_err("it fails")) {
            (0 | 1, Error::CheckFailed(_)) | (2, Error::WrongRunLength { .. }) | (3, Error::OutputTooSmall { .. }) => {}
            (_, error) => panic!("{why}: {error}"),
        }
        for _ in 0..2 {
            assert_eq!(sealer.next_run(1).map(drop), Err(Error::FailedBefore));
            assert_eq!(sealer.last_run(100).map(drop), Err(Error::FailedBefore));
            let mut written = Vec::new();
            let error = sealer.seal_stream(&plaintext[..], &mut written, &threads(2)).expect_err("lost");
            assert_eq!((ours(&error), written.len()), (Some(Error::FailedBefore), 0));
            let error = sealer.seal_at(&threads(2), &plaintext[..], LEN as u64, &mut out).expect_err("lost");
            assert_eq!(ours(&error), Some(Error::FailedBefore));
        }
    }
}

/// Bytes that are copied before they are sealed.
struct Elsewhere<'b>(&'b [u8]);

impl ReadAt for Elsewhere<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

/// Whichever thread finds the fault, what comes back is the fault, and not that another thread failed.
#[test]
fn what_failed_is_what_is_said_on_many_threads() {
    let _turn = turn();
    let plaintext = pattern(1_000_000);
    let mut out = vec![0; 1_100_000];
    for layers in [1, 2] {
        let options = Keys::new(layers).seal_options().with_check();
        for round in 0..400 / u64::from(layers).pow(3) {
            // One chunk is hit, so that the others go on.
            let (_, body) = options.start().expect("no fault yet");
            faults::plant_once(engines()[0], Fault::Tag, round % 40);
            let error = body.seal_at(&threads(4), &Elsewhere(&plaintext), &mut out).expect_err("the fault is found");
            faults::plant(None);
            assert!(ours(&error).is_some_and(is_check_failed), "{error}");
            let (_, body) = options.start().expect("no fault yet");
            faults::plant_once(engines()[0], Fault::Tag, round % 40);
            let error = body.seal_stream(&plaintext[..], io::sink(), &threads(4)).expect_err("the fault is found");
            faults::plant(None);
            assert!(ours(&error).is_some_and(is_check_failed), "{error}");
        }
    }
}

#[test]
fn bodies_and_files_say_their_first_error_again() {
    let _turn = turn();
    let plaintext = pattern(LEN);
    let mut count = 0;
    for (engine, fault, layers) in cases() {
        let keys = Keys::new(layers);
        let options = keys.seal_options().with_check();
        let start = || options.start().expect("no fault yet").1;

        let mut sealer = start().sealer();
        let mut out = Vec::new();
        sealer.update_vec(&plaintext[..60_000], &mut out).expect("no fault yet");
        let before = out.clone();
        let first = faulty(engine, fault, || sealer.update_vec(&plaintext, &mut out)).expect_err("the fault is found");
        assert!(is_check_failed(first));
        let mut room = vec![9; 2 * LEN];
        for input in [&plaintext[..], &plaintext[..1], &[]] {
            assert_eq!(sealer.update_vec(input, &mut out), Err(first));
            assert_eq!(sealer.update(input, &mut room), Err(first));
            assert_eq!(sealer.update(input, &mut []), Err(first), "before any other");
        }
        assert_eq!(sealer.finish_vec(&mut out), Err(first));
        assert!(out == before && room.iter().all(|&byte| byte == 9), "nothing more comes out");
        let mut sealer = start().sealer();
        sealer.update_vec(&plaintext[..60_000], &mut out).expect("no fault yet");
        assert!(faulty(engine, fault, || sealer.finish_vec(&mut out)).is_err_and(is_check_failed));
        let body = start();
        assert!(faulty(engine, fault, || body.seal(&plaintext)).is_err_and(is_check_failed));

        let mut sealer = file::Sealer::new(&options).expect("no fault yet");
        let len = sealer.update(&plaintext[..60_000], &mut room).expect("no fault yet");
        assert!(len > 8192);
        let first = faulty(engine, fault, || sealer.update(&plaintext, &mut room)).expect_err("the fault is found");
        assert!(is_check_failed(first));
        room.fill(9);
        for input in [&plaintext[..], &plaintext[..1], &[]] {
            assert_eq!(sealer.update_len(input.len()), Err(first));
            assert_eq!(sealer.update(input, &mut room), Err(first));
            assert_eq!(sealer.update(input, &mut []), Err(first), "before any other");
        }
        assert_eq!(sealer.finish_len(), Err(first));
        assert_eq!(of_file(sealer.finish(&mut room).expect_err("lost")), first);
        assert!(room.iter().all(|&byte| byte == 9), "nothing more comes out");
        // At its end: the last chunk, or the attributes behind it.
        let mut sealer = file::Sealer::new(&options).expect("no fault yet");
        sealer.update(&plaintext[..60_000], &mut room).expect("no fault yet");
        let end = faulty(engine, fault, || sealer.finish(&mut room));
        assert!(is_check_failed(of_file(end.expect_err("the fault is found"))));

        let mut written = Vec::new();
        let mut writer = file::SealWriter::new(&options, &mut written).expect("no fault yet");
        writer.write_all(&plaintext).expect("no fault yet");
        let first = faulty(engine, fault, || writer.write_all(&plaintext)).expect_err("the fault is found");
        let first = ours(&first).filter(|&error| is_check_failed(error)).expect("a failed check");
        for input in [&plaintext[..], &plaintext[..1], &[]] {
            assert_eq!(writer.write(input).map_err(|error| ours(&error)), Err(Some(first)));
        }
        assert_eq!(writer.flush().map_err(|error| ours(&error)), Err(Some(first)));
        assert_eq!(of_file(writer.finish().expect_err("lost")), first);
        let before = written.len();
        let mut all = Vec::new();
        file::open(&keys.open_options(), &written[..], &mut all, &threads(1)).expect_err("it has no end");
        assert!(plaintext.starts_with(&all) && before < 8192 + LEN + LEN / 100);

        let mut written = Vec::new();
        let sealed = faulty(engine, fault, || file::seal(&options, &plaintext[..], &mut written, &threads(2)));
        assert!(is_check_failed(of_file(sealed.expect_err("the fault is found"))));
        assert_eq!(written.len(), 0, "the wrapped keys are checked before anything is written");
        let sealed = faulty(engine, fault, || file::seal_at(&options, &threads(2), &plaintext[..], &mut room));
        assert!(is_check_failed(of_file(sealed.map(drop).expect_err("the fault is found"))));
        count += 1;
    }
    println!("first error: {count} faults in bodies and files");
}

/// Every chunk that is sealed under a check, of wraps, states, receipts, attributes and tables, is opened by another engine
/// before it is given out: whichever of them is hit by a fault, that is found.
#[test]
fn every_chunk_under_a_check_is_checked() {
    let _turn = turn();
    let place = context(&[("upload id", "17")]);
    for (engine, fault, layers) in cases() {
        let keys = Keys::new(layers);
        let options = keys.seal_options().with_check();
        let old = options.start().expect("no fault").0;
        let (upload, sealer) = options.start_upload(&keys.server, &place).expect("no fault");
        let (attempt, body) = sealer.part(1).expect("random");
        body.seal(b"text").expect("no fault");
        let (receipt, stored) = upload.receipt(attempt, Attributes::new(4)).expect("no fault");
        let etag = receipt.attributes.etag.expect("there is one");
        let selection = upload.select(&[(1, &etag)], &[&stored]).expect("no fault");
        let attributes = checksums::of_parts(&selection.attributes());

        let start = || options.start().map(drop).map_err(of_envelope);
        let start_upload = || options.start_upload(&keys.server, &place).map(drop).map_err(of_envelope);
        let rewrap = || match options.rewrap(&old) {
            Err(EnvelopeError::Authentication) => Err(Error::Authentication),
            result => result.map(drop).map_err(of_envelope),
        };
        let attributes_apart = || old.seal_attributes(&attributes).map(drop).map_err(of_envelope);
        let receipt = || {
            let (attempt, _) = sealer.part(1).expect("random");
            upload.receipt(attempt, Attributes::new(4)).map(drop).map_err(of_envelope)
        };
        let complete = || upload.complete(&selection, &attributes, 0).map(drop).map_err(of_envelope);
        let chunks = pattern(40_000);
        let seal = |plaintext: &[u8]| {
            let (_, body) = options.start().map_err(of_envelope)?;
            body.seal(plaintext).map(drop)
        };
        let (short, long) = (|| seal(b"text"), || seal(&chunks));
        // How many chunks each engine seals or opens at least, of which each must be hit once.
        for (name, least, work) in [
            ("start", layers, &start as &dyn Fn() -> Result<(), Error>),
            ("start_upload", layers + 1, &start_upload),
            ("rewrap", layers, &rewrap),
            ("seal_attributes", layers, &attributes_apart),
            ("receipt", layers, &receipt),
            ("complete", 2 * layers, &complete),
            ("a short body", 2 * layers, &short),
            ("a body", layers + 3, &long),
        ] {
            let mut hit = 0;
            loop {
                faults::plant_once(engine, fault, hit);
                let before = faults::chunks(engine);
                let result = work();
                let did = faults::chunks(engine) - before;
                faults::plant(None);
                if hit >= did {
                    result.unwrap_or_else(|error| panic!("{name} without a fault: {error}"));
                    break;
                }
                let error = result.expect_err(name);
                // A rewrap unwraps what it wrapped, too.
                let unwrapped = name == "rewrap" && error == Error::Authentication;
                assert!(
                    is_check_failed(error) || unwrapped,
                    "{name}, chunk {hit} of {engine}, {fault:?}, {layers} layers: {error}"
                );
                hit += 1;
            }
            assert!(hit >= least.into(), "{name}: {hit} chunks of {engine} in {layers} layers");
        }
    }
}

fn options_of(keys: &Keys, check: bool) -> SealOptions {
    if check { keys.seal_options().with_check() } else { keys.seal_options() }
}

/// Without a check a wrap that only the faulty engine opens is given out: what the check is for.
#[test]
fn without_a_check_a_fault_is_in_what_is_stored() {
    let _turn = turn();
    let keys = Keys::new(1);
    let place = context(&[("upload id", "17")]);
    let [engine, other] = engines();
    // By another one than the faulty one.
    let opens = |check: bool| {
        let sealed = faulty(engine, Fault::Tag, || options_of(&keys, check).start().map(|(envelope, _)| envelope));
        let upload = faulty(engine, Fault::Tag, || options_of(&keys, check).start_upload(&keys.server, &place));
        let options = keys.open_options().with_engine(other).expect("available").with_key(keys.server.clone());
        let opened = sealed.map(|envelope| options.open(envelope.stored()).is_ok());
        let resumed = upload.map(|(upload, _)| options.resume_upload(upload.stored(), &place).is_ok());
        (opened.map_err(of_envelope), resumed.map_err(of_envelope))
    };
    assert_eq!(opens(false), (Ok(false), Ok(false)));
    assert_eq!(opens(true), (Err(Error::CheckFailed(other)), Err(Error::CheckFailed(other))));
    // Two layers, and a check, need two implementations, whatever is sealed.
    let old = keys.seal_options().start().expect("sealed").0;
    let alike = keys.seal_options().with_check().with_outer_engine(engine).expect("available");
    let error = alike.rewrap(&old).expect_err("one implementation");
    assert_eq!(of_envelope(error), Error::EnginesAlike(engine, engine));
    let keys = Keys::new(2);
    let old = keys.seal_options().start().expect("sealed").0;
    let alike = keys.seal_options().with_outer_engine(engine).expect("available");
    assert_eq!(of_envelope(alike.rewrap(&old).expect_err("one implementation")), Error::EnginesAlike(engine, engine));
    assert_eq!(of_envelope(alike.start().expect_err("one implementation")), Error::EnginesAlike(engine, engine));
}

/// Takes so many bytes, then fails in a way of its own, once, and takes everything later.
#[derive(Debug)]
struct Sink {
    room: usize,
    error: fn() -> io::Error,
    failed: bool,
    /// Calls after the failure.
    later: Arc<AtomicUsize>,
}

impl Sink {
    fn new(room: usize, error: fn() -> io::Error) -> (Self, Arc<AtomicUsize>) {
        let later = Arc::new(AtomicUsize::new(0));
        (Self { room, error, failed: false, later: later.clone() }, later)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            self.later.fetch_add(1, Ordering::SeqCst);
            return Ok(bytes.len());
        }
        if self.room < bytes.len() {
            self.failed = true;
            return Err((self.error)());
        }
        self.room -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.later.fetch_add(usize::from(self.failed), Ordering::SeqCst);
        Ok(())
    }
}

const ERRORS: [fn() -> io::Error; 3] = [
    || io::Error::from_raw_os_error(28),
    || ErrorKind::BrokenPipe.into(),
    || io::Error::other("the tape has come off"),
];

fn same(one: &io::Error, other: &io::Error) {
    assert_eq!(one.kind(), other.kind());
    assert_eq!(one.raw_os_error(), other.raw_os_error());
    assert_eq!(one.to_string(), other.to_string());
}

#[test]
fn writers_say_the_first_error_of_what_they_write_to() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let plaintext = pattern(LEN);
    let message = cobblestone.seal(&plaintext).expect("sealed");
    let check = |writer: &mut dyn Write, input: &[u8], error: fn() -> io::Error, later: &AtomicUsize| {
        let first = writer.write_all(input).expect_err("it fails");
        same(&first, &error());
        for again in [writer.write(input), writer.write(&input[..1]), writer.write(&[])] {
            same(&again.expect_err("lost"), &first);
        }
        same(&writer.flush().expect_err("lost"), &first);
        assert_eq!(later.load(Ordering::SeqCst), 0, "nothing more is written");
    };
    for error in ERRORS {
        for room in [56, 30_000, 100_000] {
            let (sink, later) = Sink::new(room, error);
            let mut writer = cobblestone.seal_writer(sink).expect("random");
            check(&mut writer, &plaintext, error, &later);
            same(&writer.finish().expect_err("lost"), &error());
            let (sink, later) = Sink::new(room, error);
            let mut writer = cobblestone.open_writer(sink);
            check(&mut writer, &message, error, &later);
            same(&writer.finish().expect_err("lost"), &error());
            for keys in [1, 2].map(Keys::new) {
                let (sink, later) = Sink::new(8192 + room, error);
                let mut writer = file::SealWriter::new(&keys.seal_options(), sink).expect("the slots fit");
                check(&mut writer, &pattern(3 * LEN), error, &later);
                same(&writer.finish().expect_err("lost").into(), &error());
            }
        }
    }
}

/// Gives bytes; between two of them something happens once.
struct Source<'b> {
    bytes: &'b [u8],
    at: usize,
    happens: Option<fn() -> io::Result<usize>>,
}

impl<'b> Source<'b> {
    fn new(bytes: &'b [u8], at: usize, happens: fn() -> io::Result<usize>) -> Self {
        Self { bytes, at, happens: Some(happens) }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == 0
            && let Some(happens) = self.happens.take()
        {
            return happens();
        }
        let most = if self.happens.is_some() { self.at } else { self.bytes.len() };
        let (now, later) = self.bytes.split_at(buffer.len().min(most).min(20_000).min(self.bytes.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.bytes = later;
        self.at = self.at.saturating_sub(now.len());
        Ok(now.len())
    }
}

/// Reads to the end as far as that goes; gives what came, and the error.
fn read_all(reader: &mut dyn Read) -> (Vec<u8>, io::Result<()>) {
    let (mut all, mut piece) = (Vec::new(), [0; 5_000]);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return (all, Ok(())),
            Ok(len) => all.extend_from_slice(&piece[..len]),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// Bytes, and how often somebody asked for them.
struct Asked<'b>(&'b [u8], &'b AtomicUsize);

impl Read for Asked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.read(buffer)
    }
}

/// That a reader whose input is not authentic says so again and again, and neither gives nor takes anything more.
fn refuses_again(name: &str, plaintext: &[u8], reader: &mut dyn Read, asked: &AtomicUsize) {
    let (given, error) = read_all(reader);
    let first = error.expect_err(name);
    assert!(plaintext.starts_with(&given), "{name}");
    assert_eq!(ours(&first), Some(Error::Authentication), "{name}");
    let before = asked.load(Ordering::SeqCst);
    let mut buffer = vec![9; LEN];
    for _ in 0..3 {
        let again = reader.read(&mut buffer).expect_err(name);
        same(&again, &first);
        assert_eq!(ours(&again), Some(Error::Authentication), "{name}");
    }
    assert!(buffer.iter().all(|&byte| byte == 9), "{name}: nothing more comes out");
    assert_eq!(asked.load(Ordering::SeqCst), before, "{name}: nothing more is read");
}

#[test]
fn readers_say_their_first_error_again() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let [engine, check] = engines();
    let cobblestone = Cobblestone::new(&key, b"place").with_engine(engine).expect("available");
    let plaintext = pattern(LEN);
    let message = cobblestone.seal(&plaintext).expect("sealed");
    let asked = AtomicUsize::new(0);
    for at in [0, 60, 20_000, 120_000, message.len() - 1] {
        let mut changed = message.clone();
        changed[at] ^= 1;
        for (name, message) in [("a changed byte", &changed[..]), ("cut short", &message[..at])] {
            let mut reader = cobblestone.open_reader(Asked(message, &asked));
            refuses_again(&format!("{name} at {at}"), &plaintext, &mut reader, &asked);
        }
    }
    for keys in [1, 2].map(Keys::new) {
        let mut stored = Vec::new();
        file::seal(&keys.seal_options(), &plaintext[..], &mut stored, &threads(1)).expect("sealed");
        for at in [8192, 8230, 8260, 40_000, 150_000, stored.len() - 100, stored.len() - 5, stored.len() - 1] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            for (name, file) in [("a changed byte", &changed[..]), ("cut short", &stored[..at])] {
                let reader = file::OpenReader::new(&keys.open_options(), Asked(file, &asked));
                let mut reader = reader.expect("the head is right");
                refuses_again(&format!("a file, {name} at {at}"), &plaintext, &mut reader, &asked);
                assert!(reader.attributes().is_none());
            }
        }
    }
    // A sealing reader whose check fails.
    let checked = cobblestone.with_check(check).expect("another");
    let mut reader = checked.seal_reader(&plaintext[..]).expect("random");
    let mut buffer = vec![0; 30_000];
    reader.read_exact(&mut buffer).expect("no fault yet");
    let first = faulty(engine, Fault::KeyStream, || read_all(&mut reader).1).expect_err("the fault is found");
    assert_eq!(ours(&first), Some(Error::CheckFailed(check)));
    for _ in 0..3 {
        same(&reader.read(&mut buffer).expect_err("lost"), &first);
    }
}

/// An error or a panic of the source is not the end of what it gives.
#[test]
fn a_source_that_fails_has_not_ended() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let plaintext = pattern(LEN);
    let message = cobblestone.seal(&plaintext).expect("sealed");
    let keys = Keys::new(2);
    let mut stored = Vec::new();
    file::seal(&keys.seal_options(), &plaintext[..], &mut stored, &threads(1)).expect("sealed");
    let fails: fn() -> io::Result<usize> = || Err(ErrorKind::TimedOut.into());
    let panics: fn() -> io::Result<usize> = || panic!("the source panics");
    // Reads until it fails, and then once more from there on.
    let both = |reader: &mut dyn Read| {
        let mut given = Vec::new();
        let first = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let mut piece = [0; 5_000];
                match reader.read(&mut piece) {
                    Ok(0) => break Ok(()),
                    Ok(len) => given.extend_from_slice(&piece[..len]),
                    Err(error) => break Err(error),
                }
            }
        }));
        assert!(!matches!(first, Ok(Ok(()))), "it fails");
        let (rest, end) = read_all(reader);
        end.expect("the source goes on");
        given.extend(rest);
        given
    };
    for happens in [fails, panics] {
        for at in [8192, 30_000, 100_000, LEN] {
            let mut reader = cobblestone.open_reader(Source::new(&message, at, happens));
            assert!(both(&mut reader) == plaintext);
            let mut reader = cobblestone.seal_reader(Source::new(&plaintext, at, happens)).expect("random");
            assert!(cobblestone.open(&both(&mut reader)).expect("whole") == plaintext);
            let source = Source::new(&stored, at, happens);
            let mut reader = file::OpenReader::new(&keys.open_options(), source).expect("the head is there");
            assert!(both(&mut reader) == plaintext);
            assert!(reader.attributes().is_some());
        }
    }
}

#[test]
fn openers_say_their_first_error_again() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let plaintext = pattern(LEN);
    let message = cobblestone.seal(&plaintext).expect("sealed");
    let mut room = vec![9; 2 * LEN];
    for at in [0, 30, 60, 20_000, 150_000] {
        let mut changed = message.clone();
        changed[at] ^= 1;
        let mut opener = cobblestone.opener();
        assert_eq!(opener.update(&changed, &mut room), Err(Error::Authentication));
        room.fill(9);
        for input in [&message[..], &[], &changed] {
            assert_eq!(opener.update(input, &mut room), Err(Error::Authentication));
        }
        assert_eq!(opener.finish(&mut room), Err(Error::Authentication));
        assert!(room.iter().all(|&byte| byte == 9), "nothing more comes out");
    }
    for keys in [1, 2].map(Keys::new) {
        let (envelope, body) = keys.seal_options().start().expect("sealed");
        let body = body.seal(&plaintext).expect("sealed");
        let mut stored = Vec::new();
        file::seal(&keys.seal_options(), &plaintext[..], &mut stored, &threads(1)).expect("sealed");
        let slots = *stored.first_chunk().expect("slots");
        for at in [0, 30, 60, 20_000, 150_000] {
            let mut changed = body.clone();
            changed[at] ^= 1;
            let mut opener = envelope.body().expect("a body").opener();
            assert_eq!(opener.update(&changed, &mut room), Err(Error::Authentication));
            room.fill(9);
            let mut out = Vec::new();
            for input in [&body[..], &[], &changed] {
                assert_eq!(opener.update(input, &mut room), Err(Error::Authentication));
                assert_eq!(opener.update_vec(input, &mut out), Err(Error::Authentication));
            }
            assert_eq!(opener.finish_vec(&mut out), Err(Error::Authentication));
            assert!(room.iter().all(|&byte| byte == 9) && out.is_empty(), "nothing more comes out");

            let mut changed = stored[8192..].to_vec();
            changed[at] ^= 1;
            let mut opener = file::Opener::new(&keys.open_options(), &slots).expect("the head is right");
            assert_eq!(opener.update(&changed, &mut room), Err(Error::Authentication));
            room.fill(9);
            for input in [&stored[8192..], &[], &changed] {
                assert_eq!(opener.update(input, &mut room), Err(Error::Authentication));
            }
            for _ in 0..2 {
                let error = opener.finish(&mut room).expect_err("lost");
                assert!(matches!(error, FileError::Envelope(EnvelopeError::Authentication)));
            }
            assert!(room.iter().all(|&byte| byte == 9) && opener.attributes().is_none(), "nothing more comes out");
        }
        let mut opener = file::Opener::new(&keys.open_options(), &slots).expect("the head is right");
        opener.update(&stored[8192..stored.len() - 1], &mut room).expect("so far");
        let error = opener.finish(&mut room).expect_err("cut short");
        assert!(matches!(error, FileError::Envelope(EnvelopeError::Authentication)));
        assert_eq!(opener.update(&stored[stored.len() - 1..], &mut room), Err(Error::Authentication));
        // After its end it has ended.
        let mut opener = file::Opener::new(&keys.open_options(), &slots).expect("the head is right");
        let mut len = opener.update(&stored[8192..], &mut room).expect("authentic");
        len += opener.finish(&mut room[len..]).expect("authentic");
        assert!(room[..len] == plaintext);
        assert_eq!(opener.update(&stored, &mut room), Err(Error::Finished));
        assert!(matches!(
            opener.finish(&mut room).expect_err("it has ended"),
            FileError::Envelope(EnvelopeError::Seal(Error::Finished))
        ));
    }
}

/// A stored message whose source panics in another thread than the one that asked, once it is to.
struct Panicking<'b> {
    bytes: &'b [u8],
    armed: AtomicBool,
    asker: std::thread::ThreadId,
}

impl ReadAt for Panicking<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.armed.load(Ordering::SeqCst) {
            if std::thread::current().id() != self.asker {
                panic!("the source panics");
            }
            // So that others come to their turn.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        self.bytes.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.bytes.size()
    }
}

/// Keeps panics to itself.
struct Quiet(Threads);

impl Workers for Quiet {
    fn count(&self) -> NonZeroUsize {
        self.0.count()
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        drop(catch_unwind(AssertUnwindSafe(|| self.0.run(job))));
    }
}

#[test]
fn a_range_is_zero_when_a_source_panics() {
    let _turn = turn();
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let plaintext = pattern(3_000_000);
    let message = cobblestone.seal(&plaintext).expect("sealed");
    let asker = std::thread::current().id();
    let source = || Panicking { bytes: &message, armed: AtomicBool::new(false), asker };
    let arm = |access: &objseal::cobblestone::RandomAccess<&Panicking<'_>>, source: &Panicking<'_>| {
        let mut out = vec![1; plaintext.len() - 20];
        access.open_range_parallel(&threads(4), 10, &mut out).expect("authentic");
        assert!(out == plaintext[10..plaintext.len() - 10]);
        source.armed.store(true, Ordering::SeqCst);
        out
    };
    let first = source();
    let access = cobblestone.open_at(&first).expect("authentic");
    let mut out = arm(&access, &first);
    let panic = catch_unwind(AssertUnwindSafe(|| access.open_range_parallel(&threads(4), 10, &mut out)));
    assert!(panic.is_err(), "the panic is passed on");
    assert!(out.iter().all(|&byte| byte == 0));
    // A pool that keeps it to itself.
    let second = source();
    let access = cobblestone.open_at(&second).expect("authentic");
    let mut out = arm(&access, &second);
    let error = access.open_range_parallel(&Quiet(threads(4)), 10, &mut out).expect_err("not all was opened");
    assert_eq!(ours(&error), Some(Error::WorkersFailed));
    assert!(out.iter().all(|&byte| byte == 0));
    // Whoever asks next is served.
    second.armed.store(false, Ordering::SeqCst);
    access.open_range_parallel(&threads(4), 10, &mut out).expect("authentic");
    assert!(out == plaintext[10..plaintext.len() - 10]);
}

/// It takes so many writes, then panics.
struct Panics(usize);

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).expect("a panic that was planted");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_panic_of_the_other_side_nothing_goes_on() {
    let _turn = turn();
    let options = SealOptions::new(Arc::new(WrappingKey::from_key(Key::generate().expect("a key"))));
    for writes in 1..3 {
        let mut writer = file::SealWriter::new(&options, Panics(writes)).expect("begun");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _ = writer.write_all(&[7; 700_000]);
        }));
        assert!(panicked.is_err());
        let refused = writer.write(b"more").expect_err("a hole");
        assert_eq!(refused.to_string(), "an earlier call panicked");
        assert!(writer.flush().is_err() && writer.finish().is_err());
    }
}
