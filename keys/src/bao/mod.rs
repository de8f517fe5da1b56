//! Keys of the transit engine of OpenBao or Vault as a key service.
//!
//! ```no_run
//! use objseal::envelope::{EncryptionContext, KeyService, OpenOptions, SealOptions};
//! use objseal_keys::bao::{BaoOptions, BaoTransit};
//! use objseal_keys::kms::{Blocking, Call, Principal};
//! use std::sync::Arc;
//!
//! let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
//! let token = std::fs::read_to_string("/run/secrets/bao-token")?.into();
//! let bao = BaoTransit::new(BaoOptions::new("https://bao.example:8200", token), runtime.handle().clone())?;
//! let service = Blocking::new(Arc::new(bao), Call::of(Arc::new(Principal::new(""))));
//!
//! let context = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "cat.jpg")])?;
//! let key = service.wrapping_key("photos", &context)?;
//! let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start()?;
//! let stored = body.seal(b"the plaintext")?;
//!
//! let opened = OpenOptions::new().with_service(Arc::new(service)).with_context(context).open(envelope.stored())?;
//! assert_eq!(opened.body()?.open(&stored)?, b"the plaintext");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - A key is named by its name, `photos`, or by its id, `transit/keys/photos`: its path, after the namespace if there is one.
//!   The id is what is stored, and a key of another mount or namespace is refused. Which server it is the id does not say.
//! - A data key is made here, and encrypted there with the encryption context as associated data: the engine's own data keys
//!   have none. What is bound is the text `objseal bao-transit context 1`, then of each pair, sorted by key, the key and the
//!   value, each after its length in 4 bytes, big-endian.
//! - A ciphertext says its version, and not its key: whoever decrypts names the key. [`re_encrypt`](Kms::re_encrypt) decrypts
//!   and encrypts in two calls, and the plaintext passes through this process: the engine's rewrap knows no associated data.
//! - A key that is not there is not made, whatever the token may do. The engine refuses keys without authenticated encryption,
//!   for they take no associated data, and keys with derivation. It does not refuse `aes128-gcm96`: whether a key has 256 bits
//!   [`describe`](Kms::describe) tells, which takes a right that a token for data keys need not have, to read the key.
//! - **Whoever calls is not whom the server sees.** It sees the token: the [principal](crate::kms::Call::principal), the
//!   [service](crate::kms::Call::via_service), the grants and the source of a call are not passed on. A server that answers
//!   for many decides their rights itself, with [`guard`](crate::guard), or has one [`BaoTransit`] with a token of its own
//!   for each of them.
//! - A call without a deadline takes at most 30 seconds. Nothing is tried twice. A call that is only to be tried is made, and
//!   what came of it dropped: nothing on the server changes.
//! - Keys and token are wiped here. The buffers of the HTTP client and of TLS, through which they pass, are not.
//!
//! | file | what |
//! |---|---|
//! | `options` | where it is |
//! | `server` | what is asked, and what an answer must be |
//! | `names` | ids of keys, versions of ciphertexts, contexts as they are bound |
//! | `error` | why not |

mod error;
mod names;
mod options;
mod server;

pub use options::BaoOptions;

use crate::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, KmsErrorKind, Plaintext, Purpose,
    ReEncrypted, Right, Source, Standing, StoredKey,
};
use crate::remote::{data_key, in_earnest, run, wrapping_key};
use names::version_of;
use objseal::Key;
use objseal::envelope::{EncryptionContext, WrappingKey};
use server::Server;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

const SERVICE: &str = "bao-transit";

/// What [`Kms::encrypt`] takes.
const MAX_PLAINTEXT_LEN: usize = 4_096;

/// Keys of a transit engine.
pub struct BaoTransit {
    server: Arc<Server>,
    runtime: Handle,
}

impl BaoTransit {
    /// The service that `options` say. Nobody is asked anything yet. Its calls run on `runtime`, which has several threads or
    /// one of its own, input, output and time ([`enable_all`](tokio::runtime::Builder::enable_all)); whoever waits for them
    /// needs none.
    ///
    /// # Errors
    /// [`Validation`](KmsErrorKind::Validation) if an option is none, such as a token with a line end, or if the server is
    /// neither on this machine nor behind TLS.
    pub fn new(options: BaoOptions, runtime: Handle) -> Result<Self, KmsError> {
        Ok(Self { server: Arc::new(Server::new(options)?), runtime })
    }

    async fn close(&self, call: &Call, key: &str, plaintext: Zeroizing<Vec<u8>>) -> Result<Ciphertext, KmsError> {
        if plaintext.len() > MAX_PLAINTEXT_LEN {
            let message = format!("at most {MAX_PLAINTEXT_LEN} bytes are encrypted");
            return Err(KmsError::new(KmsErrorKind::Validation, message));
        }
        let name = self.server.name_of(key)?.to_owned();
        let (server, context, dry_run) = (Arc::clone(&self.server), call.context.clone(), call.dry_run);
        run(&self.runtime, call.deadline, async move {
            let (blob, key_version) = server.encrypt(&name, &plaintext, &context).await?;
            in_earnest(dry_run)?;
            Ok(Ciphertext { blob, key_arn: server.id_of(&name), key_version, material_id: None })
        })
        .await
    }

    async fn open(
        &self,
        call: &Call,
        context: &EncryptionContext,
        (key, blob): (Option<&str>, &[u8]),
    ) -> Result<Plaintext, KmsError> {
        let no_key =
            || KmsError::new(KmsErrorKind::Validation, "name the key: a ciphertext of transit does not say it");
        let name = self.server.name_of(key.ok_or_else(no_key)?)?.to_owned();
        let (text, key_version) = version_of(blob)?;
        let (server, text, context) = (Arc::clone(&self.server), text.to_owned(), context.clone());
        let dry_run = call.dry_run;
        run(&self.runtime, call.deadline, async move {
            let bytes = server.decrypt(&name, &text, &context).await?;
            in_earnest(dry_run)?;
            Ok(Plaintext { bytes, key_arn: server.id_of(&name), key_version, material_id: None })
        })
        .await
    }

    async fn new_data_key(&self, call: &Call, key: &str) -> Result<DataKey, KmsError> {
        let plaintext = Key::generate()?;
        let bytes = Zeroizing::new(plaintext.expose_secret().to_vec());
        Ok(DataKey { plaintext, ciphertext: self.close(call, key, bytes).await? })
    }

    async fn make_again(&self, call: &Call, stored: &StoredKey) -> Result<Arc<WrappingKey>, KmsError> {
        let (_, version) = version_of(&stored.blob)?;
        if version != stored.key_version {
            let message = "the ciphertext is of another version than the stored key says";
            return Err(KmsError::new(KmsErrorKind::InvalidCiphertext, message));
        }
        let opened = self.open(call, &call.context, (Some(&stored.key_id), &stored.blob)).await?;
        let secret = data_key(&opened.bytes)?;
        wrapping_key(SERVICE, secret, (&opened.key_arn, version), stored.purpose, &stored.blob)
    }

    async fn close_anew(&self, call: &Call, source: &Source<'_>, key: &str) -> Result<ReEncrypted, KmsError> {
        let all = Call { dry_run: false, ..call.clone() };
        let opened = self.open(&all, source.context, (source.key, source.blob)).await?;
        let Plaintext { bytes, key_arn, key_version, .. } = opened;
        let ciphertext = self.close(call, key, bytes).await?;
        Ok(ReEncrypted {
            ciphertext,
            source_key_arn: key_arn,
            source_key_version: key_version,
            source_material_id: None,
        })
    }

    async fn look_up(&self, call: &Call, key: &str) -> Result<KeyMetadata, KmsError> {
        let (server, name) = (Arc::clone(&self.server), self.server.name_of(key)?.to_owned());
        run(&self.runtime, call.deadline, async move { server.describe(&name).await }).await
    }
}

impl Kms for BaoTransit {
    fn service(&self) -> &str {
        SERVICE
    }

    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(async move {
            let DataKey { plaintext, ciphertext } = self.new_data_key(call, key).await?;
            let Ciphertext { blob, key_arn, key_version, .. } = ciphertext;
            wrapping_key(SERVICE, plaintext, (&key_arn, key_version), purpose, &blob)
        })
    }

    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        Box::pin(self.make_again(call, stored))
    }

    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        Box::pin(self.close(call, key, Zeroizing::new(plaintext.to_vec())))
    }

    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        Box::pin(self.open(call, &call.context, (key, blob)))
    }

    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        Box::pin(self.close_anew(call, source, key))
    }

    /// Only of keys of 256 bits for authenticated encryption, without derivation.
    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        Box::pin(self.look_up(call, key))
    }

    /// Only a call would tell.
    fn standing<'a>(&'a self, _: &'a Call, _: &'a str, _: Right) -> Answer<'a, Option<Standing>> {
        Box::pin(ready(Ok(None)))
    }
}

impl DataKeys for BaoTransit {
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        Box::pin(self.new_data_key(call, key))
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey> {
        Box::pin(async move {
            let opened = self.open(call, &call.context, (key, blob)).await?;
            let plaintext = data_key(&opened.bytes)?;
            let Plaintext { key_arn, key_version, material_id, .. } = opened;
            Ok(DataKey { plaintext, ciphertext: Ciphertext { blob: blob.into(), key_arn, key_version, material_id } })
        })
    }
}

/// Where it is, without the token.
impl fmt::Debug for BaoTransit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaoTransit").field("server", &self.server).finish_non_exhaustive()
    }
}
