//! Policies against tables: IAM user guide, "Policy evaluation logic", "JSON policy elements", "Condition operators",
//! "Multivalued context keys"; AWS KMS developer guide, "Key policies", "Condition keys".
use objseal_keys::kms::Principal;
use objseal_keys::policy::{Caller, Decision, Effect, Policy, PolicyOf, Request, Values, decide, explain};
use serde_json::{Value, json};
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

fn table(text: &str) -> Vec<Value> {
    let table: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(table.len() > 50, "the table is cut off");
    table
}

fn name(case: &Value) -> &str {
    case["name"].as_str().unwrap()
}

fn policy(version: &str, statements: &Value) -> Policy {
    Policy::parse(&json!({"Version": version, "Statement": statements}).to_string()).unwrap()
}

fn values(of: &Value) -> Values<'_> {
    let mut values = Values::new();
    for (key, value) in of.as_object().into_iter().flatten() {
        match value {
            Value::Array(several) => several.iter().for_each(|value| values.add(key, value.as_str().unwrap())),
            value => values.add(key, value.as_str().unwrap()),
        }
    }
    values
}

fn all_pass(failures: &[String], of: usize) {
    assert!(failures.is_empty(), "{} of {of} cases fail:\n{}", failures.len(), failures.join("\n"));
}

/// Each condition stands in an Allow statement, and in a Deny statement beside one that allows all.
#[test]
fn conditions_hold_where_the_table_says() {
    let (mut failures, alice) = (Vec::new(), Principal::new(ALICE));
    let cases = table(include_str!("policies/conditions.json"));
    for case in &cases {
        let version = case["version"].as_str().unwrap_or("2012-10-17");
        let statement = |effect, condition: &Value| json!({"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition});
        let allow = policy(version, &json!([statement("Allow", &case["condition"])]));
        let deny = policy(version, &json!([statement("Allow", &json!({})), statement("Deny", &case["condition"])]));
        let values = values(&case["values"]);
        let request =
            Request { caller: Caller::Principal(&alice), action: "kms:Decrypt", resource: KEY, values: &values };
        let got = [&allow, &deny].map(|policy| decide(policy, ACCOUNT, &request).effect);
        let expected = match case["holds"].as_str().unwrap() {
            "yes" => [Effect::Allow, Effect::Deny],
            "no" => [Effect::NoStatement, Effect::Allow],
            "unclear" => [Effect::NoStatement, Effect::Undecidable],
            other => panic!("{other}"),
        };
        if got != expected {
            failures.push(format!("{}: {got:?} instead of {expected:?}", name(case)));
        }
    }
    all_pass(&failures, cases.len());
}

fn decide_case(case: &Value) -> (Decision, Vec<String>) {
    let mut document = json!({"Version": "2012-10-17", "Statement": case["statements"]});
    for (name, value) in case["policy"].as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    let policy = Policy::parse(&document.to_string()).unwrap();
    let mut principal = Principal::new(case.get("caller").map_or(ALICE, |caller| caller.as_str().unwrap_or_default()));
    if let Some(own) = case.get("own") {
        principal = principal.with_policy(Arc::new(self::policy("2012-10-17", own)));
    }
    let caller = match (case["service"].as_str(), case.get("caller")) {
        (Some(service), _) => Caller::Service(service),
        (None, Some(Value::Null)) => Caller::Anonymous,
        _ => Caller::Principal(&principal),
    };
    let values = values(&case["values"]);
    let (action, resource) =
        (case["action"].as_str().unwrap_or("kms:Decrypt"), case["resource"].as_str().unwrap_or(KEY));
    let request = Request { caller, action, resource, values: &values };
    (decide(&policy, ACCOUNT, &request), explain(&policy, ACCOUNT, &request))
}

#[test]
fn decisions_are_those_of_the_table() {
    let mut failures = Vec::new();
    let cases = table(include_str!("policies/decisions.json"));
    for case in &cases {
        let (decision, lines) = decide_case(case);
        let by = decision.statement.as_ref().map(|deciding| deciding.statement.as_str());
        let expected = case["effect"].as_str().unwrap();
        let wrong_statement = case["by"].as_str().is_some_and(|expected| by != Some(expected));
        if format!("{:?}", decision.effect) != expected || wrong_statement || decision.why.is_empty() {
            failures.push(format!("{}: {decision:?} instead of {expected}\n  {}", name(case), lines.join("\n  ")));
        }
        let statements = case["statements"].as_array().unwrap().len() + case["own"].as_array().map_or(0, Vec::len);
        if lines.len() != statements {
            failures.push(format!("{}: {} lines for {statements} statements", name(case), lines.len()));
        }
    }
    all_pass(&failures, cases.len());
}

#[test]
fn what_could_not_be_decided_is_refused_for_its_reason() {
    let mut failures = Vec::new();
    let cases = table(include_str!("policies/checks.json"));
    for case in &cases {
        let text = case["text"].as_str().map_or_else(|| case["policy"].to_string(), str::to_owned);
        let of = match case["of"].as_str().unwrap() {
            "Key" => PolicyOf::Key,
            "Bucket" => PolicyOf::Bucket,
            "Identity" => PolicyOf::Identity,
            other => panic!("{other}"),
        };
        let got = Policy::parse(&text).and_then(|policy| policy.check(of));
        let as_expected = match (&got, case["reason"].as_str()) {
            (Ok(()), None) => true,
            (Err(error), Some(reason)) => {
                error.reason().contains(reason) && error.statement() == case["statement"].as_str()
            }
            _ => false,
        };
        if !as_expected {
            failures.push(format!("{}: {got:?}", name(case)));
        }
    }
    all_pass(&failures, cases.len());
}

#[test]
fn a_policy_is_as_long_as_its_service_allows() {
    let of_len = |len: usize, resource: &str, action: &str| {
        let statement = json!([{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}]);
        let text = json!({"Statement": statement}).to_string();
        format!("{text}{}", " ".repeat(len - text.len()))
    };
    let check = |text: &str, of| Policy::parse(text).and_then(|policy| policy.check(of));
    for (of, len, resource, action) in
        [(PolicyOf::Key, 32_768, "*", "kms:*"), (PolicyOf::Bucket, 20_480, "arn:aws:s3:::photos", "s3:*")]
    {
        assert_eq!(check(&of_len(len, resource, action), of), Ok(()));
        let error = check(&of_len(len + 1, resource, action), of).unwrap_err();
        assert!(error.reason().contains(&format!("shorten it to {len} bytes; it has {}", len + 1)), "{error}");
    }
}

#[test]
fn two_policies_are_equal_if_their_texts_are() {
    let parse = |text: &str| Policy::parse(text).unwrap();
    assert_eq!(parse(r#"{"Statement": []}"#), parse(r#"{"Statement": []}"#));
    assert_ne!(parse(r#"{"Statement": []}"#), parse(r#"{"Statement":[]}"#));
    assert_eq!(parse(r#"{"Statement": []}"#).text(), r#"{"Statement": []}"#);
}

#[test]
fn the_order_of_effects_is_that_of_their_weight() {
    assert!(Effect::Deny > Effect::Undecidable);
    assert!(Effect::Undecidable > Effect::Allow);
    assert!(Effect::Allow > Effect::NoStatement);
}

#[test]
fn explain_names_the_part_that_did_not_match() {
    let other_key = KEY.replace("1234abcd", "4321abcd");
    let statements = json!([
        {"Sid": "A", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "B", "Effect": "Allow", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"},
        {"Sid": "C", "Effect": "Deny", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "*", "Resource": "*"},
        {"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": other_key},
        {"Sid": "E", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "ec2.x"}}},
        {"Sid": "F", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Until": "2030"},
    ]);
    let own = policy("2012-10-17", &json!([{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]));
    let alice = Principal::new(ALICE).with_policy(Arc::new(own));
    let values = Values::new().with("kms:ViaService", "s3.x");
    let request = Request { caller: Caller::Principal(&alice), action: "kms:Decrypt", resource: KEY, values: &values };
    let lines = explain(&policy("2012-10-17", &statements), ACCOUNT, &request);
    let expected = [
        "the resource's policy, statement A (Allow): it matches, and needs a policy of the principal's account",
        "the resource's policy, statement B (Allow): it does not match the action, which is kms:Decrypt",
        "the resource's policy, statement C (Deny): it does not match the principal, which is arn:aws:iam::",
        "the resource's policy, statement D (Deny): it does not match the resource, which is arn:aws:kms:",
        "the resource's policy, statement E (Deny): it does not match the condition StringEquals on kms:viaservice, which is \"s3.x\"",
        "the resource's policy, statement F (Allow): it is not understood: an element that is not known",
        "policy 1 of the principal, statement 1 (Allow): it matches",
    ];
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\ninstead of\n{expected}");
    }

    let carol = Principal::new("arn:aws:iam::444455556666:user/carol");
    let request = Request { caller: Caller::Principal(&carol), action: "kms:Encrypt", ..request };
    let lines = explain(&policy("2012-10-17", &statements), ACCOUNT, &request);
    let expected =
        "statement B (Allow): it matches, and needs a policy of the principal's account that allows the same";
    assert!(lines[1].ends_with(expected), "{}", lines[1]);
}
