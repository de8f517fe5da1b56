//! A statement, ready to be held against requests.

use super::condition::Condition;
use super::names::{Meant, Names};
use super::pattern::Pattern;
use super::request::{Facts, Found, Who};
use super::ternary::Ternary;

/// A statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its Sid; without one, its number from 1.
    pub(super) name: String,
    pub(super) allow: bool,
    pub(super) principal: Option<Names>,
    pub(super) actions: Patterns,
    pub(super) resources: Option<Patterns>,
    pub(super) conditions: Vec<Condition>,
    /// It has elements that are not known.
    pub(super) strange: bool,
    /// What is not understood, in words that say what to do.
    pub(super) complaints: Vec<String>,
}

/// Patterns of which one must match, or none.
#[derive(Debug)]
pub(super) struct Patterns {
    /// NotAction, NotResource.
    pub(super) except: bool,
    /// As they are written, and ready.
    pub(super) patterns: Vec<(String, Pattern)>,
    /// Some are not understood.
    pub(super) strange: bool,
}

/// Whose policy it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Resource,
    Identity,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Missed(Part),
    /// All parts that are understood match.
    Unclear(Part),
    /// It matches; whether it means who asks as somebody of an account.
    Matched {
        in_account: bool,
    },
}

/// A part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Action,
    Principal,
    Resource,
    /// By its place.
    Condition(usize),
    /// An element that is not known.
    Element,
}

impl Statement {
    /// Holds it against a request. A part that does not match decides, whatever is not understood besides.
    pub(super) fn hold_against(&self, facts: &Facts<'_>, side: Side) -> Outcome {
        let (meant, in_account) = self.meant(facts, side);
        let resource = || self.resources.as_ref().map_or(Ternary::Maybe, |r| r.match_to(facts.request.resource, facts));
        let mut unclear = None;
        let mut missed = |answer, part| {
            if answer == Ternary::Maybe {
                unclear = unclear.or(Some(part));
            }
            answer == Ternary::No
        };
        if missed(self.actions.match_to(&facts.action, facts), Part::Action) {
            return Outcome::Missed(Part::Action);
        }
        if missed(meant, Part::Principal) {
            return Outcome::Missed(Part::Principal);
        }
        if missed(resource(), Part::Resource) {
            return Outcome::Missed(Part::Resource);
        }
        for (place, condition) in self.conditions.iter().enumerate() {
            if missed(condition.holds(facts), Part::Condition(place)) {
                return Outcome::Missed(Part::Condition(place));
            }
        }
        match unclear {
            Some(part) => Outcome::Unclear(part),
            None if self.strange => Outcome::Unclear(Part::Element),
            None => Outcome::Matched { in_account },
        }
    }

    /// The condition keys that it looks at, in lower case.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(|resources| &resources.patterns);
        let variables = resources.flat_map(|(_, pattern)| pattern.keys());
        self.conditions.iter().flat_map(Condition::keys).chain(variables)
    }

    /// A part in words, with what the request has there.
    pub(super) fn describe(&self, part: Part, facts: &Facts<'_>) -> String {
        match part {
            Part::Action => format!("the action, which is {}", facts.request.action),
            Part::Principal => match facts.who {
                Who::Anonymous => "the principal, who is anonymous".into(),
                Who::Service(name) => format!("the principal, which is the service {name}"),
                Who::Principal { arn, .. } => format!("the principal, which is {arn}"),
            },
            Part::Resource => format!("the resource, which is {}", facts.request.resource),
            Part::Element => "an element that is not known".into(),
            Part::Condition(place) => self.conditions.get(place).map_or_else(String::new, |condition| {
                let Condition { operator, key, .. } = condition;
                let has = match facts.find(key) {
                    Found::Nothing => "which the request does not have".into(),
                    Found::One(value) => format!("which is {value:?}"),
                    Found::Several => format!("which is {:?}", facts.values(key).collect::<Vec<_>>()),
                };
                format!("the condition {operator} on {key}, {has}")
            }),
        }
    }

    fn meant(&self, facts: &Facts<'_>, side: Side) -> (Ternary, bool) {
        let meant = match (side, &self.principal) {
            (Side::Identity, None) => Meant::Personally,
            (Side::Resource, Some(names)) if !(self.allow && names.except) => names.mean(&facts.who),
            // Who is meant without a principal, by one in a policy that belongs to somebody, or by Allow with
            // NotPrincipal, is nowhere said.
            _ => Meant::Maybe,
        };
        match meant {
            Meant::Not => (Ternary::No, false),
            Meant::Maybe => (Ternary::Maybe, false),
            Meant::InAccount => (Ternary::Yes, true),
            Meant::Personally => (Ternary::Yes, false),
        }
    }
}

impl Patterns {
    fn match_to(&self, text: &str, facts: &Facts<'_>) -> Ternary {
        let strange = self.strange.then_some(Ternary::Maybe);
        let answers = self.patterns.iter().map(|(_, pattern)| pattern.matches(text, facts));
        Ternary::any(answers.chain(strange)).negated_if(self.except)
    }
}
