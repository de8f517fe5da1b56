//! Makes the golden store `vectors/golden/kms` anew, for a format that has not been released.
//!
//! `cargo run -p objseal-keys --features kms --example kms_golden -- vectors/golden/kms`
//!
//! Ids and material are drawn at random, so it is another store each time.

use objseal::Key;
use objseal::envelope::{EncryptionContext, OpenOptions, WrappingKey};
use objseal_keys::kms::{Call, Kms, Principal, block_on};
use objseal_keys::local::{Constraint, DeletionWindow, LocalKms, NewGrant, NewKey, Options, Owner, RotationPeriod};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: kms_golden FOLDER")?;
    let folder = Path::new(&folder);
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let root_key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap_or_default());
    fs::write(folder.join("root-key"), root_key)?;
    let holder = Arc::new(WrappingKey::from_key(Key::from_bytes(&root_key)));
    let owner = Owner { account: ACCOUNT.into(), ..Owner::default() };
    let path = folder.join("kms");
    LocalKms::create(&path, &holder, &owner)?;
    let kms = LocalKms::open(&path, &OpenOptions::new().with_key(holder), Options::default())?;
    let root = Call::of(Arc::new(Principal::root_of(ACCOUNT)));

    // Three versions, of which the ciphertext needs the second one; a grant, rotation, an alias.
    let used = kms.create_key(&root, NewKey::described("used"))?.arn;
    kms.create_alias(&root, "alias/used", &used)?;
    kms.rotate(&root, &used)?;
    let context = EncryptionContext::from_pairs([("bucket", "photos"), ("key", "2026/cat.jpg")])?;
    let ciphertext = block_on(kms.encrypt(&root.clone().with_context(context), &used, b"the plaintext"))?;
    kms.rotate(&root, &used)?;
    kms.enable_rotation(&root, &used, RotationPeriod::days(2_560)?)?;
    let mut grant = NewGrant::to(format!("arn:aws:iam::{ACCOUNT}:user/reader"), ["Decrypt", "DescribeKey"]);
    grant.constraint = Some(Constraint::Subset([("bucket".into(), "photos".into())].into()));
    kms.create_grant(&root, &used, grant)?;

    let disabled = kms.create_key(&root, NewKey::described("disabled"))?.arn;
    kms.disable(&root, &disabled)?;
    let imported = kms.create_key(&root, NewKey::described("imported").with_imported_material())?.arn;
    kms.import_material(&root, &imported, &Key::from_bytes(&root_key), None)?;
    kms.create_key(&root, NewKey::described("waits for material").with_imported_material())?;
    let cancelled = kms.create_key(&root, NewKey::described("kept after all"))?.arn;
    kms.schedule_deletion(&root, &cancelled, DeletionWindow::default())?;
    kms.cancel_deletion(&root, &cancelled)?;

    let hex: String = ciphertext.blob.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.join("ciphertext"), hex + "\n")?;
    fs::write(folder.join("head.json"), kms.audit().head().to_json() + "\n")?;
    Ok(())
}
