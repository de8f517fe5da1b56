//! A PKCS #11 token as a key service: AES-256 keys that never leave it.
//!
//! Each object gets a secret of its own, which the token encrypts under a key of its. The token sees 32 random bytes,
//! the label of the key and the encryption context, and never a data key.
//!
//! ```no_run
//! use objseal::envelope::{EncryptionContext, KeyService, OpenOptions, SealOptions};
//! use objseal_keys::pkcs11::{Token, TokenOptions};
//! use std::sync::Arc;
//!
//! let uri = "pkcs11:token=vault?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/objseal/pin";
//! let token = Token::open(TokenOptions::from_uri(uri)?)?;
//! token.create_key("photos")?;
//!
//! let context = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "cat.jpg")])?;
//! let key = token.wrapping_key("photos", &context)?;
//! let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start()?;
//! let stored = body.seal(b"the plaintext")?;
//!
//! let opened = OpenOptions::new().with_service(Arc::new(token)).with_context(context).open(envelope.stored())?;
//! assert_eq!(opened.body()?.open(&stored)?, b"the plaintext");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - A key must be an AES key of 32 bytes, sensitive, not extractable, for encryption and decryption. To open what was
//!   sealed it need not be for encryption any more.
//! - A key makes at most [`MAX_WRAPS`] wraps. They are counted in a data object on the token, whose label is that of
//!   the key; a key that is made with the label of one that was destroyed goes on with its count.
//! - A login is the whole process's (PKCS #11, section 5.6): while one [`Token`] is open, another one on the same token
//!   opens with any PIN.
//! - A process that was forked initialises the module anew with its first call. Fork while no other thread uses the
//!   token.
//!
//! | file | what |
//! |---|---|
//! | `options` | which token, which PIN and which key |
//! | `uri` | the same as a PKCS #11 URI |
//! | `error` | why not |
//! | `module` | the modules of this process |
//! | `sessions` | a few sessions, and one login |
//! | `keys` | keys by their label, and what they must be |
//! | `counter` | how many wraps a key has made |
//! | `wrap` | blobs, and what they are bound to |

mod counter;
mod error;
mod keys;
mod module;
mod options;
mod sessions;
mod uri;
mod wrap;

pub use counter::MAX_WRAPS;
pub use error::{KeyFault, LoginFault, TokenError};
pub use options::TokenOptions;
pub use uri::UriFault;

use counter::Counters;
use keys::Use;
use objseal::Key;
use objseal::envelope::{
    EncryptionContext, KeyKind, KeyRequest, KeyService, KeyServiceError, ServiceContext, WrappingKey,
};
use sessions::{Access, Sessions};
use std::fmt;
use std::sync::Arc;

/// The name of this key service in wrapped keys.
pub const SERVICE: &str = "pkcs11";

/// A token that is open, for any number of threads.
///
/// Share one between all threads: two of the same process do not know of each other's writes, which SoftHSM 2.6 does
/// not stand. At most eight calls are with the token at a time; others wait. A token that was removed, or whose
/// sessions are gone, fails one call with [`TokenError::Lost`], and the next one opens new sessions. A PIN that the
/// token has refused is never tried again: open the token anew.
pub struct Token {
    sessions: Sessions,
    counters: Counters,
    key: Option<String>,
    max_wraps: u32,
}

impl Token {
    /// Opens a token and logs its user in. A token with its own keypad is asked without a PIN.
    ///
    /// # Errors
    /// [`TokenError::Module`], [`TokenError::NoToken`], [`TokenError::SeveralTokens`], [`TokenError::NoGcm`]; about the
    /// PIN [`TokenError::NoPin`], [`TokenError::PinFile`], [`TokenError::BadPin`], [`TokenError::Login`]; about a key
    /// that was named [`TokenError::BadLabel`], [`TokenError::UnknownKey`], [`TokenError::SeveralKeys`],
    /// [`TokenError::UnfitKey`]; [`TokenError::Lost`] and [`TokenError::Failed`].
    pub fn open(options: TokenOptions) -> Result<Self, TokenError> {
        let TokenOptions { module, selection, pin, key, max_wraps } = options;
        key.as_deref().map_or(Ok(()), keys::check_label)?;
        let sessions = Sessions::new(module, selection, pin.pin()?);
        sessions.with(Access::Read, |session| match &key {
            Some(label) => keys::find(session, label, Use::Reopen).map(drop),
            None => Ok(()),
        })?;
        Ok(Self { sessions, counters: Counters::new(), key, max_wraps })
    }

    /// The label of the key that was named when the token was opened.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Makes an AES-256 key on the token, which stays in it: sensitive, not extractable, for encryption and decryption.
    /// The label is 1 to 2,048 bytes without control characters. Two processes that make a key of one label at the same
    /// moment both succeed, and neither key is used then.
    ///
    /// # Errors
    /// [`TokenError::BadLabel`], [`TokenError::KeyExists`], [`TokenError::UnfitKey`] if the token made another key,
    /// which is destroyed; [`TokenError::Login`], [`TokenError::Lost`] and [`TokenError::Failed`].
    pub fn create_key(&self, label: &str) -> Result<(), TokenError> {
        keys::check_label(label)?;
        self.sessions.with(Access::Write, |session| keys::create(session, label))
    }

    fn wrap(&self, label: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, TokenError> {
        keys::check_label(label)?;
        self.counters.take(label, |wanted| {
            self.sessions.with(Access::Write, |session| {
                // No count is begun for a key that is not there or not used.
                keys::find(session, label, Use::Wrap)?;
                counter::reserve(session, label, wanted, self.max_wraps)
            })
        })?;
        let secret = Key::generate().map_err(TokenError::Random)?;
        let aad = wrap::aad(label, context);
        let blob = self.sessions.with(Access::Read, |session| {
            let key = keys::find(session, label, Use::Wrap)?;
            wrap::seal(session, key, &aad, &secret)
        })?;
        wrapping_key(label, secret, &blob)
    }

    fn unwrap(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, TokenError> {
        let (label, blob) = (request.key_id(), request.blob());
        // This service makes no others; what says so was changed.
        let made_here = request.kind() == KeyKind::Object
            && request.service_context() == ServiceContext::Object
            && request.key_version() == 0;
        if !made_here {
            return Err(TokenError::Refused);
        }
        keys::check_label(label).map_err(|_| TokenError::UnknownKey)?;
        let aad = wrap::aad(label, request.context());
        let secret = self.sessions.with(Access::Read, |session| {
            let key = keys::find(session, label, Use::Reopen)?;
            wrap::open(session, key, &aad, blob)
        })?;
        wrapping_key(label, secret, blob)
    }
}

impl KeyService for Token {
    fn name(&self) -> &str {
        SERVICE
    }

    fn wrapping_key(&self, key_id: &str, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
        Ok(self.wrap(key_id, context)?)
    }

    fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        Ok(self.unwrap(request)?)
    }
}

/// The label of the key, at most.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("key", &self.key).finish_non_exhaustive()
    }
}

fn wrapping_key(label: &str, secret: Key, blob: &[u8]) -> Result<Arc<WrappingKey>, TokenError> {
    let key = WrappingKey::new(SERVICE, label, 0, secret);
    let key = key.and_then(|key| key.with_blob(KeyKind::Object, ServiceContext::Object, blob));
    key.map(Arc::new).map_err(|_| TokenError::BadLabel)
}
