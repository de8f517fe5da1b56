//! Where a key management service is, as it is written on the command line.

#[cfg(feature = "aws")]
use super::aws;
#[cfg(feature = "bao")]
use super::bao;
use super::service::Service;
use crate::failure::Failure;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Where it is.
#[derive(Clone)]
pub(super) enum Location {
    /// In a file.
    Local(PathBuf),
    /// Elsewhere.
    Remote(Arc<dyn Remote>),
}

/// A service that answers over a network.
pub(crate) trait Remote: Send + Sync {
    /// The key that was named with it.
    fn key(&self) -> &str;

    /// With what its keys are managed, because it is not with this command.
    fn own_tools(&self) -> String;

    /// Gets ready to ask it.
    fn connect(&self) -> Result<Service, Failure>;
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("local", path)) if !path.is_empty() => Ok(Self::Local(path.into())),
            Some((service, address)) if !address.is_empty() => remote(service, address).map(Self::Remote),
            _ => Err(KNOWN.into()),
        }
    }
}

const KNOWN: &str = "known are local:FILE, aws:ARN and bao:URL#KEY";

fn remote(service: &str, address: &str) -> Result<Arc<dyn Remote>, String> {
    match (service, address) {
        #[cfg(feature = "aws")]
        ("aws", arn) => Ok(Arc::new(arn.parse::<aws::Key>()?)),
        #[cfg(not(feature = "aws"))]
        ("aws", _) => Err(not_built("AWS KMS", "aws")),
        #[cfg(feature = "bao")]
        ("bao", key) => Ok(Arc::new(key.parse::<bao::Key>()?)),
        #[cfg(not(feature = "bao"))]
        ("bao", _) => Err(not_built("OpenBao and Vault", "bao")),
        _ => Err(KNOWN.into()),
    }
}

#[cfg(not(all(feature = "aws", feature = "bao")))]
fn not_built(service: &str, feature: &str) -> String {
    let build = format!("cargo install --path bindings/cli --features {feature}");
    format!("this command was built without {service}; build it with `{build}`")
}
