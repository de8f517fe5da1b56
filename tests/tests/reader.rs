//! Sealed files and a second implementation of their format: `vectors/reader`, on PyCA's `cryptography`.

use objseal::Key;
use objseal::checksums::{self, Digester, Wanted};
use objseal::cobblestone::Threads;
use objseal::envelope::{EncryptionContext, Part, PartStore, PartsReader, WrappingKey};
use objseal::file::{self, SealedFile, SlotState};
use objseal_keys::keyring::{KeyringFile, Passphrase, PassphraseCost};
use objseal_tests::{
    Python, context, engines, open_options, pattern, report, seal_file, seal_in_memory, seal_options, vectors,
};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A line of `vectors/golden/manifest.tsv`.
struct Golden {
    file: String,
    plaintext: Vec<u8>,
    pairs: Vec<String>,
    /// The key that opens each layer, the innermost first.
    keys: Vec<String>,
    /// Of the first of them.
    version: u32,
    generation: u64,
    slots: SlotState,
}

impl Golden {
    fn all() -> Vec<Self> {
        let manifest = fs::read_to_string(vectors("golden/manifest.tsv")).expect("a manifest");
        let files: Vec<_> = manifest.lines().skip(1).map(Self::parse).collect();
        let in_folder = fs::read_dir(vectors("golden")).expect("a folder").filter(|entry| {
            let path = entry.as_ref().expect("an entry").path();
            path.extension().is_some_and(|extension| extension == "sealed")
        });
        assert_eq!(files.len(), in_folder.count(), "every golden file has its line");
        files
    }

    fn parse(line: &str) -> Self {
        let columns: Vec<_> = line.split('\t').collect();
        let [file, len, pairs, key, version, generation, slots] = columns[..] else { panic!("{line}") };
        let len: usize = len.parse().expect("a number");
        Self {
            file: file.into(),
            plaintext: (0..len).map(|i| u8::try_from(i % 251).expect("below 251")).collect(),
            pairs: pairs.split(';').filter(|&pair| pair != "-").map(String::from).collect(),
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
        let pairs: Vec<_> = self.pairs.iter().map(|pair| pair.split_once('=').expect("a pair")).collect();
        context(&pairs)
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

#[test]
fn golden_files_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = Arc::new(golden_keyring("keyring", folder.path()).read(None).expect("a keyring"));
    let passphrase = Passphrase::new("correct horse".into());
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
                assert_eq!(whole.envelope.head().generation, golden.generation, "{}", golden.file);
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

/// The objects in parts among the golden files: 40,000 bytes, and whether they have two layers.
const IN_PARTS: [(&str, usize); 4] =
    [("parts", 1), ("parts-detached", 1), ("layers-parts", 2), ("layers-parts-detached", 2)];

/// The stored bodies of a folder.
struct Folder(PathBuf);

impl PartStore for &Folder {
    type Body = fs::File;

    fn part(&self, part: &Part) -> io::Result<fs::File> {
        fs::File::open(self.0.join(format!("{}.part", part.number)))
    }
}

#[test]
fn golden_objects_in_parts_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let keyring = Arc::new(golden_keyring("keyring", folder.path()).read(None).expect("a keyring"));
    let plaintext: Vec<u8> = (0..40_000).map(|i| u8::try_from(i % 251).expect("below 251")).collect();
    let opening = open_options(&keyring).with_context(context(&[("name", "cat.jpg")]));
    for engine in engines() {
        for (name, layers) in IN_PARTS {
            let folder = Folder(vectors("golden").join(name));
            let read = |file: &str| fs::read(folder.0.join(file)).expect("read");
            let opening = opening.clone().with_engine(engine).expect("available");
            let envelope = opening.open(&read("envelope")).expect("authentic");
            assert_eq!(usize::from(envelope.head().layers()), layers);
            let table = fs::File::open(folder.0.join("table")).ok();
            assert_eq!(table.is_some(), name.ends_with("detached"));
            let reader = PartsReader::new(&envelope, envelope.part_table(table).expect("authentic"), &folder);
            assert!(reader.open_range(0..40_000).expect("authentic") == plaintext, "{name}");
            assert!(reader.open_range(19_999..36_385).expect("authentic") == plaintext[19_999..36_385], "{name}");
            let attributes = envelope.attributes().expect("authentic").expect("in the head");
            assert_eq!(attributes.plaintext_len, 40_000);
            // The upload, while it went on.
            let upload = opening.resume_upload(&read("upload")).expect("authentic");
            assert_eq!(upload.object_id(), envelope.head().object_id);
            for number in [1, 2, 10] {
                let receipt = upload.open_receipt(&read(&format!("{number}.receipt"))).expect("authentic");
                assert_eq!(receipt.number, number);
                assert_eq!(receipt.salts.last().map(|salt| &salt[..]), read(&format!("{number}.part")).get(..24));
            }
        }
        report("golden", engine, format!("{} objects in parts", IN_PARTS.len()));
    }
}

#[test]
fn the_second_reader_opens_objects_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let python = Python::find();
    let out = folder.path().join("out");
    let (golden_keys, pairs) = (vectors("golden/keyring"), ["name=cat.jpg"]);
    let open = |keyring: &Path, stored: &Path, pairs: &[&str]| {
        let args = ["parts", text(keyring), text(stored), text(&out)];
        python.run("vectors/reader/objseal_reader.py", &[&args[..], pairs].concat())
    };
    let (mut golden, mut new, mut refused) = (0, 0, 0);
    for (name, _) in IN_PARTS {
        let stored = vectors("golden").join(name);
        assert_eq!(open(&golden_keys, &stored, &pairs), (Some(0), String::new()), "{name}");
        let plaintext = fs::read(&out).expect("read");
        assert!(
            plaintext.len() == 40_000 && plaintext.iter().enumerate().all(|(i, &byte)| usize::from(byte) == i % 251)
        );
        golden += 1;
    }

    let store = KeyringFile::at(folder.path().join("keyring"));
    let made = store.create(None, |keyring| keyring.create("main").and_then(|()| keyring.create("outer")));
    let keyring = made.expect("made");
    let server_key = keyring.latest("main").expect("it is there");
    for (layers, inline_len) in [(1, 1_400), (1, 0), (2, 1_400), (2, 0)] {
        let sealing = seal_options(&keyring, &["main", "outer"][..layers]);
        let upload = sealing.start_upload(&server_key).expect("started");
        let stored = folder.path().join(format!("{layers}-{inline_len}"));
        fs::create_dir(&stored).expect("made");
        let plaintext = pattern(100_003);
        let (mut receipts, mut etags) = (Vec::new(), Vec::new());
        for (number, piece) in (7..).zip(plaintext.chunks(33_000)) {
            let (attempt, body) = upload.part(number).expect("a salt");
            fs::write(stored.join(format!("{number}.part")), body.seal(piece).expect("sealed")).expect("written");
            let mut digester = Digester::new(Wanted::SHA256 | Wanted::CRC32 | Wanted::SHA1);
            digester.update(piece);
            let (receipt, proof) = upload.receipt(attempt, digester.finish()).expect("a receipt");
            receipts.push(proof);
            etags.push((number, receipt.attributes.etag.expect("there is one")));
        }
        let named: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
        let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
        let selection = upload.select(&named, &receipts).expect("all are there");
        let attributes = checksums::of_parts(&selection.attributes());
        let completed = upload.complete(&selection, &attributes, inline_len).expect("completed");
        fs::write(stored.join("envelope"), completed.envelope.stored()).expect("written");
        if let Some(table) = &completed.table {
            fs::write(stored.join("table"), table).expect("written");
        }
        assert_eq!(open(store.path(), &stored, &[]), (Some(0), String::new()), "{layers} layers");
        assert!(fs::read(&out).expect("read") == plaintext, "{layers} layers");
        new += 1;
        // It reads with the same severity.
        let last = if completed.table.is_some() { ("table", 30, "a message") } else { ("envelope", 300, "") };
        for (file, at, reason) in [("7.part", 0, "another body"), ("8.part", 60, "a message"), last] {
            let right = fs::read(stored.join(file)).expect("read");
            let mut changed = right.clone();
            changed[at] ^= 1;
            fs::write(stored.join(file), changed).expect("written");
            let (status, errors) = open(store.path(), &stored, &[]);
            assert!(status == Some(3) && errors.contains(reason), "{file}: {errors}");
            fs::write(stored.join(file), right).expect("written");
            refused += 1;
        }
    }
    let version = python.run("vectors/reader/objseal_reader.py", &["version"]).1;
    println!(
        "reader: cryptography {version}: objects in parts: {golden} golden ones, {new} new ones, {refused} refused"
    );
}

#[test]
fn the_second_reader_opens_golden_files_and_new_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let python = Python::find();
    let out = folder.path().join("out");
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "correct horse\n").expect("written");
    let open = |keyring: &Path, sealed: &Path, pairs: &[String]| {
        let mut args = vec!["open", text(keyring), text(sealed), text(&out)];
        args.extend(pairs.iter().map(String::as_str));
        python.run_with("vectors/reader/objseal_reader.py", &args, &[("OBJSEAL_PASSPHRASE_FILE", text(&passphrase))])
    };
    let (mut golden_files, mut new_files, mut refused) = (0, 0, 0);
    for golden in Golden::all() {
        let single = golden.keys == [WrappingKey::SINGLE_KEY_ID];
        for keyring in ["golden/keyring", "golden/keyring-passphrase"] {
            let keyring = if single { "golden/single-key" } else { keyring };
            let opened = open(&vectors(keyring), &vectors("golden").join(&golden.file), &golden.pairs);
            assert_eq!(opened, (Some(0), String::new()), "{}", golden.file);
            assert!(fs::read(&out).expect("read") == golden.plaintext, "{}", golden.file);
            golden_files += 1;
        }
    }

    let store = KeyringFile::at(folder.path().join("keyring"));
    let made = store.create(None, |keyring| keyring.create("main").and_then(|()| keyring.rotate("main")).map(drop));
    let keyring = made.expect("made");
    let sealed = folder.path().join("sealed");
    for (len, pairs_given) in
        [(0, &[][..]), (1, &[("name", "x")]), (16_383, &[]), (16_384, &[]), (1 << 20, &[("a", "1"), ("b", "=")])]
    {
        let stored = seal_file(&keyring, "main", context(pairs_given), &pattern(len));
        fs::write(&sealed, &stored).expect("written");
        let pairs: Vec<_> = pairs_given.iter().map(|(key, value)| format!("{key}={value}")).collect();
        for protected in [false, true] {
            let words = Passphrase::new("correct horse".into());
            let protection = protected.then_some((&words, PassphraseCost::DEFAULT));
            let store = KeyringFile::at(folder.path().join(format!("keyring-{len}-{protected}")));
            fs::copy(folder.path().join("keyring"), store.path()).expect("copied");
            store.protect(None, protection).expect("protected");
            assert_eq!(open(store.path(), &sealed, &pairs), (Some(0), String::new()), "{len} bytes");
            assert!(fs::read(&out).expect("read") == pattern(len), "{len} bytes");
            new_files += 1;
        }
        // In two layers.
        let sealing = seal_options(&keyring, &["main", "main"]).with_context(context(pairs_given));
        fs::write(&sealed, seal_in_memory(&sealing, &pattern(len))).expect("written");
        assert_eq!(open(store.path(), &sealed, &pairs), (Some(0), String::new()), "{len} bytes in two layers");
        assert!(fs::read(&out).expect("read") == pattern(len), "{len} bytes in two layers");
        new_files += 1;
        // It reads with the same severity.
        let last = stored.len() - 1;
        for (at, reason) in
            [(8192, "another body"), (8192 + 30, "a message"), (last - 30, "a message"), (last - 3, "length of")]
        {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            fs::write(&sealed, changed).expect("written");
            let (status, errors) = open(store.path(), &sealed, &pairs);
            assert!(status == Some(3) && errors.contains(reason), "byte {at}: {errors}");
            refused += 1;
        }
        fs::write(&sealed, &stored).expect("written");
        let (status, errors) = open(store.path(), &sealed, &["name=y".into()]);
        assert!(status == Some(3) && errors.contains("another context"), "{errors}");
        refused += 1;
    }
    let version = python.run("vectors/reader/objseal_reader.py", &["version"]).1;
    println!(
        "reader: cryptography {version}: {golden_files} openings of golden files, {new_files} of new ones, {refused} refused"
    );
}

#[test]
fn the_test_values_of_the_format_are_true() {
    let (keyring, sealed) = (vectors("golden/keyring"), vectors("golden/short.sealed"));
    let (status, values) =
        Python::find().run("vectors/reader/objseal_reader.py", &["values", text(&keyring), text(&sealed)]);
    assert_eq!(status, Some(0), "{values}");
    let format: String = include_str!("../../core/src/doc/FORMAT.md").split_whitespace().collect();
    for line in values.lines() {
        let (name, value) = line.split_once(" = ").expect("a value");
        assert!(format.contains(value), "{name} is another one in FORMAT.md");
    }
    assert_eq!(values.lines().count(), 7);
}
