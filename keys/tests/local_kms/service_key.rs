//! The key that S3 uses when no other one is named.

use crate::shared::{ACCOUNT, PURPOSE, Store, context, kind, policy, root, user};
use objseal_keys::kms::{Call, KeyManager, Kms, KmsErrorKind, Principal, Right, block_on};
use std::sync::Arc;

const ALIAS: &str = "alias/aws/s3";

fn through_s3(call: Call) -> Call {
    call.via("s3.us-east-1").with_context(context(&[("aws:s3:arn", "arn:aws:s3:::bucket/key")]))
}

#[test]
fn it_is_made_when_s3_asks_for_it_first() {
    let store = Store::new();
    let kms = store.open();
    for early in [root(), user("a"), user("a").via("s3.eu-west-1"), user("a").via("ebs.us-east-1")] {
        assert_eq!(kind(block_on(kms.generate(&early, ALIAS, PURPOSE))), Some(KmsErrorKind::NotFound));
    }
    let key = block_on(kms.generate(&through_s3(user("a")), ALIAS, PURPOSE)).expect("made");
    let described = block_on(kms.describe(&root(), ALIAS)).expect("described");
    assert_eq!(described.arn, key.key_id());
    assert_eq!(described.manager, KeyManager::Aws);
    assert_eq!(described.description, "Default key that protects my S3 objects when no other key is defined");
    let again = block_on(kms.generate(&through_s3(user("b")), ALIAS, PURPOSE)).expect("there");
    assert_eq!(again.key_id(), key.key_id());
    assert_eq!(kms.keys(&root()).expect("listed").len(), 1);
    assert!(kms.rotation(&root(), ALIAS).expect("asked").is_some());
}

#[test]
fn only_s3_uses_it_and_only_for_the_account() {
    let store = Store::new();
    let kms = store.open();
    block_on(kms.generate(&through_s3(user("a")), ALIAS, PURPOSE)).expect("made");
    let stranger = Call::of(Arc::new(Principal::new("arn:aws:iam::999999999999:root")));
    for denied in [root(), user("a"), user("a").via("s3.eu-west-1"), through_s3(stranger)] {
        assert_eq!(kind(block_on(kms.standing(&denied, ALIAS, Right::Generate))), Some(KmsErrorKind::AccessDenied));
    }
    assert!(block_on(kms.standing(&through_s3(user("a")), ALIAS, Right::Decrypt)).is_ok());
}

#[test]
fn nobody_disables_deletes_or_changes_it() {
    let store = Store::new();
    let kms = store.open();
    block_on(kms.generate(&through_s3(user("a")), ALIAS, PURPOSE)).expect("made");
    let all = policy(&format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"kms:*","Resource":"*"}}}}"#
    ));
    for (what, refused) in [
        ("disable", kind(kms.disable(&root(), ALIAS))),
        ("delete", kind(kms.schedule_deletion(&root(), ALIAS, Default::default()))),
        ("policy", kind(kms.put_policy(&root(), ALIAS, &all, true))),
        ("rotate", kind(kms.rotate(&root(), ALIAS))),
        ("no rotation", kind(kms.disable_rotation(&root(), ALIAS))),
        ("description", kind(kms.update_description(&root(), ALIAS, "mine"))),
        ("alias", kind(kms.create_alias(&root(), "alias/mine", ALIAS))),
    ] {
        assert_eq!(refused, Some(KmsErrorKind::AccessDenied), "{what}");
    }
    let other = kms.create_key(&root(), Default::default()).expect("created").arn;
    for (what, refused) in [
        ("make", kind(kms.create_alias(&root(), "alias/aws/rds", &other))),
        ("point", kind(kms.update_alias(&root(), ALIAS, &other))),
        ("remove", kind(kms.delete_alias(&root(), ALIAS))),
    ] {
        assert_eq!(refused, Some(KmsErrorKind::InvalidAliasName), "{what}");
    }
}
