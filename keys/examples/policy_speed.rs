//! How long a decision takes: the default policy of a key, and a policy of the principal with ten statements.
//!
//! `cargo run --release -p objseal-keys --features kms --example policy_speed`

use objseal_keys::kms::Principal;
use objseal_keys::policy::{Caller, Policy, PolicyError, Request, Values, decide};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const DEFAULT: &str = r#"{"Version": "2012-10-17", "Id": "key-default-1", "Statement": [
    {"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "kms:*", "Resource": "*"}]}"#;
const ROUNDS: u32 = 200_000;

fn main() -> Result<(), PolicyError> {
    let mut statements = String::new();
    for place in 0..9 {
        // Writing to a String does not fail.
        let _ = write!(
            statements,
            r#"{{"Sid": "S{place}", "Effect": "Deny", "Action": ["kms:*"], "Resource": "arn:aws:kms:*:{ACCOUNT}:key/*",
            "Condition": {{"StringNotLike": {{"kms:ViaService": ["s3.*.amazonaws.com", "ec2.*.amazonaws.com"]}}}}}},"#
        );
    }
    let own = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{statements}
        {{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:us-east-1:{ACCOUNT}:key/*"}}]}}"#
    );
    let policy = Policy::parse(DEFAULT)?;
    let user = Principal::new("arn:aws:iam::111122223333:user/alice").with_policy(Arc::new(Policy::parse(&own)?));
    let values = Values::new()
        .with("aws:EpochTime", "1760000000")
        .with("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::photos/2026/cat.jpg")
        .with("kms:EncryptionContextKeys", "aws:s3:arn")
        .with("kms:ViaService", "s3.us-east-1.amazonaws.com");
    let request = Request { caller: Caller::Principal(&user), action: "kms:Decrypt", resource: KEY, values: &values };
    let fastest = (0..5)
        .map(|_| {
            let start = Instant::now();
            let allowed = (0..ROUNDS).filter(|_| decide(black_box(&policy), ACCOUNT, black_box(&request)).is_allowed());
            assert_eq!(allowed.count(), 200_000);
            start.elapsed() / ROUNDS
        })
        .min();
    println!("one decision on eleven statements: {:.2} us", fastest.unwrap_or_default().as_secs_f64() * 1e6);
    Ok(())
}
