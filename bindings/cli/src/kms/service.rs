//! A key management service as files are sealed and opened with it, wherever it is.

use crate::failure::Failure;
use objseal::envelope::{EncryptionContext, KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind, WrappingKey};
use objseal_keys::keyring::Keyring;
use objseal_keys::kms::{Blocking, Call, KeyMetadata, Kms};
use std::fmt;
use std::fs::Metadata;
use std::sync::Arc;

/// A service that can be asked.
pub(crate) struct Service {
    pub(super) kms: Arc<dyn Kms>,
    /// Who asks.
    pub(super) call: Call,
    pub(super) names: Box<dyn Names>,
    /// The keyring that holds the key of its store, if one does.
    pub(super) keyring: Option<Arc<Keyring>>,
    /// The files that were read for it.
    pub(super) in_use: Vec<Metadata>,
}

/// What the keys of a service are called.
pub(super) trait Names: Send + Sync {
    /// What a name on the command line stands for.
    fn whole(&self, name: &str) -> String;

    /// Whether a key that a sealed file names is one of them. Who made the file chose that name.
    fn has(&self, key_id: &str) -> bool;
}

impl Service {
    /// Its name in wrapped keys.
    pub(crate) fn name(&self) -> &str {
        self.kms.service()
    }

    pub(crate) fn keyring(&self) -> Option<&Arc<Keyring>> {
        self.keyring.as_ref()
    }

    pub(crate) fn in_use(&self) -> &[Metadata] {
        &self.in_use
    }

    /// How a key is.
    pub(crate) fn describe(&self, key: &str) -> Result<KeyMetadata, Failure> {
        self.ask(None).describe(&self.names.whole(key)).map_err(|error| Failure::of_kms(&error, key))
    }

    /// A new wrapping key for an object.
    pub(crate) fn wrapping_key(
        self: &Arc<Self>,
        key: &str,
        context: &EncryptionContext,
        object: &str,
    ) -> Result<Arc<WrappingKey>, Failure> {
        let made = self.for_object(object).wrapping_key(&self.names.whole(key), context);
        made.map_err(|error| Failure::of_key_service(&error, object))
    }

    /// The service for what is done with one object; that is what its audit calls it.
    pub(crate) fn for_object(self: &Arc<Self>, object: &str) -> ForObject {
        ForObject { service: Arc::clone(self), object: object.into() }
    }

    fn ask(&self, object: Option<&str>) -> Blocking<dyn Kms> {
        let mut call = self.call.clone();
        call.object = object.map(Into::into);
        Blocking::new(Arc::clone(&self.kms), call)
    }
}

/// A service that is asked about one object.
pub(crate) struct ForObject {
    service: Arc<Service>,
    object: String,
}

impl ForObject {
    /// The service, to be asked for a key of its own.
    fn ask_for(&self, key_id: &str) -> Result<Blocking<dyn Kms>, KeyServiceError> {
        if self.service.names.has(key_id) {
            return Ok(self.service.ask(Some(&self.object)));
        }
        let why = format!("\"{key_id}\" is of another account or region than the key that --kms names");
        Err(KeyServiceError::new(KeyServiceErrorKind::UnknownKey, why))
    }
}

impl KeyService for ForObject {
    fn name(&self) -> &str {
        self.service.name()
    }

    fn wrapping_key(&self, key_id: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.ask_for(key_id)?.wrapping_key(key_id, context)
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        KeyService::reopen(&self.ask_for(request.key_id())?, request)
    }
}

impl fmt::Debug for ForObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForObject").field("object", &self.object).finish_non_exhaustive()
    }
}
