//! Nothing that is stored, and nothing that is printed for people who look for a fault, has a digest or an ETag of the
//! plaintext: of a short one they tell what it was.
//!
//! Keys and random bytes are always the same here, so that four bytes of a CRC are not found by chance now and then.

use objseal::checksums::{self, Digester, Wanted};
use objseal::cobblestone::Threads;
use objseal::envelope::{
    Attributes, ChecksumAlgorithm, EncryptionContext, Head, OpenOptions, SealOptions, WrappingKey, locate,
};
use objseal::file::{self, FileError, SealedFile};
use objseal::limits::INLINE_ENVELOPE_LEN;
use objseal::{Key, RandomError, RandomSource};
use objseal_tests::{Disk, context};
use sha2::{Digest, Sha512};
use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// "Random" bytes, other ones every time, and the same for every run of a test.
struct Same(AtomicU64);

impl RandomSource for Same {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for bytes in bytes.chunks_mut(64) {
            let block = Sha512::digest(self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            bytes.copy_from_slice(&block[..bytes.len()]);
        }
        Ok(())
    }
}

/// What is looked for: digests and ETags, by name.
#[derive(Default)]
struct Telling(Vec<(String, Vec<u8>)>);

impl Telling {
    fn add(&mut self, of: &str, attributes: &Attributes) {
        for (kind, digests) in [("digest", &attributes.digests), ("composite", &attributes.composite)] {
            for (algorithm, digest) in digests.iter() {
                self.0.push((format!("{kind} {} of {of}", algorithm.name()), digest.to_vec()));
            }
        }
        if let Some(etag) = &attributes.etag {
            self.0.push((format!("ETag of {of}"), etag.as_bytes().to_vec()));
            // Where it is a digest, as bytes too.
            let digits = etag.split('-').next().unwrap_or_default();
            let pairs = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).ok());
            let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
            self.0.extend(
                bytes.filter(|bytes| bytes.len() == 16).map(|bytes| (format!("bytes of the ETag of {of}"), bytes)),
            );
        }
    }

    /// What of it stands in `stored`, and in which form.
    fn in_stored(&self, stored: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (name, value) in &self.0 {
            let hex: String = hex(value);
            let forms = [
                ("as it is", value.clone()),
                ("in hexadecimal digits", hex.clone().into_bytes()),
                ("in large hexadecimal digits", hex.to_uppercase().into_bytes()),
                ("in base64", base64(value, b"+/").into_bytes()),
                ("in base64 for URLs", base64(value, b"-_").into_bytes()),
            ];
            // The CRC of nothing is zero, which is found in any file.
            let forms = forms.into_iter().filter(|(_, form)| form.iter().any(|&byte| byte != 0));
            found.extend(forms.filter(|(_, form)| contains(stored, form)).map(|(form, _)| format!("{name} {form}")));
        }
        found
    }

    /// The same of what is printed, where bytes may be lists of numbers.
    fn in_text(&self, text: &str) -> Vec<String> {
        let mut found = self.in_stored(text.as_bytes());
        let dense: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        for (name, value) in self.0.iter().filter(|(_, value)| value.iter().any(|&byte| byte != 0)) {
            let numbers: Vec<_> = value.iter().map(u8::to_string).collect();
            if dense.contains(&format!("[{}", numbers.join(","))) || dense.contains(&format!(",{},", numbers.join(",")))
            {
                found.push(format!("{name} in numbers"));
            }
        }
        found
    }

    fn has_all(&self) -> bool {
        ChecksumAlgorithm::ALL.iter().all(|algorithm| self.0.iter().any(|(name, _)| name.contains(algorithm.name())))
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window[0] == wanted[0] && window == wanted)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("written");
        out
    })
}

/// Base64 without what pads it: what is padded begins with it.
fn base64(bytes: &[u8], last_two: &[u8; 2]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".iter().chain(last_two);
    let letters: Vec<_> = letters.map(|&letter| char::from(letter)).collect();
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_usize, |word, &byte| word << 8 | usize::from(byte)) << (8 * (3 - group.len()));
        out.extend((0..=group.len()).map(|place| letters[word >> (18 - 6 * place) & 63]));
    }
    out
}

fn all_digests() -> Wanted {
    ChecksumAlgorithm::ALL.into_iter().fold(Wanted::NONE, |wanted, algorithm| wanted | Wanted::of(algorithm))
}

fn attributes_of(plaintext: &[u8]) -> Attributes {
    let mut digester = Digester::new(all_digests());
    digester.update(plaintext);
    digester.finish()
}

/// The keys of an object in one layer or two, and of the server.
struct Keys {
    layers: u8,
    keys: [Arc<WrappingKey>; 3],
    random: Arc<Same>,
}

impl Keys {
    fn new(layers: u8) -> Self {
        let random = Arc::new(Same(AtomicU64::new(u64::from(layers) << 32)));
        let keys = ["inner", "outer", "server"].map(|id| {
            let mut secret = [0; Key::LEN];
            random.fill(&mut secret).expect("filled");
            Arc::new(WrappingKey::new("service", id, 1, Key::from_bytes(&secret)).expect("a key"))
        });
        Self { layers, keys, random }
    }

    fn seal_options(&self) -> SealOptions {
        let options = SealOptions::new(self.keys[0].clone()).with_random(self.random.clone());
        let options = if self.layers == 1 { options } else { options.with_outer_key(self.keys[1].clone()) };
        options.with_digests(all_digests())
    }

    fn open_options(&self) -> OpenOptions {
        let options = OpenOptions::new().with_random(self.random.clone());
        self.keys.iter().cloned().fold(options, OpenOptions::with_key)
    }
}

/// Everything that was stored and printed, by name.
#[derive(Default)]
struct Seen {
    stored: Vec<(String, Vec<u8>)>,
    printed: Vec<(String, String)>,
}

impl Seen {
    fn store(&mut self, name: &str, bytes: &[u8]) {
        self.stored.push((name.into(), bytes.to_vec()));
    }

    fn print(&mut self, name: &str, what: &impl Debug) {
        self.printed.push((name.into(), format!("{what:?} {what:#?}")));
    }

    fn check(&self, of: &str, telling: &Telling) -> usize {
        assert!(telling.has_all(), "{of}");
        for (name, stored) in &self.stored {
            assert_eq!(telling.in_stored(stored), [""; 0], "{name} of {of}");
        }
        for (name, text) in &self.printed {
            assert_eq!(telling.in_text(text), [""; 0], "{name} of {of}, as it is printed");
        }
        telling.0.len() * (self.stored.len() + self.printed.len())
    }
}

const PLAINTEXTS: [&[u8]; 5] =
    [b"", b"\x07", b"4711", b"Ada Lovelace", b"a little more than a block of most hashes has, which is 64 bytes"];

/// What is looked for is found where it is.
#[test]
fn what_tells_is_found() {
    let mut attributes = attributes_of(b"4711");
    attributes.etag = Some(hex(attributes.digests.get(ChecksumAlgorithm::Md5).expect("it is there")));
    let mut telling = Telling::default();
    telling.add("a PIN", &attributes);
    assert!(telling.has_all() && telling.0.len() == 12);
    for (name, value) in &telling.0 {
        let hex = hex(value);
        let padded = base64(value, b"-_") + "==";
        let printed = format!("{:?}", [&[9], &value[..], &[9]].concat());
        let forms =
            [value.clone(), hex.clone().into(), hex.to_uppercase().into(), padded.into(), base64(value, b"+/").into()];
        for form in forms {
            let found = telling.in_stored(&[b"..", &form[..], b".."].concat());
            assert!(found.iter().any(|found| found.starts_with(name)), "{name}: {found:?}");
        }
        assert!(telling.in_text(&printed).iter().any(|found| found.starts_with(name)), "{name}: {printed}");
    }
    // RFC 4648, section 10.
    let vectors = [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")];
    vectors.iter().for_each(|(plain, encoded)| assert_eq!(base64(plain.as_bytes(), b"+/"), *encoded));
    assert_eq!((base64(&[0xfb, 0xff], b"+/"), base64(&[0xfb, 0xff], b"-_")), ("+/8".into(), "-_8".into()));
}

#[test]
fn files() {
    let mut count = 0;
    for keys in [1, 2].map(Keys::new) {
        for plaintext in PLAINTEXTS {
            let (mut seen, mut telling) = (Seen::default(), Telling::default());
            let (options, opening, threads) = (keys.seal_options(), keys.open_options(), Threads::available());
            telling.add("the plaintext", &attributes_of(plaintext));

            let mut stored = Vec::new();
            let info = file::seal(&options, plaintext, &mut stored, &threads).expect("sealed");
            seen.store("what file::seal makes", &stored);
            seen.print("Info", &info);
            seen.print("Attributes", &info.attributes);
            seen.print("Digests", &info.attributes.digests);
            let mut placed = vec![0; 20_000];
            let (len, info) = file::seal_at(&options, &threads, plaintext, &mut placed).expect("sealed");
            seen.store("what file::seal_at makes", &placed[..len]);
            seen.print("Info of seal_at", &info);
            let mut sealer = file::Sealer::new(&options).expect("sealed");
            let mut pieces = vec![0; 40_000];
            let mut len = 0;
            for piece in plaintext.chunks(2) {
                len += sealer.update(piece, &mut pieces[len..]).expect("sealed");
            }
            seen.print("file::Sealer", &sealer);
            let (end, info) = sealer.finish(&mut pieces[len..]).expect("sealed");
            seen.store("what file::Sealer makes", &pieces[..len + end]);
            seen.print("Info of file::Sealer", &info);
            let mut writer = file::SealWriter::new(&options, Vec::new()).expect("sealed");
            writer.write_all(plaintext).expect("sealed");
            seen.print("file::SealWriter", &writer);
            let (written, info) = writer.finish().expect("sealed");
            seen.store("what file::SealWriter makes", &written);
            seen.print("Info of file::SealWriter", &info);

            for file in [&stored, &placed[..written.len()].to_vec(), &pieces[..written.len()].to_vec(), &written] {
                let mut out = Vec::new();
                let info = file::open(&opening, &file[..], &mut out, &threads).expect("authentic");
                assert_eq!((out, &info.attributes), (plaintext.to_vec(), &attributes_of(plaintext)));
                seen.print("Info of file::open", &info);
            }
            let file = SealedFile::open(&opening, &stored[..]).expect("authentic");
            seen.print("SealedFile", &file);
            let mut reader = file::OpenReader::new(&opening, &stored[..]).expect("authentic");
            io::copy(&mut reader, &mut io::sink()).expect("authentic");
            seen.print("file::OpenReader", &reader);
            seen.print("Facts", &file::inspect(&stored[..]).expect("a file"));
            let disk = Disk(RefCell::new(stored));
            let new = file::rewrap(&opening, &disk, |_| Ok::<_, FileError>(options.clone())).expect("rewrapped");
            seen.print("Envelope of rewrap", &new);
            seen.store("what rewrap leaves", &disk.0.into_inner());
            count += seen.check(&format!("{plaintext:?} in {} layers", keys.layers), &telling);
        }
    }
    println!("nothing in clear: {count} searches in files");
}

#[test]
fn envelopes() {
    let mut count = 0;
    for keys in [1, 2].map(Keys::new) {
        for plaintext in PLAINTEXTS {
            let (mut seen, mut telling) = (Seen::default(), Telling::default());
            let mut attributes = attributes_of(plaintext);
            attributes.etag = attributes.digests.get(ChecksumAlgorithm::Md5).map(hex);
            telling.add("the plaintext", &attributes);
            let (envelope, body) = keys.seal_options().start().expect("sealed");
            seen.store("the head before", envelope.stored());
            seen.print("NewBody", &body);
            seen.store("the body", &body.seal(plaintext).expect("sealed"));
            seen.store("the attributes apart", &envelope.seal_attributes(&attributes).expect("sealed"));
            let envelope = envelope.with_attributes(&attributes).expect("sealed");
            seen.store("the head", envelope.stored());
            seen.print("Envelope", &envelope);
            let opened = keys.open_options().open(envelope.stored()).expect("authentic");
            assert_eq!(opened.attributes().expect("authentic"), Some(attributes.clone()));
            seen.print("Envelope that was opened", &opened);
            seen.print("Head", &Head::parse(envelope.stored()));
            seen.print("Attributes", &attributes);
            seen.print("Attributes that were opened", &opened.attributes());
            let rewrapped = keys.seal_options().rewrap(&opened).expect("rewrapped");
            seen.store("the head that was rewrapped", rewrapped.stored());
            let plan = keys.open_options().plan(envelope.stored()).expect("a head");
            seen.print("Plan", &plan);
            count += seen.check(&format!("{plaintext:?} in {} layers", keys.layers), &telling);
        }
    }
    println!("nothing in clear: {count} searches in envelopes");
}

#[test]
fn objects_in_parts() {
    let mut count = 0;
    let place = context(&[("bucket", "photos"), ("upload id", "17")]);
    let etag_of = |attributes: &Attributes| attributes.digests.get(ChecksumAlgorithm::Md5).map(hex);
    for keys in [1, 2].map(Keys::new) {
        // Only one part alone may be empty.
        for plaintexts in [&PLAINTEXTS[..1], &PLAINTEXTS[1..2], &PLAINTEXTS[1..]] {
            let (mut seen, mut telling) = (Seen::default(), Telling::default());
            let (upload, sealer) = keys.seal_options().start_upload(&keys.keys[2], &place).expect("started");
            let state = upload.stored().to_vec();
            seen.store("the upload state", &state);
            seen.print("Upload", &upload);
            seen.print("PartSealer", &sealer);
            let resumed = keys.open_options().resume_upload(&state, &place).expect("authentic");
            let unlocked = resumed.unlock(&keys.open_options()).expect("authentic");
            seen.print("Upload that was resumed", &resumed);
            let (mut named, mut receipts) = (Vec::new(), Vec::new());
            for (number, &plaintext) in (1..).zip(plaintexts) {
                // By whoever started the upload, and by whoever goes on with it; with an ETag and without.
                let (upload, sealer) = if number % 2 == 0 { (&resumed, &unlocked) } else { (&upload, &sealer) };
                let (attempt, body) = sealer.part(number).expect("random bytes");
                seen.print("PartAttempt", &attempt);
                seen.store("the body of a part", &body.seal(plaintext).expect("sealed"));
                let mut attributes = attributes_of(plaintext);
                attributes.etag = etag_of(&attributes).filter(|_| number != 3);
                let (receipt, stored) = upload.receipt(attempt, attributes.clone()).expect("sealed");
                telling.add(&format!("part {number}"), &attributes);
                seen.print("Receipt", &receipt);
                seen.store("a receipt", &stored);
                // An ETag that was not given is made of the salt, which the body begins with: its digits tell nothing, but
                // they are nowhere in clear either.
                let etag = receipt.attributes.etag.expect("there is one");
                telling.0.push((format!("ETag of part {number}"), etag.clone().into_bytes()));
                seen.print("Receipt that was opened", &resumed.open_receipt(&stored).expect("authentic"));
                named.push((number, etag));
                receipts.push(stored);
            }
            let named: Vec<_> = named.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
            let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
            let mut selection = resumed.select(&named, &receipts).expect("all are there");
            let attributes = checksums::of_parts(&selection.attributes());
            telling.add("the object", &attributes);
            telling.add("all of the plaintext", &attributes_of(&plaintexts.concat()));
            for checksum in ChecksumAlgorithm::ALL.into_iter().map(Some).chain([None]) {
                selection.checksum = checksum;
                seen.print("Selection", &selection);
                for inline_len in [0, INLINE_ENVELOPE_LEN, 10_000] {
                    let completed = upload.complete(&selection, &attributes, inline_len).expect("completed");
                    let table = completed.table.as_deref();
                    assert!(inline_len == INLINE_ENVELOPE_LEN || table.is_some() == (inline_len == 0));
                    seen.store("the head", &completed.head);
                    seen.store("the part table", table.unwrap_or_default());
                    seen.print("Completed", &completed);
                    let envelope = keys.open_options().open(&completed.head).expect("authentic");
                    let parts = envelope.parts(table).expect("authentic");
                    let digest = |part: &Attributes| Some(part.digests.get(checksum?)?.to_vec());
                    let digests =
                        selection.attributes().iter().map(|part| digest(part).unwrap_or_default()).collect::<Vec<_>>();
                    assert!(parts.iter().map(|part| &part.checksum).eq(&digests));
                    seen.print("Part", &parts);
                    seen.print("PartRange", &locate(&parts, 0..1));
                    seen.print("Envelope", &envelope);
                    let rewrapped = keys.seal_options().rewrap(&envelope).expect("rewrapped");
                    seen.store("the head that was rewrapped", rewrapped.stored());
                }
            }
            count += seen.check(&format!("{plaintexts:?} in {} layers", keys.layers), &telling);
        }
    }
    println!("nothing in clear: {count} searches in objects in parts");
}

/// Nor is the place of an upload stored, or what an object is bound to and not stored with.
#[test]
fn what_is_only_bound() {
    for keys in [1, 2].map(Keys::new) {
        let mut bound = EncryptionContext::new();
        bound.bind("bucket", "the bucket of somebody").expect("fits");
        bound.bind("key", "a name that tells much").expect("fits");
        let options = keys.seal_options().with_context(bound.clone());
        let mut stored = Vec::new();
        file::seal(&options, PLAINTEXTS[3], &mut stored, &Threads::available()).expect("sealed");
        let (upload, _) = options.start_upload(&keys.keys[2], &bound).expect("started");
        let (envelope, _) = options.start().expect("sealed");
        for bytes in [&stored[..], upload.stored(), envelope.stored()] {
            assert!(!contains(bytes, b"somebody") && !contains(bytes, b"tells much"));
        }
        assert!(contains(&stored, b"bucket") && !contains(upload.stored(), b"bucket"));
        let known = keys.open_options().with_context(bound);
        file::open(&known, &stored[..], io::sink(), &Threads::available()).expect("authentic");
        known.open(envelope.stored()).expect("authentic");
    }
}
