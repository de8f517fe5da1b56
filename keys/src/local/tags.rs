//! Tags: words on a key, which policies can look at.
//!
//! AWS Billing User Guide, "User-Defined Tag Restrictions"; AWS KMS Developer Guide, "ABAC for AWS KMS".

use super::LocalKms;
use super::access::Asked;
use super::data::in_earnest;
use super::keys::check_not_pending_deletion;
use super::names::shown;
use crate::kms::{Call, KmsError, KmsErrorKind};
use std::collections::BTreeMap;

/// Most tags of a key.
const MAX_TAGS: usize = 50;
/// Longest name and value of a tag, in characters.
const MAX_NAME_LEN: usize = 128;
const MAX_VALUE_LEN: usize = 256;
/// What tags of AWS itself begin with, in whatever case.
const RESERVED: &str = "aws:";

impl LocalKms {
    /// Adds tags to a key, or gives those that are there other values (`kms:TagResource`). Tags can give and take
    /// rights to a key.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsErrorKind::Tag`] for a tag that is reserved, or with characters that none can have,
    /// [`KmsErrorKind::Validation`] for one that is too long, [`KmsErrorKind::LimitExceeded`] for more than 50.
    pub fn set_tags(&self, call: &Call, key: &str, tags: &BTreeMap<String, String>) -> Result<(), KmsError> {
        self.change_key(call, key, &asked_with("TagResource", tags), |arn, stored, now| {
            check_tags(tags)?;
            check_not_pending_deletion(arn, stored, now)?;
            let mut all = stored.record.tags.clone();
            all.extend(tags.clone());
            check_count(&all)?;
            in_earnest(call)?;
            stored.record.tags = all;
            Ok(())
        })
    }

    /// Takes tags of these names from a key; those that are not there are none already (`kms:UntagResource`).
    ///
    /// # Errors
    /// [`KmsError`]; for a name that none can have as [`set_tags`](Self::set_tags).
    pub fn remove_tags(&self, call: &Call, key: &str, names: &[String]) -> Result<(), KmsError> {
        let asked = Asked::of("UntagResource");
        let asked = names.iter().fold(asked, |asked, name| asked.with("aws:TagKeys", name.as_str()));
        self.change_key(call, key, &asked, |arn, stored, now| {
            names.iter().try_for_each(|name| check_name(name))?;
            check_not_pending_deletion(arn, stored, now)?;
            in_earnest(call)?;
            stored.record.tags.retain(|name, _| !names.contains(name));
            Ok(())
        })
    }

    /// The tags of a key (`kms:ListResourceTags`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub fn tags(&self, call: &Call, key: &str) -> Result<BTreeMap<String, String>, KmsError> {
        self.run(call, "ListResourceTags", |contents, line| {
            let used = self.allowed(contents, line, call, key, &Asked::of("ListResourceTags"))?;
            Ok(used.stored.record.tags.clone())
        })
    }
}

/// An operation, and the tags of its request.
pub(super) fn asked_with(operation: &'static str, tags: &BTreeMap<String, String>) -> Asked<'static> {
    tags.iter().fold(Asked::of(operation), |asked, (name, value)| {
        asked.with(format!("aws:RequestTag/{name}"), value.as_str()).with("aws:TagKeys", name.as_str())
    })
}

/// That a key can have these tags.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), KmsError> {
    for (name, value) in tags {
        check_name(name)?;
        check_text(value, 0, MAX_VALUE_LEN)?;
    }
    check_count(tags)
}

fn check_name(name: &str) -> Result<(), KmsError> {
    check_text(name, 1, MAX_NAME_LEN)
}

fn check_text(text: &str, least: usize, most: usize) -> Result<(), KmsError> {
    if !(least..=most).contains(&text.chars().count()) {
        let message =
            format!("the name of a tag has 1 to {MAX_NAME_LEN} characters, and its value has at most {MAX_VALUE_LEN}");
        return Err(KmsError::new(KmsErrorKind::Validation, message));
    }
    let reserved = text.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    let plain =
        |char: char| char.is_alphanumeric() || char.is_whitespace() && !char.is_control() || "_.:/=+-@".contains(char);
    if !reserved && text.chars().all(plain) {
        return Ok(());
    }
    let message = format!("a tag has letters, digits, spaces and _.:/=+-@, and does not begin with {RESERVED}");
    Err(KmsError::new(KmsErrorKind::Tag, format!("{message}: {}", shown(text))))
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), KmsError> {
    if tags.len() <= MAX_TAGS {
        return Ok(());
    }
    Err(KmsError::new(KmsErrorKind::LimitExceeded, format!("a key has at most {MAX_TAGS} tags")))
}
