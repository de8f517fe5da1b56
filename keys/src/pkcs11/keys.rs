//! Keys on a token: found by their label, and looked at before they are used.

use super::error::{KeyFault, TokenError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use objseal::Key;
use objseal::limits::MAX_KEY_ID_LEN;

/// What a key is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// New wraps. What is wrapped must open again, and so the key must decrypt as well.
    Wrap,
    /// Only what was wrapped before: a key that may no longer encrypt still opens it.
    Reopen,
}

/// That a label can stand in a wrapped key.
pub(super) fn check_label(label: &str) -> Result<(), TokenError> {
    let fits = (1..=MAX_KEY_ID_LEN).contains(&label.len()) && !label.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(TokenError::BadLabel) }
}

/// The key of this label.
pub(super) fn find(session: &Session, label: &str, wanted: Use) -> Result<ObjectHandle, TokenError> {
    let mut keys = labelled(session, label)?;
    let (key, attributes) = keys.pop().ok_or(TokenError::UnknownKey)?;
    if !keys.is_empty() {
        return Err(TokenError::SeveralKeys);
    }
    check(&attributes, wanted)?;
    Ok(key)
}

/// Makes a key.
pub(super) fn create(session: &Session, label: &str) -> Result<(), TokenError> {
    if !labelled(session, label)?.is_empty() {
        return Err(TokenError::KeyExists);
    }
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(key_len()),
        Attribute::Label(label.into()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    let key = session.generate_key(&Mechanism::AesKeyGen, &template).map_err(TokenError::of_module)?;
    // Some tokens pass over what they are asked for.
    let attributes = session.get_attributes(key, &ATTRIBUTES).map_err(TokenError::of_module)?;
    check(&attributes, Use::Wrap).inspect_err(|_| {
        let _ = session.destroy_object(key);
    })
}

const ATTRIBUTES: [AttributeType; 7] = [
    AttributeType::Label,
    AttributeType::KeyType,
    AttributeType::ValueLen,
    AttributeType::Sensitive,
    AttributeType::Extractable,
    AttributeType::Encrypt,
    AttributeType::Decrypt,
];

/// All secret keys of this very label, and what they say of themselves.
fn labelled(session: &Session, label: &str) -> Result<Vec<(ObjectHandle, Vec<Attribute>)>, TokenError> {
    let label = Attribute::Label(label.into());
    let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true), label.clone()];
    let mut keys = Vec::new();
    for key in session.find_objects(&template).map_err(TokenError::of_module)? {
        let attributes = session.get_attributes(key, &ATTRIBUTES).map_err(TokenError::of_module)?;
        if attributes.contains(&label) {
            keys.push((key, attributes));
        }
    }
    Ok(keys)
}

/// That a key is one to be used. What a token does not say of it is not taken for granted.
fn check(attributes: &[Attribute], wanted: Use) -> Result<(), TokenError> {
    let encrypts = (Attribute::Encrypt(true), KeyFault::NoEncrypt);
    let demands = [
        (Attribute::KeyType(KeyType::AES), KeyFault::NotAes),
        (Attribute::ValueLen(key_len()), KeyFault::NotOf32Bytes),
        (Attribute::Sensitive(true), KeyFault::NotSensitive),
        (Attribute::Extractable(false), KeyFault::Extractable),
        (Attribute::Decrypt(true), KeyFault::NoDecrypt),
    ];
    let demands = demands.into_iter().chain(Some(encrypts).filter(|_| wanted == Use::Wrap));
    let fault = demands.into_iter().find(|(attribute, _)| !attributes.contains(attribute));
    fault.map_or(Ok(()), |(_, fault)| Err(TokenError::UnfitKey(fault)))
}

fn key_len() -> Ulong {
    // AES-256.
    const { assert!(Key::LEN == 32) };
    Ulong::new(32)
}
