//! Makes the golden store `vectors/golden/kms` anew, for a format that has not been released.
//!
//! `cargo run -p objseal-keys --features kms --example kms_golden -- vectors/golden/kms`
//!
//! Ids and material are drawn at random, so it is another store each time.

use objseal::Key;
use objseal::envelope::{EncryptionContext, OpenOptions, WrappingKey};
use objseal_keys::kms::{Call, Kms, Principal, block_on};
use objseal_keys::local::{
    Constraint, DeletionWindow, LocalKms, NewGrant, NewKey, Options, Owner, RotationPeriod, Wrapping,
};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

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

    // Three versions, of which the ciphertext needs the second one; a grant, rotation, an alias, tags.
    let tags = [("stage".into(), "production".into()), ("größe".into(), String::new())];
    let used = kms.create_key(&root, NewKey::described("used").with_tags(tags.into()))?.arn;
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
    let waits = kms.create_key(&root, NewKey::described("waits for material").with_imported_material())?.arn;
    // What the token keeps is not looked at, so it is not the private key of anything.
    let how = Wrapping::new("RSAES_OAEP_SHA_256", "RSA_4096");
    let token = kms.begin_import(&root, &waits, &how, || Ok(Zeroizing::new(b"a private key".to_vec())))?;
    let cancelled = kms.create_key(&root, NewKey::described("kept after all"))?.arn;
    kms.schedule_deletion(&root, &cancelled, DeletionWindow::default())?;
    kms.cancel_deletion(&root, &cancelled)?;

    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    fs::write(folder.join("ciphertext"), hex(&ciphertext.blob))?;
    fs::write(folder.join("import-token"), hex(&token.token))?;
    fs::write(folder.join("head.json"), kms.audit().head().to_json() + "\n")?;
    Ok(())
}
