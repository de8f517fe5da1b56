//! Hexadecimal digits of secrets, without a branch or an index that depends on them.

use crate::verdict::verdict;
use subtle::ConstantTimeEq;

/// Which letters are digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// Small ones.
    Lower,
    /// Small and large ones.
    Any,
}

/// Appends `bytes` as lower-case digits.
pub(crate) fn push(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            // 39 more from 10 on: the distance from '9' + 1 to 'a'.
            let letter = (9_u8.wrapping_sub(digit) >> 7) * 39;
            text.push(char::from(b'0' + digit + letter));
        }
    }
}

/// The same as a text of its own.
#[cfg(feature = "kms")]
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push(&mut text, bytes);
    text
}

/// Fills `bytes` from as many pairs of digits.
pub(crate) fn decode(digits: &[u8], case: Case, bytes: &mut [u8]) -> Option<()> {
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    // The bit 0x20 is the case of a letter, and sends no other character among the small ones from a to f.
    let fold = if case == Case::Any { 0x20 } else { 0 };
    let mut wrong = 0;
    for (byte, digits) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0;
        for &digit in digits {
            let (of_number, of_letter) = (digit.wrapping_sub(b'0'), (digit | fold).wrapping_sub(b'a'));
            // All ones where the digit is within its range.
            let is_number = 0_u8.wrapping_sub(u8::from(of_number < 10));
            let is_letter = 0_u8.wrapping_sub(u8::from(of_letter < 6));
            wrong |= !(is_number | is_letter);
            value = value << 4 | (of_number & is_number) | (of_letter.wrapping_add(10) & is_letter);
        }
        *byte = value;
    }
    verdict(wrong.ct_eq(&0)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut text = String::new();
        push(&mut text, &bytes);
        let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, expected);
        let mut back = vec![0; 256];
        decode(text.as_bytes(), Case::Lower, &mut back).expect("digits");
        assert_eq!(back, bytes);
        let upper = text.to_uppercase();
        decode(upper.as_bytes(), Case::Any, &mut back).expect("digits");
        assert_eq!(back, bytes);
        assert!(decode(upper.as_bytes(), Case::Lower, &mut back).is_none());
    }

    #[test]
    fn whatever_is_no_digit_is_refused() {
        for byte in 0..=255_u8 {
            for pair in [[byte, b'0'], [b'0', byte]] {
                let any = byte.is_ascii_hexdigit();
                assert_eq!(decode(&pair, Case::Any, &mut [0]).is_some(), any, "{byte}");
                let lower = any && !byte.is_ascii_uppercase();
                assert_eq!(decode(&pair, Case::Lower, &mut [0]).is_some(), lower, "{byte}");
            }
        }
        assert!(decode(b"000", Case::Any, &mut [0]).is_none());
    }
}
