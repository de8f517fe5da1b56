//! Names that users give to keys.

use super::failure::Failure;
use super::operations::Operation;
use super::pages::{Page, page};
use super::wire::Time;
use objseal_keys::kms::Call;
use objseal_keys::local::{AliasEntry, LocalKms};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateAlias {
    alias_name: String,
    target_key_id: String,
}

impl Operation for CreateAlias {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        // The words of AWS KMS.
        if !self.alias_name.starts_with("alias/") {
            return Err(Failure::validation(
                "Alias must start with the prefix \"alias/\". Please see \
                 https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            ));
        }
        Ok(kms.create_alias(&call, &self.alias_name, &self.target_key_id)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UpdateAlias {
    alias_name: String,
    target_key_id: String,
}

impl Operation for UpdateAlias {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.update_alias(&call, &self.alias_name, &self.target_key_id)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DeleteAlias {
    alias_name: String,
}

impl Operation for DeleteAlias {
    type Answer = ();

    fn run(self, kms: &LocalKms, call: Call) -> Result<(), Failure> {
        Ok(kms.delete_alias(&call, &self.alias_name)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListAliases {
    key_id: Option<String>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Aliases {
    aliases: Vec<AliasListEntry>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AliasListEntry {
    alias_name: String,
    alias_arn: String,
    target_key_id: String,
    creation_date: Time,
    last_updated_date: Time,
}

impl From<AliasEntry> for AliasListEntry {
    fn from(alias: AliasEntry) -> Self {
        Self {
            alias_name: alias.name,
            alias_arn: alias.arn,
            target_key_id: alias.key_id.to_string(),
            creation_date: Time(alias.created),
            last_updated_date: Time(alias.updated),
        }
    }
}

impl Operation for ListAliases {
    type Answer = Aliases;

    fn run(self, kms: &LocalKms, call: Call) -> Result<Aliases, Failure> {
        let mut aliases = kms.aliases(&call)?;
        if let Some(key) = self.key_id {
            let arn = kms.key_arn(&key)?;
            aliases.retain(|alias| arn.rsplit('/').next() == Some(&*alias.key_id.to_string()));
        }
        let (aliases, page) = page(aliases, |alias| &alias.name, (self.limit, self.marker), (50, 100))?;
        Ok(Aliases { aliases: aliases.into_iter().map(AliasListEntry::from).collect(), page })
    }
}
