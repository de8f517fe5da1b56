//! What holds root keys and wraps data keys with them.

use super::codec::put_short;
use super::context::EncryptionContext;
use super::derive::{Place, Role};
use super::error::FormatError;
use super::head::{ObjectId, WrappedKey};
use crate::cobblestone::{Cobblestone, sealed_len};
use crate::engine::Engine;
use crate::error::Error;
use crate::key::Key;
use crate::random::RandomSource;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// Length of a data key that was wrapped locally, in bytes.
#[allow(clippy::cast_possible_truncation, reason = "it is 104")]
const WRAPPED_LEN: usize = match sealed_len(Key::LEN as u64) {
    Some(len) => len as usize,
    None => panic!("a key is shorter than a message can be"),
};

/// What a wrap is bound to, besides the root key.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// The object whose data key it is.
    pub object_id: ObjectId,
    /// The layer whose data key it is, from 1.
    pub layer: u8,
    /// Layers of the object.
    pub layers: u8,
    /// The public pairs of the object.
    pub context: &'a EncryptionContext,
    /// The engine of the layer. A service that wraps in this process uses it too, so that a fault of one engine cannot
    /// show the data keys of both layers.
    pub engine: Engine,
}

/// Something that holds root keys: a keyring, a KMS.
pub trait KeyService {
    /// The name that stands in every wrapped key of this service: 1 to 2,048 bytes.
    fn name(&self) -> &str;

    /// Wraps `data_key` under the current version of the root key `key_id`.
    ///
    /// # Errors
    /// [`KeyServiceError::UnknownKey`], or whatever went wrong.
    fn wrap(
        &self,
        key_id: &str,
        binding: &Binding<'_>,
        data_key: &Key,
        random: &(dyn RandomSource + Sync),
    ) -> Result<WrappedKey, KeyServiceError>;

    /// Unwraps what [`wrap`](Self::wrap) gave, bound to the same.
    ///
    /// # Errors
    /// [`KeyServiceError::UnknownKey`] if the service does not have the root key or its version;
    /// [`KeyServiceError::Refused`] if the wrap is not authentic, or not bound to this.
    fn unwrap(&self, wrapped_key: &WrappedKey, binding: &Binding<'_>) -> Result<UnwrappedKey, KeyServiceError>;
}

/// What a key service gives back.
#[derive(Debug)]
pub struct UnwrappedKey {
    /// The data key.
    pub data_key: Key,
    /// The root key that the service says it used. It must be the one that was asked for.
    pub key_id: String,
}

/// Why a key service did not wrap or unwrap.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyServiceError {
    /// It does not have this root key, or this version of it.
    UnknownKey,
    /// The wrap is not authentic, or is bound to something else.
    Refused,
    /// It could not be reached, or failed.
    Unavailable(Box<dyn core::error::Error + Send + Sync>),
}

impl fmt::Display for KeyServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey => f.write_str("the key service does not have this key"),
            Self::Refused => f.write_str("the key service refused the wrapped key"),
            Self::Unavailable(error) => write!(f, "the key service failed: {error}"),
        }
    }
}

impl core::error::Error for KeyServiceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<Error> for KeyServiceError {
    fn from(error: Error) -> Self {
        match error {
            Error::Authentication => Self::Refused,
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<FormatError> for KeyServiceError {
    fn from(error: FormatError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// Wraps `data_key` under a root key that is in memory: FORMAT.md, section 6.
///
/// # Errors
/// [`Error::Random`], or a [`FormatError`] for a name that is too long, inside [`KeyServiceError::Unavailable`].
pub fn wrap_locally(
    root_key: &Key,
    (service, key_id, key_version): (&str, &str, u32),
    binding: &Binding<'_>,
    data_key: &Key,
    random: &(dyn RandomSource + Sync),
) -> Result<WrappedKey, KeyServiceError> {
    let mut wrapped_key = WrappedKey::new(binding.layer, service, key_id, key_version, vec![0; WRAPPED_LEN])?;
    let context = wrap_context(&wrapped_key, binding);
    let cobblestone = Cobblestone::new(root_key, &context).with_engine(binding.engine)?.with_random(random);
    cobblestone.seal_into(data_key.expose_secret(), &mut wrapped_key.bytes)?;
    Ok(wrapped_key)
}

/// Unwraps what [`wrap_locally`] gave.
///
/// # Errors
/// [`KeyServiceError::Refused`] if it is not authentic under this root key and binding.
pub fn unwrap_locally(
    root_key: &Key,
    wrapped_key: &WrappedKey,
    binding: &Binding<'_>,
) -> Result<UnwrappedKey, KeyServiceError> {
    if wrapped_key.check().is_err() || wrapped_key.bytes.len() != WRAPPED_LEN {
        return Err(KeyServiceError::Refused);
    }
    let context = wrap_context(wrapped_key, binding);
    let mut plain = Zeroizing::new([0; Key::LEN]);
    Cobblestone::new(root_key, &context).with_engine(binding.engine)?.open_into(&wrapped_key.bytes, &mut *plain)?;
    Ok(UnwrappedKey { data_key: Key::from_bytes(&plain), key_id: wrapped_key.key_id.clone() })
}

fn wrap_context(wrapped_key: &WrappedKey, binding: &Binding<'_>) -> Vec<u8> {
    let Binding { object_id, layer, layers, .. } = binding;
    let place = Place { role: Role::Wrap, object_id, layer: *layer, layers: *layers, part: 0 };
    let mut context = place.encode().to_vec();
    put_short(&mut context, wrapped_key.service.as_bytes());
    put_short(&mut context, wrapped_key.key_id.as_bytes());
    context.extend_from_slice(&wrapped_key.key_version.to_be_bytes());
    binding.context.put_counted(&mut context);
    context
}
