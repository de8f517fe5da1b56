//! Upload states: what is in them, what they are bound to, and what it takes to go on. Receipts.

use crate::{
    Counting, Fields, LAYERS, another_key, data_keys, key, opening, refused, sealing, secret, turn, with_fields,
};
use objseal::checksums::{Digester, Wanted};
use objseal::cobblestone::Cobblestone;
use objseal::envelope::{
    Attributes, Demand, DemandedContext, EncryptionContext, EnvelopeError, FormatError, OpenOptions, PartSealer,
    Policy, Upload, WrappingKey,
};
use objseal::hazmat::refusals::Refusal;
use objseal::limits::INLINE_ENVELOPE_LEN;
use objseal::{Error, Key};
use objseal_tests::context;
use objseal_tests::format::{Object, Role, entries, field, fields, pairs, state_entry, state_fields};
use sha2::{Digest, Sha512};
use std::sync::Arc;

/// What the uploads here are bound to.
fn place() -> EncryptionContext {
    context(&[("bucket", "photos"), ("key", "cat.jpg"), ("upload id", "17")])
}

/// What the objects here are bound to, `key` without being stored.
fn bound() -> EncryptionContext {
    let mut bound = context(&[("owner", "anna")]);
    bound.bind("key", "cat.jpg").expect("a pair");
    bound
}

fn start(layers: usize) -> (Upload, PartSealer) {
    sealing(layers).with_context(bound()).start_upload(&key("server"), &place()).expect("started")
}

/// What has the server's key only.
fn server() -> OpenOptions {
    OpenOptions::new().with_key(key("server"))
}

fn resume(state: &[u8]) -> Result<Upload, EnvelopeError> {
    server().resume_upload(state, &place())
}

fn customer() -> OpenOptions {
    opening().with_context(bound())
}

/// Seals a part; gives its body, its receipt and its ETag.
fn put((upload, parts): &(Upload, PartSealer), number: u32, plaintext: &[u8]) -> (Vec<u8>, Vec<u8>, String) {
    let (attempt, body) = parts.part(number).expect("a salt");
    let mut digester = Digester::new(Wanted::SHA512 | Wanted::MD5);
    digester.update(plaintext);
    let (receipt, stored) = upload.receipt(attempt, digester.finish()).expect("a receipt");
    (body.seal(plaintext).expect("sealed"), stored, receipt.attributes.etag.expect("there is one"))
}

/// The upload key of a state, by the server's key.
fn upload_key(state: &[u8]) -> Key {
    Object::of_state(state).unwrap(state, &state_entry(state), &secret("server"), &place())
}

/// The secret fields of a state, by the server's key.
fn secrets(state: &[u8]) -> Vec<u8> {
    let sealed = &state[state_fields(state)[&4].clone()];
    Object::of_state(state).open_record(Role::Upload, &upload_key(state), sealed).expect("as FORMAT.md says")
}

/// A state with other secret fields, by somebody who has the server's key.
fn with_secrets(state: &[u8], change: impl FnOnce(&mut Fields)) -> Vec<u8> {
    // The function expects something in front of the fields.
    let opened = [&[0; 8][..], &secrets(state)].concat();
    let plain = with_fields(&opened, &fields(&opened, 8..opened.len()), change);
    let (sealed, _) = Object::of_state(state).seal_record(Role::Upload, &upload_key(state), &plain[8..]);
    with_fields(state, &state_fields(state), |fields| drop(fields.insert(4, sealed)))
}

#[test]
fn a_state_holds_no_data_key_and_opens_no_part() {
    let _turn = turn();
    for layers in [1, 2] {
        let both = start(layers);
        let (body, receipt, etag) = put(&both, 1, b"plain");
        let state = both.0.stored();
        let resumed = resume(state).expect("authentic");
        let selection = resumed.select(&[(1, &etag)], &[&receipt]).expect("it is there");
        let completed =
            resumed.complete(&selection, &selection.attributes()[0], INLINE_ENVELOPE_LEN).expect("completed");

        // Whatever the server's key opens.
        let (object, secrets) = (Object::of_state(state), secrets(state));
        let data_keys = data_keys(&completed.head, &bound());
        for data_key in data_keys.chunks(Key::LEN) {
            for held in [state, &secrets] {
                assert!(!held.windows(Key::LEN).any(|window| window == data_key), "it holds a data key");
            }
        }
        // These are its keys, and no run of 32 bytes in it opens the outer layer of a part, nor the only one.
        let subkeys = ["mac", "attributes", "receipt", "table"].map(|name| object.subkey(&data_keys, name));
        let subkeys: Vec<u8> = subkeys.iter().flat_map(|key| *key.expose_secret()).collect();
        let opened = fields(&secrets, 0..secrets.len());
        assert_eq!(secrets[opened[&1].clone()], subkeys);
        assert_eq!(secrets[opened[&3].clone()], Sha512::digest(pairs(&bound()))[..]);
        let part = object.place(Role::Body, object.layers, 1);
        let opens = |key: &[u8]| Cobblestone::new(&Key::try_from(key).expect("32 bytes"), &part).open(&body);
        assert!(opens(&data_keys[data_keys.len() - Key::LEN..]).is_ok(), "the data key itself does");
        for candidate in secrets.windows(Key::LEN).chain(state.windows(Key::LEN)) {
            assert_eq!(opens(candidate), Err(Error::Authentication));
        }
        // With that key alone the library opens neither the object nor a way to its parts.
        let error = server().with_context(bound()).open(&completed.head).map(drop).expect_err("the server's key");
        assert!(matches!(error, EnvelopeError::NoAcceptedKey { .. }), "{error}");
        let error = resumed.unlock(&server().with_context(bound())).map(drop).expect_err("the server's key");
        assert!(matches!(error, EnvelopeError::NoAcceptedKey { .. }), "{error}");
        // Who has the object's keys reads what the server completed, in its place.
        let mut known = opening();
        known.policy_mut().context = DemandedContext::Known(context(&[("key", "cat.jpg")]));
        let envelope = known.open(&completed.head).expect("authentic");
        assert_eq!(envelope.head().context, bound());
        let parts = envelope.parts(None).expect("authentic");
        assert_eq!(envelope.part(&parts[0]).open(&body).expect("authentic"), b"plain");
    }
}

#[test]
fn a_state_belongs_to_its_place() {
    let _turn = turn();
    for layers in [1, 2] {
        let (upload, _) = start(layers);
        resume(upload.stored()).expect("in its place");
        let right = [("bucket", "photos"), ("key", "cat.jpg"), ("upload id", "17")];
        for value in ["photos", "cats/cat.jpg"] {
            assert!(!upload.stored().windows(value.len()).any(|window| window == value.as_bytes()), "it is not stored");
        }
        for (what, pairs) in [
            ("another bucket", &[("bucket", "phot0s"), right[1], right[2]][..]),
            ("another key", &[right[0], ("key", "cat.jpeg"), right[2]]),
            ("another upload id", &[right[0], right[1], ("upload id", "18")]),
            ("bucket and key exchanged", &[("bucket", "cat.jpg"), ("key", "photos"), right[2]]),
            ("no upload id", &right[..2]),
            ("one pair more", &[right[0], right[1], right[2], ("version", "")]),
            ("no place", &[]),
        ] {
            refused(what, Refusal::Wrap, || server().resume_upload(upload.stored(), &context(pairs)));
        }
        // Whether its pairs are stored ones makes no difference: none is.
        let mut only_bound = EncryptionContext::new();
        right.iter().for_each(|(key, value)| only_bound.bind(key, value).expect("a pair"));
        server().resume_upload(upload.stored(), &only_bound).expect("in its place");
    }
}

#[test]
fn states_and_receipts_of_another_upload_are_refused() {
    let _turn = turn();
    for layers in [1, 2] {
        let ours = start(layers);
        let theirs = sealing(layers).with_context(bound());
        let elsewhere = context(&[("bucket", "photos"), ("key", "dog.jpg"), ("upload id", "18")]);
        let theirs = theirs.start_upload(&key("server"), &elsewhere).expect("started");
        refused("their state in our place", Refusal::Wrap, || resume(theirs.0.stored()));
        // In the same place, and still another upload.
        let again = start(layers);
        let (_, receipt, etag) = put(&ours, 1, b"plain");
        for other in [&theirs.0, &again.0] {
            refused("a receipt of ours", Refusal::Receipt, || other.open_receipt(&receipt));
            refused("a receipt of ours", Refusal::Receipt, || other.select(&[(1, &etag)], &[&receipt]));
        }
        // Sealed under our keys, and no receipt.
        let sealed = ours.0.stored()[state_fields(ours.0.stored())[&4].clone()].to_vec();
        refused("the secrets of a state", Refusal::Receipt, || ours.0.open_receipt(&sealed));
        let selection = ours.0.select(&[(1, &etag)], &[&receipt]).expect("it is there");
        let completed = ours.0.complete(&selection, &selection.attributes()[0], 0).expect("completed");
        let table = completed.table.expect("apart");
        refused("a part table", Refusal::Receipt, || ours.0.open_receipt(&table));
        let attributes =
            objseal::envelope::Head::parse(&completed.head).expect("a head").unverified().attributes.clone();
        let attributes = attributes.expect("in the head");
        refused("attributes", Refusal::Receipt, || ours.0.open_receipt(&attributes));
        // Each byte of a receipt is sealed, and nothing of it stands in clear.
        for at in 0..receipt.len() {
            let mut changed = receipt.clone();
            changed[at] ^= 1;
            refused("a changed receipt", Refusal::Receipt, || ours.0.open_receipt(&changed));
            refused("a receipt that is cut short", Refusal::Receipt, || ours.0.open_receipt(&receipt[..at]));
        }
        let opened = ours.0.open_receipt(&receipt).expect("authentic");
        let digests = opened.attributes.digests.iter().map(|(_, digest)| digest);
        for value in digests.chain([etag.as_bytes(), &opened.salts[0]]) {
            assert!(!receipt.windows(value.len()).any(|window| window == value));
        }
    }
}

#[test]
fn unlocking_is_refused_for_its_own_reason() {
    let _turn = turn();
    for layers in [1, 2] {
        let (upload, _) = start(layers);
        let upload = resume(upload.stored()).expect("authentic");
        upload.unlock(&customer()).expect("the right keys");
        let demand = |options: &OpenOptions| match upload.unlock(options).map(drop) {
            Err(EnvelopeError::Policy(demand)) => demand,
            other => panic!("{other:?}"),
        };
        // What the object will be bound to.
        let pairs = |pairs| opening().with_context(context(pairs));
        assert_eq!(demand(&opening()), Demand::Context);
        assert_eq!(demand(&opening().with_any_context()), Demand::Context);
        assert_eq!(demand(&pairs(&[("owner", "anna")])), Demand::Context);
        assert_eq!(demand(&pairs(&[("key", "cat.jpg"), ("owner", "otto")])), Demand::Context);
        let another_value = pairs(&[("key", "dog.jpg"), ("owner", "anna")]);
        refused("another value", Refusal::Wrap, || upload.unlock(&another_value));
        upload.unlock(&pairs(&[("key", "cat.jpg"), ("owner", "anna")])).expect("the right ones");
        // Whatever else the policy demands.
        let with = |change: &dyn Fn(&mut Policy)| {
            let mut options = customer();
            change(options.policy_mut());
            options
        };
        assert_eq!(demand(&with(&|policy| policy.minimum_layers = 3)), Demand::Layers);
        assert_eq!(demand(&with(&|policy| policy.minimum_generation = 2)), Demand::Generation);
        let other = start(1).0.object_id();
        assert_eq!(demand(&with(&|policy| policy.object_id = Some(other))), Demand::ObjectId);
        // Other keys, or none, for each layer.
        for missing in &LAYERS[..layers] {
            let others = || LAYERS.iter().filter(|id| *id != missing).map(|id| key(id));
            let options = others().fold(OpenOptions::new().with_context(bound()), OpenOptions::with_key);
            let error = upload.unlock(&options).map(drop).expect_err("one is missing");
            assert!(
                matches!(&error, EnvelopeError::NoAcceptedKey { wanted } if wanted[0].key_id == *missing),
                "{error}"
            );
            let another = WrappingKey::new("kms", missing, 1, secret("x")).expect("names");
            another_key("another", missing, upload.unlock(&options.with_key(Arc::new(another))));
        }
    }
}

#[test]
fn the_policy_says_which_keys_a_state_may_be_under() {
    let _turn = turn();
    let (upload, _) = start(2);
    let service = Arc::new(Counting::default());
    let with = |change: &dyn Fn(&mut Policy)| {
        let mut options = OpenOptions::new().with_service(service.clone());
        change(options.policy_mut());
        options
    };
    for change in [
        &(|policy: &mut Policy| policy.keys.key_ids = Some(vec!["inner".into(), "outer".into()]))
            as &dyn Fn(&mut Policy),
        &|policy| policy.keys.key_ids = Some(Vec::new()),
        &|policy| policy.keys.services = Some(vec!["keyring".into()]),
    ] {
        let error = with(change).resume_upload(upload.stored(), &place()).map(drop).expect_err("not accepted");
        let EnvelopeError::NoAcceptedKey { wanted } = error else { panic!("{error}") };
        assert_eq!(wanted.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"version 1 of "server" of "kms""#]);
    }
    assert_eq!(service.asked(), 0);
    // The key that is demanded, and nothing that is demanded of the object.
    let change = |policy: &mut Policy| {
        policy.keys.key_ids = Some(vec!["server".into()]);
        (policy.minimum_layers, policy.minimum_generation) = (3, 9);
        policy.layer_keys.iter_mut().for_each(|keys| keys.key_ids = Some(Vec::new()));
    };
    with(&change).resume_upload(upload.stored(), &place()).expect("accepted");
    assert_eq!(service.asked(), 1);
}

#[test]
fn what_somebody_with_the_servers_key_makes_of_a_state() {
    let _turn = turn();
    for layers in [1, 2] {
        let (upload, _) = start(layers);
        let (another, _) = start(layers);
        let state = upload.stored();
        let draft_of = |state: &[u8]| {
            let secrets = secrets(state);
            secrets[fields(&secrets, 0..secrets.len())[&2].clone()].to_vec()
        };
        assert_eq!(resume(&with_secrets(state, |_| {})).expect("the same").object_id(), upload.object_id());
        resume(&with_secrets(state, |fields| drop(fields.insert(0x8000, Vec::new())))).expect("optional");

        // The head of another object, or its number of layers.
        let theirs = draft_of(another.stored());
        refused("another object", Refusal::Upload, || {
            resume(&with_secrets(state, |fields| drop(fields.insert(2, theirs))))
        });
        let other_layers = draft_of(start(3 - layers).0.stored());
        let id = &draft_of(state)[..36];
        let other_layers = [id, &other_layers[36..]].concat();
        refused("another number of layers", Refusal::Upload, || {
            resume(&with_secrets(state, |fields| drop(fields.insert(2, other_layers))))
        });
        // Subkeys of another object: no part is sealed that the head to come does not open.
        let mixed = with_secrets(state, |fields| fields.get_mut(&1).expect("there")[0] ^= 1);
        let mixed = resume(&mixed).expect("whoever has the key says so");
        refused("another MAC subkey", Refusal::Upload, || mixed.unlock(&customer()));

        let malformed = |what: &str, expected: FormatError, state: &[u8]| {
            let error = resume(state).map(drop).expect_err(what);
            assert!(matches!(error, EnvelopeError::Format(found) if found == expected), "{what}: {error}");
        };
        for tag in 1..=3 {
            malformed(
                "one field less",
                FormatError::Malformed,
                &with_secrets(state, |fields| drop(fields.remove(&tag))),
            );
        }
        let more = |tag: u16| with_secrets(state, |fields| drop(fields.insert(tag, Vec::new())));
        malformed("one field more", FormatError::UnknownField(4), &more(4));
        for len in [0, 32, 127, 129, 160] {
            malformed(
                "other subkeys",
                FormatError::Malformed,
                &with_secrets(state, |fields| {
                    fields.get_mut(&1).expect("there").resize(len, 0);
                }),
            );
        }
        malformed(
            "a short digest",
            FormatError::Malformed,
            &with_secrets(state, |fields| {
                fields.get_mut(&3).expect("there").pop();
            }),
        );
        // A head that is complete is not one to come.
        for tag in [7, 9, 10] {
            malformed(
                "a field that comes later",
                FormatError::Malformed,
                &with_secrets(state, |secrets| {
                    let draft = [&[0; 8][..], &secrets[&2]].concat();
                    let places = fields(&draft, 8..draft.len());
                    let value = vec![0; if tag == 9 { 13 } else { 0 } + 24 * layers];
                    secrets
                        .insert(2, with_fields(&draft, &places, |draft| drop(draft.insert(tag, value)))[8..].to_vec());
                }),
            );
        }
        // Outside of the secrets.
        let outside = |change: &dyn Fn(&mut Fields)| with_fields(state, &state_fields(state), change);
        for tag in 1..=4 {
            malformed("one field less", FormatError::Malformed, &outside(&|fields| drop(fields.remove(&tag))));
        }
        malformed(
            "one field more",
            FormatError::UnknownField(5),
            &outside(&|fields| drop(fields.insert(5, Vec::new()))),
        );
        malformed(
            "an entry of a layer",
            FormatError::Malformed,
            &outside(&|fields| fields.get_mut(&3).expect("there")[0] = 1),
        );
        malformed(
            "two entries",
            FormatError::Malformed,
            &outside(&|fields| {
                let entry = fields[&3].clone();
                fields.get_mut(&3).expect("there").extend(entry);
            }),
        );
        resume(&outside(&|fields| drop(fields.insert(0x8000, Vec::new())))).expect("optional");
        // Another number of layers: the place of the wrap is another one.
        let suites = [0, 1].repeat(3 - layers);
        refused("other suites", Refusal::Wrap, || resume(&outside(&|fields| drop(fields.insert(2, suites.clone())))));
    }
}

#[test]
fn what_somebody_with_the_receipts_subkey_makes_of_a_receipt() {
    let _turn = turn();
    for layers in [1, 2] {
        let both = start(layers);
        let (_, receipt, etag) = put(&both, 3, b"plain");
        let state = both.0.stored();
        let (object, subkeys) = (Object::of_state(state), secrets(state));
        let subkeys = &subkeys[fields(&subkeys, 0..subkeys.len())[&1].clone()];
        let subkey = Key::try_from(&subkeys[64..96]).expect("32 bytes");
        let plain = object.open_record(Role::Receipt, &subkey, &receipt).expect("as FORMAT.md says");
        let parts = fields(&plain, 0..plain.len());
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(plain[parts[&1].clone()], 3_u32.to_be_bytes());
        assert_eq!(parts[&2].len(), 24 * layers);
        assert!(plain[parts[&3].clone()].starts_with(&field(1, &5_u64.to_be_bytes())));
        assert!(plain.windows(etag.len()).any(|window| window == etag.as_bytes()));

        let opened = |change: &dyn Fn(&mut Fields)| {
            let plain = [&[0; 8][..], &plain].concat();
            let plain = with_fields(&plain, &fields(&plain, 8..plain.len()), change);
            both.0.open_receipt(&object.seal_record(Role::Receipt, &subkey, &plain[8..]).0)
        };
        assert_eq!(opened(&|_| {}).expect("the same"), both.0.open_receipt(&receipt).expect("authentic"));
        assert_eq!(opened(&|fields| drop(fields.insert(0x8000, Vec::new()))).expect("optional").number, 3);
        for (what, expected, change) in [
            (
                "no number",
                FormatError::Malformed,
                &(|fields: &mut Fields| drop(fields.remove(&1))) as &dyn Fn(&mut Fields),
            ),
            ("no salts", FormatError::Malformed, &|fields| drop(fields.remove(&2))),
            ("no attributes", FormatError::Malformed, &|fields| drop(fields.remove(&3))),
            ("a field more", FormatError::UnknownField(4), &|fields| drop(fields.insert(4, Vec::new()))),
            ("a salt more", FormatError::Malformed, &|fields| fields.get_mut(&2).expect("there").extend([0; 24])),
            ("a salt less", FormatError::Malformed, &|fields| drop(fields.get_mut(&2).expect("there").split_off(1))),
        ] {
            let error = opened(change).expect_err(what);
            assert!(matches!(error, EnvelopeError::Format(found) if found == expected), "{what}: {error}");
        }
    }
}

#[test]
fn the_wrapped_keys_of_a_completed_object_are_those_of_its_upload() {
    let _turn = turn();
    let both = start(2);
    let (_, receipt, etag) = put(&both, 1, b"plain");
    let selection = both.0.select(&[(1, &etag)], &[&receipt]).expect("it is there");
    let mut attributes = Attributes::new(5);
    attributes.etag = Some("of the whole".into());
    // By several processes, and again and again: only salts are new.
    let complete =
        |upload: &Upload| upload.complete(&selection, &attributes, INLINE_ENVELOPE_LEN).expect("completed").head;
    let heads = [complete(&both.0), complete(&both.0), complete(&resume(both.0.stored()).expect("authentic"))];
    for head in &heads {
        assert_eq!(
            head[entries(head)[0]["layer"].start..entries(head)[1]["wrap"].end],
            heads[0][entries(head)[0]["layer"].start..entries(head)[1]["wrap"].end]
        );
        let envelope = customer().open(head).expect("authentic");
        assert_eq!(envelope.attributes().expect("authentic").expect("in the head"), attributes);
    }
    assert!(heads[0] != heads[1] && heads[1] != heads[2]);
}
