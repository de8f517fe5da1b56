//! Why a text is no policy, or none that can be used.

use std::fmt;

/// Why a policy is refused, in words for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    statement: Option<String>,
    reason: String,
}

impl PolicyError {
    pub(super) fn of_policy(reason: impl Into<String>) -> Self {
        Self { statement: None, reason: reason.into() }
    }

    pub(super) fn of_statement(name: &str, reason: impl Into<String>) -> Self {
        Self { statement: Some(name.into()), reason: reason.into() }
    }

    /// The statement that it is about: its Sid, or its number from 1.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }

    /// Why, and what to do about it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(f, "statement {statement}: {}", self.reason),
            None => write!(f, "policy: {}", self.reason),
        }
    }
}

impl std::error::Error for PolicyError {}
