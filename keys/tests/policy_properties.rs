//! What holds for all policies, on random ones from fixed seeds; and texts that want to do harm.
use objseal_keys::kms::Principal;
use objseal_keys::policy::{Caller, Effect, Policy, PolicyOf, Request, Values, decide, explain};
use serde_json::{Value, json};
use std::sync::Arc;

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1";
const PRINCIPALS: [&str; 5] = [
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:root",
    "arn:aws:sts::111122223333:assumed-role/backup/night",
    "arn:aws:iam::444455556666:user/carol",
    "arn:aws:iam::444455556666:root",
];
const CASES: u64 = 4_000;

/// Numbers that look random: xorshift64*.
struct Random(u64);

impl Random {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound as u64).unwrap()
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn text(&mut self, letters: &[char], most: usize) -> String {
        let len = self.below(most + 1);
        (0..len).map(|_| self.one_of(letters)).collect()
    }

    fn condition(&mut self) -> Value {
        let operator = self.one_of(&[
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIfExists",
            "Null",
            "Bool",
            "NumericLessThan",
            "DateGreaterThan",
            "NotIpAddress",
            "ArnLike",
            "ArnNotLike",
            "ForAllValues:StringEquals",
            "ForAnyValue:StringNotLike",
            "Unknown",
        ]);
        let key = self.one_of(&[
            "kms:ViaService",
            "kms:EncryptionContextKeys",
            "aws:SourceIp",
            "aws:PrincipalArn",
            "kms:EncryptionContext:a",
            "aws:EpochTime",
            "aws:Unknown",
        ]);
        let value = self.one_of(&[
            "a",
            "*",
            "true",
            "7",
            "10.0.0.0/8",
            "arn:*:*:*:*:*",
            "${aws:username}",
            "${kms:ViaService, 'a'}",
            "${",
            "",
        ]);
        json!({operator: {key: [value, self.one_of(&["b", "a?"])]}})
    }

    fn statement(&mut self, effect: &str, owned: bool) -> Value {
        let mut statement = json!({"Effect": effect});
        if !owned {
            let names =
                [PRINCIPALS[0], PRINCIPALS[1], "arn:aws:iam::111122223333:role/backup", PRINCIPALS[3], ACCOUNTS[1]];
            statement[self.one_of(&["Principal", "Principal", "Principal", "NotPrincipal"])] = match self.below(6) {
                0 => json!("*"),
                1 => json!({"Federated": "x"}),
                2 => json!({"Service": "logs.amazonaws.com"}),
                _ => json!({"AWS": [self.one_of(&names), self.one_of(&names)]}),
            };
        }
        statement[self.one_of(&["Action", "Action", "NotAction"])] =
            json!(self.one_of(&["*", "kms:*", "kms:Decrypt", "kms:D*t", "kms:Encrypt", "bad"]));
        statement[self.one_of(&["Resource", "Resource", "NotResource"])] =
            json!(self.one_of(&["*", KEY, "arn:aws:kms:*", "arn:aws:kms:us-east-1:111122223333:key/2", "bad"]));
        match self.below(3) {
            0 => statement["Condition"] = self.condition(),
            1 if self.below(8) == 0 => statement["Unknown"] = json!(1),
            _ => {}
        }
        statement
    }

    fn statements(&mut self, owned: bool) -> Vec<Value> {
        let count = self.below(5);
        (0..count)
            .map(|_| {
                let effect = self.one_of(&["Allow", "Allow", "Allow", "Deny"]);
                self.statement(effect, owned)
            })
            .collect()
    }
}

/// What is asked, with the statements on both sides.
struct World {
    resource: Vec<Value>,
    own: Vec<Value>,
    principal: Option<&'static str>,
    values: Values<'static>,
}

impl World {
    fn of(random: &mut Random) -> Self {
        let mut values = Values::new();
        for key in ["kms:ViaService", "kms:EncryptionContextKeys", "aws:SourceIp", "kms:EncryptionContext:a"] {
            for _ in 0..random.below(3) {
                values.add(key, random.one_of(&["a", "b", "ab", "10.1.2.3", "7", ""]));
            }
        }
        let principal = if random.below(10) == 0 { None } else { Some(random.one_of(&PRINCIPALS)) };
        Self { resource: random.statements(false), own: random.statements(true), principal, values }
    }

    fn effect(&self) -> Effect {
        let policy = |statements: &[Value]| {
            Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()).unwrap()
        };
        let principal = self.principal.map(|arn| Principal::new(arn).with_policy(Arc::new(policy(&self.own))));
        let caller = principal.as_ref().map_or(Caller::Anonymous, Caller::Principal);
        let request = Request { caller, action: "kms:Decrypt", resource: KEY, values: &self.values };
        decide(&policy(&self.resource), ACCOUNTS[0], &request).effect
    }
}

/// Runs it on random worlds; returns how many were allowed at first, so that a test sees that it saw both.
fn worlds(mut test: impl FnMut(&mut Random, World, Effect)) {
    let mut allowed = 0;
    for seed in 1..=CASES {
        let mut random = Random::of(seed);
        let world = World::of(&mut random);
        let effect = world.effect();
        allowed += u64::from(effect == Effect::Allow);
        test(&mut random, world, effect);
    }
    assert!(allowed > CASES / 50 && allowed < CASES - CASES / 50, "{allowed} of {CASES} are allowed");
}

#[test]
fn one_more_deny_never_allows() {
    worlds(|random, mut world, before| {
        let owned = random.below(2) == 0;
        let statement = random.statement("Deny", owned);
        let side = if owned { &mut world.own } else { &mut world.resource };
        side.insert(random.below(side.len() + 1), statement);
        assert!(before == Effect::Allow || world.effect() != Effect::Allow, "{:?} {:?}", world.resource, world.own);
    });
}

#[test]
fn one_allow_less_never_allows() {
    worlds(|random, mut world, before| {
        let side = if random.below(2) == 0 { &mut world.own } else { &mut world.resource };
        let Some(place) = side.iter().position(|statement| statement["Effect"] == "Allow") else { return };
        side.remove(place);
        assert!(before == Effect::Allow || world.effect() != Effect::Allow, "{:?} {:?}", world.resource, world.own);
    });
}

#[test]
fn the_order_of_statements_changes_nothing() {
    worlds(|random, mut world, before| {
        for side in [&mut world.resource, &mut world.own] {
            for place in (1..side.len()).rev() {
                side.swap(place, random.below(place + 1));
            }
        }
        assert_eq!(world.effect(), before, "{:?} {:?}", world.resource, world.own);
    });
}

#[test]
fn what_passes_the_check_is_never_undecidable_by_itself() {
    let (mut passed, mut denied) = (0, 0);
    for seed in 1..=20 * CASES {
        let mut random = Random::of(seed);
        let statement = random.statement("Deny", false);
        let policy = Policy::parse(&json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()).unwrap();
        if policy.check(PolicyOf::Key).is_err() {
            continue;
        }
        passed += 1;
        let alice = Principal::new(random.one_of(&PRINCIPALS));
        let keys = random.text(&['a', 'b'], 3);
        let mut values = Values::new().with("kms:ViaService", "a").with("aws:SourceIp", "10.1.2.3");
        keys.char_indices().for_each(|(at, _)| values.add("kms:EncryptionContextKeys", &keys[at..=at]));
        let request =
            Request { caller: Caller::Principal(&alice), action: "kms:Decrypt", resource: KEY, values: &values };
        let effect = decide(&policy, ACCOUNTS[0], &request).effect;
        assert_ne!(effect, Effect::Undecidable, "{statement}");
        denied += u32::from(effect == Effect::Deny);
    }
    assert!(passed > 1_000 && denied > 100, "{passed} passed, {denied} denied");
}

/// Wildcards by a table of all prefixes, as a textbook has it.
fn is_like(pattern: &[char], text: &[char]) -> bool {
    let mut row: Vec<bool> = (0..=text.len()).map(|end| end == 0).collect();
    for &letter in pattern {
        let mut next = vec![letter == '*' && row[0]];
        for (end, &c) in text.iter().enumerate() {
            next.push(match letter {
                '*' => row[end + 1] || next[end],
                '?' => row[end],
                _ => row[end] && letter == c,
            });
        }
        row = next;
    }
    row[text.len()]
}

#[test]
fn wildcards_match_as_the_textbook_has_it() {
    let alice = Principal::new(PRINCIPALS[0]);
    let mut like = 0;
    for seed in 1..=20 * CASES {
        let mut random = Random::of(seed);
        let pattern = random.text(&['a', 'b', 'ü', '*', '*', '?'], 9);
        let text = random.text(&['a', 'b', 'ü'], 9);
        let document = json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"kms:ViaService": pattern}}}]});
        let policy = Policy::parse(&document.to_string()).unwrap();
        let values = Values::new().with("kms:ViaService", text.as_str());
        let request =
            Request { caller: Caller::Principal(&alice), action: "kms:Decrypt", resource: KEY, values: &values };
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = is_like(&chars(&pattern), &chars(&text));
        let got = decide(&policy, ACCOUNTS[0], &request).effect == Effect::Deny;
        assert_eq!(got, expected, "{pattern:?} {text:?}");
        like += u32::from(expected);
    }
    assert!(like > 1_000, "{like}");
}

#[test]
fn no_text_makes_it_panic() {
    let base = r#"{"Version":"2012-10-17","Statement":[{"Sid":"ü","Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:*",
        "Resource":"arn:aws:kms:*:1:key/${aws:username}","Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-31T12:00:00.5+01:00"},
        "NumericEquals":{"aws:EpochTime":-1.5},"IpAddress":{"aws:SourceIp":"::ffff:1.2.3.4/97"},"BinaryEquals":{"kms:KeySpec":"QQ=="},
        "ArnLike":{"aws:PrincipalArn":"${aws:PrincipalArn, 'x'}"}}}]}"#;
    let letters: Vec<char> = r#"{}[]":,ü*?$/'=+-.0Z9ae "#.chars().collect();
    let mut parsed = 0;
    for seed in 1..=20 * CASES {
        let mut random = Random::of(seed);
        let mut text: Vec<char> = base.chars().collect();
        for _ in 0..=random.below(3) {
            let place = random.below(text.len());
            match random.below(3) {
                0 => text[place] = random.one_of(&letters),
                1 => text.insert(place, random.one_of(&letters)),
                _ => drop(text.remove(place)),
            }
        }
        let Ok(policy) = Policy::parse(&text.iter().collect::<String>()) else { continue };
        parsed += 1;
        let _ = policy.check(PolicyOf::Key);
        let principal = Principal::new(random.text(&letters, 12));
        let caller = random.one_of(&[Caller::Principal(&principal), Caller::Anonymous, Caller::Service("ü")]);
        let time = random.one_of(&[
            "2026-01-31T12:00:00ü01:00",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01",
            "ü",
            "99999999999999",
        ]);
        let address = random.one_of(&["1.2.3.4", "::1", "", "ü"]);
        let values =
            Values::new().with("aws:CurrentTime", time).with("aws:EpochTime", time).with("aws:SourceIp", address);
        let request =
            Request { caller, action: random.one_of(&["kms:Decrypt", "", "ü"]), resource: "ü", values: &values };
        let account = random.one_of(&["", ACCOUNTS[0]]);
        let _ = (decide(&policy, account, &request), explain(&policy, account, &request));
    }
    assert!(parsed > 1_000, "{parsed}");
}

#[test]
fn who_has_no_account_is_of_no_account() {
    let statement = json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNTS[0]}, "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]);
    let policy = Policy::parse(&json!({"Statement": statement}).to_string()).unwrap();
    let values = Values::new();
    for arn in ["", "alice", "arn:aws:iam:::user/alice"] {
        let principal = Principal::new(arn);
        let request =
            Request { caller: Caller::Principal(&principal), action: "kms:Decrypt", resource: KEY, values: &values };
        assert_eq!(decide(&policy, "", &request).effect, Effect::NoStatement, "{arn:?}");
    }
}

#[test]
fn json_that_is_too_deep_is_refused() {
    let nested = |open: &str, close: &str, depth: usize| {
        let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        format!(r#"{{"Statement": [{{"Effect": "Deny", "Action": "*", "Until": {value}}}]}}"#)
    };
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        assert!(Policy::parse(&nested(open, close, 100)).is_ok());
        let error = Policy::parse(&nested(open, close, 5_000)).unwrap_err();
        assert!(error.reason().contains("recursion limit"), "{error}");
    }
}

#[test]
fn a_hundred_thousand_stars_are_too_long_and_thirty_thousand_are_one() {
    let with = |action: &str| {
        let statement = json!([{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}]);
        Policy::parse(&json!({"Statement": statement}).to_string())
    };
    let error = with(&"*".repeat(100_000)).unwrap_err();
    assert!(error.reason().contains("shorten it"), "{error}");
    let alice = Principal::new(PRINCIPALS[0]);
    let values = Values::new();
    let effect = |policy: &Policy, action: &str| {
        let request = Request { caller: Caller::Principal(&alice), action, resource: KEY, values: &values };
        decide(policy, ACCOUNTS[0], &request).effect
    };
    let stars = with(&format!("kms:{}t", "*".repeat(30_000))).unwrap();
    assert_eq!(effect(&stars, "kms:Decrypt"), Effect::Allow);
    assert_eq!(effect(&stars, "kms:DecryptX"), Effect::NoStatement);
    // Backtracking into each of its stars would take longer than anybody lives.
    let letters = with(&format!("kms:{}b", "*a".repeat(10_000))).unwrap();
    assert_eq!(effect(&letters, &format!("kms:{}", "a".repeat(20_000))), Effect::NoStatement);
}

#[test]
fn numbers_without_end_are_refused_or_not_understood() {
    let with = |number: &str| {
        let condition = format!(r#"{{"NumericLessThan": {{"kms:RotationPeriodInDays": {number}}}}}"#);
        Policy::parse(&format!(
            r#"{{"Statement": [{{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {condition}}}]}}"#
        ))
    };
    for refused in ["1e400", "1e15", "-1e15", &"9".repeat(30_000)] {
        assert!(with(refused).is_err(), "{refused}");
    }
    for not_understood in
        ["\"1e5\"", "\"1234567890123456789\"", "\"0.1234567890\"", "\"+1\"", "\".5\"", "\"5.\"", "\"NaN\""]
    {
        let error = with(not_understood).unwrap().check(PolicyOf::Key).unwrap_err();
        assert!(error.reason().contains("needs a number"), "{error}");
    }
    assert_eq!(with("999999999999999").unwrap().check(PolicyOf::Key), Ok(()));
}
