//! How to seal, and what to open.

use crate::key::Key;
use crate::keyring::{Keyring, told};
use crate::library;
use crate::memory::{Handle, free, input, store_handle, text, value};
use crate::status::{Failure, Status, on, on_mut, run};
use objseal::Engine;
use objseal::checksums::Wanted;
use objseal::envelope::{
    self, AcceptedKeys, ChecksumAlgorithm, DemandedContext, EncryptionContext, FormatError, ObjectId, Suite,
    WrappingKey,
};
use objseal_keys::keyring::{SERVICE, SharedKeyring};
use std::ffi::c_char;
use std::sync::Arc;

/// How objects are sealed: under which root keys, in how many layers, bound to which encryption context. Once they are set
/// up, many threads can use them.
pub struct SealOptions(());

#[derive(Default)]
pub(crate) struct SealOptionsValue {
    pub(crate) core: envelope::SealOptions,
    /// That of `core`, which does not show it.
    context: EncryptionContext,
    /// What the states of uploads are under.
    pub(crate) upload_key: Option<Arc<WrappingKey>>,
}

impl Handle for SealOptions {
    type Value = SealOptionsValue;
}

/// What is opened: with which root keys, and what is demanded of it. Once they are set up, many threads can use them.
pub struct OpenOptions(());

#[derive(Clone, Default)]
pub(crate) struct OpenOptionsValue {
    pub(crate) core: envelope::OpenOptions,
    /// Those of `core`, which does not show them.
    keyrings: Vec<Arc<SharedKeyring>>,
}

impl Handle for OpenOptions {
    type Value = OpenOptionsValue;
}

impl OpenOptionsValue {
    /// Why something does not open. Where a keyring has the key in older versions only, its file may have more by now.
    pub(crate) fn explained(&self, failure: impl Into<Failure>) -> Failure {
        let failure = failure.into();
        let keys: Vec<_> = self.keyrings.iter().flat_map(|keyring| keyring.keys()).collect();
        let latest = |name: &str| keys.iter().filter(|(known, _)| known == name).map(|&(_, version)| version).max();
        let behind = failure
            .wanted
            .iter()
            .filter(|key| key.service == SERVICE)
            .find_map(|key| latest(&key.key_id).filter(|&latest| latest < key.key_version));
        match behind {
            None => failure,
            Some(latest) => failure.with_advice(&format!(
                "the keyring has this key up to version {latest}, and objseal_keyring_reload reads its file again"
            )),
        }
    }
}

/// Runs what opens something, and notes with the options what went wrong.
pub(crate) unsafe fn opening(
    options: *const OpenOptions,
    act: impl FnOnce(&envelope::OpenOptions) -> Result<(), Failure>,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on(options, |options| act(&options.core).map_err(|failure| options.explained(failure))) }
}

/// A key by itself.
unsafe fn single(key: *const Key) -> Result<Arc<WrappingKey>, Failure> {
    // SAFETY: the contract of the header.
    let key = unsafe { value(key) }?;
    Ok(Arc::new(WrappingKey::from_key(objseal::Key::from_bytes(key.expose_secret()))))
}

/// The latest version of a key of a keyring.
unsafe fn latest(keyring: *const Keyring, name: *const c_char) -> Result<Arc<WrappingKey>, Failure> {
    // SAFETY: the contract of the header.
    let (keyring, name) = unsafe { (value(keyring)?, text(name)?) };
    let file = keyring.file()?;
    file.latest(name).map_err(told(file.path()))
}

unsafe fn engine(name: *const c_char) -> Result<Engine, Failure> {
    // SAFETY: the contract of the header.
    unsafe { text(name) }?.parse().map_err(|error| Failure::new(Status::Engine, error))
}

fn no_such_layer() -> Failure {
    Failure::new(Status::Argument, "a layer is 1, the innermost, or 2")
}

fn assign<T>(value: T, place: &mut T) -> Result<(), Failure> {
    *place = value;
    Ok(())
}

const DIGESTS: [(u32, ChecksumAlgorithm); 10] = [
    (library::OBJSEAL_SHA256, ChecksumAlgorithm::Sha256),
    (library::OBJSEAL_CRC64NVME, ChecksumAlgorithm::Crc64Nvme),
    (library::OBJSEAL_CRC32C, ChecksumAlgorithm::Crc32c),
    (library::OBJSEAL_CRC32, ChecksumAlgorithm::Crc32),
    (library::OBJSEAL_SHA1, ChecksumAlgorithm::Sha1),
    (library::OBJSEAL_MD5, ChecksumAlgorithm::Md5),
    (library::OBJSEAL_SHA512, ChecksumAlgorithm::Sha512),
    (library::OBJSEAL_XXHASH64, ChecksumAlgorithm::XxHash64),
    (library::OBJSEAL_XXHASH3, ChecksumAlgorithm::XxHash3),
    (library::OBJSEAL_XXHASH128, ChecksumAlgorithm::XxHash128),
];

/// The digests that these bits stand for.
pub(crate) fn digests(bits: u32) -> Result<Wanted, Failure> {
    let known = DIGESTS.iter().fold(0, |all, (bit, _)| all | bit);
    if bits & !known != 0 {
        return Err(no_such_digest());
    }
    let wanted = DIGESTS.iter().filter(|(bit, _)| bits & bit != 0);
    Ok(wanted.fold(Wanted::NONE, |all, &(_, one)| all | Wanted::of(one)))
}

/// The one digest that this bit stands for.
pub(crate) fn digest(bit: u32) -> Option<ChecksumAlgorithm> {
    DIGESTS.iter().find(|(known, _)| *known == bit).map(|&(_, algorithm)| algorithm)
}

/// The bit of a digest; 0 for none.
pub(crate) fn digest_bit(algorithm: Option<ChecksumAlgorithm>) -> u32 {
    DIGESTS.iter().find(|(_, known)| Some(*known) == algorithm).map_or(0, |&(bit, _)| bit)
}

pub(crate) fn no_such_digest() -> Failure {
    Failure::new(Status::Argument, "no such digest")
}

/// What `insert` or `bind` says, for C.
fn added(added: Result<(), FormatError>) -> Result<(), Failure> {
    let no = |_| Failure::new(Status::Argument, "a context has at most 64 pairs and 8 KiB, and no key twice or empty");
    added.map_err(no)
}

/// A pair of texts.
#[repr(C)]
pub struct Pair {
    /// What the value is of.
    pub key: *const c_char,
    /// The value.
    pub value: *const c_char,
}

/// What names an upload.
pub(crate) unsafe fn place(pairs: *const Pair, count: usize) -> Result<EncryptionContext, Failure> {
    let mut place = EncryptionContext::new();
    // SAFETY: the contract of the header.
    for pair in unsafe { input(pairs, count) }? {
        // SAFETY: the same.
        let (key, value) = unsafe { (text(pair.key)?, text(pair.value)?) };
        added(place.insert(key, value))?;
    }
    Ok(place)
}

/// Options for sealing, without a key yet: bound to no context, on the best engines, without digests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_new(options: *mut *mut SealOptions) -> Status {
    // SAFETY: the contract of the header.
    run(|| unsafe { store_handle(options, || Ok(SealOptionsValue::default())) })
}

fn add_key(options: &mut SealOptionsValue, layer: u8, key: Arc<WrappingKey>) -> Result<(), Failure> {
    let core = options.core.clone();
    let core = match layer {
        1 => core.with_key(key),
        2 => core.with_outer_key(key),
        _ => return Err(no_such_layer()),
    };
    assign(core, &mut options.core)
}

/// Any of the keys of a layer opens it. Layer 1 is the innermost, and must have a key before anything is sealed; what has keys
/// for layer 2 is sealed in two layers (DSSE), by two implementations of AES-256-GCM. It keeps a copy of the key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_add_key(options: *mut SealOptions, layer: u8, key: *const Key) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| add_key(options, layer, single(key)?)) }
}

/// The same with the key `name` of a keyring, in the version that is the latest one at this call. Options go on with that
/// version when the key is rotated: make new ones to seal under the next. `OBJSEAL_STATUS_KEY_NOT_FOUND` if there is no such
/// key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_add_keyring_key(
    options: *mut SealOptions,
    layer: u8,
    keyring: *const Keyring,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| add_key(options, layer, latest(keyring, name)?)) }
}

unsafe fn add_pair(
    options: *mut SealOptions,
    key: *const c_char,
    value: *const c_char,
    add: fn(&mut EncryptionContext, &str, &str) -> Result<(), FormatError>,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            added(add(&mut options.context, text(key)?, text(value)?))?;
            assign(options.core.clone().with_context(options.context.clone()), &mut options.core)
        })
    }
}

/// Binds objects to a pair of the encryption context, which is stored with them, in clear.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_add_context(
    options: *mut SealOptions,
    key: *const c_char,
    value: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { add_pair(options, key, value, EncryptionContext::insert) }
}

/// Binds objects to a pair of which only the key is stored with them, because whoever opens them knows the value: the
/// bucket and the name of the object, say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_bind_context(
    options: *mut SealOptions,
    key: *const c_char,
    value: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { add_pair(options, key, value, EncryptionContext::bind) }
}

/// Stores these bytes, at most 2,304, in the heads of objects as their private field `tag`, from 0xC000 on: in clear,
/// and authentic. `objseal_info_field` gives them back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_set_field(
    options: *mut SealOptions,
    tag: u16,
    value: *const u8,
    len: usize,
) -> Status {
    let no = |_| Failure::new(Status::Argument, "a private field has a tag from 0xC000 on, and at most 2,304 bytes");
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            assign(options.core.clone().with_field(tag, input(value, len)?).map_err(no)?, &mut options.core)
        })
    }
}

/// Seals a layer on the engine of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_set_engine(
    options: *mut SealOptions,
    layer: u8,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            let (core, engine) = (options.core.clone(), engine(name)?);
            let core = match layer {
                1 => core.with_engine(engine)?,
                2 => core.with_outer_engine(engine)?,
                _ => return Err(no_such_layer()),
            };
            assign(core, &mut options.core)
        })
    }
}

/// Opens every chunk again, on another engine, before it is given out, and unwraps every wrapped key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_set_check(options: *mut SealOptions) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(options.core.clone().with_check(), &mut options.core)) }
}

/// Which digests of the plaintext are stored with it, encrypted: `OBJSEAL_SHA256` and so on, joined with `|`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_set_digests(options: *mut SealOptions, digests: u32) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| assign(options.core.clone().with_digests(self::digests(digests)?), &mut options.core))
    }
}

/// The server's own key, under which the states of uploads are stored (`objseal_upload_new`). It opens no object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_set_upload_key(options: *mut SealOptions, key: *const Key) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(Some(single(key)?), &mut options.upload_key)) }
}

/// The same with the key `name` of a keyring, as for `objseal_seal_options_add_keyring_key`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_set_upload_keyring_key(
    options: *mut SealOptions,
    keyring: *const Keyring,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(Some(latest(keyring, name)?), &mut options.upload_key)) }
}

/// Frees options for sealing. What was made with them goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_seal_options_free(options: *mut SealOptions) {
    // SAFETY: the contract of the header.
    unsafe { free(options) };
}

/// Options for opening, without a key yet. Unless told otherwise they open objects that are bound to no context, whatever
/// else they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_new(options: *mut *mut OpenOptions) -> Status {
    // SAFETY: the contract of the header.
    run(|| unsafe { store_handle(options, || Ok(OpenOptionsValue::default())) })
}

/// Opens what was sealed under this key. Of several keys each is tried. It keeps a copy of the key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_add_key(options: *mut OpenOptions, key: *const Key) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(options.core.clone().with_key(single(key)?), &mut options.core)) }
}

/// Opens what was sealed under keys of this keyring. Of several keyrings each is asked, in turn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_add_keyring(
    options: *mut OpenOptions,
    keyring: *const Keyring,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            let keyring = Arc::clone(value(keyring)?.file()?);
            options.keyrings.push(Arc::clone(&keyring));
            assign(options.core.clone().with_service(keyring), &mut options.core)
        })
    }
}

/// The pairs that were added.
fn known(context: &DemandedContext) -> EncryptionContext {
    match context {
        DemandedContext::Exactly(pairs) | DemandedContext::Known(pairs) => pairs.clone(),
        DemandedContext::Any => EncryptionContext::new(),
    }
}

/// The context that objects have to be bound to is what has been added, no more and no less, whether it is stored with
/// them or only bound.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_add_context(
    options: *mut OpenOptions,
    key: *const c_char,
    value: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            let context = &mut options.core.policy_mut().context;
            let (any_stored, mut pairs) = (matches!(context, DemandedContext::Known(_)), known(context));
            added(pairs.insert(text(key)?, text(value)?))?;
            assign(if any_stored { DemandedContext::Known(pairs) } else { DemandedContext::Exactly(pairs) }, context)
        })
    }
}

/// Takes whatever pairs are stored with an object; those that are only bound have to be what was added, no more and no
/// less. For who knows where an object is, and not what else it was bound to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_any_stored_context(options: *mut OpenOptions) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            let context = &mut options.core.policy_mut().context;
            assign(DemandedContext::Known(known(context)), context)
        })
    }
}

/// Takes any context, as long as all of it is stored. Whoever calls this should look at the context of what was opened:
/// the store can answer with another object of the same key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_any_context(options: *mut OpenOptions) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(options.core.clone().with_any_context(), &mut options.core)) }
}

/// Refuses objects that have fewer layers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_set_minimum_layers(options: *mut OpenOptions, layers: u8) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(layers, &mut options.core.policy_mut().minimum_layers)) }
}

/// Refuses any suite but those that were added: "Cobblestone-256" is known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_accept_suite(options: *mut OpenOptions, name: *const c_char) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            if text(name)? != Suite::Cobblestone256.name() {
                return Err(Failure::new(Status::Argument, "no such suite"));
            }
            options.core.policy_mut().suites.get_or_insert_default().push(Suite::Cobblestone256);
            Ok(())
        })
    }
}

/// Which keys are accepted for a layer.
fn accepted(options: &mut OpenOptionsValue, layer: u8) -> Result<&mut AcceptedKeys, Failure> {
    let policy = options.core.policy_mut();
    match usize::from(layer).checked_sub(1) {
        None => Ok(&mut policy.keys),
        Some(index) => policy.layer_keys.get_mut(index).ok_or_else(no_such_layer),
    }
}

fn accept(names: &mut Option<Vec<String>>, name: &str) -> Result<(), Failure> {
    names.get_or_insert_default().push(name.to_owned());
    Ok(())
}

/// Refuses wrapped keys of any service but those that were added: "keyring" and "single-key" are known here. Layer 0 stands
/// for every layer and for the states of uploads; 1 or 2 narrows that down for one layer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_accept_service(
    options: *mut OpenOptions,
    layer: u8,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| accept(&mut accepted(options, layer)?.services, text(name)?)) }
}

/// Refuses keys of a keyring but those that were added, by name; layers are as for `objseal_open_options_accept_service`. (The
/// name of a single key is "key".)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_accept_key(
    options: *mut OpenOptions,
    layer: u8,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| accept(&mut accepted(options, layer)?.key_ids, text(name)?)) }
}

/// Refuses any object but that of these 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_set_object_id(options: *mut OpenOptions, object_id: *const u8) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            let bytes = input(object_id, ObjectId::LEN)?.first_chunk().ok_or(Status::Argument)?;
            assign(Some(ObjectId::from_bytes(*bytes)), &mut options.core.policy_mut().object_id)
        })
    }
}

/// Refuses heads that were written fewer times, counting the first writing: a store cannot answer with an older one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_set_minimum_generation(
    options: *mut OpenOptions,
    generation: u64,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe { on_mut(options, |options| assign(generation, &mut options.core.policy_mut().minimum_generation)) }
}

/// Opens a layer on the engine of this name. Any engine opens what any other sealed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_set_engine(
    options: *mut OpenOptions,
    layer: u8,
    name: *const c_char,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(options, |options| {
            let (core, engine) = (options.core.clone(), engine(name)?);
            let core = match layer {
                1 => core.with_engine(engine)?,
                2 => core.with_outer_engine(engine)?,
                _ => return Err(no_such_layer()),
            };
            assign(core, &mut options.core)
        })
    }
}

/// Frees options for opening. What was made with them goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_open_options_free(options: *mut OpenOptions) {
    // SAFETY: the contract of the header.
    unsafe { free(options) };
}
