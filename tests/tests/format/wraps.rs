//! Wrapped keys: what each byte of an entry is bound to, fingerprints, and what a message under a wrapping key passes for.

use crate::{another_key, key, opening, refused, sealing, secret, turn};
use objseal::cobblestone::Cobblestone;
use objseal::envelope::{
    EncryptionContext, EnvelopeError, FormatError, KeyKind, KeyRequest, KeyServiceError, OpenOptions, SealOptions,
    ServiceContext, WrappingKey,
};
use objseal::hazmat::refusals::Refusal;
use objseal::{Error, Key};
use objseal_tests::format::{Object, data_key, entries, wrap_key};
use std::sync::Arc;

/// A key of each kind that has a blob, for objects and for buckets.
fn with_blob(kind: KeyKind, service_context: ServiceContext, secret: Key) -> Arc<WrappingKey> {
    let key = WrappingKey::new("kms", "photos", 0x0102_0304, secret).expect("names");
    Arc::new(key.with_blob(kind, service_context, b"what the service wrapped").expect("it fits"))
}

/// Opens a head with whatever key is asked for: of these names, this kind and this blob, and the right secret.
fn believing(head: &[u8], secret: &dyn Fn() -> Key) -> Result<objseal::envelope::Envelope, EnvelopeError> {
    let answer = |request: &KeyRequest| -> Result<Arc<WrappingKey>, KeyServiceError> {
        let key = WrappingKey::new(request.service(), request.key_id(), request.key_version(), secret());
        let key = key.expect("it was parsed");
        let kind = request.kind();
        let key = if kind == KeyKind::Local {
            Ok(key)
        } else {
            key.with_blob(kind, request.service_context(), request.blob())
        };
        Ok(Arc::new(key.expect("it was parsed")))
    };
    let mut plan = OpenOptions::new().plan(head)?;
    while let Some(request) = plan.next_request() {
        plan.answer(answer(&request));
    }
    plan.finish()
}

#[test]
fn every_byte_of_an_entry_is_bound() {
    #[derive(Debug, PartialEq)]
    enum Answer {
        Refused(Option<Refusal>),
        Format(FormatError),
    }
    let _turn = turn();
    let secret = || Key::from_bytes(&[7; Key::LEN]);
    let key = with_blob(KeyKind::Shared, ServiceContext::Object, secret());
    let (envelope, _) = SealOptions::new(key.clone()).start().expect("sealed");
    let head = envelope.stored();
    believing(head, &secret).expect("nothing was changed");
    let parts = entries(head).remove(0);
    let answer = |at: usize, change: &dyn Fn(u8) -> u8| {
        let mut changed = head.to_vec();
        changed[at] = change(changed[at]);
        objseal::hazmat::refusals::take();
        let error = believing(&changed, &secret).map(drop).expect_err("it was changed");
        // Whoever has the one right key does not take it either.
        OpenOptions::new().with_key(key.clone()).open(&changed).expect_err("it was changed");
        match error {
            EnvelopeError::Authentication => Answer::Refused(objseal::hazmat::refusals::take()),
            EnvelopeError::Format(error) => Answer::Format(error),
            error => panic!("byte {at}: {error}"),
        }
    };
    // The values say what they are: another one that is well-formed does not open.
    for (part, reason) in [
        ("service", Refusal::Wrap),
        ("key id", Refusal::Wrap),
        ("key version", Refusal::Wrap),
        ("blob", Refusal::Wrap),
        ("wrap", Refusal::Wrap),
        // It chooses words, and the MAC is over it.
        ("fingerprint", Refusal::Mac),
    ] {
        for at in parts[part].clone() {
            for bit in [1, 4] {
                assert_eq!(answer(at, &|byte| byte ^ bit), Answer::Refused(Some(reason)), "{part}");
            }
        }
    }
    let (kind, service_context, layer) = (&parts["kind"], &parts["service context"], &parts["layer"]);
    for (at, value, expected) in [
        (kind, 2, Answer::Refused(Some(Refusal::Wrap))),
        // These are of another form: no blob, no fingerprint.
        (kind, 1, Answer::Format(FormatError::Malformed)),
        (kind, 4, Answer::Format(FormatError::Malformed)),
        (kind, 0, Answer::Format(FormatError::Unsupported)),
        (kind, 5, Answer::Format(FormatError::Unsupported)),
        (service_context, 0, Answer::Refused(Some(Refusal::Wrap))),
        (service_context, 2, Answer::Refused(Some(Refusal::Wrap))),
        (service_context, 3, Answer::Format(FormatError::Unsupported)),
        (layer, 0, Answer::Format(FormatError::Malformed)),
        (layer, 2, Answer::Format(FormatError::Malformed)),
    ] {
        assert_eq!(answer(at.start, &|_| value), expected, "{value}");
    }
    // Lengths: whatever comes of them, it is not this entry.
    for part in ["service", "key id", "blob"] {
        for at in parts[part].start - 2..parts[part].start {
            for bit in 0..8 {
                let answer = answer(at, &|byte| byte ^ 1 << bit);
                assert!(matches!(answer, Answer::Format(_)), "{part}: {answer:?}");
            }
        }
    }
}

#[test]
fn a_wrong_key_and_a_changed_wrap_are_told_apart_where_there_is_a_fingerprint() {
    let _turn = turn();
    let right = || Key::from_bytes(&[7; Key::LEN]);
    let wrong = || Key::from_bytes(&[8; Key::LEN]);
    let local = |secret| Arc::new(WrappingKey::new("kms", "photos", 1, secret).expect("names"));
    let of_kind = |kind: KeyKind, secret: Key| match kind {
        KeyKind::Local => local(secret),
        kind => with_blob(kind, ServiceContext::Object, secret),
    };
    for kind in [KeyKind::Local, KeyKind::Object, KeyKind::Shared, KeyKind::Customer] {
        for layers in [1, 2] {
            let options = SealOptions::new(of_kind(kind, right()));
            let options = if layers == 2 { options.with_outer_key(of_kind(kind, right())) } else { options };
            let (envelope, _) = options.start().expect("sealed");
            let head = envelope.stored();
            let with = |key: Key, head: &[u8]| OpenOptions::new().with_key(of_kind(kind, key)).open(head);
            with(right(), head).expect("authentic");
            let fingerprint = head[entries(head)[0]["fingerprint"].clone()].to_vec();
            if kind == KeyKind::Customer {
                assert_eq!(fingerprint, b"", "a customer's key has none");
                refused("another key", Refusal::Wrap, || with(wrong(), head));
            } else {
                assert_eq!(fingerprint, Object::of(head).fingerprint(&right()));
                another_key("another key", "photos", with(wrong(), head));
            }
            let mut changed = head.to_vec();
            changed[entries(head)[0]["wrap"].start + 30] ^= 1;
            refused("a changed wrap", Refusal::Wrap, || with(right(), &changed));
            if kind != KeyKind::Customer {
                // Anybody can write a fingerprint: the words are wrong then, and nothing else.
                let theirs = Object::of(head).fingerprint(&wrong());
                changed[entries(head)[0]["fingerprint"].clone()].copy_from_slice(&theirs);
                another_key("a changed wrap under another fingerprint", "photos", with(right(), &changed));
                refused("another key that is said to be it", Refusal::Wrap, || with(wrong(), &changed));
            }
        }
    }
    // One of several keys at hand is the right one of that name.
    let (envelope, _) = SealOptions::new(local(right())).start().expect("sealed");
    let options = OpenOptions::new().with_key(local(wrong())).with_key(local(right()));
    options.open(envelope.stored()).expect("authentic");
    // Of two recipients one was changed, and of the other there is another key: that something was changed goes first.
    let (envelope, _) = SealOptions::new(key("a")).with_key(key("b")).start().expect("sealed");
    let mut changed = envelope.stored().to_vec();
    changed[entries(envelope.stored())[0]["wrap"].start + 30] ^= 1;
    let another = Arc::new(WrappingKey::new("kms", "b", 1, wrong()).expect("names"));
    let options = OpenOptions::new().with_key(key("a")).with_key(another);
    refused("one of each", Refusal::Wrap, || options.open(&changed));
}

#[test]
fn fingerprints_link_no_objects() {
    let _turn = turn();
    let fingerprints = || {
        let (envelope, _) = sealing(1).with_outer_key(key("inner")).start().expect("sealed");
        let head = envelope.stored();
        let of_layers: Vec<_> = entries(head).iter().map(|entry| head[entry["fingerprint"].clone()].to_vec()).collect();
        assert_eq!(of_layers, vec![Object::of(head).fingerprint(&secret("inner")); 2], "one key, one object");
        of_layers[0].clone()
    };
    let all: std::collections::HashSet<_> = (0..100).map(|_| fingerprints()).collect();
    assert_eq!(all.len(), 100);
    // Another key, the same object.
    let (envelope, _) = sealing(2).start().expect("sealed");
    let [inner, outer] = [0, 1].map(|entry| entries(envelope.stored())[entry]["fingerprint"].clone());
    assert_ne!(envelope.stored()[inner], envelope.stored()[outer]);
}

#[test]
fn a_message_under_the_wrapping_key_itself_is_no_wrap_and_a_wrap_is_no_such_message() {
    let _turn = turn();
    let none = EncryptionContext::new();
    for layers in [1, 2] {
        let (envelope, _) = sealing(layers).start().expect("sealed");
        let head = envelope.stored();
        for (entry, id) in (0..layers).zip(["inner", "outer"]) {
            let at = entries(head)[entry]["wrap"].clone();
            let (bare, context) = (secret(id), Object::of(head).wrap_context(head, &entries(head)[entry], &none));
            let (bare, derived) = (Cobblestone::new(&bare, &context), wrap_key(&secret(id)));
            let derived = Cobblestone::new(&derived, &context);
            let data_key = data_key(head, entry, &secret(id), &none);
            // The same data key for the same context, under the wrapping key: as any other program would seal it.
            let mut changed = head.to_vec();
            changed[at.clone()].copy_from_slice(&bare.seal(data_key.expose_secret()).expect("random bytes"));
            refused("sealed under the wrapping key itself", Refusal::Wrap, || opening().open(&changed));
            // Under the key that is derived of it, it is a wrap.
            changed[at.clone()].copy_from_slice(&derived.seal(data_key.expose_secret()).expect("random bytes"));
            refused("another wrap of the same key", Refusal::Mac, || opening().open(&changed));
            // And the other way round.
            assert_eq!(bare.open(&head[at.clone()]), Err(Error::Authentication));
            assert_eq!(derived.open(&head[at]).as_deref(), Ok(&data_key.expose_secret()[..]));
        }
    }
}

#[test]
fn the_context_of_a_wrap_tells_layers_and_numbers_of_layers_apart() {
    let _turn = turn();
    let none = EncryptionContext::new();
    let (envelope, _) = sealing(1).with_outer_key(key("inner")).start().expect("sealed");
    let head = envelope.stored();
    let at = [0, 1].map(|entry| entries(head)[entry]["wrap"].clone());
    let mut swapped = head.to_vec();
    swapped[at[0].clone()].copy_from_slice(&head[at[1].clone()]);
    swapped[at[1].clone()].copy_from_slice(&head[at[0].clone()]);
    refused("wraps of two layers, exchanged", Refusal::Wrap, || opening().open(&swapped));
    // The same entry for an object of one layer.
    let of_one = Object { layers: 1, ..Object::of(head) };
    let wrap = &head[at[0].clone()];
    let wrap_key = wrap_key(&secret("inner"));
    for (object, opens) in [(of_one, false), (Object::of(head), true)] {
        let context = object.wrap_context(head, &entries(head)[0], &none);
        assert_eq!(Cobblestone::new(&wrap_key, &context).open(wrap).is_ok(), opens);
    }
}
