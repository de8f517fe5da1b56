//! Calls of services over a network: on a runtime, within their deadline, and what comes of them.

use crate::kms::{KmsError, KmsErrorKind, Purpose};
use objseal::Key;
use objseal::envelope::WrappingKey;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How long a call takes at most that does not say.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read. Those of key services have some kilobytes.
pub(crate) const MAX_ANSWER_LEN: usize = 1 << 20;

/// The longest message of a server that is given on.
const MAX_MESSAGE_LEN: usize = 1_000;

/// Runs the work of a call on `runtime`, so that whoever waits for it needs none. It ends with the deadline, and when it is
/// dropped.
pub(crate) async fn run<T: Send + 'static>(
    runtime: &Handle,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, KmsError>> + Send + 'static,
) -> Result<T, KmsError> {
    let now = Instant::now();
    let deadline = deadline.or_else(|| now.checked_add(PATIENCE)).unwrap_or(now);
    if deadline <= now {
        return Err(late());
    }
    let in_time = async move {
        let outcome = tokio::time::timeout_at(deadline.into(), work).await;
        outcome.unwrap_or_else(|_| Err(late()))
    };
    let mut task = Task(runtime.spawn(in_time));
    match (&mut task.0).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => {
            Err(KmsError::new(KmsErrorKind::Internal, "the client of the service panicked"))
        }
        Err(_) => Err(KmsError::new(KmsErrorKind::Unreachable, "the runtime of the client has ended")),
    }
}

/// Work that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn late() -> KmsError {
    KmsError::new(KmsErrorKind::DependencyTimeout, "no answer before the deadline of the call")
}

/// That what was done was not only to be tried.
pub(crate) fn in_earnest(dry_run: bool) -> Result<(), KmsError> {
    let message = "The request would have succeeded, but the DryRun option is set.";
    if dry_run { Err(KmsError::new(KmsErrorKind::DryRun, message)) } else { Ok(()) }
}

/// What a ciphertext of a data key opened to.
pub(crate) fn data_key(opened: &[u8]) -> Result<Key, KmsError> {
    Key::try_from(opened).map_err(|_| KmsError::new(KmsErrorKind::InvalidCiphertext, "it is not of a data key"))
}

/// A wrapping key of a service.
pub(crate) fn wrapping_key(
    service: &str,
    secret: Key,
    (key_id, key_version): (&str, u32),
    purpose: Purpose,
    blob: &[u8],
) -> Result<Arc<WrappingKey>, KmsError> {
    let key = WrappingKey::new(service, key_id, key_version, secret)?;
    Ok(Arc::new(key.with_blob(purpose.kind, purpose.context, blob)?))
}

/// Whether a host, as URLs write it, is this machine: what is sent there in clear nobody else reads.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Words of a server, fit to be shown. They are not if they give back a secret that it was sent.
pub(crate) fn words(message: &str, secrets: &[&str]) -> String {
    if secrets.iter().any(|secret| !secret.is_empty() && message.contains(secret)) {
        return "(not shown)".into();
    }
    // Nothing that moves what follows, or cannot be seen.
    let line = message.chars().map(|c| if c.is_ascii_graphic() || c.is_alphanumeric() { c } else { ' ' });
    line.take(MAX_MESSAGE_LEN).collect::<String>().trim().into()
}

/// An answer that is too long to be one.
pub(crate) fn too_long() -> KmsError {
    KmsError::new(KmsErrorKind::Internal, format!("the service answered with more than {MAX_ANSWER_LEN} bytes"))
}

/// An error, and what caused it, in words.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Many repeat what caused them.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    words(&text, &[])
}
