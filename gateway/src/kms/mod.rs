//! A local key management service over the protocol of AWS KMS (JSON 1.1; API Reference, version 2014-11-01).
//!
//! Whoever sends a request signs it ([`sigv4`](crate::sigv4)); the access key says for whom. A credential that is marked as one of
//! a service may say in signed headers that it acts for somebody else:
//!
//! | header | what |
//! |---|---|
//! | `x-objseal-principal` | the ARN of whom it acts for |
//! | `x-objseal-via-service` | which service it is, such as `s3.us-east-1`: policies see it as `kms:ViaService` |
//! | `x-objseal-object` | the object that it is about, for the audit |
//!
//! Anybody else who sends these headers is refused.
//!
//! | file | what |
//! |---|---|
//! | `operations` | which operations there are, and which there are not |
//! | `cryptography`, `keys`, `aliases`, `policies`, `grants`, `rotation`, `import`, `tags` | the operations: what is asked and answered |
//! | `wire` | values as the protocol writes them |
//! | `pages` | lists that are answered piece by piece |
//! | `failure` | errors as the protocol writes them |

mod aliases;
mod cryptography;
mod failure;
mod grants;
mod import;
mod keys;
mod operations;
mod pages;
mod policies;
mod rotation;
mod tags;
mod wire;

pub use operations::{ABSENT, PRESENT};

use crate::credentials::{Credential, Credentials};
use crate::http::rate::Rate;
use crate::http::{Body, Request, Response, Service};
use crate::sigv4::Verifier;
use crate::text::{shown, tell};
use failure::Failure;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use objseal_keys::Uuid;
use objseal_keys::kms::Call;
use objseal_keys::local::LocalKms;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// What the name of every operation begins with.
const TARGET: &str = "TrentService.";
/// The media type of requests and answers.
const JSON: &str = "application/x-amz-json-1.1";
const PRINCIPAL: &str = "x-objseal-principal";
const VIA_SERVICE: &str = "x-objseal-via-service";
const OBJECT: &str = "x-objseal-object";

/// Most wrapping keys for imports that are made at once.
const MAX_IMPORTS: usize = 1;

/// How a service answers.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Requests in a second of each access key; what is more is throttled.
    pub rate: u32,
    /// Requests in a second of each principal that are denied, before all of them are throttled: each is a line of the audit log.
    pub denials: u32,
    /// How long a request may take.
    pub deadline: Duration,
    /// Whether requests that nobody signed rightly are told on standard error, ten a second at most.
    pub tells_refusals: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { rate: 10_000, denials: 100, deadline: Duration::from_secs(10), tells_refusals: true }
    }
}

/// A local key management service over the protocol of AWS KMS.
#[derive(Debug)]
pub struct KmsService {
    kms: Arc<LocalKms>,
    credentials: RwLock<Arc<Credentials>>,
    verifier: Verifier,
    rate: Rate,
    denials: Rate,
    refusals: Rate,
    /// Wrapping keys that are being made: each takes a core for up to a second.
    imports: Arc<Semaphore>,
    options: Options,
}

impl KmsService {
    /// Answers for `kms`, to those who have `credentials`.
    #[must_use]
    pub fn new(kms: Arc<LocalKms>, credentials: Credentials, options: Options) -> Self {
        let verifier = Verifier::new(kms.owner().region.clone(), "kms");
        let credentials = RwLock::new(Arc::new(credentials));
        Self {
            kms,
            credentials,
            verifier,
            rate: Rate::per_second(options.rate),
            denials: Rate::per_second(options.denials),
            imports: Arc::new(Semaphore::new(MAX_IMPORTS)),
            refusals: Rate::per_second(10),
            options,
        }
    }

    /// Takes other credentials from now on.
    pub fn set_credentials(&self, credentials: Credentials) {
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
    }

    async fn work(&self, request: Request) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let operation = operation_of(&request.parts)?;
        let credentials = Arc::clone(&self.credentials.read().unwrap_or_else(PoisonError::into_inner));
        let verified = self.verifier.verify(&request.parts, request.body.as_ref(), &credentials, SystemTime::now());
        let credential = verified.inspect_err(|error| self.tell_refusal(&request, error.code()))?;
        if !self.rate.take(&credential.access_key_id, Instant::now()) {
            return Err(Failure::throttled());
        }
        let call = self.call(&request, credential, &credentials)?;
        let who = format!("{} {}", credential.access_key_id, call.principal.arn());
        if !self.denials.has(&who, Instant::now()) {
            return Err(Failure::throttled());
        }
        let answer = operations::find(&operation)?;
        let place = match operation.as_str() {
            "GetParametersForImport" => {
                Some(Arc::clone(&self.imports).try_acquire_owned().map_err(|_| Failure::throttled())?)
            }
            _ => None,
        };
        let kms = Arc::clone(&self.kms);
        // It reads and writes files, and waits for other processes.
        let done = tokio::task::spawn_blocking(move || {
            let answer = answer(&kms, call, request.body.as_ref());
            drop(place);
            answer
        });
        let done = done.await.unwrap_or_else(|_| Err(Failure::internal()));
        if done.as_ref().is_err_and(Failure::is_denial) {
            let _ = self.denials.take(&who, Instant::now());
        }
        done
    }

    /// Who asks, and for whom.
    fn call(&self, request: &Request, credential: &Credential, all: &Credentials) -> Result<Call, Failure> {
        let header = |name: &str| -> Result<Option<String>, Failure> {
            let Some(value) = request.parts.headers.get(name) else { return Ok(None) };
            if !credential.is_service {
                return Err(Failure::denied(format!("{name} is for credentials of services")));
            }
            let text = value.to_str().ok().filter(|text| (1..=2_048).contains(&text.len()));
            text.map(|text| Some(text.into())).ok_or_else(|| Failure::validation(format!("{name} is not a text")))
        };
        let principal = match header(PRINCIPAL)? {
            Some(arn) => all.principal(&arn).map_err(|error| Failure::validation(format!("{PRINCIPAL}: {error}")))?,
            None => Arc::clone(&credential.principal),
        };
        let mut call = Call::of(principal).until(Instant::now() + self.options.deadline);
        call.via_service = header(VIA_SERVICE)?;
        call.object = header(OBJECT)?;
        call.source = Some(request.from.ip().to_string());
        call.secure_transport = request.under_tls;
        Ok(call)
    }

    /// The audit log knows nobody whom it could name.
    fn tell_refusal(&self, request: &Request, code: &str) {
        if self.options.tells_refusals && self.refusals.take("", Instant::now()) {
            tell(format_args!("refused a request from {}: {code}", request.from.ip()));
        }
    }
}

impl Service for KmsService {
    async fn answer(&self, request: Request) -> Response {
        match self.work(request).await {
            Ok(body) => response(StatusCode::OK, body),
            Err(failure) => response(failure.status(), failure.body()),
        }
    }

    fn refuse(&self, status: StatusCode, why: &str) -> Response {
        response(status, Failure::validation(why).body())
    }
}

/// The name of the operation that a request asks for.
fn operation_of(parts: &Parts) -> Result<String, Failure> {
    if parts.method != "POST" || parts.uri.path() != "/" {
        return Err(Failure::not_found());
    }
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if header("content-type") != Some(JSON) {
        return Err(Failure::unknown_operation(format!("the content type is {JSON}")));
    }
    let target = header("x-amz-target").unwrap_or_default();
    let operation = target.strip_prefix(TARGET);
    operation.map(String::from).ok_or_else(|| Failure::unknown_operation(format!("'{}'", shown(target))))
}

fn response(status: StatusCode, body: Zeroizing<Vec<u8>>) -> Response {
    let mut response = Response::new(Body::new(body).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    // It may be a key.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let id = Uuid::generate().map(|id| id.to_string()).unwrap_or_default();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
