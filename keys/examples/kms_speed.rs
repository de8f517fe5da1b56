//! How many data keys a local key management service makes and opens in a second, on one core and as it is started by default:
//! with its file, a policy, a grant and its audit log.
//!
//! Time of the core is that which the process had; on a machine with other work the clock on the wall says less.
//!
//! `cargo run --release -p objseal-keys --features kms --example kms_speed`

use objseal::Key;
use objseal::envelope::{EncryptionContext, KeyKind, OpenOptions, ServiceContext, WrappingKey};
use objseal_keys::kms::{Call, Kms, KmsError, Principal, Purpose, StoredKey, block_on};
use objseal_keys::local::{LocalKms, NewGrant, NewKey, Options, Owner};
use objseal_keys::policy::Policy;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLS: u32 = 20_000;
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let path = folder.path().join("kms");
    let holder = Arc::new(WrappingKey::from_key(Key::generate()?));
    LocalKms::create(&path, &holder, &Owner::default())?;
    let kms = LocalKms::open(&path, &OpenOptions::new().with_key(holder), Options::default())?;

    let root = Call::of(Arc::new(Principal::root_of("000000000000")));
    let mut new = NewKey::default();
    new.policy = Some(Arc::new(Policy::parse(
        r#"{"Version": "2012-10-17", "Statement": [
            {"Sid": "account", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*",
             "Resource": "*"},
            {"Sid": "s3", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:role/server"},
             "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
             "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"},
                           "StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::photos/*"}}},
            {"Sid": "not others", "Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::000000000000:root",
             "arn:aws:iam::000000000000:role/server"]}, "Action": "kms:Decrypt", "Resource": "*"}]}"#,
    )?));
    let key = kms.create_key(&root, new)?.arn;
    kms.create_grant(&root, &key, NewGrant::to("arn:aws:iam::000000000000:user/other", ["Decrypt"]))?;
    let context =
        EncryptionContext::from_pairs([("aws:s3:arn", "arn:aws:s3:::photos/2026/cat.jpg"), ("tenant", "17")])?;
    let server = Arc::new(Principal::new("arn:aws:iam::000000000000:role/server"));
    let call = Call::of(server).via("s3.us-east-1").with_context(context);
    let purpose = Purpose { kind: KeyKind::Object, context: ServiceContext::Object };

    let (mut generated, mut reopened) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        generated.push(rates(|| block_on(kms.generate(&call, &key, purpose)).map(drop))?);

        let made = block_on(kms.generate(&call, &key, purpose))?;
        let (key_id, blob) = (made.key_id().into(), made.blob().into());
        let stored = StoredKey { key_id, key_version: made.key_version(), purpose, blob };
        reopened.push(rates(|| block_on(kms.reopen(&call, &stored)).map(drop))?);
    }
    for (operation, rates) in [("GenerateDataKey", generated), ("Decrypt", reopened)] {
        for (clock, at) in [("second of the core", 0), ("second of the clock", 1)] {
            let mut rates: Vec<_> = rates.iter().map(|both| both[at]).collect();
            rates.sort_by(f64::total_cmp);
            let (low, median, high) = (rates[0], rates[ROUNDS / 2], rates[ROUNDS - 1]);
            println!("{operation:16} {median:7.0} a {clock:20} (median of {ROUNDS} rounds; {low:.0} to {high:.0})");
        }
    }
    let head = kms.audit().head();
    println!("audit: {} lines, each written before its answer, synced within a second", head.sequence);
    Ok(())
}

/// Calls in a second of the core, and in one of the clock.
fn rates(mut call: impl FnMut() -> Result<(), KmsError>) -> Result<[f64; 2], KmsError> {
    let (of_core, of_clock) = (time_of_core(), Instant::now());
    for _ in 0..CALLS {
        call()?;
    }
    let times = [time_of_core().saturating_sub(of_core), of_clock.elapsed()];
    Ok(times.map(|time| f64::from(CALLS) / time.as_secs_f64()))
}

/// What all threads of this process had of the cores, in programs and in the kernel.
fn time_of_core() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
