//! Time that an audited event takes.
//!
//! `cargo run --release -p objseal-keys --features kms --example audit_speed`

use objseal::Key;
use objseal::envelope::EncryptionContext;
use objseal_keys::audit::{AuditLog, Event, Options, verify};
use std::error::Error;
use std::thread;
use std::time::Instant;

const EVENTS: u32 = 200_000;
const STORE: [u8; 16] = [1; 16];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().join("audit");
    let first_key = Key::generate()?;
    let context = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "2026/11/28/cat.jpg")])?;
    let event = Event {
        principal: "arn:aws:iam::111122223333:role/backup",
        via_service: Some("s3.us-east-1"),
        operation: "Decrypt",
        key: Some("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        key_version: Some(3),
        context: Some(&context),
        object: Some("photos/2026/11/28/cat.jpg"),
        source: Some("192.0.2.17"),
        outcome: Event::SUCCESS,
        ..Event::default()
    };
    let log = AuditLog::create(&folder, STORE, &first_key, Key::generate()?, Options::default())?;
    for threads in [1, 2] {
        let begin = Instant::now();
        thread::scope(|scope| {
            let of_one = || (0..EVENTS / threads).try_for_each(|_| log.append(&event).map(drop));
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(of_one)).collect();
            running
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| "a thread failed")?.map_err(Box::<dyn Error>::from))
        })?;
        println!("append, {threads} threads: {:.2} us", begin.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS));
    }
    log.close()?;
    let begin = Instant::now();
    let report = verify(&folder, &first_key, &[])?;
    println!(
        "verify: {:.2} us for each of {} events",
        begin.elapsed().as_secs_f64() * 1e6 / report.lines as f64,
        report.lines
    );
    Ok(())
}
