//! The canonical encoding of FORMAT.md, section 4: one encoding for each value, bounds before allocation.

use super::error::FormatError;
use alloc::vec::Vec;
use core::str;

/// From this tag on a field is optional: a reader that does not know it passes over it.
const FIRST_OPTIONAL_TAG: u16 = 0x8000;
/// From this tag on a field is private to whoever seals.
pub(super) const FIRST_PRIVATE_TAG: u16 = 0xC000;

/// Reads values from the front of some bytes.
#[derive(Clone)]
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), FormatError> {
        if self.is_empty() { Ok(()) } else { Err(FormatError::Malformed) }
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'b [u8], FormatError> {
        let (now, later) = self.0.split_at_checked(len).ok_or(FormatError::Malformed)?;
        self.0 = later;
        Ok(now)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (now, later) = self.0.split_first_chunk().ok_or(FormatError::Malformed)?;
        self.0 = later;
        Ok(*now)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FormatError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_be_bytes)
    }

    /// `u16 length || bytes`.
    pub(super) fn short(&mut self) -> Result<&'b [u8], FormatError> {
        let len = self.u16()?;
        self.bytes(len.into())
    }

    /// All that is left.
    pub(super) fn all(&mut self) -> &'b [u8] {
        core::mem::take(&mut self.0)
    }

    /// All that is left, as text.
    pub(super) fn all_text(&mut self) -> Result<&'b str, FormatError> {
        str::from_utf8(self.all()).map_err(|_| FormatError::Malformed)
    }

    pub(super) fn short_text(&mut self) -> Result<&'b str, FormatError> {
        str::from_utf8(self.short()?).map_err(|_| FormatError::Malformed)
    }

    /// The next field, if there is one, whose tag must be above `previous`.
    pub(super) fn field(&mut self, previous: Option<u16>) -> Result<Option<Field<'b>>, FormatError> {
        if self.is_empty() {
            return Ok(None);
        }
        let tag = self.u16()?;
        if previous.is_some_and(|previous| tag <= previous) {
            return Err(FormatError::Malformed);
        }
        Ok(Some(Field { tag, value: self.short()? }))
    }
}

/// A field whose value has not been looked at.
pub(super) struct Field<'b> {
    pub(super) tag: u16,
    pub(super) value: &'b [u8],
}

impl Field<'_> {
    /// That a field which this version does not know may be passed over.
    pub(super) fn require_optional(&self) -> Result<(), FormatError> {
        if self.tag < FIRST_OPTIONAL_TAG { Err(FormatError::UnknownField(self.tag)) } else { Ok(()) }
    }
}

/// Writes `short(bytes)`. Callers check lengths when values are made, so none is longer than a `u16` can say.
pub(super) fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    debug_assert_eq!(usize::from(len), bytes.len());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Writes a field.
pub(super) fn put_field(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    out.extend_from_slice(&tag.to_be_bytes());
    put_short(out, value);
}
