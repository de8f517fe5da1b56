//! Sealed files and a second implementation of their format: `vectors/reader`, on PyCA's `cryptography`.

use objseal::Key;
use objseal::checksums::{self, Digester, Wanted};
use objseal::cobblestone::Threads;
use objseal::envelope::{
    ChecksumAlgorithm, ChecksumType, Content, EncryptionContext, EnvelopeError, Head, KeyKind, OpenOptions, Part,
    PartStore, PartsReader, SealOptions, ServiceContext, WrappingKey,
};
use objseal::file::{self, FileError, SealedFile, SlotState};
use objseal::limits::INLINE_ENVELOPE_LEN;
use objseal_keys::keyring::{Keyring, KeyringFile, Passphrase, PassphraseCost};
use objseal_tests::format::{self, Object, data_key, entries, state_entry};
use objseal_tests::{
    Python, context, engines, golden, open_options, pattern, report, seal_file, seal_in_memory, seal_options, vectors,
};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The lines of a table among the golden files, without its first one, column by column.
fn table<const COLUMNS: usize>(name: &str) -> Vec<[String; COLUMNS]> {
    let text = fs::read_to_string(vectors("golden").join(name)).expect("a table");
    let columns = |line: &str| line.split('\t').map(String::from).collect::<Vec<_>>().try_into().expect("columns");
    text.lines().skip(1).map(columns).collect()
}

/// A column that is a list, `-` if there is none.
fn list(column: &str) -> Vec<String> {
    column.split(';').filter(|&item| item != "-").map(String::from).collect()
}

/// A context that is written `KEY=VALUE`, of which the pairs with these keys are only bound.
fn context_of(pairs: &[String], bound: &[String]) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    for pair in pairs {
        let (key, value) = pair.split_once('=').expect("a pair");
        let only_bound = bound.iter().any(|bound| bound == key);
        let added = if only_bound { context.bind(key, value) } else { context.insert(key, value) };
        added.expect("a pair");
    }
    context
}

/// A line of `vectors/golden/manifest.tsv`, and that of `heads.tsv`.
struct Golden {
    file: String,
    plaintext: Vec<u8>,
    pairs: Vec<String>,
    /// The keys of pairs that are bound and not stored.
    bound: Vec<String>,
    private: Vec<(u16, Vec<u8>)>,
    /// The key that opens each layer, the innermost first.
    keys: Vec<String>,
    /// Of the first of them.
    version: u32,
    generation: u64,
    slots: SlotState,
}

impl Golden {
    fn all() -> Vec<Self> {
        let heads = table::<3>("heads.tsv");
        let heads: BTreeMap<_, _> = heads.iter().map(|[file, bound, private]| (&**file, (bound, private))).collect();
        let files: Vec<_> = table("manifest.tsv").iter().map(|line| Self::of(line, &heads)).collect();
        let in_folder = fs::read_dir(vectors("golden")).expect("a folder").filter(|entry| {
            let path = entry.as_ref().expect("an entry").path();
            path.extension().is_some_and(|extension| extension == "sealed")
        });
        assert_eq!(files.len(), in_folder.count(), "every golden file has its line");
        files
    }

    fn of(line: &[String; 7], heads: &BTreeMap<&str, (&String, &String)>) -> Self {
        let [file, len, pairs, key, version, generation, slots] = line;
        let (bound, private) = heads.get(&**file).map_or(("-", "-"), |(bound, private)| (bound, private));
        let field = |field: &String| {
            let (tag, value) = field.split_once('=').expect("a field");
            (u16::from_str_radix(tag, 16).expect("a tag"), golden::unhex(value))
        };
        Self {
            file: file.clone(),
            plaintext: golden::plaintext(len.parse().expect("a number")),
            pairs: list(pairs),
            bound: list(bound),
            private: list(private).iter().map(field).collect(),
            keys: key.split('+').map(String::from).collect(),
            version: version.parse().expect("a number"),
            generation: generation.parse().expect("a number"),
            slots: match slots.split_once(' ') {
                None => SlotState::Same,
                Some(("older", slot)) => SlotState::Older { slot: slot.parse().expect("a slot") },
                Some((_, slot)) => SlotState::Damaged { slot: slot.parse().expect("a slot") },
            },
        }
    }

    fn context(&self) -> EncryptionContext {
        context_of(&self.pairs, &self.bound)
    }
}

/// A line of `vectors/golden/parts.tsv`.
struct InParts {
    folder: Folder,
    name: String,
    layers: u8,
    detached: bool,
    pairs: Vec<String>,
    bound: Vec<String>,
    checksum: Option<ChecksumAlgorithm>,
    checksum_type: Option<ChecksumType>,
}

impl InParts {
    fn all() -> Vec<Self> {
        table("parts.tsv").into_iter().map(Self::of).collect()
    }

    fn of([name, layers, table, pairs, bound, checksum, checksum_type]: [String; 7]) -> Self {
        Self {
            folder: Folder(vectors("golden").join(&name)),
            name,
            layers: layers.parse().expect("a number"),
            detached: table == "detached",
            pairs: list(&pairs),
            bound: list(&bound),
            checksum: ChecksumAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == checksum),
            checksum_type: match &*checksum_type {
                "composite" => Some(ChecksumType::Composite),
                "full object" => Some(ChecksumType::FullObject),
                _ => None,
            },
        }
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.folder.0.join(file)).expect("read")
    }

    fn context(&self) -> EncryptionContext {
        context_of(&self.pairs, &self.bound)
    }
}

/// The parts of the golden objects in parts.
const PARTS: [(u32, std::ops::Range<usize>); 3] = [(1, 0..20_000), (2, 20_000..36_384), (10, 36_384..40_000)];

/// The stored bodies of a folder.
struct Folder(PathBuf);

impl PartStore for &Folder {
    type Body = fs::File;

    fn part(&self, part: &Part) -> io::Result<fs::File> {
        fs::File::open(self.0.join(format!("{}.part", part.number)))
    }
}

/// A keyring of the golden files; git does not keep its permissions.
fn golden_keyring(name: &str, folder: &Path) -> KeyringFile {
    let path = folder.join(name);
    fs::copy(vectors("golden").join(name), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    KeyringFile::at(path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("plain")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn golden_files_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = Arc::new(golden_keyring("keyring", folder.path()).read(None).expect("a keyring"));
    let passphrase = Passphrase::new("correct horse".into()).expect("words");
    let sealed = golden_keyring("keyring-passphrase", folder.path()).read(Some(&passphrase));
    let sealed = Arc::new(sealed.expect("a keyring"));
    let bytes = fs::read(vectors("golden/single-key")).expect("read");
    let single = Arc::new(WrappingKey::from_key(Key::try_from(&bytes[..]).expect("a key")));
    for golden in Golden::all() {
        let stored = fs::read(vectors("golden").join(&golden.file)).expect("read");
        for keyring in [&plain, &sealed] {
            for engine in engines() {
                let opening = open_options(keyring).with_key(single.clone()).with_context(golden.context());
                let mut opening = opening.with_engine(engine).expect("available");
                let policy = opening.policy_mut();
                for (accepted, key) in policy.layer_keys.iter_mut().zip(&golden.keys) {
                    accepted.key_ids = Some(vec![key.clone()]);
                }
                policy.minimum_layers = u8::try_from(golden.keys.len()).expect("1 or 2");
                let mut opened = Vec::new();
                let whole = file::open(&opening, &stored[..], &mut opened, &Threads::available());
                let whole = whole.unwrap_or_else(|error| panic!("{}: {error}", golden.file));
                assert!(opened == golden.plaintext, "{}", golden.file);
                assert_eq!(whole.slots, golden.slots, "{}", golden.file);
                let head = whole.envelope.head();
                assert_eq!(head.generation, golden.generation, "{}", golden.file);
                assert_eq!((&head.bound_keys, &head.context), (&golden.bound, &golden.context()), "{}", golden.file);
                for (tag, value) in &golden.private {
                    assert_eq!(head.field(*tag), Some(&value[..]), "{}", golden.file);
                }
                let digests = &whole.attributes.digests;
                let wanted = if golden.file.contains("digests") { ChecksumAlgorithm::ALL.len() } else { 0 };
                assert_eq!(digests.iter().count(), wanted, "{}", golden.file);
                assert_eq!(*digests, digests_of(digests.iter().map(|(algorithm, _)| algorithm), &opened));
                let by: Vec<_> = whole.envelope.opened_by().collect();
                assert_eq!(
                    by.iter().map(|key| &key.key_id).collect::<Vec<_>>(),
                    golden.keys.iter().collect::<Vec<_>>()
                );
                assert_eq!(by[0].key_version, golden.version, "{}", golden.file);
                assert_eq!(SealedFile::open(&opening, &stored[..]).expect("authentic").info().slots, golden.slots);
            }
        }
    }
    for engine in engines() {
        report("golden", engine, format!("{} files, two keyrings", Golden::all().len()));
    }
}

fn digests_of(algorithms: impl Iterator<Item = ChecksumAlgorithm>, plaintext: &[u8]) -> objseal::envelope::Digests {
    let mut digester = Digester::new(algorithms.fold(Wanted::NONE, |all, one| all | Wanted::of(one)));
    digester.update(plaintext);
    digester.finish().digests
}

/// The files of `vectors/golden/wrapping-keys`, and which of its keys opens each layer.
const WRAPPED: [(&str, &[usize]); 4] = [("object", &[0]), ("shared", &[1]), ("customer", &[2]), ("layers", &[1, 2])];

#[test]
fn golden_files_under_wrapping_keys_open() {
    let keys: [_; 3] = golden::wrapping_keys(&vectors("golden"));
    assert_eq!(keys.each_ref().map(|key| key.kind()), [KeyKind::Object, KeyKind::Shared, KeyKind::Customer]);
    for (name, layers) in WRAPPED {
        let stored = fs::read(vectors("golden/wrapping-keys").join(format!("{name}.sealed"))).expect("read");
        let opening = OpenOptions::new().with_context(context(&[("bucket", "photos")]));
        for engine in engines() {
            let opening = opening.clone().with_engine(engine).expect("available");
            let opening = keys.iter().fold(opening, |opening, key| opening.with_key(key.clone()));
            let file = SealedFile::open(&opening, &stored[..]).expect("authentic");
            assert_eq!(file.body().open_range(0..100).expect("authentic"), golden::plaintext(100), "{name}");
            let by: Vec<_> = file.info().envelope.opened_by().collect();
            assert_eq!(by.len(), layers.len());
            for (entry, &key) in by.iter().zip(layers) {
                let key = &keys[key];
                assert_eq!((&*entry.service, &*entry.key_id), (key.service(), key.key_id()));
                assert_eq!((entry.key_version, entry.kind), (key.key_version(), key.kind()));
                assert_eq!(entry.blob, key.blob());
            }
        }
        // By no other key.
        for missing in *layers.first_chunk::<1>().expect("a layer") {
            let others = keys.iter().enumerate().filter(|&(index, _)| index != missing);
            let opening = others.fold(opening.clone(), |opening, (_, key)| opening.with_key(key.clone()));
            let error = SealedFile::open(&opening, &stored[..]).map(drop).expect_err("another key");
            assert!(matches!(error, FileError::Envelope(EnvelopeError::NoAcceptedKey { .. })), "{error}");
        }
    }
    for engine in engines() {
        report("golden", engine, format!("{} files under wrapping keys", WRAPPED.len()));
    }
}

#[test]
fn golden_objects_in_parts_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring = Arc::new(golden_keyring("keyring", folder.path()).read(None).expect("a keyring"));
    let plaintext = golden::plaintext(40_000);
    for engine in engines() {
        for golden in InParts::all() {
            let (folder, name) = (&golden.folder, &golden.name);
            let opening = open_options(&keyring).with_context(golden.context());
            let opening = opening.with_engine(engine).expect("available");
            let envelope = opening.open(&golden.read("envelope")).expect("authentic");
            assert_eq!(envelope.head().layers(), golden.layers);
            let Content::Parts { table: facts, sealed } = &envelope.head().content else { panic!("{name}") };
            assert_eq!((facts.checksum, sealed.is_none()), (golden.checksum, golden.detached));
            let table = fs::File::open(folder.0.join("table")).ok();
            assert_eq!(table.is_some(), golden.detached);
            let reader = PartsReader::new(&envelope, envelope.part_table(table).expect("authentic"), folder);
            assert!(reader.open_range(0..40_000).expect("authentic") == plaintext, "{name}");
            assert!(reader.open_range(19_999..36_385).expect("authentic") == plaintext[19_999..36_385], "{name}");
            let parts = reader.table().parts(0, 10).expect("authentic");
            for (part, (number, range)) in parts.iter().zip(PARTS) {
                assert_eq!((part.number, part.plaintext.end), (number, range.end as u64));
                let digests = digests_of(golden.checksum.into_iter(), &plaintext[range]);
                let expected = golden.checksum.and_then(|algorithm| digests.get(algorithm)).unwrap_or_default();
                assert_eq!(part.checksum, expected, "{name}");
            }
            let attributes = envelope.attributes().expect("authentic").expect("in the head");
            assert_eq!((attributes.plaintext_len, attributes.checksum_type), (40_000, golden.checksum_type));
            // The upload, while it went on.
            let server = open_options(&keyring).with_engine(engine).expect("available");
            let upload = server.resume_upload(&golden.read("upload"), &golden::upload_place()).expect("authentic");
            assert_eq!(upload.object_id(), envelope.head().object_id);
            upload.unlock(&opening).expect("the keys of the object");
            for (number, range) in PARTS {
                let receipt = upload.open_receipt(&golden.read(&format!("{number}.receipt"))).expect("authentic");
                assert_eq!(receipt.number, number);
                assert_eq!(
                    receipt.salts.last().map(|salt| &salt[..]),
                    golden.read(&format!("{number}.part")).get(..24)
                );
                assert_eq!(receipt.attributes.plaintext_len, range.len() as u64);
                let digests = digests_of(ChecksumAlgorithm::ALL.into_iter(), &plaintext[range]);
                assert_eq!(receipt.attributes.digests, digests);
            }
        }
        report("golden", engine, format!("{} objects in parts", InParts::all().len()));
    }
}

/// The second reader, and where it writes.
struct Reader {
    python: Python,
    folder: tempfile::TempDir,
}

impl Reader {
    const SCRIPT: &str = "vectors/reader/objseal_reader.py";

    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("passphrase"), "correct horse\n").expect("written");
        Self { python: Python::find(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let passphrase = self.path("passphrase");
        self.python.run_with(Self::SCRIPT, args, &[("OBJSEAL_PASSPHRASE_FILE", text(&passphrase))])
    }

    /// That it opens a file, or a folder of parts, to this plaintext, and has no word to say.
    fn opens(&self, what: &str, keys: &Path, sealed: &Path, pairs: &[String], plaintext: &[u8]) {
        let out = self.path("out");
        let mut args = vec![what, text(keys), text(sealed), text(&out)];
        args.extend(pairs.iter().map(String::as_str));
        assert_eq!(self.run(&args), (Some(0), String::new()), "{}", sealed.display());
        assert!(fs::read(&out).expect("read") == plaintext, "{}", sealed.display());
        fs::remove_file(&out).expect("removed");
    }

    /// That it refuses, for this reason.
    fn refuses(&self, args: &[&str], reason: &str) {
        let (status, errors) = self.run(args);
        assert!(status == Some(3) && errors.contains(reason), "{args:?}: {errors}");
    }

    /// The same of a file or a folder of parts.
    fn refuses_to_open(&self, what: &str, keys: &Path, sealed: &Path, pairs: &[String], reason: &str) {
        let mut args = vec![what, text(keys), text(sealed), "/dev/null"];
        args.extend(pairs.iter().map(String::as_str));
        self.refuses(&args, reason);
    }

    fn report(&self, what: &str) {
        println!("reader: cryptography {}: {what}", self.run(&["version"]).1);
    }
}

/// `bound`, and the pairs with these keys.
fn only_bound(pairs: &[String], bound: &[String]) -> Vec<String> {
    let is_bound = |pair: &&String| pair.split_once('=').is_some_and(|(key, _)| bound.iter().any(|bound| bound == key));
    ["bound".into()].into_iter().chain(pairs.iter().filter(is_bound).cloned()).collect()
}

#[test]
fn the_second_reader_opens_objects_in_parts() {
    let reader = Reader::new();
    let golden_keys = vectors("golden/keyring");
    let (mut golden_ones, mut new, mut refused) = (0, 0, 0);
    for golden in InParts::all() {
        let stored = &golden.folder.0;
        reader.opens("parts", &golden_keys, stored, &golden.pairs, &golden::plaintext(40_000));
        golden_ones += 1;
        if !golden.bound.is_empty() {
            let bound = only_bound(&golden.pairs, &golden.bound);
            reader.opens("parts", &golden_keys, stored, &bound, &golden::plaintext(40_000));
            for pairs in [&[][..], &bound[..2], &golden.pairs[1..]] {
                reader.refuses_to_open("parts", &golden_keys, stored, pairs, "another context");
                refused += 1;
            }
        }
    }

    let store = KeyringFile::at(reader.path("keyring"));
    let made = store.create(None, |keyring| keyring.create("main").and_then(|()| keyring.create("outer")));
    let keyring = made.expect("made");
    for (layers, inline_len, checksum) in [
        (1, INLINE_ENVELOPE_LEN, None),
        (1, 0, Some(ChecksumAlgorithm::Sha512)),
        (2, INLINE_ENVELOPE_LEN, Some(ChecksumAlgorithm::Crc32)),
        (2, 0, None),
    ] {
        let stored = reader.path(&format!("{layers}-{inline_len}"));
        let plaintext = pattern(100_003);
        let has_table =
            seal_in_parts(&seal_options(&keyring, &["main", "outer"][..layers]), &keyring, &stored, |selection| {
                selection.checksum = checksum;
                inline_len
            });
        reader.opens("parts", store.path(), &stored, &[], &plaintext);
        new += 1;
        // It reads with the same severity.
        let last = if has_table { ("table", 30, "a message") } else { ("envelope", 300, "") };
        for (file, at, reason) in [("7.part", 0, "another body"), ("8.part", 60, "a message"), last] {
            let right = fs::read(stored.join(file)).expect("read");
            let mut changed = right.clone();
            changed[at] ^= 1;
            fs::write(stored.join(file), changed).expect("written");
            reader.refuses_to_open("parts", store.path(), &stored, &[], reason);
            fs::write(stored.join(file), right).expect("written");
            refused += 1;
        }
    }
    reader.report(&format!("objects in parts: {golden_ones} golden ones, {new} new ones, {refused} refused"));
}

/// Seals 100,003 bytes in parts of 33,000 into a folder; says whether there is a table in it.
fn seal_in_parts(
    sealing: &SealOptions,
    server: &Keyring,
    stored: &Path,
    choose: impl FnOnce(&mut objseal::envelope::Selection) -> usize,
) -> bool {
    let server_key = server.latest("main").expect("it is there");
    let (upload, parts) = sealing.start_upload(&server_key, &golden::upload_place()).expect("started");
    fs::create_dir(stored).expect("made");
    let plaintext = pattern(100_003);
    let (mut receipts, mut etags) = (Vec::new(), Vec::new());
    for (number, piece) in (7..).zip(plaintext.chunks(33_000)) {
        let (attempt, body) = parts.part(number).expect("a salt");
        fs::write(stored.join(format!("{number}.part")), body.seal(piece).expect("sealed")).expect("written");
        let mut digester = Digester::new(Wanted::SHA256 | Wanted::CRC32 | Wanted::SHA1 | Wanted::SHA512);
        digester.update(piece);
        let (receipt, proof) = upload.receipt(attempt, digester.finish()).expect("a receipt");
        receipts.push(proof);
        etags.push((number, receipt.attributes.etag.expect("there is one")));
    }
    let named: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
    let mut selection = upload.select(&named, &receipts).expect("all are there");
    let inline_len = choose(&mut selection);
    let attributes = checksums::of_parts(&selection.attributes());
    let completed = upload.complete(&selection, &attributes, inline_len).expect("completed");
    fs::write(stored.join("envelope"), &completed.head).expect("written");
    if let Some(table) = &completed.table {
        fs::write(stored.join("table"), table).expect("written");
    }
    completed.table.is_some()
}

#[test]
fn the_second_reader_opens_upload_states_and_receipts() {
    let reader = Reader::new();
    let keys = vectors("golden/keyring");
    let keyring = Arc::new(golden_keyring("keyring", reader.folder.path()).read(None).expect("a keyring"));
    let place: Vec<_> = golden::upload_place().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let with = |args: &[&str], place: &[String]| -> Vec<String> {
        args.iter().copied().map(String::from).chain(place.iter().cloned()).collect()
    };
    let run = |args: &[String]| reader.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let refuses = |args: &[String], reason| {
        reader.refuses(&args.iter().map(String::as_str).collect::<Vec<_>>(), reason);
    };
    for golden in InParts::all() {
        let state = golden.folder.0.join("upload");
        let upload = open_options(&keyring).resume_upload(&golden.read("upload"), &golden::upload_place());
        let upload = upload.expect("authentic");
        let head = Head::parse(&golden.read("envelope")).expect("a head").unverified().clone();
        let subkeys = subkeys(&keyring, &golden.read("envelope"), &golden.context());
        let mut expected = vec![
            format!("object id = {}", upload.object_id()),
            format!("layers = {}", golden.layers),
            "key of layer 1 = keyring default 2".into(),
        ];
        expected.extend((golden.layers == 2).then(|| "key of layer 2 = keyring second 1".into()));
        expected.extend(head.context.iter().map(|(key, value)| format!("stored pair = {key}={value}")));
        expected.extend(golden.bound.iter().map(|key| format!("bound key = {key}")));
        expected.push(format!("subkeys = {}", hex(&subkeys)));
        let digest = Sha512::digest(format::pairs(&golden.context()));
        expected.push(format!("context digest = {}", hex(&digest)));
        assert_eq!(run(&with(&["upload", text(&keys), text(&state)], &place)), (Some(0), expected.join("\n")));

        for (number, _) in PARTS {
            let name = format!("{number}.receipt");
            let receipt = upload.open_receipt(&golden.read(&name)).expect("authentic");
            let mut expected = vec![
                format!("number = {number}"),
                format!("salts = {}", hex(receipt.salts.as_flattened())),
                format!("length = {}", receipt.attributes.plaintext_len),
                format!("etag = {}", receipt.attributes.etag.expect("there is one")),
            ];
            let digests = receipt.attributes.digests.iter();
            expected.extend(digests.map(|(algorithm, digest)| format!("{} = {}", algorithm.name(), hex(digest))));
            let path = golden.folder.0.join(&name);
            let args = with(&["receipt", text(&keys), text(&state), text(&path)], &place);
            assert_eq!(run(&args), (Some(0), expected.join("\n")), "{}", golden.name);
        }
        // The receipt of another upload; another place; another key.
        let another = if golden.name == "parts" { "parts-detached" } else { "parts" };
        let foreign = vectors("golden").join(another).join("1.receipt");
        refuses(&with(&["receipt", text(&keys), text(&state), text(&foreign)], &place), "a message");
        let state = text(&state);
        refuses(&with(&["upload", text(&keys), state], &place[..2]), "a message does not open");
        refuses(&with(&["upload", text(&vectors("golden/single-key")), state], &place), "no key at hand");
        let other_keys = reader.path("other-keys");
        let names = fs::read_to_string(&keys).expect("read");
        fs::write(&other_keys, names.replace("second 1 b06e", "second 1 b06f")).expect("written");
        refuses(&with(&["upload", text(&other_keys), state], &place), "another key of that name");
        // A fingerprint that was changed is worth a word, and no more.
        let mut changed = golden.read("upload");
        let at = state_entry(&changed)["fingerprint"].start;
        changed[at] ^= 1;
        let path = reader.path("changed");
        fs::write(&path, changed).expect("written");
        let (status, output) = run(&with(&["upload", text(&keys), text(&path)], &place));
        assert!(status == Some(0) && output.ends_with("the fingerprint is not that of the key\n"), "{output}");
    }
    reader.report(&format!("{} upload states, {} receipts", InParts::all().len(), 3 * InParts::all().len()));
}

/// The subkeys of an object under keys of the golden keyring, as an upload state has them: FORMAT.md, sections 3, 6 and 9.
fn subkeys(keyring: &Keyring, head: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let (object, mut data_keys) = (Object::of(head), Vec::new());
    for (entry, ranges) in Head::parse(head).expect("a head").unverified().wrapped_keys.iter().zip(entries(head)) {
        let key = keyring.latest(&entry.key_id).expect("it is there");
        assert_eq!(object.fingerprint(key.secret()), head[ranges["fingerprint"].clone()]);
        data_keys.extend(data_key(head, usize::from(entry.layer) - 1, key.secret(), context).expose_secret());
    }
    let subkeys = ["mac", "attributes", "receipt", "table"].map(|name| object.subkey(&data_keys, name));
    subkeys.iter().flat_map(|key| *key.expose_secret()).collect()
}

#[test]
fn the_second_reader_opens_golden_files_and_new_ones() {
    let reader = Reader::new();
    let (mut golden_files, mut new_files, mut refused) = (0, 0, 0);
    for golden in Golden::all() {
        let single = golden.keys == [WrappingKey::SINGLE_KEY_ID];
        let sealed = vectors("golden").join(&golden.file);
        for keyring in ["golden/keyring", "golden/keyring-passphrase"] {
            let keyring = vectors(if single { "golden/single-key" } else { keyring });
            reader.opens("open", &keyring, &sealed, &golden.pairs, &golden.plaintext);
            golden_files += 1;
            if !golden.bound.is_empty() {
                let bound = only_bound(&golden.pairs, &golden.bound);
                reader.opens("open", &keyring, &sealed, &bound, &golden.plaintext);
                for pairs in [&[][..], &bound[..2], &golden.pairs[1..]] {
                    reader.refuses_to_open("open", &keyring, &sealed, pairs, "another context");
                    refused += 1;
                }
                // Another value of a pair that is bound: the wrap does not open.
                let mut moved = bound.clone();
                *moved.last_mut().expect("a pair") = "key=elsewhere".into();
                reader.refuses_to_open("open", &keyring, &sealed, &moved, "a message does not open");
                refused += 1;
            }
        }
    }
    let keys = vectors("golden/wrapping-keys/keys.tsv");
    for (name, _) in WRAPPED {
        let sealed = vectors("golden/wrapping-keys").join(format!("{name}.sealed"));
        reader.opens("open", &keys, &sealed, &["bucket=photos".into()], &golden::plaintext(100));
        golden_files += 1;
    }

    let store = KeyringFile::at(reader.path("keyring"));
    let made = store.create(None, |keyring| keyring.create("main").and_then(|()| keyring.rotate("main")).map(drop));
    let keyring = made.expect("made");
    let sealed = reader.path("sealed");
    for (len, pairs_given) in
        [(0, &[][..]), (1, &[("name", "x")]), (16_383, &[]), (16_384, &[]), (1 << 20, &[("a", "1"), ("b", "=")])]
    {
        let stored = seal_file(&keyring, "main", context(pairs_given), &pattern(len));
        fs::write(&sealed, &stored).expect("written");
        let pairs: Vec<_> = pairs_given.iter().map(|(key, value)| format!("{key}={value}")).collect();
        for protected in [false, true] {
            let words = Passphrase::new("correct horse".into()).expect("words");
            let protection = protected.then_some((&words, PassphraseCost::DEFAULT));
            let store = KeyringFile::at(reader.path(&format!("keyring-{len}-{protected}")));
            fs::copy(reader.path("keyring"), store.path()).expect("copied");
            store.protect(None, protection).expect("protected");
            reader.opens("open", store.path(), &sealed, &pairs, &pattern(len));
            new_files += 1;
        }
        // In two layers, bound to more than is stored, with private fields and all digests.
        let mut bound = context(pairs_given);
        bound.bind("place", "ort/\u{e4}").expect("a pair");
        let sealing = seal_options(&keyring, &["main", "main"]).with_context(bound);
        let sealing = sealing.with_field(0xC123, b"private").expect("a private field");
        let all = ChecksumAlgorithm::ALL.into_iter().fold(Wanted::NONE, |all, one| all | Wanted::of(one));
        let digests = if len < 1 << 20 { all } else { Wanted::SHA512 };
        fs::write(&sealed, seal_in_memory(&sealing.with_digests(digests), &pattern(len))).expect("written");
        reader.opens("open", store.path(), &sealed, &["bound".into(), "place=ort/\u{e4}".into()], &pattern(len));
        let both = [&pairs[..], &["place=ort/\u{e4}".into()]].concat();
        reader.opens("open", store.path(), &sealed, &both, &pattern(len));
        new_files += 2;
        // It reads with the same severity.
        let last = stored.len() - 1;
        for (at, reason) in
            [(8192, "another body"), (8192 + 30, "a message"), (last - 30, "a message"), (last - 3, "length of")]
        {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            fs::write(&sealed, changed).expect("written");
            reader.refuses_to_open("open", store.path(), &sealed, &pairs, reason);
            refused += 1;
        }
        fs::write(&sealed, &stored).expect("written");
        reader.refuses_to_open("open", store.path(), &sealed, &["name=y".into()], "another context");
        refused += 1;
    }
    reader.report(&format!("{golden_files} openings of golden files, {new_files} of new ones, {refused} refused"));
}

#[test]
fn the_second_reader_opens_what_is_under_wrapping_keys() {
    let reader = Reader::new();
    let (keys, sealed) = (reader.path("keys.tsv"), reader.path("sealed"));
    let (kinds, contexts) = (
        [KeyKind::Object, KeyKind::Shared, KeyKind::Customer],
        [ServiceContext::None, ServiceContext::Object, ServiceContext::Bucket],
    );
    let mut table = "name\tservice\tkey id\tversion\tkind\tservice context\tblob\tsecret\n".to_owned();
    let mut wrapping_keys = Vec::new();
    for (number, (kind, service_context)) in
        (1_u8..).zip(kinds.into_iter().flat_map(|kind| contexts.map(|service_context| (kind, service_context))))
    {
        let (secret, blob) = ([number; Key::LEN], pattern(usize::from(number) * 300));
        let key = WrappingKey::new("kms", &format!("key {number}"), u32::from(number) - 1, Key::from_bytes(&secret));
        let key = key.expect("names").with_blob(kind, service_context, &blob).expect("it fits");
        let columns = [number - 1, kind as u8, service_context as u8].map(|column| column.to_string()).join("\t");
        table.push_str(&format!("{number}\tkms\tkey {number}\t{columns}\t{}\t{}\n", hex(&blob), hex(&secret)));
        wrapping_keys.push(Arc::new(key));
    }
    fs::write(&keys, table).expect("written");
    for key in &wrapping_keys {
        fs::write(&sealed, seal_in_memory(&SealOptions::new(key.clone()), b"plain")).expect("written");
        reader.opens("open", &keys, &sealed, &[], b"plain");
    }
    reader.report(&format!("{} kinds and service contexts", wrapping_keys.len()));
}

#[test]
fn the_test_values_of_the_format_are_true() {
    let (keyring, sealed) = (vectors("golden/keyring"), vectors("golden/short.sealed"));
    let (status, values) =
        Python::find().run("vectors/reader/objseal_reader.py", &["values", text(&keyring), text(&sealed)]);
    assert_eq!(status, Some(0), "{values}");
    let format = include_str!("../../core/src/doc/FORMAT.md");
    let format: String = format[format.find("## 14. Test values").expect("a section")..].split_whitespace().collect();
    for line in values.lines() {
        let (name, value) = line.split_once(" = ").expect("a value");
        assert!(value.len() >= 16 && format.contains(value), "{name} is another one in FORMAT.md");
    }
    assert_eq!(values.lines().count(), 10);
}
