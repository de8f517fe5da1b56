//! A key service with one root key, which the caller has.

use super::WrappedKey;
use super::service::{Binding, KeyService, KeyServiceError, UnwrappedKey, unwrap_locally, wrap_locally};
use crate::key::Key;
use crate::random::RandomSource;

/// One root key, for callers who keep their keys elsewhere: `recipients` are [`SingleKey::KEY_ID`] of it.
///
/// Another key than the one that an object was sealed under is refused as [`EnvelopeError::Authentication`]: nothing in the
/// object says which key it was.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use objseal::Key;
/// use objseal::envelope::{Opening, Sealing, SingleKey};
///
/// let service = SingleKey::new(Key::generate()?);
/// let recipients = [(&service as _, SingleKey::KEY_ID)];
/// let (envelope, sealer) = Sealing::new(&recipients).start()?;
/// let body = sealer.seal(b"the plaintext")?;
///
/// let services = [&service as _];
/// let opened = Opening::new(&services).open(envelope.stored())?;
/// assert_eq!(opened.body()?.open(&body)?, b"the plaintext");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`EnvelopeError::Authentication`]: super::EnvelopeError::Authentication
#[derive(Debug)]
pub struct SingleKey(Key);

impl SingleKey {
    /// The name of this key service in wrapped keys.
    pub const SERVICE: &'static str = "single-key";
    /// The id of its only key.
    pub const KEY_ID: &'static str = "key";

    /// A key service with this root key only.
    #[must_use]
    pub fn new(root_key: Key) -> Self {
        Self(root_key)
    }
}

impl KeyService for SingleKey {
    fn name(&self) -> &str {
        Self::SERVICE
    }

    fn wrap(
        &self,
        key_id: &str,
        binding: &Binding<'_>,
        data_key: &Key,
        random: &(dyn RandomSource + Sync),
    ) -> Result<WrappedKey, KeyServiceError> {
        if key_id != Self::KEY_ID {
            return Err(KeyServiceError::UnknownKey);
        }
        wrap_locally(&self.0, (Self::SERVICE, key_id, 1), binding, data_key, random)
    }

    fn unwrap(&self, wrapped_key: &WrappedKey, binding: &Binding<'_>) -> Result<UnwrappedKey, KeyServiceError> {
        if wrapped_key.key_id != Self::KEY_ID || wrapped_key.key_version != 1 {
            return Err(KeyServiceError::UnknownKey);
        }
        unwrap_locally(&self.0, wrapped_key, binding)
    }
}
