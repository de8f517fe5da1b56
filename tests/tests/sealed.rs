//! Sealed files: sizes, streams, ranges, policy, and what stored bytes that were changed lead to.

use objseal::Key;
use objseal::checksums::{self, Digester, Wanted};
use objseal::cobblestone::{ReadAt, Threads};
use objseal::envelope::{
    Attributes, ChecksumAlgorithm, ChecksumType, Demand, DemandedContext, EncryptionContext, EnvelopeError,
    FormatError, Head, KeyKind, KeyRequest, KeyService, KeyServiceError, ObjectId, OpenOptions, Policy, SealOptions,
    ServiceContext, WrappingKey,
};
use objseal::file::{self, BODY_OFFSET, FileError, SealedFile, SlotState};
use objseal::limits::{INLINE_ENVELOPE_LEN, LATE_FIELDS_LEN, MAX_FILE_HEAD_LEN, MAX_HEAD_LEN};
use objseal_keys::keyring::Keyring;
use objseal_tests::format::{entries, head_fields};
use objseal_tests::{context, engines, open_file, open_options, pattern, report, seal_file, seal_options};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

const SIZES: [usize; 9] = [0, 1, 16_311, 16_383, 16_384, 16_385, 32_768, 100_000, 1 << 20];

fn keyring() -> Arc<Keyring> {
    objseal_tests::keyring(&["main"])
}

/// Gives at most so many bytes at a time.
struct Slowly<'b>(&'b [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(self.1);
        self.0.read(&mut out[..len])
    }
}

fn is_authentication(error: &FileError) -> bool {
    matches!(error, FileError::Envelope(EnvelopeError::Authentication))
}

#[test]
fn every_size_comes_back() {
    let keyring = keyring();
    for engine in engines() {
        for size in SIZES {
            let plain = pattern(size);
            let sealing = seal_options(&keyring, &["main"]).with_engine(engine).expect("available");
            let opening = open_options(&keyring).with_engine(engine).expect("available");
            let mut stored = Vec::new();
            let threads = Threads(NonZeroUsize::new(3).expect("3"));
            file::seal(&sealing, &plain[..], &mut stored, &threads).expect("sealed");
            assert_eq!(stored.len(), 8192 + 56 + size + 16 * (size / 16_384 + 1) + 84 + 4);
            for piece in [1 << 20, 16_075, 16_076, 16_077, 4_096, 1009] {
                let mut opened = Vec::new();
                let whole = file::open(&opening, Slowly(&stored, piece), &mut opened, &threads).expect("authentic");
                assert!(opened == plain, "{size} bytes in pieces of {piece}");
                assert_eq!(whole.attributes.plaintext_len, size as u64);
                assert_eq!(whole.slots, SlotState::Same);
                assert_eq!(whole.engines, [engine]);
            }
            let file = SealedFile::open(&opening, &stored[..]).expect("authentic");
            let from = size as u64 / 3;
            assert!(file.body().open_range(from..size as u64).expect("authentic") == plain[size / 3..]);
        }
        report("sealed", engine, format!("{} sizes", SIZES.len()));
    }
}

#[test]
fn the_envelope_is_as_small_as_the_format_says() {
    let keyring = keyring();
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), b"");
    let (envelope, _) = seal_options(&keyring, &["main"]).start().expect("sealed");
    assert_eq!(envelope.stored().len(), 258 + "main".len());
    assert_eq!(stored.len(), 8352);
    // A wrapped key: 125 bytes, names and blob; 8 less without a fingerprint.
    for (kind, expected) in [(KeyKind::Object, 125), (KeyKind::Shared, 125), (KeyKind::Customer, 117)] {
        let key = WrappingKey::new("service", "key id", 1, Key::from_bytes(&[1; 32])).expect("names");
        let key = key.with_blob(kind, ServiceContext::Object, &[7; 300]).expect("it fits");
        let (envelope, _) = SealOptions::new(Arc::new(key)).start().expect("sealed");
        assert_eq!(head_fields(envelope.stored())[&4].len(), expected + 7 + 6 + 300, "{kind:?}");
    }
}

/// A key of a service of 7 bytes.
fn key_of(key_id: &str, kind: KeyKind, blob_len: usize) -> Arc<WrappingKey> {
    let key = WrappingKey::new("aws-kms", key_id, 1, Key::from_bytes(&[1; 32])).expect("names");
    if kind == KeyKind::Local {
        return Arc::new(key);
    }
    Arc::new(key.with_blob(kind, ServiceContext::Object, &pattern(blob_len)).expect("it fits"))
}

/// A key as a keyring has it, with a name of 8 bytes: an entry of 140 bytes.
fn of_keyring(number: usize) -> Arc<WrappingKey> {
    key_of(&format!("photos-{number}"), KeyKind::Local, 0)
}

/// A key as a KMS has it, with an ARN of 75 bytes and a blob of 184: an entry of 391 bytes.
fn of_kms(number: usize) -> Arc<WrappingKey> {
    key_of(&format!("arn:aws:kms:eu-central-1:111122223333:key/{number:033}"), KeyKind::Object, 184)
}

/// So many keys for each layer.
fn keys(key: fn(usize) -> Arc<WrappingKey>, inner: usize, outer: usize) -> SealOptions {
    let options = (0..inner).fold(SealOptions::default(), |options, number| options.with_key(key(number)));
    (0..outer).fold(options, |options, number| options.with_outer_key(key(number)))
}

/// Pairs of which so many bytes are stored, in one field.
fn with_pairs(options: &SealOptions, len: usize) -> SealOptions {
    options.clone().with_context(context(&[("k", &"x".repeat(len - 5))]))
}

fn is_too_long<T>(result: Result<T, EnvelopeError>) {
    let error = result.map(drop).expect_err("it does not fit");
    assert!(matches!(error, EnvelopeError::Format(FormatError::TooLong)), "{error}");
}

/// FORMAT.md, section 6, what fits a slot: how many bytes of pairs beside the keys.
#[test]
fn what_fits_a_slot_and_what_is_refused_before_the_first_byte() {
    for (what, options, pairs) in [
        ("all of it in one layer", keys(of_keyring, 1, 0), 3_922 - 140),
        ("all of it in two", keys(of_keyring, 1, 1), 3_896 - 2 * 140),
        ("8 keys of a keyring", keys(of_keyring, 8, 0), 2_802),
        ("6 keys of a KMS", keys(of_kms, 6, 0), 1_576),
    ] {
        let fits = with_pairs(&options, pairs);
        let mut stored = Vec::new();
        let info = file::seal(&fits, &b"text"[..], &mut stored, &Threads::available()).expect(what);
        assert_eq!(info.envelope.stored().len(), MAX_FILE_HEAD_LEN, "{what}");
        assert!(file::seal_at(&fits, &Threads::available(), &b"text"[..], &mut stored).is_ok(), "{what}");
        assert!(file::Sealer::new(&fits).is_ok(), "{what}");
        let before = stored.clone();

        let too_long = with_pairs(&options, pairs + 1);
        too_long.start().expect("a head has more room");
        let refused = |error: FileError| match error {
            FileError::Envelope(error) => is_too_long::<()>(Err(error)),
            error => panic!("{what}: {error}"),
        };
        let mut written = Vec::new();
        refused(file::seal(&too_long, Never, &mut written, &Threads::available()).expect_err(what));
        assert!(written.is_empty(), "{what}");
        refused(file::seal_at(&too_long, &Threads::available(), &b"text"[..], &mut stored).expect_err(what));
        assert!(stored == before, "{what}");
        refused(file::Sealer::new(&too_long).map(drop).expect_err(what));
        refused(file::SealWriter::new(&too_long, &mut written).map(drop).expect_err(what));
        assert!(written.is_empty(), "{what}");
        // Nor is a head put into a slot that it does not fit.
        let target = ReadOnly(before.clone());
        let opening = OpenOptions::new().with_key(options_key(&options)).with_any_context();
        refused(file::rewrap(&opening, &target, |_| Ok::<_, FileError>(too_long)).map(drop).expect_err(what));
    }
}

/// The first inner key of [`keys`].
fn options_key(options: &SealOptions) -> Arc<WrappingKey> {
    let (envelope, _) = options.start().expect("it fits");
    if envelope.head().wrapped_keys[0].kind == KeyKind::Local { of_keyring(0) } else { of_kms(0) }
}

/// An input that must not be read.
struct Never;

impl Read for Never {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("it was read")
    }
}

/// A file that must not be written.
struct ReadOnly(Vec<u8>);

impl ReadAt for ReadOnly {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0[..].read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0[..].size()
    }
}

impl file::WriteAt for ReadOnly {
    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        panic!("it was written")
    }

    fn sync(&self) -> io::Result<()> {
        panic!("it was synced")
    }
}

/// The longest attributes that there can be: all digests, and an ETag of 1,024 bytes.
fn longest_attributes(plaintext_len: u64) -> Attributes {
    let mut attributes = Attributes::new(plaintext_len);
    for algorithm in ChecksumAlgorithm::ALL {
        attributes.digests.set(algorithm, &pattern(algorithm.len())).expect("its length");
        attributes.composite.set(algorithm, &pattern(algorithm.len())).expect("its length");
    }
    attributes.checksum_type = Some(ChecksumType::Composite);
    attributes.etag = Some("e".repeat(1_024));
    attributes
}

/// FORMAT.md, section 6, what fits a head, so that the longest of what comes late does as well.
#[test]
fn what_fits_a_head_and_what_is_refused_before_anything_is_sealed() {
    let place = context(&[("upload id", "17")]);
    let blobs = |number| key_of(of_kms(number).key_id(), KeyKind::Shared, 6_144);
    for (what, options, room) in [
        ("8 keys of a KMS in each of two layers", keys(of_kms, 8, 8), 7_668),
        ("2 blobs", keys(blobs, 2, 0), 1_248),
        // More pairs than a context has room for, so a private field takes the rest, and 4 bytes for itself.
        ("all of it in one layer", keys(of_keyring, 1, 0), 13_950 - 140),
        ("all of it in two", keys(of_keyring, 1, 1), 13_924 - 2 * 140),
    ] {
        let with = |len: usize| {
            let (pairs, mut rest, mut options) = (len.min(8_000), len - len.min(8_000), options.clone());
            for tag in 0xC000.. {
                let field = rest.min(4 + LATE_FIELDS_LEN);
                rest -= field;
                match field {
                    0 => break,
                    _ => options = options.with_field(tag, &pattern(field - 4)).expect("a private field"),
                }
            }
            with_pairs(&options, pairs)
        };
        let (envelope, _) = with(room).start().expect(what);
        assert_eq!(envelope.stored().len(), MAX_HEAD_LEN - LATE_FIELDS_LEN, "{what}");
        envelope.with_attributes(&longest_attributes(4)).expect(what);
        is_too_long(with(room + 1).start());

        // A head of parts has no salts of a body, but those of the table; its own first and last bytes come at the end.
        let room = room + 8 + 32 + 4 + 24 * usize::from(options.layers());
        let (upload, parts) = with(room).start_upload(&of_keyring(0), &place).expect(what);
        let (attempt, _) = parts.part(1).expect("a salt");
        let (receipt, proof) = upload.receipt(attempt, longest_attributes(4)).expect("a receipt");
        let etag = receipt.attributes.etag.expect("there is one");
        let selection = upload.select(&[(1, &etag)], &[&proof]).expect("it is there");
        let completed = upload.complete(&selection, &longest_attributes(4), MAX_HEAD_LEN).expect(what);
        assert!(completed.head.len() <= MAX_HEAD_LEN, "{what}");
        let completed = upload.complete(&selection, &longest_attributes(4), 0).expect(what);
        assert!(completed.table.is_some() && completed.head.len() < MAX_HEAD_LEN, "{what}");
        is_too_long(with(room + 1).start_upload(&of_keyring(0), &place));
    }
}

/// FORMAT.md, section 6, what fits an envelope that has its part table in it: 5 parts, with MD5 and CRC-64/NVME.
#[test]
fn what_fits_an_envelope_with_its_part_table() {
    let place = context(&[("upload id", "17")]);
    let one_of_each = SealOptions::new(of_kms(0)).with_outer_key(of_keyring(0));
    for (what, options, pairs) in [
        ("all of it in one layer", keys(of_keyring, 1, 0), 843 - 140),
        ("all of it in two", keys(of_keyring, 1, 1), 553 - 2 * 140),
        ("2 keys of a KMS in one layer", keys(of_kms, 2, 0), 61),
        ("a key of a KMS and one of a keyring", one_of_each, 22),
    ] {
        let inline = |pairs: usize| {
            let (upload, parts) = with_pairs(&options, pairs).start_upload(&of_keyring(0), &place).expect(what);
            let (mut proofs, mut etags) = (Vec::new(), Vec::new());
            for number in 1..=5 {
                let mut digester = Digester::new(Wanted::MD5 | Wanted::CRC64NVME);
                digester.update(b"text");
                let (receipt, proof) =
                    upload.receipt(parts.part(number).expect("a salt").0, digester.finish()).expect("a receipt");
                proofs.push(proof);
                etags.push((number, receipt.attributes.etag.expect("there is one")));
            }
            let named: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
            let proofs: Vec<_> = proofs.iter().map(Vec::as_slice).collect();
            let selection = upload.select(&named, &proofs).expect("all are there");
            let attributes = checksums::of_parts(&selection.attributes());
            let completed = upload.complete(&selection, &attributes, INLINE_ENVELOPE_LEN).expect(what);
            (completed.head.len(), completed.table.is_none())
        };
        assert_eq!(inline(pairs), (INLINE_ENVELOPE_LEN, true), "{what}");
        assert!(!inline(pairs + 1).1, "{what}");
    }
}

#[test]
fn one_changed_byte_is_refused_or_answered_as_the_format_says() {
    let keyring = keyring();
    let plain = pattern(1 << 20);
    let bound = context(&[("name", "cat.jpg")]);
    let stored = seal_file(&keyring, "main", bound.clone(), &plain);
    let opening = open_options(&keyring).with_context(bound);
    let body_end = stored.len() - 88;
    // Every byte of the slots, the header of the body, the first border, the last chunk's end and the tail; a sample of
    // the rest.
    let near = |at: usize, of: usize| at.abs_diff(of) < 40;
    let places = (0..stored.len()).filter(|&at| {
        at < 8192 + 56 + 40
            || at + 160 > stored.len()
            || near(at, 8248 + 16_400)
            || near(at, body_end)
            || at % 9973 == 0
    });
    let (mut by_the_other_slot, mut refused) = (0, 0);
    for at in places {
        let mut changed = stored.clone();
        changed[at] ^= 1 << (at % 8);
        if at < 8192 {
            let slot = at / 4096;
            // The body need not be opened each time.
            let file = SealedFile::open(&opening, &changed[..]).expect("the other slot serves");
            assert_eq!(file.info().slots, SlotState::Damaged { slot }, "byte {at}");
            by_the_other_slot += 1;
        } else {
            let (result, opened) = open_file(&keyring, &changed);
            let error = result.err().unwrap_or_else(|| panic!("byte {at} opens"));
            assert!(is_authentication(&error), "byte {at}: {error}");
            assert!(plain.starts_with(&opened) && opened.len() % 16_384 == 0, "byte {at}");
            refused += 1;
        }
    }
    println!("sealed: {by_the_other_slot} bytes changed in a slot, {refused} elsewhere");
    assert_eq!(by_the_other_slot, 8192);
    // Both slots.
    let mut changed = stored.clone();
    changed[100] ^= 1;
    changed[5000] ^= 1;
    assert!(matches!(open_file(&keyring, &changed).0, Err(FileError::NotSealed)));
}

#[test]
fn every_other_length_is_refused() {
    let keyring = keyring();
    let plain = pattern(40_000);
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), &plain);
    let opening = open_options(&keyring);
    for len in (0..stored.len()).filter(|len| len % 97 == 0 || *len + 200 > stored.len() || *len < 100) {
        let cut = &stored[..len];
        let error = open_file(&keyring, cut).0.err().unwrap_or_else(|| panic!("{len} bytes open"));
        let at_any_offset = SealedFile::open(&opening, cut).err().unwrap_or_else(|| panic!("{len} bytes open"));
        for error in [error, at_any_offset] {
            if len < 8192 {
                assert!(matches!(error, FileError::NotSealed), "{len}: {error}");
            } else {
                assert!(is_authentication(&error), "{len}: {error}");
            }
        }
    }
    for more in [1, 4, 16, 84, 88, 16_400] {
        let longer = [&stored[..], &vec![0; more]].concat();
        assert!(is_authentication(&open_file(&keyring, &longer).0.expect_err("refused")), "{more} more");
        assert!(is_authentication(&SealedFile::open(&opening, &longer[..]).expect_err("refused")), "{more} more");
        // A tail that is there twice is no better.
        let twice = [&stored[..], &stored[stored.len() - 88..]].concat();
        assert!(is_authentication(&open_file(&keyring, &twice).0.expect_err("refused")));
    }
}

#[test]
fn no_length_at_the_end_is_believed() {
    let keyring = keyring();
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), &pattern(40_000));
    let lens = [0, 1, 83, 85, 88, 16_072, 16_073, 50_000, u32::MAX - 3, u32::MAX];
    for len in lens {
        let mut changed = stored.clone();
        let at = changed.len() - 4;
        changed[at..].copy_from_slice(&len.to_be_bytes());
        assert!(is_authentication(&open_file(&keyring, &changed).0.expect_err("refused")), "{len}");
        let error = SealedFile::open(&open_options(&keyring), &changed[..]).expect_err("refused");
        assert!(is_authentication(&error), "{len}");
    }
}

#[test]
fn nothing_of_another_object_fits() {
    let keyring = keyring();
    let plain = pattern(40_000);
    let one = seal_file(&keyring, "main", EncryptionContext::new(), &plain);
    let other = seal_file(&keyring, "main", EncryptionContext::new(), &plain);
    let tail = one.len() - 88;
    let body = usize::try_from(BODY_OFFSET).expect("small");
    for (what, mixed) in [
        ("head", [&other[..body], &one[body..]].concat()),
        ("body", [&one[..body], &other[body..tail], &one[tail..]].concat()),
        ("attributes", [&one[..tail], &other[tail..]].concat()),
        ("header of the body", [&one[..body], &other[body..body + 56], &one[body + 56..]].concat()),
        ("last chunk", [&one[..tail - 7248], &other[tail - 7248..tail], &one[tail..]].concat()),
    ] {
        assert!(is_authentication(&open_file(&keyring, &mixed).0.expect_err("refused")), "{what}");
    }
    // A slot of another object, though intact, does not even look like an older head.
    let mixed = [&one[..4096], &other[4096..8192], &one[8192..]].concat();
    let error = open_file(&keyring, &mixed).0.expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::Format(FormatError::Malformed))), "{error}");
}

#[test]
fn policy_comes_before_any_key_service() {
    /// A key service that must not be asked.
    #[derive(Debug)]
    struct Never;
    impl KeyService for Never {
        fn name(&self) -> &'static str {
            "keyring"
        }
        fn wrapping_key(&self, _: &str, _: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
            panic!("asked for a key to seal under")
        }
        fn reopen(&self, _: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
            panic!("asked for a key to open with")
        }
    }
    let keyring = keyring();
    let bound = context(&[("bucket", "photos"), ("name", "cat.jpg")]);
    let (envelope, _) = seal_options(&keyring, &["main"]).with_context(bound.clone()).start().expect("sealed");
    let refusal = |change: &dyn Fn(&mut Policy)| {
        let mut opening = OpenOptions::new().with_service(Arc::new(Never)).with_any_context();
        change(opening.policy_mut());
        match opening.open(envelope.stored()) {
            Err(EnvelopeError::Policy(demand)) => Some(demand),
            Err(EnvelopeError::NoAcceptedKey { wanted }) => {
                let names = wanted.iter().map(|key| (&*key.service, &*key.key_id, key.key_version)).collect::<Vec<_>>();
                assert_eq!(names, [("keyring", "main", 1)]);
                None
            }
            other => panic!("{other:?}"),
        }
    };
    let exactly = |policy: &mut Policy, pairs| policy.context = DemandedContext::Exactly(context(pairs));
    assert_eq!(refusal(&|policy| *policy = Policy::default()), Some(Demand::Context));
    assert_eq!(refusal(&|policy| exactly(policy, &[("bucket", "photos")])), Some(Demand::Context));
    let case = [("bucket", "photos"), ("name", "Cat.jpg")];
    assert_eq!(refusal(&|policy| exactly(policy, &case)), Some(Demand::Context));
    let other = ObjectId::from_bytes([7; 32]);
    assert_eq!(refusal(&|policy| policy.object_id = Some(other)), Some(Demand::ObjectId));
    assert_eq!(refusal(&|policy| policy.minimum_generation = 2), Some(Demand::Generation));
    assert_eq!(refusal(&|policy| policy.keys.key_ids = Some(vec!["other".into()])), None);

    let mut opening = open_options(&keyring).with_context(bound);
    let policy = opening.policy_mut();
    policy.object_id = Some(envelope.head().object_id);
    policy.minimum_generation = 1;
    policy.keys.key_ids = Some(vec!["main".into()]);
    let opened = opening.open(envelope.stored()).expect("accepted");
    assert_eq!(opened.head(), envelope.head());
    assert_eq!(
        (
            opened.opened_by().next().expect("a layer").key_id.as_str(),
            opened.opened_by().next().expect("a layer").key_version
        ),
        ("main", 1)
    );
}

#[test]
fn wrong_keys_are_refused_each_for_its_reason() {
    let keyring = keyring();
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), b"text");
    // A key of the same name and version, and not the same.
    let error = open_file(&self::keyring(), &stored).0.expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::OtherKey(_))), "{error}");
    assert_eq!(
        error.to_string(),
        r#"the object was sealed under another key of that name: version 1 of "main" of "keyring""#
    );
    let other = objseal_tests::keyring(&["another"]);
    let error = open_file(&other, &stored).0.expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::NoAcceptedKey { .. })), "{error}");
    assert_eq!(
        error.to_string(),
        r#"no key at hand opens this object; it was sealed under version 1 of "main" of "keyring""#
    );
}

#[test]
fn rotated_keys_open_what_was_sealed_before() {
    let mut keyring = Arc::into_inner(keyring()).expect("nobody else has it");
    let old = seal_file(&keyring, "main", EncryptionContext::new(), b"old");
    assert_eq!(keyring.rotate("main").expect("random bytes"), 2);
    let new = seal_file(&keyring, "main", EncryptionContext::new(), b"new");
    let keyring = Arc::new(keyring);
    for (stored, plain, version) in [(&old, b"old", 1), (&new, b"new", 2)] {
        let (opened, plaintext) = open_file(&keyring, stored);
        assert_eq!(plaintext, plain);
        assert_eq!(opened.expect("authentic").envelope.opened_by().next().expect("a layer").key_version, version);
    }
}

#[test]
fn any_recipient_opens() {
    let (one, two) = (keyring(), objseal_tests::keyring(&["second"]));
    let key = |keyring: &Keyring, name| keyring.latest(name).expect("it is there");
    let (main, second) = (key(&one, "main"), key(&two, "second"));
    let (envelope, _) = SealOptions::new(second).with_key(main.clone()).start().expect("sealed");
    let ids: Vec<_> = envelope.head().wrapped_keys.iter().map(|key| key.key_id.as_str()).collect();
    // Sorted as encoded, so the shorter id goes first.
    assert_eq!(ids, ["main", "second"]);
    for (keyring, id) in [(&one, "main"), (&two, "second")] {
        let opened = open_options(keyring).open(envelope.stored()).expect("authentic");
        assert_eq!(opened.opened_by().next().expect("a layer").key_id, id);
    }
    let none = SealOptions::default().start().expect_err("refused");
    assert!(matches!(none, EnvelopeError::NoKey), "{none}");
    let twice = SealOptions::new(main.clone()).with_key(main).start().expect_err("refused");
    assert!(matches!(twice, EnvelopeError::Format(FormatError::Malformed)), "{twice}");
    let nine = (0..9).fold(SealOptions::default(), |options, _| options.with_key(key(&keyring(), "main")));
    let nine = nine.start().expect_err("refused");
    assert!(matches!(nine, EnvelopeError::Format(FormatError::TooLong)), "{nine}");
}

#[test]
fn contexts_are_bounded_and_exact() {
    let mut pairs = EncryptionContext::new();
    assert_eq!(pairs.insert("", "x"), Err(FormatError::Malformed));
    pairs.insert("a", "1").expect("room");
    assert_eq!(pairs.insert("a", "2"), Err(FormatError::Malformed));
    assert_eq!(pairs.insert("b", &"x".repeat(8192)), Err(FormatError::TooLong));
    for i in 1..64 {
        pairs.insert(&format!("k{i}"), "").expect("room");
    }
    assert_eq!(pairs.insert("k64", ""), Err(FormatError::TooLong));
    let keyring = keyring();
    // It fits a head, and not a slot.
    let long = context(&[("k", &"x".repeat(5000))]);
    let sealing = seal_options(&keyring, &["main"]).with_context(long);
    sealing.start().expect("sealed");
    let mut output = Vec::new();
    let error = file::seal(&sealing, &b""[..], &mut output, &Threads::available()).expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::Format(FormatError::TooLong))), "{error}");
    assert!(output.is_empty());
}

#[test]
fn inspecting_needs_no_key_and_promises_nothing() {
    let keyring = keyring();
    let bound = context(&[("name", "cat.jpg")]);
    let stored = seal_file(&keyring, "main", bound.clone(), &pattern(40_000));
    let facts = file::inspect(&stored[..]).expect("a sealed file");
    let facts = facts.unverified();
    assert_eq!((facts.plaintext_len, facts.slots), (40_000, SlotState::Same));
    assert_eq!(facts.head.context, bound);
    assert!(matches!(file::inspect(&b"something else"[..]), Err(FileError::NotSealed)));
    assert!(matches!(file::inspect(&vec![0; 100_000][..]), Err(FileError::NotSealed)));
}

#[test]
fn a_range_reads_little() {
    /// Counts what is read.
    struct Counted<'b>(&'b [u8], std::cell::Cell<usize>);
    impl ReadAt for Counted<'_> {
        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            self.1.set(self.1.get() + buffer.len());
            self.0.read_exact_at(buffer, offset)
        }
        fn size(&self) -> io::Result<u64> {
            self.0.size()
        }
    }
    let keyring = keyring();
    let plain = pattern(5 << 20);
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), &plain);
    let counted = Counted(&stored, 0.into());
    let file = SealedFile::open(&open_options(&keyring), &counted).expect("authentic");
    assert!(file.body().open_range(3_000_000..3_000_100).expect("authentic") == plain[3_000_000..3_000_100]);
    assert!(counted.1.get() < 8192 + 2 * 16_400 + 200, "{}", counted.1.get());
}

#[test]
fn heads_have_one_encoding() {
    let keyring = keyring();
    let bound = context(&[("a", "1"), ("b", "2")]);
    let (envelope, _) = seal_options(&keyring, &["main"]).with_context(bound).start().expect("sealed");
    let stored = envelope.stored();
    // The MAC sees to the context as well.
    let opening = open_options(&keyring).with_any_context();
    assert_eq!(Head::parse(stored).expect("a head").unverified(), envelope.head());
    // Whatever is inserted, removed or changed in the fields: a head that parses is another head, or it does not parse.
    for at in 0..stored.len() - 32 {
        for change in [1_u8, 0x80, 0xff] {
            let mut changed = stored.to_vec();
            changed[at] ^= change;
            if let Ok(head) = Head::parse(&changed) {
                assert_ne!(head.unverified(), envelope.head(), "byte {at}");
            }
            let error = opening.open(&changed).expect_err("refused");
            let expected = match error {
                EnvelopeError::Authentication | EnvelopeError::Format(_) | EnvelopeError::NoAcceptedKey { .. } => true,
                // The fingerprint is not that of this key and the object's id any more.
                EnvelopeError::OtherKey(_) => (12..44).contains(&at),
                _ => false,
            };
            assert!(expected, "byte {at}: {error}");
        }
        let mut longer = stored.to_vec();
        longer.insert(at, 0);
        opening.open(&longer).expect_err("refused");
        let mut shorter = stored.to_vec();
        shorter.remove(at);
        opening.open(&shorter).expect_err("refused");
    }
}

#[test]
fn what_is_not_known_is_refused_for_what_it_is() {
    let keyring = keyring();
    let (envelope, _) = seal_options(&keyring, &["main"]).start().expect("sealed");
    let stored = envelope.stored();
    let parse = |bytes: &[u8]| Head::parse(bytes).expect_err("refused");
    let with = |at: usize, value: &[u8]| {
        let mut changed = stored.to_vec();
        changed[at..at + value.len()].copy_from_slice(value);
        changed
    };
    assert_eq!(parse(b"gzip"), FormatError::NotSealed);
    assert_eq!(parse(&with(7, &[2])), FormatError::UnknownVersion(2));
    // Offsets by FORMAT.md: 8 bytes, then fields of 4 bytes and their value.
    assert_eq!(parse(&with(8, &[0, 11])), FormatError::UnknownField(11));
    assert_eq!(parse(&with(48, &[0, 2])), FormatError::Unsupported, "suite");
    let entry = &entries(stored)[0];
    for kind in [0, 5, 255] {
        assert_eq!(parse(&with(entry["kind"].start, &[kind])), FormatError::Unsupported, "kind {kind}");
    }
    for service_context in [3, 255] {
        let changed = with(entry["service context"].start, &[service_context]);
        assert_eq!(parse(&changed), FormatError::Unsupported, "service context {service_context}");
    }
    assert_eq!(parse(&stored[..8 + 20]), FormatError::Malformed);
    assert_eq!(parse(&vec![b'o'; 20_000]), FormatError::TooLong);
    // Field 11 is not known yet, and critical; 0x8000 may be passed over, but it was not there when the MAC was made.
    let fields_end = stored.len() - 32;
    let add = |tag: [u8; 2]| [&stored[..fields_end], &tag, &[0, 0], &stored[fields_end..]].concat();
    assert_eq!(parse(&add([0, 11])), FormatError::UnknownField(11));
    assert_eq!(parse(&add([0, 8])), FormatError::Malformed, "attributes are not so short");
    assert_eq!(parse(&add([0, 9])), FormatError::Malformed, "a body and parts");
    assert_eq!(parse(&add([0, 10])), FormatError::Malformed, "a body and a part table");
    assert!(Head::parse(&add([0x80, 0])).is_ok());
    let error = open_options(&keyring).open(&add([0x80, 0])).expect_err("refused");
    assert!(matches!(error, EnvelopeError::Authentication), "{error}");
}
