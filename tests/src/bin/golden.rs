//! Makes `vectors/golden` anew, for a format that has not been released: all files but the keys.
//!
//!     golden FOLDER
//!
//! What is drawn at random follows from the name of what it is for, so the files are the same unless the format, or what is
//! drawn, is another.

use objseal::checksums::{Digester, Wanted, of_parts};
use objseal::cobblestone::{ReadAt, Threads};
use objseal::envelope::{ChecksumAlgorithm, ChecksumType, EncryptionContext, OpenOptions, SealOptions, WrappingKey};
use objseal::file::{self, FileError, WriteAt};
use objseal::limits::MAX_HEAD_LEN;
use objseal::{Key, RandomError, RandomSource};
use objseal_tests::{context, golden};
use sha2::{Digest, Sha512};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, io};

fn main() {
    let args: Vec<_> = env::args().collect();
    let [_, folder] = args.as_slice() else { panic!("usage: golden FOLDER") };
    let keys = Keys::read(Path::new(folder));
    files(&keys);
    rewrapped(&keys);
    wrapping_keys(&keys);
    for &(name, layers, checksum) in &PARTS {
        in_parts(&keys, name, layers, checksum);
    }
}

/// The folder, and the keys in it.
struct Keys {
    folder: PathBuf,
    default: [Arc<WrappingKey>; 2],
    second: Arc<WrappingKey>,
    single: Arc<WrappingKey>,
}

impl Keys {
    fn read(folder: &Path) -> Self {
        let keyring = fs::read_to_string(folder.join("keyring")).expect("a keyring");
        let key = |name: &str, version: u32| {
            let start = format!("key {name} {version} ");
            let digits = keyring.lines().find_map(|line| line.strip_prefix(&start)).expect("a key");
            let secret = Key::try_from(&golden::unhex(digits)[..]).expect("32 bytes");
            Arc::new(WrappingKey::new("keyring", name, version, secret).expect("names"))
        };
        let single = fs::read(folder.join("single-key")).expect("a key");
        Self {
            folder: folder.into(),
            default: [key("default", 1), key("default", 2)],
            second: key("second", 1),
            single: Arc::new(WrappingKey::from_key(Key::try_from(&single[..]).expect("32 bytes"))),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    fn file(&self, name: &str, len: usize, options: &SealOptions) -> Vec<u8> {
        let options = options.clone().with_random(Named::new(name));
        let (mut stored, plain) = (Vec::new(), golden::plaintext(len));
        file::seal(&options, &plain[..], &mut stored, &Threads::available()).expect("sealed");
        self.write(name, &stored);
        stored
    }
}

fn all_digests() -> Wanted {
    ChecksumAlgorithm::ALL.into_iter().fold(Wanted::NONE, |all, one| all | Wanted::of(one))
}

/// These pairs, of which those behind the first `stored` ones are only bound.
fn bound(pairs: &[(&str, &str)], stored: usize) -> EncryptionContext {
    let mut context = context(&pairs[..stored]);
    pairs[stored..].iter().for_each(|(key, value)| context.bind(key, value).expect("a pair"));
    context
}

fn files(keys: &Keys) {
    let [first, latest] = keys.default.each_ref().map(|key| SealOptions::new(key.clone()));
    let layers = latest.clone().with_outer_key(keys.second.clone());
    keys.file("empty.sealed", 0, &first);
    keys.file("short.sealed", 100, &first);
    keys.file("whole-chunk.sealed", 16_384, &first);
    keys.file("chunks.sealed", 40_000, &first);
    let pairs = context(&[("bucket", "photos"), ("empty", ""), ("name", "Köln/Dom.jpg")]);
    keys.file("context.sealed", 100, &first.clone().with_context(pairs));
    let pairs = bound(&[("owner", "ärztin"), ("bucket", "photos"), ("key", "Köln/Dom.jpg")], 1);
    keys.file("bound.sealed", 100, &first.clone().with_context(pairs));
    let private = first.clone().with_field(0xC000, b"private").and_then(|options| options.with_field(0xFFFF, b""));
    keys.file("private.sealed", 100, &private.expect("private fields"));
    keys.file("recipients.sealed", 100, &first.with_key(keys.second.clone()));
    keys.file("rotated.sealed", 100, &latest);
    keys.file("digests.sealed", 100, &latest.with_digests(all_digests()));
    keys.file("layers.sealed", 100, &layers);
    keys.file("layers-chunks.sealed", 40_000, &layers.clone().with_context(context(&[("bucket", "photos")])));
    keys.file("layers-digests.sealed", 16_384, &layers.with_digests(all_digests()));
    keys.file("single-key.sealed", 100, &SealOptions::new(keys.single.clone()));
}

/// A file that takes so many bytes.
struct Disk(RefCell<Vec<u8>>, Cell<usize>);

impl ReadAt for Disk {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.borrow()[..].read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.borrow()[..].size()
    }
}

impl WriteAt for Disk {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (start, len) = (usize::try_from(offset).expect("small"), bytes.len().min(self.1.get()));
        self.0.borrow_mut()[start..start + len].copy_from_slice(&bytes[..len]);
        self.1.set(self.1.get() - len);
        if len == bytes.len() { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn rewrapped(keys: &Keys) {
    let [first, latest] = keys.default.each_ref();
    let before = SealOptions::new(first.clone()).with_context(context(&[("name", "a")]));
    let after = SealOptions::new(latest.clone()).with_context(context(&[("name", "b")]));
    let opening = OpenOptions::new().with_key(first.clone()).with_context(context(&[("name", "a")]));
    for (name, taken) in
        [("rewrapped.sealed", usize::MAX), ("rewrap-interrupted.sealed", 4_096), ("rewrap-torn.sealed", 2_048)]
    {
        let disk = Disk(RefCell::new(keys.file(name, 100, &before)), Cell::new(taken));
        let after = after.clone().with_random(Named::new(&format!("{name}, rewrapped")));
        let done = file::rewrap(&opening, &disk, |_| Ok::<_, FileError>(after));
        assert_eq!(done.is_ok(), taken == usize::MAX, "{name}");
        keys.write(name, &disk.0.into_inner());
    }
}

fn wrapping_keys(keys: &Keys) {
    let context = context(&[("bucket", "photos")]);
    let [object, shared, customer] = golden::wrapping_keys(&keys.folder);
    for (name, options) in [
        ("object", SealOptions::new(object)),
        ("shared", SealOptions::new(shared.clone())),
        ("customer", SealOptions::new(customer.clone())),
        ("layers", SealOptions::new(shared).with_outer_key(customer)),
    ] {
        keys.file(&format!("wrapping-keys/{name}.sealed"), 100, &options.with_context(context.clone()));
    }
}

/// A folder, how many layers, and which digest of each part is in the table.
type InParts = (&'static str, usize, Option<(ChecksumAlgorithm, ChecksumType)>);

const PARTS: [InParts; 6] = [
    ("parts", 1, None),
    ("parts-detached", 1, None),
    ("layers-parts", 2, None),
    ("layers-parts-detached", 2, None),
    ("parts-checksums", 1, Some((ChecksumAlgorithm::Sha256, ChecksumType::Composite))),
    ("layers-parts-checksums-detached", 2, Some((ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject))),
];

fn in_parts(keys: &Keys, name: &str, layers: usize, checksum: Option<(ChecksumAlgorithm, ChecksumType)>) {
    let pairs = [("name", "cat.jpg"), ("bucket", "photos"), ("key", "cats/cat.jpg")];
    let context = if checksum.is_some() { bound(&pairs, 1) } else { context(&pairs[..1]) };
    let mut options = SealOptions::new(keys.default[1].clone()).with_context(context).with_random(Named::new(name));
    if layers == 2 {
        options = options.with_outer_key(keys.second.clone());
    }
    let (upload, parts) = options.start_upload(&keys.second, &golden::upload_place()).expect("started");
    let write = |file: &str, bytes: &[u8]| keys.write(&format!("{name}/{file}"), bytes);
    write("upload", upload.stored());
    let (plain, mut receipts, mut named) = (golden::plaintext(40_000), Vec::new(), Vec::new());
    for (number, range) in [(1, 0..20_000), (2, 20_000..36_384), (10, 36_384..40_000)] {
        let (attempt, body) = parts.part(number).expect("a salt");
        write(&format!("{number}.part"), &body.seal(&plain[range.clone()]).expect("sealed"));
        let mut digester = Digester::new(all_digests());
        digester.update(&plain[range]);
        let (receipt, stored) = upload.receipt(attempt, digester.finish()).expect("a receipt");
        write(&format!("{number}.receipt"), &stored);
        receipts.push(stored);
        named.push((number, receipt.attributes.etag.expect("there is one")));
    }
    let named: Vec<_> = named.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
    let mut selection = upload.select(&named, &receipts).expect("all are there");
    selection.checksum = checksum.map(|(algorithm, _)| algorithm);
    let mut attributes = of_parts(&selection.attributes());
    attributes.checksum_type = checksum.map(|(_, checksum_type)| checksum_type);
    let inline_len = if name.ends_with("detached") { 0 } else { MAX_HEAD_LEN };
    let completed = upload.complete(&selection, &attributes, inline_len).expect("completed");
    write("envelope", &completed.head);
    if let Some(table) = completed.table {
        write("table", &table);
    }
}

/// Bytes that follow from a name: SHA-512 of it and a number, one behind the other.
struct Named(String, AtomicU64);

impl Named {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self(name.into(), AtomicU64::new(0)))
    }
}

impl RandomSource for Named {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for piece in bytes.chunks_mut(64) {
            let number = self.1.fetch_add(1, Ordering::Relaxed);
            piece.copy_from_slice(&Sha512::digest(format!("{}, {number}", self.0))[..piece.len()]);
        }
        Ok(())
    }
}
