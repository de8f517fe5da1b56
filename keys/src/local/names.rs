//! How keys and aliases are named: AWS KMS Developer Guide, "Key identifiers".

use crate::kms::{KmsError, KmsErrorKind};
use crate::uuid::Uuid;
use serde::{Deserialize, Serialize};

/// Longest name of an alias, with `alias/`, in bytes.
pub(super) const MAX_ALIAS_LEN: usize = 256;
/// Longest name of a key in AWS KMS, in characters.
const MAX_SHOWN: usize = 2_048;
/// What the name of every alias begins with.
const ALIAS: &str = "alias/";
/// Aliases of the service itself.
pub(super) const RESERVED: &str = "alias/aws/";

/// Whose keys they are, and where: the fields that are the same in all ARNs of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Such as `aws`.
    pub partition: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// 12 digits.
    pub account: String,
}

/// `aws`, `us-east-1`, and an account that AWS gives to nobody.
impl Default for Owner {
    fn default() -> Self {
        Self { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
    }
}

/// A key as somebody named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyName {
    Id(Uuid),
    /// With `alias/`.
    Alias(String),
}

impl Owner {
    /// That these can be fields of an ARN.
    pub(super) fn check(&self) -> Result<(), KmsError> {
        let word = |text: &str| {
            !text.is_empty()
                && text.len() <= 32
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let account = self.account.len() == 12 && self.account.bytes().all(|byte| byte.is_ascii_digit());
        if word(&self.partition) && word(&self.region) && account {
            return Ok(());
        }
        let message = "an account is 12 digits; partition and region are letters, digits and dashes";
        Err(KmsError::new(KmsErrorKind::Validation, message))
    }

    /// The ARN of a key.
    pub(super) fn arn_of(&self, key: Uuid) -> String {
        format!("{}key/{key}", self.prefix())
    }

    /// The ARN of an alias.
    pub(super) fn alias_arn(&self, alias: &str) -> String {
        format!("{}{alias}", self.prefix())
    }

    fn prefix(&self) -> String {
        let Self { partition, region, account } = self;
        format!("arn:{partition}:kms:{region}:{account}:")
    }

    /// A key by id, ARN, alias or ARN of an alias. The errors are those that S3 passes on.
    pub(super) fn parse(&self, name: &str) -> Result<KeyName, KmsError> {
        let not_found = |message: String| KmsError::new(KmsErrorKind::NotFound, message);
        let Some(fields) = name.strip_prefix("arn:") else {
            return parse_resource(name, name.strip_prefix(ALIAS).is_none())
                .ok_or_else(|| not_found(format!("Invalid keyId '{}'", shown(name))));
        };
        let mut fields = fields.splitn(5, ':');
        let mut next = || fields.next().unwrap_or_default();
        let (partition, service, region, account, resource) = (next(), next(), next(), next(), next());
        let resource_name = resource.strip_prefix("key/").unwrap_or(resource);
        let parsed = parse_resource(resource_name, resource.starts_with("key/"));
        let parsed = parsed.filter(|_| service == "kms");
        let parsed =
            parsed.ok_or_else(|| KmsError::new(KmsErrorKind::InvalidArn, format!("Invalid arn {}", shown(name))))?;
        if region != self.region || partition != self.partition {
            return Err(not_found(format!("Invalid arn {}", shown(region))));
        }
        if account != self.account {
            let what = if matches!(parsed, KeyName::Id(_)) { "Key" } else { "Alias" };
            return Err(not_found(format!("{what} '{}' does not exist", shown(name))));
        }
        Ok(parsed)
    }
}

/// A name as an error shows it. Whoever asks chose it, and the error may end up on a terminal or in a log.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect()
}

fn parse_resource(name: &str, is_id: bool) -> Option<KeyName> {
    if is_id {
        return Uuid::parse(name).map(KeyName::Id);
    }
    check_alias(name).ok().map(|()| KeyName::Alias(name.into()))
}

/// That this can be the name of an alias: `alias/` and letters, digits, `/`, `_` and `-`.
pub(super) fn check_alias(name: &str) -> Result<(), KmsError> {
    let rest = name.strip_prefix(ALIAS).unwrap_or_default();
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte));
    if !rest.is_empty() && plain && name.len() <= MAX_ALIAS_LEN {
        return Ok(());
    }
    let message = "an alias is alias/ and letters, digits, slashes, dashes and underscores, of at most 256 in all";
    Err(KmsError::new(KmsErrorKind::InvalidAliasName, message))
}
