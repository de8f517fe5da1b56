//! The key that S3 uses when no other one is named.

use super::LocalKms;
use super::keys::parse_policy;
use super::names::KeyName;
use super::record::Rotation;
use crate::kms::{Call, KeyManager, KmsError, Origin, service_name};
use crate::policy::Policy;
use std::sync::Arc;

/// The alias of the key that S3 uses when no other one is named.
const S3_ALIAS: &str = "alias/aws/s3";
/// As AWS describes that key.
const S3_DESCRIPTION: &str = "Default key that protects my S3 objects when no other key is defined";

impl LocalKms {
    /// Makes the key of `alias/aws/s3` if S3 asks for it the first time.
    pub(super) fn make_service_key_if_named(&self, call: &Call, key: &str) -> Result<(), KmsError> {
        if self.owner().parse(key) != Ok(KeyName::Alias(S3_ALIAS.into())) {
            return Ok(());
        }
        let via = call.via_service.as_deref().map(service_name);
        let is_s3 = via.as_deref() == Some(&*self.s3_service());
        // The others may not use it, or want nothing made.
        let may = call.principal.account() == self.owner().account && !call.dry_run;
        if !is_s3 || !may {
            return Ok(());
        }
        // Whoever is late is told so by what follows.
        let Ok(wait) = self.in_time(call) else { return Ok(()) };
        if self.current(wait)?.catalogue.aliases.contains_key(S3_ALIAS) {
            return Ok(());
        }
        self.change(&self.own_call(call.deadline), "CreateKey", |draft| {
            // Another process may have been faster.
            if draft.contents.catalogue.aliases.contains_key(S3_ALIAS) {
                draft.line.detail = Some("it was made already".into());
                return Ok(());
            }
            let policy = Arc::new(self.s3_policy()?);
            let mut stored = self.new_key(KeyManager::Aws, Origin::Service, S3_DESCRIPTION.into(), policy)?;
            stored.record.rotation = Some(Rotation::starting(self.now(), 365));
            draft.line.key = Some(self.owner().arn_of(stored.record.id));
            draft.line.key_version = Some(stored.current_version());
            draft.line.detail = Some(S3_ALIAS.into());
            let id = stored.record.id;
            draft.put(stored);
            self.point(draft, S3_ALIAS, id);
            Ok(())
        })
    }

    fn s3_service(&self) -> String {
        service_name(&format!("s3.{}", self.owner().region))
    }

    /// The policy of `alias/aws/s3`, which nobody can change: S3 may use the key for those of the account.
    fn s3_policy(&self) -> Result<Policy, KmsError> {
        let (account, partition, service) = (&self.owner().account, &self.owner().partition, self.s3_service());
        parse_policy(&format!(
            r#"{{"Version":"2012-10-17","Id":"auto-s3-2","Statement":[{{"Sid":"Allow access through S3 for all principals in the account that are authorized to use S3","Effect":"Allow","Principal":{{"AWS":"*"}},"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*","Condition":{{"StringEquals":{{"kms:ViaService":"{service}","kms:CallerAccount":"{account}"}}}}}},{{"Sid":"Allow direct access to key metadata to the account","Effect":"Allow","Principal":{{"AWS":"arn:{partition}:iam::{account}:root"}},"Action":["kms:Describe*","kms:Get*","kms:List*"],"Resource":"*"}}]}}"#
        ))
    }
}
