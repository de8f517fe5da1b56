//! Tags of keys.

use super::failure::Failure;
use super::operations::Operation;
use super::pages::{Page, page};
use crate::json::Object;
use objseal_keys::kms::{Call, KmsError, KmsErrorKind};
use objseal_keys::local::LocalKms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A tag.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    tag_key: String,
    tag_value: String,
}

/// Tags by name, each once.
pub(super) fn tags_of(tags: Vec<Object<Tag>>) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for Object(Tag { tag_key, tag_value }) in tags {
        if found.insert(tag_key, tag_value).is_some() {
            return Err(KmsError::new(KmsErrorKind::Tag, "Duplicate tag keys").into());
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TagResource {
    key_id: String,
    tags: Vec<Object<Tag>>,
}

impl Operation for TagResource {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.set_tags(&call, &self.key_id, &tags_of(self.tags)?)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UntagResource {
    key_id: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.remove_tags(&call, &self.key_id, &self.tag_keys)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListResourceTags {
    key_id: String,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    tags: Vec<Tag>,
    #[serde(flatten)]
    page: Page,
}

impl Operation for ListResourceTags {
    type Answer = Tags;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Tags, Failure> {
        let tags = kms.tags(&call, &self.key_id)?.into_iter().map(|(tag_key, tag_value)| Tag { tag_key, tag_value });
        let (tags, page) = page(tags.collect(), |tag: &Tag| &tag.tag_key, (self.limit, self.marker), (50, 50))?;
        Ok(Tags { tags, page })
    }
}
