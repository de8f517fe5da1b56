//! No text makes the policy evaluator panic, and a policy that was checked is decided for an ordinary request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use objseal_kms::kms::Principal;
use objseal_kms::policy::{Caller, Effect, Policy, PolicyOf, Request, Values, decide, explain};

const ACCOUNT: &str = "111122223333";

fuzz_target!(|text: &str| {
    let Ok(policy) = Policy::parse(text) else { return };
    let checked = policy.check(PolicyOf::Key).is_ok();
    let user = Principal::new("arn:aws:iam::111122223333:user/a");
    let values = Values::new()
        .with("kms:ViaService", "s3.us-east-1.amazonaws.com")
        .with("kms:EncryptionContext:a", "1")
        .with("aws:EpochTime", "1795824000")
        .with("aws:SourceIp", "203.0.113.7");
    for caller in [Caller::Anonymous, Caller::Principal(&user), Caller::Service("logs.amazonaws.com")] {
        for action in ["kms:Decrypt", "s3:PutObject"] {
            let resource = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
            let request = Request { caller, action, resource, values: &values };
            let effect = decide(&policy, ACCOUNT, &request).effect;
            assert!(!checked || effect != Effect::Undecidable);
            let _ = explain(&policy, ACCOUNT, &request);
        }
    }
});
