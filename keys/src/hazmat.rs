//! Hooks for checks of constant time. Compiled only with `--cfg objseal_hazmat`, which the published crate never sets.

/// Appends a key as a keyring has it: in hexadecimal digits.
pub fn push_hex(text: &mut String, key: &[u8]) {
    crate::hex::push(text, key);
}

/// Reads such digits, as many as `key` has room for.
#[must_use]
pub fn hex_to_bytes(hex: &str, key: &mut [u8]) -> Option<()> {
    crate::hex::decode(hex.as_bytes(), crate::hex::Case::Lower, key)
}
