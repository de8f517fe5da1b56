//! Names of stores and MACs as text. MACs stand in the lines in clear.

use crate::hex::{self, Case};
use crate::uuid::Uuid;

/// A UUID as text.
pub(super) fn uuid(id: &[u8; 16]) -> String {
    Uuid::from_bytes(*id).to_string()
}

/// Reads what [`uuid`] gives, and nothing else.
pub(super) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    Uuid::parse(text).map(Uuid::to_bytes)
}

/// Reads so many bytes from lower-case hexadecimal digits.
pub(super) fn parse_hex<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    hex::decode(text.as_bytes(), Case::Lower, &mut bytes)?;
    Some(bytes)
}
