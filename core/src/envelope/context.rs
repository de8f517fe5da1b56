//! The encryption context: public key-value pairs, bound to every wrap.

use super::codec::{Reader, put_short};
use super::error::FormatError;
use crate::limits::{MAX_CONTEXT_LEN, MAX_CONTEXT_PAIRS};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha512};

/// Public key-value pairs that an object is bound to: who opens it can demand exactly these.
///
/// Most pairs are stored with the object, in clear. A pair that whoever opens knows anyway, such as the bucket and the name
/// of the object, need not be: only its key is stored ([`bind`](Self::bind)), and the value comes from who opens.
///
/// At most [`MAX_CONTEXT_PAIRS`] pairs, and [`MAX_CONTEXT_LEN`] bytes with 4 more for each pair. They are not secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionContext(BTreeMap<String, Pair>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    value: String,
    stored: bool,
}

impl EncryptionContext {
    /// No pairs.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// These pairs.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    ///
    /// ```
    /// use objseal::envelope::EncryptionContext;
    /// let context = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "2026/cat.jpg")])?;
    /// # Ok::<(), objseal::envelope::FormatError>(())
    /// ```
    pub fn from_pairs<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Self, FormatError> {
        let mut context = Self::new();
        pairs.into_iter().try_for_each(|(key, value)| context.insert(key, value))?;
        Ok(context)
    }

    /// Adds a pair that is stored with the object.
    ///
    /// # Errors
    /// [`FormatError::TooLong`] beyond the bounds; [`FormatError::Malformed`] if the key is empty or there already.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), FormatError> {
        self.add(key, value, true)
    }

    /// Adds a pair that the object is bound to, of which only the key is stored: whoever opens the object gives the value.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub fn bind(&mut self, key: &str, value: &str) -> Result<(), FormatError> {
        self.add(key, value, false)
    }

    fn add(&mut self, key: &str, value: &str, stored: bool) -> Result<(), FormatError> {
        let lens = [self.encoded_len(), key.len(), value.len(), 4];
        let len = lens.into_iter().try_fold(0_usize, usize::checked_add);
        if self.0.len() >= MAX_CONTEXT_PAIRS || len.is_none_or(|len| len > MAX_CONTEXT_LEN) {
            return Err(FormatError::TooLong);
        }
        if key.is_empty() || self.0.contains_key(key) {
            return Err(FormatError::Malformed);
        }
        self.0.insert(key.into(), Pair { value: value.into(), stored });
        Ok(())
    }

    /// All pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, pair)| (key.as_str(), pair.value.as_str()))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|pair| pair.value.as_str())
    }

    /// The pairs that are stored with the object, sorted by key.
    pub fn stored(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, pair)| pair.stored).map(|(key, pair)| (key.as_str(), pair.value.as_str()))
    }

    /// The keys of the others, sorted.
    pub fn bound_keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, pair)| !pair.stored).map(|(key, _)| key.as_str())
    }

    /// Whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn encoded_len(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.len() + 4).sum()
    }

    /// The stored pairs as a field has them.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.stored().for_each(|pair| put_pair(&mut out, pair));
        out
    }

    /// All pairs, as they are bound: FORMAT.md, section 3.
    pub(super) fn put_all(&self, out: &mut Vec<u8>) {
        // At most MAX_CONTEXT_PAIRS.
        let pairs = u16::try_from(self.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&pairs.to_be_bytes());
        self.iter().for_each(|pair| put_pair(out, pair));
    }

    /// SHA-512 of all pairs.
    pub(super) fn digest(&self) -> ContextDigest {
        let mut pairs = Vec::with_capacity(2 + self.encoded_len());
        self.put_all(&mut pairs);
        Sha512::digest(&pairs).into()
    }

    /// Reads what [`encode`](Self::encode) gives for at least one pair.
    pub(super) fn decode(value: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(value);
        let mut context = Self::new();
        let mut previous = "";
        while !reader.is_empty() {
            let (key, value) = (reader.short_text()?, reader.short_text()?);
            // Strictly rising, and so never empty.
            if key <= previous {
                return Err(FormatError::Malformed);
            }
            context.insert(key, value)?;
            previous = key;
        }
        if context.is_empty() { Err(FormatError::Malformed) } else { Ok(context) }
    }
}

/// SHA-512 of the pairs of an object.
pub(super) type ContextDigest = [u8; 64];

fn put_pair(out: &mut Vec<u8>, (key, value): (&str, &str)) {
    put_short(out, key.as_bytes());
    put_short(out, value.as_bytes());
}
