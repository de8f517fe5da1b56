//! Stored pairs, and pairs that are bound and not stored.

use crate::{Counting, changed, data_keys, forged, opening, refused, sealing, secret, turn};
use objseal::cobblestone::Cobblestone;
use objseal::envelope::{
    Demand, DemandedContext, EncryptionContext, EnvelopeError, FormatError, Head, OpenOptions, SealOptions,
};
use objseal::hazmat::refusals::Refusal;
use objseal_tests::context;
use objseal_tests::format::{self, Object, entries, head_fields, short, wrap_key};
use std::sync::Arc;

/// These pairs, of which those of `bound` are not stored.
fn pairs(stored: &[(&str, &str)], bound: &[(&str, &str)]) -> EncryptionContext {
    let mut context = context(stored);
    bound.iter().for_each(|(key, value)| context.bind(key, value).expect("a pair"));
    context
}

/// What the objects here are bound to.
fn bound() -> EncryptionContext {
    pairs(&[("owner", "anna")], &[("bucket", "photos"), ("name", "cat.jpg")])
}

fn demanding(context: DemandedContext) -> OpenOptions {
    let mut options = opening();
    options.policy_mut().context = context;
    options
}

fn exactly(pairs: &[(&str, &str)]) -> DemandedContext {
    DemandedContext::Exactly(context(pairs))
}

fn known(pairs: &[(&str, &str)]) -> DemandedContext {
    DemandedContext::Known(context(pairs))
}

#[test]
fn the_value_of_a_bound_pair_comes_from_who_opens() {
    let _turn = turn();
    for layers in [1, 2] {
        let (envelope, body) = sealing(layers).with_context(bound()).start().expect("sealed");
        let (head, stored) = (envelope.stored(), body.seal(b"plain").expect("sealed"));
        // Only the keys are stored.
        let parsed = Head::parse(head).expect("a head").unverified().clone();
        assert_eq!(parsed.context, context(&[("owner", "anna")]));
        assert_eq!(parsed.bound_keys, ["bucket", "name"]);
        assert_eq!(head[head_fields(head)[&2].clone()], [short(b"bucket"), short(b"name")].concat());
        for (value, there) in [("anna", true), ("photos", false), ("cat.jpg", false)] {
            assert_eq!(head.windows(value.len()).any(|window| window == value.as_bytes()), there, "{value}");
        }

        let all = [("bucket", "photos"), ("name", "cat.jpg"), ("owner", "anna")];
        for right in [exactly(&all), DemandedContext::Exactly(bound()), known(&all[..2])] {
            let opened = demanding(right).open(head).expect("authentic");
            // All pairs are there then, and it is known which are stored.
            assert_eq!(opened.head().context, bound());
            assert_eq!(opened.head().bound_keys, ["bucket", "name"]);
            assert_eq!(opened.body().expect("one body").open(&stored).expect("authentic"), b"plain");
        }
        // Another value: nothing but the wrap can tell.
        for wrong in [[("bucket", "photos"), ("name", "dog.jpg")], [("bucket", "cat.jpg"), ("name", "photos")]] {
            refused("another value", Refusal::Wrap, || demanding(known(&wrong)).open(head));
            let all = [wrong[0], wrong[1], ("owner", "anna")];
            refused("another value", Refusal::Wrap, || demanding(exactly(&all)).open(head));
        }
    }
}

#[test]
fn pairs_that_are_missing_or_too_many_are_refused_before_anybody_is_asked() {
    let _turn = turn();
    let (envelope, _) = sealing(1).with_context(bound()).start().expect("sealed");
    let (nothing_bound, _) = sealing(1).with_context(context(&[("owner", "anna")])).start().expect("sealed");
    let service = Arc::new(Counting::default());
    let open = |head: &[u8], demanded: DemandedContext| {
        let mut options = OpenOptions::new().with_service(service.clone());
        options.policy_mut().context = demanded;
        options.open(head)
    };
    let all = [("bucket", "photos"), ("name", "cat.jpg"), ("owner", "anna")];
    for demanded in [
        DemandedContext::default(),
        DemandedContext::Any,
        exactly(&all[..2]),
        exactly(&all[1..]),
        exactly(&[all[0], all[1], ("owner", "otto")]),
        exactly(&[all[0], all[1], all[2], ("more", "")]),
        exactly(&[all[0], all[1], ("more", "anna")]),
        known(&[]),
        known(&all[..1]),
        known(&all),
        known(&[all[0], ("Name", "cat.jpg")]),
        known(&[all[0], ("owner", "anna")]),
    ] {
        let error = open(envelope.stored(), demanded.clone()).expect_err("not what is demanded");
        assert!(matches!(error, EnvelopeError::Policy(Demand::Context)), "{demanded:?}: {error}");
    }
    for demanded in [known(&all[..1]), known(&all[2..]), exactly(&all)] {
        let error = open(nothing_bound.stored(), demanded.clone()).expect_err("not what is demanded");
        assert!(matches!(error, EnvelopeError::Policy(Demand::Context)), "{demanded:?}: {error}");
    }
    assert_eq!(service.asked(), 0);
    for demanded in [DemandedContext::Any, known(&[]), exactly(&all[2..])] {
        open(nothing_bound.stored(), demanded).expect("accepted");
    }
    assert_eq!(service.asked(), 3);
}

#[test]
fn who_is_asked_for_a_key_sees_all_pairs() {
    let _turn = turn();
    let (envelope, _) = sealing(1).with_context(bound()).start().expect("sealed");
    let mut plan = OpenOptions::new().with_context(bound()).plan(envelope.stored()).expect("accepted");
    let request = plan.next_request().expect("one entry");
    assert_eq!(request.context(), &bound());
    assert_eq!(request.context().stored().collect::<Vec<_>>(), [("owner", "anna")]);
    assert_eq!(request.context().bound_keys().collect::<Vec<_>>(), ["bucket", "name"]);
}

#[test]
fn rewrapping_binds_an_object_to_another_place() {
    let _turn = turn();
    let (old, body) = sealing(2).with_context(bound()).start().expect("sealed");
    let stored = body.seal(b"plain").expect("sealed");
    let old = demanding(DemandedContext::Exactly(bound())).open(old.stored()).expect("authentic");
    let moved = pairs(&[("owner", "anna")], &[("bucket", "archive"), ("name", "2026/cat.jpg")]);
    let new = sealing(2).with_context(moved.clone()).rewrap(&old).expect("rewrapped");
    let here = |context: EncryptionContext| demanding(DemandedContext::Exactly(context));
    // The stored body is the same.
    let opened = here(moved).open(new.stored()).expect("authentic");
    assert_eq!(opened.body().expect("one body").open(&stored).expect("authentic"), b"plain");
    assert_eq!(opened.head().generation, 2);
    refused("in its old place", Refusal::Wrap, || here(bound()).open(new.stored()));
    // A pair that was bound can be stored, and the other way round; a place that is given up is none.
    for (context, bound_keys) in [
        (pairs(&[("bucket", "photos"), ("name", "cat.jpg")], &[("owner", "anna")]), &["owner"][..]),
        (context(&[("bucket", "photos"), ("name", "cat.jpg"), ("owner", "anna")]), &[]),
        (EncryptionContext::new(), &[]),
    ] {
        let new = sealing(2).with_context(context.clone()).rewrap(&old).expect("rewrapped");
        assert_eq!(Head::parse(new.stored()).expect("a head").unverified().bound_keys, bound_keys);
        let opened = here(context).open(new.stored()).expect("authentic");
        assert_eq!(opened.body().expect("one body").open(&stored).expect("authentic"), b"plain");
    }
}

#[test]
fn the_mac_is_over_all_pairs_too() {
    let _turn = turn();
    let (envelope, _) = sealing(1).with_context(bound()).start().expect("sealed");
    let head = envelope.stored();
    // Whoever wraps the data key for another place, and does not make a new MAC.
    let moved = pairs(&[("owner", "anna")], &[("bucket", "archive"), ("name", "cat.jpg")]);
    let wrap_context = Object::of(head).wrap_context(head, &entries(head)[0], &moved);
    let wrap_key = wrap_key(&secret("inner"));
    let wrap = Cobblestone::new(&wrap_key, &wrap_context).seal(&data_keys(head, &bound())).expect("random bytes");
    let mut changed = head.to_vec();
    changed[entries(head)[0]["wrap"].clone()].copy_from_slice(&wrap);
    refused("a MAC over other pairs", Refusal::Mac, || {
        demanding(DemandedContext::Exactly(moved.clone())).open(&changed)
    });
    refused("a wrap for other pairs", Refusal::Wrap, || demanding(DemandedContext::Exactly(bound())).open(&changed));
    // With a MAC it is what a rewrap would be.
    let mac_key = Object::of(head).subkey(&data_keys(head, &bound()), "mac");
    let end = changed.len() - format::MAC_LEN;
    let mac = format::head_mac(&mac_key, &changed[..end], &moved);
    changed[end..].copy_from_slice(&mac);
    demanding(DemandedContext::Exactly(moved)).open(&changed).expect("authentic");
}

#[test]
fn whether_a_pair_is_stored_cannot_be_changed() {
    let _turn = turn();
    let one_each = pairs(&[("b", "2")], &[("a", "1")]);
    let (envelope, _) = sealing(1).with_context(one_each.clone()).start().expect("sealed");
    let head = envelope.stored();
    // The pairs are the same, and so is what the wrap is bound to. The head is not.
    let stored = changed(head, |fields| {
        fields.remove(&2);
        fields.insert(5, [short(b"a"), short(b"1"), short(b"b"), short(b"2")].concat());
    });
    assert_eq!(Head::parse(&stored).expect("a head").unverified().bound_keys, [""; 0]);
    refused("a pair that became stored", Refusal::Mac, || demanding(exactly(&[("a", "1"), ("b", "2")])).open(&stored));
}

#[test]
fn keys_of_pairs_have_one_encoding_and_their_bounds() {
    let _turn = turn();
    let (envelope, _) = sealing(1).with_context(context(&[("c", "3")])).start().expect("sealed");
    let head = envelope.stored();
    let with_bound_keys = |keys: &[&str]| {
        let value = keys.iter().map(|key| short(key.as_bytes())).collect::<Vec<_>>().concat();
        Head::parse(&changed(head, |fields| drop(fields.insert(2, value))))
    };
    for (what, keys) in [
        ("none", &[][..]),
        ("an empty one", &["", "a"]),
        ("one twice", &["a", "a"]),
        ("not sorted", &["b", "a"]),
        ("one that is stored too", &["b", "c"]),
    ] {
        assert_eq!(with_bound_keys(keys).expect_err(what), FormatError::Malformed, "{what}");
    }
    assert_eq!(with_bound_keys(&["a", "b"]).expect("a head").unverified().bound_keys, ["a", "b"]);
    // 64 pairs in all.
    let many: Vec<_> = (0..64).map(|i| format!("k{i:02}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(with_bound_keys(&many[..63]).expect("a head").unverified().bound_keys.len(), 63);
    assert_eq!(with_bound_keys(&many).expect_err("one too many"), FormatError::Malformed);

    let mut context = pairs(&[("a", "1")], &[("b", "2")]);
    for added in [context.insert("b", "3"), context.bind("a", "3"), context.bind("", "3")] {
        assert_eq!(added, Err(FormatError::Malformed));
    }
    assert_eq!(context.bind("c", &"x".repeat(8_192)), Err(FormatError::TooLong));
    assert_eq!((context.get("a"), context.get("b"), context.get("c"), context.len()), (Some("1"), Some("2"), None, 2));
    // What is only bound takes part in the bounds of a context, and not in the room of a head.
    let long = pairs(&[], &[("k", &"x".repeat(8_000))]);
    let (envelope, _) = SealOptions::new(crate::key("inner")).with_context(long.clone()).start().expect("sealed");
    assert!(envelope.stored().len() < 300);
    demanding(DemandedContext::Exactly(long)).open(envelope.stored()).expect("authentic");
}

#[test]
fn forging_works_so_that_refusals_mean_something() {
    let _turn = turn();
    for layers in [1, 2] {
        let (envelope, _) = sealing(layers).with_context(bound()).start().expect("sealed");
        let same = forged(envelope.stored(), &bound(), |_| {});
        assert!(same == envelope.stored());
    }
}
