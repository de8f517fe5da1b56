//! Conditions: IAM user guide, "Condition operators" and "Multivalued context keys".

use super::known::{Kind, known};
use super::pattern::{Pattern, Syntax};
use super::request::Facts;
use super::ternary::Ternary;
use super::value::{Network, boolean, date, is_base64, number};
use std::cmp::Ordering;

/// One key under one operator.
#[derive(Debug)]
pub(super) struct Condition {
    /// As it is written.
    pub(super) operator: String,
    /// In lower case.
    pub(super) key: String,
    set: Set,
    if_exists: bool,
    negated: bool,
    /// None if the operator or the key is not known.
    test: Option<Test>,
    /// Some of the values are not understood.
    strange: bool,
}

/// How several values of a request count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// There is only one.
    None,
    All,
    Any,
}

/// What a value of a request is held against. One of the values is enough.
#[derive(Debug)]
enum Test {
    /// Whether the key is absent.
    Null(Vec<bool>),
    Text(Vec<Pattern>),
    IgnoringCase(Vec<Pattern>),
    Arn(Vec<ArnPattern>),
    Number(Comparison, Vec<i128>),
    Date(Comparison, Vec<(i64, u64)>),
    Bool(Vec<bool>),
    Address(Vec<Network>),
    Binary(Vec<String>),
}

/// The six fields, or a single variable that stands for all of them.
#[derive(Debug)]
struct ArnPattern(Vec<Pattern>);

type Comparison = fn(Ordering) -> bool;

impl Condition {
    /// Reads a condition; pushes what is not understood, in words that say what to do.
    pub(super) fn read(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
        strange: &mut Vec<String>,
    ) -> Self {
        let before = strange.len();
        let (set, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Set::All, name),
            Some(("ForAnyValue", name)) => (Set::Any, name),
            _ => (Set::None, operator),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (positive, negated) = positive_of(name);
        let lower = key.to_lowercase();
        let test = Test::read(positive, values, variables, strange);
        if test.is_none() {
            strange.push(format!("the operator {operator} is not known: use another"));
        }
        // Nothing says whether the key's absence or the missing value decides.
        let odd = match &test {
            Some(Test::Null(_)) => if_exists || set != Set::None,
            _ => if_exists && set == Set::Any,
        };
        if odd {
            strange.push(format!("{operator} has no clear meaning: use Null, and the operator without IfExists"));
        }
        let known = known(&lower);
        if known.is_none() {
            strange.push(format!("the condition key {key} is not known here: remove the condition"));
        }
        if values.is_empty() {
            strange.push(format!("{operator} {key} has no values: add one"));
        }
        let test = test.filter(|_| known.is_some() && !odd);
        let (operator, strange) = (operator.into(), strange.len() > before);
        Self { operator, key: lower, set, if_exists, negated, test, strange }
    }

    /// A condition of an operator without a key.
    pub(super) fn without_key(operator: &str) -> Self {
        let (operator, key) = (operator.into(), String::new());
        Self { operator, key, set: Set::None, if_exists: false, negated: false, test: None, strange: true }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Ternary {
        let Some(test) = &self.test else { return Ternary::Maybe };
        let mut values = facts.values(&self.key).peekable();
        if let Test::Null(absent) = test {
            return self.or_strange(absent.contains(&values.peek().is_none()).into());
        }
        if values.peek().is_none() {
            return match self.set {
                _ if self.if_exists => Ternary::Yes,
                Set::All => Ternary::Yes,
                Set::Any => Ternary::No,
                // With values that are not understood, absence is still no equal of them.
                Set::None => self.negated.into(),
            };
        }
        let mut answers = values.map(|value| self.or_strange(test.holds_for(value, facts)).negated_if(self.negated));
        match self.set {
            Set::All => Ternary::all(answers),
            Set::Any => Ternary::any(answers),
            Set::None => match (answers.next(), answers.next()) {
                (Some(answer), None) => answer,
                _ => Ternary::Maybe,
            },
        }
    }

    /// Its key and those of the variables in its values, in lower case.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let variables = self.test.iter().flat_map(Test::patterns).flat_map(Pattern::keys);
        std::iter::once(self.key.as_str()).filter(|key| !key.is_empty()).chain(variables)
    }

    /// Why the operator does not go with the key; in words that say what to do.
    pub(super) fn mismatch(&self) -> Option<String> {
        let known = known(&self.key)?;
        let test = self.test.as_ref()?;
        let fits = match test {
            Test::Null(_) | Test::Text(_) | Test::IgnoringCase(_) => true,
            Test::Arn(_) => known.kind == Kind::Text,
            Test::Number(..) => matches!(known.kind, Kind::Number | Kind::Epoch),
            Test::Date(..) => matches!(known.kind, Kind::Date | Kind::Epoch),
            Test::Bool(_) => known.kind == Kind::Bool,
            Test::Address(_) => known.kind == Kind::Address,
            Test::Binary(_) => false,
        };
        let Self { operator, key, .. } = self;
        if !fits {
            return Some(format!("{operator} does not go with {key}: use an operator for values of its kind"));
        }
        let alone = known.many && self.set == Set::None && !matches!(test, Test::Null(_));
        alone.then(|| format!("{key} can have several values: write ForAllValues:{operator} or ForAnyValue:{operator}"))
    }

    /// A value that is not understood could be the one that matches.
    fn or_strange(&self, answer: Ternary) -> Ternary {
        if self.strange && answer == Ternary::No { Ternary::Maybe } else { answer }
    }
}

impl Test {
    /// Those of its values that can have variables.
    fn patterns(&self) -> Box<dyn Iterator<Item = &Pattern> + '_> {
        match self {
            Self::Text(patterns) | Self::IgnoringCase(patterns) => Box::new(patterns.iter()),
            Self::Arn(patterns) => Box::new(patterns.iter().flat_map(|ArnPattern(fields)| fields)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Reads the values for an operator that is not negated; none if there is no such operator.
    fn read(operator: &str, values: &[String], variables: bool, strange: &mut Vec<String>) -> Option<Self> {
        let plain = Syntax { wildcards: false, variables };
        let wild = Syntax { wildcards: true, variables };
        let needed = |what| move |value: &str| format!("{operator} needs {what} instead of {value:?}");
        let texts = |syntax| move |value: &str| Pattern::parse(value, syntax);
        Some(match operator {
            "Null" => Self::Null(understood(values, strange, or(boolean, needed("true or false")))),
            "Bool" => Self::Bool(understood(values, strange, or(boolean, needed("true or false")))),
            "StringEquals" => Self::Text(understood(values, strange, texts(plain))),
            "StringLike" => Self::Text(understood(values, strange, texts(wild))),
            "StringEqualsIgnoreCase" => Self::IgnoringCase(understood(values, strange, texts(plain))),
            "ArnEquals" | "ArnLike" => Self::Arn(understood(values, strange, |value| ArnPattern::read(value, wild))),
            "IpAddress" => Self::Address(understood(
                values,
                strange,
                or(Network::parse, needed("an address such as 203.0.113.0/24")),
            )),
            "BinaryEquals" => Self::Binary(understood(
                values,
                strange,
                or(|value| is_base64(value).then(|| value.to_owned()), needed("base 64")),
            )),
            _ => {
                if let Some(name) = operator.strip_prefix("Numeric") {
                    let comparison = comparison(name)?;
                    let needed = needed("a number such as 7 or 0.5");
                    Self::Number(comparison, understood(values, strange, or(number, needed)))
                } else {
                    let comparison = comparison(operator.strip_prefix("Date")?)?;
                    let needed = needed("a date such as 2026-01-31T12:00:00Z");
                    Self::Date(comparison, understood(values, strange, or(date, needed)))
                }
            }
        })
    }

    /// Whether one of the values matches; perhaps, if the value of the request is not of the kind.
    fn holds_for(&self, value: &str, facts: &Facts<'_>) -> Ternary {
        match self {
            // `holds` has decided.
            Self::Null(_) => Ternary::Maybe,
            Self::Text(patterns) => Ternary::any(patterns.iter().map(|pattern| pattern.matches(value, facts))),
            Self::IgnoringCase(patterns) => {
                Ternary::any(patterns.iter().map(|pattern| pattern.equals_ignoring_case(value, facts)))
            }
            Self::Arn(patterns) => Ternary::any(patterns.iter().map(|pattern| pattern.matches(value, facts))),
            Self::Number(comparison, numbers) => compared(number(value), *comparison, numbers),
            Self::Date(comparison, dates) => compared(date(value), *comparison, dates),
            Self::Bool(wanted) => boolean(value).map_or(Ternary::Maybe, |value| wanted.contains(&value).into()),
            Self::Address(networks) => Ternary::any(
                networks.iter().map(|network| network.contains(value).map_or(Ternary::Maybe, Ternary::from)),
            ),
            Self::Binary(wanted) => wanted.iter().any(|wanted| wanted == value).into(),
        }
    }
}

impl ArnPattern {
    fn read(text: &str, syntax: Syntax) -> Result<Self, String> {
        let fields = arn_fields(text);
        if fields.len() == 6 && fields.first() == Some(&"arn") {
            return fields.into_iter().map(|field| Pattern::parse(field, syntax)).collect::<Result<_, _>>().map(Self);
        }
        let alone = text.starts_with("${") && text.find('}') == text.len().checked_sub(1);
        if alone && syntax.variables {
            return Ok(Self(vec![Pattern::parse(text, syntax)?]));
        }
        Err(format!("write an ARN with six fields instead of {text:?}, perhaps with * in them"))
    }

    fn matches(&self, value: &str, facts: &Facts<'_>) -> Ternary {
        if let [pattern] = self.0.as_slice() {
            return pattern.matches(value, facts);
        }
        if value.splitn(6, ':').count() != 6 {
            return Ternary::No;
        }
        let fields = value.splitn(6, ':').zip(&self.0);
        Ternary::all(fields.map(|(field, pattern)| pattern.matches(field, facts)))
    }
}

/// Splits at the first five colons that are not in a variable.
pub(super) fn arn_fields(text: &str) -> Vec<&str> {
    let mut fields = Vec::with_capacity(6);
    let (mut start, mut inside) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text.get(..at).is_some_and(|before| before.ends_with('$')) => inside = true,
            b'}' => inside = false,
            b':' if !inside && fields.len() < 5 => {
                fields.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(text.get(start..).unwrap_or_default());
    fields
}

/// The operator that this one is the opposite of.
fn positive_of(operator: &str) -> (&str, bool) {
    match operator {
        "StringNotEquals" => ("StringEquals", true),
        "StringNotEqualsIgnoreCase" => ("StringEqualsIgnoreCase", true),
        "StringNotLike" => ("StringLike", true),
        "NumericNotEquals" => ("NumericEquals", true),
        "DateNotEquals" => ("DateEquals", true),
        "NotIpAddress" => ("IpAddress", true),
        "ArnNotEquals" => ("ArnEquals", true),
        "ArnNotLike" => ("ArnLike", true),
        _ => (operator, false),
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "Equals" => Ordering::is_eq,
        "LessThan" => Ordering::is_lt,
        "LessThanEquals" => Ordering::is_le,
        "GreaterThan" => Ordering::is_gt,
        "GreaterThanEquals" => Ordering::is_ge,
        _ => return None,
    })
}

fn compared<T: Ord>(value: Option<T>, comparison: Comparison, wanted: &[T]) -> Ternary {
    value.map_or(Ternary::Maybe, |value| wanted.iter().any(|wanted| comparison(value.cmp(wanted))).into())
}

/// The values that can be read; pushes why the others cannot.
fn understood<T>(values: &[String], strange: &mut Vec<String>, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    values.iter().filter_map(|value| read(value).map_err(|why| strange.push(why)).ok()).collect()
}

fn or<T>(read: impl Fn(&str) -> Option<T>, why: impl Fn(&str) -> String) -> impl Fn(&str) -> Result<T, String> {
    move |value| read(value).ok_or_else(|| why(value))
}
