//! How many wraps a key has made: counted on the token, in a data object beside the key.
//!
//! A count in this process would begin at zero with every start, and say nothing of all processes together. No
//! attribute of a key can be trusted to take a number on all tokens. So a data object holds the count; a token that
//! takes none makes no wraps. Before any wrap of a block is made, the whole block is written, and so a crash counts too
//! many and never too few. Blocks grow with what a process wraps, so that many short runs do not waste the count.
//!
//! Not every token lets the value of a data object change, SoftHSM among them. So a new object is made, and then those
//! from before are destroyed: the largest number is the count, whatever a crash has left.
//!
//! PKCS #11 has no way to change a number at once: two processes that write at the same moment count one block less.
//! That is why the bound is far below the 2^32 of SP 800-38D, section 8.3, for random IVs: some thousand processes
//! would have to write at the same moment each time.
//!
//! Whoever has the PIN can also destroy the object. It protects from accidents.

use super::error::{TokenError, reason_of};
use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use std::collections::HashMap;
use std::process;
use std::sync::{Mutex, PoisonError};

/// Most wraps of a key: 2^20. SP 800-38D, section 8.3, allows 2^32 with random IVs; there is less because two processes
/// that count at the same moment count too few.
pub const MAX_WRAPS: u32 = 1 << 20;
/// Most wraps that are written ahead.
const MAX_BLOCK: u32 = 1 << 10;
/// CKA_APPLICATION of the data objects; CKA_LABEL is that of the key, and CKA_VALUE the count as a big-endian u64.
const APPLICATION: &str = "objseal wraps";

/// Wraps that this process may make.
pub(super) struct Counters(Mutex<Counts>);

struct Counts {
    process: u32,
    of_keys: HashMap<String, Count>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// Made by this process.
    made: u32,
    /// Written and not made yet.
    left: u32,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Counts { process: process::id(), of_keys: HashMap::new() }))
    }

    /// Takes one wrap of a key. When none is left, `reserve` writes that at most so many more are made and says how
    /// many.
    pub(super) fn take(
        &self,
        label: &str,
        reserve: impl FnOnce(u32) -> Result<u32, TokenError>,
    ) -> Result<(), TokenError> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.process != process::id() {
            // Those that are left are the parent's.
            *counts = Counts { process: process::id(), of_keys: HashMap::new() };
        }
        let mut count = counts.of_keys.get(label).copied().unwrap_or_default();
        if count.left == 0 {
            count.left = reserve(count.made.clamp(1, MAX_BLOCK))?;
        }
        count.left = count.left.saturating_sub(1);
        count.made = count.made.saturating_add(1);
        counts.of_keys.insert(label.into(), count);
        Ok(())
    }
}

/// Writes that up to `wanted` more wraps of a key are made; returns how many of them, at least one.
pub(super) fn reserve(session: &Session, label: &str, wanted: u32, limit: u32) -> Result<u32, TokenError> {
    let template = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Application(APPLICATION.into()),
        Attribute::Label(label.into()),
    ];
    let before = session.find_objects(&template).map_err(TokenError::of_module)?;
    let numbers: Result<Vec<u64>, _> = before.iter().map(|&object| number(session, object)).collect();
    let made = numbers?.into_iter().max().unwrap_or(0);
    let left = u64::from(limit).saturating_sub(made);
    let block = u32::try_from(left).unwrap_or(u32::MAX).min(wanted);
    if block == 0 {
        return Err(TokenError::WrapLimit { limit });
    }
    let value = made.saturating_add(block.into()).to_be_bytes();
    let more = [Attribute::Private(true), Attribute::Value(value.into())];
    session.create_object(&[&template[..], &more].concat()).map_err(not_kept)?;
    for object in before {
        // Another process may have been first. Whatever stays has a smaller number.
        let _ = session.destroy_object(object);
    }
    Ok(block)
}

/// The number in a data object.
fn number(session: &Session, object: ObjectHandle) -> Result<u64, TokenError> {
    let attributes = match session.get_attributes(object, &[AttributeType::Value]) {
        Ok(attributes) => attributes,
        // Destroyed meanwhile by another process, which has made one with a larger number.
        Err(CryptokiError::Pkcs11(RvError::ObjectHandleInvalid, _)) => return Ok(0),
        Err(error) => return Err(TokenError::of_module(error)),
    };
    let value = attributes.iter().find_map(|attribute| match attribute {
        Attribute::Value(value) => value.as_slice().try_into().ok().map(u64::from_be_bytes),
        _ => None,
    });
    value.ok_or(TokenError::BadCounter)
}

/// A token that is gone has not said that it keeps no such object.
fn not_kept(error: CryptokiError) -> TokenError {
    let reason = reason_of(&error);
    match TokenError::of_module(error) {
        lost @ TokenError::Lost { .. } => lost,
        _ => TokenError::NoCounter { reason },
    }
}
