//! Nothing that is asked of a local key management service makes it panic, and no ciphertext opens that it did not make.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal_kms::kms::{Call, Kms, KmsErrorKind, Principal, block_on};
use objseal_kms::local::{LocalKms, NewGrant, Options, Owner};
use std::sync::{Arc, LazyLock};

struct World {
    kms: LocalKms,
    root: Call,
    key: String,
    blob: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let kms = LocalKms::in_memory(&Owner::default(), Options::default()).expect("made");
    let root = Call::of(Arc::new(Principal::root_of("000000000000")));
    let key = kms.create_key(&root, Default::default()).expect("created").arn;
    let blob = block_on(kms.encrypt(&root, &key, b"plain")).expect("encrypted").blob;
    World { kms, root, key, blob }
});

fuzz_target!(|input: (&str, &[u8], u8)| {
    let (name, bytes, change) = input;
    let World { kms, root, key, blob } = &*WORLD;
    let error = block_on(kms.describe(root, name)).err();
    assert!(error.is_none_or(|error| matches!(error.kind(), KmsErrorKind::NotFound | KmsErrorKind::InvalidArn)));
    let _ = block_on(kms.decrypt(root, Some(name), bytes));
    // A ciphertext with some bytes changed, or cut.
    let mut changed = blob.clone();
    for (to, from) in changed.iter_mut().skip(change.into()).zip(bytes) {
        *to ^= from;
    }
    changed.truncate(blob.len().saturating_sub(usize::from(change) * bytes.len() / 64));
    let opened = block_on(kms.decrypt(root, None, &changed));
    assert!(opened.is_err() || changed == *blob);
    assert!(kms.create_grant(root, key, NewGrant::to(name, [name])).is_err());
    let _ = kms.create_alias(root, name, name);
    let mut call = root.clone();
    call.principal = Arc::new(Principal::new(name));
    assert!(call.principal.is_root() || block_on(kms.encrypt(&call, key, b"plain")).is_err());
});
