//! Sealed files as writers and readers, their length, and keys without a service.

use objseal::checksums::Wanted;
use objseal::cobblestone::Threads;
use objseal::envelope::{EnvelopeError, OpenOptions, SealOptions, WrappingKey};
use objseal::file::{self, FileError, OpenReader, SealWriter, SealedFile};
use objseal::{Error, Key};
use objseal_tests::{pattern, seal_in_memory};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

const SIZES: [usize; 14] =
    [0, 1, 100, 16_383, 16_384, 16_385, 32_679, 65_536, 262_143, 262_144, 262_145, 300_000, 524_289, 1_000_003];

fn key(byte: u8) -> Arc<WrappingKey> {
    Arc::new(WrappingKey::from_key(Key::from_bytes(&[byte; 32])))
}

/// Seals in so many layers, each under the same key.
fn sealing_in(layers: usize) -> SealOptions {
    let options = SealOptions::new(key(1));
    if layers == 2 { options.with_outer_key(key(1)) } else { options }
}

fn opening() -> OpenOptions {
    OpenOptions::new().with_key(key(1))
}

fn refused(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) == Some(&Error::Authentication)
}

/// Reads at most so many bytes at a time.
struct Small<R>(R, usize);

impl<R: Read> Read for Small<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(self.1);
        self.0.read(&mut out[..len])
    }
}

#[test]
fn every_size_goes_through_writer_and_reader() {
    let opening = opening();
    for layers in [1, 2] {
        let sealing = sealing_in(layers).with_digests(Wanted::SHA256 | Wanted::CRC32C);
        for size in SIZES {
            let plain = pattern(size);
            let mut writer = SealWriter::new(&sealing, Vec::new()).expect("sealed");
            for piece in plain.chunks(70_001) {
                writer.write_all(piece).expect("sealed");
            }
            let (stored, sealed) = writer.finish().expect("sealed");
            assert_eq!(sealed.attributes.plaintext_len, size as u64);
            assert_eq!(file::sealed_len(&sealing, size as u64), Some(stored.len() as u64), "{size} in {layers}");

            // What the stream writes opens here, and what the writer writes opens there.
            let streamed = seal_in_memory(&sealing, &plain);
            assert_eq!(streamed.len(), stored.len());
            in_memory(&sealing, &opening, &plain);
            in_memory(&sealing.clone().with_digests(Wanted::NONE), &opening, &plain);
            let mut opened = Vec::new();
            file::open(&opening, &stored[..], &mut opened, &Threads::available()).expect("authentic");
            assert!(opened == plain);
            for (stored, step) in [(&stored, 70_001), (&streamed, usize::MAX), (&stored, 4_099)] {
                let mut reader = OpenReader::new(&opening, Small(&stored[..], step)).expect("authentic");
                assert_eq!(reader.attributes(), None, "they are at the end");
                let mut opened = Vec::new();
                reader.read_to_end(&mut opened).expect("authentic");
                assert!(opened == plain, "{size} in {layers}");
                assert_eq!(reader.read(&mut [0]).expect("the end"), 0, "it stays at the end");
                assert_eq!(reader.attributes(), Some(&sealed.attributes));
            }
        }
    }
    let error = OpenReader::new(&opening, &b"x"[..]).expect_err("too short");
    assert!(matches!(error, FileError::NotSealed), "{error}");
}

/// Seals from memory into memory, on one thread and on three.
fn in_memory(sealing: &SealOptions, opening: &OpenOptions, plain: &[u8]) {
    let needed = file::sealed_len(sealing, plain.len() as u64).and_then(|len| usize::try_from(len).ok());
    let mut out = vec![1; needed.expect("short") + 1];
    for count in [1, 3] {
        let threads = Threads(NonZeroUsize::new(count).expect("not 0"));
        let (len, sealed) = file::seal_at(sealing, &threads, plain, &mut out).expect("sealed");
        assert_eq!((len, out[len]), (out.len() - 1, 1), "nothing is written behind it");
        assert_eq!(sealed.attributes.plaintext_len, plain.len() as u64);
        let mut opened = Vec::new();
        file::open(opening, &out[..len], &mut opened, &threads).expect("authentic");
        assert!(opened == plain, "{} bytes on {count} threads", plain.len());
        let error = file::seal_at(sealing, &threads, plain, &mut out[..len - 1]).expect_err("too small");
        assert!(matches!(error, FileError::Envelope(EnvelopeError::Seal(Error::OutputTooSmall { .. }))), "{error}");
    }
}

#[test]
fn a_reader_refuses_what_was_changed_and_gives_out_what_came_before() {
    for layers in [1, 2] {
        let plain = pattern(600_000);
        let stored = seal_in_memory(&sealing_in(layers), &plain);
        let read = |stored: &[u8]| {
            let mut opened = Vec::new();
            let mut reader = OpenReader::new(&opening(), stored)?;
            let result = reader.read_to_end(&mut opened);
            if let Err(error) = &result {
                assert!(plain.starts_with(&opened), "only authentic bytes");
                assert!(opened.len() < plain.len());
                assert!(refused(error), "{error}");
                assert!(refused(&reader.read(&mut [0]).expect_err("no way on")), "it says the same again");
            }
            Ok::<_, FileError>((result.is_ok(), opened.len()))
        };
        assert_eq!(read(&stored).expect("authentic"), (true, 600_000));
        for at in [8_192, 8_300, 100_000, 500_000, stored.len() - 30, stored.len() - 1] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            let (whole, len) = read(&changed).expect("the head is authentic");
            assert!(!whole, "byte {at}");
            if at == 500_000 {
                assert!(len > 200_000, "what came before the change was given out: {len}");
            }
        }
        for len in [8_192, 8_193, 20_000, stored.len() - 1] {
            assert!(!read(&stored[..len]).expect("the head is authentic").0, "cut to {len}");
        }
        let mut longer = stored.clone();
        longer.push(0);
        assert!(!read(&longer).expect("the head is authentic").0, "one byte more");
    }
}

#[test]
fn a_writer_that_failed_does_not_go_on() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sealing = sealing_in(1);
    assert!(matches!(SealWriter::new(&sealing, Full(100)), Err(FileError::Io(_))));
    let mut writer = SealWriter::new(&sealing, Full(50_000)).expect("the head fits");
    assert_eq!(writer.write_all(&[0; 100_000]).expect_err("full").kind(), io::ErrorKind::StorageFull);
    assert_eq!(writer.write_all(&[0; 1]).expect_err("failed before").kind(), io::ErrorKind::StorageFull);
    let error = writer.finish().map(drop).expect_err("failed before");
    assert!(matches!(&error, FileError::Io(error) if error.kind() == io::ErrorKind::StorageFull), "{error}");
}

#[test]
fn another_single_key_is_refused() {
    let stored = seal_in_memory(&sealing_in(1), b"plain");
    let error = SealedFile::open(&OpenOptions::new().with_key(key(2)), &stored[..]).expect_err("another key");
    let FileError::Envelope(EnvelopeError::OtherKey(key)) = error else { panic!("{error}") };
    assert_eq!((&*key.service, &*key.key_id), (WrappingKey::SINGLE_KEY_SERVICE, WrappingKey::SINGLE_KEY_ID));
}

#[test]
fn a_parallel_range_is_all_or_nothing() {
    let plain = pattern(3_000_000);
    let mut stored = seal_in_memory(&sealing_in(1), &plain);
    let threads = Threads(NonZeroUsize::new(4).expect("4"));
    let opening = opening();
    for (start, len) in [(0, 3_000_000), (1, 2_999_999), (16_383, 16_386), (500_000, 2_000_000), (5, 0), (9, 16_384)] {
        let file = SealedFile::open(&opening, &stored[..]).expect("authentic");
        let mut out = vec![1; len];
        file.body().open_range_parallel(&threads, start as u64, &mut out).expect("authentic");
        assert!(out == plain[start..start + len], "{len} bytes from {start}");
    }
    let mut out = [1; 40_000];
    let file = SealedFile::open(&opening, &stored[..]).expect("authentic");
    for start in [2_960_001, u64::MAX] {
        assert!(file.body().open_range_parallel(&threads, start, &mut out).is_err(), "beyond the end");
    }
    stored[8_192 + 56 + 100 * 16_400] ^= 1;
    let file = SealedFile::open(&opening, &stored[..]).expect("head and end are authentic");
    let mut out = vec![1; 3_000_000];
    assert!(refused(&file.body().open_range_parallel(&threads, 0, &mut out).expect_err("a chunk was changed")));
    assert!(out.iter().all(|&byte| byte == 0));
}

/// Gives `pieces` to `update`, each with room for exactly what it asks for.
fn push(
    pieces: &[&[u8]],
    mut update_len: impl FnMut(usize) -> usize,
    mut update: impl FnMut(&[u8], &mut [u8]) -> Result<usize, Error>,
) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    for piece in pieces {
        let mut out = vec![0xAA; update_len(piece.len())];
        if let Some((_, short)) = out.split_last_mut() {
            assert!(matches!(update(piece, short), Err(Error::OutputTooSmall { .. })), "nothing is consumed");
        }
        match update(piece, &mut out) {
            Ok(len) => assert_eq!(len, out.len(), "as many as it said"),
            Err(error) => {
                assert!(out.iter().all(|&byte| byte == 0), "zeros after a failure");
                return Err(error);
            }
        }
        all.extend(out);
    }
    Ok(all)
}

#[test]
fn piece_by_piece_with_the_callers_buffers() {
    use std::cell::RefCell;
    let opening = opening();
    let open = |stored: &[u8], step: usize| -> Result<Vec<u8>, FileError> {
        let (slots, rest) = stored.split_first_chunk().expect("slots");
        let opener = RefCell::new(file::Opener::new(&opening, slots)?);
        let pieces: Vec<_> = rest.chunks(step).collect();
        let update = |piece: &[u8], out: &mut [u8]| opener.borrow_mut().update(piece, out);
        let pushed = push(&pieces, |len| opener.borrow().update_len(len), update);
        let mut opener = opener.into_inner();
        let mut opened = match pushed {
            Ok(opened) => opened,
            Err(error) => {
                assert_eq!(opener.update(b"x", &mut [0; 100]), Err(error), "it says the same again");
                return Err(error.into());
            }
        };
        let mut end = vec![0xAA; opener.finish_len()];
        let finished = opener.finish(&mut end);
        let again = opener.finish(&mut []).expect_err("there is nothing more");
        match finished {
            Ok(len) => {
                assert_eq!(len, end.len());
                assert!(matches!(again, FileError::Envelope(EnvelopeError::Seal(Error::Finished))), "{again}");
            }
            Err(error) => {
                assert_eq!(again.to_string(), error.to_string(), "it says the same again");
                assert!(end.iter().all(|&byte| byte == 0) && opener.attributes().is_none());
                return Err(error);
            }
        }
        opened.extend(end);
        assert_eq!(opener.attributes().map(|attributes| attributes.plaintext_len), Some(opened.len() as u64));
        Ok(opened)
    };
    for layers in [1, 2] {
        let sealing = sealing_in(layers).with_digests(Wanted::CRC32C);
        for size in SIZES {
            let plain = pattern(size);
            for step in [1_000_003, 70_001, 16_384, 997] {
                let sealer = RefCell::new(file::Sealer::new(&sealing).expect("sealed"));
                let pieces: Vec<_> = plain.chunks(step).chain([&[][..]]).collect();
                let update = |piece: &[u8], out: &mut [u8]| sealer.borrow_mut().update(piece, out);
                let len = |len| sealer.borrow().update_len(len).expect("not too long");
                let mut stored = push(&pieces, len, update).expect("sealed");
                let sealer = sealer.into_inner();
                let mut end = vec![0; sealer.finish_len().expect("not finished")];
                let (len, sealed) = sealer.finish(&mut end).expect("sealed");
                assert_eq!((len, sealed.attributes.plaintext_len), (end.len(), size as u64));
                stored.extend(end);
                assert_eq!(file::sealed_len(&sealing, size as u64), Some(stored.len() as u64));
                for step in [usize::MAX, 65_536, 1_009] {
                    assert!(open(&stored, step).expect("authentic") == plain, "{size} in {layers} by {step}");
                }
                if step == 70_001 {
                    for at in [8_200, 8_300, (8_192 + stored.len()) / 2, stored.len() - 30, stored.len() - 1] {
                        let mut changed = stored.clone();
                        changed[at] ^= 1;
                        let error = open(&changed, 65_536).expect_err("a byte was changed");
                        assert!(matches!(error, FileError::Envelope(EnvelopeError::Authentication)), "{at}: {error}");
                    }
                    for len in [8_192, 8_247, stored.len() - 1] {
                        let error = open(&stored[..len], 65_536).expect_err("it was cut");
                        assert!(matches!(error, FileError::Envelope(EnvelopeError::Authentication)), "{len}: {error}");
                    }
                }
            }
        }
    }
}
