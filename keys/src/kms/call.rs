//! What goes with every call: who asks, under which encryption context, and until when.

use crate::policy::Principal;
use objseal::envelope::EncryptionContext;
use std::sync::Arc;
use std::time::Instant;

/// What goes with every call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// Who asks.
    pub principal: Arc<Principal>,
    /// The service that asks for them, such as `s3.us-east-1`. Only what a service itself says may be put here.
    pub via_service: Option<String>,
    /// The pairs that what is made is bound to, all of them.
    pub context: EncryptionContext,
    /// After this nobody waits for an answer any more.
    pub deadline: Option<Instant>,
    /// Grants that may not have reached everywhere yet. The local service needs none: its grants hold at once.
    pub grant_tokens: Vec<String>,
    /// The object that it is about, for the audit.
    pub object: Option<String>,
    /// Where the request came from, such as an address, for the audit and for policies (`aws:SourceIp`).
    pub source: Option<String>,
    /// Whether nobody between could read the call and its answer (`aws:SecureTransport`): it is one of this process, or it came under
    /// TLS.
    pub secure_transport: bool,
    /// Only to be tried: succeeds with [`DryRun`](super::KmsErrorKind::DryRun).
    pub dry_run: bool,
}

impl Call {
    /// A call of this principal, without anything else.
    #[must_use]
    pub fn of(principal: Arc<Principal>) -> Self {
        Self {
            principal,
            via_service: None,
            context: EncryptionContext::new(),
            deadline: None,
            grant_tokens: Vec::new(),
            object: None,
            source: None,
            secure_transport: true,
            dry_run: false,
        }
    }

    /// The same for a service.
    #[must_use]
    pub fn via(self, service: impl Into<String>) -> Self {
        Self { via_service: Some(service.into()), ..self }
    }

    /// The same under this encryption context.
    #[must_use]
    pub fn with_context(self, context: EncryptionContext) -> Self {
        Self { context, ..self }
    }

    /// The same until then.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }
}

/// What policies know a service as (`kms:ViaService`) that may be named short, such as `s3.us-east-1`.
pub(crate) fn service_name(service: &str) -> String {
    let suffix = ".amazonaws.com";
    let is_whole = service.ends_with(suffix) || service.ends_with(".amazonaws.com.cn");
    if is_whole { service.into() } else { format!("{service}{suffix}") }
}
