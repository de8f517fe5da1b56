//! AWS KMS, and whatever speaks its protocol, as a key service.
//!
//! ```no_run
//! use objseal::envelope::{EncryptionContext, KeyService, OpenOptions, SealOptions};
//! use objseal_keys::aws::{AwsKms, AwsOptions};
//! use objseal_keys::kms::{Blocking, Call, Principal, block_on};
//! use std::sync::Arc;
//!
//! let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
//! let arn = "arn:aws:kms:eu-west-1:111122223333:alias/photos";
//! let kms = block_on(AwsKms::connect(AwsOptions::new().with_region_of(arn), runtime.handle().clone()))?;
//! let service = Blocking::new(Arc::new(kms), Call::of(Arc::new(Principal::new(""))));
//!
//! let context = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "cat.jpg")])?;
//! let key = service.wrapping_key(arn, &context)?;
//! let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start()?;
//! let stored = body.seal(b"the plaintext")?;
//!
//! let opened = OpenOptions::new().with_service(Arc::new(service)).with_context(context).open(envelope.stored())?;
//! assert_eq!(opened.body()?.open(&stored)?, b"the plaintext");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **Whoever calls is not whom AWS sees.** KMS sees the credentials of this process: the
//!   [principal](crate::kms::Call::principal), the [service](crate::kms::Call::via_service) and the source of a call are
//!   not passed on. A server that answers for many decides their rights itself, with [`guard`](crate::guard), or has one
//!   [`AwsKms`] with credentials of its own for each of them.
//! - A key is named by its ARN, its id, an alias or the ARN of an alias. What is stored is the ARN of the key that KMS
//!   answers with, and only that key opens it again. An answer of another key than the one that was named is refused, and for
//!   the ARN of an alias one of another account or region. Versions stay in KMS: the version is 0.
//! - A call without a deadline takes at most 30 seconds. What may succeed the next time (throttling, a fault of the service,
//!   a connection that broke) is tried three times, with the pauses of the SDK, and never after the deadline.
//! - Keys are wiped here. The buffers of the SDK and of TLS, through which they came, are not.
//!
//! | file | what |
//! |---|---|
//! | `options` | where it is |
//! | `requests` | what is asked, and what an answer must be |
//! | `wire` | how long answers are, and what is not sent in clear |
//! | `error` | why not |

mod error;
mod options;
mod requests;
mod wire;

pub use options::AwsOptions;

use crate::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, Plaintext, Purpose, ReEncrypted, Right,
    Source, Standing, StoredKey,
};
use crate::remote::{data_key, wrapping_key};
use aws_sdk_kms::Client;
use objseal::envelope::WrappingKey;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use tokio::runtime::Handle;
use wire::Bounded;

const SERVICE: &str = "aws-kms";

/// Keys of AWS KMS.
#[derive(Clone)]
pub struct AwsKms {
    client: Client,
    runtime: Handle,
    /// Where the keys are, if that is known.
    region: Option<String>,
}

impl AwsKms {
    /// A service that asks through `client`, with its retries. Its calls run on `runtime`, which has several threads or one of
    /// its own, input, output and time ([`enable_all`](tokio::runtime::Builder::enable_all)); whoever waits for them needs
    /// none.
    #[must_use]
    pub fn new(client: Client, runtime: Handle) -> Self {
        let config = client.config().to_builder().interceptor(Bounded).build();
        Self { client: Client::from_conf(config), runtime, region: None }
    }

    /// A service with what environment, profile and machine say. Nobody is asked for a key yet. Keys of other regions than
    /// the client's are refused.
    ///
    /// Credentials are those of the environment, the profile, a web identity, the container or the instance, in this order.
    ///
    /// # Errors
    /// [`Validation`](crate::kms::KmsErrorKind::Validation) if nothing says which region it is, or if the endpoint is neither
    /// on this machine nor behind TLS.
    pub async fn connect(options: AwsOptions, runtime: Handle) -> Result<Self, KmsError> {
        let client = crate::remote::run(&runtime, None, options.client()).await?;
        let region = client.config().region().map(ToString::to_string);
        Ok(Self { region, ..Self::new(client, runtime) })
    }
}

impl Kms for AwsKms {
    fn service(&self) -> &str {
        SERVICE
    }

    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            let DataKey { plaintext, ciphertext } = self.new_data_key(call, key).await?;
            wrapping_key(SERVICE, plaintext, (&ciphertext.key_arn, 0), purpose, &ciphertext.blob)
        })
    }

    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            let opened = self.open(call, Some(&stored.key_id), &stored.blob).await?;
            let secret = data_key(&opened.bytes)?;
            wrapping_key(SERVICE, secret, (&opened.key_arn, 0), stored.purpose, &stored.blob)
        })
    }

    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        Box::pin(self.close(call, key, plaintext))
    }

    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        Box::pin(self.open(call, key, blob))
    }

    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        Box::pin(self.close_anew(call, source, key))
    }

    /// Only of keys that encrypt data keys.
    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        Box::pin(self.look_up(call, key))
    }

    /// Only a call would tell.
    fn standing<'a>(&'a self, _: &'a Call, _: &'a str, _: Right) -> Answer<'a, Option<Standing>> {
        Box::pin(ready(Ok(None)))
    }
}

impl DataKeys for AwsKms {
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        Box::pin(self.new_data_key(call, key))
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey> {
        Box::pin(async move {
            let Plaintext { bytes, key_arn, key_version, material_id } = self.open(call, key, blob).await?;
            let plaintext = data_key(&bytes)?;
            Ok(DataKey { plaintext, ciphertext: Ciphertext { blob: blob.into(), key_arn, key_version, material_id } })
        })
    }
}

/// Nothing of the client: it has credentials.
impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKms").finish_non_exhaustive()
    }
}
