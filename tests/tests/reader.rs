//! Sealed files and a second implementation of their format: `vectors/reader`, on PyCA's `cryptography`.

use objseal::cobblestone::Threads;
use objseal::envelope::{EncryptionContext, Opening, Policy};
use objseal::file::{self, SealedFile, SlotState};
use objseal::keyring::{KeyringFile, Passphrase, PassphraseCost};
use objseal_tests::{Python, context, engines, pattern, report, seal_file, vectors};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A line of `vectors/golden/manifest.tsv`.
struct Golden {
    file: String,
    plaintext: Vec<u8>,
    pairs: Vec<String>,
    key: String,
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
            key: key.into(),
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
    let plain = golden_keyring("keyring", folder.path()).read(None).expect("a keyring");
    let passphrase = Passphrase::new("correct horse".into());
    let sealed = golden_keyring("keyring-passphrase", folder.path()).read(Some(&passphrase)).expect("a keyring");
    for golden in Golden::all() {
        let stored = fs::read(vectors("golden").join(&golden.file)).expect("read");
        for keyring in [&plain, &sealed] {
            for engine in engines() {
                let mut policy = Policy::default();
                policy.context = Some(golden.context());
                policy.key_ids = Some(vec![golden.key.clone()]);
                let services = [keyring as _];
                let opening = Opening::new(&services).with_policy(policy).with_engine(engine).expect("available");
                let mut opened = Vec::new();
                let whole = file::open(&opening, &stored[..], &mut opened, &Threads::available());
                let whole = whole.unwrap_or_else(|error| panic!("{}: {error}", golden.file));
                assert!(opened == golden.plaintext, "{}", golden.file);
                assert_eq!(whole.slots, golden.slots, "{}", golden.file);
                assert_eq!(whole.envelope.head().generation, golden.generation, "{}", golden.file);
                let by = whole.envelope.opened_by().next().expect("a layer");
                assert_eq!((&by.key_id, by.key_version), (&golden.key, golden.version), "{}", golden.file);
                assert_eq!(SealedFile::open(&opening, &stored[..]).expect("authentic").opened().slots, golden.slots);
            }
        }
    }
    for engine in engines() {
        report("golden", engine, format!("{} files, two keyrings", Golden::all().len()));
    }
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
        for keyring in ["golden/keyring", "golden/keyring-passphrase"] {
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
    for (len, pairs) in
        [(0, &[][..]), (1, &[("name", "x")]), (16_383, &[]), (16_384, &[]), (1 << 20, &[("a", "1"), ("b", "=")])]
    {
        let stored = seal_file(&keyring, "main", context(pairs), &pattern(len));
        fs::write(&sealed, &stored).expect("written");
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
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
