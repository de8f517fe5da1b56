//! From JSON to statements: IAM user guide, "JSON policy elements" and "Grammar of the IAM JSON policy language".

use super::condition::{Condition, arn_fields};
use super::error::PolicyError;
use super::json::Json;
use super::names::{Name, Names};
use super::pattern::{Pattern, Syntax};
use super::statement::{Patterns, Statement};
use std::collections::HashSet;

/// The version from which on policies have variables.
const WITH_VARIABLES: &str = "2012-10-17";
/// The version of policies without the element.
const FIRST_VERSION: &str = "2008-10-17";

/// The statements of a policy.
pub(super) fn statements(text: &str) -> Result<Vec<Statement>, PolicyError> {
    let json = Json::parse(text).map_err(|why| PolicyError::of_policy(format!("not JSON: {why}")))?;
    let Json::Object(elements) = json else { return Err(PolicyError::of_policy("write an object, in braces")) };
    let (mut version, mut list, mut complaints) = (FIRST_VERSION.to_owned(), None, Vec::new());
    for (name, value) in elements {
        match (name.as_str(), value) {
            ("Version", Json::Text(text)) if text == WITH_VARIABLES || text == FIRST_VERSION => version = text,
            ("Version", _) => return Err(PolicyError::of_policy(format!("write the Version {WITH_VARIABLES:?}"))),
            ("Id", Json::Text(_)) => {}
            ("Id", _) => return Err(PolicyError::of_policy("write the Id as text")),
            ("Statement", Json::List(statements)) => list = Some(statements),
            ("Statement", statement) => list = Some(vec![statement]),
            _ => complaints.push(format!("the element {name} of the policy is not known: remove it")),
        }
    }
    let list = list.ok_or_else(|| PolicyError::of_policy("add a Statement"))?;
    let mut sids = HashSet::new();
    let mut statements = Vec::with_capacity(list.len());
    for (place, json) in list.into_iter().enumerate() {
        let mut statement = statement(json, place + 1, version == WITH_VARIABLES, &mut sids)?;
        // It could change what all statements mean.
        statement.strange |= !complaints.is_empty();
        statement.complaints.extend(complaints.iter().cloned());
        statements.push(statement);
    }
    Ok(statements)
}

/// The elements of a statement that are known.
#[derive(Default)]
struct Elements {
    sid: Option<String>,
    allow: Option<bool>,
    principal: Option<(bool, Json)>,
    action: Option<(bool, Vec<String>)>,
    resource: Option<(bool, Vec<String>)>,
    condition: Option<Json>,
    unknown: Vec<String>,
}

fn statement(json: Json, number: usize, variables: bool, sids: &mut HashSet<String>) -> Result<Statement, PolicyError> {
    let number = number.to_string();
    let failed = |why: String| PolicyError::of_statement(&number, why);
    let elements = elements(json).map_err(failed)?;
    if elements.sid.as_ref().is_some_and(|sid| !sids.insert(sid.clone())) {
        return Err(failed("give it a Sid that no other statement has".into()));
    }
    let name = elements.sid.unwrap_or_else(|| number.clone());
    let failed = |why: &str| PolicyError::of_statement(&name, why);
    let allow = elements.allow.ok_or_else(|| failed("add an Effect, Allow or Deny"))?;
    let action = elements.action.ok_or_else(|| failed("add an Action or a NotAction"))?;
    let strange = !elements.unknown.is_empty();
    let unknown = elements.unknown.iter().map(|name| format!("the element {name} is not known: remove it"));
    let mut complaints: Vec<String> = unknown.collect();
    let principal = elements.principal.map(|(except, json)| names(except, json, &mut complaints)).transpose();
    let principal = principal.map_err(failed)?;
    let actions = patterns(action, &mut complaints, read_action);
    let resources =
        elements.resource.map(|list| patterns(list, &mut complaints, |text| read_resource(text, variables)));
    let conditions = elements.condition.map(|json| conditions(json, variables, &mut complaints)).transpose();
    let conditions = conditions.map_err(failed)?.unwrap_or_default();
    Ok(Statement { name, allow, principal, actions, resources, conditions, strange, complaints })
}

fn elements(json: Json) -> Result<Elements, String> {
    let Json::Object(list) = json else { return Err("write an object, in braces".into()) };
    let mut elements = Elements::default();
    for (name, value) in list {
        let except = name.starts_with("Not");
        let twice = |there: bool| {
            let positive = name.trim_start_matches("Not");
            if there { Err(format!("write either {positive} or Not{positive}")) } else { Ok(()) }
        };
        match (name.as_str(), value) {
            ("Sid", Json::Text(sid)) if !sid.is_empty() => elements.sid = Some(sid),
            ("Sid", _) => return Err("write the Sid as text that is not empty".into()),
            ("Effect", Json::Text(effect)) if effect == "Allow" => elements.allow = Some(true),
            ("Effect", Json::Text(effect)) if effect == "Deny" => elements.allow = Some(false),
            ("Effect", _) => return Err("write the Effect Allow or Deny".into()),
            ("Principal" | "NotPrincipal", value) => {
                twice(elements.principal.is_some())?;
                elements.principal = Some((except, value));
            }
            ("Action" | "NotAction", value) => {
                twice(elements.action.is_some())?;
                elements.action = Some((except, texts(value).ok_or_else(|| format!("write {name} as text"))?));
            }
            ("Resource" | "NotResource", value) => {
                twice(elements.resource.is_some())?;
                elements.resource = Some((except, texts(value).ok_or_else(|| format!("write {name} as text"))?));
            }
            ("Condition", value) => elements.condition = Some(value),
            _ => elements.unknown.push(name),
        }
    }
    Ok(elements)
}

fn names(except: bool, json: Json, complaints: &mut Vec<String>) -> Result<Names, &'static str> {
    let before = complaints.len();
    let mut names = Vec::new();
    match json {
        Json::Text(text) if text == "*" => names.push(Name::Everyone),
        Json::Text(text) => complaints.push(format!("write the principal {text:?} as {{\"AWS\": {text:?}}}")),
        Json::Object(kinds) => {
            if kinds.is_empty() {
                complaints.push("name a principal".into());
            }
            for (kind, list) in kinds {
                let list = texts(list).ok_or("write each principal as text")?;
                if list.is_empty() {
                    complaints.push(format!("name a principal under {kind}"));
                }
                for text in list {
                    match (kind.as_str(), Name::of_aws(&text), Name::of_service(&text)) {
                        ("AWS", Some(name), _) | ("Service", _, Some(name)) => names.push(name),
                        ("AWS", ..) => complaints.push(format!(
                            "the principal {text:?} is none: write *, 12 digits, or the ARN of a user, role, session or root"
                        )),
                        ("Service", ..) => complaints.push(format!("{text:?} is no service: write its domain name")),
                        _ => complaints.push(format!("the principal type {kind} is not known here: write AWS or Service")),
                    }
                }
            }
        }
        _ => return Err("write the principal as \"*\" or as an object"),
    }
    Ok(Names { except, names, strange: complaints.len() > before })
}

fn conditions(json: Json, variables: bool, complaints: &mut Vec<String>) -> Result<Vec<Condition>, &'static str> {
    let shape = "write Condition as an object of operators, each an object of keys";
    let Json::Object(operators) = json else { return Err(shape) };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(shape) };
        if keys.is_empty() {
            complaints.push(format!("{operator} has no condition key: add one, or remove it"));
            conditions.push(Condition::without_key(&operator));
        }
        for (key, values) in keys {
            let values = scalars(values).ok_or("write values of conditions as text")?;
            conditions.push(Condition::read(&operator, &key, &values, variables, complaints));
        }
    }
    Ok(conditions)
}

fn patterns(
    (except, texts): (bool, Vec<String>),
    complaints: &mut Vec<String>,
    read: impl Fn(&str) -> Result<Pattern, String>,
) -> Patterns {
    let before = complaints.len();
    if texts.is_empty() {
        complaints.push("an empty list means nothing: add an element".into());
    }
    let mut patterns = Vec::with_capacity(texts.len());
    for text in texts {
        match read(&text) {
            Ok(pattern) => patterns.push((text, pattern)),
            Err(why) => complaints.push(why),
        }
    }
    Patterns { except, patterns, strange: complaints.len() > before }
}

/// An action in lower case: `*`, or a service and what it does.
fn read_action(text: &str) -> Result<Pattern, String> {
    let service = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let action = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'?');
    let well_formed = text.split_once(':').is_some_and(|(of, name)| {
        !of.is_empty() && !name.is_empty() && of.bytes().all(service) && name.bytes().all(action)
    });
    if text != "*" && !well_formed {
        return Err(format!("{text:?} is no action: write * or one such as kms:Decrypt"));
    }
    Pattern::parse(&text.to_ascii_lowercase(), Syntax { wildcards: true, variables: false })
}

/// A resource: `*`, or an ARN of six fields, or of three or more that ends with `*`, with variables in the last field
/// only.
fn read_resource(text: &str, variables: bool) -> Result<Pattern, String> {
    let pattern = Pattern::parse(text, Syntax { wildcards: true, variables })?;
    let wild = |field: &str| field.contains(['*', '?']);
    let fields = arn_fields(text);
    let well_formed = match fields.as_slice() {
        ["arn", partition, service, others @ ..] => {
            let before = fields.iter().take(5).any(|field| variables && field.contains("${"));
            let whole = others.len() == 3 && others.last().is_some_and(|own| !own.is_empty());
            let named = !partition.is_empty() && !service.is_empty() && !wild(service);
            named && !before && (whole || (!others.is_empty() && text.ends_with('*')))
        }
        _ => text == "*",
    };
    if well_formed { Ok(pattern) } else { Err(format!("{text:?} is no resource: write * or an ARN with a service")) }
}

/// A text, or a list of them.
fn texts(json: Json) -> Option<Vec<String>> {
    let text = |json| if let Json::Text(text) = json { Some(text) } else { None };
    match json {
        Json::List(list) => list.into_iter().map(text).collect(),
        json => text(json).map(|text| vec![text]),
    }
}

/// The same, with numbers and booleans as text.
fn scalars(json: Json) -> Option<Vec<String>> {
    let scalar = |json| match json {
        Json::Text(text) | Json::Number(text) => Some(text),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    };
    match json {
        Json::List(list) => list.into_iter().map(scalar).collect(),
        json => scalar(json).map(|text| vec![text]),
    }
}
