//! Part tables, the digest of each part in them, and what attributes say of checksums.

use crate::{changed, data_keys, forged, key, opening, refused, sealing, turn};
use objseal::Error;
use objseal::checksums::{Digester, Wanted, of_parts};
use objseal::envelope::{
    Attributes, ChecksumAlgorithm, ChecksumType, Completed, EncryptionContext, Envelope, EnvelopeError, FormatError,
    Part, PartTable, Selection,
};
use objseal::hazmat::refusals::Refusal;
use objseal::limits::{MAX_HEAD_LEN, MAX_PART_LEN};
use objseal_tests::context;
use objseal_tests::format::{Object, Role, field};
use std::io;

const NONE: EncryptionContext = EncryptionContext::new();

/// What is known of part `number`: its plaintext is its number in words.
fn attributes_of(number: u32, wanted: Wanted) -> Attributes {
    let mut digester = Digester::new(wanted);
    digester.update(format!("part {number}").as_bytes());
    digester.finish()
}

fn all_digests() -> Wanted {
    ChecksumAlgorithm::ALL.into_iter().fold(Wanted::NONE, |all, one| all | Wanted::of(one))
}

/// Completes an object of parts 1 to `count` with these attributes; `choose` says which digest is in the table.
fn complete(
    layers: usize,
    count: u32,
    attributes: impl Fn(u32) -> Attributes,
    choose: impl FnOnce(&mut Selection),
    inline_len: usize,
) -> Result<Completed, EnvelopeError> {
    let (upload, parts) = sealing(layers).start_upload(&key("server"), &context(&[("upload id", "17")]))?;
    let (mut receipts, mut etags) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let (attempt, _) = parts.part(number)?;
        let (receipt, stored) = upload.receipt(attempt, attributes(number))?;
        receipts.push(stored);
        etags.push((number, receipt.attributes.etag.expect("there is one")));
    }
    let receipts: Vec<_> = receipts.iter().map(Vec::as_slice).collect();
    let named: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let mut selection = upload.select(&named, &receipts)?;
    choose(&mut selection);
    upload.complete(&selection, &of_parts(&selection.attributes()), inline_len)
}

fn open(completed: &Completed) -> Envelope {
    opening().open(&completed.head).expect("authentic")
}

/// All parts, so many at a time.
fn by_pages(table: &PartTable<&[u8]>, page: u32) -> io::Result<Vec<Part>> {
    let pages = (0..table.count()).step_by(page as usize).map(|first| table.parts(first, page));
    Ok(pages.collect::<io::Result<Vec<_>>>()?.concat())
}

/// The one opaque error, as those who read have it.
fn opaque(error: io::Error) -> EnvelopeError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.map(|&error| error.into()).unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn each_part_has_its_digest_page_by_page() {
    let _turn = turn();
    // So many that the longest table is of several chunks, and so few that the shortest fits a head.
    for (count, inline_len) in [(1_000, 0), (60, MAX_HEAD_LEN)] {
        for (layers, algorithm) in [1, 2].into_iter().flat_map(|layers| {
            ChecksumAlgorithm::ALL.into_iter().map(Some).chain([None]).map(move |algorithm| (layers, algorithm))
        }) {
            let attributes = |number| attributes_of(number, all_digests());
            let completed = complete(layers, count, attributes, |selection| selection.checksum = algorithm, inline_len);
            let completed = completed.expect("completed");
            assert_eq!(completed.table.is_some(), inline_len == 0, "{layers} layers, {algorithm:?}");
            let envelope = open(&completed);
            let table = envelope.part_table(completed.table.as_deref()).expect("authentic");
            assert_eq!((table.count(), table.checksum()), (count, algorithm));
            let parts = envelope.parts(completed.table.as_deref()).expect("authentic");
            for page in [1, 37, 256, count] {
                assert!(by_pages(&table, page).expect("authentic") == parts, "{page} at a time");
            }
            assert_eq!(parts.len(), count as usize);
            for (number, part) in (1..).zip(&parts) {
                let digests = attributes_of(number, all_digests()).digests;
                let expected = algorithm.and_then(|algorithm| digests.get(algorithm)).unwrap_or_default();
                assert_eq!((part.number, &part.checksum[..]), (number, expected));
            }
            // It is not there to be read without the key.
            let stored = completed.table.as_deref().unwrap_or(&completed.head);
            let digest = &parts[3].checksum;
            assert!(digest.len() < 8 || !stored.windows(digest.len()).any(|window| window == digest));
        }
    }
}

#[test]
fn a_part_that_lacks_the_digest_is_an_error() {
    let _turn = turn();
    let md5 = |number| attributes_of(number, Wanted::MD5);
    let one_lacks = |number| attributes_of(number, if number == 3 { Wanted::MD5 } else { all_digests() });
    for (what, checksum, result) in [
        ("there", ChecksumAlgorithm::Md5, complete(1, 4, md5, |of| of.checksum = Some(ChecksumAlgorithm::Md5), 0)),
        (
            "nowhere",
            ChecksumAlgorithm::Sha256,
            complete(1, 4, md5, |of| of.checksum = Some(ChecksumAlgorithm::Sha256), 0),
        ),
        (
            "not of one",
            ChecksumAlgorithm::Sha256,
            complete(1, 4, one_lacks, |of| of.checksum = Some(ChecksumAlgorithm::Sha256), 0),
        ),
    ] {
        match result.map(drop) {
            Ok(()) => assert_eq!(checksum, ChecksumAlgorithm::Md5, "{what}"),
            Err(error) => {
                assert!(checksum != ChecksumAlgorithm::Md5, "{what}: {error}");
                assert!(matches!(error, EnvelopeError::Format(FormatError::Malformed)), "{what}: {error}");
            }
        }
    }
}

#[test]
fn the_algorithm_of_a_table_cannot_be_changed() {
    let _turn = turn();
    for (layers, inline_len) in [(1, MAX_HEAD_LEN), (1, 0), (2, MAX_HEAD_LEN), (2, 0)] {
        let attributes = |number| attributes_of(number, all_digests());
        let choose = |selection: &mut Selection| selection.checksum = Some(ChecksumAlgorithm::Sha256);
        let completed = complete(layers, 5, attributes, choose, inline_len).expect("completed");
        let (head, table) = (&completed.head, completed.table.as_deref());
        let to = |tag: u8| move |fields: &mut crate::Fields| fields.get_mut(&9).expect("there")[12] = tag;
        let known = ChecksumAlgorithm::ALL.into_iter().map(|algorithm| algorithm as u8).filter(|&tag| tag != 2);
        for tag in known.chain([0]) {
            refused("by the store", Refusal::Mac, || opening().open(&changed(head, to(tag))));
            // By somebody who has the keys: the table does not have the length.
            let envelope = opening().open(&forged(head, &NONE, to(tag))).expect("its MAC is right");
            refused("all of it", Refusal::Table, || envelope.parts(table));
            refused("as far as needed", Refusal::Table, || envelope.part_table(table).map_err(opaque));
        }
        for tag in [1, 8, 13, 18, 255] {
            let error = opening().open(&changed(head, to(tag))).expect_err("no such digest");
            assert!(matches!(error, EnvelopeError::Format(FormatError::Unsupported)), "{tag}: {error}");
        }
    }
}

/// A head whose part table has these entries, number and end, by somebody who has the keys. It says that there are so many,
/// and where they end.
fn with_table(completed: &Completed, entries: &[(u32, u64)], count: u32, end: u64) -> (Vec<u8>, Option<Vec<u8>>) {
    let head = &completed.head;
    let object = Object::of(head);
    let salts = vec![7; 24 * usize::from(object.layers)];
    let entries: Vec<_> = entries
        .iter()
        .flat_map(|(number, end)| [&number.to_be_bytes()[..], &end.to_be_bytes(), &salts].concat())
        .collect();
    let key = object.subkey(&data_keys(head, &NONE), "table");
    let (sealed, salts) = object.seal_record(Role::Table, &key, &entries);
    let facts = [&count.to_be_bytes()[..], &end.to_be_bytes(), &[0], &salts].concat();
    let (inline, apart) = if completed.table.is_some() { (None, Some(sealed)) } else { (Some(sealed), None) };
    let head = forged(head, &NONE, |fields| {
        fields.insert(9, facts);
        fields.extend(inline.map(|sealed| (10, sealed)));
    });
    (head, apart)
}

#[test]
fn a_table_that_makes_no_object_is_refused_whoever_made_it() {
    let _turn = turn();
    for (layers, inline_len) in [(1, MAX_HEAD_LEN), (1, 0), (2, MAX_HEAD_LEN), (2, 0)] {
        let attributes = |number| attributes_of(number, Wanted::NONE);
        let completed = complete(layers, 2, attributes, |_| {}, inline_len).expect("completed");
        let open = |(head, table): (Vec<u8>, Option<Vec<u8>>)| {
            let envelope = opening().open(&head).expect("its MAC is right");
            let all = envelope.parts(table.as_deref());
            let by_pages = envelope.part_table(table.as_deref()).and_then(|table| by_pages(&table, 1)).map_err(opaque);
            (all, by_pages)
        };
        for (entries, count, end) in [
            (&[(1, 4), (2, 10)][..], 2, 10),
            (&[(9_999, 4), (10_000, 10)], 2, 10),
            (&[(7, MAX_PART_LEN), (9, 2 * MAX_PART_LEN)], 2, 2 * MAX_PART_LEN),
            (&[(7, 0)], 1, 0),
        ] {
            let (all, by_pages) = open(with_table(&completed, entries, count, end));
            assert_eq!(all.expect("an object"), by_pages.expect("an object"));
        }
        for (what, entries, count, end) in [
            ("a number twice", &[(2, 4), (2, 10)][..], 2, 10),
            ("numbers that fall", &[(2, 4), (1, 10)], 2, 10),
            ("number 0", &[(0, 4), (1, 10)], 2, 10),
            ("number 10,001", &[(1, 4), (10_001, 10)], 2, 10),
            ("an end twice", &[(1, 4), (2, 4)], 2, 4),
            ("ends that fall", &[(1, 6), (2, 4)], 2, 4),
            ("an empty part of two", &[(1, 0), (2, 10)], 2, 10),
            ("a part that is too long", &[(1, MAX_PART_LEN + 1), (2, MAX_PART_LEN + 2)], 2, MAX_PART_LEN + 2),
            ("another end than the head says", &[(1, 4), (2, 9)], 2, 10),
            ("an end behind that", &[(1, 4), (2, 11)], 2, 10),
            ("fewer parts than the head says", &[(1, 4), (2, 10)], 3, 10),
            ("more", &[(1, 4), (2, 10)], 1, 10),
        ] {
            let forged = with_table(&completed, entries, count, end);
            refused(what, Refusal::Table, || open(forged.clone()).0);
            refused(what, Refusal::Table, || open(forged.clone()).1);
        }
        // A head cannot say that there are none, or too many.
        for count in [0, 10_001, u32::MAX] {
            let (head, _) = with_table(&completed, &[(1, 4)], count, 4);
            let error = opening().open(&head).expect_err("no number of parts");
            assert!(matches!(error, EnvelopeError::Format(FormatError::Malformed)), "{count}: {error}");
        }
    }
}

/// The head of an object in parts whose attributes have these fields, by somebody who has the keys.
fn with_attributes(completed: &Completed, fields: &[Vec<u8>]) -> Vec<u8> {
    let (head, object) = (&completed.head, Object::of(&completed.head));
    let key = object.subkey(&data_keys(head, &NONE), "attributes");
    let (sealed, _) = object.seal_record(Role::Attributes, &key, &fields.concat());
    forged(head, &NONE, |fields| drop(fields.insert(8, sealed)))
}

#[test]
fn the_type_of_checksums_comes_back() {
    let _turn = turn();
    for layers in [1, 2] {
        let (envelope, _) = sealing(layers).start().expect("sealed");
        for (checksum_type, value) in
            [(None, None), (Some(ChecksumType::FullObject), Some(1)), (Some(ChecksumType::Composite), Some(2))]
        {
            let mut attributes = Attributes::new(5);
            attributes.checksum_type = checksum_type;
            let sealed = envelope.seal_attributes(&attributes).expect("sealed");
            assert_eq!(envelope.open_attributes(&sealed).expect("authentic"), attributes);
            let object = Object::of(envelope.stored());
            let key = object.subkey(&data_keys(envelope.stored(), &NONE), "attributes");
            let fields = object.open_record(Role::Attributes, &key, &sealed).expect("authentic");
            let expected = value.map(|value| field(13, &[value])).unwrap_or_default();
            assert_eq!(fields, [field(1, &5_u64.to_be_bytes()), expected].concat());
        }
    }
}

#[test]
fn attributes_have_one_encoding_and_say_how_long_the_parts_are() {
    let _turn = turn();
    for layers in [1, 2] {
        let completed = complete(layers, 2, |number| attributes_of(number, Wanted::NONE), |_| {}, 0);
        let completed = completed.expect("completed");
        let attributes = |fields: &[Vec<u8>]| {
            opening().open(&with_attributes(&completed, fields)).expect("its MAC is right").attributes()
        };
        let len = |len: u64| field(1, &len.to_be_bytes());
        // 12 bytes in two parts.
        let right = attributes(&[len(12)]).expect("authentic").expect("in the head");
        assert_eq!(right, Attributes::new(12));
        for wrong in [0, 11, 13, u64::MAX] {
            refused("another length", Refusal::Length, || attributes(&[len(wrong)]));
        }
        for (what, more, expected) in [
            ("no checksum type 0", field(13, &[0]), FormatError::Unsupported),
            ("no checksum type 3", field(13, &[3]), FormatError::Unsupported),
            ("a checksum type of two bytes", field(13, &[1, 1]), FormatError::Malformed),
            ("no composite CRC-64/NVME", field(19, &[0; 8]), FormatError::UnknownField(19)),
            ("no composite ETag", field(24, b"etag"), FormatError::UnknownField(24)),
            ("nothing behind the checksum type", field(14, b""), FormatError::UnknownField(14)),
            ("a SHA-512 that is cut short", field(9, &[0; 63]), FormatError::Malformed),
            ("a composite XXH3 that is too long", field(27, &[0; 9]), FormatError::Malformed),
        ] {
            let error = attributes(&[len(12), more]).expect_err(what);
            assert!(matches!(error, EnvelopeError::Format(found) if found == expected), "{what}: {error}");
        }
        let missing = attributes(&[field(8, b"long enough")]).expect_err("no length");
        assert!(matches!(missing, EnvelopeError::Format(FormatError::Malformed)), "{missing}");
        assert_eq!(attributes(&[len(12), field(0x8000, b"later")]).expect("optional"), Some(Attributes::new(12)));
    }
}
