//! A store that serves something else than it was given. To the outside every refusal is the same; here each is held to be
//! for its own reason.
//!
//! The reason is the last one of the process, so there is one test.

use objseal::Error;
use objseal::checksums;
use objseal::cobblestone::{CHUNK_LEN, Cobblestone, Threads};
use objseal::envelope::{
    Attributes, Content, EncryptionContext, Envelope, EnvelopeError, Head, Part, PartSealer, PartStore, PartsReader,
    Suite, Upload,
};
use objseal::file::{FileError, SealedFile};
use objseal::hazmat::encode_head;
use objseal::hazmat::refusals::{self, Refusal};
use objseal::limits::INLINE_ENVELOPE_LEN;
use objseal_keys::keyring::Keyring;
use objseal_tests::format::{Object, Role, data_key, entries, state_entry, state_fields};
use objseal_tests::{context, keyring, open_options, pattern, seal_in_memory, seal_options};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// What a store keeps of an object in parts.
#[derive(Clone)]
struct Stored {
    envelope: Vec<u8>,
    table: Option<Vec<u8>>,
    bodies: BTreeMap<u32, Vec<u8>>,
}

impl<'s> PartStore for &'s Stored {
    type Body = &'s [u8];

    fn part(&self, part: &Part) -> io::Result<Self::Body> {
        Ok(self.bodies.get(&part.number).ok_or(io::ErrorKind::NotFound)?)
    }
}

struct Case<'k> {
    keyring: &'k Arc<Keyring>,
    count: usize,
}

impl Case<'_> {
    /// That `result` is the one opaque error, for this reason.
    fn refused(&mut self, name: &str, expected: Refusal, result: Result<(), EnvelopeError>) {
        let error = result.expect_err(name);
        assert_eq!(error.to_string(), "wrong key, or the object was changed", "{name}");
        assert_eq!(refusals::take(), Some(expected), "{name}");
        self.count += 1;
    }

    /// That `result` says that the key is another one: its fingerprint is that of another object.
    fn other_key(&mut self, name: &str, key_id: &str, result: Result<(), EnvelopeError>) {
        let error = result.expect_err(name);
        assert!(matches!(&error, EnvelopeError::OtherKey(found) if found.key_id == *key_id), "{name}: {error}");
        assert_eq!(refusals::take(), Some(Refusal::Wrap), "{name}");
        self.count += 1;
    }

    fn envelope(&self, stored: &[u8]) -> Result<Envelope, EnvelopeError> {
        refusals::take();
        open_options(self.keyring).open(stored)
    }

    /// Opens all of an object in parts.
    fn open_parts(&self, stored: &Stored) -> Result<Vec<u8>, EnvelopeError> {
        let envelope = self.envelope(&stored.envelope)?;
        let open = || {
            let table = envelope.part_table(stored.table.as_deref())?;
            let len = table.plaintext_len();
            PartsReader::new(&envelope, table, stored).open_range(0..len)
        };
        open().map_err(authentic)
    }

    fn open_body(&self, head: &[u8], body: &[u8]) -> Result<(), EnvelopeError> {
        let envelope = self.envelope(head)?;
        let (mut by_stream, threads) = (Vec::new(), Threads::available());
        let streamed = envelope.body()?.open_stream(body, &mut by_stream, &threads).map_err(authentic);
        assert!(by_stream.len() % CHUNK_LEN == 0 || streamed.is_ok());
        streamed.map(drop)
    }
}

fn authentic(error: io::Error) -> EnvelopeError {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(&error) => Error::into(error),
        None => panic!("{error}"),
    }
}

/// `head` as it is, and the MAC that another had: whoever changes a head cannot make a new one.
fn forge(head: &Head, of: &[u8]) -> Vec<u8> {
    [&encode_head(head).expect("it fits")[..], &of[of.len() - 32..]].concat()
}

fn changed_head(stored: &[u8], change: impl FnOnce(&mut Head)) -> Vec<u8> {
    let mut head = Head::parse(stored).expect("a head").unverified().clone();
    change(&mut head);
    forge(&head, stored)
}

fn content(stored: &[u8]) -> Content {
    Head::parse(stored).expect("a head").unverified().content.clone()
}

/// Puts another table into a head, or none.
fn set_table(head: &mut Head, with: Option<Vec<u8>>) {
    let Content::Parts { sealed, .. } = &mut head.content else { panic!("parts") };
    *sealed = with;
}

/// Puts the wraps of some entries of `from` into other entries of a stored head.
fn with_wraps(stored: &[u8], from: &[u8], moves: &[(usize, usize)]) -> Vec<u8> {
    let mut changed = stored.to_vec();
    let (ours, theirs) = (entries(stored), entries(from));
    for &(to, entry) in moves {
        changed[ours[to]["wrap"].clone()].copy_from_slice(&from[theirs[entry]["wrap"].clone()]);
    }
    changed
}

/// What uploads are bound to.
fn upload_place() -> EncryptionContext {
    context(&[("upload id", "17")])
}

fn put((upload, parts): &(Upload, PartSealer), number: u32, plaintext: &[u8]) -> (Vec<u8>, Vec<u8>, String) {
    let (attempt, body) = parts.part(number).expect("a salt");
    let body = body.seal(plaintext).expect("sealed");
    let (receipt, stored) = upload.receipt(attempt, Attributes::new(plaintext.len() as u64)).expect("a receipt");
    (body, stored, receipt.attributes.etag.expect("there is one"))
}

/// An object of three parts, and an earlier attempt at the second of them.
fn complete(upload: &(Upload, PartSealer), inline_len: usize) -> (Stored, Vec<u8>) {
    let (mut bodies, mut receipts, mut etags) = (BTreeMap::new(), Vec::new(), Vec::new());
    let (stale, _, _) = put(upload, 2, &pattern(50_000));
    for number in 1..=3 {
        let (body, receipt, etag) = put(upload, number, &pattern(50_000 + number as usize - 2 * (number as usize / 2)));
        bodies.insert(number, body);
        receipts.push(receipt);
        etags.push((number, etag));
    }
    let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
    let named: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let selection = upload.0.select(&named, &receipts).expect("all are there");
    let attributes = checksums::of_parts(&selection.attributes());
    let completed = upload.0.complete(&selection, &attributes, inline_len).expect("completed");
    (Stored { envelope: completed.head, table: completed.table, bodies }, stale)
}

#[test]
fn what_a_hostile_store_serves_is_refused_for_its_own_reason() {
    let keyring = keyring(&["inner", "outer", "server"]);
    let server_key = keyring.latest("server").expect("it is there");
    let mut case = Case { keyring: &keyring, count: 0 };
    let one_layer = seal_options(&keyring, &["inner"]);
    let two_layers = seal_options(&keyring, &["inner", "outer"]);

    for (layers, sealing) in [(1, &one_layer), (2, &two_layers)] {
        let start = || sealing.start_upload(&server_key, &upload_place()).expect("started");
        let upload = start();
        for inline_len in [INLINE_ENVELOPE_LEN, 0] {
            let (whole, stale) = complete(&upload, inline_len);
            assert_eq!(case.open_parts(&whole).expect("nothing was changed").len(), 150_000 + 2);
            let mut with = |name: &str, expected, change: &dyn Fn(&mut Stored)| {
                let mut stored = whole.clone();
                change(&mut stored);
                let name = format!("{name}, {layers} layers");
                let result = case.open_parts(&stored).map(drop);
                case.refused(&name, expected, result);
            };
            with("a stale attempt", Refusal::Salt, &|stored| _ = stored.bodies.insert(2, stale.clone()));
            with("a stale attempt under the salt of the one that counts", Refusal::Commitment, &|stored| {
                let salt = stored.bodies[&2][..24].to_vec();
                stored.bodies.insert(2, [&salt[..], &stale[24..]].concat());
            });
            with("a stale attempt behind the header of the one that counts", Refusal::Tag, &|stored| {
                let header = stored.bodies[&2][..56].to_vec();
                stored.bodies.insert(2, [&header[..], &stale[56..]].concat());
            });
            with("swapped parts", Refusal::Salt, &|stored| {
                let (one, three) = (stored.bodies[&1].clone(), stored.bodies[&3].clone());
                stored.bodies.extend([(1, three), (3, one)]);
            });
            with("swapped chunks", Refusal::Tag, &|stored| {
                stored.bodies.get_mut(&3).expect("part 3")[56..56 + 2 * 16_400].rotate_left(16_400);
            });
            with("a part cut short between chunks", Refusal::Tag, &|stored| {
                stored.bodies.get_mut(&2).expect("part 2").truncate(56 + 2 * 16_400 + 100);
            });
            with("a part cut short to no message's length", Refusal::Length, &|stored| {
                stored.bodies.get_mut(&2).expect("part 2").truncate(56 + 2 * 16_400);
            });
            with("a part with something behind it", Refusal::Tag, &|stored| {
                stored.bodies.get_mut(&2).expect("part 2").push(0);
            });
            let (another, _) = complete(&upload, inline_len);
            with(
                "the head of an earlier completion",
                if inline_len == 0 { Refusal::Salt } else { Refusal::Mac },
                &|stored| {
                    // All but the table, which is in the head or beside it.
                    let Content::Parts { sealed, .. } = content(&stored.envelope) else { panic!("parts") };
                    stored.envelope = changed_head(&another.envelope, |head| set_table(head, sealed));
                },
            );
            if whole.table.is_some() {
                with("the table of an earlier completion", Refusal::Salt, &|stored| {
                    stored.table = another.table.clone();
                });
                with("a shortened table", Refusal::Tag, &|stored| {
                    stored.table.as_mut().expect("there").truncate(100 + 72 * (layers - 1));
                });
                with("a changed table", Refusal::Tag, &|stored| stored.table.as_mut().expect("there")[60] ^= 1);
            } else {
                with("the table of an earlier completion", Refusal::Mac, &|stored| {
                    let Content::Parts { sealed, .. } = content(&another.envelope) else { panic!("parts") };
                    stored.envelope = changed_head(&stored.envelope, |head| set_table(head, sealed));
                });
                with("a changed table", Refusal::Mac, &|stored| {
                    stored.envelope = changed_head(&stored.envelope, |head| {
                        let Content::Parts { sealed: Some(sealed), .. } = &mut head.content else { panic!("inline") };
                        sealed[60] ^= 1;
                    });
                });
                with("a table taken out of the head", Refusal::Mac, &|stored| {
                    let Content::Parts { sealed, .. } = content(&stored.envelope) else { panic!("parts") };
                    stored.table = sealed;
                    stored.envelope = changed_head(&stored.envelope, |head| set_table(head, None));
                });
            }
            with("a head that says fewer parts", Refusal::Mac, &|stored| {
                stored.envelope = changed_head(&stored.envelope, |head| {
                    let Content::Parts { table, .. } = &mut head.content else { panic!("parts") };
                    table.parts -= 1;
                });
            });
            with("the attributes of another object", Refusal::Mac, &|stored| {
                let (another, _) = complete(&start(), inline_len);
                let theirs = Head::parse(&another.envelope).expect("a head").unverified().attributes.clone();
                stored.envelope = changed_head(&stored.envelope, |head| head.attributes = theirs);
            });
        }

        // A receipt and a state of another upload.
        let another = start();
        let (_, receipt, _) = put(&another, 1, b"");
        refusals::take();
        case.refused("a foreign receipt", Refusal::Receipt, upload.0.open_receipt(&receipt).map(drop));
        let (state, theirs) = (upload.0.stored(), another.0.stored());
        let resume = |state: &[u8], place: &EncryptionContext| {
            refusals::take();
            open_options(&keyring).resume_upload(state, place).map(drop)
        };
        resume(state, &upload_place()).expect("nothing was changed");
        let mixed = |from: std::ops::Range<usize>| {
            let mut mixed = state.to_vec();
            mixed[from.clone()].copy_from_slice(&theirs[from]);
            mixed
        };
        let secrets = state_fields(state)[&4].clone();
        let mut changed = state.to_vec();
        changed[secrets.start] ^= 1;
        case.refused("a changed upload state", Refusal::Upload, resume(&changed, &upload_place()));
        let result = resume(&mixed(secrets), &upload_place());
        case.refused("the secrets of another upload", Refusal::Upload, result);
        let wrap = state_entry(state)["wrap"].clone();
        let result = resume(&mixed(wrap), &upload_place());
        case.refused("the wrap of another upload", Refusal::Wrap, result);
        let result = resume(&mixed(state_fields(state)[&3].clone()), &upload_place());
        case.other_key("the wrapped key of another upload", "server", result);
        let result = resume(&mixed(state_fields(state)[&1].clone()), &upload_place());
        case.other_key("the object id of another upload", "server", result);
        let result = resume(state, &context(&[("upload id", "18")]));
        case.refused("the state in another place", Refusal::Wrap, result);
    }

    // One body, in two layers.
    let (envelope, sealer) = two_layers.start().expect("sealed");
    let head = envelope.stored().to_vec();
    let body = sealer.seal(&pattern(100_000)).expect("sealed");
    case.open_body(&head, &body).expect("nothing was changed");
    // Whoever has the outer data key can take the outer layer off.
    let outer_key = keyring.latest("outer").expect("it is there");
    let outer_key = data_key(&head, 1, outer_key.secret(), &EncryptionContext::new());
    let place = Object::of(&head).place(Role::Body, 2, 0);
    let peeled = Cobblestone::new(&outer_key, &place).open(&body).expect("as FORMAT.md says");
    let result = case.open_body(&head, &peeled);
    case.refused("a peeled layer", Refusal::Salt, result);
    let peeled_head = changed_head(&head, |head| {
        head.suites = vec![Suite::Cobblestone256];
        head.wrapped_keys.pop();
        let Content::Body { salts } = &mut head.content else { panic!("one body") };
        salts.pop();
    });
    let result = case.open_body(&peeled_head, &peeled);
    case.refused("a peeled layer and a head that says so", Refusal::Wrap, result);
    // Another plaintext, sealed under the outer key by somebody who has it.
    let mut forged = Cobblestone::new(&outer_key, &place).seal(&pattern(100_000)).expect("sealed");
    let result = case.open_body(&head, &forged);
    case.refused("a replaced outer layer", Refusal::Salt, result);
    forged[..24].copy_from_slice(&body[..24]);
    let result = case.open_body(&head, &forged);
    case.refused("a replaced outer layer under the salt of the right one", Refusal::Commitment, result);

    let (another, _) = two_layers.start().expect("sealed");
    let result = case.envelope(&with_wraps(&head, another.stored(), &[(0, 0)]));
    case.refused("an exchanged wrap", Refusal::Wrap, result.map(drop));
    let result = case.envelope(&changed_head(&head, |head| {
        head.wrapped_keys[0] = another.head().wrapped_keys[0].clone();
    }));
    case.other_key("an exchanged wrapped key", "inner", result.map(drop));
    let same_key = seal_options(&keyring, &["inner", "inner"]).start().expect("sealed").0;
    let same_key = same_key.stored();
    let result = case.envelope(&with_wraps(same_key, same_key, &[(0, 1), (1, 0)]));
    case.refused("wraps of the two layers exchanged", Refusal::Wrap, result.map(drop));
    let result = case.envelope(&changed_head(&head, |head| head.object_id = another.head().object_id));
    case.other_key("another object's id", "inner", result.map(drop));
    let result = case.envelope(&changed_head(&head, |head| head.generation += 1));
    case.refused("a head that says it is newer", Refusal::Mac, result.map(drop));
    let result = case.envelope(&changed_head(&head, |head| {
        let Content::Body { salts } = &mut head.content else { panic!("one body") };
        salts.swap(0, 1);
    }));
    case.refused("salts of the two layers exchanged", Refusal::Mac, result.map(drop));

    // Files: the attributes of another one of the same length.
    let [mut stored, theirs] = [(); 2].map(|()| seal_in_memory(&two_layers, &pattern(100)));
    let tail = stored.len() - 160;
    stored[tail..].copy_from_slice(&theirs[tail..]);
    refusals::take();
    let opened = SealedFile::open(&open_options(&keyring), &stored[..]).map(drop);
    let opened = opened.map_err(|error| match error {
        FileError::Envelope(error) => error,
        other => panic!("{other}"),
    });
    case.refused("the attributes of another file", Refusal::Commitment, opened);
    println!("hostile store: {} cases", case.count);
}
