//! How to seal, and what to open.

use crate::key::Key;
use crate::keyring::Keyring;
use crate::library;
use crate::memory::{Handle, free, input, store_handle, text, value};
use crate::status::{Failure, Status, on_mut, run};
use objseal::Engine;
use objseal::checksums::Wanted;
use objseal::envelope::{EncryptionContext, ObjectId, SingleKey, Suite};
use objseal_bindings::{Opening as OpeningOptions, Sealing as SealingOptions, Service};
use std::ffi::c_char;
use std::sync::Arc;

/// How objects are sealed: under which root keys, in how many layers, bound to which encryption context. Once it is set up,
/// many threads can use it.
pub struct Sealing(());

#[derive(Default)]
pub(crate) struct SealingValue {
    pub(crate) options: SealingOptions,
    /// What the states of uploads are under.
    pub(crate) upload_key: Option<(Service, String)>,
}

impl Handle for Sealing {
    type Value = SealingValue;
}

/// What is opened: with which root keys, and what is demanded of it. Once it is set up, many threads can use it.
pub struct Opening(());

#[derive(Clone)]
pub(crate) struct OpeningValue(pub(crate) OpeningOptions);

impl Handle for Opening {
    type Value = OpeningValue;
}

fn engine(name: &str) -> Result<Engine, Failure> {
    let engine: Engine = name.parse().map_err(|error| Failure::new(Status::Engine, error))?;
    if engine.is_available() {
        return Ok(engine);
    }
    Err(Failure::new(Status::Engine, format_args!("the engine {name} does not run here")))
}

/// The engine of this layer.
fn of_layer<'e>(
    layer: u8,
    inner: &'e mut Option<Engine>,
    outer: &'e mut Option<Engine>,
) -> Result<&'e mut Option<Engine>, Failure> {
    match layer {
        1 => Ok(inner),
        2 => Ok(outer),
        _ => Err(no_such_layer()),
    }
}

fn no_such_layer() -> Failure {
    Failure::new(Status::Argument, "a layer is 1, the innermost, or 2")
}

/// Bit, digest and name of each.
const DIGESTS: [(u32, Wanted, &str); 6] = [
    (library::OBJSEAL_SHA256, Wanted::SHA256, "sha256"),
    (library::OBJSEAL_CRC64NVME, Wanted::CRC64NVME, "crc64nvme"),
    (library::OBJSEAL_CRC32C, Wanted::CRC32C, "crc32c"),
    (library::OBJSEAL_CRC32, Wanted::CRC32, "crc32"),
    (library::OBJSEAL_SHA1, Wanted::SHA1, "sha1"),
    (library::OBJSEAL_MD5, Wanted::MD5, "md5"),
];

/// The digests that these bits stand for.
pub(crate) fn digests(bits: u32) -> Result<Wanted, Failure> {
    let known = DIGESTS.iter().fold(0, |all, (bit, ..)| all | bit);
    if bits & !known != 0 {
        return Err(Failure::new(Status::Argument, "no such digest"));
    }
    let wanted = DIGESTS.iter().filter(|(bit, ..)| bits & bit != 0);
    Ok(wanted.fold(Wanted::NONE, |all, &(_, one, _)| all | one))
}

/// The name of the one digest that this bit stands for.
pub(crate) fn digest_name(bit: u32) -> Option<&'static str> {
    DIGESTS.iter().find(|(known, ..)| *known == bit).map(|&(_, _, name)| name)
}

fn insert(context: &mut EncryptionContext, key: &str, value: &str) -> Result<(), Failure> {
    let no = |_| Failure::new(Status::Argument, "a context has at most 64 pairs and 8 KiB, and no key twice or empty");
    context.insert(key, value).map_err(no)
}

/// A way of sealing, without a key yet: in one layer, bound to no context, on the best engines, without digests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_new(sealing: *mut *mut Sealing) -> Status {
    // SAFETY: the contract of the header.
    run(|| unsafe { store_handle(sealing, || Ok(SealingValue::default())) })
}

fn add(sealing: &mut SealingValue, layer: u8, service: Service, key_id: &str) -> Result<(), Failure> {
    let recipients = &mut sealing.options.recipients;
    match usize::from(layer) {
        layer @ 1..=2 if layer <= recipients.len() + 1 => {
            if layer > recipients.len() {
                recipients.push(Vec::new());
            }
            recipients[layer - 1].push((service, key_id.to_owned()));
            Ok(())
        }
        2 => Err(Failure::new(Status::Argument, "layer 1 has no key yet")),
        _ => Err(no_such_layer()),
    }
}

/// Any of the keys of a layer opens it. Layer 1 is the innermost; what has keys for layer 2 is sealed in two layers (DSSE), by
/// two implementations of AES-256-GCM. It keeps a copy of the key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_add_key(sealing: *mut Sealing, layer: u8, key: *const Key) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(sealing, |sealing| add(sealing, layer, Service::single(value(key)?), SingleKey::KEY_ID)) }
}

/// The same with the key `name` of a keyring.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_add_keyring_key(
    sealing: *mut Sealing,
    layer: u8,
    keyring: *const Keyring,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealing, |sealing| {
            let keyring = Service::Keyring(Arc::clone(value(keyring)?.file()?));
            add(sealing, layer, keyring, text(name)?)
        })
    }
}

/// Binds objects to a pair of the encryption context. It is public and stored with the object: its bucket and name, say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_add_context(
    sealing: *mut Sealing,
    key: *const c_char,
    value: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(sealing, |sealing| insert(&mut sealing.options.context, text(key)?, text(value)?)) }
}

/// Seals a layer on the engine of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_set_engine(sealing: *mut Sealing, layer: u8, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealing, |SealingValue { options, .. }| {
            let engine = engine(text(name)?)?;
            *of_layer(layer, &mut options.engine, &mut options.outer_engine)? = Some(engine);
            Ok(())
        })
    }
}

/// Whether every chunk is opened again, on another engine, before it is given out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_set_check(sealing: *mut Sealing, check: bool) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealing, |sealing| {
            sealing.options.check = check;
            Ok(())
        })
    }
}

/// Which digests of the plaintext are stored with it, encrypted: `OBJSEAL_SHA256` and so on, joined with `|`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_set_digests(sealing: *mut Sealing, digests: u32) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealing, |sealing| {
            sealing.options.digests = self::digests(digests)?;
            Ok(())
        })
    }
}

/// The server's own key, under which the states of uploads are stored (`objseal_upload_new`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_set_upload_key(sealing: *mut Sealing, key: *const Key) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealing, |sealing| {
            sealing.upload_key = Some((Service::single(value(key)?), SingleKey::KEY_ID.to_owned()));
            Ok(())
        })
    }
}

/// The same with the key `name` of a keyring.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_set_upload_keyring_key(
    sealing: *mut Sealing,
    keyring: *const Keyring,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealing, |sealing| {
            let service = Service::Keyring(Arc::clone(value(keyring)?.file()?));
            sealing.upload_key = Some((service, text(name)?.to_owned()));
            Ok(())
        })
    }
}

/// Frees a way of sealing. What was made with it goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealing_free(sealing: *mut Sealing) {
    // SAFETY: the contract of the header.
    unsafe { free(sealing) };
}

/// A way of opening, without a key yet. Unless told otherwise it opens objects that are bound to no context, whatever else
/// they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_new(opening: *mut *mut Opening) -> Status {
    let make = || {
        let mut options = OpeningOptions::default();
        options.policy.context = Some(EncryptionContext::new());
        Ok(OpeningValue(options))
    };
    // SAFETY: the contract of the header.
    run(|| unsafe { store_handle(opening, make) })
}

unsafe fn on_opening(opening: *mut Opening, act: impl FnOnce(&mut OpeningOptions) -> Result<(), Failure>) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(opening, |opening| act(&mut opening.0)) }
}

/// Opens what was sealed under this key. Of two services of the same kind the first counts, so there is one key at most. It
/// keeps a copy of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_add_key(opening: *mut Opening, key: *const Key) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            let taken = opening.services.iter().any(|service| matches!(service, Service::Single(_)));
            if taken {
                return Err(Failure::new(Status::Argument, "there is a key already; many are in a keyring"));
            }
            opening.services.push(Service::single(value(key)?));
            Ok(())
        })
    }
}

/// Opens what was sealed under keys of this keyring. There is one keyring at most.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_add_keyring(opening: *mut Opening, keyring: *const Keyring) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            let taken = opening.services.iter().any(|service| matches!(service, Service::Keyring(_)));
            if taken {
                return Err(Failure::new(Status::Argument, "there is a keyring already"));
            }
            opening.services.push(Service::Keyring(Arc::clone(value(keyring)?.file()?)));
            Ok(())
        })
    }
}

/// The context that objects have to be bound to is what has been added, no more and no less.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_add_context(
    opening: *mut Opening,
    key: *const c_char,
    value: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| insert(opening.policy.context.get_or_insert_default(), text(key)?, text(value)?))
    }
}

/// Takes any context. Whoever calls this should look at the context of what was opened: the store can answer with another
/// object of the same key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_any_context(opening: *mut Opening) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            opening.policy.context = None;
            Ok(())
        })
    }
}

/// Refuses objects that have fewer layers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_set_minimum_layers(opening: *mut Opening, layers: u8) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            opening.policy.minimum_layers = layers;
            Ok(())
        })
    }
}

/// Refuses any suite but those that were added: "Cobblestone-256" is known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_accept_suite(opening: *mut Opening, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            if text(name)? != Suite::Cobblestone256.name() {
                return Err(Failure::new(Status::Argument, "no such suite"));
            }
            opening.policy.suites.get_or_insert_default().push(Suite::Cobblestone256);
            Ok(())
        })
    }
}

/// Refuses wrapped keys of any service but those that were added: "keyring" and "single-key" are known here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_accept_service(opening: *mut Opening, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            opening.policy.services.get_or_insert_default().push(text(name)?.to_owned());
            Ok(())
        })
    }
}

/// Refuses keys of a keyring but those that were added, by name. (The name of a single key is "key".)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_accept_key(opening: *mut Opening, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            opening.policy.key_ids.get_or_insert_default().push(text(name)?.to_owned());
            Ok(())
        })
    }
}

/// Refuses any object but that of these 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_set_object_id(opening: *mut Opening, object_id: *const u8) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            let bytes = input(object_id, ObjectId::LEN)?.first_chunk().ok_or(Status::Argument)?;
            opening.policy.object_id = Some(ObjectId::from_bytes(*bytes));
            Ok(())
        })
    }
}

/// Refuses heads that were written fewer times, counting the first writing: a store cannot answer with an older one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_set_minimum_generation(opening: *mut Opening, generation: u64) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            opening.policy.minimum_generation = generation;
            Ok(())
        })
    }
}

/// Opens a layer on the engine of this name. Any engine opens what any other sealed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_set_engine(opening: *mut Opening, layer: u8, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_opening(opening, |opening| {
            let engine = engine(text(name)?)?;
            *of_layer(layer, &mut opening.engine, &mut opening.outer_engine)? = Some(engine);
            Ok(())
        })
    }
}

/// Frees a way of opening. What was made with it goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opening_free(opening: *mut Opening) {
    // SAFETY: the contract of the header.
    unsafe { free(opening) };
}
