//! Private fields, and optional fields of later versions.

use crate::{forged, key, opening, refused, sealing, turn};
use objseal::envelope::{Attributes, EncryptionContext, EnvelopeError, FormatError, SealOptions};
use objseal::hazmat::refusals::Refusal;
use objseal::limits::{INLINE_ENVELOPE_LEN, LATE_FIELDS_LEN};
use objseal_tests::format::{field, head_fields};
use objseal_tests::{context, pattern};

fn with_fields(options: SealOptions, fields: &[(u16, &[u8])]) -> SealOptions {
    fields.iter().fold(options, |options, (tag, value)| options.with_field(*tag, value).expect("a private field"))
}

#[test]
fn they_come_back_are_kept_by_a_rewrap_and_can_be_replaced() {
    let _turn = turn();
    let fields: [(u16, &[u8]); 3] = [(0xFFFF, b"last"), (0xC000, b"first"), (0xC001, b"")];
    let (envelope, body) = with_fields(sealing(1), &fields).start().expect("sealed");
    let stored = body.seal(b"plain").expect("sealed");
    // In clear, sorted.
    let end = envelope.stored().len() - 32;
    assert!(
        envelope.stored()[..end]
            .ends_with(&[field(0xC000, b"first"), field(0xC001, b""), field(0xFFFF, b"last")].concat())
    );
    let opened = opening().open(envelope.stored()).expect("authentic");
    for (tag, value) in fields {
        assert_eq!((opened.head().field(tag), envelope.head().field(tag)), (Some(value), Some(value)));
    }
    assert_eq!([0, 4, 0x8000, 0xBFFF, 0xC002].map(|tag| opened.head().field(tag)), [None; 5]);
    // A rewrap keeps them, replaces what is set anew, and adds.
    let again = with_fields(sealing(1), &[(0xC000, b"replaced"), (0xC002, b"new")]).rewrap(&opened).expect("rewrapped");
    let again = opening().open(again.stored()).expect("authentic");
    let now = [0xC000, 0xC001, 0xC002, 0xFFFF].map(|tag| again.head().field(tag));
    assert_eq!(now, [Some(&b"replaced"[..]), Some(b""), Some(b"new"), Some(b"last")]);
    assert_eq!(again.body().expect("one body").open(&stored).expect("authentic"), b"plain");
    // And so do attributes that come late.
    let late = again.with_attributes(&Attributes::new(5)).expect("sealed");
    let late = opening().open(late.stored()).expect("authentic");
    assert_eq!((late.head().field(0xC002), late.head().field(0xFFFF)), (Some(&b"new"[..]), Some(&b"last"[..])));
}

#[test]
fn they_are_authentic() {
    let _turn = turn();
    let (envelope, _) = with_fields(sealing(2), &[(0xC000, b"private")]).start().expect("sealed");
    let at = head_fields(envelope.stored())[&0xC000].clone();
    for byte in at {
        let mut changed = envelope.stored().to_vec();
        changed[byte] ^= 1;
        refused("a changed field", Refusal::Mac, || opening().open(&changed));
    }
    let end = envelope.stored().len() - 32;
    let (fields, mac) = envelope.stored().split_at(end);
    refused("one more", Refusal::Mac, || opening().open(&[fields, &field(0xC001, b""), mac].concat()));
    refused("one less", Refusal::Mac, || opening().open(&[&fields[..end - 11], mac].concat()));
}

#[test]
fn their_tags_and_lengths_have_bounds() {
    let refusal = |tag: u16, len: usize| sealing(1).with_field(tag, &pattern(len)).err();
    for tag in [0, 1, 11, 0x7FFF, 0x8000, 0xBFFF] {
        assert_eq!(refusal(tag, 1), Some(FormatError::Malformed), "{tag:#x}");
    }
    for (tag, len, expected) in [
        (0xC000, LATE_FIELDS_LEN, None),
        (0xFFFF, 0, None),
        (0xC000, LATE_FIELDS_LEN + 1, Some(FormatError::TooLong)),
        (0xC000, 70_000, Some(FormatError::TooLong)),
    ] {
        assert_eq!(refusal(tag, len), expected, "{tag:#x}, {len} bytes");
    }
}

#[test]
fn the_head_to_come_of_an_upload_has_them() {
    let _turn = turn();
    let place = context(&[("upload id", "17")]);
    let sealing = with_fields(sealing(1), &[(0xC000, b"private")]);
    let (upload, _) = sealing.start_upload(&key("server"), &place).expect("started");
    let server = opening().with_key(key("server"));
    let resumed = server.resume_upload(upload.stored(), &place).expect("authentic");
    let parts = resumed.unlock(&opening()).expect("the right keys");
    let (attempt, _) = parts.part(1).expect("a salt");
    let (receipt, proof) = resumed.receipt(attempt, Attributes::new(5)).expect("a receipt");
    let etag = receipt.attributes.etag.expect("there is one");
    let selection = resumed.select(&[(1, &etag)], &[&proof]).expect("it is there");
    let completed = resumed.complete(&selection, &Attributes::new(5), INLINE_ENVELOPE_LEN).expect("completed");
    assert_eq!(opening().open(&completed.head).expect("authentic").head().field(0xC000), Some(&b"private"[..]));
}

#[test]
fn fields_of_later_versions_are_kept_if_they_are_optional() {
    let _turn = turn();
    let none = EncryptionContext::new();
    for layers in [1, 2] {
        let (envelope, _) = with_fields(sealing(layers), &[(0xC000, b"private")]).start().expect("sealed");
        let later = |tag: u16| {
            forged(envelope.stored(), &none, |fields| drop(fields.insert(tag, b"of a later version".to_vec())))
        };
        for tag in [0x8000, 0xBFFF] {
            let opened = opening().open(&later(tag)).expect("it may be passed over");
            assert_eq!(opened.head().field(tag), None, "it is not private");
            let again = sealing(layers).rewrap(&opened).expect("rewrapped");
            let fields = head_fields(again.stored());
            assert_eq!(&again.stored()[fields[&tag].clone()], b"of a later version");
            opening().open(again.stored()).expect("authentic");
        }
        for tag in [11, 0x7FFF] {
            let error = opening().open(&later(tag)).expect_err("it must be known");
            assert!(
                matches!(error, EnvelopeError::Format(FormatError::UnknownField(found)) if found == tag),
                "{error}"
            );
        }
    }
}
