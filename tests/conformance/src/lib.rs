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

/// One key, and how many layers are under it.
pub struct Keys {
    key: [u8; Key::LEN],
    layers: u8,
}

impl Keys {
    /// The same key in every run.
    #[must_use]
    pub fn of(layers: u8) -> Self {
        Self { key: [1; Key::LEN], layers }
    }

    /// Another key.
    #[must_use]
    pub fn another() -> Self {
        Self { key: [2; Key::LEN], layers: 1 }
    }

    /// The bytes of the key.
    #[must_use]
    pub fn key(&self) -> &[u8; Key::LEN] {
        &self.key
    }

    /// How many layers are sealed.
    #[must_use]
    pub fn layers(&self) -> u8 {
        self.layers
    }

    fn wrapping(&self) -> Arc<WrappingKey> {
        Arc::new(WrappingKey::from_key(Key::from_bytes(&self.key)))
    }

    /// Options that seal under it.
    #[must_use]
    pub fn to_seal(&self) -> SealOptions {
        let options = SealOptions::new(self.wrapping());
        if self.layers == 2 { options.with_outer_key(self.wrapping()) } else { options }
    }

    /// Options that open with it.
    #[must_use]
    pub fn to_open(&self) -> OpenOptions {
        OpenOptions::new().with_key(self.wrapping())
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
