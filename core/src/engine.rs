//! Which implementation of AES-256-GCM seals and opens the chunks of a message.

use crate::arch::{self, Backend, KEY_LEN, Nonce, Tag};
use crate::error::{Error, UnknownEngine};
use crate::gcm::{self, CounterRoom};
#[cfg(objseal_hazmat)]
use crate::hazmat::faults as hazmat;
use aes_gcm::KeyInit as _;
use aes_gcm::aead::AeadInOut as _;
#[cfg(feature = "aws-lc")]
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use core::fmt;
use core::str::FromStr;
use inout::InOutBuf;

/// An implementation of AES-256-GCM. All give the same bytes, and each opens what any other sealed.
///
/// Nothing here is a validated module; AWS-LC has validated builds, and the crate that is used here is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// objseal's own, on this backend. Keys are derived with RustCrypto's `hmac` and `sha2`.
    Native(Backend),
    /// RustCrypto's `aes-gcm`. Keys are derived as for `Native`. It shares its AES and GHASH with [`Backend::Soft`].
    RustCrypto,
    /// AWS-LC, with the feature `aws-lc`, by the crate `aws-lc-rs`, which also derives the keys.
    AwsLc,
}

impl Engine {
    /// The fastest one on this machine: [`Engine::Native`] on the best backend.
    #[must_use]
    pub fn detect() -> Self {
        Self::Native(Backend::detect())
    }

    /// Every engine that this version of objseal knows, the native ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        let native = Backend::ALL.iter().map(|&backend| Self::Native(backend));
        native.chain([Self::RustCrypto, Self::AwsLc])
    }

    /// Whether this build and this machine can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        Choice::of(self).is_ok()
    }

    /// Whether the two have AES or GHASH code in common, so that one fault can be in both.
    #[must_use]
    pub fn shares_code_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Native(_), Self::Native(_)) => true,
            (Self::Native(Backend::Soft), Self::RustCrypto) | (Self::RustCrypto, Self::Native(Backend::Soft)) => true,
            _ => self == other,
        }
    }

    /// The name that [`Display`](fmt::Display) prints and [`FromStr`] reads: that of the backend, `rustcrypto` or
    /// `aws-lc`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native(backend) => backend.name(),
            Self::RustCrypto => "rustcrypto",
            Self::AwsLc => "aws-lc",
        }
    }
}

impl From<Backend> for Engine {
    fn from(backend: Backend) -> Self {
        Self::Native(backend)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all().find(|engine| engine.name() == name).ok_or(UnknownEngine)
    }
}

/// An engine together with the proof that it can run.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    Native(arch::Choice),
    RustCrypto,
    #[cfg(feature = "aws-lc")]
    AwsLc,
}

impl Choice {
    pub(crate) fn of(engine: Engine) -> Result<Self, Error> {
        match engine {
            Engine::Native(backend) => arch::Choice::of(backend).map(Self::Native),
            Engine::RustCrypto => Some(Self::RustCrypto),
            #[cfg(feature = "aws-lc")]
            Engine::AwsLc => Some(Self::AwsLc),
            #[cfg(not(feature = "aws-lc"))]
            Engine::AwsLc => None,
        }
        .ok_or(Error::EngineUnavailable(engine))
    }

    pub(crate) fn best() -> Self {
        Self::Native(arch::Choice::best())
    }

    /// What does the outer layer where `self` does the inner one: another implementation, the fastest there is. Where
    /// there is none, [`shares_code_with`](Engine::shares_code_with) tells.
    #[cfg(feature = "alloc")]
    pub(crate) fn other(self) -> Self {
        let others = [Engine::AwsLc, Engine::detect(), Engine::RustCrypto];
        let other = others.into_iter().filter(|other| !other.shares_code_with(self.engine()));
        other.filter_map(|other| Self::of(other).ok()).next().unwrap_or(Self::RustCrypto)
    }

    /// That `other` is another implementation.
    pub(crate) fn require_other(self, other: Self) -> Result<(), Error> {
        let (one, other) = (self.engine(), other.engine());
        if one.shares_code_with(other) { Err(Error::EnginesAlike(one, other)) } else { Ok(()) }
    }

    pub(crate) fn engine(self) -> Engine {
        match self {
            Self::Native(choice) => Engine::Native(choice.backend()),
            Self::RustCrypto => Engine::RustCrypto,
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => Engine::AwsLc,
        }
    }
}

/// A key set up for one engine, and wiped on drop.
// Native keys are on the heap where there is one, and so are the others.
#[cfg_attr(not(feature = "alloc"), allow(clippy::large_enum_variant))]
pub(crate) enum LayerKey {
    Native(gcm::Aes256Gcm),
    RustCrypto(arch::Home<aes_gcm::Aes256Gcm>),
    #[cfg(feature = "aws-lc")]
    AwsLc(alloc::boxed::Box<LessSafeKey>),
}

impl LayerKey {
    /// Sets up `key` for about `expected_len` bytes, as far as is known.
    pub(crate) fn new(choice: Choice, key: &[u8; KEY_LEN], expected_len: u64) -> Result<Self, Error> {
        Ok(match choice {
            Choice::Native(choice) => Self::Native(gcm::Aes256Gcm::new(choice, key, expected_len)),
            Choice::RustCrypto => Self::RustCrypto(arch::at_home(aes_gcm::Aes256Gcm::new(key.into()))),
            #[cfg(feature = "aws-lc")]
            Choice::AwsLc => {
                let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::EngineUnavailable(Engine::AwsLc))?;
                Self::AwsLc(alloc::boxed::Box::new(LessSafeKey::new(key)))
            }
        })
    }

    /// The engine that this key works on.
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Native(key) => Engine::Native(key.backend()),
            Self::RustCrypto(_) => Engine::RustCrypto,
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(_) => Engine::AwsLc,
        }
    }

    /// What seals and opens some messages, of about `len` bytes together, one after the other.
    pub(crate) fn worker<'w>(&'w self, room: &'w mut CounterRoom, len: usize) -> Worker<'w> {
        match self {
            Self::Native(key) => Worker::Native(key.worker(room, len)),
            Self::RustCrypto(key) => Worker::RustCrypto(key),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => Worker::AwsLc(key),
        }
    }
}

/// A key, and what one thread keeps from message to message.
pub(crate) enum Worker<'w> {
    Native(gcm::Worker<'w>),
    RustCrypto(&'w aes_gcm::Aes256Gcm),
    #[cfg(feature = "aws-lc")]
    AwsLc(&'w LessSafeKey),
}

impl Worker<'_> {
    #[cfg(objseal_hazmat)]
    fn engine(&self) -> Engine {
        match self {
            Self::Native(worker) => Engine::Native(worker.backend()),
            Self::RustCrypto(_) => Engine::RustCrypto,
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(_) => Engine::AwsLc,
        }
    }

    /// Encrypts `input` into `output`, which must be as long, and returns the tag.
    ///
    /// A nonce must never be used twice with the same key.
    pub(crate) fn seal(&mut self, nonce: &Nonce, input: &[u8], output: &mut [u8]) -> Result<Tag, Error> {
        #[cfg(objseal_hazmat)]
        let input = &*hazmat::plaintext_to_seal(self.engine(), input);
        let tag = self.seal_as_it_is(nonce, input, output)?;
        #[cfg(objseal_hazmat)]
        let tag = hazmat::tag(self.engine(), &tag);
        Ok(tag)
    }

    fn seal_as_it_is(&mut self, nonce: &Nonce, input: &[u8], output: &mut [u8]) -> Result<Tag, Error> {
        let (needed, given) = (input.len(), output.len());
        let too_small = |_| Error::OutputTooSmall { needed, given };
        match self {
            Self::Native(worker) => worker.seal(nonce, &[], InOutBuf::new(input, output).map_err(too_small)?),
            Self::RustCrypto(key) => {
                let data = InOutBuf::new(input, output).map_err(too_small)?;
                let tag = key.encrypt_inout_detached(nonce.into(), &[], data).map_err(|_| Error::TooLong)?;
                Ok(tag.into())
            }
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => {
                let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(*nonce);
                let mut tag = Tag::default();
                key.seal_out_of_place_scatter(nonce, Aad::empty(), input, output, &[], &mut tag)
                    .map_err(|_| Error::TooLong)?;
                Ok(tag)
            }
        }
    }

    /// Decrypts `input` into `output`, which must be as long. If `tag` does not hold, the output is zeroed.
    pub(crate) fn open(&mut self, nonce: &Nonce, input: &[u8], output: &mut [u8], tag: &Tag) -> Result<(), Error> {
        #[cfg(objseal_hazmat)]
        let tag = &hazmat::tag(self.engine(), tag);
        let opened = self.open_as_it_is(nonce, input, output, tag);
        #[cfg(objseal_hazmat)]
        hazmat::opened_plaintext(self.engine(), output);
        opened
    }

    fn open_as_it_is(&mut self, nonce: &Nonce, input: &[u8], output: &mut [u8], tag: &Tag) -> Result<(), Error> {
        let opened = match self {
            Self::Native(worker) => {
                let data = InOutBuf::new(input, &mut *output).map_err(|_| Error::Authentication)?;
                return worker.open(nonce, &[], data, tag);
            }
            Self::RustCrypto(key) => {
                let data = InOutBuf::new(input, &mut *output).map_err(|_| Error::Authentication)?;
                key.decrypt_inout_detached(nonce.into(), &[], data, tag.into()).is_ok()
            }
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => {
                let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(*nonce);
                key.open_separate_gather(nonce, Aad::empty(), input, tag, output).is_ok()
            }
        };
        if opened {
            Ok(())
        } else {
            output.fill(0);
            Err(Error::Authentication)
        }
    }
}
