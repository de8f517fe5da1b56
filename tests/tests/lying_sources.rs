//! Sources that shrink, grow, say that they are longer or shorter than they are, fail half-way, or say that they gave more than
//! there was room for. What is sealed without an error opens to the very bytes that were read; what is not does not open;
//! and nothing panics.

use objseal::checksums::{DigestReader, Wanted};
use objseal::cobblestone::{self, CHUNK_LEN, Cobblestone, ReadAt, Threads};
use objseal::envelope::{
    Attributes, ChecksumAlgorithm, EnvelopeError, FormatError, OpenOptions, SealOptions, WrappingKey,
};
use objseal::file;
use objseal::{Error, Key, Push};
use objseal_tests::{context, pattern};
use std::io::{self, ErrorKind, Read, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const LEN: usize = 150_000;

fn threads() -> [Threads; 2] {
    [1, 3].map(|count| Threads(NonZeroUsize::new(count).expect("not zero")))
}

/// What the keys of an object are.
struct Keys {
    layers: u8,
    inner: Arc<WrappingKey>,
    outer: Arc<WrappingKey>,
}

impl Keys {
    fn new(layers: u8) -> Self {
        let new = |id| Arc::new(WrappingKey::new("service", id, 1, Key::generate().expect("random")).expect("a key"));
        Self { layers, inner: new("inner"), outer: new("outer") }
    }

    fn seal_options(&self) -> SealOptions {
        let options = SealOptions::new(self.inner.clone());
        if self.layers == 1 { options } else { options.with_outer_key(self.outer.clone()) }
    }

    fn open_options(&self) -> OpenOptions {
        OpenOptions::new().with_key(self.inner.clone()).with_key(self.outer.clone())
    }

    fn open_file(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let mut plaintext = Vec::new();
        file::open(&self.open_options(), stored, &mut plaintext, &Threads::available()).ok()?;
        Some(plaintext)
    }
}

/// What a source does at a call of `read`, by its number, after so many bytes.
#[derive(Clone, Copy, Debug)]
enum Trick {
    None,
    /// One byte at a time.
    Slowly,
    /// It says at this call that it gave so many bytes more than there was room for.
    TooMany(usize, usize),
    /// It fails at this call, once.
    Fails(usize, ErrorKind),
    /// It says that it has ended at this call, and goes on later.
    EndsAndGoesOn(usize),
    /// It ends before its end.
    Ends(usize),
}

const TRICKS: [Trick; 17] = [
    Trick::None,
    Trick::Slowly,
    Trick::TooMany(0, 1),
    Trick::TooMany(1, 1),
    Trick::TooMany(4, 1),
    Trick::TooMany(4, 100_000),
    Trick::TooMany(3, usize::MAX),
    Trick::TooMany(usize::MAX, 1),
    Trick::Fails(0, ErrorKind::Other),
    Trick::Fails(2, ErrorKind::Interrupted),
    Trick::Fails(3, ErrorKind::UnexpectedEof),
    Trick::Fails(5, ErrorKind::Other),
    Trick::Fails(usize::MAX, ErrorKind::Other),
    Trick::EndsAndGoesOn(0),
    Trick::EndsAndGoesOn(3),
    Trick::Ends(100_000),
    Trick::Ends(2 * CHUNK_LEN),
];

/// A source that gives some bytes at a time, plays a trick, and notes what it gave.
struct Source<'b> {
    bytes: &'b [u8],
    trick: Trick,
    calls: usize,
    given: &'b Mutex<Vec<u8>>,
}

impl<'b> Source<'b> {
    fn new(bytes: &'b [u8], trick: Trick, given: &'b Mutex<Vec<u8>>) -> Self {
        Self { bytes, trick, calls: 0, given }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let call = self.calls;
        self.calls += 1;
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let at_end = given.len() == self.bytes.len();
        let is = |wanted| call == wanted || wanted == usize::MAX && at_end;
        let mut most = buffer.len().min(30_000);
        match self.trick {
            Trick::Slowly => most = 1,
            Trick::TooMany(wanted, more) if is(wanted) => return Ok(buffer.len().saturating_add(more)),
            Trick::Fails(wanted, kind) if is(wanted) => return Err(kind.into()),
            Trick::EndsAndGoesOn(wanted) if is(wanted) => return Ok(0),
            Trick::Ends(end) => most = most.min(end.saturating_sub(given.len())),
            _ => {}
        }
        let rest = &self.bytes[given.len()..];
        let len = most.min(rest.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        given.extend_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// Seals with every trick, and holds what comes out to what was read.
fn with_every_trick(
    name: &str,
    seal: impl Fn(Source<'_>, &Threads) -> (io::Result<u64>, Vec<u8>),
    open: impl Fn(&[u8]) -> Option<Vec<u8>>,
) {
    let (mut done, mut refused) = (0, 0);
    for bytes in [&pattern(LEN)[..], &pattern(3 * CHUNK_LEN), &pattern(100), &[]] {
        for trick in TRICKS {
            for threads in threads() {
                let given = Mutex::default();
                let (result, stored) = seal(Source::new(bytes, trick, &given), &threads);
                let given = given.into_inner().unwrap_or_else(PoisonError::into_inner);
                let what = format!("{name}, {trick:?}, {} bytes", bytes.len());
                match result {
                    Ok(len) => {
                        assert_eq!(len, given.len() as u64, "{what}");
                        assert!(open(&stored).as_ref() == Some(&given), "{what}");
                        done += 1;
                    }
                    Err(_) => {
                        assert_eq!(open(&stored), None, "{what}");
                        refused += 1;
                    }
                }
                if matches!(trick, Trick::None) {
                    assert!(given == bytes, "{what}");
                }
            }
        }
    }
    assert!(done >= 40 && refused >= 30, "{name}: {done} and {refused}");
    println!("lying sources: {name}: {done} sealed, {refused} refused");
}

#[test]
fn messages_from_readers() {
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let open = |stored: &[u8]| cobblestone.open(stored).ok();
    let seal = |input: Source<'_>, threads: &Threads| {
        let mut out = Vec::new();
        (cobblestone.seal_stream(input, &mut out, threads), out)
    };
    with_every_trick("Cobblestone::seal_stream", seal, open);
    let seal = |input: Source<'_>, threads: &Threads| {
        let sealer = cobblestone.shared_sealer().expect("random");
        let mut out = sealer.header().to_vec();
        (sealer.seal_stream(input, &mut out, threads), out)
    };
    with_every_trick("SharedSealer::seal_stream", seal, open);
    let seal = |input: Source<'_>, _: &Threads| {
        let given = input.given;
        let mut reader = cobblestone.seal_reader(input).expect("random");
        // In pieces of its own, as `read_to_end` asks for more than there is; where reading fails once, no more.
        let (mut out, mut piece) = (Vec::new(), [0; 10_000]);
        let result = loop {
            match reader.read(&mut piece) {
                Ok(0) => break Ok(given.lock().expect("no panic").len() as u64),
                Ok(len) => out.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        (result, out)
    };
    with_every_trick("Cobblestone::seal_reader", seal, open);
}

#[test]
fn bodies_from_readers() {
    for keys in [1, 2].map(Keys::new) {
        let layers = keys.layers;
        // The head goes before the body here.
        let open = |stored: &[u8]| {
            let (len, rest) = stored.split_first_chunk::<4>()?;
            let (head, body) = rest.split_at(u32::from_be_bytes(*len) as usize);
            keys.open_options().open(head).expect("authentic").body().expect("a body").open(body).ok()
        };
        let start = || {
            let (envelope, body) = keys.seal_options().start().expect("sealed");
            let len = u32::try_from(envelope.stored().len()).expect("short");
            ([&len.to_be_bytes(), envelope.stored()].concat(), body)
        };
        let seal = |input: Source<'_>, threads: &Threads| {
            let (mut out, body) = start();
            (body.seal_stream(input, &mut out, threads), out)
        };
        with_every_trick(&format!("NewBody::seal_stream in {layers} layers"), seal, open);
        let seal = |input: Source<'_>, threads: &Threads| {
            let (mut out, body) = start();
            let mut input = DigestReader::new(input, Wanted::SHA256);
            let sealed = body.seal_stream(&mut input, &mut out, threads);
            // What was sealed is what was digested.
            let attributes = input.finish();
            let sealed = sealed.inspect(|&len| assert_eq!(len, attributes.plaintext_len));
            (sealed, out)
        };
        with_every_trick(&format!("DigestReader in {layers} layers"), seal, open);
    }
}

#[test]
fn files_from_readers() {
    for keys in [1, 2].map(Keys::new) {
        for digests in [Wanted::NONE, Wanted::SHA256 | Wanted::CRC64NVME] {
            let options = keys.seal_options().with_digests(digests);
            let seal = |input: Source<'_>, threads: &Threads| {
                let mut out = Vec::new();
                let sealed = file::seal(&options, input, &mut out, threads);
                (sealed.map(|info| info.attributes.plaintext_len).map_err(Into::into), out)
            };
            with_every_trick(&format!("file::seal in {} layers, {digests:?}", keys.layers), seal, |stored| {
                keys.open_file(stored)
            });
        }
    }
}

/// How a stored source lies.
#[derive(Clone, Copy, Debug)]
enum Lie {
    None,
    /// The first size is this, later ones are true.
    FirstSize(u64),
    /// The first size is true, later ones are this.
    LaterSizes(u64),
    SizeFails,
    /// Reads from this byte on fail, as if it had shrunk meanwhile.
    Shrinks(u64),
    /// The read with this number fails.
    Fails(usize),
    /// Every read gives other bytes, as memory that others write to.
    Changes,
    /// What is in memory are so many bytes.
    InMemory(usize),
    /// It is in memory when it is asked first, and not later.
    InMemoryOnce,
}

struct Stored<'b> {
    bytes: &'b [u8],
    lie: Lie,
    sizes: AtomicUsize,
    reads: AtomicUsize,
    in_memory: AtomicUsize,
    /// Where was read, and what was given.
    given: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl<'b> Stored<'b> {
    fn new(bytes: &'b [u8], lie: Lie) -> Self {
        let [sizes, reads, in_memory] = [0; 3].map(AtomicUsize::new);
        Self { bytes, lie, sizes, reads, in_memory, given: Mutex::default() }
    }

    /// The first `len` bytes as they were read: each once, or from memory.
    fn given(&self, len: usize) -> Vec<u8> {
        let mut all = self.given.lock().expect("no panic").clone();
        all.sort_by_key(|&(at, _)| at);
        let mut out = Vec::new();
        for (at, bytes) in all {
            assert!(at >= out.len() as u64, "{:?}: bytes at {at} were read twice", self.lie);
            let at = usize::try_from(at).expect("small");
            out.extend_from_slice(&self.bytes[out.len()..at]);
            out.extend(bytes);
        }
        if out.len() < len {
            out.extend_from_slice(&self.bytes[out.len()..len]);
        }
        out
    }
}

impl ReadAt for Stored<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = self.reads.fetch_add(1, Ordering::SeqCst);
        match self.lie {
            Lie::Shrinks(end) if offset + buffer.len() as u64 > end => return Err(ErrorKind::UnexpectedEof.into()),
            Lie::Fails(wanted) if read == wanted => return Err(io::Error::other("a broken disk")),
            _ => self.bytes.read_exact_at(buffer, offset)?,
        }
        if matches!(self.lie, Lie::Changes) {
            buffer.iter_mut().for_each(|byte| *byte ^= read.to_le_bytes()[0]);
        }
        self.given.lock().expect("no panic").push((offset, buffer.to_vec()));
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let first = self.sizes.fetch_add(1, Ordering::SeqCst) == 0;
        match self.lie {
            Lie::FirstSize(size) if first => Ok(size),
            Lie::LaterSizes(size) if !first => Ok(size),
            Lie::SizeFails => Err(io::Error::other("no size")),
            _ => self.bytes.size(),
        }
    }

    fn in_memory(&self) -> Option<&[u8]> {
        let first = self.in_memory.fetch_add(1, Ordering::SeqCst) == 0;
        match self.lie {
            Lie::InMemory(len) => Some(&self.bytes[..len.min(self.bytes.len())]),
            Lie::InMemoryOnce if first => Some(self.bytes),
            _ => None,
        }
    }
}

/// Seals with every lie, into room for so many bytes of plaintext.
fn with_every_lie(
    name: &str,
    seal: impl Fn(&Stored<'_>, &Threads, &mut [u8]) -> io::Result<usize>,
    open: impl Fn(&[u8]) -> Option<Vec<u8>>,
    sealed_len: impl Fn(u64) -> u64,
) {
    let (mut done, mut refused) = (0, 0);
    for bytes in [&pattern(LEN)[..], &pattern(4 * CHUNK_LEN), &pattern(100), &[]] {
        let len = bytes.len() as u64;
        let mut lies = vec![Lie::None, Lie::SizeFails, Lie::Changes, Lie::InMemory(LEN), Lie::InMemory(70_000)];
        lies.extend([Lie::InMemory(10), Lie::InMemoryOnce, Lie::Fails(0), Lie::Fails(1), Lie::Fails(2)]);
        lies.extend([0, 1, 99, 100, 70_000, len / 2, len.saturating_sub(1)].map(Lie::Shrinks));
        for size in [0, 1, len / 2, len.saturating_sub(1), len + 1, 2 * len, 1 << 40, 1 << 53, u64::MAX] {
            lies.extend([Lie::FirstSize(size), Lie::LaterSizes(size)]);
        }
        for lie in lies {
            for threads in threads() {
                let source = Stored::new(bytes, lie);
                let mut out = vec![7; usize::try_from(sealed_len(3 * len + 100)).expect("small")];
                let result = seal(&source, &threads, &mut out);
                let what = format!("{name}, {lie:?}, {len} bytes");
                match result {
                    Ok(sealed) => {
                        let plaintext = open(&out[..sealed]).unwrap_or_else(|| panic!("{what}: it does not open"));
                        assert!(plaintext == source.given(plaintext.len()), "{what}");
                        // The size that was said first counts.
                        let said = if let Lie::FirstSize(size) = lie { size } else { len };
                        assert_eq!(plaintext.len() as u64, said, "{what}");
                        assert_eq!(sealed as u64, sealed_len(said), "{what}");
                        done += 1;
                    }
                    Err(_) => {
                        assert!(!matches!(lie, Lie::None | Lie::Changes | Lie::InMemory(_)), "{what}: {result:?}");
                        let whole = usize::try_from(sealed_len(len)).expect("small");
                        assert_eq!(open(&out[..whole]), None, "{what}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(done > 60 && refused > 60, "{name}: {done} and {refused}");
    println!("lying sources: {name}: {done} sealed, {refused} refused");
}

#[test]
fn stored_sources() {
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    with_every_lie(
        "SharedSealer::seal_at",
        |source, threads, out| {
            let sealer = cobblestone.shared_sealer().expect("random");
            sealer.seal_at(threads, source, source.size()?, out)
        },
        |stored| cobblestone.open(stored).ok(),
        |len| cobblestone::sealed_len(len).expect("short"),
    );
    for keys in [1, 2].map(Keys::new) {
        let last = Mutex::new(None);
        with_every_lie(
            &format!("NewBody::seal_at in {} layers", keys.layers),
            |source, threads, out| {
                let (envelope, body) = keys.seal_options().start().expect("sealed");
                last.lock().expect("no panic").replace(envelope);
                body.seal_at(threads, source, out)
            },
            |stored| {
                let envelope = last.lock().expect("no panic");
                envelope.as_ref().expect("it was sealed").body().expect("a body").open(stored).ok()
            },
            |len| objseal::envelope::sealed_len(keys.layers, len).expect("short"),
        );
        for digests in [Wanted::NONE, Wanted::SHA256 | Wanted::CRC64NVME] {
            let options = keys.seal_options().with_digests(digests);
            with_every_lie(
                &format!("file::seal_at in {} layers, {digests:?}", keys.layers),
                |source, threads, out| {
                    let (len, info) = file::seal_at(&options, threads, source, out)?;
                    assert_eq!(file::sealed_len(&options, info.attributes.plaintext_len), Some(len as u64));
                    Ok(len)
                },
                |stored| keys.open_file(stored),
                |len| file::sealed_len(&options, len).expect("short"),
            );
        }
    }
}

/// A message is sealed whole, from its start, or not at all.
#[test]
fn what_has_begun_is_not_sealed_once_more() {
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let plaintext = pattern(LEN);
    for threads in threads() {
        let sealer = cobblestone.shared_sealer().expect("random");
        let mut out = vec![0; 2 * LEN];
        let run = sealer.next_run(1).expect("a run");
        run.seal(&plaintext[..CHUNK_LEN], &mut out).expect("sealed");
        let error = sealer.seal_at(&threads, &plaintext[..], LEN as u64, &mut out).expect_err("the start is gone");
        assert!(ours(&error).is_some(), "{error}");
        let sealer = cobblestone.shared_sealer().expect("random");
        let sealed = sealer.seal_at(&threads, &plaintext[..], LEN as u64, &mut out).expect("sealed");
        assert!(cobblestone.open(&out[..sealed]).expect("authentic") == plaintext);
        let error = sealer.seal_at(&threads, &plaintext[..], LEN as u64, &mut out).expect_err("it has ended");
        assert_eq!(ours(&error), Some(Error::Finished));
    }
}

fn ours(error: &io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref().copied()
}

/// The same tricks where something is opened: an error, and what came out is authentic.
#[test]
fn what_is_opened() {
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let plaintext = pattern(LEN);
    let message = cobblestone.seal(&plaintext).expect("sealed");
    // Behind what is read with `read_exact` of the standard library.
    let honest_start = |start: usize| {
        move |trick| match trick {
            Trick::TooMany(call, more) => Trick::TooMany(call.saturating_add(start), more),
            trick => trick,
        }
    };
    let (mut whole, mut refused) = (0, 0);
    let mut check = |name: &str, result: io::Result<()>, out: &[u8]| {
        assert!(plaintext.starts_with(out), "{name}");
        match result {
            Ok(()) => {
                assert!(out == plaintext, "{name}");
                whole += 1;
            }
            Err(_) => refused += 1,
        }
    };
    for trick in TRICKS {
        for threads in threads() {
            let (given, mut out) = (Mutex::default(), Vec::new());
            let input = Source::new(&message, trick, &given);
            let opened = cobblestone.open_stream(input, &mut out, &threads);
            check(&format!("open_stream, {trick:?}"), opened.map(drop), &out);
        }
        let (given, mut out) = (Mutex::default(), Vec::new());
        let mut reader = cobblestone.open_reader(Source::new(&message, trick, &given));
        let opened = reader.read_to_end(&mut out);
        check(&format!("open_reader, {trick:?}"), opened.map(drop), &out);
    }
    for keys in [1, 2].map(Keys::new) {
        let (envelope, body) = keys.seal_options().start().expect("sealed");
        let body = body.seal(&plaintext).expect("sealed");
        let mut stored = Vec::new();
        file::seal(&keys.seal_options(), &plaintext[..], &mut stored, &threads()[1]).expect("sealed");
        for trick in TRICKS.map(honest_start(1)) {
            for threads in threads() {
                let (given, mut out) = (Mutex::default(), Vec::new());
                let input = Source::new(&body, trick, &given);
                let opened = envelope.body().expect("a body").open_stream(input, &mut out, &threads);
                check(&format!("StoredBody::open_stream, {trick:?}"), opened.map(drop), &out);
                let (given, mut out) = (Mutex::default(), Vec::new());
                let input = Source::new(&stored, trick, &given);
                let opened = file::open(&keys.open_options(), input, &mut out, &threads);
                check(&format!("file::open, {trick:?}"), opened.map(drop).map_err(Into::into), &out);
            }
            let (given, mut out) = (Mutex::default(), Vec::new());
            let reader = file::OpenReader::new(&keys.open_options(), Source::new(&stored, trick, &given));
            let opened = reader.map_err(io::Error::from).and_then(|mut reader| reader.read_to_end(&mut out));
            check(&format!("file::OpenReader, {trick:?}"), opened.map(drop), &out);
        }
    }
    assert!(whole > 30 && refused > 60, "{whole} and {refused}");
    println!("lying sources: {whole} streams opened whole, {refused} refused");
}

/// Sinks that are full, or take nothing.
#[test]
fn lying_sinks() {
    struct Sink(usize, ErrorKind);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return if self.1 == ErrorKind::WriteZero { Ok(0) } else { Err(self.1.into()) };
            }
            let len = bytes.len().min(self.0);
            self.0 -= len;
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            if self.0 == 0 { Err(self.1.into()) } else { Ok(()) }
        }
    }
    let plaintext = pattern(LEN);
    for keys in [1, 2].map(Keys::new) {
        let options = keys.seal_options();
        let len = usize::try_from(file::sealed_len(&options, LEN as u64).expect("short")).expect("short");
        for room in [0, 1, 8192, 8200, 50_000, len - 1] {
            for kind in [ErrorKind::WriteZero, ErrorKind::StorageFull] {
                for threads in threads() {
                    let error = file::seal(&options, &plaintext[..], Sink(room, kind), &threads).expect_err("full");
                    assert_eq!(io::Error::from(error).kind(), kind);
                }
                let writer = file::SealWriter::new(&options, Sink(room, kind)).map_err(io::Error::from);
                let written = writer.and_then(|mut writer| {
                    writer.write_all(&plaintext)?;
                    Ok(writer.finish().map(drop)?)
                });
                assert_eq!(written.expect_err("full").kind(), kind);
            }
        }
        file::seal(&options, &plaintext[..], Sink(len + 1, ErrorKind::StorageFull), &threads()[0]).expect("room");
    }
}

/// What a caller changes in what it was given is an error or makes no difference.
#[test]
fn lying_callers() {
    for keys in [1, 2].map(Keys::new) {
        let place = context(&[("upload id", "17")]);
        let (upload, sealer) = keys.seal_options().start_upload(&keys.inner, &place).expect("started");
        let (mut bodies, mut receipts) = (Vec::new(), Vec::new());
        for number in 1..=2 {
            let (attempt, body) = sealer.part(number).expect("random");
            bodies.push(body.seal(&pattern(20_000)).expect("sealed"));
            let mut attributes = Attributes::new(20_000);
            attributes.digests.set(ChecksumAlgorithm::Crc32, &[1, 2, 3, 4]).expect("4 bytes");
            attributes.etag = Some("e".into());
            receipts.push(upload.receipt(attempt, attributes).expect("sealed").1);
        }
        let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
        let selection = upload.select(&[(1, "e"), (2, "e")], &receipts).expect("all are there");
        let malformed = |change: &dyn Fn(&mut objseal::envelope::Selection)| {
            let mut selection = selection.clone();
            change(&mut selection);
            let attributes = Attributes::new(selection.plaintext_len());
            match upload.complete(&selection, &attributes, 0) {
                Err(EnvelopeError::Format(FormatError::Malformed)) => true,
                Err(error) => panic!("{error}"),
                // What is made opens.
                Ok(completed) => {
                    let envelope = keys.open_options().open(&completed.head).expect("authentic");
                    let parts = envelope.parts(completed.table.as_deref()).expect("what is made opens");
                    assert_eq!(parts.len(), selection.parts.len());
                    false
                }
            }
        };
        assert!(!malformed(&|_| {}));
        assert!(!malformed(&|selection| selection.checksum = Some(ChecksumAlgorithm::Crc32)));
        assert!(!malformed(&|selection| drop(selection.parts.pop())));
        assert!(!malformed(&|selection| selection.receipts.clear()));
        assert!(malformed(&|selection| selection.checksum = Some(ChecksumAlgorithm::Sha1)));
        assert!(malformed(&|selection| selection.parts.clear()));
        assert!(malformed(&|selection| selection.parts.swap(0, 1)));
        assert!(malformed(&|selection| selection.parts[1].number = 1));
        assert!(malformed(&|selection| selection.parts[0].number = 0));
        assert!(malformed(&|selection| selection.parts[1].number = 10_001));
        assert!(malformed(&|selection| selection.parts[0].salts.truncate(1 - usize::from(keys.layers == 1))));
        assert!(malformed(&|selection| selection.parts[0].salts.push([0; 24])));
        assert!(malformed(&|selection| selection.parts[0].attributes.plaintext_len = 0));
        assert!(malformed(&|selection| selection.parts[1].attributes.plaintext_len = (5 << 30) + 1));
        assert!(malformed(&|selection| selection.parts[1].attributes.plaintext_len = u64::MAX));
        assert!(malformed(&|selection| {
            selection.parts.iter_mut().for_each(|part| part.attributes.plaintext_len = u64::MAX);
        }));
        assert!(malformed(&|selection| {
            *selection = upload.select(&[(1, "e")], &receipts).expect("it is there");
            let part = selection.parts[0].clone();
            selection.parts = (1..=10_001)
                .map(|number| {
                    let mut part = part.clone();
                    part.number = number;
                    part
                })
                .collect();
        }));

        // What is of another upload is not taken for one of this.
        let (other, other_sealer) = keys.seal_options().start_upload(&keys.inner, &place).expect("started");
        let (attempt, _) = other_sealer.part(1).expect("random");
        let refused = upload.receipt(attempt, Attributes::new(1)).expect_err("of another upload");
        assert!(matches!(refused, EnvelopeError::Authentication));
        let attributes = Attributes::new(selection.plaintext_len());
        let refused = other.complete(&selection, &attributes, 0).expect_err("of another upload");
        assert!(matches!(refused, EnvelopeError::Authentication));
        assert!(matches!(other.open_receipt(receipts[0]), Err(EnvelopeError::Authentication)));

        // A part that says something else of itself does not open.
        let attributes = Attributes::new(selection.plaintext_len());
        let completed = upload.complete(&selection, &attributes, 0).expect("completed");
        let envelope = keys.open_options().open(&completed.head).expect("authentic");
        let parts = envelope.parts(completed.table.as_deref()).expect("authentic");
        let salts = parts[0].salts.clone();
        let all_but_one = salts[1..].to_vec();
        for (right, salts) in
            [(true, salts.clone()), (false, Vec::new()), (false, all_but_one), (false, vec![[0; 24]; salts.len()])]
        {
            let mut part = parts[0].clone();
            part.salts = salts;
            let mut out = Vec::new();
            assert_eq!(envelope.part(&part).open(&bodies[0]).is_ok(), right);
            assert_eq!(envelope.part(&part).open_at(&bodies[0][..]).is_ok(), right);
            assert_eq!(envelope.part(&part).open_stream(&bodies[0][..], &mut out, &threads()[0]).is_ok(), right);
            let mut opener = envelope.part(&part).opener();
            let opened = opener.update_vec(&bodies[0], &mut out).and_then(|()| opener.finish_vec(&mut out));
            assert_eq!(opened.is_ok(), right);
            part.plaintext = 5..u64::MAX;
            let _ = (part.len(), part.stored_len(), part.within(&(0..u64::MAX)));
            part.plaintext = std::ops::Range { start: u64::MAX, end: 0 };
            let _ = (part.len(), part.stored_len(), part.within(&(0..u64::MAX)));
        }
    }
}

/// It fails once, and notes whether it is asked again.
struct FailsOnce<'c> {
    left: usize,
    failed: bool,
    asked_again: &'c AtomicUsize,
    panics: bool,
}

impl Read for FailsOnce<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            self.asked_again.fetch_add(1, Ordering::SeqCst);
        }
        let len = buffer.len().min(self.left);
        if len == 0 && !self.failed {
            self.failed = true;
            assert!(!self.panics, "planted");
            return Err(ErrorKind::Other.into());
        }
        self.left -= len;
        Ok(len)
    }
}

/// Another thread that read on would leave out what was lost with the error, and what came out would open.
#[test]
fn a_reader_that_failed_is_not_asked_again() {
    let key = Key::generate().expect("random");
    let cobblestone = Cobblestone::new(&key, b"place");
    let threads = Threads(NonZeroUsize::new(4).expect("4"));
    for round in 0..400 {
        let asked_again = AtomicUsize::new(0);
        let panics = round % 8 == 0;
        let input = FailsOnce { left: 130_000, failed: false, asked_again: &asked_again, panics };
        let mut out = Vec::new();
        let sealed = catch_unwind(AssertUnwindSafe(|| cobblestone.seal_stream(input, &mut out, &threads)));
        assert!(sealed.is_err() == panics && sealed.is_ok_and(|sealed| sealed.is_err()) != panics);
        assert_eq!(asked_again.into_inner(), 0, "round {round}");
        assert!(cobblestone.open(&out).is_err());
    }
}
