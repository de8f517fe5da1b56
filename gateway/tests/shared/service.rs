//! A key management service in memory, of which one access key may all.

use crate::credentials::credentials;
use crate::signer::Signer;
use objseal_gateway::kms::{KmsService, Options};
use objseal_keys::kms::{Call, Principal};
use objseal_keys::local::{LocalKms, NewKey, Owner};
use std::sync::Arc;

/// The root user of the account.
pub(crate) const ROOT: Signer<'static> = Signer { access_key_id: "KEYOFTHEROOTUSER", secret: "a secret of the tests" };
/// Another access key of the same.
pub(crate) const OTHER: Signer<'static> = Signer { access_key_id: "KEYOFTHEROOTUSE2", secret: "another of the tests" };

/// The service, and so many keys.
pub(crate) fn service<const KEYS: usize>(options: Options) -> (Arc<KmsService>, [String; KEYS]) {
    let kms = LocalKms::in_memory(&Owner::default(), objseal_keys::local::Options::default()).expect("made");
    let root = Call::of(Arc::new(Principal::root_of("000000000000")));
    let keys = [(); KEYS].map(|()| kms.create_key(&root, NewKey::default()).expect("created").key_id);
    let entry = |signer: &Signer<'_>| {
        format!(
            r#"{{"access_key_id": "{}", "secret_access_key": "{}", "principal": "arn:aws:iam::000000000000:root"}}"#,
            signer.access_key_id, signer.secret
        )
    };
    let credentials = credentials(&format!(r#"{{"credentials": [{}, {}]}}"#, entry(&ROOT), entry(&OTHER)));
    (Arc::new(KmsService::new(Arc::new(kms), credentials, options)), keys)
}

/// A signed request to describe a key, which is answered with its id.
pub(crate) fn describe(key: &str) -> Vec<u8> {
    ROOT.post("DescribeKey", format!(r#"{{"KeyId": "{key}"}}"#).as_bytes())
}
