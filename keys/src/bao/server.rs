//! What the server is asked, and what an answer must be.

use super::BaoOptions;
use super::error::{no_answer, no_request, refusal};
use super::names::{associated_data, is_name, is_path, version_of};
use crate::kms::{KeyMetadata, KeyState, KmsError, KmsErrorKind, Origin};
use crate::remote::{MAX_ANSWER_LEN, chain, is_this_machine, too_long};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use objseal::envelope::EncryptionContext;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, Response, Url};
use rustify::Endpoint;
use rustify::endpoint::MiddleWare;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};
use vaultrs::api::transit::requests::{DecryptDataRequest, EncryptDataRequest};
use vaultrs::api::{EndpointMiddleware, EndpointResult};
use zeroize::{Zeroize, Zeroizing};

/// A server, the engine on it, and a token.
pub(super) struct Server {
    http: Client,
    url: Url,
    /// It has the token.
    middle: EndpointMiddleware,
    mount: String,
    /// Of the ids of its keys: namespace and mount.
    prefix: String,
}

impl Server {
    pub(super) fn new(options: BaoOptions) -> Result<Self, KmsError> {
        let BaoOptions { url, token, mount, namespace, root_certificate } = options;
        let url = base_url(&url)?;
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("the token is empty, or has characters that none has"));
        }
        if !is_path(&mount) || !namespace.as_deref().is_none_or(is_path) {
            return Err(invalid("a mount or namespace is written as teams/transit, with letters, digits, _ - ."));
        }
        let http = http_client(&url, root_certificate)?;
        let prefix = namespace.iter().chain([&mount]).map(String::as_str).collect::<Vec<_>>().join("/");
        let middle = EndpointMiddleware { token: token.to_owned(), version: "v1".into(), wrap: None, namespace };
        Ok(Self { http, url, middle, mount, prefix })
    }

    /// The id of a key.
    pub(super) fn id_of(&self, name: &str) -> String {
        format!("{}/keys/{name}", self.prefix)
    }

    /// The name of a key that is named so or by its id.
    pub(super) fn name_of<'k>(&self, key: &'k str) -> Result<&'k str, KmsError> {
        let own = key.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix("/keys/"));
        let name = own.unwrap_or(key);
        if is_name(name) {
            return Ok(name);
        }
        let message = format!("{key:?} is no key of {}", self.prefix);
        Err(KmsError::new(KmsErrorKind::NotFound, message))
    }

    /// A ciphertext, and its version.
    pub(super) async fn encrypt(
        &self,
        name: &str,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<(Vec<u8>, u32), KmsError> {
        let text = Zeroizing::new(BASE64_STANDARD.encode(plaintext));
        let request = EncryptDataRequest {
            mount: self.mount.clone(),
            name: name.into(),
            plaintext: (*text).clone(),
            associated_data: Some(BASE64_STANDARD.encode(associated_data(context))),
            // Heeded only where a key would be made, and refused there for the lack of a context of derivation: it is not made.
            convergent_encryption: Some("true".into()),
            ..EncryptDataRequest::default()
        };
        let blob =
            self.ask(request, &[&text, str::from_utf8(plaintext).unwrap_or_default()]).await?.ciphertext.into_bytes();
        let (_, version) = version_of(&blob).map_err(|_| strange("something else than a ciphertext"))?;
        Ok((blob, version))
    }

    pub(super) async fn decrypt(
        &self,
        name: &str,
        ciphertext: &str,
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let request = DecryptDataRequest {
            mount: self.mount.clone(),
            name: name.into(),
            ciphertext: ciphertext.into(),
            associated_data: Some(BASE64_STANDARD.encode(associated_data(context))),
            ..DecryptDataRequest::default()
        };
        let text = Zeroizing::new(self.ask(request, &[]).await?.plaintext);
        let bytes = BASE64_STANDARD.decode(text.as_bytes()).map_err(|_| strange("no base64"))?;
        Ok(Zeroizing::new(bytes))
    }

    pub(super) async fn describe(&self, name: &str) -> Result<KeyMetadata, KmsError> {
        let read = ReadKey { path: format!("{}/keys/{name}", self.mount) };
        let found = self.ask(read, &[]).await?;
        let fits = matches!(&*found.kind, "aes256-gcm96" | "chacha20-poly1305" | "xchacha20-poly1305");
        if !fits || found.derived {
            let derived = if found.derived { ", with derivation" } else { "" };
            let message =
                format!("{} is of type {}{derived}, and does not encrypt data keys", self.id_of(name), found.kind);
            return Err(KmsError::new(KmsErrorKind::InvalidKeyUsage, message));
        }
        let state = if found.soft_deleted { KeyState::Disabled } else { KeyState::Enabled };
        let mut metadata = KeyMetadata::new(self.id_of(name), state);
        metadata.current_version = found.latest_version;
        if found.imported_key {
            metadata.origin = Origin::External;
        }
        // Early versions may have been trimmed.
        let seconds = found.keys.values().filter_map(serde_json::Value::as_u64).min();
        let created = seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        metadata.created = created.unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(metadata)
    }

    /// What the server answers. `vaultrs` says what is sent and what comes back; its client would read an answer of any
    /// length, and log what the server says. Besides the token `secrets` are sent, which are not to be given back.
    async fn ask<E: Endpoint>(&self, endpoint: E, secrets: &[&str]) -> Result<E::Response, KmsError> {
        let mut request = endpoint.request(self.url.as_str()).map_err(no_request)?;
        self.middle.request(&endpoint, &mut request).map_err(no_request)?;
        let request = reqwest::Request::try_from(request).map_err(no_request)?;
        let answer = self.http.execute(request).await.map_err(no_answer)?;
        let status = answer.status();
        let body = read(answer).await?;
        if !status.is_success() {
            let token = self.middle.token.as_str();
            return Err(refusal(status.as_u16(), &body, &[&[token], secrets].concat()));
        }
        let result = serde_json::from_slice::<EndpointResult<E::Response>>(&body).ok();
        result.and_then(|result| result.data).ok_or_else(|| strange("something else than the transit engine does"))
    }
}

/// All of an answer, to be wiped.
async fn read(mut answer: Response) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let len = usize::try_from(answer.content_length().unwrap_or_default()).ok();
    let len = len.filter(|len| *len <= MAX_ANSWER_LEN).ok_or_else(too_long)?;
    let mut body = Zeroizing::new(Vec::with_capacity(len));
    while let Some(part) = answer.chunk().await.map_err(no_answer)? {
        if body.len() + part.len() > MAX_ANSWER_LEN {
            return Err(too_long());
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.middle.token.zeroize();
    }
}

/// Where it is, without the token.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_str();
        f.debug_struct("Server").field("url", &url).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// What the server says of a key. The client's own request knows fewer kinds of keys, and no latest version.
#[derive(Debug)]
struct ReadKey {
    path: String,
}

#[derive(Debug, Deserialize)]
struct FoundKey {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    derived: bool,
    #[serde(default)]
    imported_key: bool,
    #[serde(default)]
    soft_deleted: bool,
    latest_version: u32,
    /// When each version was made, in seconds since 1970; of asymmetric keys something else.
    keys: BTreeMap<String, serde_json::Value>,
}

impl Endpoint for ReadKey {
    type Response = FoundKey;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::GET
    }
}

/// A server, and nothing of it.
fn base_url(text: &str) -> Result<Url, KmsError> {
    let url = Url::parse(text).map_err(|error| invalid(format!("the URL of the server is none: {error}")))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare || !nobody {
        return Err(invalid("the URL of the server is written as https://host:8200"));
    }
    if !is_private(&url) {
        return Err(invalid(
            "without TLS others could read token and keys: write https, or the address of this machine",
        ));
    }
    Ok(url)
}

/// Whether nobody on the way reads what is sent there.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || url.host_str().is_some_and(is_this_machine)
}

fn http_client(url: &Url, root_certificate: Option<Vec<u8>>) -> Result<Client, KmsError> {
    let mut client = Client::builder().no_proxy().redirect(Policy::custom(follow));
    if let Some(pem) = root_certificate {
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| invalid(chain(&error)))?;
        client = client.tls_certs_only(certificates);
    } else if url.scheme() == "http" {
        // Nobody is to be trusted, and a system without certificates will do.
        client = client.tls_certs_only([]);
    }
    client.build().map_err(|error| invalid(chain(&error)))
}

/// A standby may name the one that answers, once. The token does not go from TLS to where there is none, and not in clear to
/// another machine.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let scheme = attempt.previous().first().map(Url::scheme);
    if attempt.previous().len() > 1 || scheme != Some(attempt.url().scheme()) || !is_private(attempt.url()) {
        return attempt.stop();
    }
    attempt.follow()
}

fn invalid(message: impl Into<String>) -> KmsError {
    KmsError::new(KmsErrorKind::Validation, message)
}

fn strange(what: &str) -> KmsError {
    KmsError::new(KmsErrorKind::Internal, format!("the server answered with {what}"))
}
