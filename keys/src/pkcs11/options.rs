//! Which token, which PIN, and which key.

use super::counter::MAX_WRAPS;
use super::error::TokenError;
use super::sessions::Selection;
use super::uri;
use crate::key_file;
use cryptoki::types::AuthPin;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest PIN, in bytes.
const MAX_PIN_LEN: usize = 256;

/// Which token is to be opened, and how.
pub struct TokenOptions {
    pub(super) module: PathBuf,
    pub(super) selection: Selection,
    pub(super) pin: PinSource,
    pub(super) key: Option<String>,
    pub(super) max_wraps: u32,
}

/// Where the PIN is from.
pub(super) enum PinSource {
    None,
    Given(Zeroizing<String>),
    File(PathBuf),
}

impl TokenOptions {
    /// The only token of the module at `module`, the absolute path of a library. It is code that this process runs,
    /// with all that the process may do.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>) -> Self {
        let selection = Selection::default();
        Self { module: module.into(), selection, pin: PinSource::None, key: None, max_wraps: MAX_WRAPS }
    }

    /// The options that a PKCS #11 URI (RFC 7512) says, such as
    /// `pkcs11:token=vault;object=photos?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/pin`.
    ///
    /// Known are `token`, `serial`, `manufacturer`, `model`, `slot-id`, `object` (the label of the key),
    /// `type=secret-key`, `module-path`, which must be there, and `pin-source` with a path or a `file:` URI. Every
    /// other attribute is refused.
    ///
    /// # Errors
    /// [`TokenError::Uri`].
    ///
    /// ```
    /// use objseal_keys::pkcs11::TokenOptions;
    /// let options = TokenOptions::from_uri("pkcs11:token=my%20vault;object=photos?module-path=/usr/lib/libtoken.so")?;
    /// # Ok::<(), objseal_keys::pkcs11::TokenError>(())
    /// ```
    pub fn from_uri(uri: &str) -> Result<Self, TokenError> {
        uri::parse(uri)
    }

    /// The token with this label.
    #[must_use]
    pub fn with_token(mut self, label: impl Into<String>) -> Self {
        self.selection.label = Some(label.into());
        self
    }

    /// The token with this serial number.
    #[must_use]
    pub fn with_serial(mut self, serial: impl Into<String>) -> Self {
        self.selection.serial = Some(serial.into());
        self
    }

    /// The token in the slot with this id. Some modules give a slot another id in another process.
    #[must_use]
    pub fn with_slot(mut self, id: u64) -> Self {
        self.selection.slot = Some(id);
        self
    }

    /// This PIN of the token's user, of 1 to 256 bytes. It is kept, because a token that was lost asks for it again,
    /// and wiped when the token is dropped.
    #[must_use]
    pub fn with_pin(mut self, pin: Zeroizing<String>) -> Self {
        self.pin = PinSource::Given(pin);
        self
    }

    /// The PIN in the first line of this file, which must be as private as a key file ([`key_file::read`]).
    #[must_use]
    pub fn with_pin_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pin = PinSource::File(path.into());
        self
    }

    /// The key with this label is to be there and fit when the token is opened; [`Token::key`](super::Token::key) gives
    /// the label back.
    #[must_use]
    pub fn with_key(mut self, label: impl Into<String>) -> Self {
        self.key = Some(label.into());
        self
    }

    /// At most this many wraps for each key, and never more than [`MAX_WRAPS`].
    #[must_use]
    pub fn with_max_wraps(mut self, wraps: u32) -> Self {
        self.max_wraps = wraps.min(MAX_WRAPS);
        self
    }
}

/// All but the PIN.
impl fmt::Debug for TokenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenOptions")
            .field("module", &self.module)
            .field("token", &self.selection)
            .field("pin", &self.pin)
            .field("key", &self.key)
            .field("max_wraps", &self.max_wraps)
            .finish()
    }
}

/// Where it is from, at most.
impl fmt::Debug for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Given(_) => f.write_str("Given(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl PinSource {
    /// The PIN, if there is one.
    pub(super) fn pin(&self) -> Result<Option<AuthPin>, TokenError> {
        match self {
            Self::None => Ok(None),
            Self::Given(pin) => checked(pin).map(Some),
            Self::File(path) => checked(first_line(&read(path)?)?).map(Some),
        }
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    // One byte more than a line with a PIN has, and room: a vector that grows leaves a copy of the PIN behind.
    let limit = MAX_PIN_LEN + 3;
    let mut content = Zeroizing::new(Vec::with_capacity(2 * limit));
    let file = key_file::open(path).map_err(TokenError::PinFile)?;
    file.take(limit as u64).read_to_end(&mut content).map_err(|error| TokenError::PinFile(error.into()))?;
    Ok(content)
}

fn first_line(content: &[u8]) -> Result<&str, TokenError> {
    let line = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    std::str::from_utf8(line).map_err(|_| TokenError::BadPin)
}

fn checked(pin: &str) -> Result<AuthPin, TokenError> {
    // From a slice, and so in an allocation of exactly its length: shortening one would leave a copy behind.
    if (1..=MAX_PIN_LEN).contains(&pin.len()) { Ok(AuthPin::from(pin)) } else { Err(TokenError::BadPin) }
}
