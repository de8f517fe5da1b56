//! A keyring under a passphrase: FORMAT.md, section 13. The cost is part of the context, so it cannot be lowered unseen.

use super::text::{self, FIRST_LINE};
use super::{Keyring, KeyringError};
use crate::hex::{self, Case};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use objseal::cobblestone;
use objseal::{Key, OsRandom, RandomSource};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::{Zeroize, Zeroizing};

const SALT_LEN: usize = 16;

/// A passphrase, wiped when dropped.
///
/// It is taken in Unicode's normalization form C, so that it is the same however a keyboard or a file encodes it. A keyring
/// that was put under another form of it opens as well.
pub struct Passphrase {
    /// In form C.
    text: Zeroizing<String>,
    /// As it was given, if that is another form.
    given: Option<Zeroizing<String>>,
}

impl Passphrase {
    /// The passphrase that `text` is.
    ///
    /// # Errors
    /// [`KeyringError::BadPassphrase`] if it is empty, which protects nothing, or has a NUL character, at which other
    /// programs end it.
    pub fn new(text: String) -> Result<Self, KeyringError> {
        let given = Zeroizing::new(text);
        if given.is_empty() || given.contains('\0') {
            return Err(KeyringError::BadPassphrase);
        }
        if is_nfc(&given) {
            return Ok(Self { text: given, given: None });
        }
        // With its final capacity: a string that grows leaves copies behind. Form C is at most three times as long.
        let mut text = Zeroizing::new(String::with_capacity(3 * given.len()));
        text.extend(given.nfc());
        Ok(Self { text, given: Some(given) })
    }

    /// The passphrase in the first line of a file, without its end and a byte order mark.
    ///
    /// # Errors
    /// [`KeyringError::BadPassphrase`] if it is empty or has a NUL character: the file is something else then.
    pub fn from_first_line(file: &str) -> Result<Self, KeyringError> {
        let line = file.split('\n').next().unwrap_or_default();
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        Self::new(line.strip_suffix('\r').unwrap_or(line).into())
    }
}

impl core::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// What it costs to try a passphrase: the parameters of Argon2id.
///
/// At least 19 MiB, 2 passes, 1 lane (OWASP's second choice for Argon2id), also when a keyring is read. At most 1 GiB, 64
/// passes, 64 lanes, and memory times passes at most 2 GiB: a file that somebody else wrote costs a second or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// 32 MiB, 3 passes, 1 lane: above the floor, and within the 64 MiB that the command may take.
    pub const DEFAULT: Self = Self { memory_kib: 32 * 1024, passes: 3, lanes: 1 };

    /// A cost within the bounds.
    ///
    /// # Errors
    /// [`KeyringError::PassphraseCost`] outside them.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeyringError> {
        let sensible = (19 * 1024..=1024 * 1024).contains(&memory_kib)
            && (2..=64).contains(&passes)
            && memory_kib * passes <= 2 * 1024 * 1024
            && (1..=64).contains(&lanes);
        if sensible { Ok(Self { memory_kib, passes, lanes }) } else { Err(KeyringError::PassphraseCost) }
    }

    fn derive(self, passphrase: &str, salt: &[u8; SALT_LEN]) -> Result<Key, KeyringError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(Key::LEN));
        let params = params.map_err(|_| KeyringError::PassphraseCost)?;
        // Wiped afterwards: the key follows from what stands in it then.
        let mut memory = Zeroizing::new(Vec::new());
        memory.try_reserve_exact(params.block_count()).map_err(|_| KeyringError::PassphraseCost)?;
        memory.resize(params.block_count(), Block::new());
        let mut bytes = [0; Key::LEN];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let derived = argon2.hash_password_into_with_memory(passphrase.as_bytes(), salt, &mut bytes, &mut memory[..]);
        let key = Key::from_bytes(&bytes);
        bytes.zeroize();
        derived.map(|()| key).map_err(|_| KeyringError::PassphraseCost)
    }
}

impl Default for PassphraseCost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whether `text`, behind its first line, is under a passphrase.
pub(super) fn is_sealed(after_first_line: &str) -> bool {
    after_first_line.starts_with("argon2id ")
}

/// The whole text of a keyring under a passphrase.
pub(super) fn seal(
    keyring: &Keyring,
    passphrase: &Passphrase,
    cost: PassphraseCost,
) -> Result<Zeroizing<String>, KeyringError> {
    let mut salt = [0; SALT_LEN];
    OsRandom.fill(&mut salt).map_err(objseal::Error::from)?;
    let PassphraseCost { memory_kib, passes, lanes } = cost;
    let mut head = format!("{FIRST_LINE}\nargon2id m={memory_kib} t={passes} p={lanes} salt=");
    hex::push(&mut head, &salt);
    head.push('\n');

    let key = cost.derive(&passphrase.text, &salt)?;
    let message = cobblestone::seal(&key, head.as_bytes(), text::encode(keyring).as_bytes())?;
    let mut whole = Zeroizing::new(head);
    whole.push_str("sealed ");
    hex::push(&mut whole, &message);
    whole.push('\n');
    Ok(whole)
}

/// Opens the whole text of a keyring under a passphrase; says what it costs, so that it can be sealed again.
pub(super) fn open(text: &str, passphrase: &Passphrase) -> Result<(Keyring, PassphraseCost), KeyringError> {
    let mut lines = text.split_inclusive('\n');
    let (first, second) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let head = &text[..first.len() + second.len()];
    let (numbers, salt) = decode_cost(second).ok_or(KeyringError::Malformed { line: 2 })?;
    // The floor holds on reading too: a cheaper passphrase was not set by this library.
    let cost = PassphraseCost::new(numbers[0], numbers[1], numbers[2])?;
    // Before the work that the passphrase costs.
    let message = decode_message(&text[head.len()..])
        .filter(|message| message.len() >= cobblestone::HEADER_LEN + cobblestone::TAG_LEN);
    let message = message.ok_or(KeyringError::Malformed { line: 3 })?;
    let open = |passphrase| {
        let key = cost.derive(passphrase, &salt)?;
        cobblestone::open(&key, head.as_bytes(), &message).map_err(|_| KeyringError::WrongPassphrase)
    };
    let lines = match (open(&passphrase.text), &passphrase.given) {
        (Err(KeyringError::WrongPassphrase), Some(given)) => open(given)?,
        (opened, _) => opened?,
    };
    let lines = Zeroizing::new(lines);
    let lines = core::str::from_utf8(&lines).map_err(|_| KeyringError::Malformed { line: 3 })?;
    Ok((text::decode(lines, 3)?, cost))
}

/// Memory, passes, lanes, and the salt.
fn decode_cost(line: &str) -> Option<([u32; 3], [u8; SALT_LEN])> {
    let mut words = line.strip_suffix('\n')?.strip_prefix("argon2id ")?.split(' ');
    let mut number = |name: &str| text::number(words.next()?.strip_prefix(name)?);
    let numbers = [number("m=")?, number("t=")?, number("p=")?];
    let mut salt = [0; SALT_LEN];
    hex::decode(words.next()?.strip_prefix("salt=")?.as_bytes(), Case::Lower, &mut salt)?;
    words.next().is_none().then_some((numbers, salt))
}

fn decode_message(line: &str) -> Option<Vec<u8>> {
    let digits = line.strip_suffix('\n')?.strip_prefix("sealed ")?;
    let mut message = vec![0; digits.len() / 2];
    hex::decode(digits.as_bytes(), Case::Lower, &mut message)?;
    Some(message)
}
