//! Where AWS KMS is, and who asks it.

use super::wire::{self, Private};
use crate::kms::{KmsError, KmsErrorKind};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_kms::{Client, config};

/// How often a call is tried.
const ATTEMPTS: u32 = 3;

/// Where AWS KMS is; what is not said here, environment, profile and machine say.
#[derive(Clone, Debug, Default)]
pub struct AwsOptions {
    region: Option<String>,
    endpoint: Option<String>,
}

impl AwsOptions {
    /// What environment (`AWS_REGION`, `AWS_ENDPOINT_URL_KMS`, `AWS_ENDPOINT_URL`), profile (`AWS_PROFILE`) and instance say.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same in this region, such as `eu-west-1`.
    #[must_use]
    pub fn with_region(self, region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// The same in the region of this key, if its ARN or that of an alias is given; otherwise the same.
    #[must_use]
    pub fn with_region_of(self, key: &str) -> Self {
        let fields: Vec<_> = key.splitn(6, ':').collect();
        match fields[..] {
            ["arn", _, "kms", region, _, _] if !region.is_empty() => self.with_region(region),
            _ => self,
        }
    }

    /// The same at this URL, such as that of an own server. Keys come in the answers, so without TLS (`http`) the server must
    /// be on this machine (`localhost`, `127.0.0.1`, `[::1]`), and without a proxy that the environment says (`HTTP_PROXY`)
    /// before it. The same goes for the URL that the environment says.
    #[must_use]
    pub fn with_endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: Some(url.into()), ..self }
    }

    /// A client that does as it is said here.
    pub(super) async fn client(self) -> Result<Client, KmsError> {
        self.endpoint.as_deref().map_or(Ok(()), wire::check)?;
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let mut found = aws_config::defaults(BehaviorVersion::v2026_01_12()).retry_config(retries);
        if let Some(region) = self.region {
            found = found.region(Region::new(region));
        }
        let found = found.load().await;
        if found.region().is_none() {
            let message = "the region is not known: name the key by its ARN, or set AWS_REGION";
            return Err(KmsError::new(KmsErrorKind::Validation, message));
        }
        let mut config = config::Builder::from(&found).interceptor(Private);
        // Of the service itself, so that it goes before the environment.
        if self.endpoint.is_some() {
            config.set_endpoint_url(self.endpoint);
        }
        Ok(Client::from_conf(config.build()))
    }
}
