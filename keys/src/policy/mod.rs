//! Policies of resources and principals, as IAM writes and evaluates them.
//!
//! A policy that was [put](Policy::check) can be decided, unless a value of the request is not of the kind that its
//! condition key has. A policy from elsewhere may have parts that are not understood: they never allow, and may make a
//! request [undecidable](Effect::Undecidable).
//!
//! ```
//! use objseal_keys::policy::{Caller, Policy, PolicyOf, Principal, Request, Values, decide};
//!
//! let policy = Policy::parse(
//!     r#"{"Version": "2012-10-17", "Statement": {
//!         "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/backup"},
//!         "Action": "kms:Decrypt", "Resource": "*",
//!         "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}}}"#,
//! )?;
//! policy.check(PolicyOf::Key)?;
//!
//! let backup = Principal::new("arn:aws:iam::111122223333:role/backup");
//! let values = Values::new().with("kms:ViaService", "s3.us-east-1.amazonaws.com");
//! let request = Request {
//!     caller: Caller::Principal(&backup),
//!     action: "kms:Decrypt",
//!     resource: "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
//!     values: &values,
//! };
//! assert!(decide(&policy, "111122223333", &request).is_allowed());
//! # Ok::<(), objseal_keys::policy::PolicyError>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `decide` | what policies say together |
//! | `request` | what is asked, and what is known about it |
//! | `check` | what is refused when a policy is put |
//! | `error` | why |
//! | `parse`, `json` | from text to statements |
//! | `statement` | a statement against a request |
//! | `principal` | who asks |
//! | `names` | whom a statement is about |
//! | `condition`, `known` | conditions, and their keys |
//! | `pattern`, `value`, `ternary` | text with wildcards and variables; numbers, dates, networks; three answers |

mod check;
mod condition;
mod decide;
mod error;
mod json;
mod known;
mod names;
mod parse;
mod pattern;
mod principal;
mod request;
mod statement;
mod ternary;
mod value;

pub use check::PolicyOf;
pub use decide::{Deciding, Decision, Effect, Whose, decide, explain};
pub use error::PolicyError;
pub use principal::Principal;
pub use request::{Caller, Request, Values};

use names::{Meant, Name};
use request::Who;
use statement::Statement;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A policy, ready to be held against requests. Two are equal if their texts are.
pub struct Policy {
    text: String,
    statements: Vec<Statement>,
}

impl Policy {
    /// Reads a policy in JSON of at most 32 KiB, the [longest](PolicyOf::max_len) of any kind.
    ///
    /// Elements, operators, condition keys and principals that are not known are kept as not understood. A policy
    /// without statements, `{"Statement": []}`, can stand for none.
    ///
    /// # Errors
    /// [`PolicyError`] if it is no JSON, has a name twice in one object, or is built otherwise than a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        check_len(text, PolicyOf::Key)?;
        Ok(Self { text: text.into(), statements: parse::statements(text)? })
    }

    /// Whether it can be put there: not too long, all of it understood, and with the elements that such a policy has.
    ///
    /// # Errors
    /// [`PolicyError`] with the first statement that is to be changed, and how.
    pub fn check(&self, of: PolicyOf) -> Result<(), PolicyError> {
        check_len(&self.text, of)?;
        if self.statements.is_empty() {
            return Err(PolicyError::of_policy("add a statement"));
        }
        self.statements.iter().try_for_each(|statement| check::check(statement, of))
    }

    /// The condition keys that it looks at, in lower case: those of conditions, and those of variables in conditions and
    /// resources. Of what is not understood, which never allows, some may be missing.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(Statement::keys)
    }

    /// The text that it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.text).finish()
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Policy {}

impl Hash for Policy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Whether an ARN names this principal: itself, the role of its session, or the account of which it is the root user.
pub(crate) fn names(arn: &str, principal: &Principal) -> bool {
    let who = Who::of(Caller::Principal(principal));
    match Name::of_aws(arn).map(|name| name.means(&who)) {
        Some(Meant::Personally) => arn != "*",
        Some(Meant::InAccount) => principal.is_root(),
        _ => false,
    }
}

fn check_len(text: &str, of: PolicyOf) -> Result<(), PolicyError> {
    let most = of.max_len();
    if text.len() > most {
        return Err(PolicyError::of_policy(format!("shorten it to {most} bytes; it has {}", text.len())));
    }
    Ok(())
}
