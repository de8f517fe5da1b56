//! Why an envelope is not made or opened.

use super::service::KeyServiceError;
use crate::error::Error;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What is wrong with a stored head, or with something that was to become part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// It does not begin as a sealed object does.
    NotSealed,
    /// It is of a version that this library does not know.
    UnknownVersion(u8),
    /// It has a field that this library does not know and must not ignore.
    UnknownField(u16),
    /// It uses something that this library does not know: a suite, a kind of key, a number of layers.
    Unsupported,
    /// It is not encoded as the format says.
    Malformed,
    /// It is longer, or has more entries, than the format allows.
    TooLong,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed => f.write_str("this is not a sealed object"),
            Self::UnknownVersion(version) => write!(f, "this sealed object is of version {version}, and 1 is known"),
            Self::UnknownField(tag) => write!(f, "this sealed object needs field {tag:#06x}, which is not known"),
            Self::Unsupported => f.write_str("this sealed object uses a suite or a kind of key that is not known"),
            Self::Malformed => f.write_str("the head of this sealed object is not well-formed"),
            Self::TooLong => f.write_str(
                "the head has no room for it: a name, the encryption context or the list of keys is too long",
            ),
        }
    }
}

impl core::error::Error for FormatError {}

/// A root key by the names that the head of an object gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedKey {
    /// The key service.
    pub service: String,
    /// The root key, as the service calls it.
    pub key_id: String,
    /// Its version, from 1; 0 where the service keeps that to itself.
    pub key_version: u32,
}

/// Such as `version 2 of "photos" of "keyring"`.
impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, key_id, key_version } = self;
        if *key_version > 0 {
            write!(f, "version {key_version} of ")?;
        }
        write!(f, "{key_id:?} of {service:?}")
    }
}

/// Why an envelope was not made or opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The head is not one, or what was to go into it does not fit.
    Format(FormatError),
    /// The caller's policy accepts none of the wrapped keys, or no key service at hand has their root keys.
    NoAcceptedKey {
        /// The root key of each wrapped key, as the head says. Nothing proves it.
        wanted: Vec<NamedKey>,
    },
    /// No key was given to seal a layer under.
    NoKey,
    /// The key at hand is another one of the same name, as far as the stored fingerprint says. Nothing proves it.
    OtherKey(NamedKey),
    /// The object is not what the caller's policy demands.
    Policy(Demand),
    /// A key service did not give the key.
    KeyService(KeyServiceError),
    /// The head, or what belongs to it, is not authentic.
    Authentication,
    /// The object has another number of layers than keys were given for.
    OtherLayers {
        /// Layers of the object.
        object: u8,
        /// Layers that keys were given for.
        given: u8,
    },
    /// The object has parts, or has none, and was asked for the other.
    OtherContent,
    /// The parts that were named do not make an object.
    Parts(PartsError),
    /// Making the object failed.
    Seal(Error),
}

/// Why parts do not make an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartsError {
    /// A part number is not from 1 to 10,000.
    Number(u32),
    /// None were named, or more than 10,000.
    Count,
    /// The numbers do not rise: this one is there twice or comes too late.
    Order(u32),
    /// There is no receipt for this part with the ETag that was named.
    Missing(u32),
    /// This part is longer than 5 GiB, or empty and not the only one.
    Size(u32),
}

impl fmt::Display for PartsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "part number {number}: they are from 1 to 10,000"),
            Self::Count => f.write_str("an object has 1 to 10,000 parts"),
            Self::Order(number) => write!(f, "part {number} is named twice, or not in order"),
            Self::Missing(number) => write!(f, "part {number} was not uploaded, or has another ETag"),
            Self::Size(number) => write!(f, "part {number} is longer than 5 GiB, or empty and not the only one"),
        }
    }
}

impl core::error::Error for PartsError {}

/// What a policy demanded and the object does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Demand {
    /// The encryption context.
    Context,
    /// The object id.
    ObjectId,
    /// The minimum generation.
    Generation,
    /// The minimum number of layers.
    Layers,
    /// The suites.
    Suites,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => error.fmt(f),
            Self::NoAcceptedKey { wanted } => {
                f.write_str("no key at hand opens this object; it was sealed under")?;
                for (i, key) in wanted.iter().enumerate() {
                    let or = if i == 0 { "" } else { ", or" };
                    write!(f, "{or} {key}")?;
                }
                Ok(())
            }
            Self::NoKey => f.write_str("no key was given to seal a layer under"),
            Self::OtherKey(key) => write!(f, "the object was sealed under another key of that name: {key}"),
            Self::Policy(Demand::Context) => f.write_str("the object does not have the encryption context asked for"),
            Self::Policy(Demand::ObjectId) => f.write_str("the object does not have the object id asked for"),
            Self::Policy(Demand::Generation) => f.write_str("the head of the object is older than asked for"),
            Self::Policy(Demand::Layers) => f.write_str("the object has fewer layers than asked for"),
            Self::Policy(Demand::Suites) => f.write_str("the object uses a suite that is not accepted"),
            Self::KeyService(error) => error.fmt(f),
            Self::OtherLayers { object, given } => {
                write!(f, "the object has {object} layers, and keys were given for {given}")
            }
            Self::OtherContent => f.write_str("the object has parts, or has none, and was asked for the other"),
            Self::Parts(error) => error.fmt(f),
            Self::Authentication => f.write_str("wrong key, or the object was changed"),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EnvelopeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its own words are those of the error; what is behind it are these.
            Self::KeyService(error) => error.source(),
            _ => None,
        }
    }
}

impl From<KeyServiceError> for EnvelopeError {
    fn from(error: KeyServiceError) -> Self {
        Self::KeyService(error)
    }
}

impl From<FormatError> for EnvelopeError {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<PartsError> for EnvelopeError {
    fn from(error: PartsError) -> Self {
        Self::Parts(error)
    }
}

impl From<Error> for EnvelopeError {
    fn from(error: Error) -> Self {
        if error == Error::Authentication { Self::Authentication } else { Self::Seal(error) }
    }
}
