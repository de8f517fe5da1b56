//! One suite for every face of the library: whatever seals opens everywhere, and what was changed is refused by all in the
//! same way.
//!
//! | file | what |
//! |---|---|
//! | `suite` | the cases |
//! | `hostile` | what can be done to a stored file |
//! | `child` | a face in another language, behind pipes |

mod child;
mod hostile;
mod suite;

pub use child::Child;
pub use suite::conform;

use objseal::envelope::{EnvelopeError, OpenOptions, SealOptions, WrappingKey};
use objseal::file::FileError;
use objseal::{Error, Key};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What a face of the library does: seal and open files, and open a range of one.
pub trait Face {
    /// What it is, with its version where it has one of its own.
    fn name(&self) -> String;

    /// Seals `plain`, which comes in `pieces`.
    ///
    /// # Errors
    /// [`Refusal`].
    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// Opens `stored`, which comes in `pieces`, front to back.
    ///
    /// # Errors
    /// [`Refusal`].
    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// Opens a range of what is stored.
    ///
    /// # Errors
    /// [`Refusal`].
    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal>;
}

/// Why a face gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not authentic.
    Authentication,
    /// It is not a sealed file, or a damaged head.
    Format,
    /// Anything else.
    Other(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Authentication => Self::Authentication,
            error => Self::Other(error.to_string()),
        }
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NotSealed | FileError::Envelope(EnvelopeError::Format(_)) => Self::Format,
            FileError::Envelope(EnvelopeError::Authentication | EnvelopeError::OtherKey(_)) => Self::Authentication,
            FileError::Envelope(EnvelopeError::Seal(error)) => error.into(),
            error => Self::Other(error.to_string()),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        FileError::from(error).into()
    }
}

/// A key for each layer.
pub struct Keys(Vec<Key>);

impl Keys {
    /// Keys that are the same in every run.
    #[must_use]
    pub fn of(layers: u8) -> Self {
        Self((1..=layers).map(|layer| Key::from_bytes(&[layer; Key::LEN])).collect())
    }

    /// A key that is none of them.
    #[must_use]
    pub fn another() -> Self {
        Self(vec![Key::from_bytes(&[0xee; Key::LEN])])
    }

    /// The bytes of the key of each layer, the innermost first.
    pub fn bytes(&self) -> impl ExactSizeIterator<Item = &[u8; Key::LEN]> {
        self.0.iter().map(Key::expose_secret)
    }

    fn wrapping(&self) -> Vec<Arc<WrappingKey>> {
        self.bytes().map(|bytes| Arc::new(WrappingKey::from_key(Key::from_bytes(bytes)))).collect()
    }

    /// Options that seal under them.
    #[must_use]
    pub fn to_seal(&self) -> SealOptions {
        let with = [SealOptions::with_key, SealOptions::with_outer_key];
        self.wrapping().into_iter().zip(with).fold(SealOptions::default(), |options, (key, with)| with(options, key))
    }

    /// Options that open with them.
    #[must_use]
    pub fn to_open(&self) -> OpenOptions {
        self.wrapping().into_iter().fold(OpenOptions::new(), OpenOptions::with_key)
    }
}

/// The lengths of the pieces that bytes come in, again and again.
#[derive(Clone, Debug)]
pub struct Pieces(pub Vec<u32>);

impl Pieces {
    /// `bytes` in such pieces.
    #[must_use]
    pub fn of<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut lengths = self.0.iter().cycle();
        let mut rest = bytes;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let len = lengths.next().map_or(rest.len(), |&len| len.max(1) as usize);
            let (piece, later) = rest.split_at(len.min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        pieces
    }
}
