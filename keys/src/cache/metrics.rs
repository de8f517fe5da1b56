//! What happened to each call, for whoever counts.

use crate::kms::{KmsErrorKind, Operation};
use std::fmt;
use std::time::Duration;

/// Takes note of every call that ended. A call whose future was dropped did not end.
///
/// It is called by the task of the call, and has to return at once: it counts, and leaves the rest to others.
pub trait Metrics: fmt::Debug + Send + Sync {
    /// Takes note of one call.
    fn record(&self, event: &Measured);
}

/// A call that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// What was asked for.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Result<(), KmsErrorKind>,
    /// Who answered.
    pub from: AnsweredBy,
    /// How long it took by the clock of the layer, waiting for others included.
    pub latency: Duration,
}

/// Who answered a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnsweredBy {
    /// What was kept: a key, or a refusal.
    Cache,
    /// The service, in a call of its own.
    Service,
    /// The service, in a call of somebody else that asked for the same.
    Flight,
    /// Nobody: the service failed too often.
    Breaker,
    /// Nobody: the deadline had passed before it was asked.
    Deadline,
}
