//! The cache as a service: what goes through, under a deadline and while the service is there.

use super::breaker::Ticket;
use super::entry::Asked;
use super::flight::in_time;
use super::metrics::{AnsweredBy, Measured};
use super::{CachedKms, timer::Late};
use crate::kms::{
    Answer, Call, Ciphertext, DataKey, DataKeys, KeyMetadata, Kms, KmsError, Operation, Plaintext, Purpose,
    ReEncrypted, Right, Source, Standing, StoredKey,
};
use objseal::envelope::{KeyKind, WrappingKey};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

impl<K: Kms + ?Sized + 'static> Kms for CachedKms<K> {
    fn service(&self) -> &str {
        self.kms.service()
    }

    /// Kept for [`KeyKind::Shared`].
    fn generate<'a>(&'a self, call: &'a Call, key: &'a str, purpose: Purpose) -> Answer<'a, Arc<WrappingKey>> {
        // Whether it would succeed, only the service can tell.
        if purpose.kind == KeyKind::Shared && !call.dry_run {
            return self.kept(call, Asked::Generate { key: key.into(), purpose });
        }
        Box::pin(async move {
            let passing = self.pass(Operation::Generate, call)?;
            passing.end(self.kms.generate(&passing.call, key, purpose)).await
        })
    }

    /// Kept.
    fn reopen<'a>(&'a self, call: &'a Call, stored: &'a StoredKey) -> Answer<'a, Arc<WrappingKey>> {
        if !call.dry_run {
            return self.kept(call, Asked::Reopen(stored.clone()));
        }
        Box::pin(async move {
            let passing = self.pass(Operation::Reopen, call)?;
            passing.end(self.kms.reopen(&passing.call, stored)).await
        })
    }

    fn encrypt<'a>(&'a self, call: &'a Call, key: &'a str, plaintext: &'a [u8]) -> Answer<'a, Ciphertext> {
        Box::pin(async move {
            let passing = self.pass(Operation::Encrypt, call)?;
            passing.end(self.kms.encrypt(&passing.call, key, plaintext)).await
        })
    }

    fn decrypt<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, Plaintext> {
        Box::pin(async move {
            let passing = self.pass(Operation::Decrypt, call)?;
            passing.end(self.kms.decrypt(&passing.call, key, blob)).await
        })
    }

    fn re_encrypt<'a>(&'a self, call: &'a Call, source: &'a Source<'a>, key: &'a str) -> Answer<'a, ReEncrypted> {
        Box::pin(async move {
            let passing = self.pass(Operation::ReEncrypt, call)?;
            passing.end(self.kms.re_encrypt(&passing.call, source, key)).await
        })
    }

    fn describe<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, KeyMetadata> {
        Box::pin(async move {
            let passing = self.pass(Operation::Describe, call)?;
            passing.end(self.kms.describe(&passing.call, key)).await
        })
    }

    /// Asked also while the service is left alone: one that is near knows without its far end.
    fn standing<'a>(&'a self, call: &'a Call, key: &'a str, right: Right) -> Answer<'a, Option<Standing>> {
        Box::pin(async move {
            let passing = self.take(Operation::Standing, call)?;
            passing.end(self.kms.standing(&passing.call, key, right)).await
        })
    }
}

/// Data keys are not kept.
impl<K: DataKeys + ?Sized + 'static> DataKeys for CachedKms<K> {
    fn generate_data_key<'a>(&'a self, call: &'a Call, key: &'a str) -> Answer<'a, DataKey> {
        Box::pin(async move {
            let passing = self.pass(Operation::GenerateDataKey, call)?;
            passing.end(self.kms.generate_data_key(&passing.call, key)).await
        })
    }

    fn decrypt_data_key<'a>(&'a self, call: &'a Call, key: Option<&'a str>, blob: &'a [u8]) -> Answer<'a, DataKey> {
        Box::pin(async move {
            let passing = self.pass(Operation::DecryptDataKey, call)?;
            passing.end(self.kms.decrypt_data_key(&passing.call, key, blob)).await
        })
    }
}

/// A call on its way through the cache.
pub(super) struct Passing<'a, K: Kms + ?Sized + 'static> {
    layer: &'a CachedKms<K>,
    operation: Operation,
    /// With a deadline.
    pub(super) call: Cow<'a, Call>,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    ticket: Option<Arc<Ticket>>,
}

impl<K: Kms + ?Sized + 'static> CachedKms<K> {
    /// Takes a call, with its deadline or the default one, unless that has passed.
    pub(super) fn take<'a>(&'a self, operation: Operation, call: &'a Call) -> Result<Passing<'a, K>, KmsError> {
        let started = self.timer.now();
        let (call, deadline) = match call.deadline {
            Some(deadline) => (Cow::Borrowed(call), deadline),
            None => {
                let deadline = self.default_deadline(started);
                (Cow::Owned(call.clone().until(deadline)), deadline)
            }
        };
        let passing = Passing { layer: self, operation, call, started, deadline, ticket: None };
        if deadline <= started {
            passing.measured(AnsweredBy::Deadline, Err(Late::Deadline.into()))
        } else {
            Ok(passing)
        }
    }

    /// The same, if the service is not left alone.
    fn pass<'a>(&'a self, operation: Operation, call: &'a Call) -> Result<Passing<'a, K>, KmsError> {
        let passing = self.take(operation, call)?;
        match self.breaker.admit(passing.started) {
            Ok(ticket) => Ok(Passing { ticket: Some(ticket), ..passing }),
            Err(error) => passing.measured(AnsweredBy::Breaker, Err(error)),
        }
    }

    pub(super) fn default_deadline(&self, now: Instant) -> Instant {
        // Bounded when the options were checked.
        now.checked_add(self.options.deadline).unwrap_or(now)
    }
}

impl<K: Kms + ?Sized + 'static> Passing<'_, K> {
    /// Waits for the answer of the service.
    async fn end<T>(&self, answer: Answer<'_, T>) -> Result<T, KmsError> {
        let outcome = in_time(answer, &self.layer.timer, self.deadline).await;
        if let Some(ticket) = &self.ticket {
            ticket.ended(&outcome, self.deadline, self.layer.timer.now());
        }
        self.measured(AnsweredBy::Service, outcome)
    }

    /// Counts the call, which ends so.
    pub(super) fn measured<T>(&self, from: AnsweredBy, outcome: Result<T, KmsError>) -> Result<T, KmsError> {
        if let Some(metrics) = &self.layer.options.metrics {
            let latency = self.layer.timer.now().saturating_duration_since(self.started);
            let kind = outcome.as_ref().map(|_| ()).map_err(KmsError::kind);
            metrics.record(&Measured { operation: self.operation, outcome: kind, from, latency });
        }
        outcome
    }
}
