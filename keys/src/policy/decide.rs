//! What policies say together: IAM user guide, "Policy evaluation logic".

use super::Policy;
use super::Principal;
use super::request::{Caller, Facts, Request, Who};
use super::statement::{Outcome, Side, Statement};
use std::fmt;

/// What policies say. The greater of two wins, and only [`Allow`](Self::Allow) allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// No statement allows it.
    NoStatement,
    /// It is allowed.
    Allow,
    /// A Deny statement could match: all that is understood of it does.
    Undecidable,
    /// A statement denies it.
    Deny,
}

/// A policy that takes part in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the resource.
    Resource,
    /// One of the principal, by its place from 1.
    Principal(usize),
}

/// The statement that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deciding {
    /// The policy that it stands in.
    pub whose: Whose,
    /// Its Sid; without one, its number from 1.
    pub statement: String,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the policies say.
    pub effect: Effect,
    /// The statement that decided, if one did. If two policies allow it together, that of the resource.
    pub statement: Option<Deciding>,
    /// Why, in words for whoever looks after the policies.
    pub why: String,
}

impl Decision {
    /// Whether it is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }
}

/// What the policy of a resource and those of the principal say to a request.
///
/// - A Deny statement of any of them that matches denies, and one that is not understood but could match is
///   [`Effect::Undecidable`]. An Allow statement that is not understood counts as absent.
/// - In the resource's account, a statement of the resource's policy that names the principal, its role or `*` allows
///   by itself. One that names the account leaves it to the account: its root user has it, others need a policy of
///   their own that allows the same.
/// - Somebody of another account needs both, always; its root user needs no policy of its own.
/// - What is anonymous, or a service, needs a statement of the resource's policy that names `*` or the service.
/// - Policies of a principal alone allow nothing to a key (AWS KMS developer guide, "Key policies"). For actions of
///   other services than `kms` they do, in the resource's account.
#[must_use]
pub fn decide(policy: &Policy, account_of_resource: &str, request: &Request<'_>) -> Decision {
    let facts = Facts::of(request);
    let resource = Weighed::of(policy, Side::Resource, &facts);
    let mut own_allow = None;
    let (mut deny, mut unclear) = (with(Whose::Resource, resource.deny), with(Whose::Resource, resource.unclear));
    for (whose, policy) in own_policies(request.caller) {
        let weighed = Weighed::of(policy, Side::Identity, &facts);
        deny = deny.or(with(whose, weighed.deny));
        unclear = unclear.or(with(whose, weighed.unclear));
        own_allow = own_allow.or(with(whose, weighed.personally));
    }
    if let Some((whose, statement)) = deny {
        return decided(Effect::Deny, whose, statement, "it denies this");
    }
    if let Some((whose, statement)) = unclear {
        return decided(Effect::Undecidable, whose, statement, "it denies, and something in it is not understood");
    }
    combine(&facts, account_of_resource, &resource, own_allow)
}

/// One line for each statement of the resource's policy and those of the principal: that it matched, or which part did
/// not.
#[must_use]
pub fn explain(policy: &Policy, account_of_resource: &str, request: &Request<'_>) -> Vec<String> {
    let facts = Facts::of(request);
    let foreign = matches!(facts.who, Who::Principal { account, .. } if account != account_of_resource);
    let line = |whose: Whose, side, statement: &Statement| {
        let became = match statement.hold_against(&facts, side) {
            Outcome::Matched { in_account }
                if statement.allow && (in_account || (foreign && side == Side::Resource)) =>
            {
                "it matches, and needs a policy of the principal's account that allows the same".into()
            }
            Outcome::Matched { .. } => "it matches".into(),
            Outcome::Missed(part) => format!("it does not match {}", statement.describe(part, &facts)),
            Outcome::Unclear(part) => format!("it is not understood: {}", statement.describe(part, &facts)),
        };
        let effect = if statement.allow { "Allow" } else { "Deny" };
        format!("{whose}, statement {} ({effect}): {became}", statement.name)
    };
    let mut lines: Vec<String> = policy.statements.iter().map(|s| line(Whose::Resource, Side::Resource, s)).collect();
    for (whose, policy) in own_policies(request.caller) {
        lines.extend(policy.statements.iter().map(|s| line(whose, Side::Identity, s)));
    }
    lines
}

/// The first statement of each kind that matches.
#[derive(Debug, Default)]
struct Weighed<'p> {
    deny: Option<&'p Statement>,
    unclear: Option<&'p Statement>,
    personally: Option<&'p Statement>,
    in_account: Option<&'p Statement>,
}

impl<'p> Weighed<'p> {
    fn of(policy: &'p Policy, side: Side, facts: &Facts<'_>) -> Self {
        let mut weighed = Self::default();
        for statement in &policy.statements {
            let place = match (statement.allow, statement.hold_against(facts, side)) {
                (false, Outcome::Matched { .. }) => &mut weighed.deny,
                (false, Outcome::Unclear(_)) => &mut weighed.unclear,
                (true, Outcome::Matched { in_account: false }) => &mut weighed.personally,
                (true, Outcome::Matched { in_account: true }) => &mut weighed.in_account,
                (true, Outcome::Unclear(_)) | (_, Outcome::Missed(_)) => continue,
            };
            place.get_or_insert(statement);
        }
        weighed
    }
}

/// What nobody denied.
fn combine(
    facts: &Facts<'_>,
    account_of_resource: &str,
    resource: &Weighed<'_>,
    own_allow: Option<(Whose, &Statement)>,
) -> Decision {
    let Who::Principal { account, root, .. } = facts.who else {
        return match resource.personally {
            Some(statement) => decided(Effect::Allow, Whose::Resource, statement, "it allows this"),
            None => undecided("no statement of the resource's policy allows this"),
        };
    };
    let own = root || own_allow.is_some();
    let same = !account.is_empty() && account == account_of_resource;
    let to_key = facts.action.starts_with("kms:");
    match (resource.personally, resource.in_account) {
        (Some(statement), _) if same => decided(Effect::Allow, Whose::Resource, statement, "it allows this"),
        (Some(statement), _) | (None, Some(statement)) if own => {
            decided(Effect::Allow, Whose::Resource, statement, "it allows this, and so does the principal's account")
        }
        (Some(_), _) => undecided("the principal is of another account, and no policy of its own allows this"),
        (None, Some(_)) => undecided("the resource's policy leaves this to the account, and no policy there allows it"),
        (None, None) if same && !to_key && own => match own_allow {
            Some((whose, statement)) => decided(Effect::Allow, whose, statement, "it allows this"),
            None => Decision { effect: Effect::Allow, ..undecided("the principal is the root user of the account") },
        },
        (None, None) => undecided("no statement of the resource's policy allows this"),
    }
}

fn own_policies<'a>(caller: Caller<'a>) -> impl Iterator<Item = (Whose, &'a Policy)> {
    let principal = match caller {
        Caller::Principal(principal) => Some(principal),
        Caller::Anonymous | Caller::Service(_) => None,
    };
    let policies = principal.into_iter().flat_map(Principal::policies);
    policies.zip(1..).map(|(policy, place)| (Whose::Principal(place), policy))
}

fn with(whose: Whose, statement: Option<&Statement>) -> Option<(Whose, &Statement)> {
    statement.map(|statement| (whose, statement))
}

fn decided(effect: Effect, whose: Whose, statement: &Statement, why: &str) -> Decision {
    let why = format!("{whose}, statement {}: {why}", statement.name);
    Decision { effect, statement: Some(Deciding { whose, statement: statement.name.clone() }), why }
}

fn undecided(why: &str) -> Decision {
    Decision { effect: Effect::NoStatement, statement: None, why: why.into() }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource => f.write_str("the resource's policy"),
            Self::Principal(place) => write!(f, "policy {place} of the principal"),
        }
    }
}
