//! AWS KMS.

use super::location::Remote;
use super::remote;
use super::service::{Names, Service};
use crate::failure::Failure;
use objseal_keys::aws::{AwsKms, AwsOptions};
use objseal_keys::kms::block_on;
use objseal_keys::local::Uuid;
use std::str::FromStr;
use std::sync::Arc;

/// The ARN of a key or an alias.
pub(super) struct Key {
    arn: String,
    account: Account,
}

impl FromStr for Key {
    type Err = String;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let known =
            || "aws: is followed by the ARN of a key or of an alias, arn:aws:kms:REGION:ACCOUNT:key/ID".to_owned();
        let parts: Vec<_> = arn.splitn(6, ':').collect();
        let ["arn", partition, "kms", region, account, name] = parts[..] else { return Err(known()) };
        let id = name.strip_prefix("key/").or_else(|| name.strip_prefix("alias/"));
        if [partition, region, account, id.unwrap_or_default()].contains(&"") {
            return Err(known());
        }
        Ok(Self { arn: arn.into(), account: Account(format!("arn:{partition}:kms:{region}:{account}:")) })
    }
}

impl Remote for Key {
    fn key(&self) -> &str {
        &self.arn
    }

    fn own_tools(&self) -> String {
        "keys of AWS KMS are managed with its own tools, such as `aws kms`; here `objseal key describe` shows them"
            .into()
    }

    fn connect(&self) -> Result<Service, Failure> {
        let options = AwsOptions::new().with_region_of(&self.arn);
        let connected = block_on(AwsKms::connect(options, remote::runtime()?));
        let kms = connected.map_err(|error| Failure::of_kms(&error, "AWS KMS"))?;
        Ok(Service {
            kms: Arc::new(kms),
            call: remote::call(),
            names: Box::new(self.account.clone()),
            keyring: None,
            in_use: Vec::new(),
        })
    }
}

/// What the ARNs of the keys of an account in a region begin with.
///
/// AWS would as well decrypt under a key of any other account that lets it, and whoever has such an account could make files
/// that open.
#[derive(Clone)]
struct Account(String);

impl Names for Account {
    fn whole(&self, name: &str) -> String {
        let Self(account) = self;
        if name.starts_with("arn:") {
            name.into()
        } else if name.starts_with("mrk-") || Uuid::parse(name).is_some() {
            format!("{account}key/{name}")
        } else {
            format!("{account}alias/{}", name.strip_prefix("alias/").unwrap_or(name))
        }
    }

    fn has(&self, key_id: &str) -> bool {
        key_id.starts_with(&self.0)
    }
}
