//! What is tested: a message goes through every function that needs no allocator.

use objseal::cobblestone::{CHUNK_LEN, Cobblestone};
use objseal::{Engine, Error, Key, RandomError, RandomSource};

const LEN: usize = 3 * CHUNK_LEN + 100;
const SEALED_LEN: usize = 56 + LEN + 4 * 16;

/// Buffers. Bare machines have small stacks.
pub(crate) struct Room {
    plaintext: [u8; LEN],
    message: [u8; SEALED_LEN],
    opened: [u8; LEN],
}

impl Room {
    pub(crate) const fn new() -> Self {
        Self { plaintext: [0; LEN], message: [0; SEALED_LEN], opened: [0; LEN] }
    }
}

/// An error where there should be none, or a result that is not what it should be.
pub(crate) struct Fault;

impl From<Error> for Fault {
    fn from(_: Error) -> Self {
        Self
    }
}

impl From<RandomError> for Fault {
    fn from(_: RandomError) -> Self {
        Self
    }
}

fn check(holds: bool) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault) }
}

pub(crate) fn round_trip(room: &mut Room, random: &dyn RandomSource) -> Result<Engine, Fault> {
    let mut bytes = [0; Key::LEN];
    random.fill(&mut bytes)?;
    check(bytes != [0; Key::LEN])?;
    let key = Key::from_bytes(&bytes);
    let cobblestone = Cobblestone::new(&key, b"no_std").with_random(random);
    let Room { plaintext, message, opened } = room;
    for (i, byte) in plaintext.iter_mut().enumerate() {
        *byte = (i % 251) as u8;
    }

    // In one call.
    check(cobblestone.seal_into(plaintext, message)? == SEALED_LEN)?;
    check(cobblestone.open_into(message, opened)? == LEN && opened == plaintext)?;

    // In pieces.
    message.fill(0);
    opened.fill(0);
    let mut len = 0;
    let mut sealer = cobblestone.sealer()?;
    for piece in plaintext.chunks(1000) {
        len += sealer.update(piece, &mut message[len..])?;
    }
    len += sealer.finish(&mut message[len..])?;
    check(len == SEALED_LEN)?;
    let mut len = 0;
    let mut opener = cobblestone.opener();
    for piece in message.chunks(999) {
        len += opener.update(piece, &mut opened[len..])?;
    }
    len += opener.finish(&mut opened[len..])?;
    check(len == LEN && opened == plaintext)?;

    message[40_000] ^= 1;
    check(cobblestone.open_into(message, opened) == Err(Error::Authentication))?;
    check(opened.iter().all(|&byte| byte == 0))?;

    // Without a source there is no sealing.
    check(Cobblestone::new(&key, b"").seal_into(b"", message) == Err(Error::Random))?;
    Ok(cobblestone.engine())
}
