//! What is known of an object.

use crate::library::engine_name;
use crate::memory::{Handle, c_text, free, output, put, store, value};
use crate::options;
use crate::status::{Failure, Status, guarded_or, on};
use objseal::Engine;
use objseal::envelope::{Attributes, Content, Digests, Envelope, Head, ObjectId, Receipt};
use objseal::file::{self, SlotState};
use std::ffi::{CString, c_char};

/// What is known of an object, or of a part. Many threads can use it, and its texts live as long as it does.
pub struct Info(());

#[derive(Default)]
pub(crate) struct Value {
    head: Option<HeadTexts>,
    plaintext_len: Option<u64>,
    attributes: Option<Attributes>,
    etag: Option<CString>,
    engines: Vec<Engine>,
    slots: Option<SlotState>,
    part_number: u32,
}

/// A head, with its texts for C.
struct HeadTexts {
    head: Head,
    /// Service and key id of each wrapped key.
    keys: Vec<(CString, CString)>,
    context: Vec<(CString, CString)>,
    bound_keys: Vec<CString>,
}

impl Handle for Info {
    type Value = Value;
}

impl Value {
    /// What a head says. Whoever made it knows whether that was verified.
    pub(crate) fn of_head(head: &Head) -> Self {
        let keys = head.wrapped_keys.iter().map(|key| (c_text(&key.service), c_text(&key.key_id))).collect();
        let context = head.context.iter().map(|(key, value)| (c_text(key), c_text(value))).collect();
        let bound_keys = head.bound_keys.iter().map(|key| c_text(key)).collect();
        Self { head: Some(HeadTexts { head: head.clone(), keys, context, bound_keys }), ..Self::default() }
    }

    pub(crate) fn of_envelope(envelope: &Envelope) -> Result<Self, Failure> {
        let attributes = envelope.attributes()?;
        let info = Self::of_head(envelope.head()).with_attributes(attributes.as_ref());
        Ok(info.with_engines(envelope.engines()))
    }

    pub(crate) fn of_file(opened: &file::Info) -> Self {
        let info = Self::of_head(opened.envelope.head()).with_attributes(Some(&opened.attributes));
        info.with_slots(opened.slots).with_engines(opened.engines.clone())
    }

    pub(crate) fn of_receipt(receipt: &Receipt) -> Self {
        Self { part_number: receipt.number, ..Self::default() }.with_attributes(Some(&receipt.attributes))
    }

    pub(crate) fn with_attributes(self, attributes: Option<&Attributes>) -> Self {
        let etag = attributes.and_then(|attributes| attributes.etag.as_deref()).map(c_text);
        let plaintext_len = attributes.map(|attributes| attributes.plaintext_len).or(self.plaintext_len);
        Self { plaintext_len, attributes: attributes.cloned(), etag, ..self }
    }

    pub(crate) fn with_plaintext_len(self, len: u64) -> Self {
        Self { plaintext_len: Some(len), ..self }
    }

    pub(crate) fn with_slots(self, slots: SlotState) -> Self {
        Self { slots: Some(slots), ..self }
    }

    pub(crate) fn with_engines(self, engines: Vec<Engine>) -> Self {
        Self { engines, ..self }
    }
}

/// Something of an info; for NULL `none`.
unsafe fn get<T>(info: *const Info, none: T, look: impl FnOnce(&Value) -> T) -> T {
    // SAFETY: the contract of the header.
    let Ok(value) = (unsafe { value(info) }) else { return none };
    guarded_or(none, || look(value))
}

fn of_head<T>(info: &Value, none: T, look: impl FnOnce(&Head) -> T) -> T {
    info.head.as_ref().map_or(none, |texts| look(&texts.head))
}

/// Length of the plaintext, in bytes; `UINT64_MAX` if it is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_plaintext_len(info: *const Info) -> u64 {
    // SAFETY: the contract of the header.
    unsafe { get(info, u64::MAX, |info| info.plaintext_len.unwrap_or(u64::MAX)) }
}

/// How many layers there are; 0 for a part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_layers(info: *const Info) -> u8 {
    // SAFETY: the contract of the header.
    unsafe { get(info, 0, |info| of_head(info, 0, Head::layers)) }
}

/// How often the head was written, the first time counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_generation(info: *const Info) -> u64 {
    // SAFETY: the contract of the header.
    unsafe { get(info, 0, |info| of_head(info, 0, |head| head.generation)) }
}

/// Whether the object is in parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_in_parts(info: *const Info) -> bool {
    let in_parts = |head: &Head| matches!(head.content, Content::Parts { .. });
    // SAFETY: the contract of the header.
    unsafe { get(info, false, |info| of_head(info, false, in_parts)) }
}

/// The number of a part; 0 for an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_part_number(info: *const Info) -> u32 {
    // SAFETY: the contract of the header.
    unsafe { get(info, 0, |info| info.part_number) }
}

/// Whether the two slots of a sealed file hold the same head. Where they do not, one is damaged, or a rewrap was
/// interrupted, and rewrapping mends it. True for what is no file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_slots_same(info: *const Info) -> bool {
    let same = |info: &Value| info.slots.is_none_or(|slots| slots == SlotState::Same);
    // SAFETY: the contract of the header.
    unsafe { get(info, true, same) }
}

/// Copies the 32 bytes of the object id to `out`. `OBJSEAL_STATUS_OUT_OF_RANGE` for a part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_object_id(info: *const Info, out: *mut u8) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(info, |info| {
            let texts = info.head.as_ref().ok_or(Status::OutOfRange)?;
            output(out, ObjectId::LEN)?.copy_from_slice(texts.head.object_id.as_bytes());
            Ok(())
        })
    }
}

/// The pair of the encryption context at `index`, from 0, in the order of the keys: of an object that was only
/// inspected those that are stored, of any other all. `OBJSEAL_STATUS_OUT_OF_RANGE` if there are not so many. A zero
/// within a text is shown as U+FFFD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_context(
    info: *const Info,
    index: usize,
    key: *mut *const c_char,
    value: *mut *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(info, |info| {
            let pair = info.head.as_ref().and_then(|texts| texts.context.get(index));
            let (found, text) = pair.ok_or(Status::OutOfRange)?;
            store(key, found.as_ptr())?;
            Ok(store(value, text.as_ptr())?)
        })
    }
}

/// The key at `index`, from 0, of those pairs of the encryption context that are bound and not stored, in their order;
/// NULL if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_bound_key(info: *const Info, index: usize) -> *const c_char {
    let find = |info: &Value| info.head.as_ref()?.bound_keys.get(index).map(|key| key.as_ptr());
    // SAFETY: the contract of the header.
    unsafe { get(info, None, find) }.unwrap_or(std::ptr::null())
}

/// Copies the private field `tag` of the head to `out`. `OBJSEAL_STATUS_OUT_OF_RANGE` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_field(
    info: *const Info,
    tag: u16,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(info, |info| {
            let field = info.head.as_ref().and_then(|texts| texts.head.field(tag));
            Ok(put(field.ok_or(Status::OutOfRange)?, out, out_capacity, out_len)?)
        })
    }
}

/// The wrapped key at `index`, from 0: its layer, from 1, the key service, and the id and the version of the root key.
/// `OBJSEAL_STATUS_OUT_OF_RANGE` if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_key(
    info: *const Info,
    index: usize,
    layer: *mut u8,
    service: *mut *const c_char,
    key_id: *mut *const c_char,
    version: *mut u32,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(info, |info| {
            let texts = info.head.as_ref().ok_or(Status::OutOfRange)?;
            let key = texts.head.wrapped_keys.get(index).ok_or(Status::OutOfRange)?;
            let (of_service, id) = texts.keys.get(index).ok_or(Status::OutOfRange)?;
            store(layer, key.layer)?;
            store(service, of_service.as_ptr())?;
            store(key_id, id.as_ptr())?;
            Ok(store(version, key.key_version)?)
        })
    }
}

/// The kind of the wrapped key at `index`, from 0: `OBJSEAL_KEY_LOCAL` and so on; 0 if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_key_kind(info: *const Info, index: usize) -> u8 {
    let kind = |head: &Head| head.wrapped_keys.get(index).map_or(0, |key| key.kind as u8);
    // SAFETY: the contract of the header.
    unsafe { get(info, 0, |info| of_head(info, 0, kind)) }
}

/// The engine that sealed or opened a layer, from 1; NULL if that is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_engine(info: *const Info, layer: u8) -> *const c_char {
    let find = |info: &Value| {
        let engine = usize::from(layer).checked_sub(1).and_then(|layer| info.engines.get(layer));
        engine.map_or(std::ptr::null(), |&engine| engine_name(engine))
    };
    // SAFETY: the contract of the header.
    unsafe { get(info, std::ptr::null(), find) }
}

/// The ETag; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_etag(info: *const Info) -> *const c_char {
    let etag = |info: &Value| info.etag.as_ref().map_or(std::ptr::null(), |etag| etag.as_ptr());
    // SAFETY: the contract of the header.
    unsafe { get(info, std::ptr::null(), etag) }
}

unsafe fn digest(
    info: *const Info,
    digest: u32,
    out: *mut u8,
    capacity: usize,
    of: fn(&Attributes) -> &Digests,
) -> usize {
    let find = |info: &Value| of(info.attributes.as_ref()?).get(options::digest(digest)?).map(<[u8]>::to_vec);
    // SAFETY: the contract of the header.
    unsafe {
        let Some(bytes) = get(info, None, find) else { return 0 };
        if bytes.len() <= capacity
            && let Ok(out) = output(out, bytes.len())
        {
            out.copy_from_slice(&bytes);
        }
        bytes.len()
    }
}

/// Copies a digest of the plaintext to `out`, as bytes in the order that S3 has them, and returns its length, at most
/// 64; 0 if there is none. Nothing is copied if `capacity` is less.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_digest(info: *const Info, digest: u32, out: *mut u8, capacity: usize) -> usize {
    // SAFETY: the contract of the header.
    unsafe { self::digest(info, digest, out, capacity, |attributes| &attributes.digests) }
}

/// The same of S3's composite checksum of an object in parts: the digest of the parts' digests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_composite_digest(
    info: *const Info,
    digest: u32,
    out: *mut u8,
    capacity: usize,
) -> usize {
    // SAFETY: the contract of the header.
    unsafe { self::digest(info, digest, out, capacity, |attributes| &attributes.composite) }
}

/// Which of the checksums of an object in parts counts: `OBJSEAL_FULL_OBJECT` or `OBJSEAL_COMPOSITE`; 0 if that is not
/// said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_checksum_type(info: *const Info) -> u8 {
    let find = |info: &Value| info.attributes.as_ref()?.checksum_type.map(|checksum_type| checksum_type as u8);
    // SAFETY: the contract of the header.
    unsafe { get(info, None, find) }.unwrap_or(0)
}

/// Frees what is known of an object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_info_free(info: *mut Info) {
    // SAFETY: the contract of the header.
    unsafe { free(info) };
}
